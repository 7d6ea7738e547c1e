package trunk

import (
	"slices"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
)

// Role says what the connections of a listener or connector are for.
type Role uint8

const (
	Normal      Role = iota // AMQP clients and servers
	InterRouter             // routers: control and data connections
	Edge                    // between an edge router and its interior router
	InterEdge               // between edge routers
)

// Properties of Open that tie connections together, and the capability that
// says that they are used (compat: skupper-router 3.x).
const (
	propRole       = "qd.inter-router-role"
	propCorrelator = "qd.group-correlator"
	propOrdinal    = "qd.group-ordinal"
	capTrunking    = amqp.Symbol("qd.connection_trunking")
	roleData       = int32(4) // value of propRole
	maxCorrelator  = 15       // octets; longer ones are cut
)

// silentTakeover is how long a control connection must have been silent to be
// given up for a new one of the same connector; HELLO comes every second.
const silentTakeover = 2500 * time.Millisecond

// Owner makes something of the connections. Its methods must not block.
type Owner interface {
	// Connect returns the configuration and the handler of a connection that
	// is about to be made. Client, TLS and, on the dialing side, Open.Hostname
	// and the properties of the group are filled in by the caller. m.Conn is
	// set when the handler first hears of it.
	Connect(m *Member) (conn.Config, conn.Handler)
	// Ended reports that a connection is gone, with what Run of it returned.
	// It comes once for each Connect, also if nothing was ever opened.
	Ended(m *Member, err error)
	// Retry reports that the control connection of d could not be made or is
	// gone, why, and when the next attempt is made. Its text is fit for a
	// status line.
	Retry(d *Dialer, err error, wait time.Duration)
}

// Member is one connection of a trunk.
type Member struct {
	// App is free for the owner: set it in Connect.
	App any

	// Set before Connect, then read only.
	Role     Role
	Dialer   *Dialer   // nil on the accepting side
	Listener *Listener // nil on the dialing side
	// Own is the generation of this side's credentials.
	Own uint64

	// Conn is set after Connect, before its handler is called.
	Conn *conn.Conn

	groups *Groups
	mu     *sync.Mutex // of groups

	// Guarded by mu. Of a dialed connection known from the start, else when
	// the peer's Open has come.
	group     *Group
	data      bool
	ordinal   uint64
	container string // of the peer
	trunking  bool   // the peer uses data connections
	ready     bool
}

// Data reports whether the connection carries streams only.
func (m *Member) Data() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data
}

// Ordinal is the generation of the credentials that the dialing side used.
func (m *Member) Ordinal() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ordinal
}

// Group returns the trunk that the connection belongs to; nil before the peer's
// Open has come on the accepting side.
func (m *Member) Group() *Group {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.group
}

// Ready tells that the connection can carry streams: on a control connection
// when both control links are attached, on others as soon as the peer's Open
// has come. It returns the control connection whose place it takes, nil if
// there was none: routes do not change then. The dialing side detaches the
// control links of the one that is replaced (compat: skupper-router 3.x).
func (m *Member) Ready() (replaced *Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.group
	if g == nil || m.data || m.ready {
		return nil
	}
	m.ready = true
	m.groups.arrive(m)
	if g.control != nil && g.control.ordinal > m.ordinal {
		return nil
	}
	replaced, g.control = g.control, m
	return replaced
}

// Primary reports whether the connection is the one that routes to its peer
// use. Both sites may have made a link to each other: then there are two
// control connections, and the one that was ready first stays in use as long as
// it lives. HELLO goes out on both.
func (m *Member) Primary() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.primary()
}

// primary is Primary with mu held. Generations of one trunk count as one.
func (m *Member) primary() bool {
	peers := m.groups.peers[m.container]
	return len(peers) > 0 && m.group != nil && peers[0].group == m.group && m.group.control == m
}

// heard takes over what the peer's Open says.
func (m *Member) heard(open *amqp.Open) {
	m.container = open.ContainerID
	m.trunking = slices.Contains(open.OfferedCapabilities, capTrunking)
}

// memberHandler puts the trunk in front of the owner's handler.
type memberHandler struct {
	m     *Member
	next  conn.Handler
	entry func(*Member, *amqp.Open) error // decides whether the connection is taken
	taken bool                            // Owned by the reader.
}

// Opened implements conn.Handler.
func (h *memberHandler) Opened(c *conn.Conn, open *amqp.Open) {
	if err := h.entry(h.m, open); err != nil {
		c.Abort(err) // compat: skupper-router drops the socket
		return
	}
	h.taken = true
	h.next.Opened(c, open)
}

// Attached implements conn.Handler.
func (h *memberHandler) Attached(c *conn.Conn, l *conn.Link) {
	if h.taken {
		h.next.Attached(c, l)
		return
	}
	l.Refuse(&amqp.Error{Condition: amqp.ErrConnectionForced})
}
