package router

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"math"
	"slices"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/stream"
	"github.com/skupper-host/skupper/router/tcp"
)

// connectionOf names the TCP connection that the opening of a stream belongs to:
// both directions say the temporary address to which the reply goes.
func (r *Router) connectionOf(h *stream.Head) uint64 {
	address := h.ReplyTo
	if len(address) == 0 {
		address = h.To
	}
	return maphash.Bytes(r.temps.seed, address[bytes.LastIndexByte(address, '/')+1:])
}

// Losses implements manage.Store.
func (s store) Losses(changes []manage.Change) (list []manage.Loss) {
	s.on(func() {
		l := &losses{r: s.r, otherwise: never, links: map[*connections]int{}, services: map[entity]int{}, counts: map[manage.Loss]int{}}
		if len(changes) == 0 {
			l.otherwise = 0
		}
		for i, c := range changes {
			l.note(i, c)
		}
		l.own()
		l.passing()
		list = l.list()
	})
	return list
}

// losses counts the connections that changes end: each once, for the first
// change that ends it.
type losses struct {
	r         *Router
	otherwise int // what ends the connections that no change ends: never, or 0 if the router ends
	links     map[*connections]int
	services  map[entity]int
	counts    map[manage.Loss]int // of each kind of loss, in which Connections is 0
}

// never is the number of a change that is not made.
const never = math.MaxInt

// note notes what a change ends.
func (l *losses) note(i int, c manage.Change) {
	t, ok := config.Lookup(c.Type)
	if !ok {
		return
	}
	e := l.r.entities[entityKey{t, c.Name}]
	if m, ok := e.(modifiable); ok && len(c.Attributes) > 0 && m.takes(c.Attributes) {
		return
	}
	switch e := e.(type) {
	case *service, *connectorService:
		l.services[e] = i
	case *amqpConnector:
		l.links[e.owner] = i
	case *amqpListener:
		l.links[e.owner] = i
	}
}

// own counts the connections of the router's own services. One between a client
// and a server that are both here is the listener's.
func (l *losses) own() {
	joined := map[stream.Socket]bool{}
	count := func(e entity, c config.Entity, open []tcp.Open) {
		for _, o := range open {
			change := min(l.otherwise, when(l.services, e), l.link(peerOf(o.Out)), l.link(peerOf(o.In)))
			if change == never || joined[o.Server] {
				continue
			}
			if o.Server != nil {
				joined[o.Server] = true
			}
			l.counts[manage.Loss{Change: change, Type: c.Type().Name, Name: config.Name(c)}]++
		}
	}
	for _, e := range l.r.entities {
		if s, ok := e.(*service); ok {
			count(e, s.cfg, s.listener.Streams())
		}
	}
	for _, e := range l.r.entities {
		if s, ok := e.(*connectorService); ok {
			count(e, s.cfg, s.connector.Streams())
		}
	}
}

// passing counts the connections of other routers that pass through this one.
func (l *losses) passing() {
	ends := map[uint64]int{}
	for _, p := range l.r.peers {
		if !p.up {
			continue
		}
		for _, o := range p.conn.Outcomes() {
			d, ok := o.(*routed)
			if !ok || d.passes.from == nil {
				continue
			}
			before, again := ends[d.passes.connection]
			if !again {
				before = never
			}
			ends[d.passes.connection] = min(before, l.otherwise, l.link(p), l.link(d.passes.from))
		}
	}
	for _, change := range ends {
		if change != never {
			l.counts[manage.Loss{Change: change}]++
		}
	}
}

// link is the change that ends the connection to a peer; nil is none.
func (l *losses) link(p *peer) int {
	if p == nil {
		return never
	}
	return when(l.links, p.owner)
}

func when[K comparable](changes map[K]int, ends K) int {
	if i, ok := changes[ends]; ok {
		return i
	}
	return never
}

// peerOf returns the peer that a delivery comes from or goes to; nil if it does
// not exist.
func peerOf(delivery any) *peer {
	var link *conn.Link
	switch d := delivery.(type) {
	case *routed:
		link = d.Link()
	case *conn.Receiving:
		link = d.Link()
	case *loaded:
		return peerOf(d.Receiving)
	default:
		return nil
	}
	p, _ := link.Conn().App.(*peer)
	return p
}

// list returns what was counted, in an order.
func (l *losses) list() []manage.Loss {
	var list []manage.Loss
	for loss, n := range l.counts {
		loss.Connections = n
		list = append(list, loss)
	}
	slices.SortFunc(list, func(a, b manage.Loss) int {
		return cmp.Or(cmp.Compare(a.Change, b.Change), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	return list
}
