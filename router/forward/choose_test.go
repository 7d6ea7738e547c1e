package forward

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Routers of the test network, by index.
const (
	self = iota
	routerB
	routerC
	routerD // behind B
	routerE // behind C
	routerX // not reachable
)

// line is a network in which this router has the neighbors B (cost 1) and C
// (cost 3), with D behind B and E behind C. It is on the way to all, from
// everywhere.
func line() Topology {
	return Topology{Radius: 2, Routers: []Router{
		self:    {ID: "A"},
		routerB: {ID: "B", Hop: 10, NextHop: routerB, Cost: 1},
		routerC: {ID: "C", Hop: 20, NextHop: routerC, Cost: 3},
		routerD: {ID: "D", Hop: 10, NextHop: routerB, Cost: 2},
		routerE: {ID: "E", Hop: 20, NextHop: routerC, Cost: 4},
		routerX: {ID: "X"},
	}}
}

// through makes the sets of Topology.Through from lists of routers by origin.
func through(sets map[int][]int) func(int) []uint64 {
	return func(origin int) []uint64 {
		words := []uint64{0}
		for _, r := range sets[origin] {
			words[0] |= 1 << r
		}
		return words
	}
}

// bench is a table with one address under test.
type bench struct {
	t     *testing.T
	table *Table
	key   Key
	snap  *Snapshot
}

func newBench(t *testing.T, treatment Treatment, top Topology) *bench {
	b := &bench{t: t, table: NewTable(Config{Names: Names{ID: "A"}, Default: treatment}), key: Key{ClassMobile, "svc"}}
	b.table.SetTopology(top)
	return b
}

// add adds a consumer whose Target is its name.
func (b *bench) add(name string, c *Consumer) *Consumer {
	c.Target = name
	b.table.Add(b.key, c, Unsaid)
	b.snap = nil
	return c
}

func (b *bench) hold(routers ...int) {
	for _, r := range routers {
		b.table.AddHolder(b.key, r, Unsaid, "")
	}
	b.snap = nil
}

func (b *bench) snapshot() *Snapshot {
	if b.snap == nil {
		b.snap, _ = b.table.Publish()
	}
	return b.snap
}

func (b *bench) choose(d Delivery) (Choice, bool) {
	s := b.snapshot()
	return s.Choose(s.Lookup(b.key), &d)
}

// name is what a choice is called in expectations.
func (b *bench) name(c Choice) string {
	if c.Consumer != nil {
		return c.Consumer.Target.(string)
	}
	return b.snapshot().Router(c.Router).ID
}

// want makes as many choices as names are given. They stay outstanding.
func (b *bench) want(d Delivery, names string) []Choice {
	b.t.Helper()
	var got []string
	var choices []Choice
	for range strings.Fields(names) {
		c, ok := b.choose(d)
		if !ok {
			got = append(got, "nobody")
			continue
		}
		got, choices = append(got, b.name(c)), append(choices, c)
	}
	if s := strings.Join(got, " "); s != names {
		b.t.Errorf("chosen: %s\nwant:   %s", s, names)
	}
	return choices
}

// share makes n choices that are done at once and wants each of the names to
// get as many.
func (b *bench) share(d Delivery, n int, names string) {
	b.t.Helper()
	got := map[string]int{}
	for range n {
		c, ok := b.choose(d)
		if !ok {
			b.t.Fatal("nobody is chosen")
		}
		got[b.name(c)]++
		c.Done()
	}
	want := map[string]int{}
	for _, name := range strings.Fields(names) {
		want[name] = n / len(strings.Fields(names))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("shares of %d deliveries: %v, want %v", n, got, want)
	}
}

func TestNoDestination(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, line())
	b.want(Delivery{}, "nobody")
	b.table.AddProducer(b.key, Unsaid)
	b.table.AddWatcher(b.key, Unsaid)
	b.snap = nil
	b.want(Delivery{}, "nobody")
	b.hold(routerX) // known, not reachable
	b.want(Delivery{}, "nobody")
	if got := b.snapshot().Multicast(b.snapshot().Lookup(b.key), &Delivery{}, nil); len(got) != 0 {
		t.Errorf("multicast goes to %v", got)
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	b := newBench(t, Unavailable, line())
	b.add("one", &Consumer{})
	b.hold(routerB)
	b.want(Delivery{}, "nobody")
	if got := b.snapshot().Multicast(b.snapshot().Lookup(b.key), &Delivery{}, nil); len(got) != 0 {
		t.Errorf("multicast goes to %v", got)
	}
}

