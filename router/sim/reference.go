package sim

import (
	"cmp"
	"maps"
	"slices"
)

// Reference holds what the tables of all routers should be, computed from the
// true state of the network with the plainest algorithms, along the lines of
// skupper-router 3.x, python/skupper_router_internal/router/path.py.
type Reference struct {
	states map[string]map[string]int
	trees  map[string]tree
}

type tree struct {
	cost      map[string]int
	prev      map[string]string // predecessor; the root has none
	hops      map[string]int
	next      map[string]string // first router on the path
	reachable []string          // without the root
}

// Reference computes the reference for the current state of routers and links.
func (n *Network) Reference() *Reference {
	if n.reference == nil {
		n.reference = n.compute()
	}
	return n.reference
}

func (n *Network) compute() *Reference {
	ref := &Reference{states: map[string]map[string]int{}, trees: map[string]tree{}}
	for _, r := range n.routers {
		if r.running {
			ref.states[r.ID] = map[string]int{}
		}
	}
	for _, l := range n.links {
		if !l.Up() {
			continue
		}
		if was, known := ref.states[l.A.ID][l.B.ID]; !known || l.Cost < was { // the cheaper of two
			ref.states[l.A.ID][l.B.ID], ref.states[l.B.ID][l.A.ID] = l.Cost, l.Cost
		}
	}
	for id := range ref.states {
		ref.trees[id] = ref.tree(id)
	}
	return ref
}

// tree takes the unresolved router of the lowest cost and id, again and again.
func (ref *Reference) tree(root string) tree {
	t := tree{cost: map[string]int{root: 0}, prev: map[string]string{}, hops: map[string]int{root: 0}, next: map[string]string{}}
	unresolved := map[string]bool{root: true}
	done := map[string]bool{}
	for len(unresolved) > 0 {
		u := slices.MinFunc(slices.Collect(maps.Keys(unresolved)), func(a, b string) int {
			return cmp.Or(cmp.Compare(t.cost[a], t.cost[b]), cmp.Compare(a, b))
		})
		delete(unresolved, u)
		done[u] = true
		switch t.prev[u] {
		case "":
		case root:
			t.next[u] = u
		default:
			t.next[u] = t.next[t.prev[u]]
		}
		for v, c := range ref.states[u] {
			if was, known := t.cost[v]; !done[v] && (!known || t.cost[u]+c < was) {
				t.cost[v], t.prev[v], t.hops[v] = t.cost[u]+c, u, t.hops[u]+1
				unresolved[v] = true
			}
		}
	}
	t.reachable = slices.Sorted(maps.Keys(t.prev))
	return t
}

// Reachable lists the routers with a path from one, without itself.
func (ref *Reference) Reachable(from string) []string { return ref.trees[from].reachable }

// Cost is the cost of the path.
func (ref *Reference) Cost(from, to string) int { return ref.trees[from].cost[to] }

// Hops is the length of the path.
func (ref *Reference) Hops(from, to string) int { return ref.trees[from].hops[to] }

// NextHop is the first router on the path.
func (ref *Reference) NextHop(from, to string) string { return ref.trees[from].next[to] }

// Through tells whether the path from origin to destination passes through a
// router in between.
func (ref *Reference) Through(via, origin, destination string) bool {
	prev := ref.trees[origin].prev
	u, ok := prev[destination]
	for ; ok && u != origin; u = prev[u] {
		if u == via {
			return true
		}
	}
	return false
}
