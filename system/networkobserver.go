package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/state"
	"github.com/skupper-host/skupper/system/systemd"
)

// observerStop is what the network observer gets to end: it keeps nothing that
// takes time to put away.
const observerStop = 10 * time.Second

// ObserverOptions are how the network observer is to run. Paths are absolute;
// addresses are HOST:PORT.
type ObserverOptions struct {
	Namespace     string   `json:"namespace"` // whose router it is connected to
	Listen        string   `json:"listen"`
	ListenMetrics string   `json:"listenMetrics,omitempty"`
	TLSCert       string   `json:"tlsCert,omitempty"`
	TLSKey        string   `json:"tlsKey,omitempty"`
	Users         string   `json:"users,omitempty"` // file of those who may log in; "": nobody has to
	Open          bool     `json:"open,omitempty"`
	Hosts         []string `json:"hosts,omitempty"`
}

// ObserverRecord is the installed network observer, and what was made for it.
type ObserverRecord struct {
	ObserverOptions
	UnitFile string `json:"unitFile,omitempty"` // written by us
	Enabled  bool   `json:"enabled,omitempty"`  // it starts with the machine or the user
}

// ReadObserverRecord reads how the network observer is to run; nil where none is
// installed.
func ReadObserverRecord(paths layout.Paths) (*ObserverRecord, error) {
	data, err := os.ReadFile(paths.ObserverRecord())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &ObserverRecord{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", paths.ObserverRecord(), err)
	}
	return r, nil
}

func (r *ObserverRecord) write(paths layout.Paths) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return input.Replace(paths.ObserverRecord(), append(data, '\n'))
}

// unit is the wanted unit of the network observer. With a service manager of the
// system the certificate's files, which may be root's, are handed to it as
// credentials: the name of each, and where it lies.
func (o *ObserverOptions) unit(binary string, paths layout.Paths, managed bool) (u state.Unit, credentials map[string]string, err error) {
	n, err := paths.Namespace(o.Namespace)
	if err != nil {
		return u, nil, err
	}
	socket, err := paths.ObserverSocket()
	if err != nil {
		return u, nil, err
	}
	cert, key := o.TLSCert, o.TLSKey
	if paths.System && managed && cert != "" {
		credentials = map[string]string{"tls.crt": cert, "tls.key": key}
		dir := render.CredentialDir + layout.ObserverUnitName
		cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	}
	command := []string{binary, "network-observer", "run", "--router-endpoint", "unix:" + n.RouterSocket, "--socket", socket, "--listen", o.Listen}
	for _, f := range [][2]string{{"--listen-metrics", o.ListenMetrics}, {"--tls-cert", cert}, {"--tls-key", key}, {"--htpasswd", o.Users}} {
		if f[1] != "" {
			command = append(command, f[0], f[1])
		}
	}
	if o.Open {
		command = append(command, "--open")
	}
	for _, h := range o.Hosts {
		command = append(command, "--host", h)
	}
	u = state.Unit{
		Running: true, Enabled: true, Identity: strings.Join(command, " "), Command: command,
		RunDir: paths.ObserverRun(), Log: paths.ObserverLog(), Stop: observerStop,
	}
	if _, err := user.Lookup(routerUser); paths.System && (managed || err == nil) {
		u.User = routerUser
	}
	return u, credentials, nil
}

// MissingObserver says, in the words of InstallObserver, what that would change.
func MissingObserver(ctx context.Context, conn *systemd.Conn, binary string, paths layout.Paths, o ObserverOptions) ([]string, error) {
	var lines []string
	have, err := ReadObserverRecord(paths)
	if err != nil {
		return nil, err
	}
	if have == nil || !same(have.ObserverOptions, o) {
		lines = append(lines, "wrote "+paths.ObserverRecord())
	}
	if conn == nil {
		if have == nil || len(lines) > 0 {
			lines = append(lines, "started "+layout.ObserverUnitName)
		}
		return lines, nil
	}
	u, credentials, err := o.unit(binary, paths, true)
	if err != nil {
		return nil, err
	}
	old, err := os.ReadFile(paths.ObserverUnit())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	changed := string(old) != string(render.ObserverUnit(u, paths.ObserverDir(), credentials, paths))
	if changed {
		lines = append(lines, "wrote "+paths.ObserverUnit())
	}
	s, err := conn.Status(ctx, layout.ObserverUnitName)
	if err != nil {
		return nil, err
	}
	switch {
	case atRest(s) || !s.Loaded:
		lines = append(lines, "started "+layout.ObserverUnitName)
	case changed:
		lines = append(lines, "restarted "+layout.ObserverUnitName)
	}
	if !s.Enabled {
		lines = append(lines, "enabled "+layout.ObserverUnitName)
	}
	return lines, nil
}

