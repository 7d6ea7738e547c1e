package system

import (
	"context"
	"fmt"
	"maps"

	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/state"
)

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
	machine, err := n.m.render(memory.Platform)
	if err != nil {
		return err
	}
	want := have
	want.Units = maps.Clone(have.Units)
	want.Units[name] = render.Unit(render.Input{Site: v.site, Paths: n.paths, Base: n.m.options.Paths, Machine: machine, Memory: memory})
	if err := h.Apply(ctx, have, plan.Make(want, have)); err != nil {
		return fmt.Errorf("the last good state is not resumed: %w", err)
	}
	n.log.Info("the router of the last good state is started", keyGeneration, memory.Generation)
	return nil
}
