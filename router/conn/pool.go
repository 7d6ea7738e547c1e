package conn

import (
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

// Numbers of the pool of streaming links.
const (
	// maxIdleLinks is how many idle ones are kept; every trimPeriod at most
	// trimLinks of the oldest above that are detached. compat: skupper-router
	// 3.x.
	maxIdleLinks = 128
	trimLinks    = 10
	trimPeriod   = 30 * time.Second
	// minSpare is how many idle links are kept ahead once a stream was opened,
	// so that the next one needs no round trip. Opening streams faster than the
	// links are answered doubles the number, up to maxIdleLinks.
	minSpare = 4
)

// streamLinkCapability marks a streaming link on a control connection.
const streamLinkCapability amqp.Symbol = "qd.router-data"

// linkPool holds the streaming links of one kind that carry nothing. Guarded
// by Conn.mu.
type linkPool struct {
	capable bool
	idle    []*Link // with credit when they came here; the last is used first
	fresh   []*Link // attached ahead, credit has not come yet
	spare   int     // how many to keep in both together
}

// StreamLink returns a link for one streaming delivery: a pooled one that is
// idle or a new one. With capable its termini carry the qd.router-data
// capability (control connections of role inter-router), otherwise they are
// anonymous (data and edge connections). The link returns to the pool by
// itself when the last transfer of the next delivery sent on it was emitted
// (see AwaitSettlement), so exactly one Send is due.
func (c *Conn) StreamLink(capable bool) *Link {
	c.mu.Lock()
	p := &c.pools[0]
	if capable {
		p = &c.pools[1]
		p.capable = true
	}
	l := p.take()
	if l == nil {
		l = c.attachStreaming(p)
	}
	for range 2 { // a few with each stream, not all at once
		if len(p.idle)+len(p.fresh) < p.spare {
			p.fresh = append(p.fresh, c.attachStreaming(p))
		}
	}
	c.unlock()
	return l
}

// AwaitSettlement makes the links of StreamLink return to the pool only when
// the peer has settled the delivery. compat: skupper-router 3.x may leave a
// delivery alone that begins behind one whose end it has not seen yet.
func (c *Conn) AwaitSettlement() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.patient = true
}

// take removes a link from the pool, nil if it is empty.
func (p *linkPool) take() *Link {
	if n := len(p.idle); n > 0 {
		l := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		return l
	}
	p.spare = max(minSpare, min(2*p.spare, maxIdleLinks))
	if len(p.fresh) > 0 {
		l := p.fresh[0]
		p.fresh = slices.Delete(p.fresh, 0, 1)
		return l
	}
	return nil
}

func (c *Conn) attachStreaming(p *linkPool) *Link {
	source, target := &amqp.Source{ExpiryPolicy: amqp.ExpireLinkDetach}, &amqp.Target{ExpiryPolicy: amqp.ExpireLinkDetach}
	if p.capable {
		source.Capabilities = []amqp.Symbol{streamLinkCapability}
		target.Capabilities = source.Capabilities
	}
	l, _ := c.attach(LinkConfig{ // one that cannot be attached is gone: so is what is sent on it
		Session: ClassStreaming, Sender: true, Source: source, Target: target,
		SndSettle: amqp.SndMixed, Events: pooled{},
	})
	l.pool = p
	l.l.Untimed()
	return l
}

// recycle puts the link of a streaming delivery back when s was the last that
// used it and is through, with mu held.
func (s *Sending) recycle() {
	if l := s.l; l.pool != nil && l.user == s && l.l.Idle() && (!l.c.patient || s.out.Settled()) {
		l.rest()
	}
}

// settled notes that the receiver has settled a delivery.
func (s *Sending) settled() {
	if s.l.pool != nil {
		s.l.c.mu.Lock()
		defer s.l.c.mu.Unlock()
		s.recycle()
	}
}

// rest puts a link into the pool.
func (l *Link) rest() {
	l.user = nil
	if !l.l.Gone() {
		l.pool.idle = append(l.pool.idle, l)
	}
}

// trim detaches some of the oldest idle links above the limit.
func (c *Conn) trim() {
	c.mu.Lock()
	for i := range c.pools {
		p := &c.pools[i]
		p.spare = max(min(p.spare, minSpare), p.spare/2)
		n := min(trimLinks, max(0, len(p.idle)-maxIdleLinks))
		for _, l := range p.idle[:n] {
			l.l.Detach(nil)
		}
		p.idle = slices.Delete(p.idle, 0, n)
	}
	c.unlock()
}

// pooled is told what happens on the links of the pool.
type pooled struct{}

func (pooled) Answered(l *Link) { l.ForgetRemote() }

// Credit makes a link that was attached ahead ready for use.
func (pooled) Credit(l *Link) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	p := l.pool
	if i := slices.Index(p.fresh, l); i >= 0 {
		p.fresh = slices.Delete(p.fresh, i, i+1)
		l.rest()
	}
}

func (pooled) Begin(*Receiving) Sink { return nil } // we only send on them

func (pooled) Detached(l *Link, _ *amqp.Error) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	p := l.pool
	p.idle = slices.DeleteFunc(p.idle, func(x *Link) bool { return x == l })
	p.fresh = slices.DeleteFunc(p.fresh, func(x *Link) bool { return x == l })
}
