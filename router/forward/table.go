package forward

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"
)

// shards is the number of maps that a snapshot consists of. A changed address
// costs a copy of one map, so it is as large as copying the list of maps
// (2 KiB) allows.
const shards = 256

type shard map[Key]*Address

// Table is where the owner of the routing state changes it: destinations in
// this router, other routers and what they hold. Publish makes a Snapshot of
// it. It is not safe for concurrent use.
type Table struct {
	names    Names
	fallback Treatment
	rules    *rules

	records map[Key]*record
	conns   map[ConnID]*conn
	dirty   map[Key]bool

	seed    maphash.Seed
	current *Snapshot
	renamed bool     // names or rules are not those of current
	network *network // of the next snapshot
}

// record is an address being changed. Slices are shared with the Address made
// of them last, so they are replaced and never changed.
type record struct {
	Address
	built *Address // in the current snapshot, nil if not there
}

// conn is what the table knows about a connection.
type conn struct {
	mesh      string
	consumers map[*Consumer]bool
}

// Config says how a router treats addresses that nothing else is said about.
type Config struct {
	Names   Names
	Rules   []Rule
	Default Treatment // Balanced if zero
}

// NewTable returns a table without addresses and with no other router.
func NewTable(cfg Config) *Table {
	t := &Table{
		names: cfg.Names, fallback: cfg.Default, rules: newRules(cfg.Rules),
		records: map[Key]*record{}, conns: map[ConnID]*conn{}, dirty: map[Key]bool{},
		seed: maphash.MakeSeed(), network: newNetwork(Topology{}, nil),
	}
	if t.fallback == Flood {
		t.fallback = Balanced
	}
	t.current = &Snapshot{names: t.names, rules: t.rules, fallback: t.fallback, seed: t.seed, network: t.network}
	return t
}

// SetRules replaces the configuration of addresses. compat: an address that
// exists keeps its treatment.
func (t *Table) SetRules(list []Rule) { t.rules, t.renamed = newRules(list), true }

// SetNames replaces what the router knows about itself, for an edge router
// whose peers have changed.
func (t *Table) SetNames(n Names) { t.names, t.renamed = n, true }

// Add adds a destination in this router. hint is how the address is treated
// if it is new and not configured; Unsaid leaves it to the default.
func (t *Table) Add(key Key, c *Consumer, hint Treatment) {
	r := t.record(key, hint)
	c.key = key
	m := member{Consumer: c}
	if c.Conn != 0 {
		k := t.conn(c.Conn)
		k.consumers[c] = true
		if c.Edge {
			m.mesh = k.mesh
		}
	}
	list := r.list(c.Kind)
	*list = append(slices.Clip(*list), m)
	t.dirty[key] = true
}

// Remove removes a destination. Deliveries that it has are not touched.
func (t *Table) Remove(c *Consumer) {
	r := t.records[c.key]
	if r == nil {
		return
	}
	list := r.list(c.Kind)
	*list = slices.DeleteFunc(slices.Clone(*list), func(m member) bool { return m.Consumer == c })
	if k := t.conns[c.Conn]; k != nil {
		delete(k.consumers, c)
		t.release(c.Conn)
	}
	t.dirty[c.key] = true
}

// SetMesh says which edge mesh a connection leads to, empty for none or when
// the connection ends.
func (t *Table) SetMesh(id ConnID, mesh string) {
	k := t.conn(id)
	if k.mesh != mesh {
		k.mesh = mesh
		for c := range k.consumers {
			if !c.Edge {
				continue
			}
			list := t.records[c.key].list(c.Kind)
			changed := slices.Clone(*list)
			for i := range changed {
				if changed[i].Consumer == c {
					changed[i].mesh = mesh
				}
			}
			*list = changed
			t.dirty[c.key] = true
		}
	}
	t.release(id)
}

// AddProducer says that a link sends to an address, RemoveProducer that one
// no longer does.
func (t *Table) AddProducer(key Key, hint Treatment) {
	t.record(key, hint).producers++
	t.dirty[key] = true
}

// RemoveProducer undoes AddProducer.
func (t *Table) RemoveProducer(key Key) {
	if r := t.records[key]; r != nil && r.producers > 0 {
		r.producers--
		t.dirty[key] = true
	}
}

// AddWatcher says that somebody waits for destinations of an address,
// RemoveWatcher that he no longer does.
func (t *Table) AddWatcher(key Key, hint Treatment) {
	t.record(key, hint).watchers++
	t.dirty[key] = true
}

// RemoveWatcher undoes AddWatcher.
func (t *Table) RemoveWatcher(key Key) {
	if r := t.records[key]; r != nil && r.watchers > 0 {
		r.watchers--
		t.dirty[key] = true
	}
}

