package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/systemd"
)

// observerUndo is how long it may take to go back to what was there.
const observerUndo = time.Minute

// ObserverSetup is what an installation of the network observer needs to know.
type ObserverSetup struct {
	Conn    *systemd.Conn // nil: the agent runs it
	Binary  string        // absolute path of the program
	Paths   layout.Paths
	Options ObserverOptions
	Users   []byte // what the file of those who may log in is to hold; nil: what it holds

	Own int // the process of the network observer that runs; 0 for none

	// Ask has the agent start or stop it, where there is no service manager.
	Ask func(context.Context, api.Operation) error
}

// Missing says, in the words of Install, what that would change.
func (s *ObserverSetup) Missing(ctx context.Context) ([]string, error) {
	paths, o := s.Paths, s.Options
	var lines []string
	have, err := ReadObserverRecord(paths)
	if err != nil {
		return nil, err
	}
	if s.Users != nil {
		lines = append(lines, "wrote "+o.Users)
	}
	if o.OwnCert && observerCertificateDue(ctx, paths, o, time.Now()) {
		cert, _ := o.Certificate(paths)
		lines = append(lines, "wrote "+cert)
	}
	options := have == nil || !same(have.ObserverOptions, o)
	if options {
		lines = append(lines, "wrote "+paths.ObserverRecord())
	}
	if s.Conn == nil {
		if options {
			lines = append(lines, "started "+layout.ObserverUnitName)
		}
		return lines, nil
	}
	file, err := s.unitFile()
	if err != nil {
		return nil, err
	}
	old, err := os.ReadFile(paths.ObserverUnit())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	changed := string(old) != string(file)
	if changed {
		lines = append(lines, "wrote "+paths.ObserverUnit())
	}
	st, err := s.Conn.Status(ctx, layout.ObserverUnitName)
	if err != nil {
		return nil, err
	}
	switch {
	case atRest(st) || !st.Loaded:
		lines = append(lines, "started "+layout.ObserverUnitName)
	case changed:
		lines = append(lines, "restarted "+layout.ObserverUnitName)
	}
	if !st.Enabled {
		lines = append(lines, "enabled "+layout.ObserverUnitName)
	}
	return lines, nil
}

func (s *ObserverSetup) unitFile() ([]byte, error) {
	u, credentials, err := s.Options.unit(s.Binary, s.Paths, true)
	if err != nil {
		return nil, err
	}
	return render.ObserverUnit(u, s.Paths.ObserverDir(), credentials, s.Paths), nil
}

func same(a, b ObserverOptions) bool {
	hosts := slices.Equal(a.Hosts, b.Hosts)
	a.Hosts, b.Hosts = nil, nil
	return hosts && reflect.DeepEqual(a, b)
}

// possible says why it cannot be installed, before anything is changed.
func (s *ObserverSetup) possible() error {
	paths := s.Paths
	if paths.System && s.Conn != nil && !hasAccount() {
		return &api.Error{
			Kind: api.Missing, Message: "there is no user " + routerUser + ", whom the network observer of the system runs as", Advice: "`skupper system install` makes it",
		}
	}
	if s.Conn != nil {
		if paths.UnitDir == "" {
			return errors.New("network observer: there is no directory for unit files: HOME is not set")
		}
		if err := mayWrite(paths.UnitDir, "the unit of the network observer belongs there"); err != nil {
			return err
		}
	}
	for _, dir := range []string{paths.ObserverDir(), paths.ControllerDir()} {
		if err := mayWrite(dir, "what belongs to the network observer lies there"); err != nil {
			return err
		}
	}
	return s.Options.listenable(s.Own)
}

