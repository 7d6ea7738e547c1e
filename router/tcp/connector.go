package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/stream"
)

// ConnectorConfig describes a tcpConnector. It is read only.
type ConnectorConfig struct {
	Name    string
	Address string // the service
	Host    string // IP address or name; empty is 127.0.0.1
	Port    string // number or service

	// TLS is nil for plain TCP. It verifies the server as it is to be verified;
	// ALPN is set here to what the client's side has chosen.
	TLS *tls.Config
	// Dialing is how many connections may be under way; 0 is 1,024. Further
	// streams are told that there is no server, instead of waiting.
	Dialing int
	// DialTime is how long connecting may take, over all addresses of the host
	// and without TLS; 0 is 10 s.
	DialTime time.Duration

	// Lot is where idle connections wait; nil leaves each a goroutine.
	Lot *Lot
	// Crew runs the streams; nil makes a goroutine for each.
	Crew   *Crew
	Stream stream.Options // its Totals and Continue are set here
	// Arrived is asked for the telemetry of each stream that comes for the
	// server; it may be nil, and so may what it returns.
	Arrived func(call stream.Call) Recorder
	// Explain words errors for people; nil leaves them.
	Explain func(err error) error
	// Serial is as in ListenerConfig.
	Serial *atomic.Uint64
	// TLSWords names errors of TLS as others do, "" for other errors; nil
	// leaves them out of the log.
	TLSWords func(err error) string
	Log      *slog.Logger // nil is silence
}

// Recorder takes the telemetry of a stream at its connector. Connected comes
// before all else, or not at all: then only Closed follows, with the reason.
type Recorder interface {
	stream.Recorder
	// Connected tells the near end of the connection to the server, which is
	// what the server takes for its client.
	Connected(local net.Addr)
}

// Connector connects streams to one server.
type Connector struct {
	cfg     ConnectorConfig
	roster  roster // of streams from the network and of joined clients
	resolve resolver
	dialing atomic.Int32
	moved   atomic.Int64  // when a connection was last made or refused, or the first was tried; Unix time, ns
	change  chan struct{} // capacity 1: Drain

	opened, closed, missed atomic.Uint64 // connections; missed could not be made
	failing                atomic.Bool   // the last one could not

	live  chan struct{}                   // closed when Run has begun
	carry func(e *stream.Egress, h *held) // carries a stream from the network; set before live is closed

	mu sync.Mutex
	// Guarded by mu.
	drained   bool
	lastError error
	lastTime  time.Time
}

// NewConnector returns a connector. It takes streams at once; they wait for Run,
// which must follow.
func NewConnector(cfg ConnectorConfig) *Connector {
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	if cfg.Dialing == 0 {
		cfg.Dialing = 1024
	}
	if cfg.DialTime == 0 {
		cfg.DialTime = 10 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Connector{cfg: cfg, change: make(chan struct{}, 1), live: make(chan struct{})}
	c.roster.begin()
	c.resolve.host = cfg.Host
	c.cfg.Stream.Totals, c.cfg.Stream.Continue = &c.roster.totals, c.roster.carry
	c.roster.crew = cfg.Crew
	return c
}

// Streams lists the streams that are open, in no order.
func (c *Connector) Streams() []Open { return c.roster.list() }

// Cut ends the stream of that number and reports whether there is one.
func (c *Connector) Cut(id uint64) bool { return c.roster.cutOne(id, errCut) }

// Name returns the connector's name.
func (c *Connector) Name() string { return c.cfg.Name }

// Address returns the service.
func (c *Connector) Address() string { return c.cfg.Address }

// Run carries streams until ctx is done, and cuts those that are open then; or
// until Drain, and then waits for those. It is called once and returns nil.
func (c *Connector) Run(ctx context.Context) error {
	c.carry = func(e *stream.Egress, h *held) {
		e.Start(ctx, func(err error) {
			if err != nil {
				c.cfg.Log.Debug("stream failed", "connector", c.cfg.Name, "address", c.cfg.Address, "err", err)
			}
			c.roster.leave(h)
		})
	}
	close(c.live)
	c.mu.Lock()
	drained := c.drained
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { c.roster.cut(context.Cause(ctx)) })
	defer stop()
	if !drained {
		select {
		case <-ctx.Done():
		case <-c.change:
		}
	}
	c.roster.end()
	c.roster.wg.Wait()
	return nil
}

// Drain takes no more streams. Run returns when the last one has ended.
func (c *Connector) Drain() {
	c.roster.end()
	c.mu.Lock()
	c.drained = true
	c.mu.Unlock()
	select {
	case c.change <- struct{}{}:
	default:
	}
}

// Accept takes a request stream. The sink gets its body. It does not block.
func (c *Connector) Accept(r stream.Receiving, h *stream.Head) session.Sink {
	if !c.roster.enter(0) {
		return stream.Refuse(r, stream.Unserved(h, "connector deleted"))
	}
	e, sink := stream.NewEgress(&c.cfg.Stream, dialer{c}, r, h)
	if e == nil {
		c.roster.leave(nil)
		return sink
	}
	held := c.roster.hold(e, c.cfg.Serial, nil)
	c.roster.carry(func() {
		<-c.live
		c.carry(e, held)
	})
	return sink
}

