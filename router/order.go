package router

import (
	"slices"
	"sync"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/stream"
)

// wholeUpTo is up to where a message that is no stream is passed on in one
// piece, in octets. compat: skupper-router 3.x waits for 64 buffers of 4 KiB.
const wholeUpTo = 256 << 10

// order keeps the messages of one incoming link in their order on the way to
// the next routers. Streams have none: each goes its own way.
//
// A message is passed on when all of it is there, on the data link of its
// priority. One that is longer gets a link of its own, so that its sender holds
// up nobody else; it waits for what its sender sent before, and what comes after
// it goes behind it on that link, while it has not left.
type order struct {
	mu   sync.Mutex
	sent []*conn.Sending // guarded by mu: the newest on each connection to a router
}

// orderOf returns the order of an incoming link. It is called on the reader.
func orderOf(l *conn.Link) *order {
	o, ok := l.App.(*order)
	if !ok {
		o = new(order)
		l.App = o
	}
	return o
}

// gathers reports whether the router waits for more of a message.
func (in *inbound) gathers(m *message, h *stream.Head) bool {
	switch {
	case h.Full || m.flags()&amqp.FlagStreaming != 0 || h.Opens():
		return false
	case len(h.Message) < wholeUpTo:
		return true
	}
	return orderOf(in.rcv.Link()).waits()
}

// waits reports whether a message has not left yet.
func (o *order) waits() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.sent, (*conn.Sending).Waits)
}

// behind begins a delivery behind the one before it, if that is long and on its
// way to c; else it returns nil.
func (o *order) behind(c *conn.Conn, out session.Outcome, m *message) *conn.Sending {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.sent {
		if d.Link().Conn() == c {
			return d.Behind(out, m.settled, m.format)
		}
	}
	return nil
}

// note remembers the newest message on its way to a router.
func (o *order) note(d *conn.Sending) {
	if o == nil {
		return
	}
	c := d.Link().Conn()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = slices.DeleteFunc(o.sent, func(x *conn.Sending) bool { return x.Link().Conn() == c || !x.Waits() })
	o.sent = append(o.sent, d)
}
