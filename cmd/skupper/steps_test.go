package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// killAt has the agent kill itself before the step of that number, counted from
// its start.
const killAt = "SKUPPER_TEST_KILL_AT"

// dieAtStep sets what killAt asks for.
func dieAtStep(number string) {
	last, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return
	}
	var taken atomic.Int64
	beforeStep = func(string) error {
		if taken.Add(1) == last {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // nothing is done any more until the signal is there
		}
		return nil
	}
}

// TestKilledAtEachStep kills the agent at each step that it takes for a change,
// once each. Whatever the step, the same command then makes the change, and
// what is there is what an agent leaves that was never killed.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.must("site", "create", "west", "--start")
	router := h.routerPID("default")
	file := filepath.Join(h.home, "change.yaml") // of several objects: several files of the input change
	const document = "apiVersion: skupper.io/v2alpha1\nkind: %s\nmetadata: {name: db}\nspec: {routingKey: db, host: 127.0.0.1, port: 25432}\n---\n"
	writeFile(t, file, fmt.Sprintf(document, "Listener")+fmt.Sprintf(document, "Connector"))
	change, back := []string{"system", "apply", file}, []string{"system", "delete", file}
	h.must(change...)
	want := made(t, h.data("namespaces/default"))
	h.must(back...)
	const bound = 200 // far more than there are
	step := 1
	for ; step <= bound; step++ {
		h.killAgent()
		cmd := h.command(append(change, "--wait", "none")...)
		cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], fmt.Sprintf("%s=%d", killAt, step))
		_ = cmd.Run() // mostly it loses its agent
		survived := cmd.ProcessState.ExitCode() == 0
		h.killAgent() // it may have steps left to die at
		h.must(change...)
		h.must("site", "status", "--check")
		if diff := cmp.Diff(want, made(t, h.data("namespaces/default"))); diff != "" {
			t.Errorf("killed at step %d (-never killed +killed):\n%s", step, diff)
		}
		h.must(back...)
		if survived && step > 10 {
			break // a change has fewer steps
		}
	}
	if step > bound {
		t.Errorf("the agent is killed at step %d yet", bound)
	}
	if pid := h.routerPID("default"); pid != router {
		t.Errorf("the router was started again: %d, before %d", pid, router)
	}
	t.Logf("%d steps", step)
}

func (h *house) killAgent() {
	if pid := h.agentPID(); pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended already
	}
}

// made describes what is wanted of a namespace and what was made of it: names
// and modes, and content but for statuses and counters.
func made(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, sub := range []string{"input", "runtime", "internal/snapshot"} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel := strings.TrimPrefix(path, dir)
			// How the network is follows a look at the router, and statuses are
			// written all the time.
			if d.Name() == "ConfigMap-skupper-network-status.yaml" || strings.Contains(rel, "runtime/resources/.") {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			files[rel] = info.Mode().String()
			if !info.Mode().IsRegular() || strings.Contains(rel, "runtime/resources") {
				return nil
			}
			data, err := os.ReadFile(path)
			files[rel] += fmt.Sprintf(" %x", sha256.Sum256(data))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
