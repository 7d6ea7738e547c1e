package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/linkstate"
)

// Router is one router of a Network.
type Router struct {
	ID string
	// Engine and Snapshot are those of the current life.
	Engine   *linkstate.Engine
	Snapshot *forward.Snapshot
	// Reach is the last path computation.
	Reach *linkstate.Reach

	net       *Network
	table     *forward.Table
	running   bool
	instance  int64
	lastLink  linkstate.LinkID
	links     map[linkstate.LinkID]*Link
	wake      time.Time
	consumers map[forward.Key]*forward.Consumer
}

// Add adds a router and starts it.
func (n *Network) Add(id string) *Router {
	r := &Router{
		ID: id, net: n, instance: n.start.Unix() - 1,
		links: map[linkstate.LinkID]*Link{}, consumers: map[forward.Key]*forward.Consumer{},
	}
	n.routers = append(n.routers, r)
	n.byID[id] = r
	r.Start()
	return r
}

// Running tells whether the router lives.
func (r *Router) Running() bool { return r.running }

// Start starts a router that does not run, as a new instance with the same
// consumers. Its links have to be restored.
func (r *Router) Start() {
	r.running, r.net.reference = true, nil
	r.instance++
	cfg := r.net.options.Config
	cfg.ID, cfg.Instance, cfg.Seed = r.ID, r.instance, r.net.rand.Uint64()
	e, err := linkstate.New(cfg)
	if err != nil {
		panic(err)
	}
	r.Engine, r.wake = e, time.Time{}
	r.table = forward.NewTable(forward.Config{
		Names: forward.Names{ID: r.ID},
		Rules: []forward.Rule{{Pattern: "mc", Prefix: true, Treatment: forward.Multicast, Priority: -1}},
	})
	again := slices.SortedFunc(maps.Keys(r.consumers), func(a, b forward.Key) int { return strings.Compare(a.Name, b.Name) })
	clear(r.consumers)
	for _, key := range again {
		r.table.Add(key, r.consumer(key), forward.Unsaid)
	}
	r.step(linkstate.Tick{})
}

// Crash ends a router without warning. tell says whether its neighbors notice
// at once.
func (r *Router) Crash(tell bool) {
	r.running, r.net.reference = false, nil
	for _, id := range slices.Sorted(maps.Keys(r.links)) {
		l := r.links[id]
		if tell {
			l.Cut()
		} else {
			l.lossy = true
		}
	}
	clear(r.links)
}

func (r *Router) consumer(key forward.Key) *forward.Consumer {
	c := &forward.Consumer{Target: r}
	r.consumers[key] = c
	return c
}

// Consume adds a consumer of a mobile address, Withdraw removes it.
func (r *Router) Consume(address string) {
	key := forward.Key{Class: forward.ClassMobile, Name: address}
	if r.consumers[key] == nil {
		r.table.Add(key, r.consumer(key), forward.Unsaid)
		r.publish()
	}
}

// Withdraw undoes Consume.
func (r *Router) Withdraw(address string) {
	key := forward.Key{Class: forward.ClassMobile, Name: address}
	if c := r.consumers[key]; c != nil {
		delete(r.consumers, key)
		r.table.Remove(c)
		r.publish()
	}
}

// Consumes lists the addresses with consumers here.
func (r *Router) Consumes() []string {
	var all []string
	for key := range r.consumers {
		all = append(all, key.Name)
	}
	slices.Sort(all)
	return all
}

func (r *Router) received(link linkstate.LinkID, p packet) {
	out := r.advance(linkstate.Received{Link: link, To: p.to, Ingress: p.ingress, Trace: p.trace, Sections: p.sections})
	if len(out.Relay) == 0 {
		return
	}
	p.trace = append(slices.Clip(p.trace), "0/"+r.ID)
	for _, id := range out.Relay {
		r.net.send(r, id, p)
	}
}

func (r *Router) step(in linkstate.Input) {
	if r.running {
		r.advance(in)
	}
}

// advance steps the engine and does what it asks for, except relaying. It
// returns the output for that.
func (r *Router) advance(in linkstate.Input) linkstate.Output {
	if !r.running {
		return linkstate.Output{}
	}
	out := r.Engine.Step(r.net.now, in)
	out.Relay = slices.Clone(out.Relay)
	r.report(out)
	self := "0/" + r.ID
	for _, m := range out.Send {
		p := packet{opcode: m.Opcode, to: address(m.Sections), ingress: self, trace: []string{self}, sections: m.Sections}
		for _, id := range m.Links {
			r.net.send(r, id, p)
		}
	}
	r.schedule(out.Wake)
	if out.Reach != nil {
		r.Reach = out.Reach
		r.table.SetTopology(topology(out.Reach))
	}
	for _, c := range out.Addresses {
		key, _ := forward.ParseKey(c.Key)
		if c.Removed {
			r.table.RemoveHolder(key, c.Index)
		} else {
			r.table.AddHolder(key, c.Index, forward.Treatment(c.Treatment), c.Mesh)
		}
	}
	r.publish()
	return out
}

// publish makes the next snapshot and tells the engine what changed here.
func (r *Router) publish() {
	var changes []forward.Change
	r.Snapshot, changes = r.table.Publish()
	for _, c := range changes {
		was, announced := c.Old.Announcement()
		now, announce := c.New.Announcement()
		switch {
		case announce && (!announced || was != now):
			r.step(linkstate.AddressAdded{Key: c.Key.String(), Attributes: linkstate.Attributes{
				Treatment: int32(now.Treatment), Producers: int32(now.Producers), Mesh: now.Mesh,
			}})
		case announced && !announce:
			r.step(linkstate.AddressRemoved{Key: c.Key.String()})
		}
	}
}

func topology(reach *linkstate.Reach) forward.Topology {
	top := forward.Topology{Routers: make([]forward.Router, len(reach.Routers)), Through: reach.Through, Radius: reach.Radius}
	for i, r := range reach.Routers {
		top.Routers[i] = forward.Router{ID: r.ID, Hop: forward.HopID(r.Link), NextHop: r.NextHop, Cost: r.Cost}
	}
	return top
}

func (r *Router) schedule(wake time.Time) {
	if !r.wake.IsZero() && !wake.Before(r.wake) && r.wake.After(r.net.now) {
		return // woken earlier anyway
	}
	r.wake = wake
	e := r.Engine
	r.net.at(wake, func() {
		if r.Engine == e && r.running && r.wake.Equal(wake) {
			r.wake = time.Time{}
			r.step(linkstate.Tick{})
		}
	})
}

func (r *Router) report(out linkstate.Output) {
	trace := r.net.options.Trace
	if trace == nil {
		return
	}
	now := r.net.Elapsed()
	for _, ev := range out.Events {
		trace(now, r.ID, "event "+ev.String())
	}
	for _, m := range out.Send {
		what := fmt.Sprintf("send %s on %v", m.Opcode, m.Links)
		if m.Router != "" {
			what += " to " + m.Router
		}
		trace(now, r.ID, what)
	}
	for _, c := range out.Addresses {
		verb := "holds"
		if c.Removed {
			verb = "dropped"
		}
		trace(now, r.ID, fmt.Sprintf("%s %s %s", c.Router, verb, c.Key))
	}
}
