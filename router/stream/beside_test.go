package stream

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// beside runs f for streams like skupper-router's.
func beside(t *testing.T, f func(t *testing.T, e *ends)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		e.ingress.Constant, e.egress.Constant, e.late = true, true, true
		f(t, e)
		e.done.Wait()
		e.clean()
	})
}

// TestDownloadWaitsForUpstreamsListener: a download that nobody asked for goes
// in single frames with pauses until skupper-router's listener is certainly
// through: what reaches it while it switches is lost.
func TestDownloadWaitsForUpstreamsListener(t *testing.T) {
	for _, speaks := range []bool{false, true} {
		t.Run(fmt.Sprintf("client speaks %v", speaks), func(t *testing.T) {
			beside(t, func(t *testing.T, e *ends) {
				const size = 400_000
				e.server("svc", func(p program) {
					_, _ = p.Write(pattern(size))
					p.CloseWrite()
					_, _ = io.Copy(io.Discard, p)
				})
				began := time.Now()
				c := e.connect("svc")
				arrived := map[time.Duration]int{}
				buf := make([]byte, size)
				for total := 0; total < size; {
					n, err := c.Read(buf)
					if err != nil {
						t.Fatal(err)
					}
					if speaks && total == 0 {
						_, _ = c.Write([]byte("go on"))
					}
					total += n
					arrived[time.Since(began)] += n
				}
				c.CloseWrite()
				readAll(t, c)
				want := map[time.Duration]int{}
				left := size
				for at := firstPause; !speaks && left > size-ackStep; at += furtherPause {
					want[at] = session.BufferMedium
					left -= want[at]
				}
				want[firstPause+time.Duration(max(0, len(want)-1))*furtherPause] += left // the first is acknowledged, or the client has spoken
				if d := cmp.Diff(want, arrived); d != "" {
					t.Errorf("bytes by time (-want +got):\n%s", d)
				}
			})
		})
	}
}

// told are the lines of seen that are reminders.
func (e *ends) told() (n int) {
	for _, line := range e.seen() {
		if line == "request: told received" || line == "reply: told received" {
			n++
		}
	}
	return n
}

// TestReminders: what is sent to skupper-router and not acknowledged gets a few
// reminders, an end as many as it takes.
func TestReminders(t *testing.T) {
	beside(t, func(t *testing.T, e *ends) {
		e.server("svc", echo)
		c := e.connect("svc")
		fmt.Fprint(c, "hello") // upstream acknowledges half a megabyte at a time
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		before := e.told()
		time.Sleep(time.Hour)
		if n := e.told() - before; n != 2*reminders {
			t.Errorf("%d reminders of a word each way, want %d", n, 2*reminders)
		}
		c.CloseWrite()
		readAll(t, c)
		before = e.told()
		time.Sleep(time.Hour)
		if n := e.told() - before; n != 0 {
			t.Errorf("%d reminders of a stream that has ended", n)
		}
	})
}

// TestEndIsRemindedOf: until it is acknowledged.
func TestEndIsRemindedOf(t *testing.T) {
	beside(t, func(t *testing.T, e *ends) {
		u := newUpstreamEnd(e)
		c := e.connect("svc")
		c.CloseWrite()
		synctest.Wait()
		before := e.told()
		time.Sleep(10 * remindMost)
		if n := e.told() - before; n < 10 {
			t.Errorf("%d reminders of the end", n)
		}
		u.request.Update(amqp.State{Code: amqp.StateAccepted}, true)
		synctest.Wait()
		before = e.told()
		time.Sleep(time.Hour)
		if n := e.told() - before; n != 0 {
			t.Errorf("%d reminders after the end was acknowledged", n)
		}
		u.reply.Sending.End(true)
		readAll(t, c)
	})
}

// TestOpeningIsRemindedOf: while there is no reply, a few times.
func TestOpeningIsRemindedOf(t *testing.T) {
	beside(t, func(t *testing.T, e *ends) {
		var request Receiving
		u := &upstreamEnd{ends: e}
		e.serve("svc", &destination{take: func(r Receiving, _ *Head) session.Sink {
			request = r
			return u
		}})
		c := e.connect("svc")
		time.Sleep(time.Hour)
		if n := e.told(); n != reminders {
			t.Errorf("%d reminders, want %d", n, reminders)
		}
		request.Update(failed(), false)
		readAll(t, c)
	})
}
