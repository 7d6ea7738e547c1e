package vanflow

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

func newEast() *Router {
	return NewRouter(epoch(), RouterConfig{Prefix: "X+Iln", RouterID: "east-1", Mode: "interior", Version: "1", SiteID: "east"})
}

// octets are the counters of a flow.
type octets struct{ in, out atomic.Uint64 }

func count(f *Flow) *octets {
	o := &octets{}
	f.Count(&o.in, &o.out)
	return o
}

func (o *octets) add(in, out uint64) {
	o.in.Add(in)
	o.out.Add(out)
}

// reaching is an audience that is a router of listeners.
func reaching(r *Router) Usable { return only(r.CoRecordAddress()) }

// deliver hands the co-records of one router to the other.
func deliver(from Output, to *Router) {
	for _, p := range from.Send {
		if p.To == to.CoRecordAddress() {
			to.CoRecords(p.Payload)
		}
	}
}

// TestFlowAcrossRouters follows one connection through the routers of its
// listener and its connector.
func TestFlowAcrossRouters(t *testing.T) {
	t.Parallel()
	west, east := newWest(), newEast()
	l := west.Listener(at(0), "listener/echo", "127.0.0.1", "41101", "echo")
	c := east.Connector(at(0), "connector/echo", "127.0.0.1", "42201", "echo", "proc")
	flows := only(AddressFlows(west.ID()))

	f := l.Open(at(0.2), "10.1.2.3", "33834")
	co := c.Open(f.Identity(), []string{"0/west-1"})
	want(t, "opened", transcript(t, west.Step(at(1), flows)),
		`mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 parent="OD1Mr:1" startTime=+200ms sourceHost="10.1.2.3" sourcePort="33834" octets=0 octetsReverse=0`+"\n")

	co.Connected("127.0.0.1", "54636")
	co.SetLatency(3484 * time.Microsecond)
	out := east.Step(at(1), reaching(west))
	want(t, "co-record", transcript(t, out),
		`vfcr.OD1Mr:0 BIFLOW_TPORT OD1Mr:2 trace="0/west-1" connector="X+Iln:1" processLatency=3484 proxyHost="127.0.0.1" proxyPort="54636"`+"\n")
	deliver(out, west)
	octets := count(f)
	octets.add(1000, 0)
	octets.add(0, 1000)
	f.SetLatency(3048 * time.Microsecond)
	f.SetLatency(time.Hour)
	want(t, "merged", transcript(t, west.Step(at(2), flows)),
		`mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 octets=1000 latency=3048 trace="0/west-1" octetsReverse=1000 connector="X+Iln:1" processLatency=3484 proxyHost="127.0.0.1" proxyPort="54636"`+"\n")
	octets.add(1, 0)
	want(t, "counted", transcript(t, west.Step(at(3), flows)), `mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 octets=1001`+"\n")

	co.Fail("reset")
	co.Close(at(0))
	co.Close(at(0))
	deliver(east.Step(at(4), reaching(west)), west)
	f.Fail("broken pipe")
	f.Close(at(4))
	f.Close(at(9))
	want(t, "ended, not yet emitted", transcript(t, west.Step(at(8), flows)), "")
	want(t, "end", transcript(t, west.Step(at(9), flows)),
		`mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 endTime=+4s trace="0/west-1" connector="X+Iln:1" processLatency=3484 proxyHost="127.0.0.1" proxyPort="54636" errorListenerSide="broken pipe" errorConnectorSide="reset"`+"\n")
	if n, m := west.flows.alive.Load(), east.flows.alive.Load(); n != 0 || m != 0 {
		t.Errorf("%d and %d flows alive", n, m)
	}
}

// TestFlowInOneRouter writes the connector's part directly.
func TestFlowInOneRouter(t *testing.T) {
	t.Parallel()
	r := newWest()
	f := r.Listener(at(0), "l", "127.0.0.1", "80", "web").Open(at(0), "10.0.0.1", "1")
	co := r.Connector(at(0), "c", "127.0.0.1", "81", "web", "").Open(f.Identity(), nil)
	co.Connected("127.0.0.1", "2")
	co.Close(at(0))
	count(f).add(3, 4)
	f.Close(at(0.1))
	want(t, "short connection", transcript(t, r.Step(at(1), only(AddressFlows(r.ID())))), "")
	want(t, "in one record", transcript(t, r.Step(at(6), only(AddressFlows(r.ID())))),
		`mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 parent="OD1Mr:1" startTime=+0s endTime=+100ms sourceHost="10.0.0.1" sourcePort="1" octets=3 trace="Local" octetsReverse=4 connector="OD1Mr:3" proxyHost="127.0.0.1" proxyPort="2"`+"\n")
}

