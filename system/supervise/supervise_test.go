package supervise

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStartReloadStop(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{})
	ref := refIn(b.dir)
	if s := b.status(); s.Phase != Inactive || s.PID != 0 {
		t.Errorf("before the start: %+v", s)
	}
	if err := b.run("ready"); err != nil {
		t.Fatal(err)
	}
	s := b.status()
	if s.Phase != Active || s.PID == 0 || s.Text != "as ready" || s.Spec.Tag != "interior r1" {
		t.Errorf("after the start: %+v", s)
	}
	if sid, err := syscall.Getpgid(s.PID); err != nil || sid != s.PID {
		t.Errorf("process group %d (%v) of process %d", sid, err, s.PID)
	}
	pidFile, err := os.ReadFile(ref.PIDFile)
	if err != nil || atoi(t, string(pidFile)) != s.PID {
		t.Errorf("pid file %q (%v), process %d", pidFile, err, s.PID)
	}
	if err := b.super.Start(b.ctx(), ref, specIn(b.dir, "ready")); err != nil || b.status().PID != s.PID {
		t.Errorf("second start: %v, process %d", err, b.status().PID)
	}
	if err := b.super.Reload(b.ctx(), ref); err != nil {
		t.Errorf("reload: %v", err)
	}
	if err := b.super.Stop(b.ctx(), ref); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := b.log(); !strings.HasSuffix(got, "goodbye\n") {
		t.Errorf("log %q", got)
	}
	if s := b.status(); s.Phase != Inactive || s.PID != 0 || s.Result != "" {
		t.Errorf("after the stop: %+v", s)
	}
	if entries, err := os.ReadDir(ref.Records); err != nil || len(entries) != 1 {
		t.Errorf("records left: %v (%v)", entries, err)
	}
	if err := b.super.Reload(b.ctx(), ref); !errors.Is(err, ErrNotRunning) {
		t.Errorf("reload of nothing: %v", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{})
	if err := b.run("ready"); err != nil {
		t.Fatal(err)
	}
	ref := refIn(b.dir)
	for path, want := range map[string]os.FileMode{
		ref.recordPath(): 0o600, ref.lockPath(): 0o600, ref.PIDFile: 0o600, specIn(b.dir, "").Log: 0o600, filepath.Join(b.dir, "run"): 0o700,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v (%v), want %v", path, info.Mode(), err, want)
		}
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{First: time.Hour, Last: time.Hour})
	err := b.run("fail")
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Result != "exit status 3" || len(exit.Log) != 2 || exit.Log[1] != "error: cannot bind" {
		t.Fatalf("%v: %+v", err, exit)
	}
	if s := b.status(); s.Phase != Restarting || s.Result != "exit status 3" {
		t.Errorf("%+v", s)
	}
	if err := b.super.Stop(b.ctx(), refIn(b.dir)); err != nil || b.status().Phase != Inactive {
		t.Errorf("stop while it waits: %v, %+v", err, b.status())
	}
	missing := specIn(b.dir, "ready")
	missing.Command = []string{"/nowhere/skupper"}
	if err := b.super.Start(b.ctx(), refIn(b.dir), missing); !errors.Is(err, os.ErrNotExist) || b.status().Phase != Inactive {
		t.Errorf("no such program: %v, %+v", err, b.status())
	}
}

func TestNotReadyInTime(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{Ready: 50 * time.Millisecond, First: time.Hour, Last: time.Hour})
	var exit *ExitError
	if err := b.run("mute"); !errors.As(err, &exit) || exit.Result != "not ready in time" {
		t.Fatalf("%v", err)
	}
}

func TestKilledProcessComesBack(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{First: 10 * time.Millisecond})
	if err := b.run("ready"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.want("process ready")
		was := b.status().PID
		killNow(t, was)
		if e := b.want("process ended by itself"); !strings.Contains(e, "killed by SIGKILL") {
			t.Error(e)
		}
		b.want("process started")
		if now := b.status().PID; now == was {
			t.Errorf("process %d is still the one", now)
		}
	}
	b.want("process ready")
	if s := b.status(); s.Restarts != 3 || s.Phase != Active {
		t.Errorf("%+v", s)
	}
}

