package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/internal/freeport"
)

// invalid are the files of testdata/sites/invalid with what has to be said
// about each: "<line>: <text>".
func invalid() map[string][]string {
	return map[string][]string{
		"01-no-site.yaml":           {"1: no valid site definition found"},
		"02-two-sites.yaml":         {"7: multiple sites found, only one is allowed: one and two"},
		"03-site-name.yaml":         {"3: invalid site name"},
		"04-edge-ha.yaml":           {"4: edge sites cannot have HA enabled"},
		"05-edge-linkaccess.yaml":   {"4: edge sites cannot accept incoming links"},
		"06-port-string.yaml":       {"8: spec.port: integer expected, got string"},
		"07-port-range.yaml":        {"8: 70000 is out of range 1..65535", "13: -4 is out of range 1..65535"},
		"08-same-port.yaml":         {"13: port 18999 already used on 0.0.0.0 by listener l1"},
		"09-wildcard-overlap.yaml":  {"13: 127.0.0.1:18999 overlaps 0.0.0.0:18999 (listener l1)"},
		"10-bad-host.yaml":          {"8: invalid host"},
		"11-no-routingkey.yaml":     {"8: routingKey is required"},
		"12-udp.yaml":               {"8: type udp not supported"},
		"13-ra-no-roles.yaml":       {"8: roles are required"},
		"14-ra-normal-role.yaml":    {"8: invalid role normal (valid: edge, inter-router)"},
		"15-ra-port-clash.yaml":     {"9: port 55671 used twice"},
		"16-link-no-secret.yaml":    {"8: credential up not found (neither a Secret nor input/certs/up)"},
		"17-mkl-both.yaml":          {"8: exactly one strategy"},
		"18-mkl-zero-weight.yaml":   {"8: weight must be positive"},
		"19-mkl-none.yaml":          {"8: a strategy is required"},
		"20-mixed-namespaces.yaml":  {"7: more than one namespace: one, two"},
		"21-duplicate-name.yaml":    {"12: Listener l is defined twice"},
		"22-certificate-no-ca.yaml": {"8: CA nowhere not found"},
		"23-broken-yaml.yaml":       {"5: YAML"},
		"24-link-wrong-role.yaml":   {"10: credential up: ca.crt empty", "15: no endpoint for role edge"},
	}
}

// TestInvalidFiles applies each wrong file to a namespace that does not exist:
// the problem is said with file and line, and nothing is made or started.
func TestInvalidFiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	files, err := filepath.Glob("../../testdata/sites/invalid/*.yaml")
	if err != nil || len(files) != len(invalid()) {
		t.Fatalf("%d files, %d expectations, %v", len(files), len(invalid()), err)
	}
	before := tree(t, h.home)
	for _, file := range files {
		var texts []string
		for _, want := range invalid()[filepath.Base(file)] {
			line, text, _ := strings.Cut(want, ": ")
			texts = append(texts, text, file+":"+line+")")
		}
		h.refused(exitWrongUse, texts, "-n", "fresh", "system", "apply", file)
	}
	unchanged(t, h.home, before)
	if pid := h.agentPID(); pid != 0 {
		t.Errorf("an agent was started, pid %d", pid)
	}
}

// TestInvalidFilesOnARunningSite applies each to a site that carries traffic:
// neither a file nor a process nor the open connection changes.
func TestInvalidFilesOnARunningSite(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	port := freePorts(t, 2)
	echoServer(t, port[1])
	h.must("site", "create", "west", "--start")
	h.must("connector", "create", "greeter", port[1])
	h.must("listener", "create", "greeter", port[0], "--host", "127.0.0.1", "--wait", "ready")
	conn := dialPort(t, port[0])
	converse(t, conn, "before")
	files, agent, router := tree(t, h.data("namespaces")), h.agentPID(), h.routerPID("default")
	for name := range invalid() {
		if name == "01-no-site.yaml" {
			continue // a listener: in order where there is a site
		}
		h.refused(exitWrongUse, []string{name}, "system", "apply", "../../testdata/sites/invalid/"+name)
	}
	// What ends the router ends its connections: a dry run says so. That of the
	// client and that to the server are one.
	for _, args := range [][]string{
		{"system", "restart"}, {"system", "stop"}, {"system", "teardown"}, {"namespace", "delete", "default"}, {"site", "update", "--edge"},
	} {
		if text := h.must(append(args, "--dry-run")...); !strings.Contains(text, "(drops 1 connection of listener/greeter)") || !strings.Contains(text, "connections dropped: 1\n") {
			t.Errorf("%v:\n%s", args, text)
		}
	}
	unchanged(t, h.data("namespaces"), files)
	if a, r := h.agentPID(), h.routerPID("default"); a != agent || r != router {
		t.Errorf("processes %d and %d, want %d and %d", a, r, agent, router)
	}
	converse(t, conn, "after")
	h.must("site", "status", "--check")
}

