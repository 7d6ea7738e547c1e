package forward

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNilAddress(t *testing.T) {
	t.Parallel()
	var a *Address
	if a.Key() != (Key{}) || a.Treatment() != Unavailable || a.Priority() != -1 || a.Counts() != (Counts{}) || a.Counts().Reachable() || a.CanSend("") {
		t.Error("no address has properties")
	}
	if _, ok := a.Announcement(); ok {
		t.Error("no address is announced")
	}
	a.Consumers(func(*Consumer) bool { t.Error("no address has consumers"); return true })
	a.Holders(func(int, string) bool { t.Error("no address has holders"); return true })
}

func TestCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, line())
	want := func(c Counts, reachable bool) {
		t.Helper()
		a := b.snapshot().Lookup(b.key)
		if got := a.Counts(); got != c || got.Reachable() != reachable {
			t.Errorf("counts are %+v (reachable %v), want %+v (%v)", got, got.Reachable(), c, reachable)
		}
	}
	want(Counts{}, false)
	b.table.AddProducer(b.key, Unsaid)
	b.table.AddProducer(b.key, Unsaid)
	b.table.AddWatcher(b.key, Unsaid)
	b.snap = nil
	want(Counts{Producers: 2, Watchers: 1}, false)
	c := b.add("here", &Consumer{})
	want(Counts{Producers: 2, Watchers: 1, Local: 1}, true)
	b.add("inside", &Consumer{Kind: Process})
	b.add("up", &Consumer{Kind: Proxy})
	b.hold(routerB, routerC)
	want(Counts{Producers: 2, Watchers: 1, Local: 1, Process: 1, Proxy: 1, Remote: 2}, true)
	b.table.Remove(c)
	b.table.RemoveProducer(b.key)
	b.table.RemoveHolder(b.key, routerC)
	b.table.RemoveWatcher(b.key)
	b.snap = nil
	want(Counts{Producers: 1, Process: 1, Proxy: 1, Remote: 1}, true)
}

// TestReachable holds that each kind of destination makes an address
// reachable.
func TestReachable(t *testing.T) {
	t.Parallel()
	for name, add := range map[string]func(*bench){
		"consumer":           func(b *bench) { b.add("x", &Consumer{}) },
		"part of the router": func(b *bench) { b.add("x", &Consumer{Kind: Process}) },
		"proxy":              func(b *bench) { b.add("x", &Consumer{Kind: Proxy}) },
		"another router":     func(b *bench) { b.hold(routerB) },
	} {
		b := newBench(t, Balanced, line())
		add(b)
		if !b.snapshot().Lookup(b.key).Counts().Reachable() {
			t.Errorf("%s does not make the address reachable", name)
		}
	}
}

// TestUndoWithoutDo holds that what is not there can be removed.
func TestUndoWithoutDo(t *testing.T) {
	t.Parallel()
	table := NewTable(Config{})
	k := Key{ClassMobile, "x"}
	c := &Consumer{Conn: 1}
	table.Remove(c)
	table.RemoveHolder(k, 1)
	table.RemoveProducer(k)
	table.RemoveWatcher(k)
	table.SetMesh(5, "")
	if _, changes := table.Publish(); len(changes) != 0 {
		t.Errorf("changes %v of nothing", changes)
	}
	table.AddHolder(k, 2, Unsaid, "")
	table.RemoveHolder(k, 1)
	table.RemoveProducer(k)
	table.RemoveWatcher(k)
	table.Add(k, c, Unsaid)
	table.Remove(c)
	table.Remove(c)
	s, _ := table.Publish()
	if got, want := s.Lookup(k).Counts(), (Counts{Remote: 1}); got != want {
		t.Errorf("counts are %+v, want %+v", got, want)
	}
	if len(table.conns) != 0 {
		t.Errorf("%d connections are remembered", len(table.conns))
	}
}

