package linkstate

import (
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

// scope is whom a routing message is for.
type scope uint8

const (
	foreign   scope = iota // not a routing address
	neighbors              // who receives it
	one                    // the router with the id
	all                    // every router: flooded
	allOnce                // every router: on the tree of its origin
)

// destination reads the address of a routing message. "amqp:/" in front and an
// "all" as area are optional forms (skupper-router 3.x, iterator.c).
func destination(to string) (s scope, router string) {
	to = strings.TrimPrefix(to, "amqp:")
	if host, found := strings.CutPrefix(to, "//"); found {
		_, to, _ = strings.Cut(host, "/")
	}
	to = strings.TrimPrefix(to, "/")
	if to == "_local/qdhello" {
		return neighbors, ""
	}
	rest, ok := strings.CutPrefix(to, "_topo/0/")
	if !ok {
		if rest, ok = strings.CutPrefix(to, "_topo/all/"); !ok {
			return foreign, ""
		}
	}
	id, name, _ := strings.Cut(rest, "/")
	switch {
	case id != "all":
		return one, id
	case name == "qdrouter":
		return all, ""
	case name == "qdrouter.ma":
		return allOnce, ""
	}
	return foreign, ""
}

// traced tells whether a router annotation trace names the router.
func traced(trace []string, id string) bool {
	return slices.ContainsFunc(trace, func(entry string) bool {
		rest, ok := strings.CutPrefix(entry, "0/")
		return ok && rest == id
	})
}

func (e *Engine) receive(in Received) {
	l := e.links[in.Link]
	if l == nil {
		return
	}
	to, id := destination(in.To)
	if to == neighbors {
		if b, ok := e.decode(l, in.Sections); ok && b.op == HELLO {
			e.hello(l, b)
		}
		return
	}
	if traced(in.Trace, e.cfg.ID) {
		e.noteEcho(l, in, to)
		return
	}
	switch to {
	case neighbors: // see above
	case one:
		if id == e.cfg.ID {
			e.handle(l, in, to)
		} else {
			e.relayToOne(l, id, in.Trace)
		}
	case all:
		fresh, shorter := e.seen.note(in.Sections, len(in.Trace), e.now)
		if fresh {
			e.handle(l, in, to)
		}
		if fresh || shorter {
			e.out.Relay = e.appendFlood(e.out.Relay, l, in.Trace, fresh)
		}
	case allOnce:
		if fresh, _ := e.seen.note(in.Sections, len(in.Trace), e.now); fresh {
			e.handle(l, in, to)
			e.relayOnce(l, in)
		}
	case foreign:
		e.event(Event{Kind: Malformed, Link: l.id, Detail: "address of no routing message"})
	}
}

// noteEcho looks at a message that seems to have been here already. If this
// router never sent it, another one has the same id.
func (e *Engine) noteEcho(l *link, in Received, to scope) {
	if to != all || e.ownIDNoted {
		return
	}
	if b, ok := e.decode(l, in.Sections); ok && b.id == e.cfg.ID {
		e.noteOwnID(b, false)
	}
}

// handle decodes and processes a message for this router that is not HELLO.
func (e *Engine) handle(l *link, in Received, to scope) {
	b, ok := e.decode(l, in.Sections)
	if !ok {
		return
	}
	if b.id == e.cfg.ID {
		e.noteOwnID(b, false)
		return
	}
	copied := in.Ingress != "" && in.Ingress != "0/"+b.id
	switch b.op {
	case RA:
		e.receiveRA(l, b, to == all)
	case LSU:
		if copied {
			e.receiveCopyLSU(l, b)
		} else {
			e.receiveLSU(l, b, to == all)
		}
	case LSR:
		e.receiveLSR(l, b)
	case MAU:
		if copied {
			e.receiveCopyMAU(l, b)
		} else {
			e.receiveMAU(l, b)
		}
	case MAR:
		e.receiveMAR(l, b)
	case HELLO: // only from neighbors
	}
}

func (e *Engine) decode(l *link, sections []byte) (body, bool) {
	b, err := decode(sections)
	if err != nil {
		e.event(Event{Kind: Malformed, Link: l.id, Detail: err.Error()})
		return b, false
	}
	supported := int64(protocolVersion)
	if b.op == MAU || b.op == MAR {
		supported = addressProtocolVersion
	}
	if b.version > supported {
		if !e.incompatible[b.id] && len(e.incompatible) < e.cfg.MaxRouters {
			e.incompatible[b.id] = true
			e.event(Event{Kind: Incompatible, Router: b.id, Link: l.id, Count: b.version})
		}
		return b, false
	}
	return b, true
}

// appendFlood appends the links on which a flooded message goes on: to every
// neighbor that has not had it. A nil from means that it begins here.
//
// skupper-router sends it to the next hops of all routers instead, which
// leaves out a neighbor that is reached more cheaply through another one;
// a flood of ours does not depend on computed paths.
//
// What is not fresh, a copy that came a shorter way, goes only to neighbors
// that may have refused the first one: see duplicates.
func (e *Engine) appendFlood(dst []LinkID, from *link, trace []string, fresh bool) []LinkID {
	for _, l := range e.order {
		n := l.peer
		if n == nil || n.link != l || from != nil && n == from.peer || traced(trace, n.id) || !fresh && n.floods {
			continue
		}
		dst = append(dst, l.id)
	}
	return dst
}

// relayOnce sends a message on so that each router gets it once: to the
// destinations that lie behind this router on the tree of its origin. Routers
// that flood drop a second copy, so they get it in any case, and do not depend
// on everybody's having the same picture of the network.
func (e *Engine) relayOnce(from *link, in Received) {
	id, ok := strings.CutPrefix(in.Ingress, "0/")
	if !ok {
		return
	}
	origin := nobody
	if n := e.find(id); n != nil && !e.allFlood() {
		origin = n.index
		e.pathsUrgent = true // what was flooded just before belongs to the tree
		e.computePaths()
	}
	e.out.Relay = e.appendOnce(e.out.Relay, origin, from, in.Trace)
}

// appendOnce appends the links for relayOnce. For an unknown origin there is
// no tree: rather nobody than everybody twice.
func (e *Engine) appendOnce(dst []LinkID, origin int32, from *link, trace []string) []LinkID {
	var tree []uint64
	if e.reach != nil && origin != nobody {
		tree = e.reach.Through(int(origin))
	}
	for _, l := range e.order {
		n := l.peer
		if n == nil || n.link != l || l == from || traced(trace, n.id) {
			continue
		}
		if n.floods || slices.ContainsFunc(e.sorted, func(d *node) bool { return d.reachable && d.next == n.index && has(tree, d.index) }) {
			dst = append(dst, l.id)
		}
	}
	return dst
}

// relayToOne sends a message on towards its destination. The trace keeps it
// from going round; valid origins are not asked, because what this router does
// not know yet may be the very thing that the message is about.
func (e *Engine) relayToOne(from *link, id string, trace []string) {
	n := e.find(id)
	var l *link
	if n != nil {
		l = e.linkTo(n)
	}
	if l == nil || l == from || traced(trace, l.peer.id) {
		e.event(Event{Kind: Undeliverable, Router: id, Link: from.id})
		return
	}
	e.out.Relay = append(e.out.Relay, l.id)
}

// linkTo is the link on which messages for a router leave, nil if there is
// none.
func (e *Engine) linkTo(n *node) *link {
	if n.reachable {
		if hop := e.nodes[n.next]; hop != nil && hop.link != nil {
			return hop.link
		}
	}
	return n.link
}

// answerOn is the link on which to answer a router whose message came on from:
// its path, or the way it came while no path is known.
func (e *Engine) answerOn(n *node, from *link) []LinkID {
	if l := e.linkTo(n); l != nil {
		return []LinkID{l.id}
	}
	return []LinkID{from.id}
}

// duplicates remembers the flooded messages of the last moments. A copy that
// came a longer way is dropped; one that came a shorter way is passed on,
// because a router behind may have refused the first for its length
// (skupper-router drops what passed more routers than its radius plus one).
//
// Advertisements repeat literally, so the memory must be shorter than the
// interval between two of them: see repeatGap.
type duplicates struct {
	seed    maphash.Seed
	recent  map[uint64]sighting
	started instant // of recent
	older   map[uint64]sighting
}

type sighting struct {
	at   instant
	hops int
}

const (
	duplicateWindow = time.Second
	maxDuplicates   = 1 << 16 // per window
)

func newDuplicates() duplicates {
	return duplicates{seed: maphash.MakeSeed(), recent: map[uint64]sighting{}, older: map[uint64]sighting{}}
}

// note returns whether the message is new, or else whether it came a shorter
// way than all before.
func (d *duplicates) note(sections []byte, hops int, now instant) (fresh, shorter bool) {
	if now-d.started > duplicateWindow || len(d.recent) >= maxDuplicates {
		d.older, d.recent = d.recent, d.older
		clear(d.recent)
		d.started = now
	}
	key := maphash.Bytes(d.seed, sections)
	was, known := d.recent[key]
	if !known {
		was, known = d.older[key]
	}
	switch {
	case !known || now-was.at > duplicateWindow:
		d.recent[key] = sighting{at: now, hops: hops}
		return true, false
	case hops < was.hops:
		d.recent[key] = sighting{at: was.at, hops: hops}
		return false, true
	}
	return false, false
}
