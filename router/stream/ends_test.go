package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// ends are the two sides of streams over one network: a listener whose clients
// are connect's, and connectors whose servers are functions of the test.
type ends struct {
	*network
	ingress, egress Options
	size            int // bytes that a socket buffers
	indirect        bool
	ctx             context.Context
	cancel          context.CancelFunc
	done            sync.WaitGroup
	errs            struct {
		sync.Mutex
		ingress, egress []error
	}
}

func newEnds(t *testing.T) *ends {
	e := &ends{network: newNetwork(t), size: 64 << 10}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.ingress.Opener, e.egress.Opener = e, e
	return e
}

// server adds a destination whose server is f; nil refuses connections.
func (e *ends) server(address string, f func(p program)) *destination {
	return e.connector(address, e.dialer(f))
}

// connector adds a destination whose servers a dialer connects to.
func (e *ends) connector(address string, dialer Dialer) *destination {
	d := &destination{}
	d.take = func(r Receiving, h *Head) session.Sink {
		g, sink := NewEgress(&e.egress, dialer, r, h)
		if g != nil {
			e.done.Go(func() {
				err := run(e.ctx, g)
				e.errs.Lock()
				e.errs.egress = append(e.errs.egress, err)
				e.errs.Unlock()
			})
		}
		return sink
	}
	e.serve(address, d)
	return d
}

// run carries a stream until it is over, and cuts it when ctx is done.
func run(ctx context.Context, s interface {
	Start(ctx context.Context, done func(err error))
	Cut(err error)
},
) error {
	stop := context.AfterFunc(ctx, func() { s.Cut(context.Cause(ctx)) })
	defer stop()
	result := make(chan error, 1)
	s.Start(ctx, func(err error) { result <- err })
	return <-result
}

type dialFunc func(ctx context.Context, c Call) (Leg, error)

func (f dialFunc) Dial(ctx context.Context, c Call) (Leg, error) { return f(ctx, c) }

var errRefused = errors.New("connection refused")

func (e *ends) dialer(f func(p program)) Dialer {
	return dialFunc(func(context.Context, Call) (Leg, error) {
		if f == nil {
			return Leg{}, errRefused
		}
		c := newMemConn(e.size)
		c.indirect = e.indirect
		e.done.Go(func() { f(program{c}) })
		return Leg{Socket: c}, nil
	})
}

// connect opens a stream and returns its client.
func (e *ends) connect(address string) program {
	c := newMemConn(e.size)
	c.indirect = e.indirect
	g := NewIngress(&e.ingress, Client{Socket: c, Address: address})
	e.done.Go(func() {
		err := run(e.ctx, g)
		e.errs.Lock()
		e.errs.ingress = append(e.errs.ingress, err)
		e.errs.Unlock()
	})
	return program{c}
}

// want compares what passed with the lines of text.
func (e *ends) want(text string) {
	e.t.Helper()
	var want []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			want = append(want, line)
		}
	}
	if d := cmp.Diff(want, e.seen()); d != "" {
		e.t.Errorf("what passed (-want +got):\n%s", d)
	}
}

// wantInAnyOrder is want for what crosses in opposite directions.
func (e *ends) wantInAnyOrder(want ...string) {
	e.t.Helper()
	got := e.seen()
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		e.t.Errorf("what passed (-want +got):\n%s", d)
	}
}

func echo(p program) {
	_, _ = io.Copy(p, p)
	p.CloseWrite()
}

// eachKind runs f for streams like skupper-router's and for ours, over sockets
// that can be written without blocking and others.
func eachKind(t *testing.T, f func(t *testing.T, e *ends)) {
	for _, constant := range []bool{true, false} {
		for _, indirect := range []bool{false, true} {
			t.Run(fmt.Sprintf("constant=%v,indirect=%v", constant, indirect), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					e := newEnds(t)
					e.ingress.Constant, e.egress.Constant = constant, constant
					e.indirect = indirect
					f(t, e)
					e.done.Wait()
					e.clean()
				})
			})
		}
	}
}

// clean checks that nothing is left of any stream.
func (e *ends) clean() {
	e.t.Helper()
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.replies) > 0 {
		e.t.Errorf("%d reply addresses left", len(e.replies))
	}
	for _, d := range e.open {
		if !d.gone && !d.aborted && !(d.emitted && (d.settled || d.there)) {
			e.t.Errorf("%s left open: emitted=%v settled=%v there=%v", d.name, d.emitted, d.settled, d.there)
		}
	}
	for _, o := range []*Options{&e.ingress, &e.egress} {
		if n := o.Budget.Reserved(); n != 0 {
			e.t.Errorf("%d bytes of the budget left", n)
		}
	}
}

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("read: %v after %d bytes", err, len(b))
	}
	return b
}

func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func TestEcho(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		e.server("svc", echo)
		c := e.connect("svc")
		fmt.Fprint(c, "hello")
		buf := make([]byte, 5)
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "hello" {
			t.Fatalf("%q, %v", buf, err)
		}
		c.CloseWrite()
		if rest := readAll(t, c); len(rest) > 0 {
			t.Errorf("%d bytes too many", len(rest))
		}
		e.done.Wait()
		synctest.Wait()
		got := slices.DeleteFunc(e.seen(), func(s string) bool { return s == "request: received" })
		want := []string{
			"request: transfer", "request: last transfer", "request: accepted settled",
			"reply: transfer", "reply: last transfer, settled",
		}
		if e.egress.Constant {
			want = append(want[:4], "reply: last transfer", "reply: accepted settled") // its end must be seen to be known
		}
		slices.Sort(got) // what goes in opposite directions crosses
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

func TestServerSpeaksFirst(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		e.server("svc", func(p program) {
			fmt.Fprint(p, "220 ready\r\n")
			echo(p)
		})
		c := e.connect("svc")
		buf := make([]byte, 11)
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "220 ready\r\n" {
			t.Fatalf("%q, %v", buf, err)
		}
		c.CloseWrite()
		readAll(t, c)
	})
}

