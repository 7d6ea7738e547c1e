package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// upstreamObserver names upstream's network-observer.
const upstreamObserver = "SKUPPER_UPSTREAM_OBSERVER"

// localEndpoint is where programs of its host reach the router of a namespace.
func (h *house) localEndpoint(namespace string) string {
	h.t.Helper()
	data, err := os.ReadFile(h.data("namespaces", namespace, "runtime/router/skrouterd.json"))
	if err != nil {
		h.t.Fatal(err)
	}
	var entities [][2]json.RawMessage
	if err := json.Unmarshal(data, &entities); err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entities {
		var attrs struct {
			Role string
			Port any
		}
		if string(e[0]) == `"listener"` && json.Unmarshal(e[1], &attrs) == nil && attrs.Role == "normal" {
			return net.JoinHostPort("localhost", fmt.Sprint(attrs.Port))
		}
	}
	h.t.Fatalf("no local listener in %s", data)
	return ""
}

// TestUpstreamsObserverDrawsOurSites: sites that were applied, as upstream's
// network observer shows them.
func TestUpstreamsObserverDrawsOurSites(t *testing.T) {
	t.Parallel()
	observer := upstream(t, upstreamObserver)
	ports := freePorts(t, 3)
	entrance, listen, port := ports[0], net.JoinHostPort("127.0.0.1", ports[1]), ports[2]
	echoServer(t, port)
	h := newHouse(t)
	apply := func(namespace, text string) {
		t.Helper()
		file := filepath.Join(h.home, namespace+".yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h.must("-n", namespace, "system", "apply", file)
		h.must("-n", namespace, "system", "start")
	}
	apply("west", fmt.Sprintf(`apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: west}
spec: {linkAccess: default}
---
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: {name: backend}
spec: {routingKey: backend, host: 127.0.0.1, port: %s}
`, port))
	apply("east", fmt.Sprintf(`apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: east}
---
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata: {name: backend}
spec: {routingKey: backend, host: 127.0.0.1, port: %s}
`, entrance))
	link := filepath.Join(h.home, "link.yaml")
	h.must("-n", "west", "link", "generate", "to-west", "--host", "localhost", "--output-file", link)
	h.must("-n", "east", "system", "apply", link)
	h.eventually("Ready", "-n", "east", "link", "status", "to-west", "--no-headers")

	keys := h.data("namespaces", "west", "runtime/certs/skupper-local-client")
	cmd := exec.Command(observer, "-listen", listen, "-enable-console=false", "-router-endpoint", "amqps://"+h.localEndpoint("west"),
		"-router-tls-ca", filepath.Join(keys, "ca.crt"), "-router-tls-cert", filepath.Join(keys, "tls.crt"), "-router-tls-key", filepath.Join(keys, "tls.key"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()

	type row = map[string]any
	one := func(kind string, want row) (found row) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for problem := error(nil); ; <-time.After(100 * time.Millisecond) {
			var answer struct{ Results []row }
			resp, err := http.Get("http://" + listen + "/api/v2alpha1/" + kind)
			if problem = err; err == nil {
				problem = json.NewDecoder(resp.Body).Decode(&answer)
				_ = resp.Body.Close()
			}
			var matching []row
			for _, r := range answer.Results {
				ok := true
				for k, v := range want {
					ok = ok && fmt.Sprint(r[k]) == fmt.Sprint(v)
				}
				if ok {
					matching = append(matching, r)
				}
			}
			if len(matching) == 1 {
				return matching[0]
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d of %s with %v, %v: %v", len(matching), kind, want, problem, answer.Results)
			}
		}
	}
	west := one("sites", row{"name": "west", "platform": "linux", "namespace": "west", "routerCount": 1})
	east := one("sites", row{"name": "east", "platform": "linux", "namespace": "east", "routerCount": 1})
	one("routers", row{"siteId": west["identity"], "mode": "interior"})
	one("routers", row{"siteId": east["identity"], "mode": "interior"})
	one("routerlinks", row{"name": "to-west", "status": "up", "role": "inter-router", "cost": 1, "sourceSiteName": "east", "destinationSiteName": "west"})
	one("services", row{"name": "backend", "isBound": true, "hasListener": true, "listenerCount": 1, "connectorCount": 1})
	one("listeners", row{"routingKey": "backend", "siteName": "east", "destPort": entrance})
	connector := one("connectors", row{"routingKey": "backend", "siteName": "west", "destHost": "127.0.0.1", "destPort": port})
	process := one("processes", row{"identity": connector["processId"], "siteName": "west", "binding": "bound", "role": "external"})
	one("components", row{"identity": process["componentId"], "name": process["componentName"]})
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", entrance))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	one("connections", row{
		"routingKey": "backend", "sourceSiteName": "east", "destSiteName": "west", "destProcessId": process["identity"],
		"octetCount": 1000, "octetReverseCount": 1000, "traceSites": "[east west]",
	})
	one("sitepairs", row{"sourceName": "east", "destinationName": "west"})
}
