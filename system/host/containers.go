package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/container/image"
	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/systemd"
)

// Engines gives the engine of a platform. Asking for it connects to nothing.
type Engines func(platform string) (container.Engine, error)

// platforms run each unit as its platform asks: as a process, by the supervisor
// of the host; or as a container. A container of podman is run by a unit of
// systemd, where that supervises; all others are made through the engine's API,
// which then restarts them whenever they end.
//
// What a container is to be comes from the wanted unit; how the unit of a
// namespace runs now comes from UnitRef.Platform.
type platforms struct {
	Units   // of processes, and of containers in units of systemd
	systemd bool
	engines Engines
	program string // what an image is made from
}

// NewPlatforms adds containers to the processes that units supervises. program
// is the path of the executable of which images are made.
func NewPlatforms(units Units, engines Engines, program string) Units {
	return platforms{units, units.Name() == "systemd", engines, program}
}

// engineRuns reports whether the engine itself supervises a platform's routers.
func (p platforms) engineRuns(platform string) bool {
	return container.Known(platform) && !(p.systemd && platform == container.Podman)
}

func (p platforms) Observe(ctx context.Context, u UnitRef) (state.Unit, bool, error) {
	if !p.engineRuns(u.Platform) {
		unit, ok, err := p.Units.Observe(ctx, u)
		if container.Known(u.Platform) {
			unit.Container = &container.Container{Engine: u.Platform, Name: u.Container} // where to stop it
			if unit.Running {
				err = errors.Join(err, showSocket(u.Run, u.Socket))
			}
		}
		return unit, ok, err
	}
	s, ok, err := p.inspect(ctx, u)
	if err != nil || !ok {
		return state.Unit{}, false, err
	}
	var unit state.Unit
	if text := s.Labels[container.LabelUnit]; text != "" {
		if err := json.Unmarshal([]byte(text), &unit); err != nil {
			return state.Unit{}, false, fmt.Errorf("container %s: label %s: %w", u.Container, container.LabelUnit, err)
		}
	}
	unit.Running = s.Phase == container.Running || s.Phase == container.Restarting
	unit.Enabled = unit.Running
	if unit.Container == nil { // made by somebody else, or before
		unit.Container = &container.Container{Engine: u.Platform, Name: u.Container, Labels: s.Labels}
	}
	if unit.Running {
		if err := showSocket(u.Run, u.Socket); err != nil {
			return state.Unit{}, false, err
		}
	}
	return unit, true, nil
}

// inspect asks for the container of a namespace.
func (p platforms) inspect(ctx context.Context, u UnitRef) (container.Status, bool, error) {
	e, err := p.engines(u.Platform)
	if err != nil {
		return container.Status{}, false, err
	}
	return e.Inspect(ctx, u.Container)
}

func (p platforms) Status(ctx context.Context, u UnitRef) (UnitStatus, error) {
	if !p.engineRuns(u.Platform) {
		s, err := p.Units.Status(ctx, u)
		if err == nil && container.Known(u.Platform) {
			if s.PID != 0 {
				s.PID = inner(u.Socket)
			}
			if s.State == UnitStopping {
				s.State = UnitRestarting // nobody asked for it: what is left of the container goes first
			}
			if s.State != UnitActive && s.State != UnitInactive {
				s.Result = first(p.trouble(ctx, u), ended(s.Result))
			}
		}
		return s, err
	}
	c, ok, err := p.inspect(ctx, u)
	if err != nil || !ok {
		return UnitStatus{State: UnitInactive}, err
	}
	s := UnitStatus{PID: c.PID, Since: c.Since, Restarts: c.Restarts, Enabled: c.Phase != container.Exited, Result: c.Text}
	switch c.Phase {
	case container.Running:
		s.State = UnitActive
		if c.Health == "unhealthy" {
			s.Text = "unhealthy"
		}
	case container.Restarting:
		s.State = UnitRestarting
	case container.Created:
		s.State = UnitInactive
	case container.Exited:
		s.State = UnitFailed
	}
	if s.Result == "" && s.PID == 0 && c.ExitCode != 0 {
		s.Result = "exit status " + strconv.Itoa(c.ExitCode)
	}
	s.Result = ended(s.Result)
	return s, nil
}

// ended says of a container how its router ended: engines add 128 to a signal.
func ended(result string) string {
	text, ok := strings.CutPrefix(result, "exit status ")
	if code, err := strconv.Atoi(text); ok && err == nil && code > 128 && unix.SignalName(syscall.Signal(code-128)) != "" {
		return "killed by " + unix.SignalName(syscall.Signal(code-128))
	}
	return result
}

