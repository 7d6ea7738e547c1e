package session

import (
	"github.com/skupper-host/skupper/router/amqp"
)

// SetCredit changes the window of a link that we receive on and tells the peer.
func (l *Link) SetCredit(window uint32) {
	if l.sender || l.gone || l.detached {
		return
	}
	l.policy.Window = window
	l.wantFlow()
}

// CreditAvailable is the number of deliveries that may begin now on a link that
// we send on, less those that wait.
func (l *Link) CreditAvailable() int { return int(l.credit) - int(l.waiting) }

// grant gives credit when there is some to give: at once if the policy says so,
// else when half of the last grant is used.
func (l *Link) grant() {
	if l.sender || l.gone || l.detached || !l.attached || l.remote == nil {
		return
	}
	if (l.policy.Prompt || l.credit <= l.policy.Window/2) && l.target() > l.credit {
		l.wantFlow()
	}
}

// target is the credit that may be granted now.
func (l *Link) target() uint32 {
	if !l.policy.OnSettle {
		return l.policy.Window
	}
	return l.policy.Window - min(l.policy.Window, l.open)
}

func (l *Link) wantFlow() {
	if !l.flowQueued && l.attached && !l.detached {
		l.flowQueued = true
		l.s.e.creditDue.push(l)
	}
}

// flow returns the link's flow. Composing it grants the credit.
func (l *Link) flow() amqp.Flow {
	f := l.s.flow()
	if !l.sender {
		l.credit, l.beyond = l.target(), 0
		l.allowance = max(l.allowance, l.credit)
	}
	f.Handle, f.HasHandle = l.handle, true
	f.DeliveryCount, f.HasDeliveryCount = l.deliveryCount, true
	f.LinkCredit, f.HasLinkCredit = l.credit, true
	if l.sender {
		f.Available = uint32(l.waiting)
		f.Drain = l.drain
	}
	return f
}

// receiveFlow handles the link part of a flow.
func (l *Link) receiveFlow(f *amqp.Flow) error {
	if f.Echo {
		l.wantFlow()
	}
	if l.gone || l.detached || !l.attached && !l.sender {
		return nil
	}
	if !l.sender {
		l.senderMoved(f)
		return nil
	}
	before := l.credit
	if f.HasLinkCredit {
		from := uint32(0)
		if f.HasDeliveryCount {
			from = f.DeliveryCount
		}
		if serialDiff(from, l.deliveryCount) > 0 {
			return linkErrorf(l, amqp.ErrInvalidField, "flow: delivery-count %d, but %d deliveries have begun", from, l.deliveryCount)
		}
		l.credit = remaining(from, f.LinkCredit, l.deliveryCount)
	}
	l.drain = f.Drain
	if !l.attached {
		return nil // the peer need not wait for our attach; see Accept
	}
	l.schedule()
	if before == 0 && l.credit > 0 || l.drain {
		l.s.e.event(Event{Kind: EventCredit, Link: l})
	}
	return nil
}

// senderMoved notes that the sending peer has used up credit without sending.
func (l *Link) senderMoved(f *amqp.Flow) {
	if !f.HasDeliveryCount {
		return
	}
	if skipped := serialDiff(f.DeliveryCount, l.deliveryCount); skipped > 0 {
		l.deliveryCount = f.DeliveryCount
		l.credit -= min(l.credit, uint32(skipped))
		l.grant()
	}
}

// Drained takes credit back that is left over when the peer drains the link
// and nothing waits to begin, and says so. It does nothing on other links.
func (l *Link) Drained() {
	if !l.drain || l.waiting > 0 || l.gone || l.detached {
		return
	}
	l.deliveryCount += l.credit
	l.credit = 0
	l.wantFlow()
}
