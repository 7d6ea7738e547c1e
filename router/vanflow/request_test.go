package vanflow

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// opened returns a router with a flow that was emitted, and its audience.
func opened() (*Router, *Flow, Usable) {
	r := newWest()
	f := r.Listener(at(0), "l", "127.0.0.1", "80", "web").Open(at(0), "10.0.0.1", "1")
	usable := only(AddressFlows(r.ID()))
	r.Step(at(0), usable)
	return r, f, usable
}

// TestRequest follows requests through their records.
func TestRequest(t *testing.T) {
	t.Parallel()
	r, f, usable := opened()
	q := f.Request(at(0.1), "HTTP/1.1", "POST", 0)
	p := f.Request(at(0.2), "HTTP/2", "GET", 7)
	want(t, "begun", transcript(t, r.Step(at(1), usable)), `
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:3 parent="OD1Mr:2" startTime=+100ms protocol="HTTP/1.1" octets=0 method="POST" octetsReverse=0
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:4 parent="OD1Mr:2" startTime=+200ms protocol="HTTP/2" octets=0 method="GET" streamId=7 octetsReverse=0
	`)
	want(t, "nothing new", transcript(t, r.Step(at(2), usable)), "")
	q.From("203.0.113.9")
	q.Sent(5)
	q.Sent(1)
	want(t, "sent", transcript(t, r.Step(at(3), usable)), `
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:3 sourceHost="203.0.113.9" octets=6
	`)
	q.Answered(1050 * time.Microsecond)
	q.Answered(time.Hour)
	q.Result("201", "Created")
	q.Received(7)
	r.Command(Flush(r.Direct()).Payload)
	want(t, "flushed", transcript(t, r.Step(at(4), usable)), `
		mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 parent="OD1Mr:1" startTime=+0s sourceHost="10.0.0.1" sourcePort="1" octets=0 octetsReverse=0
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:3 parent="OD1Mr:2" startTime=+100ms sourceHost="203.0.113.9" protocol="HTTP/1.1" octets=6 latency=1050 method="POST" result="201" reason="Created" octetsReverse=7
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:4 parent="OD1Mr:2" startTime=+200ms protocol="HTTP/2" octets=0 method="GET" streamId=7 octetsReverse=0
	`)
	q.End(at(4.5))
	q.End(at(4.6))
	p.Received(1)
	want(t, "ended", transcript(t, r.Step(at(5), usable)), `
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:3 endTime=+4.5s
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:4 octetsReverse=1
	`)
	q.Result("500", "too late")
	f.Close(at(5.5))
	if f.Request(at(5.6), "HTTP/1.1", "GET", 0) != nil {
		t.Error("a request of a flow that has ended")
	}
	r.Command(Flush(r.Direct()).Payload)
	want(t, "ended with its flow", transcript(t, r.Step(at(6), usable)), `
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:4 parent="OD1Mr:2" startTime=+200ms endTime=+5.5s protocol="HTTP/2" octets=0 method="GET" streamId=7 octetsReverse=1
	`)
	r.Step(at(20), usable)
	if n, m := r.flows.alive.Load(), r.flows.ended.Load(); n != 0 || m != 0 {
		t.Errorf("%d alive, %d ended", n, m)
	}
}

// TestRequestInOneRecord has a request begin and end between two emissions,
// before its flow is known.
func TestRequestInOneRecord(t *testing.T) {
	t.Parallel()
	r := newWest()
	r.Command(Flush(r.Direct()).Payload)
	f := r.Listener(at(0), "l", "127.0.0.1", "80", "web").Open(at(0), "10.0.0.1", "1")
	q := f.Request(at(0.1), "HTTP/1.0", strings.Repeat("X", 400), 0)
	q.Result("404", strings.Repeat("n", 400))
	q.End(at(0.2))
	want(t, "flow and request", transcript(t, r.Step(at(1), only(AddressFlows(r.ID())))), `
		mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 parent="OD1Mr:1" startTime=+0s sourceHost="10.0.0.1" sourcePort="1" octets=0 octetsReverse=0
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:3 parent="OD1Mr:2" startTime=+100ms endTime=+200ms protocol="HTTP/1.0" octets=0 method="`+strings.Repeat("X", maxText)+`" result="404" reason="`+strings.Repeat("n", maxText)+`" octetsReverse=0
	`)
}

