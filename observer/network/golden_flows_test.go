package network

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// connectionRecord is what a router said of a connection that upstream shows.
func connectionRecord(c *record.Connection) vanflow.Record {
	trace := "Local"
	if len(c.TraceRouters) > 1 {
		trace = strings.Join(c.TraceRouters[:len(c.TraceRouters)-1], "|")
		if strings.HasPrefix(c.TraceRouters[0], "0/edge") { // edges do not leave a trace
			trace = strings.Join(c.TraceRouters[1:len(c.TraceRouters)-1], "|")
		}
	}
	return vanflow.Record{Type: vanflow.TypeBiflowTport, Identity: c.Identity, Attributes: []vanflow.Attribute{
		vanflow.Text(vanflow.AttrParent, c.ListenerID), vanflow.Number(vanflow.AttrStartTime, c.StartTime),
		vanflow.Number(vanflow.AttrEndTime, c.EndTime), vanflow.Text(vanflow.AttrSourceHost, c.SourceHost),
		vanflow.Text(vanflow.AttrSourcePort, c.SourcePort), vanflow.Number(vanflow.AttrOctets, c.OctetCount),
		vanflow.Number(vanflow.AttrLatency, c.Latency), vanflow.Text(vanflow.AttrTrace, trace),
		vanflow.Number(vanflow.AttrOctetsReverse, c.OctetReverseCount), vanflow.Text(vanflow.AttrConnector, c.ConnectorID),
		vanflow.Number(vanflow.AttrProcessLatency, c.LatencyReverse), vanflow.Text(vanflow.AttrProxyHost, c.ProxyHost),
		vanflow.Text(vanflow.AttrProxyPort, c.ProxyPort),
	}}
}

// requestRecord is what a router said of a request that upstream shows.
func requestRecord(r *record.ApplicationFlow) vanflow.Record {
	return vanflow.Record{Type: vanflow.TypeBiflowApp, Identity: r.Identity, Attributes: []vanflow.Attribute{
		vanflow.Text(vanflow.AttrParent, r.ConnectionID), vanflow.Number(vanflow.AttrStartTime, r.StartTime),
		vanflow.Number(vanflow.AttrEndTime, r.EndTime), vanflow.Text(vanflow.AttrProtocol, "HTTP/1.1"),
		vanflow.Number(vanflow.AttrOctets, r.OctetCount), vanflow.Text(vanflow.AttrMethod, r.Method),
		vanflow.Text(vanflow.AttrResult, r.Status), vanflow.Number(vanflow.AttrOctetsReverse, r.OctetReverseCount),
	}}
}

// flowing returns the network that upstream's observer saw, with its traffic.
func flowing(t *testing.T) *Network {
	t.Helper()
	n := captured(t)
	rows := map[string]*record.Connection{}
	for _, name := range []string{"connections", "service-connections"} {
		for _, c := range theirs[record.Connection](t, name) {
			rows[c.Identity] = c
		}
	}
	for _, r := range theirs[record.ApplicationFlow](t, "applicationflows") {
		n.Apply(start(), routerPrefix(r.Identity)+"0", []vanflow.Record{requestRecord(r)})
	}
	for _, c := range rows {
		n.Apply(start(), routerPrefix(c.Identity)+"0", []vanflow.Record{connectionRecord(c)})
	}
	n.Tick(start().Add(time.Second))
	return n
}

// pick returns the rows of ours that upstream's answer, cut to six rows, has too.
func pick[T any, R interface {
	*T
	ID() string
}](theirs, ours []*T) (picked []*T) {
	for _, o := range ours {
		if slices.ContainsFunc(theirs, func(r *T) bool { return R(r).ID() == R(o).ID() }) {
			picked = append(picked, o)
		}
	}
	return picked
}