// Dial implements stream.Dialer for clients on the same router. Their streams
// end with the connector too.
func (c *Connector) Dial(ctx context.Context, call stream.Call) (stream.Leg, error) {
	if !c.roster.enter(0) {
		return stream.Leg{}, stream.ErrNoRoute
	}
	leg, err := c.dial(ctx, call)
	if err != nil {
		c.roster.leave(nil)
		return leg, err
	}
	h := c.roster.hold(&joined{leg.Socket}, c.cfg.Serial, nil)
	done := leg.Done
	leg.Done = func(err error) {
		done(err)
		c.roster.leave(h)
	}
	return leg, nil
}

// joined is the stream of a client on the same router.
type joined struct{ server stream.Socket }

// Cut implements carried.
func (j *joined) Cut(error) { j.server.Reset() }

// Carried implements carried.
func (j *joined) Carried() stream.Carried { return stream.Carried{Server: j.server} }

// dialer is the stream.Dialer for streams from the network.
type dialer struct{ c *Connector }

// Dial implements stream.Dialer.
func (d dialer) Dial(ctx context.Context, call stream.Call) (stream.Leg, error) {
	return d.c.dial(ctx, call)
}

// dial connects to the server and notes why it could not.
func (c *Connector) dial(ctx context.Context, call stream.Call) (stream.Leg, error) {
	var rec Recorder
	if c.cfg.Arrived != nil {
		rec = c.cfg.Arrived(call)
	}
	nc, err := c.reach(ctx, call.ALPN)
	if err != nil {
		err = c.failed(err)
		if rec != nil {
			rec.Closed(err)
		}
		return stream.Leg{}, err
	}
	c.opened.Add(1)
	c.failing.Store(false)
	leg := stream.Leg{Socket: newSocket(nc, c.cfg.Lot), Totals: &c.roster.totals, Done: c.done}
	if rec != nil {
		rec.Connected(nc.LocalAddr())
		leg.Recorder = rec
	}
	return leg, nil
}

// reach connects, unless too many connections are being made.
func (c *Connector) reach(ctx context.Context, alpn string) (net.Conn, error) {
	n := int(c.dialing.Add(1))
	defer c.dialing.Add(-1)
	if n > c.cfg.Dialing {
		return nil, stream.ErrLimit
	}
	if n == 1 {
		c.moved.Store(time.Now().UnixNano())
	}
	nc, err := c.connect(ctx, alpn)
	c.moved.Store(time.Now().UnixNano())
	return nc, err
}

func (c *Connector) done(error) { c.closed.Add(1) }

// Probe connects to the server once, TLS included, hangs up and returns how long
// connecting took. It is counted nowhere. The error is a *DialError, or
// stream.ErrLimit if too many connections are being made.
func (c *Connector) Probe(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	nc, err := c.reach(ctx, "")
	took := time.Since(begin)
	if err != nil {
		return took, c.worded(err)
	}
	_ = nc.Close() // nothing was sent
	return took, nil
}

// worded is why a connection could not be made, in words.
func (c *Connector) worded(err error) error {
	if errors.Is(err, stream.ErrLimit) {
		return err
	}
	cause := reason(err)
	if c.cfg.Explain != nil {
		err = c.cfg.Explain(err)
	}
	return &DialError{Host: c.cfg.Host, Port: c.cfg.Port, Err: err, cause: cause}
}

// failed notes err and words it.
func (c *Connector) failed(err error) error {
	c.tlsFailed(err)
	err = c.worded(err)
	c.missed.Add(1)
	c.failing.Store(true)
	c.mu.Lock()
	c.lastError, c.lastTime = err, time.Now()
	c.mu.Unlock()
	return err
}

// silence is how long a server may take to answer until that is worth a word.
const silence = time.Second

// ConnectorStatus describes a connector. Counters count connections to the
// server, Refused the streams that found the connector on its way out.
type ConnectorStatus struct {
	Counters
	Dialing   int       // connections being made
	Silent    bool      // they are, and the server has not answered for a while
	Failed    uint64    // connections that could not be made
	Failing   bool      // the last one could not
	LastError error     // why the last connection that failed did; in words
	LastTime  time.Time // when
}

// Status describes the connector.
func (c *Connector) Status() ConnectorStatus {
	s := ConnectorStatus{Counters: c.roster.counters(), Dialing: int(c.dialing.Load()), Failed: c.missed.Load(), Failing: c.failing.Load()}
	s.Silent = s.Dialing > 0 && time.Since(time.Unix(0, c.moved.Load())) > silence
	s.Closed = c.closed.Load() // first: it is never more than opened
	s.Opened = c.opened.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.LastError, s.LastTime = c.lastError, c.lastTime
	return s
}
