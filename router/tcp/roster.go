package tcp

import (
	"iter"
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
	streams *held          // that carry something: the first of a list
	cause   error          // why all streams are cut; nil while they are not
	wg      sync.WaitGroup // one for each stream, and one for its goroutine

	crew *Crew // may be nil
}

// held is a stream in a roster, and what is known of it.
type held struct {
	stream carried
	id     uint64
	since  int64 // nanoseconds since 1970
	remote net.Addr

	prev, next *held // guarded by roster.mu
}

// Open is a stream that is open.
type Open struct {
	ID     uint64    // see Serial
	Since  time.Time // when it began
	Remote net.Addr  // the client; nil of a connector's stream

	stream.Carried
}

// carried is a stream.
type carried interface {
	Cut(err error)
	Carried() stream.Carried
}

func (r *roster) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open, r.cause = true, nil
}

// carry runs f, on which wg waits, for a stream.
func (r *roster) carry(f func()) {
	r.wg.Add(1)
	counted := func() {
		defer r.wg.Done()
		f()
	}
	if !r.crew.Go(counted) {
		r.wg.Go(counted)
	}
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
func (r *roster) hold(s carried, serial *atomic.Uint64, remote net.Addr) *held {
	h := &held{stream: s, since: time.Now().UnixNano(), remote: remote}
	if serial != nil {
		h.id = serial.Add(1)
	}
	r.mu.Lock()
	cause := r.cause
	if h.next = r.streams; h.next != nil {
		h.next.prev = h
	}
	r.streams = h
	r.mu.Unlock()
	if cause != nil {
		s.Cut(cause)
	}
	return h
}

// leave counts a stream out; h is nil if it was not held.
func (r *roster) leave(h *held) {
	r.mu.Lock()
	if h != nil {
		r.unlink(h)
	}
	r.closed++
	r.mu.Unlock()
	r.wg.Done()
}

// unlink is called with mu held.
func (r *roster) unlink(h *held) {
	if h.next != nil {
		h.next.prev = h.prev
	}
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		r.streams = h.next
	}
}

// all is walked with mu held.
func (r *roster) all() iter.Seq[*held] {
	return func(yield func(*held) bool) {
		for h := r.streams; h != nil && yield(h); h = h.next {
		}
	}
}

// cut ends all streams, and those that are held later.
func (r *roster) cut(cause error) {
	r.mu.Lock()
	r.cause = cause
	streams := slices.Collect(r.all())
	r.mu.Unlock()
	for _, h := range streams {
		h.stream.Cut(cause)
	}
}

// list returns the streams that carry something, the newest first.
func (r *roster) list() []Open {
	r.mu.Lock()
	streams := slices.Collect(r.all())
	r.mu.Unlock()
	var out []Open
	for _, h := range streams {
		out = append(out, Open{ID: h.id, Since: time.Unix(0, h.since), Remote: h.remote, Carried: h.stream.Carried()})
	}
	return out
}

// cutOne ends the stream of that number and reports whether there is one.
func (r *roster) cutOne(id uint64, cause error) bool {
	r.mu.Lock()
	var found carried
	for h := range r.all() {
		if h.id == id {
			found = h.stream
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
