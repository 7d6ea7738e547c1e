package network

import "container/list"

// rows keeps connections or requests: those that live in the order in which
// something was last heard of them, those that ended in the order of their ends.
type rows[M member] struct {
	live, ended list.List
	listed      ordered[M]
	version     uint64 // grows with every change
}

// shadow is what is remembered of a connection or request that was dropped.
type shadow struct {
	route           *route
	series          *series
	trace           string
	octets, reverse uint64
	ended           bool
}

// shadows remembers a bounded number of what was dropped, the latest.
type shadows struct {
	all   map[string]*shadow
	order []string
}

func (n *Network) addShadow(id string, s *shadow) {
	if s.route != nil {
		s.route.refs++
	}
	n.shadows.all[id] = s
	n.shadows.order = append(n.shadows.order, id)
	for len(n.shadows.order) > n.limits.Connections+n.limits.Requests {
		oldest := n.shadows.order[0]
		n.release(n.shadows.all[oldest].route)
		delete(n.shadows.all, oldest)
		n.shadows.order = n.shadows.order[1:]
	}
}
