package trunk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/sim/netpipe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// router is an Owner that accepts everything and makes control connections
// ready at once.
type router struct {
	id       string
	trunking bool
	slow     bool     // control connections are not made ready
	says     amqp.Map // more properties of its open

	mu      sync.Mutex
	members []*Member // Guarded by mu: alive
	log     []string  // Guarded by mu.
	opens   []string  // Guarded by mu: what peers say of their group
	streams []*Member // Guarded by mu: where streams arrived
	waits   []time.Duration
}

func (r *router) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *router) took() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	sort.Strings(r.log) // connections are made side by side
	s := strings.Join(r.log, ", ")
	r.log = nil
	return s
}

func (r *router) Connect(m *Member) (conn.Config, conn.Handler) {
	cfg := conn.Config{Open: amqp.Open{ContainerID: r.id, Properties: amqp.Map{{Key: amqp.Symbol("product"), Value: "test"}}}}
	cfg.Open.Properties = append(cfg.Open.Properties, r.says...)
	if r.trunking {
		cfg.Open.OfferedCapabilities = []amqp.Symbol{capTrunking}
	}
	r.mu.Lock()
	r.members = append(r.members, m)
	r.mu.Unlock()
	return cfg, &peer{r: r, m: m}
}

func (r *router) Ended(m *Member, err error) {
	r.mu.Lock()
	for i, x := range r.members {
		if x == m {
			r.members = append(r.members[:i:i], r.members[i+1:]...)
		}
	}
	r.mu.Unlock()
	r.note("ended%s: %v", kind(m), err)
}

func (r *router) Retry(_ *Dialer, err error, wait time.Duration) {
	r.mu.Lock()
	r.waits = append(r.waits, wait)
	r.mu.Unlock()
	r.note("retry: %v", err)
}

func kind(m *Member) string {
	if m.Data() {
		return " data"
	}
	return ""
}

type peer struct {
	r *router
	m *Member
}

func (p *peer) Opened(_ *conn.Conn, open *amqp.Open) {
	p.r.mu.Lock()
	for _, key := range []string{propRole, propCorrelator, propOrdinal} {
		if v := open.Properties.Get(key); v != nil {
			p.r.opens = append(p.r.opens, fmt.Sprintf("%s %T %v", key, v, v))
		}
	}
	p.r.mu.Unlock()
	p.r.note("opened%s %d", kind(p.m), p.m.Ordinal())
	if !p.r.slow {
		if old := p.m.Ready(); old != nil {
			p.r.note("%d replaces %d", p.m.Ordinal(), old.Ordinal())
		}
	}
}

func (p *peer) Attached(_ *conn.Conn, l *conn.Link) {
	l.Accept(nil, nil, nil, conn.CreditPolicy{Window: 250}, p)
}
func (p *peer) Answered(*conn.Link) {}
func (p *peer) Credit(*conn.Link)   {}
func (p *peer) Begin(*conn.Receiving) conn.Sink {
	p.r.mu.Lock()
	p.r.streams = append(p.r.streams, p.m)
	p.r.mu.Unlock()
	return ignore{}
}
func (p *peer) Detached(*conn.Link, *amqp.Error) {}

type ignore struct{}

func (ignore) Transfer([]byte, bool)   {}
func (ignore) Settled(amqp.State)      {}
func (ignore) Abort()                  {}
func (ignore) Lost(error)              {}
func (ignore) Update(amqp.State, bool) {}
func (ignore) Ready()                  {}

var (
	_ session.Sink    = ignore{}
	_ session.Outcome = ignore{}
)

// place is where a test's listeners can be dialed.
type place struct {
	mu        sync.Mutex
	listeners map[string]*netpipe.Listener
	conns     []*netpipe.Conn
	dials     int
}

func (p *place) listen(address string) *netpipe.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listeners == nil {
		p.listeners = map[string]*netpipe.Listener{}
	}
	p.listeners[address] = netpipe.Listen(netpipe.Options{Latency: time.Millisecond, Name: address})
	return p.listeners[address]
}

func (p *place) dial(ctx context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	p.dials++
	l := p.listeners[address]
	p.mu.Unlock()
	if l == nil {
		return nil, errors.New("nobody there")
	}
	c, err := l.Dial(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	return c, nil
}

// all returns the dialing ends of every connection so far.
func (p *place) all() []*netpipe.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*netpipe.Conn(nil), p.conns...)
}

