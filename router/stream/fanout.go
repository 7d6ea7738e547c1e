package stream

import (
	"sync"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// maxLag is how many bytes of a message may wait for the slowest destination
// of a Fanout before its copy is given up.
const maxLag = 4 << 20

// Fanout carries one message to several destinations (multicast). It is the
// session.Sink of the incoming delivery.
//
// Its sender is slowed down only if every destination is slow. A destination
// that is slower than the others loses its copy when maxLag bytes wait for it.
//
// The outcome is told when all destinations have theirs: rejected if one has
// rejected, else accepted if one has accepted, else modified, else released;
// settled when all have settled. States before that are not passed on. compat:
// skupper-router 3.x.
type Fanout struct {
	r        Receiving
	pressure pressure

	mu sync.Mutex
	// Guarded by mu.
	copies   []*fanoutCopy
	complete bool
	told     amqp.StateCode // outcome that was sent
}

// fanoutCopy is the delivery to one destination.
type fanoutCopy struct {
	f *Fanout

	// Guarded by f.mu.
	sending Sending
	over    bool // nothing goes out any more
	state   amqp.State
	settled bool
}

// NewFanout returns a Fanout without destinations. bounded is as in
// RelayOptions.
func NewFanout(r Receiving, bounded bool) *Fanout {
	return &Fanout{r: r, pressure: pressure{r: r, bounded: bounded}}
}

// Add opens the way to one destination. All are added before the first
// Transfer. The error is Onward's.
func (f *Fanout) Add(onward Onward) error {
	c := &fanoutCopy{f: f}
	path, err := onward(c, nil)
	if err != nil {
		return err
	}
	if len(path.Annotations) > 0 {
		path.Sending.WriteBytes(path.Annotations, true)
	}
	f.mu.Lock()
	c.sending = path.Sending
	f.copies = append(f.copies, c)
	f.mu.Unlock()
	return nil
}

// Len is the number of destinations.
func (f *Fanout) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.copies)
}

// Transfer implements session.Sink.
func (f *Fanout) Transfer(p []byte, more bool) {
	var live []Sending
	for _, c := range f.each() {
		if !c.live() {
			continue
		}
		c.sending.WriteBytes(p, more)
		if more && c.sending.QueuedBytes() > maxLag {
			c.sending.Abort()
			c.end(failed())
			continue
		}
		live = append(live, c.sending)
	}
	if more && len(live) > 0 {
		f.pressure.check(live...)
	}
	if !more {
		f.mu.Lock()
		f.complete = true
		f.mu.Unlock()
		f.tell()
	}
}

// each returns the copies, which do not change after the first Transfer.
func (f *Fanout) each() []*fanoutCopy {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.copies
}

// Settled implements session.Sink.
func (f *Fanout) Settled(st amqp.State) {
	for _, c := range f.each() {
		c.sending.Settle(st)
	}
}

// Told implements session.Hearer.
func (f *Fanout) Told(st amqp.State) {
	for _, c := range f.each() {
		c.sending.Tell(st)
	}
}

// Abort implements session.Sink.
func (f *Fanout) Abort() {
	for _, c := range f.each() {
		c.sending.Abort()
	}
}

// Lost implements session.Sink. What is complete goes on without its sender.
func (f *Fanout) Lost(error) {
	f.mu.Lock()
	complete := f.complete
	f.mu.Unlock()
	if complete {
		f.Settled(amqp.State{})
	} else {
		f.Abort()
	}
}

// tell passes the common outcome on when it is known.
func (f *Fanout) tell() {
	f.mu.Lock()
	st, all := amqp.State{}, len(f.copies) > 0
	settled := f.complete
	for _, c := range f.copies {
		all = all && c.state.Terminal()
		settled = settled && c.settled
		if priority(c.state.Code) > priority(st.Code) {
			st = c.state
		}
	}
	if !all && !settled || !settled && f.told == st.Code {
		f.mu.Unlock()
		return
	}
	f.told = st.Code
	f.mu.Unlock()
	f.r.Update(st, settled)
}

// priority orders the outcomes of one message, compat: skupper-router 3.x.
func priority(c amqp.StateCode) int {
	switch c {
	case amqp.StateReleased:
		return 1
	case amqp.StateModified:
		return 2
	case amqp.StateAccepted:
		return 3
	case amqp.StateRejected:
		return 4
	case amqp.StateNone, amqp.StateReceived, amqp.StateDeclared, amqp.StateTransactional, amqp.StateOther:
	}
	return 0
}

func (c *fanoutCopy) live() bool {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	return !c.over
}

// end ends the copy with an outcome of our own.
func (c *fanoutCopy) end(st amqp.State) {
	c.f.mu.Lock()
	c.over, c.settled = true, true
	if !c.state.Terminal() {
		c.state = st
	}
	c.f.mu.Unlock()
	c.f.pressure.relieve()
	c.f.tell()
}

// Update implements session.Outcome.
func (c *fanoutCopy) Update(st amqp.State, settled bool) {
	c.f.mu.Lock()
	if st.Code == amqp.StateDeclared || st.Code == amqp.StateTransactional {
		st = amqp.State{Code: amqp.StateRejected} // compat: no transactions in multicast
	}
	if st.Terminal() {
		c.state = onTheWay(st)
	}
	c.settled = c.settled || settled
	c.over = c.over || settled
	c.f.mu.Unlock()
	if settled {
		c.f.pressure.relieve()
	}
	c.f.tell()
}

// Ready implements session.Outcome.
func (c *fanoutCopy) Ready() { c.f.pressure.relieve() }

// Lost implements session.Outcome.
func (c *fanoutCopy) Lost(error) {
	c.f.mu.Lock()
	complete, sending := c.f.complete, c.sending
	c.f.mu.Unlock()
	st := amqp.State{Code: amqp.StateReleased}
	if complete && sending != nil && emitted(sending) {
		st = failed()
	}
	c.end(st)
}

var (
	_ session.Sink    = (*Fanout)(nil)
	_ session.Outcome = (*fanoutCopy)(nil)
	_ session.Sink    = (*Relay)(nil)
	_ session.Outcome = (*branch)(nil)
	_ session.Sink    = (*Intake)(nil)
	_ session.Sink    = (*sink)(nil)
	_ session.Outcome = (*attempt)(nil)
	_ ReplyTaker      = (*attempt)(nil)
)