// TestBalancedLocality holds that the next router is as far as its cost.
func TestBalancedLocality(t *testing.T) {
	t.Parallel()
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, Balanced, line())
		b.add("here", &Consumer{})
		b.hold(routerB)
		b.share(Delivery{}, 10, "here")
	})
	t.Run("kept open", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, Balanced, line())
		b.add("here", &Consumer{})
		b.hold(routerB)
		b.want(Delivery{}, "here here B here B here B")
	})
	t.Run("two costs", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, Balanced, line())
		b.hold(routerB, routerC)
		b.want(Delivery{}, "B B")
		got := map[string]int{}
		for range 100 {
			c, _ := b.choose(Delivery{})
			got[b.name(c)]++
		}
		if got["B"]+2 < got["C"] || got["B"] > got["C"]+2 {
			t.Errorf("shares behind the difference of costs: %v", got)
		}
	})
	t.Run("two here", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, Balanced, line())
		b.add("one", &Consumer{})
		b.add("two", &Consumer{})
		b.share(Delivery{}, 10, "one two")
		b.hold(routerB)
		b.share(Delivery{}, 10, "one two")
	})
	t.Run("equal neighbors", func(t *testing.T) {
		t.Parallel()
		top := line()
		top.Routers[routerC].Cost = 1
		b := newBench(t, Balanced, top)
		b.hold(routerB, routerC)
		b.share(Delivery{}, 10, "B C")
	})
	t.Run("shared next hop", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, Balanced, line())
		b.hold(routerD, routerE) // costs 2 and 4
		b.want(Delivery{}, "D D")
		b.hold(routerB) // cost 1, with the two outstanding through it: 3
		b.want(Delivery{}, "B")
	})
}

func TestBalancedCapacity(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, line())
	small := b.add("small", &Consumer{Capacity: 1})
	b.add("large", &Consumer{Capacity: 100})
	for range 10 {
		b.choose(Delivery{})
	}
	if got := small.Load(); got != 1 {
		t.Errorf("a consumer with capacity 1 has %d deliveries while another has room", got)
	}
	b = newBench(t, Balanced, line())
	small = b.add("small", &Consumer{Capacity: 1})
	b.want(Delivery{}, "small small small") // nobody else
	b.hold(routerC)
	b.want(Delivery{}, "C C C C C C")
	if got := small.Load(); got != 3 {
		t.Errorf("the full consumer has %d deliveries, want 3", got)
	}
}

// TestDone holds that what is done does not count.
func TestDone(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, line())
	c := b.add("here", &Consumer{})
	b.hold(routerB)
	open := b.want(Delivery{}, "here here B here B")
	if got := c.Load(); got != 3 {
		t.Errorf("%d deliveries are outstanding, want 3", got)
	}
	for _, choice := range open {
		choice.Done()
	}
	if got := c.Load(); got != 0 {
		t.Errorf("%d deliveries are outstanding, want none", got)
	}
	b.want(Delivery{}, "here here B here B")
	Choice{}.Done() // of a multicast choice: nothing
}

// TestOutstandingOutlivesSnapshots holds that what was chosen counts in later
// snapshots, also when the topology is replaced or a neighbor disappears.
func TestOutstandingOutlivesSnapshots(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, line())
	c := b.add("here", &Consumer{})
	b.hold(routerB, routerC)
	open := b.want(Delivery{}, "here here B here B") // both at 3
	b.table.AddWatcher(b.key, Unsaid)
	top := line()
	top.Routers[routerB], top.Routers[routerD] = Router{}, Router{ID: "D", Hop: 20, NextHop: routerC, Cost: 6}
	b.table.RemoveHolder(b.key, routerB)
	b.table.SetTopology(top)
	b.snap = nil
	open = append(open, b.want(Delivery{}, "here C")...)
	b.table.SetTopology(line())
	b.hold(routerB)
	open = append(open, b.want(Delivery{}, "B here")...)
	for _, choice := range open {
		choice.Done()
	}
	if got := c.Load(); got != 0 {
		t.Errorf("%d deliveries are outstanding, want none", got)
	}
}

