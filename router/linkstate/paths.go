package linkstate

import (
	"slices"
	"sync/atomic"
	"time"
)

// computePaths runs the path computation if something has changed. Changes of
// others are gathered for pathsHold.
func (e *Engine) computePaths() {
	if !e.pathsDirty || !e.pathsUrgent && e.now < e.computed+pathsHold {
		return
	}
	e.pathsDirty, e.pathsUrgent = false, false
	e.computed = e.now
	t := e.topology()
	s := e.search
	s.run(&t.graph, t.self, nobody)
	for v := range t.reached {
		t.reached[v] = s.dist[v] != infinite
	}
	if e.reach == nil || !t.same(e.reach.topology) {
		e.lastChange = e.now // a neighbor may just have another connection
	}
	radius, reachable, newcomers := e.assignPaths(t, s)
	e.onlyFloods = e.allReachable((*node).doesFlood)
	if newcomers && !e.allFlood() {
		e.raDue = min(e.raDue, e.now+time.Duration(e.rand.Int64N(int64(introduction))))
	}
	e.reach = &Reach{Routers: e.routers(), Radius: radius, topology: t}
	e.out.Reach = e.reach
	e.event(Event{Kind: TopologyComputed, Count: int64(reachable)})
}

// same reports whether the other picture shows the same routers with the same
// links.
func (t *topology) same(o *topology) bool {
	return o != nil && slices.Equal(t.index, o.index) && slices.Equal(t.reached, o.reached) &&
		slices.Equal(t.graph.off, o.graph.off) && slices.Equal(t.graph.to, o.graph.to) && slices.Equal(t.graph.cost, o.graph.cost)
}

// topology takes a picture of the database.
func (e *Engine) topology() *topology {
	n := len(e.sorted)
	t := &topology{
		graph:   graph{off: make([]int32, n+1)},
		rank:    make([]int32, len(e.nodes)),
		index:   make([]int32, n),
		reached: make([]bool, n),
		answers: make([]atomic.Pointer[[]uint64], len(e.nodes)),
		memory:  e.memory,
	}
	for i := range t.rank {
		t.rank[i] = nobody
	}
	edges := 0
	for v, node := range e.sorted {
		t.rank[node.index], t.index[v] = int32(v), node.index
		edges += len(node.edges)
	}
	t.graph.to, t.graph.cost = make([]int32, 0, edges), make([]int32, 0, edges)
	for v, node := range e.sorted {
		for _, edge := range node.edges {
			t.graph.to = append(t.graph.to, t.rank[edge.to])
			t.graph.cost = append(t.graph.cost, edge.cost)
		}
		t.graph.off[v+1] = int32(len(t.graph.to))
	}
	t.self = t.rank[0]
	return t
}

// assignPaths writes the result of a search to the nodes.
func (e *Engine) assignPaths(t *topology, s *search) (radius, reachable int, newcomers bool) {
	for v := range t.reached {
		if !t.reached[v] {
			if n := e.sorted[v]; n.reachable {
				e.becameUnreachable(n)
			}
		}
	}
	for _, v := range s.order { // predecessors first
		if v == t.self {
			continue
		}
		n := e.sorted[v]
		if prev := s.prev[v]; prev == t.self {
			n.next = n.index
		} else {
			n.next = e.sorted[prev].next
		}
		n.cost, n.hops = s.dist[v], s.hops[v]
		radius = max(radius, int(n.hops))
		reachable++
		if !n.reachable {
			newcomers = true
			e.becameReachable(n)
		}
	}
	return radius, reachable, newcomers
}

func (e *Engine) becameReachable(n *node) {
	n.reachable, n.since = true, e.now
	n.holdoff = never
	e.event(Event{Kind: RouterReachable, Router: n.id})
	e.restoreAddresses(n)
	if !n.answered || n.seq < n.wantSeq {
		n.lsr.ask(e.now + discoveryGrace)
	}
	if n.mobileSeq == 0 || n.mobileSeq < n.wantMobile {
		n.mar.ask(e.now + discoveryGrace + addressGrace)
	}
	e.requestsDue = e.now
}

// allFlood tells whether every neighbor takes part in the exchange: then it is
// the neighbors who tell of routers that were out of reach.
func (e *Engine) allFlood() bool {
	return !slices.ContainsFunc(e.sorted, func(n *node) bool { return n.neighbor() && !n.floods })
}

func (e *Engine) becameUnreachable(n *node) {
	n.reachable, n.next, n.cost, n.hops = false, 0, 0, 0
	n.holdoff = e.now + e.cfg.UnreachableHoldoff
	e.holdoffDue = min(e.holdoffDue, n.holdoff)
	e.event(Event{Kind: RouterUnreachable, Router: n.id})
}

func (e *Engine) routers() []Router {
	all := make([]Router, len(e.nodes))
	for i, n := range e.nodes {
		if n == nil {
			continue
		}
		all[i].ID = n.id
		if n.reachable {
			all[i].NextHop, all[i].Cost, all[i].Hops = int(n.next), clampCost(n.cost), int(n.hops)
			if l := e.linkTo(n); l != nil {
				all[i].Link = l.id
			}
		}
	}
	return all
}