// AddHolder says that another router has destinations of an address, or that
// what is said about them has changed.
func (t *Table) AddHolder(key Key, router int, hint Treatment, mesh string) {
	r := t.record(key, hint)
	h := holder{router: int32(router), mesh: mesh}
	at, known := slices.BinarySearchFunc(r.holders, h, byRouter)
	switch {
	case !known:
		holders := make([]holder, 0, len(r.holders)+1)
		r.holders = append(append(append(holders, r.holders[:at]...), h), r.holders[at:]...)
	case r.holders[at] == h:
		return
	default:
		r.holders = slices.Clone(r.holders)
		r.holders[at] = h
	}
	t.dirty[key] = true
}

// RemoveHolder says that another router no longer has destinations.
func (t *Table) RemoveHolder(key Key, router int) {
	r := t.records[key]
	if r == nil {
		return
	}
	at, known := slices.BinarySearchFunc(r.holders, holder{router: int32(router)}, byRouter)
	if known {
		r.holders = slices.Delete(slices.Clone(r.holders), at, at+1)
		t.dirty[key] = true
	}
}

func byRouter(a, b holder) int { return int(a.router - b.router) }

// SetTopology replaces the picture of the network of routers.
func (t *Table) SetTopology(top Topology) { t.network = newNetwork(top, t.network) }

// Change is an address that differs between two snapshots. Old is nil if it is
// new, New if it is gone.
type Change struct {
	Key      Key
	Old, New *Address
}

// Publish makes a snapshot of the table and lists, by key, the addresses that
// were touched since the one before. It lists none whose routers merely became
// reachable or unreachable.
func (t *Table) Publish() (*Snapshot, []Change) {
	if len(t.dirty) == 0 && !t.renamed && t.network == t.current.network {
		return t.current, nil
	}
	next := &Snapshot{names: t.names, rules: t.rules, fallback: t.fallback, seed: t.seed, network: t.network, shards: t.current.shards}
	changes := make([]Change, 0, len(t.dirty))
	var copied [shards]bool
	for key := range t.dirty {
		r := t.records[key]
		if r == nil {
			continue
		}
		old := r.built
		r.built = nil
		if r.used() {
			a := r.Address
			r.built = &a
		} else {
			delete(t.records, key)
		}
		if old == nil && r.built == nil {
			continue
		}
		changes = append(changes, Change{Key: key, Old: old, New: r.built})
		next.put(key, r.built, &copied)
	}
	clear(t.dirty)
	slices.SortFunc(changes, func(a, b Change) int {
		if a.Key.Class != b.Key.Class {
			return int(a.Key.Class) - int(b.Key.Class)
		}
		return strings.Compare(a.Key.Name, b.Key.Name)
	})
	t.current, t.renamed = next, false
	return next, changes
}

// put sets or removes an address in a snapshot that is being made. copied says
// which of its shards are its own already.
func (s *Snapshot) put(key Key, a *Address, copied *[shards]bool) {
	i := s.shard(key.Name)
	if !copied[i] {
		copied[i] = true
		if s.shards[i] == nil {
			s.shards[i] = shard{}
		} else {
			s.shards[i] = maps.Clone(s.shards[i])
		}
	}
	if a == nil {
		delete(s.shards[i], key)
	} else {
		s.shards[i][key] = a
	}
}

// record returns the record of an address and makes it if there is none.
func (t *Table) record(key Key, hint Treatment) *record {
	if r := t.records[key]; r != nil {
		return r
	}
	r := &record{Address: Address{key: key, priority: -1, load: new(load)}}
	r.treatment, r.priority = t.rule(key)
	if rule := t.matching(key); rule == nil && hint >= Flood && hint <= Unavailable { // others may say anything
		r.treatment = hint
	}
	t.records[key] = r
	return r
}

// Treatment returns how an address is treated, or would be if somebody used it.
func (t *Table) Treatment(key Key) Treatment {
	if r := t.records[key]; r != nil {
		return r.treatment
	}
	treatment, _ := t.rule(key)
	return treatment
}

// rule is how an address is treated by configuration. What has a name inside a
// router is not a matter of configuration.
func (t *Table) rule(key Key) (treatment Treatment, priority int) {
	if rule := t.matching(key); rule != nil {
		return rule.Treatment, rule.Priority
	}
	if key.Class != ClassMobile {
		return Balanced, -1
	}
	return t.fallback, -1
}

func (t *Table) matching(key Key) *Rule {
	if key.Class != ClassMobile {
		return nil
	}
	return t.rules.match(key.Name)
}

// list is where consumers of a kind stand.
func (r *record) list(k Kind) *[]member {
	switch k {
	case Process:
		return &r.processes
	case Proxy:
		return &r.proxies
	case Local:
	}
	return &r.locals
}

func (r *record) used() bool {
	return len(r.processes)+len(r.locals)+len(r.proxies)+len(r.holders)+r.producers+r.watchers > 0
}

func (t *Table) conn(id ConnID) *conn {
	k := t.conns[id]
	if k == nil {
		k = &conn{consumers: map[*Consumer]bool{}}
		t.conns[id] = k
	}
	return k
}

// release forgets a connection that nothing is known of.
func (t *Table) release(id ConnID) {
	if k := t.conns[id]; k.mesh == "" && len(k.consumers) == 0 {
		delete(t.conns, id)
	}
}
