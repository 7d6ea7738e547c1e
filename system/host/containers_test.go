package host

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/state"
)

// fakeEngine is an engine in memory.
type fakeEngine struct {
	version      error // why it cannot be used
	images       map[string]container.Image
	containers   map[string]container.Status
	startFails   error
	inspectFails []error // one for each time
	pullFails    error
	calls        []string
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{images: map[string]container.Image{}, containers: map[string]container.Status{}}
}

func (e *fakeEngine) call(words ...string) { e.calls = append(e.calls, strings.Join(words, " ")) }

func (e *fakeEngine) Version(context.Context) (container.Version, error) {
	return container.Version{Engine: "4.3.1"}, e.version
}

func (e *fakeEngine) Image(_ context.Context, name string) (container.Image, bool, error) {
	i, ok := e.images[name]
	return i, ok, nil
}

func (e *fakeEngine) Load(_ context.Context, archive io.Reader) error {
	if _, err := io.Copy(io.Discard, archive); err != nil {
		return err
	}
	e.call("load")
	return nil
}

func (e *fakeEngine) Pull(_ context.Context, name string) error {
	e.call("pull", name)
	return e.pullFails
}

func (e *fakeEngine) Images(context.Context, string) ([]string, error) {
	return slices.Sorted(maps.Keys(e.images)), nil
}

func (e *fakeEngine) RemoveImage(_ context.Context, name string) error {
	e.call("remove image", name)
	return nil
}

func (e *fakeEngine) Inspect(_ context.Context, name string) (container.Status, bool, error) {
	if len(e.inspectFails) > 0 {
		err := e.inspectFails[0]
		if e.inspectFails = e.inspectFails[1:]; err != nil {
			return container.Status{}, false, err
		}
	}
	s, ok := e.containers[name]
	return s, ok, nil
}

func (e *fakeEngine) Create(_ context.Context, c container.Container, labels map[string]string) error {
	all := maps.Clone(c.Labels)
	maps.Copy(all, labels)
	e.containers[c.Name] = container.Status{Labels: all, Phase: container.Created}
	e.call("create", c.Name)
	return nil
}

func (e *fakeEngine) Start(_ context.Context, name string) error {
	s := e.containers[name]
	s.Phase, s.PID = container.Running, 7
	e.containers[name] = s
	e.call("start", name)
	return e.startFails
}

func (e *fakeEngine) Stop(_ context.Context, name string, after time.Duration) error {
	e.call("stop", name, after.String())
	return nil
}

func (e *fakeEngine) Signal(_ context.Context, name, signal string) error {
	e.call("signal", name, signal)
	return nil
}

func (e *fakeEngine) Remove(_ context.Context, name string) error {
	delete(e.containers, name)
	e.call("remove", name)
	return nil
}

func (e *fakeEngine) Logs(context.Context, string, time.Time, bool, io.Writer) error { return nil }

// processes is a supervisor of processes that notes what is asked of it.
type processes struct {
	Units
	name  string
	calls []string
}

func (p *processes) Name() string { return p.name }

func (p *processes) Start(context.Context, UnitRef, state.Unit) error {
	p.calls = append(p.calls, "start")
	return nil
}

func (p *processes) Stop(context.Context, UnitRef, state.Unit) error {
	p.calls = append(p.calls, "stop")
	return nil
}

type containersRig struct {
	engine *fakeEngine
	under  *processes
	units  Units
	ref    UnitRef
	spec   state.Unit
}