// TestCanSend is what an interior router tells its edges: whether there is a
// destination that is not behind their own mesh.
func TestCanSend(t *testing.T) {
	t.Parallel()
	edgeOf := func(mesh string) func(*bench) {
		conn := ConnID(len(mesh))
		return func(b *bench) {
			b.table.SetMesh(conn, mesh)
			b.add("edge", &Consumer{Conn: conn, Edge: true})
		}
	}
	holder := func(router int, mesh string) func(*bench) {
		return func(b *bench) { b.table.AddHolder(b.key, router, Unsaid, mesh) }
	}
	consumer := func(c *Consumer) func(*bench) { return func(b *bench) { b.add("x", c) } }
	for _, tt := range []struct {
		name             string
		add              []func(*bench)
		one, two, unsaid bool
	}{
		{"nobody", nil, false, false, false},
		{"a client", []func(*bench){consumer(&Consumer{Conn: 9})}, true, true, true},
		{"an edge of mesh one", []func(*bench){edgeOf("one")}, false, true, true},
		{"edges of both meshes", []func(*bench){edgeOf("one"), edgeOf("second")}, true, true, true},
		{"an edge of no known mesh", []func(*bench){edgeOf("")}, true, true, true},
		{"another router", []func(*bench){holder(routerB, "")}, true, true, true},
		{"another router for mesh one", []func(*bench){holder(routerB, "one")}, false, true, true},
		{"routers for both meshes", []func(*bench){holder(routerB, "one"), holder(routerC, "two")}, true, true, true},
		{"two routers for mesh one", []func(*bench){holder(routerB, "one"), holder(routerC, "one")}, false, true, true},
		{"here and elsewhere mesh one", []func(*bench){holder(routerB, "one"), edgeOf("one")}, false, true, true},
		{"a part of the router", []func(*bench){consumer(&Consumer{Kind: Process, Announced: true})}, true, true, true},
		{"a private part", []func(*bench){consumer(&Consumer{Kind: Process})}, false, false, false},
		{"a proxy", []func(*bench){consumer(&Consumer{Kind: Proxy})}, false, false, false},
	} {
		b := newBench(t, Balanced, line())
		for _, add := range tt.add {
			add(b)
		}
		a := b.snapshot().Lookup(b.key)
		if one, two, unsaid := a.CanSend("one"), a.CanSend("two"), a.CanSend(""); one != tt.one || two != tt.two || unsaid != tt.unsaid {
			t.Errorf("%s: meshes one, two and none can send: %v %v %v, want %v %v %v", tt.name, one, two, unsaid, tt.one, tt.two, tt.unsaid)
		}
	}
}

