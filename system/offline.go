package system

import (
	"context"
	"errors"
	"fmt"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/state"
)

// Offline is a Controller for a process that is not the agent, while no agent
// runs: it writes input, plans, and looks. What takes a running agent is
// refused as api.Unavailable.
type Offline struct{ m *machine }

// NewOffline makes an Offline.
func NewOffline(o Options, units host.Units) *Offline {
	return &Offline{newMachine(o, onlooker{units})}
}

// onlooker is a supervisor that nothing is asked of: what an interrupted change
// still owes a unit is left to the agent.
type onlooker struct{ host.Units }

var errNoAgent = errors.New("no agent runs")

// Load implements host.Units, as do the others.
func (onlooker) Load(context.Context, host.UnitRef, state.Unit) error    { return errNoAgent }
func (onlooker) Enable(context.Context, host.UnitRef) error              { return errNoAgent }
func (onlooker) Disable(context.Context, host.UnitRef) error             { return errNoAgent }
func (onlooker) Start(context.Context, host.UnitRef, state.Unit) error   { return errNoAgent }
func (onlooker) Restart(context.Context, host.UnitRef, state.Unit) error { return errNoAgent }
func (onlooker) Reload(context.Context, host.UnitRef, state.Unit) error  { return errNoAgent }
func (onlooker) Stop(context.Context, host.UnitRef, state.Unit) error    { return errNoAgent }

// space is the namespace as its files say, as far as they can be read: one that is
// damaged keeps nobody from looking at the others.
func (o *Offline) space(ctx context.Context, name string) (*namespace, error) {
	paths, err := o.m.namespacePaths(name)
	if err != nil {
		return nil, err
	}
	n := newNamespace(o.m, paths)
	_ = n.recollect(ctx) // the view tells of it
	return n, nil
}

// Agent implements api.Controller: there is none.
func (o *Offline) Agent(context.Context) (*api.Agent, error) {
	return &api.Agent{Version: o.m.options.Version, System: o.m.options.Paths.System, DataHome: o.m.options.Paths.DataHome, Units: o.m.units.Name()}, nil
}

// Observer implements api.Controller: how it is can be seen without an agent.
func (o *Offline) Observer(ctx context.Context, r api.ObserverRequest) (*api.ObserverState, error) {
	if r.Operation != "" {
		return nil, unavailable("the network observer")
	}
	return o.m.observerState(ctx)
}

// Namespaces implements api.Controller.
func (o *Offline) Namespaces(ctx context.Context) ([]api.Namespace, error) {
	names, err := o.m.namespaces()
	if err != nil {
		return nil, err
	}
	var spaces []*namespace
	for _, name := range names {
		n, err := o.space(ctx, name)
		if err != nil {
			return nil, err
		}
		defer n.router.close()
		spaces = append(spaces, n)
	}
	return lines(ctx, spaces), nil
}

// Status implements api.Controller.
func (o *Offline) Status(ctx context.Context, name string) (*api.Status, error) {
	n, err := o.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer n.router.close()
	return n.status(ctx)
}

// Names implements api.Controller.
func (o *Offline) Names(ctx context.Context, name string) (*[]api.Ref, error) {
	n, err := o.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer n.router.close()
	return n.names()
}

// Check implements api.Controller.
func (o *Offline) Check(ctx context.Context, name string, r api.CheckRequest) (*api.Check, error) {
	n, err := o.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer n.router.close()
	return n.check(ctx, r)
}

// Ping implements api.Controller.
func (o *Offline) Ping(ctx context.Context, name string, r api.PingRequest) (*api.Ping, error) {
	n, err := o.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer n.router.close()
	return n.ping(ctx, r)
}

// Apply implements api.Controller: the input is written, nothing is started.
func (o *Offline) Apply(ctx context.Context, name string, r api.ApplyRequest) (*api.Result, error) {
	r.Store = r.Store || !r.DryRun
	n, err := o.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer n.router.close()
	return n.apply(ctx, r)
}

// Delete implements api.Controller: the input is written.
func (o *Offline) Delete(ctx context.Context, name string, r api.DeleteRequest) (*api.Result, error) {
	r.Store = true
	n, err := o.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer n.router.close()
	return n.remove(ctx, r)
}

// Patch implements api.Controller: the input is written.
func (o *Offline) Patch(ctx context.Context, name string, r api.PatchRequest) (*api.Result, error) {
	r.Store = true
	n, err := o.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer n.router.close()
	return n.patch(ctx, r)
}

// Operate implements api.Controller; only a dry run can be made.
func (o *Offline) Operate(ctx context.Context, name string, r api.OperateRequest) (*api.Result, error) {
	if !r.DryRun {
		return nil, unavailable(fmt.Sprintf("system %s", r.Operation))
	}
	n, err := o.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer n.router.close()
	return n.operate(ctx, r)
}

// Link implements api.Controller; it takes an agent.
func (o *Offline) Link(context.Context, string, api.LinkRequest) (*api.LinkFile, error) {
	return nil, unavailable("a link file")
}

// Token implements api.Controller; it takes an agent.
func (o *Offline) Token(context.Context, string, api.TokenRequest) (*api.TokenFile, error) {
	return nil, unavailable("a token")
}

// Redeem implements api.Controller: the link is written to the input.
func (o *Offline) Redeem(ctx context.Context, name string, r api.RedeemRequest) (*api.Result, error) {
	n, err := o.space(ctx, name)
	if err != nil {
		return nil, err
	}
	defer n.router.close()
	return n.redeemFile(ctx, r)
}

// Renew implements api.Controller; it takes an agent.
func (o *Offline) Renew(context.Context, string, api.RenewRequest) (*api.Result, error) {
	return nil, unavailable("renewing certificates")
}

func unavailable(what string) error {
	return &api.Error{Kind: api.Unavailable, Message: what + " takes a running agent", Advice: "`skupper system start` starts it"}
}
