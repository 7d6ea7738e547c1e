package conn

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// State describes a connection for status and management.
type State struct {
	Remote     *amqp.Open // the peer's; nil before Opened
	RemoteAddr net.Addr
	LocalAddr  net.Addr
	TLS        *tls.ConnectionState // nil if plain, and before the handshake
	Mechanism  amqp.Symbol          // SASL; empty if the peer skipped it
	User       string               // subject of the peer's certificate, or "anonymous"
	Stats      Stats
}

// Stats counts since the connection began.
type Stats struct {
	BytesIn, BytesOut uint64 // of AMQP, before encryption
	Links             int    // attached now
	Sessions          int    // begun now
	Unsettled         int    // incoming deliveries now
	Unsent            int    // payload bytes queued now
	DeliveriesIn      uint64 // begun
	DeliveriesOut     uint64
	Outcomes          session.LinkStats // of incoming deliveries; Dropped of both directions
	Stuck             int               // deliveries that are not over after more than 10 s, now
	Blocked           int               // links without credit for more than 10 s, now
	LastIn, LastOut   time.Time         // a delivery began, ended; zero: never
}

// State describes the connection.
func (c *Conn) State() State {
	s := State{RemoteAddr: c.wire.nc.RemoteAddr(), LocalAddr: c.wire.nc.LocalAddr()}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Remote, s.TLS = c.e.Remote(), c.wire.state
	s.Mechanism, s.User = c.mechanism, c.user
	n := c.e.Stats()
	s.Stats = Stats{
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
		Links: c.e.Links(), Sessions: c.e.Sessions(), Unsettled: c.e.Unsettled(), Unsent: c.e.Unsent(),
		DeliveriesIn: n.DeliveriesIn, DeliveriesOut: n.DeliveriesOut, Outcomes: n.Outcomes,
		Stuck: n.Stuck, Blocked: n.Blocked,
		LastIn: c.at(c.lastIn.Load()), LastOut: c.at(c.lastOut.Load()),
	}
	return s
}

// Octets returns how many bytes of AMQP have come in and gone out.
func (c *Conn) Octets() (in, out uint64) { return c.bytesIn.Load(), c.bytesOut.Load() }

// at returns the time of a clock reading, zero for none.
func (c *Conn) at(clock int64) time.Time {
	if clock == 0 {
		return time.Time{}
	}
	return c.born.Add(time.Duration(clock))
}
