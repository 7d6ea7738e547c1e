package session

import (
	"github.com/skupper-host/skupper/router/amqp"
)

// Credit says how many deliveries the peer may send on a link.
type Credit struct {
	Window   uint32 // granted again and again; 0: none
	OnSettle bool   // it comes back when a delivery is settled, else when one begins
	Prompt   bool   // it comes back with every delivery, else when half of it is used
}

// Link is one end of an AMQP link, AMQP 1.0 §2.6.
type Link struct {
	// App is free for the owner of the engine.
	App any

	s    *Session
	name string

	handle uint32       // ours, valid if attached
	theirs uint32       // the peer's, valid if remote != nil
	remote *amqp.Attach // the peer's, nil before it has come

	sender   bool // we send
	attached bool // our attach is queued
	detached bool // our detach is queued
	ended    bool // the peer's detach has come
	refused  bool // the peer answered our attach with a null terminus
	gone     bool // EventDetached is out, or never will be
	counted  bool // in Engine.links

	// Credit, AMQP 1.0 §2.6.7.
	deliveryCount uint32
	credit        uint32 // deliveries that may begin now
	drain         bool   // the peer wants it used up
	flowQueued    bool   // in Engine.creditDue

	// See age.go.
	untimed bool
	blocked bool // it has had no credit for long
	// reported tells that a delivery of it was found to be stuck.
	reported bool
	dry      uint32 // Engine.now when the credit was seen to be used up; 0: it is not

	// Of a sender. The first of the queue may have begun. See schedule.go.
	queue      *Outgoing
	queueTail  *Outgoing
	sent       *Outgoing // begun and not settled
	waiting    int32     // not begun
	presettled int32     // of those, complete and settled
	deficit    int32     // octets
	scheduled  bool
	keep       uint16 // see KeepPresettled

	// Of a receiver.
	policy   Credit
	current  *Incoming // incomplete
	received *Incoming // not settled, or incomplete
	open     uint32    // not settled
	beyond   uint32    // begun without credit since it was last granted
	// The most credit that was ever granted.
	allowance uint32
	// The peer sends everything settled, whatever its transfers say.
	presettling bool

	stats LinkStats
}

// LinkStats counts the deliveries of a link.
type LinkStats struct {
	Deliveries uint64 // begun
	Presettled uint64 // sent, received or dropped
	Accepted   uint64
	Rejected   uint64
	Released   uint64
	Modified   uint64
	Dropped    uint64

	Delayed1  uint32 // over after more than 1 and up to 10 s
	Delayed10 uint32 // over after more than 10 s
}

// count notes an outcome.
func (t *LinkStats) count(c amqp.StateCode) {
	switch c {
	case amqp.StateAccepted:
		t.Accepted++
	case amqp.StateRejected:
		t.Rejected++
	case amqp.StateReleased:
		t.Released++
	case amqp.StateModified:
		t.Modified++
	case amqp.StateNone, amqp.StateReceived, amqp.StateDeclared, amqp.StateTransactional, amqp.StateOther:
	}
}

// Name returns the link's name.
func (l *Link) Name() string { return l.name }

// Sender reports whether we send on the link.
func (l *Link) Sender() bool { return l.sender }

// Session returns the link's session.
func (l *Link) Session() *Session { return l.s }

// Remote returns the peer's attach, nil before it has come.
func (l *Link) Remote() *amqp.Attach { return l.remote }

// ForgetRemote drops the peer's attach to save its memory: Remote returns an
// empty one.
func (l *Link) ForgetRemote() { l.remote = &l.s.e.forgotten }

// Refused reports whether the peer answered our attach with a null terminus.
func (l *Link) Refused() bool { return l.refused }

// Gone reports whether nothing can happen on the link any more.
func (l *Link) Gone() bool { return l.gone || l.detached }

// Idle reports whether nothing is queued and nothing is half sent or half
// received on the link.
func (l *Link) Idle() bool { return l.queue == nil && l.current == nil }

// Draining reports whether the peer wants its credit used up.
func (l *Link) Draining() bool { return l.drain }

// Credit is the number of deliveries that may begin now.
func (l *Link) Credit() uint32 { return l.credit }

// Stats returns the counters.
func (l *Link) Stats() LinkStats { return l.stats }

// Unsettled is the number of deliveries that are not settled.
func (l *Link) Unsettled() int {
	n := int(l.open)
	for out := l.sent; out != nil; out = out.next {
		n++
	}
	return n
}

// Waiting is the number of deliveries that have not begun for want of credit.
func (l *Link) Waiting() int { return int(l.waiting) }
