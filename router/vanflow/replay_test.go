package vanflow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// when returns the time in a record of the recordings.
func when(r *Record, c Code) time.Time { return time.UnixMicro(int64(r.Number(c))) }

// rebuild drives a source as the router of the recording was driven: one
// constructor call per record, in the order of their identities.
func rebuild(t *testing.T, theirs []Record) *Router {
	t.Helper()
	var router *Record
	for i := range theirs {
		if theirs[i].Type == TypeRouter {
			router = &theirs[i]
		}
	}
	r := NewRouter(when(router, AttrStartTime), RouterConfig{
		Prefix: router.Identity[:prefixLength], RouterID: router.Text(AttrName)[2:], Mode: router.Text(AttrMode),
		Version: router.Text(AttrBuildVersion), SiteID: router.Text(AttrParent),
	})
	for i := range theirs {
		x := &theirs[i]
		start := when(x, AttrStartTime)
		identity := ""
		switch x.Type {
		case TypeLink:
			k := r.Link(start, LinkConfig{
				Name: x.Text(AttrName), Role: x.Text(AttrRole), Cost: x.Number(AttrLinkCost), Port: x.Text(AttrDestPort),
			})
			k.Down(when(x, AttrDownTimeStamp), x.Text(AttrResult), x.Text(AttrReason))
			k.Up(when(x, AttrUpTimeStamp), x.Text(AttrPeer))
			k.AddOctets(x.Number(AttrOctets), x.Number(AttrOctetsReverse))
			identity = k.Identity()
		case TypeRouterAccess:
			a := r.Access(start, x.Text(AttrName), x.Text(AttrRole))
			a.SetConns(int(x.Number(AttrLinkCount)))
			identity = a.Identity()
		case TypeListener:
			identity = r.Listener(start, x.Text(AttrName), x.Text(AttrDestHost), x.Text(AttrDestPort), x.Text(AttrVanAddress)).Identity()
		case TypeConnector:
			identity = r.Connector(start, x.Text(AttrName), x.Text(AttrDestHost), x.Text(AttrDestPort), x.Text(AttrVanAddress), x.Text(AttrProcess)).Identity()
		default:
			continue
		}
		if identity != x.Identity {
			t.Fatalf("%s has identity %s, want %s", x.Type, identity, x.Identity)
		}
	}
	return r
}

// TestFullStateAsUpstream builds the routers of the recording again and
// compares what they answer to FLUSH with what upstream's routers answered.
func TestFullStateAsUpstream(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"OD1Mr:0", "X+Iln:0", "U9ZmI:0"} {
		theirs := fullState(t, id)
		r := rebuild(t, theirs)
		r.Command(Flush(r.Direct()).Payload)
		ours := map[string]Record{}
		for _, p := range r.Step(at(10), r.listening()).Send {
			m, err := Decode(p.Payload)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range m.Records {
				ours[x.Identity] = x
			}
		}
		for _, x := range theirs {
			if x.Type == TypeSite {
				continue // of the Controller here
			}
			if diff := cmp.Diff(x, ours[x.Identity]); diff != "" {
				t.Errorf("%s: %s %s (-upstream +ours):\n%s", id, x.Type, x.Identity, diff)
			}
			delete(ours, x.Identity)
		}
		for _, x := range ours {
			t.Errorf("%s: upstream has no %s", id, line(&x))
		}
	}
}

// TestFlowAsUpstream makes the long flow of the recording again: the merged
// record has the same attributes.
func TestFlowAsUpstream(t *testing.T) {
	t.Parallel()
	const flow = "OD1Mr:8"
	var theirs Record
	for _, r := range recording(t, "flows") {
		m, err := Decode(r.payload(t))
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.Records {
			if m.Records[i].Identity == flow {
				theirs.Type, theirs.Identity = m.Records[i].Type, flow
				theirs.Merge(&m.Records[i])
			}
		}
	}
	west := rebuild(t, fullState(t, "OD1Mr:0"))
	east := rebuild(t, fullState(t, "X+Iln:0"))
	for west.next.Load() < 8 {
		west.number()
	}
	l := &Listener{west.entries[3], west}
	c := &Connector{east.entries[2], east}
	f := l.Open(when(&theirs, AttrStartTime), theirs.Text(AttrSourceHost), theirs.Text(AttrSourcePort))
	if l.Identity() != theirs.Text(AttrParent) || c.Identity() != theirs.Text(AttrConnector) || f.Identity() != flow {
		t.Fatalf("flow %s of %s to %s", f.Identity(), l.Identity(), c.Identity())
	}
	co := c.Open(f.Identity(), []string{theirs.Text(AttrTrace)})
	co.Connected(theirs.Text(AttrProxyHost), theirs.Text(AttrProxyPort))
	co.SetLatency(time.Duration(theirs.Number(AttrProcessLatency)) * time.Microsecond)
	f.SetLatency(time.Duration(theirs.Number(AttrLatency)) * time.Microsecond)

	ours := Record{Type: TypeBiflowTport, Identity: flow}
	step := func(now time.Time) {
		deliver(east.Step(now, reaching(west)), west)
		for _, p := range west.Step(now, only(AddressFlows("OD1Mr:0"))).Send {
			m, err := Decode(p.Payload)
			if err != nil {
				t.Fatal(err)
			}
			ours.Merge(&m.Records[0])
		}
	}
	start := when(&theirs, AttrStartTime)
	octets := count(f)
	for s := range 6 {
		octets.add(1000, 1000)
		step(start.Add(time.Duration(s) * time.Second))
	}
	end := when(&theirs, AttrEndTime)
	f.Close(end)
	co.Close(at(0))
	step(end.Add(time.Second))
	step(end.Add(endDelay))
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("(-upstream +ours):\n%s", diff)
	}
}
