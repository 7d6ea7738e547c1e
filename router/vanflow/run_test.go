package vanflow

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// collector is a Publisher that keeps what it gets.
type collector struct {
	present atomic.Bool
	out     Output
}

func (c *collector) Usable(string) bool    { return c.present.Load() }
func (c *collector) Publish(p Publication) { c.out.Send = append(c.out.Send, p) }

// TestRun publishes for as long as there is a collector, then says goodbye.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, c := newWest(), newSite()
		var to collector
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := Run(ctx, &to, r, c); err != nil {
				t.Error(err)
			}
		})

		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if len(to.out.Send) != 0 {
			t.Errorf("%d messages to nobody", len(to.out.Send))
		}
		to.present.Store(true)
		time.Sleep(20 * time.Second)
		cancel()
		running.Wait()
		counts := map[string]int{}
		for line := range strings.Lines(transcript(t, to.out)) {
			counts[strings.Join(strings.Fields(line)[:2], " ")]++
		}
		for what, wanted := range map[string]int{
			"mc/sfe.all BEACON":                          4,
			"mc/sfe.OD1Mr:0 HEARTBEAT":                   10,
			"mc/sfe." + siteID + ".heartbeats HEARTBEAT": 10,
			"mc/sfe.OD1Mr:0 ROUTER":                      2, // whole, and its end
			"mc/sfe." + siteID + " SITE":                 1,
		} {
			if counts[what] != wanted {
				t.Errorf("%d of %s, want %d", counts[what], what, wanted)
			}
		}
	})
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ hostname, random, want string }{
		{"skupper-router-5f7c9-x2k4q", "", "x2k4q"},
		{"-abcde", "", "abcde"},
		{"abcde", "\x00\x19\x1a\x3e\x7f", "azA+_"},
		{"host-abcd", "\x40\x41\x42\x43\x44", "abcde"},
		{"", "\x00\x00\x00\x00\x00", "aaaaa"},
	} {
		got, err := Prefix(tt.hostname, strings.NewReader(tt.random))
		if err != nil || got != tt.want {
			t.Errorf("host %q: prefix %q, error %v; want %q", tt.hostname, got, err, tt.want)
		}
	}
	if _, err := Prefix("", strings.NewReader("abc")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
}

// TestLogs emits warnings and worse, on an address of their own, once.
func TestLogs(t *testing.T) {
	t.Parallel()
	r := newWest()
	r.Log(at(2), SeverityWarning, "LOG_SERVER: connection lost", "server.go", 7)
	r.Log(at(3), SeverityError, "LOG_AGENT: "+strings.Repeat("x", 400), "agent.go", -1)
	logs := only(AddressLogs(r.ID()))
	out := r.Step(at(4), logs)
	if len(out.Send) != 1 {
		t.Fatalf("%d messages", len(out.Send))
	}
	m, err := Decode(out.Send[0].Payload)
	if err != nil || len(m.Records) != 2 {
		t.Fatalf("%d records, error %v", len(m.Records), err)
	}
	for i, wanted := range []struct {
		severity Severity
		text     string
	}{
		{SeverityWarning, "LOG_SERVER: connection lost"},
		{SeverityError, "LOG_AGENT: " + strings.Repeat("x", maxText-11)},
	} {
		x := &m.Records[i]
		if x.Type != TypeLog || Severity(x.Number(AttrLogSeverity)) != wanted.severity || x.Text(AttrLogText) != wanted.text {
			t.Errorf("record %s, want %q", line(x), wanted.text)
		}
		if source := x.Text(AttrSourceFile); source != []string{"server.go", "agent.go"}[i] || x.Number(AttrSourceLine) != []uint64{7, 0}[i] {
			t.Errorf("logged at %s:%d", source, x.Number(AttrSourceLine))
		}
		if x.Number(AttrStartTime) == 0 || x.Number(AttrStartTime) != x.Number(AttrEndTime) || x.Text(AttrParent) != r.ID() {
			t.Errorf("record %s", line(x))
		}
	}
	r.Log(at(0), SeverityCritical, "unheard", "", 0)
	want(t, "unheard", transcript(t, r.Step(at(1e6), nobody)), "")
	want(t, "not kept", transcript(t, r.Step(at(1e6+1), logs)), "")
}

// TestLogFlood keeps what fits.
func TestLogFlood(t *testing.T) {
	t.Parallel()
	r := newWest()
	for range 10 * maxLogs {
		r.Log(at(0), SeverityWarning, "again", "f", 1)
	}
	if got := strings.Count(transcript(t, r.Step(at(1), only(AddressLogs(r.ID())))), "\n"); got != maxLogs {
		t.Errorf("%d records, want %d", got, maxLogs)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	if TypeBiflowApp.String() != "BIFLOW_APP" || Type(18).String() != "UNKNOWN" {
		t.Errorf("types %s, %s", TypeBiflowApp, Type(18))
	}
	if AttrHTTPProxy.String() != "httpProxy" || Code(68).String() != "unknown" || !AttrLatency.IsNumber() || !AttrDuration.IsNumber() {
		t.Errorf("attributes %s, %s", AttrHTTPProxy, Code(68))
	}
	if !AttrActiveTLSOrdinal.IsNumber() || AttrHTTPProxy.IsNumber() || AttrDestPort.IsNumber() {
		t.Error("kinds of attributes")
	}
	if _, err := Decode(nil); !errors.Is(err, ErrNotVanflow) {
		t.Errorf("empty message: %v", err)
	}
}
