package system

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// wish is what a pass is asked to do beside keeping the namespace as its input
// wants it. The zero wish asks nothing.
type wish struct {
	change func(*input.Edit) ([]api.Change, error) // of the input
	memory func(*state.Memory)                     // of what is remembered

	strict  bool     // a problem of a single Link is an error
	start   bool     // start a site that was never started
	noSite  bool     // the change may leave the input without a Site
	store   bool     // only write the input
	dryRun  bool     // change nothing
	restart bool     // restart the router in any case
	held    bool     // leave an input alone that is not the one in effect
	halt    bool     // stop the site, whatever the input says
	forsake bool     // the site leaves its container engine: one that does not answer is gone without
	renew   []string // certificates to make anew

	warnings func() []resource.Warning // about what the change was made from; nil: none

	grants func(grantBook) grantBook // of what is known of the grants

	platform string // chosen for a site that was never started, "" for none
}

// given are the warnings about what the change was made from.
func (w wish) given() []resource.Warning {
	if w.warnings == nil {
		return nil
	}
	return w.warnings()
}

// outcome is what a pass did or, with dryRun, would do.
type outcome struct {
	changes  []api.Change
	warnings []resource.Warning
	dropped  []resource.Warning
	steps    []plan.Step
	output   render.Output
	site     *site.Site
	memory   state.Memory
	started  bool                        // the site did not run before and does now
	kept     map[string]int              // the ports that it had when the pass began
	defined  bool                        // the site was never started
	from     string                      // the container engine that ran the router before, "" if none did
	forsaken *container.UnreachableError // why the container engine was gone without that ran the router, nil where it was not
}

// pass looks at everything and changes what differs. Whoever calls holds the
// turn. Errors about the input join *resource.FieldErrors; everything is then
// as it was.
func (n *namespace) pass(ctx context.Context, w wish) (*outcome, error) {
	o, err := n.onePass(ctx, w)
	if err == nil {
		n.passes.Add(1)
		if o.started && !w.dryRun {
			n.secondChoice(ctx, o)
		}
		return o, nil
	}
	n.failures.Add(1)
	if w.change == nil && !w.dryRun && ctx.Err() == nil {
		v := *n.seen.Load()
		v.failure = summary(err)
		if errors.Is(err, errWaits) {
			v.failure = advised(errWaits.Message, errWaits.Advice)
		}
		n.seen.Store(&v)
	}
	return nil, err
}

func (n *namespace) onePass(ctx context.Context, w wish) (*outcome, error) {
	existed := n.exists()
	var first *composed
	if !existed {
		n.texts = documents{}
		if w.change == nil {
			return &outcome{defined: true}, nil // it is gone, or not made yet
		}
		// Nothing is made on disk before the input is known to be good.
		c, err := n.compose(ctx, w, state.Memory{})
		if err != nil {
			return nil, err
		}
		if w.dryRun {
			return n.firstPlan(w, c)
		}
		first = c
	}
	h, err := n.m.host.Open(ctx, n.paths)
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }() // the lock goes with the process at the latest
	if err := n.store.Complete(); err != nil {
		return nil, err
	}
	if w.forsake {
		h.Forsake()
	}
	o, err := n.passOver(ctx, w, h, first)
	if err == nil {
		o.forsaken = h.Forsaken()
	}
	if err != nil && !existed {
		err = errors.Join(err, h.Discard())
	}
	return o, err
}

