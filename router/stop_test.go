package router

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// TestStopDrains: a router that is told to stop takes no new clients, anywhere
// in the network, lets open streams end, and ends with the last of them.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"west", "east"} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			s := serve(t, echo)
			west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
			host, port := west.listens("links", "inter-router", nil)
			east.dials("to-west", "inter-router", host, port, nil)
			west.offers("in", "svc")
			east.serves("out", "svc", s)
			west.options.Drain, east.options.Drain = time.Minute, time.Minute
			west.start()
			east.start()
			at := west.address("in")
			open := []*net.TCPConn{dial(t, at), dial(t, at)}
			for _, c := range open {
				if err := roundTrip(c, "before"); err != nil {
					t.Fatal(err)
				}
			}
			n := map[string]*node{"west": west, "east": east}[which]
			n.stops()
			eventually(t, "no new clients", func() error { return refused(at) })
			for i, c := range open {
				if err := roundTrip(c, "while it stops"); err != nil {
					t.Errorf("stream %d: %v", i, err)
				}
			}
			select {
			case <-n.ended:
				t.Fatal("it has not waited")
			default:
			}
			for i, c := range open {
				_ = c.CloseWrite()
				if err := ended(c); err != nil {
					t.Errorf("end of stream %d: %v", i, err)
				}
			}
			select {
			case <-n.ended:
			case <-time.After(patience):
				t.Error("it does not end")
			}
		})
	}
}

// TestStopCuts: streams that do not end are reset when the time is over, and
// the other routers forget what has gone with the router.
func TestStopCuts(t *testing.T) {
	t.Parallel()
	w := pair(t, serve(t, echo))
	west, east := w.nodes[0], w.nodes[1]
	east.options.Drain = 50 * time.Millisecond
	east.stop()
	if err := east.run(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the service", func() error { return request(west.address("in")) })
	c := dial(t, west.address("in"))
	if err := roundTrip(c, "before"); err != nil {
		t.Fatal(err)
	}
	east.stop()
	if err := ended(c); err == nil {
		t.Error("the stream has ended in order")
	}
	west.idle()
	west.reaches("svc", false)
}

// TestStopAtAnyMoment: two routers are stopped while they get to know each
// other; nothing is left of them, and they find together afterwards.
func TestStopAtAnyMoment(t *testing.T) {
	t.Parallel()
	w := pair(t, serve(t, echo))
	for i := range 20 {
		n := w.nodes[i%2]
		n.stop()
		if err := n.run(); err != nil {
			t.Fatal(err)
		}
		moment := time.NewTimer(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
		<-moment.C
	}
	eventually(t, "the service after all", func() error {
		if st := w.nodes[0].listener("in"); st.Addr != nil {
			return request(st.Addr.String())
		}
		return fmt.Errorf("it does not listen")
	})
}
