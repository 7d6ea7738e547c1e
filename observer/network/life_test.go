package network

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// street is two sites with a service between them: a listener in west, a
// connector in east.
type street struct {
	t   *testing.T
	n   *Network
	now time.Time
}

const (
	westRouter, eastRouter = "wwwww:0", "eeeee:0"
	westSite, eastSite     = "1111-west", "2222-east"
	theListener            = "wwwww:1"
	theConnector           = "eeeee:1"
)

func siteRecord(id, name, platform string) vanflow.Record {
	return rec(
		vanflow.TypeSite, id, vanflow.Number(vanflow.AttrStartTime, 1), vanflow.Text(vanflow.AttrName, name),
		vanflow.Text(vanflow.AttrPlatform, platform),
	)
}

func routerRecords(id, site, name string) []vanflow.Record {
	return []vanflow.Record{rec(
		vanflow.TypeRouter, id, vanflow.Text(vanflow.AttrParent, site), vanflow.Number(vanflow.AttrStartTime, 2), vanflow.Text(vanflow.AttrName, "0/"+name),
	)}
}

func newStreet(t *testing.T, limits Limits) *street {
	t.Helper()
	s := &street{t, New(limits), start()}
	s.n.SourceSeen(s.now, westSite, vanflow.SourceController)
	s.n.SourceSeen(s.now, westRouter, vanflow.SourceRouter)
	s.n.Apply(s.now, westSite, []vanflow.Record{siteRecord(westSite, "west", "linux")})
	s.n.Apply(s.now, eastSite, []vanflow.Record{siteRecord(eastSite, "east", "linux")})
	s.n.Apply(s.now, westRouter, append(routerRecords(westRouter, westSite, "west"), rec(
		vanflow.TypeListener, theListener, vanflow.Text(vanflow.AttrParent, westRouter), vanflow.Number(vanflow.AttrStartTime, 3),
		vanflow.Text(vanflow.AttrProtocol, "tcp"), vanflow.Text(vanflow.AttrVanAddress, "svc"),
	)))
	s.n.Apply(s.now, eastRouter, append(routerRecords(eastRouter, eastSite, "east"), rec(
		vanflow.TypeConnector, theConnector, vanflow.Text(vanflow.AttrParent, eastRouter), vanflow.Number(vanflow.AttrStartTime, 3),
		vanflow.Text(vanflow.AttrProtocol, "tcp"), vanflow.Text(vanflow.AttrVanAddress, "svc"), vanflow.Text(vanflow.AttrDestHost, "10.0.0.1"),
	)))
	s.wait(3 * time.Second)
	return s
}

// wait lets time pass; the sources live meanwhile.
func (s *street) wait(d time.Duration) (flush []string) {
	s.t.Helper()
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(min(time.Second, end.Sub(s.now)))
		for _, id := range []string{westRouter, eastRouter} {
			if src := s.n.sources[id]; src != nil && src.gone == 0 {
				s.n.Heartbeat(s.now, id, s.now)
			}
		}
		flush = append(flush, s.n.Tick(s.now)...)
	}
	check(s.t, s.n)
	return flush
}

func (s *street) says(records ...vanflow.Record) { s.n.Apply(s.now, westRouter, records) }

// connection is the number-th connection, from a host.
func connection(number int, host string, attributes ...vanflow.Attribute) vanflow.Record {
	r := rec(
		vanflow.TypeBiflowTport, fmt.Sprint("wwwww:", 100+number), vanflow.Text(vanflow.AttrParent, theListener),
		vanflow.Number(vanflow.AttrStartTime, uint64(1000+number)), vanflow.Text(vanflow.AttrSourceHost, host), vanflow.Text(vanflow.AttrConnector, theConnector),
	)
	for _, a := range attributes {
		r.Set(a)
	}
	return r
}

// change is what is said later of the number-th connection.
func change(number int, attributes ...vanflow.Attribute) vanflow.Record {
	return rec(vanflow.TypeBiflowTport, fmt.Sprint("wwwww:", 100+number), attributes...)
}

func octets(n uint64) vanflow.Attribute { return vanflow.Number(vanflow.AttrOctets, n) }
func ended(at uint64) vanflow.Attribute { return vanflow.Number(vanflow.AttrEndTime, at) }

