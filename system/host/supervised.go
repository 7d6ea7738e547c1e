package host

import (
	"context"
	"errors"
	"time"

	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/supervise"
)

// watchdog is how long a process may give no sign of life, as in unit files.
const watchdog = 30 * time.Second

// supervised has the agent itself supervise.
type supervised struct{ super *supervise.Supervisor }

// NewSupervised supervises units by the built-in supervisor, whose Run must run
// for anything but looking. What comes back at boot is then the agent's memory,
// not a unit's property: a unit that runs counts as enabled.
func NewSupervised(s *supervise.Supervisor) Units { return supervised{s} }

func superviseRef(u UnitRef) supervise.Ref {
	return supervise.Ref{Name: u.Name, Records: u.Records, PIDFile: u.PIDFile}
}

func (s supervised) Name() string { return "agent" }

func (s supervised) Observe(ctx context.Context, u UnitRef) (state.Unit, bool, error) {
	st := s.super.Status(ctx, superviseRef(u))
	if st.Phase == supervise.Inactive {
		return state.Unit{}, false, nil
	}
	running := st.Phase != supervise.Stopping
	return state.Unit{
		Running: running, Enabled: running, Identity: st.Spec.Tag,
		Command: st.Spec.Command, Env: st.Spec.Env, User: st.Spec.User, LowPorts: st.Spec.LowPorts,
		RunDir: st.Spec.RunDir, Log: st.Spec.Log, Stop: st.Spec.Stop,
	}, true, nil
}

func (s supervised) Status(ctx context.Context, u UnitRef) (UnitStatus, error) {
	st := s.super.Status(ctx, superviseRef(u))
	phases := map[supervise.Phase]UnitState{
		supervise.Inactive: UnitInactive, supervise.Starting: UnitStarting, supervise.Active: UnitActive,
		supervise.Reloading: UnitReloading, supervise.Stopping: UnitStopping, supervise.Restarting: UnitRestarting,
	}
	return UnitStatus{
		State: phases[st.Phase], PID: st.PID, Since: st.Since, Text: st.Text, Result: st.Result, Restarts: st.Restarts,
		Enabled: st.Phase != supervise.Inactive,
	}, nil
}

func (s supervised) Load(ctx context.Context, u UnitRef, spec state.Unit) error {
	if len(spec.Command) == 0 {
		return nil // about files, and there are none
	}
	return s.run(ctx, u, spec, s.super.Update)
}

// Enable and Disable have nothing to do, as NewSupervised says.
func (supervised) Enable(context.Context, UnitRef) error  { return nil }
func (supervised) Disable(context.Context, UnitRef) error { return nil }

func (s supervised) Start(ctx context.Context, u UnitRef, spec state.Unit) error {
	return s.run(ctx, u, spec, s.super.Start)
}

func (s supervised) Restart(ctx context.Context, u UnitRef, spec state.Unit) error {
	return s.run(ctx, u, spec, s.super.Restart)
}

func (s supervised) run(ctx context.Context, u UnitRef, spec state.Unit, do func(context.Context, supervise.Ref, supervise.Spec) error) error {
	x := supervise.Spec{
		Command: spec.Command, Env: spec.Env, User: spec.User, LowPorts: spec.LowPorts,
		RunDir: spec.RunDir, Log: spec.Log, Stop: spec.Stop, Watchdog: watchdog, Tag: spec.Identity,
	}
	if spec.User != "" {
		n, err := newOwners().ids(state.Owner{User: spec.User, Group: spec.User})
		if err != nil {
			return err
		}
		if n.uid >= 0 {
			x.Credential = &supervise.Credential{UID: uint32(n.uid), GID: uint32(n.gid)}
		}
	}
	return explainExit(do(ctx, superviseRef(u), x))
}

func (s supervised) Reload(ctx context.Context, u UnitRef, spec state.Unit) error {
	err := s.super.Reload(ctx, superviseRef(u))
	if errors.Is(err, supervise.ErrNotRunning) {
		return s.Start(ctx, u, spec)
	}
	return explainExit(err)
}

func (s supervised) Stop(ctx context.Context, u UnitRef, _ state.Unit) error {
	return s.super.Stop(ctx, superviseRef(u))
}

// explainExit makes a UnitError of a process that ended.
func explainExit(err error) error {
	var exit *supervise.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	return &UnitError{Name: exit.Name, Result: exit.Result, Text: exit.Text, Log: exit.Log}
}
