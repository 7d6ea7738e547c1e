package network

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/skupper-host/skupper/router/vanflow"
)

// said is a message of a source.
type said struct {
	source  string
	records []vanflow.Record
}

// town is a small network with all that its sources say, each in order.
func town(t *rapid.T) (streams [][]said) {
	text, number := vanflow.Text, vanflow.Number
	sites := rapid.IntRange(1, 3).Draw(t, "sites")
	kubernetes := rapid.IntRange(0, 3).Draw(t, "kubernetes") // that site
	keys := []string{"a", "b"}
	type end struct{ identity, key string }
	var listeners, connectors []end
	clock := uint64(1_000_000)
	tick := func() uint64 { clock += 1000; return clock }
	for i := range sites {
		id, rid := fmt.Sprintf("site%d-x", i), fmt.Sprintf("rout%d:", i)
		platform := "linux"
		if i == kubernetes {
			platform = "kubernetes"
		}
		site := said{id, []vanflow.Record{rec(
			vanflow.TypeSite, id, number(vanflow.AttrStartTime, tick()), text(vanflow.AttrName, "n"+id), text(vanflow.AttrPlatform, platform),
		)}}
		processes := said{source: id}
		router := said{rid + "0", []vanflow.Record{rec(
			vanflow.TypeRouter, rid+"0", text(vanflow.AttrParent, id), number(vanflow.AttrStartTime, tick()),
			text(vanflow.AttrName, "0/"+rid), text(vanflow.AttrMode, "interior"),
		), rec(
			vanflow.TypeRouterAccess, rid+"1", text(vanflow.AttrParent, rid+"0"), number(vanflow.AttrStartTime, tick()), text(vanflow.AttrRole, "inter-router"),
		)}}
		children := said{source: rid + "0"}
		next := 2
		identity := func() string { next++; return fmt.Sprint(rid, next) }
		for range rapid.IntRange(0, 3).Draw(t, "listeners") {
			e := end{identity(), rapid.SampledFrom(keys).Draw(t, "key")}
			listeners = append(listeners, e)
			children.records = append(children.records, rec(
				vanflow.TypeListener, e.identity, text(vanflow.AttrParent, rid+"0"), number(vanflow.AttrStartTime, tick()),
				text(vanflow.AttrProtocol, "tcp"), text(vanflow.AttrVanAddress, e.key),
			))
		}
		for k := range rapid.IntRange(0, 3).Draw(t, "connectors") {
			e := end{identity(), rapid.SampledFrom(keys).Draw(t, "key")}
			connectors = append(connectors, e)
			c := rec(
				vanflow.TypeConnector, e.identity, text(vanflow.AttrParent, rid+"0"), number(vanflow.AttrStartTime, tick()), text(vanflow.AttrProtocol, "tcp"),
				text(vanflow.AttrVanAddress, e.key), text(vanflow.AttrDestHost, fmt.Sprintf("10.0.0.%d", k)),
			)
			if rapid.Bool().Draw(t, "published") {
				p := fmt.Sprintf("%s-process%d", id, k)
				c.Set(text(vanflow.AttrProcess, p))
				processes.records = append(processes.records, rec(
					vanflow.TypeProcess, p, text(vanflow.AttrParent, id), number(vanflow.AttrStartTime, tick()), text(vanflow.AttrName, p),
					text(vanflow.AttrGroup, "group"+e.key), text(vanflow.AttrSourceHost, fmt.Sprintf("10.0.0.%d", k)), text(vanflow.AttrMode, "external"),
				))
			}
			children.records = append(children.records, c)
		}
		link := identity()
		children.records = append(children.records, rec(
			vanflow.TypeLink, link, text(vanflow.AttrParent, rid+"0"), number(vanflow.AttrStartTime, tick()), text(vanflow.AttrRole, "inter-router"),
			text(vanflow.AttrOperStatus, "down"), number(vanflow.AttrDownCount, 1), number(vanflow.AttrDownTimeStamp, tick()), text(vanflow.AttrReason, "refused"),
		))
		stream := []said{router, children}
		for up := range rapid.IntRange(0, 4).Draw(t, "changes") {
			r := rec(vanflow.TypeLink, link, number(vanflow.AttrOctets, tick()))
			if up%2 == 0 {
				r.Set(text(vanflow.AttrOperStatus, "up"))
				r.Set(number(vanflow.AttrUpTimeStamp, tick()))
				r.Set(text(vanflow.AttrPeer, "rout0:1"))
			} else {
				r.Set(text(vanflow.AttrOperStatus, "down"))
				r.Set(number(vanflow.AttrDownTimeStamp, tick()))
				r.Set(number(vanflow.AttrDownCount, uint64(up)+2))
				r.Set(text(vanflow.AttrReason, fmt.Sprint("reason ", up)))
			}
			stream = append(stream, said{rid + "0", []vanflow.Record{r}})
		}
		streams = append(streams, []said{site, processes}, stream)
	}
	if len(listeners) > 0 {
		for i := range rapid.IntRange(0, 5).Draw(t, "connections") {
			l := rapid.SampledFrom(listeners).Draw(t, "listener")
			streams = append(streams, connectionOf(t, i, l.identity, connectors, func(e end) string { return e.identity }, tick)...)
		}
	}
	return streams
}

