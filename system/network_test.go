package system

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// fakeRouters answers queries for several routers; "" is the first.
type fakeRouters map[string]map[string][]map[string]any

func (f fakeRouters) Read(_ context.Context, typ, name string) (map[string]any, error) {
	for _, r := range f[""][typ] {
		if r["name"] == name {
			return r, nil
		}
	}
	return nil, nil
}

func (f fakeRouters) Query(_ context.Context, node, typ string, _ ...string) ([]map[string]any, error) {
	r, ok := f[node]
	if !ok {
		return nil, errors.New("no route to " + node)
	}
	return r[typ], nil
}

func (f fakeRouters) Close() error { return nil }

func threeSites() fakeRouters {
	west := map[string][]map[string]any{
		typeRouter: {{"id": "west-00000001", "mode": "interior", "version": "2", "metadata": `{"id":"id-w","version":"2","platform":"linux"}`}},
		typeNode: {
			{"id": "west-00000001", "nextHop": "(self)"},
			{"id": "east-00000002", "cost": int64(1)},
			{"id": "far-00000003", "nextHop": "east-00000002", "cost": int64(4)},
			{"id": "dead-00000009", "cost": int64(1)},
		},
		typeConnection: {
			{"role": "edge", "dir": "in", "container": "device-00000004", "host": "10.0.0.9:4711"},
			{"role": "inter-router", "dir": "in", "container": "east-00000002", "host": "10.0.0.2:33"},
			{"role": "inter-router-data", "dir": "in", "container": "east-00000002", "host": "10.0.0.2:34"},
		},
		typeTCPIn:   {{"name": "listener/db", "address": "db", "operStatus": "up", "connectionsOpened": uint64(7), "connectionsClosed": int32(2), "bytesIn": int64(10)}},
		typeAddress: {{"key": "Mdb", "remoteCount": int64(1), "subscriberCount": int64(0)}, {"key": "Lx", "remoteCount": int64(5)}},
	}
	return fakeRouters{
		"": west,
		"_topo/0/east-00000002/$management": {
			typeRouter: {{"metadata": `{"id":"id-e","version":"2","platform":"podman"}`}},
			typeTCPOut: {{"name": "connector/db@localhost", "address": "db"}},
		},
		"_topo/0/far-00000003/$management": {
			typeRouter: {{"metadata": "id-f"}},
			typeKey:    {{"name": "many/db", "address": "db", "listener": "multiAddress/many"}},
		},
		"_edge/device-00000004/$management": {typeRouter: {{"metadata": `{"id":"id-d"}`}}},
	}
}

func TestSurvey(t *testing.T) {
	t.Parallel()
	f := threeSites()
	l, err := ask(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	n := survey(t.Context(), f, l, map[string]answer{})
	want := []api.Site{
		{ID: "id-w", Name: "west", Version: "2", Platform: "linux", Routers: []string{"west-00000001"}},
		{ID: "id-d", Name: "device", Routers: []string{"device-00000004"}, Hops: 1, Cost: 1},
		{ID: "id-e", Name: "east", Version: "2", Platform: "podman", Routers: []string{"east-00000002"}, Hops: 1, Cost: 1},
		{ID: "id-f", Name: "far", Routers: []string{"far-00000003"}, Hops: 2, Cost: 4},
	}
	if d := cmp.Diff(want, n.sitesNearFirst()); d != "" {
		t.Errorf("sites (-want +got):\n%s", d)
	}
	services := []api.Service{{RoutingKey: "db", Listeners: 2, Connectors: 1, Local: true, Sites: []api.ServiceSite{
		{Site: "east", Connectors: []string{"db"}}, {Site: "far", Listeners: []string{"many"}}, {Site: "west", Listeners: []string{"db"}},
	}}}
	if d := cmp.Diff(services, n.services(map[string]bool{"db": true})); d != "" {
		t.Errorf("services (-want +got):\n%s", d)
	}
	if n.siteID("east-00000002") != "id-e" || n.siteID("unknown") != "" || (*network)(nil).siteID("x") != "" {
		t.Error("site ids are not found by router")
	}
}

// TestSurveyFromAnEdge finds the interior routers behind the one that an edge
// router hangs on, and the edge routers of those.
func TestSurveyFromAnEdge(t *testing.T) {
	t.Parallel()
	f := fakeRouters{
		"": {
			typeRouter:     {{"id": "device-00000001", "mode": "edge", "metadata": `{"id":"id-d"}`}},
			typeConnector:  {{"name": "up", "role": "edge", "host": "hub", "port": "1", "connectionStatus": "SUCCESS"}},
			typeConnection: {{"role": "edge", "dir": "out", "container": "hub-00000002", "host": "hub:1"}},
		},
		"_topo/0/hub-00000002/$management": {
			typeRouter:     {{"metadata": `{"id":"id-h"}`}},
			typeNode:       {{"id": "hub-00000002", "nextHop": "(self)"}, {"id": "far-00000003", "cost": int64(3)}},
			typeConnection: {{"role": "edge", "dir": "in", "container": "device-00000001", "host": "10.0.0.9:1"}},
		},
		"_topo/0/far-00000003/$management": {
			typeRouter:     {{"metadata": `{"id":"id-f"}`}},
			typeConnector:  {{"name": "hub", "role": "inter-router", "host": "hub", "port": "2", "connectionStatus": "FAILED"}},
			typeConnection: {{"role": "edge", "dir": "in", "container": "phone-00000004", "host": "10.0.0.8:1"}},
		},
		"_edge/phone-00000004/$management": {typeRouter: {{"metadata": `{"id":"id-p"}`}}},
	}
	l, err := ask(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	n := survey(t.Context(), f, l, map[string]answer{})
	want := []api.Site{
		{ID: "id-d", Name: "device", Routers: []string{"device-00000001"}, Links: []api.SiteLink{{Name: "up", Site: "hub", Operational: true}}},
		{ID: "id-h", Name: "hub", Routers: []string{"hub-00000002"}, Hops: 1, Cost: 1},
		{ID: "id-f", Name: "far", Routers: []string{"far-00000003"}, Hops: 2, Cost: 4, Links: []api.SiteLink{{Name: "hub"}}},
		{ID: "id-p", Name: "phone", Routers: []string{"phone-00000004"}, Hops: 3, Cost: 5},
	}
	if d := cmp.Diff(want, n.sitesNearFirst()); d != "" {
		t.Errorf("sites (-want +got):\n%s", d)
	}
	links := map[string][]resource.LinkRecord{}
	for _, r := range n.records() {
		links[r.Name] = r.Links
	}
	wantLinks := map[string][]resource.LinkRecord{
		"device": {{Name: "up", RemoteSiteID: "id-h", RemoteSiteName: "hub", Operational: true}},
		"far":    {{Name: "hub"}}, "hub": nil, "phone": nil,
	}
	if d := cmp.Diff(wantLinks, links); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	l, err := ask(t.Context(), threeSites())
	if err != nil {
		t.Fatal(err)
	}
	if l.reach["db"] != 1 || l.reach["x"] != 0 {
		t.Errorf("reach %v", l.reach)
	}
	remote := remoteLinks(l, nil, nil, time.Unix(1000, 0))
	if len(remote) != 2 || remote[0].RemoteSite != "device" || remote[1].RemoteSite != "east" {
		t.Errorf("remote links %+v", remote)
	}
	if _, err := ask(t.Context(), fakeRouters{"": {}}); err == nil {
		t.Error("a router without a router entity is believed")
	}
}
