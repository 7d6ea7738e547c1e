package system

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/resource"
)

// TestNetworkStatus: tools find the network in a ConfigMap of the known shape.
func TestNetworkStatus(t *testing.T) {
	t.Parallel()
	f := threeSites()
	f[""][typeConnector] = []map[string]any{{"name": "up", "role": "inter-router", "host": "10.0.0.2", "port": "55671", "cost": int64(3), "connectionStatus": "SUCCESS"}}
	f[""][typeConnection] = append(f[""][typeConnection], map[string]any{"role": "inter-router", "dir": "out", "container": "east-00000002", "host": "10.0.0.2:55671"})
	f[""][typeSite] = []map[string]any{{"name": "west-00000001", "namespace": "blue"}}
	f["_topo/0/east-00000002/$management"][typeSite] = []map[string]any{{"name": "east-00000002", "namespace": "green"}}
	l, err := ask(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	n := survey(t.Context(), f, l, map[string]answer{})
	namespaces := map[string]string{}
	for _, r := range n.records() {
		namespaces[r.Name] = r.Namespace
	}
	if d := cmp.Diff(map[string]string{"west": "blue", "east": "green", "far": "", "device": ""}, namespaces); d != "" {
		t.Errorf("namespaces (-want +got):\n%s", d)
	}
	m := n.networkStatus("blue")
	if m.Ref() != (resource.Ref{Kind: resource.KindConfigMap, Name: "skupper-network-status"}) || m.Namespace != "blue" {
		t.Errorf("object %v of namespace %s", m.Ref(), m.Namespace)
	}
	var got networkDocument
	if err := json.Unmarshal([]byte(m.Data["NetworkStatus"]), &got); err != nil {
		t.Fatal(err)
	}
	want := []addressDocument{{RecType: "ADDRESS", Identity: "db", Name: "db", Protocol: "tcp", Listeners: 2, Connectors: 1}}
	if d := cmp.Diff(want, got.Addresses); d != "" {
		t.Errorf("addresses (-want +got):\n%s", d)
	}
	sites := map[string]siteDocument{}
	for _, s := range got.Sites {
		sites[s.Site.Name] = s
	}
	west, east := sites["west"], sites["east"]
	if len(sites) != 4 || west.Site.Namespace != "blue" || east.Site.Namespace != "green" || east.Site.Platform != "podman" {
		t.Errorf("sites %+v", got.Sites)
	}
	if len(west.Routers) != 1 || len(east.Routers) != 1 {
		t.Fatalf("routers of west %+v, of east %+v", west.Routers, east.Routers)
	}
	// A link leads to an access that the other site shows.
	access := east.Routers[0].Accesses
	if len(access) != 1 {
		t.Fatalf("accesses of east: %+v", access)
	}
	link := linkDocument{Name: "up", Cost: 3, Status: "up", Role: "inter-router", Peer: access[0].Identity}
	if d := cmp.Diff([]linkDocument{link}, west.Routers[0].Links); d != "" {
		t.Errorf("links of west (-want +got):\n%s", d)
	}
	if in := west.Routers[0].Listeners; len(in) != 1 || in[0].Address != "db" {
		t.Errorf("listeners of west: %+v", in)
	}
	if c := east.Routers[0].Connectors; len(c) != 1 || c[0].Address != "db" {
		t.Errorf("connectors of east: %+v", c)
	}
}
