package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/state"
)

// town is a number of hosts on one switch, each in a network namespace of its
// own. What runs there is the program, as on real hosts.
type town struct {
	t      *testing.T
	prefix string
	hosts  map[string]*computer
}

// computer is one of the hosts.
type computer struct {
	*house
	town    *town
	ns      string // network namespace
	address string // on the switch
	port    string // of the switch
}

var towns atomic.Int32 // numbers them

// newTown makes a host for each name; it goes with the test.
func newTown(t *testing.T, names ...string) *town {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root makes network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("ip is not installed")
	}
	w := &town{t: t, prefix: fmt.Sprintf("skt%d-%d", os.Getpid(), towns.Add(1)), hosts: map[string]*computer{}}
	w.removeLeft()
	sw := w.prefix + "-switch"
	w.ip("netns", "add", sw)
	t.Cleanup(func() { w.ip("netns", "del", sw) })
	w.ip("-n", sw, "link", "add", "br0", "type", "bridge")
	w.ip("-n", sw, "link", "set", "br0", "up")
	for i, name := range names {
		h := &computer{town: w, ns: w.prefix + "-" + name, address: fmt.Sprintf("10.77.0.%d", i+1), port: fmt.Sprintf("v%d", i)}
		w.ip("netns", "add", h.ns)
		t.Cleanup(func() {
			w.ip("netns", "del", h.ns)
			_ = os.RemoveAll("/etc/netns/" + h.ns) // made by knows
		})
		w.ip("link", "add", h.port, "netns", sw, "type", "veth", "peer", "name", "eth0", "netns", h.ns)
		w.ip("-n", sw, "link", "set", h.port, "master", "br0", "up")
		w.ip("-n", h.ns, "addr", "add", h.address+"/24", "dev", "eth0")
		w.ip("-n", h.ns, "link", "set", "eth0", "up")
		w.ip("-n", h.ns, "link", "set", "lo", "up")
		h.house = newHouse(t)
		h.program = append([]string{"ip", "netns", "exec", h.ns}, h.program...)
		w.hosts[name] = h
	}
	return w
}

// removeLeft removes the namespaces of tests that were killed.
func (w *town) removeLeft() {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return // said by the commands that follow
	}
	for _, m := range regexp.MustCompile(`(?m)^skt(\d+)-\S+`).FindAllStringSubmatch(string(out), -1) {
		if pid, err := strconv.Atoi(m[1]); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			w.ip("netns", "del", m[0])
		}
	}
}

func (w *town) ip(args ...string) {
	w.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// cut has the switch drop what the host sends and what is sent to it; nobody is
// told.
func (h *computer) cut() { h.town.ip("-n", h.town.prefix+"-switch", "link", "set", h.port, "down") }

func (h *computer) heal() { h.town.ip("-n", h.town.prefix+"-switch", "link", "set", h.port, "up") }

// has gives the host another address.
func (h *computer) has(address string) {
	h.town.ip("-n", h.ns, "addr", "add", address+"/32", "dev", "lo")
}

// knows has programs of the host find an address by a name.
func (h *computer) knows(name, address string) {
	h.t.Helper()
	dir := "/etc/netns/" + h.ns
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "hosts"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		h.t.Fatal(err)
	}
	_, err = fmt.Fprintf(f, "127.0.0.1 localhost\n%s %s\n", address, name)
	if err := errors.Join(err, f.Close()); err != nil {
		h.t.Fatal(err)
	}
}

// inside runs f on the host: the sockets that it makes are there.
func (h *computer) inside(f func() error) error {
	failed := make(chan error, 1)
	go func() { // ends with its thread, unless that is back where it was
		runtime.LockOSThread()
		failed <- func() error {
			here, err := os.Open("/proc/thread-self/ns/net")
			if err != nil {
				return err
			}
			defer func() { _ = here.Close() }()
			there, err := os.Open("/run/netns/" + h.ns)
			if err != nil {
				return err
			}
			defer func() { _ = there.Close() }()
			if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			err = f()
			if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
				return errors.Join(err, back)
			}
			runtime.UnlockOSThread()
			return err
		}()
	}()
	return <-failed
}

// listen listens on the host until the test ends.
func (h *computer) listen(address string) net.Listener {
	h.t.Helper()
	var l net.Listener
	err := h.inside(func() (err error) { l, err = net.Listen("tcp", address); return err })
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = l.Close() })
	return l
}

// echo answers each connection with a name, if there is one, and then with what
// it sends.
func (h *computer) echo(address, name string) net.Listener {
	h.t.Helper()
	l := h.listen(address)
	serve(h.t, l, func(c net.Conn) {
		if _, err := io.WriteString(c, name); err == nil {
			_, _ = io.Copy(c, c)
		}
	})
	return l
}

// tryDial connects from the host. It may take long where many others want the
// processors, also if nothing is lost on the way.
func (h *computer) tryDial(address string) (net.Conn, error) {
	var c net.Conn
	err := h.inside(func() (err error) { c, err = net.DialTimeout("tcp", address, 20*time.Second); return err })
	return c, err
}

// dial connects from the host, once.
func (h *computer) dial(address string) net.Conn {
	h.t.Helper()
	c, err := h.tryDial(address)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	return c
}

// through has a connection made that an echo server answers, for up to 30
// seconds.
func (h *computer) through(address string) net.Conn {
	h.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		c, err := h.tryDial(address)
		if err == nil {
			if err = exchange(c, "hello"); err == nil {
				h.t.Cleanup(func() { _ = c.Close() })
				return c
			}
			_ = c.Close()
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("nobody answers %s: %v", address, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// closed fails the test unless a connection is refused, or ended before a byte.
func (h *computer) closed(address string) {
	h.t.Helper()
	c, err := h.tryDial(address)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		h.t.Errorf("%s: %v, want it refused", address, err)
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second)) // a socket that was just made
	if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		h.t.Errorf("%s: read %d bytes, %v, want it closed", address, n, err)
	}
}

