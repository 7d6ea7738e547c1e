package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
)

// ErrClosed is returned by calls after Close.
var ErrClosed = errors.New("management client closed")

// Target says which node to ask and how to reach it.
type Target struct {
	Network string // "unix" or "tcp"
	Address string // a path, or HOST:PORT
	TLS     *tls.Config

	// Node is the address of the management node; "" is the router that
	// Address belongs to. _topo/0/ID/$management and _edge/ID/$management are
	// others in its network.
	Node string

	// ContainerID names the client in the router's list of connections; "" is
	// one made up.
	ContainerID string

	Log *slog.Logger // nil is silence
}

// Client is a connection to a management node.
type Client struct {
	// Set by Connect, then read only.
	node   string
	conn   *conn.Conn
	ready  chan struct{} // closed when both links are attached
	gone   chan struct{} // closed when the connection has ended and failure is set
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	attached bool                   // Guarded by mu: ready is closed.
	sender   *conn.Link             // Guarded by mu.
	receiver *conn.Link             // Guarded by mu.
	replyTo  string                 // Guarded by mu.
	refused  error                  // Guarded by mu: why a link is not there.
	closed   bool                   // Guarded by mu: by Close.
	last     uint64                 // Guarded by mu: the newest correlation-id.
	pending  map[uint64]chan result // Guarded by mu: requests without a reply, capacity 1.
	failure  error                  // Set before gone is closed.
}

// result is what a request comes to.
type result struct {
	reply *amqp.Message
	err   error
}

// Dial connects to a target. The connection lives until Close; ctx is for
// dialing and attaching alone.
func Dial(ctx context.Context, t Target) (*Client, error) {
	nc, err := new(net.Dialer).DialContext(ctx, t.Network, t.Address)
	if err != nil {
		return nil, conn.InWords(err)
	}
	return Connect(ctx, nc, t)
}

// Connect is Dial over a connection that is already there and that the Client
// owns from now on.
func Connect(ctx context.Context, nc net.Conn, t Target) (*Client, error) {
	c := &Client{
		node: cmp.Or(t.Node, "$management"), ready: make(chan struct{}), gone: make(chan struct{}), pending: map[uint64]chan result{},
	}
	c.conn = conn.New(nc, conn.Config{
		Open:   amqp.Open{ContainerID: cmp.Or(t.ContainerID, "management-"+rand.Text())},
		Client: true, TLS: t.TLS, Log: t.Log,
	}, c)
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	c.done.Go(func() {
		err := c.conn.Run(live)
		c.end(err)
	})
	select {
	case <-c.ready:
		return c, nil
	case <-c.gone:
		_ = c.Close()
		return nil, c.failure
	case <-ctx.Done():
		cancel() // also ends a handshake
		_ = c.Close()
		return nil, ctx.Err()
	}
}

// Close ends the connection and waits for its end. Calls that wait return
// ErrClosed. It returns nil.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.conn.Close(nil)
	c.done.Wait()
	c.cancel()
	return nil
}

// end is called when the connection has ended.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.refused != nil:
		c.failure = c.refused
	case err != nil:
		c.failure = err
	case c.closed:
		c.failure = ErrClosed
	default:
		c.failure = errors.New("connection closed by the router")
	}
	close(c.gone)
}

// Opened attaches the link for replies. It implements conn.Handler.
func (c *Client) Opened(cn *conn.Conn, _ *amqp.Open) {
	const credit = 16 // replies under way
	cn.Attach(conn.LinkConfig{
		Session: conn.ClassEndpoint, Source: &amqp.Source{Dynamic: true}, Target: &amqp.Target{},
		Credit: conn.CreditPolicy{Window: credit}, Events: c,
	})
	cn.Attach(conn.LinkConfig{
		Session: conn.ClassEndpoint, Sender: true, Source: &amqp.Source{}, Target: &amqp.Target{Address: c.node}, Events: c,
	})
}

// Attached refuses links: there is nothing here to attach to. It implements
// conn.Handler.
func (c *Client) Attached(_ *conn.Conn, l *conn.Link) {
	l.Refuse(&amqp.Error{Condition: amqp.ErrNotFound, Description: "no such node"})
}

// Answered implements conn.LinkEvents.
func (c *Client) Answered(l *conn.Link) {
	if l.Refused() {
		return // Detached follows
	}
	var address any
	if source := l.Remote().Source; source != nil {
		address = source.Address
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.Sender() {
		c.sender = l
	} else {
		c.receiver = l
		c.replyTo, _ = address.(string)
	}
	if c.sender != nil && c.receiver != nil && !c.attached {
		c.attached = true
		close(c.ready)
	}
}

// Credit implements conn.LinkEvents. Requests are queued on the link.
func (c *Client) Credit(*conn.Link) {}

// Detached implements conn.LinkEvents: without one of its links a client is of
// no use.
func (c *Client) Detached(_ *conn.Link, err *amqp.Error) {
	c.mu.Lock()
	if c.refused == nil && !c.closed && (err == nil || err.Condition != conn.ErrConnectionLost) {
		c.refused = fmt.Errorf("management node %s: link detached", c.node)
		if err != nil {
			c.refused = fmt.Errorf("management node %s: %w", c.node, err)
		}
	}
	c.mu.Unlock()
	c.conn.Close(nil)
}

// Begin implements conn.LinkEvents.
func (c *Client) Begin(r *conn.Receiving) conn.Sink { return &reply{c: c, r: r} }
