package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// pair is an established stream that has carried a few bytes each way.
type pair struct {
	*ends
	client, server program
}

// establish opens a stream between a client and a server of the test's.
func (e *ends) establish() pair {
	e.t.Helper()
	servers := make(chan program, 1)
	e.server("svc", func(p program) { servers <- p })
	p := pair{ends: e, client: e.connect("svc")}
	p.server = <-servers
	fmt.Fprint(p.client, "ping")
	fmt.Fprint(p.server, "pong")
	for _, side := range []program{p.client, p.server} {
		if _, err := io.ReadFull(side, make([]byte, 4)); err != nil {
			e.t.Fatal(err)
		}
	}
	return p
}

// ended waits for the end of the stream and returns what both programs saw.
func (p pair) ended() (client, server error) {
	_, client = p.client.Read(make([]byte, 1))
	_, server = p.server.Read(make([]byte, 1))
	p.done.Wait()
	synctest.Wait()
	return client, server
}

func TestClientResets(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		p := e.establish()
		p.client.Reset()
		if _, server := p.ended(); e.egress.Constant {
			p.wantInAnyOrder(
				"request: transfer", "request: last transfer, settled",
				"reply: transfer", "reply: modified[true,false]", "reply: last transfer, settled")
			// compat: the end of the request comes first and looks like any.
			if server != io.EOF && server != errReset {
				t.Errorf("server sees %v", server)
			}
		} else if server != errReset {
			t.Errorf("server sees %v, want a reset", server)
		}
	})
}

func TestServerResets(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		p := e.establish()
		p.server.Reset()
		client, _ := p.ended()
		if e.egress.Constant {
			p.wantInAnyOrder(
				"request: transfer", "request: modified[true,false]", "request: last transfer, settled",
				"reply: transfer", "reply: last transfer, settled")
			if client != io.EOF && client != errReset {
				t.Errorf("client sees %v", client)
			}
		} else if client != errReset {
			t.Errorf("client sees %v, want a reset", client)
		}
	})
}

// TestClientResetsAfterItsEnd: a client that has half-closed and then goes
// away is noticed, though nothing is read from it any more.
func TestClientResetsAfterItsEnd(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		p := e.establish()
		p.client.CloseWrite()
		if _, err := p.server.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("server sees %v", err)
		}
		p.client.Reset()
		for err := error(nil); err != errReset; {
			_, err = p.server.Read(make([]byte, 1)) // the socket stays at its end until the reset comes
		}
		p.ended()
	})
}

func TestHopLost(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		p := e.establish()
		p.lose(errors.New("connection lost"))
		client, server := p.ended()
		if client != errReset || server != errReset {
			t.Errorf("client sees %v, server %v, want resets", client, server)
		}
	})
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		p := e.establish()
		p.cancel()
		client, server := p.ended()
		if client != errReset || server != errReset {
			t.Errorf("client sees %v, server %v, want resets", client, server)
		}
		for _, err := range slices.Concat(p.errs.ingress, p.errs.egress) {
			if err == nil {
				t.Error("a stream that was cut ended without error")
			}
		}
	})
}

// TestSenderSettles: that the sender has forgotten a delivery, with modified
// even, is no failure.
func TestSenderSettles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		p := e.establish()
		sink := e.open[0].sink
		sink.Settled(failed())
		fmt.Fprint(p.client, "more")
		if _, err := io.ReadFull(p.server, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		p.server.CloseWrite()
		p.client.CloseWrite()
		p.ended()
		if err := errors.Join(slices.Concat(p.errs.ingress, p.errs.egress)...); err != nil {
			t.Error(err)
		}
	})
}

// TestFailingOutcomeOfReply: the L-side fails the reply, the server is cut off
// and the rest of the request is discarded until it ends, then settled.
func TestFailingOutcomeOfReply(t *testing.T) {
	t.Parallel()
	for _, code := range []amqp.StateCode{amqp.StateModified, amqp.StateReleased, amqp.StateRejected} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEnds(t)
				e.egress.Constant = true
				servers := make(chan program, 1)
				e.server("svc", func(p program) { servers <- p })
				var reply Receiving
				taker := takerFunc(func(r Receiving, _ *Head) session.Sink {
					reply = r
					return Refuse(r, amqp.State{Code: code})
				})
				request, err := e.Open(t.Context(), Request{Address: "svc", Outcome: &outcomes{}, Reply: taker})
				if err != nil {
					t.Fatal(err)
				}
				o := opening{annotations: e.trace, to: "svc", replyTo: request.ReplyTo}
				request.Sending.WriteBytes(o.append(nil), true)
				server := <-servers
				synctest.Wait()
				if reply == nil {
					t.Fatal("no reply stream")
				}
				if _, err := server.Read(make([]byte, 1)); err != errReset {
					t.Errorf("server sees %v, want a reset", err)
				}
				request.Sending.WriteBytes([]byte("too late"), true)
				request.Sending.End(false)
				e.done.Wait()
				synctest.Wait()
				seen := e.seen()
				want := "request: modified[true,false] settled"
				if code == amqp.StateReleased {
					want = "request: released settled" // the client can be told of nothing, and may be served elsewhere
				}
				if seen[len(seen)-1] != want {
					t.Errorf("%q, want %q at the end", seen, want)
				}
			})
		})
	}
}

