package linkstate

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
)

// observer steps an engine and holds what must be true whatever others send.
type observer struct {
	t interface {
		Helper()
		Fatalf(format string, args ...any)
	}
	e     *Engine
	now   time.Time
	wake  time.Time
	links map[LinkID]bool
	held  map[string]bool // "index router key" of others
}

// small limits are reached by short inputs.
func newObserver(t rapid.TB) *observer {
	e, err := New(Config{ID: "A", Instance: 100, MaxRouters: 12, MaxAddresses: 5})
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{t: t, e: e, now: epoch, links: map[LinkID]bool{}, held: map[string]bool{}}
	o.step(Tick{})
	return o
}

func (o *observer) step(in Input) {
	switch in := in.(type) {
	case LinkUp:
		o.links[in.Link] = true
	case LinkDown:
		delete(o.links, in.Link)
	}
	out := o.e.Step(o.now, in)
	if !out.Wake.After(o.now) {
		o.t.Fatalf("wants to be woken %v before now", o.now.Sub(out.Wake))
	}
	o.wake = out.Wake
	o.checkSent(out)
	from := LinkID(0)
	if r, ok := in.(Received); ok {
		from = r.Link
	}
	for i, id := range out.Relay {
		if !o.links[id] || id == from || slices.Contains(out.Relay[:i], id) {
			o.t.Fatalf("relays from %d on %v, links are %v", from, out.Relay, o.links)
		}
	}
	o.checkAddresses(out)
	if out.Reach != nil {
		o.checkReach(out.Reach)
	}
	if len(o.e.byID) > o.e.cfg.MaxRouters || len(o.e.nodes) > o.e.cfg.MaxRouters {
		o.t.Fatalf("knows %d routers at %d places, limit %d", len(o.e.byID), len(o.e.nodes), o.e.cfg.MaxRouters)
	}
	if len(out.Send) > 200 || len(out.Events) > 200 {
		o.t.Fatalf("one input makes %d messages and %d events", len(out.Send), len(out.Events))
	}
}

func (o *observer) checkSent(out Output) {
	for _, m := range out.Send {
		b, err := decode(m.Sections)
		if err != nil || b.op != m.Opcode {
			o.t.Fatalf("sends %s that reads as %s: %v", m.Opcode, b.op, err)
		}
		if len(m.Links) == 0 {
			o.t.Fatalf("sends %s on no link", m.Opcode)
		}
		for i, id := range m.Links {
			if !o.links[id] || slices.Contains(m.Links[:i], id) {
				o.t.Fatalf("sends %s on %v, links are %v", m.Opcode, m.Links, o.links)
			}
		}
	}
}

// checkAddresses holds that changes make sense one after the other, without
// looking at Reach.
func (o *observer) checkAddresses(out Output) {
	for _, c := range out.Addresses {
		id := fmt.Sprint(c.Index, " ", c.Router, " ", c.Key)
		if c.Removed && !o.held[id] || c.Index == 0 {
			o.t.Fatalf("removes %s, which is not held", id)
		}
		for other := range o.held {
			var index int
			var router string
			if _, err := fmt.Sscan(other, &index, &router); err != nil || index == c.Index && router != c.Router {
				o.t.Fatalf("%s changes while %s is held", id, other)
			}
		}
		if c.Removed {
			delete(o.held, id)
		} else {
			o.held[id] = true
		}
	}
}

func (o *observer) checkReach(r *Reach) {
	if r.Routers[0].ID != "A" || r.Routers[0].Link != 0 {
		o.t.Fatalf("this router is %+v", r.Routers[0])
	}
	reachable := make([]uint64, (len(r.Routers)+63)/64)
	for i, to := range r.Routers {
		if to.Link == 0 {
			continue
		}
		add(reachable, int32(i))
		hop := r.Routers[to.NextHop]
		if to.ID == "" || !o.links[to.Link] || hop.Link != to.Link || to.Cost < 1 || to.Hops < 1 || to.Hops > r.Radius {
			o.t.Fatalf("router %d is %+v behind %+v, radius %d, links are %v", i, to, hop, r.Radius, o.links)
		}
	}
	for origin := -1; origin <= len(r.Routers); origin++ {
		set := r.Through(origin)
		for w := range set {
			if set[w]&^reachable[w] != 0 {
				o.t.Fatalf("from %d this router is on the way to %b, reachable are %b", origin, set, reachable)
			}
		}
		if origin == 0 && !slices.Equal(set, reachable) {
			o.t.Fatalf("from here this router is on the way to %b, reachable are %b", set, reachable)
		}
	}
}

// pass lets time pass.
func (o *observer) pass(d time.Duration) {
	end := o.now.Add(d)
	limit := 200 + int(d/(5*time.Millisecond))
	for steps := 0; !o.wake.After(end); steps++ {
		if steps > limit {
			o.t.Fatalf("woken more than %d times in %v", limit, d)
		}
		o.now = o.wake
		o.step(Tick{})
	}
	o.now = end
}