// listenable refuses addresses on which nobody can listen, and says who does.
func (o *ObserverOptions) listenable(own int) error {
	owners := host.NewPortOwners()
	if o.Listen == o.ListenMetrics {
		return &api.Error{Kind: api.Invalid, Message: "--listen-metrics " + o.ListenMetrics + ": --listen has this address", Advice: "choose another port for one of them"}
	}
	for _, l := range [][2]string{{"--listen", o.Listen}, {"--listen-metrics", o.ListenMetrics}} {
		if l[1] == "" {
			continue
		}
		_, text, err := net.SplitHostPort(l[1])
		port, wrong := strconv.Atoi(text)
		if err != nil || wrong != nil || port < 1 || port > 1<<16-1 {
			return &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("%s %s: not an address with a port", l[0], l[1]), Advice: "write HOST:PORT, as 127.0.0.1:8080"}
		}
		listener, err := net.Listen("tcp", l[1])
		if err == nil {
			_ = listener.Close() // it was only to see whether one can
			continue
		}
		e := &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("%s %s: %v", l[0], l[1], err), Advice: "name an address of this host"}
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			by := owners.Of(port)
			if own != 0 && strings.HasSuffix(by, fmt.Sprintf("(pid %d)", own)) {
				continue // it makes room for itself
			}
			e.Kind, e.Message, e.Advice = api.Conflict, fmt.Sprintf("%s %s: %s by %s", l[0], l[1], portTaken, first(by, "another program")), "choose another port, or end that program"
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			e.Message = fmt.Sprintf("%s %s: no interface of this host has this address", l[0], l[1])
		case errors.Is(err, fs.ErrPermission):
			e.Kind, e.Message = api.Denied, fmt.Sprintf("%s %s: permission denied", l[0], l[1])
			e.Advice = fmt.Sprintf("ports below %d are not for everybody: choose another one", host.FirstPort())
		}
		return e
	}
	return nil
}

// ownObserverFiles gives what the network observer keeps to whom it runs as.
func ownObserverFiles(paths layout.Paths) error {
	account, err := user.Lookup(routerUser)
	if !paths.System || err != nil {
		return nil
	}
	uid, gid, err := numbers(account)
	if err != nil {
		return err
	}
	return filepath.WalkDir(paths.ObserverDir(), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

// Install has the network observer run from now on, with these options: by the
// service manager or by the agent. What is as wanted already stays. Where it fails
// everything is as before: one that was installed goes on with what it had. The
// lines say what was changed.
func (s *ObserverSetup) Install(ctx context.Context) (lines []string, err error) {
	if err := s.possible(); err != nil {
		return nil, err
	}
	if err := makeHome(s.Paths); err != nil {
		return nil, err
	}
	old, err := ReadObserverRecord(s.Paths)
	if err != nil {
		return nil, err
	}
	todo, err := s.Missing(ctx)
	if err != nil {
		return nil, err
	}
	before, err := keepFiles(observerFiles(s.Paths)...)
	if err != nil {
		return nil, wrong(err)
	}
	started := false
	if err := s.change(ctx, todo, old, &started); err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), observerUndo)
		defer cancel()
		err = wrong(err)
		if again := s.back(undo, before, old, started); again != nil && again.Error() != err.Error() {
			err = errors.Join(err, fmt.Errorf("and what was there before is not back: %w", again))
		}
		return nil, err
	}
	return todo, before.drop()
}

// observerFiles are those that an installation may change.
func observerFiles(paths layout.Paths) []string {
	files := append(observerCertificateFiles(paths), paths.ObserverUsers(), paths.ObserverRecord())
	if paths.UnitDir != "" {
		files = append(files, paths.ObserverUnit())
	}
	return files
}

