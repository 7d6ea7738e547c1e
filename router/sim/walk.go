package sim

import (
	"fmt"
	"slices"

	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/linkstate"
)

// Anycast sends a message to an address and returns the routers that it
// passes, the first and the last included. It returns an error if it does not
// arrive, or goes in a circle.
func (n *Network) Anycast(from *Router, address string) (path []string, err error) {
	ingress, trace := "", []string(nil)
	for r := from; ; {
		if slices.Contains(path, r.ID) {
			return path, fmt.Errorf("%s to %s: loop %v at %s", from.ID, address, path, r.ID)
		}
		path = append(path, r.ID)
		c, ok := r.choose(address, ingress, trace)
		switch {
		case !ok:
			return path, fmt.Errorf("%s to %s: no destination at %s after %v", from.ID, address, r.ID, path)
		case c.Consumer != nil:
			c.Done()
			return path, nil
		}
		next := r.over(c)
		c.Done()
		if next == nil {
			return path, fmt.Errorf("%s to %s: dead link at %s after %v", from.ID, address, r.ID, path)
		}
		if ingress == "" {
			ingress = "0/" + r.ID
		}
		trace = append(trace, "0/"+r.ID)
		r = next
	}
}

func (r *Router) choose(address, ingress string, trace []string) (forward.Choice, bool) {
	s := r.Snapshot
	return s.Choose(s.Find([]byte(address)), &forward.Delivery{Origin: s.Origin(ingress), Trace: trace})
}

// over returns the router behind the hop of a choice, nil if nothing passes.
func (r *Router) over(c forward.Choice) *Router {
	l := r.links[linkstate.LinkID(c.Hop)]
	if l == nil || !l.Up() {
		return nil
	}
	to, _ := l.peer(r)
	return to
}

// Multicast sends a message to a multicast address and returns how often each
// router's consumer got it. It returns an error if copies go in a circle.
func (n *Network) Multicast(from *Router, address string) (got map[string]int, err error) {
	got = map[string]int{}
	type copied struct {
		at      *Router
		ingress string
		trace   []string
	}
	for queue := []copied{{at: from}}; len(queue) > 0; queue = queue[1:] {
		m, r := queue[0], queue[0].at
		if len(m.trace) > len(n.routers) {
			return got, fmt.Errorf("%s to %s: loop %v", from.ID, address, m.trace)
		}
		s := r.Snapshot
		if s.Looping(m.trace) {
			return got, fmt.Errorf("%s to %s: loop %v at %s", from.ID, address, m.trace, r.ID)
		}
		d := forward.Delivery{Origin: s.Origin(m.ingress), Trace: m.trace}
		ingress := m.ingress
		if ingress == "" {
			ingress = "0/" + r.ID
		}
		for _, c := range s.Multicast(s.Find([]byte(address)), &d, nil) {
			if c.Consumer != nil {
				got[r.ID]++
			} else if next := r.over(c); next != nil {
				queue = append(queue, copied{next, ingress, append(slices.Clip(m.trace), "0/"+r.ID)})
			}
		}
	}
	return got, nil
}