// passOver is a pass over a namespace that is open. first is what was composed
// before there was a namespace, nil if there was one.
func (n *namespace) passOver(ctx context.Context, w wish, h *host.Namespace, first *composed) (*outcome, error) {
	if n.half.Swap(false) {
		if err := n.recollect(ctx); err != nil {
			return nil, err
		}
	}
	have, err := n.observe(ctx, w, h)
	if err != nil {
		return nil, err
	}
	memory, err := n.recall(have)
	if err != nil {
		return nil, err
	}
	before := memory
	if w.start && memory.SiteID != "" && memory.Generation == 0 {
		w = n.inherited().add(n, w)
	}
	if w.memory != nil {
		w.memory(&memory)
	}
	c := first
	if c == nil || !reflect.ValueOf(memory).IsZero() {
		if c, err = n.compose(ctx, w, memory); err != nil && w.halt {
			return n.halt(ctx, w, h, have, before, err)
		} else if err != nil {
			n.publishFailure(w, before, c, err)
			return nil, errors.Join(err, n.resume(ctx, w, h, have, before))
		}
	}
	if w.held && memory.Generation > 0 && c.snap.Hash != memory.InputHash {
		return nil, cmp.Or(n.resume(ctx, w, h, have, before), error(errWaits))
	}
	if c.site == nil || memory.Generation == 0 && !w.start || w.store {
		return n.storeOnly(w, h, before, c)
	}
	return n.converge(ctx, w, h, have, before, memory, c)
}

// observe tells what the machine has of the namespace. For a change it leaves
// out the records of objects where the last pass has seen or written them;
// passes that nobody waits for look at everything.
func (n *namespace) observe(ctx context.Context, w wish, h *host.Namespace) (state.State, error) {
	if len(h.Completed) > 0 || h.Pending != nil || w.change == nil {
		n.texts.doubt()
	}
	if !n.texts.sure {
		return h.Observe(ctx)
	}
	have, without, err := h.ObserveBut(ctx)
	if n.texts.known = without; !without || err != nil {
		n.texts.doubt()
	}
	return have, err
}

// composed is the input put together.
type composed struct {
	snap     *input.Snapshot
	edit     *input.Edit
	changes  []api.Change
	site     *site.Site // nil where there is no Site, and need not be
	warnings []resource.Warning
	dropped  []resource.Warning
}

// compose loads the input, makes the change in memory, and builds the site.
// What is there comes back with an error, too.
func (n *namespace) compose(ctx context.Context, w wish, memory state.Memory) (*composed, error) {
	snap, err := n.store.Load()
	if err != nil {
		return nil, err
	}
	c := &composed{snap: snap, edit: snap.Edit()}
	if w.change != nil {
		if c.changes, err = w.change(c.edit); err != nil {
			return c, err
		}
	}
	set := c.edit.Set()
	noSite := len(resource.Of[*resource.Site](set)) == 0
	if noSite && snap.Err == nil && (set.Len() == 0 && memory.Generation == 0 || w.noSite) {
		return c, nil
	}
	context := n.m.context(ctx, n.paths, snap, memory)
	context.Tolerant = !w.strict
	context.Strategies = n.strategies()
	built, warnings, err := site.Build(set, context)
	c.warnings = append(c.told(), warnings...)
	c.dropped = n.droppedBy(w, c)
	if err := errors.Join(snap.Err, err); err != nil {
		return c, err
	}
	c.site = built
	return c, nil
}

// told are the warnings about the documents of the input, as they are with the
// change: what is changed or goes is not spoken of as it was.
func (c *composed) told() []resource.Warning {
	return slices.DeleteFunc(slices.Clone(c.snap.Warnings), func(old resource.Warning) bool {
		return slices.ContainsFunc(c.changes, func(ch api.Change) bool { return ch.Action != api.Unchanged && ch.Object == old.Object.String() })
	})
}

// droppedBy are the warnings about what a change was made from that the input
// does not hold, such as documents that were skipped: nothing but these
// warnings tells of it. They stay until the next change.
func (n *namespace) droppedBy(w wish, c *composed) []resource.Warning {
	if w.change == nil || !slices.ContainsFunc(c.changes, func(ch api.Change) bool { return ch.Action != api.Unchanged }) {
		return n.seen.Load().dropped
	}
	var list []resource.Warning
	for _, given := range w.given() {
		if !slices.ContainsFunc(c.warnings, given.SameAs) {
			list = append(list, given)
		}
	}
	return list
}

