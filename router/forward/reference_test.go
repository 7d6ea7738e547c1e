package forward

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// reference is a table that is searched from end to end for every question.
type reference struct {
	consumers []*refConsumer
	holders   []refHolder
	producers []Key
	watchers  []Key
	meshes    map[ConnID]string
	treatment map[Key]Treatment // of what exists, or existed when last published
	top       Topology
	sets      map[int][]int       // of top.Through; nil: all
	hops      map[refHop][]Choice // outstanding
}

type refConsumer struct {
	*Consumer
	key Key
	out int64 // outstanding
}

type refHolder struct {
	key    Key
	router int
	mesh   string
}

type refHop struct {
	key      Key
	neighbor string
}

func (r *reference) exists(k Key) bool {
	return slices.ContainsFunc(r.consumers, func(c *refConsumer) bool { return c.key == k }) ||
		slices.ContainsFunc(r.holders, func(h refHolder) bool { return h.key == k }) ||
		slices.Contains(r.producers, k) || slices.Contains(r.watchers, k)
}

func (r *reference) of(k Key, kind Kind) (found []*refConsumer) {
	for _, c := range r.consumers {
		if c.key == k && c.Kind == kind {
			found = append(found, c)
		}
	}
	return found
}

func (r *reference) mesh(c *refConsumer) string {
	if !c.Edge {
		return ""
	}
	return r.meshes[c.Conn]
}

// usable is the rule of edge echo and of retries.
func (r *reference) usable(c *refConsumer, d *Delivery) bool {
	tried := slices.ContainsFunc(d.Tried, func(t Choice) bool { return t.Consumer == c.Consumer })
	back := d.Edge && (c.Conn == d.Conn || c.Kind == Proxy)
	mesh := r.mesh(c) != "" && r.mesh(c) == d.Mesh
	return !tried && !back && !mesh
}

// remote lists the holders that a delivery can go to, those that this router is
// on the way to before the others.
func (r *reference) remote(k Key, d *Delivery) (onTheWay, detours []refHolder) {
	for _, h := range r.holders {
		if h.key != k || h.router >= len(r.top.Routers) {
			continue
		}
		to := r.top.Routers[h.router]
		tried := slices.ContainsFunc(d.Tried, func(t Choice) bool { return t.Consumer == nil && t.Hop == to.Hop })
		if to.Hop == 0 || tried || slices.Contains(d.Trace, "0/"+r.top.Routers[to.NextHop].ID) {
			continue
		}
		if r.sets == nil || slices.Contains(r.sets[max(d.Origin, 0)], h.router) {
			onTheWay = append(onTheWay, h)
		} else {
			detours = append(detours, h)
		}
	}
	return onTheWay, detours
}

func (r *reference) hop(h refHolder) refHop {
	return refHop{h.key, r.top.Routers[r.top.Routers[h.router].NextHop].ID}
}

// name of a destination: a consumer by its Target, a router by its next hop.
func (r *reference) name(h refHolder) string {
	return fmt.Sprintf("hop %d", r.top.Routers[h.router].Hop)
}

// anycast lists the destinations that are as good as each other and better
// than all others.
func (r *reference) anycast(k Key, d *Delivery) []string {
	if !r.exists(k) || r.treatment[k] == Unavailable {
		return nil
	}
	var groups [][]string
	group := func(list []*refConsumer) {
		var names []string
		for _, c := range list {
			if r.usable(c, d) {
				names = append(names, c.Target.(string))
			}
		}
		groups = append(groups, names)
	}
	group(r.of(k, Process))
	if r.treatment[k] == Balanced {
		groups = append(groups, r.balanced(k, d))
	} else {
		group(r.of(k, Local))
		group(r.of(k, Proxy))
		onTheWay, detours := r.remote(k, d)
		groups = append(groups, r.cheapest(onTheWay), r.cheapest(detours))
	}
	for _, g := range groups {
		if len(g) > 0 {
			return g
		}
	}
	return nil
}

func (r *reference) cheapest(list []refHolder) (names []string) {
	for _, h := range list {
		if !slices.ContainsFunc(list, func(o refHolder) bool { return r.top.Routers[o.router].Cost < r.top.Routers[h.router].Cost }) {
			names = append(names, r.name(h))
		}
	}
	return names
}

