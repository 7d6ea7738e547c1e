package conn

import (
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Sending is one outgoing delivery.
type Sending struct {
	// App is free for the user.
	App any
	// Inline lets a Write of little that finds nobody writing do so on the
	// caller's own goroutine, without blocking: it saves a wake-up. Set it
	// before the first Write; meant for stream pumps.
	Inline bool

	l   *Link
	out session.Outgoing
}

// Send begins a delivery on a link that we send on. Transfers leave as credit
// and windows allow; until then they queue. Presettled deliveries that are
// complete and have no credit are kept to 250 per link, or what KeepPresettled
// says, then the oldest is dropped (compat: skupper-router 3.x): its Lost comes
// from whoever queues the newer one. If the link is already gone, Lost is called
// before Send returns, and what is written goes nowhere.
func (l *Link) Send(ev Outcome, settled bool) *Sending {
	return l.SendFormat(ev, settled, 0)
}

// SendFormat is Send for a message format other than 0.
func (l *Link) SendFormat(ev Outcome, settled bool, format uint32) *Sending {
	s := &Sending{l: l, out: session.Outgoing{Outcome: ev, Format: format}}
	s.out.App = s
	l.c.mu.Lock()
	ok := l.l.Send(&s.out, settled)
	if l.pool != nil {
		l.user = s
	}
	l.c.mu.Unlock()
	if !ok {
		ev.Lost(lost(l.c.failure.Load()))
	}
	return s
}

// Behind begins a delivery right behind s on a link of StreamLink. It returns
// nil if s is not the newest there, or all of it has left: then the link may be
// another's already.
func (s *Sending) Behind(ev Outcome, settled bool, format uint32) *Sending {
	l := s.l
	next := &Sending{l: l, out: session.Outgoing{Outcome: ev, Format: format}}
	next.out.App = next
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	if l.user != s || !s.out.Waits() || !l.l.Send(&next.out, settled) {
		return nil
	}
	l.user = next
	return next
}

// Waits reports whether a part of the delivery, its end at least, has not left
// yet.
func (s *Sending) Waits() bool {
	s.l.c.mu.Lock()
	defer s.l.c.mu.Unlock()
	return s.out.Waits()
}

// Link returns the link that carries the delivery.
func (s *Sending) Link() *Link { return s.l }

// Write queues b, which the delivery owns from now on, also when the delivery
// has already ended. It never blocks; a pump keeps Queued at 2 or below and
// waits for Outcome.Ready. A small buffer is merged with the one that waits
// before it. more=false completes the delivery. b may be nil.
func (s *Sending) Write(b *session.Buffer, more bool) {
	s.l.c.mu.Lock()
	s.out.Write(b, more)
	s.flush()
}

// WriteBytes queues a copy of p.
func (s *Sending) WriteBytes(p []byte, more bool) {
	s.l.c.mu.Lock()
	s.out.WriteBytes(p, more)
	s.flush()
}

// flush ends a write, with mu held.
func (s *Sending) flush() {
	c := s.l.c
	dropped := c.e.Dropped()
	if s.Inline && c.alone(s) && c.e.Unsent() <= inlinePayload {
		c.unlockInline()
	} else {
		c.unlock()
	}
	for _, out := range dropped {
		out.Outcome.Lost(session.ErrDropped)
	}
}

// End completes the delivery without further bytes; settled settles it in the
// last transfer. It does nothing after more=false, except for settling.
func (s *Sending) End(settled bool) {
	s.l.c.mu.Lock()
	s.out.End(settled)
	s.flush()
}

// Abort gives the delivery up: what is queued is dropped; if anything was sent
// an aborted transfer follows. Nothing is reported any more.
func (s *Sending) Abort() {
	s.l.c.mu.Lock()
	s.out.Abort()
	s.recycle()
	s.l.c.unlock()
}

// Settle settles the delivery with state st (usually none): in the last
// transfer if that has not left yet, else by a disposition. Nothing is reported
// any more but Ready.
func (s *Sending) Settle(st amqp.State) {
	s.l.c.mu.Lock()
	s.out.Settle(&st)
	s.l.c.unlock()
}

// Tell sends state st of the delivery while it is not settled; the receiver may
// look at it again because of that. It does nothing before the first transfer
// has left.
func (s *Sending) Tell(st amqp.State) {
	s.l.c.mu.Lock()
	s.out.Tell(&st)
	s.l.c.unlock()
}

// Emitted reports whether the last transfer has left.
func (s *Sending) Emitted() bool {
	s.l.c.mu.Lock()
	defer s.l.c.mu.Unlock()
	return s.out.Emitted()
}

// Queued is the number of buffers that were not yet taken by the writer.
func (s *Sending) Queued() int {
	s.l.c.mu.Lock()
	defer s.l.c.mu.Unlock()
	return s.out.Queued()
}

// QueuedBytes is the number of bytes in them.
func (s *Sending) QueuedBytes() int {
	s.l.c.mu.Lock()
	defer s.l.c.mu.Unlock()
	return s.out.QueuedOctets()
}

// MaxPayload is the payload of the longest frame that the peer takes, in
// bytes, at most session.BufferLarge.
func (s *Sending) MaxPayload() int {
	s.l.c.mu.Lock()
	defer s.l.c.mu.Unlock()
	return s.out.MaxPayload()
}

// Receiving is one incoming delivery.
type Receiving struct {
	// App is free for the user.
	App any
	// Settled tells that the sender settled the delivery in its first frame.
	Settled bool
	// MessageFormat is as in the first transfer.
	MessageFormat uint32

	l  *Link
	in *session.Incoming
}

// Tag returns the delivery tag.
func (r *Receiving) Tag() []byte { return r.in.Tag }

// Link returns the link that carries the delivery.
func (r *Receiving) Link() *Link { return r.l }

// Update sends a disposition: state st, and with settled the end of the
// delivery. Received states coalesce: only the newest is written. After a
// settled one, and for a delivery that is settled or gone, it does nothing.
func (r *Receiving) Update(st amqp.State, settled bool) {
	r.l.c.mu.Lock()
	r.in.Update(&st, settled)
	r.l.c.unlock()
}

// Drop counts a delivery that came settled and finds no destination.
func (r *Receiving) Drop() {
	r.l.c.mu.Lock()
	r.in.Drop()
	r.l.c.unlock()
}

// Untimed says that the delivery is a stream, which may last: it is never
// counted as delayed or stuck.
func (r *Receiving) Untimed() {
	r.l.c.mu.Lock()
	r.in.Untimed()
	r.l.c.mu.Unlock()
}

// Hold withholds frames of this delivery from the replenishment of the session
// window, so that the peer slows down; for deliveries without a window of their
// own that go somewhere slow. Release gives them back; so does the end of the
// delivery or of the link.
func (r *Receiving) Hold(frames int) {
	r.l.c.mu.Lock()
	r.in.Hold(frames)
	r.l.c.mu.Unlock()
}

// Release gives back frames that Hold withheld.
func (r *Receiving) Release(frames int) {
	r.l.c.mu.Lock()
	r.in.Release(frames)
	r.l.c.unlock()
}
