package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/api"
)

// rounds of TestKilledAtAnyMoment.
const rounds = 25

// house is a home with a program to type into.
type house struct {
	t    *testing.T
	home string
	run  string
	env  []string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	run, err := os.MkdirTemp("", "sk")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, home: t.TempDir(), run: run}
	h.env = append(os.Environ(), asProgram+"=1", "GORACE="+raceOptions(), "HOME="+h.home, "XDG_RUNTIME_DIR="+run, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=",
		"SKUPPER_AGENT_INSTANCE=user", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent")
	t.Cleanup(func() { cleanUp(h.home, run) })
	return h
}

func (h *house) command(args ...string) *exec.Cmd {
	h.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = h.env
	return cmd
}

// must runs a command that has to succeed.
func (h *house) must(args ...string) string {
	h.t.Helper()
	out, err := h.command(args...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("skupper %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (h *house) agentPID() int {
	a, err := api.NewClient(filepath.Join(h.run, "skupper", "agent.sock")).Agent(context.Background())
	if err != nil {
		return 0
	}
	return a.PID
}

// TestKilledAtAnyMoment changes a site and kills the command, the agent or the
// router at a random moment of it. Each time the site recovers: it has the old
// listener or the new one, whole, and the next change works.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	h.must("site", "create", "west", "--start")
	for round := range rounds {
		port := 20000 + round
		cmd := h.command("listener", "create", fmt.Sprintf("l%d", round), fmt.Sprint(port), "--host", "127.0.0.1", "--wait", "none")
		victims := map[string]func() int{
			"command": func() int { return cmd.Process.Pid },
			"agent":   h.agentPID,
			"router":  func() int { return pidIn(filepath.Join(h.run, "skupper", "default", "router.pid")) },
		}
		names := sortedKeys(victims)
		victim := names[random.IntN(len(names))]
		pid := 0
		if victim != "command" {
			pid = victims[victim]()
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if pid == 0 {
			pid = victims[victim]()
		}
		<-time.After(time.Duration(random.IntN(40)) * time.Millisecond)
		if pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended already
		}
		_ = cmd.Wait() // it may have been killed, or have lost its agent
		h.must("system", "start")
		h.must("site", "status", "--check")
		h.must("listener", "create", fmt.Sprintf("l%d", round), fmt.Sprint(port), "--host", "127.0.0.1")
	}
	if got := strings.Count(h.must("listener", "status", "-o", "name"), "listener/l"); got != rounds {
		t.Errorf("%d listeners at the end, want %d", got, rounds)
	}
	if left, err := filepath.Glob(filepath.Join(h.home, ".local/share/skupper/namespaces/default/input/resources/.*tmp-*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files left behind: %v %v", left, err)
	}
}