// TestHomeOfSomebodyElse runs commands in a home that cannot be written.
func TestHomeOfSomebodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if os.Getuid() == 0 { // root writes everywhere: be nobody
		h.asNobody()
	}
	file := filepath.Join(h.run, "site.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.home, 0o555); err != nil {
		t.Fatal(err)
	}
	before := tree(t, h.home)
	h.refused(exitDenied, []string{"permission denied", h.home}, "site", "create", "west")
	h.refused(exitDenied, []string{"permission denied", h.home}, "system", "apply", file)
	unchanged(t, h.home, before)
	if pid := h.agentPID(); pid != 0 {
		t.Errorf("an agent was started, pid %d", pid)
	}
}

// TestSocketOfSomebodyElse has an ordinary user find an agent that is not his,
// and a directory for sockets where others write: nothing is sent, nothing is
// started.
func TestSocketOfSomebodyElse(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root makes things that belong to others")
	}
	h := newHouse(t)
	h.asNobody()
	h.refused(exitDenied, []string{"only root removes what belongs to the system; nothing was changed", "hint: `sudo "}, "--system", "system", "uninstall", "--force", "--yes")
	run, err := os.MkdirTemp("", "sk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) }) // a directory of the test
	h.env = append(h.env, "XDG_RUNTIME_DIR="+run)
	dir := filepath.Join(run, "skupper")
	if err := errors.Join(os.Chmod(run, 0o755), os.Mkdir(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	h.refused(exitFailed, []string{dir + ": others can change it", "hint: "}, "site", "create", "west", "--start")

	stranger := exec.Command("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", h.program[0], "controller", "run", "--user")
	home, err := os.MkdirTemp("", "skhome")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) }) // a directory of the test
	if err := errors.Join(os.Chown(home, 65533, 65533), os.Chown(dir, 65533, 65533), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	stranger.Env = append(slices.Clone(h.env), "HOME="+home)
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stranger.Process.Kill() // it may have ended
		_ = stranger.Wait()
	})
	socket := filepath.Join(dir, "agent.sock")
	eventuallyThere(t, socket)
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	h.refused(exitDenied, []string{"runs as uid 65533, neither as you nor as root", "hint: set XDG_RUNTIME_DIR"}, "system", "status")
}

// eventuallyThere waits for a file that a process makes, for up to 30 seconds.
func eventuallyThere(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(20 * time.Millisecond) {
		if c, err := net.Dial("unix", path); err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: nobody listens in time", path)
		}
	}
}

// nobody is a user without rights, on every system.
const nobody = 65534

// asNobody has the house be that of nobody: its program, its places.
func (h *house) asNobody() {
	h.t.Helper()
	program := filepath.Join(h.run, "skupper")
	data, err := os.ReadFile(h.program[0])
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(program, data, 0o755); err != nil {
		h.t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "skhome")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = os.RemoveAll(home) }) // a directory of the test
	h.home = home
	h.env = append(h.env, "HOME="+home)
	for _, dir := range []string{h.run, home} {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			h.t.Fatal(err)
		}
	}
	h.program = []string{program}
	h.credential = &syscall.Credential{Uid: nobody, Gid: nobody}
}

