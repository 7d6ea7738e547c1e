package main

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/resource"
)

// The tests of this file and its neighbours play the scenarios of
// testdata/sites with real processes, each site on a host of its own, and check
// what EXPECT.md says there.

func TestHelloWorld(t *testing.T) {
	t.Parallel()
	town := newTown(t, "west", "east")
	west, east := town.hosts["west"], town.hosts["east"]
	west.apply(west.site("hello-world/west"))
	west.becomes("site/west", "Ready: OK")
	west.becomes("routeraccess/west", "Ready: OK")
	west.becomes("listener/greeter", "Pending: No matching connectors…")
	west.closed("127.0.0.1:18080")
	if got := west.attribute("listener/west-inter-router", "port") + " " + west.attribute("listener/west-edge", "port"); got != "55671 45671" {
		t.Errorf("ports of links: %s", got)
	}

	east.apply(east.site("hello-world/east"))
	east.becomes("connector/greeter", "Pending: No matching listeners…")
	if files, err := os.ReadDir(east.data("namespaces/default/runtime/links")); err == nil && len(files) > 0 {
		t.Errorf("link files of a site without link access: %v", files)
	}

	east.echo("127.0.0.1:18090", "")
	east.linkTo(west, "link-west")
	east.eventually(`"remoteSiteName": "west"`, "link", "status", "link-west", "-o", "json")
	west.becomes("listener/greeter", "Ready: OK")
	east.becomes("connector/greeter", "Ready: OK")
	west.eventually(`"sitesInNetwork": 2`, "site", "status", "-o", "json")
	east.eventually(`"sitesInNetwork": 2`, "site", "status", "-o", "json")
	west.writes("Site-west.yaml", "sitesInNetwork: 2", "name: east")
	west.writes("ConfigMap-skupper-network-status.yaml", `"name":"east"`, `"connectorCount":1`)
	east.writes("Link-link-west.yaml", "remoteSiteName: west")
	west.through("127.0.0.1:18080")
	for i := range 1000 {
		once(t, west, i)
	}
	var parallel sync.WaitGroup
	for i := range 50 {
		parallel.Go(func() { once(t, west, i) })
	}
	parallel.Wait()

	// A connector goes: its listener says so, what is open goes on.
	pid := east.routerPID("default")
	open := west.through("127.0.0.1:18080")
	east.must("connector", "delete", "greeter")
	west.becomes("listener/greeter", "Pending: No matching connectors…")
	converse(t, open, "draining")
	west.closed("127.0.0.1:18080")
	east.must("connector", "create", "greeter", "18090")
	west.through("127.0.0.1:18080")
	if now := east.routerPID("default"); now != pid {
		t.Errorf("router %d, want %d", now, pid)
	}

	west.must("system", "restart")
	west.through("127.0.0.1:18080")
	west.invariants(west, "127.0.0.1:18080")
	east.invariants(west, "127.0.0.1:18080")

	// The link is cut, without a word, and healed.
	east.cut()
	east.becomes("link/link-west", "Pending: Not operational: …")
	west.becomes("listener/greeter", "Pending: No matching connectors…")
	west.closed("127.0.0.1:18080")
	east.heal()
	west.through("127.0.0.1:18080")
	east.becomes("link/link-west", "Ready: OK")
}

