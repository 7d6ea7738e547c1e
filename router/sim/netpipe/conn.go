package netpipe

import (
	"net"
	"syscall"
	"time"
)

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.wrap("read", err)
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p, false)
	return n, c.wrap("write", err)
}

// TryWrite writes what fits at once, without waiting.
func (c *Conn) TryWrite(p []byte) (int, error) {
	n, err := c.out.write(p, true)
	return n, c.wrap("write", err)
}

// wrap gives an error the form that sockets give it; io.EOF stays bare.
func (c *Conn) wrap(op string, err error) error {
	switch err.(type) {
	case nil:
		return nil
	case syscall.Errno, interface{ Timeout() bool }:
		return &net.OpError{Op: op, Net: "memory", Source: c.addr, Addr: c.peer, Err: err}
	}
	return err
}

// Close ends both directions at this end. What is under way still arrives.
func (c *Conn) Close() error {
	c.in.change(func() { c.in.deaf = true })
	c.out.change(func() { c.out.ended = true })
	return nil
}

// CloseWrite ends the direction from here.
func (c *Conn) CloseWrite() error {
	c.out.change(func() { c.out.ended = true })
	return nil
}

// Cut breaks both directions at once: both ends get "connection reset".
func (c *Conn) Cut() {
	for _, h := range []*half{c.in, c.out} {
		h.change(func() { h.broken = syscall.ECONNRESET })
	}
}

// Stall stops or resumes delivery in both directions, without telling anybody.
func (c *Conn) Stall(stalled bool) {
	for _, h := range []*half{c.in, c.out} {
		h.change(func() { h.stalled = stalled })
	}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.addr }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.peer }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.change(func() { c.in.readBy = t })
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.change(func() { c.out.writeBy = t })
	return nil
}
