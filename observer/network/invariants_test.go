package network

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// view is all that a network shows.
type view struct {
	Sites          []*record.Site
	Routers        []*record.Router
	Links          []*record.RouterLink
	Accesses       []*record.RouterAccess
	Listeners      []*record.Listener
	Connectors     []*record.Connector
	Services       []*record.Service
	Components     []*record.Component
	Processes      []*record.Process
	SitePairs      []*record.Pair
	ComponentPairs []*record.Pair
	ProcessPairs   []*record.Pair
	Connections    []*record.Connection
	Requests       []*record.ApplicationFlow
	Traffic        []Traffic
	LinkErrors     []LinkErrors
}

func show(n *Network) view {
	return view{
		n.Sites(), n.Routers(), n.RouterLinks(), n.RouterAccesses(), n.Listeners(), n.Connectors(), n.Services(), n.Components(),
		n.Processes(), n.SitePairs(), n.ComponentPairs(), n.ProcessPairs(), n.Connections(), n.Requests(), n.Traffic(), n.LinkErrors(),
	}
}

// reporter is where invariants complain.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// inOrder complains about a list that is not in the order of its identities, or
// has one twice.
func inOrder[T any, R interface {
	*T
	ID() string
}](t reporter, name string, rows []*T) {
	t.Helper()
	for i := 1; i < len(rows); i++ {
		if R(rows[i-1]).ID() >= R(rows[i]).ID() {
			t.Errorf("%s: %s before %s", name, R(rows[i-1]).ID(), R(rows[i]).ID())
		}
	}
}

// check complains about what must never be so.
func check(t reporter, n *Network) view {
	t.Helper()
	v := show(n)
	inOrder(t, "sites", v.Sites)
	inOrder(t, "routers", v.Routers)
	inOrder(t, "links", v.Links)
	inOrder(t, "accesses", v.Accesses)
	inOrder(t, "listeners", v.Listeners)
	inOrder(t, "connectors", v.Connectors)
	inOrder(t, "services", v.Services)
	inOrder(t, "components", v.Components)
	inOrder(t, "processes", v.Processes)
	inOrder(t, "site pairs", v.SitePairs)
	inOrder(t, "component pairs", v.ComponentPairs)
	inOrder(t, "process pairs", v.ProcessPairs)
	inOrder(t, "connections", v.Connections)
	inOrder(t, "requests", v.Requests)
	if _, err := json.Marshal(v); err != nil {
		t.Errorf("%v", err)
	}
	for _, s := range v.Traffic {
		if s.Closed > s.Opened {
			t.Errorf("%+v: %d closed of %d", s.Labels, s.Closed, s.Opened)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &n.limits
	for what, over := range map[string]bool{
		"connections": len(n.flows) > l.Connections, "requests": len(n.requests) > l.Requests, "logs": len(n.logs.rows) > l.Logs,
		"sources": len(n.sources) > l.Sources, "entries": len(n.entries) > l.Entries,
		"series": len(n.series) > l.Series+l.Series/4+applications, "pairs": len(n.pairs[processPairs].all) > l.Pairs,
		"shadows":    len(n.shadows.all) > l.Connections+l.Requests || len(n.shadows.all) != len(n.shadows.order),
		"tombstones": len(n.tombstones.ended) > maxTombstones,
		"pending":    len(n.pending) > len(n.flows),
		"rows":       n.flowRows.live.Len()+n.flowRows.ended.Len() != len(n.flows) || n.reqRows.live.Len()+n.reqRows.ended.Len() != len(n.requests),
		"logs seen":  len(n.logs.seen) != len(n.logs.rows),
	} {
		if over {
			t.Errorf("%s are out of bounds", what)
		}
	}
	checkCounts(t, n)
	return v
}

// checkCounts counts again what is counted on the way.
func checkCounts(t reporter, n *Network) {
	t.Helper()
	flows, refs, ends := map[*source]int{}, map[*route]int{}, map[*process]int{}
	for _, f := range n.flows {
		if f.closed != (f.end != 0) {
			t.Errorf("connection %s: closed %v, end %d", f.id, f.closed, f.end)
		}
		if !f.closed {
			flows[f.source]++
		}
		refs[f.route]++
	}
	for _, r := range n.requests {
		if !r.closed {
			flows[r.source]++
		}
		refs[r.route]++
	}
	for _, s := range n.shadows.all {
		refs[s.route]++
	}
	for _, s := range n.sources {
		if s.flows != flows[s] || s.gone != 0 && len(s.entries) > 0 {
			t.Errorf("source %s: %d connections, counted %d; gone %d with %d records", s.id, flows[s], s.flows, s.gone, len(s.entries))
		}
		for e := range s.entries {
			if e.gone || e.owner != s && !slices.Contains(e.also, s) {
				t.Errorf("source %s does not own %s", s.id, e.rec.Identity)
			}
		}
	}
	for _, r := range n.routes {
		if r.refs != refs[r] || r.refs == 0 {
			t.Errorf("a route is used %d times, counted %d", refs[r], r.refs)
		}
		ends[r.source]++
		ends[r.dest]++
	}
	for _, p := range n.processes {
		if p.routes != ends[p] || p.gone {
			t.Errorf("process %s: %d routes, counted %d, gone %v", p.id, ends[p], p.routes, p.gone)
		}
	}
	type both struct{ listeners, connectors int }
	services := map[*service]both{}
	for _, e := range n.entries {
		if e.service != nil {
			b := services[e.service]
			if e.rec.Type == vanflow.TypeListener {
				b.listeners++
			} else {
				b.connectors++
			}
			services[e.service] = b
		}
		if e.target != nil && e.target.gone {
			t.Errorf("connector %s leads to %s, which is gone", e.rec.Identity, e.target.id)
		}
	}
	for _, s := range n.services {
		if services[s] != (both{s.listeners, s.connectors}) {
			t.Errorf("service %s: %v, counted %d and %d", s.address, services[s], s.listeners, s.connectors)
		}
	}
	if len(services) != len(n.services) {
		t.Errorf("%d services, listed %d", len(services), len(n.services))
	}
}

// settle lets as much time pass as it takes until nothing waits any more.
func settle(n *Network, now time.Time) time.Time {
	for range 3 {
		now = now.Add(20 * time.Second)
		n.Tick(now)
	}
	return now
}

// rec makes a record of text and number attributes.
func rec(t vanflow.Type, identity string, attributes ...vanflow.Attribute) vanflow.Record {
	r := vanflow.Record{Type: t, Identity: identity}
	for _, a := range attributes {
		r.Set(a)
	}
	return r
}

var _ reporter = (*testing.T)(nil)
