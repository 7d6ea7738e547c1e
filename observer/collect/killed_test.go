package collect

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/network"
)

// TestObserverIsKilled: the connection of an observer under load is gone without
// a word, as when its process is killed. The streams of clients go on without an
// error, and the next observer sees all of them.
func TestObserverIsKilled(t *testing.T) {
	t.Parallel()
	west, _, port := pairOfSites(t)
	var socket atomic.Pointer[net.Conn]
	n := network.New(network.Limits{})
	first := New(Config{Endpoint: Endpoint{Network: "unix", Address: west.socket}, Dial: func(ctx context.Context) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "unix", west.socket)
		if err == nil && !socket.CompareAndSwap(nil, &c) {
			return nil, fmt.Errorf("it is dead, close: %w", c.Close())
		}
		return c, err
	}}, n)
	ctx, cancel := context.WithCancel(context.Background())
	var running, clients sync.WaitGroup
	running.Go(func() { _ = first.Run(ctx) }) // it returns nil
	t.Cleanup(func() { cancel(); running.Wait() })
	const many = 8
	var rounds atomic.Int64
	end := make(chan struct{})
	for range many {
		c := say(t, port, 100)
		clients.Go(func() {
			defer func() { _ = c.Close() }() // it is over either way
			for block := make([]byte, 10_000); ; rounds.Add(1) {
				select {
				case <-end:
					return
				default:
				}
				if _, err := c.Write(block); err != nil {
					t.Errorf("a client writes: %v", err)
					return
				}
				if _, err := io.ReadFull(c, block); err != nil {
					t.Errorf("a client reads: %v", err)
					return
				}
			}
		})
	}
	stopClients := sync.OnceFunc(func() { close(end); clients.Wait() })
	t.Cleanup(stopClients)
	whole := func(n *network.Network) func() error {
		return func() error {
			open := 0
			for _, r := range n.Connections() {
				if r.EndTime == 0 && r.OctetCount > 100 && len(r.TraceSites) == 2 && r.TraceSites[1] == "east" {
					open++
				}
			}
			if s, l := len(n.Sites()), len(n.RouterLinks()); open != many || s != 2 || l != 1 {
				return fmt.Errorf("%d open connections, %d sites, %d links", open, s, l)
			}
			return nil
		}
	}
	eventually(t, "the picture", whole(n))
	if err := (*socket.Load()).Close(); err != nil {
		t.Fatal(err)
	}
	cancel()
	running.Wait()
	at := rounds.Load()
	began := time.Now()
	next, _, _ := observe(t, west)
	eventually(t, "the same picture", whole(next))
	t.Logf("complete after %v", time.Since(began))
	eventually(t, "clients that go on", func() error {
		if now := rounds.Load(); now <= at+many {
			return fmt.Errorf("%d rounds, %d before", now, at)
		}
		return nil
	})
	stopClients()
}