// runs starts something and ends it with the test.
func runs(t *testing.T, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func listens(t *testing.T, p *place, address string, cfg ListenConfig, gs *Groups, r *router) (*Listener, func()) {
	l := NewListener(cfg, gs, r)
	ln := p.listen(address)
	return l, runs(t, func(ctx context.Context) error { return l.Run(ctx, ln) })
}

func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func expect(t *testing.T, r *router, want string) {
	t.Helper()
	if got := r.took(); got != want {
		t.Errorf("%s got:  %s\nwant: %s", r.id, got, want)
	}
}

// linked makes a connector with two data connections and its listener.
func linked(t *testing.T, trunking bool) (p *place, d *Dialer, east, west *router, stop func()) {
	p = &place{}
	east, west = &router{id: "east", trunking: trunking}, &router{id: "west", trunking: true}
	listens(t, p, "west:1", ListenConfig{Role: InterRouter}, NewGroups(), west)
	d = NewDialer(DialConfig{Role: InterRouter, Endpoints: []Endpoint{{"west", "1"}}, Data: 2, Correlator: "abcdefghijklmno", Ordinal: 3, Dial: p.dial}, NewGroups(), east)
	stop = runs(t, d.Run)
	time.Sleep(time.Second)
	return p, d, east, west, stop
}

func TestControlAndDataConnections(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d, east, west, stop := linked(t, true)
		expect(t, east, "opened 3, opened data 3, opened data 3")
		expect(t, west, "opened 0, opened data 0, opened data 0") // the ordinal belongs to TLS
		if s := d.Status(); !s.Up || s.Err != nil || s.Endpoint.Host != "west" {
			t.Errorf("%+v", s)
		}
		if d.Group().Members() != 2 || d.Group().Control() == nil {
			t.Errorf("%d members", d.Group().Members())
		}
		stop()
		expect(t, east, "ended data: <nil>, ended data: <nil>, ended: <nil>")
		time.Sleep(time.Second)
		expect(t, west, "ended data: <nil>, ended data: <nil>, ended: <nil>")
	})
}

// TestWhoNamesTheGroup: a connector does, a listener never, and the role of a data
// connection is an int: of another type it is none.
func TestWhoNamesTheGroup(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, _, east, west, _ := linked(t, true)
		synctest.Wait()
		if len(east.opens) > 0 {
			t.Errorf("the listener says %q", east.opens)
		}
		sort.Strings(west.opens)
		want := []string{
			"qd.group-correlator string abcdefghijklmno", "qd.group-correlator string abcdefghijklmno", "qd.group-correlator string abcdefghijklmno",
			"qd.inter-router-role int32 4", "qd.inter-router-role int32 4",
		}
		if !slices.Equal(west.opens, want) {
			t.Errorf("the connector says %q, want %q", west.opens, want)
		}
		for _, role := range []any{uint32(4), int64(4), "4", int32(3)} {
			gs := NewGroups()
			m := &Member{Role: InterRouter, groups: gs, mu: &gs.mu}
			open := &amqp.Open{ContainerID: "a", Properties: amqp.Map{{Key: amqp.Symbol(propRole), Value: role}}}
			if _, err := gs.admit(m, open); err != nil || m.Data() {
				t.Errorf("role %T %v: data connection %v, %v", role, role, m.Data(), err)
			}
		}
	})
}

func (r *router) send(t *testing.T, g *Group, n int) (on map[*conn.Conn]int) {
	on = map[*conn.Conn]int{}
	for range n {
		l := g.StreamLink()
		if l == nil {
			t.Fatal("no connection")
		}
		on[l.Conn()]++
		l.Send(ignore{}, false).WriteBytes([]byte("x"), true)
		time.Sleep(10 * time.Millisecond)
	}
	return on
}

func TestStreamsGoRoundDataConnections(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d, east, west, _ := linked(t, true)
		on := east.send(t, d.Group(), 10)
		if len(on) != 2 {
			t.Errorf("%d connections are used", len(on))
		}
		for c, n := range on {
			if n != 5 || c == d.Group().Control().Conn {
				t.Errorf("%d streams on one", n)
			}
		}
		// The other side chooses by itself.
		west.mu.Lock()
		g := west.members[0].Group()
		west.mu.Unlock()
		if on := west.send(t, g, 4); len(on) != 2 {
			t.Errorf("%d connections are used", len(on))
		}
	})
}

