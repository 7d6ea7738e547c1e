package router

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/linkstate"
)

// maxPendingControl is how many control messages of one peer may wait for the
// control loop. Further ones are dropped: the protocol recovers from that.
const maxPendingControl = 4096

// maxControlMessage bounds one control message, in octets: a MAU of 262,144
// addresses of 60 octets.
const maxControlMessage = 16 << 20

// loop is the control loop: it runs what was posted, lets the engine act in
// time and publishes what has changed, until ctx is done.
func (r *Router) loop(ctx context.Context) {
	defer r.box.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var batch []func()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.box.ready:
		case <-timer.C:
			r.step(r.tick())
		case <-second.C:
			r.second()
		}
		batch = r.box.take(batch)
		for i, f := range batch {
			f()
			batch[i] = nil
		}
		r.publishTable()
		r.runPending()
		if r.engine != nil {
			timer.Reset(time.Until(r.wake))
		}
	}
}

// tick tells the engine when something was last heard of the neighbors whose
// silence is short.
func (r *Router) tick() linkstate.Tick {
	r.heard = r.heard[:0]
	now := time.Now()
	for _, p := range *r.hops.Load() {
		if p.prompt {
			r.heard = append(r.heard, linkstate.Heard{Link: p.linkID(), At: now.Add(-p.conn.Silence())})
		}
	}
	return linkstate.Tick{Heard: r.heard}
}

// maxOverdue is how many links that are overdue are logged each second.
const maxOverdue = 10

// second counts the age of what the connections carry. compat: skupper-router
// 3.x logs at this level what it is too long about.
func (r *Router) second() {
	lines := 0
	for _, p := range r.peers {
		if !p.up {
			continue
		}
		for _, o := range p.conn.Second() {
			if lines++; lines <= maxOverdue {
				p.logOverdue(o)
			}
		}
	}
	if lines > maxOverdue {
		r.log.Info("further links are overdue", "module", "ROUTER_CORE", "count", lines-maxOverdue)
	}
}

func (p *peer) logOverdue(o conn.Overdue) {
	text := "Stuck delivery: one on this link has not been settled for more than 10 seconds"
	if o.Blocked {
		text = "Link blocked with zero credit for more than 10 seconds"
	}
	key := ""
	if role := linkRoleOf(o.Link); role.key != (forward.Key{}) {
		key = role.key.String()
	}
	p.r.log.Info(text, "module", "ROUTER_CORE", "conn", p.id, "link", o.Link.ID(), "address", key)
}

// step lets the engine act and does what it asks for.
func (r *Router) step(in linkstate.Input) {
	if r.engine == nil {
		return
	}
	out := r.engine.Step(time.Now(), in)
	r.wake = out.Wake
	for _, m := range out.Send {
		for _, id := range m.Links {
			r.sendControl(id, r.self.Load().whole, m.Sections)
		}
	}
	if received, ok := in.(linkstate.Received); ok && len(out.Relay) > 0 {
		r.relayControl(received, out.Relay)
	}
	if out.Reach != nil {
		r.reach = out.Reach
		r.table.SetTopology(topology(out.Reach))
	}
	for _, c := range out.Addresses {
		key, ok := forward.ParseKey(c.Key)
		switch {
		case !ok:
		case c.Removed:
			r.table.RemoveHolder(key, c.Index)
		default:
			r.table.AddHolder(key, c.Index, forward.Treatment(c.Treatment), c.Mesh)
		}
	}
	for _, e := range out.Events {
		r.logEvent(e)
	}
}

// topology translates what the engine computed for the address table.
func topology(reach *linkstate.Reach) forward.Topology {
	t := forward.Topology{Through: reach.Through, Radius: reach.Radius, Routers: make([]forward.Router, len(reach.Routers))}
	for i, n := range reach.Routers {
		t.Routers[i] = forward.Router{ID: n.ID, Hop: forward.HopID(n.Link), NextHop: n.NextHop, Cost: n.Cost}
	}
	return t
}

