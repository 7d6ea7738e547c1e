package router

import (
	"sync/atomic"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/session"
)

// routed is a delivery on its way to a destination. It gives the destination's
// load back when the delivery is over.
type routed struct {
	*conn.Sending
	out    session.Outcome
	choice forward.Choice
	over   atomic.Bool
	passes passing
}

// passing is what a delivery belongs to that passes through this router as one
// direction of a TCP connection.
type passing struct {
	from       *peer  // nil: it does not
	connection uint64 // the same in both directions
}

// send begins a delivery on l for one choice.
func send(l *conn.Link, choice forward.Choice, out session.Outcome, m *message) *routed {
	d := &routed{out: out, choice: choice, passes: m.passes}
	d.Sending = l.SendFormat(d, m.settled, m.format)
	return d.begun(m.settled)
}

// sendBehind begins a delivery behind the one that the message's sender sent
// before on the same connection, if that is to be; else it returns nil.
func sendBehind(c *conn.Conn, choice forward.Choice, out session.Outcome, m *message) *routed {
	d := &routed{out: out, choice: choice, passes: m.passes}
	if d.Sending = m.order.behind(c, d, m); d.Sending == nil {
		return nil
	}
	return d.begun(m.settled)
}

func (d *routed) begun(settled bool) *routed {
	if settled {
		d.finish()
	}
	return d
}

func (d *routed) finish() {
	if d.over.CompareAndSwap(false, true) {
		d.choice.Done()
	}
}

// Update implements session.Outcome.
func (d *routed) Update(st amqp.State, settled bool) {
	if settled {
		d.finish()
	}
	d.out.Update(st, settled)
}

// Ready implements session.Outcome.
func (d *routed) Ready() { d.out.Ready() }

// Lost implements session.Outcome.
func (d *routed) Lost(err error) {
	d.finish()
	d.out.Lost(err)
}

// End implements stream.Sending.
func (d *routed) End(settled bool) {
	d.Sending.End(settled)
	if settled {
		d.finish()
	}
}

// Settle implements stream.Sending.
func (d *routed) Settle(st amqp.State) {
	d.Sending.Settle(st)
	d.finish()
}

// Abort implements stream.Sending.
func (d *routed) Abort() {
	d.Sending.Abort()
	d.finish()
}