type takerFunc func(r Receiving, h *Head) session.Sink

func (f takerFunc) Reply(r Receiving, h *Head) session.Sink { return f(r, h) }

func TestReplyThatIsNoStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		d := &destination{take: func(r Receiving, h *Head) session.Sink {
			out := &outcomes{}
			p, err := e.Open(t.Context(), Request{Address: string(h.ReplyTo), Outcome: out})
			if err != nil {
				t.Error(err)
			}
			m := amqp.Message{Properties: &amqp.Properties{To: string(h.ReplyTo), ContentType: "text/plain"}, Kind: amqp.BodyValue}
			p.Sending.WriteBytes(m.Append(nil), false)
			return Refuse(r, failed())
		}}
		e.serve("svc", d)
		c := e.connect("svc")
		readAll(t, c)
		e.done.Wait()
		if !slices.Contains(e.seen(), "reply: rejected settled") {
			t.Errorf("%q: no rejected reply", e.seen())
		}
	})
}

// TestAnotherDestination: one that has no server for the stream is replaced,
// with what the client has already sent.
func TestAnotherDestination(t *testing.T) {
	t.Parallel()
	for _, early := range []int{0, 5, 50_000} {
		for _, end := range []bool{false, true} {
			t.Run(fmt.Sprintf("early=%d,end=%v", early, end), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					e := newEnds(t)
					e.server("svc", nil)
					e.server("svc", nil)
					e.server("svc", echo)
					e.hold()
					c := e.connect("svc")
					if _, err := c.Write(pattern(early)); err != nil {
						t.Fatal(err)
					}
					want := early
					if end {
						c.CloseWrite()
					}
					synctest.Wait()
					e.release()
					if !end {
						_, _ = c.Write(pattern(early)) // goes where the first part went
						c.CloseWrite()
						want *= 2
					}
					if got := readAll(t, c); len(got) != want {
						t.Errorf("%d bytes, want %d", len(got), want)
					}
					e.done.Wait()
					if err := e.errs.ingress[0]; err != nil {
						t.Error(err)
					}
					e.clean()
				})
			})
		}
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		e.ingress.Attempts = 2
		e.server("svc", nil)
		e.server("svc", nil)
		e.server("svc", echo)
		c := e.connect("svc")
		if b := readAll(t, c); len(b) != 0 {
			t.Errorf("%q", b)
		}
		e.done.Wait()
		if err := e.errs.ingress[0]; err == nil || err.Error() != "server not connected" {
			t.Errorf("error %v", err)
		}
		e.clean()
	})
}

// TestNotTwice: what may have reached a server is not sent to another one.
func TestNotTwice(t *testing.T) {
	t.Parallel()
	states := map[string]amqp.State{
		"released":            {Code: amqp.StateReleased},
		"modified":            failed(),
		"rejected":            {Code: amqp.StateRejected},
		"after it was taken":  NotConnected(""),
		"after the reply":     NotConnected(""),
		"rejected, no octets": {Code: amqp.StateRejected},
	}
	for name, st := range states {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEnds(t)
				e.serve("svc", &destination{take: func(r Receiving, h *Head) session.Sink {
					switch name {
					case "after it was taken":
						r.Update(received(0), false)
					case "after the reply":
						p, _ := e.Open(t.Context(), Request{Address: string(h.ReplyTo), Outcome: &outcomes{}})
						o := opening{annotations: e.trace, to: string(h.ReplyTo)}
						p.Sending.WriteBytes(o.append(nil), true)
						synctest.Wait()
						p.Sending.End(true)
					}
					return Refuse(r, st)
				}})
				e.server("svc", func(program) { t.Error("the second server was called") })
				e.hold()
				c := e.connect("svc")
				if name != "rejected, no octets" {
					fmt.Fprint(c, "POST /once")
				}
				synctest.Wait()
				e.release()
				_, _ = io.ReadAll(c)
				e.done.Wait()
			})
		})
	}
}

