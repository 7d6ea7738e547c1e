package router

import (
	"sync/atomic"

	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/session"
)

// tally counts deliveries since the start of the router. compat: what counts as
// what is upstream's: ingress comes on a link that is not one between interior
// routers, egress leaves on such a one, transit leaves to an interior router.
type tally struct {
	ingress, egress, transit, presettled atomic.Uint64

	gone session.LinkStats // outcomes of connections that have ended. Owned by the control loop.
}

// came counts a delivery that begins to arrive.
func (t *tally) came(settled bool) {
	t.ingress.Add(1)
	if settled {
		t.presettled.Add(1)
	}
}

// left counts a delivery that begins to leave, to another router or not.
func (t *tally) left(toRouter bool) {
	if toRouter {
		t.transit.Add(1)
		return
	}
	t.egress.Add(1)
}

// ended keeps the outcomes of a connection that has ended.
func (t *tally) ended(c *conn.Conn) { add(&t.gone, c.State().Stats.Outcomes) }

func add(sum *session.LinkStats, s session.LinkStats) {
	sum.Accepted += s.Accepted
	sum.Rejected += s.Rejected
	sum.Released += s.Released
	sum.Modified += s.Modified
	sum.Dropped += s.Dropped
	sum.Delayed1 += s.Delayed1
	sum.Delayed10 += s.Delayed10
}

// report fills in what was counted. It is called by the control loop.
func (r *Router) report(m *manage.Metrics) {
	sum, stuck, blocked := r.tally.gone, 0, 0
	for _, p := range r.peers {
		if p.up {
			st := p.conn.State().Stats
			add(&sum, st.Outcomes)
			stuck += st.Stuck
			blocked += st.Blocked
		}
	}
	m.DeliveriesDelayed1Sec, m.DeliveriesDelayed10Sec = uint64(sum.Delayed1), uint64(sum.Delayed10)
	m.DeliveriesStuck, m.LinksBlocked = uint64(stuck), uint32(blocked)
	m.AcceptedDeliveries, m.RejectedDeliveries, m.ReleasedDeliveries, m.ModifiedDeliveries = sum.Accepted, sum.Rejected, sum.Released, sum.Modified
	m.DroppedPresettledDeliveries, m.PresettledDeliveries = sum.Dropped, r.tally.presettled.Load()
	m.DeliveriesIngress, m.DeliveriesEgress, m.DeliveriesTransit = r.tally.ingress.Load(), r.tally.egress.Load(), r.tally.transit.Load()
}