// balanced lists what has the lowest value among what has room, or else what
// has none, or else the detours. Equals of this router come first, and an idle
// consumer here wins over everything.
func (r *reference) balanced(k Key, d *Delivery) []string {
	type value struct {
		name  string
		rank  int
		value int64
		place int
	}
	var all []value
	for place, kind := range []Kind{Local, Proxy} {
		for _, c := range r.of(k, kind) {
			if !r.usable(c, d) {
				continue
			}
			v := value{c.Target.(string), 0, c.out, place}
			if kind == Proxy {
				v.value += max(c.Cost, 1)
			}
			if c.Capacity > 0 && c.out >= c.Capacity {
				v.rank = 1
			}
			all = append(all, v)
		}
	}
	onTheWay, detours := r.remote(k, d)
	for rank, list := range map[int][]refHolder{0: onTheWay, 2: detours} {
		for _, h := range list {
			all = append(all, value{r.name(h), rank, int64(len(r.hops[r.hop(h)])) + r.top.Routers[h.router].Cost, 2})
		}
	}
	worse := func(a, b value) bool {
		return a.rank > b.rank || a.rank == b.rank && (a.value > b.value || a.value == b.value && a.place > b.place)
	}
	var names []string
	for _, v := range all {
		if !slices.ContainsFunc(all, func(o value) bool { return worse(v, o) }) {
			names = append(names, v.name)
		}
	}
	return names
}

