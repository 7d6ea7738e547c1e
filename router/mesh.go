package router

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
)

// bid is what an edge router offers for the id of its mesh. The lowest ordinal
// wins: that of the router that has been there longest.
type bid struct {
	ordinal int64
	id      string
}

// election settles the id of a mesh of edge routers: the best bid that is known
// of a router that is there.
type election struct{ own, winner bid }

// draw makes a new bid of our own and lets it win for the time being. The
// ordinal is the start in microseconds, and up to a second more, so that no two
// routers have the same.
func (e *election) draw(started time.Time) {
	e.own = bid{ordinal: started.UnixMicro() + rand.Int64N(1_000_000), id: discriminator()}
	e.winner = e.own
}

// heard takes a bid of a neighbor and reports whether it is our own ordinal,
// which calls for a new draw.
func (e *election) heard(b bid) (tie bool) {
	if b.ordinal == e.own.ordinal {
		return b.id != e.own.id
	}
	if b.ordinal < e.winner.ordinal {
		e.winner = b
	}
	return false
}

// edgeMesh is what an edge router has towards the edge routers that it is
// connected to. It is owned by the control loop.
type edgeMesh struct {
	r         *Router
	election  election
	neighbors map[string]*edgeNeighbor // by router id
}

// edgeNeighbor is another edge router. One connection to it is in use, others
// wait.
type edgeNeighbor struct {
	id      string
	conns   []*peer
	itself  *forward.Consumer // what is for the router itself goes there
	bids    *conn.Link
	bid     bid // its last one
	proxies map[forward.Key]*conn.Link
}

func newEdgeMesh(r *Router) *edgeMesh {
	m := &edgeMesh{r: r, neighbors: map[string]*edgeNeighbor{}}
	m.election.draw(r.started)
	return m
}

// opened takes a connection to another edge router into use.
func (m *edgeMesh) opened(p *peer) {
	n := m.neighbors[p.remote]
	if n == nil {
		n = &edgeNeighbor{id: p.remote, proxies: map[forward.Key]*conn.Link{}}
		m.neighbors[p.remote] = n
		m.rename()
	}
	n.conns = append(n.conns, p)
	if n.conns[0] == p {
		m.activate(n)
	}
}

// rename tells the address table which edge routers are reached directly.
func (m *edgeMesh) rename() {
	names := *m.r.snap.Load().Names()
	names.Peers = names.Peers[:0:0]
	for id := range m.neighbors {
		names.Peers = append(names.Peers, id)
	}
	slices.Sort(names.Peers)
	m.r.table.SetNames(names)
}

// ended forgets a connection; the next one to the same router takes its place.
func (m *edgeMesh) ended(p *peer) {
	n := m.neighbors[p.remote]
	if n == nil {
		return
	}
	at := slices.Index(n.conns, p)
	if at < 0 {
		return
	}
	n.conns = slices.Delete(n.conns, at, at+1)
	if at > 0 {
		return
	}
	m.r.table.Remove(n.itself)
	n.itself, n.bids = nil, nil
	clear(n.proxies)
	if lost := n.bid; lost == m.election.winner {
		m.election.winner = m.election.own
		m.elect()
	}
	if len(n.conns) > 0 {
		m.activate(n)
		return
	}
	delete(m.neighbors, n.id)
	m.rename()
}

// activate attaches everything on the first connection to a router.
func (m *edgeMesh) activate(n *edgeNeighbor) {
	p := n.conns[0]
	n.bids = p.conn.Attach(conn.LinkConfig{
		Session: conn.ClassCoreEndpoint, Sender: true, SndSettle: amqp.SndMixed,
		Source: &amqp.Source{}, Target: &amqp.Target{Address: addrMeshBids}, Events: quiet{},
	})
	capability := []amqp.Symbol{capInterEdge}
	l := p.conn.Attach(conn.LinkConfig{
		Session: conn.ClassEndpoint, Sender: true, SndSettle: amqp.SndMixed,
		Source: &amqp.Source{Capabilities: capability}, Target: &amqp.Target{Capabilities: capability}, Events: interEdgeEvents{},
	})
	n.itself = &forward.Consumer{Kind: forward.Local, Conn: forward.ConnID(p.id), Edge: true, Target: &consumerLink{p: p, link: l}}
	m.r.table.Add(forward.Key{Class: forward.ClassEdge, Name: n.id}, n.itself, forward.Closest)
	m.offer(n)
	m.r.snap.Load().All(func(a *forward.Address) bool {
		m.proxy(n, a.Key(), a)
		return true
	})
}

