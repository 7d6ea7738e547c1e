package vanflow

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxFlows and resumeFlows bound the flows and requests that have a record at
	// a time, co-records included (compat: upstream's limits). One that was
	// refused a record never gets one.
	maxFlows    = 5000
	resumeFlows = 4990
	// endDelay is how long a flow that ended waits for late co-records before
	// its end is emitted (compat: 25 ticks of 200 ms).
	endDelay = 5 * time.Second
	// flowShards spreads opening and closing flows over as many locks.
	flowShards = 16
)

// flows holds the live flows of a router.
type flows struct {
	alive     atomic.Int64 // flows, co-records and requests
	ended     atomic.Int64 // requests whose end is to be emitted; they are not alive
	saturated atomic.Bool
	heard     atomic.Bool // somebody listened at the last Step, or has sent FLUSH since
	shards    [flowShards]flowShard
	scratch   []*Flow // Owned by Step.
}

type flowShard struct {
	mu   sync.Mutex
	live map[uint64]*Flow // Guarded by mu. By number.
	_    [40]byte         // keeps neighbours off the cache line
}

// claim takes one of the maxFlows places.
func (f *flows) claim() bool {
	limit := int64(maxFlows)
	if f.saturated.Load() {
		limit = resumeFlows
	}
	if f.alive.Add(1) <= limit {
		if f.saturated.Load() {
			f.saturated.Store(false)
		}
		return true
	}
	f.alive.Add(-1)
	f.saturated.Store(true)
	return false
}

func (f *flows) shard(n uint64) *flowShard { return &f.shards[n%flowShards] }

func (f *flows) get(n uint64) *Flow {
	s := f.shard(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[n]
}

// snapshot returns the live flows. It is valid until the next call.
func (f *flows) snapshot() []*Flow {
	f.scratch = f.scratch[:0]
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		for _, flow := range s.live {
			f.scratch = append(f.scratch, flow)
		}
		s.mu.Unlock()
	}
	return f.scratch
}

func (f *flows) remove(x *Flow) {
	s := f.shard(x.n)
	s.mu.Lock()
	delete(s.live, x.n)
	s.mu.Unlock()
	f.alive.Add(-1)
	x.forget()
}

func (f *flows) endAll(now time.Time) {
	for _, flow := range f.snapshot() {
		flow.Close(now)
	}
}

// Flow is the BIFLOW_TPORT record of one TCP connection, at the router that
// accepted it. A nil Flow is one without record; its methods do nothing.
type Flow struct {
	// Set when made, then read only.
	router   *Router
	n        uint64
	identity string
	parent   string // identity of the LISTENER
	start    uint64 // µs
	host     string
	port     string

	counters atomic.Pointer[counters] // of a live flow
	octets   atomic.Uint64            // client to server, of an ended flow
	reverse  atomic.Uint64            // server to client, of an ended flow
	latency  atomic.Uint64            // µs, 0 = not known yet
	end      atomic.Uint64            // µs, 0 = live

	mu       sync.Mutex
	late     lateFields // Guarded by mu.
	changed  bool       // Guarded by mu: late has something not yet emitted.
	requests []*Request // Guarded by mu. Live ones, and ended ones not yet emitted.

	// Owned by Step: what was emitted last.
	emitted, sentLatency    bool
	epoch                   uint32
	sentOctets, sentReverse uint64
}

// counters count payload: from the client, and from the server.
type counters struct{ octets, reverse *atomic.Uint64 }

// lateFields is what becomes known after the flow was opened: all but the
// first from the connector's side.
type lateFields struct {
	errorListener  string
	trace          string
	connector      string
	processLatency uint64 // µs
	proxyHost      string
	proxyPort      string
	errorConnector string
}

// Open makes the record of a connection that the listener accepted, with the
// address of the client, and counts it. The result is nil when too many have
// one.
func (l *Listener) Open(now time.Time, host, port string) *Flow {
	l.counts[countFlows].value.Add(1)
	r := l.router
	if !r.flows.claim() {
		return nil
	}
	f := &Flow{router: r, parent: l.Identity(), start: micros(now), host: host, port: port}
	f.n, f.identity = r.number()
	s := r.flows.shard(f.n)
	s.mu.Lock()
	if s.live == nil {
		s.live = map[uint64]*Flow{}
	}
	s.live[f.n] = f
	s.mu.Unlock()
	return f
}

// Identity returns what the stream carries as its correlation id, "" without a
// record.
func (f *Flow) Identity() string {
	if f == nil {
		return ""
	}
	return f.identity
}

// Count says where payload from the client and payload from the server is
// counted. The counters are read until Close.
func (f *Flow) Count(octets, reverse *atomic.Uint64) {
	if f != nil {
		f.counters.Store(&counters{octets, reverse})
	}
}

// counted returns the payload from the client and from the server so far.
func (f *Flow) counted() (octets, reverse uint64) {
	if c := f.counters.Load(); c != nil {
		return c.octets.Load(), c.reverse.Load()
	}
	return f.octets.Load(), f.reverse.Load()
}

// SetLatency notes the time from the client's first octet to the server's
// first. Later calls do nothing.
func (f *Flow) SetLatency(d time.Duration) {
	if f != nil {
		f.latency.CompareAndSwap(0, latency(d))
	}
}

