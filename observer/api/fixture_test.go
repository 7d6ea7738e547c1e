package api

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/router/vanflow"
)

// then is when the recordings were made; everything in them began before.
var then = time.UnixMicro(1795337400_000000)

// replay gives a network what was recorded.
func replay(t testing.TB, n *network.Network, name string) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "captures", "vanflow", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Link string `json:"link_source"`
			Raw  string `json:"raw"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(line.Raw)
		if err != nil {
			t.Fatal(err)
		}
		m, err := vanflow.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		switch m.Subject {
		case vanflow.SubjectBeacon:
			n.SourceSeen(then, m.ID, m.Source)
		case vanflow.SubjectHeartbeat:
			n.Heartbeat(then, m.ID, then)
		case vanflow.SubjectRecord:
			id := strings.TrimPrefix(line.Link, "mc/sfe.")
			for _, suffix := range []string{".flows", ".logs", ".heartbeats"} {
				id = strings.TrimSuffix(id, suffix)
			}
			n.Apply(then, id, m.Records)
		case vanflow.SubjectFlush:
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// populated is a network with records of every kind.
func populated(t testing.TB) *network.Network {
	t.Helper()
	n := network.New(network.Limits{})
	for _, name := range []string{"flush-full-state", "go-controller", "flows", "logs"} {
		replay(t, n, name)
	}
	for i := range 40 { // until all clients and servers are known
		n.Tick(then.Add(time.Duration(i) * time.Second))
	}
	return n
}

// handler serves a network.
func handler(n *network.Network, change ...func(*Options)) http.Handler {
	o := Options{
		Network: n, History: history.New(),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) }),
		Console: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("console")) }),
	}
	for _, c := range change {
		c(&o)
	}
	return New(o).Handler()
}

// get asks for a path and returns the answer.
func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	return do(h, "GET", target, headers...)
}

func do(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
