package linkstate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTransitions is the whole table of states.
func TestTransitions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from State
		to   map[happening]State
	}{
		{Down, map[happening]State{heard: OneWay, listed: Up, silent: Down, peerRestarted: Down, lost: Down}},
		{OneWay, map[happening]State{heard: OneWay, listed: Up, silent: Down, peerRestarted: OneWay, lost: Down}},
		{Up, map[happening]State{heard: Up, listed: Up, silent: Down, peerRestarted: OneWay, lost: Down}},
	} {
		for h, want := range tt.to {
			if got := tt.from.next(h); got != want {
				t.Errorf("%v becomes %v after happening %d, want %v", tt.from, got, h, want)
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		got  fmt.Stringer
		want string
	}{
		{Down, "down"},
		{OneWay, "1-way"},
		{Up, "up"},
		{State(9), "State(9)"},
		{NeighborUp, "neighbor up"},
		{Undeliverable, "routing message without path"},
		{EventKind(0), "EventKind(0)"},
		{EventKind(99), "EventKind(99)"},
		{Event{Kind: Malformed, Link: 3, Detail: "x"}, "malformed routing message link 3: x"},
		{Event{Kind: Incompatible, Router: "B", Link: 3, Count: 2}, "incompatible protocol version B link 3 (2)"},
	} {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("called %q, want %q", got, tt.want)
		}
	}
	for k := NeighborUp; k <= Undeliverable; k++ {
		if strings.Contains(k.String(), "(") {
			t.Errorf("%v has no name", k)
		}
	}
}

func TestImpossibleIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "all", "a/b", "a b", "a\tb", "a\x00", "a\x7f", strings.Repeat("x", 256)} {
		if _, err := New(Config{ID: id}); err == nil {
			t.Errorf("a router may be called %q", id)
		}
	}
	for _, id := range []string{"a", "All", "west-1700000000-default", "site@host.example", "größe", strings.Repeat("x", 255)} {
		if _, err := New(Config{ID: id}); err != nil {
			t.Errorf("a router may not be called %q: %v", id, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := Config{ID: "A", HelloMaxAge: 9 * time.Second}.withDefaults()
	want := Config{
		ID: "A", MaxRouters: 4096, MaxAddresses: 262_144,
		HelloInterval: time.Second, HelloMaxAge: 9 * time.Second, RAInterval: 30 * time.Second, RAIntervalFlux: 4 * time.Second,
		RemoteMaxAge: time.Minute, UnreachableHoldoff: time.Second, AddressDelay: 20 * time.Millisecond, AddressInterval: 250 * time.Millisecond,
	}
	if got != want {
		t.Errorf("defaults are %+v\nwant %+v", got, want)
	}
}

// watch is an engine whose sent messages and events are remembered with their
// times.
type watch struct {
	*stage
	sent   []sent
	events []Event
}

type sent struct {
	at time.Duration
	Message
	body
}

func newWatch(t *testing.T, cfg Config) *watch {
	cfg.ID, cfg.Instance = "A", 100
	return &watch{stage: newStage(t, cfg)}
}

func (w *watch) do(in Input) Output {
	w.t.Helper()
	out := w.step(in)
	for _, m := range out.Send {
		b, err := decode(m.Sections)
		if err != nil {
			w.t.Fatal(err)
		}
		w.sent = append(w.sent, sent{w.now.Sub(epoch), m, b})
	}
	w.events = append(w.events, out.Events...)
	return out
}

// pass lets time pass, with what is done at each second.
func (w *watch) pass(d time.Duration, eachSecond ...Input) {
	w.t.Helper()
	end, second := w.now.Add(d), w.now.Add(time.Second)
	for {
		next := w.wake
		if second.Before(next) {
			next = second
		}
		if next.After(end) {
			w.now = end
			return
		}
		w.now = next
		if next.Equal(second) {
			second = second.Add(time.Second)
			for _, in := range eachSecond {
				w.do(in)
			}
			continue
		}
		w.do(Tick{})
	}
}

// times lists when messages of a kind were sent, since a moment.
func (w *watch) times(op Opcode, since time.Duration) (at []time.Duration) {
	for _, m := range w.sent {
		if m.op == op && m.at > since {
			at = append(at, m.at)
		}
	}
	return at
}

func gaps(at []time.Duration) (least, most time.Duration) {
	least = time.Hour
	for i := 1; i < len(at); i++ {
		least, most = min(least, at[i]-at[i-1]), max(most, at[i]-at[i-1])
	}
	return least, most
}

func (w *watch) saw(kind EventKind) (n int) {
	for _, ev := range w.events {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

func helloOf(link LinkID, from string, seen ...string) Received {
	return Received{Link: link, To: toNeighbors, Ingress: "0/" + from, Trace: []string{"0/" + from}, Sections: composeHello(from, 1, seen)}
}

func lsuOf(link LinkID, from string, seq int64, peers ...peer) Received {
	return Received{Link: link, To: toRouter("A"), Ingress: "0/" + from, Trace: []string{"0/" + from}, Sections: composeLSU(toRouter("A"), from, 1, seq, peers)}
}

// TestHelloInterval holds that a HELLO goes out every second, a little jittered
// so that routers do not beat in step, and at once on a link that comes up.
func TestHelloInterval(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{Seed: 3})
	w.pass(1500 * time.Millisecond)
	if len(w.sent) > 0 {
		t.Errorf("without links, %d messages are sent", len(w.sent))
	}
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(LinkUp{Link: 2, Cost: 1})
	if len(w.sent) != 2 || w.sent[0].op != HELLO || w.sent[1].Links[0] != 2 {
		t.Errorf("two links came up and %d messages were sent", len(w.sent))
	}
	w.pass(time.Minute)
	least, most := gaps(w.times(HELLO, 3*time.Second))
	if least < 900*time.Millisecond || most > time.Second || least == most {
		t.Errorf("HELLO every %v to %v, want 0.9s to 1s", least, most)
	}
	for _, m := range w.sent[2:] {
		if !slices.Equal(m.Links, []LinkID{1, 2}) {
			t.Fatalf("HELLO on links %v, want both", m.Links)
		}
	}
}

// TestHelloMaxAge holds that a neighbor is one for three seconds after a HELLO
// that lists this router, and not a moment longer.
func TestHelloMaxAge(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.pass(3*time.Second, helloOf(1, "B")) // heard, not listed
	if w.saw(NeighborDown) != 0 || w.e.Neighbors()[0].State != Up {
		t.Errorf("after three seconds the link is %v", w.e.Neighbors()[0].State)
	}
	if want := w.now.Add(1); !w.wake.Equal(want) {
		t.Errorf("to be woken in %v, want at once", w.wake.Sub(w.now))
	}
	w.now = w.wake
	w.do(Tick{})
	if w.saw(NeighborDown) != 1 || w.e.Neighbors()[0].State != Down {
		t.Errorf("after more than three seconds the link is %v", w.e.Neighbors()[0].State)
	}
}

// TestLinkTakesThePlaceOfAnother holds that a neighbor stays one when another
// connection replaces the one it is reached by, whatever becomes of that.
func TestLinkTakesThePlaceOfAnother(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.do(lsuOf(1, "B", 1, peer{"A", 1}))
	w.do(LinkUp{Link: 2, Cost: 1, Replaces: 1})
	if w.saw(NeighborMoved) != 1 || w.e.Neighbors()[1].State != Up {
		t.Fatalf("the neighbor has moved %d times, links are %v", w.saw(NeighborMoved), w.e.Neighbors())
	}
	before := len(w.sent)
	w.pass(2500*time.Millisecond, helloOf(1, "B")) // late, and without this router
	for _, m := range w.sent[before:] {
		if slices.Contains(m.Links, 1) {
			t.Errorf("%v is sent on the replaced link", m.op)
		}
	}
	w.do(LinkDown{Link: 1})
	if w.saw(NeighborDown) != 0 || w.saw(RouterUnreachable) != 0 {
		t.Error("the neighbor is lost with the replaced link")
	}
	w.do(LinkUp{Link: 3, Cost: 1, Replaces: 7}) // which is not there
	w.pass(2 * time.Second)
	if w.saw(NeighborDown) != 1 {
		t.Error("the new link never ends by silence")
	}
}

// TestSeenForThreeSeconds holds that a HELLO lists who was heard lately.
func TestSeenForThreeSeconds(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(LinkUp{Link: 2, Cost: 1})
	w.do(helloOf(1, "B"))
	w.do(helloOf(2, "C", "A"))
	w.do(helloOf(2, "C", "A"))
	w.pass(time.Minute)
	for _, m := range w.sent {
		if m.op != HELLO || m.at == 0 {
			continue
		}
		want := "[B C]"
		if m.at > 3*time.Second {
			want = "[]"
		}
		if got := fmt.Sprint(m.seen); got != want {
			t.Errorf("after %v HELLO lists %v, want %s", m.at, got, want)
		}
	}
}

// TestAdvertisements holds that RAs come every 30 s, every 4 s shortly after a
// change while somebody does not flood, and at once when there is news.
func TestAdvertisements(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.do(lsuOf(1, "B", 1, peer{"A", 1}))
	alive := []Input{helloOf(1, "B", "A"), Received{Link: 1, To: toAll, Sections: composeRA(toAll, "B", 1, 1, 0)}}
	w.pass(5*time.Minute, alive...)
	flux := w.times(RA, 0)
	flux = flux[:slices.IndexFunc(flux, func(at time.Duration) bool { return at > 9*time.Second })]
	if _, most := gaps(flux); len(flux) < 3 || most > 4*time.Second {
		t.Errorf("in flux RAs go out at %v, want every 4 s", flux)
	}
	if least, most := gaps(w.times(RA, 12*time.Second)); least < 27*time.Second || most > 30*time.Second {
		t.Errorf("RA every %v to %v, want 27 to 30 s", least, most)
	}
	start := w.now.Sub(epoch)
	w.do(AddressAdded{Key: "Mx"})
	w.pass(time.Second, alive...)
	mau, ra := w.times(MAU, start), w.times(RA, start)
	if len(mau) != 1 || len(ra) != 1 || mau[0] != ra[0] || mau[0]-start != 20*time.Millisecond {
		t.Errorf("an address was added at %v: MAU at %v, RA at %v, want both after 20 ms", start, mau, ra)
	}
	if last := w.sent[len(w.sent)-1]; w.saw(NeighborDown) > 0 || last.at < start {
		t.Error("the neighbor was lost")
	}
	at := slices.IndexFunc(w.sent, func(m sent) bool { return m.op == MAU })
	if next := w.sent[at+1]; next.op != RA || next.mobileSeq != 1 {
		t.Errorf("behind MAU comes %s with %d, want RA with 1", next.op, next.mobileSeq)
	}
}

// TestRemoteMaxAge holds that the link state of a router that says nothing for
// a minute is dropped, that of one that advertises itself is not.
func TestRemoteMaxAge(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.do(lsuOf(1, "B", 1, peer{"A", 1}, peer{"C", 1}))
	w.do(lsuOf(1, "C", 1, peer{"B", 1}))
	ra := Received{Link: 1, To: toAll, Ingress: "0/B", Sections: composeRA(toAll, "B", 1, 1, 0)}
	w.pass(time.Minute, helloOf(1, "B", "A"), ra)
	if w.saw(LinkStateExpired) != 0 {
		t.Error("a link state was dropped within a minute")
	}
	w.pass(time.Second, helloOf(1, "B", "A"), ra)
	if n := w.saw(LinkStateExpired); n != 1 || len(w.e.find("C").edges) != 0 || len(w.e.find("B").edges) != 2 {
		t.Errorf("%d link states were dropped after a minute, want that of C", n)
	}
}

// TestOriginationIsPaced holds that a flapping neighbor does not make this
// router flood the network: a few link states at once, then five a second.
func TestOriginationIsPaced(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.do(lsuOf(1, "B", 1, peer{"A", 1}))
	w.pass(2 * time.Second)
	start := w.now.Sub(epoch)
	for i := range 200 {
		w.do(LinkUp{Link: 1, Cost: 1 + i%7})
		w.do(helloOf(1, "B", "A"))
		w.pass(20 * time.Millisecond)
	}
	// Four seconds, five each, and the burst.
	if n := len(w.times(LSU, start)); n < 10 || n > 24 {
		t.Errorf("200 changes of cost in 4 s make %d link states, want about 20", n)
	}
	if got := w.e.self.edges[0].cost; got != 1+199%7 {
		w.pass(time.Second)
		if got := w.e.self.edges[0].cost; got != 1+199%7 {
			t.Errorf("the cost is %d in the end, want %d", got, 1+199%7)
		}
	}
}

func TestRouterLimit(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{MaxRouters: 4})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.do(lsuOf(1, "B", 1, peer{"A", 1}, peer{"C", 1}, peer{"D", 1}, peer{"E", 1}, peer{"F", 1}))
	w.do(LinkUp{Link: 2, Cost: 1})
	w.do(helloOf(2, "G", "A"))
	w.pass(time.Second)
	if n := w.saw(LimitReached); n != 1 {
		t.Errorf("the limit was reported %d times, want once", n)
	}
	if w.e.find("D") == nil || w.e.find("E") != nil || w.e.find("G") != nil {
		t.Error("the first routers are not those that are known")
	}
	// There is room again when one is forgotten.
	w.do(lsuOf(1, "B", 2, peer{"A", 1}))
	w.pass(5*time.Second, helloOf(1, "B", "A"))
	w.do(helloOf(2, "G", "A"))
	if w.e.find("G") == nil || w.e.find("C") != nil {
		t.Error("there is no room for another router")
	}
}

func TestAddressLimit(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{MaxAddresses: 3})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.do(lsuOf(1, "B", 1, peer{"A", 1}))
	w.pass(100 * time.Millisecond)
	var list []announced
	for i := range 6 {
		list = append(list, announced{fmt.Sprintf("M%d", i), Attributes{}})
	}
	out := w.do(Received{Link: 1, To: toRouterAddresses("A"), Ingress: "0/B", Sections: composeAbsoluteMAU(toRouterAddresses("A"), "B", 1, list)})
	if len(out.Addresses) != 3 || w.saw(LimitReached) != 1 || len(w.e.Addresses("B")) != 3 {
		t.Errorf("%d addresses of %d are taken, reported %d times", len(out.Addresses), len(list), w.saw(LimitReached))
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 3})
	w.do(LinkUp{Link: 2, Cost: 1})
	w.do(AddressAdded{Key: "Mown", Attributes: Attributes{Treatment: 2}})
	w.do(helloOf(1, "B", "A"))
	w.do(lsuOf(1, "B", 1, peer{"A", 3}, peer{"C", 1}))
	w.do(Received{Link: 1, To: toAll, Sections: composeRA(toAll, "B", 1, 1, 1)})
	w.do(Received{Link: 1, To: toRouterAddresses("A"), Ingress: "0/B", Sections: composeAbsoluteMAU(toRouterAddresses("A"), "B", 1, []announced{{"Mx", Attributes{Treatment: 3}}})})
	w.pass(startLimit+time.Second, helloOf(1, "B", "A"))
	w.do(Received{Link: 1, To: toRouter("A"), Ingress: "0/X", Trace: []string{"0/X", "0/B"}, Sections: composeLSR(toRouter("A"), "X")})

	var got []string
	for _, r := range w.e.Routers() {
		got = append(got, fmt.Sprintf("%s %d v%d boot %d %v link %d via %q %d %v %d", r.ID, r.Index, r.Version, r.Instance, r.LinkState, r.Link, r.NextHop, r.Cost, r.ValidOrigins, r.Addresses))
	}
	want := []string{
		`A 0 v1 boot 100 map[B:3] link 0 via "" 0 [] 0`,
		`B 1 v1 boot 1 map[A:3 C:1] link 1 via "B" 3 [] 1`,
		`C 2 v0 boot 0 map[] link 0 via "B" 4 [] 0`,
		`X 3 v0 boot 0 map[] link 0 via "" 0 [] 0`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("routers are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	links := fmt.Sprint(w.e.Neighbors())
	if want := "[{1 3 up B true true} {2 1 down  false false}]"; links != want {
		t.Errorf("neighbors are %s, want %s", links, want)
	}
	for router, want := range map[string]string{"A": "map[Mown:{2 0 }]", "B": "map[Mx:{3 0 }]", "C": "map[]", "Z": "map[]"} {
		if got := fmt.Sprint(w.e.Addresses(router)); got != want {
			t.Errorf("addresses of %s are %s, want %s", router, got, want)
		}
	}
	if at := w.e.LastChange(); at.Before(epoch) || at.After(w.now) {
		t.Errorf("the last change was at %v", at)
	}
}

// TestAnotherConnectionIsNoChangeOfTheTopology holds that a neighbor that is
// reached over another connection, as after a rotation of certificates, leaves
// the time of the last change as it is.
func TestAnotherConnectionIsNoChangeOfTheTopology(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.do(lsuOf(1, "B", 1, peer{"A", 1}))
	w.pass(startLimit+time.Second, helloOf(1, "B", "A"))
	was := w.e.LastChange()
	w.do(LinkUp{Link: 2, Cost: 1})
	w.do(helloOf(2, "B", "A"))
	w.do(LinkDown{Link: 1})
	w.pass(5*time.Second, helloOf(2, "B", "A"))
	if n := w.saw(NeighborMoved); n != 1 {
		t.Errorf("the neighbor moved %d times, want once", n)
	}
	if now := w.e.LastChange(); !now.Equal(was) {
		t.Errorf("the topology changed at %v, want %v as before", now, was)
	}
	w.do(LinkDown{Link: 2})
	w.pass(5 * time.Second)
	if now := w.e.LastChange(); now.Equal(was) {
		t.Error("the end of the last connection is no change of the topology")
	}
}

// TestBackwardClock holds that a clock that goes back stands still.
func TestBackwardClock(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.pass(time.Second)
	w.now = w.now.Add(-time.Hour)
	out := w.e.Step(w.now, helloOf(1, "B", "A"))
	if !out.Wake.After(w.now) || w.e.Neighbors()[0].State != Up {
		t.Errorf("an hour back the link is %v, to be woken in %v", w.e.Neighbors()[0].State, out.Wake.Sub(w.now))
	}
}

func TestDestinations(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"amqp:/_local/qdhello": "1 ", "_local/qdhello": "1 ", "/_local/qdhello": "1 ", "amqp://host:5672/_local/qdhello": "1 ",
		"amqp:/_topo/0/all/qdrouter": "3 ", "_topo/all/all/qdrouter": "3 ", "_topo/0/all/qdrouter.ma": "4 ",
		"amqp:/_topo/0/B/qdrouter": "2 B", "_topo/0/B/qdrouter.ma": "2 B", "_topo/all/B/x": "2 B",
		"_topo/1/B/qdrouter": "0 ", "_topo/0/all/other": "0 ", "_local/other": "0 ", "echo": "0 ", "": "0 ", "amqp:": "0 ", "_topo/0/": "2 ",
	} {
		s, router := destination(to)
		if got := fmt.Sprint(s, " ", router); got != want {
			t.Errorf("%q is for %s, want %s", to, got, want)
		}
	}
}

// TestForeignMessages holds that what is no routing message is noted.
func TestForeignMessages(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(Received{Link: 1, To: "echo", Sections: composeLSR("echo", "B")})
	w.do(Received{Link: 1, To: toRouter("A"), Sections: []byte("garbage")})
	w.do(Received{Link: 1, To: toNeighbors, Sections: nil})
	w.do(Received{Link: 1, To: toNeighbors, Sections: composeLSR(toNeighbors, "B")})
	if n := w.saw(Malformed); n != 3 {
		t.Errorf("%d messages are noted, want 3", n)
	}
	if w.e.find("B") != nil {
		t.Error("somebody is known who said no HELLO")
	}
}

// TestUnknownInput holds that the set of inputs is closed.
func TestUnknownInput(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("an input of another type is taken")
		}
	}()
	w := newWatch(t, Config{})
	w.e.Step(w.now, strangeInput{})
}

