package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
	management "github.com/skupper-host/skupper/router/manage/client"
)

// What skupper-router gets wrong is looked at here in our router, with
// processes, alone and where it can show beside skupper-router. The scenarios of
// TestNetworks do so in every network.

// ourRing is a ring with two equally long ways from the listener to the
// connector.
func ourRing() topology {
	return topology{kinds: []kind{ours, ours, ours, ours}, links: [][2]int{{0, 1}, {1, 3}, {0, 2}, {2, 3}}}
}

// started builds a network with an echo server and starts it.
func (tp topology) started(t *testing.T) *network {
	t.Helper()
	w := tp.build(t)
	newService(t, w.back).run(echo)
	w.start()
	return w
}

// TestRingGoesAroundACutAndComesBackWithoutALoss: a silent link of a ring with
// two equal ways is gone around, and when it is back, no new connection fails
// while traffic moves.
func TestRingGoesAroundACutAndComesBackWithoutALoss(t *testing.T) {
	t.Parallel()
	w := ourRing().started(t)
	for _, i := range []int{1, 3} {
		w.cables[i].cut()
		if took := w.works(); took >= reachLimit {
			t.Fatalf("link %d silent: no way around in %v", i, took)
		}
		<-time.After(4 * time.Second) // the neighbors have given each other up
		if took := w.works(); took >= reachLimit {
			t.Fatalf("link %d silent: no way around in %v", i, took)
		}
		w.cables[i].heal()
		tick := time.NewTicker(10 * time.Millisecond)
		for until := time.Now().Add(5 * time.Second); time.Now().Before(until); <-tick.C {
			c := w.dial(t)
			if err := roundTrip(c, "moving"); err != nil {
				t.Fatalf("link %d came back: a new connection fails: %v", i, err)
			}
			_ = c.Close()
		}
		tick.Stop()
	}
}

// TestPreferredWayComesBackThroughUpstream: our routers at both ends of a ring
// choose between two of upstream's, one of which is the cheaper way. Whatever
// takes that away and gives it back, no new connection fails when traffic moves
// back to it.
func TestPreferredWayComesBackThroughUpstream(t *testing.T) {
	t.Parallel()
	cut := func(link int) func(w *network) {
		return func(w *network) { w.cables[link].cut() }
	}
	heal := func(link int) func(w *network) {
		return func(w *network) { w.cables[link].heal() }
	}
	for _, c := range []struct {
		name         string
		takes, gives func(w *network)
	}{
		{"link from ours", cut(0), heal(0)},
		{"link to ours", cut(1), heal(1)},
		{"router", func(w *network) { w.nodes[1].kill() }, func(w *network) { w.nodes[1].start() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := topology{kinds: []kind{ours, theirs, theirs, ours}, links: [][2]int{{0, 1}, {1, 3}, {0, 2}, {2, 3}}}.build(t)
			for _, i := range []int{0, 2} {
				w.nodes[i].last("connector").Attrs["cost"] = 10 // to-2 and to-3
			}
			admin := w.nodes[0].admin()
			newService(t, w.back).run(echo)
			w.start()
			admin.nextHop(t, w.nodes[3].name, w.nodes[1].name)
			c.takes(w)
			admin.nextHop(t, w.nodes[3].name, w.nodes[2].name)
			w.reachable()
			c.gives(w)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for moved := (time.Time{}); moved.IsZero() || time.Since(moved) < 5*time.Second; <-tick.C {
				if hop, _ := admin.hop(w.nodes[3].name); hop == w.nodes[1].name && moved.IsZero() {
					moved = time.Now()
				}
				c := w.dial(t)
				if err := roundTrip(c, "moving"); err != nil {
					t.Fatalf("a new connection fails: %v", err)
				}
				_ = c.Close()
			}
		})
	}
}

// TestRestartedRouterIsKnownToItsNeighborsAgain: by its own address, after it
// was killed.
func TestRestartedRouterIsKnownToItsNeighborsAgain(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]kind{{ours, ours, ours}, {ours, theirs, ours}} {
		t.Run(fmt.Sprint(kinds), func(t *testing.T) {
			t.Parallel()
			testRestarted(t, kinds)
		})
	}
}