// TestAnnouncement is what other routers are told.
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		key  string
		add  func(*bench)
		want string
	}{
		{"a consumer", "Mx", func(b *bench) { b.add("x", &Consumer{}) }, "balanced 0"},
		{"with producers", "Mx", func(b *bench) {
			b.add("x", &Consumer{})
			b.table.AddProducer(b.key, Unsaid)
			b.table.AddProducer(b.key, Unsaid)
		}, "balanced 2"},
		{"an edge router", "Hx", func(b *bench) { b.add("x", &Consumer{Conn: 1, Edge: true}) }, "balanced 0"},
		{"producers alone", "Mx", func(b *bench) { b.table.AddProducer(b.key, Unsaid) }, ""},
		{"watchers alone", "Mx", func(b *bench) { b.table.AddWatcher(b.key, Unsaid) }, ""},
		{"other routers alone", "Mx", func(b *bench) { b.hold(routerB) }, ""},
		{"a proxy alone", "Mx", func(b *bench) { b.add("x", &Consumer{Kind: Proxy}) }, ""},
		{"a private part of the router", "Mx", func(b *bench) { b.add("x", &Consumer{Kind: Process}) }, ""},
		{"a part of the router", "Mx", func(b *bench) { b.add("x", &Consumer{Kind: Process, Announced: true}) }, "balanced 0"},
		{"a local address", "Lx", func(b *bench) { b.add("x", &Consumer{}) }, ""},
		{"a topological address", "Tx", func(b *bench) { b.add("x", &Consumer{}) }, ""},
		{"edges of one mesh", "Mx", func(b *bench) {
			b.add("x", &Consumer{Conn: 1, Edge: true})
			b.add("y", &Consumer{Conn: 2, Edge: true})
			b.table.SetMesh(1, "one")
			b.table.SetMesh(2, "one")
		}, "balanced 0 one"},
		{"edges of two meshes", "Mx", func(b *bench) {
			b.add("x", &Consumer{Conn: 1, Edge: true})
			b.add("y", &Consumer{Conn: 2, Edge: true})
			b.table.SetMesh(1, "one")
			b.table.SetMesh(2, "two")
		}, "balanced 0"},
		{"an edge and a client", "Mx", func(b *bench) {
			b.table.SetMesh(1, "one")
			b.add("x", &Consumer{Conn: 1, Edge: true})
			b.add("y", &Consumer{Conn: 2})
		}, "balanced 0"},
		{"an edge and a part of the router", "Mx", func(b *bench) {
			b.table.SetMesh(1, "one")
			b.add("x", &Consumer{Conn: 1, Edge: true})
			b.add("y", &Consumer{Kind: Process, Announced: true})
		}, "balanced 0"},
		{"an edge whose mesh is gone", "Mx", func(b *bench) {
			b.table.SetMesh(1, "one")
			b.add("x", &Consumer{Conn: 1, Edge: true})
			b.table.SetMesh(1, "")
		}, "balanced 0"},
	} {
		b := newBench(t, Balanced, line())
		b.key = Key{Class(tt.key[0]), tt.key[1:]}
		tt.add(b)
		got := ""
		b.snap = nil
		if a, ok := b.snapshot().Lookup(b.key).Announcement(); ok {
			got = strings.TrimSpace(fmt.Sprintf("%v %d %s", a.Treatment, a.Producers, a.Mesh))
		}
		if got != tt.want {
			t.Errorf("%s: announced as %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestChanges holds that Publish lists what became, changed and went, by key.
func TestChanges(t *testing.T) {
	t.Parallel()
	table := NewTable(Config{Names: Names{ID: "A"}})
	want := func(want string) {
		t.Helper()
		_, changes := table.Publish()
		var got []string
		for _, c := range changes {
			what := "changed"
			switch {
			case c.Old == nil:
				what = "new"
			case c.New == nil:
				what = "gone"
			}
			got = append(got, c.Key.String()+" "+what)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("changes: %s\nwant:    %s", s, want)
		}
	}
	x, y, h := Key{ClassMobile, "x"}, Key{ClassMobile, "y"}, Key{ClassEdge, "z"}
	c := &Consumer{Conn: 4, Edge: true}
	want("")
	table.AddProducer(y, Unsaid)
	table.Add(x, c, Unsaid)
	table.AddHolder(h, 2, Unsaid, "")
	want("Hz new, Mx new, My new")
	want("")
	table.SetTopology(line())
	want("")
	table.SetMesh(4, "one")
	want("Mx changed")
	table.SetMesh(4, "one")
	want("")
	table.AddHolder(h, 2, Unsaid, "")
	want("")
	table.AddHolder(h, 2, Unsaid, "two")
	want("Hz changed")
	table.Remove(c)
	table.RemoveProducer(y)
	table.RemoveHolder(h, 2)
	table.AddWatcher(h, Unsaid)
	want("Hz changed, Mx gone, My gone")
	table.Add(x, c, Unsaid)
	table.Remove(c)
	want("")
}

// TestRename holds that new names are in the next snapshot although nothing
// else has changed.
func TestRename(t *testing.T) {
	t.Parallel()
	table := NewTable(Config{Names: edge})
	before, _ := table.Publish()
	table.SetNames(meshed)
	after, _ := table.Publish()
	text := "_edge/rtr-E/x"
	if got, want := before.Names().Key(text), Uplink(); got != want {
		t.Errorf("before: %v, want %v", got, want)
	}
	if got, want := after.Names().Key(text), (Key{ClassEdge, "rtr-E"}); got != want {
		t.Errorf("after: %v, want %v", got, want)
	}
	if again, _ := table.Publish(); again != after {
		t.Error("another snapshot of the same")
	}
}

// TestSnapshotStays holds that an old snapshot is as it was, whatever becomes
// of the table.
func TestSnapshotStays(t *testing.T) {
	t.Parallel()
	b := newBench(t, Multicast, line())
	b.table.SetMesh(1, "one")
	edge := b.add("edge", &Consumer{Conn: 1, Edge: true})
	b.add("one", &Consumer{})
	two := b.add("two", &Consumer{})
	b.hold(routerB, routerD, routerE)
	s := b.snapshot()
	describe := func() string {
		a := s.Lookup(b.key)
		var all []string
		a.Consumers(func(c *Consumer) bool { all = append(all, c.Target.(string)); return true })
		a.Holders(func(i int, mesh string) bool { all = append(all, s.Router(i).ID+mesh); return true })
		return fmt.Sprint(all, a.Counts(), a.CanSend("one"), len(s.Multicast(a, &Delivery{Mesh: "one"}, nil)))
	}
	before := describe()
	b.table.SetMesh(1, "two")
	b.table.Remove(two)
	b.table.Remove(edge)
	b.table.AddHolder(b.key, routerC, Unsaid, "three")
	b.table.AddHolder(b.key, routerB, Unsaid, "four")
	b.table.RemoveHolder(b.key, routerD)
	b.table.AddProducer(b.key, Unsaid)
	b.add("three", &Consumer{})
	b.add("four", &Consumer{})
	b.table.SetTopology(Topology{})
	if after := describe(); after != before {
		t.Errorf("before publishing the snapshot is %s\nwant %s", after, before)
	}
	b.table.Publish()
	if after := describe(); after != before {
		t.Errorf("after publishing the snapshot is %s\nwant %s", after, before)
	}
}

func TestWalks(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, line())
	b.add("one", &Consumer{})
	b.add("two", &Consumer{})
	b.hold(routerB, routerC)
	b.table.AddWatcher(Key{ClassMobile, "other"}, Unsaid)
	b.snap = nil
	s := b.snapshot()
	a := s.Lookup(b.key)
	for _, limit := range []int{1, 2} {
		consumers, holders, addresses := 0, 0, 0
		a.Consumers(func(*Consumer) bool { consumers++; return consumers < limit })
		a.Holders(func(int, string) bool { holders++; return holders < limit })
		s.All(func(*Address) bool { addresses++; return addresses < limit })
		if consumers != limit || holders != limit || addresses != limit {
			t.Errorf("walked over %d consumers, %d holders and %d addresses, want %d", consumers, holders, addresses, limit)
		}
	}
	if c := a.locals[0].Consumer; c.Key() != b.key {
		t.Errorf("key of a consumer is %v, want %v", c.Key(), b.key)
	}
}

func TestRouterByIndex(t *testing.T) {
	t.Parallel()
	s := newBench(t, Balanced, line()).snapshot()
	for i, want := range map[int]string{-1: "", self: "A", routerE: "E", 6: ""} {
		if got := s.Router(i).ID; got != want {
			t.Errorf("router %d is %q, want %q", i, got, want)
		}
	}
	if got := s.Names().ID; got != "A" {
		t.Errorf("the name is %q", got)
	}
}

// TestNeighborsComeAndGo holds that counters follow a neighbor, not its place.
func TestNeighborsComeAndGo(t *testing.T) {
	t.Parallel()
	b := newBench(t, Balanced, line())
	b.hold(routerB, routerC)
	b.want(Delivery{}, "B B")
	slots := slices.Clone(b.snapshot().network.slots)
	top := line()
	top.Routers = append(top.Routers, Router{ID: "F", Hop: 30, NextHop: 6, Cost: 1})
	b.table.SetTopology(top)
	b.hold(6)
	if got := b.snapshot().network.slots; !slices.Equal(got[:len(slots)], slots) {
		t.Errorf("slots of the old neighbors became %v, were %v", got, slots)
	}
	b.want(Delivery{}, "F F")
}
