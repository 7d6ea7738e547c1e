package conn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/sim/netpipe"
)

func TestMessageThereAndBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{Latency: 5 * time.Millisecond}, Config{}, Config{})
		l := a.Attach(LinkConfig{Session: ClassData, Name: "l", Sender: true, Source: &amqp.Source{}, Target: &amqp.Target{Address: "x"}, Events: a.owner})
		s := l.Send(&outcome{o: a.owner}, false)
		s.WriteBytes([]byte("hello "), true)
		s.WriteBytes([]byte("world"), false)
		time.Sleep(time.Second)
		expect(t, b.owner, `got "hello world"`)
		expect(t, a.owner, "answered l, accepted settled=true")
		if l.Remote().Target.Address != "x" || l.Session() != ClassData || !l.Sender() {
			t.Errorf("remote %+v", l.Remote())
		}
		if n := l.CreditAvailable(); n != 249 {
			t.Errorf("credit %d", n)
		}
		if st := a.State(); st.Remote.ContainerID != "server" || st.Mechanism != Anonymous || st.Stats.Links != 1 || st.Stats.DeliveriesOut != 1 {
			t.Errorf("%+v", st)
		}
		l.Detach(nil)
		time.Sleep(time.Second)
		expect(t, b.owner, "detached l")
		expect(t, a.owner, "detached l")
		a.Close(nil)
		if err := a.stopped(); err != nil {
			t.Error(err)
		}
		if err := b.stopped(); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseSendsWhatIsQueued: an orderly end loses nothing that may leave.
func TestCloseSendsWhatIsQueued(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{Latency: time.Millisecond, Bandwidth: 10e6}, Config{}, Config{})
		l := a.Attach(LinkConfig{Name: "l", Sender: true, Source: &amqp.Source{}, Target: &amqp.Target{}, Events: a.owner})
		time.Sleep(time.Second)
		n := 0
		b.owner.begin = func(r *Receiving) Sink { return &counter{n: &n} }
		s := l.Send(&outcome{o: a.owner}, true)
		s.WriteBytes(make([]byte, 5_000_000), false)
		a.Close(nil)
		if err := b.stopped(); err != nil || n != 5_000_000 {
			t.Errorf("%d bytes, %v", n, err)
		}
		if err := a.stopped(); err != nil {
			t.Error(err)
		}
	})
}

// counter counts bytes.
type counter struct{ n *int }

func (c *counter) Transfer(p []byte, _ bool) { *c.n += len(p) }
func (c *counter) Settled(amqp.State)        {}
func (c *counter) Abort()                    {}
func (c *counter) Lost(error)                {}

func TestCloseWithError(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{}, Config{}, Config{})
		a.Close(&amqp.Error{Condition: amqp.ErrConnectionForced, Description: "bye"})
		var e *amqp.Error
		if err := b.stopped(); !errors.As(err, &e) || e.Condition != amqp.ErrConnectionForced {
			t.Errorf("%v", err)
		}
		if err := a.stopped(); err != nil {
			t.Error(err)
		}
	})
}

func TestContextEndsOrderly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{}, Config{}, Config{})
		a.cancel()
		if err := a.stopped(); err != nil {
			t.Error(err)
		}
		if err := b.stopped(); err != nil {
			t.Errorf("the peer saw %v instead of close", err)
		}
	})
}

func TestContextHangsUp(t *testing.T) {
	for _, half := range []bool{true, false} {
		t.Run(fmt.Sprintf("half closed %t", half), func(t *testing.T) { hangsUp(t, half) })
	}
}

// whole is a connection that cannot be closed by halves, as a WebSocket.
type whole struct{ net.Conn }

func hangsUp(t *testing.T, half bool) {
	inBubble(t, func(t *testing.T) {
		x, y := netpipe.Pair(netpipe.Options{})
		var nc net.Conn = x
		if !half {
			nc = whole{x}
		}
		a, b := start(t, nc, Config{Client: true, HangUp: true}), start(t, y, Config{})
		synctest.Wait()
		began := time.Now()
		a.cancel()
		if err := a.stopped(); err != nil {
			t.Error(err)
		}
		if err := b.stopped(); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Errorf("the peer saw %v, want the end of what it reads", err)
		}
		if took := time.Since(began); took >= closeTime {
			t.Errorf("it took %v: somebody has waited for a Close", took)
		}
	})
}

// TestCloseBesideBulk: a pump that never stops does not keep Close back for ever.
func TestCloseBesideBulk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{Bandwidth: 1e6, Buffer: 16 << 10}, Config{}, Config{})
		b.owner.begin = func(*Receiving) Sink { return &silent{b.owner} }
		l := a.StreamLink(false)
		done := make(chan struct{})
		go func() {
			pump(l, a.owner, session.BufferLarge, 1<<40)
			close(done)
		}()
		time.Sleep(time.Second)
		begin := time.Now()
		a.cancel()
		if err := b.stopped(); err != nil {
			t.Errorf("the peer saw %v instead of close", err)
		}
		if d := time.Since(begin); d > closeTime+lostTime {
			t.Errorf("ended after %v", d)
		}
		<-done
	})
}

