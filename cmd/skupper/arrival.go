package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/host"
)

// arrival is what a bundle brought to a host beside its site. It is kept, so
// that all of it goes with the last site.
type arrival struct {
	Program string   `json:"program,omitempty"` // that came with a bundle
	SHA256  string   `json:"sha256,omitempty"`  // of it
	Host    bool     `json:"host,omitempty"`    // the agent was made to start with the host
	Engine  bool     `json:"engine,omitempty"`  // a container engine was prepared
	Made    []string `json:"made,omitempty"`    // directories that were not there before
}

func (p *program) arrivalFile() string { return filepath.Join(p.paths.BundlesDir(), "installed.json") }

// readArrival is what is known of earlier bundles; nil if nothing came.
func (p *program) readArrival() (*arrival, error) {
	data, err := os.ReadFile(p.arrivalFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := &arrival{}
	if err := json.Unmarshal(data, a); err != nil {
		return nil, fmt.Errorf("%s: %w", p.arrivalFile(), err)
	}
	return a, nil
}

// newArrival is the record of an installation that begins: what is known, and
// what will have to be made.
func (p *program) newArrival() (*arrival, error) {
	a, err := p.readArrival()
	if a != nil || err != nil {
		return a, err
	}
	a = &arrival{}
	for _, dir := range []string{p.paths.BundlesDir(), p.paths.UnitDir, p.paths.AgentDir, p.paths.RunDir} {
		a.makes(dir)
	}
	return a, nil
}

// makes records the directories on the way to dir that are not there.
func (a *arrival) makes(dir string) {
	for ; dir != "" && !isDir(dir) && !slices.Contains(a.Made, dir); dir = filepath.Dir(dir) {
		a.Made = append(a.Made, dir)
	}
}

func (a *arrival) write(p *program) error {
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.paths.BundlesDir(), 0o700); err != nil {
		return err
	}
	return writePrivate(p.arrivalFile(), append(data, '\n'), true)
}

// arrive makes or finds the record. placed says that this program is the one
// that came.
func (p *program) arrive(placed bool) (*arrival, error) {
	a, err := p.newArrival()
	if err != nil || placed {
		return a, err
	}
	return a, a.write(p)
}

// place copies this program to where it stays.
func (a *arrival) place(p *program) error {
	dir, err := p.programDir()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "skupper")
	if _, err := os.Lstat(file); err == nil {
		return &api.Error{Kind: api.Conflict, Message: file + ": exists already, but cannot be run", Advice: "remove it, or make it executable"}
	}
	a.makes(dir)
	a.Program = file
	if err := a.write(p); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if a.SHA256, err = copyProgram(file); err != nil {
		return err
	}
	return a.write(p)
}

// programDir is where programs are that no package brought.
func (p *program) programDir() (string, error) {
	if p.paths.System {
		return "/usr/local/bin", nil
	}
	home := p.getenv("HOME")
	if home == "" {
		return "", errors.New("HOME is not set: there is no place for the program")
	}
	return filepath.Join(home, ".local/bin"), nil
}

// copyProgram copies the running program to a file that does not exist.
func copyProgram(file string) (sum string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	from, err := os.Open(self)
	if err != nil {
		return "", err
	}
	defer func() { _ = from.Close() }() // only read from
	to, err := scratch(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(to.Name()) }() // it has another name by then, or must go
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, h), from)
	if err = errors.Join(err, to.Chmod(0o755), to.Sync(), to.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), os.Link(to.Name(), file)
}

// settle has the agent start with the host where systemd answers. Routers of
// the system need their user there, and nobody may type a command here.
func (p *program) settle(ctx context.Context, a *arrival) error {
	conn, err := p.manager(ctx)
	if err != nil || conn == nil {
		return err
	}
	defer conn.Close()
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	before, err := system.ReadInstallRecord(p.paths)
	if err != nil {
		return err
	}
	missing, err := system.Missing(ctx, conn, p.paths, "", "")
	if err != nil || len(missing) == 0 {
		return err
	}
	if !a.Host && reflect.ValueOf(before).IsZero() { // otherwise somebody else has, and keeps it
		a.Host = true
		if err := a.write(p); err != nil {
			return err
		}
	}
	lines, err := system.Install(ctx, conn, binary, p.paths, "")
	for _, l := range lines {
		p.note("%s", l)
	}
	return err
}

