package router

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/trunk"
)

// Delays before a link that the peer has detached is attached again (compat:
// skupper-router 3.x).
const (
	autoFirst = 2 * time.Second
	autoNext  = 5 * time.Second
)

// autoLink is a configured link that the router attaches by itself, on every
// connection to a route container or to another network that it names. It is
// owned by the control loop.
type autoLink struct {
	r     *Router
	cfg   *config.AutoLink
	ends  map[*peer]*autoEnd
	tried bool // it was detached before

	failure string // why the last attach was refused
}

func (r *Router) newAutoLink(c *config.AutoLink) *autoLink {
	a := &autoLink{r: r, cfg: c, ends: map[*peer]*autoEnd{}}
	for _, p := range r.peers {
		if p.up {
			a.opened(p)
		}
	}
	return a
}

// opened attaches the link on a connection if it is one of those.
func (a *autoLink) opened(p *peer) {
	if !takesAutoLinks(p.owner.role) || a.ends[p] != nil {
		return
	}
	if a.cfg.Connection != "" && a.cfg.Connection == p.owner.name || a.cfg.ContainerID != "" && a.cfg.ContainerID == p.remote {
		a.attach(p)
	}
}

func takesAutoLinks(role string) bool {
	return role == config.RoleRouteContainer || role == config.RoleInterNetwork
}

// attach attaches the link on a connection. Without an address in this network
// the messages say themselves where they go.
func (a *autoLink) attach(p *peer) {
	address := cmp.Or(a.cfg.ExternalAddress, a.cfg.Address)
	if address == "" {
		return
	}
	a.log("Activated", p)
	e := &autoEnd{a: a, p: p}
	a.ends[p] = e
	link := conn.LinkConfig{Session: conn.ClassEndpoint, SndSettle: amqp.SndMixed, Source: &amqp.Source{}, Target: &amqp.Target{}}
	switch {
	case a.cfg.Direction == "out":
		link.Sender, link.Target.Address = true, address
		e.key = a.r.snap.Load().Names().Key(cmp.Or(a.cfg.Address, address))
		e.consumer = &consumerLink{p: p, key: e.key}
		link.Events = &autoSender{consumerEvents{e.consumer}, e}
	case a.cfg.Address == "":
		link.Source.Address = address
		link.Credit = conn.CreditPolicy{Window: p.capacity(), OnSettle: true}
		link.Events = &autoAnonymous{(*anonymousLink)(p), e}
	default:
		link.Source.Address = address
		link.Credit = conn.CreditPolicy{OnSettle: true}
		e.key = a.r.snap.Load().Names().Key(a.cfg.Address)
		e.producer = &producerLink{p: p, address: a.cfg.Address, key: e.key}
		link.Events = &autoReceiver{e.producer, e}
	}
	e.link = p.conn.Attach(link)
}

func (a *autoLink) log(what string, p *peer) {
	kind, where := "connection", a.cfg.Connection
	if where == "" {
		kind, where = "container", a.cfg.ContainerID
	}
	a.r.log.Info(fmt.Sprintf("Auto Link %s '%s' on %s %s", what, a.cfg.Name, kind, where), "module", "ROUTER_CORE", "conn", p.id) // compat: upstream's words
}

// ended forgets a connection.
func (a *autoLink) ended(p *peer) { delete(a.ends, p) }

func (a *autoLink) remove(bool) {
	for p, e := range a.ends {
		delete(a.ends, p)
		a.log("Deactivated", p)
		e.link.Detach(nil)
	}
}

// detached notes that the peer does not want the link, or no longer, and
// attaches it again after a while.
func (a *autoLink) detached(e *autoEnd, err *amqp.Error) {
	if a.ends[e.p] != e {
		return // it was us, or the connection is gone
	}
	e.state = autoFailed
	if err != nil {
		a.failure = cmp.Or(err.Description, string(err.Condition))
	}
	a.log("Activation Failed. "+a.failure, e.p)
	wait := autoFirst
	if a.tried {
		wait = autoNext
	}
	a.tried = true
	a.r.spawn(func(ctx context.Context) {
		if !pause(ctx, wait) {
			return
		}
		a.r.box.post(func() {
			if a.ends[e.p] == e {
				a.attach(e.p)
			}
		})
	})
}