func TestFewestUnsentBytes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p, d, _, _, _ := linked(t, true)
		for _, c := range p.all() {
			c.Stall(true)
		}
		l := d.Group().StreamLink()
		l.Send(ignore{}, false).WriteBytes(make([]byte, 1<<20), true)
		for range 5 {
			if next := d.Group().StreamLink(); next.Conn() == l.Conn() {
				t.Error("a stream behind a megabyte")
			}
		}
	})
}

func TestPeerWithoutTrunking(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d, _, west, _ := linked(t, false)
		west.mu.Lock()
		g := west.members[0].Group()
		west.mu.Unlock()
		for c := range west.send(t, g, 4) {
			if c != g.Control().Conn {
				t.Error("a stream on a data connection that the peer does not use")
			}
		}
		if d.Group().Members() != 2 {
			t.Error("data connections must stay open")
		}
	})
}

func TestMembersOutliveTheirControlConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p, d, east, _, _ := linked(t, true)
		east.took()
		control := d.Group().Control()
		p.all()[0].Cut() // the control connection is the first
		time.Sleep(90 * time.Millisecond)
		got := east.took()
		if !strings.HasPrefix(got, "ended: connection reset by the peer") {
			t.Error(got)
		}
		time.Sleep(time.Second)
		if d.Group().Members() != 2 || d.Group().Control() == nil || d.Group().Control() == control {
			t.Errorf("%d members, control %p", d.Group().Members(), d.Group().Control())
		}
	})
}

// TestNewGeneration: the second set takes over when it is ready; streams of the
// first go on until the old credentials are no longer valid.
func TestNewGeneration(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		east, west := &router{id: "east", trunking: true}, &router{id: "west", trunking: true}
		gs := NewGroups()
		listens(t, p, "west:1", ListenConfig{Role: InterRouter}, gs, west)
		d := NewDialer(DialConfig{Role: InterRouter, Endpoints: []Endpoint{{"west", "1"}}, Data: 1, Correlator: "abcdefghijklmno", Ordinal: 1, Dial: p.dial}, NewGroups(), east)
		withOrdinal(d)
		runs(t, d.Run)
		time.Sleep(time.Second)
		expect(t, west, "opened 1, opened data 1")
		east.took()
		old := d.Group().Control()
		d.SetOrdinal(2, 0)
		time.Sleep(time.Second)
		expect(t, east, "2 replaces 1, opened 2, opened data 2")
		expect(t, west, "2 replaces 1, opened 2, opened data 2")
		if d.Group().Members() != 2 || d.Group().Control() == old {
			t.Error("the new generation is not in use")
		}
		for c := range east.send(t, d.Group(), 4) {
			for _, m := range []*Member{old, d.Group().Control()} {
				if c == m.Conn {
					t.Error("a new stream on a control connection")
				}
			}
		}
		if m := gs.Primary("east"); m == nil || m.Ordinal() != 2 || !m.Primary() {
			t.Errorf("primary %+v", m)
		}
		d.SetOrdinal(2, 2)
		time.Sleep(3 * time.Second)
		expect(t, east, "ended data: <nil>, ended: <nil>")
		if d.Group().Members() != 1 || !d.Status().Up {
			t.Error("the new generation went as well")
		}
	})
}

// withOrdinal lets a plain dialer announce its ordinal, as one with TLS does.
func withOrdinal(d *Dialer) { d.announce = true }

func TestDuplicateIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		west := &router{id: "west"}
		listens(t, p, "west:1", ListenConfig{Role: InterRouter}, NewGroups(), west)
		cfg := DialConfig{Role: InterRouter, Endpoints: []Endpoint{{"west", "1"}}, Data: 1, Correlator: "same", Dial: p.dial}
		one, two := &router{id: "east"}, &router{id: "east"}
		runs(t, NewDialer(cfg, NewGroups(), one).Run)
		time.Sleep(time.Second)
		expect(t, west, "opened 0, opened data 0")
		stop := runs(t, NewDialer(cfg, NewGroups(), two).Run)
		time.Sleep(time.Second)
		if got := west.took(); !strings.HasPrefix(got, "ended: "+ErrDuplicate.Error()) || strings.Contains(got, "opened 0") {
			t.Error(got)
		}
		stop()
		expect(t, one, "opened 0, opened data 0")
	})
}