// inner is the router of a container whose unit has another process: the engine
// writes its id beside the router's socket. It is 0 where that process is gone.
func inner(socket string) int {
	at, err := os.Readlink(socket)
	if err != nil {
		return 0
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(at), "router.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || syscall.Kill(pid, 0) == syscall.ESRCH {
		return 0
	}
	return pid
}

// trouble is what keeps podman from running the container of a unit that is
// down, "" where the engine has nothing to say.
func (p platforms) trouble(ctx context.Context, u UnitRef) string {
	e, err := p.engines(u.Platform)
	if err == nil {
		_, err = e.Version(ctx)
	}
	if err != nil {
		return err.Error()
	}
	_, text, err := u.definition()
	if err != nil {
		return ""
	}
	name := systemd.Setting(text, "Container", "Image")
	if words := strings.Fields(systemd.Setting(text, "Service", "ExecStart")); len(words) > 0 {
		name = words[len(words)-1]
	}
	if name == "" {
		return ""
	}
	if _, ok, err := e.Image(ctx, name); err == nil && !ok {
		return "podman has no image " + name + " any more"
	}
	return ""
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (p platforms) Load(ctx context.Context, u UnitRef, spec state.Unit) error {
	if spec.Container != nil && spec.File == "" {
		return nil // it takes effect when the container is made anew
	}
	return p.Units.Load(ctx, u, spec)
}

func (p platforms) Enable(ctx context.Context, u UnitRef) error {
	if p.engineRuns(u.Platform) {
		return nil // a container that runs comes back with its engine
	}
	return p.Units.Enable(ctx, u)
}

func (p platforms) Disable(ctx context.Context, u UnitRef) error {
	if p.engineRuns(u.Platform) {
		return nil // one that is stopped is removed
	}
	return p.Units.Disable(ctx, u)
}

// Start makes the image if there is none, and the container anew, unless it runs
// as it is wanted: an engine that died may not have told of its start.
func (p platforms) Start(ctx context.Context, u UnitRef, spec state.Unit) error {
	return p.start(ctx, u, spec, false, p.Units.Start)
}

func (p platforms) Restart(ctx context.Context, u UnitRef, spec state.Unit) error {
	return p.start(ctx, u, spec, true, p.Units.Restart)
}

func (p platforms) start(ctx context.Context, u UnitRef, spec state.Unit, anew bool, unit func(context.Context, UnitRef, state.Unit) error) error {
	if spec.Container == nil {
		return errors.Join(hideSocket(u.Socket), unit(ctx, u, spec))
	}
	c := *spec.Container
	if c.Image == "" { // known by its name alone: how it is run is in the file of its unit
		return errors.Join(showSocket(u.Run, u.Socket), unit(ctx, u, spec))
	}
	e, err := p.engines(c.Engine)
	if err != nil {
		return err
	}
	if _, err := Prepare(ctx, e, c.Engine, c.Image, c.Local, p.program); err != nil {
		return err
	}
	old, there, err := e.Inspect(ctx, c.Name)
	if err != nil {
		return err
	}
	if there && !c.Owns(old.Labels) {
		return &container.ForeignError{Engine: c.Engine, Name: c.Name}
	}
	if !p.engineRuns(c.Engine) {
		if there && old.Labels[container.LabelUnit] != "" || there && old.Phase != container.Running {
			// Made through the API, by upstream's tools or in a time without systemd.
			if err := e.Remove(ctx, c.Name); err != nil {
				return err
			}
		}
		return errors.Join(showSocket(c.RunSource(), u.Socket), unit(ctx, u, spec))
	}
	definition, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if err := showSocket(c.RunSource(), u.Socket); err != nil {
		return err
	}
	if !anew && there && old.Phase == container.Running && old.Labels[container.LabelUnit] == string(definition) {
		return nil
	}
	if there {
		if err := errors.Join(e.Stop(ctx, c.Name, spec.Stop), e.Remove(ctx, c.Name)); err != nil {
			return err
		}
	}
	if err := e.Create(ctx, c, map[string]string{container.LabelUnit: string(definition)}); err != nil {
		return err
	}
	err = e.Start(ctx, c.Name)
	var gone *container.UnreachableError
	if errors.As(err, &gone) { // it died meanwhile: the container may run
		if is, ok, look := e.Inspect(ctx, c.Name); look == nil && ok && is.Phase == container.Running {
			return nil
		}
		return err
	}
	if err != nil {
		return errors.Join(err, e.Remove(context.WithoutCancel(ctx), c.Name))
	}
	return nil
}

func (p platforms) Reload(ctx context.Context, u UnitRef, spec state.Unit) error {
	if spec.Container == nil || !p.engineRuns(spec.Container.Engine) {
		return p.Units.Reload(ctx, u, spec)
	}
	e, err := p.engines(spec.Container.Engine)
	if err != nil {
		return err
	}
	s, ok, err := e.Inspect(ctx, spec.Container.Name)
	if err != nil {
		return err
	}
	if !ok || s.Phase != container.Running {
		return p.Start(ctx, u, spec)
	}
	return e.Signal(ctx, spec.Container.Name, "HUP")
}

// Stop removes the container, too: one that is left is started again by some
// engines when they start.
func (p platforms) Stop(ctx context.Context, u UnitRef, spec state.Unit) error {
	if !p.engineRuns(u.Platform) {
		err := p.Units.Stop(ctx, u, spec)
		if container.Known(u.Platform) && err == nil {
			err = p.removeLeft(ctx, u)
		}
		return errors.Join(err, hideSocket(u.Socket))
	}
	e, err := p.engines(u.Platform)
	if err != nil {
		return err
	}
	return errors.Join(e.Stop(ctx, u.Container, spec.Stop), e.Remove(ctx, u.Container), hideSocket(u.Socket))
}

// removeLeft removes a container that its unit has left behind, because the
// process that looked after it was killed.
func (p platforms) removeLeft(ctx context.Context, u UnitRef) error {
	e, err := p.engines(u.Platform)
	if err != nil {
		return err
	}
	left, ok, err := e.Inspect(ctx, u.Container)
	if err != nil || !ok || left.Labels[container.LabelApplication] != container.Application {
		return err
	}
	return e.Remove(ctx, u.Container)
}

// Prepare has an engine know an image: a local one is made from a program where
// it is not there or was made from another program, any other is pulled where it
// is not there. fresh reports that there was none of this name before.
func Prepare(ctx context.Context, e container.Engine, engine, name string, local bool, program string) (fresh bool, err error) {
	if _, err := e.Version(ctx); err != nil {
		return false, err
	}
	have, ok, err := e.Image(ctx, name)
	if err != nil {
		return false, err
	}
	if !local {
		if ok {
			return false, nil
		}
		if err := e.Pull(ctx, name); err != nil {
			return false, &container.MissingImageError{Engine: engine, Image: name, Err: err}
		}
		return true, nil
	}
	digest, err := image.Digest(program)
	if err != nil {
		return false, err
	}
	if ok && have.Labels[container.LabelExecutable] == digest {
		return false, nil
	}
	if err := load(ctx, e, name, program); err != nil {
		// podman says it amid a page about formats of archives.
		if text := err.Error(); strings.Contains(text, "no space left on device") || strings.Contains(text, "disk quota exceeded") {
			return false, &container.FullError{Engine: engine, Image: name}
		}
		return false, err
	}
	if ok {
		_ = e.RemoveImage(ctx, have.ID) // one that a container still uses stays until that is made anew
	}
	return !ok, nil
}

// load makes an image and hands it over while it is made.
func load(ctx context.Context, e container.Engine, name, program string) error {
	r, w := io.Pipe()
	var made error
	var writer sync.WaitGroup
	writer.Go(func() {
		made = image.Write(w, name, program)
		w.CloseWithError(made)
	})
	err := e.Load(ctx, r)
	_ = r.Close() // whoever writes ends
	writer.Wait()
	if made != nil && !errors.Is(made, io.ErrClosedPipe) {
		return made
	}
	return err
}

// showSocket has the router's socket be found where that of a process would be.
// It is in a directory on the disk: the engine starts containers again before
// anybody makes one below /run.
func showSocket(source, socket string) error {
	if source == "" || socket == "" {
		return nil
	}
	target := filepath.Join(source, filepath.Base(container.Socket))
	if at, err := os.Readlink(socket); err == nil && at == target {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return err
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, socket)
}

// hideSocket takes away what showSocket made.
func hideSocket(socket string) error {
	if _, err := os.Readlink(socket); err != nil {
		return nil // there is none, or it is that of a process
	}
	return errors.Join(os.Remove(socket), missing(notEmpty(os.Remove(filepath.Dir(socket)))))
}

// notEmpty makes an error of a directory that is still used no error.
func notEmpty(err error) error {
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EBUSY) {
		return nil
	}
	return err
}
