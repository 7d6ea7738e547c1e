package linkstate

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Config says who a router is and how patient it is. Zero fields have the
// defaults of skupper-router 3.x (compat:) where it knows them.
type Config struct {
	// ID is the router id: not empty, not "all", at most 255 octets, without
	// slashes, white space and control characters.
	ID string

	// Instance is the boot number, by custom the start time in seconds since
	// the epoch. It must differ from that of every earlier start: others take
	// an equal one for the same router with its old sequence numbers.
	Instance int64

	// MaxRouters bounds the routers known, this one included; default 4096.
	// compat: skupper-router 3.x knows 128 and ignores further ones, so a
	// network with its routers is limited to that.
	MaxRouters int

	// MaxAddresses bounds the addresses kept of one router; default 262,144.
	MaxAddresses int

	HelloInterval  time.Duration // 1 s; half of it on prompt links
	HelloMaxAge    time.Duration // 3 s: a neighbor is gone after this silence; half of it on prompt links
	RAInterval     time.Duration // 30 s: between advertisements in quiet times
	RAIntervalFlux time.Duration // 4 s: shortly after a change
	RemoteMaxAge   time.Duration // 60 s: without advertisement a link state is dropped

	// UnreachableHoldoff is how long addresses of an unreachable router stay,
	// 1 s.
	UnreachableHoldoff time.Duration

	// AddressDelay is how long changed addresses are gathered into one MAU,
	// 20 ms, and AddressInterval the least time between two, 250 ms.
	// skupper-router sends one each second.
	AddressDelay, AddressInterval time.Duration

	// Seed of the jitter.
	Seed uint64
}

const (
	maxCost = 1<<30 - 1

	// originationDelay is how long changes of the neighbors are gathered.
	originationDelay = 10 * time.Millisecond
	// originationHold is the least mean time between two link states of this
	// router, originationBurst the number of them that may go out at once.
	originationHold  = 200 * time.Millisecond
	originationBurst = 3
	// pathsHold is the least time between two path computations caused by
	// others: a burst of link states is computed once.
	pathsHold = 50 * time.Millisecond
	// discoveryGrace is how long a router waits for a link state that is
	// probably being flooded before it asks.
	discoveryGrace = 300 * time.Millisecond
	// exchangeGrace is the same if all neighbors take part in the exchange,
	// which tells of what was not flooded as well.
	exchangeGrace = 3 * time.Second
	// floodGrace is the same for news of a router that floods.
	floodGrace = 500 * time.Millisecond
	// addressGrace is the same for addresses: MAU and RA take different ways.
	addressGrace = 200 * time.Millisecond
	// introduction is the longest delay of the RA that greets routers which
	// have become reachable.
	introduction = 500 * time.Millisecond

	housekeepingInterval = time.Second
	orphanAge            = 3 * time.Second // compat: three ticks
)

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.HelloInterval, time.Second)
	set(&c.HelloMaxAge, 3*time.Second)
	set(&c.RAInterval, 30*time.Second)
	set(&c.RAIntervalFlux, 4*time.Second)
	set(&c.RemoteMaxAge, 60*time.Second)
	set(&c.UnreachableHoldoff, time.Second)
	set(&c.AddressDelay, 20*time.Millisecond)
	set(&c.AddressInterval, 250*time.Millisecond)
	if c.MaxRouters <= 0 {
		c.MaxRouters = 4096
	}
	if c.MaxAddresses <= 0 {
		c.MaxAddresses = 1 << 18
	}
	return c
}

// Engine is the link-state protocol of one router. It is not safe for
// concurrent use.
type Engine struct {
	cfg  Config
	rand *rand.Rand
	out  Output

	started bool
	base    time.Time
	now     instant
	due     instant // when settle had something to do next; see Output.Wake

	// Links.
	links      map[LinkID]*link
	order      []*link // by id
	neighbors  int
	helloDue   instant
	promptDue  instant // of prompt links; never if there are none
	ownIDNoted bool

	// Database.
	self         *node
	nodes        []*node // by index
	byID         map[string]*node
	sorted       []*node // by id
	limitNoted   bool
	housekeeping instant
	incompatible map[string]bool // reported

	// This router's link state.
	ownDirty     bool
	ownSince     instant // when it became so
	originations instant // see mayOriginate
	floodOwn     bool
	settleDue    instant
	raDue        instant
	lastRA       instant
	advertised   advertisement // by the last RA
	lastChange   instant       // of the topology, for the flux window

	// Paths.
	pathsDirty  bool
	pathsUrgent bool
	computed    instant
	search      *search
	memory      *sync.Pool
	reach       *Reach
	holdoffDue  instant

	// Start.
	starting   bool
	onlyFloods bool    // all reachable routers flood
	firstUp    instant // never before the first neighbor

	requestsDue instant
	seen        duplicates
	local       localAddresses
}