// offer sends our bid to a neighbor.
func (m *edgeMesh) offer(n *edgeNeighbor) {
	own := amqp.Message{ApplicationProperties: amqp.Map{
		{Key: amqp.Symbol("ordinal"), Value: m.election.own.ordinal},
		{Key: amqp.Symbol("id"), Value: m.election.own.id},
	}}
	n.bids.Send(nobody{}, false).WriteBytes(own.AppendWide(m.r.annotations(0, nil), 0), false)
}

// heard takes a bid of a neighbor.
func (m *edgeMesh) heard(p *peer, b bid) {
	n := m.neighbors[p.remote]
	if n == nil {
		return
	}
	n.bid = b
	if m.election.heard(b) {
		m.election.draw(m.r.started)
	}
	m.elect()
}

// elect lets the bids that are known decide again, and tells who has to know.
func (m *edgeMesh) elect() {
	own := m.election.own
	for again := true; again; {
		again = false
		for _, n := range m.neighbors {
			if n.bids != nil && n.bid.id != "" && m.election.heard(n.bid) {
				m.election.draw(m.r.started)
				again = true
			}
		}
	}
	if m.election.own != own {
		for _, n := range m.neighbors {
			if n.bids != nil {
				m.offer(n)
			}
		}
	}
	if id := m.election.winner.id; id != m.r.self.Load().mesh {
		m.r.setOrigin(id)
		m.r.uplink.tellMesh()
	}
}

// changed attaches and detaches the links on which neighbors send what is for
// an address here.
func (m *edgeMesh) changed(c forward.Change) {
	for _, n := range m.neighbors {
		m.proxy(n, c.Key, c.New)
	}
}

func (m *edgeMesh) proxy(n *edgeNeighbor, key forward.Key, a *forward.Address) {
	if key.Class != forward.ClassMobile {
		return
	}
	_, consumes := a.Announcement()
	switch l := n.proxies[key]; {
	case consumes && l == nil:
		p := n.conns[0]
		n.proxies[key] = p.conn.Attach(conn.LinkConfig{
			Session: conn.ClassEndpoint, SndSettle: amqp.SndMixed,
			Source: &amqp.Source{Address: key.Name}, Target: &amqp.Target{},
			Credit: conn.CreditPolicy{Window: routerCredit}, Events: &proxiedLink{p: p, address: key.Name},
		})
	case !consumes && l != nil:
		delete(n.proxies, key)
		l.Detach(nil)
	}
}

// interEdgeEvents are those of the link for what is for the neighbor itself.
type interEdgeEvents struct{ quiet }

func (interEdgeEvents) role() linkRole {
	return linkRole{kind: linkInterEdge, priority: defaultPriority}
}

// bidEvents are those of the link on which a neighbor bids for the mesh id.
type bidEvents struct{ p *peer }

func (e *bidEvents) Answered(*conn.Link)              {}
func (e *bidEvents) Credit(*conn.Link)                {}
func (e *bidEvents) Detached(*conn.Link, *amqp.Error) {}
func (e *bidEvents) Begin(rcv *conn.Receiving) conn.Sink {
	return newCollected(rcv, func(m *amqp.Message) {
		ordinal, isLong := m.ApplicationProperties.Get("ordinal").(int64)
		id, isText := m.ApplicationProperties.Get("id").(string)
		r := e.p.r
		if isLong && isText && id != "" && r.mesh != nil {
			r.box.post(func() { r.mesh.heard(e.p, bid{ordinal: ordinal, id: id}) })
		}
	})
}
