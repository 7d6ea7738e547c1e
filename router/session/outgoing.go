package session

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/skupper-host/skupper/router/amqp"
)

// maxPresettled is how many complete presettled deliveries a link without
// credit keeps if nobody has said so. compat: skupper-router 3.x drops older
// ones.
const maxPresettled = 250

// KeepPresettled says how many complete presettled deliveries are kept while
// the peer gives no credit; 0 is 250. Older ones are dropped.
func (l *Link) KeepPresettled(n int) { l.keep = uint16(max(0, min(n, math.MaxUint16))) }

// Outgoing is one delivery on a link that we send on. The zero value becomes
// live by Link.Send; the exported fields are set
// before that.
type Outgoing struct {
	// App is free for the owner of the engine.
	App any
	// Outcome is told what becomes of the delivery; untouched by the engine.
	Outcome Outcome
	// Format is the message format.
	Format uint32

	l          *Link
	id         uint32 // valid if begun
	since      uint32 // Engine.now when it was made
	tag        [8]byte
	queued     *Outgoing // the next in Link.queue
	prev, next *Outgoing // in Link.sent

	first, last *Buffer // what waits to be sent
	buffers     int
	octets      int

	begun    bool // the first transfer is out
	complete bool // nothing more will be written
	emitted  bool // the last transfer is out
	settled  bool // here
	ahead    bool // settled from the first transfer on
	there    bool // settled by the receiver
	aborted  bool
	silent   bool // the owner has given it up
	counted  bool // its outcome
	gone     bool // not in any list
	telling  bool // in Engine.settling, not for being settled
	stuck    bool // see age.go
	early    bool // state goes with the first transfer

	// The disposition that waits to be sent. See emit.go.
	state waitingState
}

// Send begins a delivery. It reports false if the link is gone: then nothing
// that is done with out has any effect but to free buffers.
func (l *Link) Send(out *Outgoing, settled bool) bool {
	out.l, out.settled, out.ahead = l, settled, settled
	if !l.sender || l.gone || l.detached || l.s.e.closing {
		out.gone = true
		return false
	}
	out.since = l.s.e.now
	l.s.e.nextTag++
	binary.LittleEndian.PutUint64(out.tag[:], l.s.e.nextTag) // compat: as skupper-router
	if l.queueTail != nil {
		l.queueTail.queued = out
	} else {
		l.queue = out
	}
	l.queueTail = out
	l.waiting++
	return true
}

// MaxPayload is the payload of the longest frame that the peer takes and that
// fits into one buffer, in octets.
func (out *Outgoing) MaxPayload() int {
	if out.l.s == nil || out.l.s.e.remote == nil {
		return BufferMedium
	}
	return min(out.l.s.e.peerFrame-maxTransferHeader, BufferLarge)
}

// EachOutgoing calls f for every delivery on the link that is not over.
func (l *Link) EachOutgoing(f func(*Outgoing)) {
	for out := l.queue; out != nil; out = out.queued {
		if !out.begun && !out.gone {
			f(out)
		}
	}
	for out := l.sent; out != nil; out = out.next {
		f(out)
	}
}

// Link returns the link that carries the delivery.
func (out *Outgoing) Link() *Link { return out.l }

// Settled reports whether one side has settled the delivery.
func (out *Outgoing) Settled() bool { return out.settled || out.there || out.gone }

// Queued is the number of buffers that wait to be sent.
func (out *Outgoing) Queued() int { return out.buffers }

// QueuedOctets is the number of payload octets in them.
func (out *Outgoing) QueuedOctets() int { return out.octets }

// Write queues b, which it owns from now on; b may be nil. more=false completes
// the delivery. A buffer that fits behind the last one is copied there: fewer
// frames for the peer's window.
func (out *Outgoing) Write(b *Buffer, more bool) {
	if out.gone || out.complete || out.aborted {
		if b != nil {
			b.Free()
		}
		return
	}
	if b != nil && b.Len() == 0 {
		b.Free()
		b = nil
	}
	if b != nil {
		out.octets += b.Len()
		out.l.s.e.unsent += b.Len()
		if !out.merge(b) {
			out.push(b)
		}
	}
	out.finish(more)
}

// WriteBytes queues a copy of p.
func (out *Outgoing) WriteBytes(p []byte, more bool) {
	if out.gone || out.complete || out.aborted {
		return
	}
	out.octets += len(p)
	out.l.s.e.unsent += len(p)
	if out.last != nil {
		p = p[out.last.Append(p):]
	}
	for len(p) > 0 {
		b := GetBuffer(len(p))
		p = p[b.Append(p):]
		out.push(b)
	}
	out.finish(more)
}

// merge copies b behind the last buffer if it is small and fits.
func (out *Outgoing) merge(b *Buffer) bool {
	if out.last == nil || b.Len() > BufferSmall || len(out.last.Space()) < b.Len() {
		return false
	}
	out.last.Append(b.Bytes())
	b.Free()
	return true
}

func (out *Outgoing) push(b *Buffer) {
	if out.last != nil {
		out.last.next = b
	} else {
		out.first = b
	}
	out.last = b
	out.buffers++
}

func (out *Outgoing) finish(more bool) {
	if !more {
		out.complete = true
		if out.settled && !out.begun {
			out.l.presettled++
			out.l.shed()
		}
	}
	out.l.schedule()
}

// Emitted reports whether the last transfer has left.
func (out *Outgoing) Emitted() bool { return out.emitted }

// Waits reports whether the delivery is alive and its last transfer has not
// left.
func (out *Outgoing) Waits() bool { return !out.emitted && !out.gone }

