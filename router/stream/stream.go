package stream

import (
	"cmp"
	"context"
	"math"
	"sync"
	"sync/atomic"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Options are what the streams of one listener or connector have in common.
// They are read only.
type Options struct {
	Opener Opener
	Budget *Budget // may be nil
	Totals *Totals // may be nil
	// Attempts is how many destinations an Ingress tries at most; 0 is 3.
	Attempts int
	// Constant switches windows off that grow: streams look exactly like those
	// of skupper-router.
	Constant bool
	// Continue runs f on a goroutine of its own, for a stream that was idle
	// and has something to do again. Streams keep their goroutine while they
	// are idle if it is nil.
	Continue func(f func())
}

// defaultAttempts bounds how often a stream is opened.
const defaultAttempts = 3

// retries is how often a stream may be opened after the first time.
func (o *Options) retries() int8 {
	return int8(min(cmp.Or(o.Attempts, defaultAttempts), math.MaxInt8) - 1)
}

// stream is one end of a stream with a socket: what Ingress and Egress have in
// common. One goroutine runs pump; see doc.go for the others that call.
type stream struct {
	// Set before the first call, then read only.
	opt       *Options
	meter     meter
	listening *listening
	bell      bell            // of pump: the queue of what is sent may have room
	drains    sync.WaitGroup  // the goroutine of drain, if there is one
	done      func(err error) // set by Start
	legDone   func(err error) // Leg.Done; may be nil

	mu sync.Mutex
	// Guarded by mu. sock and recv do not change once they are set.

	sock Socket // nil until there is a server
	err  error  // why it failed
	over bool   // failed, or both directions have ended in order
	ours bool   // the other end is a router of ours; see PropertyWindow

	unserved bool // there is no server
	ingress  bool // Set before the first call, then read only.

	// Of the direction from the socket to the network.
	outEnded bool // nothing is sent any more
	watching bool // pump waits in AwaitReset
	again    bool // cur has failed, another destination may take the stream
	attempts int8 // how many more destinations may be tried

	// Of the direction from the network to the socket.
	direct     bool // sock can be written without blocking
	busy       bool // the socket's write side belongs to drain
	inComplete bool // the last transfer has come
	inWritten  bool // and all of it was written

	sizer sizer // owned by pump

	// From the socket to the network.
	cur      *attempt
	out      sendWindow
	exposed  uint64 // bytes in flight as accounted in cur.path.Exposure
	reminder *reminder
	retained []*session.Buffer

	// From the network to the socket.
	recv       Receiving
	in         receiveWindow
	reserved   uint64 // in the Budget, for in
	queue      queue
	cancelDial context.CancelFunc

	joined Socket // the server's, if both ends are on this router
}

func newStream(opt *Options, ingress bool) stream {
	return stream{opt: opt, ingress: ingress}
}

// kick makes pump look again when it waits for room in the queue.
func (s *stream) kick() { s.bell.ring() }

// bell wakes one goroutine. Most streams never need it, so it owns nothing
// until somebody waits.
type bell struct{ rope atomic.Pointer[rope] }

// rope is what is pulled: a channel of capacity 1.
type rope struct{ ch chan struct{} }

// ring wakes who waits, or who will wait next. Before the first hang it does
// nothing.
func (b *bell) ring() {
	if r := b.rope.Load(); r != nil {
		select {
		case r.ch <- struct{}{}:
		default:
		}
	}
}

// hang returns what to wait on. It is for the goroutine that waits. If it is
// the first time, what the goroutine waits for may have happened before: it has
// to look once more.
func (b *bell) hang() (rung <-chan struct{}, first bool) {
	r := b.rope.Load()
	if first = r == nil; first {
		r = &rope{make(chan struct{}, 1)}
		b.rope.Store(r)
	}
	return r.ch, first
}

// widened makes pump look again when it waits for the window. watching is its
// value at the moment in which the window changed.
func (s *stream) widened(watching bool) {
	if watching {
		s.sock.Interrupt()
	}
}

// announce reserves the window of the direction from the network and returns
// what to say of it in the opening, 0 for nothing.
func (s *stream) announce() uint64 {
	if s.opt.Constant {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reserved == 0 {
		s.reserved = s.opt.Budget.open()
	}
	return s.reserved
}

// setWindows sets the windows of both directions when the other end is known:
// theirs is what it has announced, 0 if it is not ours. It is called with mu
// held.
func (s *stream) setWindows(theirs uint64) {
	s.ours = theirs != 0 && s.reserved != 0
	if s.ours {
		s.in = newReceiveWindow(s.reserved, true)
		s.out.size, s.out.ahead = theirs, true
		return
	}
	s.opt.Budget.release(s.reserved)
	s.reserved = 0
	s.in = newReceiveWindow(upstreamWindow, false)
	s.out.size = upstreamWindow
}

// fail ends the stream before its time. The socket is reset, so that what came
// is not taken for the whole; a client that has had nothing but our accept is
// only closed (compat:).
//
// The other end is told twice: by the end of what we send and by the outcome
// of what we receive.
func (s *stream) fail(err error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.over, s.err = true, err
	var sending Sending
	if s.cur != nil && !s.outEnded {
		sending = s.cur.path.Sending
	}
	ours := s.ours || s.recv == nil && s.cur != nil && s.cur.path.Early // known before the reply
	s.outEnded = true
	s.expose(0)
	sock, recv, joined, cancel := s.sock, s.recv, s.joined, s.cancelDial
	reached := s.cur != nil && s.cur.reached(err)
	complete, written, st := s.inComplete, s.inWritten, s.verdict()
	queued, retained := s.queue.take(), s.retained
	s.retained = nil
	s.mu.Unlock()

	free(queued)
	free(retained)
	switch {
	case sock == nil:
	case s.ingress && recv == nil && joined == nil && !reached:
		sock.Close()
	default:
		sock.Reset()
	}
	if joined != nil {
		joined.Reset()
	}
	if cancel != nil {
		cancel()
	}
	if sending != nil {
		if ours {
			sending.Abort()
		} else {
			sending.End(true) // compat: not aborted
		}
	}
	if recv != nil && !written {
		recv.Update(st, complete)
	}
	s.kick()
}

// Carried is what a stream is carried by at one end. Each is nil while there is
// none.
type Carried struct {
	Out    Sending   // the delivery to the network
	In     Receiving // the delivery from there
	Server Socket    // of a client that is joined with a server on this router
}

// Carried returns what carries the stream. It may be called at any time.
func (s *stream) Carried() Carried {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Carried{In: s.recv, Server: s.joined}
	if s.cur != nil {
		c.Out = s.cur.path.Sending
	}
	return c
}

// Cut ends the stream before its time. It may be called at any time.
func (s *stream) Cut(err error) { s.fail(err) }

// conclude ends the bookkeeping. Nothing of the stream is left but deliveries
// whose last frames are under way.
func (s *stream) conclude() {
	s.drains.Wait()
	s.mu.Lock()
	err, path, reserved := s.err, Path{}, s.reserved
	if s.cur != nil {
		path = s.cur.path
	}
	s.reserved = 0
	s.mu.Unlock()
	if path.Sending != nil {
		s.opt.Opener.Close(path)
	}
	s.opt.Budget.release(reserved)
	s.meter.end(err)
	if s.legDone != nil {
		s.legDone(err)
	}
	s.done(err)
}

// expose enters the bytes in flight in the account of the connection. It is
// called with mu held.
func (s *stream) expose(inFlight uint64) {
	if s.cur == nil || s.cur.path.Exposure == nil || s.ours {
		return
	}
	s.cur.path.Exposure.move(s.exposed, inFlight)
	s.exposed = inFlight
}

// attempt is one delivery that carries the direction to the network: the only
// one of an Egress; the current one, or an earlier one that failed, of an
// Ingress. It is the delivery's session.Outcome.
type attempt struct {
	s *stream

	// Guarded by s.mu.
	path     Path
	lost     error // it was lost before Open returned
	progress bool  // somebody has taken it; see giveUp
}

// Ready implements session.Outcome.
func (a *attempt) Ready() { a.s.kick() }

// Update implements session.Outcome: what the receiver says.
func (a *attempt) Update(st amqp.State, settled bool) {
	s := a.s
	s.mu.Lock()
	sending := a.path.Sending
	if s.cur != a || sending == nil {
		s.mu.Unlock()
		return
	}
	switch {
	case st.Code == amqp.StateReceived:
		a.progress = true
		retained := s.retained
		s.retained = nil
		first := s.out.acked == 0
		moved := s.out.ack(st.Offset)
		s.expose(s.out.inFlight())
		watching := s.watching && !s.outEnded
		s.mu.Unlock()
		free(retained)
		if first {
			s.kick() // see sure
		}
		s.widened(moved && watching)
		return
	case failing(&st):
		s.mu.Unlock()
		s.giveUp(a, &OutcomeError{State: st})
	case st.Terminal() || settled:
		// compat: accepted and settled switch the window off for good.
		s.out.off = true
		s.expose(0)
		watching := s.watching && !s.outEnded
		s.mu.Unlock()
		s.widened(watching)
	default:
		s.mu.Unlock()
	}
	if st.Terminal() && !settled && a.ended() {
		sending.Settle(amqp.State{})
	}
}

// ended reports whether the last transfer of the attempt has been written.
func (a *attempt) ended() bool {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	return a.s.outEnded
}

// reached reports whether the delivery had a server when it ended with err,
// although no reply has come: one that was begun and aborted at once leaves no
// trace. It is called with s.mu held.
func (a *attempt) reached(err error) bool {
	if a.progress || !a.path.Early {
		return a.progress
	}
	e, ok := err.(*OutcomeError) // of a router of ours, which says NotConnected where there was none
	if !ok || e.State.Code != amqp.StateModified {
		return false
	}
	_, refused := notConnected(&e.State)
	return !refused
}

// Lost implements session.Outcome.
func (a *attempt) Lost(err error) {
	s := a.s
	s.mu.Lock()
	if s.cur != a {
		s.mu.Unlock()
		return
	}
	a.lost = err
	begun := a.path.Sending != nil
	s.expose(0)
	s.mu.Unlock()
	if begun {
		s.giveUp(a, err)
	}
}

// giveUp ends attempt a, and the stream unless another destination may take
// it.
func (s *stream) giveUp(a *attempt, err error) {
	s.mu.Lock()
	if s.cur != a || s.over || s.again { // the outcome may come twice
		s.mu.Unlock()
		return
	}
	taken := a.progress && (s.out.sent > 0 || !wasReleased(err)) // but for a server that nobody has spoken to: the reply found no way
	if s.recv != nil || taken || !s.elsewhere(err) {
		s.mu.Unlock()
		s.fail(err)
		return
	}
	s.again, s.err = true, err
	s.attempts--
	s.mu.Unlock()
	s.sock.Interrupt()
	s.kick()
}

// elsewhere reports whether err leaves it open to send the stream to another
// destination. Of what the client has sent, nothing may have reached a server,
// since not every request can be made twice: either there was nothing, or the
// other end says so. Released does not say so: skupper-router also releases
// what was under way when a connection broke. It is called with mu held.
func (s *stream) elsewhere(err error) bool {
	if s.attempts == 0 {
		return false
	}
	var e *OutcomeError
	if e, _ = err.(*OutcomeError); e == nil { // lost
		return s.out.sent == 0
	}
	if _, ok := notConnected(&e.State); ok {
		return true
	}
	return s.out.sent == 0 && e.State.Code != amqp.StateRejected
}

func free(buffers []*session.Buffer) {
	for _, b := range buffers {
		b.Free()
	}
}