// TestFlowUnheard costs nothing and is not kept once it ended.
func TestFlowUnheard(t *testing.T) {
	t.Parallel()
	r := newWest()
	l := r.Listener(at(0), "l", "127.0.0.1", "80", "web")
	for range 100 {
		l.Open(at(0), "10.0.0.1", "1").Close(at(0.5))
	}
	want(t, "nobody", transcript(t, r.Step(at(1), nobody)), "")
	if n := r.flows.alive.Load(); n != 0 {
		t.Errorf("%d flows alive", n)
	}
}

// TestCorrelationIDs takes the identities that routers make, nothing else.
func TestCorrelationIDs(t *testing.T) {
	t.Parallel()
	c := newEast().Connector(at(0), "c", "h", "1", "a", "")
	for id, ok := range map[string]bool{
		"OD1Mr:2":                            true,
		"+_09z:18446744073709551615":         true,
		"":                                   false,
		"OD1Mr:":                             false,
		"OD1Mr2":                             false,
		"OD1M:23":                            false,
		"OD1Mr0:2":                           false,
		"OD1Mr:-2":                           false,
		"OD1Mr:2x":                           false,
		"OD1Mr:" + "12345678901234567890123": false,
		"11111111-aaaa-4aaa-8aaa-11111":      false,
		"X+Iln:77":                           false, // ours, but no such flow
		"X+Iln:99999999999999999999":         false,
	} {
		if got := c.Open(id, nil) != nil; got != ok {
			t.Errorf("correlation id %q: record %v", id, got)
		}
	}
	if n := c.counts[countFlows].value.Load(); n != 14 {
		t.Errorf("%d connections counted, want all 13 and that of the connector to the router", n)
	}
}

// TestNilFlow has methods that do nothing.
func TestNilFlow(t *testing.T) {
	t.Parallel()
	var f *Flow
	count(f)
	f.SetLatency(time.Second)
	f.Fail("x")
	f.Close(at(0))
	if f.Identity() != "" {
		t.Errorf("identity %q", f.Identity())
	}
	var c *CoFlow
	c.Connected("h", "1")
	c.SetLatency(time.Second)
	c.Fail("x")
	c.Close(at(0))
}

// TestFlowLimit refuses records beyond 5,000 until the count is back at 4,990.
func TestFlowLimit(t *testing.T) {
	t.Parallel()
	r := newWest()
	l := r.Listener(at(0), "l", "127.0.0.1", "80", "web")
	c := r.Connector(at(0), "c", "127.0.0.1", "80", "web", "")
	var open []*Flow
	for range maxFlows {
		open = append(open, l.Open(at(0), "10.0.0.1", "1"))
	}
	if open[maxFlows-1] == nil {
		t.Fatal("the last flow within the limit has no record")
	}
	if l.Open(at(0), "10.0.0.1", "1") != nil || c.Open("X+Iln:1", nil) != nil {
		t.Error("a flow beyond the limit has a record")
	}
	closed := func(n int) {
		for _, f := range open[:n] {
			f.Close(at(0))
		}
		open = open[n:]
		r.emit = time.Time{}
		r.Step(at(1), nobody)
	}
	closed(9)
	if l.Open(at(1), "10.0.0.1", "1") != nil {
		t.Error("a flow has a record before the count fell to 4,990")
	}
	closed(2)
	if l.Open(at(1), "10.0.0.1", "1") == nil {
		t.Error("a flow has no record after the count fell to 4,990")
	}
	if n := l.counts[countFlows].value.Load(); n != maxFlows+3 {
		t.Errorf("%d connections counted", n)
	}
}

