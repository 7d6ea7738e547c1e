package web

import (
	"net"
	"net/http"
	"sync"

	"golang.org/x/net/websocket"
)

// Tunnel is a net.Listener whose connections are WebSockets with AMQP in them
// (subprotocol "amqp"). It is also the http.Handler that makes them.
type Tunnel struct {
	addr   net.Addr
	arrive chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewTunnel returns a Tunnel at the address of an HTTP listener.
func NewTunnel(addr net.Addr) *Tunnel {
	return &Tunnel{addr: addr, arrive: make(chan net.Conn), closed: make(chan struct{})}
}

// ServeHTTP implements http.Handler. It returns when the connection is over.
func (t *Tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	websocket.Server{Handshake: handshake, Handler: func(ws *websocket.Conn) {
		ws.PayloadType = websocket.BinaryFrame
		c := &tunneled{Conn: ws, r: r, over: make(chan struct{})}
		select {
		case t.arrive <- c:
		case <-t.closed:
			return
		}
		select {
		case <-c.over:
		case <-t.closed: // the one who took it closes it as well
		}
	}}.ServeHTTP(w, r)
}

// handshake takes the subprotocol amqp and a client that names none.
func handshake(c *websocket.Config, _ *http.Request) error {
	for _, p := range c.Protocol {
		if p == "amqp" {
			c.Protocol = []string{p}
			return nil
		}
	}
	if len(c.Protocol) > 0 {
		return websocket.ErrBadWebSocketProtocol
	}
	return nil
}

// Accept implements net.Listener.
func (t *Tunnel) Accept() (net.Conn, error) {
	select {
	case c := <-t.arrive:
		return c, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (t *Tunnel) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// Addr implements net.Listener.
func (t *Tunnel) Addr() net.Addr { return t.addr }

// tunneled is a connection that tells its handler when it is over.
type tunneled struct {
	*websocket.Conn

	r    *http.Request
	over chan struct{}
	once sync.Once
}

// Close implements net.Conn.
func (c *tunneled) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.over) })
	return err
}

// RemoteAddr implements net.Conn: the client, not the URL that it named.
func (c *tunneled) RemoteAddr() net.Addr { return named(c.r.RemoteAddr) }

// named is an address as text.
type named string

func (named) Network() string  { return "tcp" }
func (n named) String() string { return string(n) }
