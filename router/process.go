package router

import (
	"sync"
	"sync/atomic"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/stream"
)

// Bounds of messages for parts of the router itself, in octets.
const (
	maxRequest   = 4 << 20   // a management request
	maxCommand   = 16 << 10  // a command for an event source
	maxCoRecords = 256 << 10 // 50 records with everything in them
	// maxIncomplete bounds all such messages together that are not complete.
	maxIncomplete = 32 << 20
)

// process is a part of the router that takes messages as a destination does.
type process struct {
	// handle is called with a whole message, annotations included or not, on the
	// goroutine that delivers it; it must not block.
	handle     func(message []byte)
	limit      int           // longest message, in octets
	incomplete *atomic.Int64 // octets of all messages for processes that are not complete
}

// way implements destination.
func (t *process) way(c forward.Choice, m *message, out session.Outcome) (stream.Path, bool) {
	return stream.Path{Sending: &processDelivery{t: t, c: c, out: out, settled: m.settled}, Choice: c}, true
}

// processDelivery collects a message for a process. It implements
// stream.Sending.
type processDelivery struct {
	t       *process
	c       forward.Choice
	out     session.Outcome
	settled bool

	mu   sync.Mutex
	data []byte // Guarded by mu.
	over bool   // Guarded by mu.
}

// Write implements stream.Sending.
func (d *processDelivery) Write(b *session.Buffer, more bool) {
	if b == nil {
		d.WriteBytes(nil, more)
		return
	}
	d.WriteBytes(b.Bytes(), more)
	b.Free()
}

// WriteBytes implements stream.Sending.
func (d *processDelivery) WriteBytes(p []byte, more bool) {
	d.mu.Lock()
	if d.over {
		d.mu.Unlock()
		return
	}
	st := accepted
	switch {
	case len(d.data)+len(p) > d.t.limit:
		st = rejected(amqp.ErrMessageSizeExceeded, "message too long for a process of the router")
	case more && d.t.incomplete.Load()+int64(len(p)) > maxIncomplete:
		st = rejected(amqp.ErrResourceLimitExceeded, "too many incomplete messages for the router")
	default:
		d.data = append(d.data, p...)
		d.t.incomplete.Add(int64(len(p)))
	}
	refused := st.Code == amqp.StateRejected
	d.over = !more || refused
	over, data := d.over, d.data
	if over {
		d.release()
	}
	d.mu.Unlock()
	if !over {
		return
	}
	d.c.Done()
	if !refused {
		d.t.handle(data)
	}
	if !d.settled {
		d.out.Update(st, true)
	}
}

// release forgets what has come. mu is held.
func (d *processDelivery) release() {
	d.t.incomplete.Add(-int64(len(d.data)))
	d.data = nil
}

// End implements stream.Sending.
func (d *processDelivery) End(bool) { d.WriteBytes(nil, false) }

// Abort implements stream.Sending.
func (d *processDelivery) Abort() {
	d.mu.Lock()
	over := d.over
	d.over = true
	d.release()
	d.mu.Unlock()
	if !over {
		d.c.Done()
	}
}

// Settle implements stream.Sending.
func (d *processDelivery) Settle(amqp.State) {}

// Tell implements stream.Sending.
func (d *processDelivery) Tell(amqp.State) {}

// Queued implements stream.Sending.
func (d *processDelivery) Queued() int { return 0 }

// QueuedBytes implements stream.Sending.
func (d *processDelivery) QueuedBytes() int { return 0 }

// MaxPayload implements stream.Sending.
func (d *processDelivery) MaxPayload() int { return session.BufferLarge }

// nobody is the outcome of presettled messages of our own.
type nobody struct{}

func (nobody) Update(amqp.State, bool) {}
func (nobody) Ready()                  {}
func (nobody) Lost(error)              {}

// publish sends a whole message of our own, sections without router
// annotations, presettled to wherever its address leads.
func (r *Router) publish(to string, priority uint8, sections []byte) {
	snap := r.snap.Load()
	key := snap.Names().Key(to)
	m := message{to: to, settled: true, priority: priority}
	if key.Class == forward.ClassLocal {
		if taker, ok := r.temps.get(key.Name); ok {
			if d, ok := taker.(destination); ok {
				r.deliver(d.way, forward.Choice{}, &m, sections)
			}
			return
		}
	}
	a := r.leading(snap, key, false)
	if t := a.Treatment(); t == forward.Multicast || t == forward.Flood {
		for _, c := range snap.Multicast(a, &forward.Delivery{}, nil) {
			r.deliver(r.way, c, &m, sections)
		}
		return
	}
	if c, ok := snap.Choose(a, &forward.Delivery{}); ok {
		r.deliver(r.way, c, &m, sections)
	}
}

type wayFunc func(c forward.Choice, m *message, out session.Outcome) (stream.Path, bool)

func (r *Router) deliver(way wayFunc, c forward.Choice, m *message, sections []byte) {
	path, ok := way(c, m, nobody{})
	if !ok {
		c.Done()
		return
	}
	if len(path.Annotations) > 0 {
		path.Sending.WriteBytes(path.Annotations, true)
	}
	path.Sending.WriteBytes(sections, false)
}
