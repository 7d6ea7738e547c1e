package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/linkstate"
)

// Options of a Network.
type Options struct {
	Seed   uint64
	Delay  time.Duration    // one way, of every link; default 1 ms
	Spread time.Duration    // most that is added to it, different for each link
	Config linkstate.Config // of every router; ID and Instance are set
	// Trace, if set, hears of everything that routers do.
	Trace func(now time.Duration, router, what string)
}

// Traffic counts routing messages on links.
type Traffic struct {
	Messages int
	Bytes    int
}

// Network is a set of routers and the links between them.
type Network struct {
	options Options
	rand    *rand.Rand
	start   time.Time
	now     time.Time
	queue   eventQueue
	order   uint64
	routers []*Router
	byID    map[string]*Router
	links   []*Link
	traffic map[linkstate.Opcode]Traffic

	reference *Reference // nil after a change of routers or links
}

// New returns a network without routers.
func New(o Options) *Network {
	if o.Delay == 0 {
		o.Delay = time.Millisecond
	}
	start := time.Unix(1_800_000_000, 0)
	return &Network{
		options: o, rand: rand.New(rand.NewPCG(o.Seed, 1)), start: start, now: start,
		byID: map[string]*Router{}, traffic: map[linkstate.Opcode]Traffic{},
	}
}

// Elapsed is the virtual time since the beginning.
func (n *Network) Elapsed() time.Duration { return n.now.Sub(n.start) }

// Routers lists the routers in the order in which they were added.
func (n *Network) Routers() []*Router { return n.routers }

// Router returns the router with an id, nil if there is none.
func (n *Network) Router(id string) *Router { return n.byID[id] }

// Links lists the links in the order in which they were made.
func (n *Network) Links() []*Link { return n.links }

// Rand is the network's source of randomness.
func (n *Network) Rand() *rand.Rand { return n.rand }

// Traffic returns what was sent since the last call, HELLO left out.
func (n *Network) Traffic() Traffic {
	var sum Traffic
	for op, t := range n.traffic {
		if op != linkstate.HELLO {
			sum.Messages += t.Messages
			sum.Bytes += t.Bytes
		}
	}
	clear(n.traffic)
	return sum
}

// Run lets time pass.
func (n *Network) Run(d time.Duration) {
	end := n.now.Add(d)
	for len(n.queue) > 0 && !n.queue[0].at.After(end) {
		n.next()
	}
	n.now = end
}

// RunUntil lets time pass until done, which is asked after every event, but not
// longer than d. It returns the time that it took and whether done was true.
func (n *Network) RunUntil(d time.Duration, done func() bool) (time.Duration, bool) {
	begin, end := n.now, n.now.Add(d)
	for !done() {
		if len(n.queue) == 0 || n.queue[0].at.After(end) {
			n.now = end
			return d, false
		}
		n.next()
	}
	return n.now.Sub(begin), true
}

func (n *Network) next() {
	ev := heap.Pop(&n.queue).(event)
	n.now = ev.at
	ev.happen()
}

func (n *Network) at(when time.Time, happen func()) {
	n.order++
	heap.Push(&n.queue, event{at: when, order: n.order, happen: happen})
}

type event struct {
	at     time.Time
	order  uint64 // of events at the same time
	happen func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].order < q[j].order
	}
	return q[i].at.Before(q[j].at)
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return last
}

// Link is a connection between two routers.
type Link struct {
	A, B  *Router
	Cost  int
	Delay time.Duration

	net   *Network
	ids   [2]linkstate.LinkID // as A and B know it; 0 = down
	lossy bool
	life  int // counts ups, so that messages of an earlier life are lost
}

// Connect makes a link and brings it up.
func (n *Network) Connect(a, b *Router, cost int) *Link {
	l := &Link{A: a, B: b, Cost: cost, Delay: n.options.Delay, net: n}
	if n.options.Spread > 0 {
		l.Delay += time.Duration(n.rand.Int64N(int64(n.options.Spread)))
	}
	n.links = append(n.links, l)
	l.Restore()
	return l
}

// Up tells whether the link carries messages between running routers.
func (l *Link) Up() bool { return l.ids[0] != 0 && !l.lossy && l.A.running && l.B.running }

// Cut breaks the link; both ends know.
func (l *Link) Cut() {
	l.net.reference = nil
	l.life++
	for i, r := range [...]*Router{l.A, l.B} {
		if id := l.ids[i]; id != 0 {
			l.ids[i] = 0
			delete(r.links, id)
			r.step(linkstate.LinkDown{Link: id})
		}
	}
}

// Restore brings a cut link up.
func (l *Link) Restore() {
	l.net.reference = nil
	l.lossy = false
	if l.ids[0] != 0 || !l.A.running || !l.B.running {
		return
	}
	l.life++
	for i, r := range [...]*Router{l.A, l.B} {
		r.lastLink++
		l.ids[i] = r.lastLink
		r.links[l.ids[i]] = l
	}
	l.A.step(linkstate.LinkUp{Link: l.ids[0], Cost: l.Cost})
	l.B.step(linkstate.LinkUp{Link: l.ids[1], Cost: l.Cost})
}

// SetCost changes the cost at both ends.
func (l *Link) SetCost(cost int) {
	l.net.reference = nil
	l.Cost = cost
	if l.ids[0] != 0 {
		l.A.step(linkstate.LinkUp{Link: l.ids[0], Cost: cost})
		l.B.step(linkstate.LinkUp{Link: l.ids[1], Cost: cost})
	}
}

// Blackhole loses what is sent until Heal; nobody is told.
func (l *Link) Blackhole() { l.lossy, l.net.reference = true, nil }

// Heal ends a Blackhole.
func (l *Link) Heal() { l.lossy, l.net.reference = false, nil }

func (l *Link) String() string { return fmt.Sprintf("%s-%s", l.A.ID, l.B.ID) }

// peer is the other end of a link and the link's number there.
func (l *Link) peer(r *Router) (*Router, linkstate.LinkID) {
	if r == l.A {
		return l.B, l.ids[1]
	}
	return l.A, l.ids[0]
}

// packet is a routing message on its way.
type packet struct {
	opcode   linkstate.Opcode
	to       string
	ingress  string
	trace    []string
	sections []byte
}

func (n *Network) send(from *Router, id linkstate.LinkID, p packet) {
	l := from.links[id]
	if l == nil {
		return
	}
	size := len(p.sections) + 40
	for _, t := range p.trace {
		size += len(t) + 2
	}
	t := n.traffic[p.opcode]
	n.traffic[p.opcode] = Traffic{t.Messages + 1, t.Bytes + size}
	if l.lossy {
		return
	}
	life := l.life
	n.at(n.now.Add(l.Delay), func() {
		if to, id := l.peer(from); l.life == life && !l.lossy && id != 0 {
			to.received(id, p)
		}
	})
}

// address is the "to" of a message.
func address(sections []byte) string {
	p, _, err := amqp.ScanPrefix(sections)
	if err != nil {
		panic(err)
	}
	return string(p.To)
}
