package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
)

// upstreamObserver is the variable that names upstream's network-observer.
const upstreamObserver = "SKUPPER_UPSTREAM_OBSERVER"

// console is upstream's network observer, asked as its web page asks it.
type console struct {
	t    testing.TB
	base string
}

// row is a record as the observer shows it.
type row map[string]any

// watchWith runs upstream's observer at a router's AMQP listener.
func watchWith(t testing.TB, port int) *console {
	t.Helper()
	path := os.Getenv(upstreamObserver)
	if path == "" {
		t.Skip(upstreamObserver + " does not name upstream's network-observer")
	}
	listen := local(freeport.Get(t))
	return observing(t, listen, exec.Command(path, "-listen", listen, "-enable-console=false", "-router-endpoint", "amqp://"+local(port)))
}

// observing starts an observer that serves at an address, until the test ends.
func observing(t testing.TB, listen string, cmd *exec.Cmd) *console {
	t.Helper()
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("log of %s:\n%s", cmd.Path, tail(log.String(), 20))
		}
	})
	return &console{t, "http://" + listen + "/api/v2alpha1/"}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // Guarded by mu.
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// list returns the records of a kind that have the fields.
func (c *console) list(kind string, want row) ([]row, error) {
	query := url.Values{}
	for k, v := range want {
		query.Set(k, fmt.Sprint(v))
	}
	resp, err := http.Get(c.base + kind + "?" + query.Encode())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %s", kind, resp.Status, body)
	}
	var answer struct{ Results []row }
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(answer.Results, func(r row) bool {
		for k, v := range want { // the observer compares texts by their beginning
			if fmt.Sprint(r[k]) != fmt.Sprint(v) {
				return true
			}
		}
		return false
	}), nil
}

// one waits until exactly one record of a kind has the fields and all of
// filled are known of it.
func (c *console) one(kind string, want row, filled ...string) row {
	c.t.Helper()
	var found row
	eventually(c.t, 60*time.Second, fmt.Sprintf("one of %s with %v", kind, want), func() error {
		rows, err := c.list(kind, want)
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			all, _ := c.list(kind, nil)
			return fmt.Errorf("%d of them, among %v", len(rows), all)
		}
		for _, f := range filled {
			if !known(rows[0][f]) {
				return fmt.Errorf("%s is not known of %v", f, rows[0])
			}
		}
		found = rows[0]
		return nil
	})
	return found
}

func known(v any) bool {
	switch v := v.(type) {
	case string:
		return v != "" && v != "unknown"
	case float64:
		return v != 0
	case []any:
		return len(v) > 0
	}
	return v != nil
}

// shape says of each field whether it is known, and of which kind it is.
func (r row) shape() map[string]string {
	m := map[string]string{}
	for k, v := range r {
		m[k] = "-"
		if known(v) {
			m[k] = fmt.Sprintf("%T", v)
		}
	}
	return m
}

// alike wants of ours what is known of theirs, beside what may differ.
func alike(t testing.TB, what string, our, their row, may ...string) {
	t.Helper()
	a, b := our.shape(), their.shape()
	for _, k := range slices.Sorted(maps.Keys(b)) {
		if a[k] != b[k] && !slices.Contains(may, k) {
			t.Errorf("%s: %s is %v (%s) of ours and %v (%s) of upstream's", what, k, our[k], a[k], their[k], b[k])
		}
	}
}

