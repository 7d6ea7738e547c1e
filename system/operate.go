package system

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/state"
)

// operate does what api.Controller.Operate says.
func (n *namespace) operate(ctx context.Context, r api.OperateRequest) (*api.Result, error) {
	if !n.exists() {
		return nil, n.missing()
	}
	op := r.Operation
	if op == api.Stop && n.m.options.Getenv("SKUPPER_AGENT_STOP_REMOVES") == "true" {
		op = api.Teardown // compat: what upstream's stop does
	}
	before := n.seen.Load().memory
	switch op {
	case api.Start:
		w, err := n.choose(r.Platform, wish{start: true, strict: true, memory: stopped(false)})
		if err != nil {
			return nil, err
		}
		return n.change(ctx, r, w, before.Generation > 0 && !before.Stopped, "the site runs already")
	case api.Stop:
		if before.Generation == 0 {
			return &api.Result{State: api.Defined, Notes: []string{"the site was never started"}}, nil
		}
		return n.change(ctx, r, wish{memory: stopped(true), halt: true}, before.Stopped, "the site is stopped already")
	case api.Reload:
		return n.change(ctx, r, wish{start: true, strict: true}, false, "") // compat: a first reload starts the site
	case api.Restart:
		return n.change(ctx, r, wish{start: true, restart: true, memory: stopped(false)}, false, "")
	case api.Teardown:
		return n.teardown(ctx, r)
	case api.Migrate:
		return n.migrate(ctx, r)
	}
	return nil, &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("%q is not an operation", r.Operation)}
}

// stopped remembers whether the site is stopped on purpose.
func stopped(is bool) func(*state.Memory) {
	return func(m *state.Memory) { m.Stopped = is }
}

// change makes a pass for an operation; note is added where nothing was to do.
func (n *namespace) change(ctx context.Context, r api.OperateRequest, w wish, was bool, note string) (*api.Result, error) {
	w.dryRun = r.DryRun
	result, err := n.request(ctx, r.DryRun, w)
	if err != nil {
		return nil, err
	}
	if result.State == api.Defined {
		return nil, &api.Error{
			Kind: api.Invalid, Message: fmt.Sprintf("namespace %s has no site", n.paths.Name), Advice: "`skupper site create NAME` describes one",
		}
	}
	if was && note != "" {
		result.Notes = append(result.Notes, note)
	}
	return result, nil
}

// teardown stops the site and removes everything of the namespace.
func (n *namespace) teardown(ctx context.Context, r api.OperateRequest) (*api.Result, error) {
	if err := n.take(ctx); err != nil {
		return nil, err
	}
	defer n.give()
	h, err := n.m.host.Open(ctx, n.paths)
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }() // the directory may be gone
	have, err := h.Observe(ctx)
	if err != nil {
		return nil, err
	}
	have.Losses = n.allLosses(ctx, have)
	steps := plan.Make(state.State{}, have)
	result := &api.Result{State: api.Defined, Plan: plan.Lines(steps), Summary: plan.Summarize(steps).String()}
	if r.DryRun {
		return result, nil
	}
	if !r.Purge {
		file := filepath.Join(n.m.options.Paths.TrashDir(), fmt.Sprintf("%s-%s.tar.gz", n.paths.Name, time.Now().UTC().Format("20060102T150405Z")))
		if err := h.Archive(ctx, file); err != nil {
			return nil, err
		}
		result.Archive = file
	}
	n.log.Info("tearing down", keyPlan, result.Summary)
	n.texts.doubt()
	if err := h.Apply(ctx, have, steps); err != nil {
		return nil, err
	}
	if err := h.Remove(ctx, r.KeepInput); err != nil {
		return nil, err
	}
	n.seen.Store(&view{})
	if r.KeepInput {
		if err := n.recollect(ctx); err != nil {
			n.log.Warn("the input that was kept is not shown", keyErr, err)
		}
	}
	if err := n.m.release(n.paths.Name); err != nil {
		n.log.Warn("ports not released", keyErr, err)
	}
	result.Changes = []api.Change{{Object: "namespace/" + n.paths.Name, Action: api.Deleted}}
	return result, nil
}

// renew does what api.Controller.Renew says.
func (n *namespace) renew(ctx context.Context, r api.RenewRequest) (*api.Result, error) {
	if !n.exists() {
		return nil, n.missing()
	}
	v := n.seen.Load()
	var own []string
	for _, c := range v.credentials {
		if c.own {
			own = append(own, c.Name)
		}
	}
	names := r.Names
	if len(names) == 0 {
		names = own
	}
	var changes []api.Change
	for _, name := range names {
		if !slices.Contains(own, name) {
			return nil, &api.Error{
				Kind: api.Missing, Message: fmt.Sprintf("certificate %s is not one that this site makes and renews", name),
				Advice: "`skupper cert list` shows which are",
			}
		}
		changes = append(changes, api.Change{Object: "certificate/" + name, Action: api.Configured})
	}
	result, err := n.request(ctx, r.DryRun, wish{renew: names, dryRun: r.DryRun})
	if err != nil {
		return nil, err
	}
	result.Changes = changes
	return result, nil
}
