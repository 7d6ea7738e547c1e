package router_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	goamqp "github.com/Azure/go-amqp"
	"golang.org/x/net/websocket"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router/manage/client"
)

func TestHTTPListener(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), freeport.Get(t)
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "page.txt"), []byte("a page\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "A", "interior", entity{"listener", attrs{"name": "web", "host": "127.0.0.1", "port": strconv.Itoa(port), "http": true, "httpRootDir": dir}})
	base := "127.0.0.1:" + strconv.Itoa(port)

	for _, row := range []struct {
		path, has string
		status    int
	}{
		{"/healthz", "OK", http.StatusOK},
		{"/readyz", "OK", http.StatusOK},
		{"/metrics", "qdr_connections_total ", http.StatusOK},
		{"/metrics", "# TYPE qdr_accepted_deliveries_total counter", http.StatusOK},
		{"/metrics", "qdr_router_rss_bytes ", http.StatusOK},
		{"/metrics", "process_open_fds ", http.StatusOK},
		{"/metrics", "skupper_router_flow_records 0\n", http.StatusOK},
		{"/metrics/entities", `skupper_router_info{id="A",mode="interior",version="test"} 1`, http.StatusOK},
		{"/metrics/entities", `skupper_router_access_up{listener="clients",role="normal"} 1`, http.StatusOK},
		{"/sub/page.txt", "a page\n", http.StatusOK},
		{"/sub/", "", http.StatusNotFound}, // no lists of files
		{"/nosuch", "", http.StatusNotFound},
		{"/sub/../../../../../../etc/passwd", "", http.StatusNotFound},
	} {
		response, err := http.Get("http://" + base + row.path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != row.status || !strings.Contains(string(body), row.has) {
			t.Errorf("%s: status %d, %v, body %.200q", row.path, response.StatusCode, err, body)
		}
	}
}

func TestAMQPOverWebSocket(t *testing.T) {
	t.Parallel()
	port := freeport.Get(t)
	start(t, "A", "interior", entity{"listener", attrs{"name": "web", "host": "127.0.0.1", "port": strconv.Itoa(port), "http": true}})
	url := "ws://127.0.0.1:" + strconv.Itoa(port)

	ws, err := websocket.Dial(url, "amqp", "http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	ws.PayloadType = websocket.BinaryFrame
	header := "AMQP\x00\x01\x00\x00"
	if _, err := io.WriteString(ws, header); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(header))
	if _, err := io.ReadFull(ws, got); err != nil || string(got) != header {
		t.Errorf("answer %q, %v", got, err)
	}
	if other, err := websocket.Dial(url, "mqtt", "http://localhost"); err == nil {
		_ = other.Close()
		t.Error("the subprotocol mqtt was taken")
	}
}

// figures returns what the router shows at a path of its HTTP listener: the
// value of each series.
func figures(t *testing.T, url string) map[string]string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", url, response.StatusCode, err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(body)) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			values[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return values
}