// strategies are those of the running multi-key listeners: they cannot change.
func (n *namespace) strategies() map[string]site.Strategy {
	m := map[string]site.Strategy{}
	if s := n.seen.Load().site; s != nil {
		for _, l := range s.MultiKeyListeners {
			m[l.Name] = l.Strategy
		}
	}
	return m
}

// recall is what the namespace remembers, from our own record or, where
// upstream made the namespace, from its router's configuration.
func (n *namespace) recall(have state.State) (state.Memory, error) {
	if f, ok := have.Files[n.paths.State()]; ok {
		return n.memoryOf(f.Data)
	}
	if f, ok := have.Files[n.paths.RouterConfig()]; ok {
		m, err := state.Recall(f.Data)
		unit := have.Units[layout.UnitName(n.paths.Name)]
		m.Stopped = m.Generation > 0 && !unit.Running && !unit.Enabled
		return m, err
	}
	return state.Memory{}, nil
}

// engine is the container engine that runs the router of a namespace which
// upstream's tools made, "" if none does.
func (n *namespace) engine(have state.State) string {
	if name := host.ParsePlatform(have.Files[n.paths.Platform()].Data); container.Known(name) {
		return name
	}
	return ""
}

// firstPlan answers a dry run, or a refusal, for a namespace that does not
// exist yet.
func (n *namespace) firstPlan(w wish, c *composed) (_ *outcome, err error) {
	o := &outcome{changes: c.changes, warnings: c.warnings, dropped: c.dropped, defined: true}
	if c.site == nil || !w.start || w.store {
		return o, nil
	}
	o.output, err = n.render(c, c.site, state.Memory{}, state.State{}, w, nil)
	if err != nil {
		return nil, err
	}
	o.steps = plan.Make(o.output.State, state.State{})
	o.site, o.started, o.defined = c.site, true, false
	return o, nil
}

// storeOnly writes the input and runs nothing.
func (n *namespace) storeOnly(w wish, h *host.Namespace, memory state.Memory, c *composed) (*outcome, error) {
	o := &outcome{changes: c.changes, warnings: c.warnings, dropped: c.dropped, memory: memory, site: c.site, defined: memory.Generation == 0}
	if w.dryRun {
		return o, nil
	}
	change, err := c.edit.Stage()
	if err != nil {
		return nil, err
	}
	if err := h.Place(change); err != nil {
		return nil, errors.Join(err, change.Undo())
	}
	if memory.Generation == 0 {
		if err := n.keepChoice(w.platform); err != nil {
			return nil, errors.Join(err, change.Undo())
		}
	}
	change.Done()
	v := *n.seen.Load()
	v.memory, v.warnings, v.dropped, v.hasInput, v.failure = memory, c.warnings, c.dropped, c.edit.Set().Len() > 0, ""
	v.input, v.siteName = c.edit.Set(), ""
	for _, s := range resource.Of[*resource.Site](c.edit.Set()) {
		v.siteName = s.Name
	}
	if memory.Generation > 0 && c.site == nil {
		v.failure = advised(withoutSite, n.withoutSiteAdvice())
	}
	n.seen.Store(&v)
	return o, nil
}

