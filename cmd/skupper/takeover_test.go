package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTakeOver starts a site in namespaces that upstream's command line has
// written on each of its platforms: it is the same site for others, with the
// same authorities and ports, and a link that upstream made to it works.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	given := map[string]string{"linux": "", "podman": "podman rm --force", "docker": "docker rm --force"}
	for platform, advice := range given {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			takeOver(t, "../../testdata/namespaces/upstream-"+platform+"/west", advice)
		})
	}
	if fresh := os.Getenv("SKUPPER_UPSTREAM_NAMESPACE"); fresh != "" {
		t.Run("given", func(t *testing.T) {
			t.Parallel()
			takeOver(t, fresh, "")
		})
	}
}

// takeOver takes over the namespace at a path, and the one beside it that
// upstream has linked to it by a token. Starting the first gives some advice.
func takeOver(t *testing.T, given, advice string) {
	town := newTown(t, "west", "east")
	west, east := town.hosts["west"], town.hosts["east"]
	dir := west.inherits(given)
	authorities := map[string]string{}
	for _, path := range glob(filepath.Join(dir, "runtime/issuers"), "*/*") {
		authorities[path] = read(t, path)
	}
	if len(authorities) < 6 {
		t.Fatalf("authorities: %v", keysOf(authorities))
	}
	ports := []string{"listener/skupper-local-normal", "listener/west-inter-router", "listener/west-edge"}
	before := map[string]string{}
	for _, name := range ports {
		before[name] = west.attribute(name, "port")
	}
	routerID, siteID := west.identity()

	if a := west.say("system", "start"); a.code != 0 || !strings.Contains(a.err, advice) {
		t.Fatalf("system start: %+v, want advice %q", a, advice)
	}
	west.becomes("site/west", "Ready: OK")
	west.becomes("listener/db", "Pending: No matching connectors…")
	for path, was := range authorities {
		if read(t, path) != was {
			t.Errorf("%s has changed", path)
		}
	}
	if router, id := west.identity(); siteID == "" || id != siteID || router != routerID {
		t.Errorf("router %q of site %q, was %q of %q", router, id, routerID, siteID)
	}
	for _, name := range ports {
		if got := west.attribute(name, "port"); got == "" || got != before[name] {
			t.Errorf("%s: port %q, was %q", name, got, before[name])
		}
	}
	if got := read(t, filepath.Join(dir, "internal/platform.yaml")); got != "platform: linux\n" {
		t.Errorf("platform.yaml: %q", got)
	}
	if a := west.say("system", "start"); a.code != 0 || strings.Contains(a.err, "container") {
		t.Errorf("second start: %+v", a)
	}

	east.knows("vm", west.address)
	link := "link-west"
	if linked := filepath.Join(filepath.Dir(given), "east"); exists(linked) {
		// The token is used up: what it was exchanged for is only below runtime.
		link = "granted"
		east.inherits(linked)
		east.must("system", "start")
		east.becomes("accesstoken/granted", "Ready: OK")
	} else {
		east.must("site", "create", "east", "--start")
		east.must("system", "apply", filepath.Join(given, "runtime/links/link-west-vm.yaml"))
	}
	east.becomes("link/"+link, "Ready: OK")
	east.echo("127.0.0.1:18090", "")
	east.must("connector", "create", "db", "18090")
	west.through("127.0.0.1:15999")
}

// inherits makes a copy of a namespace the default one of a host.
func (h *computer) inherits(given string) (dir string) {
	h.t.Helper()
	dir = h.data("namespaces/default")
	if err := os.CopyFS(dir, os.DirFS(given)); err != nil {
		h.t.Fatal(err)
	}
	for _, path := range glob(filepath.Join(dir, "input/resources"), "*.yaml") {
		writeFile(h.t, path, strings.ReplaceAll(read(h.t, path), "namespace: "+filepath.Base(given), "namespace: default"))
	}
	return dir
}

// identity is the id of the router and of its site, as the router's
// configuration has them.
func (h *computer) identity() (router, site string) {
	h.t.Helper()
	for name, e := range h.entities() {
		if strings.HasPrefix(name, "router/") {
			var metadata struct{ ID string }
			if err := json.Unmarshal([]byte(e.Attrs["metadata"]), &metadata); err != nil {
				h.t.Fatal(err)
			}
			return e.Attrs["id"], metadata.ID
		}
	}
	return "", ""
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
