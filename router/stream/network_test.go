package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// network stands for everything between the two ends of a stream: an Opener
// whose deliveries arrive at destinations of the test. Each direction has one
// goroutine, as a connection has, and remembers what passed it.
type network struct {
	t        *testing.T
	mu       sync.Mutex
	services map[string][]*destination
	replies  map[string]ReplyTaker
	temps    int
	log      []string
	frame    int           // longest payload of a transfer
	latency  time.Duration // of each direction
	held     bool          // nothing passes
	lines    [2]*line
	wg       sync.WaitGroup
	open     []*delivery
	trace    []byte // router annotations
	late     bool   // clients are not read before the reply
}

// destination is where a service's streams go.
type destination struct {
	take  func(r Receiving, h *Head) session.Sink
	local Dialer
	gone  bool // answers released
}

// line carries events of one direction in order.
type line struct {
	ready chan struct{}
	queue []event
}

type event struct {
	at time.Time
	do func()
}

func newNetwork(t *testing.T) *network {
	n := &network{
		t: t, services: map[string][]*destination{}, replies: map[string]ReplyTaker{}, frame: 16355,
		trace: (&amqp.Annotations{Flags: amqp.FlagStreaming | amqp.FlagUnlimited, Ingress: "0/A", HasIngress: true, Trace: []string{"0/A"}}).Append(nil),
	}
	ctx, cancel := context.WithCancel(context.Background())
	for i := range n.lines {
		l := &line{ready: make(chan struct{}, 1)}
		n.lines[i] = l
		n.wg.Go(func() { n.run(ctx, l) })
	}
	t.Cleanup(func() {
		cancel()
		n.wg.Wait()
	})
	return n
}

func (n *network) run(ctx context.Context, l *line) {
	for {
		n.mu.Lock()
		var e event
		if len(l.queue) > 0 && !n.held {
			e = l.queue[0]
		}
		n.mu.Unlock()
		if e.do == nil {
			select {
			case <-l.ready:
				continue
			case <-ctx.Done():
				return
			}
		}
		if wait := time.Until(e.at); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		n.mu.Lock()
		l.queue = l.queue[1:]
		n.mu.Unlock()
		e.do()
	}
}

// send queues an event for one direction, 0 or 1.
func (n *network) send(way int, do func()) {
	l := n.lines[way]
	n.mu.Lock()
	e := event{do: do}
	if n.latency > 0 {
		e.at = time.Now().Add(n.latency)
	}
	l.queue = append(l.queue, e)
	n.mu.Unlock()
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// hold stops everything that is under way; release lets it go on.
func (n *network) hold() {
	n.mu.Lock()
	n.held = true
	n.mu.Unlock()
}

func (n *network) release() {
	n.mu.Lock()
	n.held = false
	n.mu.Unlock()
	for _, l := range n.lines {
		select {
		case l.ready <- struct{}{}:
		default:
		}
	}
}

func (n *network) note(format string, args ...any) {
	n.mu.Lock()
	n.log = append(n.log, fmt.Sprintf(format, args...))
	n.mu.Unlock()
}

// seen returns what passed, without payload and acknowledgements.
func (n *network) seen() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.log)
}

// serve adds a destination to a service.
func (n *network) serve(address string, d *destination) {
	n.services[address] = append(n.services[address], d)
}

// Open implements Opener. Destinations are chosen in order.
func (n *network) Open(_ context.Context, r Request) (Path, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := &delivery{n: n, out: r.Outcome, name: "request"}
	if taker, ok := n.replies[r.Address]; ok {
		d.name, d.way = "reply", 1
		d.take = taker.Reply
		n.open = append(n.open, d)
		return Path{Sending: d, Annotations: n.trace}, nil
	}
	for _, to := range n.services[r.Address] {
		if slices.Contains(r.Tried, any(to)) {
			continue
		}
		if to.local != nil {
			return Path{Local: to.local, Choice: to}, nil
		}
		d.take = to.take
		if to.gone {
			d.take = func(r Receiving, _ *Head) session.Sink { return Refuse(r, amqp.State{Code: amqp.StateReleased}) }
		}
		n.open = append(n.open, d)
		n.temps++
		temp := fmt.Sprintf("amqp:/_topo/0/A/temp.%d", n.temps)
		n.replies[temp] = r.Reply
		return Path{Sending: d, Annotations: n.trace, Early: !n.late, ReplyTo: temp, Choice: to}, nil
	}
	return Path{}, ErrNoRoute
}

