package forward

import (
	"hash/maphash"
	"strings"
	"unsafe"
)

// HopID names the way to a neighbor: the control link of its connection. 0
// means that there is none.
type HopID uint64

// Router is another router as the path computation sees it.
type Router struct {
	ID      string
	Hop     HopID // towards it; 0 = not reachable
	NextHop int   // index of the neighbor behind Hop
	Cost    int64 // of the path
}

// Topology is the network of routers.
type Topology struct {
	// Routers is indexed by router index; number 0 is this router. An empty
	// id marks an index that is not in use.
	Routers []Router
	// Through returns the set of routers, as bits by index, that may be
	// reached through this one by messages that entered the network at
	// origin. It must be safe for concurrent use. Nil stands for all routers.
	Through func(origin int) []uint64
	// Radius is the number of hops to the farthest router.
	Radius int
}

// network is a Topology prepared for look-ups. It is immutable.
type network struct {
	Topology
	index     map[string]int32 // by router id
	slots     []int32          // of the next hops' counters, by router index of the neighbor
	addresses []*Address       // of the routers themselves, by index
}

// newNetwork prepares a topology. What stays the same keeps its addresses and
// counters.
func newNetwork(top Topology, was *network) *network {
	n := &network{
		Topology:  top,
		index:     make(map[string]int32, len(top.Routers)),
		slots:     make([]int32, len(top.Routers)),
		addresses: make([]*Address, len(top.Routers)),
	}
	neighbors := make([]bool, len(top.Routers))
	for i, r := range top.Routers {
		n.slots[i] = -1
		if r.ID == "" {
			continue
		}
		n.index[r.ID] = int32(i)
		if r.Hop != 0 {
			neighbors[r.NextHop] = true
		}
		if i == 0 {
			continue
		}
		if was != nil && i < len(was.addresses) && was.addresses[i].Key().Name == r.ID {
			n.addresses[i] = was.addresses[i]
			continue
		}
		n.addresses[i] = &Address{
			key: Key{ClassRouter, r.ID}, treatment: Closest, priority: -1,
			holders: []holder{{router: int32(i)}}, load: new(load),
		}
	}
	n.assignSlots(neighbors, was)
	return n
}

// assignSlots numbers the neighbors densely. One that was a neighbor before
// keeps its number.
func (n *network) assignSlots(neighbors []bool, was *network) {
	taken := map[int32]bool{}
	for i, is := range neighbors {
		if is && was != nil && i < len(was.slots) && was.slots[i] >= 0 && was.Routers[i].ID == n.Routers[i].ID {
			n.slots[i] = was.slots[i]
			taken[was.slots[i]] = true
		}
	}
	free := int32(0)
	for i, is := range neighbors {
		if !is || n.slots[i] >= 0 {
			continue
		}
		for taken[free] {
			free++
		}
		n.slots[i] = free
		taken[free] = true
	}
}

// Snapshot is the state of a Table at one moment. It is immutable and safe for
// concurrent use; only the counters behind its addresses change, and they are
// shared by all snapshots.
type Snapshot struct {
	names    Names
	rules    *rules
	fallback Treatment

	seed    maphash.Seed
	network *network
	shards  [shards]shard
}

func (s *Snapshot) shard(name string) int {
	return int(maphash.String(s.seed, name) % shards)
}

// Find returns the address that a text from a message or terminus names, nil
// if there is none: then there is no destination. It does not keep text and
// allocates nothing.
func (s *Snapshot) Find(text []byte) *Address {
	return s.Lookup(s.names.Key(unsafe.String(unsafe.SliceData(text), len(text))))
}

// Lookup returns the address with a key, nil if there is none. The address of
// another router is there as soon as the router is known.
func (s *Snapshot) Lookup(key Key) *Address {
	if key.Class == ClassRouter {
		if i, ok := s.network.index[key.Name]; ok {
			return s.network.addresses[i]
		}
		return nil
	}
	return s.shards[s.shard(key.Name)][key]
}

// Refused reports whether the configuration makes addresses with this key
// unavailable.
func (s *Snapshot) Refused(key Key) bool {
	if key.Class != ClassMobile {
		return false
	}
	if rule := s.rules.match(key.Name); rule != nil {
		return rule.Treatment == Unavailable
	}
	return s.fallback == Unavailable
}

// Names returns what turns texts into keys here.
func (s *Snapshot) Names() *Names { return &s.names }

// Router returns the router with an index, zero if it is not in use.
func (s *Snapshot) Router(index int) Router {
	if index < 0 || index >= len(s.network.Routers) {
		return Router{}
	}
	return s.network.Routers[index]
}

// Origin returns the index of the router that the ingress of router
// annotations names: 0 for an empty one, which means this router, and
// UnknownOrigin for a router that is not known.
func (s *Snapshot) Origin(ingress string) int {
	if ingress == "" {
		return 0
	}
	id, ok := strings.CutPrefix(ingress, "0/")
	if i, known := s.network.index[id]; ok && known {
		return int(i)
	}
	return UnknownOrigin
}

// Looping tells whether a message with this trace must not go on: it has been
// here before.
//
// skupper-router also drops what passed more routers than its radius plus one.
// A router that has just started does not know its radius yet and an edge
// router never does, so this bound is not ours: a message that visits no router
// twice ends by itself.
func (s *Snapshot) Looping(trace []string) bool { return traced(trace, s.names.ID) }

// All calls f for every address, in no order, until it returns false. Those of
// other routers themselves are not among them.
func (s *Snapshot) All(f func(*Address) bool) {
	for _, m := range s.shards {
		for _, a := range m {
			if !f(a) {
				return
			}
		}
	}
}
