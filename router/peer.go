package router

import (
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/linkstate"
	"github.com/skupper-host/skupper/router/stream"
	"github.com/skupper-host/skupper/router/trunk"
)

// peer is one AMQP connection and what its role makes of it. Its methods of
// conn.Handler run on the connection's reader.
type peer struct {
	r      *Router
	owner  *connections
	id     uint64 // of the connection, unique in this process
	member *trunk.Member
	cost   int // configured, then the larger one of both ends
	since  time.Time

	// Set by Opened, then read only.
	conn    *conn.Conn
	remote  string // container id
	streams bool   // the peer takes streams on links of their own
	ours    bool   // the peer has no limit on what it has not read
	prompt  bool   // the peer says HELLO twice as often

	exposure  stream.Exposure  // towards a peer that has
	gathering stream.Gathering // what has come of messages that are not complete

	// Owned by the reader.
	dataIn  int // data links attached by the peer, by direction
	dataOut int

	// controlOut and data are the links we send on; written by the reader, read
	// by anybody.
	controlOut atomic.Pointer[conn.Link]
	data       [priorities]atomic.Pointer[conn.Link]

	// pending counts control messages that wait in the mailbox.
	pending atomic.Int32

	// Owned by the control loop.
	up       bool          // the peer's Open was handled here
	traced   bool          // its frames are logged
	deleted  bool          // management has closed it
	controls [2]*conn.Link // the control links that are attached: to receive, to send
	linkUp   bool          // the engine knows the link
	links    map[*conn.Link]*linkRecord
	edge     *edgePeer // of an edge router at the other end
}

func (p *peer) linkID() linkstate.LinkID { return linkstate.LinkID(p.id) }
func (p *peer) dialed() bool             { return p.member.Dialer != nil }
func (p *peer) role() trunk.Role         { return p.member.Role }
func (p *peer) isEdge() bool             { return p.member.Role == trunk.Edge }

// interEdge reports whether both ends are edge routers.
func (p *peer) interEdge() bool { return p.member.Role == trunk.InterEdge }

// router reports whether the other end is a router.
func (p *peer) router() bool { return p.member.Role != trunk.Normal }

// betweenInteriors reports whether the connection carries the links between
// interior routers.
func (p *peer) betweenInteriors() bool { return p.member.Role == trunk.InterRouter }

// capacity is the number of deliveries that a link may have under way.
func (p *peer) capacity() uint32 { return max(p.owner.set.capacity, 1) }

// control reports whether routing messages are exchanged with the peer.
func (p *peer) control() bool { return p.member.Role == trunk.InterRouter && !p.member.Data() }

// Opened implements conn.Handler.
func (p *peer) Opened(c *conn.Conn, open *amqp.Open) {
	c.App = p
	p.conn, p.remote = c, open.ContainerID
	p.streams, p.ours, p.prompt = offers(open, capStreaming), offers(open, capUnread), offers(open, capPrompt)
	if !p.ours {
		c.AwaitSettlement()
	}
	if cost, ok := open.Properties.Get(string(propCost)).(int32); ok {
		p.cost = max(p.cost, int(cost))
	}
	switch {
	case p.control() && p.dialed():
		p.attachRouterLinks()
	case !p.control():
		p.member.Ready()
	}
	p.r.box.post(func() { p.r.opened(p) })
}

func offers(open *amqp.Open, c amqp.Symbol) bool {
	for _, have := range open.OfferedCapabilities {
		if have == c {
			return true
		}
	}
	return false
}

// attachRouterLinks attaches the control pair and the ten data pairs, in the
// order that gives them their priorities (compat: skupper-router 3.x).
func (p *peer) attachRouterLinks() {
	p.attachPair(conn.ClassControl, capControl, &controlLink{p: p})
	for n := range priorities {
		p.attachPair(conn.ClassData+n, capData, &dataLink{p: p, priority: n})
	}
}

func (p *peer) attachPair(class int, capability amqp.Symbol, ev conn.LinkEvents) {
	for _, sender := range []bool{false, true} {
		p.conn.Attach(conn.LinkConfig{
			Session: class, Sender: sender, SndSettle: amqp.SndMixed,
			Source: &amqp.Source{ExpiryPolicy: "link-detach", Capabilities: []amqp.Symbol{capability}},
			Target: &amqp.Target{ExpiryPolicy: "link-detach", Capabilities: []amqp.Symbol{capability}},
			Credit: conn.CreditPolicy{Window: routerCredit}, Events: ev,
		})
	}
}

