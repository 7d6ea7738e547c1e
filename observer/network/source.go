package network

import (
	"cmp"
	"slices"
	"time"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// silence is after which time a source that beats every 2 s counts as silent.
const silence = 10 * time.Second

// source is one event source.
type source struct {
	id   string
	kind vanflow.SourceType

	first, beat, heard, gone uint64 // µs
	skew                     int64  // µs that its clock is ahead of ours

	messages, lost, duplicates, refused uint64

	entries map[*entry]struct{} // that belong to it
	flows   int                 // live connections and requests of its
	flushed uint64              // µs: when Tick last asked for a FLUSH
}

// hear notes that something other than a beacon came from the source.
func (s *source) hear(now uint64) { s.heard, s.gone = now, 0 }

// routerPrefix returns the five characters and the colon that all identities of
// a router begin with, "" if the identity is none of a router's.
func routerPrefix(identity string) string {
	const prefix = 6
	if len(identity) <= prefix || identity[prefix-1] != ':' {
		return ""
	}
	for _, c := range []byte(identity[prefix:]) {
		if c < '0' || c > '9' {
			return ""
		}
	}
	return identity[:prefix]
}

// mayOwn reports whether the source may publish a record: routers number
// theirs, and nobody ends or changes those of another router.
func (s *source) mayOwn(identity string) bool {
	theirs := routerPrefix(identity)
	if theirs == "" {
		return true
	}
	own := routerPrefix(s.id)
	return own == "" || own == theirs
}

// source returns the source of an id, which becomes known by that; nil if there
// are too many.
func (n *Network) source(id string) *source {
	if s := n.sources[id]; s != nil {
		return s
	}
	if id == "" || len(id) > maxIdentity || len(n.sources) >= n.limits.Sources && !n.dropGone() {
		return nil
	}
	s := &source{id: id, first: n.now, entries: map[*entry]struct{}{}}
	n.sources[id] = s
	return s
}

// dropGone makes room: of the sources that are gone the one that is longest.
func (n *Network) dropGone() bool {
	var oldest *source
	for _, s := range n.sources {
		if s.gone != 0 && (oldest == nil || s.gone < oldest.gone) {
			oldest = s
		}
	}
	if oldest != nil {
		delete(n.sources, oldest.id)
	}
	return oldest != nil
}

// SourceSeen notes that a source announced itself, and what it is.
func (n *Network) SourceSeen(now time.Time, id string, kind vanflow.SourceType) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at(now)
	s := n.source(id)
	if s == nil || s.kind == kind && s.gone == 0 {
		return
	}
	s.kind = kind
	if s.gone != 0 { // it comes back
		s.gone, s.first, s.beat, s.heard = 0, n.now, 0, 0
	}
	n.touch()
}

// Heartbeat notes that a source lives, and what its clock says.
func (n *Network) Heartbeat(now time.Time, id string, clock time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at(now)
	s := n.source(id)
	if s == nil {
		return
	}
	s.hear(n.now)
	s.beat = n.now
	if !clock.IsZero() {
		s.skew = clock.UnixMicro() - now.UnixMicro()
	}
	n.touch()
}

// Missed counts messages of a source that did not arrive, and such that arrived
// again.
func (n *Network) Missed(id string, lost, duplicates uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.sources[id]; s != nil {
		s.lost += lost
		s.duplicates += duplicates
	}
}

// Forget gives up a source. What belongs to no other goes; its connections have
// ended when it was last heard. The answer are the sources that know something
// of the same site and should be asked for it again (FLUSH).
func (n *Network) Forget(now time.Time, id string) (flush []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at(now)
	s := n.sources[id]
	if s == nil || s.gone != 0 {
		return nil
	}
	site := n.siteOf(s)
	s.gone = n.now
	for e := range s.entries {
		n.disown(e, s)
	}
	n.loseFlows(s)
	if site != "" {
		for _, other := range n.sources {
			if other.gone == 0 && n.siteOf(other) == site {
				flush = append(flush, other.id)
			}
		}
		slices.Sort(flush)
	}
	n.touch()
	return flush
}

// siteOf returns the id of the site that a source belongs to, "" if it is not
// known.
func (n *Network) siteOf(s *source) string {
	if e := n.entries[s.id]; e != nil {
		switch e.rec.Type {
		case vanflow.TypeSite:
			return s.id
		case vanflow.TypeRouter:
			return e.rec.Text(vanflow.AttrParent)
		default:
		}
	}
	if s.kind == vanflow.SourceController {
		return s.id
	}
	return ""
}

// sweepSources drops sources that are gone for longer than the TTL.
func (n *Network) sweepSources() {
	for id, s := range n.sources {
		if s.gone != 0 && s.gone+span(n.limits.TTL) < n.now {
			delete(n.sources, id)
		}
	}
}

// Sources returns the sources, also those given up within the TTL.
func (n *Network) Sources() []*record.Source {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]*record.Source, 0, len(n.sources))
	for _, s := range n.sources {
		out = append(out, n.sourceRow(s))
	}
	slices.SortFunc(out, func(a, b *record.Source) int { return cmp.Compare(a.Identity, b.Identity) })
	return out
}

func (n *Network) sourceRow(s *source) *record.Source {
	row := &record.Source{
		Base: base(s.id, s.first, s.gone), Type: record.OrUnknown(string(s.kind)), State: record.SourceLive, SiteID: record.OrUnknown(n.siteOf(s)),
		Name: record.Unknown, LastHeartbeat: s.beat, LastHeard: s.heard, ClockSkew: s.skew, Messages: s.messages,
		Records: len(s.entries), Flows: s.flows, Lost: s.lost, Duplicates: s.duplicates, Refused: s.refused,
	}
	if e := n.entries[s.id]; e != nil {
		row.Name = record.OrUnknown(e.rec.Text(vanflow.AttrName))
	}
	switch {
	case s.gone != 0:
		row.State = record.SourceGone
	case s.heard == 0:
		row.State = record.SourceNew
	case s.heard+span(silence) < n.now:
		row.State = record.SourceSilent
	}
	return row
}