// change does what todo says. started is set when a process may run of it.
func (s *ObserverSetup) change(ctx context.Context, todo []string, old *ObserverRecord, started *bool) error {
	paths := s.Paths
	if err := os.MkdirAll(paths.ObserverDir(), 0o700); err != nil {
		return err
	}
	if s.Users != nil {
		if err := input.Replace(s.Options.Users, s.Users); err != nil {
			return err
		}
	}
	if s.Options.OwnCert {
		if _, err := certifyObserver(ctx, paths, s.Options, time.Now()); err != nil {
			return err
		}
	}
	if err := ownObserverFiles(paths); err != nil {
		return err
	}
	r := &ObserverRecord{ObserverOptions: s.Options}
	if old != nil {
		r.UnitFile, r.Enabled = old.UnitFile, old.Enabled
	}
	if s.Conn == nil {
		if err := r.write(paths); err != nil {
			return err
		}
		*started = true
		return s.Ask(ctx, api.Start)
	}
	if file := paths.ObserverUnit(); slices.Contains(todo, "wrote "+file) {
		text, err := s.unitFile()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(paths.UnitDir, 0o755); err != nil {
			return err
		}
		if err := errors.Join(input.Replace(file, text), os.Chmod(file, 0o644)); err != nil {
			return err
		}
		r.UnitFile = file
	}
	if err := r.write(paths); err != nil {
		return err
	}
	if err := s.Conn.Load(ctx); err != nil {
		return err
	}
	u, _, err := s.Options.unit(s.Binary, paths, true)
	if err != nil {
		return err
	}
	units := host.NewSystemd(s.Conn)
	do := units.Start
	if slices.Contains(todo, "restarted "+layout.ObserverUnitName) {
		do = units.Restart
	}
	*started = true
	if err := do(ctx, observerRef(paths), u); err != nil {
		return observerFailure(err, "`journalctl "+journalOf(paths)+"-u "+layout.ObserverUnitName+"` says more")
	}
	if slices.Contains(todo, "enabled "+layout.ObserverUnitName) {
		if err := s.Conn.Enable(ctx, layout.ObserverUnitName); err != nil {
			return err
		}
		r.Enabled = true
	}
	return r.write(paths)
}

// observerFailure says why the network observer does not run.
func observerFailure(err error, advice string) error {
	var failed *host.UnitError
	if !errors.As(err, &failed) {
		return err
	}
	return &api.Error{Kind: api.Internal, Message: "network observer: " + strings.TrimPrefix(failed.Error(), "network observer: "), Advice: advice}
}

// back undoes an installation that failed: what was there before, old with its
// files, runs again; nil is nothing.
func (s *ObserverSetup) back(ctx context.Context, before *keptFiles, old *ObserverRecord, started bool) error {
	var err error
	switch {
	case !started:
	case s.Conn == nil:
		err = s.Ask(ctx, api.Stop)
	default:
		err = host.NewSystemd(s.Conn).Stop(ctx, observerRef(s.Paths), state.Unit{})
	}
	if old == nil && s.Conn != nil && started { // the links go that Enable made
		err = errors.Join(err, s.Conn.Disable(ctx, layout.ObserverUnitName))
	}
	err = errors.Join(err, before.restore(), ownObserverFiles(s.Paths), s.tidy(old))
	if s.Conn != nil {
		err = errors.Join(err, s.Conn.Load(ctx))
	}
	if old == nil || err != nil || !started {
		return err
	}
	if s.Conn == nil {
		err = s.Ask(ctx, api.Start)
	} else {
		err = host.NewSystemd(s.Conn).Start(ctx, observerRef(s.Paths), state.Unit{})
	}
	if s.Own == 0 {
		return nil // it did not run before
	}
	return err
}

// tidy removes the directories of a network observer that is not installed, where
// nothing is in them.
func (s *ObserverSetup) tidy(old *ObserverRecord) error {
	if old != nil {
		return nil
	}
	if err := removeObserverTraces(s.Paths); err != nil {
		return err
	}
	for _, dir := range []string{s.Paths.ObserverCerts(), s.Paths.ObserverDir()} {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
	return removeObserverAuthority(s.Paths)
}

// removeObserverTraces removes what a process leaves: its log, and what the agent
// or the process itself keeps while it runs.
func removeObserverTraces(paths layout.Paths) error {
	for _, path := range []string{paths.ObserverSupervision(), paths.ObserverRun()} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	left, err := filepath.Glob(paths.ObserverLog() + "*")
	if err != nil {
		return err
	}
	for _, path := range observerFiles(paths) { // an installation may have been killed
		left = append(left, secondName(path))
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// keptFiles are files as they were before a change. Each has a second name beside
// its own: going back takes no room on the disk.
type keptFiles struct {
	paths []string
	was   map[string]bool // whether there was one
}

func secondName(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".before")
}

// keepFiles keeps what is at the paths, which is replaced later, never written to.
func keepFiles(paths ...string) (*keptFiles, error) {
	k := &keptFiles{was: map[string]bool{}}
	for _, path := range paths {
		second := secondName(path)
		if err := os.Remove(second); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
			return nil, errors.Join(err, k.drop())
		}
		err := os.Link(path, second)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, k.drop())
		}
		k.paths = append(k.paths, path)
		k.was[path] = err == nil
	}
	return k, nil
}

