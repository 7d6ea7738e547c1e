package router

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/stream"
)

// edgePeer is an edge router that is connected to this interior router. It is
// owned by the control loop.
type edgePeer struct {
	p        *peer
	mesh     string
	tracking *conn.Link // on which we say which addresses are reachable
}

// tell says whether an address that the edge router sends to is reachable, if
// that is news.
func (e *edgePeer) tell(l *producerLink, a *forward.Address) {
	can := a.CanSend(e.mesh)
	if e.tracking == nil || can == l.told || l.key.Class != forward.ClassMobile {
		return
	}
	l.told = can
	msg := amqp.Message{Kind: amqp.BodyValue, Value: amqp.List{l.key.String(), can}}
	s := e.tracking.Send(nobody{}, false)
	s.WriteBytes(msg.AppendWide(e.p.r.annotations(0, nil), 0), false)
}

// trackingAttached begins to tell an edge router about addresses.
func (r *Router) trackingAttached(p *peer, l *conn.Link) {
	if p.edge == nil {
		return
	}
	p.edge.tracking = l
	p.edge.tellAll()
}

func (e *edgePeer) tellAll() {
	snap := e.p.r.snap.Load()
	for _, record := range e.p.links {
		if record.producer != nil {
			e.tell(record.producer, snap.Lookup(record.key))
		}
	}
}

// trackingEvents are those of the link on which an edge router is told.
type trackingEvents struct{ p *peer }

func (e *trackingEvents) Answered(*conn.Link)             {}
func (e *trackingEvents) Credit(*conn.Link)               {}
func (e *trackingEvents) Begin(*conn.Receiving) conn.Sink { return discard{} }
func (e *trackingEvents) Detached(l *conn.Link, _ *amqp.Error) {
	e.p.r.box.post(func() {
		if e.p.edge != nil && e.p.edge.tracking == l {
			e.p.edge.tracking = nil
		}
	})
}

// meshEvents are those of the link on which an edge router says to which mesh
// it belongs.
type meshEvents struct{ p *peer }

func (e *meshEvents) Answered(*conn.Link)              {}
func (e *meshEvents) Credit(*conn.Link)                {}
func (e *meshEvents) Detached(*conn.Link, *amqp.Error) {}
func (e *meshEvents) Begin(rcv *conn.Receiving) conn.Sink {
	return newCollected(rcv, func(m *amqp.Message) {
		mesh, _ := m.ApplicationProperties.Get("meshid").(string)
		r := e.p.r
		r.box.post(func() {
			if e.p.edge == nil || mesh == "" {
				return
			}
			e.p.edge.mesh = mesh
			r.table.SetMesh(forward.ConnID(e.p.id), mesh)
			e.p.edge.tellAll()
		})
	})
}

// maxEdgeMessage bounds the messages between an edge and its interior router
// that are for these routers themselves, in octets.
const maxEdgeMessage = 64 << 10

// collected is the sink of a small message for this router.
type collected struct {
	rcv  *conn.Receiving
	data []byte
	f    func(*amqp.Message)
	bad  bool
}

func newCollected(rcv *conn.Receiving, f func(*amqp.Message)) *collected {
	return &collected{rcv: rcv, f: f}
}

func (c *collected) Transfer(payload []byte, more bool) {
	if len(c.data)+len(payload) > maxEdgeMessage {
		c.bad = true
	}
	if !c.bad {
		c.data = append(c.data, payload...)
	}
	if more {
		return
	}
	st := accepted
	m, err := amqp.ParseMessage(c.data)
	switch {
	case c.bad:
		st = rejected(amqp.ErrMessageSizeExceeded, "message too long")
	case err != nil:
		st = rejected(amqp.ErrDecode, err.Error())
	default:
		c.f(m)
	}
	if !c.rcv.Settled {
		c.rcv.Update(st, true)
	}
}

func (c *collected) Settled(amqp.State) {}
func (c *collected) Abort()             {}
func (c *collected) Lost(error)         {}

// uplink is what an edge router has towards its interior router. One
// connection is in use; others wait. It is owned by the control loop.
type uplink struct {
	r     *Router
	ready []*peer // open connections, in the order in which they came; the first is in use
	up    *forward.Consumer
	// discovery is the link on which the interior router hears of our mesh.
	discovery *conn.Link
	links     []*conn.Link // attached on the connection in use, without those of addresses
	proxies   map[proxyKey]*proxy
}

// proxyKey names a link that stands for an address at the interior router.
type proxyKey struct {
	key    forward.Key
	sender bool // we send on it
}

type proxy struct {
	link     *conn.Link
	consumer *forward.Consumer // bound while the address is reachable; of senders
	presumed bool              // it was before, and nobody has said so since
}

// settling is how long the interior router may take to know a new connection.
const settling = 2 * time.Second