// writes waits until a file of runtime/resources has some words.
func (h *computer) writes(file string, words ...string) {
	h.t.Helper()
	path := h.data("namespaces/default/runtime/resources", file)
	deadline := time.Now().Add(20 * time.Second)
	for {
		data, err := os.ReadFile(path)
		missing := slices.IndexFunc(words, func(w string) bool { return !strings.Contains(string(data), w) })
		if err == nil && missing < 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%s: %v, want %q in:\n%s", file, err, words, data)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// once makes a connection of its own and ends it.
func once(t *testing.T, h *computer, i int) {
	t.Helper()
	c, err := h.tryDial("127.0.0.1:18080")
	if err == nil {
		err = errors.Join(exchange(c, fmt.Sprintf("hello %d", i)), c.Close())
	}
	if err != nil {
		t.Errorf("connection %d: %v", i, err)
	}
}

func TestTCPDatabase(t *testing.T) {
	t.Parallel()
	town := newTown(t, "office", "dbhost")
	office, dbhost := town.hosts["office"], town.hosts["dbhost"]
	dbhost.has("10.20.0.15")
	dbhost.has("10.20.0.16")
	office.apply(office.site("tcp-database/office"))
	dbhost.apply(dbhost.site("tcp-database/dbhost"))
	if e := dbhost.entities(); e["log/"].Type == "" && !hasLog(dbhost, "TCP_ADAPTOR", "debug+") {
		t.Error("the log settings are not in the configuration")
	}
	if got := office.attribute("tcpListener/listener/orders-db", "observer"); got != "none" {
		t.Errorf("observer %q", got)
	}
	dbhost.linkTo(office, "link-office")
	const address = "127.0.0.1:15432"

	// No server: the client is told at once, both sites stay in order.
	office.becomes("listener/orders-db", "Ready: OK")
	office.closed(address)
	dbhost.becomes("connector/orders-db", "Ready: last connect failed: 10.20.0.15:5432: …")

	server := dbhost.listen("10.20.0.15:5432")
	t.Run("bulk", func(t *testing.T) { bulk(t, office, address, server) })
	t.Run("half close", func(t *testing.T) { halfClose(t, office, address, server) })
	t.Run("reset", func(t *testing.T) { reset(t, office, address, server) })
	serve(t, server, func(c net.Conn) { _, _ = io.Copy(c, c) })
	dbhost.invariants(office, address)

	// The connector leads elsewhere: what is open stays where it is.
	open := office.through(address)
	dbhost.echo("10.20.0.16:5432", "16")
	dbhost.must("connector", "update", "orders-db", "--host", "10.20.0.16")
	if _, ok := dbhost.entities()["tcpConnector/connector/orders-db@10.20.0.16"]; !ok {
		t.Errorf("no such tcpConnector: %v", dbhost.entities())
	}
	awaitName(t, office, address, "16")
	converse(t, open, "the old server")

	// The listener moves: connections stay.
	office.must("listener", "update", "orders-db", "--port", "15433")
	awaitName(t, office, "127.0.0.1:15433", "16")
	office.closed(address)
	converse(t, open, "the old port")
	office.refused(exitWrongUse, []string{"127.0.0.1:15433 overlaps 0.0.0.0:15433"}, "listener", "create", "second", "15433", "--host", "127.0.0.1")

	// The port belongs to somebody else: the rest is applied, and it heals.
	taken := office.listen("0.0.0.0:15432")
	office.apply(strings.ReplaceAll(office.site("tcp-database/office"), "name: orders-db", "name: taken")+
		"---\napiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: {name: other}\nspec: {routingKey: other, host: 127.0.0.1, port: 1}\n", "--wait", "none")
	v := office.becomes("listener/taken", "Error: …")
	if want := "address already in use by"; !strings.Contains(v.Status.Message, want) || !strings.Contains(v.Status.Message, ":15432") {
		t.Errorf("message %q, want %q", v.Status.Message, want)
	}
	office.becomes("connector/other", "Pending: No matching listeners…")
	_ = taken.Close() // it did nothing
	awaitName(t, office, address, "16")
	office.becomes("listener/taken", "Ready: OK")
}

func hasLog(h *computer, module, enable string) bool {
	for _, e := range h.entities() {
		if e.Type == "log" && e.Attrs["module"] == module && e.Attrs["enable"] == enable {
			return true
		}
	}
	return false
}

// awaitName waits until the server that answers has a name, for up to 30
// seconds.
func awaitName(t *testing.T, h *computer, address, name string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		got, err := h.named(address, len(name))
		if err == nil && got == name {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is answered by %q, %v, want %q", address, got, err, name)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// bulk sends much in both directions at once.
func bulk(t *testing.T, client *computer, address string, server net.Listener) {
	t.Helper()
	const size = 64 << 20
	sent := make([]byte, size)
	if _, err := rand.Read(sent); err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(sent)
	var both sync.WaitGroup
	end := func(who string, c net.Conn, err error) {
		if err != nil {
			t.Errorf("%s: %v", who, err)
			return
		}
		var writing sync.WaitGroup
		defer func() { writing.Wait(); _ = c.Close() }()
		writing.Go(func() {
			if _, err := c.Write(sent); err != nil {
				t.Errorf("%s sends: %v", who, err)
			}
		})
		sum := sha256.New()
		if _, err := io.CopyN(sum, c, size); err != nil || [sha256.Size]byte(sum.Sum(nil)) != want {
			t.Errorf("%s receives: %v, or other bytes", who, err)
		}
	}
	both.Go(func() { c, err := server.Accept(); end("server", c, err) })
	c, err := client.tryDial(address)
	end("client", c, err)
	both.Wait()
}

// halfClose has the client end its direction while the server goes on.
func halfClose(t *testing.T, client *computer, address string, server net.Listener) {
	t.Helper()
	var ended sync.WaitGroup
	ended.Go(func() {
		c, err := server.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		asked, err := io.ReadAll(c)
		_, err2 := fmt.Fprintf(c, "you said %s", asked)
		if err := errors.Join(err, err2, c.Close()); err != nil {
			t.Error(err)
		}
	})
	c := client.dial(address)
	_, err := io.WriteString(c, "all")
	got, err2 := []byte(nil), error(nil)
	if tcp, ok := c.(*net.TCPConn); ok {
		err = errors.Join(err, tcp.CloseWrite())
		got, err2 = io.ReadAll(c)
	}
	if string(got) != "you said all" || errors.Join(err, err2) != nil {
		t.Errorf("got %q, %v", got, errors.Join(err, err2))
	}
	ended.Wait()
}

// reset has the server reset a connection; so it is for the client.
func reset(t *testing.T, client *computer, address string, server net.Listener) {
	t.Helper()
	var ended sync.WaitGroup
	ended.Go(func() {
		c, err := server.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_, err = c.Read(make([]byte, 1))
			err = errors.Join(err, tcp.SetLinger(0), c.Close())
		}
		if err != nil {
			t.Error(err)
		}
	})
	c := client.dial(address)
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Error(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second)) // a socket that works
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client reads %v, want a reset", err)
	}
	ended.Wait()
}

// TestPortBelowTheUnprivileged is refused for who may not listen there.
func TestPortBelowTheUnprivileged(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if os.Getuid() == 0 {
		h.asNobody()
	}
	h.must("site", "create", "west")
	h.refused(exitWrongUse, []string{"432", "ip_unprivileged_port_start"}, "listener", "create", "low", "432")
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	file := "../../testdata/sites/ignored/site.yaml"
	a := h.say("system", "apply", file)
	if a.code != 0 {
		t.Fatalf("%+v", a)
	}
	about := []string{
		"site/ignored: spec.ha:", "site/ignored: spec.serviceAccount:", "site/ignored: spec.linkAccess:", "spec.settings.no-such-setting:",
		"connector/c: spec.includeNotReadyPods:", "connector/c: spec.exposePodsByName:", "connector/c: spec.someFutureField:",
		"attachedconnector/a: skipped", "securedaccess/sa:", "deployment/d: skipped",
	}
	once := func(what, text string) {
		t.Helper()
		for _, w := range about {
			if n := strings.Count(text, w); n != 1 {
				t.Errorf("%s warns %d times of %q:\n%s", what, n, w, text)
			}
		}
	}
	once("apply", a.err)
	if n := strings.Count(a.err, "\n"); n != len(about) {
		t.Errorf("apply says more:\n%s", a.err)
	}
	once("system status", h.must("system", "status"))
	once("system status -o json", h.must("system", "status", "-o", "json"))
	if a := h.say("system", "reload"); a.code != 0 || a.out+a.err != "the input is in effect\n" {
		t.Errorf("reload of the same input: %+v", a)
	}
	h.must("site", "status", "--check")
	shown := h.must("site", "status", "-o", "json")
	if !strings.Contains(shown, `"team": "blue"`) {
		t.Errorf("the labels are lost:\n%s", shown)
	}
	config, err := os.ReadFile(h.data("namespaces/default/runtime/router/skrouterd.json"))
	if err != nil || !strings.Contains(string(config), `"enable": "warning+"`) {
		t.Errorf("the router's configuration lacks the log setting: %v", err)
	}
	stored, err := os.ReadFile(h.data("namespaces/default/runtime/resources/ConfigMap-notes.yaml"))
	if err != nil || !strings.Contains(string(stored), "a: b") {
		t.Errorf("the ConfigMap is not kept: %v", err)
	}
}

func TestThreeSiteEdge(t *testing.T) {
	t.Parallel()
	town := newTown(t, "hub", "branch", "device")
	hub, branch, device := town.hosts["hub"], town.hosts["branch"], town.hosts["device"]
	for _, h := range town.hosts {
		h.knows("hub.test", hub.address)
	}
	hub.apply(hub.site("three-site-edge/hub"))
	var links []string
	entries, err := os.ReadDir(hub.data("namespaces/default/runtime/links"))
	for _, e := range entries {
		links = append(links, e.Name())
	}
	if diff := cmp.Diff([]string{"link-hub-access-127.0.0.1.yaml", "link-hub-access-hub.test.yaml"}, links); err != nil || diff != "" {
		t.Errorf("link files: %v\n%s", err, diff)
	}
	branch.apply(branch.site("three-site-edge/branch"))
	device.apply(device.site("three-site-edge/device"))
	link := hub.must("link", "generate", "hub", "--host", "hub.test")
	branch.apply(link)
	device.apply(hub.must("link", "generate", "hub", "--host", "hub.test"))
	for h, want := range map[*computer]string{branch: "inter-router 25671", device: "edge 25672"} {
		h.becomes("link/hub", "Ready: OK")
		h.eventually(`"remoteSiteName": "hub"`, "link", "status", "hub", "-o", "json")
		if got := h.attribute("connector/hub", "role") + " " + h.attribute("connector/hub", "port"); got != want {
			t.Errorf("connector %q, want %q", got, want)
		}
	}
	for _, h := range town.hosts {
		h.eventually(`"sitesInNetwork": 3`, "site", "status", "-o", "json")
	}
	branch.echo("127.0.0.1:18101", "")
	device.echo("127.0.0.1:18104", "")
	device.through("127.0.0.1:18102")
	branch.through("127.0.0.1:18103")
	// A plan counts the connections that go through a link, or only pass through the
	// router.
	hub.eventually("router (drops 2 connections of other sites)", "system", "restart", "--dry-run")
	hub.eventually("connections dropped: 2 (2 of other sites)", "system", "delete", hub.data("namespaces/default/input/resources/RouterAccess-hub-access.yaml"), "--dry-run")
	branch.eventually("remove link/hub (drops 2 connections: 1 of connector/stock, 1 of listener/telemetry)", "link", "delete", "hub", "--dry-run")
	device.eventually("connections dropped: 2\n", "link", "delete", "hub", "--dry-run")
	device.invariants(device, "127.0.0.1:18102")
	branch.through("127.0.0.1:18103")

	// The hub stops, and comes back.
	hub.must("system", "stop")
	for _, h := range []*computer{branch, device} {
		h.becomes("link/hub", "Pending: Not operational: …")
	}
	device.becomes("listener/stock", "Pending: No matching connectors…")
	branch.becomes("listener/telemetry", "Pending: No matching connectors…")
	device.closed("127.0.0.1:18102")
	branch.closed("127.0.0.1:18103")
	hub.must("system", "start")
	device.through("127.0.0.1:18102")
	branch.through("127.0.0.1:18103")

	// What an edge site cannot be is refused; it goes on.
	device.refused(exitWrongUse, []string{"edge sites cannot accept incoming links"}, "site", "update", "device", "--enable-link-access")
	set, _, err := resource.Parse([]resource.Input{{Name: "link.yaml", Data: []byte(link)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range resource.Of[*resource.Link](set) {
		l.Spec.Endpoints = l.Spec.Endpoints[:1]
		l.Namespace = "default"
		file := device.data("namespaces/default/input/resources/Link-hub.yaml")
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		halved := t.TempDir() + "/link.yaml"
		if err := os.WriteFile(halved, resource.EncodeYAML(l), 0o600); err != nil {
			t.Fatal(err)
		}
		device.refused(exitWrongUse, []string{"no endpoint for role edge"}, "system", "apply", halved)
		device.through("127.0.0.1:18102")
		// Dropped into the input it is the link's error, and nobody else's.
		if err := os.WriteFile(file, resource.EncodeYAML(l), 0o600); err != nil {
			t.Fatal(err)
		}
		device.becomes("link/hub", "Error: …")
		if v := device.object("link/hub"); !strings.Contains(v.Status.Message, "no endpoint for role edge") {
			t.Errorf("message %q", v.Status.Message)
		}
		device.becomes("site/device", "Ready: OK")
		if err := os.WriteFile(file, before, 0o600); err != nil {
			t.Fatal(err)
		}
		device.becomes("link/hub", "Ready: OK")
		device.through("127.0.0.1:18102")
	}
}
