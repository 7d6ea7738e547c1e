package forward

import (
	"math"
	"strings"
	"sync/atomic"
)

// UnknownOrigin is the origin of a message from a router that is not known.
const UnknownOrigin = -1

// Delivery is what is known about a message that looks for destinations.
type Delivery struct {
	Origin int      // index of the ingress router, see Snapshot.Origin
	Trace  []string // of the router annotations: "0/<id>" of each router passed
	Mesh   string   // edge mesh of origin, of the router annotations
	Conn   ConnID   // connection it arrived on; 0 = it begins here
	Edge   bool     // that connection leads to an edge router or, at one, to the interior
	Tried  []Choice // destinations that failed: they are not chosen again
	// Direct keeps to routers that this one is on the way to: whoever sends
	// again elsewhere must not meet a destination twice.
	Direct bool
}

// Choice is a destination: a consumer in this router, or the next hop towards
// another router.
type Choice struct {
	Consumer *Consumer // nil: another router
	Hop      HopID
	Router   int // index of the other router; for multicast one of those behind Hop
	count    *atomic.Int64
}

// Done says that the delivery is settled or has failed. It must be called
// once for each choice that was used.
func (c Choice) Done() {
	if c.count != nil {
		c.count.Add(-1)
	}
}

// same tells whether a retry would go the same way.
func (c Choice) same(o Choice) bool {
	if c.Consumer != nil || o.Consumer != nil {
		return c.Consumer == o.Consumer
	}
	return c.Hop == o.Hop
}

func (d *Delivery) tried(c Choice) bool {
	for _, t := range d.Tried {
		if t.same(c) {
			return true
		}
	}
	return false
}

// traced tells whether a trace names a router.
func traced(trace []string, id string) bool {
	for _, entry := range trace {
		if rest, ok := strings.CutPrefix(entry, "0/"); ok && rest == id {
			return true
		}
	}
	return false
}

// echo tells whether the delivery would go back to the edge that it came from.
func (d *Delivery) echo(m *member) bool {
	switch {
	case d.Edge && (m.Conn == d.Conn || m.Kind == Proxy):
		return true
	case m.Edge && m.mesh != "":
		return m.mesh == d.Mesh
	}
	return false
}

// usable tells whether a consumer may get the delivery.
func (d *Delivery) usable(m *member) bool {
	return !d.echo(m) && !d.tried(Choice{Consumer: m.Consumer})
}

// Choose picks one destination of an anycast address. It returns false if
// there is none. The choice counts as outstanding until Done.
//
// Other routers count only if this one is on the way to them as seen from the
// origin. While the routers' pictures of the network differ, none may be; then
// one will do whose next hop the message has not passed: better a detour than
// a dead end.
func (s *Snapshot) Choose(a *Address, d *Delivery) (Choice, bool) {
	if a == nil || a.treatment == Unavailable {
		return Choice{}, false
	}
	turn := a.load.turn.Add(1)
	if c, ok := next(a.processes, turn, d); ok {
		return c, true
	}
	if a.treatment == Balanced {
		return s.balanced(a, turn, d)
	}
	for _, list := range [...][]member{a.locals, a.proxies} {
		if c, ok := next(list, turn, d); ok {
			return c, true
		}
	}
	return s.closestRouter(a, turn, d)
}

// inTurn is the place in a list of n to look at i steps after the one whose
// turn it is.
func inTurn(turn uint32, i, n int) int { return (int(turn%uint32(n)) + i) % n }

// next takes the consumers of a list in turn.
func next(list []member, turn uint32, d *Delivery) (Choice, bool) {
	for i := range list {
		m := &list[inTurn(turn, i, len(list))]
		if d.usable(m) {
			m.load.Add(1)
			return Choice{Consumer: m.Consumer, count: &m.load}, true
		}
	}
	return Choice{}, false
}

// routers walks over the other routers that a delivery may go to.
type routers struct {
	net     *network
	d       *Delivery
	through []uint64
	all     bool
}

func (s *Snapshot) routers(d *Delivery) routers {
	w := routers{net: s.network, d: d, all: s.network.Through == nil}
	if !w.all {
		w.through = s.network.Through(max(d.Origin, 0))
	}
	return w
}

// usable returns the router of a holder if the delivery can go there, and
// whether this router is on the way.
func (w *routers) usable(h holder) (r *Router, onTheWay, ok bool) {
	if int(h.router) >= len(w.net.Routers) {
		return nil, false, false
	}
	r = &w.net.Routers[h.router]
	if r.Hop == 0 || traced(w.d.Trace, w.net.Routers[r.NextHop].ID) || w.d.tried(Choice{Hop: r.Hop}) {
		return nil, false, false
	}
	return r, w.all || has(w.through, h.router), true
}

func has(set []uint64, i int32) bool {
	w := int(i / 64)
	return w < len(set) && set[w]&(1<<(i%64)) != 0
}

