package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/box"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/systemd"
)

// boxKey is set inside a box: a host with a real systemd (internal/box).
const boxKey = "HOST_TEST_BOX"

// boxBinary is where this test is inside; units run it as the router.
const boxBinary = "/usr/local/bin/host.test"

// TestSystemdBox runs the tests named Inside on a host with systemd: the
// system's manager and a user's, and again after a reboot.
func TestSystemdBox(t *testing.T) {
	t.Parallel()
	b := box.New(t, box.Options{})
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b.Put(t, binary, boxBinary)
	b.Sh(t, "useradd", "--system", "--home-dir", "/var/lib/skupper", "--shell", "/usr/sbin/nologin", "skupper")
	b.Sh(t, "useradd", "--create-home", "ann")
	b.Sh(t, "loginctl", "enable-linger", "ann")
	root := b.Command
	ann := func(args ...string) *exec.Cmd { return b.CommandAs("ann", args...) }
	runInside(t, b, "TestInsideSystem", root)
	runInside(t, b, "TestInsideAgentUnit", root)
	runInside(t, b, "TestInsideUser", ann)
	b.Reboot(t)
	runInside(t, b, "TestInsideAfterBoot", root)
	runInside(t, b, "TestInsideAfterBoot", ann)
}

// runInside runs one test of this binary inside, as root or as a user.
func runInside(t *testing.T, b *box.Box, test string, command func(...string) *exec.Cmd) {
	t.Helper()
	cmd := command("env", boxKey+"=1", boxBinary, "-test.run", "^"+test+"$", "-test.v", "-test.timeout", "2m")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+test)) {
		t.Fatalf("%s: %v\n%s\njournal:\n%s", test, err, out, b.Journal())
	}
}

// boxRouter is the router inside: it tells what it can and cannot do.
func boxRouter() {
	n := systemd.NewNotifier(os.Getenv)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	config := os.Args[slices.Index(os.Args, "-c")+1]
	socket := os.Args[slices.Index(os.Args, "--socket")+1]
	data, err := os.ReadFile(config)
	if err != nil || bytes.Contains(data, []byte(`"mode": "edge"`)) {
		fmt.Println("error: this router is no edge router", err)
		os.Exit(1)
	}
	can := func(path string) bool {
		_, err := os.ReadFile(path)
		return err == nil
	}
	runtime := filepath.Dir(filepath.Dir(config))
	text := fmt.Sprintf("uid %d, socket %v, certificate %v, authority %v, state %v", os.Getuid(),
		os.WriteFile(socket, nil, 0o600) == nil, can(filepath.Join(runtime, "certs/west/tls.key")),
		can(filepath.Join(runtime, "issuers/skupper-site-ca/tls.key")), can(filepath.Join(filepath.Dir(runtime), "internal/state.json")))
	n.Status(text)
	n.Ready()
	reloads := 0
	go n.Watchdog(context.Background(), func() bool { return true })
	for s := range signals {
		if s == syscall.SIGTERM {
			n.Stopping()
			os.Exit(0)
		}
		n.Reloading()
		reloads++
		n.Status(fmt.Sprintf("reloads %d, %s", reloads, digest(config)))
		n.Ready()
	}
}

// insideRig is the host as it is inside.
type insideRig struct {
	t    *testing.T
	conn *systemd.Conn
	rig  *rig
}