func TestTrafficAsUpstream(t *testing.T) {
	t.Parallel()
	n := flowing(t)
	client := exceptions{
		"sourceProcessId":   "a client has an identity of its own: a server at the same address is somebody else",
		"sourceProcessName": "upstream takes the server at the client's address for the client",
	}
	connections := theirs[record.Connection](t, "connections")
	compare(t, "connections", connections, pick(connections, n.Connections()), client)
	ofWeb := theirs[record.Connection](t, "service-connections")
	compare(t, "service-connections", ofWeb, pick(ofWeb, n.Connections()), client)
	requests := theirs[record.ApplicationFlow](t, "applicationflows")
	compare(t, "applicationflows", requests, pick(requests, n.Requests()), client)
	for _, c := range n.Connections() {
		if want := "site-client-127.0.0.1-" + shortSite(c.SourceSiteID); c.SourceProcessName != want {
			t.Errorf("%s comes from %s, want %s", c.Identity, c.SourceProcessName, want)
		}
	}
	compare(t, "services", theirs[record.Service](t, "services"), n.Services(), nil)
	compare(t, "sitepairs", theirs[record.Pair](t, "sitepairs"), n.SitePairs(), exceptions{
		"startTime": "of the first connection; upstream says when its observer noticed",
	})
	derived := exceptions{"startTime": "when it was noticed upstream", "identity": "made of the client's"}
	for _, tt := range []struct {
		name         string
		theirs, ours []*record.Pair
	}{
		{"processpairs", theirs[record.Pair](t, "processpairs"), slices.Clone(n.ProcessPairs())},
		{"componentpairs", theirs[record.Pair](t, "componentpairs"), slices.Clone(n.ComponentPairs())},
		{"service-processpairs", theirs[record.Pair](t, "service-processpairs"), serviceRows(n, n.ServicePairs)},
	} {
		for _, rows := range [][]*record.Pair{tt.theirs, tt.ours} {
			for i, p := range rows {
				named := *p // rows that were handed out are never changed
				if named.PairType == record.PairProcess {
					named.SourceID, named.SourceName = "client", "of "+named.SourceSiteName
				} else {
					named.SourceID, named.SourceName = "clients", named.SourceName[strings.LastIndex(named.SourceName, "-"):]
				}
				rows[i] = &named
			}
			slices.SortFunc(rows, func(a, b *record.Pair) int {
				return cmp.Or(cmp.Compare(a.SourceName, b.SourceName), cmp.Compare(a.DestinationID, b.DestinationID), cmp.Compare(a.Protocol, b.Protocol))
			})
		}
		if tt.name == "service-processpairs" { // upstream's are those of echo and of web together
			tt.ours = slices.DeleteFunc(tt.ours, func(p *record.Pair) bool { return p.DestinationSiteName != "east" })
		}
		compare(t, tt.name, tt.theirs, tt.ours, derived)
	}
	servers := func(rows []*record.Process) []*record.Process {
		return slices.DeleteFunc(slices.Clone(rows), func(p *record.Process) bool { return p.Binding != "bound" })
	}
	since := exceptions{"startTime": "of the first connector; upstream says when its observer noticed"}
	compare(t, "processes", servers(theirs[record.Process](t, "processes")), servers(n.Processes()), since)
	compare(t, "service-processes", theirs[record.Process](t, "service-processes"), serviceProcesses(n), since)
	components := theirs[record.Component](t, "components")
	compare(t, "components", components, pick(components, n.Components()), since)
}

func serviceRows(n *Network, of func(id string) []*record.Pair) (rows []*record.Pair) {
	seen := map[string]bool{}
	for _, s := range n.Services() {
		for _, p := range of(s.Identity) {
			if !seen[p.Identity] {
				seen[p.Identity] = true
				rows = append(rows, p)
			}
		}
	}
	return rows
}

// serviceProcesses are the servers of echo.
func serviceProcesses(n *Network) []*record.Process {
	return n.ServiceProcesses("adr-4792369ad4bfa82c")
}
