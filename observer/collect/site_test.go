package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/router"
)

// patience bounds every wait of these tests. It only matters when one fails.
const patience = time.Minute

type attrs map[string]any

// entity is one element of a router's configuration.
type entity struct {
	typ   string
	attrs attrs
}

func (e entity) MarshalJSON() ([]byte, error) { return json.Marshal([]any{e.typ, e.attrs}) }

// site is a site with one router, that runs in this process.
type site struct {
	id, socket, config string
	stop               func()
}

// siteID is the id of the n-th site.
func siteID(n int) string { return fmt.Sprintf("%08d-1111-4111-8111-111111111111", n) }

// startSite runs the router of a site until the end of the test, or until it is
// stopped.
func startSite(t *testing.T, n int, name string, more ...entity) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "obs") // a short path: sockets have no room for others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &site{id: siteID(n), socket: filepath.Join(dir, "r.sock"), config: filepath.Join(dir, "skrouterd.json")}
	metadata, err := json.Marshal(map[string]string{"id": s.id, "version": "2.1.0", "platform": "linux"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(append([]entity{
		{"router", attrs{"id": name + "-1", "mode": "interior", "metadata": string(metadata)}},
		{"site", attrs{"name": name, "version": "2.1.0", "platform": "linux"}},
		{"address", attrs{"prefix": "mc", "distribution": "multicast"}},
	}, more...))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	t.Cleanup(func() { s.stop() })
	return s
}

// start runs the router.
func (s *site) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan struct{})
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		failed = router.Run(ctx, router.Options{
			ConfigPath: s.config, SocketPath: s.socket, Log: slog.New(slog.DiscardHandler), Version: "test", Notify: &notifier{up: ready},
		})
	})
	s.stop = func() {
		cancel()
		wg.Wait()
	}
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatalf("the router is not ready: %v", failed)
	}
}

// notifier tells when a router is up.
type notifier struct{ up chan struct{} }

func (n *notifier) Ready()                                    { close(n.up) }
func (*notifier) Reloading()                                  {}
func (*notifier) Status(string)                               {}
func (*notifier) Stopping()                                   {}
func (*notifier) Watchdog(ctx context.Context, _ func() bool) { <-ctx.Done() }

// on is an entity at a port of this host.
func on(typ, name string, port int, more attrs) entity {
	e := entity{typ, attrs{"name": name, "host": "127.0.0.1", "port": strconv.Itoa(port)}}
	maps.Copy(e.attrs, more)
	return e
}

// echo serves what sends back what it gets, until the end of the test.
func echo(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the end of the test
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // until either end is gone
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port
}

// say connects, sends that many bytes and reads them again.
func say(t *testing.T, port, size int) net.Conn {
	t.Helper()
	var c net.Conn
	eventually(t, "an answer", func() (err error) {
		if c, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
			return err
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second)) // a TCP connection has deadlines
		if _, err = c.Write(make([]byte, size)); err == nil {
			_, err = io.ReadFull(c, make([]byte, size))
		}
		if err != nil {
			return errors.Join(err, c.Close())
		}
		return nil
	})
	_ = c.SetDeadline(time.Time{}) // as above
	return c
}

// observe collects from a site's router until stop is called.
func observe(t *testing.T, s *site) (n *network.Network, c *Collector, stop func()) {
	t.Helper()
	n = network.New(network.Limits{})
	c = New(Config{Endpoint: Endpoint{Network: "unix", Address: s.socket}}, n)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.Run(ctx) }) // it returns nil
	stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(stop)
	return n, c, stop
}

// eventually polls until ok returns nil.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		<-tick.C
	}
}

// pairOfSites are a site with a listener of echo at a port, and one with its
// connector, linked to the first.
func pairOfSites(t *testing.T) (west, east *site, port int) {
	t.Helper()
	links, port := freeport.Get(t), freeport.Get(t)
	west = startSite(
		t, 1, "west", on("listener", "links", links, attrs{"role": "inter-router"}),
		on("tcpListener", "echo", port, attrs{"address": "echo", "siteId": siteID(1)}),
	)
	east = startSite(
		t, 2, "east", on("connector", "to-west", links, attrs{"role": "inter-router", "cost": "3"}),
		on("tcpConnector", "echo", echo(t), attrs{"address": "echo", "siteId": siteID(2)}),
	)
	return west, east, port
}