// row describes the link on one of its connections.
func (a *autoLink) row() manage.AutoLinkStatus {
	row := manage.AutoLinkStatus{OperStatus: "inactive", LastError: a.failure}
	for _, e := range a.ends {
		row.OperStatus = e.state.String()
		if e.state == autoActive {
			row.LinkRef = strconv.FormatUint(e.link.ID(), 10)
			break
		}
	}
	return row
}

// autoState is how far a link has come.
type autoState uint8

const (
	autoAttaching autoState = iota
	autoActive
	autoFailed
)

func (s autoState) String() string {
	switch s {
	case autoAttaching:
		return "attaching"
	case autoActive:
		return "active"
	case autoFailed:
		return "failed"
	}
	return fmt.Sprintf("autoState(%d)", uint8(s))
}

// autoEnd is the link on one connection. It is owned by the control loop.
type autoEnd struct {
	a        *autoLink
	p        *peer
	link     *conn.Link
	key      forward.Key
	state    autoState
	producer *producerLink // of one that we receive on for an address
	consumer *consumerLink // of one that we send on
}

// answered takes the link into use. It is called by the reader.
func (e *autoEnd) answered(l *conn.Link) {
	if l.Refused() {
		return // Detached follows
	}
	r := e.a.r
	r.box.post(func() {
		if e.a.ends[e.p] != e || e.state != autoAttaching {
			return
		}
		e.state = autoActive
		switch {
		case e.producer != nil:
			e.producer.link = l
			e.p.links[l] = &linkRecord{key: e.key, producer: e.producer}
			r.table.AddProducer(e.key, forward.Unsaid)
			r.whenPublished(func() { r.watch(e.key, e.producer) })
		case e.consumer != nil:
			e.consumer.link = l
			c := &forward.Consumer{Kind: forward.Local, Conn: forward.ConnID(e.p.id), Target: e.consumer, Capacity: int64(e.p.capacity())}
			e.p.links[l] = &linkRecord{key: e.key, consumer: c}
			r.table.Add(e.key, c, forward.Unsaid)
		}
	})
}

// detached is called by the reader.
func (e *autoEnd) detached(err *amqp.Error) { e.a.r.box.post(func() { e.a.detached(e, err) }) }

// autoReceiver are the events of a link on which the peer sends to an address.
type autoReceiver struct {
	*producerLink
	end *autoEnd
}

func (e *autoReceiver) Answered(l *conn.Link) { e.end.answered(l) }
func (e *autoReceiver) Detached(l *conn.Link, err *amqp.Error) {
	e.producerLink.Detached(l, err)
	e.end.detached(err)
}

// autoAnonymous are those of one on which it sends to wherever its messages say.
type autoAnonymous struct {
	*anonymousLink
	end *autoEnd
}

func (e *autoAnonymous) Answered(l *conn.Link)                  { e.end.answered(l) }
func (e *autoAnonymous) Detached(_ *conn.Link, err *amqp.Error) { e.end.detached(err) }

// autoSender are those of one that we send on.
type autoSender struct {
	consumerEvents
	end *autoEnd
}

func (e *autoSender) Answered(l *conn.Link) { e.end.answered(l) }
func (e *autoSender) Detached(l *conn.Link, err *amqp.Error) {
	e.consumerEvents.Detached(l, err)
	e.end.detached(err)
}

// autoLinks calls f for each that is configured.
func (r *Router) autoLinks(f func(*autoLink)) {
	for _, e := range r.entities {
		if a, ok := e.(*autoLink); ok {
			f(a)
		}
	}
}

// foreign reports whether the other end belongs to another network.
func (p *peer) foreign() bool {
	return p.member.Role == trunk.Normal && p.owner.role == config.RoleInterNetwork
}
