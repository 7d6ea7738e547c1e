package linkstate

import (
	"errors"
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

// Two neighbors that flood their link states compare what they know of others
// as soon as they meet, as OSPF does (RFC 2328 §10.6): each sends the sequence
// numbers that it has, asks for what is newer at the other side, and passes on
// to its own such neighbors what was news to it. A router that joins learns the
// network from its neighbor, and two halves that meet tell each other once,
// instead of everybody asking everybody.
//
// The messages are RA, LSR, LSU and MAU with one more key, which routers that
// do not know it ignore: RA "known" and LSR "want" hold digests, LSU "age" and
// "floods" and MAU "instance" belong to copies of what another router said. Copies go only to
// neighbors that flood. Everything also works without them.

// digest says how much is known of a router.
type digest struct {
	id        string
	instance  int64
	lsSeq     int64
	mobileSeq int64
}

func (d digest) list() amqp.List { return amqp.List{d.instance, d.lsSeq, d.mobileSeq} }

// composeDigests appends digests to the body of an RA or LSR.
func composeDigests(to string, op Opcode, id string, key string, digests []digest, more ...amqp.Pair) []byte {
	m := make(amqp.Map, len(digests))
	for i, d := range digests {
		m[i] = amqp.Pair{Key: d.id, Value: d.list()}
	}
	body := amqp.Map{
		{Key: "id", Value: id},
		{Key: "pv", Value: int32(protocolVersion)},
		{Key: "area", Value: area},
	}
	body = append(append(body, more...), amqp.Pair{Key: key, Value: m})
	return compose(to, op, body)
}

// decodeDigests reads the value of "known" or "want"; nil has none.
func decodeDigests(v any) ([]digest, error) {
	if v == nil {
		return nil, nil
	}
	m, ok := v.(amqp.Map)
	if !ok {
		return nil, errors.New("digests: want a map")
	}
	all := make([]digest, 0, len(m))
	for i := range m {
		id, ok := text(m[i].Key)
		l, isList := m[i].Value.(amqp.List)
		if !ok || !isList || len(l) < 3 || !validID(id) {
			return nil, errors.New("digests: want lists of three numbers by router id")
		}
		instance, ok1 := whole(l[0])
		lsSeq, ok2 := whole(l[1])
		mobileSeq, ok3 := whole(l[2])
		if !ok1 || !ok2 || !ok3 || lsSeq < 0 || mobileSeq < 0 {
			return nil, errors.New("digests: want numbers")
		}
		all = append(all, digest{id, instance, lsSeq, mobileSeq})
	}
	return all, nil
}

// partner tells whether a router takes part in the exchange.
func (n *node) partner() bool { return n.neighbor() && n.floods }

// greet sends a neighbor that floods what is known of all others.
func (e *Engine) greet(n *node) {
	if !n.partner() || n.greeted {
		return
	}
	n.greeted = true
	known := make([]digest, 0, len(e.sorted))
	for _, o := range e.sorted {
		if o != e.self && o != n && o.hasInstance && (o.answered || o.mobileSeq > 0) {
			known = append(known, o.digest())
		}
	}
	e.sendKnown(n, known)
}

// hint tells a neighbor how much is known of one router.
func (e *Engine) hint(to, about *node) { e.sendKnown(to, []digest{about.digest()}) }

func (e *Engine) sendKnown(to *node, known []digest) {
	e.send(Message{Links: []LinkID{to.link.id}, Opcode: RA, Router: to.id, Sections: composeDigests(
		toRouter(to.id), RA, e.cfg.ID, "known", known,
		amqp.Pair{Key: "instance", Value: integer(e.cfg.Instance)},
		amqp.Pair{Key: "ls_seq", Value: integer(e.self.seq)},
		amqp.Pair{Key: "mobile_seq", Value: integer(e.local.seq)},
	)})
}

func (n *node) digest() digest { return digest{n.id, n.instance, n.seq, n.mobileSeq} }

// compare asks a neighbor for what it knows better.
func (e *Engine) compare(n *node, known []digest) {
	if !n.neighbor() {
		return
	}
	e.noteKnown(n, known)
	var want []digest
	for _, theirs := range known {
		if theirs.id == e.cfg.ID || theirs.id == n.id {
			continue
		}
		o := e.learn(theirs.id)
		if o == nil {
			continue
		}
		switch {
		case !o.hasInstance || theirs.instance > o.instance:
			want = append(want, digest{id: o.id})
		case theirs.instance == o.instance:
			o.heardRA = true
			o.wantMobile = max(o.wantMobile, theirs.mobileSeq)
			if theirs.lsSeq > o.seq || theirs.mobileSeq > o.mobileSeq {
				want = append(want, o.digest())
			}
		}
	}
	if len(want) > 0 {
		e.send(Message{
			Links: []LinkID{n.link.id}, Opcode: LSR, Router: n.id,
			Sections: composeDigests(toRouter(n.id), LSR, e.cfg.ID, "want", want),
		})
	}
}

// supply sends a neighbor copies of what it asked for.
func (e *Engine) supply(n *node, want []digest) {
	if !n.neighbor() {
		return
	}
	for _, theirs := range want {
		o := e.find(theirs.id)
		if o == nil || o == e.self || !o.hasInstance {
			continue
		}
		if theirs.instance != o.instance {
			theirs.lsSeq, theirs.mobileSeq = -1, 0
		}
		if o.seq > theirs.lsSeq {
			e.copyLinkState(n, o)
		}
		if o.mobileSeq > theirs.mobileSeq {
			e.copyAddresses(n, o)
		}
	}
}

func (e *Engine) copyLinkState(to, o *node) {
	peers := make([]peer, len(o.edges))
	for i, edge := range o.edges {
		peers[i] = peer{id: e.nodes[edge.to].id, cost: edge.cost}
	}
	age := int64((e.now - o.lastSeen) / time.Second)
	body := append(linkStateBody(o.id, o.instance, o.seq, peers), amqp.Pair{Key: "age", Value: integer(age)}, amqp.Pair{Key: "floods", Value: o.floods})
	e.send(Message{Links: []LinkID{to.link.id}, Opcode: LSU, Router: to.id, Sections: compose(toRouter(to.id), LSU, body)})
}

func (e *Engine) copyAddresses(to, o *node) {
	list := amqp.List{}
	for _, a := range sortedAddresses(o.addresses) {
		list = append(list, a.descriptor())
	}
	body := append(addressBody(o.id),
		amqp.Pair{Key: amqp.Symbol("mobile_seq"), Value: o.mobileSeq},
		amqp.Pair{Key: amqp.Symbol("exist"), Value: list},
		amqp.Pair{Key: amqp.Symbol("instance"), Value: o.instance})
	e.send(Message{Links: []LinkID{to.link.id}, Opcode: MAU, Router: to.id, Sections: composeAddresses(toRouterAddresses(to.id), MAU, body)})
}

// noteKnown remembers for a while what a neighbor has said that it knows. What
// was news while it had not said it, is passed on now if it needs it.
func (e *Engine) noteKnown(n *node, known []digest) {
	if n.knows == nil {
		n.knows = make(map[string]digest, len(known))
	}
	for _, d := range known {
		if _, said := n.knows[d.id]; said || len(n.knows) < e.cfg.MaxRouters {
			n.knows[d.id] = d
		}
	}
	n.told, n.toldAt = true, e.now
	for _, id := range n.owed {
		about := e.find(id)
		if about == nil || !n.partner() {
			continue
		}
		if n.lacks(about) {
			e.copyLinkState(n, about)
			e.copyAddresses(n, about)
		}
	}
	n.owed = nil
}

// memoryOfGreeting is longer than an exchange takes.
const memoryOfGreeting = 5 * time.Second

// lacks tells whether a neighbor does not know as much of a router as this one
// does, as far as it has said.
func (n *node) lacks(about *node) bool {
	d, said := n.knows[about.id]
	return !said || d.instance < about.instance || d.instance == about.instance && (d.lsSeq < about.seq || d.mobileSeq < about.mobileSeq)
}

// passOn tells the neighbors that flood what was news about a router. One that
// has not said yet what it knows will be told when it has.
func (e *Engine) passOn(from *link, about *node, copied func(to, about *node)) {
	for _, n := range e.sorted {
		switch {
		case !n.partner() || n == from.peer || n == about || !n.lacks(about):
		case !n.told:
			if !slices.Contains(n.owed, about.id) {
				n.owed = append(n.owed, about.id)
			}
		default:
			copied(n, about)
		}
	}
}

// receiveCopyLSU handles the link state of a router that another one had.
func (e *Engine) receiveCopyLSU(from *link, b body) {
	if b.age > int64(e.cfg.RemoteMaxAge/time.Second) || !b.hasInstance {
		return
	}
	n := e.learn(b.id)
	if n == nil || !e.acceptCopy(n, b) || b.lsSeq <= n.seq && n.answered {
		return
	}
	if b.floods {
		e.noteFloods(n)
	}
	n.answered = true
	n.seq = b.lsSeq
	n.lastSeen = max(n.lastSeen, e.now-time.Duration(b.age)*time.Second)
	if e.replaceEdges(n, e.resolve(n, b.peers)) {
		e.pathsDirty = true
	}
	if n.seq >= n.wantSeq {
		n.lsr.answered()
	}
	e.passOn(from, n, e.copyLinkState)
}

// acceptCopy tells whether a copy is of a router's present instance. Unlike
// the router itself, it is believed only if it speaks of a later one.
func (e *Engine) acceptCopy(n *node, b body) bool {
	switch {
	case !n.hasInstance:
		n.instance, n.hasInstance = b.instance, true
	case b.instance == n.instance:
	case b.instance > n.instance && !n.neighbor():
		e.restart(n, b.instance)
	default:
		return false
	}
	return true
}

// receiveCopyMAU handles the addresses of a router that another one had.
func (e *Engine) receiveCopyMAU(from *link, b body) {
	n := e.find(b.id)
	if n == nil || !b.absolute || !n.hasInstance || b.instance != n.instance || b.mobileSeq <= n.mobileSeq {
		return
	}
	e.replaceAddresses(n, b.exist)
	e.addressesKnown(n, b.mobileSeq)
	e.passOn(from, n, e.copyAddresses)
}
