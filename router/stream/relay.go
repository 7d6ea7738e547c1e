package stream

import (
	"sync"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Onward begins the delivery that carries a message on: it chooses a
// destination that is not among tried and sends to it with outcome out. It
// must not block. ErrNoRoute, possibly wrapped, says that there is none.
type Onward func(out session.Outcome, tried []any) (Path, error)

// RelayOptions say how a message is carried on.
type RelayOptions struct {
	// Bounded slows the sender down while what it sends waits here. It is for
	// messages without amqp.FlagUnlimited: they have no window of their own.
	Bounded bool
	// Resend tries another destination when one releases the message
	// (amqp.FlagResendReleased). Until somebody takes it, it is kept, up to
	// 1 MiB.
	Resend bool
}

const (
	// maxRetained bounds what is kept of a message for another destination,
	// in bytes.
	maxRetained = 1 << 20
	// maxBacklog is how many buffers wait before a bounded message's sender is
	// slowed down.
	maxBacklog = maxQueued
)

// Relay carries one message through this router, as one delivery in and one
// out: payload as it comes, states as they come back. It is the session.Sink of
// the incoming delivery.
//
//	in           ─▶ out                  out                ─▶ in
//	transfer        transfer             received              received, each time
//	last transfer   last transfer        outcome               outcome, once
//	told            told
//	settled         settled              settled               settled, when in is complete
//	aborted         aborted              lost                  released, or modified if all was sent
//	lost            aborted
//
// compat: skupper-router 3.x.
type Relay struct {
	r      Receiving
	onward Onward

	mu sync.Mutex
	// Guarded by mu.
	out      *branch
	complete bool       // the last transfer has come
	settled  bool       // by the sender
	over     bool       // nothing goes out any more
	outcome  amqp.State // of the receiver
	final    bool       // outcome is settled
	resend   bool
	moving   bool // retained bytes are being sent to another destination
	refused  bool // and that one does not take them either
	retained []byte
	tried    []any
	pressure pressure
}

// branch is one outgoing copy of a message.
type branch struct {
	relay *Relay
	path  Path // guarded by relay.mu
	err   error
}

// NewRelay opens the way on for a message and returns its Sink; the octets of
// the message without its router annotations go there. The error is Onward's.
func NewRelay(r Receiving, onward Onward, opt RelayOptions) (*Relay, error) {
	k := &Relay{r: r, onward: onward, resend: opt.Resend, pressure: pressure{r: r, bounded: opt.Bounded}}
	return k, k.open(nil)
}

// open begins an outgoing delivery.
func (k *Relay) open(tried []any) error {
	b := &branch{relay: k}
	path, err := k.onward(b, tried)
	if err != nil {
		return err
	}
	if len(path.Annotations) > 0 {
		path.Sending.WriteBytes(path.Annotations, true)
	}
	k.mu.Lock()
	b.path, k.out = path, b
	k.tried = append(k.tried, path.Choice)
	err = b.err
	k.mu.Unlock()
	if err != nil {
		b.Lost(err)
	}
	return nil
}

// Transfer implements session.Sink.
func (k *Relay) Transfer(p []byte, more bool) {
	k.mu.Lock()
	k.complete = !more
	over, moving := k.over, k.moving
	if !over && (k.resend || moving) {
		k.retain(p)
	}
	sending := k.out.path.Sending
	k.mu.Unlock()
	if moving && !over {
		return // move takes it along
	}
	if !over {
		sending.WriteBytes(p, more)
		k.pressure.check(sending)
	}
	if !more {
		k.settleIn()
	}
}

// settleIn passes on a settlement that came before the message was complete.
func (k *Relay) settleIn() {
	k.mu.Lock()
	outcome, final := k.outcome, k.final
	k.mu.Unlock()
	if final {
		k.r.Update(outcome, true)
	}
}

// Settled implements session.Sink.
func (k *Relay) Settled(st amqp.State) {
	k.mu.Lock()
	k.settled = true
	sending := k.out.path.Sending
	k.mu.Unlock()
	sending.Settle(st)
}

// Told implements session.Hearer.
func (k *Relay) Told(st amqp.State) {
	k.mu.Lock()
	sending := k.out.path.Sending
	k.mu.Unlock()
	sending.Tell(st)
}

// Abort implements session.Sink.
func (k *Relay) Abort() {
	k.mu.Lock()
	k.over, k.retained = true, nil
	sending := k.out.path.Sending
	k.mu.Unlock()
	sending.Abort()
}

// Lost implements session.Sink. What is complete goes on without its sender.
func (k *Relay) Lost(error) {
	k.mu.Lock()
	complete := k.complete
	k.mu.Unlock()
	if complete {
		k.Settled(amqp.State{})
	} else {
		k.Abort()
	}
}

// Update implements session.Outcome.
func (b *branch) Update(st amqp.State, settled bool) {
	k := b.relay
	k.mu.Lock()
	if k.out != b {
		k.mu.Unlock()
		return
	}
	if st.Code == amqp.StateReleased && k.resend && !k.over {
		mine := !k.moving
		k.moving, k.refused = true, true
		k.mu.Unlock()
		if mine {
			k.move()
		}
		return
	}
	st = onTheWay(st)
	if st.Code != amqp.StateNone {
		k.outcome = st
		k.keepNothing()
	}
	k.final = settled
	complete := k.complete
	k.mu.Unlock()
	if settled {
		k.pressure.relieve()
	}
	k.r.Update(st, settled && complete)
}

// onTheWay is what becomes of a state that passes a router. compat: an outcome
// modified always says there that the delivery has failed.
func onTheWay(st amqp.State) amqp.State {
	st.Failed = st.Failed || st.Code == amqp.StateModified
	return st
}

// Ready implements session.Outcome.
func (b *branch) Ready() { b.relay.pressure.relieve() }

// Lost implements session.Outcome.
func (b *branch) Lost(err error) {
	k := b.relay
	k.mu.Lock()
	b.err = err
	if k.out != b || k.over {
		k.mu.Unlock()
		return
	}
	st := amqp.State{Code: amqp.StateReleased}
	if k.complete && emitted(b.path.Sending) {
		st = failed()
	}
	complete := k.stop(st)
	k.mu.Unlock()
	k.pressure.relieve()
	k.r.Update(st, complete)
}

// stop ends what goes out with an outcome of our own and reports whether that
// can be settled at once. It is called with mu held.
func (k *Relay) stop(st amqp.State) (complete bool) {
	k.over, k.retained = true, nil
	k.outcome, k.final = st, true
	return k.complete
}

// emitted reports whether the last transfer of a complete delivery has left.
func emitted(s Sending) bool {
	e, ok := s.(interface{ Emitted() bool })
	return !ok || e.Emitted()
}

// retain keeps p for another destination. It is called with mu held.
func (k *Relay) retain(p []byte) {
	if len(k.retained)+len(p) > maxRetained && !k.moving {
		k.keepNothing()
		return
	}
	k.retained = append(k.retained, p...)
}

// keepNothing decides that the message stays where it is. It is called with mu
// held.
func (k *Relay) keepNothing() {
	k.resend = false
	if !k.moving {
		k.retained = nil
	}
}

// move sends what was kept of the message to another destination, and what
// comes meanwhile.
func (k *Relay) move() {
	sent := 0
	for {
		k.mu.Lock()
		out, p := k.out, k.retained
		refused, over, complete, settled := k.refused, k.over, k.complete, k.settled
		k.refused = false
		done := over || !refused && sent >= len(p)
		if done {
			k.moving = false
			if !k.resend {
				k.retained = nil
			}
		}
		tried := k.tried
		k.mu.Unlock()
		switch {
		case over:
			out.path.Sending.Abort()
			return
		case refused:
			out.path.Sending.Abort()
			if k.open(tried) != nil {
				k.unmoved()
				return
			}
			sent = 0
		case done:
			if complete {
				out.path.Sending.End(settled)
			}
			return
		default:
			out.path.Sending.WriteBytes(p[sent:], true)
			sent = len(p)
		}
	}
}

// unmoved ends a message that no destination is left for.
func (k *Relay) unmoved() {
	st := amqp.State{Code: amqp.StateReleased}
	k.mu.Lock()
	k.moving = false
	complete := k.stop(st)
	k.mu.Unlock()
	k.r.Update(st, complete)
}

// pressure slows the sender of one bounded message down, by keeping frames
// from the session's window while others wait.
type pressure struct {
	r       Receiving
	bounded bool

	mu   sync.Mutex
	held int // guarded by mu
}

// check follows a frame that was passed on to the sendings: if all of them
// have a backlog, the frame is held.
func (p *pressure) check(sendings ...Sending) {
	if !p.bounded || !backlogged(sendings) {
		return
	}
	p.r.Hold(1)
	p.mu.Lock()
	p.held++
	p.mu.Unlock()
	if !backlogged(sendings) { // relieve may have come before
		p.relieve()
	}
}

func backlogged(sendings []Sending) bool {
	for _, s := range sendings {
		if s.Queued() < maxBacklog {
			return false
		}
	}
	return true
}

// relieve gives back everything that is held.
func (p *pressure) relieve() {
	p.mu.Lock()
	n := p.held
	p.held = 0
	p.mu.Unlock()
	if n > 0 {
		p.r.Release(n)
	}
}
