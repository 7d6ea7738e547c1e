package router

import (
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
)

// linkRecord is what the control loop knows of a link that names an address.
type linkRecord struct {
	key      forward.Key
	consumer *forward.Consumer // of a link that we send on
	producer *producerLink     // of a link that we receive on
}

// attachedEndpoint answers a link that the peer attaches as a user of the
// router: a client, or an edge router. It runs on the reader. The answer comes
// when the address table knows of the link, so that a peer that has it can rely
// on what it has attached.
func (p *peer) attachedEndpoint(l *conn.Link) {
	if l.Sender() {
		p.attachedConsumer(l)
		return
	}
	p.attachedProducer(l)
}

func addressOf(a any) string {
	s, _ := a.(string)
	return s
}

// attachedConsumer answers a link that we are to send on.
func (p *peer) attachedConsumer(l *conn.Link) {
	src := l.Remote().Source
	t := &consumerLink{p: p, link: l}
	address := ""
	if src != nil {
		address = addressOf(src.Address)
	}
	switch {
	case src == nil || address == "" && !src.Dynamic:
		l.Refuse(refusal(errNoRoute))
	case src.Dynamic:
		name := "temp." + discriminator()
		source := *src
		source.Address = p.r.tempAddress(name)
		p.consume(l, t, forward.Key{Class: forward.ClassLocal, Name: name}, &source)
	case p.isEdge() && address == addrTracking:
		l.Accept(nil, nil, nil, conn.CreditPolicy{}, &trackingEvents{p: p})
		p.r.box.post(func() { p.r.trackingAttached(p, l) })
	case p.isEdge() && attachedWith(l, capDownlink):
		t.downlink = true
		p.consume(l, t, forward.Key{Class: forward.ClassEdge, Name: address}, nil)
	default:
		key := p.r.snap.Load().Names().Key(address)
		if key.Class == forward.ClassRouter {
			l.Refuse(refusal(errNoRoute)) // compat: nobody but that router can consume there
			return
		}
		p.consume(l, t, key, nil)
	}
}

// consume makes the link a destination of the address.
func (p *peer) consume(l *conn.Link, t *consumerLink, key forward.Key, source *amqp.Source) {
	t.key = key
	c := &forward.Consumer{
		Kind: forward.Local, Conn: forward.ConnID(p.id), Edge: p.isEdge(), Target: t, Capacity: int64(p.capacity()),
	}
	if p.interEdge() {
		c.Kind, c.Edge = forward.Proxy, true
	}
	r := p.r
	r.box.post(func() {
		if r.table.Treatment(key) == forward.Unavailable {
			l.Refuse(refusal(errUnavailable))
			return
		}
		l.KeepPresettled(int(p.capacity())) // compat
		p.links[l] = &linkRecord{key: key, consumer: c}
		r.table.Add(key, c, forward.Unsaid)
		r.whenPublished(func() { l.Accept(source, nil, nil, conn.CreditPolicy{}, &consumerEvents{t: t}) })
	})
}

// consumerEvents are those of a link that we send on.
type consumerEvents struct{ t *consumerLink }

func (e *consumerEvents) Answered(*conn.Link)             {}
func (e *consumerEvents) Credit(*conn.Link)               {}
func (e *consumerEvents) Begin(*conn.Receiving) conn.Sink { return discard{} }
func (e *consumerEvents) Detached(l *conn.Link, _ *amqp.Error) {
	p := e.t.p
	p.r.box.post(func() {
		if record := p.links[l]; record != nil {
			delete(p.links, l)
			p.r.table.Remove(record.consumer)
		}
	})
}

// discard is the sink of deliveries that cannot come.
type discard struct{}

func (discard) Transfer([]byte, bool) {}
func (discard) Settled(amqp.State)    {}
func (discard) Abort()                {}
func (discard) Lost(error)            {}

