package stream

import (
	"container/heap"
	"fmt"
	"testing"
)

func TestSendWindow(t *testing.T) {
	t.Parallel()
	w := sendWindow{size: upstreamWindow}
	w.sent = upstreamWindow
	if w.room() != 0 {
		t.Errorf("room %d at the limit", w.room())
	}
	for _, offset := range []uint64{0, 1, 521_216, 521_216, 400_000} {
		before := w.acked
		if moved := w.ack(offset); moved != (offset > before) {
			t.Errorf("offset %d after %d: moved %v", offset, before, moved)
		}
	}
	if w.room() != 521_216 {
		t.Errorf("room %d, want 521216", w.room())
	}
	w.ack(1 << 63) // nonsense: more than was sent
	if w.room() != upstreamWindow {
		t.Errorf("room %d after an offset beyond the end", w.room())
	}
	w.off = true
	w.sent += 10 * upstreamWindow
	if w.room() == 0 {
		t.Error("a window that was switched off still holds")
	}
}

func TestSendWindowOfOurs(t *testing.T) {
	t.Parallel()
	w := sendWindow{size: startWindow, ahead: true}
	w.ack(startWindow) // grown before anything was sent
	if w.room() != 2*startWindow {
		t.Errorf("room %d, want %d", w.room(), 2*startWindow)
	}
	w.ack(1<<64 - 1)
	if w.room() > maxWindow+startWindow {
		t.Errorf("room %d beyond what is ever granted", w.room())
	}
}

// TestReceiveWindowUpstream: acknowledged every 131,072 bytes, and what a full
// socket has taken when it has taken all.
func TestReceiveWindowUpstream(t *testing.T) {
	t.Parallel()
	w := newReceiveWindow(upstreamWindow, false)
	var acks []uint64
	for range 30 {
		if ok, stalled := w.arrive(10_000); !ok || stalled {
			t.Fatal("within the window")
		}
		if offset, due := w.consume(10_000, false); due {
			acks = append(acks, offset)
		}
	}
	if want := "[140000 280000]"; fmt.Sprint(acks) != want {
		t.Errorf("acknowledged %v, want %v", acks, want)
	}
	if _, due := w.consume(0, true); due {
		t.Error("20,000 bytes are not worth a frame")
	}
	w.arrive(20_000)
	if offset, due := w.consume(20_000, true); !due || offset != 320_000 {
		t.Errorf("offset %d, %v when the queue has run empty", offset, due)
	}
}

func TestReceiveWindowExceeded(t *testing.T) {
	t.Parallel()
	for _, ours := range []bool{false, true} {
		w := newReceiveWindow(upstreamWindow, ours)
		if ok, _ := w.arrive(upstreamWindow + windowSlack); !ok {
			t.Error("skupper-router oversteps by 32,576 bytes")
		}
		if ok, _ := w.arrive(1); ok {
			t.Error("a sender without limit was not noticed")
		}
	}
}

// wire simulates one direction of a stream over a path with a delay and a
// bandwidth, to a socket with a bandwidth, in whole microseconds.
type wire struct {
	delay     int     // µs, one way
	path      float64 // bytes per µs
	socket    float64
	send      sendWindow
	recv      receiveWindow
	now       int
	pathFree  float64 // when the path can take the next frame
	drainFree float64
	events    simEvents
	most      uint64 // highest queue
}

type simEvent struct {
	at int
	do func()
}

type simEvents []simEvent

func (h simEvents) Len() int           { return len(h) }
func (h simEvents) Less(i, j int) bool { return h[i].at < h[j].at }
func (h simEvents) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *simEvents) Push(x any)        { *h = append(*h, x.(simEvent)) }
func (h *simEvents) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

func (w *wire) at(when float64, do func()) { heap.Push(&w.events, simEvent{int(when + 1), do}) }

// transmit sends what the window and the path allow.
func (w *wire) transmit() {
	for w.pathFree <= float64(w.now) {
		n := min(int(w.send.room()), 16_320)
		if n == 0 {
			return
		}
		w.send.sent += uint64(n)
		w.pathFree = float64(w.now) + float64(n)/w.path
		w.at(w.pathFree+float64(w.delay), func() { w.arrive(n) })
		w.at(w.pathFree, w.transmit)
	}
}

func (w *wire) arrive(n int) {
	_, stalled := w.recv.arrive(n)
	if stalled {
		w.recv.grow(w.recv.growth())
		w.announce(w.recv.announce())
	}
	w.most = max(w.most, w.recv.queued())
	w.drainFree = max(w.drainFree, float64(w.now)) + float64(n)/w.socket
	w.at(w.drainFree, func() {
		if offset, due := w.recv.consume(n, w.recv.queued() == uint64(n)); due {
			w.announce(offset)
		}
	})
}