// TestFiguresOfEntities counts what passes, and keeps what those have counted
// that are gone.
func TestFiguresOfEntities(t *testing.T) {
	t.Parallel()
	port, in := freeport.Get(t), freeport.Get(t)
	n := start(t, "A", "interior",
		entity{"listener", attrs{"name": "web", "host": "127.0.0.1", "port": strconv.Itoa(port), "http": true}},
		entity{"tcpListener", attrs{"name": "in", "host": "127.0.0.1", "port": strconv.Itoa(in), "address": "svc"}},
		entity{"tcpConnector", attrs{"name": "out", "host": "127.0.0.1", "port": strconv.Itoa(in), "address": "else"}},
		connector("edge", freeport.Get(t)))
	url := "http://127.0.0.1:" + strconv.Itoa(port) + "/metrics"
	of := figures(t, url+"/entities")
	for series, want := range map[string]string{
		`skupper_router_listener_up{address="svc",listener="in"}`:                           "0",
		`skupper_router_connector_connections_failed_total{address="else",connector="out"}`: "0",
	} {
		if of[series] != want {
			t.Errorf("%s is %q, want %s; there are %v", series, of[series], want, of)
		}
	}
	found := 0
	for series, value := range of {
		if strings.HasPrefix(series, "skupper_router_link_up{") && value == "0" || strings.HasPrefix(series, "skupper_router_link_sent_bytes_total{") {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d series of the link", found)
	}
	c, err := goamqp.Dial(t.Context(), fmt.Sprintf("amqp://127.0.0.1:%d", n.port), &goamqp.ConnOptions{SASLType: goamqp.SASLTypeAnonymous()})
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.NewSession(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	inbox := receive(t, session, "figures")
	send(t, session, "figures", "", "hello")
	inbox.expect(t, "hello")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the client has gone", func() error {
		now := figures(t, url)
		if now["qdr_connections_total"] != "0" || now["qdr_deliveries_ingress_total"] != "1" || now["qdr_deliveries_egress_total"] != "1" || now["qdr_accepted_deliveries_total"] == "0" {
			return fmt.Errorf("%v", now)
		}
		return nil
	})
}

// TestHTTPListenerLive makes and removes one by management, and takes its port
// again at once.
func TestHTTPListenerLive(t *testing.T) {
	t.Parallel()
	port := freeport.Get(t)
	m := start(t, "A", "interior").manage(t)
	url := "http://127.0.0.1:" + strconv.Itoa(port)
	for _, path := range []string{"/metrics", "/healthz"} {
		// Each time with something else switched off.
		if _, err := m.Create(t.Context(), "listener", "web", map[string]any{
			"host": "127.0.0.1", "port": strconv.Itoa(port), "http": true, "metrics": path == "/metrics", "healthz": path == "/healthz",
		}); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"/metrics", "/healthz"} {
			response, err := http.Get(url + p)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if got := response.StatusCode == http.StatusOK; got != (p == path) {
				t.Errorf("with %s only: %s has status %d", path, p, response.StatusCode)
			}
		}
		if err := m.Delete(t.Context(), client.Ref{Type: "listener", Name: "web"}); err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
			_ = c.Close()
			t.Error("the port is still open")
		}
	}
	if _, err := m.Create(t.Context(), "listener", "web", map[string]any{"host": "192.0.2.1", "port": strconv.Itoa(port), "http": true}); err == nil {
		t.Error("a listener at an address of somebody else was made")
	}
}

// TestNotReady says what is not as it is configured.
func TestNotReady(t *testing.T) {
	t.Parallel()
	port := freeport.Get(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	start(t, "A", "interior",
		entity{"listener", attrs{"name": "web", "host": "127.0.0.1", "port": strconv.Itoa(port), "http": true}},
		entity{"listener", attrs{"name": "door", "host": "127.0.0.1", "port": strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)}})
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
		response, err := http.Get("http://127.0.0.1:" + strconv.Itoa(port) + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != want || want != http.StatusOK && !strings.HasPrefix(string(body), "listener door: ") {
			t.Errorf("%s: status %d, %q", path, response.StatusCode, body)
		}
	}
	_ = taken.Close()
	eventually(t, "ready", func() error {
		response, err := http.Get("http://127.0.0.1:" + strconv.Itoa(port) + "/readyz")
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	})
}

func TestADeletedHTTPListenerIsGone(t *testing.T) {
	t.Parallel()
	port := freeport.Get(t)
	n := start(t, "A", "standalone", entity{"listener", attrs{"name": "web", "host": "127.0.0.1", "port": strconv.Itoa(port), "http": true}})
	address := "127.0.0.1:" + strconv.Itoa(port)
	response, err := http.Get("http://" + address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if err := n.manage(t).Delete(t.Context(), client.Ref{Type: "listener", Name: "web"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the port is closed", func() error {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return nil
		}
		_ = c.Close()
		return errors.New("somebody still listens")
	})
}
