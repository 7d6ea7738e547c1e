package host

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/state"
)

// Units is what supervises the routers of an instance: systemd, or the agent
// itself. Names are those of units: "skupper-west.service". Every method
// returns when the thing is done or has failed.
type Units interface {
	// Name says who supervises: "systemd" or "agent".
	Name() string
	// Observe tells how a unit is. One that is not known is not ok.
	Observe(ctx context.Context, u UnitRef) (unit state.Unit, ok bool, err error)
	// Status tells what a person wants to know of a unit.
	Status(ctx context.Context, u UnitRef) (UnitStatus, error)
	// Load has changed unit files read, or how a unit without one is to be run
	// from its next start on.
	Load(ctx context.Context, u UnitRef, spec state.Unit) error
	// Enable has a unit come back when the machine boots, Disable not.
	Enable(ctx context.Context, u UnitRef) error
	Disable(ctx context.Context, u UnitRef) error
	// Start starts a unit and waits until it is ready. The error is a
	// *UnitError when the unit itself failed.
	Start(ctx context.Context, u UnitRef, spec state.Unit) error
	// Restart is Stop and Start, Reload has a running unit read its files
	// again. A unit that is down at the moment, to be started again by its
	// supervisor, is started at once by either.
	Restart(ctx context.Context, u UnitRef, spec state.Unit) error
	Reload(ctx context.Context, u UnitRef, spec state.Unit) error
	// Stop ends a unit, in its own time to stop.
	Stop(ctx context.Context, u UnitRef, spec state.Unit) error
}

// UnitRef names a unit, and where the agent keeps its records about it if it
// supervises the unit itself.
type UnitRef struct {
	Name    string
	File    string // unit file; empty if there cannot be one
	Quadlet string // file of which podman's generator makes the unit, where there is no unit file; empty if there cannot be one
	Records string // directory
	PIDFile string

	Platform  string // that the router runs on now: "podman", "docker", or another word for a process
	Container string // its name on the platforms of containers
	Socket    string // where the router is asked
	Run       string // run directory of a router in a container, on the disk
}

// UnitState is where a unit stands.
type UnitState string

// The states of a unit.
const (
	UnitInactive   UnitState = "inactive"   // stopped, or not known
	UnitStarting   UnitState = "starting"   // not ready yet
	UnitActive     UnitState = "active"     // ready
	UnitReloading  UnitState = "reloading"  // reading its files
	UnitStopping   UnitState = "stopping"   // asked to end
	UnitRestarting UnitState = "restarting" // it ended by itself and is about to be started again
	UnitFailed     UnitState = "failed"     // it ended by itself and stays down
)

// UnitStatus is what a person wants to know of a unit.
type UnitStatus struct {
	State    UnitState
	PID      int       // 0 if there is no process
	Since    time.Time // of the process, or of its end
	Text     string    // what the process says of itself (sd_notify STATUS=)
	Result   string    // how the last process ended: "exit status 1", "killed", "watchdog"
	Restarts int       // by the supervisor, since the unit was started
	Enabled  bool
}

// NotGeneratedError is a Quadlet file of which podman's generator made no unit.
type NotGeneratedError struct{ Unit, File string }

func (e *NotGeneratedError) Error() string {
	return fmt.Sprintf("podman made no unit %s of %s", e.Unit, e.File)
}

// Hint says who knows why.
func (e *NotGeneratedError) Hint() string {
	if strings.HasPrefix(e.File, "/etc/") {
		return "`/usr/lib/systemd/system-generators/podman-system-generator --dryrun` says why"
	}
	return "`/usr/lib/systemd/user-generators/podman-user-generator --user --dryrun` says why"
}

// UnitError is a unit that failed.
type UnitError struct {
	Name   string
	Result string   // as UnitStatus.Result
	Text   string   // last thing that the process said of itself
	Log    []string // last lines of its output, if they are known
}

// Error says how the unit ended, and its last words. Whoever asked for
// something knows which unit it was.
func (e *UnitError) Error() string {
	last := e.Text
	if last == "" && len(e.Log) > 0 {
		last = strings.TrimPrefix(e.Log[len(e.Log)-1], "error: ") // as our programs end
	}
	if last == "" {
		return e.Result
	}
	return e.Result + ": " + last
}

// Hint says where to look.
func (e *UnitError) Hint() string {
	namespace := strings.TrimSuffix(strings.TrimPrefix(e.Name, "skupper-"), ".service")
	return fmt.Sprintf("skupper --namespace %s system logs", namespace)
}