func newContainersRig(t *testing.T, supervisor, platform string) *containersRig {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("ELF"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := &containersRig{engine: newFakeEngine(), under: &processes{name: supervisor}}
	r.units = NewPlatforms(r.under, func(string) (container.Engine, error) { return r.engine, nil }, program)
	r.ref = UnitRef{Name: "skupper-west.service", Platform: platform, Container: "west-skupper-router", Socket: filepath.Join(dir, "run/west/router.sock"), Run: filepath.Join(dir, "run-source")}
	r.spec = state.Unit{
		Running: true, Enabled: true, Identity: "interior west", Stop: time.Minute, Reads: []string{"/x"},
		Container: &container.Container{
			Engine: platform, Name: r.ref.Container, Image: "localhost/skupper-router:2", Local: true, Stop: time.Minute, Env: []string{},
			Labels: map[string]string{container.LabelApplication: container.Application, container.LabelSite: "id"},
			Mounts: []container.Mount{{From: filepath.Join(dir, "run-source"), To: container.RunDir, Writable: true}},
		},
	}
	return r
}

// TestContainerByItsEngine lives through the life of a router that the engine
// supervises.
func TestContainerByItsEngine(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newContainersRig(t, "systemd", container.Docker)
	if _, ok, err := r.units.Observe(ctx, r.ref); ok || err != nil {
		t.Fatalf("before: %v %v", ok, err)
	}
	if err := r.units.Start(ctx, r.ref, r.spec); err != nil {
		t.Fatal(err)
	}
	unit, ok, err := r.units.Observe(ctx, r.ref)
	if diff := cmp.Diff(r.spec, unit); !ok || err != nil || diff != "" {
		t.Errorf("observed: %v %v (-want +got)\n%s", ok, err, diff)
	}
	if at, err := os.Readlink(r.ref.Socket); err != nil || at != filepath.Join(r.spec.Container.RunSource(), "router.sock") {
		t.Errorf("the socket is at %s, %v", at, err)
	}
	if s, err := r.units.Status(ctx, r.ref); err != nil || s.State != UnitActive || s.PID != 7 {
		t.Errorf("status: %+v %v", s, err)
	}
	if err := errors.Join(r.units.Reload(ctx, r.ref, r.spec), r.units.Stop(ctx, r.ref, r.spec)); err != nil {
		t.Fatal(err)
	}
	want := []string{"load", "create west-skupper-router", "start west-skupper-router", "signal west-skupper-router HUP", "stop west-skupper-router 1m0s", "remove west-skupper-router"}
	if diff := cmp.Diff(want, r.engine.calls); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if _, err := os.Lstat(filepath.Dir(r.ref.Socket)); err == nil {
		t.Error("the run directory is left")
	}
	if len(r.under.calls) > 0 {
		t.Errorf("the supervisor of processes was asked: %v", r.under.calls)
	}
}

// TestContainerInAUnit has systemd run a container of podman: the image is made
// first, and what others left behind by its name goes.
func TestContainerInAUnit(t *testing.T) {
	t.Parallel()
	r := newContainersRig(t, "systemd", container.Podman)
	r.spec.File = "/unit"
	r.engine.containers[r.ref.Container] = container.Status{Labels: r.spec.Container.Labels, Phase: container.Exited}
	if err := errors.Join(r.units.Start(t.Context(), r.ref, r.spec), r.units.Stop(t.Context(), r.ref, r.spec)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"load", "remove west-skupper-router"}, r.engine.calls); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"start", "stop"}, r.under.calls); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestContainerThatCannotStart(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		is    func(*containersRig)
		want  any
		calls []string
	}{
		"engine too old": {func(r *containersRig) { r.engine.version = &container.TooOldError{Engine: "docker"} }, new(*container.TooOldError), nil},
		"name taken": {func(r *containersRig) {
			r.engine.images[r.spec.Container.Image] = container.Image{}
			r.spec.Container.Local = false
			r.engine.containers[r.ref.Container] = container.Status{Labels: map[string]string{container.LabelSite: "other"}}
		}, new(*container.ForeignError), nil},
		"no image": {func(r *containersRig) {
			r.spec.Container.Local, r.engine.pullFails = false, refused
		}, new(*container.MissingImageError), []string{"pull localhost/skupper-router:2"}},
	} {
		r := newContainersRig(t, "agent", container.Docker)
		c.is(r)
		err := r.units.Start(t.Context(), r.ref, r.spec)
		var hint interface{ Hint() string }
		if !errors.As(err, c.want) || !errors.As(err, &hint) || hint.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.calls, r.engine.calls); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	r := newContainersRig(t, "agent", container.Podman)
	r.engine.startFails = refused
	if err := r.units.Start(t.Context(), r.ref, r.spec); !errors.Is(err, refused) {
		t.Errorf("start: %v", err)
	}
	if len(r.engine.containers) > 0 {
		t.Errorf("a container that did not start is left: %v", r.engine.containers)
	}
}