// TestClosest holds that nothing leaves this router, or an edge router for the
// interior, while a consumer is nearer.
func TestClosest(t *testing.T) {
	t.Parallel()
	t.Run("parts of the router, consumers, proxies, routers", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, Closest, line())
		b.hold(routerC, routerE)
		b.share(Delivery{}, 10, "C")
		b.hold(routerB)
		b.share(Delivery{}, 10, "B")
		b.add("up", &Consumer{Kind: Proxy, Conn: 1, Edge: true})
		b.share(Delivery{}, 10, "up")
		b.add("here", &Consumer{Conn: 2})
		b.share(Delivery{}, 10, "here")
		b.add("inside", &Consumer{Kind: Process})
		b.share(Delivery{}, 10, "inside")
	})
	t.Run("however much there is to do", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, Closest, line())
		b.hold(routerB)
		b.add("here", &Consumer{Capacity: 1})
		b.want(Delivery{}, "here here here here here")
	})
	t.Run("in turn", func(t *testing.T) {
		t.Parallel()
		top := line()
		top.Routers[routerC].Cost = 1
		b := newBench(t, Closest, top)
		b.hold(routerB, routerC, routerE)
		b.share(Delivery{}, 10, "B C")
		b.add("one", &Consumer{})
		b.add("two", &Consumer{})
		b.add("three", &Consumer{})
		b.share(Delivery{}, 12, "one two three")
	})
	t.Run("in turn although nearer ones are out of question", func(t *testing.T) {
		t.Parallel()
		top := line()
		top.Routers[routerC].Cost = 1
		b := newBench(t, Closest, top)
		b.hold(routerB, routerC)
		b.add("edge", &Consumer{Conn: 7, Edge: true})
		b.share(Delivery{Conn: 7, Edge: true}, 10, "B C")
	})
}

// TestOutstandingOfAnyTreatment holds that closest choices count as well.
func TestOutstandingOfAnyTreatment(t *testing.T) {
	t.Parallel()
	b := newBench(t, Closest, line())
	c := b.add("here", &Consumer{})
	for i, choice := range b.want(Delivery{}, "here here here") {
		if got := c.Load(); got != int64(3-i) {
			t.Errorf("%d deliveries are outstanding, want %d", got, 3-i)
		}
		choice.Done()
	}
}

// TestTried holds that a retry goes elsewhere, as long as there is elsewhere.
func TestTried(t *testing.T) {
	t.Parallel()
	for _, treatment := range []Treatment{Balanced, Closest} {
		b := newBench(t, treatment, line())
		b.add("inside", &Consumer{Kind: Process})
		b.add("one", &Consumer{})
		b.add("two", &Consumer{})
		b.hold(routerB, routerC, routerD)
		var d Delivery
		var got []string
		for {
			c, ok := b.choose(d)
			if !ok {
				break
			}
			d.Tried, got = append(d.Tried, c), append(got, b.name(c))
		}
		if len(got) > 1 && got[1] == "two" {
			got[1], got[2] = got[2], got[1]
		}
		// D is behind the same neighbor as B.
		if want := []string{"inside", "one", "two", "B", "C"}; !slices.Equal(got, want) {
			t.Errorf("%v: tried %v, want %v", treatment, got, want)
		}
	}
}

// TestValidOrigins holds that a message goes to a router only if this one is on
// the way from its origin, unless nothing else is left.
func TestValidOrigins(t *testing.T) {
	t.Parallel()
	for _, treatment := range []Treatment{Balanced, Closest} {
		top := line()
		top.Through = through(map[int][]int{
			self:    {routerB, routerC, routerD, routerE},
			routerB: {routerC},
			routerD: {routerC, routerE},
		})
		b := newBench(t, treatment, top)
		b.hold(routerD, routerE)
		b.want(Delivery{}, "D")
		b.want(Delivery{Origin: UnknownOrigin}, "D")
		b.want(Delivery{Origin: routerD}, "E")
		// From B neither: a detour, if the message has not been there.
		b.want(Delivery{Origin: routerB, Trace: []string{"0/B"}}, "E")
		b.want(Delivery{Origin: routerB, Trace: []string{"0/B", "0/C"}}, "nobody")
		b.want(Delivery{Origin: routerE, Trace: []string{"0/E", "0/C"}}, "D")
		// A detour only if nothing else is left.
		here := b.add("here", &Consumer{Capacity: 1})
		here.load.Store(100)
		b.want(Delivery{Origin: routerB, Trace: []string{"0/B"}}, "here")
		if treatment == Balanced {
			b.want(Delivery{}, "D")
			b.want(Delivery{Origin: UnknownOrigin}, "E") // as if it began here
		}
	}
}