// totals sums the counters of all series.
func (s *street) totals() (t Traffic) {
	for _, one := range s.n.Traffic() {
		t.Opened, t.Closed, t.Sent, t.Received = t.Opened+one.Opened, t.Closed+one.Closed, t.Sent+one.Sent, t.Received+one.Received
	}
	return t
}

func (s *street) wantTotals(opened, closed, sent uint64) {
	s.t.Helper()
	if got := s.totals(); got.Opened != opened || got.Closed != closed || got.Sent != sent {
		s.t.Errorf("%d opened, %d closed, %d sent, want %d, %d, %d", got.Opened, got.Closed, got.Sent, opened, closed, sent)
	}
}

// TestCountersSurviveEviction: what was dropped for want of room goes on being
// counted, once.
func TestCountersSurviveEviction(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{Connections: 10, Requests: 5})
	const many = 14 // live ones, more than there are rows
	for i := range many {
		s.says(connection(i, "10.0.0.9", octets(10)))
	}
	s.wait(time.Second)
	if got := len(s.n.Connections()); got != 10 {
		t.Errorf("%d rows", got)
	}
	s.wantTotals(many, 0, 10*many)
	for i := range many {
		s.says(change(i, octets(25)))
		s.says(change(i, octets(25))) // the same message on another way
		s.says(change(i, ended(5000)))
		s.says(change(i, ended(5000)), connection(i, "10.0.0.9", octets(25), ended(5000))) // FLUSH
	}
	s.wait(time.Second)
	s.wantTotals(many, many, 25*many)
	if s.n.Stats().Evicted != many-10 {
		t.Errorf("%+v", s.n.Stats())
	}
	for i := range 12 {
		request := rec(
			vanflow.TypeBiflowApp, fmt.Sprint("wwwww:", 900+i), vanflow.Text(vanflow.AttrParent, fmt.Sprint("wwwww:", 100+i)),
			vanflow.Number(vanflow.AttrStartTime, 1), vanflow.Number(vanflow.AttrEndTime, 2), vanflow.Text(vanflow.AttrProtocol, "HTTP/1.1"),
			vanflow.Text(vanflow.AttrMethod, "BREW"), vanflow.Text(vanflow.AttrResult, "418"),
		)
		s.says(request)
		s.says(request)
	}
	var counts []RequestCount
	for _, one := range s.n.Traffic() {
		counts = append(counts, one.Requests...)
	}
	if want := []RequestCount{{"unknown", "4xx", 12}}; !slices.Equal(counts, want) {
		t.Errorf("requests %v, want %v", counts, want)
	}
	if got := len(s.n.Requests()); got != 5 {
		t.Errorf("%d rows of requests", got)
	}
	s.wait(16 * time.Minute)
	if len(s.n.Connections())+len(s.n.Requests()) != 0 {
		t.Error("rows outlive the TTL")
	}
	s.wantTotals(many, many, 25*many)
}

// TestLostEnd: a connection whose end did not arrive ends when its source,
// asked for everything, does not mention it.
func TestLostEnd(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{TTL: time.Minute})
	s.says(connection(1, "10.0.0.9", octets(1)), connection(2, "10.0.0.9", octets(2)))
	if flush := s.wait(59 * time.Second); len(flush) > 0 {
		t.Errorf("asked %v too early", flush)
	}
	if flush := s.wait(3 * time.Second); !slices.Equal(flush, []string{westRouter}) {
		t.Errorf("asked %v", flush)
	}
	s.says(connection(2, "10.0.0.9", octets(2))) // the answer
	s.wait(31 * time.Second)
	var live []string
	for _, c := range s.n.Connections() {
		if c.EndTime == 0 {
			live = append(live, c.Identity)
		}
	}
	if !slices.Equal(live, []string{"wwwww:102"}) {
		t.Errorf("live are %v", live)
	}
	s.wantTotals(2, 1, 3)
	s.says(change(1, octets(7))) // it was alive after all
	s.wantTotals(3, 1, 9)
	s.says(change(1, ended(9)))
	s.wantTotals(3, 2, 9)
}

