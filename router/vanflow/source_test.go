package vanflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/amqp"
)

// epoch is when every test starts.
func epoch() time.Time { return time.UnixMicro(1_795_336_990_000_000) }

// everybody listens to everything.
func everybody(string) bool { return true }

// nobody listens to anything.
func nobody(string) bool { return false }

// only listens to the addresses given.
func only(addresses ...string) Usable {
	return func(a string) bool { return slices.Contains(addresses, a) }
}

// transcript prints messages one per line: address, then what it says.
func transcript(t *testing.T, out Output) string {
	t.Helper()
	var b strings.Builder
	for _, p := range out.Send {
		m, err := Decode(p.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if m.To != p.To {
			t.Errorf("message to %s says %s", p.To, m.To)
		}
		switch m.Subject {
		case SubjectBeacon:
			fmt.Fprintf(&b, "%s BEACON %s %s %s %s\n", p.To, m.Source, m.ID, m.Address, m.Direct)
		case SubjectHeartbeat:
			fmt.Fprintf(&b, "%s HEARTBEAT %s +%s\n", p.To, m.ID, m.Now.Sub(epoch()))
		default:
			for i := range m.Records {
				fmt.Fprintf(&b, "%s %s\n", p.To, line(&m.Records[i]))
			}
		}
	}
	return b.String()
}

// line prints a record; times count from the epoch.
func line(r *Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Type, r.Identity)
	for _, a := range r.Attributes {
		switch {
		case a.Code == AttrStartTime || a.Code == AttrEndTime || a.Code == AttrUpTimeStamp || a.Code == AttrDownTimeStamp:
			fmt.Fprintf(&b, " %s=+%s", a.Code, time.UnixMicro(int64(a.Number)).Sub(epoch()))
		case a.Code.IsNumber():
			fmt.Fprintf(&b, " %s=%d", a.Code, a.Number)
		default:
			fmt.Fprintf(&b, " %s=%q", a.Code, a.Text)
		}
	}
	return b.String()
}

func want(t *testing.T, what, got, wanted string) {
	t.Helper()
	wanted = strings.ReplaceAll(strings.TrimLeft(wanted, "\n"), "\t", "")
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// at returns the time so many seconds after the epoch.
func at(seconds float64) time.Time { return epoch().Add(time.Duration(seconds * float64(time.Second))) }

func newWest() *Router {
	return NewRouter(epoch(), RouterConfig{Prefix: "OD1Mr", RouterID: "west-1", Mode: "interior", Version: "1", SiteID: "site"})
}

// TestNobodyListens emits nothing at all.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	r := newWest()
	l := r.Listener(epoch(), "l", "127.0.0.1", "80", "web")
	count(l.Open(at(0.5), "10.0.0.1", "40000")).add(1, 1)
	r.Log(at(0.5), SeverityError, "LOG_X: y", "f", 1)
	for s := range 30 {
		if got := transcript(t, r.Step(at(float64(s)), nobody)); got != "" {
			t.Fatalf("after %d s: %s", s, got)
		}
	}
}

// TestAnnouncements has beacons every 10 s and heartbeats every 2 s, from the
// moment that a collector is there.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	r := newWest()
	usable := only(AddressAll)
	want(t, "nobody", transcript(t, r.Step(at(0), nobody)), "")
	want(t, "the first collector", transcript(t, r.Step(at(1), usable)), "mc/sfe.all BEACON ROUTER OD1Mr:0 mc/sfe.OD1Mr:0 sfe.OD1Mr:0\n")
	want(t, "no heartbeat without its address", transcript(t, r.Step(at(3), usable)), "")
	usable = only(AddressAll, Address(r.ID()))
	var heard []string
	for s := 4; s <= 12; s++ {
		for m := range strings.Lines(transcript(t, r.Step(at(float64(s)), usable))) {
			if !strings.Contains(m, " ROUTER OD1Mr:0 parent") {
				heard = append(heard, fmt.Sprintf("%ds %s", s, m))
			}
		}
	}
	want(t, "steady", strings.Join(heard, ""), `
		5s mc/sfe.OD1Mr:0 HEARTBEAT OD1Mr:0 +5s
		7s mc/sfe.OD1Mr:0 HEARTBEAT OD1Mr:0 +7s
		9s mc/sfe.OD1Mr:0 HEARTBEAT OD1Mr:0 +9s
		11s mc/sfe.all BEACON ROUTER OD1Mr:0 mc/sfe.OD1Mr:0 sfe.OD1Mr:0
		11s mc/sfe.OD1Mr:0 HEARTBEAT OD1Mr:0 +11s
	`)
	want(t, "the collector leaves", transcript(t, r.Step(at(13), nobody)), "")
	want(t, "and comes back", transcript(t, r.Step(at(14), only(AddressAll))), "mc/sfe.all BEACON ROUTER OD1Mr:0 mc/sfe.OD1Mr:0 sfe.OD1Mr:0\n")
}

// listening is an audience of the source's records, flows and logs only.
func (s *source) listening() Usable {
	return only(Address(s.id), AddressFlows(s.id), AddressLogs(s.id))
}

