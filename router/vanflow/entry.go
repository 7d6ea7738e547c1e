package vanflow

import (
	"sync/atomic"
	"time"
)

// Entry is a record that a source retains until it ends: anything but flows
// and logs. Changes are coalesced; each is emitted within a second or two.
type Entry struct {
	source *source

	record  Record     // Guarded by source.mu, identity and type read only.
	changed [2]uint64  // Guarded by source.mu. One bit for each attribute not yet emitted.
	epoch   uint32     // Guarded by source.mu. FLUSH count at the last emission.
	emitted bool       // Guarded by source.mu.
	counts  [3]counter // octets, octetsReverse, flowCountL4
}

// counter is an attribute that is counted on the data path.
type counter struct {
	code  Code // 0: the record does not have it
	value atomic.Uint64
	sent  uint64 // Guarded by source.mu.
}

// Positions in Entry.counts, ascending by code.
const (
	countOctets = iota
	countFlows
	countReverse
)

func newEntry(s *source, t Type, identity string, now time.Time, attributes ...Attribute) *Entry {
	e := &Entry{source: s, record: Record{Type: t, Identity: identity}}
	e.set(Number(AttrStartTime, micros(now)))
	for _, a := range attributes {
		if a.Text != "" || a.Code.IsNumber() {
			e.set(a)
		}
	}
	return e
}

// Identity returns the identity of the record.
func (e *Entry) Identity() string { return e.record.Identity }

// Set sets attributes. It does nothing after End.
func (e *Entry) Set(attributes ...Attribute) {
	e.source.mu.Lock()
	defer e.source.mu.Unlock()
	if e.record.Ended() {
		return
	}
	for _, a := range attributes {
		e.set(a)
	}
}

// End ends the record. It must not be used again.
func (e *Entry) End(now time.Time) { e.Set(Number(AttrEndTime, micros(now))) }

func (e *Entry) set(a Attribute) {
	if e.record.Set(a) {
		e.changed[a.Code/64] |= 1 << (a.Code % 64)
	}
}

// emit adds to the batch what changed since the last emission, everything if
// that was before the last FLUSH. source.mu is held.
func (e *Entry) emit(b *batch, epoch uint32) {
	for i := range e.counts {
		c := &e.counts[i]
		if c.code == 0 {
			continue
		}
		if n := c.value.Load(); n != c.sent || !e.emitted {
			c.sent = n
			e.record.Set(Number(c.code, n))
			e.changed[c.code/64] |= 1 << (c.code % 64)
		}
	}
	whole := !e.emitted || e.epoch != epoch
	if !whole && e.changed == [2]uint64{} {
		return
	}
	b.begin(e.record.Type, e.record.Identity)
	for _, a := range e.record.Attributes {
		if whole || e.changed[a.Code/64]>>(a.Code%64)&1 != 0 {
			b.attribute(a)
		}
	}
	b.end()
	e.changed, e.epoch, e.emitted = [2]uint64{}, epoch, true
}
