package session

import (
	"bytes"

	"github.com/skupper-host/skupper/router/amqp"
)

// Incoming is one delivery on a link that we receive on, AMQP 1.0 §2.6.12.
type Incoming struct {
	// Sink is where the delivery goes: set by the owner of the engine when the
	// delivery begins, untouched by the engine.
	Sink Sink

	// Settled tells that the sender settled it in its first transfer.
	Settled bool
	// Tag is the delivery tag, a copy.
	Tag []byte
	// Format is the message format of the first transfer.
	Format uint32

	l          *Link
	id         uint32
	since      uint32    // Engine.now when it began
	prev, next *Incoming // in Link.received

	told         bool // the owner knows of it
	complete     bool // the last transfer has come
	settledThere bool
	settledHere  bool
	counted      bool // its outcome
	gone         bool // not in any list
	untimed      bool // see age.go
	stuck        bool
	held         uint32 // frames withheld from the session window

	// The disposition that waits to be sent. See emit.go.
	marked bool
	state  waitingState
}

// Link returns the link that carries the delivery.
func (in *Incoming) Link() *Link { return in.l }

// receiveTransfer handles one transfer frame. Whatever becomes of it, it counts
// for the windows (AMQP 1.0 §2.5.6) and for the sequence of delivery ids.
func (s *Session) receiveTransfer(body []byte) error {
	e := s.e
	t := &e.incoming
	payload, err := t.Decode(body)
	if err != nil {
		return decodeError(err)
	}
	if err := s.consume(); err != nil {
		return err
	}
	e.stats.TransfersIn++
	l := s.handles.get(t.Handle)
	if l == nil {
		return sessionErrorf(amqp.ErrUnattachedHandle, "transfer: handle %d is not attached", t.Handle)
	}
	if l.sender {
		return linkErrorf(l, amqp.ErrNotAllowed, "transfer on a link that receives")
	}
	in, first := l.current, l.current == nil
	if first {
		in, err = l.begin(t)
	} else {
		err = in.continues(t)
	}
	if err != nil {
		return err
	}
	in.advance(t, payload, first)
	return nil
}

// begin starts a delivery with its first transfer.
func (l *Link) begin(t *amqp.Transfer) (*Incoming, error) {
	s, e := l.s, l.s.e
	switch {
	case !t.HasDeliveryID:
		return nil, sessionErrorf(amqp.ErrInvalidField, "transfer: a delivery begins without delivery-id")
	case s.anyDelivery && t.DeliveryID != s.wantDeliveryID:
		return nil, sessionErrorf(amqp.ErrInvalidField, "transfer: delivery-id %d, want %d", t.DeliveryID, s.wantDeliveryID)
	case t.DeliveryTag == nil:
		return nil, sessionErrorf(amqp.ErrInvalidField, "transfer: a delivery begins without delivery-tag")
	}
	s.anyDelivery, s.wantDeliveryID = true, t.DeliveryID+1
	l.deliveryCount++
	l.stats.Deliveries++
	e.stats.DeliveriesIn++
	in := &Incoming{l: l, id: t.DeliveryID, since: e.now, Format: t.MessageFormat}
	in.Settled = t.Settled || l.presettling
	in.settledThere = in.Settled
	in.enlist()
	l.current = in
	if !l.attached {
		l.fail(newError(amqp.ErrTransferLimitExceeded, "a delivery before the attach is answered"))
	}
	if l.gone || l.detached {
		in.settledHere = true // nobody is there to take it
		return in, nil
	}
	in.Tag = bytes.Clone(t.DeliveryTag)
	if in.Settled {
		l.stats.Presettled++
	} else {
		s.incoming[in.id] = in
		l.open++
		e.inOpen++
	}
	if e.inOpen > e.p.Deliveries {
		return nil, connErrorf(amqp.ErrResourceLimitExceeded, "more than %d unsettled deliveries", e.p.Deliveries)
	}
	l.spend()
	return in, nil
}

// spend uses up one credit. Proton's idea of its credit may be ahead of ours by
// the deliveries that are under way (compat:), so that what comes without
// credit is taken as well, up to as much as was ever granted.
func (l *Link) spend() {
	if l.credit > 0 {
		l.credit--
	} else {
		l.beyond++
	}
	if l.beyond > l.allowance {
		l.fail(newError(amqp.ErrTransferLimitExceeded, "%d deliveries beyond the credit", l.beyond))
		return
	}
	l.grant()
}