// Close implements Opener.
func (n *network) Close(p Path) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.replies, p.ReplyTo)
}

// lose cuts all deliveries, as the loss of a connection does.
func (n *network) lose(err error) {
	n.mu.Lock()
	open := n.open
	n.open = nil
	n.mu.Unlock()
	for _, d := range open {
		d.lose(err)
	}
}

// delivery is both ends of one delivery: Sending, and Receiving.
type delivery struct {
	n    *network
	name string
	way  int
	out  session.Outcome
	take func(r Receiving, h *Head) session.Sink
	sink session.Sink

	// Guarded by n.mu.
	frames   []frame
	octets   int
	complete bool // written
	emitted  bool
	settled  bool // by the sender
	there    bool // by the receiver
	aborted  bool
	gone     bool
	held     int
	most     int // highest number of held frames
	acked    uint64
	received int // octets that arrived
}

type frame struct {
	payload []byte
	last    bool
}

// Write implements Sending.
func (d *delivery) Write(b *session.Buffer, more bool) {
	if b == nil {
		d.WriteBytes(nil, more)
		return
	}
	d.WriteBytes(b.Bytes(), more)
	b.Free()
}

// WriteBytes implements Sending.
func (d *delivery) WriteBytes(p []byte, more bool) {
	d.n.mu.Lock()
	if d.complete || d.aborted || d.gone {
		d.n.mu.Unlock()
		return
	}
	d.complete = !more
	frames := 1
	for ; len(p) > d.n.frame; frames++ {
		d.queue(p[:d.n.frame], false)
		p = p[d.n.frame:]
	}
	d.queue(p, !more)
	d.n.mu.Unlock()
	for range frames {
		d.n.send(d.way, d.emit)
	}
}

// queue is called with n.mu held.
func (d *delivery) queue(p []byte, last bool) {
	d.frames = append(d.frames, frame{slices.Clone(p), last})
	d.octets += len(p)
}

// emit lets one frame arrive.
func (d *delivery) emit() {
	d.n.mu.Lock()
	if len(d.frames) == 0 || d.gone {
		d.n.mu.Unlock()
		return
	}
	f := d.frames[0]
	d.frames = d.frames[1:]
	d.octets -= len(f.payload)
	ready := len(d.frames) == maxQueued-1
	first := d.sink == nil
	settled := f.last && d.settled
	d.emitted = f.last
	d.received += len(f.payload)
	if first {
		d.sink = NewIntake(d, d, nil)
	}
	d.n.mu.Unlock()
	if f.last {
		if settled {
			d.n.note("%s: last transfer, settled", d.name)
		} else {
			d.n.note("%s: last transfer", d.name)
		}
	} else if first {
		d.n.note("%s: transfer", d.name)
	}
	if ready {
		d.out.Ready()
	}
	d.n.mu.Lock()
	heard := !d.there
	d.n.mu.Unlock()
	if !heard {
		return
	}
	d.sink.Transfer(f.payload, !f.last)
	if settled {
		d.sink.Settled(amqp.State{})
	}
}

// Route implements Router.
func (d *delivery) Route(r Receiving, h *Head) (session.Sink, int) {
	if !h.Whole {
		return nil, 0
	}
	return d.take(r, h), h.BodyOffset
}