// TestDrawnByUpstreamsObserver: what upstream's observer shows of routers of
// ours is what it shows of upstream's in the same network, field by field, and
// right.
func TestDrawnByUpstreamsObserver(t *testing.T) {
	t.Parallel()
	w := topology{
		kinds: []kind{ours, theirs, ours, theirs, theirs, ours}, edges: []int{2, 3},
		links: [][2]int{{0, 1}, {2, 1}, {3, 0}, {4, 0}, {5, 1}},
	}.build(t)
	ports := w.describe()
	newService(t, w.back).run(echo)
	listeners, servers := w.everywhere(t)
	w.start()
	c := watchWith(t, ports[0])
	names := make([]string, len(w.nodes))
	for i, n := range w.nodes {
		names[i] = "0/" + n.name
	}

	var sites, routers []row
	for i := range w.nodes {
		site := c.one("sites", row{"identity": siteID(i)}, "name", "startTime", "version", "platform", "namespace", "routerCount")
		if site["routerCount"] != 1.0 || site["platform"] != "linux" || site["version"] != "2.1.0" || site["namespace"] != "ns" {
			t.Errorf("site %d is %v", i, site)
		}
		sites = append(sites, site)
		routers = append(routers, c.one("routers", row{"name": names[i]}, "siteId", "mode"))
		if routers[i]["siteId"] != siteID(i) {
			t.Errorf("router %d is %v", i, routers[i])
		}
	}
	alike(t, "site", sites[0], sites[1])
	alike(t, "interior router", routers[0], routers[1], "hostName")
	alike(t, "edge router", routers[2], routers[3], "hostName")

	links := map[[2]int]row{}
	for _, l := range [][2]int{{0, 1}, {2, 1}, {3, 0}, {4, 0}, {5, 1}} {
		role := "inter-router"
		if l[0] == 2 || l[0] == 3 {
			role = "edge"
		}
		links[l] = c.one("routerlinks", row{"routerId": routers[l[0]]["identity"]},
			"cost", "destinationSiteId", "sourceSiteId", "destinationRouterId", "routerAccessId")
		got := links[l]
		if got["role"] != role || got["status"] != "up" || got["cost"] != 1.0 || got["destinationRouterName"] != names[l[1]] ||
			got["sourceSiteId"] != siteID(l[0]) || got["destinationSiteId"] != siteID(l[1]) {
			t.Errorf("link %v is %v", l, got)
		}
		access := c.one("routeraccess", row{"identity": got["routerAccessId"]}, "name", "role", "linkCount", "routerId")
		if access["linkCount"] != 1.0 || access["routerId"] != routers[l[1]]["identity"] || access["role"] != role {
			t.Errorf("access of link %v is %v", l, access)
		}
	}
	alike(t, "link", links[[2]int{0, 1}], links[[2]int{4, 0}])
	alike(t, "link of an edge router", links[[2]int{2, 1}], links[[2]int{3, 0}])

	// Each router has a listener for every address, and a connector of the one
	// that is named after it.
	var at [2][]row
	for i := range w.nodes {
		at[0] = append(at[0], c.one("listeners", row{"routerId": routers[i]["identity"], "routingKey": "at-0"}, "name", "serviceId", "siteName", "destPort"))
		at[1] = append(at[1], c.one("connectors", row{"routerId": routers[i]["identity"], "routingKey": fmt.Sprintf("at-%d", i)},
			"processId", "target", "serviceId", "destPort"))
	}
	alike(t, "listener", at[0][0], at[0][1])
	alike(t, "connector", at[1][0], at[1][1])
	for i := range w.nodes {
		service := c.one("services", row{"name": fmt.Sprintf("at-%d", i)})
		if service["isBound"] != true || service["hasListener"] != true || service["listenerCount"] != float64(len(w.nodes)) || service["connectorCount"] != 1.0 {
			t.Errorf("service of node %d is %v", i, service)
		}
	}

	// From each to each a connection that stays and one that ends.
	type talk struct {
		from, to int
		client
		ended bool
	}
	var talks []talk
	for i := range w.nodes {
		for k := range w.nodes {
			if w.nodes[k].kind == theirs && slices.Contains(w.edges, k) && i != k {
				continue // it does not say which connector it took: see connected
			}
			kept, ended := w.talkTo(t, listeners[i][k]), w.talkTo(t, listeners[i][k])
			ended.close()
			talks = append(talks, talk{i, k, kept, false}, talk{i, k, ended, true})
		}
	}
	shapes := map[bool]row{}
	for _, of := range talks {
		want := []string{
			"octetCount", "octetReverseCount", "latency", "latencyReverse", "sourceSiteId", "sourceProcessId", "connectorId",
			"destSiteId", "destProcessId", "destHost", "destPort", "proxyHost", "proxyPort", "listenerId", "traceRouters", "traceSites",
		}
		if of.ended {
			want = append(want, "endTime", "duration")
		}
		got := c.one("connections", row{"sourcePort": of.port, "routingKey": fmt.Sprintf("at-%d", of.to)}, want...)
		if got["octetCount"] != float64(talkedBytes) || got["octetReverseCount"] != float64(talkedBytes) || known(got["endTime"]) != of.ended ||
			got["sourceSiteId"] != siteID(of.from) || got["destSiteId"] != siteID(of.to) || got["destPort"] != strconv.Itoa(servers[of.to]) {
			t.Errorf("connection from %d to %d: %v", of.from, of.to, got)
		}
		trace := got["traceRouters"].([]any)
		if trace[0] != names[of.from] || trace[len(trace)-1] != names[of.to] {
			t.Errorf("connection from %d to %d went by %v", of.from, of.to, trace)
		}
		if shapes[of.ended] == nil {
			shapes[of.ended] = got
		}
		alike(t, fmt.Sprintf("connection from %d to %d", of.from, of.to), got, shapes[of.ended])
	}

	// A restarted router takes the place of the old one, and its site stays.
	w.nodes[5].kill()
	w.nodes[5].start()
	eventually(t, 90*time.Second, "the old router is forgotten", func() error {
		rows, err := c.list("routers", row{"name": names[5]})
		if err == nil && (len(rows) != 1 || rows[0]["identity"] == routers[5]["identity"]) {
			err = fmt.Errorf("%v", rows)
		}
		return err
	})
	c.one("sites", row{"identity": siteID(5), "routerCount": 1.0}, "name", "version", "platform")
	c.one("routerlinks", row{"sourceSiteId": siteID(5), "status": "up"}, "cost", "destinationSiteId")
}

// everywhere gives every router a server, at the address at-N, and a listener
// for each of them. It returns the ports of these.
func (w *network) everywhere(t testing.TB) (listeners [][]int, servers []int) {
	for i, n := range w.nodes {
		port := freeport.Get(t)
		servers = append(servers, port)
		newService(t, port).run(echo)
		n.add("tcpConnector", map[string]any{"name": "server", "host": "127.0.0.1", "port": strconv.Itoa(port), "address": fmt.Sprintf("at-%d", i)})
		var own []int
		for k := range w.nodes {
			port := freeport.Get(t)
			own = append(own, port)
			n.add("tcpListener", map[string]any{"name": fmt.Sprintf("for-%d", k), "host": "127.0.0.1", "port": strconv.Itoa(port), "address": fmt.Sprintf("at-%d", k)})
		}
		listeners = append(listeners, own)
	}
	return listeners, servers
}

// talkTo is talk through another listener, as soon as that leads somewhere.
func (w *network) talkTo(t testing.TB, port int) client {
	t.Helper()
	in := w.in
	w.in = port
	defer func() { w.in = in }()
	w.reachable()
	return w.talk(t.(*testing.T))
}
