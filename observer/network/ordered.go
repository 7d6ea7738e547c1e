package network

import (
	"cmp"
	"slices"
)

// member is something that is listed in the order of its identities.
type member interface {
	key() string
	dropped() bool // it is to be left out from now on
}

// ordered keeps members in the order of their identities. Adding and removing
// cost nothing; the order is made when it is asked for.
type ordered[M member] struct {
	sorted  []M
	added   []M
	removed int // members that are dropped
}

func (o *ordered[M]) add(m M) { o.added = append(o.added, m) }

// remove notes that a member is dropped.
func (o *ordered[M]) remove() { o.removed++ }

// all returns the members; the slice is read until the next call.
func (o *ordered[M]) all() []M {
	if len(o.added) == 0 && o.removed == 0 {
		return o.sorted
	}
	slices.SortFunc(o.added, func(a, b M) int { return cmp.Compare(a.key(), b.key()) })
	merged := make([]M, 0, max(len(o.sorted)+len(o.added)-o.removed, 0))
	i := 0
	keep := func(m M) {
		if !m.dropped() {
			merged = append(merged, m)
		}
	}
	for _, m := range o.added {
		for ; i < len(o.sorted) && o.sorted[i].key() < m.key(); i++ {
			keep(o.sorted[i])
		}
		keep(m)
	}
	for ; i < len(o.sorted); i++ {
		keep(o.sorted[i])
	}
	o.sorted, o.added, o.removed = merged, nil, 0
	return merged
}
