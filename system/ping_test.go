package system

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skupper-host/skupper/router/manage/client"
	"github.com/skupper-host/skupper/system/api"
)

// pinged is a network of west, hub and east in a row, with an edge router at
// east. Servers of "db" are at east and at the edge.
type pinged struct {
	fakeRouters

	silent string           // a node that does not answer
	probes map[string]error // by name of a tcpConnector
}

func (f *pinged) Query(ctx context.Context, node, typ string, attributes ...string) ([]map[string]any, error) {
	if node == f.silent && node != "" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.fakeRouters.Query(ctx, node, typ, attributes...)
}

func (f *pinged) Probe(_ context.Context, node, connector string) (time.Duration, error) {
	if _, ok := f.fakeRouters[node]; !ok {
		return 0, errors.New("no route to " + node)
	}
	err, ok := f.probes[connector]
	if !ok {
		return 0, &client.Error{Status: 501}
	}
	return 300 * time.Microsecond, err
}

const (
	hubNode  = "_topo/0/hub-00000002/$management"
	eastNode = "_topo/0/east-00000003/$management"
	edgeNode = "_edge/device-00000004/$management"
)

func newPinged() *pinged {
	type table = []map[string]any
	nodes := func(self string, hops map[string]string) table {
		list := table{}
		for _, id := range []string{"west-00000001", "hub-00000002", "east-00000003"} {
			next := hops[id]
			if id == self {
				next = "(self)"
			}
			list = append(list, map[string]any{"id": id, "nextHop": next, "cost": int64(2)})
		}
		return list
	}
	router := func(id, mode string) table {
		return table{{"id": id, "mode": mode, "version": "2"}}
	}
	return &pinged{
		fakeRouters: fakeRouters{
			"": {
				typeRouter:    router("west-00000001", "interior"),
				typeNode:      nodes("west-00000001", map[string]string{"east-00000003": "hub-00000002"}),
				typeConnector: {{"name": "to-hub", "role": "inter-router", "host": "hub.example", "connectionStatus": "SUCCESS"}},
				typeTCPIn:     {{"name": "listener/db", "address": "db", "operStatus": "up"}},
				typeAddress: {
					{"key": "Mdb", "subscriberCount": int64(0), "remoteCount": int64(1), "remoteHostRouters": []any{"east-00000003"}},
					{"key": "Mbackend", "subscriberCount": int64(0), "remoteCount": int64(1), "remoteHostRouters": []any{"hub-00000002"}},
					{"key": "Mmc/sfe.all", "remoteCount": int64(1)},
				},
			},
			hubNode: {
				typeRouter: router("hub-00000002", "interior"),
				typeNode:   nodes("hub-00000002", nil),
				typeTCPOut: {{"name": "connector/api@10.0.0.2", "address": "backend", "host": "10.0.0.2", "port": "80"}},
			},
			eastNode: {
				typeRouter:     router("east-00000003", "interior"),
				typeNode:       nodes("east-00000003", map[string]string{"west-00000001": "hub-00000002"}),
				typeTCPOut:     {{"name": "connector/db@10.0.0.3", "address": "db", "host": "10.0.0.3", "port": "5432"}},
				typeConnection: {{"role": "edge", "dir": "in", "container": "device-00000004"}},
			},
			edgeNode: {
				typeRouter: router("device-00000004", "edge"),
				typeTCPOut: {{"name": "connector/cam@10.0.0.4", "address": "camera", "host": "10.0.0.4", "port": "554"}},
			},
		},
		probes: map[string]error{"connector/db@10.0.0.3": nil, "connector/cam@10.0.0.4": nil},
	}
}

