package tcp

import (
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
	streams map[cutter]held // that carry something
	cause   error           // why all streams are cut; nil while they are not
	wg      sync.WaitGroup  // one for each stream, and one for its goroutine
}

// held is what is known of a stream.
type held struct {
	id     uint64
	since  time.Time
	remote net.Addr
}

// Open is a stream that is open.
type Open struct {
	ID     uint64    // see Serial
	Since  time.Time // when it began
	Remote net.Addr  // the client; nil of a connector's stream
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

// hold makes s a stream that cut ends; leave follows. Its number is taken from
// serial, if there is one.
func (r *roster) hold(s cutter, serial *atomic.Uint64, remote net.Addr) {
	h := held{since: time.Now(), remote: remote}
	if serial != nil {
		h.id = serial.Add(1)
	}
	r.mu.Lock()
	cause := r.cause
	if r.streams == nil {
		r.streams = map[cutter]held{}
	}
	r.streams[s] = h
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

// list returns the streams that carry something, in no order.
func (r *roster) list() []Open {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Open, 0, len(r.streams))
	for _, h := range r.streams {
		out = append(out, Open{ID: h.id, Since: h.since, Remote: h.remote})
	}
	return out
}

// cutOne ends the stream of that number and reports whether there is one.
func (r *roster) cutOne(id uint64, cause error) bool {
	r.mu.Lock()
	var found cutter
	for s, h := range r.streams {
		if h.id == id {
			found = s
		}
	}
	r.mu.Unlock()
	if found != nil {
		found.Cut(cause)
	}
	return found != nil
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
