package conn

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Conn is one AMQP connection.
type Conn struct {
	// App is free for the handler. Set it before Run or in Opened.
	App any

	// Set by New, then read only.
	cfg  Config
	h    Handler
	born time.Time

	wire  wire
	inbox inbox // Owned by the goroutine of Run until the reader starts, then by the reader.

	mu      sync.Mutex
	written sync.Cond // of mu: nobody is writing any more; told only after over

	// Guarded by mu.
	e          *session.Engine
	framing    bool        // the handshakes are done
	writing    bool        // somebody composes or writes, see write.go
	hurried    bool        // Close waits for nothing any more
	over       bool        // every last call has been made
	pools      [2]linkPool // of streaming links, without and with capability
	patient    bool        // see AwaitSettlement
	lastWriter *Sending    // the last delivery with Inline that was written
	lastWrite  int64       // clock of that
	mechanism  amqp.Symbol
	user       string

	// The reader is calling handlers, and wakes the writer afterwards if
	// something was queued meanwhile.
	dispatching atomic.Bool
	deferred    atomic.Bool

	wake   chan struct{} // capacity 1: there is something to write
	ending chan struct{} // capacity 1: Close or Abort was called, or the connection has failed
	up     chan struct{} // closed when the peer's Open has come

	failure atomic.Pointer[Error] // the first reason to end that is nobody's wish
	broken  atomic.Pointer[Error] // the first write that failed
	aborted atomic.Bool

	tracer atomic.Pointer[Tracer]

	peerIdle          atomic.Int64 // the peer's idle time-out, ns; 0: none
	bytesIn, bytesOut atomic.Uint64
	lastIn, lastOut   atomic.Int64 // clock when a delivery began, ended; 0: never
}

// New returns a connection over nc, which it owns from now on. Run makes it
// live.
func New(nc net.Conn, cfg Config, h Handler) *Conn {
	cfg = cfg.withDefaults()
	c := &Conn{
		cfg: cfg, h: h, born: time.Now(),
		e:      session.New(cfg.params(), &cfg.Open),
		wake:   make(chan struct{}, 1),
		ending: make(chan struct{}, 1),
		up:     make(chan struct{}),
	}
	c.written.L = &c.mu
	c.SetTrace(cfg.Trace)
	c.wire.init(nc, c.signal)
	return c
}

// Close ends the connection: what is queued and allowed to leave is sent, then
// Close with err (nil: without error). It returns at once.
func (c *Conn) Close(err *amqp.Error) {
	c.mu.Lock()
	c.e.Close(err)
	c.mu.Unlock()
	notify(c.ending)
	c.signal()
}

// Abort ends the connection without Close, as a lost network would: Run returns
// an Error with err. It is for the takeover of a connection group and for a
// local limit.
func (c *Conn) Abort(err error) {
	c.fail(&Error{Err: err})
	c.aborted.Store(true)
	notify(c.ending)
}

// fail notes the reason why the connection ends; the first one counts.
func (c *Conn) fail(err *Error) { c.failure.CompareAndSwap(nil, err) }

// signal wakes the writer.
func (c *Conn) signal() { notify(c.wake) }

// notify sets a flag that is a channel of capacity 1.
func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Begin begins the sessions of the given classes ahead of their first link.
func (c *Conn) Begin(classes ...int) {
	c.mu.Lock()
	for _, class := range classes {
		c.e.Session(class)
	}
	c.unlock()
}

// Overdue is a link that something is wrong with, see session.Overdue.
type Overdue struct {
	Link    *Link
	Blocked bool // without credit; else it is a delivery that is stuck
}

// Second tells the connection that a second has passed; the ages of deliveries
// are counted in these. It returns what is overdue since then.
func (c *Conn) Second() (list []Overdue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.e.Second() {
		if l, ok := o.Link.App.(*Link); ok {
			list = append(list, Overdue{Link: l, Blocked: o.Blocked})
		}
	}
	return list
}

// Unsent is the number of payload bytes that are queued and not yet written.
func (c *Conn) Unsent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.e.Unsent()
}

// clock is a monotonic time: ns since the connection was made.
func (c *Conn) clock() int64 { return int64(time.Since(c.born)) }

// Silence is the time since the peer's last byte.
func (c *Conn) Silence() time.Duration {
	return time.Duration(c.clock() - c.inbox.heard.Load())
}

// finish makes the last calls of every link and delivery.
func (c *Conn) finish(reason *amqp.Error) {
	c.mu.Lock()
	events := c.e.Abandon(reason)
	c.over = true
	for c.writing { // a pump; it cannot wait any more, and nobody begins
		c.written.Wait()
	}
	c.pools = [2]linkPool{}
	c.mu.Unlock()
	c.dispatch(events)
}

// Run performs the handshakes, then serves the connection until it ends. When
// it returns, the socket is closed, no goroutine is left and every link and
// delivery has had its last call.
//
// It returns nil after Close, after ctx is done and after a Close of the peer
// without error; otherwise an *Error: with the stage that failed, and with the
// peer's *amqp.Error inside if it gave one. A peer that ends without Close is
// an Error that wraps io.EOF: normal for a process that was stopped.
func (c *Conn) Run(ctx context.Context) error {
	failure := c.handshake(ctx)
	if failure == nil {
		failure = c.serve(ctx)
	}
	_ = c.wire.nc.Close()
	c.finish(lost(failure))
	c.wire.release()
	if failure == nil || ctx.Err() != nil {
		return nil
	}
	return failure
}

// lost is what links and deliveries hear of the connection's end.
func lost(err *Error) *amqp.Error {
	e := &amqp.Error{Condition: ErrConnectionLost, Description: "connection closed"}
	if err != nil {
		e.Description = err.Error()
	}
	return e
}