// converge brings the machine to what the site wants, or leaves everything,
// input included, as it was; of what is remembered, that is was.
func (n *namespace) converge(ctx context.Context, w wish, h *host.Namespace, have state.State, was, memory state.Memory, c *composed) (*outcome, error) {
	book := n.book(ctx, w, c.site, memory.Links)
	l := n.lookFor(ctx, w, memory)
	n.late(w, have, c)
	net := n.survey(ctx, w, l)
	objects, written := n.foreseen(w, c, l, net, book, memory)
	out, err := n.render(c, c.site, memory, have, w, objects)
	if err == nil && n.texts.known {
		err = h.Records(&have, n.texts.moved(n.paths))
	}
	if err != nil {
		n.publishFailure(w, was, c, err)
		return nil, err
	}
	before, after := n.difference(have, out.State)
	have.Losses = n.losses(ctx, before, after)
	steps := plan.Make(out.State, have)
	restart := w.restart && !out.Memory.Stopped
	if restart || slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Op == plan.Stop || s.Op == plan.Restart }) {
		have.Losses = n.allLosses(ctx, have)
		steps = plan.Make(out.State, have)
	}
	if restart {
		steps = withRestart(steps, layout.UnitName(n.paths.Name), out.State, have.Losses[""])
	}
	o := &outcome{
		changes: c.changes, warnings: c.warnings, dropped: c.dropped, steps: steps, output: out, site: c.site, memory: out.Memory,
		started: memory.Generation == 0 && !out.Memory.Stopped, kept: memory.Ports,
	}
	if _, ran := have.Files[n.paths.RouterConfig()]; ran && memory.Generation == 0 && memory.Platform == "" {
		o.from = n.engine(have)
	}
	if w.dryRun {
		return o, nil
	}
	unready := func() {}
	if slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Op == plan.Start || s.Op == plan.Restart }) {
		// An engine that cannot run the router says so before anything changes.
		if unready, err = n.ready(ctx, memory.Platform); err != nil {
			n.publishFailure(w, was, c, err)
			return nil, err
		}
	}
	change, err := c.edit.Stage()
	if err != nil {
		unready()
		return nil, err
	}
	err = n.carryOut(ctx, h, change, have, steps, out, after)
	if err == nil {
		n.texts.done()
	} else {
		n.texts.doubt()
	}
	if err != nil && !touches(steps) && !c.edit.Changes() && w.memory == nil && w.grants == nil {
		// Only records were to be written, such as the status of a resource.
		// The site is as wanted; the next pass tries again. What was handed out is no
		// such record: whoever waits for it must not get what the next agent does not
		// know.
		n.log.Warn("records not written", keyErr, err)
		err = nil
	}
	if err != nil {
		err = errors.Join(err, change.Undo())
		if was.Generation == 0 || w.change != nil { // a site that is to run needs it for the next try
			unready()
		}
		n.publishFailure(w, was, c, err)
		return nil, err
	}
	change.Done()
	n.publish(o, written, net, book)
	n.unkept = out.Memory.Generation != memory.Generation || n.unkept
	return o, nil
}

// late decides whether the records of listeners and connectors follow after a
// change: whoever changes many of them does not wait for that, nor does whoever
// changes a few while they are written. Where it is not known what the disk has
// of them, they are part of the change.
func (n *namespace) late(w wish, have state.State, c *composed) {
	touched := make(map[resource.Ref]bool)
	for _, ch := range c.changes {
		if kind, name, ok := strings.Cut(ch.Object, "/"); ok && ch.Action != api.Unchanged {
			kind, _ := resource.KindNamed(kind)
			touched[resource.Ref{Kind: kind, Name: name}] = true
		}
	}
	t := &n.texts
	t.late, t.touched = false, touched
	many := len(touched) >= manyRecords
	if w.change == nil || w.dryRun || !many && !t.owed {
		return
	}
	if many {
		t.touched = nil
	}
	if !t.known && !slices.ContainsFunc(slices.Collect(maps.Values(have.Files)), func(f state.File) bool {
		return f.Subject == state.SubjectResources || f.Subject == state.SubjectSnapshot
	}) {
		t.none()
	}
	t.late = t.known
}

// lookFor is what the router says, for the status in the files. Whoever asked
// for a change does not wait for that: he is served with what it said last, and
// the loop brings the files up to date. It is nil for a router that does not
// answer, or need not.
func (n *namespace) lookFor(ctx context.Context, w wish, memory state.Memory) *live {
	switch {
	case memory.Stopped || memory.Generation == 0:
		n.router.forget()
		return nil
	case w.change != nil:
		return n.router.recent(ctx)
	}
	l, _ := n.router.look(ctx) // nil says it
	return l
}

