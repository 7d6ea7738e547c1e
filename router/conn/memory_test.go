package conn

import (
	"runtime"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// TestMemoryOfIdleStreams bounds what an open stream that says nothing costs in
// both ends of a connection together: two links and two deliveries, one in each
// direction. It cannot run beside other tests.
func TestMemoryOfIdleStreams(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's shadow memory is measured as well")
	}
	const streams, most = 5000, 6 << 10
	x, y := loopback(t)
	begun := make(chan struct{}, 2*streams)
	o := func() *owner {
		return &owner{begin: func(*Receiving) Sink { begun <- struct{}{}; return nothing{} }}
	}
	a, b := startFor(t, x, Config{Client: true}, o()), startFor(t, y, Config{}, o())
	open := func(n int) {
		for range n {
			for _, c := range []*running{a, b} {
				c.StreamLink(false).Send(nothing{}, false).WriteBytes([]byte("x"), true)
			}
		}
		for range 2 * n {
			<-begun
		}
	}
	open(100)
	before := heap()
	open(streams)
	per := (heap() - before) / streams
	t.Logf("%d bytes for a stream", per)
	if per > most {
		t.Errorf("%d bytes for a stream, want at most %d", per, most)
	}
	runtime.KeepAlive([]any{a, b})
}

func heap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// nothing is a sink and an outcome without state.
type nothing struct{}

func (nothing) Transfer([]byte, bool)   {}
func (nothing) Settled(amqp.State)      {}
func (nothing) Abort()                  {}
func (nothing) Lost(error)              {}
func (nothing) Update(amqp.State, bool) {}
func (nothing) Ready()                  {}

var (
	_ session.Sink    = nothing{}
	_ session.Outcome = nothing{}
)
