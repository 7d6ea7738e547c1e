package interop

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// scenario is what an application does through a network.
type scenario struct {
	name   string
	run    func(t *judge, w *network, s *service)
	defect string // of skupper-router, that makes it fail beside one
}

var scenarios = []scenario{
	{name: "echo", run: testEcho},
	{name: "server speaks first", run: testServerFirst, defect: "D1"},
	{name: "bulk both ways", run: testBulk},
	{name: "200 parallel", run: testParallel},
	{name: "half-close by client", run: testClientHalfClose},
	{name: "half-close by server", run: testServerHalfClose},
	{name: "refused", run: testRefused},
	{name: "client reset", run: testClientReset},
	{name: "server reset", run: testServerReset},
	{name: "slow readers", run: testSlowReaders},
	{name: "downloads that stall", run: testStalls, defect: "D2"},
	{name: "balancing over three servers", run: testBalance},
	{name: "fail-over by priority", run: testPriority},
	{name: "fail-over by weight", run: testWeighted},
	{name: "TLS services", run: testTLS},
	{name: "link reset", run: testReset},
	{name: "link cut and healed", run: testCut},
	{name: "restart of each router", run: testRestart},
}

func TestNetworks(t *testing.T) {
	var results board
	t.Cleanup(func() { results.write(t) })
	for _, tp := range topologies {
		t.Run(tp.name, func(t *testing.T) {
			w := tp.build(t)
			w.offers = w.offer(t)
			s := newService(t, w.back)
			s.run(echo)
			w.start()
			for _, sc := range scenarios {
				t.Run(sc.name, func(t *testing.T) {
					j := &judge{T: t, r: results.cell(tp.name, sc.name)}
					w.t, s.t = j, j
					sc.run(j, w, s)
				})
			}
		})
	}
}

func testEcho(t *judge, w *network, s *service) {
	s.run(echo)
	for i := range 20 {
		c := w.dial(t)
		if err := roundTrip(c, "hello "+strconv.Itoa(i)); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		_ = c.Close()
	}
}

func testServerFirst(t *judge, w *network, s *service) {
	s.run(func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "220 ready\n")
		_, _ = io.Copy(io.Discard, c)
	})
	for i := range 200 {
		c := w.dial(t)
		got := make([]byte, 10)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "220 ready\n" {
			t.Fatalf("connection %d: %q, %v", i, got, err)
		}
		_ = c.Close()
	}
}

// bulkSize is the number of bytes of a bulk transfer in each direction:
// INTEROP_BULK, else 32 MiB.
func bulkSize(t testing.TB) int64 {
	text := os.Getenv("INTEROP_BULK")
	if text == "" {
		return 32 << 20
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("INTEROP_BULK: %v", err)
	}
	return n
}

func testBulk(t *judge, w *network, s *service) {
	size := bulkSize(t)
	sums := make(chan []byte, 1)
	s.run(func(c *net.TCPConn) {
		var wg sync.WaitGroup
		wg.Go(func() {
			h := sha256.New()
			_, _ = io.Copy(h, c)
			sums <- h.Sum(nil)
		})
		_, _ = io.Copy(c, newSource(size))
		_ = c.CloseWrite()
		wg.Wait()
	})
	c := w.dial(t)
	if err := c.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	up := newSource(size)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := io.Copy(c, up); err != nil {
			t.Errorf("upload: %v", err)
		}
		_ = c.CloseWrite()
	})
	down := sha256.New()
	n, err := io.Copy(down, c)
	wg.Wait()
	if err != nil || n != size {
		t.Fatalf("download: %d of %d bytes, %v", n, size, err)
	}
	want := up.sum.Sum(nil)
	if !bytes.Equal(down.Sum(nil), want) {
		t.Error("download: digest differs")
	}
	select {
	case got := <-sums:
		if !bytes.Equal(got, want) {
			t.Error("upload: digest differs")
		}
	case <-time.After(time.Minute):
		t.Error("upload: the server saw no end")
	}
}

func testParallel(t *judge, w *network, s *service) {
	s.run(echo)
	conns := make([]*net.TCPConn, 200)
	for i := range conns {
		conns[i] = w.dial(t)
	}
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			for round := range 5 {
				if err := roundTrip(c, fmt.Sprintf("connection %d round %d", i, round)); err != nil {
					t.Errorf("connection %d round %d: %v", i, round, err)
					return
				}
			}
			_ = c.CloseWrite()
			if err := closedSoon(c, 20*time.Second); err != nil {
				t.Errorf("connection %d: end: %v", i, err)
			}
		})
	}
	wg.Wait()
}

