package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/watch"
)

// namespace is one namespace and what is known of it.
type namespace struct {
	m     *machine
	paths layout.NamespacePaths
	log   *slog.Logger

	// turn holds one token; who took it may work on the namespace.
	turn chan struct{}
	// kick wakes the loop: something that no file event tells.
	kick chan struct{}

	// Owned by the holder of the turn.
	store    *input.Store
	texts    documents
	writer   config.Writer
	lastFail string // the failure that was logged last
	noted    string // the failure that is in the events last
	unkept   bool   // a generation began that is not in the history

	seenBefore *sight // owned by the loop; what the events tell the changes of, nil before the first look

	quiet  *quiet    // owned by the loop; nil when the last look found something
	passed time.Time // owned by the loop; when its last pass ended

	// recollected is closed when the files of the namespace were read; before, an
	// agent does nothing with it.
	recollected chan struct{}
	// half says that what was recollected may be half of a change that was
	// interrupted.
	half atomic.Bool

	tokens   attempts
	renewals renewals

	// passes and failures count, for the metrics.
	passes, failures atomic.Int64

	// seen is what the last pass left behind, for whoever looks; immutable.
	seen atomic.Pointer[view]
	// router is the connection to the router, and what was asked over it.
	router *routerView
}

// view is what a pass found out. It is never changed once it is published.
type view struct {
	site        *site.Site // of the generation in effect; nil if there is none
	memory      state.Memory
	failure     string             // why the newest input is not in effect
	warnings    []resource.Warning // about the input
	dropped     []resource.Warning // about what was given last and is not in the input
	hasInput    bool
	siteName    string
	credentials []credential
	blamed      []blame  // objects that the newest input is wrong about
	shown       shown    // of the site's objects
	network     *network // as the files have it; nil where they have nothing of it
	grants      grantBook
	input       *resource.Set // what is wanted where nothing is in effect; nil if there is none
}

func newNamespace(m *machine, paths layout.NamespacePaths) *namespace {
	n := &namespace{
		m: m, paths: paths, log: m.log.With(keySite, paths.Name),
		turn: make(chan struct{}, 1), kick: make(chan struct{}, 1), recollected: make(chan struct{}),
		store: input.NewStore(paths, m.options.Step), router: newRouterView(m.options.Dial, paths.RouterSocket),
	}
	n.turn <- struct{}{}
	n.seen.Store(&view{})
	return n
}

