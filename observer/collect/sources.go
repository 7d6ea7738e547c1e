package collect

import (
	"cmp"
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/vanflow"
)

// Times of a source.
const (
	// grace is how long a source that announced itself may say nothing.
	// compat: 30 s and 30 s.
	grace = 60 * time.Second
	// silence is after which time without heartbeat or record a source is given
	// up. compat: upstream's.
	silence = 30 * time.Second
	// gap is after which time without a heartbeat, due every 2 s, messages were
	// lost.
	gap = 7 * time.Second
	// firstFlush is how long a source that says nothing is waited for before it is
	// asked. compat: upstream's.
	firstFlush = 5 * time.Second
	// retryFlush is how long the first answer to FLUSH may take; each further one
	// may take twice as long, up to maxRetry.
	retryFlush = 2 * time.Second
	maxRetry   = 30 * time.Second
)

// peer is a source as the collector knows it.
type peer struct {
	id    string
	kind  vanflow.SourceType
	since time.Time // announced, or attached to again
	heard time.Time // zero: nothing yet
	beat  time.Time // the last heartbeat

	asked   bool      // it was asked for everything and has not answered
	flushAt time.Time // when it is to be asked; zero: not
	tries   int
}

// sources knows which sources live. It is a state machine: events go in with
// their time, what to do comes out.
type sources struct {
	all map[string]*peer
	max int // sources; a beacon beyond is ignored
}

// actions are what is to be done, as ids of sources in order.
type actions struct {
	Flush  []string // ask for everything
	Forget []string // give up
}

// beacon takes an announcement. It reports whether the source is known now, and
// whether it is new.
func (s *sources) beacon(now time.Time, id string, kind vanflow.SourceType) (known, fresh bool) {
	if p := s.all[id]; p != nil {
		p.kind = kind
		return true, false
	}
	if len(s.all) >= s.max {
		return false, false
	}
	s.all[id] = &peer{id: id, kind: kind, since: now, flushAt: now.Add(firstFlush)}
	return true, true
}

// heard takes a heartbeat or records. answer is whether the record of the source
// itself is whole among them, which the answer to FLUSH has. It reports how
// many heartbeats are missing and whether to ask the source.
func (s *sources) heard(now time.Time, id string, heartbeat, answer bool) (missing uint64, flush bool) {
	p := s.all[id]
	if p == nil {
		return 0, false
	}
	if p.heard.IsZero() {
		flush = true
	}
	if heartbeat {
		if lost := now.Sub(p.beat); !p.beat.IsZero() && lost > gap {
			missing = uint64(lost/(2*time.Second)) - 1
			flush = true
		}
		p.beat = now
	}
	p.heard = now
	switch {
	case flush:
		p.ask(now)
	case answer && p.asked:
		p.asked, p.tries, p.flushAt = false, 0, time.Time{}
	}
	return missing, flush
}

// ask notes that a source is being asked for everything, and when again if it
// does not answer.
func (p *peer) ask(now time.Time) {
	p.asked = true
	p.flushAt = now.Add(min(retryFlush<<min(p.tries, 10), maxRetry))
	p.tries++
}

// flush has sources asked at the next tick.
func (s *sources) flush(now time.Time, ids []string) {
	for _, id := range ids {
		if p := s.all[id]; p != nil && !p.asked {
			p.flushAt, p.tries = now, 0
		}
	}
}

// tick says what time brings.
func (s *sources) tick(now time.Time) (a actions) {
	for id, p := range s.all {
		switch {
		case p.heard.IsZero() && now.Sub(p.since) >= grace, !p.heard.IsZero() && now.Sub(p.heard) >= silence:
			delete(s.all, id)
			a.Forget = append(a.Forget, id)
		case !p.flushAt.IsZero() && !now.Before(p.flushAt):
			p.ask(now)
			a.Flush = append(a.Flush, id)
		}
	}
	slices.Sort(a.Flush)
	slices.Sort(a.Forget)
	return a
}

// attached begins anew with every source: the connection to the router was lost
// and is there again. The answer are the sources to attach to.
func (s *sources) attached(now time.Time) (known []peer) {
	for id, p := range s.all {
		*p = peer{id: id, kind: p.kind, since: now, flushAt: now.Add(firstFlush)}
		known = append(known, *p)
	}
	slices.SortFunc(known, func(a, b peer) int { return cmp.Compare(a.id, b.id) })
	return known
}