func TestReloadSkipsTheWait(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{First: time.Hour})
	if err := b.run("ready"); err != nil {
		t.Fatal(err)
	}
	was := b.status().PID
	killNow(t, was)
	b.want("process ended by itself")
	if err := b.super.Reload(b.ctx(), refIn(b.dir)); err != nil {
		t.Fatal(err)
	}
	if s := b.status(); s.Phase != Active || s.PID == was {
		t.Errorf("%+v", s)
	}
}

func TestRestartWithAnotherSpec(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{})
	if err := b.run("ready"); err != nil {
		t.Fatal(err)
	}
	was := b.status().PID
	spec := specIn(b.dir, "ready")
	spec.Tag = "edge r1"
	if err := b.super.Restart(b.ctx(), refIn(b.dir), spec); err != nil {
		t.Fatal(err)
	}
	if s := b.status(); s.PID == was || s.Spec.Tag != "edge r1" || s.Phase != Active {
		t.Errorf("%+v", s)
	}
}

func TestUpdateTakesEffectAtTheNextStart(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{First: 10 * time.Millisecond})
	if err := b.super.Update(b.ctx(), refIn(b.dir), specIn(b.dir, "ready")); !errors.Is(err, ErrNotRunning) {
		t.Errorf("update of nothing: %v", err)
	}
	if err := b.run("ready"); err != nil {
		t.Fatal(err)
	}
	was := b.status().PID
	spec := specIn(b.dir, "another")
	spec.Tag = "ignored"
	if err := b.super.Update(b.ctx(), refIn(b.dir), spec); err != nil || b.status().PID != was {
		t.Fatalf("%v: %+v", err, b.status())
	}
	if rec, ok := readRecord(refIn(b.dir)); !ok || rec.Spec.Tag != "interior r1" || rec.Spec.Env[0] != roleKey+"=another" {
		t.Errorf("record %+v", rec)
	}
	killNow(t, was)
	b.want("process ended by itself")
	b.want("process ready")
	if s := b.status(); s.Text != "as another" || s.Spec.Tag != "interior r1" {
		t.Errorf("%+v", s)
	}
}

func TestStopKillsTheDeaf(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{})
	b.t.Cleanup(func() { _ = b.super.Stop(b.ctx(), refIn(b.dir)) })
	spec := specIn(b.dir, "deaf")
	spec.Stop = 50 * time.Millisecond
	if err := b.super.Start(b.ctx(), refIn(b.dir), spec); err != nil {
		t.Fatal(err)
	}
	pid := b.status().PID
	if err := b.super.Stop(b.ctx(), refIn(b.dir)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: %v", pid, err)
	}
}

func TestWatchdog(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{First: time.Hour})
	b.t.Cleanup(func() { _ = b.super.Stop(b.ctx(), refIn(b.dir)) })
	spec := specIn(b.dir, "silent")
	spec.Watchdog = 50 * time.Millisecond
	if err := b.super.Start(b.ctx(), refIn(b.dir), spec); err != nil {
		t.Fatal(err)
	}
	if e := b.want("process ended by itself"); !strings.Contains(e, "watchdog") {
		t.Error(e)
	}
}

// TestNextSupervisorGoesOn has supervisors come and go in one process.
func TestNextSupervisorGoesOn(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	first := start(t, dir, Timing{})
	if err := first.super.Start(first.ctx(), refIn(dir), specIn(dir, "ready")); err != nil {
		t.Fatal(err)
	}
	was := first.status()
	first.stop()
	if s := first.super.Status(first.ctx(), refIn(dir)); s.PID != was.PID || s.Phase != Active {
		t.Errorf("by its record: %+v", s)
	}
	if err := first.super.Stop(first.ctx(), refIn(dir)); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stop without a supervisor: %v", err)
	}

	second := start(t, dir, Timing{First: 10 * time.Millisecond})
	if err := second.run("ready"); err != nil {
		t.Fatal(err)
	}
	s := second.status()
	if s.PID != was.PID || s.Spec.Tag != "interior r1" || !s.Since.Equal(was.Since) {
		t.Errorf("found %+v, was %+v", s, was)
	}
	if err := second.super.Reload(second.ctx(), refIn(dir)); err != nil {
		t.Error(err)
	}
	killNow(t, was.PID)
	second.want("process ended by itself")
	second.want("process ready")
	if now := second.status().PID; now == was.PID {
		t.Errorf("process %d is still the one", now)
	}
}

