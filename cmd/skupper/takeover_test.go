package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTakeOver starts a site in a namespace that upstream's command line has
// written on platform linux: it is the same site for others, with the same
// authorities and ports, and a link that upstream made to it works.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	given := os.Getenv("SKUPPER_UPSTREAM_NAMESPACE") // another one, fresh from upstream
	if given == "" {
		given = "../../testdata/namespaces/upstream-linux/west"
	}
	town := newTown(t, "west", "east")
	west, east := town.hosts["west"], town.hosts["east"]
	dir := west.data("namespaces/default")
	if err := os.CopyFS(dir, os.DirFS(given)); err != nil {
		t.Fatal(err)
	}
	// Upstream's namespace is named west; this one is the default.
	for _, path := range glob(filepath.Join(dir, "input/resources"), "*.yaml") {
		data := read(t, path)
		writeFile(t, path, strings.ReplaceAll(data, "namespace: west", "namespace: default"))
	}
	before := map[string]string{}
	for _, path := range glob(filepath.Join(dir, "runtime/issuers"), "*/*") {
		before[path] = read(t, path)
	}
	config := read(t, filepath.Join(dir, "runtime/router/skrouterd.json"))
	_, id, _ := strings.Cut(config, `\"id\":\"`)
	id, _, _ = strings.Cut(id, `\"`)

	west.must("system", "start")
	west.becomes("site/west", "Ready: OK")
	west.becomes("listener/db", "Pending: No matching connectors…")
	if len(before) < 6 {
		t.Fatalf("authorities: %v", keysOf(before))
	}
	for path, was := range before {
		if read(t, path) != was {
			t.Errorf("%s has changed", path)
		}
	}
	if now := west.metadata(); id == "" || !strings.Contains(now, id) {
		t.Errorf("site id %q is not in %q", id, now)
	}
	if got := west.attribute("listener/west-inter-router", "port") + " " + west.attribute("listener/west-edge", "port"); got != "55671 45671" {
		t.Errorf("ports of links: %s", got)
	}

	east.knows("vm", west.address)
	east.must("site", "create", "east", "--start")
	east.must("system", "apply", filepath.Join(given, "runtime/links/link-west-vm.yaml"))
	east.becomes("link/link-west", "Ready: OK")
	east.echo("127.0.0.1:18090", "")
	east.must("connector", "create", "db", "18090")
	west.through("127.0.0.1:15999")
}

// metadata is that of the router's configuration.
func (h *computer) metadata() string {
	for name, e := range h.entities() {
		if strings.HasPrefix(name, "router/") {
			return e.Attrs["metadata"]
		}
	}
	return ""
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