// New returns an engine without neighbors. It returns an error if cfg.ID
// cannot be a router id.
func New(cfg Config) (*Engine, error) {
	if !validID(cfg.ID) {
		return nil, fmt.Errorf("router id %q: want 1 to %d octets without slash, space and control characters, and not %q", cfg.ID, maxIDLength, "all")
	}
	cfg = cfg.withDefaults()
	e := &Engine{
		cfg:          cfg,
		rand:         rand.New(rand.NewPCG(cfg.Seed, uint64(cfg.Instance))),
		links:        map[LinkID]*link{},
		byID:         map[string]*node{},
		incompatible: map[string]bool{},
		search:       new(search),
		memory:       &sync.Pool{New: func() any { return new(search) }},
		starting:     true,
		firstUp:      never,
		computed:     -pathsHold,
		lastChange:   -never / 2,
		promptDue:    never,
		due:          never,
		requestsDue:  never,
		settleDue:    never,
		holdoffDue:   never,
		housekeeping: housekeepingInterval,
		local:        newLocalAddresses(cfg),
		seen:         newDuplicates(),
	}
	e.helloDue = time.Duration(e.rand.Int64N(int64(cfg.HelloInterval)))
	e.raDue = e.jittered(cfg.RAInterval)
	e.self = e.learn(cfg.ID)
	e.self.instance, e.self.hasInstance = cfg.Instance, true
	e.self.answered, e.self.version = true, protocolVersion
	e.pathsDirty, e.pathsUrgent = true, true
	return e, nil
}

// Step advances the engine. It never blocks, never reads a clock and performs
// no I/O. The returned Output is valid until the next call.
func (e *Engine) Step(now time.Time, in Input) Output {
	e.begin(now)
	e.excuse(e.now - e.due)
	tick := false
	switch in := in.(type) {
	case LinkUp:
		e.linkUp(in)
	case LinkDown:
		e.linkDown(in)
	case Received:
		e.receive(in)
	case AddressAdded:
		e.local.add(in, e.now)
	case AddressRemoved:
		e.local.remove(in, e.now)
	case Tick:
		tick = true
		e.noteHeard(in.Heard)
	case nil:
	default:
		panic(fmt.Sprintf("linkstate: input of type %T", in))
	}
	e.settle(tick)
	e.due = e.wake()
	e.out.Wake = e.base.Add(e.due)
	return e.out
}

func (e *Engine) begin(now time.Time) {
	if !e.started {
		e.started, e.base = true, now
		e.lastRA = 0
	}
	e.now = max(e.now, now.Sub(e.base)) // a clock that goes back stands still
	e.out = Output{
		Send: e.out.Send[:0], Relay: e.out.Relay[:0],
		Addresses: e.out.Addresses[:0], Events: e.out.Events[:0],
	}
}

// settle does what is due, in the order in which one thing leads to another.
func (e *Engine) settle(tick bool) {
	e.expireLinks(tick)
	e.keepHouse()
	e.checkStart()
	e.originate()
	e.computePaths()
	e.withdrawUnreachable()
	e.helloTick()
	e.floodLinkState()
	e.sendAddresses() // before the RA that carries its sequence
	e.advertise()
	e.sendRequests()
}

// wake is when settle has something to do next.
func (e *Engine) wake() instant {
	at := min(e.helloDue, e.promptDue, e.linksExpire(), e.housekeeping, e.raDue, e.requestsDue)
	if !e.starting {
		at = min(at, e.local.sendAt)
	}
	if e.ownDirty {
		at = min(at, max(e.mayOriginate(), e.now))
	}
	if e.pathsDirty {
		at = min(at, e.computed+pathsHold)
	}
	at = min(at, e.settleDue, e.startEnds(), e.holdoffDue)
	return max(at, e.now+1)
}

func (e *Engine) send(m Message) {
	if len(m.Links) > 0 {
		e.out.Send = append(e.out.Send, m)
	}
}

func (e *Engine) event(ev Event) { e.out.Events = append(e.out.Events, ev) }

// jittered shortens d by up to a tenth, so that routers do not beat in step.
func (e *Engine) jittered(d time.Duration) time.Duration {
	return d - time.Duration(e.rand.Int64N(int64(d)/10+1))
}
