package history

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skupper-host/skupper/observer/network"
)

// start is the moment of the first observation in tests.
var start = time.UnixMilli(1_800_000_000_000)

func series1(key string, sent uint64) network.Traffic {
	return network.Traffic{Labels: network.Labels{RoutingKey: key, SourceSiteID: "w", DestSiteID: "e"}, Sent: sent, Opened: 1}
}

// one puts the series of a routing key into group 0.
func one(key string) func(*Labels) int {
	return func(l *Labels) int {
		if l.RoutingKey == key {
			return 0
		}
		return -1
	}
}

// read is Read of everything that must not fail.
func read(t *testing.T, r *Ring, f Family, pick func(*Labels) int) *Curves {
	t.Helper()
	c, err := r.Read(f, pick, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ms(after time.Duration) int64 { return start.Add(after).UnixMilli() }

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Max(1, math.Abs(b)) }

func TestWhatWasAdded(t *testing.T) {
	t.Parallel()
	r := New()
	r.Observe(start, nil)
	// 100 bytes in the first step, 50 in the third, begun anew with 7 in the fourth.
	for i, sent := range []uint64{100, 100, 150, 7} {
		r.Observe(start.Add(time.Duration(i+1)*Step), []network.Traffic{series1("a", sent), series1("b", 9)})
	}
	c := read(t, r, Traffic, one("a"))
	for _, row := range []struct {
		from, to time.Duration
		want     float64
	}{
		{0, 40 * time.Second, 157},
		{0, 10 * time.Second, 100},
		{10 * time.Second, 20 * time.Second, 0},
		{5 * time.Second, 10 * time.Second, 50},
		{20 * time.Second, 40 * time.Second, 57},
		{25 * time.Second, 35 * time.Second, 28.5},
		{-time.Hour, time.Hour, 157},
		{time.Hour, 2 * time.Hour, 0},
	} {
		if got := c.Increase(0, Sent, ms(row.from), ms(row.to)); !near(got, row.want) {
			t.Errorf("from %v to %v: %v, want %v", row.from, row.to, got, row.want)
		}
	}
	if got := c.Value(0, Sent, c.End()); got != 7 {
		t.Errorf("reads %v now, want 7", got)
	}
	if got := c.Value(0, Opened, ms(0)); got != 0 {
		t.Errorf("opened %v at the beginning", got)
	}
	if c.Groups() != 1 || c.End() != ms(40*time.Second) || c.Began != ms(0) {
		t.Errorf("%d groups, from %d to %d", c.Groups(), c.Began, c.End())
	}
	if c := read(t, r, Traffic, one("nobody")); c.Groups() != 0 {
		t.Errorf("%d groups of nobody", c.Groups())
	}
}

func TestFirstObservationIsWhereCurvesBegin(t *testing.T) {
	t.Parallel()
	r := New()
	if c := read(t, r, Traffic, one("a")); c.Groups() != 0 || c.End() != 0 {
		t.Errorf("nothing observed: %d groups until %d", c.Groups(), c.End())
	}
	r.Observe(start, []network.Traffic{series1("a", 1000)})
	r.Observe(start.Add(Step), []network.Traffic{series1("a", 1001)})
	c := read(t, r, Traffic, one("a"))
	if got := c.Increase(0, Sent, 0, c.End()); got != 1 {
		t.Errorf("added %v, want 1", got)
	}
	if got := c.Value(0, Sent, c.End()); got != 1001 {
		t.Errorf("reads %v, want 1001", got)
	}
}

func TestLatencyHasTwoDirections(t *testing.T) {
	t.Parallel()
	if buckets != len(network.FirstByteBounds())+1 {
		t.Fatal("buckets of the network are others")
	}
	r := New()
	r.Observe(start, nil)
	r.Observe(start.Add(Step), []network.Traffic{{
		Labels:   network.Labels{SourceSiteID: "client", DestSiteID: "server", SourceComponentID: "clients"},
		Incoming: network.Histogram{Counts: []uint64{1, 0, 0, 0, 0, 0, 0, 2}},
		Outgoing: network.Histogram{Counts: []uint64{0, 4, 0, 0, 0, 0, 0, 0}},
	}})
	for direction, site := range map[string]string{"incoming": "client", "outgoing": "server"} {
		c := read(t, r, Latency, func(l *Labels) int {
			if l.Direction != direction {
				return -1
			}
			if l.SourceSiteID != site || l.SourceComponentID != "clients" {
				t.Errorf("%s: labels %+v", direction, l)
			}
			return 0
		})
		want := map[string][2]float64{"incoming": {1, 0}, "outgoing": {0, 4}}[direction]
		if got := [2]float64{c.Increase(0, 0, 0, c.End()), c.Increase(0, 1, 0, c.End())}; got != want {
			t.Errorf("%s: %v, want %v", direction, got, want)
		}
	}
}

func TestRequestsHaveMethodAndCode(t *testing.T) {
	t.Parallel()
	r := New()
	r.Observe(start, nil)
	r.Observe(start.Add(Step), []network.Traffic{{
		Labels:   network.Labels{RoutingKey: "web", Protocol: "http1"},
		Requests: []network.RequestCount{{Method: "GET", Code: "2xx", Count: 3}, {Method: "GET", Code: "5xx", Count: 1}, {Method: "POST", Code: "2xx", Count: 5}},
	}})
	groups := map[string]int{"GET": 0, "POST": 1}
	c := read(t, r, Requests, func(l *Labels) int { return groups[l.Method] })
	if a, b := c.Increase(0, 0, 0, c.End()), c.Increase(1, 0, 0, c.End()); a != 4 || b != 5 {
		t.Errorf("GET %v, POST %v", a, b)
	}
	if c := read(t, r, Traffic, func(*Labels) int { return 0 }); c.Groups() != 0 {
		t.Error("requests alone make a series of connections")
	}
}

func TestTwoHoursInStepsTwoDaysInMinutes(t *testing.T) {
	t.Parallel()
	r := New()
	r.Observe(start, nil)
	const steps = 50 * 360 // 50 h
	for i := 1; i <= steps; i++ {
		r.Observe(start.Add(time.Duration(i)*Step), []network.Traffic{series1("a", uint64(i)*10)})
	}
	c := read(t, r, Traffic, one("a"))
	if got := time.UnixMilli(c.End()).Sub(time.UnixMilli(c.Began)); got != 48*time.Hour {
		t.Errorf("%v are known, want 48h", got)
	}
	end := c.End()
	for _, row := range []struct{ back, window time.Duration }{
		{0, time.Minute}, {time.Hour, time.Minute}, {2*time.Hour - time.Minute, 2 * time.Minute}, {47 * time.Hour, time.Minute}, {0, 48 * time.Hour},
	} {
		to := end - row.back.Milliseconds()
		if got := c.Increase(0, Sent, to-row.window.Milliseconds(), to); !near(got, row.window.Seconds()) {
			t.Errorf("%v ago, in %v: %v bytes, want one a second", row.back, row.window, got)
		}
	}
	if n := len(c.times); n < 720+46*60 || n > 720+46*60+8 {
		t.Errorf("%d moments", n)
	}
	if s := r.Stats(); s.Bytes > 60_000 || s.Frames != fineFor+coarseFor {
		t.Errorf("%+v", s)
	}
	few, err := r.Read(Traffic, one("a"), end-time.Minute.Milliseconds())
	if err != nil || len(few.times) > 8 {
		t.Errorf("the last minute takes %d moments, %v", len(few.times), err)
	}
}

// TestIncreaseIsWhatWasAdded compares with sums over all that was observed, at
// moments of observation, for the part that is kept in steps and the one that is
// kept in minutes.
func TestIncreaseIsWhatWasAdded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := NewBounded(10, 1<<20)
		r.Observe(start, nil)
		total := []uint64{0}
		for i := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			total = append(total, total[i]+rapid.Uint64Range(0, 1<<40).Draw(rt, "added")*uint64(rapid.IntRange(0, 1).Draw(rt, "any")))
			r.Observe(start.Add(time.Duration(i+1)*Step), []network.Traffic{series1("a", total[i+1]), series1("b", 1)})
			for len(r.fine.frames) > 9 { // as after two hours
				r.drop(&r.fine)
			}
		}
		c, err := r.Read(Traffic, one("a"), 0)
		if err != nil {
			rt.Fatal(err)
		}
		for i, at := range c.times {
			step := int((at - start.UnixMilli()) / Step.Milliseconds())
			from := int((c.times[0] - start.UnixMilli()) / Step.Milliseconds())
			if got := c.Increase(0, Sent, c.times[0], at); got != float64(total[step]-total[from]) {
				rt.Fatalf("at moment %d, step %d: %v, want %d", i, step, got, total[step]-total[from])
			}
			if got := c.Value(0, Sent, at); got != float64(total[step]) {
				rt.Fatalf("reads %v at step %d, want %d", got, step, total[step])
			}
		}
	})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	r := NewBounded(100, 1500)
	r.Observe(start, nil)
	for i := range 120 {
		var all []network.Traffic
		for k := range 150 { // other ones each time
			all = append(all, series1(fmt.Sprint(i/10, "-", k), uint64(i+1)*1000))
		}
		r.Observe(start.Add(time.Duration(i+1)*Step), all)
		s := r.Stats()
		if s.Series > 100 || s.Bytes > 1500 || len(r.all) > 100 || s.LeftOut < 50 {
			t.Fatalf("step %d: %+v, room for %d", i, s, len(r.all))
		}
	}
	if s := r.Stats(); s.Frames == 0 {
		t.Errorf("nothing is kept: %+v", s)
	}
}

