package system

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/token"
	"github.com/skupper-host/skupper/system/watch"
)

// Agent looks after all namespaces of an instance. It implements
// api.Controller.
type Agent struct {
	m       *machine
	started time.Time

	mu     sync.Mutex
	spaces map[string]*namespace // guarded by mu, by name

	// arrived carries namespaces to the loop of Run, which runs them.
	arrived chan *namespace
	// gone wakes that loop: a namespace may have been removed.
	gone chan struct{}
}

// ErrRunning is wrapped when another agent serves the same sites.
var ErrRunning = errors.New("another agent runs")

// NewAgent makes the agent of an instance. Nothing runs before Run.
func NewAgent(o Options, units host.Units) *Agent {
	a := &Agent{
		m: newMachine(o, units), started: time.Now(), spaces: map[string]*namespace{},
		arrived: make(chan *namespace, 64), gone: make(chan struct{}, 1),
	}
	a.m.grants = newGrantServer(a.m, claims{a})
	a.m.grants.mended = a.wakeAll // grants say where they are redeemed now
	return a
}

// Run serves until ctx is done: the API, the file events, and one loop for
// each namespace. ready is called when the API answers. Routers go on when it
// returns. Errors wrap ErrRunning.
//
// What has to run beside it, such as the built-in supervisor where no systemd
// runs the routers, begins when the agent is the only one and ends before
// another one may begin; where that ends with an error, so does the agent.
func (a *Agent) Run(ctx context.Context, ready func(), beside ...func(context.Context) error) error {
	paths := a.m.options.Paths
	if err := makeHome(paths); err != nil {
		return err
	}
	lock, err := host.LockController(paths.ControllerLock())
	if errors.Is(err, host.ErrLocked) {
		return fmt.Errorf("%w: %w", ErrRunning, err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // it ends with the process at the latest
	socket, err := paths.AgentSocket()
	if err != nil {
		return err
	}
	if err := lock.Tell(socket); err != nil {
		return err
	}
	if err := a.m.loadPorts(); err != nil {
		return err
	}
	server, err := a.listen()
	if err != nil {
		return err
	}
	// The parts end in order: no request is taken any more, then the
	// namespaces finish what they do.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	errs := make([]error, len(beside)+1)
	for i, run := range beside {
		parts.Go(func() {
			if errs[i] = run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	parts.Go(func() { errs[len(beside)] = server.run(ctx); cancel() })
	a.look(ctx, ready)
	cancel()
	parts.Wait()
	return errors.Join(errs...)
}

// look runs the namespaces until ctx is done.
func (a *Agent) look(ctx context.Context, ready func()) {
	var loops sync.WaitGroup
	defer loops.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := watch.New()
	if err != nil {
		a.m.log.Warn("no file events, input is read once a minute", keyErr, err)
	} else {
		loops.Go(func() {
			if err := events.Run(ctx); err != nil {
				a.m.log.Warn("file events ended, input is read once a minute", keyErr, err)
			}
		})
	}
	loops.Go(func() { a.m.grants.run(ctx) })
	loops.Go(func() { a.m.keepObserver(ctx) })
	running := map[string]context.CancelFunc{}
	defer func() {
		for _, stop := range running {
			stop()
		}
	}()
	changed := a.watchNamespaces(events)
	a.scan(ctx)
	ready()
	tick := time.NewTicker(rescan)
	defer tick.Stop()
	idle := newIdle(a.m.options.IdleExit)
	defer idle.stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-idle.due(len(running) == 0 && !a.m.observes()):
			a.m.log.Info("nothing to look after, the agent ends")
			return
		case n := <-a.arrived:
			own, stop := context.WithCancel(ctx)
			running[n.paths.Name] = stop
			loops.Go(func() { n.run(own, events) })
		case <-changed:
			a.scan(ctx)
		case <-a.gone:
			a.scan(ctx)
		case <-tick.C:
			a.scan(ctx)
		}
		for _, name := range a.forgotten(running) {
			running[name]()
			delete(running, name)
		}
	}
}

func (a *Agent) watchNamespaces(events *watch.Watch) <-chan struct{} {
	if events == nil {
		return nil
	}
	tree, err := events.AddFlat(a.m.options.Paths.NamespacesDir())
	if err != nil {
		a.m.log.Warn("new namespaces are noticed once a minute", keyErr, err)
	}
	return tree.Changed()
}

// idle ends an agent that nobody needs.
type idle struct {
	after time.Duration // 0: never
	timer *time.Timer
	armed bool
}

func newIdle(after time.Duration) *idle {
	i := &idle{after: after, timer: time.NewTimer(time.Hour)}
	i.timer.Stop()
	return i
}

// due yields once the agent was empty for long enough.
func (i *idle) due(empty bool) <-chan time.Time {
	switch {
	case i.after == 0:
		return nil
	case empty && !i.armed:
		i.timer.Reset(i.after)
	case !empty:
		i.timer.Stop()
	}
	i.armed = empty
	return i.timer.C
}

func (i *idle) stop() { i.timer.Stop() }

// scan takes up namespaces that have a directory and drops those that have
// none any more.
func (a *Agent) scan(ctx context.Context) {
	names, err := a.m.namespaces()
	if err != nil {
		a.m.log.Error("namespaces cannot be listed", keyErr, err)
		return
	}
	for _, name := range names {
		if _, err := a.space(ctx, name); err != nil {
			a.m.log.Error("namespace left alone", keySite, name, keyErr, err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, n := range a.spaces {
		if !n.exists() && !n.busy() {
			delete(a.spaces, name)
		}
	}
}

// wakeAll has every namespace look again.
func (a *Agent) wakeAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.spaces {
		n.wake()
	}
}

// forgotten lists the loops whose namespace is gone.
func (a *Agent) forgotten(running map[string]context.CancelFunc) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for name := range running {
		if a.spaces[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

// space returns the namespace with that name. One that was not known is made
// and handed to the loop.
func (a *Agent) space(ctx context.Context, name string) (*namespace, error) {
	a.mu.Lock()
	n := a.spaces[name]
	if n != nil {
		a.mu.Unlock()
		select {
		case <-n.recollected:
			return n, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	paths, err := a.m.namespacePaths(name)
	if err != nil {
		a.mu.Unlock()
		return nil, err
	}
	n = newNamespace(a.m, paths)
	a.spaces[name] = n
	a.mu.Unlock()
	if err := n.recollect(ctx); err != nil {
		a.m.log.Warn("namespace cannot be read", keySite, name, keyErr, err)
	}
	close(n.recollected)
	select {
	case a.arrived <- n:
		return n, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// known lists the namespaces in order of their names.
func (a *Agent) known() []*namespace {
	a.mu.Lock()
	list := make([]*namespace, 0, len(a.spaces))
	for _, name := range slices.Sorted(maps.Keys(a.spaces)) {
		list = append(list, a.spaces[name])
	}
	a.mu.Unlock()
	for _, n := range list {
		<-n.recollected // whoever made it is reading its files
	}
	return list
}

// Agent implements api.Controller.
func (a *Agent) Agent(context.Context) (*api.Agent, error) {
	o := a.m.options
	return &api.Agent{
		PID: os.Getpid(), Version: o.Version, StartedAt: a.started.UTC(), System: o.Paths.System, DataHome: o.Paths.DataHome, Units: a.m.units.Name(),
	}, nil
}

// Observer implements api.Controller.
func (a *Agent) Observer(ctx context.Context, r api.ObserverRequest) (*api.ObserverState, error) {
	return a.m.operateObserver(ctx, r.Operation)
}

// Namespaces implements api.Controller.
func (a *Agent) Namespaces(ctx context.Context) ([]api.Namespace, error) {
	// One that was just torn down is known until the loop has looked.
	return lines(ctx, slices.DeleteFunc(a.known(), func(n *namespace) bool { return !n.exists() })), nil
}

// lines asks every namespace for its line, all at once: one router that does
// not answer delays nobody else's.
func lines(ctx context.Context, spaces []*namespace) []api.Namespace {
	list := make([]api.Namespace, len(spaces))
	var wg sync.WaitGroup
	for i, n := range spaces {
		wg.Go(func() {
			v := n.seen.Load()
			l, unit, why := n.look(ctx, v)
			list[i] = n.line(v, unit, l, why)
		})
	}
	wg.Wait()
	return list
}

// Status implements api.Controller.
func (a *Agent) Status(ctx context.Context, name string) (*api.Status, error) {
	return existing(ctx, a, name, (*namespace).status)
}

// Names implements api.Controller.
func (a *Agent) Names(ctx context.Context, name string) (*[]api.Ref, error) {
	return existing(ctx, a, name, func(n *namespace, _ context.Context) (*[]api.Ref, error) { return n.names() })
}

// Check implements api.Controller.
func (a *Agent) Check(ctx context.Context, name string, r api.CheckRequest) (*api.Check, error) {
	return existing(ctx, a, name, func(n *namespace, ctx context.Context) (*api.Check, error) { return n.check(ctx, r) })
}

// Ping implements api.Controller.
func (a *Agent) Ping(ctx context.Context, name string, r api.PingRequest) (*api.Ping, error) {
	return existing(ctx, a, name, func(n *namespace, ctx context.Context) (*api.Ping, error) { return n.ping(ctx, r) })
}

// Apply implements api.Controller.
func (a *Agent) Apply(ctx context.Context, name string, r api.ApplyRequest) (*api.Result, error) {
	n, err := a.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer a.settle(n)
	return n.apply(ctx, r)
}

// settle has the loop drop a namespace that was not made after all.
func (a *Agent) settle(n *namespace) {
	if !n.exists() {
		select {
		case a.gone <- struct{}{}:
		default:
		}
	}
}

// Delete implements api.Controller.
func (a *Agent) Delete(ctx context.Context, name string, r api.DeleteRequest) (*api.Result, error) {
	return existing(ctx, a, name, func(n *namespace, ctx context.Context) (*api.Result, error) { return n.remove(ctx, r) })
}

// Patch implements api.Controller.
func (a *Agent) Patch(ctx context.Context, name string, r api.PatchRequest) (*api.Result, error) {
	return existing(ctx, a, name, func(n *namespace, ctx context.Context) (*api.Result, error) { return n.patch(ctx, r) })
}

// Operate implements api.Controller.
func (a *Agent) Operate(ctx context.Context, name string, r api.OperateRequest) (*api.Result, error) {
	return existing(ctx, a, name, func(n *namespace, ctx context.Context) (*api.Result, error) { return n.operate(ctx, r) })
}

// Link implements api.Controller.
func (a *Agent) Link(ctx context.Context, name string, r api.LinkRequest) (*api.LinkFile, error) {
	return existing(ctx, a, name, func(n *namespace, ctx context.Context) (*api.LinkFile, error) { return n.linkFor(ctx, r) })
}

// Token implements api.Controller.
func (a *Agent) Token(ctx context.Context, name string, r api.TokenRequest) (*api.TokenFile, error) {
	return existing(ctx, a, name, func(n *namespace, ctx context.Context) (*api.TokenFile, error) { return n.issueToken(ctx, r) })
}

// Redeem implements api.Controller.
func (a *Agent) Redeem(ctx context.Context, name string, r api.RedeemRequest) (*api.Result, error) {
	n, err := a.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer a.settle(n)
	return n.redeemFile(ctx, r)
}

// Renew implements api.Controller.
func (a *Agent) Renew(ctx context.Context, name string, r api.RenewRequest) (*api.Result, error) {
	return existing(ctx, a, name, func(n *namespace, ctx context.Context) (*api.Result, error) { return n.renew(ctx, r) })
}

// claims answers claims for the agent's grants. It implements token.Grantor and
// token.Renewer.
type claims struct{ agent *Agent }

// Redeem implements token.Grantor.
func (c claims) Redeem(ctx context.Context, claim token.Claim) ([]byte, error) {
	for _, n := range c.agent.known() {
		for name, g := range n.seen.Load().grants {
			if g.UID == claim.Grant || claim.Key == (token.GrantKey{Namespace: n.paths.Name, Name: name}) {
				return n.grantFor(ctx, name, claim)
			}
		}
	}
	return nil, token.ErrNoGrant
}

// Renew implements token.Renewer.
func (c claims) Renew(ctx context.Context, r token.Renewal) ([]byte, error) {
	shown, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return nil, token.ErrUnknown
	}
	for _, n := range c.agent.known() {
		if _, ok := n.seen.Load().memory.Links.Find(pki.Serial(shown)); ok {
			return n.renewalFor(ctx, shown, r)
		}
	}
	return nil, token.ErrUnknown
}

// existing asks a namespace something, if there is such a one.
func existing[A any](ctx context.Context, a *Agent, name string, do func(*namespace, context.Context) (*A, error)) (*A, error) {
	n, err := a.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer a.settle(n)
	return do(n, ctx)
}

// namespaces lists the directories of namespaces.
func (m *machine) namespaces() ([]string, error) {
	entries, err := os.ReadDir(m.options.Paths.NamespacesDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if _, err := m.namespacePaths(e.Name()); e.IsDir() && err == nil {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// namespacePaths are the places of a namespace whose name is in order.
func (m *machine) namespacePaths(name string) (layout.NamespacePaths, error) {
	if reason := resource.CheckNamespace(name); reason != "" {
		return layout.NamespacePaths{}, &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("namespace %q: %s", name, reason)}
	}
	return m.options.Paths.Namespace(name)
}