// TestRequestsUnheard are not kept once they have ended, unless somebody knows
// them who may have lost the way.
func TestRequestsUnheard(t *testing.T) {
	t.Parallel()
	r, f, usable := opened()
	known := f.Request(at(0.1), "HTTP/1.1", "GET", 0)
	r.Step(at(1), usable)
	f.Request(at(1.1), "HTTP/1.1", "GET", 0).End(at(1.2))
	live := f.Request(at(1.3), "HTTP/1.1", "PUT", 0)
	known.End(at(1.4))
	want(t, "nobody", transcript(t, r.Step(at(2), nobody)), "")
	if n, m := r.flows.alive.Load(), r.flows.ended.Load(); n != 2 || m != 1 {
		t.Errorf("%d alive, %d ended", n, m)
	}
	want(t, "somebody again", transcript(t, r.Step(at(3), usable)), `
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:3 endTime=+1.4s
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:5 parent="OD1Mr:2" startTime=+1.3s protocol="HTTP/1.1" octets=0 method="PUT" octetsReverse=0
	`)
	live.End(at(4))
	r.Step(at(35), nobody)
	if n, m := r.flows.alive.Load(), r.flows.ended.Load(); n != 1 || m != 0 {
		t.Errorf("after a while %d alive, %d ended", n, m)
	}
	f.Request(at(36), "HTTP/1.1", "GET", 0).End(at(36))
	if m := r.flows.ended.Load(); m != 0 {
		t.Errorf("%d are kept that nobody has heard of", m)
	}
	f.Request(at(36), "HTTP/1.1", "GET", 0)
	f.Close(at(36))
	r.Step(at(37), nobody)
	r.Step(at(99), nobody)
	if n, m := r.flows.alive.Load(), r.flows.ended.Load(); n != 0 || m != 0 || len(f.requests) != 0 {
		t.Errorf("at the end %d alive, %d ended", n, m)
	}
}

// TestRequestsBounded: requests and flows share the places of those that are
// alive; the ends that wait have places of their own.
func TestRequestsBounded(t *testing.T) {
	t.Parallel()
	r, f, usable := opened()
	var live []*Request
	for range maxFlows + 10 {
		if q := f.Request(at(1), "HTTP/1.1", "GET", 0); q != nil {
			live = append(live, q)
		}
	}
	var nothing *Request
	nothing.From("")
	nothing.Sent(1)
	nothing.Received(1)
	nothing.Answered(1)
	nothing.Result("", "")
	nothing.End(at(1))
	if f.Request(at(1), "", "", 0) != nil || len(live) != maxFlows-1 {
		t.Errorf("%d requests alive", len(live))
	}
	for _, q := range live {
		q.End(at(2))
	}
	for range maxEndedRequests {
		f.Request(at(2), "HTTP/1.1", "GET", 0).End(at(2))
	}
	if n, m := r.flows.alive.Load(), r.flows.ended.Load(); n != 1 || m != maxEndedRequests {
		t.Errorf("%d alive, %d ended", n, m)
	}
	told := 0
	for s := 3.0; r.flows.ended.Load() > 0 && s < 9; s++ {
		told += strings.Count(transcript(t, r.Step(at(s), usable)), "BIFLOW_APP")
	}
	if told != maxEndedRequests {
		t.Errorf("%d ends emitted", told)
	}
}

// TestRequestsOfFinish are ended with the router.
func TestRequestsOfFinish(t *testing.T) {
	t.Parallel()
	r, f, usable := opened()
	f.Request(at(1), "HTTP/1.1", "GET", 0)
	want(t, "end", transcript(t, r.Finish(at(2), usable)), `
		mc/sfe.OD1Mr:0.flows BIFLOW_TPORT OD1Mr:2 endTime=+2s
		mc/sfe.OD1Mr:0.flows BIFLOW_APP OD1Mr:3 parent="OD1Mr:2" startTime=+1s endTime=+2s protocol="HTTP/1.1" octets=0 method="GET" octetsReverse=0
	`)
}

