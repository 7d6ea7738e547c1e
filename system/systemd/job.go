package systemd

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// JobError is a job of the manager that did not end as it should.
type JobError struct {
	Unit   string
	Job    string // "start"
	Result string // "failed", "timeout", "dependency", "canceled", "skipped"
}

func (e *JobError) Error() string { return fmt.Sprintf("%s %s: %s", e.Job, e.Unit, e.Result) }

// Load has the manager read all unit files again.
func (c *Conn) Load(ctx context.Context) error {
	conn, err := c.live(ctx)
	if err != nil {
		return err
	}
	if err := conn.ReloadContext(ctx); err != nil {
		return fmt.Errorf("load unit files: %w", err)
	}
	return nil
}

// Enable has a unit start with the machine or the user manager, as its
// [Install] section says. Files are read again, so that the manager knows.
func (c *Conn) Enable(ctx context.Context, unit string) error {
	conn, err := c.live(ctx)
	if err != nil {
		return err
	}
	if _, _, err := conn.EnableUnitFilesContext(ctx, []string{unit}, false, true); err != nil {
		return fmt.Errorf("enable %s: %w", unit, err)
	}
	return c.Load(ctx)
}

// Disable undoes Enable.
func (c *Conn) Disable(ctx context.Context, unit string) error {
	conn, err := c.live(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.DisableUnitFilesContext(ctx, []string{unit}, false); err != nil {
		return fmt.Errorf("disable %s: %w", unit, err)
	}
	return c.Load(ctx)
}

// Start starts a unit and returns when it is ready. Errors are a *JobError, or
// of the connection; so are those of the following.
func (c *Conn) Start(ctx context.Context, unit string) error {
	return c.job(ctx, "start", unit, (*dbus.Conn).StartUnitContext)
}

// Stop stops a unit and returns when its processes are gone.
func (c *Conn) Stop(ctx context.Context, unit string) error {
	return c.job(ctx, "stop", unit, (*dbus.Conn).StopUnitContext)
}

// Restart stops a unit, if it runs, and starts it.
func (c *Conn) Restart(ctx context.Context, unit string) error {
	return c.job(ctx, "restart", unit, (*dbus.Conn).RestartUnitContext)
}

// Reload has a running unit read its configuration again.
func (c *Conn) Reload(ctx context.Context, unit string) error {
	return c.job(ctx, "reload", unit, (*dbus.Conn).ReloadUnitContext)
}

// connectionCheck is how often it is looked whether the manager is still there
// while a job runs.
const connectionCheck = time.Second

// job starts a job and waits for its end.
func (c *Conn) job(ctx context.Context, name, unit string, start func(*dbus.Conn, context.Context, string, string, chan<- string) (int, error)) error {
	conn, err := c.live(ctx)
	if err != nil {
		return err
	}
	done := make(chan string, 1)
	if _, err := start(conn, ctx, unit, "replace", done); err != nil {
		return fmt.Errorf("%s %s: %w", name, unit, err)
	}
	ticker := time.NewTicker(connectionCheck)
	defer ticker.Stop()
	for {
		select {
		case result := <-done:
			if result != "done" {
				return &JobError{unit, name, result}
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%s %s: %w", name, unit, context.Cause(ctx))
		case <-ticker.C:
			if !conn.Connected() {
				return fmt.Errorf("%s %s: the connection to systemd broke", name, unit)
			}
		}
	}
}

// ResetFailed forgets that a unit failed. One that is not known is fine.
func (c *Conn) ResetFailed(ctx context.Context, unit string) error {
	conn, err := c.live(ctx)
	if err != nil {
		return err
	}
	if err := conn.ResetFailedUnitContext(ctx, unit); err != nil && !isNoSuchUnit(err) {
		return fmt.Errorf("reset %s: %w", unit, err)
	}
	return nil
}