// multicast lists who gets a copy.
func (r *reference) multicast(k Key, d *Delivery) []string {
	if !r.exists(k) || r.treatment[k] == Unavailable {
		return nil
	}
	names := map[string]bool{}
	for _, c := range r.consumers {
		if c.key == k && r.usable(c, d) {
			names[c.Target.(string)] = true
		}
	}
	if d.Origin != UnknownOrigin {
		onTheWay, _ := r.remote(k, d)
		for _, h := range onTheWay {
			names[r.name(h)] = true
		}
	}
	var list []string
	for n := range names {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// describe is everything else about an address.
func (r *reference) describe(k Key, mesh string) string {
	if !r.exists(k) {
		return "nothing"
	}
	c := Counts{Local: len(r.of(k, Local)), Process: len(r.of(k, Process)), Proxy: len(r.of(k, Proxy))}
	announcedProcess := slices.ContainsFunc(r.of(k, Process), func(c *refConsumer) bool { return c.Announced })
	canSend, meshes := announcedProcess, map[string]bool{}
	for _, l := range r.of(k, Local) {
		m := r.mesh(l)
		canSend = canSend || m == "" || m != mesh
		meshes[m] = true
	}
	for _, h := range r.holders {
		if h.key == k {
			c.Remote++
			canSend = canSend || h.mesh == "" || h.mesh != mesh
		}
	}
	for _, p := range r.producers {
		if p == k {
			c.Producers++
		}
	}
	for _, w := range r.watchers {
		if w == k {
			c.Watchers++
		}
	}
	announcement := "not announced"
	if k.Announced() && (c.Local > 0 || announcedProcess) {
		sole := ""
		if len(meshes) == 1 && !announcedProcess {
			for m := range meshes {
				sole = m
			}
		}
		announcement = fmt.Sprint(Announcement{r.treatment[k], c.Producers, sole})
	}
	return fmt.Sprint(c, canSend, announcement)
}

func describe(a *Address, mesh string) string {
	if a == nil {
		return "nothing"
	}
	announcement := "not announced"
	if told, ok := a.Announcement(); ok {
		announcement = fmt.Sprint(told)
	}
	return fmt.Sprint(a.Counts(), a.CanSend(mesh), announcement)
}

func drawTopology(t *rapid.T) (Topology, map[int][]int) {
	n := rapid.IntRange(1, 8).Draw(t, "routers")
	top := Topology{Routers: make([]Router, n)}
	top.Routers[0].ID = "A"
	var neighbors []int
	for i := 1; i < n; i++ {
		r := &top.Routers[i]
		switch rapid.SampledFrom([]string{"neighbor", "behind", "unreachable", "unused"}).Draw(t, "router") {
		case "unused":
			continue
		case "neighbor":
			r.Hop, r.NextHop, r.Cost = HopID(10*i), i, int64(rapid.IntRange(1, 4).Draw(t, "cost"))
			neighbors = append(neighbors, i)
		case "behind":
			if len(neighbors) > 0 {
				via := rapid.SampledFrom(neighbors).Draw(t, "via")
				r.Hop, r.NextHop, r.Cost = HopID(10*via), via, top.Routers[via].Cost+int64(rapid.IntRange(1, 4).Draw(t, "cost"))
			}
		}
		r.ID = fmt.Sprintf("r%d", i)
	}
	if rapid.Bool().Draw(t, "all on the way") {
		return top, nil
	}
	sets := map[int][]int{}
	for origin := range n {
		for i := 1; i < n; i++ {
			if origin == 0 || rapid.Bool().Draw(t, "on the way") {
				sets[origin] = append(sets[origin], i)
			}
		}
	}
	top.Through = through(sets)
	return top, sets
}

func (r *reference) drawDelivery(t *rapid.T) *Delivery {
	d := &Delivery{
		Origin: rapid.IntRange(UnknownOrigin, len(r.top.Routers)-1).Draw(t, "origin"),
		Conn:   ConnID(rapid.IntRange(0, 3).Draw(t, "conn")),
		Mesh:   rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "mesh"),
	}
	d.Edge = d.Conn != 0 && rapid.Bool().Draw(t, "edge")
	for _, i := range rapid.SliceOfN(rapid.IntRange(1, 8), 0, 2).Draw(t, "trace") {
		d.Trace = append(d.Trace, fmt.Sprintf("0/r%d", i))
	}
	return d
}

var keys = []Key{{ClassMobile, "a"}, {ClassMobile, "mc/b"}, {ClassMobile, "closest"}, {ClassEdge, "e"}, {ClassLocal, "l"}}

// change does one thing to both tables.
func (r *reference) change(t *rapid.T, table *Table) {
	k := rapid.SampledFrom(keys).Draw(t, "key")
	hint := Treatment(rapid.IntRange(-1, 4).Draw(t, "hint"))
	appear := func() {
		if _, known := r.treatment[k]; !known {
			switch {
			case strings.HasPrefix(k.Name, "mc"):
				r.treatment[k] = Multicast
			case k.Name == "closest":
				r.treatment[k] = Closest
			case hint == Unsaid:
				r.treatment[k] = Balanced
			default:
				r.treatment[k] = hint
			}
		}
	}
	router := rapid.IntRange(1, 8).Draw(t, "holder")
	mesh := rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "mesh")
	holds := func(h refHolder) bool { return h.key == k && h.router == router }
	remove := func(list *[]Key) {
		if i := slices.Index(*list, k); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
		}
	}
	switch rapid.SampledFrom([]string{"add", "add", "remove", "hold", "hold", "drop", "produce", "stop", "watch", "unwatch", "mesh", "topology"}).Draw(t, "what") {
	case "add":
		appear()
		c := &Consumer{
			Kind: Kind(rapid.IntRange(0, 2).Draw(t, "kind")), Conn: ConnID(rapid.IntRange(0, 3).Draw(t, "conn")),
			Edge: rapid.Bool().Draw(t, "edge"), Capacity: int64(rapid.IntRange(0, 3).Draw(t, "capacity")),
			Cost: int64(rapid.IntRange(0, 3).Draw(t, "cost")), Announced: rapid.Bool().Draw(t, "announced"),
		}
		if c.Conn == 0 {
			c.Edge = false
		}
		c.Target = fmt.Sprintf("consumer %p", c)
		r.consumers = append(r.consumers, &refConsumer{Consumer: c, key: k})
		table.Add(k, c, hint)
	case "remove":
		if len(r.consumers) > 0 {
			i := rapid.IntRange(0, len(r.consumers)-1).Draw(t, "consumer")
			table.Remove(r.consumers[i].Consumer)
			r.consumers = slices.Delete(r.consumers, i, i+1)
		}
	case "hold":
		appear()
		r.holders = append(slices.DeleteFunc(r.holders, holds), refHolder{k, router, mesh})
		table.AddHolder(k, router, hint, mesh)
	case "drop":
		r.holders = slices.DeleteFunc(r.holders, holds)
		table.RemoveHolder(k, router)
	case "produce":
		appear()
		r.producers = append(r.producers, k)
		table.AddProducer(k, hint)
	case "stop":
		remove(&r.producers)
		table.RemoveProducer(k)
	case "watch":
		appear()
		r.watchers = append(r.watchers, k)
		table.AddWatcher(k, hint)
	case "unwatch":
		remove(&r.watchers)
		table.RemoveWatcher(k)
	case "mesh":
		c := ConnID(rapid.IntRange(1, 3).Draw(t, "conn"))
		r.meshes[c] = mesh
		table.SetMesh(c, mesh)
	case "topology":
		r.top, r.sets = drawTopology(t)
		r.forgetHops(func(h refHop) bool {
			return !slices.ContainsFunc(r.top.Routers, func(o Router) bool { return o.Hop != 0 && r.top.Routers[o.NextHop].ID == h.neighbor })
		})
		table.SetTopology(r.top)
	}
}

