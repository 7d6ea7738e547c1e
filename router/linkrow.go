package router

import (
	"slices"
	"strconv"

	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/manage"
)

// Types of links as management names them (compat: skupper-router 3.x).
const (
	linkEndpoint = "endpoint"
	linkControl  = "router-control"
	linkData     = "inter-router"
	linkDownlink = "edge-downlink"

	linkInterEdge = "inter-edge"
)

// linkRole is what a link is for.
type linkRole struct {
	kind     string
	key      forward.Key // its address, zero if it has none
	priority int
	stream   bool // it waits for streams, one after another
}

// described are the events of a link that say what it is for.
type described interface{ role() linkRole }

func (e *controlLink) role() linkRole   { return linkRole{kind: linkControl} }
func (e *dataLink) role() linkRole      { return linkRole{kind: linkData, priority: e.priority} }
func (p *anonymousLink) role() linkRole { return streamRole() }
func (e *trackingEvents) role() linkRole {
	return endpointRole(forward.Key{Class: forward.ClassMobile, Name: addrTracking})
}

func (e *meshEvents) role() linkRole {
	return endpointRole(forward.Key{Class: forward.ClassMobile, Name: addrMesh})
}
func (e *producerLink) role() linkRole { return endpointRole(e.key) }
func (e *proxiedLink) role() linkRole {
	return endpointRole(forward.Key{Class: forward.ClassMobile, Name: e.address})
}

func (e *consumerEvents) role() linkRole {
	if e.t.downlink {
		return linkRole{kind: linkDownlink, key: e.t.key, priority: defaultPriority}
	}
	return endpointRole(e.t.key)
}

func endpointRole(key forward.Key) linkRole {
	return linkRole{kind: linkEndpoint, key: key, priority: defaultPriority}
}

// streamRole is the role of a link without address: one that carries streams.
// compat: it is an endpoint between routers too; inter-router are those of
// messages.
func streamRole() linkRole {
	return linkRole{kind: linkEndpoint, priority: defaultPriority, stream: true}
}

func linkRoleOf(l *conn.Link) linkRole {
	if d, ok := l.Events().(described); ok {
		return d.role()
	}
	return streamRole() // a pooled one, or one that is not answered yet
}

// Links implements manage.Store.
func (s store) Links() (rows []manage.Link) {
	s.on(func() {
		for _, p := range s.r.peers {
			if !p.up {
				continue
			}
			for _, l := range p.conn.Links() {
				rows = append(rows, p.linkRow(l))
			}
		}
	})
	slices.SortFunc(rows, func(a, b manage.Link) int { return int(a.ID) - int(b.ID) })
	return rows
}

func (p *peer) linkRow(l *conn.Link) manage.Link {
	st, role := l.Stats(), linkRoleOf(l)
	row := manage.Link{
		ID: l.ID(), LinkName: l.Name(), LinkType: role.kind, LinkDir: "in", Priority: uint32(role.priority),
		Capacity: p.capacity(), ConnectionID: strconv.FormatUint(p.id, 10), AdminStatus: "enabled", OperStatus: "up",
		UndeliveredCount: uint64(st.Undelivered), UnsettledCount: uint64(st.Unsettled), DeliveryCount: st.Deliveries,
		PresettledCount: st.Presettled, DroppedPresettledCount: st.Dropped, AcceptedCount: st.Accepted, RejectedCount: st.Rejected,
		ReleasedCount: st.Released, ModifiedCount: st.Modified, CreditAvailable: st.Credit,
		DeliveriesDelayed1Sec: uint64(st.Delayed1), DeliveriesDelayed10Sec: uint64(st.Delayed10), DeliveriesStuck: uint64(st.Stuck), ZeroCreditSeconds: st.ZeroCredit,
	}
	if role.stream && p.router() && st.Unsettled+st.Undelivered == 0 {
		row.OperStatus = "idle" // compat: up counts the streams
	}
	if role.key != (forward.Key{}) {
		row.OwningAddr = role.key.String()
	}
	if l.Sender() {
		row.LinkDir = "out"
	}
	return row
}
