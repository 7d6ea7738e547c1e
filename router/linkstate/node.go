package linkstate

import (
	"slices"
	"strings"
	"time"
)

// instant is time since the engine's first step.
type instant = time.Duration

// never is later than everything.
const never instant = 1<<63 - 1

// node is what is known about one router. Index 0 is this router itself.
type node struct {
	id      string
	index   int32
	version int64

	// Restarts. The instance before the current one is remembered, because its
	// messages may still be on their way.
	instance     int64
	hasInstance  bool
	before       int64 // the instance before, if hasBefore
	hasBefore    bool
	restartNoted bool // a duplicate of this id has been reported

	// Link state.
	seq      int64
	edges    []edge // in the order of arrival
	lastSeen instant
	answered bool // an LSU of this instance has come
	floods   bool // its link state, as we do: then it also computes paths at once
	wantSeq  int64
	behind   instant // since when RAs have had lower sequences than we have, never if they have not
	mentions int     // other routers that list this one
	orphan   instant

	// Neighbors.
	links   []*link // all with this router at the other end, by id
	link    *link   // the one in use, nil if this is no neighbor
	upSince instant
	settled bool              // forwards for us: its edges may be preferred
	greeted bool              // has been told what is known
	told    bool              // it has said what it knows
	toldAt  instant           // when it did last
	knows   map[string]digest // what it said, for a while
	owed    []string          // news that it gets when it has said so

	// Path.
	reachable bool
	since     instant // when it became reachable
	next      int32   // index of the next hop
	cost      uint64
	hops      int32

	// Addresses.
	mobileSeq  int64
	wantMobile int64
	heardRA    bool    // of this instance
	probed     instant // when it was last asked; 0 if never
	addresses  map[string]Attributes
	withdrawn  bool    // Output does not hold them: the router is unreachable
	holdoff    instant // when they are withdrawn; never if not planned
	overfull   bool    // it has more addresses than are kept; reported

	lsr, mar request
}

// edge is an entry of a link state.
type edge struct {
	to   int32 // router index
	cost int32
}

// request is a question that is repeated until it is answered.
type request struct {
	pending bool
	due     instant
	delay   time.Duration // until it is repeated
	sent    bool          // since it became pending
}

// ask makes a request pending, to be sent at the given time if not sooner.
func (r *request) ask(at instant) {
	if !r.pending {
		*r = request{pending: true, due: at, delay: firstRetry}
		return
	}
	r.due = min(r.due, at)
}

// wait puts off a request that has not been sent yet.
func (r *request) wait(until instant) {
	if r.pending && !r.sent {
		r.due = max(r.due, until)
	}
}

func (r *request) answered() { *r = request{due: never} }

// repeat notes that the request was sent and when it is to be sent again.
func (r *request) repeat(now instant) {
	r.sent = true
	r.due = now + r.delay
	r.delay = min(2*r.delay, lastRetry)
}

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 4 * time.Second
)

// resetExchange makes the exchange with a neighbor begin anew.
func (n *node) resetExchange() { n.greeted, n.told, n.knows, n.owed = false, false, nil, nil }

func (n *node) neighbor() bool { return n.link != nil }

// lists tells whether the router's link state names another one.
func (n *node) lists(index int32) bool {
	return slices.ContainsFunc(n.edges, func(e edge) bool { return e.to == index })
}

// find returns the node of a router, nil if it is not known.
func (e *Engine) find(id string) *node { return e.byID[id] }

// learn returns the node of a router and makes it if it is not known. It
// returns nil if there are too many.
func (e *Engine) learn(id string) *node {
	if n := e.byID[id]; n != nil {
		return n
	}
	if len(e.byID) >= e.cfg.MaxRouters {
		if !e.limitNoted {
			e.limitNoted = true
			e.event(Event{Kind: LimitReached, Router: id, Count: int64(e.cfg.MaxRouters)})
		}
		return nil
	}
	n := &node{id: id, index: e.freeIndex(), holdoff: never, behind: never, addresses: map[string]Attributes{}, withdrawn: true}
	n.lsr.due, n.mar.due = never, never
	e.nodes[n.index] = n
	e.byID[id] = n
	at, _ := slices.BinarySearchFunc(e.sorted, id, func(n *node, id string) int { return strings.Compare(n.id, id) })
	e.sorted = slices.Insert(e.sorted, at, n)
	if n.index != 0 {
		n.orphan = e.now
		e.housekeeping = min(e.housekeeping, e.now+e.cfg.HelloInterval)
		e.event(Event{Kind: RouterAdded, Router: id})
	}
	return n
}

