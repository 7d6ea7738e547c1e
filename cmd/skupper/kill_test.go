package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var kills = flag.Int("kills", 25, "rounds of TestKilledAtAnyMoment")

// TestKilledAtAnyMoment changes a site and kills the command, the agent or the
// router at a random moment of it. Each time the site recovers without help: a
// router is back by itself, an agent with the next command; the site has the
// old listener or the new one, whole, and the next change works.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	h.must("site", "create", "west", "--start")
	for round := range *kills {
		change := []string{"listener", "create", fmt.Sprintf("l%d", round), fmt.Sprint(20000 + round), "--host", "127.0.0.1"}
		cmd := h.command(append(change, "--wait", "none")...)
		victims := map[string]func() int{
			"command": func() int { return cmd.Process.Pid },
			"agent":   h.agentPID,
			"router":  func() int { return h.routerPID("default") },
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
		if victim == "router" {
			h.eventually("Ready", "site", "status")
		}
		h.must(change...)
		h.must("site", "status", "--check")
	}
	if got := strings.Count(h.must("listener", "status", "-o", "name"), "listener/l"); got != *kills {
		t.Errorf("%d listeners at the end, want %d", got, *kills)
	}
	if left, err := filepath.Glob(h.data("namespaces/default/input/resources/.*tmp-*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files left behind: %v %v", left, err)
	}
}

// TestStatusOfAKilledRouter has status tell so at once, with the reason, until
// another process answers.
func TestStatusOfAKilledRouter(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.must("site", "create", "west", "--start")
	// Each time the supervisor waits longer; where commands are slow the first
	// ones find the router back already.
	said := false
	for round := 0; !said && round < 12; round++ {
		pid := h.routerPID("default")
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(30 * time.Second)
		for {
			line := h.must("site", "status", "--no-headers")
			if strings.Contains(line, "killed by SIGKILL") {
				said = true
			} else if strings.Contains(line, "Ready") && h.routerPID("default") != pid {
				break
			} else {
				t.Errorf("the router is dead, status says: %s", line)
			}
			if time.Now().After(deadline) {
				t.Fatalf("the router does not come back: %s", line)
			}
		}
	}
	if !said {
		t.Error("status never said that the router was killed")
	}
}

// TestFrozenRouter has a change fail that the router does not take: everything
// stays as it was, and the router still serves when it goes on.
func TestFrozenRouter(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.must("site", "create", "west", "--start")
	before := tree(t, h.data("namespaces"))
	pid := h.routerPID("default")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	change := []string{"listener", "create", "db", "25432", "--host", "127.0.0.1"}
	h.refused(exitFailed, []string{"router does not answer", "hint: everything is as it was before; `skupper -n default system logs`"}, change...)
	unchanged(t, h.data("namespaces"), before)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	h.eventually("Ready", "site", "status")
	h.must(change...)
	if got := h.routerPID("default"); got != pid {
		t.Errorf("router %d, want the old one, %d", got, pid)
	}
}
