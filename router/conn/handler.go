package conn

import (
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Sink takes what arrives for one incoming delivery.
type Sink = session.Sink

// Outcome is told what becomes of one outgoing delivery.
type Outcome = session.Outcome

// Handler is told what the peer starts. Calls come from the reader, in wire
// order, without a lock, and must not block.
type Handler interface {
	// Opened reports the peer's Open. From here on links can be attached.
	Opened(c *Conn, open *amqp.Open)
	// Attached reports a link that the peer attaches; Link.Remote has its
	// attach. It must be answered, now or later and from any goroutine, by
	// Link.Accept or Link.Refuse.
	Attached(c *Conn, l *Link)
}

// LinkEvents is told what happens on one link. Calls come from the reader (the
// last ones from whoever ends the connection), without a lock, and must not
// block.
type LinkEvents interface {
	// Answered reports the peer's attach that answers ours. A refusal shows as
	// Link.Refused and is followed by Detached.
	Answered(l *Link)
	// Begin reports the first frame of a delivery on a link that we receive
	// on, and returns where it goes; never nil. Transfer of the same frame
	// follows.
	Begin(r *Receiving) Sink
	// Credit reports, on a link that we send on, that credit became available
	// after there was none, or that the peer wants it used up (drain). What is
	// not sent before it returns is taken back if the peer drains.
	Credit(l *Link)
	// Detached reports that the link is gone: detached by the peer (err as the
	// peer gave it, nil without), also in answer to Link.Detach; ended with
	// its session; or lost with the connection (condition ErrConnectionLost).
	// It comes exactly once for each link that was attached or accepted, as
	// the last call, after Lost of every delivery that was open.
	Detached(l *Link, err *amqp.Error)
}

// ErrConnectionLost is the condition of the local error that Detached and Lost
// report when the connection has ended without telling the link why. It never
// goes on the wire.
const ErrConnectionLost amqp.Symbol = "connection:lost"
