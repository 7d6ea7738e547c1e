package vanflow

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script drives a source through what a router of upstream told of some of its
// records, one emission after another.
type script struct {
	r    *Router
	live map[string]any // *Link, *Access, *Listener and *Connector by identity
}

// newScript returns a router without records of its own, under the name of one
// in the recordings.
func newScript(prefix string) *script {
	return &script{r: NewRouter(epoch(), RouterConfig{Prefix: prefix}), live: map[string]any{}}
}

// made gives the script the records of a router that was made before.
func made(r *Router) *script {
	s := &script{r: r, live: map[string]any{}}
	for _, e := range r.entries {
		if e.record.Type == TypeLink {
			s.live[e.Identity()] = &Link{e}
		}
	}
	return s
}

// play does what makes a router emit x.
func (s *script) play(t *testing.T, x *Record) {
	t.Helper()
	if s.live[x.Identity] == nil {
		n, err := strconv.ParseUint(x.Identity[prefixLength+1:], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s.r.next.Store(n)
		s.live[x.Identity] = s.create(t, x)
	}
	end, ended := when(x, AttrEndTime), x.Ended()
	switch e := s.live[x.Identity].(type) {
	case *Link:
		s.playLink(e, x)
		if ended {
			e.End(end)
		}
	case *Access:
		if _, ok := x.find(AttrLinkCount); ok {
			e.SetConns(int(x.Number(AttrLinkCount)))
		}
		if n := x.Number(AttrActiveTLSOrdinal); n != 0 {
			e.SetTLSOrdinal(n)
		}
		if ended {
			e.End(end)
		}
	case *Listener:
		for e.counts[countFlows].value.Load() < x.Number(AttrFlowCountL4) {
			e.Open(epoch(), "10.0.0.1", "1")
		}
		if ended {
			e.End(end)
		}
	case *Connector:
		for e.counts[countFlows].value.Load() < x.Number(AttrFlowCountL4) {
			e.Open("", nil)
		}
		if ended {
			e.End(end)
		}
	}
}

func (s *script) create(t *testing.T, x *Record) any {
	t.Helper()
	start := when(x, AttrStartTime)
	switch x.Type {
	case TypeLink:
		k := s.r.Link(start, LinkConfig{Name: x.Text(AttrName), Role: x.Text(AttrRole), Cost: x.Number(AttrLinkCost), Port: x.Text(AttrDestPort)})
		if n := x.Number(AttrActiveTLSOrdinal); n != 0 {
			k.Set(Number(AttrActiveTLSOrdinal, n))
		}
		return k
	case TypeRouterAccess:
		return s.r.Access(start, x.Text(AttrName), x.Text(AttrRole))
	case TypeListener:
		return s.r.Listener(start, x.Text(AttrName), x.Text(AttrDestHost), x.Text(AttrDestPort), x.Text(AttrVanAddress))
	case TypeConnector:
		return s.r.Connector(start, x.Text(AttrName), x.Text(AttrDestHost), x.Text(AttrDestPort), x.Text(AttrVanAddress), x.Text(AttrProcess))
	default:
		t.Fatalf("a %s in the script", x.Type)
	}
	return nil
}

func (s *script) playLink(k *Link, x *Record) {
	sent, received := k.Octets()
	if n := x.Number(AttrOctets); n > 0 {
		k.AddOctets(n-sent, 0)
	}
	if n := x.Number(AttrOctetsReverse); n > 0 {
		k.AddOctets(0, n-received)
	}
	switch x.Text(AttrOperStatus) {
	case "up":
		k.Up(when(x, AttrUpTimeStamp), x.Text(AttrPeer))
	case "down":
		k.Down(when(x, AttrDownTimeStamp), x.Text(AttrResult), x.Text(AttrReason))
	}
}

// emitted returns what the source says of a record in its next step.
func (s *script) emitted(t *testing.T, now time.Time, identity string) (found []Record) {
	t.Helper()
	for _, p := range s.r.Step(now, only(Address(s.r.ID()))).Send {
		m, err := Decode(p.Payload)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.Records {
			if m.Records[i].Identity == identity {
				found = append(found, m.Records[i])
			}
		}
	}
	return found
}

// TestChangesAsUpstream makes the changes of the recordings and emits the same
// as upstream's routers, emission by emission.
func TestChangesAsUpstream(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		recording string
		records   []string
		script    func(t *testing.T, prefix string) *script
	}{
		{"deltas-create-count-delete", []string{"OD1Mr:15", "OD1Mr:19", "OD1Mr:22", "X+Iln:7", "X+Iln:8"}, nil},
		{"link-tls", []string{"5rT6F:38", "X+Iln:26"}, nil},
		{"link-down-restart", []string{"X+Iln:1"}, func(t *testing.T, prefix string) *script {
			t.Helper()
			r := rebuild(t, fullState(t, prefix+":0"))
			r.Step(at(0), r.listening())
			return made(r)
		}},
	} {
		for _, identity := range tt.records {
			t.Run(tt.recording+" "+identity, func(t *testing.T) {
				t.Parallel()
				s := newScript(identity[:prefixLength])
				if tt.script != nil {
					s = tt.script(t, identity[:prefixLength])
				}
				emissions := 0
				for _, r := range recording(t, tt.recording) {
					m, err := Decode(r.payload(t))
					if err != nil {
						t.Fatal(err)
					}
					for i := range m.Records {
						x := &m.Records[i]
						if x.Identity != identity {
							continue
						}
						emissions++
						s.play(t, x)
						if diff := cmp.Diff([]Record{*x}, s.emitted(t, at(float64(emissions)), identity)); diff != "" {
							t.Errorf("emission %d (-upstream +ours):\n%s", emissions, diff)
						}
					}
				}
				if emissions == 0 {
					t.Error("nothing recorded")
				}
			})
		}
	}
}

