package network

import (
	"container/list"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// request is a request in a connection, as its BIFLOW_APP says.
type request struct {
	id     string
	source *source
	heard  uint64 // µs
	gone   bool
	closed bool
	place  *list.Element // in Network.reqRows

	parent          string
	application     application
	method, status  string
	reason          string
	forwardedFor    string
	start, end      uint64
	octets, reverse uint64
	latency, stream uint64
	route           *route // nil while its connection has none
	trace           string // of the connection
	counted         bool

	row *record.ApplicationFlow
}

func (r *request) key() string   { return r.id }
func (r *request) dropped() bool { return r.gone }

// applyRequest takes what is said of a request.
func (n *Network) applyRequest(s *source, rec *vanflow.Record) {
	r := n.requests[rec.Identity]
	if r == nil {
		if n.shadows.all[rec.Identity] != nil {
			return
		}
		if s.flows >= n.limits.Flows {
			n.refuse(s)
			return
		}
		r = &request{id: rec.Identity, source: s, application: unrecognized}
		n.requests[r.id] = r
		r.place = n.reqRows.live.PushBack(r)
		s.flows++
	}
	r.heard, r.row = n.now, nil
	n.reqRows.version++
	n.setRequest(r, rec)
	n.resolveRequest(r)
	switch {
	case r.closed:
		n.countRequest(r)
	case r.end != 0:
		n.closeRequest(r)
	default:
		n.reqRows.live.MoveToBack(r.place)
	}
	n.limitRequests()
}

func (n *Network) setRequest(r *request, rec *vanflow.Record) {
	for _, a := range rec.Attributes {
		switch a.Code {
		case vanflow.AttrParent:
			r.parent = n.limits.clean(a.Text)
		case vanflow.AttrProtocol:
			r.application = applicationOf(a.Text)
		case vanflow.AttrMethod:
			r.method = n.limits.clean(a.Text)
		case vanflow.AttrResult:
			r.status = n.limits.clean(a.Text)
		case vanflow.AttrReason:
			r.reason = n.limits.clean(a.Text)
		case vanflow.AttrSourceHost:
			r.forwardedFor = n.limits.clean(a.Text)
		case vanflow.AttrStartTime:
			r.start = a.Number
		case vanflow.AttrEndTime:
			r.end = max(r.end, a.Number)
		case vanflow.AttrOctets:
			r.octets = max(r.octets, a.Number)
		case vanflow.AttrOctetsReverse:
			r.reverse = max(r.reverse, a.Number)
		case vanflow.AttrLatency:
			r.latency = a.Number
		case vanflow.AttrStreamID:
			r.stream = a.Number
		default: // of other types
		}
	}
}

// resolveRequest gives a request the route of its connection, or lets it wait.
func (n *Network) resolveRequest(r *request) {
	if r.route != nil || r.parent == "" || r.application == unrecognized {
		return
	}
	if f := n.flows[r.parent]; f != nil && f.route != nil {
		n.attach(r, f.route, f.trace)
		return
	}
	if sh := n.shadows.all[r.parent]; sh != nil && sh.route != nil {
		n.attach(r, sh.route, sh.trace)
		return
	}
	waiting := n.orphans[r.parent]
	if waiting == nil {
		waiting = map[*request]struct{}{}
		n.orphans[r.parent] = waiting
	}
	waiting[r] = struct{}{}
}

// adopt gives the requests of a connection that wait its route.
func (n *Network) adopt(f *flow) {
	waiting := n.orphans[f.id]
	delete(n.orphans, f.id)
	for r := range waiting {
		n.attach(r, f.route, f.trace)
	}
}

// attach gives a request its route: it is shown, and counted once it ended.
func (n *Network) attach(r *request, to *route, trace string) {
	r.route, r.trace, r.row = to, trace, nil
	to.refs++
	n.refresh(to)
	n.reqRows.listed.add(r)
	n.reqRows.version++
	if s := to.service; s != nil {
		seen := &s.http1
		if r.application == http2 {
			seen = &s.http2
		}
		if !*seen {
			*seen = true
			n.structure++
		}
	}
	n.talk(to, r.application, r.start)
	n.countRequest(r)
}

// countRequest counts a request that ended, once.
func (n *Network) countRequest(r *request) {
	if r.counted || r.route == nil || !r.closed || r.end < r.start {
		return
	}
	r.counted = true
	s := n.seriesFor(r.route, r.application)
	if s.requests == nil {
		s.requests = map[requestKey]uint64{}
	}
	s.requests[requestKey{methodOf(r.method), codeOf(r.status)}]++
}

// closeRequest does what the end of a request brings.
func (n *Network) closeRequest(r *request) {
	n.reqRows.live.Remove(r.place)
	r.place = n.reqRows.ended.PushBack(r)
	r.source.flows--
	r.closed = true
	n.countRequest(r)
}

// limitRequests drops the oldest requests that are too many.
func (n *Network) limitRequests() {
	for len(n.requests) > n.limits.Requests {
		p := n.reqRows.ended.Front()
		if p == nil {
			p = n.reqRows.live.Front()
			n.stats.Evicted++
		}
		n.dropRequest(p.Value.(*request))
	}
}

// dropRequest forgets a request; that it was is remembered for a while.
func (n *Network) dropRequest(r *request) {
	r.gone = true
	delete(n.requests, r.id)
	if r.route != nil {
		n.reqRows.listed.remove()
		n.release(r.route)
	} else if waiting := n.orphans[r.parent]; waiting != nil {
		if delete(waiting, r); len(waiting) == 0 {
			delete(n.orphans, r.parent)
		}
	}
	n.addShadow(r.id, &shadow{ended: true})
	if r.closed {
		n.reqRows.ended.Remove(r.place)
	} else {
		n.reqRows.live.Remove(r.place)
		r.source.flows--
	}
	n.reqRows.version++
}

// expireRequests drops requests that ended, or of which nothing was heard, a
// TTL ago.
func (n *Network) expireRequests() {
	for _, l := range []*list.List{&n.reqRows.ended, &n.reqRows.live} {
		for p := l.Front(); p != nil && p.Value.(*request).heard+span(n.limits.TTL) <= n.now; p = l.Front() {
			n.dropRequest(p.Value.(*request))
		}
	}
}

// Requests returns the requests whose connections are understood.
func (n *Network) Requests() []*record.ApplicationFlow {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.lists.requests
	if c.stale(n.reqRows.version, 0) {
		all := n.reqRows.listed.all()
		c.rows = make([]*record.ApplicationFlow, len(all))
		for i, r := range all {
			if r.row == nil {
				r.row = n.applicationFlow(r)
			}
			c.rows[i] = r.row
		}
	}
	return c.rows
}

func (n *Network) applicationFlow(r *request) *record.ApplicationFlow {
	n.refresh(r.route)
	p := n.pathOf(r.route, r.trace)
	return &record.ApplicationFlow{
		Base: base(r.id, r.start, r.end), Ends: r.route.ends, ConnectionID: r.parent, Protocol: r.application.String(),
		Method: record.OrUnknown(r.method), Status: record.OrUnknown(r.status), RoutingKey: r.route.routingKey,
		OctetCount: r.octets, OctetReverseCount: r.reverse, Duration: duration(r.start, r.end),
		TraceRouters: p.routers, TraceSites: p.sites, Latency: r.latency, Reason: r.reason, StreamID: r.stream,
		ForwardedFor: r.forwardedFor, ServiceID: r.route.serviceID,
	}
}
