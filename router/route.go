package router

import (
	"errors"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/stream"
)

// inbound is a delivery that has begun to arrive, until its destination is
// known. It implements stream.Router.
type inbound struct {
	r      *Router
	p      *peer
	rcv    *conn.Receiving
	target string        // address of the link it came on; empty: the message says where
	link   *producerLink // of a client or an edge, if it has a target

	counted bool
}

// begin returns the sink of a delivery that begins on a link; link is nil if
// that has no target, and the message says where it goes.
func (r *Router) begin(p *peer, rcv *conn.Receiving, link *producerLink) session.Sink {
	in := &inbound{r: r, p: p, rcv: rcv, link: link}
	if link != nil {
		in.target = link.address
	}
	return stream.NewIntake(rcv, in, &p.gathering)
}

// message is what is known of a message on its way.
type message struct {
	annotations *amqp.Annotations // it came with; nil if it begins here
	to          string            // where it goes
	override    bool              // later routers must be told of to
	settled     bool
	streaming   bool   // it is sent on before it is complete
	order       *order // of its sender's messages; nil for streams, and if it begins here
	priority    uint8
	format      uint32
	asked       uint32  // flags that the link of a client asks for
	more        bool    // it has not come to its end
	passes      passing // of a stream
	spoken      *spoken // what is logged of it; nil if nothing is logged of any message
}

var (
	released = amqp.State{Code: amqp.StateReleased}
	accepted = amqp.State{Code: amqp.StateAccepted}
)

// conditionOf is why a section of a message could not be decoded.
func conditionOf(err error) amqp.Symbol {
	var e *amqp.Error
	if errors.As(err, &e) {
		return e.Condition
	}
	return amqp.ErrInvalidField
}

func rejected(condition amqp.Symbol, text string) amqp.State {
	return amqp.State{Code: amqp.StateRejected, Error: &amqp.Error{Condition: condition, Description: text}}
}

// Route implements stream.Router: it finds the destination of the message that
// h begins.
func (in *inbound) Route(_ stream.Receiving, h *stream.Head) (session.Sink, int) {
	r := in.r
	if !h.Whole && r.logsMessages.Load() {
		return nil, 0
	}
	m := message{more: h.More, settled: in.rcv.Settled, priority: h.Priority, format: in.rcv.MessageFormat}
	if in.link != nil {
		m.asked = in.link.asked
	}
	if h.Annotations.Len > 0 && (in.p.router() || in.p.foreign() || in.p.owner.set.keepsIn) {
		m.annotations = new(amqp.Annotations)
		if _, err := m.annotations.Decode(h.Annotations.In(h.Message)); err != nil {
			return stream.Refuse(in.rcv, rejected(conditionOf(err), err.Error())), len(h.Message)
		}
	}
	if in.gathers(&m, h) {
		return nil, 0
	}
	if r.logsMessages.Load() {
		m.spoken = spokenOf(h)
		in.p.logMessage("Received", in.rcv.Link(), m.spoken)
	}
	if !in.counted && !in.p.betweenInteriors() {
		in.counted = true
		r.tally.came(m.settled)
	}
	switch {
	case in.target != "":
		m.to, m.override = in.target, true
	case m.annotations != nil && m.annotations.HasTo:
		m.to = m.annotations.To
	case h.To != nil:
		m.to = string(h.To)
	default:
		return stream.Refuse(in.rcv, rejected(amqp.ErrPreconditionFailed, "Destination address is missing")), len(h.Message)
	}
	m.streaming = h.More || m.flags()&amqp.FlagStreaming != 0
	if m.flags()&amqp.FlagStreaming != 0 {
		in.rcv.Untimed()
	} else if !h.Opens() {
		m.order = orderOf(in.rcv.Link())
	}
	snap := r.snap.Load()
	if m.annotations != nil && snap.Looping(m.annotations.Trace) {
		return stream.Refuse(in.rcv, released), len(h.Message)
	}
	key := snap.Names().Key(m.to)
	if key.Class == forward.ClassLocal {
		if taker, ok := r.temps.get(key.Name); ok {
			return taker.take(in, &m, h)
		}
	}
	if !in.p.router() && snap.Lookup(key) == nil && snap.Refused(key) {
		return stream.Refuse(in.rcv, rejected(amqp.ErrNotFound, "Deliveries cannot be sent to an unavailable address")), len(h.Message) // compat: the words are upstream's
	}
	a := r.leading(snap, key, in.p.isEdge() && in.p.dialed() || in.p.interEdge())
	switch a.Treatment() {
	case forward.Multicast, forward.Flood:
		return in.fanout(snap, a, &m, h)
	case forward.Unavailable:
		return in.nowhere(h)
	case forward.Unsaid, forward.Closest, forward.Balanced:
	}
	return in.anycast(snap, a, &m, h)
}