// TestEngineThatDiesWhenItStarts has an engine be killed before it says that it
// has started a container: back at once, or at the next try, the container is
// found as it runs, and left.
func TestEngineThatDiesWhenItStarts(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"back at once": true, "back later": false} {
		r := newContainersRig(t, "agent", container.Podman)
		gone := &container.UnreachableError{Engine: container.Podman, Err: io.EOF}
		r.engine.startFails = gone
		if !back {
			r.engine.inspectFails = []error{nil, gone} // asked before, and after
		}
		if err := r.units.Start(t.Context(), r.ref, r.spec); back != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err := r.units.Start(t.Context(), r.ref, r.spec); err != nil {
			t.Errorf("%s: again: %v", name, err)
		}
		want := []string{"load", "create west-skupper-router", "start west-skupper-router", "load"}
		if diff := cmp.Diff(want, r.engine.calls); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if err := r.units.Restart(t.Context(), r.ref, r.spec); err != nil || !slices.Contains(r.engine.calls, "remove west-skupper-router") {
			t.Errorf("%s: restarted: %v %v", name, err, r.engine.calls)
		}
	}
}

func TestPrepareAgain(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	e := newFakeEngine()
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of nothing
	e.images["i:1"] = container.Image{ID: "old", Labels: map[string]string{container.LabelExecutable: empty}}
	if fresh, err := Prepare(t.Context(), e, container.Docker, "i:1", true, program); err != nil || fresh || len(e.calls) > 0 {
		t.Errorf("an image that is there: %v %v", err, e.calls)
	}
	e.images["i:1"] = container.Image{ID: "old", Labels: map[string]string{container.LabelExecutable: "another"}}
	if fresh, err := Prepare(t.Context(), e, container.Docker, "i:1", true, program); err != nil || fresh || !slices.Equal(e.calls, []string{"load", "remove image old"}) {
		t.Errorf("an image of another program: %v %v", err, e.calls)
	}
	if fresh, err := Prepare(t.Context(), e, container.Docker, "i:2", true, program); err != nil || !fresh {
		t.Errorf("no image: %v %v", fresh, err)
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	for result, want := range map[string]string{"exit status 137": "killed by SIGKILL", "exit status 125": "exit status 125", "exit status 255": "exit status 255", "watchdog": "watchdog", "": ""} {
		if got := ended(result); got != want {
			t.Errorf("%q: %q, want %q", result, got, want)
		}
	}
}

// TestDefinition has a unit be what its unit file says or, where there is none,
// its Quadlet file.
func TestDefinition(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u := UnitRef{File: filepath.Join(dir, "u.service"), Quadlet: filepath.Join(dir, "u.container")}
	is := func(want, content string) {
		t.Helper()
		file, text, err := u.definition()
		if err != nil || file != want || string(text) != content {
			t.Errorf("%s %q %v, want %s %q", file, text, err, want, content)
		}
	}
	is(u.File, "")
	if err := os.WriteFile(u.Quadlet, []byte("[Install]\nWantedBy=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	is(u.Quadlet, "[Install]\nWantedBy=x\n")
	if _, text, _ := u.definition(); !installs(text) || installs([]byte("[Service]\nWantedBy=x\n")) {
		t.Error("what a unit starts with is not read")
	}
	if err := os.WriteFile(u.File, []byte("unit"), 0o600); err != nil {
		t.Fatal(err)
	}
	is(u.File, "unit")
	e := &NotGeneratedError{"u.service", "/home/a/u.container"}
	if !strings.Contains(e.Hint(), "podman-user-generator --user") || !strings.Contains((&NotGeneratedError{"u", "/etc/u"}).Hint(), "podman-system-generator") {
		t.Errorf("%v: %s", e, e.Hint())
	}
}
