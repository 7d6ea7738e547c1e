package stream

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"
)

// latencies is a Recorder that keeps what Answered says.
type latencies struct{ list []time.Duration }

func (*latencies) Identity() string           { return "" }
func (*latencies) Opened(*Flow)               {}
func (*latencies) Closed(error)               {}
func (l *latencies) Answered(d time.Duration) { l.list = append(l.list, d) }

// lingering is a socket whose writes return a second after the peer can read
// what was written.
type lingering struct{ *memConn }

func (s lingering) TryWrite(p []byte) (int, error) {
	defer time.Sleep(time.Second)
	return s.memConn.TryWrite(p)
}

func (s lingering) Write(p []byte) (int, error) {
	defer time.Sleep(time.Second)
	return s.memConn.Write(p)
}

// TestLatencyOfPromptServer has the server's answer read before the write of
// the question returns, at another router and at the client's own.
func TestLatencyOfPromptServer(t *testing.T) {
	t.Parallel()
	for _, joined := range []bool{false, true} {
		t.Run(fmt.Sprintf("joined=%v", joined), func(t *testing.T) {
			t.Parallel()
			eachKind(t, func(t *testing.T, e *ends) {
				l := &latencies{}
				dial := dialFunc(func(context.Context, Call) (Leg, error) {
					c := newMemConn(e.size)
					c.indirect = e.indirect
					e.done.Go(func() {
						_, _ = io.ReadFull(program{c}, make([]byte, 8))
						time.Sleep(10 * time.Millisecond)
						fmt.Fprint(program{c}, "answer")
						program{c}.CloseWrite()
					})
					return Leg{Socket: lingering{c}, Recorder: l}, nil
				})
				if joined {
					e.serve("svc", &destination{local: dial})
				} else {
					e.connector("svc", dial)
				}
				client := e.connect("svc")
				fmt.Fprint(client, "question")
				if got := readAll(t, client); string(got) != "answer" {
					t.Errorf("got %q", got)
				}
				client.CloseWrite()
				e.done.Wait()
				if len(l.list) != 1 || l.list[0].Round(time.Millisecond) != 10*time.Millisecond {
					t.Errorf("answered after %v, want once and 10 ms", l.list)
				}
			})
		})
	}
}

// passes is what a meter is told of a read and of a write.
func (m *meter) passes() {
	m.asked()
	m.read(1000)
	m.told()
	m.wrote(1000)
}

// TestMeterDoesNotAllocate covers what runs for every read and write.
func TestMeterDoesNotAllocate(t *testing.T) {
	m := meter{totals: &Totals{}}
	m.begin(&latencies{})
	m.passes() // the first answer is recorded
	if n := testing.AllocsPerRun(100, m.passes); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkMeter is the price of telemetry for a read and a write.
func BenchmarkMeter(b *testing.B) {
	for name, r := range map[string]Recorder{"silent": nil, "recorded": &latencies{}} {
		b.Run(name, func(b *testing.B) {
			m := meter{totals: &Totals{}}
			m.begin(r)
			b.ReportAllocs()
			for b.Loop() {
				m.passes()
			}
		})
	}
}
