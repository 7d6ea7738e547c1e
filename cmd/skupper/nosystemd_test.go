package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/box"
)

// TestPodmanWithoutSystemd has podman itself run a router, on a machine where no
// systemd answers: whoever kills the container, or podman's service, the router
// comes back or goes on.
func TestPodmanWithoutSystemd(t *testing.T) {
	t.Parallel()
	box.Need(t) // as root, with the engine's programs
	for _, tool := range []string{"podman", "runc"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed: run make test-deps", tool)
			}
			t.Skipf("%s is not installed: run make test-deps", tool)
		}
	}
	h := newHouse(t)
	program := builtProgram(t)
	h.program = []string{program}
	e := newLonePodman(t, h.run)
	h.env = append(h.env, "CONTAINER_ENDPOINT=unix://"+e.socket)
	h.refused(exitFailed, []string{"podman: there is no socket " + e.socket, "hint: start the podman that serves"}, "--platform", "podman", "system", "install")
	end := e.serve()
	h.must("--platform", "podman", "system", "install")
	port := freePorts(t, 2)
	echoServer(t, port[1])
	h.must("--platform", "podman", "site", "create", "west", "--start")
	t.Cleanup(func() {
		_ = h.say("system", "uninstall", "--force", "--yes") // it may have failed in the middle
		_, _ = e.podman("rm", "--force", "--all")
	})
	t.Cleanup(func() {
		if t.Failed() {
			log, err := os.ReadFile(h.data("system-controller", "agent.log"))
			t.Logf("log of the agent: %v\n%s", err, log)
		}
	})
	h.must("connector", "create", "echo", port[1])
	h.must("listener", "create", "echo", port[0], "--host", "127.0.0.1", "--wait", "ready")
	talks := func(after string) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for exchange(dialPort(t, port[0]), "hello") != nil {
			if time.Now().After(deadline) {
				t.Fatalf("no connection after %s:\n%s", after, h.say("system", "status").out)
			}
			<-time.After(50 * time.Millisecond)
		}
	}
	talks("the start")
	for after, command := range map[string][]string{
		"podman kill": {"kill", "default-skupper-router"},
		"podman stop": {"stop", "--time", "5", "default-skupper-router"},
		"podman rm":   {"rm", "--force", "default-skupper-router"},
	} {
		if out, err := e.podman(command...); err != nil {
			t.Fatalf("%s: %v\n%s", after, err, out)
		}
		talks(after)
	}
	h.must("system", "reload") // whoever starts the router is through with it
	conn := dialPort(t, port[0])
	converse(t, conn, "before")
	end(syscall.SIGKILL)
	converse(t, conn, "podman's service is gone")
	h.eventually("the router goes on, changes wait and nobody starts it again: podman: nothing answers at "+e.socket, "system", "status")
	h.refused(exitFailed, []string{"nothing answers at " + e.socket, "hint: "}, "listener", "create", "more", port[0], "--host", "127.0.0.2")
	converse(t, conn, "a change that was refused")
	e.serve()
	h.must("listener", "create", "more", port[0], "--host", "127.0.0.2")
	converse(t, conn, "podman's service is back")
	h.must("system", "uninstall", "--force", "--yes")
	for _, list := range [][]string{{"ps", "--all", "--quiet"}, {"images", "--quiet"}} {
		if left, err := e.podman(list...); err != nil || left != "" {
			t.Errorf("podman %s: %v %s", list[0], err, left)
		}
	}
}

// lonePodman is a podman with a store of its own, which no systemd serves.
type lonePodman struct {
	t      *testing.T
	socket string
	flags  []string
	env    []string
}

func newLonePodman(t *testing.T, dir string) *lonePodman {
	t.Helper()
	config := filepath.Join(dir, "containers.conf")
	writeFile(t, config, "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=32768:32768\"]\n[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nruntime = \"runc\"\n")
	e := &lonePodman{t: t, socket: filepath.Join(dir, "podman.sock"), env: append(os.Environ(), "CONTAINERS_CONF="+config, "TMPDIR="+dir)}
	e.flags = []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "runroot"), "--tmpdir", filepath.Join(dir, "tmp"), "--storage-driver", "vfs"}
	return e
}

func (e *lonePodman) command(args ...string) *exec.Cmd {
	cmd := exec.Command("podman", append(e.flags[:len(e.flags):len(e.flags)], args...)...)
	cmd.Env = e.env
	return cmd
}

func (e *lonePodman) podman(args ...string) (string, error) {
	out, err := e.command(args...).Output()
	return strings.TrimSpace(string(out)), err
}

// serve starts the service; end sends it a signal and waits.
func (e *lonePodman) serve() (end func(syscall.Signal)) {
	e.t.Helper()
	cmd := e.command("system", "service", "--time", "0", "unix://"+e.socket)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // it is killed
	}()
	end = func(s syscall.Signal) {
		_ = cmd.Process.Signal(s) // it may be gone
		<-done
	}
	e.t.Cleanup(func() { end(syscall.SIGKILL) })
	deadline := time.Now().Add(time.Minute)
	for {
		if out, err := exec.Command("curl", "--silent", "--fail", "--unix-socket", e.socket, "http://d/_ping").Output(); err == nil && len(out) > 0 {
			return end
		}
		if time.Now().After(deadline) {
			e.t.Fatal("podman does not serve: process " + strconv.Itoa(cmd.Process.Pid))
		}
		<-time.After(20 * time.Millisecond)
	}
}
