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

	mu      sync.Mutex
	pending lateFields // Guarded by mu: not yet sent.
	queued  bool       // Guarded by mu: in router.co.
	closed  bool       // Guarded by mu.
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

func (q *coQueue) take() []*CoFlow {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.queue
	q.queue = nil
	return all
}

// Open notes that a stream arrived for the connector and counts it. Flow is the
// stream's correlation id, trace the routers that its router annotations list.
// The result is nil if the stream has no record.
func (c *Connector) Open(flow string, trace []string) *CoFlow {
	c.counts[countFlows].value.Add(1)
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

// Close says that nothing more will be noted.
func (c *CoFlow) Close() {
	if c == nil || c.own != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.router.flows.alive.Add(-1)
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
	f(&c.pending)
	if !c.queued {
		c.queued = true
		c.router.co.push(c)
	}
}

// emitCoRecords sends what co-records have to say to the routers of their
// listeners.
func (r *Router) emitCoRecords(out *[]Publication) {
	batches := map[string]*batch{}
	for _, c := range r.co.take() {
		c.mu.Lock()
		fields := c.pending
		c.pending, c.queued = lateFields{}, false
		c.mu.Unlock()
		base := c.identity[:prefixLength]
		b := batches[base]
		if b == nil {
			b = &batch{to: AddressCoRecords(base + ":0"), next: &r.message, out: out}
			batches[base] = b
		}
		b.begin(TypeBiflowTport, c.identity)
		b.textIf(AttrTrace, fields.trace)
		fields.rest(b)
		b.end()
	}
	for _, b := range batches {
		b.close()
	}
}
