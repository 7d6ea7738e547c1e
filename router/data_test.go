package router

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// network is a set of routers with a listener of service "svc" at one place and
// its connector at another.
type network struct {
	nodes  []*node
	at     string // the listener
	server *server
}

// networks are the ways that a stream can take.
func networks() map[string]func(t *testing.T, s *server) *network {
	return map[string]func(t *testing.T, s *server) *network{
		"one router": func(t *testing.T, s *server) *network {
			n := newNode(t, "only", "interior")
			n.offers("in", "svc")
			n.serves("out", "svc", s)
			return begin(s, n)
		},
		"two routers": func(t *testing.T, s *server) *network { return pair(t, s) },
		"three routers": func(t *testing.T, s *server) *network {
			west, middle, east := newNode(t, "west", "interior"), newNode(t, "middle", "interior"), newNode(t, "east", "interior")
			host, port := middle.listens("links", "inter-router", nil)
			west.dials("to-middle", "inter-router", host, port, nil)
			east.dials("to-middle", "inter-router", host, port, nil)
			west.offers("in", "svc")
			east.serves("out", "svc", s)
			return begin(s, west, middle, east)
		},
		"edge to edge": func(t *testing.T, s *server) *network {
			west, middle, east := newNode(t, "west", "edge"), newNode(t, "middle", "interior"), newNode(t, "east", "edge")
			host, port := middle.listens("edges", "edge", nil)
			west.dials("uplink", "edge", host, port, nil)
			east.dials("uplink", "edge", host, port, nil)
			west.offers("in", "svc")
			east.serves("out", "svc", s)
			return begin(s, west, middle, east)
		},
	}
}

// pair is two routers with mutual TLS and two data connections between them;
// the second one dials.
func pair(t *testing.T, s *server) *network {
	t.Helper()
	ca := newAuthority(t)
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	west.add("sslProfile", ca.profile("links", certificate{name: "west"}))
	host, port := west.listens("links", "inter-router", attrs{"sslProfile": "links", "saslMechanisms": "EXTERNAL", "authenticatePeer": true})
	east.entities[0].attrs["dataConnectionCount"] = "2"
	east.add("sslProfile", ca.profile("links", certificate{name: "east"}))
	east.dials("to-west", "inter-router", host, port, attrs{"sslProfile": "links"})
	west.offers("in", "svc")
	east.serves("out", "svc", s)
	return begin(s, west, east)
}

func begin(s *server, nodes ...*node) *network {
	for _, n := range nodes {
		n.start()
	}
	return &network{nodes: nodes, at: nodes[0].address("in"), server: s}
}

// TestStreams does with every way what applications do with connections.
func TestStreams(t *testing.T) {
	t.Parallel()
	for name, build := range networks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := build(t, serve(t, echo))
			for name, f := range map[string]func(t *testing.T, w *network){
				"echo":                 testEcho,
				"server speaks first":  testServerFirst,
				"half-close by client": testClientHalfClose,
				"half-close by server": testServerHalfClose,
				"no server":            testNoServer,
				"client resets":        testClientReset,
				"server resets":        testServerReset,
				"slow readers":         testSlowReaders,
				"bulk both ways":       testBulk,
			} {
				t.Run(name, func(t *testing.T) { f(t, w) })
			}
			for _, n := range w.nodes {
				n.idle()
			}
		})
	}
}

// idle waits until nothing is left of any stream.
func (n *node) idle() {
	n.t.Helper()
	eventually(n.t, "no streams at "+n.id(), func() error {
		var active uint64
		n.on(func(r *Router) {
			for _, e := range r.entities {
				switch x := e.(type) {
				case *service:
					active += x.listener.Status().Active()
				case *connectorService:
					active += x.connector.Status().Active()
				}
			}
		})
		if temps, reserved := n.r.temps.count(), n.r.budget.Reserved(); active > 0 || temps > 0 || reserved > 0 {
			return fmt.Errorf("%d streams, %d reply addresses, %d bytes of windows", active, temps, reserved)
		}
		return nil
	})
}

func testEcho(t *testing.T, w *network) {
	w.server.does(echo)
	for i := range 20 {
		if err := request(w.at); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
}

func testServerFirst(t *testing.T, w *network) {
	const greeting = "220 ready\n"
	w.server.does(func(c *net.TCPConn) {
		_, _ = io.WriteString(c, greeting)
		_, _ = io.Copy(io.Discard, c)
	})
	for i := range 50 {
		c := dial(t, w.at)
		got := make([]byte, len(greeting))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != greeting {
			t.Fatalf("connection %d: %q, %v", i, got, err)
		}
		_ = c.Close()
	}
}

func testClientHalfClose(t *testing.T, w *network) {
	w.server.does(func(c *net.TCPConn) {
		n, _ := io.Copy(io.Discard, c)
		_, _ = fmt.Fprintf(c, "got %d\n", n)
	})
	c := dial(t, w.at)
	if _, err := c.Write(make([]byte, 200_000)); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "got 200000\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func testServerHalfClose(t *testing.T, w *network) {
	got := make(chan int64, 1)
	w.server.does(func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "bye")
		_ = c.CloseWrite()
		n, _ := io.Copy(io.Discard, c)
		got <- n
	})
	c := dial(t, w.at)
	text, err := io.ReadAll(c)
	if err != nil || string(text) != "bye" {
		t.Fatalf("%q, %v", text, err)
	}
	if _, err := c.Write(make([]byte, 300_000)); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	select {
	case n := <-got:
		if n != 300_000 {
			t.Errorf("the server got %d bytes", n)
		}
	case <-time.After(patience):
		t.Error("the server sees no end")
	}
}

