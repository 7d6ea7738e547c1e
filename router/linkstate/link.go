package linkstate

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// State is the state of a link: whether the router at its other end is a
// neighbor.
type State uint8

// The states of a link.
const (
	Down   State = iota // nothing heard
	OneWay              // its HELLO is heard, and does not list this router
	Up                  // its HELLO lists this router
)

func (s State) String() string {
	switch s {
	case Down:
		return "down"
	case OneWay:
		return "1-way"
	case Up:
		return "up"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// happening is an event in the life of a link.
type happening uint8

const (
	heard         happening = iota // a HELLO that does not list this router
	listed                         // a HELLO that lists this router
	silent                         // no HELLO that lists this router for HelloMaxAge
	peerRestarted                  // the router at the other end has a new instance
	lost                           // the connection is gone
)

// next is the transition function of a link. A neighbor stays one when a HELLO
// leaves this router out: only silence ends it (skupper-router 3.x, node.py).
func (s State) next(h happening) State {
	switch h {
	case listed:
		return Up
	case heard:
		if s == Up {
			return Up
		}
		return OneWay
	case peerRestarted:
		if s == Up {
			return OneWay
		}
		return s
	case silent, lost:
		return Down
	}
	panic(fmt.Sprintf("linkstate: happening %d on a link", h))
}

// link is one control link.
type link struct {
	id     LinkID
	cost   int32
	peer   *node // who says HELLO on it, nil before the first
	state  State
	heard  instant // last HELLO
	listed instant // last HELLO that lists this router

	replaced bool // another link has taken its place

	prompt bool    // see LinkUp
	alive  instant // last sign of life, of a prompt link
}

func (e *Engine) linkUp(in LinkUp) {
	cost := int32(min(max(in.Cost, 1), maxCost))
	if l := e.links[in.Link]; l != nil {
		if l.cost != cost {
			l.cost = cost
			e.touchOwn()
			if l.peer != nil {
				e.reselect(l.peer)
			}
		}
		return
	}
	l := &link{id: in.Link, cost: cost, prompt: in.Prompt}
	if l.prompt && e.promptDue == never {
		e.promptDue = e.now + e.jittered(e.cfg.HelloInterval/2)
	}
	e.links[in.Link] = l
	at, _ := slices.BinarySearchFunc(e.order, l, byID)
	e.order = slices.Insert(e.order, at, l)
	if old := e.links[in.Replaces]; old != nil && old.peer != nil {
		e.takeOver(l, old)
	}
	e.sendHello([]LinkID{l.id})
}

// takeOver puts l in the place of a link to the same router. The peer does the
// same, so that HELLO is neither said nor heard on the old one any more.
func (e *Engine) takeOver(l, old *link) {
	l.meets(old.peer)
	l.state, l.heard, l.listed, l.alive = old.state, old.heard, old.listed, old.alive
	old.state, old.replaced = Down, true
	e.reselect(l.peer)
}

// meets notes which router is at the other end of a link.
func (l *link) meets(n *node) {
	l.peer = n
	at, _ := slices.BinarySearchFunc(n.links, l, byID)
	n.links = slices.Insert(n.links, at, l)
}

func byID(a, b *link) int { return cmp.Compare(a.id, b.id) }

func (e *Engine) linkDown(in LinkDown) {
	l := e.links[in.Link]
	if l == nil {
		return
	}
	e.transition(l, lost)
	e.detach(l)
	delete(e.links, in.Link)
	e.order = slices.DeleteFunc(e.order, func(o *link) bool { return o == l })
}

// detach ends the relation of a link with the router at its other end.
func (e *Engine) detach(l *link) {
	if n := l.peer; n != nil {
		n.links = slices.DeleteFunc(n.links, func(o *link) bool { return o == l })
		n.orphan = e.now
		l.peer = nil
	}
}

// hello handles a HELLO that arrived on l.
func (e *Engine) hello(l *link, b body) {
	if l.replaced {
		return
	}
	if b.id == e.cfg.ID {
		e.noteOwnID(b, true)
		return
	}
	if l.peer != nil && l.peer.id != b.id {
		e.transition(l, lost)
		e.detach(l)
	}
	n := e.learn(b.id)
	if n == nil || !e.restarted(n, b, l) {
		return
	}
	n.version = b.version
	if l.peer == nil {
		l.meets(n)
	}
	first := l.state == Down
	l.heard = e.now
	if slices.Contains(b.seen, e.cfg.ID) {
		l.listed = e.now
		e.transition(l, listed)
	} else {
		e.transition(l, heard)
	}
	if first { // tell it at once that it is heard
		e.sendHello([]LinkID{l.id})
	}
}

func (e *Engine) transition(l *link, h happening) {
	was := l.state
	l.state = was.next(h)
	if l.state != was && l.peer != nil && (was == Up || l.state == Up) {
		e.reselect(l.peer)
	}
}

// reselect chooses the link to a neighbor: the cheapest one that is up; among
// equals the one in use, otherwise the oldest. Two sites that link to each
// other have two; an upstream router at the other end may alternate between
// them, we do not.
func (e *Engine) reselect(n *node) {
	var best *link
	for _, l := range n.links {
		if l.state == Up && (best == nil || l.cost < best.cost || l.cost == best.cost && l == n.link) {
			best = l
		}
	}
	was := n.link
	if best == was {
		return
	}
	if was == nil && !e.starting && e.local.sendAt != never {
		e.announceChanges() // to those who were there before: a newcomer asks for all
	}
	n.link = best
	e.touchOwn()
	switch {
	case was == nil:
		e.neighbors++
		n.upSince, n.settled = e.now, false
		n.resetExchange()
		n.lsr.ask(e.now)
		e.requestsDue = e.now
		if e.firstUp == never {
			e.firstUp = e.now
		}
		e.event(Event{Kind: NeighborUp, Router: n.id, Link: best.id})
		e.greet(n)
	case best == nil:
		e.neighbors--
		n.orphan = e.now
		e.event(Event{Kind: NeighborDown, Router: n.id, Link: was.id})
	default:
		e.pathsDirty, e.pathsUrgent = true, true
		e.event(Event{Kind: NeighborMoved, Router: n.id, Link: best.id})
	}
}

// noteHeard takes over what the owner says of the connections of prompt links.
func (e *Engine) noteHeard(list []Heard) {
	for _, h := range list {
		if l := e.links[h.Link]; l != nil && l.prompt {
			l.alive = max(l.alive, min(h.At.Sub(e.base), e.now))
		}
	}
}

// excuse forgives the prompt links the time for which this router did not run
// although it was due: what came meanwhile was not read.
func (e *Engine) excuse(late time.Duration) {
	if late <= 0 {
		return
	}
	for _, l := range e.order {
		if l.prompt {
			l.alive = min(l.lastSign()+late, e.now)
		}
	}
}

// lastSign is the last sign of life on a prompt link.
func (l *link) lastSign() instant { return max(l.listed, l.alive) }

// expireLinks puts down the links that have been silent for too long. That of a
// prompt one is only known at a tick, which says what was heard.
func (e *Engine) expireLinks(tick bool) {
	for _, l := range e.order {
		switch l.state {
		case Up:
			if e.now-l.listed > e.cfg.HelloMaxAge || tick && l.prompt && e.now-l.lastSign() > e.cfg.HelloMaxAge/2 {
				e.transition(l, silent)
			}
		case OneWay:
			if e.now-l.heard > e.cfg.HelloMaxAge {
				e.transition(l, silent)
			}
		case Down:
		}
	}
}

// linksExpire returns when expireLinks has something to do next, if nothing is
// heard until then.
func (e *Engine) linksExpire() instant {
	at := never
	for _, l := range e.order {
		switch l.state {
		case Up:
			at = min(at, l.listed+e.cfg.HelloMaxAge+1)
			if l.prompt {
				at = min(at, l.lastSign()+e.cfg.HelloMaxAge/2+1)
			}
		case OneWay:
			at = min(at, l.heard+e.cfg.HelloMaxAge+1)
		case Down:
		}
	}
	return at
}

// sendHello says HELLO on the given links: which routers are heard on any
// link.
func (e *Engine) sendHello(links []LinkID) {
	var seen []string
	for _, l := range e.order {
		if l.peer != nil && e.now-l.heard <= e.cfg.HelloMaxAge && (l.state != Down || !l.prompt) && !slices.Contains(seen, l.peer.id) {
			seen = append(seen, l.peer.id)
		}
	}
	slices.Sort(seen)
	e.send(Message{Links: links, Opcode: HELLO, Sections: composeHello(e.cfg.ID, e.cfg.Instance, seen)})
}

func (e *Engine) helloTick() {
	usual, prompt := e.now >= e.helloDue, e.now >= e.promptDue
	if !usual && !prompt {
		return
	}
	var due []LinkID
	left := false // are there prompt links
	for _, l := range e.order {
		if l.replaced {
			continue
		}
		left = left || l.prompt
		if l.prompt && prompt || !l.prompt && usual {
			due = append(due, l.id)
		}
	}
	if usual {
		e.helloDue = e.now + e.jittered(e.cfg.HelloInterval)
	}
	switch {
	case !left:
		e.promptDue = never
	case prompt:
		e.promptDue = e.now + e.jittered(e.cfg.HelloInterval/2)
	}
	if len(due) > 0 {
		e.sendHello(due)
	}
}

// noteOwnID reports, once, another router with this router's id. A flooded
// message may also be one of this router's last instance that is still on its
// way.
func (e *Engine) noteOwnID(b body, direct bool) {
	late := b.instance < e.cfg.Instance && e.now < e.cfg.RemoteMaxAge
	if e.ownIDNoted || !b.hasInstance || b.instance == e.cfg.Instance || late && !direct {
		return
	}
	e.ownIDNoted = true
	e.event(Event{Kind: DuplicateID, Router: b.id})
}
