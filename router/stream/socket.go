package stream

import (
	"github.com/skupper-host/skupper/router/session"
)

// Socket is the local end of a stream: one TCP connection.
//
// Read and AwaitReset are called by one goroutine, TryWrite, Write and
// CloseWrite by one at a time, the others by any.
type Socket interface {
	// Read waits until there are bytes, then returns up to n of them, at least
	// one, in a buffer that the caller owns. A socket that can holds no buffer
	// while it waits. It returns io.EOF after the peer's last byte and
	// ErrInterrupted after Interrupt.
	Read(n int) (*session.Buffer, error)

	// AwaitReset waits, without reading, until the peer resets the socket (why,
	// if the socket can tell), it is closed on this side (nil), or Interrupt is
	// called (ErrInterrupted).
	AwaitReset() error

	// Direct reports whether TryWrite writes anything and CloseWrite never
	// blocks.
	Direct() bool

	// TryWrite writes as much of p as the socket takes at once, possibly
	// nothing. It never blocks.
	TryWrite(p []byte) (n int, err error)

	// Write writes all of p and blocks as long as that takes.
	Write(p []byte) (n int, err error)

	// CloseWrite tells the peer that no more bytes follow.
	CloseWrite() error

	// Interrupt makes Read and AwaitReset return ErrInterrupted, until Resume.
	Interrupt()
	Resume()

	// Close closes both directions in order. Reset drops the connection so
	// that the peer notices (RST). Both end all calls that wait, both are
	// harmless when repeated, neither blocks.
	Close()
	Reset()
}

// Parker is a Socket that can wait without a goroutine.
type Parker interface {
	// ReadSoon is Read, but returns ErrIdle when there has been nothing to read
	// for a while.
	ReadSoon(n int) (*session.Buffer, error)

	// Park calls ready once, as soon as there is something to read or the
	// socket is closed on this side; ready must not block. It returns false,
	// and ready is not called, if the socket is closed already or cannot be
	// parked.
	Park(ready func()) bool
}

// Splicer is a Socket that can move its bytes to some other sockets inside of
// the kernel.
type Splicer interface {
	// SpliceTo moves what can be read here to dst until the end of input
	// (nil) or an error. In each step it calls read with the number of bytes
	// before they leave and wrote when dst has taken them. It returns false at
	// once if it cannot do that with dst.
	SpliceTo(dst Socket, read, wrote func(n int)) (ok bool, err error)
}