// end holds that silence makes the engine forget everybody.
func (o *observer) end() {
	o.pass(10 * time.Second)
	for id := range o.links {
		o.step(LinkDown{Link: id})
	}
	o.pass(2 * time.Minute)
	if len(o.e.byID) != 1 || len(o.held) != 0 || o.e.neighbors != 0 || len(o.e.self.edges) != 0 {
		o.t.Fatalf("after silence there are %d routers, %d neighbors and addresses %v", len(o.e.byID), o.e.neighbors, o.held)
	}
	if len(o.e.seen.recent)+len(o.e.seen.older) > 2*maxDuplicates {
		o.t.Fatalf("remembers %d messages", len(o.e.seen.recent)+len(o.e.seen.older))
	}
}

// TestAnythingHappens feeds well-formed messages that contradict each other.
func TestAnythingHappens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := newObserver(t)
		for range rapid.IntRange(1, 60).Draw(t, "inputs") {
			o.anything(t)
		}
		o.end()
	})
}

func (o *observer) anything(t *rapid.T) {
	link := LinkID(rapid.IntRange(1, 4).Draw(t, "link"))
	switch rapid.SampledFrom([]string{"up", "down", "pass", "pass", "pass long", "address", "message", "message", "message", "message", "message", "message", "message", "message"}).Draw(t, "input") {
	case "up":
		o.step(LinkUp{Link: link, Cost: rapid.SampledFrom([]int{1, 2, 3, 0, -1, math.MaxInt}).Draw(t, "cost")})
	case "down":
		o.step(LinkDown{Link: link})
	case "pass":
		o.pass(time.Duration(rapid.IntRange(1, 300).Draw(t, "ms")) * time.Millisecond)
	case "pass long":
		o.pass(time.Duration(usually(t, "s", rapid.IntRange(1, 4), rapid.IntRange(1, 70))) * time.Second)
	case "address":
		key := rapid.SampledFrom([]string{"Mx", "My", "He", "Llocal", ""}).Draw(t, "key")
		if rapid.Bool().Draw(t, "added") {
			o.step(AddressAdded{Key: key, Attributes: Attributes{Treatment: int32(rapid.IntRange(0, 3).Draw(t, "treatment"))}})
		} else {
			o.step(AddressRemoved{Key: key})
		}
	case "message":
		if !o.links[link] && rapid.IntRange(0, 9).Draw(t, "anyway") > 0 {
			o.step(LinkUp{Link: link, Cost: 1})
		}
		o.step(drawMessage(t, link))
	}
}

var routerIDs = []string{"A", "B", "C", "D", "E", "F"}

// usually draws from the first generator, and once in ten times from the second.
func usually[T any](t *rapid.T, what string, first, second *rapid.Generator[T]) T {
	if rapid.IntRange(0, 9).Draw(t, "unusual "+what) == 9 {
		return second.Draw(t, what)
	}
	return first.Draw(t, what)
}