// restore gives the paths what was there.
func (k *keptFiles) restore() error {
	var errs []error
	for _, path := range k.paths {
		var err error
		if k.was[path] {
			err = os.Rename(secondName(path), path)
		} else if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, k.drop())...) // a file that was not replaced still has both names
}

// drop forgets what was there.
func (k *keptFiles) drop() error {
	var errs []error
	for _, path := range k.paths {
		if err := os.Remove(secondName(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// journalOf is the flag by which journalctl asks for an instance's journal.
func journalOf(paths layout.Paths) string {
	if paths.System {
		return ""
	}
	return "--user "
}

// RemovableObserver says, in the words of UninstallObserver, what that would
// change.
func RemovableObserver(ctx context.Context, conn *systemd.Conn, paths layout.Paths, purge bool) ([]string, error) {
	r, err := ReadObserverRecord(paths)
	if err != nil {
		return nil, err
	}
	var lines []string
	if r != nil {
		if conn == nil {
			lines = append(lines, "stopped "+layout.ObserverUnitName)
		} else {
			s, err := conn.Status(ctx, layout.ObserverUnitName)
			if err != nil {
				return nil, err
			}
			if !atRest(s) {
				lines = append(lines, "stopped "+layout.ObserverUnitName)
			}
			if r.Enabled {
				lines = append(lines, "disabled "+layout.ObserverUnitName)
			}
		}
		if r.UnitFile != "" {
			lines = append(lines, "removed "+r.UnitFile)
		}
		lines = append(lines, "removed "+paths.ObserverRecord())
	}
	if _, err := os.Lstat(paths.ObserverCerts()); err == nil {
		lines = append(lines, "removed "+paths.ObserverCerts())
	}
	entries, err := os.ReadDir(paths.ObserverDir())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case purge:
		lines = append(lines, "removed "+paths.ObserverDir())
	case slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return filepath.Join(paths.ObserverDir(), e.Name()) != paths.ObserverCerts() }):
		lines = append(lines, "kept "+paths.ObserverDir()+": who may log in (--purge removes it)")
	}
	return lines, nil
}

// UninstallObserver undoes InstallObserver; where conn is nil, stop has the agent
// stop it. What the observer keeps, the users who may log in, goes with purge
// only. The lines say what was changed.
func UninstallObserver(ctx context.Context, conn *systemd.Conn, paths layout.Paths, purge bool, stop func() error) ([]string, error) {
	lines, err := RemovableObserver(ctx, conn, paths, purge)
	if err != nil {
		return nil, err
	}
	r, err := ReadObserverRecord(paths)
	if err != nil {
		return nil, err
	}
	if r != nil {
		switch {
		case conn == nil:
			err = stop()
		case slices.Contains(lines, "stopped "+layout.ObserverUnitName):
			err = host.NewSystemd(conn).Stop(ctx, observerRef(paths), state.Unit{})
		}
		if err == nil && conn != nil && r.Enabled {
			err = conn.Disable(ctx, layout.ObserverUnitName)
		}
		if err != nil {
			return nil, err
		}
		for _, path := range []string{r.UnitFile, paths.ObserverRecord()} {
			if path == "" {
				continue
			}
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		if conn != nil && r.UnitFile != "" {
			if err := conn.Load(ctx); err != nil {
				return nil, err
			}
		}
	}
	if err := errors.Join(removeObserverTraces(paths), os.RemoveAll(paths.ObserverCerts()), removeObserverAuthority(paths)); err != nil {
		return nil, err
	}
	if purge {
		return lines, os.RemoveAll(paths.ObserverDir())
	}
	if err := os.Remove(paths.ObserverDir()); err != nil && !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "kept ") }) && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return lines, nil
}