// forgetHops lets what is outstanding over hops be done.
func (r *reference) forgetHops(which func(refHop) bool) {
	for h, choices := range r.hops {
		if which(h) {
			for _, c := range choices {
				c.Done()
			}
			delete(r.hops, h)
		}
	}
}

// published forgets what no longer exists.
func (r *reference) published() {
	for k := range r.treatment {
		if !r.exists(k) {
			delete(r.treatment, k)
			r.forgetHops(func(h refHop) bool { return h.key == k })
		}
	}
}

// TestAgainstReference compares tables that anything happens to.
func TestAgainstReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable(Config{Names: Names{ID: "A"}, Rules: []Rule{
			{Pattern: "mc", Prefix: true, Treatment: Multicast, Priority: -1}, {Pattern: "closest", Treatment: Closest, Priority: -1},
		}})
		r := &reference{meshes: map[ConnID]string{}, treatment: map[Key]Treatment{}, hops: map[refHop][]Choice{}}
		r.top, r.sets = drawTopology(t)
		table.SetTopology(r.top)
		was := map[Key]string{}
		for range rapid.IntRange(1, 12).Draw(t, "publications") {
			for range rapid.IntRange(1, 4).Draw(t, "changes") {
				r.change(t, table)
			}
			s, changes := table.Publish()
			r.published()
			r.compare(t, s, changes, was)
		}
	})
}

func (r *reference) compare(t *rapid.T, s *Snapshot, changes []Change, was map[Key]string) {
	for _, k := range keys {
		a := s.Lookup(k)
		if got, want := describe(a, "one"), r.describe(k, "one"); got != want {
			t.Fatalf("%v is %s\nwant %s", k, got, want)
		}
		if now := r.describe(k, "one"); now != was[k] && !slices.ContainsFunc(changes, func(c Change) bool { return c.Key == k }) && was[k] != "" {
			t.Fatalf("%v changed from %s to %s, and is not listed", k, was[k], now)
		}
		was[k] = r.describe(k, "one")
		d := r.drawDelivery(t)
		r.compareCopies(t, s, k, d)
		r.compareChoices(t, s, k, d)
	}
}

func (r *reference) compareCopies(t *rapid.T, s *Snapshot, k Key, d *Delivery) {
	var got []string
	for _, c := range s.Multicast(s.Lookup(k), d, nil) {
		got = append(got, called(c))
	}
	slices.Sort(got)
	if want := r.multicast(k, d); !slices.Equal(got, want) {
		t.Fatalf("copies of %v for %v with %+v\nwant %v", k, got, *d, want)
	}
}

func called(c Choice) string {
	if c.Consumer != nil {
		return c.Consumer.Target.(string)
	}
	return fmt.Sprintf("hop %d", c.Hop)
}

// compareChoices chooses until everything was tried. The choices stay
// outstanding.
func (r *reference) compareChoices(t *rapid.T, s *Snapshot, k Key, d *Delivery) {
	for {
		want := r.anycast(k, d)
		c, ok := s.Choose(s.Lookup(k), d)
		if !ok {
			if len(want) > 0 {
				t.Fatalf("%v with %+v goes nowhere, want one of %v", k, *d, want)
			}
			return
		}
		if !slices.Contains(want, called(c)) {
			t.Fatalf("%v with %+v goes to %s, want one of %v", k, *d, called(c), want)
		}
		if c.Consumer == nil {
			h := r.hop(refHolder{key: k, router: c.Router})
			r.hops[h] = append(r.hops[h], c)
		}
		for _, o := range r.consumers {
			if o.Consumer == c.Consumer {
				if o.out++; o.Load() != o.out {
					t.Fatalf("%s has %d outstanding, want %d", called(c), o.Load(), o.out)
				}
			}
		}
		if rapid.Bool().Draw(t, "enough") {
			return
		}
		d.Tried = append(d.Tried, c)
	}
}