// TestLostBeginning: of a connection whose beginning did not arrive the source is
// asked, and only then it is counted.
func TestLostBeginning(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{})
	s.says(change(1, octets(500)))
	if flush := s.wait(3 * time.Second); !slices.Equal(flush, []string{westRouter}) {
		t.Errorf("asked %v", flush)
	}
	s.wantTotals(0, 0, 0)
	s.says(connection(1, "10.0.0.9", octets(600)))
	s.wantTotals(1, 0, 600)
}

// TestRestart: a router that comes back as another source takes its site over,
// and the death of the old one costs nothing else.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{})
	const again = "WWWWW:0"
	s.n.Apply(s.now, westRouter, []vanflow.Record{siteRecord("3333-both", "both", "docker")})
	s.says(connection(1, "10.0.0.9", octets(1)))
	heard := s.now
	s.n.SourceSeen(s.now, again, vanflow.SourceRouter)
	s.n.Apply(s.now, again, append(routerRecords(again, westSite, "west"), siteRecord("3333-both", "both", "docker")))
	if flush := s.n.Forget(s.now, westRouter); !slices.Equal(flush, []string{westSite, again}) && !slices.Equal(flush, []string{again, westSite}) {
		t.Errorf("asked are %v", flush)
	}
	check(t, s.n)
	sites, routers := s.n.Sites(), s.n.Routers()
	if len(sites) != 3 || len(routers) != 2 || routers[0].Identity != again || len(s.n.Listeners()) != 0 {
		t.Errorf("sites %v, routers %v, listeners %v", sites, routers, s.n.Listeners())
	}
	if c := s.n.Connections(); len(c) != 1 || c[0].EndTime != micros(heard) || c[0].RoutingKey != "svc" {
		t.Errorf("connections %+v", c)
	}
	s.wantTotals(1, 1, 1)
	if services := s.n.Services(); len(services) != 1 || services[0].IsBound {
		t.Errorf("services %+v", services)
	}
	states := map[string]string{}
	for _, src := range s.n.Sources() {
		states[src.Identity] = src.State + " of " + src.SiteID
	}
	if states[westRouter] != record.SourceGone+" of unknown" || states[again] != record.SourceLive+" of "+westSite {
		t.Errorf("states %v", states)
	}
	s.wait(16 * time.Minute)
	if s.n.sources[westRouter] != nil {
		t.Error("the old source is remembered for ever")
	}
}

// TestHostileSources: no source makes more than its share, or touches what is of
// another router.
func TestHostileSources(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{Records: 20, Flows: 30, Sources: 10, Series: 40, Pairs: 15, ClientsPerSite: 12, Connections: 25, Requests: 25, Logs: 5})
	for i := range 100 {
		id := fmt.Sprint("wwwww:", 5000+i)
		s.says(
			rec(vanflow.TypeListener, id, vanflow.Text(vanflow.AttrName, string(make([]byte, 5000)))),
			connection(i, fmt.Sprintf("10.9.9.%d", i)),
			rec(vanflow.TypeBiflowApp, id, vanflow.Text(vanflow.AttrParent, "wwwww:1"), vanflow.Text(vanflow.AttrProtocol, "HTTP/1.1")),
			rec(vanflow.TypeLog, "log"+id, vanflow.Text(vanflow.AttrLogText, "\xff"), vanflow.Number(vanflow.AttrLogSeverity, 99)),
			rec(vanflow.TypeConnector, theConnector, ended(1)),           // of another router
			rec(vanflow.TypeConnector, theListener, ended(1)),            // of another type
			rec(vanflow.TypeHost, "host"), rec(vanflow.TypeListener, ""), // nothing is made of these
		)
		s.n.Apply(s.now, fmt.Sprint("source", i), nil)
		s.n.Apply(s.now, "", nil)
	}
	s.wait(20 * time.Second)
	if c := s.n.Connectors(); len(c) != 1 || c[0].EndTime != 0 {
		t.Errorf("the connector of another router: %+v", c)
	}
	names := map[string]bool{}
	for _, c := range s.n.Connections() {
		names[c.SourceProcessName] = true
	}
	if len(names) > 13 || !names["site-client-others-1111"] {
		t.Errorf("clients %v", names)
	}
	for _, l := range s.n.Listeners() {
		if len(l.Name) > 1024 {
			t.Errorf("a name of %d bytes", len(l.Name))
		}
	}
	if l := s.n.Logs(); l[0].Text != "\uFFFD" || l[0].Severity != "unknown" || l[0].RouterName != "0/west" || l[0].RouterID != westRouter {
		t.Errorf("log %+v", l[0])
	}
	if stats := s.n.Stats(); stats.Refused < 300 || stats.Ignored != 100 {
		t.Errorf("%+v", stats)
	}
	var sum uint64
	for _, one := range s.n.Traffic() {
		sum += one.Opened
	}
	if sum == 0 || sum > 100 {
		t.Errorf("%d opened", sum)
	}
}