func TestTraceOfOtherNames(t *testing.T) {
	t.Parallel()
	b := newBench(t, Closest, line())
	b.hold(routerB)
	b.want(Delivery{Trace: []string{"0/BB", "B", "1/B", "0/b", ""}}, "B")
	b.want(Delivery{Trace: []string{"0/C", "0/B"}}, "nobody")
}

// TestEdgeEcho holds that nothing goes back to the edge that it came from.
func TestEdgeEcho(t *testing.T) {
	t.Parallel()
	fromEdge := Delivery{Conn: 1, Edge: true, Mesh: "mesh-one"}
	for _, treatment := range []Treatment{Balanced, Closest} {
		t.Run(treatment.String()+"/the same connection", func(t *testing.T) {
			t.Parallel()
			b := newBench(t, treatment, line())
			b.add("first", &Consumer{Conn: 1, Edge: true})
			b.want(fromEdge, "nobody")
			b.want(Delivery{Conn: 2, Edge: true}, "first")
			b.add("second", &Consumer{Conn: 2, Edge: true})
			b.want(fromEdge, "second second second")
		})
		t.Run(treatment.String()+"/a client may talk to itself", func(t *testing.T) {
			t.Parallel()
			b := newBench(t, treatment, line())
			b.add("client", &Consumer{Conn: 1})
			b.want(Delivery{Conn: 1}, "client")
		})
		t.Run(treatment.String()+"/the same mesh", func(t *testing.T) {
			t.Parallel()
			b := newBench(t, treatment, line())
			b.add("first", &Consumer{Conn: 2, Edge: true})
			b.want(fromEdge, "first") // its mesh is not known yet
			b.table.SetMesh(2, "mesh-one")
			b.snap = nil
			b.want(fromEdge, "nobody")
			b.want(Delivery{Mesh: "mesh-one", Origin: routerB}, "nobody") // also through other routers
			b.want(Delivery{Mesh: "mesh-two"}, "first")
			b.want(Delivery{}, "first")
			b.table.SetMesh(2, "mesh-two")
			b.snap = nil
			b.want(fromEdge, "first")
		})
		t.Run(treatment.String()+"/meshes are of edges", func(t *testing.T) {
			t.Parallel()
			b := newBench(t, treatment, line())
			b.table.SetMesh(2, "mesh-one")
			b.add("client", &Consumer{Conn: 2})
			b.want(fromEdge, "client")
		})
		t.Run(treatment.String()+"/what comes down does not go up", func(t *testing.T) {
			t.Parallel()
			b := newBench(t, treatment, Topology{})
			b.add("up", &Consumer{Kind: Proxy, Conn: 1, Edge: true})
			b.want(Delivery{Conn: 5}, "up")
			b.want(Delivery{Conn: 1, Edge: true}, "nobody")
			b.want(Delivery{Conn: 9, Edge: true}, "nobody") // another uplink
		})
	}
}

// TestProxyCost holds that an edge router sends up only what its own consumers
// are too busy for.
func TestProxyCost(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, Topology{})
	b.add("up", &Consumer{Kind: Proxy, Conn: 1, Edge: true})
	b.add("here", &Consumer{})
	b.share(Delivery{}, 10, "here")
	b.want(Delivery{}, "here here up here up")
	b = newBench(t, Balanced, Topology{})
	b.add("up", &Consumer{Kind: Proxy, Conn: 1, Edge: true, Cost: 3})
	b.add("here", &Consumer{})
	b.want(Delivery{}, "here here here here up here up")
}

// TestRouterAddresses holds that the address of another router leads to it.
func TestRouterAddresses(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, line())
	s := b.snapshot()
	for text, hop := range map[string]HopID{
		"_topo/0/B/$management": 10, "amqp:/_topo/0/E/temp.x": 20, "_topo/0/X/y": 0, "_topo/0/nobody/y": 0, "_topo/0/A/y": 0, "_topo/0/A": 0,
	} {
		c, ok := s.Choose(s.Find([]byte(text)), &Delivery{Trace: []string{"0/Z"}, Origin: UnknownOrigin})
		if ok != (hop != 0) || c.Hop != hop {
			t.Errorf("%s leads over hop %d (%v), want %d", text, c.Hop, ok, hop)
		}
		if ok {
			c.Done()
		}
	}
}
