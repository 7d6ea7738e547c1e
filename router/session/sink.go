package session

import "github.com/skupper-host/skupper/router/amqp"

// Sink takes what arrives for one incoming delivery.
//
// All calls come from the goroutine that reads the connection, in wire order,
// with no lock held, and must not block: everything else on the connection
// waits behind them. Abort and Lost are last calls. Without them, the last
// call is the one after which the delivery is complete and settled by either
// side.
//
// After the receiver itself has settled the delivery nothing more is
// delivered, except what the reader had already taken from the wire.
type Sink interface {
	// Transfer is the payload of one frame. It is valid during the call only;
	// who wants to keep bytes copies them. It may be empty. more is false in
	// the frame that completes the delivery.
	Transfer(payload []byte, more bool)

	// Settled tells that the sender has settled the delivery: by a
	// disposition with state st, or by the settled flag of a transfer after
	// the first (then st is what that transfer carried, usually none). The
	// delivery need not be complete. It follows Transfer of the same frame. A
	// delivery that is settled from its first frame on (Receiving.Settled)
	// gets no such call.
	Settled(st amqp.State)

	// Abort tells that the sender has given the delivery up. It counts as
	// settled. What was received must not be used as a whole message.
	Abort()

	// Lost tells that the link, its session or the connection is gone before
	// the delivery was complete and settled.
	Lost(err error)
}

// Hearer is a Sink that wants to hear what the sender says of a delivery that
// it has not settled.
type Hearer interface {
	// Told reports a disposition of the sender with state st, unsettled. It is
	// called as the methods of Sink are.
	Told(st amqp.State)
}

// Stage is a Sink that is of use only until it knows where the delivery goes.
type Stage interface {
	// Next is the Sink for what follows the first frame, nil if that is not
	// known yet. It is asked for once, after the first Transfer.
	Next() Sink
}

// Outcome is told what becomes of one outgoing delivery.
//
// Update and Lost come from the goroutine that reads the connection (or that
// ends it), Ready from whoever writes it. No lock is held. None may block.
type Outcome interface {
	// Update is a disposition of the receiver. With settled, or after the
	// delivery was settled locally, nothing follows but Ready. st may be none
	// if the receiver settles without a state.
	Update(st amqp.State, settled bool)

	// Ready tells that the queue fell below two buffers: the time to write
	// the next. It is called once for each time that it does.
	Ready()

	// Lost tells that the link, its session or the connection is gone before
	// the delivery was sent and settled, or that it was dropped from a link
	// without credit (ErrDropped). Nothing follows.
	Lost(err error)
}
