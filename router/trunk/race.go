package trunk

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// besideAfter is how long an attempt at a control connection may be without
	// an answer until another one is made beside it. A peer that has lost the
	// first one, such as a proxy whose server was away, is found again by the
	// next; one that is slow answers the first. They follow each other no faster
	// than the attempts at a peer that refuses.
	besideAfter = maxWait
	// maxBeside bounds the attempts under way: the first has its time for TLS,
	// and the others end with it.
	maxBeside = 4
)

// errSlower refuses a connection that opens when another one has.
var errSlower = errors.New("another connection of this link was quicker")

// race is of the attempts at one control connection: the first that opens wins,
// and ends the others.
type race struct {
	up *gate // of the winner

	mu      sync.Mutex
	decided bool                       // Guarded by mu: one has won, or none can any more.
	cancels map[int]context.CancelFunc // Guarded by mu: attempts that run.
}

// enter begins an attempt. It reports false when the race is decided.
func (r *race) enter(number int, cancel context.CancelFunc) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.decided {
		return false
	}
	r.cancels[number] = cancel
	return true
}

// win decides the race for an attempt, and ends the others. It reports false when
// it is decided.
func (r *race) win(number int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.decided {
		return false
	}
	r.decided = true
	for n, cancel := range r.cancels {
		if n != number {
			cancel()
		}
	}
	return true
}

// entrant is one attempt of a race.
type entrant struct {
	*race
	number int
}

func (e *entrant) win() bool { return e.race.win(e.number) }

// none is the number of no attempt.
const none = -1

// ended is how an attempt ended.
type ended struct {
	lasted bool
	err    error
	won    bool
}

// connectControl makes the control connection of one generation and serves it to
// its end: in ctx as long as it lives, attempts beside the first only in current.
// It returns when no attempt is left.
func (d *Dialer) connectControl(ctx, current context.Context, ordinal uint64, up *gate) (lasted bool, err error) {
	r := &race{up: up, cancels: make(map[int]context.CancelFunc)}
	results := make(chan ended)
	var wg sync.WaitGroup
	defer wg.Wait()
	running, made := 0, 0
	begin := func() (entered bool) {
		ctx, cancel := context.WithCancel(ctx)
		e := &entrant{race: r, number: made}
		if !r.enter(e.number, cancel) {
			cancel()
			return false
		}
		made++
		running++
		wg.Go(func() {
			defer cancel()
			won, lasted, err := d.connect(ctx, ordinal, e)
			results <- ended{lasted, err, won}
		})
		return true
	}
	beside := time.NewTicker(besideAfter)
	defer beside.Stop()
	begin()
	var counts *ended // the winner, or the first that failed before there was one
	for running > 0 {
		select {
		case e := <-results:
			running--
			if e.won || r.win(none) {
				counts = &e
			}
		case <-beside.C:
			if made == maxBeside || current.Err() != nil || !begin() {
				beside.Stop()
			}
		}
	}
	return counts.lasted, counts.err
}
