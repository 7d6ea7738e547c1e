package system

import (
	"context"
	"fmt"
	"maps"

	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// withUnit is a state with the unit that a site wants, which is in effect.
func (n *namespace) withUnit(have state.State, s *site.Site, memory state.Memory) (state.State, error) {
	machine, err := n.m.render(memory.Platform)
	if err != nil {
		return have, err
	}
	want := have
	want.Units = maps.Clone(have.Units)
	want.Units[layout.UnitName(n.paths.Name)] = render.Unit(render.Input{Site: s, Paths: n.paths, Base: n.m.options.Paths, Machine: machine, Memory: memory})
	return want, nil
}

// halt stops the router of the generation in effect, and remembers that, where
// the input cannot be put into effect, and why says why not: whoever wants it
// stopped need not mend that first.
func (n *namespace) halt(ctx context.Context, w wish, h *host.Namespace, have state.State, memory state.Memory, why error) (*outcome, error) {
	v := *n.seen.Load()
	record, known := have.Files[n.paths.State()]
	if v.site == nil || memory.Generation == 0 || !known {
		return nil, why
	}
	memory.Stopped = true
	want, err := n.withUnit(have, v.site, memory)
	if err != nil {
		return nil, err
	}
	record.Data = memory.Encode()
	have.Losses = n.allLosses(ctx, have)
	want.Files = maps.Clone(have.Files)
	want.Files[n.paths.State()] = record
	o := &outcome{
		steps: plan.Make(want, have), site: v.site, memory: memory, warnings: v.warnings, dropped: v.dropped,
		output: render.Output{State: want, Memory: memory},
	}
	if w.dryRun {
		return o, nil
	}
	n.texts.doubt()
	err = h.Apply(ctx, have, o.steps)
	n.chronicle(h, o.steps, o.output, err)
	if err != nil {
		return nil, err
	}
	v.memory = memory
	n.seen.Store(&v)
	return o, nil
}

// resume starts the router of the generation in effect where it should run and
// does not, as after a boot without a service manager, while the input is not
// put into effect: because it is wrong, or because it waits for a command. No
// file is touched. Where the router runs, and for whoever asked for a change, it
// does nothing.
func (n *namespace) resume(ctx context.Context, w wish, h *host.Namespace, have state.State, memory state.Memory) error {
	v, name := n.seen.Load(), layout.UnitName(n.paths.Name)
	if w.change != nil || w.dryRun || v.site == nil || memory.Generation == 0 || memory.Stopped || have.Units[name].Running {
		return nil
	}
	want, err := n.withUnit(have, v.site, memory)
	if err != nil {
		return err
	}
	if err := h.Apply(ctx, have, plan.Make(want, have)); err != nil {
		return fmt.Errorf("the last good state is not resumed: %w", err)
	}
	n.log.Info("the router of the last good state is started", keyGeneration, memory.Generation)
	return nil
}
