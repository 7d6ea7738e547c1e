package linkstate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
)

// routingMessages returns the routing messages that one side sent in a capture.
func routingMessages(t *testing.T, name string, side captures.Side) (all []Received, at []time.Duration) {
	t.Helper()
	for _, f := range captures.Load(t, name).Frames(t) {
		if f.From != side || f.Header() {
			continue
		}
		h, err := amqp.ParseFrameHeader(f.Data)
		if err != nil {
			t.Fatal(err)
		}
		body := f.Data[h.DataOffset*4:]
		if h.Type != 0 || len(body) == 0 {
			continue
		}
		p, payload, err := amqp.DecodePerformative(body)
		if err != nil {
			t.Fatal(err)
		}
		var ra amqp.Annotations
		if _, ok := p.(*amqp.Transfer); !ok || !amqp.IsAnnotations(payload) {
			continue
		}
		sections, err := ra.Decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(sections); err != nil {
			continue // of another kind
		}
		prefix, _, err := amqp.ScanPrefix(payload)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Received{Link: 1, To: string(prefix.To), Ingress: ra.Ingress, Trace: slices.Clone(ra.Trace), Sections: sections})
		at = append(at, f.Time)
	}
	if len(all) < 5 {
		t.Fatalf("capture %s: %d routing messages of the %v", name, len(all), side)
	}
	return all, at
}

// TestReplay puts the engine in the place of one of two routers of upstream's
// and feeds it what the other one said, when it said it. It must learn what
// there was to learn, and ask for nothing that it has been told.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		capture string
		from    captures.Side
		me      string
		cost    int
		reach   string
		holds   string
	}{
		{
			"control/ii-plain", captures.Listener, "rtr-B", 3,
			"rtr-A:3 via rtr-A on 1", "rtr-A Msfe, rtr-A Mvfcr, rtr-A Mweb",
		},
		{
			"control/ii-plain", captures.Connector, "rtr-A", 3,
			"rtr-B:3 via rtr-B on 1", "rtr-B Mdb, rtr-B Mecho, rtr-B Msfe, rtr-B Mvfcr",
		},
		{
			"control/line-x-y", captures.Listener, "rtr-X", 1,
			"rtr-Y:1 via rtr-Y on 1, rtr-Z:3 via rtr-Y on 1", "rtr-Y Msfe, rtr-Y Mvfcr, rtr-Z Mecho, rtr-Z Msfe, rtr-Z Mvfcr",
		},
		{
			"control/line-z-y", captures.Listener, "rtr-Z", 2,
			"rtr-X:3 via rtr-Y on 1, rtr-Y:2 via rtr-Y on 1", "rtr-X Msfe, rtr-X Mvfcr, rtr-Y Msfe, rtr-Y Mvfcr",
		},
	} {
		t.Run(tt.capture+"/"+tt.me, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, Config{ID: tt.me, Instance: 1})
			s.step(LinkUp{Link: 1, Cost: tt.cost})
			messages, at := routingMessages(t, tt.capture, tt.from)
			for i, m := range messages {
				s.wait(max(0, at[i]-s.now.Sub(epoch)))
				s.step(m)
			}
			reach, holds := learned(s.out.String())
			if reach != tt.reach {
				t.Errorf("reaches %s, want %s\n%s", reach, tt.reach, s.out.String())
			}
			if got := strings.Join(holds, ", "); got != tt.holds {
				t.Errorf("others hold %s, want %s\n%s", got, tt.holds, s.out.String())
			}
			if log := s.out.String(); strings.Contains(log, "malformed") || strings.Contains(log, "duplicate") {
				t.Errorf("something was not understood:\n%s", log)
			}
		})
	}
}

// learned reads from a log the most that was ever reachable, and everything
// that others ever held, without the random parts of addresses.
func learned(log string) (reach string, holds []string) {
	for line := range strings.Lines(log) {
		words := strings.Fields(line)
		switch {
		case line[0] == '=' && len(line) > len(reach):
			reach = strings.Join(words[2:], " ")
		case line[0] == '+' && len(words) > 3:
			key, _, _ := strings.Cut(words[3], ".")
			holds = append(holds, words[2]+" "+key)
		}
	}
	slices.Sort(holds)
	return reach, slices.Compact(holds)
}
