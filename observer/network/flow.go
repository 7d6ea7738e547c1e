package network

import (
	"container/list"
	"time"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// What a connection waits for.
const (
	waitListener    = "listener"
	waitConnector   = "connector"
	waitDestination = "destination"
	waitSource      = "source"
)

// verification is how long after a FLUSH a connection has ended of which the
// source says nothing.
const verification = 30 * time.Second

// flow is a connection, as its BIFLOW_TPORT says.
type flow struct {
	id       string
	source   *source
	seen     uint64 // µs: when it became known
	heard    uint64 // µs: when something was last said of it
	asked    uint64 // µs: when its source was asked whether it lives, 0 = not
	lost     bool   // it was ended because nothing was heard of it
	closed   bool   // its end is noted: it is among the ended rows
	gone     bool
	isListed bool
	place    *list.Element // in Network.flowRows

	parent, connector         string
	start, end                uint64
	octets, reverse           uint64
	latency, processLatency   uint64
	host, port                string
	proxyHost, proxyPort      string
	trace                     string
	listenerErr, connectorErr string

	waits  string  // "" when it has a route, or never gets one
	route  *route  // nil while it waits
	series *series // that counts it; nil while it waits
	counts struct {
		octets, reverse         uint64 // counted
		latency, incoming, outg bool   // observed
	}

	row *record.Connection
}

func (f *flow) key() string   { return f.id }
func (f *flow) dropped() bool { return f.gone }

// applyFlow takes what is said of a connection.
func (n *Network) applyFlow(s *source, r *vanflow.Record) {
	f := n.flows[r.Identity]
	if f == nil {
		if sh := n.shadows.all[r.Identity]; sh != nil {
			sh.count(r)
			return
		}
		if s.flows >= n.limits.Flows {
			n.refuse(s)
			return
		}
		f = &flow{id: r.Identity, source: s, seen: n.now, waits: waitListener}
		n.flows[f.id] = f
		f.place = n.flowRows.live.PushBack(f)
		s.flows++
	}
	f.heard, f.asked, f.row = n.now, 0, nil
	n.flowRows.version++
	n.setFlow(f, r)
	if f.lost && r.Number(vanflow.AttrEndTime) == 0 { // it was only out of sight
		n.reviveFlow(f, s)
	}
	if f.route == nil {
		n.pending[f] = struct{}{}
		n.resolveFlow(f)
	}
	n.countFlow(f)
	switch {
	case f.closed:
	case f.end != 0:
		n.closeFlow(f)
	default:
		n.flowRows.live.MoveToBack(f.place)
	}
	n.limitFlows()
}

// setFlow sets attributes. Counters never go back, a connection ends once.
func (n *Network) setFlow(f *flow, r *vanflow.Record) {
	for _, a := range r.Attributes {
		switch a.Code {
		case vanflow.AttrParent:
			f.parent = n.limits.clean(a.Text)
		case vanflow.AttrConnector:
			f.connector = n.limits.clean(a.Text)
		case vanflow.AttrStartTime:
			f.start = a.Number
		case vanflow.AttrEndTime:
			if a.Number != 0 {
				f.end, f.lost = a.Number, false
			}
		case vanflow.AttrOctets:
			f.octets = max(f.octets, a.Number)
		case vanflow.AttrOctetsReverse:
			f.reverse = max(f.reverse, a.Number)
		case vanflow.AttrLatency:
			f.latency = a.Number
		case vanflow.AttrProcessLatency:
			f.processLatency = a.Number
		case vanflow.AttrSourceHost:
			f.host = n.limits.clean(a.Text)
		case vanflow.AttrSourcePort:
			f.port = n.limits.clean(a.Text)
		case vanflow.AttrProxyHost:
			f.proxyHost = n.limits.clean(a.Text)
		case vanflow.AttrProxyPort:
			f.proxyPort = n.limits.clean(a.Text)
		case vanflow.AttrTrace:
			f.trace = n.limits.clean(a.Text)
		case vanflow.AttrErrorListenerSide:
			f.listenerErr = n.limits.clean(a.Text)
		case vanflow.AttrErrorConnectorSide:
			f.connectorErr = n.limits.clean(a.Text)
		default: // of other types
		}
	}
}

// count counts on for a connection that was dropped.
func (sh *shadow) count(r *vanflow.Record) {
	if sh.series == nil || r.Type != vanflow.TypeBiflowTport {
		return
	}
	if o := r.Number(vanflow.AttrOctets); o > sh.octets {
		sh.series.sent += o - sh.octets
		sh.octets = o
	}
	if o := r.Number(vanflow.AttrOctetsReverse); o > sh.reverse {
		sh.series.received += o - sh.reverse
		sh.reverse = o
	}
	if r.Number(vanflow.AttrEndTime) != 0 && !sh.ended {
		sh.ended = true
		sh.series.closed++
	}
}

// resolveFlow looks for the ends of a connection. With both of them it gets its
// route and is counted.
func (n *Network) resolveFlow(f *flow) {
	l := n.find(vanflow.TypeListener, f.parent)
	var from place
	if l != nil {
		from = n.placeOf(l)
	}
	if from.site == nil {
		f.waits = waitListener
		return
	}
	c := n.find(vanflow.TypeConnector, f.connector)
	var to place
	if c != nil {
		to = n.placeOf(c)
	}
	if to.site == nil {
		f.waits = waitConnector
		if f.end != 0 && f.connector == "" && f.heard+span(n.limits.Patience) <= n.now {
			n.list(f) // it got nowhere, and never will
			f.waits = ""
			delete(n.pending, f)
		}
		return
	}
	dest := n.targetOf(c, to)
	if dest == nil {
		f.waits = waitDestination
		return
	}
	var source *process
	if f.host != "" {
		source = n.clientOf(from.site, f.host, f.seen, f.start)
	}
	if source == nil {
		f.waits = waitSource
		return
	}
	f.waits = ""
	f.row = nil
	delete(n.pending, f)
	f.route = n.routeOf(routeKey{l, c, source, dest})
	f.route.refs++
	f.series = n.seriesFor(f.route, tcp)
	f.series.opened++
	n.talk(f.route, tcp, f.start)
	n.list(f)
	n.countFlow(f)
	if f.closed {
		f.series.closed++
	}
	n.adopt(f)
}

// list makes a connection one that is shown.
func (n *Network) list(f *flow) {
	if !f.isListed {
		f.isListed = true
		n.flowRows.listed.add(f)
		n.flowRows.version++
	}
}

// countFlow counts what was not counted yet.
func (n *Network) countFlow(f *flow) {
	if f.series == nil {
		return
	}
	n.refresh(f.route)
	f.series.sent += f.octets - f.counts.octets
	f.series.received += f.reverse - f.counts.reverse
	f.counts.octets, f.counts.reverse = f.octets, f.reverse
	if f.latency != 0 && !f.counts.incoming {
		f.counts.incoming = true
		observe(&f.series.incoming, f.latency, firstByteMicros())
	}
	if f.processLatency != 0 && !f.counts.outg {
		f.counts.outg = true
		observe(&f.series.outgoing, f.processLatency, firstByteMicros())
	}
	if f.latency != 0 && f.processLatency != 0 && !f.counts.latency {
		f.counts.latency = true
		// The two clocks start at different bytes: a server may seem slower than
		// its client.
		observe(&f.series.latency, f.latency-min(f.latency, f.processLatency), latencyMicros())
	}
}

// closeFlow does what the end of a connection brings.
func (n *Network) closeFlow(f *flow) {
	n.flowRows.live.Remove(f.place)
	f.place = n.flowRows.ended.PushBack(f)
	f.source.flows--
	f.closed = true
	if f.series != nil {
		f.series.closed++
	}
}

// reviveFlow takes the end of a connection back.
func (n *Network) reviveFlow(f *flow, s *source) {
	f.end, f.lost, f.closed, f.source = 0, false, false, s
	n.flowRows.ended.Remove(f.place)
	f.place = n.flowRows.live.PushBack(f)
	s.flows++
	if f.series != nil {
		f.series.opened++
	}
}

// loseFlow ends a connection of which nothing more will be heard.
func (n *Network) loseFlow(f *flow, end uint64) {
	f.end, f.lost, f.row = max(end, f.start, 1), true, nil
	f.heard = n.now // it is kept as long as others that ended now
	n.flowRows.version++
	n.closeFlow(f)
}

// loseFlows ends the connections and requests of a source that was given up.
func (n *Network) loseFlows(s *source) {
	end := s.heard
	if end == 0 {
		end = n.now
	}
	for p := n.flowRows.live.Front(); p != nil; {
		f := p.Value.(*flow)
		p = p.Next()
		if f.source == s {
			n.loseFlow(f, end)
		}
	}
	for p := n.reqRows.live.Front(); p != nil; {
		r := p.Value.(*request)
		p = p.Next()
		if r.source == s {
			r.end, r.row = max(end, r.start, 1), nil
			n.reqRows.version++
			n.closeRequest(r)
		}
	}
}

// resolvePending looks again at the connections that wait.
func (n *Network) resolvePending() {
	for f := range n.pending {
		n.resolveFlow(f)
	}
}

// limitFlows drops the oldest connections that are too many: first ended ones,
// then those of which nothing was heard for longest.
func (n *Network) limitFlows() {
	for len(n.flows) > n.limits.Connections {
		p := n.flowRows.ended.Front()
		if p == nil {
			p = n.flowRows.live.Front()
			n.stats.Evicted++
		}
		n.dropFlow(p.Value.(*flow))
	}
}

// dropFlow forgets a connection, but for what it takes to count on.
func (n *Network) dropFlow(f *flow) {
	f.gone = true
	delete(n.flows, f.id)
	delete(n.pending, f)
	n.addShadow(f.id, &shadow{
		route: f.route, series: f.series, trace: f.trace, octets: f.octets, reverse: f.reverse, ended: f.end != 0,
	})
	n.release(f.route)
	if f.closed {
		n.flowRows.ended.Remove(f.place)
	} else {
		n.flowRows.live.Remove(f.place)
		f.source.flows--
	}
	if f.isListed {
		n.flowRows.listed.remove()
	}
	n.flowRows.version++
}

// expireFlows drops connections that ended a TTL ago. Of those of which nothing
// was heard for as long the sources are asked once; if they have nothing to say,
// the end was lost. Those of which only changes are known are asked for too.
func (n *Network) expireFlows() (flush []string) {
	ttl := span(n.limits.TTL)
	for p := n.flowRows.ended.Front(); p != nil && p.Value.(*flow).heard+ttl <= n.now; p = n.flowRows.ended.Front() {
		n.dropFlow(p.Value.(*flow))
	}
	for p := n.flowRows.live.Front(); p != nil && p.Value.(*flow).heard+ttl <= n.now; {
		f := p.Value.(*flow)
		p = p.Next()
		switch {
		case f.asked == 0:
			if n.ask(f.source, ttl/2, &flush) {
				f.asked = n.now
			}
		case f.asked+span(verification) <= n.now:
			n.loseFlow(f, f.heard)
		}
	}
	for f := range n.pending {
		if f.parent == "" && f.end == 0 && f.seen+span(n.limits.Settle) <= n.now {
			n.ask(f.source, span(n.limits.Patience), &flush)
		}
	}
	return flush
}

// ask has a source asked for everything, unless that was done a moment ago. It
// reports whether the source is asked now.
func (n *Network) ask(s *source, moment uint64, flush *[]string) bool {
	if s.flushed == n.now {
		return true
	}
	if s.gone != 0 || s.flushed != 0 && s.flushed+moment > n.now {
		return false
	}
	s.flushed = n.now
	*flush = append(*flush, s.id)
	return true
}

// Connections returns the connections whose ends are known, and those that got
// nowhere.
func (n *Network) Connections() []*record.Connection {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.lists.connections
	if c.stale(n.flowRows.version, 0) {
		all := n.flowRows.listed.all()
		c.rows = make([]*record.Connection, len(all))
		for i, f := range all {
			if f.row == nil {
				f.row = n.connection(f)
			}
			c.rows[i] = f.row
		}
	}
	return c.rows
}

// connection makes the record of a connection.
func (n *Network) connection(f *flow) *record.Connection {
	c := &record.Connection{
		Base: base(f.id, f.start, f.end), Protocol: tcp.String(), ListenerID: record.OrUnknown(f.parent), ConnectorID: record.OrUnknown(f.connector),
		SourceHost: record.OrUnknown(f.host), SourcePort: record.OrUnknown(f.port), ProxyHost: record.OrUnknown(f.proxyHost),
		ProxyPort: record.OrUnknown(f.proxyPort), OctetCount: f.octets, OctetReverseCount: f.reverse, Latency: f.latency,
		LatencyReverse: f.processLatency, Duration: duration(f.start, f.end), ListenerError: textOrNil(f.listenerErr),
		ConnectorError: textOrNil(f.connectorErr),
	}
	if r := f.route; r != nil {
		n.refresh(r)
		p := n.pathOf(r, f.trace)
		c.Ends, c.RoutingKey, c.ServiceID, c.DestHost, c.DestPort = r.ends, r.routingKey, r.serviceID, r.destHost, r.destPort
		c.TraceRouters, c.TraceSites = p.routers, p.sites
	} else {
		n.nowhere(f, c)
	}
	return c
}

// nowhere fills the record of a connection that reached no connector.
func (n *Network) nowhere(f *flow, c *record.Connection) {
	const u = record.Unknown
	c.Ends = record.Ends{
		SourceSiteID: u, SourceSiteName: u, SourceProcessID: u, SourceProcessName: u,
		DestSiteID: u, DestSiteName: u, DestProcessID: u, DestProcessName: u,
	}
	c.RoutingKey, c.ServiceID, c.DestHost, c.DestPort = u, u, u, u
	c.TraceRouters, c.TraceSites = []string{}, []string{}
	l := n.find(vanflow.TypeListener, f.parent)
	if l == nil {
		return
	}
	p := n.placeOf(l)
	c.SourceSiteID, c.SourceSiteName = record.OrUnknown(p.siteID), record.OrUnknown(p.siteName)
	c.RoutingKey = record.OrUnknown(l.text(vanflow.AttrVanAddress))
	if l.service != nil {
		c.ServiceID = l.service.id
	}
	if p.routerName != "" {
		c.TraceRouters = []string{p.routerName}
	}
	if p.siteName != "" {
		c.TraceSites = []string{p.siteName}
	}
}

// duration is how long something took, nil while it lasts.
func duration(start, end uint64) *uint64 {
	if end == 0 {
		return nil
	}
	d := end - min(start, end)
	return &d
}