func testRestarted(t *testing.T, kinds []kind) {
	w := topology{kinds: kinds, links: line(3)}.build(t)
	port := freeport.Get(t)
	w.nodes[0].add("listener", map[string]any{"name": "admin", "host": "127.0.0.1", "port": strconv.Itoa(port), "role": "normal"})
	newService(t, w.back).run(echo)
	w.start()
	for round := range 3 {
		w.nodes[1].kill()
		w.nodes[1].start()
		eventually(t, 30*time.Second, fmt.Sprintf("round %d: the restarted router answers", round), func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			c, err := management.Dial(ctx, management.Target{
				Network: "tcp", Address: local(port), Node: "_topo/0/" + w.nodes[1].name + "/$management",
			})
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Query(ctx, "router", "id")
			return err
		})
	}
}

// TestClosestServerIsOnTheSameEdgeRouter: an edge router with a connector of
// its own sends nobody away.
func TestClosestServerIsOnTheSameEdgeRouter(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]kind{{ours, ours}, {ours, theirs}} {
		t.Run(fmt.Sprint(kinds), func(t *testing.T) {
			t.Parallel()
			testClosest(t, kinds)
		})
	}
}

func testClosest(t *testing.T, kinds []kind) {
	w := topology{kinds: kinds, edges: []int{0}, links: line(2)}.build(t)
	near := freeport.Get(t)
	for _, n := range w.nodes {
		n.add("address", map[string]any{"prefix": "svc", "distribution": "closest"})
	}
	w.nodes[0].add("tcpConnector", map[string]any{"name": "near", "host": "127.0.0.1", "port": strconv.Itoa(near), "address": "svc"})
	var away atomic.Int32
	newService(t, near).run(echo)
	newService(t, w.back).run(func(c *net.TCPConn) {
		away.Add(1)
		echo(c)
	})
	far := freeport.Get(t)
	w.nodes[1].add("tcpListener", map[string]any{"name": "far", "host": "127.0.0.1", "port": strconv.Itoa(far), "address": "svc"})
	w.start()
	eventually(t, 20*time.Second, "the server of the interior router", func() error {
		c, err := net.Dial("tcp", local(far))
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		return roundTrip(c, "far")
	})
	away.Store(0)
	for range 50 {
		c := w.dial(t)
		if err := roundTrip(c, "near"); err != nil {
			t.Fatal(err)
		}
	}
	if n := away.Load(); n > 0 {
		t.Errorf("%d of 50 connections went away", n)
	}
}

// TestTerminatedRightAfterItsLinkIsUp: a router that is told to end then ends
// in order.
func TestTerminatedRightAfterItsLinkIsUp(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]kind{{ours, ours}, {ours, theirs}} {
		t.Run(fmt.Sprint(kinds), func(t *testing.T) {
			t.Parallel()
			testTerminated(t, kinds)
		})
	}
}

func testTerminated(t *testing.T, kinds []kind) {
	w := topology{kinds: kinds, links: line(2)}.build(t)
	newService(t, w.back).run(echo)
	for range 5 {
		w.start()
		for _, n := range w.nodes {
			n.signal(syscall.SIGTERM, true)
			if code := n.exitCode(); n.kind == ours && code != 0 {
				t.Errorf("%s ends with %d", n.name, code)
			}
		}
	}
}

// exitCode is that of a process that has ended.
func (n *node) exitCode() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd.ProcessState.ExitCode()
}