// TestEveryLastCallComesOnce: whatever ends the connection.
func TestEveryLastCallComesOnce(t *testing.T) {
	for name, end := range map[string]func(*running, *netpipe.Conn){
		"cut":    func(_ *running, x *netpipe.Conn) { x.Cut() },
		"close":  func(a *running, _ *netpipe.Conn) { a.Close(nil) },
		"abort":  func(a *running, _ *netpipe.Conn) { a.Abort(errors.New("taken over")) },
		"cancel": func(a *running, _ *netpipe.Conn) { a.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				x, y := netpipe.Pair(netpipe.Options{})
				a, b := start(t, x, Config{Client: true}), start(t, y, Config{})
				b.owner.begin = func(*Receiving) Sink { return &silent{b.owner} }
				l := a.Attach(LinkConfig{Name: "l", Sender: true, Source: &amqp.Source{}, Target: &amqp.Target{}, Events: a.owner})
				pooled := a.StreamLink(false)
				for range 2 {
					l.Send(&outcome{o: a.owner}, false).WriteBytes([]byte("x"), false)
				}
				stream := pooled.Send(&outcome{o: a.owner}, false)
				stream.WriteBytes([]byte("y"), true)
				expect(t, a.owner, "opened server, answered l")
				expect(t, b.owner, "opened client")
				end(a, x)
				_ = a.stopped()
				_ = b.stopped()
				expect(t, a.owner, "out lost: connection:lost, out lost: connection:lost, detached l: connection:lost, out lost: connection:lost")
				links := b.State().Stats.Links // the pool has attached some ahead
				got := qdlink.ReplaceAllString(b.owner.took(), "")
				if in := "in lost: connection:lost, "; got != in+in+"detached l: connection:lost, in lost: connection:lost" || links != 0 {
					t.Errorf("got %s; %d links are left", got, links)
				}
				// After the end everything answers at once.
				stream.WriteBytes([]byte("z"), false)
				l.Send(&outcome{o: a.owner}, false).WriteBytes([]byte("late"), false)
				a.Attach(LinkConfig{Name: "late", Sender: true, Events: a.owner})
				a.StreamLink(false).Send(&outcome{o: a.owner}, false)
				l.Detach(nil)
				a.Close(nil)
				expect(t, a.owner, "out lost: connection:lost, detached late: connection:lost, out lost: connection:lost")
			})
		})
	}
}

// qdlink finds the last call of a link of a pool.
var qdlink = regexp.MustCompile(`(, )?detached qdlink\.[^:]*: connection:lost`)

// silent takes a delivery and answers nothing.
type silent struct{ o *owner }

func (s *silent) Transfer([]byte, bool) {}
func (s *silent) Settled(amqp.State)    {}
func (s *silent) Abort()                {}
func (s *silent) Lost(err error)        { s.o.note("in lost: %s", condition(err)) }

func TestBareEOF(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, s := openScript(t, Config{}, amqp.Open{})
		_ = s.nc.Close()
		var e *Error
		if err := r.stopped(); !errors.Is(err, io.EOF) || !errors.As(err, &e) || e.Error() != "closed by the peer" {
			t.Errorf("%v", err)
		}
	})
}

func TestProtocolErrorIsAnsweredAndReported(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, s := openScript(t, Config{}, amqp.Open{})
		s.write(0, 1, 0, 1, 2, 0, 0, 0) // a frame of 65,537 octets
		if c := want[*amqp.Close](s); c.Error == nil || c.Error.Condition != amqp.ErrFraming {
			t.Errorf("close with %v", c.Error)
		}
		s.write(make([]byte, 100_000)...) // it goes on regardless
		_ = s.nc.Close()
		var e *amqp.Error
		if err := r.stopped(); !errors.As(err, &e) || e.Condition != amqp.ErrFraming {
			t.Errorf("%v", err)
		}
	})
}

// TestPeerIgnoresClose: the end is enforced.
func TestPeerIgnoresClose(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, s := openScript(t, Config{}, amqp.Open{})
		begin := time.Now()
		r.Close(nil)
		want[*amqp.Close](s)
		if err := r.stopped(); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d != closeTime {
			t.Errorf("ended after %v", d)
		}
	})
}

func TestHeartbeats(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, s := openScript(t, Config{}, amqp.Open{IdleTimeOut: 8000})
		begin := time.Now()
		for range 5 {
			if p, _, _ := s.next(); p != nil {
				t.Fatalf("got %T", p)
			}
			if d := time.Since(begin); d > 4*time.Second {
				t.Errorf("silent for %v", d)
			}
			begin = time.Now()
			s.write(amqp.AppendHeartbeat(nil)...)
		}
	})
}

