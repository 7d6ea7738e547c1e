package network

import (
	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// The kinds of pairs, as indices of Network.pairs.
const (
	sitePairs = iota
	componentPairs
	processPairs
)

type pairKey struct {
	source, dest string
	application  application
}

// pair is who talks to whom.
type pair struct {
	kind     int
	row      record.Pair
	services map[string]struct{} // ids; of process pairs
	gone     bool
	shown    *record.Pair // as it was handed out last; nil if it changed since
}

func (p *pair) key() string   { return p.row.Identity }
func (p *pair) dropped() bool { return p.gone }

// pairSet is all pairs of a kind.
type pairSet struct {
	all     map[pairKey]*pair
	listed  ordered[*pair]
	version uint64
}

// talk notes that something began on a route.
func (n *Network) talk(r *route, a application, start uint64) {
	for kind := range n.pairs {
		p := r.pairs[a][kind]
		if p == nil || p.gone {
			if p = n.pairOf(r, a, kind); p == nil {
				continue
			}
			r.pairs[a][kind] = p
		}
		set := &n.pairs[kind]
		if start != 0 && (p.row.StartTime == 0 || start < p.row.StartTime) {
			p.row.StartTime, p.shown = start, nil
			set.version++
		}
		if p.services != nil && r.serviceID != "" {
			if _, ok := p.services[r.serviceID]; !ok && len(p.services) < maxServicesOfPair {
				p.services[r.serviceID] = struct{}{}
				set.version++
			}
		}
	}
}

// maxServicesOfPair bounds the services that a pair of processes remembers.
const maxServicesOfPair = 10_000

// pairOf returns the pair of a kind on a route; nil if there are too many.
func (n *Network) pairOf(r *route, a application, kind int) *pair {
	var name string
	row := record.Pair{Protocol: a.String()}
	switch kind {
	case sitePairs:
		name, row.PairType = "sitepair", record.PairSite
		row.SourceID, row.SourceName, row.DestinationID, row.DestinationName = r.ends.SourceSiteID, r.ends.SourceSiteName, r.ends.DestSiteID, r.ends.DestSiteName
	case componentPairs:
		name, row.PairType = "grouppair", record.PairComponent
		l := &r.labels
		row.SourceID, row.SourceName, row.DestinationID, row.DestinationName = l.SourceComponentID, l.SourceComponentName, l.DestComponentID, l.DestComponentName
	default:
		name, row.PairType = "processpair", record.PairProcess
		row.SourceID, row.SourceName, row.DestinationID, row.DestinationName = r.ends.SourceProcessID, r.ends.SourceProcessName, r.ends.DestProcessID, r.ends.DestProcessName
		row.SourceSiteID, row.SourceSiteName, row.DestinationSiteID, row.DestinationSiteName = r.ends.SourceSiteID, r.ends.SourceSiteName, r.ends.DestSiteID, r.ends.DestSiteName
	}
	set := &n.pairs[kind]
	k := pairKey{row.SourceID, row.DestinationID, a}
	if p := set.all[k]; p != nil {
		row.Identity, row.StartTime = p.row.Identity, p.row.StartTime
		if p.row != row { // a name has changed
			p.row, p.shown = row, nil
			set.version++
		}
		return p
	}
	if len(set.all) >= n.limits.Pairs {
		n.stats.Refused++
		return nil
	}
	row.Identity = identity(name, k.source, k.dest, row.Protocol)
	p := &pair{kind: kind, row: row}
	if kind == processPairs {
		p.services = map[string]struct{}{}
	}
	set.all[k] = p
	set.listed.add(p)
	set.version++
	return p
}

// sweepPairs drops the pairs of sites, components and processes that are gone.
func (n *Network) sweepPairs() {
	if n.swept == n.structure {
		return
	}
	n.swept = n.structure
	components := map[string]struct{}{}
	for _, p := range n.processes {
		id, _ := p.component()
		components[id] = struct{}{}
	}
	there := func(kind int, id string) (ok bool) {
		switch kind {
		case sitePairs:
			return n.find(vanflow.TypeSite, id) != nil
		case componentPairs:
			_, ok = components[id]
		default:
			_, ok = n.processes[id]
		}
		return ok
	}
	for kind := range n.pairs {
		set := &n.pairs[kind]
		for k, p := range set.all {
			if there(kind, k.source) && there(kind, k.dest) {
				continue
			}
			p.gone = true
			delete(set.all, k)
			set.listed.remove()
			set.version++
		}
	}
}
