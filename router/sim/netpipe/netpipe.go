package netpipe

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Options of a pair; the zero value is a fast and short way.
type Options struct {
	Latency   time.Duration // one way
	Bandwidth float64       // bytes per second and direction; 0: unlimited
	Buffer    int           // bytes of one direction under way or unread; 0: 256 KiB, or twice bandwidth × latency if that is more
	Name      string        // of both ends, in their addresses
}

// Conn is one end of a pair.
type Conn struct {
	in, out *half
	addr    Addr
	peer    Addr
}

// Addr is an address in memory.
type Addr string

// Network implements net.Addr.
func (Addr) Network() string { return "memory" }

func (a Addr) String() string { return string(a) }

// Pair returns the two ends of a connection.
func Pair(o Options) (a, b *Conn) {
	if o.Buffer == 0 {
		o.Buffer = max(256<<10, int(2*o.Bandwidth*o.Latency.Seconds()))
	}
	if o.Name == "" {
		o.Name = "netpipe"
	}
	there, back := newHalf(o), newHalf(o)
	a = &Conn{in: back, out: there, addr: Addr(o.Name + ":a"), peer: Addr(o.Name + ":b")}
	b = &Conn{in: there, out: back, addr: Addr(o.Name + ":b"), peer: Addr(o.Name + ":a")}
	return a, b
}

// half is one direction.
type half struct {
	o Options

	mu      sync.Mutex
	changed sync.Cond
	queue   []segment // Guarded by mu, as all below.
	held    int       // bytes in queue
	free    time.Time // when the line can take the next byte
	ended   bool      // the writer has closed
	deaf    bool      // the reader has closed
	broken  error     // cut
	stalled bool
	readBy  time.Time // deadlines; zero: none
	writeBy time.Time
	alarm   *time.Timer // broadcasts when something is due
}

// packet is the most that arrives at one time.
const packet = 16 << 10

// segment is what one Write put on the way.
type segment struct {
	b   []byte
	due time.Time
}

func newHalf(o Options) *half {
	h := &half{o: o}
	h.changed.L = &h.mu
	return h
}

// wait waits for a change, at the latest until the time at, if it is not zero.
func (h *half) wait(at time.Time) {
	if !at.IsZero() {
		d := max(0, time.Until(at))
		if h.alarm == nil {
			h.alarm = time.AfterFunc(d, h.ring)
		} else {
			h.alarm.Reset(d)
		}
	}
	h.changed.Wait()
}

func (h *half) ring() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed.Broadcast()
}

func past(t time.Time) bool { return !t.IsZero() && !t.After(time.Now()) }

// earlier returns the earlier of two times of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		var due time.Time
		switch {
		case h.broken != nil:
			return 0, h.broken
		case h.deaf:
			return 0, net.ErrClosed
		case past(h.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case h.stalled:
		case len(h.queue) > 0 && !h.queue[0].due.After(time.Now()):
			return h.take(p), nil
		case len(h.queue) > 0:
			due = h.queue[0].due
		case h.ended:
			return 0, io.EOF
		}
		h.wait(earlier(due, h.readBy))
	}
}

// take moves what has arrived to p.
func (h *half) take(p []byte) int {
	n := 0
	now := time.Now()
	for n < len(p) && len(h.queue) > 0 && !h.queue[0].due.After(now) {
		s := &h.queue[0]
		k := copy(p[n:], s.b)
		n += k
		if s.b = s.b[k:]; len(s.b) == 0 {
			h.queue[0] = segment{}
			h.queue = h.queue[1:]
		}
	}
	h.held -= n
	h.changed.Broadcast()
	return n
}

// write puts p on the way; with try only what fits at once.
func (h *half) write(p []byte, try bool) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(p) > 0 {
		switch {
		case h.broken != nil:
			return n, h.broken
		case h.ended:
			return n, net.ErrClosed
		case h.deaf:
			return n, syscall.EPIPE
		case past(h.writeBy):
			return n, os.ErrDeadlineExceeded
		}
		if room := h.o.Buffer - h.held; room > 0 {
			k := min(room, len(p), packet)
			h.send(p[:k])
			n, p = n+k, p[k:]
			continue
		}
		if try {
			return n, nil
		}
		h.wait(h.writeBy)
	}
	return n, nil
}

func (h *half) send(p []byte) {
	now := time.Now()
	due := now
	if h.o.Bandwidth > 0 {
		if h.free.Before(now) {
			h.free = now
		}
		h.free = h.free.Add(time.Duration(float64(len(p)) / h.o.Bandwidth * float64(time.Second)))
		due = h.free
	}
	h.queue = append(h.queue, segment{append([]byte(nil), p...), due.Add(h.o.Latency)})
	h.held += len(p)
	h.changed.Broadcast()
}

// change sets something and tells whoever waits.
func (h *half) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	if h.alarm != nil && (h.deaf || h.broken != nil) {
		h.alarm.Stop()
	}
	h.changed.Broadcast()
}