// testNoServer: a client is closed at once, before it has said anything and
// after, and without a reset.
func testNoServer(t *testing.T, w *network) {
	w.server.down()
	defer w.server.up()
	for _, text := range []string{"", "hello"} {
		c := dial(t, w.at)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(c, text)
		got, err := io.ReadAll(c)
		if len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) || err != nil && text == "" {
			t.Errorf("after %q: %q, %v", text, got, err)
		}
	}
}

func testClientReset(t *testing.T, w *network) {
	gone := make(chan error, 1)
	w.server.does(func(c *net.TCPConn) {
		_, err := io.Copy(c, c)
		gone <- err
	})
	c := dial(t, w.at)
	if err := roundTrip(c, "before"); err != nil {
		t.Fatal(err)
	}
	_ = c.SetLinger(0)
	_ = c.Close()
	select {
	case err := <-gone:
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the server sees %v, not a reset", err)
		}
	case <-time.After(patience):
		t.Error("the server does not notice")
	}
}

func testServerReset(t *testing.T, w *network) {
	w.server.does(func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.SetLinger(0)
	})
	c := dial(t, w.at)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := ended(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v, not a reset", err)
	}
}

// testSlowReaders: clients that do not read do not hold up one that does, and
// get everything when they read again.
func testSlowReaders(t *testing.T, w *network) {
	const size = 8 << 20 // more than windows and sockets hold
	w.server.does(func(c *net.TCPConn) {
		_, _ = io.Copy(c, newSource(size))
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	var slow []*net.TCPConn
	for range 8 {
		c := dial(t, w.at)
		if err := c.SetReadBuffer(64 << 10); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	first := make([]byte, 1)
	for _, c := range slow { // all of them are under way
		if _, err := io.ReadFull(c, first); err != nil {
			t.Fatal(err)
		}
	}
	fast := dial(t, w.at)
	if err := receive(fast, size); err != nil {
		t.Errorf("beside those who do not read: %v", err)
	}
	begin := newSource(size)
	if _, err := io.ReadFull(begin, first); err != nil {
		t.Fatal(err)
	}
	for i, c := range slow[:2] { // the others go away in the middle
		if err := receive(io.MultiReader(newOctet(first[0]), c), size); err != nil {
			t.Errorf("slow reader %d: %v", i, err)
		}
	}
	for _, c := range slow {
		_ = c.Close()
	}
	_ = fast.Close()
}

// newOctet reads one octet.
func newOctet(b byte) io.Reader { return io.LimitReader(&octet{b}, 1) }

type octet struct{ b byte }

func (o *octet) Read(p []byte) (int, error) {
	p[0] = o.b
	return 1, nil
}

// testBulk sends much in both directions at once.
func testBulk(t *testing.T, w *network) {
	size := int64(8 << 20)
	if *long {
		size = 1 << 30
	}
	bulk(t, w, size)
}

func bulk(t *testing.T, w *network, size int64) {
	t.Helper()
	result := make(chan error, 1)
	w.server.does(func(c *net.TCPConn) {
		var wg sync.WaitGroup
		wg.Go(func() { result <- receive(c, size) })
		_, _ = io.Copy(c, newSource(size))
		_ = c.CloseWrite()
		wg.Wait()
	})
	c := dial(t, w.at)
	if err := c.SetDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := io.Copy(c, newSource(size)); err != nil {
			t.Errorf("upload: %v", err)
		}
		_ = c.CloseWrite()
	})
	if err := receive(c, size); err != nil {
		t.Errorf("download: %v", err)
	}
	wg.Wait()
	select {
	case err := <-result:
		if err != nil {
			t.Errorf("upload: %v", err)
		}
	case <-time.After(patience):
		t.Error("upload: the server sees no end")
	}
}

// TestBulkOverTLS is the largest transfer, between two routers with mutual TLS.
func TestBulkOverTLS(t *testing.T) {
	t.Parallel()
	size := int64(64 << 20)
	if *long {
		size = 1 << 30
	}
	bulk(t, pair(t, serve(t, echo)), size)
}

// TestManyConnections: 500 connections at once, all of them in use.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	w := pair(t, serve(t, echo))
	conns := make([]*net.TCPConn, 500)
	for i := range conns {
		conns[i] = dial(t, w.at)
	}
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			for round := range 3 {
				if err := roundTrip(c, fmt.Sprintf("connection %d, round %d", i, round)); err != nil {
					t.Errorf("connection %d, round %d: %v", i, round, err)
					return
				}
			}
			_ = c.CloseWrite()
			if err := ended(c); err != nil {
				t.Errorf("connection %d: end: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := w.server.accepted.Load(); n != 500 {
		t.Errorf("the server has had %d connections", n)
	}
	for _, n := range w.nodes {
		n.idle()
	}
}
