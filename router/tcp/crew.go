package tcp

import (
	"sync"
	"sync/atomic"
)

// crewRest is how many goroutines of a Crew wait for something to do.
const crewRest = 32

// A Crew runs functions on goroutines that have run others before, as far as
// there are any: their stacks have grown already. Short connections are the
// reason, whose goroutines spend a twentieth of their time growing stacks.
type Crew struct {
	next    chan func() // taken by who waits
	resting atomic.Int32

	over chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	ended bool // Guarded by mu: over is closed.
}

// NewCrew returns a crew, which Close ends.
func NewCrew() *Crew { return &Crew{next: make(chan func()), over: make(chan struct{})} }

// Go runs f on a goroutine of its own. It returns false, and does not, on nil and
// after Close.
func (c *Crew) Go(f func()) bool {
	if c == nil {
		return false
	}
	select {
	case c.next <- f:
		return true
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.wg.Go(func() { c.work(f) })
	}
	return !c.ended
}

// Close waits until what runs has ended.
func (c *Crew) Close() {
	c.mu.Lock()
	if !c.ended {
		c.ended = true
		close(c.over)
	}
	c.mu.Unlock()
	c.wg.Wait()
}

func (c *Crew) work(f func()) {
	for f != nil {
		f()
		f = c.rest()
	}
}

// rest waits for the next function; nil ends the goroutine.
func (c *Crew) rest() func() {
	defer c.resting.Add(-1)
	if c.resting.Add(1) > crewRest {
		return nil
	}
	select {
	case f := <-c.next:
		return f
	case <-c.over:
		return nil
	}
}