// TestChanges emits a record whole, then what changes, at most once a second,
// then its end.
func TestChanges(t *testing.T) {
	t.Parallel()
	r := newWest()
	k := r.Link(at(0), LinkConfig{Name: "to-east", Role: "inter-router", Cost: 5, Host: "east", Port: "55671", TLS: true, TLSOrdinal: 2})
	want(t, "first", transcript(t, r.Step(at(0), r.listening())), `
		mc/sfe.OD1Mr:0 ROUTER OD1Mr:0 parent="site" startTime=+0s mode="interior" name="0/west-1" buildVersion="1"
		mc/sfe.OD1Mr:0 LINK OD1Mr:1 parent="OD1Mr:0" startTime=+0s destHost="east" protocol="amqps" destPort="55671" octets=0 name="to-east" linkCost=5 operStatus="down" role="inter-router" downCount=0 octetsReverse=0 activeTlsOrdinal=2 httpProxy="no"
	`)
	k.Down(at(0.1), "proton:io", "refused")
	k.Down(at(0.2), "proton:io", "refused again")
	want(t, "too soon", transcript(t, r.Step(at(0.5), r.listening())), "")
	want(t, "two failed attempts", transcript(t, r.Step(at(1), r.listening())),
		`mc/sfe.OD1Mr:0 LINK OD1Mr:1 result="proton:io" reason="refused again" downTimeStamp=+100ms downCount=1`+"\n")
	k.Up(at(1.5), "X+Iln:1")
	k.AddOctets(10, 20)
	k.AddOctets(1, 0)
	want(t, "up", transcript(t, r.Step(at(2), r.listening())),
		`mc/sfe.OD1Mr:0 LINK OD1Mr:1 peer="X+Iln:1" octets=11 operStatus="up" upTimeStamp=+1.5s octetsReverse=20`+"\n")
	want(t, "nothing new", transcript(t, r.Step(at(3), r.listening())), "")
	k.Down(at(3.5), "amqp:connection:forced", "gone")
	want(t, "lost", transcript(t, r.Step(at(4), r.listening())),
		`mc/sfe.OD1Mr:0 LINK OD1Mr:1 result="amqp:connection:forced" reason="gone" operStatus="down" downTimeStamp=+3.5s downCount=2`+"\n")
	k.End(at(4.5))
	k.Up(at(4.6), "late")
	k.Down(at(4.7), "late", "late")
	want(t, "ended", transcript(t, r.Step(at(5), r.listening())), `mc/sfe.OD1Mr:0 LINK OD1Mr:1 endTime=+4.5s`+"\n")
	if len(r.entries) != 1 {
		t.Errorf("%d records retained, want the router's", len(r.entries))
	}
	want(t, "gone", transcript(t, r.Step(at(6), r.listening())), "")
}

// TestFlush emits every live record again, whole; two commands count once.
func TestFlush(t *testing.T) {
	t.Parallel()
	r := newWest()
	a := r.Access(at(0), "inter", "inter-router")
	l := r.Listener(at(0), "l", "127.0.0.1", "80", "web")
	f := l.Open(at(0.5), "10.0.0.1", "40000")
	r.Step(at(1), r.listening())
	a.SetConns(2)
	a.SetTLSOrdinal(7)
	count(f).add(5, 0)
	r.Command(Flush(r.Direct()).Payload)
	r.Command(Flush(r.Direct()).Payload)
	r.Command([]byte("no message"))
	want(t, "flushed", transcript(t, r.Step(at(2), r.listening())), `
		mc/sfe.OD1Mr:0 ROUTER OD1Mr:0 parent="site" startTime=+0s mode="interior" name="0/west-1" buildVersion="1"
		mc/sfe.OD1Mr:0 ROUTER_ACCESS OD1Mr:1 parent="OD1Mr:0" startTime=+0s name="inter" linkCount=2 role="inter-router" activeTlsOrdinal=7
		mc/sfe.OD1Mr:0 LISTENER OD1Mr:2 parent="OD1Mr:0" startTime=+0s destHost="127.0.0.1" protocol="tcp" destPort="80" vanAddress="web" name="l" flowCountL4=1
		mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:3 parent="OD1Mr:2" startTime=+500ms sourceHost="10.0.0.1" sourcePort="40000" octets=5 octetsReverse=0
	`)
	want(t, "once", transcript(t, r.Step(at(3), r.listening())), "")
}

// TestEndedUnheard forgets records that nobody knows of.
func TestEndedUnheard(t *testing.T) {
	t.Parallel()
	r := newWest()
	r.Listener(at(0), "l", "127.0.0.1", "80", "web").End(at(0))
	r.Step(at(1), nobody)
	if len(r.entries) != 1 {
		t.Errorf("%d records retained, want 1", len(r.entries))
	}
}

