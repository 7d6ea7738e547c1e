package linkstate

import (
	"math"
	"slices"
	"time"
)

// receiveRA handles an advertisement. Only routers that flood link states send
// one to a single router.
func (e *Engine) receiveRA(l *link, b body, flooded bool) {
	n := e.learn(b.id)
	if n == nil || !e.restarted(n, b, l) {
		return
	}
	if !flooded {
		e.noteFloods(n)
	}
	n.version = b.version
	n.lastSeen = e.now
	n.heardRA = true
	e.noteBehind(n, b)
	if b.lsSeq > n.seq {
		n.wantSeq = max(n.wantSeq, b.lsSeq)
		n.lsr.ask(e.now + n.grace(0))
		e.requestsDue = min(e.requestsDue, n.lsr.due)
	}
	if b.mobileSeq > n.mobileSeq {
		n.wantMobile = max(n.wantMobile, b.mobileSeq)
		grace := n.grace(addressGrace)
		if b.digests != nil {
			grace = 0 // part of the exchange
		}
		n.mar.ask(e.now + grace)
		e.requestsDue = min(e.requestsDue, n.mar.due)
	} else if n.mobileSeq >= n.wantMobile {
		n.mar.answered()
	}
	if b.digests != nil {
		e.compare(n, b.digests)
	}
}

// noteBehind handles an RA with lower sequences than we have. It may be an old
// one on a long way. If nothing but such RAs come for a while, it is we who are
// wrong, having taken something of an earlier life for news.
func (e *Engine) noteBehind(n *node, b body) {
	switch {
	case b.lsSeq >= n.seq && b.mobileSeq >= n.mobileSeq:
		n.behind = never
	case n.behind == never:
		n.behind = e.now
	case e.now-n.behind > behindLimit:
		n.behind = never
		n.seq, n.wantSeq = min(n.seq, max(b.lsSeq-1, 0)), b.lsSeq
		n.mobileSeq, n.wantMobile = min(n.mobileSeq, max(b.mobileSeq-1, 0)), b.mobileSeq
	}
}

// behindLimit is longer than any message is on its way.
const behindLimit = 10 * time.Second

// grace is how long to wait for news of a router before asking it. What one
// that floods has said is on its way, from it or from a neighbor.
func (n *node) grace(usual time.Duration) time.Duration {
	if n.floods {
		return floodGrace
	}
	return usual
}

// receiveLSU handles a link state. It is flooded by routers like this one,
// which change their paths at once; others send it only when they are asked,
// and compute at their next tick.
func (e *Engine) receiveLSU(l *link, b body, flooded bool) {
	n := e.learn(b.id)
	if n == nil || !e.restarted(n, b, l) {
		return
	}
	n.version = b.version
	if flooded {
		e.noteFloods(n)
	}
	if b.lsSeq < n.seq {
		return
	}
	n.answered = true
	n.lastSeen = e.now
	if b.lsSeq > n.seq {
		n.seq = b.lsSeq
		if e.replaceEdges(n, e.resolve(n, b.peers)) {
			e.pathsDirty = true
		}
	}
	if n.neighbor() {
		e.touchOwn() // what this router says about the neighbor may depend on it
	}
	if n.seq >= n.wantSeq {
		n.lsr.answered()
	}
}

// noteFloods notes that a router floods its link state.
func (e *Engine) noteFloods(n *node) {
	if !n.floods {
		n.floods = true
		e.onlyFloods = e.allReachable((*node).doesFlood)
		e.greet(n)
	}
}

func (n *node) doesFlood() bool { return n.floods }

// allReachable tells whether all reachable routers and neighbors but this one
// have a property.
func (e *Engine) allReachable(property func(*node) bool) bool {
	for _, n := range e.sorted {
		if n != e.self && (n.reachable || n.neighbor()) && !property(n) {
			return false
		}
	}
	return true
}

// receiveLSR answers with the link state and, so that the other one knows what
// else to ask for, with an RA.
func (e *Engine) receiveLSR(l *link, b body) {
	n := e.learn(b.id)
	if n == nil {
		return
	}
	if b.digests != nil {
		e.supply(n, b.digests)
		return
	}
	links := e.answerOn(n, l)
	e.send(Message{Links: links, Opcode: LSU, Router: n.id, Sections: e.composeLinkState(toRouter(n.id))})
	e.send(Message{
		Links: links, Opcode: RA, Router: n.id,
		Sections: composeRA(toRouter(n.id), e.cfg.ID, e.cfg.Instance, e.self.seq, e.local.seq),
	})
}

func (e *Engine) composeLinkState(to string) []byte {
	peers := make([]peer, len(e.self.edges))
	for i, edge := range e.self.edges {
		peers[i] = peer{id: e.nodes[edge.to].id, cost: edge.cost}
	}
	return composeLSU(to, e.cfg.ID, e.cfg.Instance, e.self.seq, peers)
}

