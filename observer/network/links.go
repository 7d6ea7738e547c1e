package network

import (
	"cmp"
	"slices"

	"github.com/skupper-host/skupper/router/vanflow"
)

// linkGroup is what links are counted by.
type linkGroup struct{ site, role string }

// LinkErrors is how often the links of a site with the same role went down
// while the observer knew them.
type LinkErrors struct {
	SiteID, Role string
	Count        uint64
}

// groupOf returns what a link is counted by.
func (n *Network) groupOf(e *entry) linkGroup {
	return linkGroup{n.placeOf(e).siteID, roleOf(e)}
}

// LinkErrors returns how often links went down, those that are gone included.
func (n *Network) LinkErrors() []LinkErrors {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := make(map[linkGroup]uint64, len(n.flaps))
	for g, count := range n.flaps {
		sum[g] = count
	}
	for _, e := range n.kinds[vanflow.TypeLink].all.all() {
		sum[n.groupOf(e)] += e.rec.Number(vanflow.AttrDownCount) - e.firstDowns
	}
	out := make([]LinkErrors, 0, len(sum))
	for g, count := range sum {
		if g.site != "" {
			out = append(out, LinkErrors{g.site, g.role, count})
		}
	}
	slices.SortFunc(out, func(a, b LinkErrors) int {
		return cmp.Or(cmp.Compare(a.SiteID, b.SiteID), cmp.Compare(a.Role, b.Role))
	})
	return out
}
