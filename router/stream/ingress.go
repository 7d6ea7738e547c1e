package stream

import (
	"context"
	"errors"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Client is a connection that a listener has accepted.
type Client struct {
	Socket   Socket
	Address  string   // the service
	ALPN     string   // what TLS has chosen; empty for none
	Recorder Recorder // may be nil
	Tap      Tap      // may be nil
}

// Ingress is the end of a stream next to the client.
//
// It opens the stream at once and, if Path.Early allows it, reads the client at
// once too, although there is no reply yet: up to 64 KiB go along, which saves a
// round trip. A copy is kept as long as another destination may have to take
// the stream. That
// happens, before the client notices anything, when the first one releases the
// stream or has no server for it (see elsewhere for the conditions).
//
//	accept ─▶ open ─▶ request sent ─▶ reply there ─▶ both ended ─▶ closed
//	            ▲          │ no reply, outcome NotConnected or released
//	            └──────────┘ at most Options.Attempts times, and after a pause when all have released
type Ingress struct {
	stream
	address string
	alpn    string
	tried   []any // owned by Run
	pauses  uint8 // owned by Run: how often it has waited for another picture of the network
}

const (
	// firstWait is how long a stream waits that every way has released, before
	// it is tried again. It doubles up to lastWait.
	firstWait = 50 * time.Millisecond
	lastWait  = 800 * time.Millisecond
	// maxWaits bounds how often: 3.15 s in all. compat: skupper-router 3.x takes
	// note of a change once a second, and asks then for what it lacks.
	maxWaits = 7
)

// NewIngress returns an Ingress for c, whose socket it owns from now on.
func NewIngress(opt *Options, c Client) *Ingress {
	g := &Ingress{stream: newStream(opt, true), address: c.Address, alpn: c.ALPN}
	g.sock, g.direct = c.Socket, c.Socket.Direct()
	g.attempts = opt.retries()
	g.out.size = earlyWindow
	g.meter.totals, g.meter.tap = opt.Totals, c.Tap
	g.meter.begin(c.Recorder)
	return g
}

// Address returns the service.
func (g *Ingress) Address() string { return g.address }

// Start carries the stream. It returns when the stream is over, or idle while
// Options.Continue promises that it can go on later. done is called once, when
// the stream is over and its socket closed: with nil after an end in order.
// ctx is for opening the stream; what is open is ended by Cut.
func (g *Ingress) Start(ctx context.Context, done func(err error)) {
	g.done = done
	for {
		switch g.once(ctx) {
		case finished:
			g.conclude()
			return
		case parked:
			return
		case retry:
		}
	}
}

// once opens the stream and carries it.
func (g *Ingress) once(ctx context.Context) progress {
	a := &attempt{s: &g.stream}
	g.mu.Lock()
	last := g.cur
	g.cur, g.again = a, false
	cause, ended := g.err, g.over
	g.mu.Unlock()
	if ended {
		return finished
	}
	g.leave(last)
	path, err := g.opt.Opener.Open(ctx, Request{Address: g.address, Outcome: a, Reply: a, Tried: g.tried})
	for errors.Is(err, ErrNoRoute) && len(g.tried) > 0 && wasReleased(cause) && g.wait(ctx) {
		g.tried = nil
		path, err = g.opt.Opener.Open(ctx, Request{Address: g.address, Outcome: a, Reply: a})
	}
	if err != nil {
		if errors.Is(err, ErrNoRoute) && cause != nil {
			err = cause // why the last destination did not take it says more
		}
		g.fail(err)
		return finished
	}
	g.tried = append(g.tried, path.Choice)
	if path.Local != nil {
		return g.local(ctx, path)
	}
	g.begin(a, path, opening{
		to: g.address, correlation: g.meter.identity(),
		properties: properties{alpn: g.alpn, window: g.announce()},
	})
	return g.pump()
}

// wait lets time pass before the destinations are tried once more that have
// released the stream. While traffic moves to another way, a router of
// skupper-router's on it may not know yet that streams from here come its way,
// and releases them. wait returns false when that has taken too long or the
// stream has ended.
func (g *Ingress) wait(ctx context.Context) bool {
	if g.pauses == maxWaits {
		return false
	}
	pause := time.NewTimer(min(firstWait<<g.pauses, lastWait))
	defer pause.Stop()
	g.pauses++
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.attempts = g.opt.retries()
	return !g.over && ctx.Err() == nil
}

// leave ends an attempt that has failed.
func (g *Ingress) leave(a *attempt) {
	if a == nil {
		return
	}
	if a.path.Sending != nil {
		a.path.Sending.End(true)
		g.opt.Opener.Close(a.path)
	}
}

// local joins the client with a server of a connector on this router.
func (g *Ingress) local(ctx context.Context, path Path) progress {
	leg, err := path.Local.Dial(ctx, Call{ALPN: g.alpn, Correlation: g.meter.identity()})
	if err == nil {
		g.join(leg)
		return finished
	}
	g.mu.Lock()
	if !g.over && g.attempts > 0 {
		g.attempts--
		g.err = err
		g.mu.Unlock()
		return retry
	}
	g.mu.Unlock()
	g.fail(err)
	return finished
}

// Reply implements ReplyTaker.
func (a *attempt) Reply(r Receiving, h *Head) session.Sink {
	s := a.s
	if !h.Opens() {
		return Refuse(r, amqp.State{Code: amqp.StateRejected, Error: &amqp.Error{
			Condition: amqp.ErrInvalidField, Description: "not the reply of a stream",
		}})
	}
	theirs := readProperties(h).window
	s.mu.Lock()
	if s.cur != a || s.again || s.over || s.recv != nil {
		s.mu.Unlock()
		return Refuse(r, amqp.State{Code: amqp.StateReleased})
	}
	s.recv = r
	s.setWindows(theirs)
	s.err = nil
	retained := s.retained
	s.retained = nil
	watching := s.watching && !s.outEnded
	s.mu.Unlock()
	free(retained)
	s.meter.opened()
	s.widened(watching)
	return (*sink)(s)
}
