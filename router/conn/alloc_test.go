package conn

import (
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// TestTransferAllocatesNothing: from a pump's buffer over loopback and TLS into
// the sink on the other side, and the acknowledgement back. It cannot run beside
// other tests, because the whole process is measured.
func TestTransferAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools drop items")
	}
	id := newAuthority(t, "ca").identity("leaf", leaf{dns: []string{"localhost"}})
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		for _, size := range []int{64, session.BufferMedium, session.BufferLarge} {
			client, server := Config{Client: true}, Config{}
			allowed := 0.5 // the runtime's own
			if secure {
				allowed += float64(2 + size/16384) // crypto/tls: 24 octets for each read of a record, of both sides
				client.TLS, server.TLS = id.Client("localhost", true), id.Server(true)
			}
			x, y := loopback(t)
			got := make(chan int, 16)
			acked := make(chan struct{}, 16)
			b := startFor(t, y, server, &owner{begin: func(r *Receiving) Sink { return &sizer{r: r, got: got} }})
			a := startFor(t, x, client, &owner{})
			s := a.StreamLink(false).Send(ackOutcome(acked), false)
			s.Inline = true
			send := func() {
				buf := session.GetBuffer(size)
				buf.Grow(size)
				s.Write(buf, true)
				for n := 0; n < size; {
					n += <-got
				}
				<-acked
			}
			for range 100 {
				send() // pools, stacks and sockets grow to their size
			}
			if n := testing.AllocsPerRun(200, send); n > allowed {
				t.Errorf("%s, %d octets: %.2f allocations per transfer", name, size, n)
			}
			a.Close(nil)
			_, _ = a.stopped(), b.stopped()
		}
	}
}

// sizer tells how much came and acknowledges it.
type sizer struct {
	r   *Receiving
	got chan int
	n   uint64
}

func (z *sizer) Transfer(p []byte, _ bool) {
	z.n += uint64(len(p))
	z.got <- len(p)
	z.r.Update(amqp.State{Code: amqp.StateReceived, Offset: z.n}, false)
}
func (z *sizer) Settled(amqp.State) {}
func (z *sizer) Abort()             {}
func (z *sizer) Lost(error)         {}

// ackOutcome tells that an acknowledgement came.
type ackOutcome chan struct{}

func (x ackOutcome) Update(st amqp.State, _ bool) {
	if st.Code == amqp.StateReceived {
		x <- struct{}{}
	}
}
func (x ackOutcome) Ready()     {}
func (x ackOutcome) Lost(error) {}