// difference is what the router's configuration loses, and what it gets.
func (n *namespace) difference(have, want state.State) (before, after []state.Entity) {
	was, is := have.Files[n.paths.RouterConfig()].Data, want.Files[n.paths.RouterConfig()].Data
	before, after, err := state.Difference(was, is)
	if err != nil { // it is overwritten, all of it
		before, after, _ = state.Difference(nil, is)
	}
	return before, after
}

// book is what is known of the grants of a site, with the grant server up
// where one can be redeemed, or what was redeemed be renewed.
func (n *namespace) book(ctx context.Context, w wish, s *site.Site, handed state.Ledger) grantBook {
	old := n.seen.Load().grants
	now := time.Now()
	next := old.updated(s, n.m.grants.at(), now)
	until := next.alive(now)
	renewals := renewalHosts(s, handed, now)
	if len(renewals) > 0 && until.Before(now.Add(renewalLinger)) {
		until = now.Add(renewalLinger)
	}
	if !until.IsZero() && !w.dryRun {
		hosts := renewals
		if !next.alive(now).IsZero() {
			hosts = slices.Concat(next.hosts(s, n.m.grants.at()), renewals)
		}
		n.m.grants.want(ctx, until, hosts)
		next = old.updated(s, n.m.grants.at(), now)
	}
	if w.grants != nil {
		next = w.grants(next)
	}
	if !w.dryRun {
		n.m.grants.promise(next.alive(now))
	}
	return next
}

// withRestart makes sure that a plan restarts the unit, which drops everything
// that goes through the router.
func withRestart(steps []plan.Step, unit string, want state.State, drops state.Losses) []plan.Step {
	if !slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Unit == unit && (s.Op == plan.Start || s.Op == plan.Restart) }) {
		for i := range steps {
			steps[i].Drops = nil
		}
	}
	for i, s := range steps {
		if s.Unit != unit {
			continue
		}
		switch s.Op {
		case plan.Start, plan.Restart:
			return steps
		case plan.Reload:
			steps[i].Op, steps[i].Drops = plan.Restart, drops
			return steps
		default: // the others neither start nor reload it
		}
	}
	return append(steps, plan.Step{Op: plan.Restart, Subject: "router", Unit: unit, Spec: want.Units[unit], Drops: drops})
}

// carryOut applies a plan, together with the change of the input that it comes
// from. after are the entities that the router gets by it.
func (n *namespace) carryOut(ctx context.Context, h *host.Namespace, change *input.Change, have state.State, steps []plan.Step, out render.Output, after []state.Entity) error {
	if len(steps) == 0 {
		return h.Place(change)
	}
	if touches(steps) {
		n.log.Info("applying", keyGeneration, out.Memory.Generation, keyPlan, plan.Summarize(steps).String())
		if n.log.Enabled(ctx, slog.LevelDebug) {
			n.log.Debug("plan", keyPlan, plan.Lines(steps))
		}
	}
	err := h.ApplyWith(ctx, change, have, steps, host.Confirm(func(ctx context.Context) error { return n.confirm(ctx, steps, out, after) }))
	n.chronicle(h, steps, out, err)
	return err
}

// touches reports whether a plan does more than bookkeeping.
func touches(steps []plan.Step) bool {
	return slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Op != plan.Write || s.Counted })
}

// Times of waiting for the router to take a new configuration.
const (
	confirmTimeout = 10 * time.Second     // unless Options.Confirm says otherwise
	confirmFirst   = 2 * time.Millisecond // until it is asked again, doubled up to confirmEvery
	confirmEvery   = 20 * time.Millisecond
)