// shed drops the oldest complete presettled deliveries that wait for credit
// beyond maxPresettled.
func (l *Link) shed() {
	if l.credit > 0 || l.presettled <= int32(cmp.Or(l.keep, maxPresettled)) {
		return
	}
	for out := l.queue; out != nil; out = out.queued {
		if out.settled && out.complete && !out.begun {
			out.silent = true
			out.forget()
			l.stats.Presettled++
			l.stats.Dropped++
			l.s.e.stats.Outcomes.Dropped++
			l.s.e.dropped = append(l.s.e.dropped, out)
			return
		}
	}
}

// Dropped returns the deliveries that were dropped since the last call, whose
// Outcome has not been told.
func (e *Engine) Dropped() []*Outgoing {
	d := e.dropped
	e.dropped = nil
	return d
}

// End completes the delivery; settled settles it in the last transfer, or by a
// disposition if that is out.
func (out *Outgoing) End(settled bool) {
	out.Write(nil, false)
	if settled {
		out.Settle(&amqp.State{})
	}
}

// Abort gives the delivery up. What waits is dropped; if anything was sent, an
// aborted transfer follows. No event of it follows.
func (out *Outgoing) Abort() {
	if out.gone || out.aborted {
		return
	}
	out.silent = true
	if out.emitted {
		out.Settle(&amqp.State{})
		return
	}
	out.freeBuffers()
	if !out.begun {
		out.forget()
		return
	}
	out.aborted, out.complete, out.settled = true, true, true
	out.l.schedule()
}

// Settle settles the delivery here: in the last transfer, or by a disposition
// with state st if that is out. No event of it follows.
func (out *Outgoing) Settle(st *amqp.State) {
	if out.gone || out.settled {
		return
	}
	out.settled = true
	if !out.emitted {
		if out.complete && !out.begun {
			out.l.presettled++
		}
		return
	}
	if !out.there {
		out.state.set(st)
		out.l.s.e.settling.push(out)
	}
	out.forget()
}

// Tell sends state st of a delivery that was begun and is not settled: what the
// sender has to say of it. A newer state replaces one that still waits. One that
// is not AMQP's goes with the first transfer if that has not left.
func (out *Outgoing) Tell(st *amqp.State) {
	if !out.begun && st.Code == amqp.StateOther && !out.gone {
		out.early = true
		out.state.set(st)
		return
	}
	if out.gone || out.settled || out.there || !out.begun {
		return
	}
	out.state.set(st)
	if !out.telling {
		out.telling = true
		out.l.s.e.settling.push(out)
	}
}

// quiet reports whether the loss of the delivery is nobody's concern.
func (out *Outgoing) quiet() bool { return out.silent || out.there || out.settled && out.emitted }

func (out *Outgoing) freeBuffers() {
	for b := out.first; b != nil; b = out.first {
		out.first = b.next
		b.Free()
	}
	out.last, out.buffers = nil, 0
	out.l.s.e.unsent -= out.octets
	out.octets = 0
}

// forget drops everything that is known of the delivery.
func (out *Outgoing) forget() {
	if out.gone {
		return
	}
	out.gone = true
	out.l.over(out.since, out.stuck)
	out.freeBuffers()
	if !out.emitted {
		out.dequeue()
	}
	out.unlist()
	if out.begun && out.l.s.outgoing[out.id] == out {
		delete(out.l.s.outgoing, out.id)
	}
}

// dequeue takes the delivery out of the queue of its link, where it is.
func (out *Outgoing) dequeue() {
	l := out.l
	var before *Outgoing
	for x := l.queue; x != out; x = x.queued {
		before = x
	}
	if before != nil {
		before.queued = out.queued
	} else {
		l.queue = out.queued
	}
	if l.queueTail == out {
		l.queueTail = before
	}
	out.queued = nil
	if !out.begun {
		l.waiting--
		if out.settled && out.complete {
			l.presettled--
		}
	}
}

// enlist enters the delivery into the list of those that were sent.
func (out *Outgoing) enlist() {
	l := out.l
	out.next = l.sent
	if out.next != nil {
		out.next.prev = out
	}
	l.sent = out
}

func (out *Outgoing) unlist() {
	l := out.l
	switch {
	case out.prev != nil:
		out.prev.next = out.next
	case l.sent == out:
		l.sent = out.next
	}
	if out.next != nil {
		out.next.prev = out.prev
	}
	out.prev, out.next = nil, nil
}

// receiveReceiverDisposition handles what the receiver says about our
// deliveries. Those that are not known are settled already and passed over.
func (s *Session) receiveReceiverDisposition(d *amqp.Disposition) {
	eachID(s.outgoing, d.First, d.Last, func(out *Outgoing) {
		if out.there {
			return
		}
		if d.State.Terminal() && !out.counted {
			out.counted = true
			out.l.stats.count(d.State.Code)
		}
		if !out.silent && !out.settled {
			s.e.event(Event{Kind: EventUpdate, Out: out, State: s.e.keep(&d.State), Settled: d.Settled})
		}
		if d.Settled {
			out.there = true
			if out.emitted {
				out.forget()
			}
		}
	})
}

// eachID calls f for what m has from first to last, in serial order. The work
// is bounded by the size of m, whatever the range.
func eachID[T any](m map[uint32]*T, first, last uint32, f func(*T)) {
	if serialDiff(last, first) < 0 {
		return
	}
	if n := last - first; n <= uint32(len(m)) { // the usual case: a few
		for i := range n + 1 {
			if x := m[first+i]; x != nil {
				f(x)
			}
		}
		return
	}
	var ids []uint32
	for id := range m {
		if id-first <= last-first {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return int(serialDiff(a, b)) })
	for _, id := range ids {
		f(m[id])
	}
}
