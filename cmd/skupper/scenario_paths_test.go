package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestHATwoPath(t *testing.T) {
	t.Parallel()
	town := newTown(t, "client", "hub-a", "hub-b")
	client, a, b := town.hosts["client"], town.hosts["hub-a"], town.hosts["hub-b"]
	for _, h := range []*computer{a, b} {
		name := h.ns[len(town.prefix)+1:]
		h.apply(h.site("ha-two-path/" + name))
		h.echo(map[*computer]string{a: "127.0.0.1:18201", b: "127.0.0.1:18202"}[h], name)
	}
	client.apply(client.site("ha-two-path/client"))
	client.linkTo(a, "to-hub-a", "--cost", "1")
	client.linkTo(b, "to-hub-b", "--cost", "10")
	entities := client.entities()
	for name, want := range map[string]string{"to-hub-a": a.address + " 27671 ", "to-hub-b": b.address + " 27672 10"} {
		e := entities["connector/"+name]
		if got := strings.Join([]string{e.Attrs["host"], e.Attrs["port"], e.Attrs["cost"]}, " "); got != want || e.Attrs["sslProfile"] != name+"-profile" {
			t.Errorf("connector %s: %q, profile %q", name, got, e.Attrs["sslProfile"])
		}
	}
	table := client.must("link", "status")
	for _, line := range []string{"to-hub-a  Ready   1 ", "to-hub-b  Ready   10 "} {
		if !strings.Contains(table, line) {
			t.Errorf("no %q in:\n%s", line, table)
		}
	}
	const api = "127.0.0.1:18200"
	answers := func(name string) {
		t.Helper()
		awaitName(t, client, api, name)
		for i := range 20 {
			if got, err := client.named(api, len(name)); err != nil || got != name {
				t.Errorf("connection %d is answered by %q, %v, want %s", i, got, err, name)
			}
		}
	}
	answers("hub-a")

	// The near hub dies, and comes back.
	open := client.dial(api)
	a.must("system", "stop")
	_ = open.SetReadDeadline(time.Now().Add(10 * time.Second)) // a socket that works
	if _, err := readName(open, "hub-a"); err != nil {
		t.Errorf("what was sent before is lost: %v", err)
	}
	if _, err := open.Read(make([]byte, 1)); err == nil {
		t.Error("a connection over a dead path goes on")
	}
	answers("hub-b")
	client.becomes("link/to-hub-a", "Pending: Not operational: …")
	client.becomes("listener/api", "Ready: OK")
	far := client.dial(api)
	if name, err := readName(far, "hub-b"); err != nil || name != "hub-b" {
		t.Errorf("%q, %v", name, err)
	}
	a.must("system", "start")
	client.becomes("link/to-hub-a", "Ready: OK")
	answers("hub-a")
	converse(t, far, "stays on hub-b")

	// A cost changes: traffic spreads, no link is made anew.
	near := client.dial(api)
	if name, err := readName(near, "hub-a"); err != nil || name != "hub-a" {
		t.Errorf("%q, %v", name, err)
	}
	client.must("link", "update", "to-hub-b", "--cost", "1")
	got := map[string]bool{}
	for deadline := time.Now().Add(30 * time.Second); len(got) < 2 && time.Now().Before(deadline); {
		c := client.dial(api) // stays open: it counts
		name, err := readName(c, "hub-a")
		if err != nil {
			t.Fatal(err)
		}
		got[name] = true
	}
	if len(got) < 2 {
		t.Errorf("with equal costs all connections go to %v", got)
	}
	converse(t, near, "no reconnect")
	converse(t, far, "no reconnect")

	// One link is deleted: the other one is not touched. A third, to the same
	// site, is told so.
	client.must("link", "delete", "to-hub-a")
	for name := range client.entities() {
		if strings.Contains(name, "to-hub-a") {
			t.Errorf("left of the link: %s", name)
		}
	}
	converse(t, far, "untouched")
	answers("hub-b")
	file := t.TempDir() + "/second.yaml"
	b.must("link", "generate", "second", "--host", b.address, "--output-file", file)
	if a := client.say("link", "create", file); a.code != 0 || !strings.Contains(a.err, "second link to the same site") {
		t.Errorf("second link: %+v", a)
	}
	if a := client.say("site", "update", "client", "--enable-ha"); a.code != 0 || !strings.Contains(a.err, "spec.ha: ignored") {
		t.Errorf("--enable-ha: %+v", a)
	}
}

// readName reads as many bytes as a name has.
func readName(c interface{ Read([]byte) (int, error) }, like string) (string, error) {
	name := make([]byte, len(like))
	n, err := c.Read(name)
	return string(name[:n]), err
}

