package router

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/linkstate"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/tcp"
	"github.com/skupper-host/skupper/router/trunk"
)

// store shows the router to its management node. It implements manage.Store;
// what the control loop owns is read on the control loop.
type store struct{ r *Router }

// on runs f on the control loop, unless the router has stopped: who asks then
// gets nothing.
func (s store) on(f func()) {
	_ = s.r.box.call(context.Background(), f)
}

// Config implements manage.Store.
func (s store) Config() (c *config.Config) {
	s.on(func() { c = s.r.cfg })
	return c
}

// Change implements manage.Store.
func (s store) Change(edit func(*config.Config) (*config.Config, error)) (err error) {
	s.on(func() {
		was := s.r.cfg
		next, e := edit(was)
		if e != nil {
			err = e
			return
		}
		if problems := s.r.adopt(next, !next.Router.DropTCPConnections); len(problems) > 0 {
			err = problems[0]
			s.r.adopt(was, true)
		}
	})
	return err
}

// Reload implements manage.Store.
func (s store) Reload(sslProfile string) (err error) {
	s.on(func() {
		if p := s.r.profiles[sslProfile]; p != nil && p.identity != nil {
			_, err = p.identity.Refresh()
		}
	})
	return err
}

// Statuses implements manage.Store.
func (s store) Statuses(entities []config.Entity) []manage.Row {
	rows := make([]manage.Row, len(entities))
	s.on(func() {
		for i, e := range entities {
			rows[i] = s.r.status(e)
		}
	})
	return rows
}

func (r *Router) status(e config.Entity) manage.Row {
	switch x := r.entities[keyOf(e)].(type) {
	case *amqpConnector:
		return x.row()
	case *service:
		return x.row()
	case *connectorService:
		return x.row()
	case *amqpListener:
		return x.row()
	case *webListener:
		return x.row()
	case *autoLink:
		return x.row()
	}
	switch e := e.(type) {
	case *config.Router:
		host, _ := os.Hostname() // an empty name says as much as the error
		return manage.RouterStatus{Version: r.version, HostName: host, WorkerThreads: r.threads()}
	case *config.ListenerAddress:
		return r.listenerAddressRow(e)
	case *config.Policy:
		return manage.PolicyStatus{ConnectionsCurrent: len(r.peers), ConnectionsProcessed: int(r.lastConn.Load())}
	}
	return nil
}

func (k *amqpConnector) row() manage.ConnectorStatus {
	st := k.dialer.Status()
	urls := make([]string, len(st.Order))
	for i, e := range st.Order {
		urls[i] = "amqp://" + e.Host + ":" + e.Port
	}
	row := manage.ConnectorStatus{ConnectionStatus: "CONNECTING", FailoverURLs: strings.Join(urls, ", ")}
	switch {
	case st.Up:
		row.ConnectionStatus, row.ConnectionMsg = "SUCCESS", "Connection Opened: dir=out host="+st.Endpoint.String()
	case st.Silent.Host != "":
		row.ConnectionMsg = "Connection to " + st.Silent.String() + " accepted: no answer yet"
	case st.Err != nil:
		// compat: it is tried again, so it is connecting. The message tells.
		row.ConnectionMsg = fmt.Sprintf("Connection to %s failed: %v", st.Endpoint, st.Err)
	}
	return row
}

func (s *service) row() manage.TCPListenerStatus {
	st := s.listener.Status()
	row := manage.TCPListenerStatus{
		ConnectionsOpened: int(st.Opened), ConnectionsClosed: int(st.Closed), BytesIn: int(st.Read), BytesOut: int(st.Written),
		OperStatus: "down",
	}
	if st.Up {
		row.OperStatus = "up"
	}
	if st.Problem != nil {
		row.ConnectionMsg = st.Problem.Error()
	}
	return row
}

func (s *connectorService) row() manage.TCPConnectorStatus {
	st := s.connector.Status()
	row := manage.TCPConnectorStatus{
		ConnectionsOpened: int(st.Opened) + ownConnections, ConnectionsClosed: int(st.Closed), ConnectionsFailed: int(st.Failed),
		BytesIn: int(st.Written), BytesOut: int(st.Read),
	}
	if st.LastError != nil {
		row.LastError = st.LastError.Error() + " (" + st.LastTime.UTC().Format(time.RFC3339) + ")"
		if st.Failing {
			row.ConnectionMsg = st.LastError.Error()
		}
	}
	if st.Silent && row.ConnectionMsg == "" {
		row.ConnectionMsg = "connect to " + net.JoinHostPort(s.cfg.Host, s.cfg.Port) + ": no answer yet"
	}
	return row
}

func (l *amqpListener) row() manage.ListenerStatus {
	addr, problem := l.status()
	row := manage.ListenerStatus{OperStatus: "down"}
	if addr != nil {
		row.OperStatus = "up"
	}
	if problem != nil {
		row.ConnectionMsg = problem.Error()
	}
	return row
}

