package vanflow

import (
	"slices"
	"sync/atomic"
	"time"
)

// maxEndedRequests bounds the requests of which the end is not emitted yet: what
// fits into the messages of one Step.
const maxEndedRequests = messagesPerStep * recordsPerMessage

// Request is the BIFLOW_APP record of one request of an application protocol
// and its response. A nil Request is one without record; its methods do
// nothing. They may be called after the end, to no effect.
type Request struct {
	// Set when made, then read only.
	flow     *Flow
	n        uint64
	start    uint64 // µs
	protocol string
	method   string
	streamID uint64

	octets  atomic.Uint64 // of the request's body
	reverse atomic.Uint64 // of the response's body
	latency atomic.Uint64 // µs, 0 = not known yet

	// Guarded by flow.mu.
	late  requestFields
	fresh requestFresh // of late
	end   uint64       // µs, 0 = live
	told  bool         // there was an emission
	place int          // in flow.requests

	// Owned by Step: what was emitted last.
	emitted, sentLatency    bool
	epoch                   uint32
	sentOctets, sentReverse uint64
}

// requestFields is what becomes known after a request has begun.
type requestFields struct{ host, result, reason string }

// requestFresh tells what has not been emitted yet.
type requestFresh struct{ host, result bool }

// Request makes the record of a request that begins. protocol is as in
// "HTTP/1.1", streamID 0 where there is none. The result is nil when too many
// have a record, or the flow has ended.
func (f *Flow) Request(now time.Time, protocol, method string, streamID uint64) *Request {
	if f == nil || !f.router.flows.claim() {
		return nil
	}
	q := &Request{flow: f, start: micros(now), protocol: protocol, method: method, streamID: streamID}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end.Load() != 0 {
		f.router.flows.alive.Add(-1)
		return nil
	}
	q.n = f.router.next.Add(1) - 1
	q.place = len(f.requests)
	f.requests = append(f.requests, q)
	return q
}

// From notes for which client a proxy has asked.
func (q *Request) From(host string) {
	if q == nil {
		return
	}
	q.flow.mu.Lock()
	defer q.flow.mu.Unlock()
	q.late.host, q.fresh.host = host, true
}

// Result notes the status code and, if there is one, its reason.
func (q *Request) Result(status, reason string) {
	if q == nil {
		return
	}
	q.flow.mu.Lock()
	defer q.flow.mu.Unlock()
	q.late.result, q.late.reason, q.fresh.result = status, reason, true
}

// Answered notes the time from the request to the first thing that was answered.
func (q *Request) Answered(d time.Duration) {
	if q != nil {
		q.latency.CompareAndSwap(0, latency(d))
	}
}

// Sent counts octets of the request's body.
func (q *Request) Sent(n int) {
	if q != nil {
		q.octets.Add(uint64(n))
	}
}

// Received counts octets of the response's body.
func (q *Request) Received(n int) {
	if q != nil {
		q.reverse.Add(uint64(n))
	}
}

// End ends the record. Nobody needs one that ends while nobody listens, unless
// somebody knows it who may have lost the way.
func (q *Request) End(now time.Time) {
	if q == nil {
		return
	}
	q.flow.mu.Lock()
	defer q.flow.mu.Unlock()
	q.endAt(now)
}

// endAt is called with flow.mu held.
func (q *Request) endAt(now time.Time) {
	if q.end != 0 {
		return
	}
	q.end = micros(now)
	all := &q.flow.router.flows
	all.alive.Add(-1)
	if !all.heard.Load() && !q.told {
		q.remove()
	} else if all.ended.Add(1) > maxEndedRequests {
		all.ended.Add(-1)
		q.remove()
	}
}

// remove is called with flow.mu held.
func (q *Request) remove() {
	list := q.flow.requests
	last := len(list) - 1
	list[q.place] = list[last]
	list[q.place].place = q.place
	list[last] = nil
	q.flow.requests = list[:last]
}

// endRequests ends those that are live.
func (f *Flow) endRequests(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range slices.Clone(f.requests) {
		q.endAt(now)
	}
}

// forget drops the requests whose end nobody will hear of.
func (f *Flow) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.router.flows.ended.Add(-int64(len(f.requests)))
	f.requests = nil
}

// telling is what there is to tell of a request in one step.
type telling struct {
	q     *Request
	late  requestFields
	fresh requestFresh
	end   uint64
}

// emitRequests emits what changed in the requests of f, and drops those whose
// end is emitted, or is not needed. It returns how many ended ones are left.
func (f *Flow) emitRequests(b *batch, r *Router, now time.Time, send bool, limit int) (left int) {
	tell := r.asked[:0]
	old := micros(now.Add(-silence)) // nobody knows what was told before
	room := len(*b.out) < limit
	f.mu.Lock()
	keep := f.requests[:0]
	for _, q := range f.requests {
		if send && room {
			tell = append(tell, telling{q, q.late, q.fresh, q.end})
			q.fresh, q.told = requestFresh{}, true
		}
		switch {
		case q.end == 0:
		case send && room, !send && (!q.told || q.end <= old):
			r.flows.ended.Add(-1)
			continue
		default:
			left++
		}
		q.place = len(keep)
		keep = append(keep, q)
	}
	clear(f.requests[len(keep):])
	if f.requests = keep; len(keep) == 0 {
		f.requests = nil // an idle flow owns none
	}
	f.mu.Unlock()
	r.asked = tell
	for i := range tell {
		tell[i].emit(b, r)
	}
	clear(tell)
	return left
}

// emit adds to the batch what changed since the last emission: everything if
// there was none or it was before the last FLUSH.
func (t *telling) emit(b *batch, r *Router) {
	q := t.q
	latency, octets, reverse := q.latency.Load(), q.octets.Load(), q.reverse.Load()
	whole := !q.emitted || q.epoch != r.epoch
	newLatency := latency != 0 && (whole || !q.sentLatency)
	newOctets, newReverse := whole || octets != q.sentOctets, whole || reverse != q.sentReverse
	if !whole && t.end == 0 && t.fresh == (requestFresh{}) && !newLatency && !newOctets && !newReverse {
		return
	}
	b.begin(TypeBiflowApp, r.numbered(q.n))
	if whole {
		b.text(AttrParent, q.flow.identity)
		b.number(AttrStartTime, q.start)
	}
	b.numberIf(AttrEndTime, t.end)
	if whole || t.fresh.host {
		b.textIf(AttrSourceHost, t.late.host)
	}
	if whole {
		b.text(AttrProtocol, q.protocol)
	}
	if newOctets {
		b.number(AttrOctets, octets)
	}
	if newLatency {
		b.number(AttrLatency, latency)
	}
	if whole {
		b.text(AttrMethod, q.method)
	}
	if whole || t.fresh.result {
		b.textIf(AttrResult, t.late.result)
		b.textIf(AttrReason, t.late.reason)
	}
	if whole {
		b.numberIf(AttrStreamID, q.streamID)
	}
	if newReverse {
		b.number(AttrOctetsReverse, reverse)
	}
	b.end()
	q.emitted, q.epoch, q.sentLatency = true, r.epoch, latency != 0
	q.sentOctets, q.sentReverse = octets, reverse
}