// closestRouter takes the routers with the lowest cost in turn.
func (s *Snapshot) closestRouter(a *Address, turn uint32, d *Delivery) (Choice, bool) {
	if len(a.holders) == 0 {
		return Choice{}, false
	}
	w := s.routers(d)
	const none = math.MaxInt64
	lowest := [2]int64{none, none} // on the way; otherwise
	count := [2]uint32{}
	for _, h := range a.holders {
		r, onTheWay, ok := w.usable(h)
		if !ok {
			continue
		}
		i := rank(onTheWay)
		switch {
		case r.Cost < lowest[i]:
			lowest[i], count[i] = r.Cost, 1
		case r.Cost == lowest[i]:
			count[i]++
		}
	}
	i := rank(count[0] > 0)
	if count[i] == 0 || d.Direct && i > 0 {
		return Choice{}, false
	}
	turn %= count[i]
	for _, h := range a.holders {
		r, onTheWay, ok := w.usable(h)
		if !ok || rank(onTheWay) != i || r.Cost != lowest[i] {
			continue
		}
		if turn == 0 {
			counter := a.load.hops.counter(w.net.slots[r.NextHop])
			counter.Add(1)
			return Choice{Hop: r.Hop, Router: int(h.router), count: counter}, true
		}
		turn--
	}
	return Choice{}, false
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}

// candidate is the best destination found so far. Lower ranks are better, then
// lower values.
type candidate struct {
	Choice
	rank  int
	value int64 // what is compared
	seen  int64 // of the counter, when it was looked at
}

// Ranks of balanced candidates.
const (
	eligible = iota
	full     // has reached its capacity
	detour   // another router, and this one is not on the way
	nobody
)

func (c *candidate) offer(o candidate) {
	if o.rank < c.rank || o.rank == c.rank && o.value < c.value {
		*c = o
	}
}

// balanced picks the destination with the lowest sum of outstanding deliveries
// and cost; among equals this router's own first. If another goroutine takes
// the same one in the same moment, it looks again.
func (s *Snapshot) balanced(a *Address, turn uint32, d *Delivery) (Choice, bool) {
	const attempts = 8
	for try := 1; ; try++ {
		best := candidate{rank: nobody}
		best.consumers(a.locals, turn, d)
		if best.rank != eligible || best.value > 0 {
			best.consumers(a.proxies, turn, d)
			s.balancedRouter(&best, a, turn, d)
		}
		if best.rank == nobody {
			return Choice{}, false
		}
		if best.Consumer == nil {
			best.count = a.load.hops.counter(s.network.slots[s.network.Routers[best.Router].NextHop])
		}
		if best.count.CompareAndSwap(best.seen, best.seen+1) {
			return best.Choice, true
		}
		if try == attempts {
			best.count.Add(1)
			return best.Choice, true
		}
	}
}

// consumers offers the consumers of a list, beginning with another one each
// turn.
func (c *candidate) consumers(list []member, turn uint32, d *Delivery) {
	for i := range list {
		m := &list[inTurn(turn, i, len(list))]
		if !d.usable(m) {
			continue
		}
		o := candidate{Choice: Choice{Consumer: m.Consumer, count: &m.load}, seen: m.load.Load()}
		o.value = o.seen * max(m.Weight, 1)
		if m.Kind == Proxy {
			o.value += max(m.Cost, 1)
		}
		if m.Capacity > 0 && o.seen >= m.Capacity {
			o.rank = full
		}
		c.offer(o)
		if c.rank == eligible && c.value == 0 {
			return
		}
	}
}

func (s *Snapshot) balancedRouter(c *candidate, a *Address, turn uint32, d *Delivery) {
	if len(a.holders) == 0 {
		return
	}
	w := s.routers(d)
	for i := range a.holders {
		h := a.holders[inTurn(turn, i, len(a.holders))]
		r, onTheWay, ok := w.usable(h)
		if !ok {
			continue
		}
		o := candidate{Choice: Choice{Hop: r.Hop, Router: int(h.router)}, seen: a.load.hops.value(w.net.slots[r.NextHop])}
		o.value = o.seen + r.Cost
		if !onTheWay {
			o.rank = detour
		}
		if !onTheWay && d.Direct {
			continue
		}
		c.offer(o)
	}
}

// Multicast appends the destinations of a multicast address to dst: every
// consumer in this router, and each next hop behind which others are that only
// this router sends to. These choices do not count as outstanding.
//
// A message of an unknown origin stays in this router: rather nobody gets it
// than somebody twice.
func (s *Snapshot) Multicast(a *Address, d *Delivery, dst []Choice) []Choice {
	if a == nil || a.treatment == Unavailable {
		return dst
	}
	for _, list := range [...][]member{a.processes, a.locals, a.proxies} {
		for i := range list {
			if d.usable(&list[i]) {
				dst = append(dst, Choice{Consumer: list[i].Consumer})
			}
		}
	}
	if len(a.holders) == 0 || d.Origin == UnknownOrigin {
		return dst
	}
	w := s.routers(d)
	hops := len(dst)
next:
	for _, h := range a.holders {
		r, onTheWay, ok := w.usable(h)
		if !ok || !onTheWay {
			continue
		}
		for _, c := range dst[hops:] {
			if c.Hop == r.Hop {
				continue next
			}
		}
		dst = append(dst, Choice{Hop: r.Hop, Router: int(h.router)})
	}
	return dst
}