// TestSilentRivalIsReplaced: after a half-open failure the redial is not kept
// out until the idle time-out.
func TestSilentRivalIsReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		west := &router{id: "west"}
		listens(t, p, "west:1", ListenConfig{Role: InterRouter}, NewGroups(), west)
		cfg := DialConfig{Role: InterRouter, Endpoints: []Endpoint{{"west", "1"}}, Data: 1, Correlator: "same", Dial: p.dial}
		runs(t, NewDialer(cfg, NewGroups(), &router{id: "east"}).Run)
		time.Sleep(time.Second)
		for _, c := range p.all() {
			c.Stall(true)
		}
		time.Sleep(3 * time.Second)
		west.took()
		again := &router{id: "east"}
		runs(t, NewDialer(cfg, NewGroups(), again).Run)
		time.Sleep(time.Second)
		if got := west.took(); !strings.Contains(got, "replaced: the peer has connected again") {
			t.Error(got)
		}
		expect(t, again, "opened 0, opened data 0")
	})
}

func TestConnectionsSpreadOverRouters(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		gs := NewGroups()
		open := func(id string, data bool) *amqp.Open {
			o := &amqp.Open{ContainerID: id, Properties: amqp.Map{{Key: amqp.Symbol(propCorrelator), Value: "same"}}}
			if data {
				o.Properties = append(o.Properties, amqp.Pair{Key: amqp.Symbol(propRole), Value: roleData})
			}
			return o
		}
		member := func() *Member { return &Member{Role: InterRouter, groups: gs, mu: &gs.mu} }
		if err := gs.accepted(member(), open("a", false)); err != nil {
			t.Error(err)
		}
		if err := gs.accepted(member(), open("a", true)); err != nil {
			t.Error(err)
		}
		if err := gs.accepted(member(), open("b", true)); err == nil {
			t.Error("a data connection of another router")
		}
	})
}

// TestDataConnectionsToAnotherRouterAreNotUsed: a load balancer sends the
// connections of one connector to two routers. Streams keep to the router that
// the control connection leads to, and the owner hears why the others ended.
func TestDataConnectionsToAnotherRouterAreNotUsed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		east := &router{id: "east", trunking: true}
		for _, id := range []string{"west", "north"} {
			listens(t, p, id+":1", ListenConfig{Role: InterRouter}, NewGroups(), &router{id: id, trunking: true})
		}
		dials := 0
		var mu sync.Mutex
		spread := func(ctx context.Context, network, _ string) (net.Conn, error) {
			mu.Lock()
			dials++
			to := "west:1"
			if dials > 1 {
				to = "north:1"
			}
			mu.Unlock()
			return p.dial(ctx, network, to)
		}
		d := NewDialer(DialConfig{Role: InterRouter, Endpoints: []Endpoint{{"balancer", "1"}}, Data: 1, Correlator: "abcdefghijklmno", Dial: spread}, NewGroups(), east)
		runs(t, d.Run)
		time.Sleep(time.Second)
		if got := east.took(); !strings.Contains(got, "ended data: "+ErrSplit.Error()+": west and north") {
			t.Error(got)
		}
		if d.Group().Members() != 0 || d.Group().Control() == nil {
			t.Errorf("%d data connections, control %p", d.Group().Members(), d.Group().Control())
		}
	})
}

// TestTwoLinksBetweenTwoRouters: the one that was ready first is used while it
// lives.
func TestTwoLinksBetweenTwoRouters(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		east, west := &router{id: "east"}, &router{id: "west"}
		ge, gw := NewGroups(), NewGroups()
		listens(t, p, "west:1", ListenConfig{Role: InterRouter}, gw, west)
		listens(t, p, "east:1", ListenConfig{Role: InterRouter}, ge, east)
		first := NewDialer(DialConfig{Role: InterRouter, Endpoints: []Endpoint{{"west", "1"}}, Dial: p.dial}, ge, east)
		stop := runs(t, first.Run)
		time.Sleep(time.Second)
		second := NewDialer(DialConfig{Role: InterRouter, Endpoints: []Endpoint{{"east", "1"}}, Dial: p.dial}, gw, west)
		runs(t, second.Run)
		time.Sleep(time.Second)
		used := ge.Primary("west")
		if used == nil || used.Dialer != first || !used.Primary() || gw.Primary("east").Listener == nil {
			t.Fatalf("primary %+v", used)
		}
		stop()
		time.Sleep(3 * time.Second)
		if now := ge.Primary("west"); now == nil || now.Listener == nil || !now.Primary() || used.Primary() {
			t.Errorf("primary %+v", now)
		}
	})
}

