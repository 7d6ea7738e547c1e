package linkstate

import (
	"maps"
	"slices"
	"time"
)

// localAddresses are the addresses with local destinations: as they are, and
// as they were last announced.
type localAddresses struct {
	seq       int64 // of the last MAU to all
	current   map[string]Attributes
	announced map[string]Attributes
	changed   map[string]bool // keys that may differ
	sendAt    instant         // of the next MAU, never if nothing has changed
	last      instant         // when the last one was sent
	delay     time.Duration
	interval  time.Duration
}

func newLocalAddresses(cfg Config) localAddresses {
	return localAddresses{
		current: map[string]Attributes{}, announced: map[string]Attributes{}, changed: map[string]bool{},
		sendAt: never, last: -cfg.AddressInterval, delay: cfg.AddressDelay, interval: cfg.AddressInterval,
	}
}

func (a *localAddresses) add(in AddressAdded, now instant) {
	if !validKey(in.Key) || a.current[in.Key] == in.Attributes && a.has(in.Key) {
		return
	}
	a.current[in.Key] = in.Attributes
	a.change(in.Key, now)
}

func (a *localAddresses) has(key string) bool {
	_, ok := a.current[key]
	return ok
}

func (a *localAddresses) remove(in AddressRemoved, now instant) {
	if a.has(in.Key) {
		delete(a.current, in.Key)
		a.change(in.Key, now)
	}
}

func (a *localAddresses) change(key string, now instant) {
	a.changed[key] = true
	if a.sendAt == never {
		a.sendAt = max(now+a.delay, a.last+a.interval)
	}
}

// difference turns what has changed into lists of additions and removals and
// takes it as announced. What came and went in between is in neither.
func (a *localAddresses) difference() (added []announced, removed []string) {
	for _, key := range slices.Sorted(maps.Keys(a.changed)) {
		now, exists := a.current[key]
		was, known := a.announced[key]
		switch {
		case exists && (!known || now != was):
			added = append(added, announced{key, now})
			a.announced[key] = now
		case !exists && known:
			removed = append(removed, key)
			delete(a.announced, key)
		}
	}
	clear(a.changed)
	a.sendAt = never
	return added, removed
}

// absolute lists everything as it was last announced: others apply the next
// difference to it.
func (a *localAddresses) absolute() []announced {
	return sortedAddresses(a.announced)
}

func sortedAddresses(m map[string]Attributes) []announced {
	list := make([]announced, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, announced{key, m[key]})
	}
	return list
}

// sendAddresses tells all routers what has changed, if it is time to.
func (e *Engine) sendAddresses() {
	if !e.starting && e.now >= e.local.sendAt {
		e.announceChanges()
	}
}

// announceChanges tells all routers what has changed.
func (e *Engine) announceChanges() {
	added, removed := e.local.difference()
	if len(added) == 0 && len(removed) == 0 {
		return
	}
	e.local.seq++
	e.local.last = e.now
	e.send(Message{Links: e.appendOnce(nil, 0, nil, nil), Opcode: MAU, Sections: composeDifferentialMAU(e.cfg.ID, e.local.seq, added, removed)})
	e.raDue = e.now
}

func (e *Engine) receiveMAR(l *link, b body) {
	n := e.find(b.id)
	if n == nil || b.haveSeq >= e.local.seq {
		return
	}
	e.send(Message{
		Links: e.answerOn(n, l), Opcode: MAU, Router: n.id,
		Sections: composeAbsoluteMAU(toRouterAddresses(n.id), e.cfg.ID, e.local.seq, e.local.absolute()),
	})
}

