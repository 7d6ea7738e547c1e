package conn

import (
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// dispatch tells the handlers what the events report, without any lock.
func (c *Conn) dispatch(events []session.Event) {
	for i := range events {
		ev := &events[i]
		switch ev.Kind {
		case session.EventTransfer:
			c.transfer(ev)
		case session.EventSettled:
			ev.In.Sink.Settled(*ev.State)
		case session.EventTold:
			told(ev)
		case session.EventAborted:
			ev.In.Sink.Abort()
		case session.EventInLost:
			ev.In.Sink.Lost(cause(ev.Err))
		case session.EventUpdate:
			ev.Out.Outcome.Update(*ev.State, ev.Settled)
			if s, ok := ev.Out.App.(*Sending); ok && ev.Settled {
				s.settled()
			}
		case session.EventOutLost:
			ev.Out.Outcome.Lost(cause(ev.Err))
		default:
			c.dispatchLink(ev)
		}
	}
}

func (c *Conn) dispatchLink(ev *session.Event) {
	switch ev.Kind {
	case session.EventOpened:
		c.opened(ev.Open)
	case session.EventClosed:
		if ev.Err != nil {
			c.fail(&Error{Err: ev.Err})
		}
	case session.EventAttached:
		l := c.newLink(nil)
		l.l = ev.Link
		c.mu.Lock()
		ev.Link.App = l
		c.mu.Unlock()
		c.h.Attached(c, l)
	case session.EventAnswered:
		l := link(ev)
		l.events.Answered(l)
	case session.EventCredit:
		c.credited(ev.Link)
	case session.EventDetached:
		l := link(ev)
		l.events.Detached(l, ev.Err)
	case session.EventTransfer, session.EventSettled, session.EventTold, session.EventAborted, session.EventInLost, session.EventUpdate, session.EventOutLost:
	}
}

func link(ev *session.Event) *Link {
	l, _ := ev.Link.App.(*Link)
	return l
}

// told hands on what the sender says of its delivery.
func told(ev *session.Event) {
	if h, ok := ev.In.Sink.(session.Hearer); ok {
		h.Told(*ev.State)
	}
}

// transfer hands on the payload of one frame.
func (c *Conn) transfer(ev *session.Event) {
	in := ev.In
	if ev.First {
		l, _ := in.Link().App.(*Link)
		in.Sink = l.events.Begin(&Receiving{l: l, in: in, Settled: in.Settled, MessageFormat: in.Format})
		c.lastIn.Store(c.clock())
	}
	if ev.State != nil {
		told(ev)
	}
	in.Sink.Transfer(ev.Payload, ev.More)
	if !ev.First {
		return
	}
	if k, ok := in.Sink.(session.Stage); ok {
		if next := k.Next(); next != nil {
			in.Sink = next
		}
	}
}

// cause is why a delivery was lost, as an error.
func cause(err *amqp.Error) error {
	if err == nil {
		return errDetached
	}
	return err
}

// credited tells that the peer has given a link credit, and gives back what is
// not used although it should be.
func (c *Conn) credited(sl *session.Link) {
	l := sl.App.(*Link)
	l.events.Credit(l)
	c.mu.Lock()
	sl.Drained()
	c.unlock()
}
