package conn

import (
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/sim/netpipe"
)

// TestAnswerBesideBulk: on a slow way a small message waits for little more than
// what the network itself holds.
func TestAnswerBesideBulk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const rate, kernel = 1e6, 32 << 10
		a, b := joined(t, netpipe.Options{Bandwidth: rate, Buffer: kernel}, Config{}, Config{})
		got := make(chan time.Time, 1)
		b.owner.begin = func(r *Receiving) Sink { return arrival(got) }
		bulk := a.StreamLink(false)
		go pump(bulk, a.owner, session.BufferLarge, 30_000_000)
		time.Sleep(5 * time.Second)
		for range 10 {
			time.Sleep(700 * time.Millisecond)
			begin := time.Now()
			a.StreamLink(false).Send(&outcome{o: a.owner}, true).WriteBytes([]byte("ping"), false)
			d := (<-got).Sub(begin)
			// In front of it: what the network holds, and a frame that was taken.
			if most := time.Duration((kernel + 2*65536) / rate * float64(time.Second)); d > most {
				t.Errorf("waited %v, want at most %v", d, most)
			}
		}
	})
}

// arrival tells when a small delivery is complete.
type arrival chan time.Time

func (a arrival) Transfer(_ []byte, more bool) {
	if !more {
		a <- time.Now()
	}
}
func (a arrival) Settled(amqp.State) {}
func (a arrival) Abort()             {}
func (a arrival) Lost(error)         {}
