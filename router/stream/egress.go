package stream

import (
	"context"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Egress is the end of a stream next to the server.
//
//	request ─▶ dial ─▶ reply sent ─▶ both ended ─▶ closed
//	            └ not connected: outcome NotConnected, no reply
//
// The reply stream is opened as soon as there is a connection and does not
// wait for the server to say something. What the client has already sent is
// queued until then. Beside skupper-router what the server says follows a
// moment later, see listening.
type Egress struct {
	stream
	request *request // nil when it has been served
}

// request is what the opening of a stream asks for.
type request struct {
	dialer  Dialer
	call    Call
	replyTo string
	resend  bool // the sender would try elsewhere until it hears from us
}

// NewEgress returns an Egress for a request stream, and its Sink. If h is not
// the opening of a stream, the delivery is refused and the Egress nil.
func NewEgress(opt *Options, d Dialer, r Receiving, h *Head) (*Egress, session.Sink) {
	if !h.Opens() {
		return nil, Refuse(r, amqp.State{Code: amqp.StateReleased}) // compat: not rejected
	}
	p := readProperties(h)
	q := &request{dialer: d, replyTo: string(h.ReplyTo)}
	e := &Egress{stream: newStream(opt, false), request: q}
	var a amqp.Annotations
	if h.Annotations.Len > 0 {
		// What cannot be read says nothing: the router has looked at it.
		_, _ = a.Decode(h.Annotations.In(h.Message))
	}
	q.call = Call{ALPN: p.alpn, Correlation: correlation(h), Trace: a.Trace}
	e.recv, e.busy = r, true // nothing can be written yet
	if p.window != 0 {
		e.announce()
	}
	e.setWindows(p.window)
	q.resend = e.ours || a.Flags&amqp.FlagResendReleased != 0
	return e, (*sink)(&e.stream)
}

// correlation returns the name of the client's flow record. Only strings name
// one.
func correlation(h *Head) string {
	v, _, _ := amqp.DecodeValue(h.CorrelationID)
	id, _ := v.(string)
	return id
}

// Start connects to the server and carries the stream; see Ingress.Start.
func (e *Egress) Start(ctx context.Context, done func(err error)) {
	e.done = done
	leg, err := e.dial(ctx)
	if err != nil {
		e.refuse(err)
		e.conclude()
		return
	}
	e.legDone = leg.Done
	e.meter.totals = leg.Totals
	e.meter.begin(leg.Recorder)
	if e.connected(leg.Socket) {
		e.meter.opened()
		if e.carry(ctx) == parked {
			return
		}
	}
	e.conclude()
}

// dial returns an error also when the stream fails meanwhile.
func (e *Egress) dial(ctx context.Context) (Leg, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.mu.Lock()
	if e.over {
		err := e.err
		e.mu.Unlock()
		return Leg{}, err
	}
	e.cancelDial = cancel
	e.mu.Unlock()
	leg, err := e.request.dialer.Dial(ctx, e.request.call)
	e.mu.Lock()
	e.cancelDial = nil
	e.mu.Unlock()
	return leg, err
}

// refuse ends a stream for which there is no server.
func (e *Egress) refuse(err error) {
	e.mu.Lock()
	if e.over {
		e.mu.Unlock()
		return
	}
	e.over, e.err, e.outEnded, e.unserved = true, err, true, true
	queued, st, complete := e.queue.take(), e.verdict(), e.inComplete
	e.mu.Unlock()
	free(queued)
	e.recv.Update(st, complete)
}

// connected takes the socket into use. It returns false if the stream has
// failed meanwhile.
func (e *Egress) connected(sock Socket) bool {
	direct := sock.Direct()
	e.mu.Lock()
	if e.over {
		e.mu.Unlock()
		sock.Reset()
		return false
	}
	e.sock, e.direct, e.busy = sock, direct, false
	if !e.queue.empty() || e.inComplete {
		e.startDrain()
	}
	e.mu.Unlock()
	if e.request.resend {
		// The server is there: no other destination from here on. compat:
		// skupper-router ignores the offset 0.
		e.recv.Update(received(0), false)
	}
	return true
}

// carry opens the reply stream and moves bytes until the stream is over.
func (e *Egress) carry(ctx context.Context) progress {
	a := &attempt{s: &e.stream}
	e.mu.Lock()
	e.cur = a
	e.mu.Unlock()
	to := e.request.replyTo
	e.request = nil // idle streams are many and keep nothing they do not need
	path, err := e.opt.Opener.Open(ctx, Request{Address: to, Outcome: a})
	if err != nil {
		e.fail(err)
		return finished
	}
	o := opening{to: to}
	if e.ours {
		o.properties.window = e.announce()
	}
	e.begin(a, path, o)
	if !e.ours {
		e.listening = &listening{next: time.Now().Add(firstPause)}
	}
	return e.pump()
}