func inside(t *testing.T) *insideRig {
	t.Helper()
	if os.Getenv(boxKey) == "" {
		t.Skip("runs inside a box, see TestSystemdBox")
	}
	base, err := layout.Locate(layout.Env{UID: os.Getuid(), Home: os.Getenv("HOME"), XDGRuntimeDir: os.Getenv("XDG_RUNTIME_DIR")})
	if err != nil {
		t.Fatal(err)
	}
	paths, err := base.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := systemd.Connect(t.Context(), systemd.Options{User: !base.System, RuntimeDir: base.RuntimeDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return &insideRig{t, conn, &rig{base: base, paths: paths, host: New(base, NewSystemd(conn), nil)}}
}

// west is the input of a site; a name more makes another configuration of it.
func west(more string, edge bool) string {
	text := "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: west}\nspec: {linkAccess: default}\n"
	if edge {
		text = strings.Replace(text, "linkAccess: default", "edge: true", 1)
	}
	if more != "" {
		text += "---\napiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: " + more + "}\nspec: {routingKey: k, host: 127.0.0.1, port: 18080}\n"
	}
	return text
}

// converge renders an input and applies it.
func (i *insideRig) converge(input string, stopped bool) ([]plan.Step, error) {
	i.t.Helper()
	ctx := i.t.Context()
	set, _, err := resource.Parse([]resource.Input{{Name: "west.yaml", Data: []byte(input)}})
	if err != nil {
		i.t.Fatal(err)
	}
	ns, err := i.rig.host.Open(ctx, i.rig.paths)
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = ns.Close() }()
	have, err := ns.Observe(ctx)
	if err != nil {
		i.t.Fatal(err)
	}
	var memory state.Memory
	if f, ok := have.Files[i.rig.paths.State()]; ok {
		if memory, err = state.ParseMemory(f.Data); err != nil {
			i.t.Fatal(err)
		}
	}
	s, _, err := site.Build(set, site.Context{Namespace: "west", Hostname: "box", SiteID: memory.SiteID, Ports: memory.Ports})
	if err != nil {
		i.t.Fatal(err)
	}
	memory.Stopped = stopped
	in := render.Input{
		Site: s, Paths: i.rig.paths, Base: i.rig.base, Memory: memory, Have: have, InputHash: input, Now: time.Now(), Random: rand.Reader,
		Machine: render.Machine{Systemd: true, Binary: boxBinary, Platform: "linux", Version: "0", FirstPort: 1024},
		Objects: slices.Collect(s.Objects.All()), Snapshot: slices.Collect(set.All()),
	}
	if i.rig.base.System {
		in.Machine.User = "skupper"
	}
	out, err := render.Render(in)
	if err != nil {
		i.t.Fatal(err)
	}
	steps := plan.Make(out.State, have)
	return steps, ns.Apply(ctx, have, steps)
}

func (i *insideRig) must(input string, stopped bool) []plan.Step {
	i.t.Helper()
	steps, err := i.converge(input, stopped)
	if err != nil {
		i.t.Fatal(err)
	}
	return steps
}

func (i *insideRig) status() UnitStatus {
	i.t.Helper()
	s, err := i.rig.host.Units().Status(i.t.Context(), i.rig.host.UnitRef(i.rig.paths))
	if err != nil {
		i.t.Fatal(err)
	}
	return s
}

// await waits until the unit is as it should be.
func (i *insideRig) await(what string, is func(UnitStatus) bool) UnitStatus {
	i.t.Helper()
	limit, tick := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		s := i.status()
		if is(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-limit:
			i.t.Fatalf("not %s: %+v", what, s)
		}
	}
}