func same(a, b ObserverOptions) bool {
	hosts := slices.Equal(a.Hosts, b.Hosts)
	a.Hosts, b.Hosts = nil, nil
	return hosts && reflect.DeepEqual(a, b)
}

// PrepareObserver makes the directories of the network observer, before anything
// is put into them, and says why it cannot be installed.
func PrepareObserver(conn *systemd.Conn, paths layout.Paths) error {
	if paths.System && conn != nil && !hasAccount() {
		return &api.Error{
			Kind: api.Missing, Message: "there is no user " + routerUser + ", whom the network observer of the system runs as", Advice: "`skupper system install` makes it",
		}
	}
	if conn != nil {
		if paths.UnitDir == "" {
			return errors.New("network observer: there is no directory for unit files: HOME is not set")
		}
		if err := mayWrite(paths.UnitDir, "the unit of the network observer belongs there"); err != nil {
			return err
		}
	}
	if err := makeHome(paths); err != nil {
		return err
	}
	if err := os.MkdirAll(paths.ObserverDir(), 0o700); err != nil {
		return err
	}
	return OwnObserverFiles(paths)
}

// OwnObserverFiles gives what the network observer keeps to whom it runs as.
func OwnObserverFiles(paths layout.Paths) error {
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

// InstallObserver has the network observer run from now on, with these options:
// by the service manager or, where conn is nil, by the agent, which start asks.
// What is as wanted already stays. PrepareObserver goes before it. The lines say
// what was changed.
func InstallObserver(ctx context.Context, conn *systemd.Conn, binary string, paths layout.Paths, o ObserverOptions, start func() error) ([]string, error) {
	todo, err := MissingObserver(ctx, conn, binary, paths, o)
	if err != nil {
		return nil, err
	}
	old, err := ReadObserverRecord(paths)
	if err != nil {
		return nil, err
	}
	r := &ObserverRecord{ObserverOptions: o}
	if old != nil {
		r.UnitFile, r.Enabled = old.UnitFile, old.Enabled
	}
	if conn == nil {
		if err := r.write(paths); err != nil {
			return nil, err
		}
		if err := start(); err != nil {
			if old == nil { // it would be tried for ever
				err = errors.Join(err, os.Remove(paths.ObserverRecord()))
			}
			return nil, err
		}
		return todo, nil
	}
	u, credentials, err := o.unit(binary, paths, true)
	if err != nil {
		return nil, err
	}
	file := paths.ObserverUnit()
	if slices.Contains(todo, "wrote "+file) {
		if err := os.MkdirAll(paths.UnitDir, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, render.ObserverUnit(u, paths.ObserverDir(), credentials, paths), 0o644); err != nil {
			return nil, err
		}
		r.UnitFile = file
	}
	if err := r.write(paths); err != nil {
		return nil, err
	}
	if err := conn.Load(ctx); err != nil {
		return nil, err
	}
	do := conn.Start
	if slices.Contains(todo, "restarted "+layout.ObserverUnitName) {
		do = conn.Restart
	}
	if err := do(ctx, layout.ObserverUnitName); err != nil {
		err = &api.Error{Kind: api.Internal, Message: err.Error(), Advice: "`journalctl " + journalOf(paths) + "-u " + layout.ObserverUnitName + "` says why"}
		if old == nil {
			err = errors.Join(err, conn.Stop(ctx, layout.ObserverUnitName), os.Remove(file), os.Remove(paths.ObserverRecord()), conn.Load(ctx))
		}
		return nil, err
	}
	if slices.Contains(todo, "enabled "+layout.ObserverUnitName) {
		if err := conn.Enable(ctx, layout.ObserverUnitName); err != nil {
			return nil, err
		}
		r.Enabled = true
	}
	return todo, r.write(paths)
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
	entries, err := os.ReadDir(paths.ObserverDir())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case purge:
		lines = append(lines, "removed "+paths.ObserverDir())
	case len(entries) > 0:
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
			err = conn.Stop(ctx, layout.ObserverUnitName)
		}
		if err == nil && conn != nil && r.Enabled {
			err = conn.Disable(ctx, layout.ObserverUnitName)
		}
		if err != nil {
			return nil, err
		}
		for _, path := range []string{r.UnitFile, paths.ObserverRecord()} {
			if err := os.Remove(path); path != "" && err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		if conn != nil && r.UnitFile != "" {
			if err := conn.Load(ctx); err != nil {
				return nil, err
			}
		}
	}
	for _, path := range []string{paths.ObserverSupervision(), paths.ObserverRun()} {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	logs, err := filepath.Glob(paths.ObserverLog() + "*")
	if err != nil {
		return nil, err
	}
	for _, path := range logs {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	if purge {
		return lines, os.RemoveAll(paths.ObserverDir())
	}
	if err := os.Remove(paths.ObserverDir()); err != nil && !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "kept ") }) && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return lines, nil
}