func (f *pinged) ping(t *testing.T, target string) *api.Ping {
	t.Helper()
	l, err := ask(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	p := &api.Ping{Target: target, Paths: []api.PingPath{}}
	w := &walk{asker: f, live: l, tables: map[string]map[string]row{}}
	w.ping(t.Context(), p)
	return p
}

func routersOf(p api.PingPath) string {
	var ids []string
	for _, h := range p.Hops {
		ids = append(ids, siteOf(h.Router))
	}
	return strings.Join(ids, " ")
}

func TestPingFollowsTheWay(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		target, kind, hops, server string
		change                     func(*pinged)
	}{
		{target: "db", kind: api.PingRoutingKey, hops: "west hub east", server: "10.0.0.3"},
		{target: "east", kind: api.PingSite, hops: "west hub east"},
		{target: "west", kind: api.PingSite, hops: "west"},
		{target: "device", kind: api.PingSite, hops: "west hub east device"},
		{target: "camera", kind: api.PingRoutingKey, hops: "west hub east device", server: "10.0.0.4", change: func(f *pinged) {
			f.fakeRouters[""][typeAddress] = append(f.fakeRouters[""][typeAddress],
				map[string]any{"key": "Mcamera", "remoteHostRouters": []any{"east-00000003"}})
		}},
		{target: "local", kind: api.PingRoutingKey, hops: "west", server: "127.0.0.1", change: func(f *pinged) {
			f.fakeRouters[""][typeTCPOut] = []map[string]any{{"name": "connector/local@127.0.0.1", "address": "local", "host": "127.0.0.1", "port": "1"}}
			f.probes["connector/local@127.0.0.1"] = nil
		}},
		{target: "db", kind: api.PingRoutingKey, hops: "west hub east", server: "10.0.0.3", change: func(f *pinged) {
			f.fakeRouters[""][typeRouter][0]["mode"] = "edge"
			f.fakeRouters[""][typeConnection] = []map[string]any{{"role": "edge", "dir": "out", "container": "hub-00000002"}}
			f.fakeRouters[hubNode][typeAddress] = f.fakeRouters[""][typeAddress]
			delete(f.fakeRouters[""], typeAddress)
		}},
		{target: "backend", kind: api.PingRoutingKey, hops: "west hub", server: "10.0.0.2"}, // a router that cannot probe
	} {
		f := newPinged()
		if row.change != nil {
			row.change(f)
		}
		p := f.ping(t, row.target)
		if !p.OK || p.Problem != "" || p.Kind != row.kind || len(p.Paths) != 1 {
			t.Errorf("%s: %+v", row.target, p)
			continue
		}
		if got := routersOf(p.Paths[0]); got != row.hops {
			t.Errorf("%s: hops %s, want %s", row.target, got, row.hops)
		}
		if row.server == "" && len(p.Paths[0].Servers) != 0 || row.server != "" && (len(p.Paths[0].Servers) != 1 || p.Paths[0].Servers[0].Host != row.server) {
			t.Errorf("%s: servers %+v", row.target, p.Paths[0].Servers)
		}
	}
}