// TestReleasedWithoutOctets: a client that has sent nothing can go anywhere.
func TestReleasedWithoutOctets(t *testing.T) {
	t.Parallel()
	for _, constant := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			e := newEnds(t)
			e.ingress.Constant = constant
			e.serve("svc", &destination{gone: true})
			e.server("svc", func(p program) { fmt.Fprint(p, "hello"); p.CloseWrite() })
			c := e.connect("svc")
			if got := string(readAll(t, c)); got != "hello" {
				t.Errorf("%q", got)
			}
			c.CloseWrite()
			e.done.Wait()
			e.clean()
		})
	}
}

// TestReleasedForAWhile: while no router on the way knows it yet, a client waits
// and does not fail.
func TestReleasedForAWhile(t *testing.T) {
	t.Parallel()
	const known = 900 * time.Millisecond
	for _, what := range []string{"request", "reply"} {
		for _, constant := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,constant=%v", what, constant), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					e := newEnds(t)
					e.late = true
					e.ingress.Constant, e.egress.Constant = constant, constant
					began, called := time.Now(), 0
					e.replies["lost"] = takerFunc(func(r Receiving, _ *Head) session.Sink {
						return Refuse(r, amqp.State{Code: amqp.StateReleased})
					})
					d := e.server("svc", echo)
					take := d.take
					d.take = func(r Receiving, h *Head) session.Sink {
						called++
						if what == "request" && time.Since(began) < known {
							return Refuse(r, amqp.State{Code: amqp.StateReleased})
						}
						return take(r, h)
					}
					if what == "reply" {
						e.egress.Opener = astray{e, began.Add(known)}
					}
					c := e.connect("svc")
					fmt.Fprint(c, "once")
					c.CloseWrite()
					if got := string(readAll(t, c)); got != "once" {
						t.Errorf("%q", got)
					}
					if took := time.Since(began); took < known || took > 2*known {
						t.Errorf("served after %v", took)
					}
					if called < 3 || called > 8 {
						t.Errorf("opened %d times", called)
					}
					e.done.Wait()
					if err := e.errs.ingress[0]; err != nil {
						t.Error(err)
					}
					delete(e.replies, "lost")
					e.clean()
				})
			})
		}
	}
}

// astray loses replies for a while.
type astray struct {
	*ends
	until time.Time
}

func (a astray) Open(ctx context.Context, r Request) (Path, error) {
	if r.Reply == nil && time.Now().Before(a.until) {
		r.Address = "lost"
	}
	return a.ends.Open(ctx, r)
}

// TestReleasedForEver: the wait has an end, also when the client is cut off.
func TestReleasedForEver(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprintf("cut=%v", cut), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEnds(t)
				e.late = true
				e.serve("svc", &destination{gone: true})
				began, limit := time.Now(), 3150*time.Millisecond
				c := e.connect("svc")
				if cut {
					time.Sleep(2 * time.Second)
					e.cancel()
					limit = 2 * time.Second
				}
				_, _ = io.ReadAll(c)
				if took := time.Since(began); took != limit {
					t.Errorf("ended after %v, want %v", took, limit)
				}
				e.done.Wait()
				if err := e.errs.ingress[0]; err == nil || !cut && !wasReleased(err) {
					t.Errorf("error %v", err)
				}
				e.clean()
			})
		})
	}
}

// TestLostWhileOpening: the way breaks before anything was sent.
func TestLostWhileOpening(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		e.server("svc", func(program) { t.Error("called") })
		e.server("svc", echo)
		e.hold()
		c := e.connect("svc")
		synctest.Wait()
		e.lose(errors.New("connection lost"))
		synctest.Wait()
		e.release()
		fmt.Fprint(c, "x")
		c.CloseWrite()
		if got := string(readAll(t, c)); got != "x" {
			t.Errorf("%q", got)
		}
		e.done.Wait()
	})
}

// TestClientGoesWhileDialing: the dial is given up.
func TestClientGoesWhileDialing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		stopped := make(chan struct{})
		dialer := dialFunc(func(ctx context.Context, _ Call) (Leg, error) {
			<-ctx.Done()
			close(stopped)
			return Leg{}, ctx.Err()
		})
		e.serve("svc", &destination{take: func(r Receiving, h *Head) session.Sink {
			g, sink := NewEgress(&e.egress, dialer, r, h)
			e.done.Go(func() { _ = run(e.ctx, g) })
			return sink
		}})
		e.connect("svc")
		synctest.Wait()
		e.lose(errors.New("connection lost"))
		<-stopped
		e.done.Wait()
	})
}
