package session

import "github.com/skupper-host/skupper/router/amqp"

// EventKind says what an Event reports and which of its fields are set.
type EventKind uint8

// Events that Receive returns, in wire order.
const (
	EventOpened   EventKind = iota + 1 // Open
	EventClosed                        // Err: the peer's Close
	EventAttached                      // Link: the peer attaches; answer it
	EventAnswered                      // Link: the peer answered our attach
	EventTransfer                      // In, Payload, More, First; State if the sender says one that is not AMQP's
	EventSettled                       // In, State: by the sender
	EventTold                          // In, State: the sender says so and has not settled
	EventAborted                       // In
	EventInLost                        // In, Err
	EventUpdate                        // Out, State, Settled
	EventOutLost                       // Out, Err
	EventCredit                        // Link: credit after none, or drain
	EventDetached                      // Link, Err: last event of a link
)

// Event is something that the peer caused. Payload and State are valid until
// the next call of Receive, and as long as the buffer given to it.
type Event struct {
	Kind    EventKind
	More    bool // more transfers of this delivery follow
	First   bool // the delivery begins
	Settled bool
	Link    *Link
	In      *Incoming
	Out     *Outgoing
	Payload []byte
	State   *amqp.State
	Err     *amqp.Error // nil: without error
	Open    *amqp.Open
}

func (e *Engine) event(ev Event) { e.events = append(e.events, ev) }

// keep returns a pointer to a copy of st that lives as long as the events.
func (e *Engine) keep(st *amqp.State) *amqp.State {
	e.states = append(e.states, *st)
	return &e.states[len(e.states)-1]
}
