package router

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
)

// wire is a way between two routers that can be cut without anybody being
// told: what is under way waits until it is mended.
type wire struct {
	host, port string
	to         string
	ln         net.Listener
	wg         sync.WaitGroup

	mu    sync.Mutex
	moved sync.Cond         // of mu
	cut   bool              // Guarded by mu.
	ended bool              // Guarded by mu.
	conns map[net.Conn]bool // Guarded by mu.
}

func newWire(t testing.TB, host, port string) *wire {
	t.Helper()
	w := &wire{to: net.JoinHostPort(host, port), conns: map[net.Conn]bool{}}
	w.moved.L = &w.mu
	at, _ := place(t)
	ln, err := net.Listen("tcp", net.JoinHostPort(at, "0"))
	if err != nil {
		t.Fatal(err)
	}
	w.ln = ln
	if w.host, w.port, err = net.SplitHostPort(ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	w.wg.Go(w.accept)
	t.Cleanup(w.end)
	return w
}

func (w *wire) end() {
	_ = w.ln.Close()
	w.mu.Lock()
	w.ended = true
	for c := range w.conns {
		_ = c.Close()
	}
	w.moved.Broadcast()
	w.mu.Unlock()
	w.wg.Wait()
}

// sets cuts the wire or mends it.
func (w *wire) sets(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	w.moved.Broadcast()
}

// whole waits until the wire is not cut; false: it has ended.
func (w *wire) whole() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.cut && !w.ended {
		w.moved.Wait()
	}
	return !w.ended
}

func (w *wire) keep(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c] = true
	if w.ended {
		_ = c.Close()
	}
}

func (w *wire) accept() {
	for {
		c, err := w.ln.Accept()
		if err != nil {
			return
		}
		w.keep(c)
		w.wg.Go(func() {
			if !w.whole() {
				return
			}
			o, err := net.Dial("tcp", w.to)
			if err != nil {
				_ = c.Close()
				return
			}
			w.keep(o)
			w.wg.Go(func() { w.carry(c, o) })
			w.carry(o, c)
		})
	}
}

// carry moves bytes, and the end of them, while the wire is whole.
func (w *wire) carry(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if !w.whole() {
			return
		}
		if n > 0 {
			if _, werr := to.Write(b[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			if err == io.EOF {
				_ = to.(*net.TCPConn).CloseWrite()
				return
			}
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

// cutTime is how long links are cut: longer than their idle time-out.
func cutTime() (cut time.Duration, idleSeconds int) {
	if *long {
		return 30 * time.Second, 16
	}
	return 6 * time.Second, 4
}

// TestLinkCut: the only link falls silent for longer than its idle time-out.
// Its streams end, its services are not offered any more, and after the link is
// mended everything works again by itself.
func TestLinkCut(t *testing.T) {
	t.Parallel()
	cut, idle := cutTime()
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	host, port := west.listens("links", "inter-router", attrs{"idleTimeoutSeconds": idle})
	w := newWire(t, host, port)
	east.entities[0].attrs["dataConnectionCount"] = "1"
	east.dials("to-west", "inter-router", w.host, w.port, attrs{"idleTimeoutSeconds": idle})
	west.offers("in", "svc")
	east.serves("out", "svc", serve(t, echo))
	west.start()
	east.start()
	at := west.address("in")
	c := dial(t, at)
	if err := roundTrip(c, "before"); err != nil {
		t.Fatal(err)
	}
	w.sets(true)
	mended := time.NewTimer(cut)
	eventually(t, "the service is not offered any more", func() error { return refused(at) })
	if err := ended(c); err == nil {
		t.Error("the stream has ended in order")
	}
	<-mended.C
	st := east.row(&config.Connector{Name: "to-west"}).(manage.ConnectorStatus)
	if st.ConnectionStatus == "SUCCESS" {
		t.Errorf("the connector has not noticed: %+v", st)
	}
	w.sets(false)
	eventually(t, "the service is back", func() error {
		if st := west.listener("in"); st.Addr != nil {
			return request(st.Addr.String())
		}
		return fmt.Errorf("it is not")
	})
	for _, n := range []*node{west, east} {
		n.idle()
	}
}

// TestLinkCutInRing: one of the links between three routers falls silent.
// Streams that do not need it do not notice, and new ones go around it.
func TestLinkCutInRing(t *testing.T) {
	t.Parallel()
	cut, idle := cutTime()
	west, north, east := newNode(t, "west", "interior"), newNode(t, "north", "interior"), newNode(t, "east", "interior")
	silent := attrs{"idleTimeoutSeconds": idle}
	host, port := west.listens("links", "inter-router", silent)
	w := newWire(t, host, port)
	east.dials("to-west", "inter-router", w.host, w.port, attrs{"idleTimeoutSeconds": idle})
	north.dials("to-west", "inter-router", host, port, nil)
	host, port = north.listens("links", "inter-router", nil)
	east.dials("to-north", "inter-router", host, port, nil)
	s := serve(t, echo)
	west.offers("in", "svc")
	west.offers("near", "near")
	east.serves("out", "svc", s)
	north.serves("near", "near", s)
	for _, n := range []*node{west, north, east} {
		n.start()
	}
	at := west.address("in")
	near := dial(t, west.address("near"))
	direct := func() bool {
		snap := west.r.snap.Load()
		return snap.Router(snap.Origin("0/east")).NextHop == snap.Origin("0/east")
	}
	eventually(t, "the direct way is taken", func() error {
		if !direct() {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	crossing := dial(t, at)
	for _, c := range []net.Conn{near, crossing} {
		if err := roundTrip(c, "before"); err != nil {
			t.Fatal(err)
		}
	}
	w.sets(true)
	mended := time.NewTimer(cut)
	eventually(t, "new streams go around", func() error {
		if direct() {
			return fmt.Errorf("the direct way is still taken")
		}
		return request(at)
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for whole := false; !whole; {
		select {
		case <-mended.C:
			whole = true
		case <-tick.C:
		}
		if err := roundTrip(near, "still here"); err != nil {
			t.Fatalf("a stream that does not need the link: %v", err)
		}
		if err := request(at); err != nil {
			t.Fatalf("a new stream: %v", err)
		}
	}
	w.sets(false)
	eventually(t, "the direct way is taken again", func() error {
		if err := request(at); err != nil { // none of them fails meanwhile
			t.Errorf("after the link was mended: %v", err)
		}
		if !direct() {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	if err := roundTrip(near, "after"); err != nil {
		t.Error(err)
	}
}