// observes reports whether the agent looks after a network observer.
func (m *machine) observes() bool {
	if m.systemd {
		return false
	}
	_, err := os.Stat(m.options.Paths.ObserverRecord())
	return err == nil
}

// resumeObserver starts the network observer with the agent that looks after it.
func (m *machine) resumeObserver(ctx context.Context) {
	if !m.observes() {
		return
	}
	if _, err := m.operateObserver(ctx, api.Start); err != nil && ctx.Err() == nil {
		m.log.Error("network observer not started", keyErr, err)
	}
}

func (m *machine) observerRef() host.UnitRef {
	paths := m.options.Paths
	return host.UnitRef{
		Name: layout.ObserverUnitName, File: paths.ObserverUnit(), Records: paths.ObserverSupervision(), PIDFile: filepath.Join(paths.ObserverRun(), "observer.pid"),
	}
}

// operateObserver does what api.Controller.Observer says.
func (m *machine) operateObserver(ctx context.Context, op api.Operation) (*api.ObserverState, error) {
	var err error
	switch {
	case op == "":
	case m.systemd:
		err = &api.Error{Kind: api.Conflict, Message: "systemd runs the network observer", Advice: "systemctl " + string(op) + " " + layout.ObserverUnitName}
	case op == api.Start:
		err = m.startObserver(ctx)
	case op == api.Stop:
		err = m.units.Stop(ctx, m.observerRef(), state.Unit{})
	default:
		err = &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("network observer: %q is neither start nor stop", op)}
	}
	if err != nil {
		return nil, err
	}
	return m.observerState(ctx)
}

func (m *machine) startObserver(ctx context.Context) error {
	r, err := ReadObserverRecord(m.options.Paths)
	if err != nil {
		return err
	}
	if r == nil {
		return &api.Error{Kind: api.Missing, Message: "no network observer is installed", Advice: "`skupper system network-observer install` does it"}
	}
	u, _, err := r.unit(m.options.Binary, m.options.Paths, false)
	if err != nil {
		return err
	}
	err = m.units.Start(ctx, m.observerRef(), u)
	var failed *host.UnitError
	if errors.As(err, &failed) {
		return &api.Error{Kind: api.Internal, Message: "network observer: " + failed.Error(), Advice: "its log is " + m.options.Paths.ObserverLog()}
	}
	return err
}

func (m *machine) observerState(ctx context.Context) (*api.ObserverState, error) {
	s, err := m.units.Status(ctx, m.observerRef())
	if err != nil {
		return nil, err
	}
	out := &api.ObserverState{Running: s.State == host.UnitActive || s.State == host.UnitReloading, PID: s.PID, Since: s.Since}
	if !out.Running {
		out.Message = first(s.Text, s.Result, string(s.State))
	}
	return out, nil
}
