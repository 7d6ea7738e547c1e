package tcp

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/stream"
)

// generic is a connection that is used through net.Conn: TLS, and connections
// in memory. It cannot be written without blocking.
type generic struct {
	conn  net.Conn
	below net.Conn        // what TLS runs on, else conn
	raw   syscall.RawConn // of below; nil if it has no descriptor

	// full tells that the last read filled its buffer. Owned by who reads.
	full bool

	interrupted atomic.Bool
	change      chan struct{} // capacity 1: interrupted, for AwaitReset without raw
	closed      chan struct{}
	once        sync.Once
}

func newGeneric(nc net.Conn) *generic {
	s := &generic{conn: nc, below: nc, change: make(chan struct{}, 1), closed: make(chan struct{})}
	if t, ok := nc.(*tls.Conn); ok {
		s.below = t.NetConn()
	}
	if sc, ok := s.below.(syscall.Conn); ok {
		s.raw, _ = sc.SyscallConn()
	}
	return s
}

// Read implements stream.Socket. It has to own a buffer while it waits, which
// is a small one: after a read that filled it, what is left is taken from what
// TLS has decrypted, without waiting.
func (s *generic) Read(n int) (*session.Buffer, error) {
	size := session.BufferSmall
	if s.full {
		size = session.BufferMedium // a TLS record
	}
	b := session.GetBuffer(min(n, size))
	space := b.Space()
	k, err := s.conn.Read(space[:min(n, len(space))])
	if k == 0 {
		b.Free()
		if err == nil {
			err = io.ErrNoProgress
		}
		return nil, interrupted(err)
	}
	s.full = k == len(space)
	b.SetLen(k)
	return b, nil
}

// AwaitReset implements stream.Socket.
func (s *generic) AwaitReset() error {
	if s.raw != nil {
		return s.awaitReset()
	}
	for !s.interrupted.Load() {
		select {
		case <-s.closed:
			return nil
		case <-s.change:
		}
	}
	return stream.ErrInterrupted
}

func (s *generic) awaitReset() error {
	var p plain
	err := s.raw.Read(p.tryReset)
	switch {
	case errors.Is(err, net.ErrClosed):
		return nil
	case err != nil:
		return interrupted(err)
	}
	return os.NewSyscallError("read", p.rerr)
}

// Direct implements stream.Socket.
func (s *generic) Direct() bool { return false }

// TryWrite implements stream.Socket.
func (s *generic) TryWrite([]byte) (int, error) { return 0, nil }

// Write implements stream.Socket.
func (s *generic) Write(p []byte) (int, error) { return s.conn.Write(p) }

// CloseWrite implements stream.Socket. Under TLS it ends both: not every peer
// takes the one for the other.
func (s *generic) CloseWrite() error {
	err := closeWrite(s.conn)
	if s.below != s.conn {
		err = errors.Join(err, closeWrite(s.below))
	}
	return err
}

func closeWrite(nc net.Conn) error {
	if c, ok := nc.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// Interrupt implements stream.Socket.
func (s *generic) Interrupt() {
	s.interrupted.Store(true)
	_ = s.conn.SetReadDeadline(past())
	select {
	case s.change <- struct{}{}:
	default:
	}
}

// Resume implements stream.Socket.
func (s *generic) Resume() {
	s.interrupted.Store(false)
	_ = s.conn.SetReadDeadline(time.Time{})
}

// Close implements stream.Socket. If TLS was not ended before, nothing was
// written either, and its last words find room.
func (s *generic) Close() { s.end(s.conn) }

// Reset implements stream.Socket.
func (s *generic) Reset() {
	if t, ok := s.below.(interface{ SetLinger(sec int) error }); ok {
		_ = t.SetLinger(0)
	}
	s.end(s.below)
}

func (s *generic) end(nc net.Conn) {
	s.once.Do(func() {
		close(s.closed)
		_ = nc.Close()
	})
}