func TestMultikeyFailover(t *testing.T) {
	t.Parallel()
	town := newTown(t, "app", "primary", "standby")
	app, primary, standby := town.hosts["app"], town.hosts["primary"], town.hosts["standby"]
	app.apply(app.site("multikey-failover/app"))
	for name, value := range map[string]string{"cache/cache-primary": "1", "cache/cache-standby": "0", "cache-split/cache-primary": "3", "cache-split/cache-standby": "1"} {
		if got := app.attribute("listenerAddress/"+name, "value"); got != value {
			t.Errorf("listenerAddress %s: value %s, want %s", name, got, value)
		}
	}
	for name, strategy := range map[string]string{"cache": "priority", "cache-split": "weighted"} {
		if got := app.attribute("tcpListener/multiAddress/"+name, "multiAddressStrategy"); got != strategy {
			t.Errorf("strategy of %s: %s", name, got)
		}
	}
	app.becomes("multikeylistener/cache", "Pending: No matching connectors…")
	primary.apply(primary.site("multikey-failover/primary"))
	standby.apply(standby.site("multikey-failover/standby"))
	primary.echo("127.0.0.1:18301", "primary")
	standby.echo("127.0.0.1:18302", "standby")
	primary.linkTo(app, "app")
	standby.linkTo(app, "app")
	const cache, split = "127.0.0.1:18300", "127.0.0.1:18310"
	only := func(name string) {
		t.Helper()
		awaitName(t, app, cache, name)
		for range 20 {
			if got, err := app.named(cache, len(name)); err != nil || got != name {
				t.Errorf("answered by %q, %v, want %s", got, err, name)
			}
		}
	}
	only("primary")
	awaitName(t, app, split, "standby")
	shares := func(low, high int) {
		t.Helper()
		n := 0
		for range 400 {
			got, err := app.named(split, len("primary"))
			if err != nil {
				t.Fatal(err)
			}
			if got == "primary" {
				n++
			}
		}
		if n < low || n > high {
			t.Errorf("primary answers %d of 400, want %d to %d", n, low, high)
		}
	}
	shares(260, 340) // three of four, ten points more or less

	app.eventually("cache-standby", "listener", "status", "-o", "json")
	primary.must("connector", "delete", "cache")
	only("standby")
	app.becomes("multikeylistener/cache", "Ready: OK")
	reachable := app.eventually(`"routingKeysReachable"`, "listener", "status", "cache", "-o", "json")
	for deadline := time.Now().Add(20 * time.Second); strings.Contains(after(reachable, "routingKeysReachable"), "cache-primary"); reachable = app.must("listener", "status", "cache", "-o", "json") {
		if time.Now().After(deadline) {
			t.Fatalf("cache-primary is still reachable:\n%s", reachable)
		}
	}
	if !strings.Contains(after(reachable, "routingKeysReachable"), "cache-standby") || !strings.Contains(reachable, `"hasDestination": true`) {
		t.Errorf("status:\n%s", reachable)
	}
	standby.must("connector", "delete", "cache")
	app.becomes("multikeylistener/cache", "Pending: No matching connectors…")
	app.closed(cache)
	standby.must("connector", "create", "cache", "18302", "--host", "127.0.0.1", "--routing-key", "cache-standby")
	only("standby")
	primary.must("connector", "create", "cache", "18301", "--host", "127.0.0.1", "--routing-key", "cache-primary")
	only("primary")

	// The strategy stays what it is; weights change at once.
	open := app.dial(cache)
	if name, err := readName(open, "primary"); err != nil || name != "primary" {
		t.Errorf("%q, %v", name, err)
	}
	const listener = "apiVersion: skupper.io/v2alpha1\nkind: MultiKeyListener\nmetadata: {name: %s}\n" +
		"spec: {host: 127.0.0.1, port: %d, strategy: {weighted: {routingKeys: {cache-primary: 1, cache-standby: 1}}}}\n"
	file := t.TempDir() + "/cache.yaml"
	writeFile(t, file, fmt.Sprintf(listener, "cache", 18300))
	app.refused(exitWrongUse, []string{"strategy cannot be changed"}, "system", "apply", file)
	converse(t, open, "unaffected")
	app.apply(fmt.Sprintf(listener, "cache-split", 18310))
	awaitName(t, app, split, "standby")
	shares(160, 240)
	if got := app.must("listener", "status", "cache-split", "-o", "json"); !strings.Contains(after(got, "status"), `"cache-primary": 1`) {
		t.Errorf("the status does not show the new weights:\n%s", got)
	}
	app.must("listener", "delete", "cache")
	app.must("system", "apply", file)
	awaitName(t, app, cache, "standby")
	converse(t, open, "draining")
}

// after is what follows the last occurrence of a text.
func after(text, mark string) string { return text[strings.LastIndex(text, mark)+1:] }
