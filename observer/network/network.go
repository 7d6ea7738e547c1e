package network

import (
	"sync"
	"time"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// Network is everything that is known of a network.
type Network struct {
	limits Limits

	mu      sync.Mutex
	now     uint64        // Guarded by mu, as all below: µs, the latest time given.
	version uint64        // grows with every change
	changed chan struct{} // closed at the next change; nil if nobody waits
	stats   Stats

	sources map[string]*source // by id

	// Inventory.
	entries    map[string]*entry // by identity, without connections, requests, logs
	kinds      map[vanflow.Type]*kind
	structure  uint64 // grows when something comes, goes or changes what others show
	names      uint64 // grows when something goes or changes what others show
	swept      uint64 // structure at the last sweep
	ended      []*entry
	tombstones tombstones
	flaps      map[linkGroup]uint64 // of links that are gone

	// Derived.
	services    map[serviceKey]*service
	processes   map[string]*process // by identity
	hosts       map[hostKey]*host
	clients     map[string]int // clients invented, by site
	unplaced    map[*entry]struct{}
	routes      map[routeKey]*route
	routerNames routerNames
	pairs       [3]pairSet // site, component, process
	series      map[Labels]*series

	// Connections and requests.
	flows    map[string]*flow
	requests map[string]*request
	flowRows rows[*flow]
	reqRows  rows[*request]
	pending  map[*flow]struct{}
	orphans  map[string]map[*request]struct{} // by the identity of the missing connection
	shadows  shadows
	logs     logRing

	lists lists
}

// New returns an empty network.
func New(limits Limits) *Network {
	n := &Network{
		limits: limits.withDefaults(), sources: map[string]*source{},
		entries: map[string]*entry{}, kinds: map[vanflow.Type]*kind{}, flaps: map[linkGroup]uint64{},
		services: map[serviceKey]*service{}, processes: map[string]*process{}, hosts: map[hostKey]*host{},
		clients: map[string]int{}, unplaced: map[*entry]struct{}{}, routes: map[routeKey]*route{}, series: map[Labels]*series{},
		flows: map[string]*flow{}, requests: map[string]*request{}, pending: map[*flow]struct{}{}, orphans: map[string]map[*request]struct{}{},
	}
	for _, t := range []vanflow.Type{
		vanflow.TypeSite, vanflow.TypeRouter, vanflow.TypeLink, vanflow.TypeRouterAccess, vanflow.TypeListener,
		vanflow.TypeConnector, vanflow.TypeProcess,
	} {
		n.kinds[t] = &kind{}
	}
	for i := range n.pairs {
		n.pairs[i].all = map[pairKey]*pair{}
	}
	n.logs.seen = map[string]struct{}{}
	n.tombstones.ended = map[string]uint64{}
	n.shadows.all = map[string]*shadow{}
	return n
}

// Stats are numbers about the observer itself.
type Stats struct {
	Records     uint64         // applied
	Refused     uint64         // over a limit, or of another source
	Ignored     uint64         // of a type that nothing is made of
	Evicted     uint64         // live connections and requests dropped for want of room
	Folded      uint64         // times a label set was given up for a coarser one
	Pending     map[string]int // connections that wait, by what they wait for: listener, connector, destination, source
	Orphans     int            // requests that wait for their connection
	Connections int            // kept
	Requests    int            // kept
	Series      int
	Entries     int // records of the inventory
}

// Stats returns numbers about the observer itself.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stats
	s.Pending = map[string]int{waitListener: 0, waitConnector: 0, waitDestination: 0, waitSource: 0}
	for f := range n.pending {
		s.Pending[f.waits]++
	}
	for _, o := range n.orphans {
		s.Orphans += len(o)
	}
	s.Connections, s.Requests, s.Series, s.Entries = len(n.flows), len(n.requests), len(n.series), len(n.entries)
	return s
}

// Version returns a number that grows with every change.
func (n *Network) Version() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.version
}

// Changed returns a channel that is closed at the next change.
func (n *Network) Changed() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.changed == nil {
		n.changed = make(chan struct{})
	}
	return n.changed
}

// touch notes a change.
func (n *Network) touch() {
	n.version++
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}

// micros is a time as the records have it.
func micros(t time.Time) uint64 { return uint64(t.UnixMicro()) }

// span is a duration as the records have it.
func span(d time.Duration) uint64 { return uint64(d.Microseconds()) }

// at notes the time; it never goes back.
func (n *Network) at(now time.Time) { n.now = max(n.now, micros(now)) }

// Apply takes the records of one message in the order received. A source that
// was not announced becomes known by it.
func (n *Network) Apply(now time.Time, id string, records []vanflow.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at(now)
	s := n.source(id)
	if s == nil {
		n.stats.Refused += uint64(len(records))
		return
	}
	s.hear(n.now)
	s.messages++
	for i := range records {
		n.apply(s, &records[i])
	}
	n.touch()
}

func (n *Network) apply(s *source, r *vanflow.Record) {
	n.stats.Records++
	if r.Identity == "" || len(r.Identity) > maxIdentity || !s.mayOwn(r.Identity) {
		n.refuse(s)
		return
	}
	switch r.Type {
	case vanflow.TypeSite, vanflow.TypeRouter, vanflow.TypeLink, vanflow.TypeRouterAccess, vanflow.TypeListener,
		vanflow.TypeConnector, vanflow.TypeProcess:
		n.applyEntry(s, r)
	case vanflow.TypeBiflowTport:
		n.applyFlow(s, r)
	case vanflow.TypeBiflowApp:
		n.applyRequest(s, r)
	case vanflow.TypeLog:
		n.applyLog(s, r)
	case vanflow.TypeController, vanflow.TypeFlow, vanflow.TypeImage, vanflow.TypeIngress, vanflow.TypeEgress,
		vanflow.TypeCollector, vanflow.TypeProcessGroup, vanflow.TypeHost:
		n.stats.Ignored++
	default:
		n.stats.Ignored++
	}
}

// maxIdentity bounds the identity of a record and the id of a source, in bytes.
const maxIdentity = 256

func (n *Network) refuse(s *source) {
	n.stats.Refused++
	s.refused++
}

// Tick does what time does: connections and requests that waited are looked at
// again, old ones and what ended are dropped. It wants to be called every
// second. The sources in the answer are to be asked for everything (FLUSH): of
// some of their connections nothing was heard for the whole TTL, and those that
// are not mentioned then have ended; of others the beginning was lost.
func (n *Network) Tick(now time.Time) (flush []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at(now)
	n.sweepEntries()
	n.sweepProcesses()
	n.placeConnectors()
	n.resolvePending()
	n.expireRequests()
	flush = n.expireFlows()
	n.sweepPairs()
	n.sweepSources()
	n.touch()
	return flush
}

// text is a pointer to the text, nil without one.
func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// base is the head of a record.
func base(identity string, start, end uint64) record.Base {
	return record.Base{Identity: identity, StartTime: start, EndTime: end}
}