// TestSiteOfRouter has the router emit the site when its id is unknown.
func TestSiteOfRouter(t *testing.T) {
	t.Parallel()
	r := NewRouter(epoch(), RouterConfig{
		Prefix: "abcde", RouterID: "edge-b", Mode: "edge", Version: "1", Hostname: "host",
		Site: &Site{Name: "edge-b", Platform: "linux", Version: "2.1.0"},
	})
	want(t, "site", transcript(t, r.Step(at(0), r.listening())), `
		mc/sfe.abcde:0 SITE abcde:1 startTime=+0s platform="linux" name="edge-b" buildVersion="2.1.0"
		mc/sfe.abcde:0 ROUTER abcde:0 parent="abcde:1" startTime=+0s mode="edge" hostname="host" name="0/edge-b" buildVersion="1"
	`)
}

// TestManyRecords has at most 50 records in a message and at most 256 messages
// in a step.
func TestManyRecords(t *testing.T) {
	t.Parallel()
	r := newWest()
	const records = 13000
	for i := range records {
		r.Connector(at(0), fmt.Sprint("c", i), "127.0.0.1", "80", "web", "")
	}
	total, steps := 0, 0
	for ; total < records+1 && steps < 10; steps++ {
		out := r.Step(at(float64(steps)), r.listening())
		if len(out.Send) > messagesPerStep+1 {
			t.Errorf("%d messages in a step", len(out.Send))
		}
		for _, p := range out.Send {
			m, err := Decode(p.Payload)
			if err != nil || len(m.Records) > recordsPerMessage {
				t.Fatalf("%d records in a message, error %v", len(m.Records), err)
			}
			total += len(m.Records)
		}
	}
	if total != records+1 || steps != 2 {
		t.Errorf("%d records in %d steps", total, steps)
	}
}

// TestFinish ends everything at once.
func TestFinish(t *testing.T) {
	t.Parallel()
	r := newWest()
	l := r.Listener(at(0), "l", "127.0.0.1", "80", "web")
	l.Open(at(0.5), "10.0.0.1", "40000")
	r.Step(at(1), r.listening())
	want(t, "finish", transcript(t, r.Finish(at(2), r.listening())), `
		mc/sfe.OD1Mr:0 ROUTER OD1Mr:0 endTime=+2s
		mc/sfe.OD1Mr:0 LISTENER OD1Mr:1 endTime=+2s
		mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 endTime=+2s
	`)
}

// TestMessageTypes checks what upstream's collectors insist on: the exact AMQP
// type of every field.
func TestMessageTypes(t *testing.T) {
	t.Parallel()
	r := newWest()
	out := r.Step(at(0), everybody)
	var subjects []string
	for i, p := range out.Send {
		m, err := amqp.ParseMessage(p.Payload)
		if err != nil {
			t.Fatal(err)
		}
		subjects = append(subjects, m.Properties.Subject)
		if m.Header != nil || m.Properties.MessageID != uint64(i) || m.Kind != amqp.BodyValue {
			t.Errorf("message %d: %+v", i, m)
		}
		switch m.Properties.Subject {
		case "BEACON":
			_, isUint := m.ApplicationProperties.Get("v").(uint32)
			_, isString := m.ApplicationProperties.Get("id").(string)
			if !isUint || !isString || m.Value != nil {
				t.Errorf("beacon %+v", m)
			}
		case "HEARTBEAT":
			if _, isUlong := m.ApplicationProperties.Get("now").(uint64); !isUlong || m.Value != nil {
				t.Errorf("heartbeat %+v", m)
			}
		case "RECORD":
			for _, pair := range m.Value.(amqp.List)[0].(amqp.Map) {
				code, isUint := pair.Key.(uint32)
				if !isUint {
					t.Errorf("key %v of type %T", pair.Key, pair.Key)
				}
				switch pair.Value.(type) {
				case uint32:
					if Code(code) != AttrRecordType {
						t.Errorf("attribute %d is a uint", code)
					}
				case uint64, string:
				default:
					t.Errorf("attribute %d of type %T", code, pair.Value)
				}
			}
		}
	}
	if !slices.Equal(subjects, []string{"BEACON", "HEARTBEAT", "RECORD"}) {
		t.Errorf("messages %v", subjects)
	}
}

// TestFlushFlood answers any number of commands once a second, with what there
// is and no more.
func TestFlushFlood(t *testing.T) {
	t.Parallel()
	r := newWest()
	l := r.Listener(at(0), "l", "127.0.0.1", "80", "web")
	for range 2 * maxFlows {
		l.Open(at(0), "10.0.0.1", "1")
	}
	r.Step(at(0), everybody)
	for s := 1; s <= 3; s++ {
		for range 1000 {
			r.Command(Flush(r.Direct()).Payload)
		}
		records := 0
		for step := range 10 {
			for _, p := range r.Step(at(float64(s)+float64(step)/10), r.listening()).Send {
				m, err := Decode(p.Payload)
				if err != nil {
					t.Fatal(err)
				}
				records += len(m.Records)
			}
		}
		if records != 2+maxFlows {
			t.Errorf("%d records in a second, want %d", records, 2+maxFlows)
		}
	}
}