func TestSeriesThatAreGoneGiveUpTheirPlace(t *testing.T) {
	t.Parallel()
	r := NewBounded(10, 1<<20)
	r.Observe(start, nil)
	at := start
	observe := func(n int, all ...network.Traffic) {
		for range n {
			at = at.Add(Step)
			r.Observe(at, all)
		}
	}
	observe(1, series1("a", 5))
	observe(fineFor+10, series1("b", 5))
	if c := read(t, r, Traffic, one("a")); c.Groups() != 1 {
		t.Error("forgotten while minutes know it")
	}
	observe(coarseFor*perMinute, series1("b", 5))
	if c := read(t, r, Traffic, one("a")); c.Groups() != 0 || len(r.free) != 1 {
		t.Errorf("%d groups, %d free", c.Groups(), len(r.free))
	}
	observe(1, series1("b", 5), series1("c", 8))
	if c := read(t, r, Traffic, one("c")); c.Increase(0, Sent, 0, c.End()) != 8 || len(r.all) != 2 {
		t.Errorf("in a place that was free: %d places", len(r.all))
	}
}

func TestClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	r := New()
	r.Observe(start, nil)
	r.Observe(start.Add(Step), []network.Traffic{series1("a", 5)})
	r.Observe(start.Add(-time.Hour), []network.Traffic{series1("a", 6)})
	r.Observe(start.Add(-time.Hour+Step), []network.Traffic{series1("a", 8)})
	c := read(t, r, Traffic, one("a"))
	if got := c.Increase(0, Sent, 0, math.MaxInt64); got != 2 || c.Began != ms(-time.Hour) {
		t.Errorf("added %v since %d", got, c.Began)
	}
}