// TestSeriesAreBounded: beyond their number traffic is counted without the names
// of clients, and none of it is lost.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{Series: 5})
	for i := range 50 {
		s.says(connection(i, fmt.Sprintf("10.9.9.%d", i), octets(3), ended(5000)))
	}
	s.wantTotals(50, 50, 150)
	if got := len(s.n.Traffic()); got > 8 {
		t.Errorf("%d series", got)
	}
	if s.n.Stats().Folded == 0 {
		t.Error("nothing says that label sets were given up")
	}
}

// TestClients: who a client is depends on the site.
func TestClients(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{})
	pod := rec(
		vanflow.TypeProcess, "pod", vanflow.Text(vanflow.AttrParent, westSite), vanflow.Text(vanflow.AttrName, "frontend-1"),
		vanflow.Text(vanflow.AttrGroup, "frontend"), vanflow.Text(vanflow.AttrSourceHost, "10.1.1.1"), vanflow.Text(vanflow.AttrMode, "external"),
	)
	s.n.Apply(s.now, westSite, []vanflow.Record{pod})
	s.says(connection(1, "10.1.1.1"))
	s.n.Apply(s.now, westSite, []vanflow.Record{siteRecord(westSite, "west", "kubernetes")})
	s.says(connection(2, "10.1.1.1"), connection(3, "10.1.1.2"))
	names := func() (names []string) {
		for _, c := range s.n.Connections() {
			names = append(names, c.SourceProcessName)
		}
		return names
	}
	if got := names(); !slices.Equal(got, []string{"site-client-10.1.1.1-1111", "frontend-1"}) {
		t.Errorf("clients are %v", got)
	}
	s.wait(14 * time.Second)
	if got := s.n.Stats().Pending[waitSource]; got != 1 {
		t.Errorf("%d wait for their client", got)
	}
	s.wait(2 * time.Second)
	if got := names(); len(got) != 3 || got[2] != "site-client-10.1.1.2-1111" {
		t.Errorf("clients are %v", got)
	}
	for _, p := range s.n.Processes() {
		if p.Name == "frontend-1" && (p.ComponentName != "frontend" || p.Role != "external" || p.Binding != "unbound" || p.Services != nil) {
			t.Errorf("%+v", p)
		}
	}
}

// TestServers: a server that is published takes the place of an invented one.
func TestServers(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{})
	target := func() string { return *s.n.Connectors()[0].Target }
	if got := target(); got != "site-server-10.0.0.1-2222" {
		t.Errorf("target %s", got)
	}
	server := rec(
		vanflow.TypeProcess, "server", vanflow.Text(vanflow.AttrParent, eastSite), vanflow.Text(vanflow.AttrName, "db"),
		vanflow.Text(vanflow.AttrGroup, "db"), vanflow.Text(vanflow.AttrSourceHost, "10.0.0.1"), vanflow.Number(vanflow.AttrStartTime, 5),
	)
	s.n.Apply(s.now, eastSite, []vanflow.Record{server})
	s.wait(time.Second)
	if got := target(); got != "db" || len(s.n.Processes()) != 1 || s.n.Processes()[0].Binding != "bound" {
		t.Errorf("target %s, processes %v", got, s.n.Processes())
	}
	s.says(connection(1, "10.0.0.9", octets(1)))
	server.Set(ended(9))
	s.n.Apply(s.now, eastSite, []vanflow.Record{server})
	s.wait(20 * time.Second)
	if got := target(); got != "site-server-10.0.0.1-2222" {
		t.Errorf("target %s", got)
	}
	if c := s.n.Connections(); c[0].DestProcessName != "db" {
		t.Errorf("a connection of before is now to %s", c[0].DestProcessName)
	}
	s.n.Apply(s.now, eastSite, []vanflow.Record{server})
	if got := len(s.n.Processes()); got != 2 { // the client and the invented server
		t.Errorf("%d processes: what is said after an end brings it back", got)
	}
	server.Set(ended(0))
	server.Set(vanflow.Number(vanflow.AttrStartTime, 10))
	s.n.Apply(s.now, eastSite, []vanflow.Record{server})
	s.wait(time.Second)
	if got := target(); got != "db" {
		t.Errorf("target %s: the same again, begun later, is not taken", got)
	}
}

