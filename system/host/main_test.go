package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/state"
)

// roleKey is the variable by which the test binary plays a part.
const roleKey = "HOST_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleKey)
	if len(os.Args) > 2 && (os.Args[1] == "router" || os.Args[1] == "controller") {
		role = os.Args[1]
	}
	switch role {
	case "router":
		boxRouter()
	case "controller":
		boxAgent()
	case "":
		goleak.VerifyTestMain(m)
	case "apply":
		applyRole()
	case "orphan":
		orphanRole()
	default:
		routerRole(role)
	}
}

const unitName = "skupper-west.service"

// locate gives the places of a user whose home and run directory are below dir.
func locate(dir string) (layout.Paths, layout.NamespacePaths) {
	base, err := layout.Locate(layout.Env{UID: 1000, Home: filepath.Join(dir, "home"), XDGRuntimeDir: filepath.Join(dir, "run")})
	if err != nil {
		panic(err)
	}
	paths, err := base.Namespace("west")
	if err != nil {
		panic(err)
	}
	return base, paths
}

// fileUnits is a supervisor whose memory is a file, so that it outlives the
// process that uses it.
type fileUnits struct {
	path string

	fail     map[string]error // by method
	failOnce map[string]error
}

// unitMemory is what fileUnits knows of the one unit.
type unitMemory struct {
	Unit   state.Unit
	Known  bool
	Config string   // digest of the configuration that the router was told to read last
	Calls  []string // in order
}

func (u *fileUnits) memory() unitMemory {
	var m unitMemory
	data, err := os.ReadFile(u.path)
	if errors.Is(err, fs.ErrNotExist) {
		return m
	}
	if err := errors.Join(err, json.Unmarshal(data, &m)); err != nil {
		panic(err)
	}
	return m
}

// change does what a method does, unless it is to fail.
func (u *fileUnits) change(method string, f func(*unitMemory)) error {
	m := u.memory()
	m.Calls = append(m.Calls, method)
	failure := errors.Join(u.fail[method], u.failOnce[method])
	delete(u.failOnce, method)
	if failure == nil {
		f(&m)
	}
	data, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(u.path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(u.path+".new", u.path)
	}
	return errors.Join(failure, err)
}

func digest(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.4x", sha256.Sum256(data))
}

func (u *fileUnits) Name() string { return "file" }

func (u *fileUnits) Observe(context.Context, UnitRef) (state.Unit, bool, error) {
	m := u.memory()
	return m.Unit, m.Known, u.fail["observe"]
}

func (u *fileUnits) Status(context.Context, UnitRef) (UnitStatus, error) { return UnitStatus{}, nil }

func (u *fileUnits) Load(context.Context, UnitRef, state.Unit) error {
	return u.change("load", func(*unitMemory) {})
}

func (u *fileUnits) Enable(context.Context, UnitRef) error {
	return u.change("enable", func(m *unitMemory) { m.Unit.Enabled, m.Known = true, true })
}

func (u *fileUnits) Disable(context.Context, UnitRef) error {
	return u.change("disable", func(m *unitMemory) { m.Unit.Enabled, m.Known = false, m.Unit.Running })
}

func (u *fileUnits) Start(_ context.Context, _ UnitRef, spec state.Unit) error {
	return u.change("start", started(spec))
}

func (u *fileUnits) Restart(_ context.Context, _ UnitRef, spec state.Unit) error {
	return u.change("restart", started(spec))
}

func started(spec state.Unit) func(*unitMemory) {
	return func(m *unitMemory) {
		m.Known, m.Unit.Running, m.Unit.Identity, m.Unit.Command = true, true, spec.Identity, spec.Command
		m.Config = digest(spec.Command[0])
	}
}

func (u *fileUnits) Reload(_ context.Context, _ UnitRef, spec state.Unit) error {
	return u.change("reload", func(m *unitMemory) { m.Config = digest(spec.Command[0]) })
}

func (u *fileUnits) Stop(context.Context, UnitRef, state.Unit) error {
	return u.change("stop", func(m *unitMemory) { m.Unit.Running, m.Config, m.Known = false, "", m.Unit.Enabled })
}

// rig is a host in a directory of its own.
type rig struct {
	dir   string
	base  layout.Paths
	paths layout.NamespacePaths
	units *fileUnits
	host  *Host
}

func newRig(dir string) *rig {
	r := &rig{dir: dir, units: &fileUnits{path: filepath.Join(dir, "units.json"), fail: map[string]error{}, failOnce: map[string]error{}}}
	r.base, r.paths = locate(dir)
	r.host = New(r.base, r.units, nil)
	return r
}

// fail makes the n-th change of the machine fail, counted from 1.
func (r *rig) fail(n int, err error) {
	r.host.reach = func(string) error {
		if n--; n == 0 {
			return err
		}
		return nil
	}
}

