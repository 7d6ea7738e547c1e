package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
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

// newCluster starts the site, and a claim server for one redemption at a port of
// a host that others know by a name.
func newCluster(h *house, site, host string, at net.Listener) *cluster {
	h.t.Helper()
	h.must("-n", "cluster", "site", "create", site, "--enable-link-access", "--start")
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
	made := h.must("-n", "cluster", "link", "generate", "hidden", "--host", host, "-o", "json")
	if err := json.Unmarshal([]byte(made), &list); err != nil {
		h.t.Fatal(err)
	}
	c.values = map[string]string{"name": "west", "host": host, "code": "vMCjjB04JOvZCxdmlAVlvf0Y"}
	for _, o := range list.Items {
		for k, v := range o.Data {
			c.values[k] = v
		}
		for _, e := range o.Spec.Endpoints {
			c.values[e.Name] = e.Port
		}
	}
	ca := newAuthority(h.t)
	c.server = httptest.NewUnstartedServer(c)
	_ = c.server.Listener.Close() // another one is wanted
	c.server.Listener = at
	c.server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{ca.pair(2, host)}}
	c.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	c.server.StartTLS()
	h.t.Cleanup(c.server.Close)
	_, port, err := net.SplitHostPort(at.Addr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	c.values["url"] = "https://" + net.JoinHostPort(host, port) + "/" + clusterUID
	c.values["ca"] = strings.ReplaceAll(strings.TrimSpace(ca.pem), "\n", "\n    ")
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
	writeFile(c.h.t, path, c.document(kind, pairs...))
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

// loopback is a port that is free.
func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l // who serves it closes it
}

// TestTutorialOfClusters types what docs/kubernetes.md says, on a host that has
// nothing but the program.
func TestTutorialOfClusters(t *testing.T) {
	t.Parallel()
	const document = "docs/kubernetes.md"
	town := newTown(t, "cluster", "host")
	host, there := town.hosts["host"], town.hosts["cluster"]
	dir, bin := t.TempDir(), t.TempDir() // what is carried from the cluster is there already
	if err := os.Symlink(host.program[len(host.program)-1], filepath.Join(bin, "skupper")); err != nil {
		t.Fatal(err)
	}
	host.env = append(host.env, "PATH="+bin+":"+os.Getenv("PATH"))
	host.knows("west.example.com", there.address)
	host.echo("127.0.0.1:5432", "")
	there.echo("127.0.0.1:8080", "")
	c := newCluster(there.house, "west", "west.example.com", there.listen("0.0.0.0:9090"))

	// Upstream's command line is not here; what it would do is done.
	upstream := map[string]func(){
		"skupper site update west --enable-link-access":         func() {},
		"skupper token issue west.token --expiration-window 1h": func() { writeFile(t, filepath.Join(dir, "west.token"), c.document("token")) },
		"skupper link generate > west-link.yaml":                func() { writeFile(t, filepath.Join(dir, "west-link.yaml"), c.document("link", "name", "link-west")) },
		"skupper listener create db 5432":                       func() { there.must("-n", "cluster", "listener", "create", "db", "5432") },
		"skupper connector create backend 8080":                 func() { there.must("-n", "cluster", "connector", "create", "backend", "8080") },
	}
	section := func(title string) {
		t.Helper()
		for _, s := range steps(t, document, title) {
			switch do := upstream[s.line]; {
			case s.host == "host":
				types(t, s, func() *exec.Cmd {
					cmd := exec.Command("ip", "netns", "exec", host.ns, "sh", "-c", s.line)
					cmd.Env, cmd.Dir = host.env, dir
					return cmd
				})
			case do == nil:
				t.Errorf("%s: nobody knows what %q does on the cluster", document, s.line)
			default:
				do()
			}
		}
	}
	const leaving = "## Leaving it again"
	section("## With a link file")
	section(leaving)
	section("## With a token")
	there.eventually("east         Ready", "-n", "cluster", "link", "status")
	section("## A service of the host in the cluster, and the reverse")
	_ = there.through("127.0.0.1:5432").Close()
	_ = host.through("127.0.0.1:8080").Close() // a router that ends waits for its connections
	section(leaving)
	host.must("system", "uninstall")
}

// TestJoiningACluster has more of a cluster's token and of its link files than
// docs/kubernetes.md types.
func TestJoiningACluster(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := newCluster(h, "cluster", "localhost", loopback(t))
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
	c := newCluster(h, "cluster", "localhost", loopback(t))
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
