package netpipe

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// Listener accepts connections that Dial makes.
type Listener struct {
	o       Options
	backlog chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// Listen returns a listener whose connections have the given options.
func Listen(o Options) *Listener {
	return &Listener{o: o, backlog: make(chan net.Conn, 128), closed: make(chan struct{})}
}

// Dial connects to the listener. It is refused when the listener is closed.
func (l *Listener) Dial(ctx context.Context) (*Conn, error) {
	a, b := Pair(l.o)
	select {
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: b.addr, Err: syscall.ECONNREFUSED}
	default:
	}
	select {
	case l.backlog <- b:
		return a, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: b.addr, Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return Addr(l.o.Name + ":b") }