func (u *uplink) active() *peer {
	if len(u.ready) == 0 {
		return nil
	}
	return u.ready[0]
}

// opened takes a connection into use if there is none, or if it was made with
// newer credentials or by a connector in the place of the other's; else it waits.
func (u *uplink) opened(p *peer) {
	was := u.active()
	if was == nil || p.owner.before == was.owner || p.member.Ordinal() > was.member.Ordinal() {
		u.ready = append([]*peer{p}, u.ready...)
		if was != nil {
			u.r.log.Info("uplink moves to a newer connection", "module", "ROUTER_CORE", "conn", p.id, "from", was.id)
			attached, reachable := u.retire()
			defer u.settle(p, attached, reachable)
		}
		u.activate(p)
		return
	}
	u.ready = append(u.ready, p)
}

// retire is forget, for a connection that lives on. It returns what is attached
// on it, and which addresses are reachable over it.
func (u *uplink) retire() (attached []*conn.Link, reachable []forward.Key) {
	attached = u.links
	for k, x := range u.proxies {
		attached = append(attached, x.link)
		if x.consumer != nil {
			reachable = append(reachable, k.key)
		}
	}
	u.forget()
	return attached, reachable
}

// settle makes p the successor of a connection on which links are attached. Until
// the interior router knows what is attached to p, these stay, so that it always
// has a way to what is here; and until it has said what is reachable, that is what
// was: listeners go on listening, and new streams have somewhere to go.
func (u *uplink) settle(p *peer, attached []*conn.Link, reachable []forward.Key) {
	for _, key := range reachable {
		u.tracked(p, key, true)
		if x := u.proxies[proxyKey{key, true}]; x != nil {
			x.presumed = true
		}
	}
	u.r.spawn(func(ctx context.Context) {
		if !pause(ctx, settling) {
			return
		}
		u.r.box.post(func() {
			for _, l := range attached {
				l.Detach(nil)
			}
			for _, key := range reachable {
				if x := u.proxies[proxyKey{key, true}]; x != nil && x.presumed {
					u.tracked(p, key, false)
				}
			}
		})
	})
}

// forget undoes what activate did here.
func (u *uplink) forget() {
	u.links = nil
	if u.up != nil {
		u.r.table.Remove(u.up)
		u.up, u.discovery = nil, nil
	}
	for k, x := range u.proxies {
		if x.consumer != nil {
			u.r.table.Remove(x.consumer)
		}
		delete(u.proxies, k)
	}
}

// ended forgets a connection; the next one takes its place.
func (u *uplink) ended(p *peer) {
	was := u.active()
	for i, o := range u.ready {
		if o == p {
			u.ready = append(u.ready[:i:i], u.ready[i+1:]...)
			break
		}
	}
	if was != p || was == nil {
		return
	}
	u.forget()
	slices.SortStableFunc(u.ready, func(a, b *peer) int { return cmp.Compare(b.member.Ordinal(), a.member.Ordinal()) })
	if next := u.active(); next != nil {
		u.activate(next)
	}
}

// activate attaches everything on the connection, in upstream's order.
func (u *uplink) activate(p *peer) {
	r := u.r
	mesh := p.conn.Attach(conn.LinkConfig{
		Session: conn.ClassCoreEndpoint, Sender: true, SndSettle: amqp.SndMixed,
		Source: &amqp.Source{}, Target: &amqp.Target{Address: addrMesh}, Events: quiet{},
	})
	up := p.conn.Attach(conn.LinkConfig{
		Session: conn.ClassEndpoint, Sender: true, SndSettle: amqp.SndMixed,
		Source: &amqp.Source{}, Target: &amqp.Target{}, Events: quiet{},
	})
	down := []amqp.Symbol{capDownlink}
	downlink := p.conn.Attach(conn.LinkConfig{
		Session: conn.ClassEndpoint, SndSettle: amqp.SndMixed,
		Source: &amqp.Source{Address: r.id, Capabilities: down}, Target: &amqp.Target{Capabilities: down},
		Credit: conn.CreditPolicy{Window: routerCredit}, Events: (*anonymousLink)(p),
	})
	tracking := p.conn.Attach(conn.LinkConfig{
		Session: conn.ClassCoreEndpoint, SndSettle: amqp.SndMixed,
		Source: &amqp.Source{Address: addrTracking}, Target: &amqp.Target{},
		Credit: conn.CreditPolicy{Window: trackingCredit}, Events: &trackedEvents{u: u, p: p},
	})
	u.discovery, u.links = mesh, []*conn.Link{mesh, up, downlink, tracking}
	u.tellMesh()

	u.up = &forward.Consumer{
		Kind: forward.Proxy, Conn: forward.ConnID(p.id), Edge: true, Target: &consumerLink{p: p, link: up},
	}
	r.table.Add(forward.Uplink(), u.up, forward.Balanced)
	r.snap.Load().All(func(a *forward.Address) bool {
		u.changed(forward.Change{Key: a.Key(), New: a})
		return true
	})
}

