package router

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/vanflow"
)

// linkFlow is the LINK record of a connector to another router.
type linkFlow struct {
	record   *vanflow.Link
	t        *telemetry
	identity *conn.Identity // nil without TLS, or with a certificate of nobody's
	direct   bool           // through no proxy

	controls int // open ones. Owned by the control loop.

	mu    sync.Mutex
	conns []counted // Guarded by mu.
}

// counted is a connection and what was counted of it.
type counted struct {
	conn           *conn.Conn
	sent, received uint64
}

// newLinkFlow begins the record of a connector; nil if that does not lead to
// another router.
func (t *telemetry) newLinkFlow(c *config.Connector, ordinal uint64, id *conn.Identity) *linkFlow {
	if !betweenRouters(c.Role) {
		return nil
	}
	l := &linkFlow{t: t, identity: id, direct: c.ProxyProfile == "", record: t.source.Link(time.Now(), vanflow.LinkConfig{
		Name: c.Name, Role: c.Role, Cost: uint64(max(1, c.Cost)), Host: c.Host, Port: c.Port,
		TLS: c.SSLProfile != "", TLSOrdinal: ordinal, Proxy: c.ProxyProfile != "",
	})}
	l.measure()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.links = append(t.links, l)
	return l
}

func betweenRouters(role string) bool {
	return role == config.RoleInterRouter || role == config.RoleEdge || role == config.RoleInterEdge
}

// opened notes a connection that is open.
func (l *linkFlow) opened(p *peer) {
	l.mu.Lock()
	l.conns = append(l.conns, counted{conn: p.conn})
	l.mu.Unlock()
	st := p.conn.State()
	if p.member.Data() {
		return
	}
	l.controls++
	access := ""
	if st.Remote != nil {
		access, _ = st.Remote.Properties.Get(string(propAccessID)).(string)
	}
	if st.TLS != nil {
		l.record.Set(vanflow.Number(vanflow.AttrActiveTLSOrdinal, p.member.Ordinal()))
	}
	l.record.Up(time.Now(), access)
}

// ended notes that a connection is gone, with the reason.
func (l *linkFlow) ended(p *peer, err error) {
	l.measure()
	l.mu.Lock()
	l.conns = slices.DeleteFunc(l.conns, func(c counted) bool { return c.conn == p.conn })
	l.mu.Unlock()
	if p.member.Data() {
		return
	}
	l.controls--
	l.down(err)
}

// down notes why there is no connection, if there is none.
func (l *linkFlow) down(err error) {
	if l.controls > 0 {
		return
	}
	condition, text := "amqp:connection:closed", "closed by the peer"
	var said *amqp.Error
	switch {
	case errors.As(err, &said):
		condition, text = string(said.Condition), said.Description
	case err != nil:
		condition, text = "proton:io", err.Error() // compat: the condition of sockets
	}
	l.record.Down(time.Now(), condition, text)
}

// measure counts what the connections have carried since the last time, and notes
// how far the peer is and how long the certificate lasts.
func (l *linkFlow) measure() {
	if l.identity != nil {
		if end := l.identity.Expiry(); !end.IsZero() {
			l.record.SetExpiry(end)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.record.SetRoundTrip(l.roundTrip())
	for i := range l.conns {
		c := &l.conns[i]
		received, sent := c.conn.Octets()
		l.record.AddOctets(sent-c.sent, received-c.received)
		c.sent, c.received = sent, received
	}
}

// roundTrip returns how long it takes to the peer's host and back: of the
// connection with the shortest queue; 0 if that is not known, as behind a proxy,
// which would answer in the peer's place. l.mu is held.
func (l *linkFlow) roundTrip() (least time.Duration) {
	if !l.direct {
		return 0
	}
	for _, c := range l.conns {
		if d := c.conn.RoundTrip(); d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// end ends the record.
func (l *linkFlow) end() {
	l.t.mu.Lock()
	l.t.links = slices.DeleteFunc(l.t.links, func(o *linkFlow) bool { return o == l })
	l.t.mu.Unlock()
	l.record.End(time.Now())
}

// accessFlow is the ROUTER_ACCESS record of a listener for other routers.
type accessFlow struct {
	*vanflow.Access
	t        *telemetry
	identity *conn.Identity // nil without TLS

	conns int // open control connections. Owned by the control loop.
}

// newAccessFlow begins the record of a listener; nil if it is not for other
// routers.
func (t *telemetry) newAccessFlow(c *config.Listener, ordinal uint64, id *conn.Identity) *accessFlow {
	if !betweenRouters(c.Role) {
		return nil
	}
	a := &accessFlow{t: t, identity: id, Access: t.source.Access(time.Now(), c.Name, c.Role)}
	if c.SSLProfile != "" {
		a.SetTLSOrdinal(ordinal)
	}
	a.measure()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accesses = append(t.accesses, a)
	return a
}

// measure notes how long the certificate lasts.
func (a *accessFlow) measure() {
	if a.identity == nil {
		return
	}
	if end := a.identity.Expiry(); !end.IsZero() {
		a.SetExpiry(end)
	}
}

// end ends the record.
func (a *accessFlow) end() {
	a.t.mu.Lock()
	a.t.accesses = slices.DeleteFunc(a.t.accesses, func(o *accessFlow) bool { return o == a })
	a.t.mu.Unlock()
	a.End(time.Now())
}

// count notes that control connections were opened or have ended.
func (a *accessFlow) count(p *peer, change int) {
	if !p.member.Data() {
		a.conns += change
		a.SetConns(a.conns)
	}
}
