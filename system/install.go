package system

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/systemd"
)

// agentUnit is the name of the agent's unit.
const agentUnit = "skupper.service"

// sliceUnit is the group of the units of the system's sites.
const sliceUnit = "skupper.slice"

// StartAgentUnit has a service manager run the agent. A unit file that a
// package brought is taken as it is; without one, one is written and path is
// where.
func StartAgentUnit(ctx context.Context, conn *systemd.Conn, binary string, paths layout.Paths) (path string, err error) {
	s, err := conn.Status(ctx, agentUnit)
	if err != nil {
		return "", err
	}
	undo := func() error { return nil }
	if !s.Loaded {
		if path = paths.AgentUnit(); path != "" {
			if err := mayWrite(paths.UnitDir, "the unit of the agent belongs there"); err != nil {
				return "", err
			}
		}
		if path == "" {
			return "", errors.New("agent: there is no directory for unit files: HOME is not set")
		}
		if paths.System && !hasAccount() {
			return "", &api.Error{Kind: api.Missing, Message: "user " + routerUser + ": the system has no such account, which routers run as", Advice: "sudo skupper system install"}
		}
		made, err := firstHome(paths) // the unit is confined to it, as to what has to be there
		if err != nil {
			return "", err
		}
		if made != nil {
			undo = made
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, render.AgentUnit(binary, paths), 0o644); err != nil {
			return "", err
		}
		if err := conn.Load(ctx); err != nil {
			return path, err
		}
	}
	err = conn.Start(ctx, agentUnit)
	if err != nil && path != "" { // it would be tried for ever
		err = errors.Join(err, conn.Stop(ctx, agentUnit), os.Remove(path), conn.Load(ctx), undo())
		path = ""
	}
	if err == nil && path != "" {
		var r InstallRecord
		if r, err = ReadInstallRecord(paths); err == nil {
			r.UnitFile = path
			err = r.write(paths)
		}
	}
	return path, err
}

// firstHome is makeHome. undo removes what it made, and is nil where the data home
// was there.
func firstHome(paths layout.Paths) (undo func() error, err error) {
	if _, err := os.Stat(paths.NamespacesDir()); !errors.Is(err, fs.ErrNotExist) {
		return nil, makeHome(paths)
	}
	undo = func() error {
		_, err := removeHome(paths)
		_ = os.Remove(paths.AgentDir) // what is used is not empty
		return err
	}
	return undo, makeHome(paths)
}

// mayWrite reports why nothing can be made in a directory, which need not be
// there yet.
func mayWrite(dir, what string) error {
	err := unix.Access(dir, unix.W_OK)
	if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		return mayWrite(filepath.Dir(dir), what)
	}
	if err == nil {
		return nil
	}
	return &api.Error{
		Kind: api.Unavailable, Message: fmt.Sprintf("%s: %v: %s", dir, err, what),
		Advice: "have it writable while this is done, or install a package of skupper, which brings it; nothing was changed",
	}
}

// Installable reports what will keep Install from succeeding, before it has
// changed anything.
func Installable(ctx context.Context, conn *systemd.Conn, paths layout.Paths) error {
	err := mayWrite(paths.DataHome, "the sites' files belong there")
	if paths.System && !hasAccount() {
		err = errors.Join(err, mayWrite("/etc", "the account of the routers belongs there"))
	}
	if conn == nil || err != nil {
		return err
	}
	s, err := conn.Status(ctx, agentUnit)
	if err == nil && paths.UnitDir != "" && (!s.Loaded || !s.Enabled) {
		err = mayWrite(paths.UnitDir, "the unit of the agent belongs there")
	}
	return err
}

