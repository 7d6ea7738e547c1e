package router

import (
	"context"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/stream"
)

// opener begins the deliveries of streams whose one end is at this router. It
// implements stream.Opener.
type opener struct{ r *Router }

// Open implements stream.Opener.
func (o opener) Open(ctx context.Context, q stream.Request) (stream.Path, error) {
	r := o.r
	snap := r.snap.Load()
	key := snap.Names().Key(q.Address)
	m := message{to: q.Address, streaming: true, priority: defaultPriority}
	if key.Class == forward.ClassLocal {
		if taker, ok := r.temps.get(key.Name); ok {
			return replyPath(taker, &m, q)
		}
	}
	path, err := o.choose(snap, key, &m, q)
	if err != nil && q.Reply == nil && key.Class == forward.ClassRouter {
		path, err = o.awaitWay(ctx, key, &m, q)
	}
	if err != nil {
		return path, err
	}
	if q.Reply != nil && path.Local == nil {
		path.ReplyTo = r.tempAddress(r.temps.add(replyStream{q.Reply}))
	}
	if d, ok := path.Sending.(*routed); ok {
		d.Inline = true
	}
	return path, nil
}

// replyPatience is how long a reply waits for a way to where its request came
// from. In a network that changes, the way there may be known a moment before
// the way back; it is known when the link state of that router has come.
const replyPatience = time.Second

// awaitWay opens a reply as soon as there is a way to the router of its key.
func (o opener) awaitWay(ctx context.Context, key forward.Key, m *message, q stream.Request) (stream.Path, error) {
	ctx, cancel := context.WithTimeout(ctx, replyPatience)
	defer cancel()
	for {
		news := *o.r.news.Load()
		path, err := o.choose(o.r.snap.Load(), key, m, q)
		if err == nil {
			return path, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return path, err
		}
	}
}

// replyPath is the way to a temporary address of this router.
func replyPath(taker replyTaker, m *message, q stream.Request) (stream.Path, error) {
	if d, ok := taker.(destination); ok {
		if path, ok := d.way(forward.Choice{}, m, q.Outcome); ok {
			return path, nil
		}
	}
	return stream.Path{}, stream.ErrNoRoute
}

func (o opener) choose(snap *forward.Snapshot, key forward.Key, m *message, q stream.Request) (stream.Path, error) {
	d := &forward.Delivery{}
	for _, t := range q.Tried {
		d.Tried = append(d.Tried, t.(forward.Choice))
	}
	for {
		choice, ok := snap.Choose(snap.Lookup(key), d)
		if !ok {
			return stream.Path{}, stream.ErrNoRoute
		}
		if s, ok := target[*connectorService](choice); ok && q.Reply != nil {
			return stream.Path{Local: s.connector, Choice: choice}, nil
		}
		if path, ok := o.r.way(choice, m, q.Outcome); ok {
			return path, nil
		}
		choice.Done()
		d.Tried = append(d.Tried, choice)
	}
}

// Close implements stream.Opener.
func (o opener) Close(p stream.Path) {
	if p.ReplyTo != "" {
		o.r.temps.remove(o.r.snap.Load().Names().Key(p.ReplyTo).Name)
	}
	if choice, ok := p.Choice.(forward.Choice); ok && p.Local != nil {
		choice.Done()
	}
}

// replyTaker takes the deliveries to a temporary address.
type replyTaker interface {
	take(in *inbound, m *message, h *stream.Head) (session.Sink, int)
}

// replyStream is the end of a stream that waits for its other direction.
type replyStream struct{ stream.ReplyTaker }

func (t replyStream) take(in *inbound, _ *message, h *stream.Head) (session.Sink, int) {
	if !h.Whole {
		return nil, 0
	}
	return t.Reply(in.rcv, h), h.BodyOffset
}

// consumerLink is a link on which we send what comes for an address: of a
// client, or of an edge router.
type consumerLink struct {
	p        *peer
	link     *conn.Link
	key      forward.Key
	downlink bool // it carries what is for an edge router itself
}

// way implements destination.
func (t *consumerLink) way(c forward.Choice, m *message, out session.Outcome) (stream.Path, bool) {
	if !t.p.router() {
		l := t.link
		if m.more && m.flags()&amqp.FlagStreaming != 0 && t.p.streams {
			if l = t.p.conn.StreamLink(false); l == nil {
				return stream.Path{}, false
			}
		}
		t.p.logMessage("Sent", l, m.spoken)
		path := stream.Path{Sending: send(l, c, out, m), Choice: c}
		switch {
		case t.p.foreign():
			path.Annotations = t.p.r.outwardAnnotations(m)
		case t.p.owner.set.keepsOut:
			path.Annotations = t.p.r.onwardAnnotations(m)
		}
		return path, true
	}
	if path, ok := t.p.wayBehind(c, m, out); ok {
		return path, true
	}
	l := t.link
	if m.streaming && t.p.streams {
		if l = t.p.conn.StreamLink(false); l == nil {
			return stream.Path{}, false
		}
	}
	return t.p.r.path(l, c, m, out), true
}
