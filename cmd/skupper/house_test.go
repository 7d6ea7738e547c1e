package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/api"
)

// house is a home with a program to type into.
type house struct {
	t       *testing.T
	home    string
	run     string
	env     []string
	program []string // the command, and what stands before it

	credential *syscall.Credential // who types; nil: who tests
}

func newHouse(t *testing.T) *house {
	t.Helper()
	run, err := os.MkdirTemp("", "sk")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, home: t.TempDir(), run: run, program: []string{self}}
	h.env = append(os.Environ(), asProgram+"=1", "GORACE="+raceOptions(), "HOME="+h.home, "XDG_RUNTIME_DIR="+run, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=",
		"SKUPPER_AGENT_INSTANCE=user", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent")
	t.Cleanup(func() { cleanUp(h.home, run) })
	return h
}

func (h *house) command(args ...string) *exec.Cmd {
	h.t.Helper()
	line := append(slices.Clone(h.program), args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = h.env
	if h.credential != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.credential}
		cmd.Dir = "/"
	}
	return cmd
}

// answer is what a command said.
type answer struct {
	out, err string
	code     int
}

// say runs a command, however it ends.
func (h *house) say(args ...string) answer {
	h.t.Helper()
	cmd := h.command(args...)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatalf("skupper %s: %v", strings.Join(args, " "), err)
	}
	return answer{out.String(), diagnostics.String(), cmd.ProcessState.ExitCode()}
}

// must runs a command that has to succeed, and returns what it printed.
func (h *house) must(args ...string) string {
	h.t.Helper()
	a := h.say(args...)
	if a.code != 0 {
		h.t.Fatalf("skupper %s: exit status %d\n%s%s", strings.Join(args, " "), a.code, a.out, a.err)
	}
	return a.out
}

// refused runs a command that has to fail with a status and say some texts; it
// prints no result.
func (h *house) refused(code int, texts []string, args ...string) {
	h.t.Helper()
	a := h.say(args...)
	if a.code != code || a.out != "" || !strings.HasPrefix(a.err, "error: ") {
		h.t.Errorf("skupper %s: exit status %d, want %d and an error alone\n%s%s", strings.Join(args, " "), a.code, code, a.out, a.err)
	}
	for _, text := range texts {
		if !strings.Contains(a.err, text) {
			h.t.Errorf("skupper %s: no %q in:\n%s", strings.Join(args, " "), text, a.err)
		}
	}
}

// eventually repeats a command until it says a text, for up to 30 seconds.
func (h *house) eventually(text string, args ...string) string {
	h.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		a := h.say(args...)
		if strings.Contains(a.out+a.err, text) {
			return a.out
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("skupper %s: no %q in time; last:\n%s%s", strings.Join(args, " "), text, a.out, a.err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (h *house) agentPID() int {
	a, err := api.NewClient(filepath.Join(h.run, "skupper", "agent.sock")).Agent(context.Background())
	if err != nil {
		return 0
	}
	return a.PID
}

func (h *house) routerPID(namespace string) int {
	return pidIn(filepath.Join(h.run, "skupper", namespace, "router.pid"))
}

// data is a place below the data home.
func (h *house) data(elem ...string) string {
	return filepath.Join(append([]string{h.home, ".local/share/skupper"}, elem...)...)
}

// tree describes every file below a directory that people or programs rely on:
// its content, its inode and when it was written. What the agent writes by the
// way, whatever happens, is left out: logs, statuses and other records of objects,
// and journals of those.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a journal that went meanwhile
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if strings.Contains(rel, "runtime/resources") || strings.Contains(rel, "internal/snapshot") || strings.HasSuffix(rel, ".log") || strings.Contains(rel, "internal/history") || strings.Contains(rel, "journal") {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		files[rel] = info.Mode().String()
		if !info.Mode().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		files[rel] += fmt.Sprintf(" %x %s %v", sha256.Sum256(data), info.ModTime().Format(time.RFC3339Nano), info.Sys().(*syscall.Stat_t).Ino)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// unchanged fails the test where a directory is not as it was.
func unchanged(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("%s has changed (-before +after):\n%s", dir, diff)
	}
}

func keysOf(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
