package conn

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/skupper-host/skupper/router/amqp"
)

// Conn is one AMQP connection.
type Conn struct {
	nc  net.Conn
	cfg Config
	h   Handler

	// App is free for the handler. Set it before Run or in Opened.
	App any
}

// New returns a connection over nc, which it owns from now on. Run makes it
// live.
func New(nc net.Conn, cfg Config, h Handler) *Conn { return &Conn{nc: nc, cfg: cfg, h: h} }

// Run performs the handshakes, then serves the connection until it ends. When
// it returns, the socket is closed, no goroutine is left and every link and
// delivery has had its last call.
//
// It returns nil after Close, after ctx is done and after a Close of the peer
// without error; otherwise an *Error: with the stage that failed, and with the
// peer's *amqp.Error inside if it gave one. A peer that ends without Close is
// an Error that wraps io.EOF: normal for a process that was stopped.
func (c *Conn) Run(ctx context.Context) error { return nil }

// Close ends the connection: what is queued and allowed to leave is sent, then
// Close with err (nil: without error). It returns at once.
func (c *Conn) Close(err *amqp.Error) {}

// Abort ends the connection without Close, as a lost network would: err is
// what Run returns. It is for the takeover of a connection group and for a
// local limit.
func (c *Conn) Abort(err error) {}

// Attach attaches a link. A connection that is already gone returns a link
// whose Detached comes as usual.
func (c *Conn) Attach(a LinkConfig) *Link { return nil }

// StreamLink returns a link for one streaming delivery: a pooled one that is
// idle or a new one. With capable its termini carry the qd.router-data
// capability (control connections of role inter-router), otherwise they are
// anonymous (data and edge connections). The link returns to the pool by
// itself when the last transfer of the next delivery sent on it was emitted,
// so exactly one Send is due.
func (c *Conn) StreamLink(capable bool) *Link { return nil }

// Unsent is the number of payload bytes that are queued and not yet written.
func (c *Conn) Unsent() int { return 0 }

// State describes the connection. Before Opened some fields are empty.
func (c *Conn) State() State { return State{} }

// State describes a connection for status and management.
type State struct {
	Opened     bool
	Remote     *amqp.Open // the peer's; nil before Opened
	RemoteAddr net.Addr
	LocalAddr  net.Addr
	TLS        *tls.ConnectionState // nil if plain
	Mechanism  amqp.Symbol          // SASL; empty if the peer skipped it
	User       string               // certificate subject, or anonymous
	Stats      Stats
}

// Stats counts since the connection began.
type Stats struct {
	BytesIn, BytesOut   uint64 // of AMQP, before encryption
	Links               int    // attached now
	Sessions            int    // begun now
	DeliveriesIn        uint64
	DeliveriesOut       uint64
	LastDeliveryIn      int64 // ns since the Unix epoch, granularity one batch; 0 = never
	LastDeliveryOut     int64
	IncomingUnsettled   int
	OutgoingUndelivered int
}
