package forward

import (
	"slices"
	"strings"
	"testing"
)

// copies wants a message to go to the named destinations.
func (b *bench) copies(d Delivery, names string) {
	b.t.Helper()
	s := b.snapshot()
	var got []string
	hops := map[HopID]bool{}
	for _, c := range s.Multicast(s.Lookup(b.key), &d, nil) {
		got = append(got, b.name(c))
		if c.Consumer == nil && hops[c.Hop] {
			b.t.Errorf("two copies over hop %d", c.Hop)
		}
		hops[c.Hop] = true
		c.Done()
	}
	if s := strings.Join(got, " "); s != names {
		b.t.Errorf("copies for: %s\nwant:       %s", s, names)
	}
}

// TestMulticast holds that everyone gets one copy: each consumer, and each
// neighbor behind which there are others, however many.
func TestMulticast(t *testing.T) {
	t.Parallel()
	for _, treatment := range []Treatment{Multicast, Flood} {
		b := newBench(t, Multicast, line())
		b.table.record(b.key, treatment)
		b.hold(routerB, routerC, routerD, routerE, routerX)
		b.copies(Delivery{}, "B C")
		one := b.add("one", &Consumer{Capacity: 1})
		b.add("inside", &Consumer{Kind: Process})
		b.add("up", &Consumer{Kind: Proxy})
		b.add("two", &Consumer{})
		b.copies(Delivery{}, "inside one two up B C")
		b.copies(Delivery{}, "inside one two up B C")
		if one.Load() != 0 {
			t.Error("copies count as outstanding")
		}
		b.table.RemoveHolder(b.key, routerB)
		b.snap = nil
		b.copies(Delivery{}, "inside one two up C D")
	}
}

// TestMulticastAppends holds that what dst has is left alone and not taken for
// copies of this message.
func TestMulticastAppends(t *testing.T) {
	t.Parallel()
	b := newBench(t, Multicast, line())
	b.hold(routerB)
	s := b.snapshot()
	before := []Choice{{Hop: 10, Router: routerD}}
	got := s.Multicast(s.Lookup(b.key), &Delivery{}, before)
	if len(got) != 2 || got[0].Router != routerD || got[1].Router != routerB {
		t.Errorf("destinations are %+v", got)
	}
}

// TestMulticastOnTree holds that only what is behind this router as seen from
// the origin gets a copy here.
func TestMulticastOnTree(t *testing.T) {
	t.Parallel()
	top := line()
	top.Through = through(map[int][]int{
		self:    {routerB, routerC, routerD, routerE},
		routerB: {routerE},
		routerD: {},
	})
	b := newBench(t, Multicast, top)
	b.hold(routerB, routerC, routerD, routerE)
	b.add("here", &Consumer{})
	b.copies(Delivery{}, "here B C")
	b.copies(Delivery{Origin: routerB, Trace: []string{"0/B"}}, "here E")
	b.copies(Delivery{Origin: routerD, Trace: []string{"0/D", "0/B"}}, "here")
	// No detours: somebody else sends there.
	b.copies(Delivery{Origin: routerE, Trace: []string{"0/E", "0/C"}}, "here")
}

// TestMulticastLinkExclusion holds that a neighbor that the message has passed
// gets no copy.
func TestMulticastLinkExclusion(t *testing.T) {
	t.Parallel()
	b := newBench(t, Multicast, line())
	b.hold(routerB, routerC, routerD, routerE)
	b.copies(Delivery{Origin: routerD, Trace: []string{"0/D", "0/B"}}, "C")
	b.copies(Delivery{Origin: routerD, Trace: []string{"0/D"}}, "B C") // D is no neighbor
	b.copies(Delivery{Origin: routerB, Trace: []string{"0/B", "0/C"}}, "")
}

// TestMulticastUnknownOrigin holds that rather nobody gets a copy than somebody
// twice. The consumers here do: nobody else sends to them.
func TestMulticastUnknownOrigin(t *testing.T) {
	t.Parallel()
	b := newBench(t, Multicast, line())
	b.hold(routerB, routerC)
	b.copies(Delivery{Origin: UnknownOrigin}, "")
	b.add("here", &Consumer{})
	b.copies(Delivery{Origin: UnknownOrigin, Trace: []string{"0/Z"}}, "here")
}

func TestMulticastEcho(t *testing.T) {
	t.Parallel()
	b := newBench(t, Multicast, line())
	b.add("first", &Consumer{Conn: 1, Edge: true})
	b.add("second", &Consumer{Conn: 2, Edge: true})
	b.add("third", &Consumer{Conn: 3, Edge: true})
	b.add("client", &Consumer{Conn: 4})
	b.table.SetMesh(1, "mesh-one")
	b.table.SetMesh(2, "mesh-one")
	b.hold(routerB)
	b.copies(Delivery{Conn: 4}, "first second third client B")
	b.copies(Delivery{Conn: 1, Edge: true, Mesh: "mesh-one"}, "third client B")
	b.copies(Delivery{Conn: 9, Origin: routerB, Trace: []string{"0/B"}, Mesh: "mesh-one"}, "third client")
	b.copies(Delivery{Conn: 3, Edge: true}, "first second client B")
}

func TestMulticastTried(t *testing.T) {
	t.Parallel()
	b := newBench(t, Multicast, line())
	one := b.add("one", &Consumer{})
	b.add("two", &Consumer{})
	b.hold(routerB, routerC, routerD)
	b.copies(Delivery{Tried: []Choice{{Consumer: one}, {Hop: 10}}}, "two C")
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	s := newBench(t, Balanced, line()).snapshot()
	for ingress, want := range map[string]int{
		"": self, "0/A": self, "0/B": routerB, "0/X": routerX, "0/Z": UnknownOrigin, "B": UnknownOrigin, "1/B": UnknownOrigin, "0/": UnknownOrigin,
	} {
		if got := s.Origin(ingress); got != want {
			t.Errorf("the origin %q is %d, want %d", ingress, got, want)
		}
	}
}

// TestLooping holds that only the own name in the trace makes a loop, however
// little of the network is known.
func TestLooping(t *testing.T) {
	t.Parallel()
	long := []string{"0/B", "0/C", "0/D", "0/E", "0/F", "0/G", "0/H", "0/I"}
	for _, top := range []Topology{{}, line()} {
		s := newBench(t, Balanced, top).snapshot()
		for _, tt := range []struct {
			trace []string
			want  bool
		}{
			{nil, false},
			{[]string{"0/B"}, false},
			{long, false},
			{[]string{"0/AA", "A", "1/A"}, false},
			{[]string{"0/A"}, true},
			{slices.Concat(long, []string{"0/A"}), true},
			{[]string{"0/A", "0/B"}, true},
		} {
			if got := s.Looping(tt.trace); got != tt.want {
				t.Errorf("a trace of %v is a loop: %v, want %v", tt.trace, got, tt.want)
			}
		}
	}
}
