package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cupboard is a small file system of its own in the place of a house's data
// home. Nobody but who works in the house sees it, and it goes with the test.
type cupboard struct {
	t      *testing.T
	inside []string // a command that runs others where the file system is seen
	root   string   // the root directory as it is seen there
}

// smallDisk gives a house a data home with room for size bytes.
func smallDisk(t *testing.T, h *house, size int) *cupboard {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts file systems")
	}
	if err := os.MkdirAll(h.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	holder := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec",
		`mount -t tmpfs -o "size=$1,mode=700" small "$2"; echo ready; exec cat`, "holder", fmt.Sprint(size), h.data())
	holder.Stderr = os.Stderr
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = holder.Wait() }) // it ends with its input
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the file system is not mounted: %q, %v", line, err)
	}
	c := &cupboard{t: t, inside: []string{"nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", holder.Process.Pid), "--"}, root: fmt.Sprintf("/proc/%d/root", holder.Process.Pid)}
	h.program = append(c.inside, h.program...)
	return c
}

// at is a path as it is seen from outside.
func (c *cupboard) at(path string) string { return filepath.Join(c.root, path) }

// mount changes what is mounted.
func (c *cupboard) mount(line ...string) {
	c.t.Helper()
	if out, err := exec.Command(c.inside[0], append(c.inside[1:], line...)...).CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(line, " "), err, out)
	}
}

// fill writes a file until the disk is full.
func (c *cupboard) fill(path string) {
	c.t.Helper()
	f, err := os.OpenFile(c.at(path), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4<<10)
	for n := 0; err == nil; n++ {
		if _, err = f.Write(block); n > 1<<20 {
			c.t.Fatal("the disk is not small")
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		c.t.Fatal(err)
	}
}

// TestFullDisk changes a site whose disk is full, and one that cannot be
// written: each change is refused with the reason, nothing of it stays, traffic
// goes on, and it succeeds when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := smallDisk(t, h, 3<<20)
	port := freePorts(t, 3)
	echoServer(t, port[1])
	h.must("site", "create", "west", "--start")
	h.must("connector", "create", "greeter", port[1])
	h.must("listener", "create", "greeter", port[0], "--host", "127.0.0.1", "--wait", "ready")
	many := filepath.Join(h.run, "many.yaml")
	text := ""
	for i := range 60 {
		text += fmt.Sprintf("---\napiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: {name: c%d}\nspec: {routingKey: k%d, host: 127.0.0.1, port: 9}\n", i, i)
	}
	writeFile(t, many, text)
	conn := dialPort(t, port[0])
	converse(t, conn, "before")
	agent, router := h.agentPID(), h.routerPID("default")
	namespace, ballast := h.data("namespaces/default"), h.data("ballast")
	for _, trouble := range []struct {
		name, reason string
		begin, end   func()
	}{
		{"a full disk", "no space left on device", func() { c.fill(ballast) }, func() {
			if err := os.Remove(c.at(ballast)); err != nil {
				t.Fatal(err)
			}
		}},
		{"a disk that is read only", "read-only file system", func() {
			c.mount("mount", "--bind", namespace, namespace)
			c.mount("mount", "-o", "remount,bind,ro", namespace)
		}, func() { c.mount("umount", namespace) }},
	} {
		before := tree(t, c.at(namespace))
		trouble.begin()
		for _, line := range [][]string{
			{"listener", "create", "other", port[2], "--host", "127.0.0.1"},
			{"system", "apply", many},
			{"connector", "delete", "greeter"},
			{"site", "update", "west", "--enable-link-access"},
		} {
			a := h.say(line...)
			if a.code == 0 || !strings.HasPrefix(a.err, "error: ") || !strings.Contains(a.err, trouble.reason) || !strings.Contains(a.err, "hint: ") {
				t.Errorf("%s: skupper %s: exit status %d\n%s%s", trouble.name, strings.Join(line, " "), a.code, a.out, a.err)
			}
		}
		converse(t, conn, "during")
		if diff := cmp.Diff(before, tree(t, c.at(namespace))); diff != "" {
			t.Errorf("%s: files have changed:\n%s", trouble.name, diff)
		}
		trouble.end()
		h.must("listener", "create", "other", port[2], "--host", "127.0.0.1", "--wait", "configured")
		h.must("system", "apply", many)
		h.must("listener", "delete", "other")
		h.must("system", "delete", many)
		converse(t, conn, "after")
		converse(t, dialPort(t, port[0]), "after, too")
	}
	if a, r := h.agentPID(), h.routerPID("default"); a != agent || r != router {
		t.Errorf("processes %d and %d, want %d and %d", a, r, agent, router)
	}
}
