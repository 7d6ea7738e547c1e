package system

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// machine is what all namespaces of an instance share.
type machine struct {
	options Options
	log     *slog.Logger
	host    *host.Host
	units   host.Units
	systemd bool // units are systemd's

	grants *grantServer // nil in a process that is not the agent

	mu    sync.Mutex  // guards ports
	ports *host.Ports // nil in a process that is not the agent
}

func newMachine(o Options, units host.Units) *machine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &machine{options: o, log: o.Log, host: host.New(o.Paths, units, o.Step), units: units, systemd: units.Name() == "systemd"}
}

// manual reports whether changes of files wait for a command.
func (m *machine) manual() bool {
	asked := m.options.Getenv("SKUPPER_SYSTEM_RELOAD_TYPE")
	if asked == "" {
		r, err := ReadInstallRecord(m.options.Paths)
		if err != nil {
			m.log.Warn("record of the installation", keyErr, err)
		}
		asked = r.ReloadType
	}
	return asked == ReloadManual
}

// makeHome makes the directories that all namespaces share. In the system
// instance routers run as a user of their own, who must be able to pass through
// but to look at nothing; its group may use the
// agent's socket.
func makeHome(paths layout.Paths) error {
	dirs := []string{paths.DataHome, paths.NamespacesDir(), paths.ControllerDir(), paths.AgentDir, paths.RunDir}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for _, dir := range []string{paths.AgentDir, paths.RunDir} {
		if err := private(dir); err != nil {
			return err
		}
	}
	g, err := user.LookupGroup(routerUser)
	if !paths.System || err != nil {
		return nil
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return fmt.Errorf("group %s: %w", routerUser, err)
	}
	for dir, mode := range map[string]os.FileMode{paths.DataHome: 0o710, paths.NamespacesDir(): 0o710, paths.AgentDir: 0o750, paths.RunDir: 0o750} {
		if err := errors.Join(os.Chown(dir, 0, gid), os.Chmod(dir, mode)); err != nil {
			return err
		}
	}
	return nil
}

// private refuses a directory for sockets where somebody else could put his own
// in their place, as below a runtime directory that everybody writes to.
func private(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && info.IsDir() && (int(st.Uid) == os.Geteuid() || st.Uid == 0) && info.Mode().Perm()&0o022 == 0 {
		return nil
	}
	return &api.Error{
		Kind: api.Denied, Message: dir + ": others can change it, and sockets of the agent and the routers belong there",
		Advice: "remove it, or set XDG_RUNTIME_DIR to a directory of your own",
	}
}

