package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/systemd"
)

// EngineSetup is a container engine that is to be prepared for sites.
type EngineSetup struct {
	Platform string
	Engine   container.Engine
	Endpoint string // that was asked for, "" for the usual place
	Image    string // of the router
	Local    bool   // the image is made from our program
}

// socketUnit has systemd listen for podman, which serves its API only then.
const socketUnit = "podman.socket"

// missing says what is to be done for an engine; the words are those of things
// done. have says whether podman's socket is to be enabled, is to be started,
// and whether the image is to be made.
func (s EngineSetup) missing(ctx context.Context, conn *systemd.Conn) (enable, start, image bool, err error) {
	if s.Platform == container.Podman && s.Endpoint == "" && conn != nil {
		u, err := conn.Status(ctx, socketUnit)
		if err != nil {
			return false, false, false, err
		}
		if !u.Loaded {
			return false, false, false, &api.Error{
				Kind: api.Missing, Message: "podman is not installed: there is no unit " + socketUnit, Advice: "install podman, for example `apt install podman`",
			}
		}
		enable, start = !u.Enabled, u.Active != "active"
	}
	if start {
		return enable, start, true, nil // it cannot be asked yet
	}
	if _, err := s.Engine.Version(ctx); err != nil {
		return false, false, false, s.unserved(conn, err)
	}
	_, there, err := s.Engine.Image(ctx, s.Image)
	return enable, start, !there, err
}

// unserved adds to the error of a podman that does not answer who is to serve its
// socket: the usual advice is the command that has just failed.
func (s EngineSetup) unserved(conn *systemd.Conn, err error) error {
	var gone *container.UnreachableError
	if s.Platform != container.Podman || !errors.As(err, &gone) {
		return err
	}
	e := &api.Error{Kind: api.Internal, Message: err.Error()}
	switch {
	case errors.Is(gone.Err, fs.ErrPermission):
		e.Kind, e.Advice = api.Denied, "use a podman of your own: unset CONTAINER_ENDPOINT"
	case s.Endpoint != "":
		e.Advice = fmt.Sprintf("start the podman that serves %s, or unset CONTAINER_ENDPOINT", s.Endpoint)
	case conn == nil:
		e.Advice = fmt.Sprintf("no systemd answers that would serve it: run `mkdir -p %s && podman system service --time 0 unix://%s` as this user, now and at boot, then repeat the command", filepath.Dir(gone.Socket), gone.Socket)
	case gone.Failing():
		e.Advice = gone.Hint()
	default:
		e.Advice = "`systemctl status " + socketUnit + "` (of a user: `systemctl --user`) says why"
	}
	return e
}

// MissingEngine says what InstallEngine would do.
func MissingEngine(ctx context.Context, conn *systemd.Conn, s EngineSetup) ([]string, error) {
	enable, start, image, err := s.missing(ctx, conn)
	return s.lines(enable, start, image), err
}

func (s EngineSetup) lines(enable, start, image bool) []string {
	var lines []string
	if enable {
		lines = append(lines, "enabled "+socketUnit)
	}
	if start {
		lines = append(lines, "started "+socketUnit)
	}
	if image {
		lines = append(lines, map[bool]string{true: "made the image ", false: "pulled the image "}[s.Local]+s.Image+" in "+s.Platform)
	}
	return lines
}

// Readied is what ReadyEngine has changed.
type Readied struct {
	listens bool // podman's socket was started
	image   bool // there was none of its name
}

// ReadyEngine has an engine hold the image of the router, before anything else is
// made on the host: where it cannot, podman's socket rests again, if it did. The
// lines say what was changed.
func ReadyEngine(ctx context.Context, conn *systemd.Conn, s EngineSetup) (r Readied, lines []string, err error) {
	_, start, _, err := s.missing(ctx, conn)
	if err != nil {
		return r, nil, err
	}
	if start {
		if err := conn.Start(ctx, socketUnit); err != nil {
			return r, nil, err
		}
		r.listens = true
	}
	_, there, err := s.Engine.Image(ctx, s.Image)
	if err == nil {
		r.image, err = host.Prepare(ctx, s.Engine, s.Platform, s.Image, s.Local, ProgramFile)
	}
	if err != nil {
		_, undo := UnreadyEngine(ctx, conn, s, r)
		return Readied{}, nil, errors.Join(err, undo)
	}
	return r, s.lines(false, start, !there), nil
}