// TestForeignCoRecords ignores what does not belong to a live flow.
func TestForeignCoRecords(t *testing.T) {
	t.Parallel()
	r := newWest()
	f := r.Listener(at(0), "l", "127.0.0.1", "80", "web").Open(at(0), "10.0.0.1", "1")
	long := strings.Repeat("é", 1000)
	for _, p := range AppendRecords(nil, r.CoRecordAddress(), 0, []Record{
		{Type: TypeListener, Identity: f.Identity(), Attributes: []Attribute{Text(AttrTrace, "listener")}},
		{Type: TypeBiflowTport, Identity: "OD1Mr:999", Attributes: []Attribute{Text(AttrTrace, "unknown")}},
		{Type: TypeBiflowTport, Identity: "other:2", Attributes: []Attribute{Text(AttrTrace, "other")}},
		{Type: TypeBiflowTport, Identity: f.Identity(), Attributes: []Attribute{
			Text(AttrParent, "stolen"), Number(AttrEndTime, 1), Number(AttrOctets, 99), Text(AttrProxyHost, long), Text(AttrErrorConnectorSide, "refused"),
		}},
	}) {
		r.CoRecords(p.Payload)
	}
	r.CoRecords([]byte{0})
	r.CoRecords(Flush("x").Payload)
	want(t, "only the connector's attributes", transcript(t, r.Step(at(1), only(AddressFlows(r.ID())))),
		`mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 parent="OD1Mr:1" startTime=+0s sourceHost="10.0.0.1" sourcePort="1" octets=0 octetsReverse=0 proxyHost="`+
			strings.Repeat("é", maxText/2)+`" errorConnectorSide="refused"`+"\n")
}

// TestFlowsConcurrently opens, counts and closes flows from many goroutines
// while the source steps.
func TestFlowsConcurrently(t *testing.T) {
	t.Parallel()
	west, east := newWest(), newEast()
	l := west.Listener(at(0), "l", "127.0.0.1", "80", "web")
	c := east.Connector(at(0), "c", "127.0.0.1", "80", "web", "")
	k := west.Link(at(0), LinkConfig{Name: "k", Role: "inter-router"})
	const workers, each = 8, 100
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				f := l.Open(at(0), "10.0.0.1", "1")
				co := c.Open(f.Identity(), []string{"0/west-1"})
				count(f).add(10, 20)
				k.AddOctets(1, 2)
				k.Up(at(0), "peer")
				co.Connected("127.0.0.1", "2")
				f.Fail("x")
				co.Close(at(0))
				f.Close(at(0))
			}
		})
	}
	ended := map[string]uint64{}
	step := func(now time.Time) {
		deliver(east.Step(now, everybody), west)
		for _, p := range west.Step(now, everybody).Send {
			m, err := Decode(p.Payload)
			if err != nil {
				t.Error(err)
			}
			for i := range m.Records {
				if r := &m.Records[i]; r.Type == TypeBiflowTport && r.Ended() {
					ended[r.Identity] = r.Number(AttrOctets)
				}
			}
		}
	}
	for s := range 20 {
		step(at(float64(s) / 10))
	}
	wg.Wait()
	for s := 10; s < 20; s++ {
		step(at(float64(s)))
	}
	if len(ended) != workers*each {
		t.Errorf("%d flows ended, want %d", len(ended), workers*each)
	}
	if n, m := west.flows.alive.Load(), east.flows.alive.Load(); n != 0 || m != 0 {
		t.Errorf("%d and %d flows alive", n, m)
	}
}

// TestCoRecordsWait keeps co-records while the listener's router is out of
// reach: as long as the connection is open, and then as long as the record.
func TestCoRecordsWait(t *testing.T) {
	t.Parallel()
	west, east := newWest(), newEast()
	c := east.Connector(at(0), "c", "127.0.0.1", "80", "web", "")
	kept, ended, late := c.Open("OD1Mr:7", nil), c.Open("OD1Mr:8", nil), c.Open("OD1Mr:9", nil)
	late.Close(at(0))
	want(t, "out of reach", transcript(t, east.Step(at(1), nobody)), "")
	kept.SetLatency(time.Millisecond)
	for s := 2; s < 60; s++ {
		east.Step(at(float64(s)), nobody)
	}
	ended.Close(at(59.5))
	if n := east.flows.alive.Load(); n != 2 {
		t.Errorf("%d flows alive, want 2", n)
	}
	want(t, "in reach", transcript(t, east.Step(at(60), reaching(west))), `
		vfcr.OD1Mr:0 BIFLOW_TPORT OD1Mr:7 connector="X+Iln:1" processLatency=1000
		vfcr.OD1Mr:0 BIFLOW_TPORT OD1Mr:8 connector="X+Iln:1"
	`)
	want(t, "once", transcript(t, east.Step(at(61), reaching(west))), "")
	kept.Close(at(61))
	kept.SetLatency(time.Second)
	want(t, "again at the end", transcript(t, east.Step(at(62), reaching(west))),
		`vfcr.OD1Mr:0 BIFLOW_TPORT OD1Mr:7 connector="X+Iln:1" processLatency=1000`+"\n")
	if n := east.flows.alive.Load(); n != 0 {
		t.Errorf("%d flows alive", n)
	}
}

