package main

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// cluster stands for a Skupper site on Kubernetes: what it hands out has the
// form that it has there (testdata/kubernetes), and its claim server answers as
// upstream's does. Its routers are those of a site of ours.
type cluster struct {
	h      *house
	values map[string]string // of the files
	server *httptest.Server

	mu      sync.Mutex
	left    int // redemptions
	expires time.Time
}

// clusterUID is the path of its grant.
const clusterUID = "9d1b2c7e-6a55-4a0c-8a64-3f1c7c1d2e90"

// newCluster starts the site, and a claim server for one redemption.
func newCluster(h *house) *cluster {
	h.t.Helper()
	h.must("-n", "cluster", "site", "create", "cluster", "--enable-link-access", "--start")
	c := &cluster{h: h, left: 1, expires: time.Now().Add(time.Hour)}
	var list struct {
		Items []struct {
			Kind string
			Data map[string]string
			Spec struct {
				Endpoints []struct{ Name, Port string }
			}
		}
	}
	made := h.must("-n", "cluster", "link", "generate", "hidden", "--host", "localhost", "-o", "json")
	if err := json.Unmarshal([]byte(made), &list); err != nil {
		h.t.Fatal(err)
	}
	c.values = map[string]string{"name": "west", "host": "localhost", "code": "vMCjjB04JOvZCxdmlAVlvf0Y"}
	for _, o := range list.Items {
		for k, v := range o.Data {
			c.values[k] = v
		}
		for _, e := range o.Spec.Endpoints {
			c.values[e.Name] = e.Port
		}
	}
	c.server = httptest.NewUnstartedServer(c)
	c.server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	c.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	c.server.StartTLS()
	h.t.Cleanup(c.server.Close)
	c.values["url"] = c.server.URL + "/" + clusterUID
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.server.Certificate().Raw})
	c.values["ca"] = strings.ReplaceAll(strings.TrimSpace(string(ca)), "\n", "\n    ")
	return c
}

// document is a file of the cluster; pairs are values that differ.
func (c *cluster) document(kind string, pairs ...string) string {
	c.h.t.Helper()
	text := read(c.h.t, filepath.Join("../../testdata/kubernetes", kind+".yaml.tmpl"))
	for i := 0; i < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{{"+pairs[i]+"}}", pairs[i+1])
	}
	for k, v := range c.values {
		text = strings.ReplaceAll(text, "{{"+k+"}}", v)
	}
	if strings.Contains(text, "{{") {
		c.h.t.Fatalf("%s: a value is missing:\n%s", kind, text)
	}
	return text
}

// file writes a document and returns its path.
func (c *cluster) file(name, kind string, pairs ...string) string {
	c.h.t.Helper()
	path := filepath.Join(c.h.home, name)
	if err := os.WriteFile(path, []byte(c.document(kind, pairs...)), 0o600); err != nil {
		c.h.t.Fatal(err)
	}
	return path
}

// set changes the grant.
func (c *cluster) set(left int, expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.expires = left, expires
}

// ServeHTTP is the claim server.
//
// compat: order of checks, statuses and texts are those of upstream 2.2.0.
func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	code, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case r.Method != http.MethodPost:
		http.Error(w, "Only POST is supported", http.StatusMethodNotAllowed)
	case strings.Trim(r.URL.Path, "/") != clusterUID, c.expires.Before(time.Now()):
		http.Error(w, "No such claim", http.StatusNotFound)
	case c.left == 0:
		http.Error(w, "No such access granted", http.StatusNotFound)
	case string(code) != c.values["code"]:
		http.Error(w, "Redemption of access token refused", http.StatusForbidden)
	default:
		c.left--
		_, _ = io.WriteString(w, c.document("answer", "name", r.Header.Get("name"))) // who hung up asks again
	}
}

// TestJoiningACluster types what docs/kubernetes.md says, with a cluster's token
// and with its link files.
func TestJoiningACluster(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := newCluster(h)
	token := c.file("west.token", "token")

	h.must("-n", "east", "site", "create", "east", "--start")
	if said := h.must("token", "status", token, "--check"); !strings.Contains(said, c.values["url"]) || strings.Contains(said, c.values["code"]) {
		t.Errorf("token status: %s", said)
	}
	if said := h.must("-n", "east", "token", "redeem", token); said != "link/west created\nsecret/west created\n" {
		t.Errorf("token redeem: %s", said)
	}
	h.eventually("west  Ready", "-n", "east", "link", "status", "--no-headers")
	h.eventually("cluster", "-n", "east", "network", "status")
	h.eventually("east         Ready", "-n", "cluster", "link", "status")
	if said := h.must("-n", "east", "token", "redeem", token); said != "link/west unchanged\n" {
		t.Errorf("again: %s", said)
	}
	h.refused(1, []string{"404: No such access granted", "hint: the token is expired or used up"}, "-n", "late", "token", "redeem", token)

	for _, kind := range []string{"link", "kubectl"} {
		h.must("-n", kind, "site", "create", kind, "--edge", "--start")
		said := h.must("-n", kind, "link", "create", c.file(kind+".yaml", kind, "name", "link-west"))
		if !strings.Contains(said, "link/link-west created\n") || !strings.Contains(said, "secret/link-west created\n") {
			t.Errorf("%s: %s", kind, said)
		}
		h.eventually("link-west  Ready", "-n", kind, "link", "status", "--no-headers")
	}
}

// TestNotJoiningACluster: what goes wrong on the way is said in one line, with
// what to do.
func TestNotJoiningACluster(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := newCluster(h)
	h.must("-n", "east", "site", "create", "east", "--start")
	redeem := func(name string, texts []string, pairs ...string) {
		t.Helper()
		h.refused(1, texts, "-n", "east", "token", "redeem", c.file(name, "token", pairs...))
	}
	redeem("code.token", []string{"403: Redemption of access token refused", "hint: "}, "name", "code", "code", "guessed")
	c.set(1, time.Now().Add(-time.Minute))
	redeem("expired.token", []string{"404: No such claim", "hint: the token is expired or used up"}, "name", "expired")
	c.set(1, time.Now().Add(time.Hour))
	redeem("name.token", []string{"nosuch.invalid"}, "name", "name", "url", "https://nosuch.invalid:9090/"+clusterUID)
	other := newAuthority(t)
	redeem("ca.token", []string{"signed by unknown authority", "hint: the server is not the one that issued the token"}, "name", "ca", "ca", strings.ReplaceAll(strings.TrimSpace(other.pem), "\n", "\n    "))

	// A link file of which the cluster's name is not in its certificate, or whose
	// port is closed, makes a link that says so.
	h.say("-n", "east", "link", "create", c.file("host.yaml", "link", "name", "host", "host", "127.0.0.9"), "--wait", "none")
	h.eventually("127.0.0.9", "-n", "east", "link", "status", "host", "--no-headers")
	h.say("-n", "east", "link", "create", c.file("port.yaml", "link", "name", "port", "inter-router", "1", "edge", "1"), "--wait", "none")
	h.eventually("refused", "-n", "east", "link", "status", "port", "--no-headers")
}
