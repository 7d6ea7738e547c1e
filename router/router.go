package router

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/journal"
	"github.com/skupper-host/skupper/router/linkstate"
	"github.com/skupper-host/skupper/router/observe"
	"github.com/skupper-host/skupper/router/stream"
	"github.com/skupper-host/skupper/router/tcp"
	"github.com/skupper-host/skupper/router/trunk"
)

// Router is one running router.
type Router struct {
	// Set before Run, then read only.
	id      string
	mode    string // a mode of config
	network string // of those that auto-links join; empty is none
	version string
	log     *slog.Logger
	journal *journal.Journal // nil if the log is somebody else's
	started time.Time
	box     *mailbox
	temps   *temps[replyTaker]
	groups  *trunk.Groups
	budget  *stream.Budget

	requests observe.Open // streams that carry some
	lot      *tcp.Lot     // where idle streams wait
	crew     *tcp.Crew    // who carries the others
	spawn    func(func(context.Context))
	env      config.Environment
	flows    *telemetry
	include  []string // see Options

	// Published by the control loop, read by everybody.
	self atomic.Pointer[origin]
	snap atomic.Pointer[forward.Snapshot]
	news atomic.Pointer[chan struct{}] // closed when snap is replaced
	hops atomic.Pointer[map[forward.HopID]*peer]

	incomplete atomic.Int64 // see process

	logsMessages atomic.Bool // see setMessageLog

	tally    tally
	lastConn atomic.Uint64 // connection numbers
	lastLink atomic.Uint64 // link numbers

	// Owned by the control loop.
	cfg       *config.Config
	reader    *config.Reader    // owned by whoever reloads
	engine    *linkstate.Engine // nil unless the router is interior
	wake      time.Time         // when the engine wants its next step
	heard     []linkstate.Heard // memory of tick
	table     *forward.Table
	peers     map[uint64]*peer
	announced map[forward.Key]forward.Announcement
	watchers  map[forward.Key][]watcher
	profiles  map[string]*profile
	entities  map[entityKey]entity
	failed    map[entityKey]bool // entities that could not be created
	problems  []error            // of the last change of the configuration
	pending   []func()           // what waits for the address table to be published
	uplink    *uplink            // of an edge router
	working   bool               // everything that was configured at the start is in effect
	leaving   bool               // the router takes nothing new
	mesh      *edgeMesh          // of an edge router
	reach     *linkstate.Reach
}

// watcher hears whether anybody serves an address. It is called by the control
// loop.
type watcher interface {
	reachable(key forward.Key, a *forward.Address)
}

// newRouter returns the router that cfg describes, without any entity but the
// router itself.
func newRouter(cfg *config.Config, opt Options, spawn func(func(context.Context))) (*Router, error) {
	r := &Router{
		id: cfg.Router.ID, mode: cfg.Router.Mode, network: networkOf(cfg), version: opt.Version, log: opt.Log, started: time.Now(),
		box: newMailbox(), temps: newTemps[replyTaker](), groups: trunk.NewGroups(),
		budget: stream.NewBudget(windowBudget()), lot: tcp.NewLot(), crew: tcp.NewCrew(), spawn: spawn, env: opt.Environment,
		cfg: bare(cfg), peers: map[uint64]*peer{}, announced: map[forward.Key]forward.Announcement{},
		watchers: map[forward.Key][]watcher{}, profiles: map[string]*profile{}, entities: map[entityKey]entity{}, failed: map[entityKey]bool{},
	}
	if r.edge() {
		r.uplink = &uplink{r: r, proxies: map[proxyKey]*proxy{}}
		r.mesh = newEdgeMesh(r)
		r.setOrigin(r.mesh.election.winner.id)
	} else {
		r.setOrigin("")
	}
	flows, err := newTelemetry(r, cfg)
	if err != nil {
		return nil, err
	}
	r.flows = flows
	r.table = forward.NewTable(forward.Config{
		Names:   forward.Names{ID: r.id, Edge: r.edge(), Network: r.network},
		Rules:   rules(cfg.Addresses),
		Default: treatment(cfg.Router.DefaultDistribution),
	})
	if r.interior() {
		engine, err := linkstate.New(engineConfig(cfg.Router, r.started))
		if err != nil {
			return nil, err
		}
		r.engine = engine
	}
	empty := map[forward.HopID]*peer{}
	r.hops.Store(&empty)
	snap, _ := r.table.Publish()
	news := make(chan struct{})
	r.news.Store(&news)
	r.snap.Store(snap)
	return r, nil
}