func (r *Router) listenerAddressRow(a *config.ListenerAddress) manage.Row {
	s, ok := r.entities[entityKey{(&config.TCPListener{}).Type(), a.Listener}].(*service)
	if !ok {
		return manage.ListenerAddressStatus{}
	}
	for _, t := range s.listener.Status().Targets {
		if t.Address == a.Address {
			return manage.ListenerAddressStatus{ConnectionsOpened: int(t.Opened)}
		}
	}
	return manage.ListenerAddressStatus{}
}

// Metrics implements manage.Store.
func (s store) Metrics() (m manage.Metrics) {
	virtual, resident := processMemory()
	s.on(func() {
		r := s.r
		m = manage.Metrics{
			ID: r.id, Version: r.version, ConnectionCount: uint64(len(r.peers)),
			UptimeSeconds: uint32(time.Since(r.started).Seconds()), MemoryUsage: virtual, ResidentMemoryUsage: resident,
			ConnectionCounters: map[string]uint64{"amqp": uint64(len(r.peers)), "tcp": 0, "http1": r.requests.HTTP1(), "http2": r.requests.HTTP2()},
		}
		if r.reach != nil {
			m.NodeCount = uint64(max(0, reachable(r)))
		}
		r.snap.Load().All(func(*forward.Address) bool { m.AddrCount++; return true })
		for _, p := range r.peers {
			if p.up {
				st := p.conn.State().Stats
				m.LinkCount += uint64(st.Links)
			}
		}
		r.report(&m)
		for _, e := range r.entities {
			switch x := e.(type) {
			case *autoLink:
				m.AutoLinkCount++
			case *service:
				m.ConnectionCounters["tcp"] += x.listener.Status().Active()
			case *connectorService:
				m.ConnectionCounters["tcp"] += x.connector.Status().Active() + ownConnections
			}
		}
	})
	return m
}

// reachable counts the other routers that can be reached.
func reachable(r *Router) int {
	n := 0
	for _, x := range r.reach.Routers {
		if x.Link != 0 {
			n++
		}
	}
	return n
}

// Connections implements manage.Store.
func (s store) Connections() (rows []manage.Connection) {
	s.on(func() {
		for _, p := range s.r.peers {
			if p.up && !p.deleted { // the peer may take its time
				rows = append(rows, s.r.connectionRow(p))
			}
		}
		rows = append(rows, s.r.tcpConnections()...)
	})
	slices.SortFunc(rows, func(a, b manage.Connection) int { return int(a.ID) - int(b.ID) })
	return rows
}

