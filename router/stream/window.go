package stream

// Window sizes in bytes. They count the body only, from its first byte.
const (
	// upstreamWindow is how far skupper-router's sender runs ahead and what
	// its receiver expects. compat: tcp_adaptor.c, TCP_MAX_CAPACITY_BYTES * 2.
	upstreamWindow = 1_042_432
	// upstreamStep is how often skupper-router's receiver acknowledges. A
	// sender with a window of no more than that would wait for ever.
	upstreamStep = 521_216
	// upstreamLeast is the smallest window towards skupper-router: one step
	// and one read more.
	upstreamLeast = upstreamStep + 65_536

	// ackStep is how often we acknowledge to skupper-router, a quarter of what
	// it needs.
	ackStep = 131_072
	// ackIdle is what is acknowledged, though it is less than ackStep, when a
	// socket that was full has taken everything.
	ackIdle = 32 << 10

	startWindow = 256 << 10 // between routers of ours
	tightWindow = 64 << 10  // the same while the Budget is tight
	maxWindow   = 16 << 20  // 1 Gbit/s at 130 ms
	// earlyWindow is what a client may send before the reply stream is there.
	// It is kept until then, see Ingress.
	earlyWindow = 64 << 10

	// windowSlack is tolerated beyond the window. skupper-router oversteps by
	// what it had already asked its socket for, 32,576 bytes.
	windowSlack = 128 << 10
)

// sendWindow says how many bytes of a direction may be sent. It is pure.
//
// The receiver answers with received states whose section-offset is an
// absolute count of body bytes. Towards skupper-router it counts what was
// written to the server's socket, and the window is a constant. Between
// routers of ours the receiver announces a window w when the stream opens, and
// its offset is the limit up to which may be sent, less w. So it runs ahead of
// what was written, even of what was sent, when the window has grown, and
// otherwise means the same.
type sendWindow struct {
	size  uint64 // how far sent may be ahead of acked
	sent  uint64
	acked uint64 // newest offset
	ahead bool   // acked may exceed sent: the receiver is ours
	off   bool   // the receiver has ended the window
}

// room is how many bytes may be sent now.
func (w *sendWindow) room() uint64 {
	if w.off {
		return maxWindow
	}
	if limit := w.acked + w.size; limit > w.sent {
		return limit - w.sent
	}
	return 0
}

// inFlight is how many bytes are not acknowledged.
func (w *sendWindow) inFlight() uint64 { return w.sent - min(w.sent, w.acked) }

// ack takes the offset of a received state and reports whether it changed
// anything. Zero and anything not above the newest offset are ignored.
func (w *sendWindow) ack(offset uint64) bool {
	if w.ahead {
		offset = min(offset, w.sent+maxWindow) // no more is ever granted
	} else {
		offset = min(offset, w.sent)
	}
	if offset <= w.acked {
		return false
	}
	w.acked = offset
	return true
}

// receiveWindow says when to acknowledge what, and how large the window is. It
// is pure.
type receiveWindow struct {
	base     uint64 // the window that was announced when the stream opened
	window   uint64 // now
	received uint64
	consumed uint64 // written to the socket
	offset   uint64 // newest that was announced

	// marks are limits that were announced since the window last grew and have
	// not been passed, in order. A window of which a quarter is announced at a
	// time has at most five.
	marks  [6]uint64
	nmarks int8

	ours bool // both ends are ours: the window is announced and can grow
}

func newReceiveWindow(size uint64, ours bool) receiveWindow {
	w := receiveWindow{ours: ours, base: size, window: size}
	w.mark()
	return w
}

// queued is what has been received and is not yet written.
func (w *receiveWindow) queued() uint64 { return w.received - w.consumed }

// arrive counts n bytes that have come. ok is false if the sender may not have
// sent them.
//
// stalled reports that the sender has stopped at a limit while our own queue
// was nearly empty: the window is smaller than what the path holds. If the
// queue is not empty, the socket is the bottleneck, and growing would only buy
// memory. No clock is involved, so that it does not matter how many hops there
// are.
func (w *receiveWindow) arrive(n int) (ok, stalled bool) {
	idle := w.queued() < w.window/8
	w.received += uint64(n)
	passed := int8(0)
	for passed < w.nmarks && w.marks[passed] <= w.received {
		stalled = idle && w.marks[passed] == w.received
		passed++
	}
	copy(w.marks[:], w.marks[passed:w.nmarks])
	w.nmarks -= passed
	return w.received <= w.offset+w.base+windowSlack, stalled && w.ours && w.window < maxWindow
}

// growth is by how much the window grows: it doubles.
func (w *receiveWindow) growth() uint64 { return min(w.window, maxWindow-w.window) }

// grow makes the window larger. The offset is to be announced at once: the
// sender is waiting for it.
func (w *receiveWindow) grow(by uint64) {
	w.window += by
	w.nmarks = 0
}

// consume counts n bytes that were written to the socket; emptied tells that
// the queue has run empty after the socket was full. It returns what to
// announce, if anything.
func (w *receiveWindow) consume(n int, emptied bool) (offset uint64, due bool) {
	w.consumed += uint64(n)
	step := uint64(ackStep)
	switch {
	case w.ours:
		step = w.window / 4
	case emptied:
		step = ackIdle
	}
	if w.next()-w.offset < step {
		return 0, false
	}
	return w.announce(), true
}

func (w *receiveWindow) next() uint64 { return w.consumed + w.window - w.base }

func (w *receiveWindow) announce() uint64 {
	w.offset = w.next()
	w.mark()
	return w.offset
}

// mark remembers the limit that is announced.
func (w *receiveWindow) mark() {
	if int(w.nmarks) == len(w.marks) {
		copy(w.marks[:], w.marks[1:])
		w.nmarks--
	}
	w.marks[w.nmarks] = w.offset + w.base
	w.nmarks++
}