func TestTooMuch(t *testing.T) {
	t.Parallel()
	r := New()
	r.Observe(start, nil)
	var all []network.Traffic
	for k := range 1000 {
		all = append(all, series1(fmt.Sprint(k), 1))
	}
	r.Observe(start.Add(Step), all)
	for i := range 3 * perMinute * 60 {
		r.Observe(start.Add(time.Duration(i+2)*Step), nil)
	}
	groups := 0
	each := func(*Labels) int { groups++; return 3 * groups }
	if _, err := r.Read(Traffic, each, 0); err != ErrTooMuch {
		t.Errorf("error %v", err)
	}
	groups = 0
	if _, err := r.Read(Traffic, each, start.Add(3*time.Hour).UnixMilli()); err != nil {
		t.Errorf("for a short time: %v", err)
	}
}

func TestLabelNames(t *testing.T) {
	t.Parallel()
	l := Labels{network.Labels{
		SourceSiteID: "source_site_id", SourceSiteName: "source_site_name", SourceComponentID: "source_component_id", SourceComponentName: "source_component_name",
		SourceProcessName: "source_process_name", DestSiteID: "dest_site_id", DestSiteName: "dest_site_name", DestComponentID: "dest_component_id",
		DestComponentName: "dest_component_name", DestProcessName: "dest_process_name", RoutingKey: "routing_key", Protocol: "protocol",
	}, "method", "code", "direction"}
	for _, name := range []string{
		"source_site_id", "source_site_name", "source_component_id", "source_component_name", "source_process_name", "dest_site_id", "dest_site_name",
		"dest_component_id", "dest_component_name", "dest_process_name", "routing_key", "protocol", "method", "code", "direction",
	} {
		if got := l.Label(name); got != name {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := l.Label("le"); got != "" {
		t.Errorf("le: %q", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	r := New()
	all := make([]network.Traffic, 10_000)
	for i := range all {
		all[i] = series1(fmt.Sprint(i), 0)
	}
	at := start
	b.ReportAllocs()
	for b.Loop() {
		for i := range all {
			if i%4 == 0 {
				all[i].Sent += 1500
			}
		}
		at = at.Add(Step)
		r.Observe(at, all)
	}
}

func BenchmarkRead(b *testing.B) {
	r := New()
	all := make([]network.Traffic, 2000)
	for i := range all {
		all[i] = series1(fmt.Sprint(i), 0)
	}
	for s := range fineFor {
		for i := range all {
			all[i].Sent += 1500
		}
		r.Observe(start.Add(time.Duration(s)*Step), all)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(Traffic, func(*Labels) int { return 0 }, 0); err != nil {
			b.Fatal(err)
		}
	}
}
