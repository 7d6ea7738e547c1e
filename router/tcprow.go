package router

import (
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/tcp"
)

// hostDispatch is where the connection between the router and a TCP connector
// goes, on which the connector gets its streams. compat: management shows and
// counts it, and tools know it by this name. It is no socket, and lasts as long
// as the connector.
const hostDispatch = "egress-dispatch"

// ownConnections is how many of them a connector has.
const ownConnections = 1

// dispatches reports whether that is the number of such a connection.
func (r *Router) dispatches(id uint64) bool {
	for _, e := range r.entities {
		if c, ok := e.(*connectorService); ok && c.id == id {
			return true
		}
	}
	return false
}

// tcpConnections describes the connections of TCP services. It is called by the
// control loop.
func (r *Router) tcpConnections() (rows []manage.Connection) {
	for _, e := range r.entities {
		switch e := e.(type) {
		case *service:
			for _, o := range e.listener.Streams() {
				rows = append(rows, tcpRow(o, "in", addrText(o.Remote), e.cfg.SSLProfile != ""))
			}
		case *connectorService:
			rows = append(rows, tcpRow(tcp.Open{ID: e.id, Since: e.since}, "out", hostDispatch, false))
			for _, o := range e.connector.Streams() {
				rows = append(rows, tcpRow(o, "out", e.cfg.Host+":"+e.cfg.Port, e.cfg.SSLProfile != ""))
			}
		}
	}
	return rows
}

func tcpRow(o tcp.Open, dir, host string, encrypted bool) manage.Connection {
	return manage.Connection{
		ID: o.ID, Host: host, Role: config.RoleNormal, Protocol: "tcp", Dir: dir, Container: "TcpAdaptor",
		SSL: encrypted, IsEncrypted: encrypted, Opened: true, Active: true, AdminStatus: "enabled", OperStatus: "up",
		UptimeSeconds: uint32(time.Since(o.Since).Seconds()),
	}
}

// cutTCP ends a connection of a TCP service and reports whether there is one of
// that number.
func (r *Router) cutTCP(id uint64) bool {
	for _, e := range r.entities {
		switch e := e.(type) {
		case *service:
			if e.listener.Cut(id) {
				return true
			}
		case *connectorService:
			if e.connector.Cut(id) {
				return true
			}
		}
	}
	return false
}
