package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
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

// glance is a Tap that has seen enough after so many calls.
type glance struct {
	left   atomic.Int64
	closed atomic.Int64
	seen   [2]string // Each is owned by who calls.
}

func (g *glance) look(i int, p []byte) {
	if g.left.Add(-1) >= 0 {
		g.seen[i] += string(p)
	}
}

func (g *glance) Client(p []byte) { g.look(0, p) }
func (g *glance) Server(p []byte) { g.look(1, p) }
func (g *glance) Watching() bool  { return g.left.Load() > 0 }
func (g *glance) Closed()         { g.closed.Add(1) }

// splicing is a socket whose bytes something else moves.
type splicing struct {
	*memConn
	moved *atomic.Int64
}

// SpliceTo implements Splicer.
func (s splicing) SpliceTo(dst Socket, read, wrote func(n int)) (bool, error) {
	for {
		b, err := s.Read(100)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		read(b.Len())
		n, err := dst.Write(b.Bytes())
		wrote(n)
		s.moved.Add(int64(n))
		if err != nil {
			return true, err
		}
	}
}

// TestSplicedUnwatched: where both sockets are here, bytes are copied only as
// long as somebody looks at them.
func TestSplicedUnwatched(t *testing.T) {
	t.Parallel()
	for calls, want := range map[int64]struct {
		least, most int64 // bytes moved
		seen        string
	}{
		0: {36, 36, ""},
		2: {18, 24, "hello "}, // a read that has begun is finished
		9: {0, 0, "hello world! again"},
	} {
		t.Run(fmt.Sprint(calls), func(t *testing.T) {
			t.Parallel()
			eachKind(t, func(t *testing.T, e *ends) {
				moved, g := &atomic.Int64{}, &glance{}
				g.left.Store(calls)
				e.serve("svc", &destination{local: dialFunc(func(context.Context, Call) (Leg, error) {
					c := newMemConn(e.size)
					e.done.Go(func() { echo(program{c}) })
					return Leg{Socket: splicing{c, moved}}, nil
				})})
				c := newMemConn(e.size)
				s := NewIngress(&e.ingress, Client{Socket: splicing{c, moved}, Address: "svc", Tap: g})
				e.done.Go(func() { _ = run(e.ctx, s) })
				client := program{c}
				got := ""
				for _, word := range []string{"hello ", "world!", " again"} {
					fmt.Fprint(client, word)
					b := make([]byte, len(word))
					_, _ = io.ReadFull(client, b)
					got += string(b)
				}
				client.CloseWrite()
				got += string(readAll(t, client))
				e.done.Wait()
				if got != "hello world! again" || g.closed.Load() != 1 {
					t.Errorf("got %q, closed %d times", got, g.closed.Load())
				}
				if n := moved.Load(); n < want.least || n > want.most || g.seen != [2]string{want.seen, want.seen} {
					t.Errorf("moved %d, seen %q", n, g.seen)
				}
			})
		})
	}
}
