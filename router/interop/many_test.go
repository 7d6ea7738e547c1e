package interop

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router"
)

// TestAmongTwentyOfUpstreams: a router of ours between ten interior and ten
// edge routers of upstream's, and after it was restarted.
func TestAmongTwentyOfUpstreams(t *testing.T) {
	t.Parallel()
	tp := topology{kinds: append([]kind{ours}, slices.Repeat([]kind{theirs}, 20)...)}
	for i := 1; i <= 10; i++ {
		tp.links = append(tp.links, [2]int{i, 0})
	}
	for i := 11; i <= 20; i++ { // every other one at ours
		tp.edges = append(tp.edges, i)
		tp.links = append(tp.links, [2]int{i, i % 2 * (i - 10)})
	}
	w := tp.build(t)
	hub := w.nodes[0].admin()
	newService(t, w.back).run(echo)
	var entrances []int
	for _, n := range w.nodes[1:] {
		port := freeport.Get(t)
		entrances = append(entrances, port)
		n.add("tcpListener", map[string]any{"name": "entrance", "host": "127.0.0.1", "port": strconv.Itoa(port), "address": "svc"})
	}
	for _, n := range w.nodes {
		n.start()
	}
	everywhere := func() {
		t.Helper()
		hub.knows(t, 11)
		for i, port := range append(entrances, w.in) {
			w.in = port
			eventually(t, 90*time.Second, fmt.Sprintf("an echo through router %d", i+1), func() error {
				c, err := net.Dial("tcp", local(port))
				if err != nil {
					return err
				}
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				return roundTrip(c, "hello")
			})
		}
	}
	everywhere()
	w.nodes[0].kill()
	w.nodes[0].start()
	everywhere()
}

// knows waits until a router knows as many interior routers, itself included.
func (a admin) knows(t testing.TB, count int) {
	t.Helper()
	eventually(t, 2*time.Minute, fmt.Sprintf("%d routers", count), func() error {
		rows, err := a.query("router.node", "id")
		if err == nil && len(rows) != count {
			err = fmt.Errorf("it knows %d", len(rows))
		}
		return err
	})
}

// TestMoreRoutersThanUpstreamKnows: upstream's router knows 127 others at most.
// In a larger network of ours it lives on and is served by those that it knows,
// and ours know all.
func TestMoreRoutersThanUpstreamKnows(t *testing.T) {
	t.Parallel()
	const leaves = 140
	w := topology{kinds: []kind{ours, theirs}, links: [][2]int{{1, 0}}}.build(t)
	hub := w.nodes[0].admin()
	port, back := freeport.Get(t), freeport.Get(t)
	w.nodes[0].add("listener", map[string]any{"name": "leaves", "host": "127.0.0.1", "port": strconv.Itoa(port), "role": "inter-router"})
	w.nodes[1].add("tcpListener", map[string]any{"name": "back", "host": "127.0.0.1", "port": strconv.Itoa(back), "address": "back"})
	w.nodes[0].add("tcpConnector", map[string]any{"name": "back", "host": "127.0.0.1", "port": strconv.Itoa(w.back), "address": "back"})
	for _, n := range w.nodes {
		n.set("router", "helloMaxAgeSeconds", 20) // for so many in one process
	}
	newService(t, w.back).run(echo)
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i := range leaves {
		leaf := newNode(t, fmt.Sprintf("leaf%d", i), ours, "interior")
		leaf.set("router", "helloMaxAgeSeconds", 20)
		leaf.set("router", "dataConnectionCount", "0")
		leaf.add("connector", map[string]any{"name": "hub", "host": "127.0.0.1", "port": strconv.Itoa(port), "role": "inter-router"})
		path := leaf.write()
		wg.Go(func() {
			if err := router.Run(ctx, router.Options{ConfigPath: path, Version: "test", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}); err != nil {
				t.Errorf("%s: %v", leaf.name, err)
			}
		})
	}
	hub.knows(t, leaves+2)
	w.nodes[1].said(t, "Exceeded Maximum Router Count")
	w.reachable()
	w.in = back
	w.reachable()
	if n := len(alive(w.streams(t, 20))); n != 20 {
		t.Errorf("%d of 20 streams go on", n)
	}
}