func (w *wire) announce(offset uint64) {
	w.at(float64(w.now+w.delay), func() {
		w.send.ack(offset)
		w.transmit()
	})
}

func (w *wire) run(until int) {
	w.transmit()
	for len(w.events) > 0 {
		e := heap.Pop(&w.events).(simEvent)
		if e.at > until {
			return
		}
		w.now = e.at
		e.do()
	}
}

func newWire(rttMillis int, path, socket float64) *wire {
	return &wire{
		delay: rttMillis * 500, path: path, socket: socket,
		send: sendWindow{size: startWindow, ahead: true}, recv: newReceiveWindow(startWindow, true),
	}
}

// TestWindowGrowsToThePath: on paths of several lengths the window becomes
// large enough for at least 80 % of what the path carries, and no larger than
// four times of what it needs.
func TestWindowGrowsToThePath(t *testing.T) {
	t.Parallel()
	for _, rtt := range []int{1, 10, 50, 100, 200} {
		t.Run(fmt.Sprintf("%d ms", rtt), func(t *testing.T) {
			t.Parallel()
			const bandwidth = 60 // bytes per µs: 480 Mbit/s
			w := newWire(rtt, bandwidth, 10*bandwidth)
			w.run(5_000_000)
			before := w.recv.received
			w.run(10_000_000)
			rate := float64(w.recv.received-before) / 5_000_000
			if rate < 0.8*bandwidth {
				t.Errorf("%.1f bytes/µs of %d with a window of %d", rate, bandwidth, w.recv.window)
			}
			if need := uint64(rtt * 1000 * bandwidth); w.recv.window > max(4*need, 2*startWindow) {
				t.Errorf("window %d, the path holds %d", w.recv.window, need)
			}
		})
	}
}

// TestWindowStaysSmallForASlowSocket: growing would only buy memory.
func TestWindowStaysSmallForASlowSocket(t *testing.T) {
	t.Parallel()
	for _, rtt := range []int{1, 10, 50} {
		w := newWire(rtt, 1000, 2)
		w.run(20_000_000)
		if w.recv.window > 2*startWindow {
			t.Errorf("rtt %d ms: window %d for a slow socket", rtt, w.recv.window)
		}
		rate := float64(w.recv.consumed) / 20_000_000
		if rate < 1.9 {
			t.Errorf("rtt %d ms: %.2f bytes/µs, the socket takes 2", rtt, rate)
		}
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	b := NewBudget(4 * startWindow)
	for range 3 {
		if got := b.open(); got != startWindow {
			t.Errorf("window %d while there is enough", got)
		}
	}
	if got := b.open(); got != tightWindow {
		t.Errorf("window %d when three quarters are reserved", got)
	}
	if b.grow(1) {
		t.Error("a window grew when three quarters were reserved")
	}
	b.release(3*startWindow + tightWindow)
	if !b.grow(startWindow) || b.Reserved() != startWindow {
		t.Errorf("%d reserved", b.Reserved())
	}
}

func TestExposure(t *testing.T) {
	t.Parallel()
	var e Exposure
	if e.window() != upstreamWindow {
		t.Error("a free connection limits streams")
	}
	for range 6 { // streams whose servers do not read
		e.move(0, upstreamWindow)
	}
	if e.window() != upstreamLeast {
		t.Errorf("window %d with %d bytes exposed", e.window(), e.bytes.Load())
	}
	if got := e.bytes.Load(); got > 4<<20 {
		t.Errorf("%d bytes exposed", got)
	}
	for range 6 {
		e.move(upstreamWindow, 0)
	}
	if e.bytes.Load() != 0 || (*Exposure)(nil).window() != upstreamWindow {
		t.Error("account not balanced")
	}
}

func TestSizer(t *testing.T) {
	t.Parallel()
	var s sizer
	for _, step := range []struct{ took, next int }{
		{100, 1984},
		{1984, 16320},
		{16320, 65472},
		{65472, 65472},
		{16000, 65472},
		{16000, 65472},
		{16000, 16320},
		{1000, 16320},
		{16320, 65472},
	} {
		if s.took(step.took); s.next(65_472) != step.next {
			t.Errorf("after %d bytes the next read is %d, want %d", step.took, s.next(65_472), step.next)
		}
	}
	if n := s.next(16_355); n != 16_320 {
		t.Errorf("%d bytes for a peer with frames of 16 KiB", n)
	}
}