func (r *Router) logEvent(e linkstate.Event) {
	level := slog.LevelDebug
	switch e.Kind {
	case linkstate.NeighborUp, linkstate.NeighborDown, linkstate.RouterReachable, linkstate.RouterUnreachable, linkstate.RouterRestarted:
		level = slog.LevelInfo
	case linkstate.DuplicateID, linkstate.Incompatible, linkstate.LimitReached, linkstate.Malformed:
		level = slog.LevelWarn
	default:
	}
	r.log.Log(context.Background(), level, e.Kind.String(), "module", "ROUTER", "peer", e.Router, "link", uint64(e.Link), "count", e.Count, "detail", e.Detail)
}

// sendControl sends one routing message to a neighbor.
func (r *Router) sendControl(id linkstate.LinkID, annotations, sections []byte) {
	p := r.peers[uint64(id)]
	if p == nil {
		return
	}
	l := p.controlOut.Load()
	if l == nil {
		return
	}
	s := l.Send(nobody{}, true)
	s.WriteBytes(annotations, true)
	s.WriteBytes(sections, false)
}

// relayControl passes a routing message on.
func (r *Router) relayControl(m linkstate.Received, links []linkstate.LinkID) {
	in := &amqp.Annotations{Ingress: m.Ingress, HasIngress: m.Ingress != "", Trace: m.Trace, To: m.To, HasTo: true}
	annotations := r.annotations(0, in)
	for _, id := range links {
		r.sendControl(id, annotations, m.Sections)
	}
}

// controlMessage collects one routing message. It is the sink of a delivery on
// a control link.
type controlMessage struct {
	p    *peer
	rcv  *conn.Receiving
	data []byte
	lost bool // longer than allowed
}

func (m *controlMessage) Transfer(payload []byte, more bool) {
	if len(m.data)+len(payload) > maxControlMessage {
		m.lost, m.data = true, nil
	}
	if !m.lost {
		m.data = append(m.data, payload...)
	}
	if more {
		return
	}
	if !m.rcv.Settled {
		m.rcv.Update(accepted, true)
	}
	if m.lost || m.p.pending.Add(1) > maxPendingControl {
		if !m.lost {
			m.p.pending.Add(-1)
		}
		return
	}
	m.p.r.box.post(func() {
		m.p.pending.Add(-1)
		m.p.r.controlReceived(m.p, m.data)
	})
}

func (m *controlMessage) Settled(amqp.State) {}
func (m *controlMessage) Abort()             {}
func (m *controlMessage) Lost(error)         {}

// controlReceived gives a routing message to the engine.
func (r *Router) controlReceived(p *peer, data []byte) {
	prefix, _, err := amqp.ScanPrefix(data)
	if err != nil {
		r.log.Debug("malformed routing message", "module", "ROUTER", "peer", p.remote, "err", err)
		return
	}
	in := linkstate.Received{Link: p.linkID(), To: string(prefix.To), Sections: data}
	if prefix.Annotations.Len > 0 {
		var a amqp.Annotations
		if _, err := a.Decode(prefix.Annotations.In(data)); err != nil {
			r.log.Debug("malformed routing message", "module", "ROUTER", "peer", p.remote, "err", err)
			return
		}
		if a.HasTo {
			in.To = a.To
		}
		in.Ingress, in.Trace, in.Sections = a.Ingress, a.Trace, data[prefix.Annotations.Len:]
	}
	r.step(in)
}

// controlAttached notes that a control link is attached. With both of them the
// peer can become a neighbor.
func (r *Router) controlAttached(p *peer, l *conn.Link) {
	if l.Sender() {
		p.controls[1] = l
	} else {
		p.controls[0] = l
	}
	if p.controls[0] == nil || p.controls[1] == nil || p.linkUp || r.engine == nil {
		return
	}
	p.linkUp = true
	replaced := p.member.Ready()
	r.setHop(forward.HopID(p.id), p)
	up := linkstate.LinkUp{Link: p.linkID(), Cost: p.cost, Prompt: p.prompt}
	old := r.predecessor(p)
	if replaced != nil {
		old = replaced.App.(*peer)
	}
	if old == nil {
		r.noteSecond(p)
		r.step(up)
		return
	}
	// compat: with skupper-router 3.x, too, the new connection carries the
	// route from now on at either side, and the dialing one detaches the old
	// links at once.
	if old.remote == p.remote {
		up.Replaces = old.linkID()
	}
	r.step(up)
	if !p.dialed() || r.peers[old.id] != old {
		return
	}
	for _, l := range old.controls {
		if l != nil {
			l.Detach(nil)
		}
	}
}

