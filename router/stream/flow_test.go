package stream

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// upstreamEnd is a C-side of the test's own, as skupper-router's: it takes the
// request, answers, and acknowledges when it is told to.
type upstreamEnd struct {
	*ends
	request Receiving
	reply   Path
	got     int
}

func (u *upstreamEnd) Transfer(p []byte, _ bool) { u.got += len(p) }
func (u *upstreamEnd) Settled(amqp.State)        {}
func (u *upstreamEnd) Abort()                    {}
func (u *upstreamEnd) Lost(error)                {}

func newUpstreamEnd(e *ends) *upstreamEnd {
	u := &upstreamEnd{ends: e}
	e.serve("svc", &destination{take: func(r Receiving, h *Head) session.Sink {
		u.request = r
		u.reply, _ = e.Open(e.ctx, Request{Address: string(h.ReplyTo), Outcome: &outcomes{}})
		o := opening{annotations: e.trace, to: string(h.ReplyTo)}
		u.reply.Sending.WriteBytes(o.append(nil), true)
		return u
	}})
	return u
}

// TestStallsWithoutAcknowledgements: exactly at 1,042,432 bytes, and goes on
// by as much as is acknowledged.
func TestStallsWithoutAcknowledgements(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		u := newUpstreamEnd(e)
		c := e.connect("svc")
		e.done.Go(func() { _, _ = c.Write(make([]byte, 16<<20)) })
		want := func(n int) {
			t.Helper()
			if synctest.Wait(); u.got != n {
				t.Fatalf("%d bytes arrived, want %d", u.got, n)
			}
		}
		want(1_042_432)
		for _, offset := range []uint64{0, 1, 500_000, 400_000, 500_000} {
			u.request.Update(received(offset), false)
		}
		want(1_042_432 + 500_000)
		u.request.Update(received(1_542_432), false)
		want(1_042_432 + 1_542_432)
		u.request.Update(amqp.State{Code: amqp.StateAccepted}, false) // compat: no window any more
		want(16 << 20)
		c.Reset()
		e.done.Wait()
	})
}

// TestEarlyData: 64 KiB go along before there is a reply, no more.
func TestEarlyData(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		u := &upstreamEnd{ends: e}
		e.serve("svc", &destination{take: func(r Receiving, _ *Head) session.Sink {
			u.request = r
			return u
		}})
		c := e.connect("svc")
		e.done.Go(func() { _, _ = c.Write(make([]byte, 1<<20)) })
		if synctest.Wait(); u.got != 64<<10 {
			t.Errorf("%d bytes before the reply", u.got)
		}
		c.Reset()
		e.done.Wait()
	})
}

// TestAcknowledges: at least every 521,216 bytes, or skupper-router's sender
// would stop; every 131,072 in fact.
func TestAcknowledges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		e.egress.Constant = true
		e.server("svc", func(p program) { _, _ = io.Copy(io.Discard, p) })
		request, err := e.Open(t.Context(), Request{Address: "svc", Outcome: &outcomes{}, Reply: takerFunc(func(Receiving, *Head) session.Sink {
			return &upstreamEnd{}
		})})
		if err != nil {
			t.Fatal(err)
		}
		o := opening{annotations: e.trace, to: "svc", replyTo: request.ReplyTo}
		request.Sending.WriteBytes(o.append(nil), true)
		d := e.open[0]
		for sent := uint64(0); sent < 4<<20; sent += 16_000 {
			request.Sending.WriteBytes(make([]byte, 16_000), true)
			synctest.Wait()
			if behind := sent + 16_000 - d.acked; behind >= ackStep+16_000 {
				t.Fatalf("%d bytes behind after %d", behind, sent)
			}
		}
		e.cancel()
		e.done.Wait()
	})
}

// TestNothingIsAcceptedBeforeItsEnd: a sender that heard of it would ignore the
// window from then on.
func TestNothingIsAcceptedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		p := e.establish()
		for from, to := range map[program]program{p.client: p.server, p.server: p.client} {
			e.done.Go(func() { _, _ = from.Write(pattern(400_000)) })
			if _, err := io.ReadFull(to, make([]byte, 400_000)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for _, s := range e.seen() {
			if strings.Contains(s, "accepted") || strings.Contains(s, "settled") {
				t.Errorf("%q before the end", s)
			}
		}
		p.client.CloseWrite()
		p.server.CloseWrite()
		p.ended()
		if got := e.seen(); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "settled") }) {
			t.Errorf("%q: nothing is settled in the end", got)
		}
	})
}

// TestSenderWithoutWindow: a peer that ignores the window loses its stream, not
// our memory.
func TestSenderWithoutWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		u := newUpstreamEnd(e)
		c := e.connect("svc") // reads nothing
		synctest.Wait()
		for range 2 << 20 / 16_000 {
			u.reply.Sending.WriteBytes(make([]byte, 16_000), true)
		}
		e.done.Wait()
		if err := e.errs.ingress[0]; err != ErrWindow {
			t.Errorf("error %v, want ErrWindow", err)
		}
		if _, err := io.ReadAll(c); err != errReset {
			t.Errorf("client sees %v", err)
		}
	})
}