// descriptors is how many a running process has open.
func (n *node) descriptors(t testing.TB) int {
	t.Helper()
	n.mu.Lock()
	pid := n.cmd.Process.Pid
	n.mu.Unlock()
	list, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestStrangersLeaveNothing: half a ClientHello and a close at a TLS listener,
// and peers that say nothing at a link's port, cost nothing afterwards, and a
// real peer gets in beside them.
func TestStrangersLeaveNothing(t *testing.T) {
	t.Parallel()
	w := topology{kinds: []kind{ours, ours}, links: line(2)}.build(t)
	o := w.offer(t)
	newService(t, w.back).run(echo)
	w.nodes[1].start()
	var silent []net.Conn
	eventually(t, 20*time.Second, "the link's port", func() error {
		c, err := net.Dial("tcp", w.cables[0].to)
		if err == nil {
			silent = append(silent, c)
		}
		return err
	})
	for range 199 {
		c, err := net.Dial("tcp", w.cables[0].to)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	w.nodes[0].start()
	w.reachable() // beside them
	for _, c := range silent {
		if err := closedSoon(c, 30*time.Second); err != nil {
			t.Fatalf("a peer that says nothing: %v", err)
		}
		_ = c.Close()
	}
	before := w.nodes[0].descriptors(t)
	for range 100 {
		c, err := net.Dial("tcp", local(o.in["tls"]))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"))
		_ = c.Close()
	}
	eventually(t, 20*time.Second, "the descriptors of bogus clients", func() error {
		if n := w.nodes[0].descriptors(t); n > before+10 {
			return fmt.Errorf("%d are open, %d before", n, before)
		}
		return nil
	})
}

// TestStalledStreamsLeaveTheirConnectionAlone: many streams whose servers do
// not read harm no other on the same connection, and go on later.
func TestStalledStreamsLeaveTheirConnectionAlone(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]kind{{ours, ours}, {ours, theirs}} {
		t.Run(fmt.Sprint(kinds), func(t *testing.T) {
			t.Parallel()
			testStalledUploads(t, kinds)
		})
	}
}

func testStalledUploads(t *testing.T, kinds []kind) {
	w := topology{kinds: kinds, links: line(2)}.build(t)
	const streams, size = 24, 3 << 20
	read := make(chan struct{})
	sums := make(chan []byte, streams)
	s := newService(t, w.back)
	s.run(echo)
	w.start()
	s.run(func(c *net.TCPConn) {
		<-read
		h := newSource(0).sum
		_, _ = io.Copy(h, c)
		sums <- h.Sum(nil)
	})
	var wg sync.WaitGroup
	for range streams {
		c := w.dial(t)
		wg.Go(func() {
			if _, err := io.Copy(c, newSource(size)); err != nil {
				t.Errorf("upload: %v", err)
			}
			_ = c.CloseWrite()
		})
	}
	<-time.After(time.Second) // what fits is under way
	s.run(echo)
	c := w.dial(t)
	if err := roundTrip(c, "beside them"); err != nil {
		t.Errorf("another stream: %v", err)
	}
	close(read)
	wg.Wait()
	want := newSource(size)
	_, _ = io.Copy(io.Discard, want)
	for range streams {
		if !bytes.Equal(<-sums, want.sum.Sum(nil)) {
			t.Error("what the server got differs")
		}
	}
}

// testStalls: downloads whose client stops and goes on at random arrive whole.
func testStalls(t *judge, w *network, s *service) {
	const size = 4 << 20
	s.run(func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 1))
		_, _ = io.Copy(c, newSource(size))
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	want := newSource(size)
	_, _ = io.Copy(io.Discard, want)
	var wg sync.WaitGroup
	for i := range 4 {
		c := w.dial(t)
		_ = c.SetReadBuffer(64 << 10)
		r := rand.New(rand.NewPCG(uint64(i), 7))
		wg.Go(func() {
			_, _ = c.Write([]byte("?"))
			got := newSource(0).sum
			for {
				n, err := io.CopyN(got, c, 1+r.Int64N(1<<20))
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Errorf("download %d: %v after %d bytes more", i, err, n)
					return
				}
				<-time.After(time.Duration(r.IntN(300)) * time.Millisecond)
			}
			if !bytes.Equal(got.Sum(nil), want.sum.Sum(nil)) {
				t.Errorf("download %d differs", i)
			}
		})
	}
	wg.Wait()
}