// scenario is a State that a test goes to: 0 is nothing, 1 and 2 are two
// generations of a site, 3 is the second one with another identity.
func scenario(r *rig, n int) state.State {
	if n == 0 {
		return state.State{}
	}
	p := r.paths
	s := state.State{Dirs: map[string]state.Dir{}, Files: map[string]state.File{}}
	for _, d := range []string{r.base.DataHome, r.base.NamespacesDir(), filepath.Dir(p.Unit)} {
		s.Dirs[d] = state.Dir{Mode: 0o700, Shared: true, Lax: true}
	}
	for _, d := range []string{p.Dir, p.InputDir(), p.InternalDir()} {
		s.Dirs[d] = state.Dir{Mode: 0o700, Shared: true}
	}
	for _, d := range []string{p.RuntimeDir(), p.RouterDir(), p.Certs(), p.Issuers(), p.RuntimeResources()} {
		s.Dirs[d] = state.Dir{Mode: 0o700}
	}
	cert := func(name, text string) {
		s.Dirs[p.CertDir(name)] = state.Dir{Mode: 0o700}
		for _, f := range []string{"ca.crt", "tls.crt", "tls.key"} {
			s.Files[filepath.Join(p.CertDir(name), f)] = state.File{Data: []byte(text + f), Mode: 0o600, Subject: state.Certificate(name), Secret: f == "tls.key"}
		}
	}
	g := fmt.Sprint(min(n, 2))
	cert("west", g)
	if n == 1 {
		cert("old", g)
	} else {
		cert("new", g)
	}
	s.Files[p.RouterConfig()] = state.File{Data: []byte(`[["router",{"id":"` + g + `"}]]`), Mode: 0o600, Subject: state.SubjectConfig, Entities: true}
	s.Files[p.RuntimeResource("Site", "west")] = state.File{Data: []byte("same"), Mode: 0o600, Subject: state.SubjectResources, Record: true}
	// Records that are not kept for the way back.
	changing := map[bool]string{true: "old", false: "new"}[n == 1]
	for name, text := range map[string]string{"db": g, changing: g} {
		s.Files[p.RuntimeResource("Listener", name)] = state.File{Data: []byte(text), Mode: 0o600, Subject: state.SubjectResources, Record: true, Derived: true}
	}
	s.Files[p.State()] = state.File{Data: []byte(g), Mode: 0o600, Subject: state.SubjectMemory, Record: true}
	s.Files[p.Unit] = state.File{Data: []byte("unit " + g), Mode: 0o644, Subject: state.SubjectUnit}
	identity := "one"
	if n == 3 {
		identity = "other"
	}
	s.Units = map[string]state.Unit{unitName: {
		Running: true, Enabled: true, Identity: identity, File: p.Unit, Command: []string{p.RouterConfig()}, Reads: []string{p.RouterDir(), p.Certs()},
	}}
	return s
}

// converge goes to a State as the agent does.
func (r *rig) converge(ctx context.Context, want state.State, confirm ...Confirm) ([]plan.Step, error) {
	ns, err := r.host.Open(ctx, r.paths)
	if err != nil {
		return nil, err
	}
	defer func() { _ = ns.Close() }()
	have, err := ns.Observe(ctx)
	if err != nil {
		return nil, err
	}
	steps := plan.Make(want, have)
	return steps, ns.Apply(ctx, have, steps, confirm...)
}

// observed is the machine as it is, without completing anything.
func (r *rig) observed(t *testing.T) state.State {
	t.Helper()
	ns := &Namespace{host: New(r.base, r.units, nil), paths: r.paths}
	s, err := ns.observe(t.Context(), scratchMark) // leaves scratch files alone
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustConverge goes to a scenario and checks that it is there.
func (r *rig) mustConverge(t *testing.T, n int) {
	t.Helper()
	if _, err := r.converge(t.Context(), scenario(r, n)); err != nil {
		t.Fatal(err)
	}
	r.check(t, n)
}

// check compares the machine with a scenario: files, unit, what the router was
// told, and that nothing else is left.
func (r *rig) check(t *testing.T, n int) {
	t.Helper()
	want := scenario(r, n)
	if steps := plan.Make(want, r.observed(t)); len(steps) > 0 {
		t.Errorf("not at scenario %d:\n%s", n, plan.Text(steps))
	}
	if told := r.units.memory().Config; n > 0 && told != digest(r.paths.RouterConfig()) {
		t.Errorf("scenario %d: the router was told %s, the file is %s", n, told, digest(r.paths.RouterConfig()))
	}
	if left := r.leftovers(t); len(left) > 0 {
		t.Errorf("scenario %d: left over: %v", n, left)
	}
}

// leftovers are scratch files and the journal.
func (r *rig) leftovers(t *testing.T) []string {
	t.Helper()
	var left []string
	err := filepath.WalkDir(filepath.Join(r.dir, "home"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && (isScratch(d.Name()) || strings.HasPrefix(d.Name(), journalName)) {
			left = append(left, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// whole checks that every file is that of one scenario or the other.
func (r *rig) whole(t *testing.T, a, b int) {
	t.Helper()
	one, other := scenario(r, a), scenario(r, b)
	for path, f := range r.observed(t).Files {
		if !bytes.Equal(f.Data, one.Files[path].Data) && !bytes.Equal(f.Data, other.Files[path].Data) {
			t.Errorf("%s holds %q", path, f.Data)
		}
	}
}

// applyRole goes to a scenario and is killed, or fails, on the way.
func applyRole() {
	var from struct {
		Dir             string
		To, Kill, Fail  int
		FailFirst, Path string
	}
	if err := json.Unmarshal([]byte(os.Getenv("HOST_TEST_ARGS")), &from); err != nil {
		panic(err)
	}
	r := newRig(from.Dir)
	n := 0
	r.host.reach = func(string) error {
		n++
		if n == from.Kill {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		if n == from.Fail {
			return syscall.EIO
		}
		return nil
	}
	if _, err := r.converge(context.Background(), scenario(r, from.To)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// tempDir is a directory in memory where there is such a thing: hundreds of
// changes are flushed in these tests, and a busy disk takes its time.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "host")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