// take waits for the turn; give ends it.
func (n *namespace) take(ctx context.Context) error {
	select {
	case <-n.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// busy reports whether somebody works on the namespace.
func (n *namespace) busy() bool { return len(n.turn) == 0 }

func (n *namespace) unitRef() host.UnitRef { return n.m.host.UnitRef(n.paths) }

func (n *namespace) give() { n.turn <- struct{}{} }

// Times of the loop.
const (
	rescan      = 60 * time.Second // whatever the events say
	rescanQuiet = 5 * time.Minute  // of everything, where all is well; of the input, still every rescan
	statusEvery = 2 * time.Second  // status files follow the router
	retryFirst  = time.Second      // after a pass that failed, doubled up to rescan

	// settle is how long after a request its statuses are written: another
	// request that follows at once does not wait for that, for settleMost.
	settle     = 100 * time.Millisecond
	settleMost = 5 * time.Second
)

// run keeps the namespace as its input wants it, until ctx is done.
func (n *namespace) run(ctx context.Context, w *watch.Watch) {
	changed, refresh, closeTree := n.watchInput(w)
	defer closeTree()
	defer n.router.close()
	retry := retryFirst
	status := time.NewTicker(statusEvery)
	defer status.Stop()
	settled := time.NewTimer(time.Hour)
	settled.Stop()
	defer settled.Stop()
	var unsettled time.Time // request that is not settled yet
	next := newAlarm()
	defer next.Stop()
	for {
		due := false     // a pass that looks at everything, whatever moved
		arrived := false // a change of the input: statuses may move after the pass
		select {
		case <-ctx.Done():
			return
		case <-changed:
			arrived = true
		case <-n.kick:
			if unsettled.IsZero() {
				unsettled = time.Now()
			}
			settled.Reset(min(settle, settleMost-time.Since(unsettled)))
			continue
		case <-settled.C:
			unsettled = time.Time{}
			refresh()
			now := time.Now()
			due = n.renewalDue(now)
			next.sooner(n.untilNext(now))
		case <-next.C:
			refresh()
			due = n.quiet == nil || time.Since(n.quiet.pass) >= rescanQuiet || n.renewalDue(time.Now())
			if !due {
				next.set(n.untilNext(time.Now()))
			}
		case <-status.C:
			n.keepGeneration(ctx)
			if !n.lookQuietly(ctx) {
				continue
			}
		}
		n.catchUp(ctx)
		if !due && !n.moved(ctx) {
			continue
		}
		good := n.keep(ctx)
		n.passed = time.Now()
		n.witness(ctx)
		if arrived {
			settled.Reset(settle)
		}
		if good {
			retry = retryFirst
			n.renewLinks(ctx)
			next.set(n.untilNext(time.Now()))
			if n.redeemTokens(ctx) {
				next.set(tokenRetry)
			}
			n.dropStaleGrants(ctx)
		} else {
			next.set(retry)
			retry = min(2*retry, rescan)
		}
	}
}

// alarm is a timer that knows when it goes off.
type alarm struct {
	*time.Timer
	at time.Time
}

// newAlarm is one that goes off at once.
func newAlarm() *alarm { return &alarm{time.NewTimer(0), time.Now()} }

// set has it go off after a time.
func (a *alarm) set(after time.Duration) {
	a.at = time.Now().Add(after)
	a.Reset(after)
}

// sooner has it go off after a time, if it would not before.
func (a *alarm) sooner(after time.Duration) {
	if time.Until(a.at) > after {
		a.set(after)
	}
}

// errWaits is of files that have changed where such changes wait for a command.
// So do those that an agent finds when it starts; the router of the generation in
// effect is its supervisor's to start.
var errWaits = &api.Error{Kind: api.Conflict, Message: "files of the input have changed and wait", Advice: "`skupper system reload` applies them"}

// watchInput watches input/; without file events the rescan has to do. refresh
// takes in directories that came meanwhile.
func (n *namespace) watchInput(w *watch.Watch) (changed <-chan struct{}, refresh, closeTree func()) {
	if w == nil {
		return nil, func() {}, func() {}
	}
	tree, err := w.Add(n.paths.InputDir())
	refresh = func() {
		if err := tree.Refresh(); err != nil {
			n.log.Debug("input is not watched completely", keyErr, err)
		}
	}
	if err != nil {
		n.log.Warn("input is not watched completely, it is read once a minute", keyErr, err)
	}
	return tree.Changed(), refresh, tree.Close
}

// keep makes one pass on its own account and reports whether all is well.
func (n *namespace) keep(ctx context.Context) bool {
	if err := n.take(ctx); err != nil {
		return true
	}
	defer n.give()
	_, err := n.pass(ctx, wish{held: n.m.manual()})
	switch {
	case ctx.Err() != nil:
		return true
	case errors.Is(err, errWaits):
		return true // the status says so
	case err == nil:
		n.lastFail = ""
		return true
	}
	n.record(ctx)
	if text := err.Error(); text != n.lastFail {
		n.log.Error("input not applied", keyErr, err)
		n.lastFail = text
	}
	return len(resource.Problems(err)) > 0 // wrong input is tried again when it changes
}

// record writes the status of the objects in effect where a pass could not: what
// is wrong with the newest input is part of it. The caller holds the turn.
func (n *namespace) record(ctx context.Context) {
	v := *n.seen.Load()
	if v.site == nil || v.memory.Generation == 0 {
		return
	}
	n.texts.doubt()
	objects, _ := n.assessed(ctx, &v)
	now := showing(slices.Collect(objects.All()))
	for o := range objects.All() {
		ref := o.Ref()
		if o.Health() == nil || !now.differs(v.shown, ref) {
			continue
		}
		if err := input.Replace(n.paths.RuntimeResource(string(ref.Kind), ref.Name), resource.EncodeYAML(o)); err != nil {
			n.log.Warn("status not written", keyErr, err)
			return
		}
	}
	v.shown = now
	n.seen.Store(&v)
}

// catchUp writes the records that a change of many objects left, with the status
// of a moment later, some at a time: whoever asks for something meanwhile goes
// first.
func (n *namespace) catchUp(ctx context.Context) {
	for n.catchUpSome(ctx) {
		if ctx.Err() != nil {
			return
		}
	}
}

func (n *namespace) catchUpSome(ctx context.Context) (more bool) {
	if err := n.take(ctx); err != nil {
		return false
	}
	owed, asked := n.texts.owed && n.texts.sure, n.texts.asked
	n.give()
	if !owed {
		return false // or the next pass writes them
	}
	v := n.seen.Load()
	var shown []resource.Object
	if !asked { // the router is asked while others may work
		objects, _ := n.assessed(ctx, v)
		shown = slices.Collect(objects.All())
	}
	if err := n.take(ctx); err != nil {
		return false
	}
	defer n.give()
	switch {
	case !n.texts.owed || !n.texts.sure || !n.exists():
		return false
	case !n.texts.asked && (asked || v != n.seen.Load()):
		return true // there was another change meanwhile
	case !n.texts.asked:
		snap, err := n.store.Load()
		if err != nil || snap.Hash != v.memory.InputHash {
			return false // the next pass is about another input
		}
		next := *v
		next.shown = showing(shown)
		n.texts.ask(shown, slices.Collect(snap.Set.All()))
		n.seen.Store(&next)
	}
	files, gone := n.texts.some(n.paths)
	if !n.texts.owed {
		return false
	}
	h, err := n.m.host.Open(ctx, n.paths)
	if err == nil {
		err = h.WriteRecords(files, gone)
		_ = h.Close() // the lock goes with the process at the latest
	}
	if err != nil {
		n.texts.doubt()
		next := *n.seen.Load()
		next.shown = nothingShown // the next look has a pass
		n.seen.Store(&next)
		n.log.Warn("records not written", keyErr, err)
	}
	return err == nil
}

// wake has the loop make a pass.
func (n *namespace) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// moved reports whether there is something for a pass to do: another input than
// the one in effect, a status that is not written yet, a failure to try again.
// After a request it is mostly not: the request made the pass.
func (n *namespace) moved(ctx context.Context) bool {
	if err := n.take(ctx); err != nil {
		return false
	}
	snap, err := n.store.Load()
	owed := n.texts.owed
	n.give()
	v := n.seen.Load()
	return err != nil || owed || v.failure != "" || snap.Hash != v.memory.InputHash || v.site == nil || n.statusMoved(ctx) || len(v.site.Tokens) > 0
}

// statusMoved reports whether the status of some object, or how the network is,
// is not what the last pass wrote.
func (n *namespace) statusMoved(ctx context.Context) bool {
	v := n.seen.Load()
	if v.site == nil || v.memory.Stopped {
		return false
	}
	objects, net := n.assessed(ctx, v)
	now := showing(slices.Collect(objects.All()))
	for ref := range now.health {
		if now.differs(v.shown, ref) {
			return true
		}
	}
	return net != v.network
}

// differs reports whether another status is shown for an object.
func (s shown) differs(from shown, ref resource.Ref) bool {
	old, ok := from.health[ref]
	h := s.health[ref]
	return !ok || old.Status != h.Status || old.Message != h.Message || from.details[ref] != s.details[ref]
}

// exists reports whether the namespace has a directory.
func (n *namespace) exists() bool {
	_, err := os.Stat(n.paths.Dir)
	return !errors.Is(err, fs.ErrNotExist)
}

// missing is the error about a namespace that does not exist.
func (n *namespace) missing() error {
	return &api.Error{
		Kind: api.Missing, Message: fmt.Sprintf("namespace %s does not exist", n.paths.Name),
		Advice: "`skupper site create NAME` makes it; `skupper namespace list` lists those that exist",
	}
}