// Attached implements conn.Handler: the peer attaches a link.
func (p *peer) Attached(_ *conn.Conn, l *conn.Link) {
	switch {
	case attachedWith(l, capControl):
		p.attachedControl(l)
	case attachedWith(l, capData):
		p.attachedData(l)
	case p.control() && p.controlOut.Load() == nil:
		l.Refuse(refusal(errConnectionRole))
	default:
		p.attachedEndpoint(l)
	}
}

// attachedWith reports whether the terminus that is on our side of l carries
// the capability.
func attachedWith(l *conn.Link, c amqp.Symbol) bool {
	a := l.Remote()
	var have []amqp.Symbol
	switch {
	case l.Sender() && a.Source != nil:
		have = a.Source.Capabilities
	case !l.Sender() && a.Target != nil:
		have = a.Target.Capabilities
	}
	for _, h := range have {
		if h == c {
			return true
		}
	}
	return false
}

func (p *peer) attachedControl(l *conn.Link) {
	if !p.control() {
		l.Refuse(refusal(errForbidden))
		return
	}
	ev := &controlLink{p: p}
	l.Accept(nil, nil, nil, conn.CreditPolicy{Window: routerCredit}, ev)
	ev.up(l)
}

// attachedData gives the first ten data links of each direction their
// priorities; all later ones carry streams.
func (p *peer) attachedData(l *conn.Link) {
	if !p.control() {
		l.Refuse(refusal(errForbidden))
		return
	}
	n := &p.dataIn
	if l.Sender() {
		n = &p.dataOut
	}
	priority := *n
	*n++
	if priority >= priorities {
		if l.Sender() {
			l.Refuse(refusal(errForbidden))
			return
		}
		l.Untimed()
		l.Accept(nil, nil, nil, p.streamCredit(), (*anonymousLink)(p))
		l.ForgetRemote()
		return
	}
	l.Accept(nil, nil, nil, conn.CreditPolicy{Window: routerCredit}, &dataLink{p: p, priority: priority})
	if l.Sender() {
		p.data[priority].Store(l)
	}
}

// streamCredit is the credit of links that streams come on. compat: a
// skupper-router that has sent the opening of a stream before it had what
// follows may forget to send that, until it hears of the link again.
func (p *peer) streamCredit() conn.CreditPolicy {
	return conn.CreditPolicy{Window: p.capacity(), Prompt: !p.ours}
}

// dataFor returns the data link for a message of that priority, or the next
// lower one that exists.
func (p *peer) dataFor(priority uint8) *conn.Link {
	for n := int(min(priority, priorities-1)); n >= 0; n-- {
		if l := p.data[n].Load(); l != nil {
			return l
		}
	}
	return nil
}

// controlLink is one link of the control pair.
type controlLink struct{ p *peer }

func (e *controlLink) up(l *conn.Link) {
	p := e.p
	if l.Sender() {
		p.controlOut.Store(l)
	}
	p.r.box.post(func() { p.r.controlAttached(p, l) })
}

func (e *controlLink) Answered(l *conn.Link) {
	if !l.Refused() {
		e.up(l)
	}
}
func (e *controlLink) Credit(*conn.Link)                   {}
func (e *controlLink) Begin(rcv *conn.Receiving) conn.Sink { return &controlMessage{p: e.p, rcv: rcv} }
func (e *controlLink) Detached(l *conn.Link, err *amqp.Error) {
	p := e.p
	if l.Sender() {
		p.controlOut.CompareAndSwap(l, nil)
	}
	p.r.box.post(func() { p.r.controlDetached(p, err) })
}

// dataLink is one of a pair that carries complete messages of one priority.
type dataLink struct {
	p        *peer
	priority int
}

func (e *dataLink) Answered(l *conn.Link) {
	if l.Sender() && !l.Refused() {
		e.p.data[e.priority].Store(l)
	}
}
func (e *dataLink) Credit(*conn.Link) {}
func (e *dataLink) Begin(rcv *conn.Receiving) conn.Sink {
	return e.p.r.begin(e.p, rcv, nil)
}

func (e *dataLink) Detached(l *conn.Link, _ *amqp.Error) {
	if l.Sender() {
		e.p.data[e.priority].CompareAndSwap(l, nil)
	}
}

// anonymousLink is a link that the peer sends on and whose messages say
// themselves where they go: streaming links, the uplink of an edge.
type anonymousLink peer // there may be very many of them

func (*anonymousLink) Answered(*conn.Link)                   {}
func (*anonymousLink) Credit(*conn.Link)                     {}
func (p *anonymousLink) Begin(rcv *conn.Receiving) conn.Sink { return p.r.begin((*peer)(p), rcv, nil) }
func (*anonymousLink) Detached(*conn.Link, *amqp.Error)      {}
