package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/sim/netpipe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// owner is a handler that records what it is told and lets tests act on it.
type owner struct {
	mu  sync.Mutex
	log []string

	opened   func(*Conn, *amqp.Open)
	attached func(*Link)
	begin    func(*Receiving) Sink
	credit   func(*Link)
}

func (o *owner) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, fmt.Sprintf(format, args...))
}

// took returns what was recorded since the last call.
func (o *owner) took() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := strings.Join(o.log, ", ")
	o.log = nil
	return s
}

func (o *owner) Opened(c *Conn, open *amqp.Open) {
	o.note("opened %s", open.ContainerID)
	if o.opened != nil {
		o.opened(c, open)
	}
}

func (o *owner) Attached(_ *Conn, l *Link) {
	if o.attached != nil {
		o.attached(l)
		return
	}
	l.Accept(nil, nil, nil, CreditPolicy{Window: 250}, o)
}

func (o *owner) Answered(l *Link) { o.note("answered %s", l.Name()) }

func (o *owner) Credit(l *Link) {
	if o.credit != nil {
		o.credit(l)
	}
}

func (o *owner) Begin(r *Receiving) Sink {
	if o.begin != nil {
		return o.begin(r)
	}
	return &recorder{o: o, r: r}
}

func (o *owner) Detached(l *Link, err *amqp.Error) {
	if err != nil {
		o.note("detached %s: %s", l.Name(), err.Condition)
	} else {
		o.note("detached %s", l.Name())
	}
}

// recorder notes a delivery and accepts it when it is complete.
type recorder struct {
	o    *owner
	r    *Receiving
	body []byte
}

func (s *recorder) Transfer(p []byte, more bool) {
	s.body = append(s.body, p...)
	if !more {
		s.o.note("got %q", s.body)
		s.r.Update(amqp.State{Code: amqp.StateAccepted}, true)
	}
}
func (s *recorder) Settled(st amqp.State) { s.o.note("settled by sender, %v", st.Code) }
func (s *recorder) Abort()                { s.o.note("aborted") }
func (s *recorder) Lost(err error)        { s.o.note("in lost: %s", condition(err)) }

// outcome notes what becomes of a delivery.
type outcome struct {
	o     *owner
	ready chan struct{} // capacity 1, or nil
	lost  chan struct{} // closed by Lost, or nil
}

func (x *outcome) Update(st amqp.State, settled bool) { x.o.note("%v settled=%v", st.Code, settled) }
func (x *outcome) Lost(err error) {
	x.o.note("out lost: %s", condition(err))
	if x.lost != nil {
		close(x.lost)
	}
}

func (x *outcome) Ready() {
	if x.ready != nil {
		notify(x.ready)
	}
}

func condition(err error) string {
	var e *amqp.Error
	if errors.As(err, &e) {
		return string(e.Condition)
	}
	return err.Error()
}

// running is a Conn whose Run was started.
type running struct {
	*Conn
	owner  *owner
	cancel context.CancelFunc
	done   chan error
	ended  atomic.Pointer[Error] // what Run returned
}

func start(t testing.TB, nc net.Conn, cfg Config) *running {
	return startFor(t, nc, cfg, &owner{})
}

func startFor(t testing.TB, nc net.Conn, cfg Config, o *owner) *running {
	ctx, cancel := context.WithCancel(context.Background())
	if cfg.Open.ContainerID == "" {
		cfg.Open.ContainerID = map[bool]string{true: "client", false: "server"}[cfg.Client]
	}
	r := &running{Conn: New(nc, cfg, o), owner: o, cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := r.Run(ctx)
		if e := (*Error)(nil); errors.As(err, &e) {
			r.ended.Store(e)
		}
		r.done <- err
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
	})
	return r
}

// stopped waits for the end of Run, and lets Cleanup find it again.
func (r *running) stopped() error {
	err := <-r.done
	r.done <- err
	return err
}