// connectionOf is what is said of a connection and its requests.
func connectionOf[E any](t *rapid.T, i int, listener string, connectors []E, identity func(E) string, tick func() uint64) [][]said {
	text, number := vanflow.Text, vanflow.Number
	rid := listener[:6]
	source, id := rid+"0", fmt.Sprint(rid, 100+10*i)
	first := rec(
		vanflow.TypeBiflowTport, id, text(vanflow.AttrParent, listener), number(vanflow.AttrStartTime, tick()), text(vanflow.AttrSourceHost, fmt.Sprintf("10.0.0.%d", i%3)),
		text(vanflow.AttrSourcePort, fmt.Sprint(i)), number(vanflow.AttrOctets, 0), number(vanflow.AttrOctetsReverse, 0),
	)
	stream := []said{{source, []vanflow.Record{first}}}
	if len(connectors) > 0 && rapid.Bool().Draw(t, "reaches") {
		c := rapid.SampledFrom(connectors).Draw(t, "connector")
		stream = append(stream, said{source, []vanflow.Record{rec(
			vanflow.TypeBiflowTport, id, text(vanflow.AttrConnector, identity(c)), text(vanflow.AttrTrace, "0/"+rid),
			number(vanflow.AttrLatency, 3000), number(vanflow.AttrProcessLatency, 1000),
		)}})
	}
	var octets uint64
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		octets += 1000
		stream = append(stream, said{source, []vanflow.Record{rec(
			vanflow.TypeBiflowTport, id, number(vanflow.AttrOctets, octets), number(vanflow.AttrOctetsReverse, 2*octets),
		)}})
	}
	out := [][]said{}
	for k := range rapid.IntRange(0, 2).Draw(t, "requests") {
		request := fmt.Sprint(rid, 101+10*i+k)
		protocol := rapid.SampledFrom([]string{"HTTP/1.1", "HTTP/2"}).Draw(t, "protocol")
		out = append(out, []said{{source, []vanflow.Record{rec(
			vanflow.TypeBiflowApp, request, text(vanflow.AttrParent, id), number(vanflow.AttrStartTime, tick()), text(vanflow.AttrProtocol, protocol),
			text(vanflow.AttrMethod, "GET"),
		)}}, {source, []vanflow.Record{rec(
			vanflow.TypeBiflowApp, request, text(vanflow.AttrResult, "200"), number(vanflow.AttrEndTime, tick()),
		)}}})
	}
	if rapid.Bool().Draw(t, "ends") {
		stream = append(stream, said{source, []vanflow.Record{rec(vanflow.TypeBiflowTport, id, number(vanflow.AttrEndTime, tick()))}})
	}
	return append(out, stream)
}

// TestAnyOrder: whichever source is heard first, and whatever comes twice, late or
// in another order, the network is the same.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	connections, requests := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		streams := town(t)
		want := New(Limits{})
		var all []said
		for _, s := range streams {
			all = append(all, s...)
		}
		for _, m := range all {
			want.Apply(start(), m.source, clones(m.records))
		}
		settle(want, start())

		shuffled := slices.Clone(all)
		for range rapid.IntRange(0, 5).Draw(t, "twice") {
			shuffled = append(shuffled, rapid.SampledFrom(all).Draw(t, "again"))
		}
		order := rapid.Permutation(shuffled).Draw(t, "order")
		if rapid.Bool().Draw(t, "each source in order") {
			rank := map[string]int{}
			for i, s := range streams {
				for j, m := range s {
					rank[fmt.Sprint(m.records)] = 1000*i + j
				}
			}
			slices.SortStableFunc(order, func(a, b said) int {
				if a.source != b.source {
					return 0
				}
				return cmp.Compare(rank[fmt.Sprint(a.records)]%1000, rank[fmt.Sprint(b.records)]%1000)
			})
		}
		got := New(Limits{})
		for i, m := range order {
			got.Apply(start(), m.source, clones(m.records))
			if i%7 == 0 { // lists may be read, and time may pass, in between
				check(t, got)
				got.Tick(start())
			}
		}
		settle(got, start())
		connections, requests = connections+len(want.Connections()), requests+len(want.Requests())
		if diff := gocmp.Diff(check(t, want), check(t, got), cmpopts.IgnoreFields(LinkErrors{}, "Count")); diff != "" {
			t.Fatalf("(-in order +shuffled):\n%s", diff)
		}
	})
	if connections == 0 || requests == 0 {
		t.Errorf("%d connections and %d requests were compared", connections, requests)
	}
}

// clones are records that may be kept.
func clones(records []vanflow.Record) (out []vanflow.Record) {
	for _, r := range records {
		r.Attributes = slices.Clone(r.Attributes)
		out = append(out, r)
	}
	return out
}