// confirm returns when the router has what the plan gives it, or says why not.
// One that was started must have everything.
func (n *namespace) confirm(ctx context.Context, steps []plan.Step, out render.Output, after []state.Entity) error {
	told := func(ops ...plan.Op) bool {
		return slices.ContainsFunc(steps, func(s plan.Step) bool { return slices.Contains(ops, s.Op) })
	}
	switch {
	case out.Memory.Stopped || !told(plan.Start, plan.Restart, plan.Reload):
		return nil
	case told(plan.Start, plan.Restart):
		n.router.forget()
		var err error
		if after, err = state.Entities(out.State.Files[n.paths.RouterConfig()].Data); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(n.m.options.Confirm, confirmTimeout))
	defer cancel()
	var last error
	for again := confirmFirst; ; again = min(2*again, confirmEvery) {
		err := n.router.ask(ctx, func(ctx context.Context, a Asker) error { return lacking(ctx, a, after) })
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			unit := n.unitStatus(context.WithoutCancel(ctx))
			return &notTaken{namespace: n.paths.Name, reason: whyDown(unit, cmp.Or(last, errSilent), time.Now())}
		case <-time.After(again):
		}
	}
}

// notTaken is why a router did not take a new configuration.
type notTaken struct{ namespace, reason string }

func (e *notTaken) Error() string { return e.reason }

// Hint says what to do about it.
func (e *notTaken) Hint() string {
	return fmt.Sprintf("everything is as it was before; `skupper -n %s system logs` shows what the router said", e.namespace)
}

// errSilent is why a router is down that said nothing at all.
var errSilent = errors.New("no answer")

// foreseen is the status of the objects as the files will have it: that of the
// router as it is now. What the new configuration changes is written by a later
// pass, when the router says so. Whoever changes one object of thousands does
// not wait until the others are looked at, either: they stay as they are shown.
func (n *namespace) foreseen(w wish, c *composed, l *live, net *network, book grantBook, memory state.Memory) ([]resource.Object, shown) {
	v := n.seen.Load()
	with := *c.site
	with.Objects = resource.NewSet()
	all := make([]resource.Object, 0, c.site.Objects.Len())
	for o := range c.site.Objects.All() {
		if n.texts.leaves(o) {
			continue
		}
		if shown := n.texts.shown(c.edit.Set().Find(o.Ref())); shown != nil && isBridge(o) && len(with.Faults) == 0 {
			all = append(all, shown)
			continue
		}
		o = resource.WithoutStatus(o)
		with.Objects.Put(o)
		all = append(all, o)
	}
	ports, now := host.NewPortOwners(), time.Now()
	taken := n.takenByOthers(context.Background(), ports)
	if w.change != nil {
		taken = nil // the sockets of the machine are not looked through meanwhile, either
	}
	why := "router starting"
	if memory.Stopped {
		why = "router stopped"
	}
	assess(&moment{
		site: &with, live: l, network: net, why: why, owner: n.holder(context.Background(), ports), taken: taken, creds: n.judged(v.credentials, now), before: v.shown.health, now: now,
		grants: book, grantFailure: n.m.grants.failure(), token: n.tokenVerdict(memory.Redeemed),
	})
	written := showing(all)
	for o := range c.site.Objects.All() {
		if ref := o.Ref(); n.texts.leaves(o) {
			written.copy(v.shown, ref)
		}
	}
	if net != nil {
		all = append(all, net.networkStatus(n.paths.Name))
	}
	return all, written
}

// shown is the status of objects as it is in their files.
type shown struct {
	health  map[resource.Ref]resource.Health
	details map[resource.Ref]string // what is beyond the words, see detail
}

// nothingShown is where nothing is known of the files.
var nothingShown = shown{}

func showing(objects []resource.Object) shown {
	s := shown{make(map[resource.Ref]resource.Health, len(objects)), map[resource.Ref]string{}}
	for _, o := range objects {
		if h := o.Health(); h != nil {
			s.health[o.Ref()] = *h
			if d := detail(o); d != "" {
				s.details[o.Ref()] = d
			}
		}
	}
	return s
}