// InstallRecord is what an installation changed on a machine, so that it can be
// undone.
type InstallRecord struct {
	UnitFile string `json:"unitFile,omitempty"` // written by us
	Enabled  bool   `json:"enabled,omitempty"`  // the agent starts with the machine or the user
	User     string `json:"user,omitempty"`     // account that was made
	Linger   string `json:"linger,omitempty"`   // user whose services now run without a login

	Socket    string            `json:"socket,omitempty"`    // of an engine that was enabled
	Listens   string            `json:"listens,omitempty"`   // socket of an engine that was started
	Engines   []string          `json:"engines,omitempty"`   // in which images were made
	Endpoints map[string]string `json:"endpoints,omitempty"` // of engines, where they are not in the usual place

	ReloadType string `json:"reloadType,omitempty"` // manual: the agent only tells of changes of files; "" or auto: it applies them
}

// How changes of files in the input take effect.
//
// compat: the words are upstream's.
const (
	ReloadAuto   = "auto"
	ReloadManual = "manual"
)

// ReadInstallRecord reads the record; there may be none.
func ReadInstallRecord(paths layout.Paths) (InstallRecord, error) {
	var r InstallRecord
	data, err := os.ReadFile(paths.InstallRecord())
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", paths.InstallRecord(), err)
	}
	return r, nil
}

func (r InstallRecord) write(paths layout.Paths) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(paths.InstallRecord(), append(data, '\n'), 0o600)
}

// Install prepares a machine, or a user, for sites: directories, the account of
// the routers, the agent's unit, enabled and started. It converges: what is
// there already stays. conn is nil where no service manager answers. The lines
// say what was changed; Missing says it beforehand.
func Install(ctx context.Context, conn *systemd.Conn, binary string, paths layout.Paths, reloadType string) (lines []string, err error) {
	if err := Installable(ctx, conn, paths); err != nil {
		return nil, err
	}
	undo, err := firstHome(paths)
	if undo != nil {
		lines = append(lines, "made "+paths.DataHome)
	}
	defer func() {
		if err != nil && undo != nil {
			err = errors.Join(err, undo())
			lines = append(lines, "removed "+paths.DataHome)
		}
	}()
	if err != nil {
		return lines, err
	}
	r, err := ReadInstallRecord(paths)
	if err != nil {
		return lines, err
	}
	if reloadType != "" && first(r.ReloadType, ReloadAuto) != reloadType {
		r.ReloadType = reloadType
		lines = append(lines, reloadLine(reloadType))
	}
	if made, err := makeAccount(ctx, paths); err != nil {
		return lines, err
	} else if made {
		r.User = routerUser
		lines = append(lines, "made the system user "+routerUser)
		if err := makeHome(paths); err != nil { // now with its group
			return lines, err
		}
	}
	if conn != nil {
		s, err := conn.Status(ctx, agentUnit)
		if err != nil {
			return lines, err
		}
		path, err := StartAgentUnit(ctx, conn, binary, paths)
		if err != nil {
			return lines, err
		}
		undo = nil // the agent lives there
		if path != "" {
			r.UnitFile = path
			lines = append(lines, "wrote "+path)
		}
		if atRest(s) {
			lines = append(lines, "started "+agentUnit)
		}
		if !s.Enabled {
			if err := conn.Enable(ctx, agentUnit); err != nil {
				return lines, err
			}
			r.Enabled = true
			lines = append(lines, "enabled "+agentUnit)
		}
	}
	return lines, r.write(paths)
}

// Linger has the services of a user run without a login, as the last part of an
// installation: on many hosts only root may. The lines say what was changed.
func Linger(ctx context.Context, paths layout.Paths, user string) ([]string, error) {
	if lingers(user) {
		return nil, nil
	}
	r, err := ReadInstallRecord(paths)
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "loginctl", "enable-linger", user).CombinedOutput(); err != nil {
		return nil, &api.Error{
			Kind: api.Denied, Message: fmt.Sprintf("loginctl enable-linger %s: %v: %s", user, err, bytes.TrimSpace(out)),
			Advice: "everything else is done; have root run `loginctl enable-linger " + user + "`",
		}
	}
	r.Linger = user
	return []string{lingerLine(user)}, r.write(paths)
}