func TestRetriesForEver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		east := &router{id: "east"}
		d := NewDialer(DialConfig{Endpoints: []Endpoint{{"west", "1"}}, Dial: p.dial}, NewGroups(), east)
		runs(t, d.Run)
		time.Sleep(time.Hour)
		if s := d.Status(); s.Up || s.Err == nil || s.Err.Error() != "dial: nobody there" || s.Failures < 200 {
			t.Errorf("%+v", s)
		}
		east.mu.Lock()
		waits := east.waits
		east.mu.Unlock()
		for i, w := range waits {
			low, high := 50*time.Millisecond<<min(i, 20), 100*time.Millisecond<<min(i, 20)
			if w < min(low, maxWait/2) || w > min(high, maxWait) {
				t.Fatalf("wait %d is %v", i, w)
			}
		}
		east.took()
		listens(t, p, "west:1", ListenConfig{}, NewGroups(), &router{id: "west"})
		time.Sleep(maxWait)
		expect(t, east, "opened 0")
		if s := d.Status(); !s.Up || s.Err != nil {
			t.Errorf("%+v", s)
		}
	})
}

// TestFirstRetryIsPrompt: a connection that was up for a while is made again
// within 100 ms.
func TestFirstRetryIsPrompt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p, _, east, _, _ := linked(t, true)
		time.Sleep(5 * time.Second)
		for _, c := range p.all() {
			c.Cut()
		}
		time.Sleep(110 * time.Millisecond)
		if got := east.took(); !strings.Contains(got, "opened 3") {
			t.Error(got)
		}
	})
}

// silent listens at an address, takes every connection and says nothing.
func (p *place) silent(t *testing.T, address string) {
	ln := p.listen(address)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	t.Cleanup(func() { _ = ln.Close() })
}

// TestPeerThatTakesConnectionsAndIsSilent: it is told of while it lasts, and the
// link is up soon after somebody answers, not when the attempts have ended.
func TestPeerThatTakesConnectionsAndIsSilent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		p.silent(t, "west:1")
		d := NewDialer(DialConfig{Endpoints: []Endpoint{{"west", "1"}}, Dial: p.dial}, NewGroups(), &router{id: "east"})
		runs(t, d.Run)
		for _, at := range []time.Duration{2 * time.Second, 7 * time.Second, 16 * time.Second} {
			time.Sleep(at)
			if s := d.Status(); s.Up || s.Silent != (Endpoint{"west", "1"}) {
				t.Errorf("%+v", s)
			}
		}
		time.Sleep(time.Hour)
		p.mu.Lock()
		dials := p.dials
		p.mu.Unlock()
		if most := int(time.Hour/besideAfter) + 10; dials > 2*most || dials < most/2 {
			t.Errorf("%d attempts in an hour", dials)
		}
		listens(t, p, "west:1", ListenConfig{}, NewGroups(), &router{id: "west"})
		time.Sleep(besideAfter + time.Second/2)
		if s := d.Status(); !s.Up || s.Silent != (Endpoint{}) {
			t.Errorf("%+v", s)
		}
	})
}

// lateListener hands over each connection a while after it was made.
type lateListener struct {
	net.Listener
	late chan net.Conn
}

func (l *lateListener) Accept() (net.Conn, error) {
	c, ok := <-l.late
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

// TestSlowPeerKeepsTheFirstConnection: attempts beside the first one do no harm
// to a peer that needs longer than until they are made.
func TestSlowPeerKeepsTheFirstConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		west, east := &router{id: "west"}, &router{id: "east"}
		l := NewListener(ListenConfig{Role: InterRouter}, NewGroups(), west)
		ln := p.listen("west:1")
		late := &lateListener{Listener: ln, late: make(chan net.Conn)}
		go func() {
			var wg sync.WaitGroup
			defer close(late.late)
			defer wg.Wait()
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				wg.Go(func() {
					time.Sleep(7 * time.Second)
					late.late <- c
				})
			}
		}()
		runs(t, func(ctx context.Context) error { return l.Run(ctx, late) })
		d := NewDialer(DialConfig{Role: InterRouter, Endpoints: []Endpoint{{"west", "1"}}, Correlator: "same", Dial: p.dial}, NewGroups(), east)
		runs(t, d.Run)
		time.Sleep(7*time.Second + 100*time.Millisecond)
		if s := d.Status(); !s.Up {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		if s := d.Status(); !s.Up || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
		for _, r := range []*router{east, west} {
			r.mu.Lock()
			if len(r.members) != 1 {
				t.Errorf("%s has %d connections", r.id, len(r.members))
			}
			r.mu.Unlock()
		}
	})
}

