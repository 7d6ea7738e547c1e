package router_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/websocket"
)

func TestHTTPListener(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), freePort(t)
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
	port := freePort(t)
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
