package conn

import (
	"crypto/rand"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
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
	// Prompt gives it back with every delivery; otherwise it comes when half
	// of it is used.
	Prompt bool
}

// Link is one end of an AMQP link.
type Link struct {
	// App is free for the owner: set it before Accept or Attach, or in
	// callbacks of the reader.
	App any

	c      *Conn
	l      *session.Link
	id     uint64
	events LinkEvents // Set by Attach or Accept with Conn.mu, then read only.
	pool   *linkPool  // Set before use, then read only: of a link that carries our streams.
	user   *Sending   // Guarded by Conn.mu: the stream on a link of a pool.
}

// Attach attaches a link. A connection that is already gone returns a link
// whose Detached is called before Attach returns; so does one that has no room
// for it.
func (c *Conn) Attach(a LinkConfig) *Link {
	c.mu.Lock()
	l, err := c.attach(a)
	c.unlock()
	if err != nil {
		l.events.Detached(l, err)
	}
	return l
}

func (c *Conn) attach(a LinkConfig) (*Link, *amqp.Error) {
	if a.Name == "" {
		a.Name = linkName()
	}
	l := c.newLink(a.Events)
	var err *amqp.Error
	l.l, err = c.e.Attach(a.Session, &amqp.Attach{
		Name: a.Name, Role: amqp.Role(!a.Sender), SndSettleMode: a.SndSettle, RcvSettleMode: a.RcvSettle,
		Source: a.Source, Target: a.Target, Properties: a.Properties,
	}, session.Credit(a.Credit))
	l.l.App = l
	if err != nil && c.over {
		err = lost(c.failure.Load())
	}
	return l, err
}

// linkName makes a name as skupper-router does: 15 of 64 characters.
func linkName() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_"
	b := []byte("qdlink.###############")
	random := b[len("qdlink."):]
	_, _ = rand.Read(random) // never fails, see there
	for i := range random {
		random[i] = alphabet[random[i]&63]
	}
	return string(b)
}

func (c *Conn) newLink(ev LinkEvents) *Link {
	return &Link{c: c, id: c.cfg.Serial.Add(1), events: ev}
}

// Links returns the links that are attached, in no order.
func (c *Conn) Links() (list []*Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.e.EachLink(func(l *session.Link) {
		if link, ok := l.App.(*Link); ok {
			list = append(list, link)
		}
	})
	return list
}

// Outcomes returns the outcome of each delivery to the peer that is not over, in
// no order.
func (c *Conn) Outcomes() (list []Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.e.EachLink(func(l *session.Link) {
		l.EachOutgoing(func(out *session.Outgoing) { list = append(list, out.Outcome) })
	})
	return list
}

// ID is the number of the link, see Config.Serial.
func (l *Link) ID() uint64 { return l.id }

// Events returns what Attach or Accept was given, nil before.
func (l *Link) Events() LinkEvents {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.events
}

// Conn returns the link's connection.
func (l *Link) Conn() *Conn { return l.c }

// Name returns the link's name.
func (l *Link) Name() string { return l.l.Name() }

// Sender reports whether we send on the link.
func (l *Link) Sender() bool { return l.l.Sender() }

// Session returns the class of a link that we attached, or the peer's channel
// number + 1000 for one that the peer did.
func (l *Link) Session() int {
	if s := l.l.Session(); s != nil {
		return s.Class()
	}
	return -1
}

// Remote returns the peer's attach, nil before it has arrived. It must not be
// changed.
func (l *Link) Remote() *amqp.Attach {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.l.Remote()
}

// ForgetRemote drops the peer's attach, of a link that was accepted or answered,
// to save its memory: Remote returns an empty one.
func (l *Link) ForgetRemote() {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	if l.l.Remote() != nil {
		l.l.ForgetRemote()
	}
}

// Refused reports whether the peer answered our attach with a null terminus:
// Detached will follow.
func (l *Link) Refused() bool {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.l.Refused()
}

// Accept answers the peer's attach. Nil source or target echo the peer's. If
// the link is already gone, Detached is called before Accept returns.
func (l *Link) Accept(source *amqp.Source, target *amqp.Target, properties amqp.Map, credit CreditPolicy, ev LinkEvents) {
	l.c.mu.Lock()
	l.events = ev
	remote := l.l.Remote()
	a := &amqp.Attach{
		Source: source, Target: target, Properties: properties,
		SndSettleMode: remote.SndSettleMode, RcvSettleMode: remote.RcvSettleMode,
	}
	if source == nil {
		a.Source = remote.Source
	}
	if target == nil {
		a.Target = remote.Target
	}
	ok := l.l.Accept(a, session.Credit(credit))
	early := l.l.CreditAvailable() > 0 || l.l.Draining() // the peer did not wait for our attach
	l.c.unlock()
	if !ok {
		ev.Detached(l, lost(l.c.failure.Load()))
		return
	}
	if l.l.Sender() && early {
		l.c.credited(l.l)
	}
}

// Refuse answers the peer's attach with a null terminus, followed by detach
// with err (AMQP 1.0 §2.6.3). There are no events for such a link.
func (l *Link) Refuse(err *amqp.Error) {
	l.c.mu.Lock()
	l.l.Refuse(err)
	l.c.unlock()
}

// Detach closes the link. Deliveries that are queued on it and not yet
// written are dropped. Their Lost and the link's Detached come when the peer
// has answered. Detaching twice is harmless.
func (l *Link) Detach(err *amqp.Error) {
	l.c.mu.Lock()
	l.l.Detach(err)
	l.c.unlock()
}

// SetCredit changes the window of a link that we receive on and tells the
// peer. 0 takes back what is not yet used.
func (l *Link) SetCredit(window uint32) {
	l.c.mu.Lock()
	l.l.SetCredit(window)
	l.c.unlock()
}

// KeepPresettled says how many complete presettled deliveries wait for credit on
// a link that we send on; 0 is 250. Older ones are dropped, see Send.
func (l *Link) KeepPresettled(n int) {
	l.c.mu.Lock()
	l.l.KeepPresettled(n)
	l.c.mu.Unlock()
}

// Untimed says that the link is for streams: their age says nothing, and they
// bring credit with them.
func (l *Link) Untimed() {
	l.c.mu.Lock()
	l.l.Untimed()
	l.c.mu.Unlock()
}

// CreditAvailable is the number of deliveries that may begin now on a link
// that we send on, less those queued. It may be negative.
func (l *Link) CreditAvailable() int {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.l.CreditAvailable()
}

// Stats returns the link's counters.
func (l *Link) Stats() LinkStats {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return LinkStats{
		LinkStats: l.l.Stats(), Credit: l.l.Credit(), Unsettled: l.l.Unsettled(), Undelivered: l.l.Waiting(),
		Stuck: l.l.Stuck(), ZeroCredit: l.l.ZeroCredit(),
	}
}

// LinkStats counts the deliveries of a link.
type LinkStats struct {
	session.LinkStats
	Credit      uint32 // now
	Unsettled   int    // now
	Undelivered int    // queued now for want of credit
	Stuck       int    // not over after more than 10 s
	ZeroCredit  uint32 // seconds without credit until now
}