// TestKilledAgent kills a supervisor that is a process of its own.
func TestKilledAgent(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("record lost %v", lost), func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			killAgent(t, dir)
			rec, ok := readRecord(refIn(dir))
			if !ok || !rec.alive() {
				t.Fatalf("record %+v", rec)
			}
			if lost {
				if err := os.Remove(refIn(dir).recordPath()); err != nil {
					t.Fatal(err)
				}
			}
			b := start(t, dir, Timing{})
			t.Cleanup(func() { _ = b.super.Stop(b.ctx(), refIn(dir)) })
			s := b.status()
			if s.PID != rec.PID || s.Phase != Active || (s.Spec.Tag == "") != lost {
				t.Fatalf("found %+v, left %+v", s, rec)
			}
			if err := b.super.Stop(b.ctx(), refIn(dir)); err != nil {
				t.Fatal(err)
			}
			if got := b.log(); !strings.HasSuffix(got, "goodbye\n") {
				t.Errorf("log %q", got)
			}
		})
	}
}

// killAgent starts an agent, waits until its process is ready, and kills it.
func killAgent(t *testing.T, dir string) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = []string{roleKey + "=agent", "AGENT_DIR=" + dir}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "started" {
		t.Log(lines.Text())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the agent ended by itself")
	}
}

// TestNumberGivenOutAgain leaves records that name other processes.
func TestNumberGivenOutAgain(t *testing.T) {
	t.Parallel()
	other := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	})
	id, err := identify(other.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	earlier, elsewhere, nobody := id, id, identity{PID: 1 << 22, Start: id.Start, Boot: id.Boot}
	earlier.Start--
	elsewhere.Boot = "00000000-0000-0000-0000-000000000000"
	for name, id := range map[string]identity{"started earlier": earlier, "another boot": elsewhere, "no such number": nobody, "no number": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			ref := refIn(dir)
			if err := os.MkdirAll(ref.Records, 0o700); err != nil {
				t.Fatal(err)
			}
			rec := record{identity: id, Spec: specIn(dir, "ready"), Ready: true}
			data, err := json.Marshal(rec)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(ref.recordPath(), data, 0o600); err != nil {
				t.Fatal(err)
			}
			b := start(t, dir, Timing{})
			if s := b.status(); s.Phase != Inactive || s.PID != 0 {
				t.Errorf("%+v", s)
			}
			if err := b.super.Stop(b.ctx(), ref); err != nil {
				t.Error(err)
			}
			if err := b.run("ready"); err != nil {
				t.Error(err)
			}
			if err := other.Process.Signal(syscall.Signal(0)); err != nil {
				t.Errorf("the other process: %v", err)
			}
		})
	}
}

func TestOneProcessForALock(t *testing.T) {
	t.Parallel()
	b := start(t, shortDir(t), Timing{})
	if err := b.run("ready"); err != nil {
		t.Fatal(err)
	}
	if lock, err := takeLock(refIn(b.dir).lockPath()); !errors.Is(err, ErrRunning) {
		t.Errorf("lock %v, %v", lock, err)
	}
	pid, ok := holder(refIn(b.dir).lockPath())
	if !ok || pid != b.status().PID {
		t.Errorf("holder %d, process %d", pid, b.status().PID)
	}
}

func TestMessagesOfOthersAreIgnored(t *testing.T) {
	b := start(t, shortDir(t), Timing{})
	if err := b.run("ready"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(b.dir, "notify.sock"))
	tell("STATUS=not me")
	if err := b.super.Reload(b.ctx(), refIn(b.dir)); err != nil {
		t.Fatal(err)
	}
	for b.status().Text != "reloaded" { // messages arrive in order
		if b.status().Text == "not me" {
			t.Fatal("the message of another process was taken")
		}
		if err := b.ctx().Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRequestsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	s := New(Config{Socket: filepath.Join(shortDir(t), "notify.sock")})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(ctx, Ref{Name: "x"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("%v", err)
	}
}

func TestEvict(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"ready", "deaf"} {
		dir := shortDir(t)
		b := start(t, dir, Timing{})
		if err := b.super.Start(b.ctx(), refIn(dir), specIn(dir, role)); err != nil {
			t.Fatal(err)
		}
		b.stop()
		for range 2 {
			if err := Evict(b.ctx(), refIn(dir), 100*time.Millisecond); err != nil {
				t.Fatalf("%s: %v", role, err)
			}
			if s := recorded(refIn(dir)); s.Phase != Inactive || s.Result != "" {
				t.Errorf("%s: %+v", role, s)
			}
		}
	}
}
