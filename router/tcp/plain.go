package tcp

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/router/nonblock"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/stream"
)

// newSocket returns nc as the end of a stream, which waits in lot when it is
// idle if it can and lot is not nil.
func newSocket(nc net.Conn, lot *Lot) stream.Socket {
	if t, ok := nc.(*net.TCPConn); ok {
		if raw, err := t.SyscallConn(); err == nil {
			s := newPlain(t, raw)
			s.place.lot = lot
			return s
		}
	}
	return newGeneric(nc)
}

// plain is a TCP connection without TLS. It goes past net.Conn to the
// descriptor, in the poller's own way, to be read without owning a buffer while
// there is nothing to read, and to be written without waiting.
type plain struct {
	conn *net.TCPConn
	raw  syscall.RawConn

	readNow func(fd uintptr) bool // tryRead, made once: no closure per call

	place place

	// Owned by who reads: arguments and results of readNow and tryReset.
	want   int32
	soon   bool
	buffer *session.Buffer
	rerr   error

	nonblock.Writer // owned by who writes
}

func newPlain(conn *net.TCPConn, raw syscall.RawConn) *plain {
	s := &plain{conn: conn, raw: raw}
	s.readNow = s.tryRead
	s.Init(raw)
	return s
}

// Read implements stream.Socket.
func (s *plain) Read(n int) (*session.Buffer, error) {
	s.want, s.rerr = int32(min(n, session.BufferLarge)), nil
	err := s.raw.Read(s.readNow)
	b := s.buffer
	s.buffer = nil
	switch {
	case err != nil:
		return nil, interrupted(err)
	case s.rerr != nil:
		return nil, os.NewSyscallError("read", s.rerr)
	case b == nil:
		return nil, io.EOF
	}
	return b, nil
}

// ReadSoon implements stream.Parker.
func (s *plain) ReadSoon(n int) (*session.Buffer, error) {
	if s.place.lot == nil {
		return s.Read(n)
	}
	s.soon = true
	s.place.turns.Add(1)
	b, err := s.Read(n)
	s.place.turns.Add(1)
	s.soon = false
	if errors.Is(err, stream.ErrInterrupted) && s.place.dozing.Load() {
		s.Resume()
		return nil, stream.ErrIdle
	}
	return b, err
}

// doze ends ReadSoon.
func (s *plain) doze() {
	s.place.dozing.Store(true)
	s.Interrupt()
}

// Park implements stream.Parker.
func (s *plain) Park(ready func()) bool {
	return s.place.lot != nil && s.place.lot.park(s, ready)
}

// tryRead returns false, without a buffer, if there is nothing to read.
//
// It must try before it says so: the poller has forgotten, before the first
// call, that the socket was readable.
func (s *plain) tryRead(fd uintptr) bool {
	want := int(s.want)
	b := session.GetBuffer(want)
	space := b.Space()
	n, err := nonblock.Read(fd, space[:min(want, len(space))])
	switch {
	case err == syscall.EAGAIN:
		b.Free()
		if s.soon && !s.place.noted.Load() {
			s.place.lot.note(s)
		}
		return false
	case err != nil:
		s.rerr = err
		b.Free()
	case n == 0:
		b.Free()
	default:
		b.SetLen(n)
		s.buffer = b
	}
	return true
}

// AwaitReset implements stream.Socket.
func (s *plain) AwaitReset() error {
	s.rerr = nil
	err := s.raw.Read(s.tryReset)
	switch {
	case errors.Is(err, net.ErrClosed):
		return nil
	case err != nil:
		return interrupted(err)
	}
	return os.NewSyscallError("read", s.rerr)
}

// tryReset looks for an error that the kernel keeps for the socket. The poller
// wakes it when there is one.
func (s *plain) tryReset(fd uintptr) bool {
	code, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
	switch {
	case err != nil:
		s.rerr = err
	case code != 0:
		s.rerr = syscall.Errno(code)
	default:
		return false
	}
	return true
}

// Direct implements stream.Socket.
func (s *plain) Direct() bool { return true }

// CloseWrite implements stream.Socket.
func (s *plain) CloseWrite() error { return s.conn.CloseWrite() }

// Interrupt implements stream.Socket.
func (s *plain) Interrupt() { _ = s.conn.SetReadDeadline(past()) }

// Resume implements stream.Socket.
func (s *plain) Resume() {
	s.place.dozing.Store(false)
	_ = s.conn.SetReadDeadline(time.Time{})
}

// Close implements stream.Socket.
func (s *plain) Close() {
	_ = s.conn.Close()
	s.place.lot.leave(s)
}

// Reset implements stream.Socket.
func (s *plain) Reset() {
	_ = s.conn.SetLinger(0)
	s.Close()
}

// past is a deadline that ends what waits.
func past() time.Time { return time.Unix(1, 0) }

// interrupted turns the end of a deadline into stream.ErrInterrupted.
func interrupted(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return stream.ErrInterrupted
	}
	return err
}