// Penalty is added to the cost of links that are not to be preferred yet. A
// path over them is used only where there is no other one, as by a stub
// router, RFC 6987 §2: first the far end learns to forward, then traffic moves.
const penalty = 1 << 16

// settleTime is how long a neighbor that computes paths at its ticks needs
// after a link came up: it ticks each second.
const settleTime = 1200 * time.Millisecond

// wantedEdges is this router's link state as it should be.
func (e *Engine) wantedEdges() []edge {
	var edges []edge
	for _, n := range e.sorted {
		if !n.neighbor() {
			continue
		}
		cost := n.link.cost
		if e.neighbors > 1 && (e.starting || !e.settled(n)) {
			cost += penalty
		}
		edges = append(edges, edge{to: n.index, cost: cost})
	}
	return edges
}

// settled tells whether a neighbor is known to forward for this router: its
// link state names this router and it has had time to compute paths. One that
// leads nowhere attracts no traffic and is settled for the time being.
func (e *Engine) settled(n *node) bool {
	if !n.settled && n.lists(0) && (n.floods || e.now >= n.upSince+settleTime) {
		n.settled = true
	}
	leaf := !slices.ContainsFunc(n.edges, func(edge edge) bool { return edge.to != 0 })
	return n.settled || leaf
}

// settles is when a neighbor may become settled by time alone.
func (e *Engine) settles() instant {
	at := never
	for _, l := range e.order {
		if n := l.peer; n != nil && n.link == l && !n.settled && n.upSince+settleTime > e.now {
			at = min(at, n.upSince+settleTime)
		}
	}
	return at
}

// originate makes a new link state of this router if its neighbors have
// changed. The loss of one is told at once; other changes are gathered for a
// moment and told not too often.
func (e *Engine) originate() {
	if e.settleDue != never && e.now >= e.settleDue {
		e.touchOwn()
	}
	e.settleDue = e.settles()
	if !e.ownDirty {
		return
	}
	want := e.wantedEdges()
	if slices.Equal(want, e.self.edges) {
		e.ownDirty = false
		return
	}
	lostOne := slices.ContainsFunc(e.self.edges, func(old edge) bool {
		return !slices.ContainsFunc(want, func(w edge) bool { return w.to == old.to })
	})
	if !lostOne && e.now < e.mayOriginate() {
		return
	}
	e.replaceEdges(e.self, want)
	e.self.seq++
	e.ownDirty = false
	e.originations = max(e.originations, e.now) + originationHold
	e.pathsDirty, e.pathsUrgent = true, true
	e.floodOwn = true
	if !e.onlyFloods {
		e.raDue = e.now // others wait for it
	}
	e.lastChange = e.now
	e.event(Event{Kind: LinkStateChanged, Count: e.self.seq})
}

// touchOwn has this router's link state looked at.
func (e *Engine) touchOwn() {
	if !e.ownDirty {
		e.ownDirty, e.ownSince = true, e.now
	}
}

// mayOriginate is when the next link state may go out: a few may follow each
// other, more only at intervals of originationHold.
func (e *Engine) mayOriginate() instant {
	return max(e.ownSince+originationDelay, e.originations-originationBurst*originationHold)
}

// floodLinkState sends a new link state of this router to all. skupper-router
// waits to be asked after its RA; it takes an unasked LSU all the same. A flood
// needs one message per link and no paths, so routers whose paths contradict
// each other after a cut cannot keep it from each other.
func (e *Engine) floodLinkState() {
	if !e.floodOwn {
		return
	}
	e.floodOwn = false
	e.send(Message{Links: e.appendFlood(nil, nil, nil, true), Opcode: LSU, Sections: e.composeLinkState(toAll)})
}

// advertisement is what an RA says.
type advertisement struct{ lsSeq, mobileSeq int64 }

// repeatGap is the least time between two RAs that say the same. Others take
// an earlier repetition for a copy of the first and do not pass it on.
const repeatGap = duplicateWindow + 100*time.Millisecond

// advertise sends the RA when it is due.
func (e *Engine) advertise() {
	interval := e.cfg.RAInterval
	if !e.onlyFloods && e.now-e.lastChange <= 2*e.cfg.RAIntervalFlux {
		interval = e.cfg.RAIntervalFlux
		e.raDue = min(e.raDue, e.lastRA+interval)
	}
	says := advertisement{e.self.seq, e.local.seq}
	if says == e.advertised {
		e.raDue = max(e.raDue, e.lastRA+repeatGap)
	}
	if e.now < e.raDue {
		return
	}
	e.lastRA, e.advertised = e.now, says
	e.raDue = e.now + e.jittered(interval)
	e.send(Message{Links: e.appendFlood(nil, nil, nil, true), Opcode: RA, Sections: composeRA(toAll, e.cfg.ID, e.cfg.Instance, says.lsSeq, says.mobileSeq)})
}