func TestFailoverEndpoints(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		east := &router{id: "east"}
		_, stop := listens(t, p, "c:1", ListenConfig{}, NewGroups(), &router{id: "c"})
		d := NewDialer(DialConfig{Endpoints: []Endpoint{{"a", "1"}, {"b", "1"}, {"c", "1"}}, Dial: p.dial}, NewGroups(), east)
		runs(t, d.Run)
		time.Sleep(time.Second)
		if s := d.Status(); !s.Up || s.Endpoint.Host != "c" {
			t.Errorf("%+v", s)
		}
		time.Sleep(5 * time.Second)
		listens(t, p, "b:1", ListenConfig{}, NewGroups(), &router{id: "b"})
		stop()
		time.Sleep(3 * time.Second)
		if s := d.Status(); !s.Up || s.Endpoint.Host != "b" {
			t.Errorf("%+v", s)
		}
	})
}

// TestPeerNamesOtherPlaces: a connector goes where its peer has said when that
// is gone, and comes back; an empty list takes back what was said before, none
// leaves it.
func TestPeerNamesOtherPlaces(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		named := func(host, port string) amqp.Map {
			return amqp.Map{{Key: amqp.Symbol("network-host"), Value: host}, {Key: amqp.Symbol("port"), Value: port}}
		}
		p := &place{}
		east := &router{id: "east"}
		d := NewDialer(DialConfig{Endpoints: []Endpoint{{"a", "1"}}, Dial: p.dial}, NewGroups(), east)
		check := func(want string) {
			t.Helper()
			time.Sleep(5 * time.Second)
			s := d.Status()
			if got := fmt.Sprint(s.Order); got != want || !s.Up || s.Endpoint != s.Order[0] {
				t.Errorf("up %v at %s, places %s, want %s", s.Up, s.Endpoint, got, want)
			}
		}
		listen := func(name string, list any) (stop func()) {
			r := &router{id: name}
			if list != nil {
				r.says = amqp.Map{{Key: amqp.Symbol(propFailover), Value: list}}
			}
			_, stop = listens(t, p, name+":1", ListenConfig{}, NewGroups(), r)
			return stop
		}
		stopA := listen("a", amqp.List{named("unknown", "1"), named("b", "1"), named("", "7")})
		runs(t, d.Run)
		check("[a:1 unknown:1 b:1]")
		stopB := listen("b", nil)
		stopA()
		check("[b:1 a:1 unknown:1]")
		stopA = listen("a", amqp.List{named("b", "1"), named("c", "1")})
		stopB()
		check("[a:1 b:1 c:1]")
		listen("c", amqp.List{})
		stopA()
		check("[c:1 a:1]")
	})
}

// TestListenerBounds: connections beyond the limit, and those that say nothing.
func TestListenerBounds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &place{}
		west := &router{id: "west"}
		l, _ := listens(t, p, "west:1", ListenConfig{Connections: 3}, NewGroups(), west)
		var mute []net.Conn
		for range 5 {
			c, err := p.dial(t.Context(), "tcp", "west:1")
			if err != nil {
				t.Fatal(err)
			}
			mute = append(mute, c)
		}
		time.Sleep(time.Second)
		if n := l.Connections(); n != 3 {
			t.Errorf("%d connections", n)
		}
		time.Sleep(10 * time.Second)
		if n := l.Connections(); n != 0 {
			t.Errorf("%d connections that never spoke", n)
		}
		for _, c := range mute {
			_ = c.Close()
		}
		expect(t, west, "ended: SASL: timed out, ended: SASL: timed out, ended: SASL: timed out")
	})
}

func TestBackoffDoubles(t *testing.T) {
	t.Parallel()
	var b backoff
	for i := range 100 {
		w := b.next()
		top := min(maxWait, time.Duration(float64(minWait)*math.Pow(2, float64(min(i, 20)))))
		if w < top/2 || w > top {
			t.Fatalf("wait %d is %v, want %v to %v", i, w, top/2, top)
		}
	}
}