func testClientHalfClose(t *judge, w *network, s *service) {
	s.run(func(c *net.TCPConn) {
		n, _ := io.Copy(io.Discard, c)
		_, _ = fmt.Fprintf(c, "got %d\n", n)
	})
	c := w.dial(t)
	if _, err := c.Write(make([]byte, 20000)); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "got 20000\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func testServerHalfClose(t *judge, w *network, s *service) {
	received := make(chan int64, 1)
	s.run(func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "bye")
		_ = c.CloseWrite()
		n, _ := io.Copy(io.Discard, c)
		received <- n
	})
	c := w.dial(t)
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "bye" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := c.Write(make([]byte, 30000)); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	select {
	case n := <-received:
		if n != 30000 {
			t.Errorf("the server got %d bytes, want 30000", n)
		}
	case <-time.After(20 * time.Second):
		t.Error("the server saw no end")
	}
}

func testRefused(t *judge, w *network, s *service) {
	s.stop()
	defer s.run(echo)
	for range 5 {
		c := w.dial(t)
		if err := closedSoon(c, 10*time.Second); err != nil {
			t.Errorf("client of a dead server: %v", err)
		}
	}
}

func testClientReset(t *judge, w *network, s *service) {
	gone := make(chan struct{}, 1)
	s.run(func(c *net.TCPConn) {
		_, _ = io.Copy(c, c)
		gone <- struct{}{}
	})
	c := w.dial(t)
	if err := roundTrip(c, "before"); err != nil {
		t.Fatal(err)
	}
	_ = c.SetLinger(0)
	_ = c.Close()
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Error("the server did not notice")
	}
}

func testServerReset(t *judge, w *network, s *service) {
	s.run(func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.SetLinger(0)
	})
	c := w.dial(t)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := closedSoon(c, 20*time.Second); err != nil {
		t.Error(err)
	}
}

// testSlowReaders holds connections that do not read beside one that does, and
// wants the fast one served and the slow ones to resume. Upstream's routers
// close the whole connection when more than a handful of streams stall, so
// there are only three. Between two of upstream's the clients speak first: its
// listener loses what comes from a server while it switches to cut-through,
// which it has done when it reads its client, and only a router of ours at the
// server's end can bear that in mind.
func testSlowReaders(t *judge, w *network, s *service) {
	const size = 8 << 20
	asked := w.nodes[0].kind == theirs && w.nodes[len(w.nodes)-1].kind == theirs
	dial := func() *net.TCPConn {
		c := w.dial(t)
		if asked {
			if _, err := c.Write([]byte("?")); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	s.run(func(c *net.TCPConn) {
		if asked {
			_, _ = io.ReadFull(c, make([]byte, 1))
		}
		_, _ = io.Copy(c, newSource(size))
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	var slow []*net.TCPConn
	for range 3 {
		slow = append(slow, dial())
	}
	want := newSource(size)
	if _, err := io.Copy(io.Discard, want); err != nil {
		t.Fatal(err)
	}
	for i, c := range append([]*net.TCPConn{dial()}, slow...) {
		h := sha256.New()
		n, err := io.Copy(h, c)
		if err != nil || n != size || !bytes.Equal(h.Sum(nil), want.sum.Sum(nil)) {
			t.Errorf("connection %d: %d of %d bytes, %v", i, n, size, err)
		}
		_ = c.Close()
	}
}

// again waits until an echo comes back, and returns how long that took.
func (w *network) again(t *judge, what string) time.Duration {
	began := time.Now()
	eventually(t, 60*time.Second, what, func() error {
		c, err := net.Dial("tcp", local(w.in))
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(2 * time.Second))
		return roundTrip(c, "again")
	})
	return time.Since(began).Round(time.Millisecond)
}

// testReset breaks the connections of every link, one link after the other.
func testReset(t *judge, w *network, s *service) {
	s.run(echo)
	for i, c := range w.cables {
		c.reset()
		t.say("%v", w.again(t, fmt.Sprintf("echo after a reset of link %d", i)))
	}
}

// testCut takes every link away without a word, longer than a hello may be
// missed, and gives it back.
func testCut(t *judge, w *network, s *service) {
	s.run(echo)
	for i, c := range w.cables {
		c.cut()
		gone := time.NewTimer(4 * time.Second)
		<-gone.C
		if tp := len(w.cables); tp == len(w.nodes) { // a ring: there is another way
			t.say("around %v", w.again(t, fmt.Sprintf("echo around link %d", i)))
		}
		c.heal()
		t.say("healed %v", w.again(t, fmt.Sprintf("echo over link %d, healed", i)))
	}
}

func testRestart(t *judge, w *network, s *service) {
	s.run(echo)
	for _, n := range w.nodes {
		for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
			n.signal(sig, true)
			n.start()
			t.say("%s %v", n.name, w.again(t, fmt.Sprintf("echo after %v of %s", sig, n.name)))
		}
	}
}
