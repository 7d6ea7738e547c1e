package stream

import (
	"errors"
	"io"
	"sync"

	"github.com/skupper-host/skupper/router/session"
)

var errReset = errors.New("connection reset by peer")

// memPipe is one direction of a connection in memory.
type memPipe struct {
	size  int // bytes that fit
	buf   []byte
	ended bool
}

// memConn is a TCP connection in memory: a Socket at one end, a program at the
// other.
type memConn struct {
	mu          sync.Mutex
	change      sync.Cond
	in, out     memPipe // seen from the Socket
	interrupted bool
	closed      bool  // by the Socket, both directions
	reset       error // by either
	indirect    bool  // as a TLS socket
}

func newMemConn(size int) *memConn {
	c := &memConn{in: memPipe{size: size}, out: memPipe{size: size}}
	c.change.L = &c.mu
	return c
}

// put moves as much of p into the pipe as there is room for.
func (c *memConn) put(d *memPipe, p []byte) int {
	n := min(len(p), d.size-len(d.buf))
	d.buf = append(d.buf, p[:n]...)
	if n > 0 {
		c.change.Broadcast()
	}
	return n
}

func (c *memConn) get(d *memPipe, p []byte) int {
	n := copy(p, d.buf)
	d.buf = d.buf[n:]
	c.change.Broadcast()
	return n
}

// Read implements Socket.
func (c *memConn) Read(n int) (*session.Buffer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.reset != nil:
			return nil, c.reset
		case c.closed:
			return nil, io.ErrClosedPipe
		case c.interrupted:
			return nil, ErrInterrupted
		case len(c.in.buf) > 0:
			b := session.GetBuffer(n)
			b.SetLen(c.get(&c.in, b.Space()[:min(n, len(b.Space()))]))
			return b, nil
		case c.in.ended:
			return nil, io.EOF
		}
		c.change.Wait()
	}
}

// AwaitReset implements Socket.
func (c *memConn) AwaitReset() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.reset == nil && !c.closed && !c.interrupted {
		c.change.Wait()
	}
	if c.interrupted && c.reset == nil && !c.closed {
		return ErrInterrupted
	}
	return c.reset
}

// Direct implements Socket.
func (c *memConn) Direct() bool { return !c.indirect }

// TryWrite implements Socket.
func (c *memConn) TryWrite(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.dead(); err != nil {
		return 0, err
	}
	return c.put(&c.out, p), nil
}

// Write implements Socket.
func (c *memConn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n < len(p) {
		if err := c.dead(); err != nil {
			return n, err
		}
		k := c.put(&c.out, p[n:])
		if n += k; k == 0 {
			c.change.Wait()
		}
	}
	return n, nil
}

func (c *memConn) dead() error {
	if c.closed {
		return io.ErrClosedPipe
	}
	return c.reset
}

// CloseWrite implements Socket.
func (c *memConn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.ended = true
	c.change.Broadcast()
	return c.dead()
}

// Interrupt implements Socket.
func (c *memConn) Interrupt() { c.set(func() { c.interrupted = true }) }

// Resume implements Socket.
func (c *memConn) Resume() { c.set(func() { c.interrupted = false }) }

// Close implements Socket.
func (c *memConn) Close() {
	c.set(func() {
		c.closed, c.out.ended = true, true
	})
}

// Reset implements Socket.
func (c *memConn) Reset() {
	c.set(func() {
		if !c.closed && c.reset == nil {
			c.reset = errReset
		}
		c.closed = true
	})
}

func (c *memConn) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	c.change.Broadcast()
}

// program is the far end of a memConn: the client or the server.
type program struct{ c *memConn }

func (p program) Write(b []byte) (n int, err error) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	for n < len(b) {
		if p.c.reset != nil {
			return n, p.c.reset
		}
		if p.c.closed {
			return n, io.ErrClosedPipe
		}
		k := p.c.put(&p.c.in, b[n:])
		if n += k; k == 0 {
			p.c.change.Wait()
		}
	}
	return n, nil
}

func (p program) Read(b []byte) (int, error) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	for {
		switch {
		case p.c.reset != nil:
			return 0, p.c.reset
		case len(p.c.out.buf) > 0:
			return p.c.get(&p.c.out, b), nil
		case p.c.out.ended:
			return 0, io.EOF
		}
		p.c.change.Wait()
	}
}

func (p program) CloseWrite() { p.c.set(func() { p.c.in.ended = true }) }
func (p program) Reset() {
	p.c.set(func() {
		p.c.reset = errReset
		p.c.in.buf, p.c.out.buf = nil, nil
	})
}
