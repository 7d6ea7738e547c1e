package conn

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Sizes of a read buffer, in octets. It begins small and doubles when a read
// fills it, so that an idle connection holds little; one that fills it costs
// one lock and one dispatch for each largest buffer.
const (
	readSmall = 8 << 10
	readLarge = 128 << 10
	// readShrink is how many reads in a row must leave seven eighths unused
	// before the buffer is halved.
	readShrink = 64
)

// inbox is a linear buffer of what was read and not yet handled.
type inbox struct {
	buf        []byte
	start, end int
	sparse     int // reads in a row that used little

	heard atomic.Int64 // Conn.clock when the last octet came
}

// unread is what was read and not yet handled.
func (b *inbox) unread() []byte { return b.buf[b.start:b.end] }

func (b *inbox) drop(n int) { b.start += n }

// fill reads once. It makes room first: for a frame of need octets, and more
// if the last reads filled what there was.
func (b *inbox) fill(r io.Reader, need int) error {
	b.fit(need)
	room := len(b.buf) - b.end
	n, err := r.Read(b.buf[b.end:])
	b.end += n
	switch {
	case n == room && len(b.buf) < readLarge:
		b.resize(2 * len(b.buf))
	case n > len(b.buf)/8:
		b.sparse = 0
	default:
		b.sparse++
	}
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// fit moves what is unread to the front and chooses the size.
func (b *inbox) fit(need int) {
	size := max(len(b.buf), readSmall)
	if b.sparse >= readShrink && size > readSmall {
		size /= 2
		b.sparse = 0
	}
	for size < need || size <= b.end-b.start {
		size *= 2
	}
	b.resize(size)
}

func (b *inbox) resize(size int) {
	if size == len(b.buf) {
		if b.start > 0 {
			b.end = copy(b.buf, b.unread())
			b.start = 0
		}
		return
	}
	bigger := getReadBuffer(size)
	n := copy(bigger, b.unread())
	putReadBuffer(b.buf)
	b.buf, b.start, b.end = bigger, 0, n
}

// readBuffers pools the largest read buffers; others are few and short lived.
var readBuffers = sync.Pool{New: func() any { return new([readLarge]byte) }}

func getReadBuffer(size int) []byte {
	if size != readLarge {
		return make([]byte, size)
	}
	b, _ := readBuffers.Get().(*[readLarge]byte)
	return b[:]
}

func putReadBuffer(b []byte) {
	if len(b) == readLarge {
		readBuffers.Put((*[readLarge]byte)(b))
	}
}

// read is the reader: it handles what the peer sends until the peer's Close or
// the end of the stream, and returns why it ended; nil after Close.
func (c *Conn) read() *Error {
	if err := c.readHeader(); err != nil {
		return err
	}
	for {
		if closed := c.receive(); closed {
			return nil
		}
		need := session.FrameSize(c.inbox.unread())
		if err := c.fill(min(need, int(c.cfg.Open.MaxFrameSize))); err != nil {
			return &Error{Err: err}
		}
	}
}

// fill reads once into the inbox.
func (c *Conn) fill(need int) error {
	before := c.inbox.end - c.inbox.start
	if err := c.inbox.fill(&c.wire, need); err != nil {
		return InWords(err)
	}
	c.bytesIn.Add(uint64(c.inbox.end - c.inbox.start - before))
	c.inbox.heard.Store(c.clock())
	return nil
}

// receive handles every whole frame of the inbox and reports whether the peer's
// Close was among them.
func (c *Conn) receive() (closed bool) {
	c.dispatching.Store(true)
	answer := false
	for !closed && len(c.inbox.unread()) >= amqp.FrameHeaderSize {
		c.mu.Lock()
		n, events, err := c.e.Receive(c.inbox.unread())
		answer = answer || c.e.Pending() && !c.writing
		closed = c.e.PeerClosed()
		c.mu.Unlock()
		c.traceFrames(traceIn, c.inbox.unread()[:n])
		c.dispatch(events)
		c.inbox.drop(n)
		if err != nil {
			c.protocolError(err)
		}
		if n == 0 {
			break
		}
	}
	c.dispatching.Store(false)
	if c.deferred.Swap(false) || answer {
		c.settle()
	}
	return closed
}

// protocolError notes what the peer did wrong. The reader goes on, to take the
// peer's Close: closing the socket on unread octets would lose ours.
func (c *Conn) protocolError(err error) {
	var e *amqp.Error
	if errors.As(err, &e) {
		c.fail(&Error{Err: e})
	}
	notify(c.ending)
}