// TestFirstStartThatFails leaves nothing half made, and the same command works
// once its cause is gone.
func TestFirstStartThatFails(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	sockets := filepath.Join(h.run, "skupper", "west") // where the router's socket will be
	h.must("-n", "east", "site", "create", "east", "--start")
	if err := os.WriteFile(sockets, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.refused(exitFailed, []string{sockets}, "-n", "west", "system", "apply", "../../testdata/sites/hello-world/west/site.yaml")
	if _, err := os.Lstat(h.data("namespaces/west")); !os.IsNotExist(err) {
		t.Errorf("namespace west after a failed start: %v\n%s", err, strings.Join(keysOf(tree(t, h.data("namespaces"))), "\n"))
	}
	if out := h.must("namespace", "list", "-o", "name"); out != "east\n" {
		t.Errorf("namespaces: %s", out)
	}
	if err := os.Remove(sockets); err != nil {
		t.Fatal(err)
	}
	h.must("-n", "west", "system", "apply", "../../testdata/sites/hello-world/west/site.yaml")
	h.must("-n", "west", "site", "status", "--check")
}

// TestWrongUseOfEveryCommand types every command with a flag that it does not
// have, with wrong values, with arguments too few and too many, for a namespace
// that cannot be, and with a file that is not there.
func TestWrongUseOfEveryCommand(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := map[string]string{
		"HOME": home, "XDG_RUNTIME_DIR": filepath.Join(home, "run"), "SKUPPER_AGENT_INSTANCE": "user",
		"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent", "PATH": os.Getenv("PATH"),
	}
	wrong := func(text string, args ...string) {
		t.Helper()
		var out, diagnostics bytes.Buffer
		p := &program{stdin: strings.NewReader(""), stdout: &out, stderr: &diagnostics, getenv: func(k string) string { return env[k] }, uid: os.Getuid()}
		code := p.run(context.Background(), append([]string{"skupper"}, args...))
		if code != exitWrongUse || out.Len() > 0 || !strings.HasPrefix(diagnostics.String(), "error: ") || !strings.Contains(diagnostics.String(), text) {
			t.Errorf("skupper %q: exit status %d, want %d and %q in an error alone\n%s%s", args, code, exitWrongUse, text, out.String(), diagnostics.String())
		}
	}
	root := testTree()
	root.Walk(func(path []string, c *command.Command) {
		if len(c.Commands) > 0 || c.Raw {
			if len(path) > 1 && !c.Raw {
				wrong("unknown command", append(path[1:], "nosuch")...)
			}
			return
		}
		line := func(more ...string) []string { return append(append([]string{}, path[1:]...), more...) }
		wrong("--no-such-flag", line("--no-such-flag")...)
		var args []string
		repeat := false
		for _, a := range c.Args {
			if !a.Optional {
				wrong("missing", line(args...)...)
				args = append(args, "5432") // a name, a file and a port as well
			}
			repeat = repeat || a.Repeat
		}
		if !repeat {
			wrong("too many", line(append(args, "a", "b", "c")...)...)
		}
		for _, f := range c.Flags {
			switch {
			case len(f.Choices) > 0:
				wrong("--"+f.Name, line(append(args, "--"+f.Name+"=nosuch")...)...)
			case f.Kind == command.Int, f.Kind == command.Duration:
				wrong("--"+f.Name, line(append(args, "--"+f.Name+"=nosuch")...)...)
			}
		}
	})
	for _, args := range [][]string{
		{"site", "create", "x"},
		{"site", "status"},
		{"link", "status"},
		{"link", "generate"},
		{"listener", "create", "x", "1"},
		{"connector", "create", "x", "1"},
		{"token", "issue", "x"},
		{"system", "start"},
		{"system", "status"},
		{"network", "status"},
		{"service", "status"},
		{"cert", "list"},
		{"cert", "renew"},
		{"debug", "check"},
		{"debug", "dump"},
		{"system", "teardown", "--yes"},
	} {
		wrong(`namespace "Bad_Name"`, append([]string{"-n", "Bad_Name"}, args...)...)
	}
	missing := filepath.Join(home, "no such file.yaml")
	for _, args := range [][]string{
		{"system", "apply"}, {"system", "apply", "-f"}, {"system", "delete"}, {"system", "diff"}, {"link", "create"}, {"token", "redeem"}, {"token", "status"},
	} {
		wrong(missing, append(args, missing)...)
	}
	for _, kind := range []string{"site", "link", "listener", "connector"} {
		for _, verb := range []string{"status", "update", "delete"} {
			wrong("exist", kind, verb, "nosuch")
		}
	}
	if files := keysOf(tree(t, home)); len(files) > 1 {
		t.Errorf("wrong commands made files: %s", strings.Join(files, " "))
	}
}

// freePorts returns ports of the loopback address on which nothing listens.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	ports := make([]string, n)
	for i := range ports {
		ports[i] = strconv.Itoa(freeport.Get(t))
	}
	return ports
}

// echoServer sends back what it gets, until the test ends.
func echoServer(t *testing.T, port string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, func(c net.Conn) { _, _ = io.Copy(c, c) })
}

// serve answers every connection until the test ends.
func serve(t *testing.T, l net.Listener, answer func(net.Conn)) {
	t.Helper()
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				answer(c)
				_ = c.Close()
			}()
		}
	}()
}

// dialPort connects to a port of this host, for up to 20 seconds.
func dialPort(t *testing.T, port string) net.Conn {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), time.Second)
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// converse sends a word over a connection and has it come back.
func converse(t *testing.T, c net.Conn, word string) {
	t.Helper()
	if err := exchange(c, word); err != nil {
		t.Fatalf("connection through the sites: %v", err)
	}
}

func exchange(c net.Conn, word string) error {
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, word); err != nil {
		return err
	}
	got := make([]byte, len(word))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != word {
		return fmt.Errorf("got %q, want %q", got, word)
	}
	return nil
}