// tellMesh says to the interior router to which mesh we belong.
func (u *uplink) tellMesh() {
	if u.discovery == nil {
		return
	}
	id := amqp.Message{ApplicationProperties: amqp.Map{{Key: amqp.Symbol("meshid"), Value: u.r.self.Load().mesh}}}
	u.discovery.Send(nobody{}, false).WriteBytes(id.AppendWide(u.r.annotations(0, nil), 0), false)
}

// quiet are the events of a link that nobody needs to hear of.
type quiet struct{}

func (quiet) Answered(*conn.Link)              {}
func (quiet) Credit(*conn.Link)                {}
func (quiet) Begin(*conn.Receiving) conn.Sink  { return discard{} }
func (quiet) Detached(*conn.Link, *amqp.Error) {}

// changed attaches and detaches the links that stand for an address at the
// interior router: one to receive on while there are destinations here, one to
// send on while somebody here sends to it.
func (u *uplink) changed(c forward.Change) {
	p := u.active()
	if p == nil || c.Key.Class != forward.ClassMobile {
		return
	}
	_, consumes := c.New.Announcement()
	n := c.New.Counts()
	u.want(p, proxyKey{c.Key, false}, consumes)
	u.want(p, proxyKey{c.Key, true}, n.Producers+n.Watchers > 0)
}

func (u *uplink) want(p *peer, k proxyKey, wanted bool) {
	x := u.proxies[k]
	switch {
	case wanted && x == nil && k.sender:
		u.proxies[k] = &proxy{link: p.conn.Attach(conn.LinkConfig{
			Session: conn.ClassEndpoint, Sender: true, SndSettle: amqp.SndMixed,
			Source: &amqp.Source{}, Target: &amqp.Target{Address: k.key.Name}, Events: quiet{},
		})}
	case wanted && x == nil:
		u.proxies[k] = &proxy{link: p.conn.Attach(conn.LinkConfig{
			Session: conn.ClassEndpoint, SndSettle: amqp.SndMixed,
			Source: &amqp.Source{Address: k.key.Name}, Target: &amqp.Target{},
			Credit: conn.CreditPolicy{Window: routerCredit}, Events: &proxiedLink{p: p, address: k.key.Name},
		})}
	case !wanted && x != nil:
		delete(u.proxies, k)
		if x.consumer != nil {
			u.r.table.Remove(x.consumer)
		}
		x.link.Detach(nil)
	}
}

// proxiedLink is a link on which the interior router sends what is for an
// address here.
type proxiedLink struct {
	p       *peer
	address string
}

func (e *proxiedLink) Answered(*conn.Link)              {}
func (e *proxiedLink) Credit(*conn.Link)                {}
func (e *proxiedLink) Detached(*conn.Link, *amqp.Error) {}
func (e *proxiedLink) Begin(rcv *conn.Receiving) conn.Sink {
	return stream.NewIntake(rcv, &inbound{r: e.p.r, p: e.p, rcv: rcv, target: e.address}, &e.p.gathering)
}

// trackedEvents are those of the link on which the interior router says which
// addresses are reachable.
type trackedEvents struct {
	u *uplink
	p *peer
}

func (e *trackedEvents) Answered(*conn.Link)              {}
func (e *trackedEvents) Credit(*conn.Link)                {}
func (e *trackedEvents) Detached(*conn.Link, *amqp.Error) {}
func (e *trackedEvents) Begin(rcv *conn.Receiving) conn.Sink {
	return newCollected(rcv, func(m *amqp.Message) {
		list, _ := m.Value.(amqp.List)
		if len(list) != 2 {
			return
		}
		text, _ := list[0].(string)
		reachable, _ := list[1].(bool)
		key, ok := forward.ParseKey(text)
		if !ok {
			return
		}
		e.p.r.box.post(func() { e.u.tracked(e.p, key, reachable) })
	})
}

// tracked binds the link of an address to it, or takes it away.
func (u *uplink) tracked(p *peer, key forward.Key, reachable bool) {
	x := u.proxies[proxyKey{key, true}]
	if x == nil || u.active() != p {
		return
	}
	x.presumed = false
	if reachable == (x.consumer != nil) {
		return
	}
	if !reachable {
		u.r.table.Remove(x.consumer)
		x.consumer = nil
		return
	}
	x.consumer = &forward.Consumer{
		Kind: forward.Proxy, Conn: forward.ConnID(p.id), Edge: true, Capacity: routerCredit,
		Target: &consumerLink{p: p, link: x.link},
	}
	u.r.table.Add(key, x.consumer, forward.Unsaid)
}
