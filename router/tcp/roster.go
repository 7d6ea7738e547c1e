package tcp

import (
	"maps"
	"slices"
	"sync"

	"github.com/skupper-host/skupper/router/stream"
)

// roster counts the streams of one listener or connector and waits for them.
type roster struct {
	totals stream.Totals

	mu sync.Mutex
	// Guarded by mu.
	open    bool // new ones are taken
	opened  uint64
	closed  uint64
	refused uint64
	streams map[cutter]struct{} // that carry something
	cause   error               // why all streams are cut; nil while they are not
	wg      sync.WaitGroup      // one for each stream, and one for its goroutine
}

// cutter is a stream.
type cutter interface{ Cut(err error) }

func (r *roster) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open, r.cause = true, nil
}

// enter counts a stream in. It returns false if no more are taken, or if there
// are limit already (0: without limit). Otherwise start or leave follows.
func (r *roster) enter(limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open || limit > 0 && r.opened-r.closed >= uint64(limit) {
		r.refused++
		return false
	}
	r.opened++
	r.wg.Add(1)
	return true
}

// hold makes s a stream that cut ends; leave follows.
func (r *roster) hold(s cutter) {
	r.mu.Lock()
	cause := r.cause
	if r.streams == nil {
		r.streams = map[cutter]struct{}{}
	}
	r.streams[s] = struct{}{}
	r.mu.Unlock()
	if cause != nil {
		s.Cut(cause)
	}
}

// leave counts a stream out; s is nil if it was not held.
func (r *roster) leave(s cutter) {
	r.mu.Lock()
	if s != nil {
		delete(r.streams, s)
	}
	r.closed++
	r.mu.Unlock()
	r.wg.Done()
}

// cut ends all streams, and those that are held later.
func (r *roster) cut(cause error) {
	r.mu.Lock()
	r.cause = cause
	streams := slices.Collect(maps.Keys(r.streams))
	r.mu.Unlock()
	for _, s := range streams {
		s.Cut(cause)
	}
}

// end takes no more streams.
func (r *roster) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = false
}

// Counters count the streams of a listener or connector.
type Counters struct {
	Opened  uint64
	Closed  uint64
	Refused uint64 // not taken: over a limit, or on the way out
	Read    uint64 // bytes from the sockets
	Written uint64 // bytes to the sockets
}

// Active is how many streams are open.
func (c Counters) Active() uint64 { return c.Opened - c.Closed }

func (r *roster) counters() Counters {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Counters{
		Opened: r.opened, Closed: r.closed, Refused: r.refused,
		Read: r.totals.Read.Load(), Written: r.totals.Written.Load(),
	}
}