// TestWindowGrows: over a path with a delay, a stream between ours gets more
// than its first window per round trip, one with skupper-router's window does
// not.
func TestWindowGrows(t *testing.T) {
	t.Parallel()
	rate := func(constant bool) time.Duration {
		var took time.Duration
		synctest.Test(t, func(t *testing.T) {
			e := newEnds(t)
			e.ingress.Constant = constant
			e.ingress.Budget, e.egress.Budget = NewBudget(1<<30), NewBudget(1<<30)
			e.latency, e.size = 25*time.Millisecond, 32<<20
			e.server("svc", func(p program) {
				_, _ = io.Copy(io.Discard, p)
				p.CloseWrite()
			})
			c := e.connect("svc")
			start := time.Now()
			_, _ = c.Write(make([]byte, 48<<20))
			c.CloseWrite()
			readAll(t, c)
			took = time.Since(start)
			e.done.Wait()
			e.clean()
		})
		return took
	}
	ours, upstreams := rate(false), rate(true)
	if upstreams < 48<<20/upstreamWindow*50*time.Millisecond {
		t.Errorf("skupper-router's window was exceeded: %v", upstreams)
	}
	if ours > upstreams/3 {
		t.Errorf("ours took %v, skupper-router's window %v", ours, upstreams)
	}
}

// TestResumesAfterStalls: whatever stops for whatever time and in whatever
// order, everything arrives. skupper-router has downloads that never resume.
func TestResumesAfterStalls(t *testing.T) {
	t.Parallel()
	for seed := range uint64(16) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				e := newEnds(t)
				e.ingress.Constant, e.egress.Constant = rnd.IntN(2) == 0, rnd.IntN(2) == 0
				e.indirect = rnd.IntN(2) == 0
				e.size = 1 << (10 + rnd.IntN(8))
				e.frame = []int{500, 16_355, 65_490}[rnd.IntN(3)]
				e.ingress.Budget = NewBudget(1 << (16 + rnd.IntN(10)))
				n := 1 + rnd.IntN(4<<20)
				seeds := [4]uint64{rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64()}
				e.server("svc", func(p program) {
					e.done.Go(func() { haltingly(p, pattern(n), seeds[0]) })
					verify(t, "upload", p, pattern(n/2), seeds[1])
				})
				c := e.connect("svc")
				e.done.Go(func() { haltingly(c, pattern(n/2), seeds[2]) })
				verify(t, "download", c, pattern(n), seeds[3])
				e.done.Wait()
				e.clean()
			})
		})
	}
}

// haltingly writes p in pieces with pauses between them.
func haltingly(w program, p []byte, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	for len(p) > 0 {
		k := min(len(p), 1+rnd.IntN(300_000))
		if _, err := w.Write(p[:k]); err != nil {
			return
		}
		p = p[k:]
		if rnd.IntN(4) == 0 {
			time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		}
	}
	w.CloseWrite()
}

// verify reads want with pauses.
func verify(t *testing.T, name string, r io.Reader, want []byte, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	buf := make([]byte, 1+rnd.IntN(100_000))
	for got := 0; ; {
		n, err := r.Read(buf)
		if !bytes.Equal(buf[:n], want[got:min(len(want), got+n)]) {
			t.Errorf("%s: bytes at %d are not what was sent", name, got)
			return
		}
		if got += n; err != nil {
			if err != io.EOF || got != len(want) {
				t.Errorf("%s: %v after %d of %d bytes", name, err, got, len(want))
			}
			return
		}
		if rnd.IntN(20) == 0 {
			time.Sleep(time.Duration(rnd.IntN(5000)) * time.Millisecond)
		}
	}
}

// TestSlowReaderBesideOthers: streams of one connection do not wait for each
// other.
func TestSlowReaderBesideOthers(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		const streams, n = 20, 200_000
		e.server("slow", func(p program) {
			_, _ = p.Write(pattern(4 << 20))
			p.CloseWrite()
			_, _ = io.Copy(io.Discard, p)
		})
		e.server("svc", echo)
		slow := e.connect("slow") // does not read
		synctest.Wait()
		for range streams {
			e.done.Go(func() {
				c := e.connect("svc")
				want := crc32.ChecksumIEEE(pattern(n))
				_, _ = c.Write(pattern(n))
				c.CloseWrite()
				if crc32.ChecksumIEEE(readAll(t, c)) != want {
					t.Error("not what was sent")
				}
			})
		}
		synctest.Wait() // everything that does not depend on the slow one has ended
		if n := len(e.errs.ingress); n != streams {
			t.Errorf("%d of %d streams ended beside one that does not read", n, streams)
		}
		slow.CloseWrite()
		if got := readAll(t, slow); !bytes.Equal(got, pattern(4<<20)) {
			t.Errorf("slow reader got %d bytes", len(got))
		}
	})
}

func TestManyStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		e.server("svc", echo)
		for i := range 500 {
			e.done.Go(func() {
				c := e.connect("svc")
				want := pattern(i * 50)
				_, _ = c.Write(want)
				c.CloseWrite()
				if got := readAll(t, c); !bytes.Equal(got, want) {
					t.Errorf("stream %d: %d bytes, want %d", i, len(got), len(want))
				}
			})
		}
		e.done.Wait()
		e.clean()
	})
}
