package conn

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// TestTraffic runs many streams in both directions at once over loopback, plain
// and under mutual TLS, with pumps that write inline and readers that settle,
// and compares the content. It is there for the race detector as well.
func TestTraffic(t *testing.T) {
	t.Parallel()
	id := newAuthority(t, "ca").identity("leaf", leaf{name: "x", dns: []string{"localhost"}})
	for _, frame := range []uint32{512, 16384, 65536, 131072} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("frames of %d, TLS %v", frame, secure), func(t *testing.T) {
				t.Parallel()
				client := Config{Client: true, Open: amqp.Open{MaxFrameSize: frame}, SessionWindow: 16}
				server := Config{Open: amqp.Open{MaxFrameSize: frame}, SessionWindow: 7}
				if secure {
					client.TLS, server.TLS = id.Client("localhost", true), id.Server(true)
				}
				x, y := loopback(t)
				exchange(t, x, y, client, server)
			})
		}
	}
}

func exchange(t *testing.T, x, y net.Conn, client, server Config) {
	const streams, size = 12, 100_000
	sums := make(chan [2]uint32, 2*streams)
	o := func() *owner {
		return &owner{begin: func(r *Receiving) Sink { return &checker{r: r, sums: sums} }}
	}
	a, b := startFor(t, x, client, o()), startFor(t, y, server, o())
	var pumps sync.WaitGroup
	for i := range streams {
		for _, c := range []*running{a, b} {
			pumps.Go(func() { sendChecked(c, rand.New(rand.NewPCG(uint64(i), 7)), size) })
		}
	}
	pumps.Wait()
	for range 2 * streams {
		if s := <-sums; s[0] != s[1] {
			t.Error("the content differs")
		}
	}
	a.Close(nil)
	for _, c := range []*running{a, b} {
		if err := c.stopped(); err != nil {
			t.Error(err)
		}
	}
}

// sendChecked sends a stream of random pieces, its checksum at the end.
func sendChecked(c *running, r *rand.Rand, n int) {
	out := &outcome{o: &owner{}, ready: make(chan struct{}, 1), lost: make(chan struct{})}
	s := c.StreamLink(false).Send(out, false)
	s.Inline = r.IntN(4) > 0
	sum := uint32(0)
	for n > 0 {
		for s.Queued() >= 2 {
			select {
			case <-out.ready:
			case <-out.lost:
				return
			}
		}
		b := session.GetBuffer(1 + r.IntN(min(n, 70_000)))
		k := min(n, 1+r.IntN(b.Cap()))
		for i := range b.Space()[:k] {
			b.Space()[i] = byte(r.Uint32())
		}
		b.Grow(k)
		n -= k
		sum = crc32.Update(sum, crc32.IEEETable, b.Bytes())
		s.Write(b, true)
	}
	s.WriteBytes([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}, false)
}

// checker compares a stream with the checksum at its end.
type checker struct {
	r    *Receiving
	sums chan [2]uint32
	sum  uint32
	tail []byte // the last four bytes so far
	n    uint64
}

func (c *checker) Transfer(p []byte, more bool) {
	c.n += uint64(len(p))
	all := append(c.tail, p...)
	cut := max(0, len(all)-4)
	c.sum = crc32.Update(c.sum, crc32.IEEETable, all[:cut])
	c.tail = append([]byte(nil), all[cut:]...)
	if more {
		c.r.Update(amqp.State{Code: amqp.StateReceived, Offset: c.n}, false)
		return
	}
	want := uint32(c.tail[0])<<24 | uint32(c.tail[1])<<16 | uint32(c.tail[2])<<8 | uint32(c.tail[3])
	c.r.Update(amqp.State{Code: amqp.StateAccepted}, true)
	c.sums <- [2]uint32{c.sum, want}
}
func (c *checker) Settled(amqp.State) {}
func (c *checker) Abort()             {}
func (c *checker) Lost(error)         {}

// TestConcurrentUse calls everything from everywhere while the connection ends.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	for range 20 {
		x, y := loopback(t)
		o := &owner{}
		a, b := startFor(t, x, Config{Client: true}, o), start(t, y, Config{})
		var users sync.WaitGroup
		for i := range 4 {
			users.Go(func() {
				for range 50 {
					l := a.Attach(LinkConfig{Session: i, Sender: true, SndSettle: amqp.SndMixed, Source: &amqp.Source{}, Target: &amqp.Target{}, Events: o})
					s := l.Send(&outcome{o: o}, false)
					s.Inline = i%2 == 0
					s.WriteBytes([]byte("x"), i%2 == 0)
					_, _, _ = s.Queued(), s.MaxPayload(), a.State()
					if i == 3 {
						s.Abort()
					} else {
						s.End(true)
					}
					_, _, _ = l.Remote(), l.CreditAvailable(), l.Stats()
					l.Detach(nil)
					_ = a.Unsent()
				}
			})
		}
		users.Go(func() {
			for range 30 {
				_ = b.State()
			}
			b.Close(nil)
		})
		users.Wait()
		a.cancel()
		_, _ = a.stopped(), b.stopped()
	}
}
