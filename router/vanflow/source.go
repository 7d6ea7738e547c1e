package vanflow

import (
	"sync"
	"sync/atomic"
	"time"
)

// Cadence of a source (compat: upstream's, except that the first beacon goes
// out as soon as there is a collector).
const (
	beaconInterval    = 10 * time.Second
	heartbeatInterval = 2 * time.Second
	recordInterval    = time.Second // each record is emitted at most that often
	// silence is how long collectors keep the records of a source that they do
	// not hear.
	silence = 30 * time.Second
)

// messagesPerStep bounds the RECORD messages of one Step; what does not fit
// follows in the next.
const messagesPerStep = 256

// maxEnded bounds the ended records that wait for a collector.
const maxEnded = 1000

// Output is what a Step returns.
type Output struct {
	// Send is to be sent in order, presettled.
	Send []Publication
	// Wake is when Step is due again.
	Wake time.Time
}

// Usable tells whether an address has a consumer, here or anywhere in the
// network, as far as this router can know.
type Usable func(address string) bool

// source is what both kinds of sources are made of: retained records, beacons,
// heartbeats and the answer to FLUSH.
type source struct {
	// Set when made, then read only.
	id         string
	kind       SourceType
	heartbeats string // address
	stable     bool   // the id survives a restart: ended records wait for a collector

	flush atomic.Bool // a FLUSH arrived

	mu      sync.Mutex
	entries []*Entry // Guarded by mu. Live ones and ended ones not yet emitted, oldest first.

	// Owned by Step.
	message uint64 // next message id
	epoch   uint32 // number of the last FLUSH; a record emitted before is due as a whole
	heard   bool   // the beacon address was usable at the last step
	beacon  time.Time
	beat    time.Time
	emit    time.Time
}

// Command takes what arrives at the source's direct address. Everything but
// FLUSH is ignored.
func (s *source) Command(payload []byte) {
	if m, err := Decode(payload); err == nil && m.Subject == SubjectFlush {
		s.flush.Store(true)
	}
}

// ID returns the id of the source.
func (s *source) ID() string { return s.id }

// Direct returns the address of Command, to be subscribed to in this router.
func (s *source) Direct() string { return AddressDirect(s.id) }

// announce sends beacon and heartbeat when they are due.
func (s *source) announce(now time.Time, usable Usable, out *[]Publication) {
	heard := usable(AddressAll)
	if heard && !s.heard {
		s.beacon, s.beat = now, now
	}
	if s.heard = heard; !heard {
		return
	}
	if !now.Before(s.beacon) {
		s.beacon = now.Add(beaconInterval)
		*out = append(*out, beacon(s.message, s.id, s.kind))
		s.message++
	}
	if !now.Before(s.beat) {
		s.beat = now.Add(heartbeatInterval)
		if usable(s.heartbeats) {
			*out = append(*out, heartbeat(s.message, s.id, s.heartbeats, now))
			s.message++
		}
	}
}

// due reports whether records are to be emitted now, and notes a FLUSH.
func (s *source) due(now time.Time) bool {
	if now.Before(s.emit) {
		return false
	}
	s.emit = now.Add(recordInterval)
	if s.flush.Swap(false) {
		s.epoch++
	}
	return true
}

// wake returns the next time at which something is due.
func (s *source) wake() time.Time {
	next := s.emit
	if s.heard {
		for _, t := range []time.Time{s.beacon, s.beat} {
			if t.Before(next) {
				next = t
			}
		}
	}
	return next
}

// records emits the retained records that changed. Ended records leave once
// they were emitted, or when nobody can know them any more.
func (s *source) records(now time.Time, usable Usable, out *[]Publication) {
	send := usable(Address(s.id))
	b := batch{to: Address(s.id), next: &s.message, out: out}
	limit := len(*out) + messagesPerStep
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := s.entries[:0]
	ended := 0
	for _, e := range s.entries {
		sent := send && len(*out) < limit
		if sent {
			e.emit(&b, s.epoch)
		}
		if e.record.Ended() {
			known := s.stable || send || e.emitted && e.record.Number(AttrEndTime) > micros(now.Add(-silence))
			if sent || !known || ended == maxEnded {
				continue
			}
			ended++
		}
		keep = append(keep, e)
	}
	clear(s.entries[len(keep):])
	s.entries = keep
	b.close()
}

// add retains a record from now on.
func (s *source) add(e *Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, e)
}

// endAll ends every retained record.
func (s *source) endAll(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		e.set(Number(AttrEndTime, micros(now)))
	}
}
