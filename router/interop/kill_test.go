package interop

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestKilledAtRandomMoments kills routers that carry traffic, 25 times, and
// starts them again as a supervisor would: the service comes back each time
// without any other help.
func TestKilledAtRandomMoments(t *testing.T) {
	w := topology{name: "ours-ours-ours", kinds: []kind{ours, ours, ours}, links: line(3)}.build(t)
	s := newService(t, w.back)
	s.run(echo)
	w.start()

	var done, failed atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				if w.once("traffic") == nil {
					done.Add(1)
				} else {
					failed.Add(1)
				}
			}
		})
	}
	var slowest time.Duration
	for round := range 25 {
		n := w.nodes[rand.IntN(len(w.nodes))]
		moment := time.NewTimer(time.Duration(rand.Int64N(int64(200 * time.Millisecond))))
		<-moment.C
		n.signal(syscall.SIGKILL, true)
		n.start()
		began := time.Now()
		eventually(t, 60*time.Second, fmt.Sprintf("the service after round %d, %s", round, n.name), func() error { return w.once("again") })
		slowest = max(slowest, time.Since(began))
	}
	close(stop)
	wg.Wait()
	t.Logf("%d requests succeeded, %d failed, the longest recovery took %v", done.Load(), failed.Load(), slowest.Round(time.Millisecond))
	if done.Load() < 25 {
		t.Errorf("only %d requests succeeded", done.Load())
	}
	for i := range 20 {
		if err := w.once("afterwards"); err != nil {
			t.Errorf("request %d afterwards: %v", i, err)
		}
	}
}

// once makes one connection for one round trip.
func (w *network) once(text string) error {
	c, err := net.Dial("tcp", local(w.in))
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	return roundTrip(c, text)
}
