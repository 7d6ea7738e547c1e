package tcp

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/stream"
)

// testRouter does what is needed of a router around this package: it sends
// requests to its own connectors or over its only trunk, and replies home.
type testRouter struct {
	t    testing.TB
	name string

	mu         sync.Mutex
	connectors map[string][]*Connector
	temps      map[string]stream.ReplyTaker
	next       int
	trunks     map[string]*conn.Conn // by the router at the other end
	routes     map[string]string     // service → router

	lot      *Lot // of its sockets, which are idle very soon
	attached atomic.Int64
}

var (
	_ stream.Sending   = (*conn.Sending)(nil)
	_ stream.Receiving = (*conn.Receiving)(nil)
	_ stream.Opener    = (*testRouter)(nil)
	_ stream.Router    = (*testRouter)(nil)
	_ stream.Dialer    = (*Connector)(nil)
	_ stream.Splicer   = (*plain)(nil)
	_ stream.Parker    = (*plain)(nil)
)

func newTestRouter(t testing.TB, name string) *testRouter {
	lot := NewLot()
	lot.period = time.Millisecond
	start(t, lot.Run)
	return &testRouter{
		lot: lot,
		t:   t, name: name, connectors: map[string][]*Connector{}, temps: map[string]stream.ReplyTaker{},
		trunks: map[string]*conn.Conn{}, routes: map[string]string{},
	}
}

// Open implements stream.Opener.
func (r *testRouter) Open(_ context.Context, q stream.Request) (stream.Path, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.Reply != nil {
		for _, c := range r.connectors[q.Address] {
			if !slices.Contains(q.Tried, any(c)) {
				return stream.Path{Local: c, Choice: c}, nil
			}
		}
	}
	c := r.wayTo(q.Address)
	if c == nil || slices.Contains(q.Tried, any(c)) {
		return stream.Path{}, stream.ErrNoRoute
	}
	p := stream.Path{Annotations: r.annotations(nil), Choice: c, Early: true}
	if q.Reply != nil {
		r.next++
		token := fmt.Sprintf("temp.%d", r.next)
		r.temps[token] = q.Reply
		p.ReplyTo = "amqp:/_topo/0/" + r.name + "/" + token
	}
	p.Sending = send(c, q.Outcome)
	return p, nil
}

func send(c *conn.Conn, out session.Outcome) stream.Sending {
	s := c.StreamLink(false).Send(out, false)
	s.Inline = true
	return s
}

// annotations are those of a message that came with trace.
func (r *testRouter) annotations(trace []string) []byte {
	id := "0/" + r.name
	a := amqp.Annotations{Flags: amqp.FlagStreaming | amqp.FlagUnlimited, Ingress: id, HasIngress: true, Trace: append(trace, id)}
	return a.Append(nil)
}

// wayTo is called with mu held.
func (r *testRouter) wayTo(address string) *conn.Conn {
	var to, token string
	if n, _ := fmt.Sscanf(address, "amqp:/_topo/0/%1s/%s", &to, &token); n == 2 {
		return r.trunks[to]
	}
	return r.trunks[r.routes[address]]
}

// Close implements stream.Opener.
func (r *testRouter) Close(p stream.Path) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.temps, tokenOf(p.ReplyTo))
}

func tokenOf(address string) string { return address[max(0, strings.LastIndex(address, "temp.")):] }

// Route implements stream.Router.
func (r *testRouter) Route(in stream.Receiving, h *stream.Head) (session.Sink, int) {
	if !h.Whole {
		return nil, 0
	}
	to := string(h.To)
	r.mu.Lock()
	taker := r.temps[tokenOf(to)]
	var connector *Connector
	if c := r.connectors[to]; len(c) > 0 {
		connector = c[0]
	}
	way := r.wayTo(to)
	r.mu.Unlock()
	switch {
	case taker != nil:
		return taker.Reply(in, h), h.BodyOffset
	case connector != nil:
		return connector.Accept(in, h), h.BodyOffset
	case way != nil:
		return r.relay(in, h, way), h.Annotations.Len
	}
	return stream.Refuse(in, stream.Unserved(h, "")), len(h.Message)
}

func (r *testRouter) relay(in stream.Receiving, h *stream.Head, way *conn.Conn) session.Sink {
	var a amqp.Annotations
	if _, err := a.Decode(h.Message); err != nil {
		r.t.Errorf("router annotations: %v", err)
	}
	k, err := stream.NewRelay(in, func(out session.Outcome, _ []any) (stream.Path, error) {
		s := way.StreamLink(false).Send(out, false)
		return stream.Path{Sending: s, Annotations: r.annotations(a.Trace)}, nil
	}, stream.RelayOptions{})
	if err != nil {
		r.t.Error(err)
	}
	return k
}