func drawMessage(t *rapid.T, link LinkID) Received {
	id := func(what string) string {
		strangers := rapid.Map(rapid.IntRange(0, 30), func(i int) string { return fmt.Sprintf("r%d", i) })
		return usually(t, what, rapid.SampledFrom(routerIDs), strangers)
	}
	ids := func(what string) (list []string) {
		for range rapid.IntRange(0, 4).Draw(t, what) {
			list = append(list, id(what))
		}
		return list
	}
	seq := func(what string) int64 {
		return usually(t, what, rapid.Int64Range(1, 4), rapid.SampledFrom([]int64{0, 5, math.MaxInt32, math.MaxInt64 - 1, math.MaxInt64}))
	}
	boot := usually(t, "boot", rapid.Just(int64(1)), rapid.Int64Range(0, 3))
	from := usually(t, "from", rapid.Just(routerIDs[link]), rapid.SampledFrom(routerIDs))
	to := usually(t, "to", rapid.SampledFrom([]string{toAll, toRouter("A")}), rapid.SampledFrom([]string{toRouter("B"), "x"}))
	in := Received{Link: link, To: to, Ingress: "0/" + from}
	var digests []digest
	for _, about := range ids("digests") {
		digests = append(digests, digest{about, usually(t, "boot", rapid.Just(int64(1)), rapid.Int64Range(0, 3)), seq("ls"), seq("mobile")})
	}
	var addresses []announced
	var keys []string
	for range rapid.IntRange(0, 4).Draw(t, "addresses") {
		key := rapid.SampledFrom([]string{"Mx", "My", "Mz", "He", "Mu", "Mv", "Mw"}).Draw(t, "key")
		keys = append(keys, key)
		addresses = append(addresses, announced{key, Attributes{Treatment: int32(rapid.IntRange(0, 5).Draw(t, "treatment"))}})
	}
	var body amqp.Map
	switch op := rapid.SampledFrom([]Opcode{HELLO, HELLO, RA, LSR, LSU, LSU, MAR, MAU, MAU}).Draw(t, "opcode"); op {
	case HELLO:
		in.To, in.Sections = toNeighbors, composeHello(from, boot, append(ids("seen"), "A"))
	case RA:
		in.Sections = composeRA(to, from, boot, seq("ls"), seq("mobile"))
		if rapid.Bool().Draw(t, "exchange") {
			in.Sections = composeDigests(to, RA, from, "known", digests, amqp.Pair{Key: "ls_seq", Value: seq("ls")}, amqp.Pair{Key: "mobile_seq", Value: seq("mobile")})
		}
	case LSR:
		in.Sections = composeLSR(to, from)
		if rapid.Bool().Draw(t, "exchange") {
			in.Sections = composeDigests(to, LSR, from, "want", digests)
		}
	case LSU:
		var peers []peer
		for _, p := range ids("peers") {
			peers = append(peers, peer{p, rapid.SampledFrom([]int32{-1, 1, 1, 2, math.MaxInt32}).Draw(t, "cost")})
		}
		body = linkStateBody(from, boot, seq("ls"), peers)
		if rapid.Bool().Draw(t, "copy") {
			in.Ingress = "0/B"
			body = append(linkStateBody(id("about"), boot, seq("ls"), peers), amqp.Pair{Key: "age", Value: seq("age")}, amqp.Pair{Key: "floods", Value: true})
		}
		in.Sections = compose(to, LSU, body)
	case MAR:
		in.Sections = composeMAR(to, from, seq("have"))
	case MAU:
		about := from
		if rapid.Bool().Draw(t, "copy") {
			in.Ingress, about = "0/B", id("about")
		}
		in.Sections = composeAbsoluteMAU(to, about, seq("seq"), addresses)
		if about != from {
			in.Sections = withField(t, in.Sections, "instance", boot)
		}
		if rapid.Bool().Draw(t, "difference") {
			in.To, in.Sections = toAllAddresses, composeDifferentialMAU(from, seq("seq"), addresses, keys)
		}
	}
	in.Trace = []string{"0/" + from}
	if usually(t, "passed", rapid.Just(false), rapid.Just(true)) {
		for _, passed := range ids("trace") {
			in.Trace = append(in.Trace, "0/"+passed)
		}
	}
	return in
}

// FuzzReceived feeds whatever can arrive. The input is a sequence of records:
// one octet for link and address, one for time, one for the trace, two for the
// length of the sections that follow.
func FuzzReceived(f *testing.F) {
	units := captures.Units(f)
	var all []byte
	for name := range units {
		if !strings.HasPrefix(name, "msg-") {
			continue
		}
		if s := routingSections(units[name]); s != nil {
			f.Add(record(0x11, 1, 1, s))
			all = append(all, record(0x11, 9, 1, s)...)
		}
	}
	f.Add(all)
	f.Add(record(0x01, 0, 0, composeHello("rtr-B", 1, []string{"A"})))
	f.Add(record(0x31, 0, 2, []byte("not AMQP at all")))
	f.Fuzz(func(t *testing.T, in []byte) {
		o := newObserver(t)
		to := [...]string{toNeighbors, toAll, toAllAddresses, toRouter("A"), toRouter("rtr-B"), "_topo/all/A/qdrouter.ma", "_topo/0/", "\x00", "amqp://h/_topo/0/all/qdrouter"}
		for range 50 {
			if len(in) < 5 {
				break
			}
			n := min(int(in[3])<<8+int(in[4]), len(in)-5)
			link := LinkID(in[0]&3 + 1)
			o.step(LinkUp{Link: link, Cost: int(in[0])})
			r := Received{Link: link, To: to[int(in[0]>>4)%len(to)], Sections: in[5 : 5+n]}
			for i := range int(in[2] & 7) {
				r.Trace = append(r.Trace, "0/"+routerIDs[1+(i+int(in[2]>>3))%5])
			}
			if len(r.Trace) > 0 {
				r.Ingress = r.Trace[0]
			}
			o.step(r)
			o.pass(time.Duration(in[1]) * 10 * time.Millisecond)
			in = in[5+n:]
		}
		o.end()
	})
}

// record is one message in the input of FuzzReceived.
func record(where, ticks, trace byte, sections []byte) []byte {
	return append([]byte{where, ticks, trace, byte(len(sections) >> 8), byte(len(sections))}, sections...)
}

func routingSections(unit []byte) []byte {
	var ra amqp.Annotations
	rest, err := ra.Decode(unit)
	if err != nil {
		return nil
	}
	if _, err := decode(rest); err != nil {
		return nil
	}
	return rest
}
