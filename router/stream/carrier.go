package stream

import (
	"context"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Sending is an outgoing delivery, as *conn.Sending. None of its methods
// blocks; all may be called from any goroutine and after the delivery's end.
type Sending interface {
	// Write queues b, which it owns from now on; b may be nil. more=false
	// completes the delivery.
	Write(b *session.Buffer, more bool)
	// WriteBytes queues a copy of p.
	WriteBytes(p []byte, more bool)
	// End completes the delivery; settled settles it in the last transfer.
	End(settled bool)
	// Abort gives the delivery up: queued bytes are dropped, an aborted
	// transfer follows if anything was sent. Nothing is reported any more.
	Abort()
	// Settle settles the delivery, with the last transfer or after it.
	Settle(st amqp.State)
	// Tell sends state st of a delivery that is not settled.
	Tell(st amqp.State)
	// Queued is the number of buffers that wait; see session.Outcome.Ready.
	Queued() int
	// QueuedBytes is the number of bytes in them.
	QueuedBytes() int
	// MaxPayload is the payload of the longest frame that the peer takes, in
	// bytes.
	MaxPayload() int
}

// Receiving is an incoming delivery, as *conn.Receiving. None of its methods
// blocks; all may be called from any goroutine and after the delivery's end.
type Receiving interface {
	// Update sends a disposition: state st and, with settled, the end of the
	// delivery. It does nothing once the delivery is settled by either side.
	Update(st amqp.State, settled bool)
	// Hold withholds frames from the replenishment of the session's window.
	Hold(frames int)
	// Release gives back frames that Hold withheld.
	Release(frames int)
}

// Opener begins outgoing deliveries: it chooses the way to an address.
type Opener interface {
	// Open begins a delivery. It must not wait for the network. The outcome
	// may be told before Open returns.
	//
	// ErrNoRoute, possibly wrapped, says that no destination is left. After
	// an error nothing is told and Close is not called.
	Open(ctx context.Context, r Request) (Path, error)
	// Close ends the use of a path that Open returned: its reply address, if
	// it has one, means nobody any more.
	Close(p Path)
}

// Request asks an Opener for a delivery.
type Request struct {
	Address string          // where to: a service or, for a reply stream, a reply-to
	Outcome session.Outcome // for Link.Send
	// Reply takes the delivery that is sent to Path.ReplyTo. It is nil when
	// there will be none.
	Reply ReplyTaker
	// Tried are the choices that failed before; none of them should be made
	// again.
	Tried []any
}

// ReplyTaker takes the reply stream of a request.
type ReplyTaker interface {
	// Reply returns where the body of the delivery goes; the sections that h
	// describes are not part of it. It never returns nil: a delivery that
	// does not fit is refused.
	Reply(r Receiving, h *Head) session.Sink
}

// Path is the way that an Opener chose.
type Path struct {
	// Sending is the delivery that was begun. Exactly one of Sending and Local
	// is set.
	Sending Sending
	// Local is the connector on this router, for a request only: no delivery
	// is needed.
	Local Dialer
	// Annotations is the encoded router annotations section that goes first;
	// empty for a receiver that is no router.
	Annotations []byte
	// Early allows what the client says to go along before there is a reply.
	// It must be false if the connector may be skupper-router's: that loses
	// sight of bytes which come while it connects to its server.
	Early bool
	// ReplyTo is the address that leads to Request.Reply.
	ReplyTo string
	// Choice stands for the destination in a later Request.Tried.
	Choice any
	// Exposure is the account of the connection that carries the delivery if
	// its peer may be skupper-router; see Exposure. It may be nil.
	Exposure *Exposure
}

// Dialer connects to the server of a connector.
type Dialer interface {
	// Dial blocks until there is a connection that can carry data. Its error
	// says in words what went wrong.
	Dial(ctx context.Context, c Call) (Leg, error)
}

// Call describes the stream that wants a connection to a server.
type Call struct {
	ALPN        string // the protocol that the client's TLS connection chose; empty for none
	Correlation string // names the flow record of the client's side; may be empty
	// Trace are the routers that the request has passed, as in its router
	// annotations; nil if the client is on this router.
	Trace []string
}

// Leg is an established connection to a server.
type Leg struct {
	Socket   Socket
	Recorder Recorder // may be nil
	Totals   *Totals  // may be nil
	// Done is called once, when the stream is over and the socket is closed.
	// It may be nil.
	Done func(err error)
}
