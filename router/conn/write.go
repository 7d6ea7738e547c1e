package conn

import (
	"runtime"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/session"
)

const (
	// inlineControl is how much a reader composes and writes on its own
	// goroutine: a few acknowledgements and flows, in octets. Payload is left
	// to the writer.
	inlineControl = 8192
	// inlinePayload is how much payload may wait on the connection, in octets,
	// for a pump to write it on its own goroutine. With more the writer is
	// cheaper, because it takes what several pumps have queued in one system
	// call (BenchmarkBytes: up to a fifth of the CPU with 16 KiB pieces).
	inlinePayload = 4096
	// inlineQuiet is how long other deliveries must not have written for the
	// same: many that write little are cheaper together (an echo over 64
	// streams costs a third less CPU).
	inlineQuiet = 50 * time.Microsecond
)

var batches = sync.Pool{New: func() any { return session.NewBatch() }}

// pace is how much the writer takes at once: the whole batch as long as it
// leaves at once, less on a slow way, so that an answer does not wait behind
// tenths of a second of what was taken before it came.
type pace struct{ limit int }

// Times that one batch may take to leave.
const (
	paceDown = 4 * time.Millisecond // longer: half of it
	paceUp   = time.Millisecond     // shorter: twice as much
	paceMin  = 16384                // octets
)

func (p *pace) took(d time.Duration) {
	switch {
	case d > paceDown:
		p.limit = max(p.limit/2, paceMin)
	case d < paceUp:
		p.limit = min(2*p.limit, session.BatchSize)
	}
}

// unlock releases mu after something may have been queued, and sees to it that
// somebody writes it: who is writing looks again before it stops, the reader
// looks after its handlers, otherwise the writer is woken.
func (c *Conn) unlock() {
	idle := !c.writing && c.e.Pending()
	c.mu.Unlock()
	if !idle {
		return
	}
	if c.dispatching.Load() {
		c.deferred.Store(true)
		if c.dispatching.Load() {
			return // the reader will see the mark
		}
	}
	c.signal()
}

// unlockInline releases mu like unlock, but writes on this goroutine if nobody
// else does and the socket can be written without waiting.
func (c *Conn) unlockInline() {
	if c.writing || !c.framing || !c.e.Pending() || !c.wire.canTry() {
		c.unlock()
		return
	}
	c.turn(session.BatchSize, false)
	more := c.more()
	c.mu.Unlock()
	if more {
		c.signal()
	}
}

// more reports whether there is something to write and nobody to do it, with mu
// held. Only then what waits in the wire is nobody's.
func (c *Conn) more() bool { return !c.writing && (c.e.Pending() || c.wire.pending()) }

// alone notes that s writes, and reports whether nobody else does, with mu held.
func (c *Conn) alone(s *Sending) bool {
	now := c.clock()
	alone := c.lastWriter == s || now-c.lastWrite > int64(inlineQuiet)
	c.lastWriter, c.lastWrite = s, now
	return alone
}

// settle writes what handlers have queued, from the reader after a batch: the
// little that control frames are it writes itself, payload is the writer's.
func (c *Conn) settle() {
	c.mu.Lock()
	if !c.writing && c.e.Pending() && !c.e.Bulk() && c.wire.canTry() {
		c.turn(inlineControl, false)
	}
	more := c.more()
	c.mu.Unlock()
	if more {
		c.signal()
	}
}

// write is the writer: it writes until there is nothing to write, then waits to
// be woken. Woken, it lets pumps go first that are ready to run: what they add
// leaves in the same batch, and if there are none it costs nothing. It ends
// after our Close or when stop is closed.
func (c *Conn) write(stop <-chan struct{}) {
	p := pace{session.BatchSize}
	for {
		c.mu.Lock()
		for c.more() {
			begin := c.clock()
			if !c.turn(p.limit, true) {
				break
			}
			p.took(time.Duration(c.clock() - begin))
		}
		over := c.e.CloseSent() && !c.writing
		c.mu.Unlock()
		if over {
			c.sayGoodbye()
			return
		}
		select {
		case <-c.wake:
			runtime.Gosched()
		case <-stop:
			return
		}
	}
}

// turn composes one batch and writes it. The caller holds mu, which is released
// meanwhile; nobody else may be writing. It reports whether that succeeded.
func (c *Conn) turn(limit int, wait bool) bool {
	c.writing = true
	b, _ := batches.Get().(*session.Batch)
	c.e.Emit(b, limit)
	for _, out := range b.Done {
		if s, ok := out.App.(*Sending); ok {
			s.recycle()
		}
	}
	c.mu.Unlock()
	err := c.send(b, wait)
	batches.Put(b)
	c.mu.Lock()
	c.writing = false
	if c.over {
		c.written.Broadcast()
	}
	if c.e.CloseSent() {
		c.signal() // the writer ends the connection
	}
	if err != nil {
		c.writeFailed(err)
	}
	return err == nil
}

// send writes a batch.
func (c *Conn) send(b *session.Batch, wait bool) error {
	for _, out := range b.Low {
		out.Outcome.Ready()
	}
	if len(b.Done) > 0 {
		c.lastOut.Store(c.clock())
	}
	var err error
	for _, group := range b.Groups {
		c.traceFrames(traceOut, group)
		if err = c.wire.put(group); err != nil {
			break
		}
	}
	if b.Size > 0 {
		c.bytesOut.Add(uint64(b.Size))
	}
	b.Reset()
	if err != nil {
		return err
	}
	return c.wire.flush(wait)
}

// writeFailed ends the connection. Why is rather said by the reader, which
// may still find the peer's Close; so it is only told to look.
func (c *Conn) writeFailed(err error) {
	c.broken.CompareAndSwap(nil, &Error{Err: InWords(err)})
	notify(c.ending)
}

// sayGoodbye ends the TLS layer after our Close, and without one the direction:
// a peer that has not read all yet still can.
func (c *Conn) sayGoodbye() {
	if c.wire.tls != nil {
		_ = c.wire.tls.CloseWrite()
	}
	_ = c.wire.flush(true)
	if !c.cfg.HangUp {
		return
	}
	if half, ok := c.wire.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // what follows is the end in any case
	} else {
		_ = c.wire.nc.Close() // a WebSocket: what it has to write it has written
	}
}
