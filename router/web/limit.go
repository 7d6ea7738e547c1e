package web

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// Limit accepts a bounded number of connections. One too many takes the place
// of the one that has waited longest for a request, so that strangers who say
// nothing keep nobody out; if all are being answered it is closed.
type Limit struct {
	net.Listener
	max int

	mu      sync.Mutex
	waiting list.List                  // Guarded by mu: sockets without a request, oldest first.
	sockets map[net.Conn]*list.Element // Guarded by mu; nil while it is being answered.
}

// NewLimit returns a Limit of so many connections of a listener of sockets. Note
// must be the server's ConnState.
func NewLimit(ln net.Listener, connections int) *Limit {
	return &Limit{Listener: ln, max: connections, sockets: map[net.Conn]*list.Element{}}
}

// Accept implements net.Listener.
func (l *Limit) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leaves, ok := l.admit(c)
		if leaves != nil {
			_ = leaves.Close() // nobody waits for what it says
		}
		if ok {
			return c, nil
		}
	}
}

// admit notes a connection. It returns one that is to be closed, if any.
func (l *Limit) admit(c net.Conn) (leaves net.Conn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sockets) >= l.max {
		oldest := l.waiting.Front()
		if oldest == nil {
			return c, false
		}
		leaves = oldest.Value.(net.Conn)
		l.forget(leaves)
	}
	l.sockets[c] = l.waiting.PushBack(c)
	return leaves, true
}

func (l *Limit) forget(c net.Conn) {
	if e := l.sockets[c]; e != nil {
		l.waiting.Remove(e)
	}
	delete(l.sockets, c)
}

// Note notes what becomes of a connection. One that leaves HTTP counts no more.
func (l *Limit) Note(c net.Conn, s http.ConnState) {
	c = socket(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.sockets[c]; !known {
		return
	}
	switch s {
	case http.StateNew:
	case http.StateActive:
		l.forget(c)
		l.sockets[c] = nil
	case http.StateIdle:
		l.forget(c)
		l.sockets[c] = l.waiting.PushBack(c)
	case http.StateClosed, http.StateHijacked:
		l.forget(c)
	}
}

// socket returns what a connection of a server was made of.
func socket(c net.Conn) net.Conn {
	for {
		switch x := c.(type) {
		case *tls.Conn:
			c = x.NetConn()
		case *undecided:
			c = x.Conn
		default:
			return c
		}
	}
}
