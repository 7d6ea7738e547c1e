package network

import (
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/vanflow"
)

// entry is a record of the inventory: anything but a connection, a request or a
// line of a log.
type entry struct {
	rec   vanflow.Record // merged
	owner *source        // the latest to publish it
	also  []*source      // others that did
	seen  uint64         // µs: when it became known
	over  uint64         // µs: when its end became known
	gone  bool           // no longer in Network.entries

	firstDowns uint64   // LINK: how often it had gone down when it became known
	hasDowns   bool     // LINK: firstDowns is known
	service    *service // LISTENER, CONNECTOR
	target     *process // CONNECTOR
	process    *process // PROCESS

	row any    // the record as it was handed out last; nil if it changed since
	at  uint64 // the structure that the row shows
}

func (e *entry) key() string   { return e.rec.Identity }
func (e *entry) dropped() bool { return e.gone }
func (e *entry) live() bool    { return !e.gone && e.over == 0 }

// text returns a text of the record.
func (e *entry) text(c vanflow.Code) string { return e.rec.Text(c) }

// linger is how long a record is listed after it ended.
const linger = 10 * time.Second

// kind is all of the inventory that has the same type.
type kind struct {
	version uint64 // grows with every change of one of them
	all     ordered[*entry]
}

// applyEntry merges a record of the inventory.
func (n *Network) applyEntry(s *source, r *vanflow.Record) {
	e := n.entries[r.Identity]
	if e != nil && e.rec.Type != r.Type {
		n.refuse(s)
		return
	}
	start, end := r.Number(vanflow.AttrStartTime), r.Number(vanflow.AttrEndTime)
	if e != nil && e.over != 0 && end == 0 && start > e.rec.Number(vanflow.AttrEndTime) {
		n.removeEntry(e) // the same again, begun later
		e = nil
	}
	known := e != nil
	if !known {
		if ended, ok := n.tombstones.ended[r.Identity]; ok && start <= ended {
			return // what is said of it after its end
		}
		if len(s.entries) >= n.limits.Records || len(n.entries) >= n.limits.Entries {
			n.refuse(s)
			return
		}
		e = &entry{rec: vanflow.Record{Type: r.Type, Identity: r.Identity}, seen: n.now}
		n.entries[r.Identity] = e
		n.kinds[r.Type].all.add(e)
		n.structure++
	}
	n.own(e, s)
	n.merge(e, r, known)
}

// own makes the source the latest owner of a record.
func (n *Network) own(e *entry, s *source) {
	if e.owner == s {
		return
	}
	if i := slices.Index(e.also, s); i >= 0 {
		e.also = slices.Delete(e.also, i, i+1)
	}
	if e.owner != nil {
		e.also = append(e.also, e.owner)
		if len(e.also) > maxOwners {
			delete(e.also[0].entries, e)
			e.also = slices.Delete(e.also, 0, 1)
		}
	}
	e.owner = s
	s.entries[e] = struct{}{}
}

// maxOwners bounds the sources that a record remembers beside the latest.
const maxOwners = 16

// disown takes a record from a source; one that is nobody's goes.
func (n *Network) disown(e *entry, s *source) {
	delete(s.entries, e)
	if e.owner != s {
		if i := slices.Index(e.also, s); i >= 0 {
			e.also = slices.Delete(e.also, i, i+1)
		}
		return
	}
	if last := len(e.also) - 1; last >= 0 {
		e.owner = e.also[last]
		e.also = slices.Delete(e.also, last, last+1)
		return
	}
	n.removeEntry(e)
}

// merge sets what a later emission says. Messages may come twice or late, so
// counters and times of changes never go back, and what a link was before its
// latest change does not count.
func (n *Network) merge(e *entry, r *vanflow.Record, known bool) {
	k := n.kinds[e.rec.Type]
	changed, joined := false, false
	var late staleness // before numbers are set that the texts belong to
	if r.Type == vanflow.TypeLink {
		late = staleLink(&e.rec, r)
	}
	for _, a := range r.Attributes {
		if a.Code.IsNumber() {
			if grows(a.Code) && a.Number < e.rec.Number(a.Code) {
				continue
			}
			if e.rec.Set(a) {
				changed = true
			}
			continue
		}
		if late.of(a.Code) {
			continue
		}
		a.Text = n.limits.clean(a.Text)
		if e.rec.Set(a) {
			changed = true
			joined = joined || !changesAlone(a.Code)
		}
	}
	if e.rec.Type == vanflow.TypeLink && !e.hasDowns {
		if _, ok := find(r, vanflow.AttrDownCount); ok {
			e.firstDowns, e.hasDowns = r.Number(vanflow.AttrDownCount), true
		}
	}
	if end := e.rec.Number(vanflow.AttrEndTime); end != 0 && e.over == 0 {
		e.over = n.now
		n.ended = append(n.ended, e)
		joined = true
		n.names++
	}
	if !changed && !joined {
		return
	}
	e.row = nil
	k.version++
	if joined {
		n.structure++
		if known { // routes may have the old text
			n.names++
		}
	}
	n.derive(e)
}

