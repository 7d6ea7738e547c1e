package linkstate

import "math/bits"

// graph is the network as the link states describe it. Vertices are numbered
// in the order of router ids, so that comparing numbers compares ids. Edges of
// vertex v are to[off[v]:off[v+1]].
type graph struct {
	off  []int32
	to   []int32
	cost []int32 // at least 1
}

func (g *graph) vertices() int { return len(g.off) - 1 }

const (
	infinite = ^uint64(0)
	nobody   = int32(-1)
)

// search is a run of Dijkstra's algorithm with its memory, which further runs
// reuse.
type search struct {
	dist []uint64 // sum of costs from the root, infinite if not reached
	prev []int32  // predecessor on the path
	hops []int32
	done []bool
	// order lists what was reached, predecessors first.
	order []int32
	heap  radixHeap

	below []bool // the path leads through via; only if via is given
	open  int    // vertices below via that are not done
}

func (s *search) reset(n int) {
	if cap(s.dist) < n {
		s.dist, s.prev, s.hops = make([]uint64, n), make([]int32, n), make([]int32, n)
		s.done, s.below = make([]bool, n), make([]bool, n)
	}
	s.dist, s.prev, s.hops, s.done, s.below = s.dist[:n], s.prev[:n], s.hops[:n], s.done[:n], s.below[:n]
	for i := range n {
		s.dist[i], s.prev[i] = infinite, nobody
	}
	clear(s.hops)
	clear(s.done)
	clear(s.below)
	s.order = s.order[:0]
	s.open = 0
	s.heap.reset()
}

// run computes the tree of shortest paths from root. With via ≥ 0 it stops as
// soon as all vertices whose paths lead through via are known; the others are
// then incomplete.
//
// compat: among paths of equal cost the one wins whose last router before the
// destination has the lower cost itself and then the lower id
// (skupper-router 3.x, path.py: routers leave the queue in the order of cost
// and id, and only a strictly cheaper path replaces an earlier one). Since
// costs are positive, comparing predecessors on a tie gives the same without
// an ordered queue.
func (s *search) run(g *graph, root, via int32) {
	s.reset(g.vertices())
	s.dist[root], s.prev[root] = 0, root
	s.heap.push(0, root)
	for {
		u, ok := s.heap.pop()
		if !ok {
			return
		}
		if s.done[u] {
			continue
		}
		s.done[u] = true
		s.order = append(s.order, u)
		if s.below[u] {
			s.open--
		}
		s.relax(g, u, u != root && (u == via || s.below[u]))
		if via >= 0 && s.open == 0 && s.done[via] {
			return
		}
	}
}

// relax offers the paths over u to the vertices behind its edges. below tells
// whether those paths lead through via.
func (s *search) relax(g *graph, u int32, below bool) {
	for e := g.off[u]; e < g.off[u+1]; e++ {
		v := g.to[e]
		if s.done[v] {
			continue
		}
		alt := s.dist[u] + uint64(g.cost[e])
		switch {
		case alt < s.dist[v]:
			s.dist[v] = alt
			s.heap.push(alt, v)
		case alt == s.dist[v] && s.dist[u] == s.dist[s.prev[v]] && u < s.prev[v]:
		default:
			continue
		}
		s.prev[v], s.hops[v] = u, s.hops[u]+1
		if s.below[v] != below {
			s.below[v] = below
			if below {
				s.open++
			} else {
				s.open--
			}
		}
	}
}

// radixHeap is a priority queue whose keys never go below the last one taken
// out. Each vertex may be in it several times. Entries lie in bucket i if
// their key differs from the last one first in bit i-1 (counted from 0).
type radixHeap struct {
	last    uint64
	buckets [65][]heapEntry
}

type heapEntry struct {
	key    uint64
	vertex int32
}

func (h *radixHeap) reset() {
	h.last = 0
	for i := range h.buckets {
		h.buckets[i] = h.buckets[i][:0]
	}
}

func (h *radixHeap) push(key uint64, vertex int32) {
	i := bits.Len64(key ^ h.last)
	h.buckets[i] = append(h.buckets[i], heapEntry{key, vertex})
}

func (h *radixHeap) pop() (int32, bool) {
	if len(h.buckets[0]) == 0 && !h.refill() {
		return nobody, false
	}
	b := h.buckets[0]
	h.buckets[0] = b[:len(b)-1]
	return b[len(b)-1].vertex, true
}

// refill moves the entries with the lowest key to bucket 0.
func (h *radixHeap) refill() bool {
	for i := 1; i < len(h.buckets); i++ {
		b := h.buckets[i]
		if len(b) == 0 {
			continue
		}
		h.buckets[i] = b[:0]
		h.last = b[0].key
		for _, e := range b[1:] {
			h.last = min(h.last, e.key)
		}
		for _, e := range b {
			h.push(e.key, e.vertex) // into a lower bucket than i
		}
		return true
	}
	return false
}