// TestNoNewsOfCoRecord does not emit again what was there before.
func TestNoNewsOfCoRecord(t *testing.T) {
	t.Parallel()
	west, east := newWest(), newEast()
	f := west.Listener(at(0), "l", "127.0.0.1", "80", "web").Open(at(0), "10.0.0.1", "1")
	east.Connector(at(0), "c", "127.0.0.1", "81", "web", "").Open(f.Identity(), nil)
	out := east.Step(at(1), reaching(west))
	deliver(out, west)
	flows := only(AddressFlows(west.ID()))
	want(t, "first", transcript(t, west.Step(at(1), flows)),
		`mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 parent="OD1Mr:1" startTime=+0s sourceHost="10.0.0.1" sourcePort="1" octets=0 octetsReverse=0 connector="X+Iln:1"`+"\n")
	deliver(out, west)
	want(t, "again", transcript(t, west.Step(at(2), flows)), "")
}

// TestEndsWait emits what ended while collectors had lost their way to this
// router, if they come back before they forget it.
func TestEndsWait(t *testing.T) {
	t.Parallel()
	r := newWest()
	l, k := r.Listener(at(0), "l", "127.0.0.1", "80", "web"), r.Listener(at(0), "k", "127.0.0.1", "81", "web")
	f, g := l.Open(at(0), "10.0.0.1", "1"), l.Open(at(0), "10.0.0.1", "2")
	r.Step(at(1), r.listening())
	unknown := l.Open(at(1.5), "10.0.0.1", "3")
	for _, x := range []*Flow{f, unknown} {
		x.Close(at(2))
	}
	l.End(at(2))
	for s := 2; s < 30; s++ {
		want(t, "nobody", transcript(t, r.Step(at(float64(s)), nobody)), "")
	}
	want(t, "back", transcript(t, r.Step(at(30), r.listening())), `
		mc/sfe.OD1Mr:0 LISTENER OD1Mr:1 endTime=+2s flowCountL4=3
		mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:3 endTime=+2s
	`)
	g.Close(at(31))
	k.End(at(31))
	for s := 31; s < 62; s++ {
		want(t, "nobody", transcript(t, r.Step(at(float64(s)), nobody)), "")
	}
	want(t, "too late", transcript(t, r.Step(at(62), r.listening())), "")
	if n := r.flows.alive.Load(); n != 0 || len(r.entries) != 1 {
		t.Errorf("%d flows and %d records left", n, len(r.entries))
	}
}

// TestEndsGiveWay has ended flows that nobody hears of leave their places to new
// ones.
func TestEndsGiveWay(t *testing.T) {
	t.Parallel()
	r := newWest()
	l := r.Listener(at(0), "l", "127.0.0.1", "80", "web")
	var open []*Flow
	for range maxFlows {
		open = append(open, l.Open(at(0), "10.0.0.1", "1"))
	}
	r.Step(at(1), r.listening())
	for _, f := range open {
		f.Close(at(2))
	}
	r.Step(at(3), nobody)
	if l.Open(at(3), "10.0.0.1", "1") != nil {
		t.Error("a flow too many")
	}
	r.Step(at(4), nobody)
	if l.Open(at(4), "10.0.0.1", "1") == nil {
		t.Error("no place")
	}
}

// TestCoRecordsByRouter batches co-records per listener's router.
func TestCoRecordsByRouter(t *testing.T) {
	t.Parallel()
	r := newEast()
	c := r.Connector(at(0), "c", "127.0.0.1", "80", "web", "")
	for i := range 120 {
		c.Open(fmt.Sprintf("west%d:%d", i%2, i), nil)
	}
	counts := map[string][]int{}
	for _, p := range r.Step(at(1), everybody).Send {
		m, err := Decode(p.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.To, "vfcr.") {
			continue
		}
		counts[p.To] = append(counts[p.To], len(m.Records))
	}
	if got, want := fmt.Sprint(counts), "map[vfcr.west0:0:[50 10] vfcr.west1:0:[50 10]]"; got != want {
		t.Errorf("records in messages %s, want %s", got, want)
	}
}