// TestLogsAsUpstream logs what upstream's routers have logged.
func TestLogsAsUpstream(t *testing.T) {
	t.Parallel()
	r := newEast()
	logged := 0
	for i, rec := range recording(t, "logs") {
		m, err := Decode(rec.payload(t))
		if err != nil {
			t.Fatal(err)
		}
		for j := range m.Records {
			x := &m.Records[j]
			if x.Type != TypeLog || x.Text(AttrParent) != r.ID() {
				continue
			}
			n, err := strconv.ParseUint(x.Identity[prefixLength+1:], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			r.next.Store(n)
			r.Log(when(x, AttrStartTime), Severity(x.Number(AttrLogSeverity)), x.Text(AttrLogText), x.Text(AttrSourceFile), int(x.Number(AttrSourceLine)))
			out := r.Step(at(float64(logged)), only(AddressLogs(r.ID())))
			want := AppendRecords(nil, AddressLogs(r.ID()), 0, m.Records[j:j+1])
			if len(out.Send) != 1 || !bytes.Equal(bodyOf(t, out.Send[0].Payload), bodyOf(t, want[0].Payload)) {
				t.Errorf("message %d, record %d: %d messages, other octets", i, j, len(out.Send))
			}
			logged++
		}
	}
	if logged < 4 {
		t.Errorf("%d lines", logged)
	}
}

// TestCoRecordsAsUpstream has the octets of upstream's connector's side, and
// takes them at the listener's.
func TestCoRecordsAsUpstream(t *testing.T) {
	t.Parallel()
	const flow = "OD1Mr:23"
	west, east := rebuild(t, fullState(t, "OD1Mr:0")), rebuild(t, fullState(t, "X+Iln:0"))
	west.next.Store(23)
	f := (&Listener{west.entries[3], west}).Open(at(0), "127.0.0.1", "36238")
	if f.Identity() != flow {
		t.Fatalf("flow %s", f.Identity())
	}
	co := 0
	for i, r := range recording(t, "corecords") {
		if r.LinkSource != west.CoRecordAddress() {
			continue
		}
		co++
		raw := r.payload(t)
		west.CoRecords(raw)
		m, err := Decode(raw)
		if err != nil || len(m.Records) != 1 {
			t.Fatalf("%d records, %v", len(m.Records), err)
		}
		x := &m.Records[0]
		if len(x.Attributes) == 0 {
			continue // upstream's last one; ours says everything again
		}
		c := (&Connector{east.entries[2], east}).Open(flow, []string{x.Text(AttrTrace)})
		c.Connected(x.Text(AttrProxyHost), x.Text(AttrProxyPort))
		c.SetLatency(time.Duration(x.Number(AttrProcessLatency)) * time.Microsecond)
		out := east.Step(at(float64(i+1)), reaching(west))
		if len(out.Send) != 1 || !bytes.Equal(bodyOf(t, raw), bodyOf(t, out.Send[0].Payload)) {
			t.Errorf("message %d: %s\nwant body %x", i, transcript(t, out), bodyOf(t, raw))
		}
	}
	if co != 2 {
		t.Errorf("%d co-records", co)
	}
	want(t, "merged", fmt.Sprintf("%+v", f.late),
		"{errorListener: trace:0/west-1 connector:X+Iln:2 processLatency:3305 proxyHost:127.0.0.1 proxyPort:60162 errorConnector:}")
}

// TestAnnouncementsAsUpstream says the same as upstream's routers and
// controllers, which write it in other ways.
func TestAnnouncementsAsUpstream(t *testing.T) {
	t.Parallel()
	compared := map[string]int{}
	for _, name := range recordings(t) {
		for i, r := range recording(t, name) {
			theirs, err := Decode(r.payload(t))
			if err != nil {
				t.Fatal(err)
			}
			var p Publication
			switch theirs.Subject {
			case SubjectBeacon:
				p = beacon(0, theirs.ID, theirs.Source)
			case SubjectHeartbeat:
				p = heartbeat(0, theirs.ID, r.LinkSource, theirs.Now)
				theirs.To = r.LinkSource // compat: controllers write another address than they send to
			case SubjectRecord, SubjectFlush:
				continue
			}
			ours, err := Decode(p.Payload)
			if diff := cmp.Diff(theirs, ours); err != nil || diff != "" || p.To != r.LinkSource {
				t.Errorf("%s, message %d to %s: %v (-upstream +ours):\n%s", name, i, p.To, err, diff)
			}
			compared[string(theirs.Subject)+" "+string(theirs.Source)]++
		}
	}
	if len(compared) != 3 {
		t.Errorf("compared %v", compared)
	}
}

// TestControllerAsUpstream makes the site of the recording again.
func TestControllerAsUpstream(t *testing.T) {
	t.Parallel()
	site, process := Record{}, Record{}
	for _, r := range recording(t, "go-controller") {
		m, err := Decode(r.payload(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range m.Records {
			if x.Type == TypeSite && site.Identity == "" {
				site = x
			}
			if x.Type == TypeProcess && process.Identity == "" {
				process = x
			}
		}
	}
	c := NewController(when(&site, AttrStartTime), site.Identity, Site{
		Name: site.Text(AttrName), Version: site.Text(AttrBuildVersion), Platform: site.Text(AttrPlatform), Namespace: site.Text(AttrNamespace),
	})
	c.AddProcess(when(&process, AttrStartTime), Process{
		Identity: process.Identity, Name: process.Text(AttrName), Group: process.Text(AttrGroup), Host: process.Text(AttrSourceHost),
		Hostname: process.Text(AttrHostname),
	})
	out := c.Step(at(0), only(Address(site.Identity)))
	if len(out.Send) != 1 {
		t.Fatalf("%d messages", len(out.Send))
	}
	m, err := Decode(out.Send[0].Payload)
	if diff := cmp.Diff([]Record{site, process}, m.Records); err != nil || diff != "" {
		t.Errorf("%v (-upstream +ours):\n%s", err, diff)
	}
}