// pingFaults are faults, by what they are, and what ping must say of each.
func pingFaults() map[string]struct {
	target  string
	fault   func(*pinged)
	problem string
	advice  string
} {
	type fault = struct {
		target  string
		fault   func(*pinged)
		problem string
		advice  string
	}
	server := func(reason string) func(*pinged) {
		return func(f *pinged) {
			f.probes["connector/db@10.0.0.3"] = &client.ProbeError{Reason: "connect to 10.0.0.3:5432: " + reason}
		}
	}
	gone := func(f *pinged) { delete(f.fakeRouters[""], typeAddress) }
	return map[string]fault{
		"server does not run":   {"db", server("connection refused"), "connector db of site east: connection refused", "does the server run"},
		"server is silent":      {"db", server("timed out"), "connector db of site east: timed out", "firewall"},
		"server has no name":    {"db", server("no such host"), "connector db of site east: no such host", "correct the host"},
		"server is not trusted": {"db", server("TLS: the peer's certificate is signed by an unknown authority"), "connector db of site east: TLS: the peer's certificate is signed by an unknown authority", "ca.crt"},
		"nobody offers it":      {"nothing", func(*pinged) {}, `no connector that this site reaches offers "nothing", and no site has that name`, "service status"},
		"nobody offers it any more": {"db", func(f *pinged) {
			gone(f)
			f.fakeRouters[""][typeAddress] = []map[string]any{{"key": "Mdb", "subscriberCount": int64(0), "remoteCount": int64(0)}}
		}, `a listener of this site leads to "db", and no connector that this site reaches offers it`, "`skupper connector create db PORT`"},
		"a letter is missing":       {"backnd", func(*pinged) {}, `no connector that this site reaches offers "backnd"`, `did you mean "backend"?`},
		"a router on the way hangs": {"db", func(f *pinged) { f.silent = hubNode }, "router hub-00000002 of site hub does not answer: timed out", "is that host up"},
		"a router knows no way": {"db", func(f *pinged) {
			f.fakeRouters[hubNode][typeNode] = f.fakeRouters[hubNode][typeNode][:2]
		}, "router hub-00000002 of site hub knows no way to east-00000003 of site east", "is that host up"},
		"routers send it in circles": {"db", func(f *pinged) {
			f.fakeRouters[hubNode][typeNode][2]["nextHop"] = "west-00000001"
			f.fakeRouters["_topo/0/west-00000001/$management"] = f.fakeRouters[""]
		}, "of a way to east-00000003 that does not end: routers send it in circles", "link status"},
		"own link is refused": {"db", func(f *pinged) {
			gone(f)
			maps.Copy(f.fakeRouters[""][typeConnector][0], map[string]any{"connectionStatus": "CONNECTING", "connectionMsg": "Connection to hub.example:55671 failed: connection refused"})
		}, "link to-hub of this site is down: Connection to hub.example:55671 failed: connection refused", "nothing listens there"},
		"a link beyond is down": {"db", func(f *pinged) {
			gone(f)
			f.fakeRouters[hubNode][typeConnector] = []map[string]any{{"name": "to-east", "role": "inter-router", "host": "east.example", "connectionStatus": "CONNECTING", "connectionMsg": "timed out"}}
		}, "link to-east of site hub is down: timed out", "link status` there"},
		"an edge site is alone": {"db", func(f *pinged) {
			f.fakeRouters[""][typeRouter][0]["mode"] = "edge"
			delete(f.fakeRouters[""], typeConnector)
		}, "this edge site has no link to another site", "link status"},
		"own port is taken": {"db", func(f *pinged) {
			maps.Copy(f.fakeRouters[""][typeTCPIn][0], map[string]any{"operStatus": "down", "connectionMsg": "port 5432 is taken"})
		}, "listener db of this site: port 5432 is taken", "listener update db"},
	}
}

func TestPingNamesTheFault(t *testing.T) {
	t.Parallel()
	said := map[string]string{}
	for name, row := range pingFaults() {
		f := newPinged()
		row.fault(f)
		var p *api.Ping
		synctest.Test(t, func(t *testing.T) { p = f.ping(t, row.target) })
		if p.OK || !strings.Contains(p.Problem, row.problem) || !strings.Contains(p.Advice, row.advice) {
			t.Errorf("%s: ok %t, %q; %q, want %q; %q", name, p.OK, p.Problem, p.Advice, row.problem, row.advice)
		}
		both := strings.ReplaceAll(p.Problem, row.target, "") + p.Advice
		if other := said[both]; other != "" {
			t.Errorf("%s is told as %s: %s", name, other, both)
		}
		said[both] = name
	}
}

func TestSimilarKeys(t *testing.T) {
	t.Parallel()
	w := &walk{live: &live{reach: map[string]int64{"backend": 1, "db": 1, "mc/sfe.all": 1, "sfe.abcde:0": 1}}}
	for name, want := range map[string]string{
		"Backend": "backend", "backend": "", "backen": "backend", "backendd": "backend", "bakcend": "backend", "bxckend": "backend", "DB": "db",
		"backe": "", "dv": "", "xackenx": "", "mc/sfe.al": "", "sfe.abcde:1": "", "": "",
	} {
		if got := w.similar(name); got != want {
			t.Errorf("%q is near %q, want %q", name, got, want)
		}
	}
}
