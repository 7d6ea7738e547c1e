package system

import (
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
)

// west is a site with one of everything.
const west = `
apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: west}
spec: {linkAccess: default}
---
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata: {name: db}
spec: {routingKey: db, host: 127.0.0.1, port: 5432}
---
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: {name: web}
spec: {routingKey: web, host: localhost, port: 8080}
---
apiVersion: skupper.io/v2alpha1
kind: MultiKeyListener
metadata: {name: many}
spec: {host: 127.0.0.1, port: 9000, strategy: {priority: {routingKeys: [a, b]}}}
---
apiVersion: skupper.io/v2alpha1
kind: Link
metadata: {name: to-east}
spec: {endpoints: [{name: inter-router, host: east, port: "55671"}], tlsCredentials: to-east}
---
apiVersion: v1
kind: Secret
metadata: {name: to-east}
data: {ca.crt: eA==, tls.crt: eA==, tls.key: eA==}
`

func buildWest(t *testing.T) *site.Site {
	t.Helper()
	set, _, err := resource.Parse([]resource.Input{{Name: "west.yaml", Data: []byte(west)}})
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := site.Build(set, site.Context{Namespace: "west", Hostname: "box"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// healthyRouter has everything that west asks for.
func healthyRouter() *live {
	up := func(name string) row {
		return row{"name": name, "operStatus": "up", "host": "127.0.0.1", "port": "5432"}
	}
	return &live{
		id: "west-00000001", mode: "interior",
		links:       map[string]row{"to-east": {"name": "to-east", "host": "east", "port": "55671", "connectionStatus": "SUCCESS"}},
		listeners:   map[string]row{"west-inter-router": up("west-inter-router"), "west-edge": up("west-edge"), "skupper-local-normal": up("skupper-local-normal")},
		accepts:     map[string]row{"listener/db": up("listener/db"), "multiAddress/many": up("multiAddress/many")},
		opens:       map[string]row{"connector/web@localhost": {"name": "connector/web@localhost", "host": "localhost", "port": "8080"}},
		keys:        map[string]row{},
		connections: []row{{"dir": "out", "host": "east:55671", "container": "east-00000002", "role": "inter-router"}},
		reach:       map[string]int64{"db": 1, "b": 1},
	}
}

func TestAssess(t *testing.T) {
	t.Parallel()
	everywhere := &network{listeners: map[string]int{"web": 1}, sites: map[string]*networkSite{
		"id-e": {id: "id-e", name: "east"}, "id-w": {id: "id-w", name: "west"},
	}, byRouter: map[string]string{"east-00000002": "id-e"}}
	for _, c := range []struct {
		name   string
		change func(*moment)
		want   map[string]string // object → status and message
	}{
		{"all is well", func(*moment) {}, map[string]string{
			"site/west": "Ready OK", "listener/db": "Ready OK", "connector/web": "Ready OK",
			"multikeylistener/many": "Ready OK", "link/to-east": "Ready OK", "routeraccess/west": "Ready OK", "routeraccess/skupper-local": "Ready OK",
		}},
		{"the router is stopped", func(m *moment) { m.live, m.why = nil, "router stopped" }, map[string]string{
			"site/west": "Pending router stopped", "listener/db": "Pending router stopped", "link/to-east": "Pending router stopped",
			"connector/web": "Pending router stopped", "routeraccess/west": "Pending router stopped",
		}},
		{"the input is wrong", func(m *moment) { m.failure = "west.yaml:7: no" }, map[string]string{
			"site/west": "Error west.yaml:7: no", "listener/db": "Ready OK",
		}},
		{"a port is taken", func(m *moment) {
			m.live.accepts["listener/db"] = row{
				"name": "listener/db", "host": "127.0.0.1", "port": "5432", "operStatus": "down",
				"connectionMsg": "listen on 127.0.0.1:5432: address already in use",
			}
		}, map[string]string{
			"listener/db": "Error listen on 127.0.0.1:5432: address already in use by postgres (pid 7)",
			"site/west":   "Ready OK",
		}},
		{"no server is known", func(m *moment) {
			m.live.reach = map[string]int64{}
			m.live.accepts["listener/db"] = row{"name": "listener/db", "operStatus": "down", "connectionMsg": "no connector for db is known"}
			m.live.accepts["multiAddress/many"] = row{"name": "multiAddress/many", "operStatus": "down"}
		}, map[string]string{
			"listener/db": "Pending No matching connectors", "multikeylistener/many": "Pending No matching connectors",
		}},
		{"nobody listens", func(m *moment) { m.network = nil }, map[string]string{"connector/web": "Pending No matching listeners"}},
		{"the server refuses", func(m *moment) {
			m.live.opens["connector/web@localhost"]["connectionMsg"] = "connect to localhost:8080: connection refused"
		}, map[string]string{"connector/web": "Ready last connect failed: localhost:8080: connection refused"}},
		{"the link fails", func(m *moment) {
			m.live.links["to-east"] = row{"name": "to-east", "host": "east", "port": "55671", "connectionStatus": "FAILED", "connectionMsg": "dial: no such host east"}
		}, map[string]string{"link/to-east": "Pending Not operational: east:55671: no such host east"}},
		{"the link meets the wrong peer", func(m *moment) {
			m.live.links["to-east"] = row{"name": "to-east", "host": "east", "port": "55671", "connectionStatus": "FAILED", "connectionMsg": "TLS: the peer's certificate is not for east"}
		}, map[string]string{"link/to-east": "Error Not operational: east:55671: TLS: the peer's certificate is not for east"}},
		{"the link is cut while it is made", func(m *moment) {
			m.live.links["to-east"] = row{"name": "to-east", "host": "east", "port": "55671", "connectionStatus": "CONNECTING", "connectionMsg": "Connection to east:55671 failed: TLS: closed by the peer"}
		}, map[string]string{"link/to-east": "Pending Not operational: east:55671: TLS: closed by the peer"}},
		{"the link's certificate ends soon", func(m *moment) {
			m.creds = (&namespace{}).judged([]credential{{from: "Secret to-east", Certificate: api.Certificate{Name: "to-east-profile", Use: "client", Expires: m.now.Add(24 * time.Hour)}}}, m.now)
		}, map[string]string{"link/to-east": "Ready the certificate to-east-profile expires 1970-01-02 and is not renewed by this site"}},
		{"another program has the port of a listener that waits", func(m *moment) {
			m.live.accepts["listener/db"] = row{"name": "listener/db", "operStatus": "down"}
			m.taken = func(host string, port int) bool { return host == "127.0.0.1" && port == 5432 }
		}, map[string]string{"listener/db": "Error listen on 127.0.0.1:5432: address already in use by postgres (pid 7)"}},
		{"the link leads to its own site", func(m *moment) { m.live.connections[0]["container"] = m.live.id }, map[string]string{
			"link/to-east": "Error Not operational: east:55671 is this very site",
		}},
		{"the link is being made", func(m *moment) {
			m.live.links["to-east"] = row{"name": "to-east", "host": "east", "port": "55671", "connectionStatus": "CONNECTING"}
		}, map[string]string{"link/to-east": "Pending Not operational: connecting to east:55671, no answer yet"}},
		{"the peer of a link takes connections and is silent", func(m *moment) {
			m.live.links["to-east"] = row{"name": "to-east", "host": "east", "port": "55671", "connectionStatus": "CONNECTING", "connectionMsg": "Connection to east:55671 accepted: no answer yet"}
		}, map[string]string{"link/to-east": "Pending Not operational: east:55671 accepts connections but does not answer"}},
		{"the peer of a link was silent until the attempt ended", func(m *moment) {
			m.live.links["to-east"] = row{"name": "to-east", "host": "east", "port": "55671", "connectionStatus": "CONNECTING", "connectionMsg": "Connection to east:55671 failed: TLS: timed out"}
		}, map[string]string{"link/to-east": "Pending Not operational: east:55671 accepts connections but does not answer"}},
		{"the link port is taken", func(m *moment) {
			m.live.listeners["west-edge"] = row{"name": "west-edge", "operStatus": "down", "connectionMsg": "listen on :45671: address already in use"}
		}, map[string]string{
			"site/west":         "Error listen on :45671: address already in use by postgres (pid 7)",
			"routeraccess/west": "Error listen on :45671: address already in use by postgres (pid 7)",
		}},
		{"the router is behind", func(m *moment) { delete(m.live.accepts, "listener/db") }, map[string]string{
			"listener/db": "Pending the router does not know it yet",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &moment{
				site: buildWest(t), live: healthyRouter(), network: everywhere, now: time.Unix(1000, 0),
				owner: func(int) string { return "postgres (pid 7)" },
			}
			c.change(m)
			assess(m)
			for ref, want := range c.want {
				kind, name, _ := strings.Cut(ref, "/")
				k, _ := resource.KindNamed(kind)
				h := m.site.Objects.Find(resource.Ref{Kind: k, Name: name}).Health()
				why, advice, _ := strings.Cut(h.Message, "; ")
				if got := h.Status + " " + why; got != want {
					t.Errorf("%s\n got %s\nwant %s", ref, got, want)
				}
				if h.Status != resource.StatusReady && advice == "" && m.failure == "" {
					t.Errorf("%s does not say what to do: %s", ref, h.Message)
				}
			}
		})
	}
}

func TestAssessTellsTheRemoteSite(t *testing.T) {
	t.Parallel()
	m := &moment{site: buildWest(t), live: healthyRouter(), now: time.Unix(1000, 0), network: &network{
		sites: map[string]*networkSite{"id-e": {id: "id-e", name: "east"}}, byRouter: map[string]string{"east-00000002": "id-e"},
	}}
	assess(m)
	l := resource.Get[*resource.Link](m.site.Objects, "to-east")
	if l.Status.RemoteSiteName != "east" || l.Status.RemoteSiteID != "id-e" {
		t.Errorf("remote site %q, id %q", l.Status.RemoteSiteName, l.Status.RemoteSiteID)
	}
}

func TestTransitionTimesStayWhileNothingChanges(t *testing.T) {
	t.Parallel()
	first := &moment{site: buildWest(t), live: healthyRouter(), now: time.Unix(1000, 0)}
	assess(first)
	before := map[resource.Ref]resource.Health{}
	for o := range first.site.Objects.All() {
		if h := o.Health(); h != nil {
			before[o.Ref()] = *h
		}
	}
	second := &moment{site: buildWest(t), live: healthyRouter(), now: time.Unix(2000, 0), before: before}
	second.live.links["to-east"]["connectionStatus"] = "FAILED"
	assess(second)
	for name, want := range map[resource.Ref]int64{
		{Kind: resource.KindListener, Name: "db"}:  1000,
		{Kind: resource.KindLink, Name: "to-east"}: 2000,
	} {
		h := second.site.Objects.Find(name).Health()
		c := h.Condition(resource.RequiredConditions(second.site.Objects.Find(name))[1])
		if got := c.LastTransitionTime.Unix(); got != want {
			t.Errorf("%s: transition at %d, want %d", name, got, want)
		}
	}
}

func TestSiteOf(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"west-0a1b2c3d":                      "west",
		"my-site-0a1b2c3d":                   "my-site",
		"west-1690000000-123456789":          "west",
		"public-skupper-router-7d9f8c-abcde": "public",
		"west":                               "west",
		"a-b":                                "a-b",
	} {
		if got := siteOf(id); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}