func (r *Router) interior() bool { return r.mode == config.ModeInterior }
func (r *Router) edge() bool     { return r.mode == config.ModeEdge }

// bare is the configuration of a router without entities: what remains of cfg
// when everything that can be changed live is taken away.
func bare(cfg *config.Config) *config.Config {
	b := config.New()
	b.Router, b.Network, b.Policy, b.Site = cfg.Router, cfg.Network, cfg.Policy, cfg.Site
	return b
}

// engineConfig translates the timers. The instance is the start time in
// seconds; a router that starts twice within one second gets another one by
// the fraction that remains of it.
func engineConfig(c config.Router, started time.Time) linkstate.Config {
	seconds := func(n int64) time.Duration { return time.Duration(n) * time.Second }
	return linkstate.Config{
		ID: c.ID, Instance: instance(started), Seed: uint64(started.UnixNano()),
		HelloInterval: seconds(c.HelloIntervalSeconds), HelloMaxAge: seconds(c.HelloMaxAgeSeconds),
		RAInterval: seconds(c.RAIntervalSeconds), RAIntervalFlux: seconds(c.RAIntervalFluxSeconds),
		RemoteMaxAge: seconds(c.RemoteLSMaxAgeSeconds), UnreachableHoldoff: seconds(c.UnreachableHoldoffSeconds),
	}
}

// instance is the boot number: the start time in units of 10 ms, as a positive
// 31-bit number. Others compare it for inequality only, and seconds would not
// tell two starts within one second apart.
func instance(started time.Time) int64 { return started.UnixMilli() / 10 & 0x7fffffff }

// stream5 are the flags of the streams of TCP services: forwarded before they
// are complete, bounded by their own window (compat: skupper-router 3.x).
const stream5 = amqp.FlagStreaming | amqp.FlagUnlimited

// origin is what the annotations of messages say that begin here.
type origin struct {
	mesh  string // of an edge router
	flow  []byte // encoded, of a stream
	whole []byte // encoded, of a whole message
}

// setOrigin takes over the mesh of an edge router; other routers have none.
func (r *Router) setOrigin(mesh string) {
	r.self.Store(&origin{mesh: mesh})
	r.self.Store(&origin{mesh: mesh, flow: r.annotations(stream5, nil), whole: r.annotations(0, nil)})
}

// annotations encodes the router annotations of a message that goes from this
// router to another router. in is what it came with, nil if it begins here.
func (r *Router) annotations(flags uint32, in *amqp.Annotations) []byte {
	out := amqp.Annotations{Flags: flags}
	if in != nil {
		out = *in
		out.Trace = nil
	}
	if !r.edge() {
		if !out.HasIngress {
			out.HasIngress, out.Ingress = true, "0/"+r.id
		}
		if in != nil {
			out.Trace = append(make([]string, 0, len(in.Trace)+1), in.Trace...)
		}
		out.Trace = append(out.Trace, "0/"+r.id)
	} else {
		out.HasIngress, out.Ingress = false, ""
		out.Mesh = r.self.Load().mesh
	}
	return out.Append(nil)
}

// tempAddress is the address under which others reach a temporary name of
// this router.
func (r *Router) tempAddress(name string) string {
	topo, edge := "amqp:/_topo/0/", "amqp:/_edge/"
	if r.network != "" {
		topo, edge = "amqp:/_xtopo/"+r.network+"/0/", "amqp:/_xedge/"+r.network+"/"
	}
	if r.edge() {
		return edge + r.id + "/" + name
	}
	return topo + r.id + "/" + name
}

// networkOf is the router's network among those that are joined by auto-links;
// empty is none.
func networkOf(c *config.Config) string {
	if c.Network.NetworkID == "0" { // compat: as if nothing were said
		return ""
	}
	return c.Network.NetworkID
}