// named is the name that the server behind an address tells.
func (h *computer) named(address string, length int) (string, error) {
	c, err := h.tryDial(address)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	name := make([]byte, length)
	_, err = io.ReadFull(c, name)
	return string(name), err
}

// status asks the agent.
func (h *computer) status() *api.Status {
	h.t.Helper()
	s, err := api.NewClient(filepath.Join(h.run, "skupper", "agent.sock")).Status(context.Background(), "default")
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// object finds a resource by "kind/name" in lower case, nil if there is none.
func (h *computer) object(ref string) *view {
	h.t.Helper()
	s := h.status()
	var kinds []string
	for _, raw := range s.Objects {
		if m := regexp.MustCompile(`"kind": ?"(\w+)"`).FindSubmatch(raw); m != nil {
			kinds = append(kinds, string(m[1]))
		}
	}
	all, err := views(s, kinds...)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, v := range all {
		if strings.EqualFold(v.Kind+"/"+v.Metadata.Name, ref) {
			return v
		}
	}
	return nil
}

// becomes waits until a resource is as told, "<status>: <message>", for up to
// 60 seconds. A text that ends in … is the beginning.
func (h *computer) becomes(ref, want string) *view {
	h.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		v := h.object(ref)
		got := "absent"
		if v != nil {
			got = v.Status.Status + ": " + v.Status.Message
		}
		if prefix, ok := strings.CutSuffix(want, "…"); got == want || ok && strings.HasPrefix(got, prefix) {
			return v
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%s is %q, want %q", ref, got, want)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// entities are those of the router's configuration, as "<type>/<name>".
func (h *computer) entities() map[string]state.Entity {
	h.t.Helper()
	data, err := os.ReadFile(h.data("namespaces/default/runtime/router/skrouterd.json"))
	if err != nil {
		h.t.Fatal(err)
	}
	list, err := state.Entities(data)
	if err != nil {
		h.t.Fatal(err)
	}
	m := map[string]state.Entity{}
	for _, e := range list {
		m[e.Type+"/"+e.Name] = e
	}
	return m
}

// attribute is one of an entity, as text; "" if it has none.
func (h *computer) attribute(entity, name string) string {
	h.t.Helper()
	e, ok := h.entities()[entity]
	if !ok {
		h.t.Errorf("there is no %s", entity)
		return ""
	}
	return e.Attrs[name]
}

// apply applies input that the test made.
func (h *computer) apply(text string, flags ...string) string {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "input.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return h.must(append([]string{"system", "apply", file}, flags...)...)
}

// linkTo links the host to another one by a link file.
func (h *computer) linkTo(peer *computer, name string, flags ...string) {
	h.t.Helper()
	h.apply(peer.must(append([]string{"link", "generate", name, "--host", peer.address}, flags...)...))
	h.becomes("link/"+name, "Ready: OK")
}

// site reads the input of a site of testdata/sites as it is for hosts of a
// town: what others connect to is at the host's own address.
func (h *computer) site(path string) string {
	h.t.Helper()
	var text string
	err := filepath.WalkDir(filepath.Join("../../testdata/sites", path), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(p) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(p)
		text += "---\n" + strings.ReplaceAll(string(data), "bindHost: 127.0.0.1", "bindHost: "+h.address) + "\n"
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

// invariants are what holds for every site, whatever it does. address is that of
// a listener with an echo server behind it; it works before and after.
func (h *computer) invariants(client *computer, address string) {
	h.t.Helper()
	conn := client.through(address)
	h.must("system", "reload") // what the agent may be doing is done
	dir := h.data("namespaces/default")
	files, pid, id := tree(h.t, dir), h.routerPID("default"), h.status().Router.ID

	// Neither a start nor a reload, nor wrong input, touches what is as wanted.
	if a := h.say("system", "start"); a.code != 0 || !strings.Contains(a.err, "runs already") {
		h.t.Errorf("second start: %+v", a)
	}
	h.must("system", "reload")
	h.refused(exitWrongUse, []string{"02-two-sites.yaml:7)"}, "system", "apply", "../../testdata/sites/invalid/02-two-sites.yaml")
	unchanged(h.t, dir, files)
	if now := h.routerPID("default"); now != pid {
		h.t.Errorf("router %d, want %d", now, pid)
	}
	converse(h.t, conn, "still here")

	// Everything is its owner's alone.
	for path, is := range files {
		private := strings.HasPrefix(path, "runtime") || strings.HasPrefix(path, "input")
		if mode := strings.Fields(is)[0]; private && !strings.HasSuffix(mode, "------") {
			h.t.Errorf("%s has mode %s", path, mode)
		}
	}

	// A killed router is back by itself, the same one for others.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	if line := h.must("site", "status", "--no-headers"); strings.Contains(line, "Ready") && h.routerPID("default") == pid {
		h.t.Errorf("the router is dead, status says: %s", line)
	}
	client.through(address)
	if now := h.status().Router.ID; now != id {
		h.t.Errorf("router id %s, want %s", now, id)
	}

	// So it is after a stop and a start.
	h.must("system", "stop")
	h.must("system", "start")
	client.through(address)
	again := tree(h.t, dir)
	for path, was := range files {
		if strings.HasPrefix(path, "runtime/") && again[path] != was {
			h.t.Errorf("%s has changed by a stop and a start", path)
		}
	}
	if now := h.status().Router.ID; now != id {
		h.t.Errorf("router id %s, want %s", now, id)
	}
}