// sendRequests asks the routers that can be reached for what is missing.
func (e *Engine) sendRequests() {
	if e.now < e.requestsDue {
		return
	}
	e.requestsDue = never
	patient := e.allFlood() // the exchange may bring it
	for _, n := range e.sorted {
		if !n.lsr.pending && !n.mar.pending {
			continue
		}
		l := e.linkTo(n)
		if l == nil {
			continue // computePaths comes back to it
		}
		if patient && !n.neighbor() {
			n.lsr.wait(n.since + exchangeGrace)
			n.mar.wait(n.since + exchangeGrace)
		}
		if n.lsr.pending {
			if e.now >= n.lsr.due {
				e.send(Message{Links: []LinkID{l.id}, Opcode: LSR, Router: n.id, Sections: composeLSR(toRouter(n.id), e.cfg.ID)})
				n.lsr.repeat(e.now)
			}
			e.requestsDue = min(e.requestsDue, n.lsr.due)
		}
		if n.mar.pending {
			if e.now >= n.mar.due {
				e.askForAddresses(n, l)
			}
			e.requestsDue = min(e.requestsDue, n.mar.due)
		}
	}
}

func (e *Engine) askForAddresses(n *node, l *link) {
	if n.addressesTold() {
		n.mar.answered()
		return
	}
	e.send(Message{Links: []LinkID{l.id}, Opcode: MAR, Router: n.id, Sections: composeMAR(toRouterAddresses(n.id), e.cfg.ID, n.mobileSeq)})
	n.probed = e.now
	if n.mobileSeq >= n.wantMobile {
		n.mar.answered() // a guess: there may be nothing to answer
		return
	}
	n.mar.repeat(e.now)
}

// keepHouse drops link states of silent routers and routers that nobody
// mentions.
func (e *Engine) keepHouse() {
	if e.now < e.housekeeping {
		return
	}
	e.housekeeping = e.now + housekeepingInterval
	for _, n := range slices.Clone(e.sorted) {
		if n == e.self {
			continue
		}
		if n.knows != nil && e.now-n.toldAt > memoryOfGreeting {
			n.knows = nil
		}
		if len(n.edges) > 0 && e.now-n.lastSeen > e.cfg.RemoteMaxAge {
			e.replaceEdges(n, nil)
			n.seq, n.answered = 0, false
			e.dropAddresses(n)
			e.pathsDirty = true
			e.event(Event{Kind: LinkStateExpired, Router: n.id})
		}
		if len(n.edges) == 0 && n.mentions == 0 && len(n.links) == 0 && e.now-n.orphan >= orphanAge {
			e.forget(n)
		}
	}
}

const (
	// startLimit ends the start although not everything is known.
	startLimit = 5 * time.Second
	// probeAge is how long a router is given to answer a MAR that it may not
	// need to answer.
	probeAge = time.Second
)

// checkStart ends the start as soon as this router knows what it needs to
// forward for others. Until then it asks others to prefer paths around it and
// keeps its addresses for itself, to announce them once instead of answering
// every router's question.
func (e *Engine) checkStart() {
	if !e.starting || e.firstUp == never {
		return
	}
	if e.now < e.firstUp+startLimit && !e.synchronized() {
		return
	}
	e.starting = false
	e.touchOwn()
	e.event(Event{Kind: Synchronized})
}

func (e *Engine) synchronized() bool {
	if e.neighbors == 0 || e.pathsDirty || e.ownDirty {
		return false
	}
	for _, n := range e.sorted {
		if n == e.self || !n.reachable && !n.neighbor() {
			continue
		}
		if !n.answered || !n.addressesTold() && (n.probed == 0 || e.now-n.probed < probeAge) {
			return false
		}
	}
	return true
}

// addressesTold tells whether all is known that a router has said about its
// addresses. One that floods tells all routers, and a newcomer is told by its
// neighbors; silence means that it has none.
func (n *node) addressesTold() bool {
	return n.mobileSeq >= n.wantMobile && (n.mobileSeq > 0 || n.heardRA || n.floods)
}

// startEnds is when checkStart is worth another look.
func (e *Engine) startEnds() instant {
	if !e.starting || e.firstUp == never {
		return never
	}
	return min(e.now+100*time.Millisecond, max(e.firstUp+startLimit, e.now))
}

// clampCost keeps costs within what an AMQP int and a C int hold.
func clampCost(c uint64) int64 { return int64(min(c, math.MaxInt64)) }