// find returns an attribute that may be zero.
func find(r *vanflow.Record, c vanflow.Code) (vanflow.Attribute, bool) {
	for _, a := range r.Attributes {
		if a.Code == c {
			return a, true
		}
	}
	return vanflow.Attribute{}, false
}

// grows reports whether a number only grows while the record lives.
func grows(c vanflow.Code) bool {
	switch c {
	case vanflow.AttrOctets, vanflow.AttrOctetsReverse, vanflow.AttrFlowCountL4, vanflow.AttrFlowCountL7, vanflow.AttrDownCount,
		vanflow.AttrUpTimeStamp, vanflow.AttrDownTimeStamp, vanflow.AttrEndTime:
		return true
	default:
		return false
	}
}

// changesAlone reports whether no other record shows the text.
func changesAlone(c vanflow.Code) bool {
	return c == vanflow.AttrOperStatus || c == vanflow.AttrResult || c == vanflow.AttrReason
}

// staleness is which texts of a link are older than what is known: what it was
// before its latest change, whom it led to, why it went down before.
type staleness struct{ status, peer, reason bool }

func staleLink(known, r *vanflow.Record) staleness {
	up, down := r.Number(vanflow.AttrUpTimeStamp), r.Number(vanflow.AttrDownTimeStamp)
	knownUp, knownDown := known.Number(vanflow.AttrUpTimeStamp), known.Number(vanflow.AttrDownTimeStamp)
	older := func(theirs, ours uint64) bool { return theirs != 0 && theirs < ours }
	return staleness{
		status: older(max(up, down), max(knownUp, knownDown)), peer: older(up, knownUp), reason: older(down, knownDown),
	}
}

func (s staleness) of(c vanflow.Code) bool {
	switch c {
	case vanflow.AttrOperStatus:
		return s.status
	case vanflow.AttrPeer:
		return s.peer
	case vanflow.AttrResult, vanflow.AttrReason:
		return s.reason
	default:
		return false
	}
}

// derive brings what follows from a record in line with it.
func (n *Network) derive(e *entry) {
	switch e.rec.Type {
	case vanflow.TypeListener, vanflow.TypeConnector:
		n.deriveService(e)
		if e.rec.Type == vanflow.TypeConnector && e.live() && e.target == nil {
			n.unplaced[e] = struct{}{}
		}
	case vanflow.TypeProcess:
		n.deriveProcess(e)
	default:
	}
}

// removeEntry drops a record and all that follows from it.
func (n *Network) removeEntry(e *entry) {
	if e.gone {
		return
	}
	e.gone = true
	delete(n.entries, e.rec.Identity)
	delete(e.owner.entries, e)
	for _, s := range e.also {
		delete(s.entries, e)
	}
	k := n.kinds[e.rec.Type]
	k.all.remove()
	k.version++
	n.structure++
	n.names++
	if e.rec.Type == vanflow.TypeLink && e.hasDowns {
		n.flaps[n.groupOf(e)] += e.rec.Number(vanflow.AttrDownCount) - e.firstDowns
	}
	n.derive(e)
	if e.over != 0 {
		n.tombstones.add(e.rec.Identity, e.rec.Number(vanflow.AttrEndTime))
	}
}

// sweepEntries drops records that ended a while ago.
func (n *Network) sweepEntries() {
	i := 0
	for ; i < len(n.ended) && n.ended[i].over+span(linger) <= n.now; i++ {
		n.removeEntry(n.ended[i])
	}
	n.ended = slices.Delete(n.ended, 0, i)
}

// tombstones remember what ended, so that a late message does not bring it back.
type tombstones struct {
	ended map[string]uint64 // by identity
	order []string
}

// maxTombstones bounds how many are remembered.
const maxTombstones = 20_000

func (t *tombstones) add(identity string, end uint64) {
	if _, ok := t.ended[identity]; !ok {
		t.order = append(t.order, identity)
	}
	t.ended[identity] = end
	if len(t.order) > maxTombstones {
		delete(t.ended, t.order[0])
		t.order = t.order[1:]
	}
}

// find returns a live record of a type.
func (n *Network) find(t vanflow.Type, identity string) *entry {
	if e := n.entries[identity]; e != nil && e.rec.Type == t {
		return e
	}
	return nil
}

// place is where a record of a router is.
type place struct {
	router, site         *entry // nil if not known
	routerID, routerName string
	siteID, siteName     string
}

// placeOf returns where the child of a router is.
func (n *Network) placeOf(e *entry) (p place) {
	p.routerID = e.text(vanflow.AttrParent)
	if p.router = n.find(vanflow.TypeRouter, p.routerID); p.router == nil {
		return p
	}
	p.routerName, p.siteID = p.router.text(vanflow.AttrName), p.router.text(vanflow.AttrParent)
	if p.site = n.find(vanflow.TypeSite, p.siteID); p.site != nil {
		p.siteName = p.site.text(vanflow.AttrName)
	}
	return p
}
