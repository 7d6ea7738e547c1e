package vanflow

import (
	"strings"
	"sync"
	"time"
)

// localTrace is the trace of a flow that stays in one router.
const localTrace = "Local"

// CoFlow is what the connector's side of a TCP connection adds to the record
// that the listener's router keeps. A nil CoFlow is one without record; its
// methods do nothing.
type CoFlow struct {
	router *Router
	own    *Flow // the record, if the listener is in this router

	// Only if own is nil.
	identity string

	mu     sync.Mutex
	fields lateFields // Guarded by mu.
	queued bool       // Guarded by mu: in router.co, to be sent.
	closed time.Time  // Guarded by mu. Zero: open.
}

// coQueue holds the co-records that have something to send.
type coQueue struct {
	mu    sync.Mutex
	queue []*CoFlow // Guarded by mu.
}

func (q *coQueue) push(c *CoFlow) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, c)
}

func (q *coQueue) putBack(list []*CoFlow) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, list...)
}

func (q *coQueue) take() []*CoFlow {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.queue
	q.queue = nil
	return all
}

// Open notes that a stream arrived for the connector and counts it. compat: with
// the first one the connector's own connection to the router counts too. Flow is the
// stream's correlation id, trace the routers that its router annotations list.
// The result is nil if the stream has no record.
func (c *Connector) Open(flow string, trace []string) *CoFlow {
	if n := c.counts[countFlows].value.Add(1); n == 1 {
		c.counts[countFlows].value.Add(1)
	}
	r := c.router
	if !validFlow(flow) {
		return nil
	}
	co := &CoFlow{router: r}
	if n, ok := r.parse(flow); ok {
		if co.own = r.flows.get(n); co.own == nil {
			return nil
		}
	} else {
		if !r.flows.claim() {
			return nil
		}
		co.identity = flow
	}
	co.set(func(l *lateFields) {
		l.connector = c.Identity()
		l.trace = cut(strings.Join(trace, "|"), maxTrace)
		if co.own != nil {
			l.trace = localTrace
		}
	})
	return co
}

// Connected notes the address from which the server sees the connection.
func (c *CoFlow) Connected(host, port string) {
	c.set(func(l *lateFields) { l.proxyHost, l.proxyPort = host, port })
}

// SetLatency notes the time from the first octet to the server to the first one
// back.
func (c *CoFlow) SetLatency(d time.Duration) {
	c.set(func(l *lateFields) { l.processLatency = latency(d) })
}

// Fail notes why the server's socket broke or could not be connected.
func (c *CoFlow) Fail(reason string) {
	c.set(func(l *lateFields) { l.errorConnector = reason })
}

// Close says that nothing more will be noted. Everything is sent once more, since
// messages may be lost.
func (c *CoFlow) Close(now time.Time) {
	if c == nil || c.own != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.IsZero() {
		c.closed = now
		c.enqueue()
	}
}

// enqueue makes the next step send what is known. mu is held.
func (c *CoFlow) enqueue() {
	if !c.queued {
		c.queued = true
		c.router.co.push(c)
	}
}

func (c *CoFlow) set(f func(*lateFields)) {
	if c == nil {
		return
	}
	if c.own != nil {
		c.own.mu.Lock()
		defer c.own.mu.Unlock()
		f(&c.own.late)
		c.own.changed = true
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.IsZero() {
		f(&c.fields)
		c.enqueue()
	}
}

// emitCoRecords sends the co-records of which there is news to the routers of
// their listeners. One whose router is out of reach waits: as long as the
// connection is open, and then as long as the record does there.
func (r *Router) emitCoRecords(now time.Time, usable Usable, out *[]Publication) {
	batches := map[string]*batch{}
	var waiting []*CoFlow
	for _, c := range r.co.take() {
		base := c.identity[:prefixLength]
		b, known := batches[base]
		if !known {
			if to := AddressCoRecords(base + ":0"); usable(to) {
				b = &batch{to: to, next: &r.message, out: out}
			}
			batches[base] = b
		}
		fields, later := c.take(now, b != nil)
		if later {
			waiting = append(waiting, c)
		}
		if b == nil {
			continue
		}
		b.begin(TypeBiflowTport, c.identity)
		b.textIf(AttrTrace, fields.trace)
		fields.rest(b)
		b.end()
	}
	for _, b := range batches {
		if b != nil {
			b.close()
		}
	}
	r.co.putBack(waiting)
}

// take returns what is to be sent now. If it cannot be, it reports whether that
// is worth another attempt.
func (c *CoFlow) take(now time.Time, can bool) (fields lateFields, later bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !can && (c.closed.IsZero() || now.Before(c.closed.Add(endDelay))) {
		return lateFields{}, true
	}
	c.queued = false
	if !c.closed.IsZero() {
		c.router.flows.alive.Add(-1)
	}
	return c.fields, false
}