// leading looks the key up. What an edge router does not know goes up, unless
// it came from there.
func (r *Router) leading(snap *forward.Snapshot, key forward.Key, down bool) *forward.Address {
	a := snap.Lookup(key)
	if a == nil && r.edge() && !down {
		return snap.Lookup(forward.Uplink())
	}
	return a
}

func (m *message) flags() uint32 {
	if m.annotations == nil {
		return m.asked
	}
	return m.annotations.Flags | m.asked
}

// delivery describes the message to those who choose its destination.
func (in *inbound) delivery(snap *forward.Snapshot, m *message) *forward.Delivery {
	d := &forward.Delivery{Direct: m.flags()&amqp.FlagResendReleased != 0, Conn: forward.ConnID(in.p.id), Edge: in.p.isEdge() || in.p.interEdge()}
	if m.annotations != nil {
		d.Origin = snap.Origin(m.annotations.Ingress)
		d.Trace, d.Mesh = m.annotations.Trace, m.annotations.Mesh
	}
	return d
}

func (in *inbound) nowhere(h *stream.Head) (session.Sink, int) {
	if in.link != nil {
		in.link.dry()
	}
	if in.rcv.Settled {
		in.rcv.Drop()
	}
	return stream.Refuse(in.rcv, released), len(h.Message)
}

// anycast sends the message to one destination.
func (in *inbound) anycast(snap *forward.Snapshot, a *forward.Address, m *message, h *stream.Head) (session.Sink, int) {
	d := in.delivery(snap, m)
	choice, ok := snap.Choose(a, d)
	if !ok && in.r.edge() && in.target == "" { // what its own links are full of may be elsewhere too
		a = snap.Lookup(forward.Uplink())
		choice, ok = snap.Choose(a, d)
	}
	if !ok {
		return in.nowhere(h)
	}
	if s, ok := target[*connectorService](choice); ok {
		if !h.Whole {
			choice.Done()
			return nil, 0
		}
		return s.accept(in.rcv, h, choice), h.BodyOffset
	}
	if m.streaming && h.Opens() {
		m.passes = passing{from: in.p, connection: in.r.connectionOf(h)}
	}
	relay, err := stream.NewRelay(in.rcv, in.onward(a.Key(), d, choice, m), stream.RelayOptions{
		Bounded: m.flags()&amqp.FlagUnlimited == 0, Resend: m.flags()&amqp.FlagResendReleased != 0,
	})
	if err != nil {
		return in.nowhere(h)
	}
	return relay, h.Annotations.Len
}

// onward is the way to first, and for every further attempt to another
// destination of the address.
func (in *inbound) onward(key forward.Key, d *forward.Delivery, first forward.Choice, m *message) stream.Onward {
	used := false
	return func(out session.Outcome, tried []any) (stream.Path, error) {
		if !used {
			used = true
			if path, ok := in.r.way(first, m, out); ok {
				return path, nil
			}
			first.Done()
			tried = append(tried, first)
		}
		return in.r.another(key, d, m, out, tried)
	}
}

// another chooses among the destinations that were not tried, until a way to
// one of them is found.
func (r *Router) another(key forward.Key, d *forward.Delivery, m *message, out session.Outcome, tried []any) (stream.Path, error) {
	snap := r.snap.Load()
	d.Tried = d.Tried[:0]
	for _, t := range tried {
		d.Tried = append(d.Tried, t.(forward.Choice))
	}
	for {
		choice, ok := snap.Choose(snap.Lookup(key), d)
		if !ok {
			return stream.Path{}, stream.ErrNoRoute
		}
		if path, ok := r.way(choice, m, out); ok {
			return path, nil
		}
		choice.Done()
		d.Tried = append(d.Tried, choice)
	}
}

// fanout sends the message to every destination.
func (in *inbound) fanout(snap *forward.Snapshot, a *forward.Address, m *message, h *stream.Head) (session.Sink, int) {
	d := in.delivery(snap, m)
	choices := in.upToo(snap, d, snap.Multicast(a, d, nil))
	if len(choices) == 0 {
		return in.nowhere(h)
	}
	f := stream.NewFanout(in.rcv, m.flags()&amqp.FlagUnlimited == 0)
	for _, c := range choices {
		// A destination without way is one less: that is what multicast means.
		_ = f.Add(func(out session.Outcome, _ []any) (stream.Path, error) {
			if path, ok := in.r.way(c, m, out); ok {
				return path, nil
			}
			return stream.Path{}, stream.ErrNoRoute
		})
	}
	if f.Len() == 0 {
		return in.nowhere(h)
	}
	return f, h.Annotations.Len
}