// life goes through the life of a site.
func (i *insideRig) life(wantText string) {
	t := i.t
	t.Helper()
	i.must(west("", false), false)
	first := i.status()
	if first.State != UnitActive || !first.Enabled || first.Text != wantText {
		t.Fatalf("started: %+v, want %q", first, wantText)
	}
	if steps := i.must(west("", false), false); len(steps) > 0 {
		t.Errorf("again: %v", plan.Lines(steps))
	}

	i.must(west("more", false), false)
	told := i.await("reloaded", func(s UnitStatus) bool { return strings.HasPrefix(s.Text, "reloads") })
	if want := "reloads 1, " + digest(i.rig.paths.RouterConfig()); told.Text != want || told.PID != first.PID {
		t.Errorf("reloaded: %+v, want %q", told, want)
	}

	if told.PID <= 1 { // 0 means the caller's whole group
		t.Fatalf("no process: %+v", told)
	}
	if err := syscall.Kill(told.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	i.await("restarted", func(s UnitStatus) bool { return s.State == UnitActive && s.PID != told.PID && s.Restarts == 1 })

	// A configuration with which the router does not start is taken back.
	_, err := i.converge(west("more", true), false)
	var failed *ApplyError
	var unit *UnitError
	if !errors.As(err, &failed) || failed.Undo != nil || !errors.As(err, &unit) || unit.Result != "exit status 1" {
		t.Fatalf("a router that does not start: %v", err)
	}
	i.await("back", func(s UnitStatus) bool { return s.State == UnitActive })
	if steps := i.must(west("more", false), false); len(steps) > 0 {
		t.Errorf("after it was taken back: %v", plan.Lines(steps))
	}

	i.must(west("more", false), true)
	if s := i.status(); s.State != UnitInactive || s.Enabled || s.PID != 0 {
		t.Errorf("stopped: %+v", s)
	}
	i.must(west("more", false), false)
	if s := i.status(); s.State != UnitActive || !s.Enabled {
		t.Errorf("started again: %+v", s)
	}
	i.teardown()
	i.must(west("", false), false) // stays, for after the boot
}

func (i *insideRig) teardown() {
	i.t.Helper()
	ns, err := i.rig.host.Open(i.t.Context(), i.rig.paths)
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = ns.Close() }()
	have, err := ns.Observe(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	if err := ns.Apply(i.t.Context(), have, plan.Make(state.State{}, have)); err != nil {
		i.t.Fatal(err)
	}
	st, err := i.conn.Status(i.t.Context(), unitName)
	if err != nil || st.Loaded || st.Active != "inactive" || st.Enabled {
		i.t.Errorf("torn down: %+v, %v", st, err)
	}
	if err := ns.Remove(i.t.Context(), false); err != nil {
		i.t.Fatal(err)
	}
}

func TestInsideSystem(t *testing.T) {
	i := inside(t)
	id, err := exec.CommandContext(t.Context(), "id", "-u", "skupper").Output()
	if err != nil {
		t.Fatal(err)
	}
	i.life(fmt.Sprintf("uid %s, socket true, certificate true, authority false, state false", strings.TrimSpace(string(id))))
}

func TestInsideUser(t *testing.T) {
	i := inside(t)
	i.life(fmt.Sprintf("uid %d, socket true, certificate true, authority true, state true", os.Getuid()))
}

func TestInsideAfterBoot(t *testing.T) {
	i := inside(t)
	s := i.await("up", func(s UnitStatus) bool { return s.State == UnitActive })
	if !strings.HasPrefix(s.Text, "uid ") {
		t.Errorf("%+v", s)
	}
	if steps := i.must(west("", false), false); len(steps) > 0 {
		t.Errorf("after the boot: %v", plan.Lines(steps))
	}
}

// TestInsideAgentUnit runs this binary as the agent of the system, behind the
// fence of its unit, and has it do what an agent does.
func TestInsideAgentUnit(t *testing.T) {
	i := inside(t)
	for _, dir := range []string{i.rig.base.RunDir, i.rig.base.DataHome} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	text := bytes.Replace(render.AgentUnit(boxBinary, i.rig.base), []byte("[Service]\n"), []byte("[Service]\nEnvironment="+boxKey+"=1\n"), 1)
	if err := os.WriteFile(i.rig.base.AgentUnit(), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := i.conn.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := i.conn.Start(t.Context(), "skupper.service"); err != nil {
		t.Fatal(err)
	}
	st, err := i.conn.Status(t.Context(), "skupper.service")
	if err != nil || st.Text != "all done" {
		t.Errorf("%+v, %v", st, err)
	}
	if err := i.conn.Stop(t.Context(), "skupper.service"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(i.rig.base.AgentUnit()); err != nil {
		t.Fatal(err)
	}
}

// boxAgent does what an agent needs rights for, and tells how far it came.
func boxAgent() {
	n := systemd.NewNotifier(os.Getenv)
	text := "all done"
	if err := agentWork(); err != nil {
		text = err.Error()
	}
	n.Status(text)
	n.Ready()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	<-signals
	os.Exit(0)
}

func agentWork() error {
	ctx := context.Background()
	base, err := layout.Locate(layout.Env{})
	if err != nil {
		return err
	}
	conn, err := systemd.Connect(ctx, systemd.Options{})
	if err != nil {
		return err
	}
	defer conn.Close()
	st, err := conn.Status(ctx, unitName)
	if err != nil || st.Active != "active" {
		return fmt.Errorf("status %+v: %w", st, err)
	}
	if err := conn.Reload(ctx, unitName); err != nil {
		return err
	}
	o, err := newOwners().ids(state.Owner{User: "skupper", Group: "skupper"})
	if err != nil {
		return err
	}
	for _, dir := range []string{base.UnitDir, base.DataHome, base.RunDir} {
		path := filepath.Join(dir, "skupper-try")
		if err := errors.Join(writeFile(path, []byte("x"), durable), os.Chown(path, o.uid, o.gid), os.Remove(path)); err != nil {
			return err
		}
	}
	// What faces the network runs as the routers' user.
	cmd := exec.Command("/usr/bin/id", "-u")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}}
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(o.uid) {
		return fmt.Errorf("process of another user: %w: %s", err, out)
	}
	if err := os.WriteFile("/etc/skupper-try", nil, 0o600); err == nil {
		return errors.New("it can write what is not its own")
	}
	return nil
}