type strangeInput struct{ Tick }

// TestPromptLinks holds that a prompt link gets HELLO twice as often as others
// and ends after half of their silence, and that whatever was heard of its
// connection counts, up to the silence of others.
func TestPromptLinks(t *testing.T) {
	t.Parallel()
	up := func(seed uint64) *watch {
		w := newWatch(t, Config{Seed: seed})
		w.do(LinkUp{Link: 1, Cost: 1, Prompt: true})
		w.do(LinkUp{Link: 2, Cost: 1})
		w.do(helloOf(1, "B", "A"))
		w.do(helloOf(2, "C", "A"))
		return w
	}
	// ticks passes time with ticks when they are due and says at each what was
	// heard.
	ticks := func(w *watch, d time.Duration, heard func() []Heard) {
		for end := w.now.Add(d); !w.wake.After(end); {
			w.now = w.wake
			w.do(Tick{Heard: heard()})
		}
	}
	nothing := func() []Heard { return nil }
	state := func(w *watch) [2]State {
		n := w.e.Neighbors()
		return [2]State{n[0].State, n[1].State}
	}
	t.Run("hello", func(t *testing.T) {
		t.Parallel()
		w := up(3)
		w.pass(time.Minute, helloOf(1, "B", "A"), helloOf(2, "C", "A"))
		at := map[LinkID][]time.Duration{}
		for _, m := range w.sent {
			for _, l := range m.Links {
				if m.op == HELLO && m.at > 3*time.Second {
					at[l] = append(at[l], m.at)
				}
			}
		}
		for l, want := range map[LinkID]time.Duration{1: 500 * time.Millisecond, 2: time.Second} {
			if least, most := gaps(at[l]); least < want*9/10 || most > want {
				t.Errorf("HELLO on link %d every %v to %v, want up to %v", l, least, most, want)
			}
		}
		w.do(LinkDown{Link: 1})
		if n := len(w.sent); n == 0 || w.e.wake() == never {
			t.Fatal("nothing more is due")
		}
	})
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		w := up(0)
		ticks(w, 1500*time.Millisecond, nothing)
		if got := state(w); got != [2]State{Up, Up} {
			t.Errorf("after 1.5 s they are %v", got)
		}
		w.now = w.wake // a nanosecond more
		w.do(Tick{})
		if got := state(w); got != [2]State{Down, Up} {
			t.Errorf("after more than 1.5 s they are %v", got)
		}
		last := w.sent[len(w.sent)-1]
		w.do(helloOf(1, "B", "A"))
		if got := state(w); got != [2]State{Up, Up} {
			t.Errorf("after a HELLO they are %v; last sent: %v", got, last.op)
		}
	})
	t.Run("other octets", func(t *testing.T) {
		t.Parallel()
		w := up(0)
		ticks(w, 3*time.Second, func() []Heard { return []Heard{{1, w.now.Add(-100 * time.Millisecond)}} })
		if got := state(w); got != [2]State{Up, Up} {
			t.Errorf("a connection that is heard of is %v after 3 s", got)
		}
		w.now = w.wake
		w.do(Tick{Heard: []Heard{{1, w.now}}})
		if got := state(w); got != [2]State{Down, Down} {
			t.Errorf("without a HELLO they are %v after more than 3 s", got)
		}
	})
	t.Run("this router was late", func(t *testing.T) {
		t.Parallel()
		w := up(0)
		ticks(w, time.Second, nothing)
		w.now = w.now.Add(1900 * time.Millisecond) // nothing was read meanwhile
		w.do(Tick{})
		if got := state(w); got != [2]State{Up, Up} {
			t.Errorf("after it has not run for a while they are %v", got)
		}
	})
	t.Run("other inputs do not judge", func(t *testing.T) {
		t.Parallel()
		w := up(0)
		ticks(w, 1500*time.Millisecond, nothing)
		w.now = w.wake // when it would be silent
		w.do(AddressAdded{Key: "Mx"})
		if got := state(w); got != [2]State{Up, Up} {
			t.Errorf("without a tick they are %v", got)
		}
		if d := w.wake.Sub(w.now); d != 1 {
			t.Errorf("the next tick is due in %v, want at once", d)
		}
	})
}

// TestChangesBeforeANeighbor holds that a new neighbor is not told of changes
// that were made before it was one: it asks for all addresses when it hears how
// many announcements there were.
func TestChangesBeforeANeighbor(t *testing.T) {
	t.Parallel()
	w := newWatch(t, Config{})
	w.do(LinkUp{Link: 1, Cost: 1})
	w.do(helloOf(1, "B", "A"))
	w.pass(10*time.Second, helloOf(1, "B", "A"))
	w.do(AddressAdded{Key: "Mx"})
	w.do(LinkUp{Link: 2, Cost: 1})
	w.do(helloOf(2, "C", "A"))
	w.pass(2*time.Second, helloOf(1, "B", "A"), helloOf(2, "C", "A"))
	announcements, advertised := map[LinkID]int{}, int64(-1)
	for _, m := range w.sent {
		for _, l := range m.Links {
			switch {
			case m.op == MAU:
				announcements[l]++
			case m.op == RA && l == 2:
				advertised = m.mobileSeq
			}
		}
	}
	if announcements[1] != 1 || announcements[2] != 0 || advertised != 1 {
		t.Errorf("%d announcements to the old neighbor, %d to the new one, which hears of %d; want 1, 0 and 1", announcements[1], announcements[2], advertised)
	}
}