// End implements Sending.
func (d *delivery) End(settled bool) {
	d.WriteBytes(nil, false)
	if settled {
		d.Settle(amqp.State{})
	}
}

// Settle implements Sending.
func (d *delivery) Settle(amqp.State) {
	d.n.mu.Lock()
	was, emitted := d.settled, d.emitted
	d.settled = true
	there := d.there
	d.n.mu.Unlock()
	if !was && emitted && !there {
		d.n.send(d.way, func() {
			d.n.note("%s: settled by the sender", d.name)
			d.sink.Settled(amqp.State{})
		})
	}
}

// Tell implements Sending.
func (d *delivery) Tell(st amqp.State) {
	d.n.mu.Lock()
	emitted := len(d.frames) == 0
	d.n.mu.Unlock()
	if !emitted {
		return
	}
	d.n.send(d.way, func() {
		d.n.note("%s: told %v", d.name, st.Code)
		if h, ok := d.sink.(session.Hearer); ok {
			h.Told(st)
		}
	})
}

// Abort implements Sending.
func (d *delivery) Abort() {
	d.n.mu.Lock()
	if d.emitted {
		d.n.mu.Unlock()
		d.Settle(amqp.State{})
		return
	}
	if d.aborted || d.gone {
		d.n.mu.Unlock()
		return
	}
	d.aborted, d.settled, d.frames = true, true, nil
	d.n.mu.Unlock()
	d.n.send(d.way, func() {
		if d.sink != nil {
			d.n.note("%s: aborted", d.name)
			d.sink.Abort()
		}
	})
}

// Queued implements Sending. A path with latency takes everything at once.
func (d *delivery) Queued() int {
	d.n.mu.Lock()
	defer d.n.mu.Unlock()
	if d.n.latency > 0 {
		return 0
	}
	return len(d.frames)
}

// QueuedBytes implements Sending.
func (d *delivery) QueuedBytes() int {
	d.n.mu.Lock()
	defer d.n.mu.Unlock()
	return d.octets
}

// MaxPayload implements Sending.
func (d *delivery) MaxPayload() int { return d.n.frame }

// Update implements Receiving.
func (d *delivery) Update(st amqp.State, settled bool) {
	d.n.mu.Lock()
	if d.there || d.settled && d.emitted || d.gone {
		d.n.mu.Unlock()
		return
	}
	d.there = settled
	if st.Code == amqp.StateReceived {
		d.acked = st.Offset
	}
	d.n.mu.Unlock()
	if st.Code != amqp.StateReceived || st.Offset == 0 {
		d.n.note("%s: %s", d.name, describe(st, settled))
	}
	d.n.send(1-d.way, func() {
		d.n.mu.Lock()
		heard := !d.settled && !d.aborted && !d.gone
		d.n.mu.Unlock()
		if heard {
			d.out.Update(st, settled)
		}
	})
}

func describe(st amqp.State, settled bool) string {
	s := st.Code.String()
	if st.Code == amqp.StateModified {
		s += fmt.Sprintf("[%v,%v]", st.Failed, st.Undeliverable)
		if _, ok := notConnected(&st); ok {
			s += " not connected"
		}
	}
	if settled {
		s += " settled"
	}
	return s
}

// Hold implements Receiving.
func (d *delivery) Hold(frames int) {
	d.n.mu.Lock()
	defer d.n.mu.Unlock()
	d.held += frames
	d.most = max(d.most, d.held)
}

// Release implements Receiving.
func (d *delivery) Release(frames int) {
	d.n.mu.Lock()
	defer d.n.mu.Unlock()
	d.held -= frames
}

func (d *delivery) lose(err error) {
	d.n.mu.Lock()
	was := d.gone
	d.gone = true
	sink := d.sink
	tell := !was && !d.there && !(d.settled && d.emitted) && !d.aborted
	d.n.mu.Unlock()
	if !tell {
		return
	}
	if sink != nil {
		sink.Lost(err)
	}
	d.out.Lost(err)
}
