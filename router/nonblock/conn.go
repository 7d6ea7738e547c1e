package nonblock

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Conn is a net.Conn of a socket. Not more than one goroutine may read, and not
// more than one write, at the same time.
type Conn struct {
	net.Conn
	raw syscall.RawConn
	r   reader
	Writer
}

// Wrap returns nc itself if it is no socket.
func Wrap(nc net.Conn) net.Conn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nc
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nc
	}
	c := &Conn{Conn: nc, raw: raw}
	c.r.f = c.r.read
	c.Init(raw)
	return c
}

// SyscallConn implements syscall.Conn.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.r.p, c.r.n, c.r.err = p, 0, nil
	err := c.raw.Read(c.r.f)
	c.r.p = nil
	switch {
	case err != nil:
		return 0, c.failed("read", err)
	case c.r.err != nil:
		return 0, c.failed("read", os.NewSyscallError("recvfrom", c.r.err))
	case c.r.n == 0:
		return 0, io.EOF
	}
	return c.r.n, nil
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	if err != nil {
		err = c.failed("write", err)
	}
	return n, err
}

// CloseWrite ends what is written, as far as the socket can.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// SetLinger sets what Close does with what is not sent, as far as the socket can.
func (c *Conn) SetLinger(sec int) error {
	if t, ok := c.Conn.(interface{ SetLinger(sec int) error }); ok {
		return t.SetLinger(sec)
	}
	return nil
}

// failed words an error as package net does.
func (c *Conn) failed(op string, err error) error {
	var raw *net.OpError
	if errors.As(err, &raw) {
		err = raw.Err
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// reader holds the arguments and results of one call of the poller.
type reader struct {
	f   func(fd uintptr) bool // read, made once: no closure for each call
	p   []byte
	n   int
	err error
}

func (r *reader) read(fd uintptr) bool {
	r.n, r.err = Read(fd, r.p)
	return r.err != syscall.EAGAIN
}

// Writer writes to a socket. It is used by one goroutine at a time.
type Writer struct {
	raw  syscall.RawConn
	f    func(fd uintptr) bool // write, made once: no closure for each call
	wait bool
	p    []byte
	n    int
	err  error
}

// Init makes a Writer of a socket's.
func (w *Writer) Init(raw syscall.RawConn) { w.raw, w.f = raw, w.write }

// TryWrite writes what fits at once. It returns 0, nil if nothing does.
func (w *Writer) TryWrite(p []byte) (int, error) { return w.begin(p, false) }

// Write writes all of p, and waits for room.
func (w *Writer) Write(p []byte) (int, error) { return w.begin(p, true) }

func (w *Writer) begin(p []byte, wait bool) (int, error) {
	w.wait, w.p, w.n, w.err = wait, p, 0, nil
	err := w.raw.Write(w.f)
	w.p = nil
	switch {
	case err != nil:
		return w.n, err
	case w.err != nil:
		return w.n, os.NewSyscallError("sendto", w.err)
	}
	return w.n, nil
}

// write reports whether the call has ended; false waits for room.
func (w *Writer) write(fd uintptr) bool {
	for {
		n, err := Write(fd, w.p[w.n:])
		w.n += n
		switch {
		case err == syscall.EAGAIN:
			return !w.wait
		case err != nil:
			w.err = err
			return true
		case !w.wait || w.n == len(w.p):
			return true
		}
	}
}