// attachedProducer answers a link that we are to receive on.
func (p *peer) attachedProducer(l *conn.Link) {
	a := l.Remote()
	if a.Coordinator || a.Target == nil {
		l.Refuse(&amqp.Error{Condition: amqp.ErrNotImplemented, Description: "The router can't coordinate transactions by itself"})
		return
	}
	address := addressOf(a.Target.Address)
	switch {
	case a.Target.Dynamic:
		target := *a.Target
		target.Address = "amqp:/_$temp." + discriminator()
		p.produce(l, &target, addressOf(target.Address))
	case address == "" && p.router():
		l.Accept(nil, nil, nil, p.streamCredit(), (*anonymousLink)(p))
		l.ForgetRemote()
	case address == "":
		l.Accept(nil, nil, nil, conn.CreditPolicy{Window: p.capacity(), OnSettle: true}, (*anonymousLink)(p))
		l.ForgetRemote()
	case p.isEdge() && address == addrMesh:
		l.Accept(nil, nil, nil, conn.CreditPolicy{Window: meshCredit}, &meshEvents{p: p})
	case p.interEdge() && address == addrMeshBids:
		l.Accept(nil, nil, nil, conn.CreditPolicy{Window: meshCredit}, &bidEvents{p: p})
	default:
		p.produce(l, nil, address)
	}
}

// produce accepts a link to an address. It gets credit when the address has
// destinations.
func (p *peer) produce(l *conn.Link, target *amqp.Target, address string) {
	r := p.r
	e := &producerLink{p: p, link: l, address: address, key: r.snap.Load().Names().Key(address), asked: asked(l)}
	r.box.post(func() {
		if r.table.Treatment(e.key) == forward.Unavailable {
			l.Refuse(refusal(errUnavailable))
			return
		}
		p.links[l] = &linkRecord{key: e.key, producer: e}
		r.table.AddProducer(e.key, forward.Unsaid)
		r.whenPublished(func() {
			l.Accept(nil, target, nil, conn.CreditPolicy{OnSettle: !p.router()}, e)
			r.watch(e.key, e)
		})
	})
}

// asked are the flags of router annotations that the target of a link asks for
// with its capabilities.
func asked(l *conn.Link) (flags uint32) {
	if attachedWith(l, capStreamingDeliveries) {
		flags |= amqp.FlagStreaming
	}
	if attachedWith(l, capResendReleased) {
		flags |= amqp.FlagResendReleased
	}
	return flags
}

// producerLink is a link on which the peer sends to an address.
type producerLink struct {
	p       *peer
	link    *conn.Link
	address string
	key     forward.Key
	asked   uint32 // flags of router annotations

	// Owned by the control loop.
	credited bool
	told     bool // what the edge router knows: the address is reachable
}

func (e *producerLink) Answered(*conn.Link) {}
func (e *producerLink) Credit(*conn.Link)   {}
func (e *producerLink) Begin(rcv *conn.Receiving) conn.Sink {
	return e.p.r.begin(e.p, rcv, e)
}

func (e *producerLink) Detached(l *conn.Link, _ *amqp.Error) {
	r := e.p.r
	r.box.post(func() {
		if e.p.links[l] == nil {
			return
		}
		delete(e.p.links, l)
		r.unwatch(e.key, e)
		r.table.RemoveProducer(e.key)
	})
}

// reachable implements watcher. An address in this or another router by name
// is always worth a try.
func (e *producerLink) reachable(key forward.Key, a *forward.Address) {
	can := a.Counts().Reachable() || key.Class != forward.ClassMobile && key.Class != forward.ClassLocal
	if can && !e.credited {
		e.credited = true
		e.link.SetCredit(e.p.capacity())
	}
	if e.p.edge != nil {
		e.p.edge.tell(e, a)
	}
}

// dry takes the credit back: a message came and there is no destination. Edge
// routers keep theirs (compat: skupper-router 3.x).
func (e *producerLink) dry() {
	if e.p.isEdge() || e.p.interEdge() {
		return
	}
	r := e.p.r
	r.box.post(func() {
		if e.credited && !r.snap.Load().Lookup(e.key).Counts().Reachable() {
			e.credited = false
			e.link.SetCredit(0)
		}
	})
}