// joined returns two connections that have exchanged opens. The bubble's clock
// is theirs.
func joined(t *testing.T, o netpipe.Options, client, server Config) (a, b *running) {
	t.Helper()
	x, y := netpipe.Pair(o)
	client.Client = true
	a, b = start(t, x, client), start(t, y, server)
	time.Sleep(4 * (o.Latency + time.Millisecond) * 4)
	synctest.Wait()
	if got := a.owner.took() + "; " + b.owner.took(); got != "opened server; opened client" {
		t.Fatal(got)
	}
	return a, b
}

// inBubble runs a test in virtual time.
func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func expect(t *testing.T, o *owner, want string) {
	t.Helper()
	synctest.Wait()
	if got := o.took(); got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
}

// script is the other side of a connection, octet by octet.
type script struct {
	t  *testing.T
	nc net.Conn
}

// scripted starts a connection whose peer is a script.
func scripted(t *testing.T, cfg Config) (*running, *script) {
	t.Helper()
	x, y := netpipe.Pair(netpipe.Options{})
	t.Cleanup(func() { _ = y.Close() })
	return start(t, x, cfg), &script{t: t, nc: y}
}

func (s *script) write(b ...byte) {
	s.t.Helper()
	if _, err := s.nc.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) say(text string) { s.write([]byte(text)...) }

func (s *script) frame(typ uint8, ch uint16, p amqp.Performative, payload ...byte) {
	s.t.Helper()
	b := append(p.Append(amqp.AppendFrameHeader(nil, typ, ch)), payload...)
	amqp.FinishFrame(b)
	s.write(b...)
}

func (s *script) send(ch uint16, p amqp.Performative, payload ...byte) {
	s.t.Helper()
	s.frame(amqp.FrameAMQP, ch, p, payload...)
}

// read reads n octets.
func (s *script) read(n int) []byte {
	s.t.Helper()
	b := make([]byte, n)
	_ = s.nc.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(s.nc, b); err != nil {
		s.t.Fatalf("while waiting for %d octets: %v", n, err)
	}
	return b
}

func (s *script) wantHeader(h string) {
	s.t.Helper()
	if got := s.read(8); string(got) != h {
		s.t.Fatalf("header %q, want %q", got, h)
	}
}

// next reads the next frame, nil for a heartbeat.
func (s *script) next() (amqp.Performative, []byte, uint16) {
	s.t.Helper()
	b := s.read(8)
	h, err := amqp.ParseFrameHeader(b)
	if err != nil {
		s.t.Fatal(err)
	}
	if h.Size == 8 {
		return nil, nil, 0
	}
	p, payload, err := amqp.DecodePerformative(s.read(int(h.Size) - 8))
	if err != nil {
		s.t.Fatal(err)
	}
	return p, payload, h.Channel
}

// want reads the next frame, which must be a P.
func want[P amqp.Performative](s *script) P {
	s.t.Helper()
	p, _, _ := s.next()
	v, ok := p.(P)
	if !ok {
		s.t.Fatalf("got %T %+v, want %T", p, p, v)
	}
	return v
}

// wantEOF reads until the connection ends and returns what came before.
func (s *script) wantEOF() []byte {
	s.t.Helper()
	_ = s.nc.SetReadDeadline(time.Now().Add(time.Minute))
	b, err := io.ReadAll(s.nc)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// opened exchanges SASL ANONYMOUS and opens, as the dialing side.
func openScript(t *testing.T, cfg Config, open amqp.Open) (*running, *script) {
	t.Helper()
	r, s := scripted(t, cfg)
	s.say(amqp.ProtocolHeaderSASL)
	s.wantHeader(amqp.ProtocolHeaderSASL)
	want[*amqp.SASLMechanisms](s)
	s.frame(amqp.FrameSASL, 0, &amqp.SASLInit{Mechanism: Anonymous, InitialResponse: []byte("x")})
	want[*amqp.SASLOutcome](s)
	s.say(amqp.ProtocolHeaderAMQP)
	if open.ContainerID == "" {
		open.ContainerID = "script"
	}
	open.ChannelMax = 1000
	s.send(0, &open)
	s.wantHeader(amqp.ProtocolHeaderAMQP)
	want[*amqp.Open](s)
	expect(t, r.owner, "opened "+open.ContainerID)
	return r, s
}

var _ session.Sink = (*recorder)(nil)