func BenchmarkOpenClose(b *testing.B) {
	r := newWest()
	l := r.Listener(at(0), "l", "127.0.0.1", "80", "web")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f := l.Open(at(0), "10.0.0.1", "1")
			count(f).add(1, 1)
			f.Close(at(0))
			if f != nil {
				r.flows.remove(f)
			}
		}
	})
}

// BenchmarkStepFlows is the price of a second with 5,000 live flows that all
// changed.
func BenchmarkStepFlows(b *testing.B) {
	r := newWest()
	l := r.Listener(at(0), "l", "127.0.0.1", "80", "web")
	var open []*octets
	for range maxFlows {
		open = append(open, count(l.Open(at(0), "10.0.0.1", "1")))
	}
	r.Step(at(0), everybody)
	b.ReportAllocs()
	for i := 1; b.Loop(); i++ {
		for _, f := range open {
			f.add(1, 1)
		}
		r.Step(at(float64(i)), everybody)
	}
}

// TestCountingDoesNotAllocate covers what runs for every read and write.
func TestCountingDoesNotAllocate(t *testing.T) {
	r := newWest()
	f := r.Listener(at(0), "l", "127.0.0.1", "80", "web").Open(at(0), "10.0.0.1", "1")
	octets := count(f)
	k := r.Link(at(0), LinkConfig{Name: "k"})
	if n := testing.AllocsPerRun(100, func() {
		octets.add(1, 2)
		f.SetLatency(time.Millisecond)
		k.AddOctets(1, 2)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecode decodes anything; what it understands it encodes and decodes to
// the same.
func FuzzDecode(f *testing.F) {
	for _, name := range recordings(f) {
		for _, r := range recording(f, name) {
			f.Add(r.payload(f))
		}
	}
	f.Add(Flush("sfe.x").Payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := Decode(payload)
		if err != nil {
			return
		}
		newWest().CoRecords(payload)
		i := 0
		for _, p := range AppendRecords(nil, "to", 0, m.Records) {
			again, err := Decode(p.Payload)
			if err != nil || again.Skipped != 0 {
				t.Fatalf("%d skipped, error %v", again.Skipped, err)
			}
			for j := range again.Records {
				if len(again.Records[j].Attributes) != len(m.Records[i].Attributes) {
					t.Fatalf("record %s\nbecame %s", line(&m.Records[i]), line(&again.Records[j]))
				}
				i++
			}
		}
		if i != len(m.Records) {
			t.Fatalf("%d of %d records", i, len(m.Records))
		}
	})
}

// TestDecodeLenient accepts what a collector of upstream would not.
func TestDecodeLenient(t *testing.T) {
	t.Parallel()
	body := amqp.List{
		amqp.Map{{Key: uint64(1), Value: amqp.Symbol("a")}, {Key: int32(23), Value: int8(5)}, {Key: int64(0), Value: uint8(16)}},
		amqp.Map{
			{Key: uint32(0), Value: uint32(0)},
			{Key: uint32(1), Value: "b"},
			{Key: uint32(23), Value: "no number"},
			{Key: uint32(30), Value: uint32(7)},
			{Key: uint32(99), Value: "unknown"},
			{Key: "text", Value: "key"},
			{Key: uint32(3), Value: amqp.Timestamp(9)},
			{Key: uint32(4), Value: int64(-1)},
		},
		amqp.Map{{Key: uint32(0), Value: uint32(18)}, {Key: uint32(1), Value: "type"}},
		amqp.Map{{Key: uint32(0), Value: uint32(1)}},
		amqp.Map{{Key: uint32(1), Value: "no type"}},
		amqp.Map{{Key: uint32(0), Value: uint32(1)}, {Key: uint32(1), Value: uint16(3)}},
		"no map",
	}
	m, err := Decode((&amqp.Message{Properties: &amqp.Properties{Subject: "RECORD"}, Kind: amqp.BodyValue, Value: body}).Append(nil))
	if err != nil || m.Skipped != 5 || len(m.Records) != 2 {
		t.Fatalf("%d records, %d skipped, error %v", len(m.Records), m.Skipped, err)
	}
	if got, want := line(&m.Records[0]), "BIFLOW_TPORT a octets=5"; got != want {
		t.Errorf("record %s, want %s", got, want)
	}
	if got := m.Records[1]; got.Identity != "b" || got.Type != TypeSite || len(got.Attributes) != 1 || got.Number(AttrStartTime) != 9 {
		t.Errorf("record %+v", got)
	}
}
