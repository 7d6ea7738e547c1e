package system

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/skupper-host/skupper/system/api"
)

// TestPortLostAtTheFirstStart: somebody takes a chosen port before the new
// router listens there.
func TestPortLostAtTheFirstStart(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	dir := filepath.Join(o.Paths.NamespacesDir(), "west")
	config := filepath.Join(dir, "runtime", "router", "skrouterd.json")
	m.started = func() {
		m.started = nil // once
		port := listenerPort(t, config)
		ln, err := net.Listen("tcp", ":"+port)
		if err == nil { // else somebody else has it, which serves as well
			t.Cleanup(func() { _ = ln.Close() })
		}
		m.mu.Lock()
		m.lost = port
		m.mu.Unlock()
	}
	a := agentOf(t, m, o)
	r := apply(t, a, "west", siteFile("west", "linkAccess: default"))
	if port := listenerPort(t, config); !r.Started || port == m.lost {
		t.Errorf("port %s, lost is %s; %+v", port, m.lost, r)
	}
	if calls := m.took(); len(calls) != 2 || calls[1] != "reload skupper-west.service" {
		t.Errorf("%v", calls)
	}

	kept := listenerPort(t, config)
	m.mu.Lock()
	m.lost = kept
	m.mu.Unlock()
	apply(t, a, "west", listenerFile("db", "5432"))
	if port := listenerPort(t, config); port != kept {
		t.Errorf("port %s became %s: links name it", kept, port)
	}
}

// listenerPort is the port for interior routers in a configuration.
func listenerPort(t *testing.T, file string) string {
	t.Helper()
	rows, err := readEntities(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range rows[typeListener] {
		if l["name"] == "west-inter-router" {
			return row(l).text("port")
		}
	}
	t.Fatalf("no listener in %s", file)
	return ""
}

// TestPortsOfASiteThatIsTakenOverAreKept: they are in use as long as the router
// runs that upstream's tools have started, and links name them.
func TestPortsOfASiteThatIsTakenOverAreKept(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	dir := filepath.Join(o.Paths.NamespacesDir(), "west")
	if err := os.CopyFS(dir, os.DirFS("../testdata/namespaces/upstream-podman/west")); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "runtime", "router", "skrouterd.json")
	before := listenerPort(t, config)
	m.lost = before
	a := agentOf(t, m, o)
	if _, err := a.Operate(t.Context(), "west", api.OperateRequest{Operation: api.Start}); err != nil {
		t.Fatal(err)
	}
	if port := listenerPort(t, config); port != before {
		t.Errorf("port %s became %s: links name it", before, port)
	}
}
