package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
)

// watchWithOurs runs our observer at a router's AMQP listener.
func watchWithOurs(t testing.TB, port int) *console {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	listen := local(freeport.Get(t))
	cmd := exec.Command(path, "network-observer", "run", "--listen", listen, "--router-endpoint", "amqp://"+local(port))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	return observing(t, listen, cmd)
}

// everything is all records of a kind, by what both observers call them.
func (c *console) everything(kind string) (map[string]row, error) {
	rows, err := c.list(kind, nil)
	m := map[string]row{}
	for _, r := range rows {
		m[called(kind, r)] = r
	}
	return m, err
}

// called is the identity of a record. Those of clients, and what they make pairs
// with, are of each observer's own making.
func called(kind string, r row) string {
	switch {
	case kind == "processes" && r["role"] == "remote":
		return fmt.Sprint(r["name"], " of ", r["siteName"])
	case kind == "processpairs":
		return fmt.Sprint(r["sourceName"], " of ", r["sourceSiteName"], " to ", r["destinationId"], " by ", r["protocol"])
	}
	return fmt.Sprint(r["identity"])
}

// figures are the values of /metrics that upstream's observer has as well, by name
// and labels. What is of the observer itself is left out.
func (c *console) figures() (map[string]row, error) {
	resp, err := http.Get(strings.TrimSuffix(c.base, "api/v2alpha1/") + "metrics")
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	text, err := io.ReadAll(resp.Body)
	m := map[string]row{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "skupper_") || strings.HasPrefix(line, "skupper_internal_") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		m[line[:at]] = row{"value": strings.TrimSpace(line[at:])}
	}
	return m, err
}

// kinds are those of the API.
var kinds = []string{
	"sites", "routers", "routerlinks", "routeraccess", "listeners", "connectors", "services", "processes", "components",
	"processpairs", "sitepairs", "componentpairs", "connections", "applicationflows",
}

// TestObserversAgree has both observers watch the same network, of routers of
// both kinds, and compares what they tell of it and of the traffic, field by
// field.
func TestObserversAgree(t *testing.T) {
	t.Parallel()
	w := topology{kinds: []kind{ours, theirs, theirs, ours}, edges: []int{3}, links: [][2]int{{0, 1}, {2, 1}, {3, 0}}}.build(t)
	ports := w.describe()
	listeners, _ := w.everywhere(t)
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(rw, r.Body)
	}))
	t.Cleanup(web.Close)
	u, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.nodes[1].add("tcpConnector", map[string]any{"name": "web", "host": u.Hostname(), "port": u.Port(), "address": "web"})
	var sites []int
	for _, n := range w.nodes {
		port := freeport.Get(t)
		sites = append(sites, port)
		n.add("tcpListener", map[string]any{"name": "for-web", "host": "127.0.0.1", "port": strconv.Itoa(port), "address": "web", "observer": "http1"})
	}
	for _, n := range w.nodes {
		n.start()
	}
	our, their := watchWithOurs(t, ports[0]), watchWith(t, ports[0])
	for _, c := range []*console{our, their} {
		for i := range w.nodes {
			c.one("routers", row{"siteId": siteID(i)}, "name", "mode")
		}
	}
	// Clients are on a host of their own: upstream's observer takes one on the host
	// of a server for that server.
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, Timeout: 5 * time.Second}
	for i := range w.nodes {
		for k := range w.nodes {
			for _, stays := range []bool{true, false} {
				var conn net.Conn
				eventually(t, 30*time.Second, fmt.Sprintf("an echo from %d to %d", i, k), func() (err error) {
					if conn, err = dialer.Dial("tcp", local(listeners[i][k])); err != nil {
						return err
					}
					if err = roundTrip(conn, strings.Repeat("x", talkedBytes)); err != nil {
						_ = conn.Close()
					}
					return err
				})
				if stays {
					t.Cleanup(func() { _ = conn.Close() })
				} else if err := conn.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}}
		for _, size := range []int{0, 10, 5000} {
			resp, err := client.Post("http://"+local(sites[i]), "text/plain", strings.NewReader(strings.Repeat("x", size)))
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || int(n) != size {
				t.Fatalf("%d octets of %d, %v", n, size, err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	deadline := time.Now().Add(45 * time.Second)
	agree := func(kind string, of func(*console) (map[string]row, error)) {
		t.Helper()
		var differ []string
		for {
			a, err := of(our)
			if err != nil {
				t.Fatal(err)
			}
			b, err := of(their)
			if err != nil {
				t.Fatal(err)
			}
			if differ = differences(kind, a, b); len(differ) == 0 || time.Now().After(deadline) {
				break
			}
			<-time.After(200 * time.Millisecond)
		}
		if len(differ) > 0 {
			t.Errorf("%s:\n%s", kind, strings.Join(differ, "\n"))
		}
	}
	for _, kind := range kinds {
		agree(kind, func(c *console) (map[string]row, error) { return c.everything(kind) })
	}
	agree("metrics", (*console).figures)
}

// differences are what our observer does not tell as upstream's does. What
// upstream's leaves empty may be filled.
func differences(kind string, ours, theirs map[string]row) (list []string) {
	for id, b := range theirs {
		a, ok := ours[id]
		if !ok {
			text, _ := json.Marshal(b) // it came as JSON
			list = append(list, "only of upstream's: "+id+" "+string(text))
			continue
		}
		for k, v := range b {
			if known(v) && !free(kind, k, b) && !reflect.DeepEqual(a[k], v) {
				list = append(list, fmt.Sprintf("%s: %s is %v of ours and %v of upstream's", id, k, a[k], v))
			}
		}
	}
	for id, a := range ours {
		if _, ok := theirs[id]; !ok && kind != "metrics" {
			text, _ := json.Marshal(a) // it came as JSON
			list = append(list, "only of ours: "+id+" "+string(text))
		}
	}
	slices.Sort(list)
	return list
}

// free reports whether a field is of the observer's own making: identities of
// clients, when it has made up a record from others, and which of several servers
// on one host upstream's takes for that of a connector.
func free(kind, field string, r row) bool {
	switch kind {
	case "processes":
		return field == "startTime" || field == "services" || field == "identity" && r["role"] == "remote"
	case "components", "sitepairs", "componentpairs":
		return field == "startTime"
	case "processpairs":
		return field == "startTime" || field == "identity" || field == "sourceId"
	case "connections", "applicationflows":
		return field == "sourceProcessId"
	}
	return false
}