// copy takes over what is shown of an object.
func (s shown) copy(from shown, ref resource.Ref) {
	if h, ok := from.health[ref]; ok {
		s.health[ref] = h
	}
	if d, ok := from.details[ref]; ok {
		s.details[ref] = d
	}
}

// survey is what is known of the network around l, for the status in the files.
// Whoever asked for a change does not wait for news, nor until those that came
// meanwhile are written.
func (n *namespace) survey(ctx context.Context, w wish, l *live) *network {
	switch {
	case l == nil || l.id == "":
		return nil
	case w.change != nil:
		return cmp.Or(n.seen.Load().network, n.router.surveyed())
	}
	return n.router.network(ctx, l)
}

// isBridge reports whether an object is of a kind of which a site may have
// thousands.
func isBridge(o resource.Object) bool {
	switch o.(type) {
	case *resource.Listener, *resource.Connector:
		return true
	}
	return false
}

// render makes the wanted state.
func (n *namespace) render(c *composed, s *site.Site, memory state.Memory, have state.State, w wish, objects []resource.Object) (render.Output, error) {
	if objects == nil {
		objects = slices.Collect(s.Objects.All())
	}
	machine, err := n.m.render(memory.Platform)
	if err != nil {
		return render.Output{}, err
	}
	n.texts.turn()
	return render.Render(render.Input{
		Records: &n.texts, Writer: &n.writer,
		Site: s, Paths: n.paths, Base: n.m.options.Paths, Machine: machine, Memory: memory, Have: have, Supplied: supplied(c.snap),
		Objects: objects, Snapshot: slices.Collect(c.edit.Set().All()), InputHash: c.edit.Hash(),
		Renew: w.renew, Now: time.Now(), Random: rand.Reader,
	})
}

// publish makes the result of a good pass visible.
func (n *namespace) publish(o *outcome, written shown, net *network, book grantBook) {
	v := &view{
		grants: book, network: net,
		site: o.site, memory: o.memory, warnings: o.warnings, dropped: o.dropped, hasInput: true, siteName: o.site.Name, shown: written,
		credentials: certificates(o.site, o.output.Credentials),
	}
	n.seen.Store(v)
	if err := n.m.claim(n.paths.Name, o.site); err != nil {
		n.log.Warn("ports not registered", keyErr, err)
	}
}

// publishFailure keeps what was seen and says that the newest input is not in
// effect. The failure of a change that somebody asked for is his alone: the
// input is as it was.
func (n *namespace) publishFailure(w wish, memory state.Memory, c *composed, err error) {
	if w.change != nil {
		return
	}
	v := *n.seen.Load()
	v.failure = summary(err)
	v.blamed = blames(err, v.site)
	v.memory = memory
	if c != nil {
		if c.site != nil {
			v.blamed = blames(err, c.site)
		}
		v.hasInput = c.snap.Set.Len() > 0 || c.snap.Err != nil
	}
	n.seen.Store(&v)
}

// withoutSite is said of a site that runs while its input does not describe it.
const withoutSite = "the input has no Site: the last good state goes on"

func (n *namespace) withoutSiteAdvice() string {
	return fmt.Sprintf("`skupper -n %[1]s system teardown` removes the site, `skupper -n %[1]s site create NAME` describes it again", n.paths.Name)
}

// summary is an error in one line.
func summary(err error) string {
	list := resource.Problems(err)
	switch len(list) {
	case 0:
		if list := credentialErrors(err); len(list) > 0 {
			return advised(oneOf(list[0], len(list)), list[0].Hint())
		}
		return advised(err.Error(), adviceOf(err))
	default:
		advice := list[0].Advice
		if list[0].File != "" {
			advice = cmp.Or(advice, "mend the file")
		}
		return advised(oneOf(list[0], len(list)), advice)
	}
}

// oneOf is the first of n errors.
func oneOf(err error, n int) string {
	if n == 1 {
		return err.Error()
	}
	return fmt.Sprintf("%s (and %d more)", err, n-1)
}