// Fail notes why the client's socket broke.
func (f *Flow) Fail(reason string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late.errorListener, f.changed = reason, true
}

// Close ends the record, and those of its requests. Its end is emitted after
// endDelay, so that what the connector's side has to say arrives first.
func (f *Flow) Close(now time.Time) {
	if f == nil || f.end.Load() != 0 {
		return
	}
	octets, reverse := f.counted()
	f.octets.Store(octets)
	f.reverse.Store(reverse)
	f.counters.Store(nil) // what they are a part of can go
	f.end.Store(micros(now))
	f.endRequests(now)
}

// latency is a duration as the protocol writes it; zero would mean unknown.
func latency(d time.Duration) uint64 { return uint64(max(d.Microseconds(), 1)) }

// merge takes what a co-record says.
func (f *Flow) merge(r *Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.late
	for _, a := range r.Attributes {
		switch a.Code {
		case AttrTrace:
			f.late.trace = cut(a.Text, maxTrace)
		case AttrConnector:
			f.late.connector = cut(a.Text, maxText)
		case AttrProcessLatency:
			f.late.processLatency = a.Number
		case AttrProxyHost:
			f.late.proxyHost = cut(a.Text, maxText)
		case AttrProxyPort:
			f.late.proxyPort = cut(a.Text, maxText)
		case AttrErrorConnectorSide:
			f.late.errorConnector = cut(a.Text, maxText)
		default: // the listener's side knows that better
		}
	}
	f.changed = f.changed || f.late != was
}

// CoRecords takes what arrives at the co-record address: what other routers
// know about flows of this one. Records of anything else are ignored.
func (r *Router) CoRecords(payload []byte) {
	m, err := Decode(payload)
	if err != nil || m.Subject != SubjectRecord {
		return
	}
	for i := range m.Records {
		c := &m.Records[i]
		if c.Type != TypeBiflowTport {
			continue
		}
		if n, ok := r.parse(c.Identity); ok {
			if f := r.flows.get(n); f != nil {
				f.merge(c)
			}
		}
	}
}

// emitFlows emits what changed in the live flows and forgets the ended ones
// whose time has come.
func (r *Router) emitFlows(now time.Time, usable Usable, out *[]Publication) {
	to := AddressFlows(r.id)
	send := usable(to)
	if r.flows.heard.Load() != send {
		r.flows.heard.Store(send)
	}
	if r.flows.alive.Load() == 0 {
		return
	}
	b := batch{to: to, next: &r.message, out: out}
	limit := len(*out) + messagesPerStep
	full := r.flows.saturated.Load()
	for _, f := range r.flows.snapshot() {
		end := f.end.Load()
		over := end != 0 && f.over(end, now, send, full)
		if send && len(*out) < limit && (over || end == 0) {
			f.emit(&b, r.epoch, end)
		}
		left := f.emitRequests(&b, r, now, send, limit)
		if over && len(*out) < limit && (left == 0 || !send) {
			r.flows.remove(f)
		}
	}
	b.close()
}

// over reports whether the time has come to emit the end of a flow and forget it.
// While nobody listens the end waits for those who know the flow and may have
// lost their way to this router, unless the place is needed.
func (f *Flow) over(end uint64, now time.Time, send, full bool) bool {
	switch {
	case send:
		return end <= micros(now.Add(-endDelay))
	case !f.emitted || full:
		return true
	}
	return end <= micros(now.Add(-silence))
}

// emit adds to the batch what changed since the last emission: everything if
// there was none or it was before the last FLUSH.
func (f *Flow) emit(b *batch, epoch uint32, end uint64) {
	f.mu.Lock()
	late, changed := f.late, f.changed
	f.changed = false
	f.mu.Unlock()
	latency := f.latency.Load()
	octets, reverse := f.counted()
	whole := !f.emitted || f.epoch != epoch
	newLatency := latency != 0 && (whole || !f.sentLatency)
	newOctets, newReverse := whole || octets != f.sentOctets, whole || reverse != f.sentReverse
	if !whole && !changed && end == 0 && !newLatency && !newOctets && !newReverse {
		return
	}
	b.begin(TypeBiflowTport, f.identity)
	if whole {
		b.text(AttrParent, f.parent)
		b.number(AttrStartTime, f.start)
	}
	b.numberIf(AttrEndTime, end)
	if whole {
		b.text(AttrSourceHost, f.host)
		b.text(AttrSourcePort, f.port)
	}
	if newOctets {
		b.number(AttrOctets, octets)
	}
	if newLatency {
		b.number(AttrLatency, latency)
	}
	if whole || changed {
		b.textIf(AttrTrace, late.trace)
	}
	if newReverse {
		b.number(AttrOctetsReverse, reverse)
	}
	if whole || changed {
		late.rest(b)
	}
	b.end()
	f.emitted, f.epoch, f.sentLatency = true, epoch, latency != 0
	f.sentOctets, f.sentReverse = octets, reverse
}

// rest adds the fields behind the counters.
func (l *lateFields) rest(b *batch) {
	b.textIf(AttrConnector, l.connector)
	b.numberIf(AttrProcessLatency, l.processLatency)
	b.textIf(AttrProxyHost, l.proxyHost)
	b.textIf(AttrProxyPort, l.proxyPort)
	b.textIf(AttrErrorListenerSide, l.errorListener)
	b.textIf(AttrErrorConnectorSide, l.errorConnector)
}
