package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/supervise"
)

// routerRole is a router that only says that it is ready, or fails.
func routerRole(role string) {
	time.AfterFunc(2*time.Minute, func() { os.Exit(9) }) // should the tests be killed
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	if role == "broken" {
		fmt.Println("port 1: address already in use")
		os.Exit(1)
	}
	if conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET")); err == nil {
		_, _ = conn.Write([]byte("READY=1\nSTATUS=listening"))
		_ = conn.Close()
	}
	for s := range signals {
		if s == syscall.SIGTERM {
			os.Exit(0)
		}
	}
}

// supervisedRig has real processes under the built-in supervisor.
func supervisedRig(t *testing.T) (*rig, func(role, identity string) state.State) {
	t.Helper()
	dir, err := os.MkdirTemp("", "host") // sockets need short names
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(dir)
	super := supervise.New(supervise.Config{Socket: filepath.Join(dir, "notify.sock")})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- super.Run(ctx) }()
	r.host = New(r.base, NewSupervised(super), nil)
	t.Cleanup(func() {
		if _, err := r.converge(context.Background(), state.State{}); err != nil {
			t.Error(err)
		}
		cancel()
		if err := errors.Join(<-done, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return r, func(role, identity string) state.State {
		s := scenario(r, 1)
		delete(s.Files, r.paths.Unit)
		s.Units = map[string]state.Unit{unitName: {
			Running: true, Enabled: true, Identity: identity, Command: []string{binary}, Env: []string{roleKey + "=" + role},
			RunDir: r.paths.RunDir, Log: r.paths.RouterLog(), Reads: []string{r.paths.RouterDir(), r.paths.Certs()},
		}}
		return s
	}
}

func TestSupervised(t *testing.T) {
	t.Parallel()
	r, site := supervisedRig(t)
	if _, err := r.converge(t.Context(), site("ok", "interior")); err != nil {
		t.Fatal(err)
	}
	status := func() UnitStatus {
		s, err := r.host.Units().Status(t.Context(), r.host.UnitRef(r.paths))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := status()
	if first.State != UnitActive || first.PID == 0 || first.Text != "listening" {
		t.Errorf("%+v", first)
	}
	if steps, err := r.converge(t.Context(), site("ok", "interior")); err != nil || len(steps) > 0 {
		t.Errorf("again: %v, %v", steps, err)
	}
	if _, err := r.converge(t.Context(), site("ok", "edge")); err != nil {
		t.Fatal(err)
	}
	second := status()
	if second.State != UnitActive || second.PID == first.PID {
		t.Errorf("restarted: %+v", second)
	}
	// A router that does not start: the old one is put back.
	_, err := r.converge(t.Context(), site("broken", "interior"))
	var failed *ApplyError
	var unit *UnitError
	if !errors.As(err, &failed) || failed.Undo != nil || !errors.As(err, &unit) || len(unit.Log) == 0 || !strings.Contains(unit.Log[0], "already in use") ||
		!strings.Contains(err.Error(), "exit status 1: port 1: address already in use") ||
		unit.Hint() != "skupper --namespace west system logs" {
		t.Fatalf("%v: %+v", err, unit)
	}
	if s := status(); s.State != UnitActive {
		t.Errorf("after the failure: %+v", s)
	}
	if steps, err := r.converge(t.Context(), site("ok", "edge")); err != nil || len(steps) > 0 {
		t.Errorf("after the failure there is something to do: %v, %v", steps, err)
	}
}

func TestSupervisedFirstStartFails(t *testing.T) {
	t.Parallel()
	r, site := supervisedRig(t)
	_, err := r.converge(t.Context(), site("broken", "interior"))
	var failed *ApplyError
	if !errors.As(err, &failed) || failed.Undo != nil {
		t.Fatalf("%v", err)
	}
	if s, err := r.host.Units().Status(t.Context(), r.host.UnitRef(r.paths)); err != nil || s.State != UnitInactive {
		t.Errorf("%+v, %v", s, err)
	}
	if entries, err := os.ReadDir(r.paths.RuntimeDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left in runtime: %v (%v)", entries, err)
	}
}
