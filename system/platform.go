package system

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/state"
)

// A namespace has one platform from its first start on. Before, it is what was
// chosen last, in internal/platform.yaml; after, it is in the memory of the
// namespace, and only migrate changes it.

// chosen is the platform that was chosen for a namespace that was never started,
// as Memory has it.
func (n *namespace) chosen() string {
	if _, err := os.Lstat(n.paths.RouterConfig()); err == nil {
		return "" // made by upstream's tools: its router becomes a process
	}
	data, err := os.ReadFile(n.paths.Platform())
	if err != nil {
		return ""
	}
	if name := host.ParsePlatform(data); container.Known(name) {
		return name
	}
	return ""
}

// choose adds to a wish the platform that was asked for, "" for none.
func (n *namespace) choose(asked string, w wish) (wish, error) {
	v := n.seen.Load()
	if asked != "" && asked != platformLinux && !container.Known(asked) {
		return w, &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("platform %q is not known", asked), Advice: "use linux, podman or docker"}
	}
	if v.memory.Generation > 0 {
		if is := platformWord(v.memory.Platform); asked != "" && asked != is {
			return w, &api.Error{
				Kind: api.Conflict, Message: fmt.Sprintf("the site of namespace %s runs on the platform %s", n.paths.Name, is),
				Advice: fmt.Sprintf("`skupper -n %s system migrate --to %s` moves it", n.paths.Name, asked),
			}
		}
		return w, nil
	}
	w.platform = asked
	platform, memory := first(asked, n.chosen()), w.memory
	if platform == platformLinux {
		platform = ""
	}
	w.memory = func(m *state.Memory) {
		if memory != nil {
			memory(m)
		}
		if m.Generation == 0 {
			m.Platform = platform
		}
	}
	return w, nil
}

// keepChoice writes the platform that was asked for, for a later start.
func (n *namespace) keepChoice(platform string) error {
	if platform == "" {
		return nil
	}
	if err := os.MkdirAll(n.paths.InternalDir(), 0o700); err != nil {
		return err
	}
	return input.Replace(n.paths.Platform(), []byte("platform: "+platform+"\n"))
}

// migrate moves the site to another platform: the router ends on the old one and
// starts on the new one, with the same id, keys, ports and links. Where the new
// one fails, it goes on with the old one. An old engine that does not answer any
// more keeps no site: it is said what may be left in it.
func (n *namespace) migrate(ctx context.Context, r api.OperateRequest) (_ *api.Result, err error) {
	before := n.seen.Load().memory
	from := platformWord(before.Platform)
	switch {
	case r.Platform != platformLinux && !container.Known(r.Platform):
		return nil, &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("platform %q is not known", r.Platform), Advice: "use --to linux, --to podman or --to docker"}
	case before.Generation == 0:
		if err := n.keepChoice(r.Platform); err != nil {
			return nil, err
		}
		return &api.Result{State: api.Defined, Notes: []string{"the site was never started; it will run on " + r.Platform}}, nil
	case from == r.Platform:
		return &api.Result{State: n.rests(before), Generation: before.Generation, Notes: []string{"the site is on " + from + " already"}}, nil
	}
	unready, err := n.ready(ctx, r.Platform)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil || r.DryRun {
			unready()
		}
	}()
	if r.DryRun {
		return n.foreseeMove(ctx, r.Platform, before)
	}
	left, err := n.request(ctx, false, wish{forsake: true, memory: stopped(true)})
	if err != nil {
		return nil, err
	}
	to := r.Platform
	if to == platformLinux {
		to = ""
	}
	result, err := n.request(ctx, false, wish{forsake: true, start: true, memory: func(m *state.Memory) { m.Platform, m.Stopped = to, before.Stopped }})
	if err != nil {
		ctx := context.WithoutCancel(ctx)
		_, back := n.request(ctx, false, wish{start: true, memory: func(m *state.Memory) { m.Platform, m.Stopped = before.Platform, before.Stopped }})
		if back != nil {
			return nil, errors.Join(err, fmt.Errorf("going back to %s: %w", from, back))
		}
		return nil, fmt.Errorf("the site stays on %s: %w", from, err)
	}
	if len(result.Notes) == 0 { // both passes may have missed the engine
		result.Notes = left.Notes
	}
	result.Notes = append(result.Notes, fmt.Sprintf("the site runs on %s now, was on %s", r.Platform, from))
	return result, nil
}

// foreseeMove says what migrate would do.
func (n *namespace) foreseeMove(ctx context.Context, to string, before state.Memory) (*api.Result, error) {
	const stay = "id, keys, ports and links stay"
	if before.Stopped {
		return &api.Result{State: api.Stopped, Plan: []string{"have the router on " + to + " once it is started"}, Summary: stay}, nil
	}
	result, err := n.request(ctx, true, wish{forsake: true, memory: stopped(true), dryRun: true})
	if err != nil {
		return nil, err
	}
	result.State = api.Running
	result.Plan, result.Summary = append(result.Plan, "start the router on "+to), result.Summary+"; "+stay
	return result, nil
}

// rests is the state of a site that a request leaves as it is.
func (n *namespace) rests(m state.Memory) api.State {
	if m.Stopped {
		return api.Stopped
	}
	return api.Running
}

// ready has a platform be one that can be used, before anything is stopped for it.
// undo takes away the image that was made for that.
func (n *namespace) ready(ctx context.Context, platform string) (undo func(), err error) {
	undo = func() {}
	if !container.Known(platform) {
		return undo, nil
	}
	machine, err := n.m.render(platform)
	if err != nil {
		return undo, err
	}
	e, err := n.m.options.Engines(platform)
	if err != nil {
		return undo, err
	}
	fresh, err := host.Prepare(ctx, e, platform, machine.Image, machine.LocalImage, ProgramFile)
	if fresh {
		undo = func() {
			if err := e.RemoveImage(context.WithoutCancel(ctx), machine.Image); err != nil {
				n.log.Warn("an image is left", "image", machine.Image, keyErr, err)
			}
		}
	}
	return undo, err
}

// ProgramFile is the program that runs, whatever became of its path.
const ProgramFile = "/proc/self/exe"