// loadPorts takes up the registry of ports; the agent holds its lock.
func (m *machine) loadPorts() error {
	ports, err := host.LoadPorts(m.options.Paths.PortsFile())
	if ports == nil {
		return err
	}
	if err != nil {
		m.log.Warn("registry of ports is made anew", keyErr, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ports = ports
	return nil
}

// platformLinux is the platform of routers that are processes of the host. The
// others are those of package container.
const platformLinux = "linux"

// platformWord is the name of a platform as Memory has it.
func platformWord(remembered string) string { return first(remembered, platformLinux) }

// routerUser is whom the routers of the system instance run as.
const routerUser = "skupper"

// render is what rendering must know of the machine for a platform.
func (m *machine) render(platform string) (render.Machine, error) {
	r := render.Machine{
		Systemd: m.systemd, Binary: m.options.Binary, Platform: platformWord(platform), Version: m.options.Version, FirstPort: host.FirstPort(),
	}
	account, err := user.Lookup(routerUser)
	if m.options.Paths.System && (m.systemd || err == nil) {
		r.User = routerUser
	}
	if !container.Known(platform) {
		return r, nil
	}
	r.Image, r.LocalImage = RouterImage(m.options.Getenv, m.options.Version)
	r.UID, r.GID = m.options.UID, os.Getgid()
	r.KeepID = platform == container.Podman && m.options.UID != 0
	if r.User != "" {
		if err != nil {
			return r, &api.Error{
				Kind: api.Missing, Message: "there is no user " + routerUser + ", whom routers of the system run as", Advice: "`skupper system install` makes it",
			}
		}
		if r.UID, r.GID, err = numbers(account); err != nil {
			return r, err
		}
	}
	if platform == container.Podman && m.systemd {
		if r.Podman, err = exec.LookPath("podman"); err != nil {
			return r, &api.Error{Kind: api.Missing, Message: "podman is not installed", Advice: "install it, or use another platform: skupper system migrate --to linux"}
		}
		r.Quadlet = quadlets("/", m.options.Paths)
	}
	return r, nil
}

// quadlets reports whether podman has units made of files in the instance's
// directory for them: it brings a generator for systemd since 4.4. Where the
// directory cannot be written, as by an agent that was started before podman was
// installed, units are written instead. root is that of the file system.
func quadlets(root string, paths layout.Paths) bool {
	if paths.QuadletDir == "" || mayWrite(paths.QuadletDir, "") != nil {
		return false
	}
	kind := map[bool]string{true: "system", false: "user"}[paths.System]
	return slices.ContainsFunc([]string{"usr/lib", "lib", "usr/local/lib"}, func(lib string) bool {
		_, err := os.Stat(filepath.Join(root, lib, "systemd", kind+"-generators", "podman-"+kind+"-generator"))
		return err == nil
	})
}

// RouterImage is the image of routers; local says that it is made from this
// program.
//
// compat: the variable is upstream's.
func RouterImage(getenv func(string) string, version string) (name string, local bool) {
	if name := getenv("SKUPPER_ROUTER_IMAGE"); name != "" {
		return name, false
	}
	return container.LocalImage(version), true
}

func numbers(account *user.User) (uid, gid int, err error) {
	uid, err = strconv.Atoi(account.Uid)
	if err == nil {
		gid, err = strconv.Atoi(account.Gid)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("user %s: %w", account.Username, err)
	}
	return uid, gid, nil
}

// context is what building a site must know of the machine and of the past.
func (m *machine) context(ctx context.Context, paths layout.NamespacePaths, snap *input.Snapshot, memory state.Memory) site.Context {
	facts := host.Look(ctx)
	c := site.Context{
		Namespace: paths.Name, SiteID: memory.SiteID, Ports: memory.Ports, Claimed: m.claimedByOthers(paths.Name), Busy: host.NewBusyPorts(),
		Hostname: facts.Hostname, FQDN: facts.FQDN, Interfaces: interfaces(facts), ExtraHosts: memory.ExtraHosts,
		Certs: snap.Certs.Names(), Issuers: snap.Issuers.Names(), Proxies: snap.Proxies.Names(),
	}
	if !m.options.Paths.System && m.options.UID != 0 {
		c.FirstPort = facts.FirstPort
	}
	return c
}

func interfaces(facts host.Facts) []site.Interface {
	list := make([]site.Interface, 0, len(facts.Interfaces))
	for _, i := range facts.Interfaces {
		list = append(list, site.Interface{Name: i.Name, Addrs: i.Addrs})
	}
	return list
}

// claimedByOthers are the sockets that other namespaces want.
func (m *machine) claimedByOthers(namespace string) []site.Socket {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ports == nil {
		return nil
	}
	var list []site.Socket
	for _, c := range m.ports.Claims() {
		if c.Namespace != namespace {
			list = append(list, site.Socket{Host: c.Host, Port: c.Port, Owner: c.Owner + " in namespace " + c.Namespace})
		}
	}
	return list
}

// claim registers the ports of a site.
func (m *machine) claim(namespace string, s *site.Site) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ports == nil {
		return nil
	}
	if err := m.ports.Claim(namespace, sockets(namespace, s)); err != nil {
		return err
	}
	return m.ports.Save()
}

// release forgets the ports of a namespace.
func (m *machine) release(namespace string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ports == nil {
		return nil
	}
	m.ports.Release(namespace)
	return m.ports.Save()
}

// sockets are all that a site listens on.
func sockets(namespace string, s *site.Site) []host.Claim {
	var list []host.Claim
	add := func(h string, port int, owner string) {
		list = append(list, host.Claim{Host: h, Port: port, Namespace: namespace, Owner: owner})
	}
	for _, l := range s.Listeners {
		add(l.Host, l.Port, "listener/"+l.Name)
	}
	for _, l := range s.MultiKeyListeners {
		add(l.Host, l.Port, "multikeylistener/"+l.Name)
	}
	for _, a := range s.Accesses {
		for _, r := range a.Roles {
			add(a.BindHost, r.Port, "routeraccess/"+a.Name)
		}
	}
	return list
}

// supplied is the material of a person as rendering takes it.
func supplied(snap *input.Snapshot) render.Supplied {
	s := render.Supplied{Certs: pairsOf(snap.Certs), Issuers: pairsOf(snap.Issuers), Proxies: map[string]render.Proxy{}}
	for name, files := range snap.Proxies {
		s.Proxies[name] = render.Proxy{
			Host: line(files["host"]), Port: line(files["port"]), Username: line(files["username"]), Password: line(files["password.txt"]),
		}
	}
	return s
}

func pairsOf(m input.Material) map[string]pki.Pair {
	pairs := make(map[string]pki.Pair, len(m))
	for name, files := range m {
		pairs[name] = pki.Pair{CA: files[pki.CAFile], Cert: files[pki.CertFile], Key: files[pki.KeyFile]}
	}
	return pairs
}

// line is the first line of a small text file.
func line(data []byte) string {
	if i := slices.Index(data, '\n'); i >= 0 {
		data = data[:i]
	}
	return string(data)
}