func (r *Router) connectionRow(p *peer) manage.Connection {
	st := p.conn.State()
	row := manage.Connection{
		ID: p.id, Host: addrText(st.RemoteAddr), LocalSocket: addrText(st.LocalAddr), Role: roleText(p), Protocol: "amqp", Dir: "in",
		Container: p.remote, SASL: string(st.Mechanism), IsAuthenticated: st.Mechanism == conn.External, User: st.User,
		Opened: true, Active: true, AdminStatus: "enabled", OperStatus: "up",
		UptimeSeconds: uint32(time.Since(p.since).Seconds()), ProtocolTrace: p.traced,
	}
	if st.Remote != nil {
		row.Properties = understood(st.Remote.Properties)
	}
	if p.dialed() {
		row.Dir, row.Host = "out", p.owner.endpoint // compat: as configured, so that clients find the connector
	}
	if st.TLS != nil {
		row.SSL, row.IsEncrypted, row.TLSOrdinal = true, true, &p.member.Own
		row.SSLProto, row.SSLCipher = tlsWords(st.TLS)
		row.SSLSSF = 128
		if strings.Contains(row.SSLCipher, "256") {
			row.SSLSSF = 256
		}
	}
	if last := later(st.Stats.LastIn, st.Stats.LastOut); !last.IsZero() {
		seconds := uint32(max(0, time.Since(last).Seconds()))
		row.LastDlvSeconds = &seconds
	}
	if p.edge != nil {
		row.MeshID = p.edge.mesh
	}
	if r.uplink != nil && p.isEdge() && p.dialed() {
		row.Active, row.MeshID = r.uplink.active() == p, r.self.Load().mesh
	}
	if p.router() {
		ordinal := p.member.Ordinal()
		row.GroupOrdinal = &ordinal
	}
	return row
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func roleText(p *peer) string {
	switch p.role() {
	case trunk.InterRouter:
		if p.member.Data() {
			return "inter-router-data"
		}
		return config.RoleInterRouter
	case trunk.Edge:
		return config.RoleEdge
	case trunk.InterEdge:
		return config.RoleInterEdge
	case trunk.Normal:
	}
	return cmp.Or(p.owner.role, config.RoleNormal)
}

// Addresses implements manage.Store.
func (s store) Addresses() (rows []manage.Address) {
	s.on(func() {
		s.r.snap.Load().All(func(a *forward.Address) bool {
			n := a.Counts()
			row := manage.Address{
				Key: a.Key().String(), Distribution: a.Treatment().String(), InProcess: uint32(n.Process), SubscriberCount: uint32(n.Local + n.Proxy),
				RemoteCount: uint32(n.Remote), Priority: a.Priority(), Watch: n.Watchers > 0,
			}
			a.Holders(func(index int, _ string) bool {
				row.RemoteHostRouters = append(row.RemoteHostRouters, s.r.snap.Load().Router(index).ID)
				return true
			})
			rows = append(rows, row)
			return true
		})
	})
	slices.SortFunc(rows, func(a, b manage.Address) int { return strings.Compare(a.Key, b.Key) })
	return rows
}

// Probe implements manage.Store.
func (s store) Probe(ctx context.Context, connector string) (time.Duration, error) {
	var c *tcp.Connector
	s.on(func() {
		for _, e := range s.r.entities {
			if x, ok := e.(*connectorService); ok && x.cfg.Name == connector {
				c = x.connector
			}
		}
	})
	if c == nil {
		return 0, manage.ErrNoConnector
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return c.Probe(ctx)
}

// RoundTrips implements manage.Store.
func (s store) RoundTrips() map[string]time.Duration {
	trips := map[string]time.Duration{}
	s.on(func() {
		for _, p := range s.r.peers {
			if !p.up {
				continue
			}
			if trip := p.conn.RoundTrip(); trip > 0 && (trips[p.remote] == 0 || trip < trips[p.remote]) {
				trips[p.remote] = trip
			}
		}
	})
	return trips
}

// Nodes implements manage.Store.
func (s store) Nodes() (rows []manage.RouterNode) {
	s.on(func() {
		r := s.r
		if r.engine == nil {
			return
		}
		for _, n := range r.engine.Routers() {
			rows = append(rows, r.nodeRow(n))
		}
	})
	slices.SortStableFunc(rows, func(a, b manage.RouterNode) int {
		if (a.ID == s.r.id) != (b.ID == s.r.id) {
			if a.ID == s.r.id {
				return -1
			}
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	return rows
}

// SetConnection implements manage.Store.
func (s store) SetConnection(caller manage.Caller, id uint64, change manage.ConnectionChange) (err error) {
	s.on(func() {
		p := s.r.peers[id]
		if p == nil && change.Close && s.r.cutTCP(id) {
			return
		}
		switch {
		case change.Close && s.r.dispatches(id):
			err = &manage.Error{Status: manage.StatusForbidden, Description: "connection cannot be closed by management: delete the tcpConnector"}
		case p == nil || !p.up:
			err = &manage.Error{Status: manage.StatusNotFound, Description: "connection not found"}
		case change.Close && (caller.Connection == id || p.router()):
			err = &manage.Error{Status: manage.StatusForbidden, Description: "connection cannot be closed by management"}
		case change.Close:
			p.deleted = true
			p.conn.Close(&amqp.Error{Condition: amqp.ErrConnectionForced, Description: "Connection forced-closed by management request"}) // compat: upstream's words
		}
		if err == nil && change.Trace != nil {
			p.setTrace(*change.Trace)
		}
	})
	return err
}

// nodeRow describes one interior router; nothing of this router itself but its
// name and neighbors.
func (r *Router) nodeRow(n linkstate.RouterStatus) manage.RouterNode {
	row := manage.RouterNode{
		ID: n.ID, ProtocolVersion: int(n.Version), Instance: int(n.Instance), LinkState: slices.Sorted(maps.Keys(n.LinkState)),
		ValidOrigins: n.ValidOrigins, Address: "amqp:/_topo/0/" + n.ID, Index: n.Index,
	}
	if n.ID == r.id {
		row.NextHop = "(self)"
	} else if n.NextHop != n.ID {
		row.NextHop = n.NextHop
	}
	cost := int(n.Cost)
	row.Cost = &cost
	if n.Link != 0 {
		link := int(n.Link)
		row.RouterLink = &link
	}
	if t := r.engine.LastChange(); !t.IsZero() {
		changed := int(t.Unix())
		row.LastTopoChange = &changed
	}
	return row
}

// tlsWords names the version and the cipher of a TLS connection as OpenSSL
// does where tools look for it.
func tlsWords(st *tls.ConnectionState) (proto, cipher string) {
	switch st.Version {
	case tls.VersionTLS13:
		proto = "TLSv1.3"
	case tls.VersionTLS12:
		proto = "TLSv1.2"
	}
	return proto, tls.CipherSuiteName(st.CipherSuite)
}