// upToo adds the way to the interior router, which knows who else there is. An
// edge router has it already for addresses that its own links name.
func (in *inbound) upToo(snap *forward.Snapshot, d *forward.Delivery, choices []forward.Choice) []forward.Choice {
	if !in.r.edge() || in.target != "" || d.Edge {
		return choices
	}
	for _, c := range choices {
		if c.Consumer != nil && c.Consumer.Kind == forward.Proxy {
			return choices
		}
	}
	return snap.Multicast(snap.Lookup(forward.Uplink()), d, choices)
}

// target returns what a choice in this router leads to, if it is a T.
func target[T any](c forward.Choice) (t T, ok bool) {
	if c.Consumer != nil {
		t, ok = c.Consumer.Target.(T)
	}
	return t, ok
}

// way begins the delivery to a choice. It returns false if there is no way to
// it now, or none for a message like this.
func (r *Router) way(c forward.Choice, m *message, out session.Outcome) (path stream.Path, ok bool) {
	if c.Consumer == nil {
		if p := (*r.hops.Load())[c.Hop]; p != nil {
			path, ok = p.way(c, m, out)
		}
	} else if d, is := c.Consumer.Target.(destination); is {
		path, ok = d.way(c, m, out)
	}
	if ok && (c.Consumer == nil || c.Consumer.Kind != forward.Process) {
		r.tally.left(c.Consumer == nil)
	}
	return path, ok
}

// destination is a consumer that deliveries are sent to.
type destination interface {
	way(c forward.Choice, m *message, out session.Outcome) (stream.Path, bool)
}

// way begins a delivery to the neighbor: whole messages on the data link of
// their priority, streams on links of their own. What has an order keeps to the
// connection that the data links are on.
func (p *peer) way(c forward.Choice, m *message, out session.Outcome) (stream.Path, bool) {
	if path, ok := p.wayBehind(c, m, out); ok {
		return path, true
	}
	var l *conn.Link
	switch {
	case !m.streaming || !p.streams:
		l = p.dataFor(m.priority)
	case m.order != nil:
		l = p.conn.StreamLink(true)
	}
	if l == nil {
		g := p.member.Group()
		if g == nil {
			return stream.Path{}, false
		}
		if l = g.StreamLink(); l == nil {
			return stream.Path{}, false
		}
	}
	return p.r.path(l, c, m, out), true
}

// wayBehind begins a delivery behind what is still on its way to a router of
// ours. compat: skupper-router 3.x may leave a delivery alone that begins behind
// one whose end it has not seen yet.
func (p *peer) wayBehind(c forward.Choice, m *message, out session.Outcome) (stream.Path, bool) {
	if m.order == nil || !p.ours {
		return stream.Path{}, false
	}
	d := sendBehind(p.conn, c, out, m)
	if d == nil {
		return stream.Path{}, false
	}
	return p.r.pathOf(d, c, m), true
}

// path begins a delivery to another router on l.
func (r *Router) path(l *conn.Link, c forward.Choice, m *message, out session.Outcome) stream.Path {
	return r.pathOf(send(l, c, out, m), c, m)
}

// pathOf describes a delivery to another router that has begun.
func (r *Router) pathOf(d *routed, c forward.Choice, m *message) stream.Path {
	l := d.Link()
	m.order.note(d.Sending)
	path := stream.Path{Sending: d, Choice: c, Annotations: r.onwardAnnotations(m)}
	if p, ok := l.Conn().App.(*peer); ok {
		if p.ours {
			path.Early = r.endsAt(p, c)
		} else {
			path.Exposure = &p.exposure
		}
		p.logMessage("Sent", l, m.spoken)
	}
	return path
}

// endsAt reports whether the destination is the peer itself and not behind it.
func (r *Router) endsAt(p *peer, c forward.Choice) bool {
	if c.Consumer != nil {
		return p.isEdge() && !p.dialed() || p.interEdge()
	}
	return r.snap.Load().Router(c.Router).NextHop == c.Router
}

// outwardAnnotations are those of a message that goes to another network: where
// it goes and how, not where it has been.
func (r *Router) outwardAnnotations(m *message) []byte {
	out := amqp.Annotations{Flags: m.flags(), HasTo: true, To: m.to}
	if m.annotations != nil && m.annotations.HasTo {
		out.To = m.annotations.To
	}
	return out.Append(nil)
}

// onwardAnnotations are those of a message that goes on to another router.
func (r *Router) onwardAnnotations(m *message) []byte {
	switch {
	case m.annotations == nil && !m.override && m.asked == 0 && m.streaming:
		return r.self.Load().flow
	case m.annotations == nil && !m.override && m.asked == 0:
		return r.self.Load().whole
	}
	var a amqp.Annotations
	if m.annotations != nil {
		a = *m.annotations
	}
	if m.override && !a.HasTo {
		a.HasTo, a.To = true, m.to
	}
	a.Flags |= m.asked
	return r.annotations(0, &a)
}
