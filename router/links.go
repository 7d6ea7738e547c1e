package router

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/trunk"
)

// connections makes peers of the connections of one configured listener or
// connector. It implements trunk.Owner.
type connections struct {
	r    *Router
	name string
	role string // as configured; empty is that of clients
	// endpoint is host and port as configured.
	endpoint string
	access   *accessFlow // of a listener for other routers
	link     *linkFlow   // of a connector to another router
	set      linkSettings
	cost     atomic.Int64

	before *connections // those of the connector in whose place this one is; nil: none

	// Owned by the control loop: why the last attempt of a connector failed, and
	// what was said of a connection to the wrong router.
	failure, split string
}

// Connect implements trunk.Owner.
func (o *connections) Connect(m *trunk.Member) (conn.Config, conn.Handler) {
	r := o.r
	p := &peer{
		r: r, owner: o, id: r.lastConn.Add(1), member: m, since: time.Now(),
		cost: int(max(1, o.cost.Load())), links: map[*conn.Link]*linkRecord{},
	}
	m.App = p
	var trace conn.Tracer
	if r.tracing() {
		trace, p.traced = p.trace, true
	}
	r.box.post(func() { r.peers[p.id] = p })
	return conn.Config{
		Open: amqp.Open{
			ContainerID: r.id, MaxFrameSize: o.set.frame, IdleTimeOut: o.set.idle, ChannelMax: o.set.sessions,
			OfferedCapabilities: append(capabilities(m.Role), capUnread, capPrompt),
			DesiredCapabilities: capabilities(m.Role),
			Properties:          o.properties(p, m),
		},
		SASL: conn.SASL{Mechanisms: o.set.mechanisms, Required: o.set.required}, Log: r.log, Trace: trace, Serial: &r.lastLink, PlainToo: o.set.plain,
		SessionWindow: o.set.window, HandshakeTimeout: o.set.handshake,
		// A client that is told of the end by a Close believes that all is done, and one of
		// Proton's that is told amqp:connection:forced waits for its next heartbeat before it
		// connects again. Hung up on, it does so at once (compat: skupper-router 3.x). Where
		// the listener is deleted there is nothing to connect to again, and one of Proton's
		// that is being closed would try to for ever.
		HangUp: m.Role == trunk.Normal, Dismissal: refusal(errDeleted),
	}, p
}

// capabilities are those that both ends of a connection use.
func capabilities(role trunk.Role) []amqp.Symbol {
	list := []amqp.Symbol{capAnonymousRelay, capStreaming, capTrunking}
	if role == trunk.InterEdge {
		list = append(list, capInterEdge)
	}
	return list
}

// linkSettings are what a configured listener or connector says about its
// connections.
type linkSettings struct {
	frame      uint32
	idle       uint32 // ms on the wire
	window     uint32
	mechanisms []amqp.Symbol
	required   bool
	plain      bool   // peers without TLS are taken beside those with it
	sessions   uint16 // highest channel; 0 is the default
	capacity   uint32 // credit of links of clients
	keepsIn    bool   // router annotations of clients count
	keepsOut   bool   // clients get router annotations
	properties map[string]any
	handshake  time.Duration // for each stage; 0 is the default
	failover   amqp.List     // where clients may go instead
	logged     messageParts  // of messages
}

func (o *connections) properties(p *peer, m *trunk.Member) amqp.Map {
	props := amqp.Map{
		{Key: propProduct, Value: "skupper-router"},
		{Key: propVersion, Value: o.r.version},
		{Key: propConnID, Value: int32(p.id)},
	}
	if p.cost > 1 {
		props = append(props, amqp.Pair{Key: propCost, Value: int32(p.cost)})
	}
	switch m.Role {
	case trunk.Normal:
		props = append(props, openProperties(o.set.properties)...)
	case trunk.InterEdge: // compat: says nothing of annotations
	case trunk.InterRouter, trunk.Edge:
		props = append(props, amqp.Pair{Key: propAnnotations, Value: int32(2)})
	}
	if o.set.failover != nil {
		props = append(props, amqp.Pair{Key: propFailover, Value: o.set.failover})
	}
	if o.access != nil {
		props = append(props, amqp.Pair{Key: propAccessID, Value: o.access.Identity()})
	}
	return props
}

// opened notes that a connection is open.
func (r *Router) opened(p *peer) {
	p.up = true
	p.logOpened()
	p.logAnnotations()
	if r.uplink != nil && p.isEdge() && p.dialed() {
		r.uplink.opened(p)
	}
	if p.isEdge() && !p.dialed() {
		p.edge = &edgePeer{p: p}
	}
	if r.mesh != nil && p.interEdge() {
		r.mesh.opened(p)
	}
	if link := p.owner.link; link != nil {
		link.opened(p)
	}
	if access := p.owner.access; access != nil {
		access.count(p, 1)
	}
	r.autoLinks(func(a *autoLink) { a.opened(p) })
}

func addrText(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// Ended implements trunk.Owner.
func (o *connections) Ended(m *trunk.Member, err error) {
	r, p := o.r, m.App.(*peer)
	r.box.post(func() {
		delete(r.peers, p.id)
		if p.up {
			r.tally.ended(p.conn)
		}
		o.logEnded(p, err)
		r.autoLinks(func(a *autoLink) { a.ended(p) })
		r.setHop(forward.HopID(p.id), nil)
		r.table.SetMesh(forward.ConnID(p.id), "")
		if r.uplink != nil {
			r.uplink.ended(p)
			r.mesh.ended(p)
		}
		if o.link != nil && p.up {
			o.link.ended(p, err)
		}
		if o.access != nil && p.up {
			o.access.count(p, -1)
		}
	})
}

// Retry implements trunk.Owner.
func (o *connections) Retry(d *trunk.Dialer, err error, wait time.Duration) {
	o.r.box.post(func() {
		o.logFailed(d, err, wait)
		if o.link != nil {
			o.link.down(err)
		}
	})
}