// predecessor is the control connection of the connector in whose place that of p
// is, nil if there is none.
func (r *Router) predecessor(p *peer) *peer {
	if p.owner.before == nil {
		return nil
	}
	for _, o := range r.peers {
		if o.owner == p.owner.before && o.linkUp {
			return o
		}
	}
	return nil
}

// noteSecond reports a link to a router to which there is one already.
func (r *Router) noteSecond(p *peer) {
	for _, other := range r.peers {
		if other != p && other.linkUp && other.remote == p.remote && other.member.Group() != p.member.Group() {
			r.log.Warn("second link to the same router; it carries traffic when the other one is gone",
				"module", "ROUTER", "peer", p.remote, "conn", p.id, "beside", other.id)
			return
		}
	}
}

func (r *Router) controlDetached(p *peer, err *amqp.Error) {
	if !p.linkUp {
		return
	}
	p.linkUp = false
	r.setHop(forward.HopID(p.id), nil)
	reason := "detached"
	if err != nil {
		reason = err.Error()
	}
	r.log.Info("control link lost", "module", "ROUTER", "peer", p.remote, "err", reason)
	r.step(linkstate.LinkDown{Link: p.linkID()})
}

// setHop publishes the neighbors by control link anew.
func (r *Router) setHop(id forward.HopID, p *peer) {
	next := make(map[forward.HopID]*peer, len(*r.hops.Load())+1)
	for k, v := range *r.hops.Load() {
		next[k] = v
	}
	delete(next, id)
	if p != nil {
		next[id] = p
	}
	r.hops.Store(&next)
}

// publishTable publishes what has changed in the address table and tells those
// who want to know.
func (r *Router) publishTable() {
	snap, changes := r.table.Publish()
	if snap != r.snap.Swap(snap) {
		next := make(chan struct{})
		close(*r.news.Swap(&next))
	}
	for _, c := range changes {
		r.announce(c)
		if r.uplink != nil {
			r.uplink.changed(c)
			r.mesh.changed(c)
		}
		for _, w := range slices.Clone(r.watchers[c.Key]) {
			w.reachable(c.Key, c.New)
		}
	}
}

// whenPublished runs f on the control loop after the next snapshot of the
// address table was published.
func (r *Router) whenPublished(f func()) { r.pending = append(r.pending, f) }

func (r *Router) runPending() {
	for len(r.pending) > 0 {
		list := r.pending
		r.pending = nil
		for _, f := range list {
			f()
		}
		r.publishTable() // f may have touched it
	}
}

// announce tells other routers what this one holds.
func (r *Router) announce(c forward.Change) {
	if r.engine == nil {
		return
	}
	was, had := r.announced[c.Key]
	is, has := c.New.Announcement()
	switch {
	case has && (!had || was != is):
		r.announced[c.Key] = is
		r.step(linkstate.AddressAdded{Key: c.Key.String(), Attributes: linkstate.Attributes{
			Treatment: int32(is.Treatment), Producers: int32(is.Producers), Mesh: is.Mesh,
		}})
	case had && !has:
		delete(r.announced, c.Key)
		r.step(linkstate.AddressRemoved{Key: c.Key.String()})
	}
}

// watch makes w hear of an address, first of its present state.
func (r *Router) watch(key forward.Key, w watcher) {
	r.watchers[key] = append(r.watchers[key], w)
	w.reachable(key, r.snap.Load().Lookup(key))
}

func (r *Router) unwatch(key forward.Key, w watcher) {
	left := slices.DeleteFunc(r.watchers[key], func(o watcher) bool { return o == w })
	if len(left) == 0 {
		delete(r.watchers, key)
		return
	}
	r.watchers[key] = left
}