// TestHeartbeatsWhileReceiving: what the peer sends does not count for us.
func TestHeartbeatsWhileReceiving(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, s := openScript(t, Config{}, amqp.Open{IdleTimeOut: 1000})
		for range 20 {
			time.Sleep(200 * time.Millisecond)
			s.write(amqp.AppendHeartbeat(nil)...)
		}
		_ = s.nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		n := 0
		for {
			b := make([]byte, 8)
			if _, err := io.ReadFull(s.nc, b); err != nil {
				break
			}
			n++
		}
		if n < 8 {
			t.Errorf("%d heartbeats in 4 s", n)
		}
	})
}

func TestSilentPeerIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, idle := range []time.Duration{200 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 16 * time.Second} {
		t.Run(idle.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r, s := openScript(t, Config{Open: amqp.Open{IdleTimeOut: uint32(idle.Milliseconds() / 2)}}, amqp.Open{})
				begin := time.Now()
				for { // heartbeats come first
					p, _, _ := s.next()
					if c, ok := p.(*amqp.Close); ok {
						if c.Error.Condition != amqp.ErrResourceLimitExceeded {
							t.Errorf("close with %v", c.Error)
						}
						break
					}
				}
				if err := r.stopped(); err == nil || !strings.HasPrefix(err.Error(), "nothing was heard from the peer for ") {
					t.Errorf("%v", err)
				}
				if d := time.Since(begin); d < idle || d > idle*5/4+2*lostTime {
					t.Errorf("given up after %v", d)
				}
			})
		})
	}
}

// TestStalledWire: neither our own writes nor a full pipe keep a dead peer
// alive.
func TestStalledWire(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		x, y := netpipe.Pair(netpipe.Options{})
		a, b := start(t, x, Config{Client: true}), start(t, y, Config{})
		l := a.Attach(LinkConfig{Name: "l", Sender: true, Source: &amqp.Source{}, Target: &amqp.Target{}, Events: a.owner})
		synctest.Wait()
		x.Stall(true)
		l.Send(&outcome{o: a.owner}, false).WriteBytes(make([]byte, 1<<20), true)
		begin := time.Now()
		if err := a.stopped(); err == nil {
			t.Error("no error")
		}
		if d := time.Since(begin); d > 22*time.Second {
			t.Errorf("given up after %v", d)
		}
		if err := b.stopped(); err == nil {
			t.Error("no error")
		}
	})
}

func TestPresettledOverflowIsReported(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{}, Config{}, Config{})
		b.owner.attached = func(l *Link) { l.Accept(nil, nil, nil, CreditPolicy{}, b.owner) }
		l := a.Attach(LinkConfig{Name: "l", Sender: true, Source: &amqp.Source{}, Target: &amqp.Target{}, Events: a.owner})
		expect(t, a.owner, "answered l")
		for range 251 {
			l.Send(&outcome{o: a.owner}, true).WriteBytes([]byte("m"), false)
		}
		expect(t, a.owner, "out lost: "+session.ErrDropped.Error())
	})
}

func TestDrainIsAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, s := openScript(t, Config{}, amqp.Open{})
		r.owner.credit = func(l *Link) { l.Send(&outcome{o: r.owner}, true).WriteBytes([]byte("m"), false) }
		s.send(0, &amqp.Begin{IncomingWindow: 100, OutgoingWindow: 100})
		want[*amqp.Begin](s)
		s.send(0, &amqp.Attach{Name: "l", Role: amqp.RoleReceiver, Source: &amqp.Source{}, Target: &amqp.Target{}})
		want[*amqp.Attach](s)
		s.send(0, &amqp.Flow{HasNextIncomingID: true, IncomingWindow: 100, HasHandle: true, HasDeliveryCount: true, HasLinkCredit: true, LinkCredit: 10, Drain: true})
		want[*amqp.Transfer](s)
		if f := want[*amqp.Flow](s); f.LinkCredit != 0 || f.DeliveryCount != 10 || !f.Drain {
			t.Errorf("%+v", f)
		}
	})
}

// TestCreditBeforeOurAttach: a peer that pipelines gives credit before its link
// is accepted.
func TestCreditBeforeOurAttach(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, s := openScript(t, Config{}, amqp.Open{})
		attached := make(chan *Link, 1)
		r.owner.attached = func(l *Link) { attached <- l }
		r.owner.credit = func(l *Link) { l.Send(&outcome{o: r.owner}, true).WriteBytes([]byte("m"), false) }
		s.send(0, &amqp.Begin{IncomingWindow: 100, OutgoingWindow: 100})
		want[*amqp.Begin](s)
		s.send(0, &amqp.Attach{Name: "l", Role: amqp.RoleReceiver, Source: &amqp.Source{}, Target: &amqp.Target{}})
		s.send(0, &amqp.Flow{HasNextIncomingID: true, IncomingWindow: 100, HasHandle: true, HasDeliveryCount: true, HasLinkCredit: true, LinkCredit: 10, Drain: true})
		synctest.Wait()
		(<-attached).Accept(nil, nil, nil, CreditPolicy{}, r.owner)
		want[*amqp.Attach](s)
		want[*amqp.Transfer](s)
		if f := want[*amqp.Flow](s); f.LinkCredit != 0 || f.DeliveryCount != 10 {
			t.Errorf("%+v", f)
		}
	})
}