// TestNowhere: a connection that reached no connector is shown as such.
func TestNowhere(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{})
	r := connection(1, "10.0.0.9", vanflow.Text(vanflow.AttrErrorListenerSide, "no route"), ended(2000))
	r.Attributes = slices.DeleteFunc(r.Attributes, func(a vanflow.Attribute) bool { return a.Code == vanflow.AttrConnector })
	s.says(r)
	s.wait(16 * time.Second)
	c := s.n.Connections()
	if len(c) != 1 || c[0].DestSiteName != "unknown" || c[0].SourceSiteName != "west" || c[0].RoutingKey != "svc" || *c[0].ListenerError != "no route" {
		t.Fatalf("%+v", c)
	}
	s.wantTotals(0, 0, 0)
	s.says(connection(1, "10.0.0.9"))
	if c := s.n.Connections(); len(c) != 1 || c[0].DestSiteName != "east" {
		t.Errorf("%+v", c)
	}
	s.wantTotals(1, 1, 0)
}

// TestChanged: whoever waits for a change is woken by it.
func TestChanged(t *testing.T) {
	t.Parallel()
	n := New(Limits{})
	before, c := n.Version(), n.Changed()
	select {
	case <-c:
		t.Fatal("changed without a change")
	default:
	}
	n.Apply(start(), "s", nil)
	<-c
	if n.Version() <= before {
		t.Errorf("version %d after %d", n.Version(), before)
	}
}

// TestLinkErrors counts how often links went down while they were known.
func TestLinkErrors(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{})
	link := func(downs uint64, more ...vanflow.Attribute) {
		s.says(rec(vanflow.TypeLink, "wwwww:50", append(more, vanflow.Text(vanflow.AttrParent, westRouter),
			vanflow.Text(vanflow.AttrRole, "edge"), vanflow.Number(vanflow.AttrDownCount, downs))...))
	}
	link(4)
	link(6)
	link(5) // late
	want := []LinkErrors{{westSite, "edge", 2}}
	if got := s.n.LinkErrors(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	link(7, ended(8))
	s.wait(20 * time.Second)
	want[0].Count = 3
	if got := s.n.LinkErrors(); !slices.Equal(got, want) || len(s.n.RouterLinks()) != 0 {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestLatencies: each is observed once, when it is known.
func TestLatencies(t *testing.T) {
	t.Parallel()
	s := newStreet(t, Limits{})
	s.says(connection(1, "10.0.0.9", vanflow.Number(vanflow.AttrLatency, 3500)))
	s.says(change(1, vanflow.Number(vanflow.AttrProcessLatency, 1000)))
	s.says(connection(2, "10.0.0.9", vanflow.Number(vanflow.AttrLatency, 20_000_000), vanflow.Number(vanflow.AttrProcessLatency, 30_000_000)))
	s.says(change(2, ended(9000)))
	traffic := s.n.Traffic()[0]
	if l := traffic.Latency; l.Count != 2 || l.Sum != 0.0025 || l.Counts[0] != 1 || l.Counts[2] != 1 || len(l.Counts) != len(LatencyBounds())+1 {
		t.Errorf("latency %+v", l)
	}
	if l := traffic.Incoming; l.Count != 2 || l.Sum != 20_003_500 || l.Counts[2] != 1 || l.Counts[7] != 1 || len(l.Counts) != len(FirstByteBounds())+1 {
		t.Errorf("incoming %+v", l)
	}
	if l := traffic.Outgoing; l.Count != 2 || l.Counts[0] != 1 || l.Counts[7] != 1 {
		t.Errorf("outgoing %+v", l)
	}
	back := traffic.Labels.Reverse()
	if back.SourceSiteName != "east" || back.DestProcessName != traffic.Labels.SourceProcessName || back.SourceComponentName != traffic.Labels.SourceComponentName {
		t.Errorf("%+v", back)
	}
}
