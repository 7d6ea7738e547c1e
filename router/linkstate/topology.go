package linkstate

import (
	"sync"
	"sync/atomic"
)

// topology is the immutable graph of one path computation. It answers which
// destinations lie behind this router as seen from another one, computed when
// first asked and then remembered: with 1,000 routers most origins are never
// asked about before the next change.
type topology struct {
	graph   graph
	rank    []int32 // vertex by router index, nobody for unused indices
	index   []int32 // router index by vertex
	self    int32   // vertex
	reached []bool  // by vertex: there is a path from self

	answers []atomic.Pointer[[]uint64] // by router index
	memory  *sync.Pool                 // of *search
}

// words is the length of a set of router indices.
func (t *topology) words() int { return (len(t.rank) + 63) / 64 }

func (t *topology) through(origin int) []uint64 {
	if origin < 0 || origin >= len(t.rank) || t.rank[origin] == nobody {
		return make([]uint64, t.words())
	}
	if known := t.answers[origin].Load(); known != nil {
		return *known
	}
	set := t.compute(t.rank[origin])
	t.answers[origin].Store(&set) // computed twice under a race, with the same result
	return set
}

func (t *topology) compute(origin int32) []uint64 {
	set := make([]uint64, t.words())
	if origin == t.self {
		for v, ok := range t.reached {
			if ok && int32(v) != t.self {
				add(set, t.index[v])
			}
		}
		return set
	}
	if !t.reached[origin] {
		return set // compat: only reachable routers are origins
	}
	s := t.memory.Get().(*search)
	defer t.memory.Put(s)
	s.run(&t.graph, origin, t.self)
	for v, below := range s.below {
		if below && int32(v) != origin {
			add(set, t.index[v])
		}
	}
	return set
}

func add(set []uint64, i int32) { set[i/64] |= 1 << (i % 64) }

func has(set []uint64, i int32) bool {
	w := int(i / 64)
	return w < len(set) && set[w]&(1<<(i%64)) != 0
}
