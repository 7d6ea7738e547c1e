package router

import (
	"net"

	"github.com/skupper-host/skupper/router/manage"
)

// defaultVhost is the vhost of clients that belong to no other.
const defaultVhost = "$default"

// VhostStats implements manage.Store: a row for each configured vhost. Policy is
// not enforced: nothing is denied, and every client counts for the default one.
func (s store) VhostStats() (rows []manage.VhostStats) {
	s.on(func() {
		for i := range s.r.cfg.Vhosts {
			row := manage.VhostStats{Hostname: s.r.cfg.Vhosts[i].Hostname}
			if row.Hostname == defaultVhost {
				s.r.countClients(&row)
			}
			rows = append(rows, row)
		}
	})
	return rows
}

// countClients enters the connections of clients by user and host.
func (r *Router) countClients(row *manage.VhostStats) {
	row.PerUserState, row.PerHostState = map[string]any{}, map[string]any{}
	enter := func(m map[string]any, key, name string) {
		list, _ := m[key].([]any)
		m[key] = append(list, name)
	}
	for _, p := range r.peers {
		if !p.up || p.router() {
			continue
		}
		row.ConnectionsApproved++
		row.ConnectionsCurrent++
		st := p.conn.State()
		addr := addrText(st.RemoteAddr)
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		enter(row.PerUserState, st.User, addr)
		enter(row.PerHostState, host, addr)
	}
}