// unlinger undoes Linger, unless the user has enabled services of his own
// meanwhile. The line says what became of it.
func unlinger(ctx context.Context, paths layout.Paths, user string) string {
	command := "loginctl disable-linger " + user
	if othersEnabled(paths) {
		return "kept lingering of " + user + ": other services need it (`" + command + "` ends it)"
	}
	if out, err := exec.CommandContext(ctx, "loginctl", "disable-linger", user).CombinedOutput(); err != nil {
		return fmt.Sprintf("kept lingering of %s: %v: %s; have root run `%s`", user, err, bytes.TrimSpace(out), command)
	}
	return unlingerLine(user)
}

func unlingerLine(user string) string {
	return "services of " + user + " end with the last log-out again"
}

// othersEnabled reports whether a user has enabled units that are not ours: such
// a one has a symbolic link in a directory of who wants it.
func othersEnabled(paths layout.Paths) bool {
	links, err := filepath.Glob(filepath.Join(paths.UnitDir, "*.wants", "*"))
	return err != nil || slices.ContainsFunc(links, func(link string) bool {
		name := filepath.Base(link)
		return name != socketUnit && !strings.HasPrefix(name, "skupper")
	})
}

// atRest reports whether a unit has no process.
func atRest(s systemd.Status) bool { return s.Active == "inactive" || s.Active == "failed" }

// lingers reports whether services of a user run without a login.
func lingers(user string) bool {
	_, err := os.Stat(layout.LingerFile(user))
	return err == nil
}

// Missing says, in the words of Install and Linger, what these would change.
func Missing(ctx context.Context, conn *systemd.Conn, paths layout.Paths, linger, reloadType string) ([]string, error) {
	var lines []string
	if _, err := os.Stat(paths.NamespacesDir()); errors.Is(err, fs.ErrNotExist) {
		lines = append(lines, "made "+paths.DataHome)
	}
	r, err := ReadInstallRecord(paths)
	if err != nil {
		return nil, err
	}
	if reloadType != "" && first(r.ReloadType, ReloadAuto) != reloadType {
		lines = append(lines, reloadLine(reloadType))
	}
	if paths.System && !hasAccount() {
		lines = append(lines, "made the system user "+routerUser)
	}
	if conn != nil {
		s, err := conn.Status(ctx, agentUnit)
		if err != nil {
			return nil, err
		}
		if !s.Loaded {
			lines = append(lines, "wrote "+paths.AgentUnit())
		}
		if atRest(s) {
			lines = append(lines, "started "+agentUnit)
		}
		if !s.Enabled {
			lines = append(lines, "enabled "+agentUnit)
		}
	}
	if linger != "" && !lingers(linger) {
		lines = append(lines, lingerLine(linger))
	}
	return lines, nil
}

func reloadLine(reloadType string) string {
	return "changes of files take effect: " + map[bool]string{true: "with `skupper system reload`", false: "by themselves"}[reloadType == ReloadManual]
}

func lingerLine(user string) string { return "services of " + user + " run without a login" }

func hasAccount() bool {
	_, err := user.Lookup(routerUser)
	return err == nil
}

// makeAccount makes the user whom routers of the system run as.
func makeAccount(ctx context.Context, paths layout.Paths) (made bool, err error) {
	if !paths.System || hasAccount() {
		return false, nil
	}
	args := []string{"--system", "--user-group", "--home-dir", paths.DataHome, "--no-create-home", "--shell", "/usr/sbin/nologin", routerUser}
	if out, err := exec.CommandContext(ctx, "useradd", args...).CombinedOutput(); err != nil {
		return false, &api.Error{
			Kind: api.Internal, Message: fmt.Sprintf("useradd %s: %v: %s", routerUser, err, bytes.TrimSpace(out)),
			Advice: "make a system user " + routerUser + " with a group of that name, then repeat the command",
		}
	}
	return true, nil
}

// Removable says, in the words of Uninstall, what Uninstall would change.
func Removable(ctx context.Context, conn *systemd.Conn, paths layout.Paths) ([]string, error) {
	r, err := ReadInstallRecord(paths)
	if err != nil {
		return nil, err
	}
	var lines []string
	if conn != nil {
		s, err := conn.Status(ctx, agentUnit)
		if err != nil {
			return nil, err
		}
		if s.Active != "inactive" {
			lines = append(lines, "stopped "+agentUnit)
		}
		if r.Enabled {
			lines = append(lines, "disabled "+agentUnit)
		}
	}
	if r.UnitFile != "" {
		lines = append(lines, "removed "+r.UnitFile)
	}
	if r.Linger != "" && lingers(r.Linger) && !othersEnabled(paths) {
		lines = append(lines, unlingerLine(r.Linger))
	}
	return lines, nil
}