// TestRequestsAtOnce are made and ended while they are emitted.
func TestRequestsAtOnce(t *testing.T) {
	t.Parallel()
	r, f, usable := opened()
	var wg sync.WaitGroup
	const each = 500
	for range 4 {
		wg.Go(func() {
			for range each {
				q := f.Request(at(1), "HTTP/1.1", "GET", 0)
				q.From("h")
				q.Sent(1)
				q.Answered(1)
				q.Result("200", "OK")
				q.Received(2)
				q.End(at(1))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	ended := map[string]int{}
	for s, over := 2.0, false; !over; s++ {
		select {
		case <-done:
			over = true
		default:
		}
		for _, p := range r.Step(at(s), usable).Send {
			m, err := Decode(p.Payload)
			if err != nil {
				t.Fatal(err)
			}
			for i := range m.Records {
				if m.Records[i].Ended() {
					ended[m.Records[i].Identity]++
				}
			}
		}
	}
	if len(ended) != 4*each {
		t.Errorf("%d requests ended", len(ended))
	}
	for id, n := range ended {
		if n != 1 {
			t.Errorf("%s ended %d times", id, n)
		}
	}
}

// TestRequestsAsUpstream makes the requests of the recording again, and has the
// records that upstream's router told of them, emission by emission.
func TestRequestsAsUpstream(t *testing.T) {
	t.Parallel()
	west := newWest()
	west.Command(Flush(west.Direct()).Payload)
	flows, requests := map[string]*Flow{}, map[string]*Request{}
	listener := west.Listener(at(0), "l", "127.0.0.1", "80", "web")
	usable := only(AddressFlows(west.ID()))
	emissions := 0
	for _, r := range recording(t, "flows") {
		m, err := Decode(r.payload(t))
		if err != nil {
			t.Fatal(err)
		}
		var theirs []Record
		for i := range m.Records {
			x := &m.Records[i]
			if x.Type != TypeBiflowApp {
				continue
			}
			theirs = append(theirs, *x)
			playRequest(t, west, listener, flows, requests, x)
		}
		if len(theirs) == 0 {
			continue
		}
		emissions++
		var ours []Record
		for _, p := range west.Step(at(float64(10*emissions)), usable).Send {
			m, err := Decode(p.Payload)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range m.Records {
				if x.Type == TypeBiflowApp {
					ours = append(ours, x)
				}
			}
		}
		byIdentity := cmp.Transformer("byIdentity", func(list []Record) map[string]Record {
			all := map[string]Record{}
			for _, x := range list {
				all[x.Identity] = x
			}
			return all
		})
		if diff := cmp.Diff(theirs, ours, byIdentity); diff != "" || len(theirs) != len(ours) {
			t.Errorf("emission %d (-upstream +ours):\n%s", emissions, diff)
		}
	}
	if emissions != 3 || len(requests) != 5 {
		t.Errorf("%d requests in %d emissions", len(requests), emissions)
	}
}

// playRequest does what makes a router emit x.
func playRequest(t *testing.T, r *Router, l *Listener, flows map[string]*Flow, requests map[string]*Request, x *Record) {
	t.Helper()
	q := requests[x.Identity]
	if q == nil {
		parent := x.Text(AttrParent)
		if flows[parent] == nil {
			r.next.Store(recordNumber(t, parent))
			flows[parent] = l.Open(at(0), "127.0.0.1", "1")
		}
		r.next.Store(recordNumber(t, x.Identity))
		q = flows[parent].Request(when(x, AttrStartTime), x.Text(AttrProtocol), x.Text(AttrMethod), x.Number(AttrStreamID))
		requests[x.Identity] = q
	}
	if host := x.Text(AttrSourceHost); host != "" {
		q.From(host)
	}
	q.Sent(int(x.Number(AttrOctets)))
	q.Received(int(x.Number(AttrOctetsReverse)))
	if d := x.Number(AttrLatency); d != 0 {
		q.Answered(time.Duration(d) * time.Microsecond)
	}
	if status := x.Text(AttrResult); status != "" {
		q.Result(status, x.Text(AttrReason))
	}
	if x.Ended() {
		q.End(when(x, AttrEndTime))
	}
}

func recordNumber(t *testing.T, identity string) (n uint64) {
	t.Helper()
	if _, err := fmt.Sscan(identity[prefixLength+1:], &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// BenchmarkRequest is what the record of one request costs, its emission
// included or not.
func BenchmarkRequest(b *testing.B) {
	for name, audience := range map[string]Usable{"nobody": nobody, "collector": only(AddressFlows("OD1Mr:0"))} {
		b.Run(name, func(b *testing.B) {
			r, f, _ := opened()
			octets, s := 0, 1.0
			b.ReportAllocs()
			for i := 1; b.Loop(); i++ {
				q := f.Request(at(s), "HTTP/1.1", "GET", 0)
				q.Answered(time.Millisecond)
				q.Result("200", "OK")
				q.Received(100)
				q.End(at(s))
				if i%1000 == 0 {
					s++
					for _, p := range r.Step(at(s), audience).Send {
						octets += len(p.Payload)
					}
				}
			}
			b.ReportMetric(float64(octets)/float64(b.N), "octets/op")
		})
	}
}
