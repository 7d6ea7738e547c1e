package conn

import (
	"github.com/skupper-host/skupper/router/amqp"
)

// Session classes: links of one class share a session (skupper-router 3.x).
// Data links of priority p use ClassData + p.
const (
	ClassControl      = 0
	ClassData         = 1 // to 10
	ClassEndpoint     = 11
	ClassCoreEndpoint = 12
	ClassLinkRoute    = 13
	ClassStreaming    = 14
)

// LinkConfig describes a link that we attach.
type LinkConfig struct {
	Session    int    // class
	Name       string // unique among the links of one direction; empty: qdlink.<15 random characters>
	Sender     bool   // we send
	Source     *amqp.Source
	Target     *amqp.Target
	Properties amqp.Map
	SndSettle  uint8 // amqp.SndMixed and so on; the zero value is SndUnsettled
	RcvSettle  uint8
	Credit     CreditPolicy // of a link that we receive on
	Events     LinkEvents
}

// CreditPolicy says how many deliveries the peer may send.
type CreditPolicy struct {
	// Window is the credit granted at first and again and again; 0 grants
	// none until SetCredit.
	Window uint32
	// OnSettle gives credit back when a delivery is settled. Otherwise it
	// comes back when a delivery begins.
	OnSettle bool
}

// Link is one end of an AMQP link.
type Link struct {
	// App is free for the owner: set it before Accept or Attach, or in
	// callbacks of the reader.
	App any
}

// Conn returns the link's connection.
func (l *Link) Conn() *Conn { return nil }

// Name returns the link's name.
func (l *Link) Name() string { return "" }

// Sender reports whether we send on the link.
func (l *Link) Sender() bool { return false }

// Session returns the class of a link that we attached, or the peer's channel
// number + 1000 for one that the peer did.
func (l *Link) Session() int { return 0 }

// Remote returns the peer's attach, nil before it has arrived. It must not be
// changed.
func (l *Link) Remote() *amqp.Attach { return nil }

// Refused reports whether the peer answered our attach with a null terminus:
// Detached will follow.
func (l *Link) Refused() bool { return false }

// Accept answers the peer's attach. Nil source or target echo the peer's.
func (l *Link) Accept(source *amqp.Source, target *amqp.Target, properties amqp.Map, credit CreditPolicy, ev LinkEvents) {
}

// Refuse answers the peer's attach with a null terminus, followed by detach
// with err (AMQP 1.0 §2.6.3). There are no events for such a link.
func (l *Link) Refuse(err *amqp.Error) {}

// Detach closes the link. Deliveries that are queued on it and not yet
// written are dropped. Their Lost and the link's Detached come when the peer
// has answered. Detaching twice is harmless.
func (l *Link) Detach(err *amqp.Error) {}

// SetCredit changes the window of a link that we receive on and tells the
// peer. 0 takes back what is not yet used.
func (l *Link) SetCredit(window uint32) {}

// CreditAvailable is the number of deliveries that may begin now on a link
// that we send on, less those queued. It may be negative.
func (l *Link) CreditAvailable() int { return 0 }

// Send begins a delivery on a link that we send on. Transfers leave as credit
// and windows allow; until then they queue. Presettled deliveries that are
// complete and have no credit are kept to 250 per link, then the oldest is
// dropped (compat: skupper-router 3.x).
func (l *Link) Send(ev Outcome, settled bool) *Sending { return nil }

// Stats returns the link's counters.
func (l *Link) Stats() LinkStats { return LinkStats{} }

// LinkStats counts the deliveries of a link.
type LinkStats struct {
	Deliveries  uint64 // begun
	Presettled  uint64
	Accepted    uint64
	Rejected    uint64
	Released    uint64
	Modified    uint64
	Dropped     uint64 // presettled ones without credit
	Credit      uint32 // now
	Unsettled   int    // now
	Undelivered int    // now queued
}
