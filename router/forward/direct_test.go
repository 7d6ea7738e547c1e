package forward_test

import (
	"testing"

	"github.com/skupper-host/skupper/router/forward"
)

// Whoever sends again what was released must not send it to routers that others
// send it to already.
func TestADirectDeliveryTakesNoDetour(t *testing.T) {
	t.Parallel()
	for _, treatment := range []forward.Treatment{forward.Balanced, forward.Closest} {
		table := forward.NewTable(forward.Config{Names: forward.Names{ID: "A"}, Default: treatment})
		key := forward.Key{Class: forward.ClassMobile, Name: "work"}
		table.SetTopology(forward.Topology{
			Routers: []forward.Router{{ID: "A"}, {ID: "B", Hop: 1, NextHop: 1, Cost: 1}},
			Through: func(int) []uint64 { return []uint64{0} }, // nobody is reached through this router
		})
		table.AddHolder(key, 1, forward.Unsaid, "")
		snap, _ := table.Publish()
		a := snap.Lookup(key)
		if _, ok := snap.Choose(a, &forward.Delivery{}); !ok {
			t.Errorf("%v: no detour", treatment)
		}
		if c, ok := snap.Choose(a, &forward.Delivery{Direct: true}); ok {
			t.Errorf("%v: a direct delivery goes to %v", treatment, c)
		}
	}
}
