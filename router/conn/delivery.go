package conn

import (
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Sending is one outgoing delivery.
type Sending struct {
	// App is free for the user.
	App any
	// Inline lets a Write that finds nobody writing do so on the caller's own
	// goroutine, for one batch and without blocking. Set it before the first
	// Write; meant for stream pumps.
	Inline bool
	// MessageFormat is sent with the first transfer. Set it before the first
	// Write.
	MessageFormat uint32
}

// Link returns the link that carries the delivery.
func (s *Sending) Link() *Link { return nil }

// Write queues b, which the delivery owns from now on, also when the delivery
// has already ended. It never blocks; a pump keeps Queued at 2 or below and
// waits for Outcome.Ready. A small buffer is merged with the one that waits
// before it. more=false completes the delivery. b may be nil.
func (s *Sending) Write(b *session.Buffer, more bool) {}

// WriteBytes queues a copy of p.
func (s *Sending) WriteBytes(p []byte, more bool) {}

// End completes the delivery without further bytes; settled settles it in the
// last transfer. It does nothing after more=false, except for settling.
func (s *Sending) End(settled bool) {}

// Abort gives the delivery up: what is queued is dropped; if anything was sent
// an aborted transfer follows. Nothing is reported any more.
func (s *Sending) Abort() {}

// Settle settles the delivery with state st (usually none): in the last
// transfer if that has not left yet, else by a disposition.
func (s *Sending) Settle(st amqp.State) {}

// Queued is the number of buffers that were not yet taken by the writer.
func (s *Sending) Queued() int { return 0 }

// QueuedBytes is the number of bytes in them.
func (s *Sending) QueuedBytes() int { return 0 }

// MaxPayload is the payload of the longest frame that the peer takes, in
// bytes, at most session.BufferLarge.
func (s *Sending) MaxPayload() int { return 0 }

// Receiving is one incoming delivery.
type Receiving struct {
	// App is free for the user.
	App any
	// Settled tells that the sender settled the delivery in its first frame.
	Settled bool
	// Tag is the delivery tag. It is a copy.
	Tag []byte
	// MessageFormat is as in the first transfer.
	MessageFormat uint32
}

// Link returns the link that carries the delivery.
func (r *Receiving) Link() *Link { return nil }

// Update sends a disposition: state st, and with settled the end of the
// delivery. Received states coalesce: only the newest is written. After a
// settled one, and for a delivery that is settled or gone, it does nothing.
func (r *Receiving) Update(st amqp.State, settled bool) {}

// Hold withholds frames of this delivery from the replenishment of the session
// window, so that the peer slows down; for deliveries without a window of their
// own that go somewhere slow. Release gives them back; so does the end of the
// link.
func (r *Receiving) Hold(frames int) {}

// Release gives back frames that Hold withheld.
func (r *Receiving) Release(frames int) {}