// freeIndex returns the lowest index that is not in use.
func (e *Engine) freeIndex() int32 {
	for i, n := range e.nodes {
		if n == nil {
			return int32(i)
		}
	}
	e.nodes = append(e.nodes, nil)
	return int32(len(e.nodes) - 1)
}

// forget removes a router that nobody mentions.
func (e *Engine) forget(n *node) {
	e.dropAddresses(n)
	e.replaceEdges(n, nil)
	e.nodes[n.index] = nil
	delete(e.byID, n.id)
	at := slices.Index(e.sorted, n)
	e.sorted = slices.Delete(e.sorted, at, at+1)
	e.limitNoted = false
	e.pathsDirty = true
	e.event(Event{Kind: RouterRemoved, Router: n.id})
}

// replaceEdges sets the link state of a router and reports whether it differs
// from what it was.
func (e *Engine) replaceEdges(n *node, edges []edge) bool {
	if slices.Equal(n.edges, edges) {
		return false
	}
	for _, old := range n.edges {
		e.nodes[old.to].mentions--
		if m := e.nodes[old.to]; m.mentions == 0 {
			m.orphan = e.now
			e.housekeeping = min(e.housekeeping, e.now+e.cfg.HelloInterval)
		}
	}
	for _, edge := range edges {
		e.nodes[edge.to].mentions++
	}
	n.edges = edges
	return true
}

// resolve turns the peers of a link state into edges and learns the routers
// that are new. Those beyond the limit are left out, as are the router itself
// and a second entry for the same one.
func (e *Engine) resolve(n *node, peers []peer) []edge {
	edges := make([]edge, 0, len(peers))
	seen := make(map[int32]bool, len(peers))
	for _, p := range peers {
		to := e.learn(p.id)
		if to == nil || to == n || seen[to.index] {
			continue
		}
		seen[to.index] = true
		edges = append(edges, edge{to: to.index, cost: p.cost})
	}
	return edges
}

// restarted handles the instance of a message from n. It returns false if the
// message must be ignored, because it is older than the restart that we know
// of or because two routers use the same id.
func (e *Engine) restarted(n *node, b body, from *link) bool {
	if !b.hasInstance || n.hasInstance && b.instance == n.instance {
		return true
	}
	if !n.hasInstance {
		n.instance, n.hasInstance = b.instance, true
		return true
	}
	if n.speaks(e.now, e.cfg.HelloInterval, from) || n.hasBefore && b.instance == n.before && e.now-n.lastSeen <= e.cfg.RemoteMaxAge {
		if !n.restartNoted && !(n.hasBefore && b.instance == n.before) {
			n.restartNoted = true
			e.event(Event{Kind: DuplicateID, Router: n.id})
		}
		return false
	}
	e.restart(n, b.instance)
	return true
}

// speaks tells whether a neighbor says HELLO with its known instance on a link
// other than from: then whoever calls itself the same with another instance is
// another router.
func (n *node) speaks(now instant, helloInterval time.Duration, from *link) bool {
	return n.link != nil && n.link != from && now-n.link.heard < helloInterval*3/2
}

// restart forgets what a router's last instance said and asks again.
func (e *Engine) restart(n *node, instance int64) {
	n.before, n.hasBefore = n.instance, true
	n.instance, n.restartNoted = instance, false
	n.seq, n.wantSeq, n.behind, n.answered, n.floods = 0, 0, never, false, false
	n.resetExchange()
	if e.replaceEdges(n, nil) {
		e.pathsDirty = true
	}
	e.dropAddresses(n)
	n.mobileSeq, n.wantMobile, n.heardRA, n.probed = 0, 0, false, 0
	n.lsr.answered()
	n.mar.answered()
	n.lsr.ask(e.now)
	n.mar.ask(e.now)
	e.requestsDue = e.now
	for _, l := range n.links {
		e.transition(l, peerRestarted)
	}
	e.event(Event{Kind: RouterRestarted, Router: n.id, Count: instance})
}