// receiveMAU applies an update of a router's addresses if it follows the last
// one, or holds all of them. Otherwise something was missed.
func (e *Engine) receiveMAU(from *link, b body) {
	n := e.learn(b.id)
	switch {
	case n == nil:
		return
	case b.absolute && b.mobileSeq >= n.mobileSeq:
		news := b.mobileSeq > n.mobileSeq
		e.replaceAddresses(n, b.exist)
		e.addressesKnown(n, b.mobileSeq)
		if news {
			e.passOn(from, n, e.hint) // others have missed it as well
		}
	case !b.absolute && b.mobileSeq == n.mobileSeq+1:
		for _, a := range b.exist {
			e.setAddress(n, a)
		}
		for _, key := range b.removed {
			e.unsetAddress(n, key)
		}
		e.addressesKnown(n, b.mobileSeq)
	case b.mobileSeq > n.mobileSeq:
		n.wantMobile = max(n.wantMobile, b.mobileSeq)
		if !n.mar.sent { // else the answer brings this as well
			n.mar.ask(e.now)
			e.requestsDue = e.now
		}
	}
}

// addressesKnown notes up to which sequence a router's addresses are known.
func (e *Engine) addressesKnown(n *node, seq int64) {
	n.mobileSeq = seq
	if n.mobileSeq >= n.wantMobile {
		n.mar.answered()
	}
}

func (e *Engine) replaceAddresses(n *node, list []announced) {
	keep := make(map[string]bool, len(list))
	for _, a := range list {
		keep[a.key] = true
		e.setAddress(n, a)
	}
	for _, key := range slices.Sorted(maps.Keys(n.addresses)) {
		if !keep[key] {
			e.unsetAddress(n, key)
		}
	}
}

func (e *Engine) setAddress(n *node, a announced) {
	was, known := n.addresses[a.key]
	if known && was == a.Attributes {
		return
	}
	if !known && len(n.addresses) >= e.cfg.MaxAddresses {
		if !n.overfull {
			n.overfull = true
			e.event(Event{Kind: LimitReached, Router: n.id, Count: int64(e.cfg.MaxAddresses), Detail: "addresses"})
		}
		return
	}
	n.addresses[a.key] = a.Attributes
	e.report(n, AddressChange{Key: a.key, Attributes: a.Attributes})
}

func (e *Engine) unsetAddress(n *node, key string) {
	if _, known := n.addresses[key]; known {
		delete(n.addresses, key)
		e.report(n, AddressChange{Key: key, Removed: true})
	}
}

func (e *Engine) report(n *node, c AddressChange) {
	if !n.withdrawn {
		c.Index, c.Router = int(n.index), n.id
		e.out.Addresses = append(e.out.Addresses, c)
	}
}

// withdrawUnreachable withdraws the addresses of routers that have been out of
// reach for the hold-off. They are kept: when the network heals, most routers
// have the same addresses as before, and a sequence number tells.
func (e *Engine) withdrawUnreachable() {
	if e.now < e.holdoffDue {
		return
	}
	e.holdoffDue = never
	for _, n := range e.sorted {
		switch {
		case n.holdoff > e.now:
			e.holdoffDue = min(e.holdoffDue, n.holdoff)
		default:
			n.holdoff = never
			e.withdraw(n)
		}
	}
}

func (e *Engine) withdraw(n *node) {
	if n.withdrawn {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(n.addresses)) {
		e.report(n, AddressChange{Key: key, Removed: true})
	}
	n.withdrawn = true
	if len(n.addresses) > 0 {
		e.event(Event{Kind: AddressesWithdrawn, Router: n.id, Count: int64(len(n.addresses))})
	}
}

// restoreAddresses undoes withdraw.
func (e *Engine) restoreAddresses(n *node) {
	if !n.withdrawn {
		return
	}
	n.withdrawn = false
	for _, key := range slices.Sorted(maps.Keys(n.addresses)) {
		e.report(n, AddressChange{Key: key, Attributes: n.addresses[key]})
	}
}

// dropAddresses forgets the addresses of a router.
func (e *Engine) dropAddresses(n *node) {
	e.withdraw(n)
	clear(n.addresses)
	n.withdrawn, n.overfull = !n.reachable, false
	n.mobileSeq, n.wantMobile = 0, 0
}