// Opened implements conn.Handler.
func (r *testRouter) Opened(c *conn.Conn, o *amqp.Open) {
	r.mu.Lock()
	r.trunks[o.ContainerID] = c
	r.mu.Unlock()
	if ready, ok := c.App.(chan struct{}); ok {
		close(ready)
	}
}

// Attached implements conn.Handler.
func (r *testRouter) Attached(_ *conn.Conn, l *conn.Link) {
	r.attached.Add(1)
	l.Accept(nil, nil, nil, conn.CreditPolicy{Window: 250}, events{r})
}

// events takes the deliveries of one link.
type events struct{ r *testRouter }

func (events) Answered(*conn.Link)                     {}
func (events) Credit(*conn.Link)                       {}
func (events) Detached(*conn.Link, *amqp.Error)        {}
func (e events) Begin(in *conn.Receiving) session.Sink { return stream.NewIntake(in, e.r, nil) }

// link joins two routers by a connection over loopback, which ends with the
// test.
func link(t testing.TB, a, b *testRouter, window uint32) (cut func()) {
	t.Helper()
	x, y := loopback(t)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	var readies []chan struct{}
	for _, side := range []struct {
		r      *testRouter
		nc     net.Conn
		client bool
	}{{a, x, true}, {b, y, false}} {
		cfg := conn.Config{Client: side.client, SessionWindow: window}
		cfg.Open.ContainerID = side.r.name
		c := conn.New(side.nc, cfg, side.r)
		ready := make(chan struct{})
		c.App = ready
		readies = append(readies, ready)
		done.Go(func() { _ = c.Run(ctx) })
	}
	for _, ready := range readies {
		<-ready
	}
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return func() { _ = x.Close() }
}

// loopback returns the ends of a TCP connection.
func loopback(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = net.DialTCP("tcp", nil, ln.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
	})
	return client, server
}

// serve runs a server for the test and returns its address.
func serve(t testing.TB, f func(c *net.TCPConn)) *net.TCPAddr {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			done.Go(func() {
				defer c.Close()
				f(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		done.Wait()
	})
	return ln.Addr().(*net.TCPAddr)
}

func echo(c *net.TCPConn) {
	_, _ = io.Copy(c, c)
	_ = c.CloseWrite()
}

// start runs a Listener or Connector until the end of the test.
func start(t testing.TB, run func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = run(ctx) })
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
}

// connect adds a connector to server for a service, and runs it.
func (r *testRouter) connect(service string, server *net.TCPAddr, change func(*ConnectorConfig)) *Connector {
	r.t.Helper()
	c := r.connector(service, server, change)
	start(r.t, c.Run)
	return c
}

// connector adds a connector that does not run.
func (r *testRouter) connector(service string, server *net.TCPAddr, change func(*ConnectorConfig)) *Connector {
	cfg := ConnectorConfig{Name: service, Address: service, Host: server.IP.String(), Port: fmt.Sprint(server.Port)}
	cfg.Stream.Opener, cfg.Lot = r, r.lot
	if change != nil {
		change(&cfg)
	}
	c := NewConnector(cfg)
	r.mu.Lock()
	r.connectors[service] = append(r.connectors[service], c)
	r.mu.Unlock()
	return c
}

// listen adds a listener for a service and returns where it listens.
func (r *testRouter) listen(service string, change func(*ListenerConfig)) (*Listener, string) {
	r.t.Helper()
	cfg := ListenerConfig{Name: service, Endpoint: Endpoint{"127.0.0.1", "0"}, Targets: []Target{{Address: service}}}
	cfg.Stream.Opener, cfg.Lot = r, r.lot
	if change != nil {
		change(&cfg)
	}
	if cfg.Socket == nil {
		ln, err := Bind(context.Background(), cfg.Endpoint, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		cfg.Socket = ln
	}
	l := NewListener(cfg)
	l.SetReachable(service, true)
	start(r.t, l.Run)
	return l, cfg.Socket.Addr().String()
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// inOrder opens streams at the routers of order, one after the other: A is the
// local one.
type inOrder struct {
	*testRouter
	order string
}

// Open implements stream.Opener.
func (o *inOrder) Open(ctx context.Context, q stream.Request) (stream.Path, error) {
	n := len(q.Tried)
	if n == len(o.order) {
		return stream.Path{}, stream.ErrNoRoute
	}
	to := o.order[n : n+1]
	if to == o.name {
		k := o.connectors[q.Address]
		return stream.Path{Local: k[min(n, len(k)-1)], Choice: n}, nil
	}
	q.Tried = nil
	o.mu.Lock()
	o.routes[q.Address] = to
	local := o.connectors
	o.connectors = nil
	o.mu.Unlock()
	p, err := o.testRouter.Open(ctx, q)
	o.mu.Lock()
	o.connectors = local
	o.mu.Unlock()
	p.Choice = n
	return p, err
}
