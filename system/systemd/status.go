package systemd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// Status is what a manager knows of a service.
type Status struct {
	Loaded   bool   // there is a unit file
	Active   string // ActiveState: active, reloading, inactive, failed, activating, deactivating
	Sub      string // SubState: running, auto-restart, dead
	Enabled  bool   // starts with the machine or the user manager
	File     string // path of the unit file
	PID      int    // of the main process; 0 if there is none
	Started  time.Time
	Ended    time.Time // of the last main process
	Text     string    // STATUS= of the process
	Result   string    // how the last process ended, in words; empty for success
	Restarts int
}

// Status asks for a service. One that is not known is not Loaded.
func (c *Conn) Status(ctx context.Context, unit string) (Status, error) {
	conn, err := c.live(ctx)
	if err != nil {
		return Status{}, err
	}
	props, err := conn.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		if isNoSuchUnit(err) {
			return Status{}, nil
		}
		return Status{}, fmt.Errorf("status of %s: %w", unit, err)
	}
	return statusOf(props), nil
}

func isNoSuchUnit(err error) bool {
	var e godbus.Error
	return errors.As(err, &e) && e.Name == "org.freedesktop.systemd1.NoSuchUnit"
}

// statusOf reads the properties of a service (org.freedesktop.systemd1(5)).
func statusOf(p map[string]any) Status {
	s := Status{
		Loaded: text(p, "LoadState") == "loaded", Active: text(p, "ActiveState"), Sub: text(p, "SubState"),
		Enabled: strings.HasPrefix(text(p, "UnitFileState"), "enabled"), File: text(p, "FragmentPath"),
		PID: int(number(p, "MainPID")), Started: instant(p, "ExecMainStartTimestamp"), Ended: instant(p, "ExecMainExitTimestamp"),
		Text: text(p, "StatusText"), Restarts: int(number(p, "NRestarts")),
	}
	if s.PID == 0 || text(p, "Result") != "success" {
		s.Result = result(p)
	}
	return s
}

// result says how the last main process ended.
func result(p map[string]any) string {
	switch why := text(p, "Result"); why {
	case "", "success":
		if status := number(p, "ExecMainStatus"); status != 0 {
			return fmt.Sprintf("exit status %d", status)
		}
		return ""
	case "exit-code":
		return fmt.Sprintf("exit status %d", number(p, "ExecMainStatus"))
	case "signal":
		return "killed by " + unix.SignalName(syscall.Signal(number(p, "ExecMainStatus")))
	case "core-dump":
		return "crashed by " + unix.SignalName(syscall.Signal(number(p, "ExecMainStatus")))
	default: // timeout, watchdog, start-limit-hit, resources, protocol, oom-kill
		return why
	}
}

func text(p map[string]any, key string) string {
	s, _ := p[key].(string)
	return s
}

func number(p map[string]any, key string) int64 {
	switch n := p[key].(type) {
	case uint32:
		return int64(n)
	case int32:
		return int64(n)
	case uint64:
		return int64(n)
	}
	return 0
}

// instant reads microseconds since 1970; 0 is never.
func instant(p map[string]any, key string) time.Time {
	us := number(p, key)
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us)
}

// Setting reads a setting of a unit file that this program wrote: the first one
// with that key, with its specifiers undone. It is empty if there is none.
func Setting(file []byte, section, key string) string {
	here := false
	for line := range strings.Lines(string(file)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			here = line == "["+section+"]"
			continue
		}
		if k, v, ok := strings.Cut(line, "="); here && ok && k == key {
			return strings.ReplaceAll(v, "%%", "%")
		}
	}
	return ""
}
