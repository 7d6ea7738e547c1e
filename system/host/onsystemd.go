package host

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/supervise"
	"github.com/skupper-host/skupper/system/systemd"
)

// onSystemd has a service manager supervise.
type onSystemd struct{ conn *systemd.Conn }

// NewSystemd supervises units through a service manager.
func NewSystemd(conn *systemd.Conn) Units { return onSystemd{conn} }

func (s onSystemd) Name() string { return "systemd" }

// Observe reads what only a restart can change from the unit file that the unit
// was started with: it is written together with every restart that it takes.
func (s onSystemd) Observe(ctx context.Context, u UnitRef) (state.Unit, bool, error) {
	st, err := s.conn.Status(ctx, u.Name)
	if err != nil {
		return state.Unit{}, false, err
	}
	running := stateOf(st) != UnitInactive && stateOf(st) != UnitFailed && stateOf(st) != UnitStopping
	if !st.Loaded && !running {
		return state.Unit{}, false, nil
	}
	file, text, err := u.definition()
	if err != nil {
		return state.Unit{}, false, err
	}
	unit := state.Unit{Running: running, Enabled: st.Enabled, File: file, Identity: systemd.Setting(text, state.IdentitySection, state.IdentityKey)}
	if unit.Generated() {
		unit.Enabled = installs(text)
	}
	return unit, true, nil
}

// definition is the file that says how the unit is run: its unit file or, where
// there is none, that of which it is generated. There need be neither.
func (u UnitRef) definition() (file string, text []byte, err error) {
	text, err = os.ReadFile(u.File)
	if err == nil || !errors.Is(err, fs.ErrNotExist) || u.Quadlet == "" {
		return u.File, text, missing(err)
	}
	text, err = os.ReadFile(u.Quadlet)
	if err == nil {
		return u.Quadlet, text, nil
	}
	return u.File, nil, missing(err)
}

// installs reports whether a unit that is generated of a file starts with the
// machine or the user manager.
func installs(file []byte) bool { return systemd.Setting(file, "Install", "WantedBy") != "" }

func stateOf(st systemd.Status) UnitState {
	switch st.Active {
	case "active":
		return UnitActive
	case "reloading":
		return UnitReloading
	case "activating":
		if st.Sub == "auto-restart" || st.Sub == "auto-restart-queued" {
			return UnitRestarting
		}
		return UnitStarting
	case "deactivating":
		return UnitStopping
	case "failed":
		return UnitFailed
	}
	return UnitInactive
}

func (s onSystemd) Status(ctx context.Context, u UnitRef) (UnitStatus, error) {
	st, err := s.conn.Status(ctx, u.Name)
	if err != nil {
		return UnitStatus{}, err
	}
	out := UnitStatus{
		State: stateOf(st), PID: st.PID, Since: st.Started, Text: st.Text, Result: st.Result, Restarts: st.Restarts, Enabled: st.Enabled,
	}
	if st.PID == 0 {
		out.Since = st.Ended
	}
	if file, text, err := u.definition(); err == nil && (state.Unit{File: file}).Generated() {
		out.Enabled = installs(text)
	}
	return out, nil
}

func (s onSystemd) Load(ctx context.Context, _ UnitRef, _ state.Unit) error { return s.conn.Load(ctx) }

func (s onSystemd) Enable(ctx context.Context, u UnitRef) error { return s.conn.Enable(ctx, u.Name) }

func (s onSystemd) Disable(ctx context.Context, u UnitRef) error { return s.conn.Disable(ctx, u.Name) }

// Start first ends a process that the built-in supervisor left behind, from a
// time when no manager answered.
func (s onSystemd) Start(ctx context.Context, u UnitRef, spec state.Unit) error {
	if spec.Generated() {
		st, err := s.conn.Status(ctx, u.Name)
		if err != nil {
			return err
		}
		if !st.Loaded {
			return &NotGeneratedError{Unit: u.Name, File: spec.File}
		}
	}
	if err := supervise.Evict(ctx, superviseRef(u), spec.Stop); err != nil {
		return err
	}
	return s.explain(ctx, u, s.conn.Start(ctx, u.Name))
}

func (s onSystemd) Restart(ctx context.Context, u UnitRef, _ state.Unit) error {
	return s.explain(ctx, u, s.conn.Restart(ctx, u.Name))
}

func (s onSystemd) Reload(ctx context.Context, u UnitRef, spec state.Unit) error {
	st, err := s.conn.Status(ctx, u.Name)
	if err != nil {
		return err
	}
	if st.Active != "active" && st.Active != "reloading" {
		return s.Restart(ctx, u, spec)
	}
	return s.explain(ctx, u, s.conn.Reload(ctx, u.Name))
}

// Stop also forgets that a unit failed: it is to be as if it had never run.
func (s onSystemd) Stop(ctx context.Context, u UnitRef, _ state.Unit) error {
	if err := s.conn.Stop(ctx, u.Name); err != nil {
		return s.explain(ctx, u, err)
	}
	return s.conn.ResetFailed(ctx, u.Name)
}

// explain makes what happened to the unit of a job that failed.
func (s onSystemd) explain(ctx context.Context, u UnitRef, err error) error {
	var job *systemd.JobError
	if !errors.As(err, &job) {
		return err
	}
	st, asked := s.conn.Status(ctx, u.Name)
	if asked != nil {
		return err
	}
	e := &UnitError{Name: u.Name, Result: st.Result, Text: st.Text}
	if e.Result == "" {
		e.Result = job.Result
	}
	return e
}