// engage prepares the container engine of the platform that the bundle's site is
// to have. What somebody has prepared before is his.
func (p *program) engage(ctx context.Context, a *arrival) error {
	if !container.Known(p.platform) {
		return nil
	}
	conn, err := p.manager(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	before, err := system.ReadInstallRecord(p.paths)
	if err != nil {
		return err
	}
	if !a.Engine && len(before.Engines) == 0 {
		a.Engine = true
		if err := a.write(p); err != nil {
			return err
		}
	}
	lines, err := p.withEngine(p.platform, func(s system.EngineSetup) ([]string, error) {
		return system.InstallEngine(ctx, conn, p.paths, s, system.Readied{})
	})
	for _, l := range lines {
		p.note("%s", l)
	}
	return err
}

// leave removes what bundles brought once no site is left.
func (p *program) leave(ctx context.Context, a *arrival) error {
	entries, err := os.ReadDir(p.paths.NamespacesDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if slices.ContainsFunc(entries, fs.DirEntry.IsDir) {
		return nil
	}
	c, online, err := p.controller(ctx)
	if err != nil {
		return err
	}
	conn, err := p.manager(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if a.Engine {
		lines, err := system.UninstallEngines(ctx, conn, p.paths, p.engine, false)
		for _, l := range lines {
			p.note("%s", l)
		}
		if err != nil {
			return err
		}
	}
	if a.Host {
		lines, err := system.Uninstall(ctx, conn, p.paths)
		for _, l := range lines {
			if !strings.HasPrefix(l, "kept "+p.paths.DataHome) { // the record is still there
				p.note("%s", l)
			}
		}
		if err != nil {
			return err
		}
	} else if conn == nil && online {
		if err := p.endAgent(ctx, c); err != nil {
			return err
		}
	}
	if a.Host || conn == nil {
		if err := p.awaitAgentEnd(ctx); err != nil {
			return err
		}
	}
	return a.removeFiles(p)
}

// agentEnd is how long an agent may take to end.
const agentEnd = 15 * time.Second

// awaitAgentEnd returns when no agent holds the lock of this data home.
func (p *program) awaitAgentEnd(ctx context.Context) error {
	limit := time.After(agentEnd)
	for {
		if !isDir(p.paths.NamespacesDir()) {
			return nil
		}
		lock, err := host.LockController(p.paths.ControllerLock())
		if err == nil {
			return lock.Close()
		}
		if !errors.Is(err, host.ErrLocked) {
			return err
		}
		select {
		case <-time.After(agentPoll):
		case <-limit:
			return &exitError{code: exitFailed, message: fmt.Sprintf("agent: it does not end within %s", agentEnd), hint: "end it, then repeat the command"}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// removeFiles removes the program that came, the agent's own files where the
// data home came as well, and directories that were made and are empty.
func (a *arrival) removeFiles(p *program) error {
	var errs []error
	gone := func(err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if a.Program != "" {
		if same, err := a.untouched(); err == nil && same {
			gone(os.Remove(a.Program))
		} else if err == nil {
			p.note("kept %s: it is not the one that came with the bundle", a.Program)
		}
	}
	if slices.Contains(a.Made, p.paths.DataHome) {
		gone(os.RemoveAll(p.paths.ControllerDir()))
		gone(os.RemoveAll(p.paths.NamespacesDir()))
	}
	if slices.Contains(a.Made, p.paths.AgentDir) {
		gone(os.RemoveAll(p.paths.AgentDir))
	}
	gone(os.Remove(p.arrivalFile()))
	dirs := slices.Clone(a.Made)
	slices.SortFunc(dirs, func(x, y string) int { return len(y) - len(x) }) // the innermost first
	for _, dir := range dirs {
		_ = os.Remove(dir) // it stays where something is in it
	}
	return errors.Join(errs...)
}

// untouched reports whether the program is the one that came.
func (a *arrival) untouched() (bool, error) {
	data, err := os.ReadFile(a.Program)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(data)
	return a.SHA256 == "" || hex.EncodeToString(sum[:]) == a.SHA256, nil
}