// continues checks a transfer that follows the first of its delivery.
func (in *Incoming) continues(t *amqp.Transfer) error {
	if t.HasDeliveryID && t.DeliveryID != in.id {
		return sessionErrorf(amqp.ErrInvalidField, "transfer: delivery-id %d while %d is incomplete", t.DeliveryID, in.id)
	}
	if t.DeliveryTag != nil && in.Tag != nil && !bytes.Equal(t.DeliveryTag, in.Tag) {
		return sessionErrorf(amqp.ErrInvalidField, "transfer: another delivery-tag for delivery-id %d", in.id)
	}
	return nil
}

// advance applies one transfer to its delivery.
func (in *Incoming) advance(t *amqp.Transfer, payload []byte, first bool) {
	l, e := in.l, in.l.s.e
	in.complete = !t.More || t.Aborted
	if in.complete {
		l.current = nil
	}
	heard := !in.settledHere && !l.gone
	if t.Aborted {
		if heard && !first {
			e.event(Event{Kind: EventAborted, In: in})
		}
		in.settledThere = true
		in.forget()
		return
	}
	if heard {
		in.told = true
		ev := Event{Kind: EventTransfer, In: in, Payload: payload, More: t.More, First: first, Settled: in.Settled}
		if t.State.Code == amqp.StateOther && !t.Settled {
			ev.State = e.keep(&t.State)
		}
		e.event(ev)
	}
	if t.Settled && !in.settledThere {
		in.settledThere = true
		if heard {
			e.event(Event{Kind: EventSettled, In: in, State: e.keep(&t.State)})
		}
		in.settle()
	}
	if in.complete && (in.settledThere || in.settledHere) {
		in.forget()
	}
}

// enlist enters the delivery into the list of its link.
func (in *Incoming) enlist() {
	l := in.l
	in.next = l.received
	if in.next != nil {
		in.next.prev = in
	}
	l.received = in
}

// settle takes the delivery out of what is unsettled.
func (in *Incoming) settle() {
	s := in.l.s
	if s.incoming[in.id] != in {
		return
	}
	delete(s.incoming, in.id)
	in.l.open--
	s.e.inOpen--
	if in.l.policy.OnSettle {
		in.l.grant()
	}
}

// forget drops everything that is known of the delivery, except that the rest
// of an incomplete one still belongs to it.
func (in *Incoming) forget() {
	if in.gone {
		return
	}
	in.gone = true
	if !in.untimed {
		in.l.over(in.since, in.stuck)
	}
	in.settle()
	in.Release(int(in.held))
	l := in.l
	if in.prev != nil {
		in.prev.next = in.next
	} else {
		l.received = in.next
	}
	if in.next != nil {
		in.next.prev = in.prev
	}
	in.prev, in.next = nil, nil
}

// Update queues a disposition: state st and, with settled, the end of the
// delivery here. A newer received state replaces one that still waits. It does
// nothing once the delivery is settled by either side or gone.
func (in *Incoming) Update(st *amqp.State, settled bool) {
	l := in.l
	if in.settledHere || in.settledThere || l.gone || l.s.ended {
		return
	}
	if st.Code != amqp.StateNone {
		in.state.set(st)
	}
	if st.Terminal() && !in.counted {
		in.counted = true
		l.stats.count(st.Code)
		l.s.e.stats.Outcomes.count(st.Code)
	}
	if settled {
		in.settledHere = true
		in.settle()
		if in.complete {
			in.forget()
		}
	}
	if !in.marked {
		in.marked = true
		l.s.e.marked.push(in)
	}
}

// Drop counts a delivery that came settled and finds no destination.
func (in *Incoming) Drop() {
	in.l.stats.Dropped++
	in.l.s.e.stats.Outcomes.Dropped++
}

// Hold withholds frames of this delivery from the replenishment of the session
// window.
func (in *Incoming) Hold(frames int) {
	if in.gone || in.l.gone {
		return
	}
	in.held += uint32(frames)
	in.l.s.held += uint32(frames)
}

// Release gives back frames that Hold withheld; at most as many.
func (in *Incoming) Release(frames int) {
	n := min(uint32(frames), in.held)
	if n == 0 {
		return
	}
	in.held -= n
	in.l.s.held -= n
	in.l.s.refresh()
}

// receiveSenderDisposition handles what the sender says about its deliveries. Those
// that are not known are settled already and passed over, AMQP 1.0 §2.6.12.
func (s *Session) receiveSenderDisposition(d *amqp.Disposition) {
	eachID(s.incoming, d.First, d.Last, func(in *Incoming) {
		if !d.Settled {
			if in.told && !in.settledHere && !in.l.gone {
				s.e.event(Event{Kind: EventTold, In: in, State: s.e.keep(&d.State)})
			}
			return
		}
		in.settledThere = true
		if !in.settledHere && !in.l.gone {
			s.e.event(Event{Kind: EventSettled, In: in, State: s.e.keep(&d.State)})
		}
		in.settle()
		if in.complete {
			in.forget()
		}
	})
}
