package router

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// stalling reads with pauses at random places, some of them long enough for
// every window and buffer on the way to be full.
type stalling struct {
	r    io.Reader
	rand *rand.Rand
	left int // until the next pause
}

// Read implements io.Reader.
func (s *stalling) Read(p []byte) (int, error) {
	if s.left <= 0 {
		<-time.After(time.Duration(s.rand.IntN(20)) * time.Millisecond)
		s.left = 1 + s.rand.IntN(512<<10)
	}
	n, err := s.r.Read(p[:min(len(p), 1+s.rand.IntN(64<<10))])
	s.left -= n
	return n, err
}

// TestRandomStalls: whenever either end of a connection stops to read and reads
// again, whatever the other direction does, everything arrives.
func TestRandomStalls(t *testing.T) {
	t.Parallel()
	connections, size := 6, int64(2<<20)
	seed := uint64(1)
	switch {
	case *long:
		connections, size, seed = 100, 20<<20, rand.Uint64()
		t.Logf("seed %d", seed)
	case raceEnabled:
		connections, size = 4, 1<<20
	}
	for name, build := range networks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var turn uint64
			var mu sync.Mutex
			slow := func(c *net.TCPConn) io.Reader {
				_ = c.SetReadBuffer(32 << 10) // of no matter to what is asked
				mu.Lock()
				defer mu.Unlock()
				turn++
				return &stalling{r: c, rand: rand.New(rand.NewPCG(seed, turn))}
			}
			both := func(c *net.TCPConn) error {
				var wg sync.WaitGroup
				wg.Go(func() {
					_, _ = io.Copy(c, newSource(size)) // what fails does not arrive
					_ = c.CloseWrite()
				})
				err := receive(slow(c), size)
				if err != nil {
					_ = c.Close()
				}
				wg.Wait()
				return err
			}
			failed := make(chan error, connections)
			w := build(t, serve(t, func(c *net.TCPConn) { failed <- both(c) }))
			var wg sync.WaitGroup
			for range connections {
				wg.Go(func() {
					if err := both(dial(t, w.at)); err != nil {
						t.Errorf("download: %v", err)
					}
				})
			}
			wg.Wait()
			for range connections {
				if err := <-failed; err != nil {
					t.Errorf("upload: %v", err)
				}
			}
			for _, n := range w.nodes {
				n.idle()
			}
		})
	}
}
