package interop

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
	management "github.com/skupper-host/skupper/router/manage/client"
)

// admin asks a node, and changes it, as a management client.
type admin struct{ port int }

// admin adds a listener for management clients to a node.
func (n *node) admin() admin {
	a := admin{freeport.Get(n.t)}
	n.add("listener", map[string]any{"name": "management", "host": "127.0.0.1", "port": strconv.Itoa(a.port), "role": "normal"})
	return a
}

// with runs f with a client.
func (a admin) with(f func(ctx context.Context, c *management.Client) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := management.Dial(ctx, management.Target{Network: "tcp", Address: local(a.port)})
	if err != nil {
		return err
	}
	defer c.Close()
	return f(ctx, c)
}

func (a admin) query(typ string, attributes ...string) (rows []management.Entity, err error) {
	err = a.with(func(ctx context.Context, c *management.Client) (err error) {
		rows, err = c.Query(ctx, "io.skupper.router."+typ, attributes...)
		return err
	})
	return rows, err
}

// update changes attributes of an entity.
func (a admin) update(t testing.TB, typ, name string, attributes map[string]any) {
	t.Helper()
	err := a.with(func(ctx context.Context, c *management.Client) error {
		_, err := c.Update(ctx, management.Ref{Type: "io.skupper.router." + typ, Name: name}, attributes)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hop is through which neighbor a router is reached: itself if it is one.
func (a admin) hop(router string) (hop string, err error) {
	rows, err := a.query("router.node", "id", "nextHop")
	for _, row := range rows {
		if row["id"] == router {
			hop, _ = row["nextHop"].(string)
			return strings.Trim(hop, "()"), nil
		}
	}
	return "", cmp.Or(err, errors.New("the router is not known"))
}

// nextHop waits until a router is reached through a neighbor.
func (a admin) nextHop(t testing.TB, router, want string) {
	t.Helper()
	eventually(t, reachLimit, "the next hop to "+router, func() error {
		hop, err := a.hop(router)
		if err == nil && hop != want {
			err = fmt.Errorf("it is %q, want %s", hop, want)
		}
		return err
	})
}

// proxy is an HTTP proxy for CONNECT.
type proxy struct {
	ln net.Listener
	wg sync.WaitGroup

	mu       sync.Mutex
	requests []string // Guarded by mu: host and authorization
}

func newProxy(t testing.TB) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln}
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil || req.Method != http.MethodConnect {
		return
	}
	p.mu.Lock()
	p.requests = append(p.requests, req.Host+" "+req.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	far, err := net.Dial("tcp", req.Host)
	if err != nil {
		return
	}
	defer far.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	p.wg.Go(func() {
		_, _ = io.Copy(far, c)
		_ = far.Close()
	})
	_, _ = io.Copy(c, far)
}

// TestLinkThroughAnHTTPProxy: control and data connections of a connector with
// a proxyProfile go through its proxy, also to upstream's router.
func TestLinkThroughAnHTTPProxy(t *testing.T) {
	t.Parallel()
	for _, peer := range []kind{ours, theirs} {
		t.Run(string(peer), func(t *testing.T) {
			t.Parallel()
			p := newProxy(t) // ends after the routers
			w := topology{kinds: []kind{ours, peer}, links: line(2)}.build(t)
			_, port, _ := net.SplitHostPort(p.ln.Addr().String())
			n := w.nodes[0]
			n.add("proxyProfile", map[string]any{"name": "way out", "host": "127.0.0.1", "port": port, "username": "me", "password": "secret"})
			for _, e := range n.config {
				switch e.Type {
				case "router":
					e.Attrs["dataConnectionCount"] = "1"
				case "connector":
					e.Attrs["proxyProfile"] = "way out"
				}
			}
			newService(t, w.back).run(echo)
			w.start()
			p.mu.Lock()
			defer p.mu.Unlock()
			want := fmt.Sprintf("localhost:%d Basic bWU6c2VjcmV0", w.links[0])
			if len(p.requests) < 2 {
				t.Errorf("%d requests, want one of the control and one of the data connection", len(p.requests))
			}
			for _, got := range p.requests {
				if got != want {
					t.Errorf("request %q, want %q", got, want)
				}
			}
		})
	}
}

// TestCostChangeMovesTraffic: a new cost of a link, by reload, leads new
// connections another way.
func TestCostChangeMovesTraffic(t *testing.T) {
	t.Parallel()
	w := ourRing().build(t)
	first := w.nodes[0]
	a := first.admin()
	newService(t, w.back).run(echo)
	w.start()
	cost := func(link string, cost int, want string) {
		for _, e := range first.config {
			if e.Type == "connector" && e.Attrs["name"] == link {
				e.Attrs["cost"] = cost
			}
		}
		first.write()
		first.signal(syscall.SIGHUP, false)
		a.nextHop(t, w.nodes[3].name, want)
		w.reachable()
	}
	cost("to-0", 10, w.nodes[2].name)
	later := w.dial(t)
	if err := roundTrip(later, "the other way"); err != nil {
		t.Fatal(err)
	}
	cost("to-2", 20, w.nodes[1].name)
}

// TestLinkChangesItsEndpoint: a connector of ours that is sent to another port of
// an upstream router costs no stream and no request.
func TestLinkChangesItsEndpoint(t *testing.T) {
	t.Parallel()
	for _, edges := range [][]int{nil, {0}} {
		t.Run(fmt.Sprintf("%d edges", len(edges)), func(t *testing.T) {
			t.Parallel()
			w := topology{kinds: []kind{ours, theirs}, edges: edges, links: line(2)}.build(t)
			first, second := w.nodes[0], w.nodes[1]
			more := entity{"listener", maps.Clone(second.last("listener").Attrs)} // another way in
			port := strconv.Itoa(freeport.Get(t))
			more.Attrs["name"], more.Attrs["port"] = "more", port
			second.add(more.Type, more.Attrs)
			a := first.admin()
			newService(t, w.back).run(echo)
			w.start()
			old := w.streams(t, 5)
			first.set("connector", "port", port)
			first.write()
			first.signal(syscall.SIGHUP, false)
			var during []net.Conn
			eventually(t, 20*time.Second, "the link is another one", func() error {
				during = append(during, w.streams(t, 1)...)
				rows, err := a.query("connection", "host", "dir")
				for _, r := range rows {
					if r["dir"] == "out" && r["host"] == "localhost:"+port {
						return err
					}
				}
				return cmp.Or(err, fmt.Errorf("connections %v", rows))
			})
			later := w.streams(t, 5)
			if streams := slices.Concat(old, during, later); len(alive(streams)) != len(streams) {
				t.Errorf("%d of %d streams go on", len(alive(streams)), len(streams))
			}
		})
	}
}

// TestTwoLinksBetweenTheSameRouters: both sites have linked to each other.
// That works, and goes on when either link breaks.
func TestTwoLinksBetweenTheSameRouters(t *testing.T) {
	t.Parallel()
	for _, peer := range []kind{ours, theirs} {
		t.Run(string(peer), func(t *testing.T) {
			t.Parallel()
			w := topology{kinds: []kind{ours, peer}, links: [][2]int{{0, 1}, {1, 0}}}.started(t)
			for i, c := range w.cables {
				for range 20 {
					w.reachable()
				}
				c.cut()
				if took := w.works(); took >= reachLimit {
					t.Fatalf("link %d silent: nothing gets through", i)
				}
				c.heal()
				w.reachable()
			}
		})
	}
}

// TestDataConnections: as many as configured, at both ends, beside the control
// connection.
func TestDataConnections(t *testing.T) {
	t.Parallel()
	w := topology{kinds: []kind{ours, ours}, links: line(2)}.build(t)
	for _, e := range w.nodes[0].config {
		if e.Type == "router" {
			e.Attrs["dataConnectionCount"] = "3"
		}
	}
	admins := []admin{w.nodes[0].admin(), w.nodes[1].admin()}
	newService(t, w.back).run(echo)
	w.start()
	for i := range admins {
		eventually(t, 20*time.Second, "the connections of "+w.nodes[i].name, func() error {
			rows, err := admins[i].query("connection", "role")
			count := map[any]int{}
			for _, row := range rows {
				count[row["role"]]++
			}
			if err == nil && (count["inter-router"] != 1 || count["inter-router-data"] != 3) {
				err = fmt.Errorf("%v", count)
			}
			return err
		})
	}
}
