package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// parked is how many sockets are in the lot.
func (l *Lot) parked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.places {
		if s != nil {
			n++
		}
	}
	return n
}

// soon waits until a condition holds.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// resting opens n echo streams between two routers, each used once, and waits
// until all of them are parked.
func resting(t *testing.T, n int) (top topology, conns []*net.TCPConn) {
	t.Helper()
	top = topologies()["pair"](t)
	top.egress.connect("svc", serve(t, echo), nil)
	_, address := top.ingress.listen("svc", nil)
	for range n {
		c := dial(t, address)
		pingPong(t, c)
		conns = append(conns, c)
	}
	top.rest(t, n)
	return top, conns
}

func (top topology) rest(t *testing.T, n int) {
	t.Helper()
	soon(t, "all are parked", func() bool { return top.ingress.lot.parked() == n && top.egress.lot.parked() == n })
}

func pingPong(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	var b [4]byte
	if _, err := io.ReadFull(c, b[:]); err != nil || string(b[:]) != "ping" {
		t.Fatalf("got %q, %v", b[:], err)
	}
}

// TestIdleStreamsOwnNoGoroutine: they are as good as others when there is
// something to do, time after time, and end as others do. It does not run
// beside other tests, since it counts goroutines.
func TestIdleStreamsOwnNoGoroutine(t *testing.T) {
	const n = 50
	top, conns := resting(t, n)
	soon(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() < n+50 }) // the server has n
	for range 3 {
		for _, c := range conns {
			pingPong(t, c)
		}
		top.rest(t, n)
	}
	for _, c := range conns {
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(c); err != nil || len(b) != 0 {
			t.Fatalf("got %q, %v, want the end", b, err)
		}
	}
	top.rest(t, 0)
}

// TestParkedStreamIsCut: a stream that is parked at both ends ends with the
// connection between them.
func TestParkedStreamIsCut(t *testing.T) {
	t.Parallel()
	top, conns := resting(t, 3)
	top.cut()
	for _, c := range conns {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want a reset", err)
		}
	}
	top.rest(t, 0)
}

// TestParkedClientResets: the server sees it.
func TestParkedClientResets(t *testing.T) {
	t.Parallel()
	top, conns := resting(t, 3)
	for _, c := range conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	top.rest(t, 0)
}

// TestLotEnds: who is parked then goes on with a goroutine.
func TestLotEnds(t *testing.T) {
	t.Parallel()
	client, server := loopback(t)
	l := NewLot()
	l.period = time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	soon(t, "the lot is live", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.set != nil
	})
	s, ready := newSocket(server, l).(*plain), make(chan struct{})
	if !s.Park(func() { close(ready) }) {
		t.Fatal("the socket is not parked")
	}
	cancel()
	<-ready
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s.Park(func() { t.Error("called") }) {
		t.Error("a socket is parked in a lot that has ended")
	}
	if _, err := client.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	b, err := s.ReadSoon(10)
	if err != nil || b.Len() != 1 {
		t.Errorf("got %v, %v", b, err)
	}
}