// Uninstall undoes what Install recorded. Sites and their files are not its
// business. The lines say what was changed, and what stays and why.
func Uninstall(ctx context.Context, conn *systemd.Conn, paths layout.Paths) ([]string, error) {
	r, err := ReadInstallRecord(paths)
	if err != nil {
		return nil, err
	}
	var lines []string
	if conn != nil {
		if s, err := conn.Status(ctx, agentUnit); err == nil && s.Active != "inactive" {
			if err := conn.Stop(ctx, agentUnit); err != nil {
				return lines, err
			}
			lines = append(lines, "stopped "+agentUnit)
		}
		if r.Enabled {
			if err := conn.Disable(ctx, agentUnit); err != nil {
				return lines, err
			}
			lines = append(lines, "disabled "+agentUnit)
		}
	}
	if r.UnitFile != "" {
		err := os.Remove(r.UnitFile)
		switch {
		case err == nil:
			lines = append(lines, "removed "+r.UnitFile)
		case !errors.Is(err, fs.ErrNotExist):
			return lines, err
		}
		if conn != nil {
			if err := conn.Load(ctx); err != nil {
				return lines, err
			}
		}
	}
	if r.User != "" {
		lines = append(lines, "kept the system user "+r.User+": files may belong to it")
	}
	if r.Linger != "" && lingers(r.Linger) {
		lines = append(lines, unlinger(ctx, paths, r.Linger))
	}
	if err := os.Remove(paths.InstallRecord()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return lines, err
	}
	if conn == nil { // an agent that was killed leaves them
		socket, err := paths.AgentSocket()
		if err != nil {
			return lines, err
		}
		for _, path := range []string{socket, paths.NotifySocket()} {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return lines, err
			}
		}
	}
	if r.UnitFile != "" || conn == nil { // a package brings its directory itself
		_ = os.Remove(paths.AgentDir) // what is used is not empty
	}
	if _, err := os.Lstat(paths.DataHome); errors.Is(err, fs.ErrNotExist) {
		return lines, nil
	}
	left, err := removeHome(paths)
	if err != nil {
		return lines, err
	}
	if _, err := os.Lstat(paths.NamespacesDir()); conn != nil && errors.Is(err, fs.ErrNotExist) {
		if err := endSlice(ctx, conn); err != nil {
			return lines, err
		}
	}
	if left {
		return append(lines, "kept "+paths.DataHome+": files of sites, or archives of them"), nil
	}
	return append(lines, "removed "+paths.DataHome), nil
}

// endSlice ends the group of units of sites when there are none: systemd keeps
// it, empty, until the next boot.
func endSlice(ctx context.Context, conn *systemd.Conn) error {
	s, err := conn.Status(ctx, sliceUnit)
	if err != nil || s.Active != "active" {
		return err
	}
	return conn.Stop(ctx, sliceUnit)
}

// removeHome removes what the agent made for itself, when no site needs it any
// more. left reports that something else is there.
func removeHome(paths layout.Paths) (left bool, err error) {
	own := []string{paths.PortsFile(), paths.ControllerLock()}
	entries, err := os.ReadDir(paths.NamespacesDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	for _, e := range entries {
		if !slices.Contains(own, filepath.Join(paths.NamespacesDir(), e.Name())) {
			return true, nil
		}
	}
	if err := os.RemoveAll(paths.NamespacesDir()); err != nil {
		return true, err
	}
	if err := os.RemoveAll(paths.ControllerDir()); err != nil {
		return true, err
	}
	err = os.Remove(paths.DataHome)
	if errors.Is(err, unix.ENOTEMPTY) {
		return true, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return false, err
}
