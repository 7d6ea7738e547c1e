package trunk

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
)

// ErrDuplicate is why a connection is dropped that claims the place of one that
// is alive: the same correlator, and an ordinal that is not higher.
var ErrDuplicate = errors.New("a connection of the same connector is in use")

// ErrSplit is why a connection is dropped that ends at another router than the
// others of its group: something between the two spreads connections.
var ErrSplit = errors.New("connections split across routers")

// Groups are the trunks of one router. All its dialers and listeners share
// them.
type Groups struct {
	mu     sync.Mutex
	groups map[string]*Group    // Guarded by mu: accepted ones, by correlator.
	peers  map[string][]*Member // Guarded by mu: ready connections, by container id, in the order in which they became so.
}

// NewGroups returns an empty set.
func NewGroups() *Groups {
	return &Groups{groups: map[string]*Group{}, peers: map[string][]*Member{}}
}

// Group is one trunk: a control connection and data connections that were made
// by one connector, or a single connection without these roles.
type Group struct {
	groups *Groups
	mu     *sync.Mutex // of groups
	key    string      // in Groups.groups; empty: not there

	control *Member   // Guarded by mu: in use; nil: there is none.
	opened  []*Member // Guarded by mu: control connections, ready or not.
	data    []*Member // Guarded by mu.
	turn    int       // Guarded by mu: round robin.
}

func (gs *Groups) newGroup(key string) *Group { return &Group{groups: gs, mu: &gs.mu, key: key} }

// Primary returns the connection that routes to the peer with that container
// id use, nil if there is none.
func (gs *Groups) Primary(container string) *Member {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, m := range gs.peers[container] {
		if m.group.control == m {
			return m
		}
	}
	return nil
}

// accepted takes an accepted connection into its group. The error refuses it.
func (gs *Groups) accepted(m *Member, open *amqp.Open) error {
	replaced, err := gs.admit(m, open)
	for _, other := range replaced {
		other.Conn.Abort(errors.New("replaced: the peer has connected again"))
	}
	return err
}

// admit is accepted, except that it returns the connections to give up.
func (gs *Groups) admit(m *Member, open *amqp.Open) (replaced []*Member, err error) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	m.heard(open)
	if m.Role != InterRouter {
		m.group = gs.newGroup("")
		m.group.add(m)
		return nil, nil
	}
	code, _ := open.Properties.Get(propRole).(int32)
	m.data = code == roleData
	m.ordinal, _ = open.Properties.Get(propOrdinal).(uint64)
	correlator, _ := open.Properties.Get(propCorrelator).(string)
	key := correlator[:min(len(correlator), maxCorrelator)]
	g := gs.groups[key]
	if g == nil {
		g = gs.newGroup(key)
	}
	if !m.data {
		if replaced, err = g.rivals(m); err != nil {
			return nil, err
		}
	}
	if err := g.oneRouter(m); err != nil {
		return nil, err
	}
	if key != "" {
		gs.groups[key] = g
	}
	m.group = g
	g.add(m)
	return replaced, nil
}

// rivals refuses a control connection that another one stands in the way of:
// one that is alive and at least as new. One that has fallen silent, while
// HELLO should come every second, is replaced instead: the peer dials again
// because it knows that the connection is gone.
func (g *Group) rivals(m *Member) (replaced []*Member, err error) {
	for _, other := range g.opened {
		switch {
		case other.ordinal < m.ordinal:
		case other.ordinal == m.ordinal && other.Conn.Silence() > silentTakeover:
			replaced = append(replaced, other)
		default:
			return nil, ErrDuplicate
		}
	}
	return replaced, nil
}

// oneRouter refuses a connection that ends at another router than the others of
// its group: something between us spreads connections.
func (g *Group) oneRouter(m *Member) error {
	for _, other := range append(slices.Clone(g.opened), g.data...) {
		if other.container != m.container {
			return fmt.Errorf("%w: %s and %s", ErrSplit, other.container, m.container)
		}
	}
	return nil
}

// sameRouter refuses a data connection that has reached another router than the
// control connection in front of it. The control connection itself may move: an
// endpoint may be another router after a while.
func (g *Group) sameRouter(m *Member) error {
	if !m.data {
		return nil
	}
	for _, other := range g.opened {
		if other.ordinal == m.ordinal && other.container != m.container {
			return fmt.Errorf("%w: %s and %s", ErrSplit, other.container, m.container)
		}
	}
	return nil
}

func (g *Group) add(m *Member) {
	if m.data {
		g.data = append(g.data, m)
	} else {
		g.opened = append(g.opened, m)
	}
}

// remove forgets a connection that is gone, and the group after the last.
func (g *Group) remove(m *Member) {
	not := func(x *Member) bool { return x == m }
	g.data, g.opened = slices.DeleteFunc(g.data, not), slices.DeleteFunc(g.opened, not)
	if g.control == m {
		g.control = nil
		for _, other := range g.opened { // an older generation that still lives
			if other.ready && (g.control == nil || other.ordinal > g.control.ordinal) {
				g.control = other
			}
		}
	}
	if len(g.data)+len(g.opened) == 0 && g.groups.groups[g.key] == g {
		delete(g.groups.groups, g.key)
	}
}

// gone forgets a connection.
func (gs *Groups) gone(m *Member) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if m.group != nil {
		m.group.remove(m)
	}
	rest := slices.DeleteFunc(gs.peers[m.container], func(x *Member) bool { return x == m })
	if len(rest) == 0 {
		delete(gs.peers, m.container)
	} else {
		gs.peers[m.container] = rest
	}
}

// arrive notes a connection that became ready.
func (gs *Groups) arrive(m *Member) { gs.peers[m.container] = append(gs.peers[m.container], m) }

// Control returns the control connection in use, or the only one of a trunk
// without roles; nil if there is none that is ready.
func (g *Group) Control() *Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.control
}

// open reports whether a control connection is open.
func (g *Group) open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.opened) > 0
}

// Members is the number of data connections that are open.
func (g *Group) Members() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.data)
}

// StreamLink returns a link for one stream to the peer, nil if no connection is
// ready. If there are data connections of the control connection's generation
// and the peer uses such, it is on the one with the fewest unsent bytes, in
// turn among equals; else on the control connection. See conn.Conn.StreamLink.
func (g *Group) StreamLink() *conn.Link {
	m := g.place()
	if m == nil {
		return nil
	}
	return m.Conn.StreamLink(m.Role == InterRouter && !m.Data())
}

// place chooses the connection for a stream.
func (g *Group) place() *Member {
	g.mu.Lock()
	control := g.control
	var members []*Member
	if control != nil && control.trunking {
		for _, m := range g.data {
			if m.ordinal == control.ordinal && m.container == control.container {
				members = append(members, m)
			}
		}
	}
	g.turn++
	turn := g.turn
	g.mu.Unlock()
	if len(members) == 0 {
		return control
	}
	best, least := members[0], -1
	for i := range members {
		m := members[(turn+i)%len(members)]
		if n := m.Conn.Unsent(); least < 0 || n < least {
			best, least = m, n
		}
	}
	return best
}
