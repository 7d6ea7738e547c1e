package linkstate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

type linkStates map[string]map[string]int32

type pathVector struct {
	Name       string
	Self       string
	LinkStates linkStates `json:"link_states"`
	Result     struct {
		NextHops     map[string]string   `json:"next_hops"`
		Costs        map[string]int64    `json:"costs"`
		ValidOrigins map[string][]string `json:"valid_origins"`
		Radius       int
		Unreachable  []string
	}
}

func pathVectors(tb testing.TB) []pathVector {
	tb.Helper()
	data, err := os.ReadFile("testdata/path-vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var file struct{ Vectors []pathVector }
	if err := json.Unmarshal(data, &file); err != nil {
		tb.Fatal(err)
	}
	return file.Vectors
}

// load makes an engine whose database holds the given link states. In the
// vectors a router without one has an edge back to the router that mentions
// it; in a running network every mentioned router has an empty link state.
func load(tb testing.TB, self string, states linkStates) *Engine {
	tb.Helper()
	e, err := New(Config{ID: self})
	if err != nil {
		tb.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(states)) {
		n := e.learn(id)
		var peers []peer
		for _, p := range slices.Sorted(maps.Keys(states[id])) {
			peers = append(peers, peer{p, states[id][p]})
			if _, known := states[p]; !known {
				back := e.learn(p)
				e.replaceEdges(back, []edge{{to: n.index, cost: 1}})
			}
		}
		e.replaceEdges(n, e.resolve(n, peers))
	}
	e.pathsDirty, e.pathsUrgent = true, true
	e.computePaths()
	return e
}

func TestPathVectors(t *testing.T) {
	t.Parallel()
	vectors := pathVectors(t)
	if len(vectors) != 59 {
		t.Errorf("%d vectors, want 59", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			e := load(t, v.Self, v.LinkStates)
			next, costs, unreachable := map[string]string{}, map[string]int64{}, []string{}
			for i, r := range e.reach.Routers {
				switch {
				case i == 0:
				case r.NextHop == 0:
					unreachable = append(unreachable, r.ID)
				default:
					next[r.ID], costs[r.ID] = e.reach.Routers[r.NextHop].ID, r.Cost
				}
			}
			equal(t, "next hops", next, v.Result.NextHops)
			equal(t, "costs", costs, v.Result.Costs)
			equal(t, "radius", e.reach.Radius, v.Result.Radius)
			slices.Sort(unreachable)
			slices.Sort(v.Result.Unreachable)
			equal(t, "unreachable", unreachable, v.Result.Unreachable)
			for d, origins := range v.Result.ValidOrigins {
				slices.Sort(origins)
				equal(t, "valid origins of "+d, e.validOrigins(e.find(d)), origins)
			}
		})
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s:\ngot  %s\nwant %s", what, g, w)
	}
}

// randomGraph connects n routers by a ring and random edges up to the degree.
func randomGraph(n, degree int, seed uint64) linkStates {
	r := rand.New(rand.NewPCG(seed, 0))
	states := linkStates{}
	id := func(i int) string { return fmt.Sprintf("r%04d", i) }
	for i := range n {
		states[id(i)] = map[string]int32{}
	}
	connect := func(a, b int, cost int32) {
		if a != b {
			states[id(a)][id(b)], states[id(b)][id(a)] = cost, cost
		}
	}
	for i := range n {
		connect(i, (i+1)%n, 1+r.Int32N(3))
	}
	for range n * (degree - 2) / 2 {
		connect(r.IntN(n), r.IntN(n), 1+r.Int32N(3))
	}
	return states
}

// TestThroughStopsEarly compares the search that stops with the whole tree.
func TestThroughStopsEarly(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		e := load(t, "r0000", randomGraph(40, 4, seed))
		g, self := &e.reach.topology.graph, e.reach.topology.self
		var whole, stopped search
		for root := range int32(40) {
			if root == self {
				continue
			}
			whole.run(g, root, nobody)
			stopped.run(g, root, self)
			for v := range int32(40) {
				via := false
				for u := v; u != root && !via; u = whole.prev[u] {
					via = whole.prev[u] == self && u != self
				}
				if via != stopped.below[v] && self != root {
					t.Fatalf("seed %d: root %d, vertex %d: below %v, want %v", seed, root, v, stopped.below[v], via)
				}
			}
		}
	}
}

func BenchmarkPaths(b *testing.B) {
	for _, n := range []int{20, 100, 200, 500, 1000, 2000} {
		e := load(b, "r0000", randomGraph(n, 4, 1))
		b.Run(fmt.Sprintf("own/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.pathsDirty, e.pathsUrgent = true, true
				e.computePaths()
				e.out.Events = e.out.Events[:0]
			}
		})
		b.Run(fmt.Sprintf("one-origin/n=%d", n), func(b *testing.B) {
			t := e.reach.topology
			i := 1
			for b.Loop() {
				t.compute(t.rank[i])
				if i++; i == n {
					i = 1
				}
			}
		})
		b.Run(fmt.Sprintf("all-origins/n=%d", n), func(b *testing.B) {
			t := e.reach.topology
			for b.Loop() {
				for i := 1; i < n; i++ {
					t.compute(t.rank[i])
				}
			}
		})
	}
}