// UnreadyEngine undoes what ReadyEngine has changed, for an installation that
// failed. The lines say what was changed.
func UnreadyEngine(ctx context.Context, conn *systemd.Conn, s EngineSetup, r Readied) ([]string, error) {
	ctx = context.WithoutCancel(ctx)
	var lines []string
	if r.image {
		if err := s.Engine.RemoveImage(ctx, s.Image); err != nil {
			return nil, err
		}
		lines = append(lines, "removed the image "+s.Image+" from "+s.Platform)
	}
	if r.listens {
		if err := conn.Stop(ctx, socketUnit); err != nil {
			return lines, err
		}
		lines = append(lines, "stopped "+socketUnit)
	}
	return lines, nil
}

// InstallEngine prepares an engine that is ready: its socket, and the image of the
// router. The lines say what was changed.
func InstallEngine(ctx context.Context, conn *systemd.Conn, paths layout.Paths, s EngineSetup, ready Readied) ([]string, error) {
	enable, start, _, err := s.missing(ctx, conn)
	if err != nil {
		return nil, err
	}
	if err := makeHome(paths); err != nil {
		return nil, err
	}
	r, err := ReadInstallRecord(paths)
	if err != nil {
		return nil, err
	}
	if enable {
		if err := conn.Enable(ctx, socketUnit); err != nil {
			return nil, err
		}
		r.Socket = socketUnit
	}
	if start {
		if err := conn.Start(ctx, socketUnit); err != nil {
			return s.lines(enable, false, false), err
		}
	}
	if start || ready.listens {
		r.Listens = socketUnit
	}
	if s.Endpoint != "" {
		if r.Endpoints == nil {
			r.Endpoints = map[string]string{}
		}
		r.Endpoints[s.Platform] = s.Endpoint
	}
	if !slices.Contains(r.Engines, s.Platform) {
		r.Engines = append(r.Engines, s.Platform)
	}
	// What is done is on record even where the image cannot be made.
	if err := r.write(paths); err != nil {
		return s.lines(enable, start, false), err
	}
	_, there, err := s.Engine.Image(ctx, s.Image)
	if err == nil {
		_, err = host.Prepare(ctx, s.Engine, s.Platform, s.Image, s.Local, ProgramFile)
	}
	if err != nil {
		return s.lines(enable, start, false), err
	}
	return s.lines(enable, start, !there), nil
}

// UninstallEngines undoes what InstallEngine recorded. Images that sites still
// use stay. The lines say what was changed, and what stays and why.
func UninstallEngines(ctx context.Context, conn *systemd.Conn, paths layout.Paths, engines host.Engines, sites bool) ([]string, error) {
	r, err := ReadInstallRecord(paths)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, platform := range []string{container.Podman, container.Docker} {
		asked := slices.Contains(r.Engines, platform)
		if sites {
			if asked {
				lines = append(lines, fmt.Sprintf("kept the images %s in %s: sites may use them", container.Repository, platform))
			}
			continue
		}
		names, err := removeImages(ctx, engines, platform) // sites that were moved to an engine had theirs made
		switch {
		case err != nil && !asked: // it is not here
		case err != nil:
			lines = append(lines, fmt.Sprintf("kept the images %s in %s: %v", container.Repository, platform, err))
		case len(names) > 0:
			lines = append(lines, "removed the image "+strings.Join(names, ", ")+" from "+platform)
		}
	}
	if conn == nil {
		return lines, nil
	}
	for _, u := range []struct {
		unit, kept, undone string
		undo               func(context.Context, string) error
	}{
		{r.Socket, "enabled", "disabled", conn.Disable},
		{r.Listens, "started", "stopped", conn.Stop},
	} {
		switch {
		case u.unit == "":
			continue
		case sites:
			lines = append(lines, fmt.Sprintf("kept %s %s: sites may use it", u.unit, u.kept))
			continue
		}
		if err := u.undo(ctx, u.unit); err != nil {
			return lines, err
		}
		lines = append(lines, u.undone+" "+u.unit)
	}
	return lines, nil
}

func removeImages(ctx context.Context, engines host.Engines, platform string) ([]string, error) {
	e, err := engines(platform)
	if err != nil {
		return nil, err
	}
	names, err := e.Images(ctx, container.Repository)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := e.RemoveImage(ctx, name); err != nil {
			return nil, err
		}
	}
	return names, nil
}
