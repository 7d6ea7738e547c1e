package web

import (
	"crypto/tls"
	"net"
	"sync"
)

// Either accepts connections with TLS and without from one listener. What comes
// first on a connection tells, when somebody reads from it.
func Either(ln net.Listener, cfg *tls.Config) net.Listener { return &either{ln, cfg} }

type either struct {
	net.Listener

	cfg *tls.Config
}

// Accept implements net.Listener.
func (e *either) Accept() (net.Conn, error) {
	c, err := e.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &undecided{Conn: c, cfg: e.cfg}, nil
}

// undecided is a connection of which nothing has come.
type undecided struct {
	net.Conn // the socket

	cfg  *tls.Config
	once sync.Once
	in   net.Conn // Set by decide.
	err  error    // Set by decide.
}

// handshakeRecord is the first octet of a TLS connection (RFC 8446 §5.1).
const handshakeRecord = 0x16

func (c *undecided) decide() {
	first := make([]byte, 1)
	if _, c.err = c.Conn.Read(first); c.err != nil {
		return
	}
	c.in = &unread{Conn: c.Conn, first: first}
	if first[0] == handshakeRecord {
		c.in = tls.Server(c.in, c.cfg)
	}
}

// Read implements net.Conn.
func (c *undecided) Read(p []byte) (int, error) {
	c.once.Do(c.decide)
	if c.err != nil {
		return 0, c.err
	}
	return c.in.Read(p)
}

// Write implements net.Conn.
func (c *undecided) Write(p []byte) (int, error) {
	c.once.Do(c.decide)
	if c.err != nil {
		return 0, c.err
	}
	return c.in.Write(p)
}

// unread is a connection some of whose octets were read already.
type unread struct {
	net.Conn

	first []byte
}

// Read implements net.Conn.
func (c *unread) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