// TestServerWaitsForUpstreamsListener: what a server says right away waits until
// a listener of skupper-router's kind can take it: until its client has said
// something, or for a moment. Between our routers nothing waits.
func TestServerWaitsForUpstreamsListener(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		heard := func(client func(p program)) time.Duration {
			began := time.Now()
			c := e.connect("svc")
			if client != nil {
				e.done.Go(func() { client(c) })
			}
			buf := make([]byte, 4)
			if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "220 " {
				t.Fatalf("%q, %v", buf, err)
			}
			took := time.Since(began)
			c.CloseWrite()
			readAll(t, c)
			return took
		}
		e.server("svc", func(p program) {
			fmt.Fprint(p, "220 ")
			echo(p)
		})
		wait := firstPause
		if !e.ingress.Constant {
			wait = 0
		}
		if took := heard(nil); took != wait {
			t.Errorf("a silent client heard the server after %v, want %v", took, wait)
		}
		speak := func(p program) {
			time.Sleep(wait / 5)
			_, _ = p.Write([]byte("x"))
		}
		if took := heard(speak); took != wait/5 {
			t.Errorf("a client that speaks heard the server after %v, want %v", took, wait/5)
		}
		if took := heard(program.CloseWrite); took != 0 {
			t.Errorf("a client that ends heard the server after %v", took)
		}
	})
}

func TestConnectAndClose(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		e.server("svc", echo)
		c := e.connect("svc")
		c.CloseWrite()
		if b := readAll(t, c); len(b) != 0 {
			t.Errorf("%d bytes of nothing", len(b))
		}
	})
}

func TestHalfCloseByClient(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		e.server("svc", func(p program) {
			n := len(readAll(t, p))
			fmt.Fprintf(p, "got %d\n", n)
			p.CloseWrite()
		})
		c := e.connect("svc")
		_, _ = c.Write(pattern(20000))
		c.CloseWrite()
		if got := string(readAll(t, c)); got != "got 20000\n" {
			t.Errorf("%q", got)
		}
	})
}

func TestHalfCloseByServer(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		got := make(chan int, 1)
		e.server("svc", func(p program) {
			_, _ = p.Write(pattern(30000))
			p.CloseWrite()
			got <- len(readAll(t, p))
		})
		c := e.connect("svc")
		if b := readAll(t, c); !bytes.Equal(b, pattern(30000)) {
			t.Errorf("%d bytes, not as sent", len(b))
		}
		_, _ = c.Write(pattern(40000))
		c.CloseWrite()
		if n := <-got; n != 40000 {
			t.Errorf("server got %d bytes", n)
		}
	})
}

func TestBulkBothWays(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		const n = 3 << 20
		e.server("svc", echo)
		c := e.connect("svc")
		want := pattern(n)
		e.done.Go(func() {
			_, _ = c.Write(want)
			c.CloseWrite()
		})
		if got := readAll(t, c); !bytes.Equal(got, want) {
			t.Errorf("%d of %d bytes, or not the same", len(got), n)
		}
	})
}

func TestNoDestination(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		c := e.connect("nobody")
		if b := readAll(t, c); len(b) != 0 {
			t.Errorf("%q", b)
		}
		e.done.Wait()
		if err := e.errs.ingress[0]; !errors.Is(err, ErrNoRoute) {
			t.Errorf("error %v, want ErrNoRoute", err)
		}
	})
}

func TestConnectRefused(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, e *ends) {
		e.server("svc", nil)
		c := e.connect("svc")
		if b := readAll(t, c); len(b) != 0 { // closed, not reset
			t.Errorf("%q", b)
		}
		e.done.Wait()
		synctest.Wait()
		outcome := "request: modified[true,false]"
		if !e.egress.Constant {
			outcome += " not connected"
		}
		e.want(`
			request: transfer
			` + outcome + `
			request: last transfer, settled`)
	})
}

func TestWrongContentType(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		e := &ends{network: n}
		e.server("svc", echo)
		out := outcomes{}
		p, err := n.Open(t.Context(), Request{Address: "svc", Outcome: &out})
		if err != nil {
			t.Fatal(err)
		}
		m := amqp.Message{Properties: &amqp.Properties{To: "svc", ContentType: "text/plain"}, Kind: amqp.BodyValue}
		p.Sending.WriteBytes(m.Append(nil), true)
		synctest.Wait()
		p.Sending.End(false)
		synctest.Wait()
		e.want(`
			request: transfer
			request: released
			request: last transfer
			request: released settled`)
	})
}

// outcomes remembers what an Outcome is told.
type outcomes struct {
	states []amqp.State
	lost   error
}

func (o *outcomes) Update(st amqp.State, _ bool) { o.states = append(o.states, st) }
func (o *outcomes) Ready()                       {}
func (o *outcomes) Lost(err error)               { o.lost = err }
