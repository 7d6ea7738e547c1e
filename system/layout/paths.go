package layout

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
)

// Instance selects whose sites are meant.
type Instance int

const (
	ByUser Instance = iota // the system's for uid 0, otherwise the user's
	System                 // --system
	User                   // --user
)

// Env is what the location of an instance depends on. A zero string means
// unset; a variable set to the empty string counts as unset, too (XDG base
// directory specification).
type Env struct {
	UID           int
	Home          string // HOME
	XDGDataHome   string // XDG_DATA_HOME
	XDGConfigHome string // XDG_CONFIG_HOME
	XDGRuntimeDir string // XDG_RUNTIME_DIR
	OutputPath    string // SKUPPER_OUTPUT_PATH: the data home, whatever the rest says
	Instance      Instance

	// NoRuntimeDir says that /run/user/<uid> does not exist. Sockets then live
	// in the data home, unless XDGRuntimeDir is set.
	NoRuntimeDir bool
}

// Paths are the places of one instance: absolute directories.
type Paths struct {
	System     bool   // the system instance
	DataHome   string // sites, bundles, the agent's own files
	UnitDir    string // systemd unit files; empty for a user without a home
	QuadletDir string // Podman Quadlet files; empty for a user without a home
	RuntimeDir string // of the user or the system, where engines keep their sockets
	RunDir     string // one directory per namespace: the router's socket and pid file
	AgentDir   string // the agent's socket and pid file
}

// ErrRelative is wrapped by the error of Locate for a relative path in the
// environment. The XDG base directory specification has such values ignored;
// ignoring one here would silently give a user a second, empty data home.
var ErrRelative = errors.New("not an absolute path")

// ErrNoHome is wrapped by the error of Locate when the data home of a user
// depends on HOME and HOME is not set.
var ErrNoHome error = noHome{}

type noHome struct{}

func (noHome) Error() string { return "HOME is not set" }

// Hint says what a person can do.
func (noHome) Hint() string {
	return "set HOME to the home directory of the user, or XDG_DATA_HOME to where the sites' files shall lie"
}

// Locate finds the instance that env describes. Errors wrap ErrRelative or
// ErrNoHome and name the variable.
func Locate(env Env) (Paths, error) {
	if err := env.check(); err != nil {
		return Paths{}, err
	}
	if env.system() {
		return systemPaths(env), nil
	}
	return userPaths(env)
}

func (e Env) system() bool {
	return e.Instance == System || e.Instance == ByUser && e.UID == 0
}

func (e Env) check() error {
	for _, v := range []struct{ name, value string }{
		{"SKUPPER_OUTPUT_PATH", e.OutputPath},
		{"HOME", e.Home},
		{"XDG_DATA_HOME", e.XDGDataHome},
		{"XDG_CONFIG_HOME", e.XDGConfigHome},
		{"XDG_RUNTIME_DIR", e.XDGRuntimeDir},
	} {
		if v.value != "" && !filepath.IsAbs(v.value) {
			return fmt.Errorf("%s=%q: %w", v.name, v.value, ErrRelative)
		}
	}
	return nil
}

// SystemPaths are the places of the system instance where nothing of the
// environment moves them.
func SystemPaths() Paths { return systemPaths(Env{}) }

// systemPaths ignores the XDG variables: root's shell must not move the sites
// of the machine.
func systemPaths(env Env) Paths {
	p := Paths{
		System:     true,
		DataHome:   "/var/lib/skupper",
		UnitDir:    "/etc/systemd/system",
		QuadletDir: "/etc/containers/systemd",
		RuntimeDir: "/run",
		RunDir:     "/run/skupper",
		AgentDir:   "/run/skupper",
	}
	if env.OutputPath != "" {
		p.DataHome = filepath.Clean(env.OutputPath)
	}
	return p
}

func userPaths(env Env) (Paths, error) {
	var p Paths
	switch {
	case env.OutputPath != "":
		p.DataHome = filepath.Clean(env.OutputPath)
	case env.XDGDataHome != "":
		p.DataHome = filepath.Join(env.XDGDataHome, "skupper")
	case env.Home != "":
		p.DataHome = filepath.Join(env.Home, ".local/share/skupper")
	default:
		return Paths{}, fmt.Errorf("data home: %w, nor is XDG_DATA_HOME", ErrNoHome)
	}
	config := env.XDGConfigHome
	if config == "" && env.Home != "" {
		config = filepath.Join(env.Home, ".config")
	}
	if config != "" {
		p.UnitDir = filepath.Join(config, "systemd/user")
		p.QuadletDir = filepath.Join(config, "containers/systemd")
	}
	p.RuntimeDir = env.XDGRuntimeDir
	if p.RuntimeDir == "" {
		p.RuntimeDir = "/run/user/" + strconv.Itoa(env.UID)
	}
	p.RuntimeDir = filepath.Clean(p.RuntimeDir)
	p.RunDir = filepath.Join(p.RuntimeDir, "skupper")
	p.AgentDir = p.RunDir
	if env.NoRuntimeDir && env.XDGRuntimeDir == "" {
		p.RunDir = filepath.Join(p.ControllerDir(), "run")
		p.AgentDir = p.ControllerDir()
	}
	return p, nil
}

// NamespacesDir holds a directory per namespace and the two files below.
func (p Paths) NamespacesDir() string { return filepath.Join(p.DataHome, "namespaces") }

// ControllerLock is locked (flock, exclusive) by the one agent of a data home,
// ours or upstream's.
func (p Paths) ControllerLock() string { return filepath.Join(p.NamespacesDir(), "controller.lock") }

// PortsFile is the registry of the ports that all namespaces of this instance
// claim. Who holds ControllerLock writes it.
func (p Paths) PortsFile() string { return filepath.Join(p.NamespacesDir(), "ports.json") }

// BundlesDir is where bundles are written unless a person says otherwise.
func (p Paths) BundlesDir() string { return filepath.Join(p.DataHome, "bundles") }

// TrashDir keeps what system teardown removed, as <namespace>-<time>.tar.gz.
func (p Paths) TrashDir() string { return filepath.Join(p.DataHome, "trash") }

// ControllerDir holds the agent's own files.
func (p Paths) ControllerDir() string { return filepath.Join(p.DataHome, "system-controller") }

// InstallRecord lists what system install changed on the machine.
func (p Paths) InstallRecord() string { return filepath.Join(p.ControllerDir(), "install.json") }

// AgentLog is the agent's log where no journal takes it; rotated copies add a
// number.
func (p Paths) AgentLog() string { return filepath.Join(p.ControllerDir(), "agent.log") }

// AgentCertDir is the directory of a credential of the agent itself, such as
// the grant server's.
func (p Paths) AgentCertDir(name string) string {
	return filepath.Join(p.ControllerDir(), "certs", name)
}

// AgentIssuerDir is the directory of a certificate authority of the agent.
func (p Paths) AgentIssuerDir(name string) string {
	return filepath.Join(p.ControllerDir(), "issuers", name)
}

// AgentSocket is where the agent serves its API. Errors wrap ErrSocketPath.
func (p Paths) AgentSocket() (string, error) {
	return socket(filepath.Join(p.AgentDir, "agent.sock"))
}

// NotifySocket is where routers that the agent supervises itself tell how they
// are.
func (p Paths) NotifySocket() string { return filepath.Join(p.AgentDir, "notify.sock") }

// AgentUnit is the unit file of our agent.
func (p Paths) AgentUnit() string { return p.unit("skupper.service") }

// UpstreamControllerUnit is the unit file of upstream's controller, which may
// be found on a host that is taken over.
func (p Paths) UpstreamControllerUnit() string { return p.unit("skupper-controller.service") }

// ObserverUnitName is the name of the network observer's service.
const ObserverUnitName = "skupper-network-observer.service"

// ObserverUnit is the unit file of the network observer.
func (p Paths) ObserverUnit() string { return p.unit(ObserverUnitName) }

// ObserverRecord is how the network observer is to run, and what was made for
// it. It exists while one is installed.
func (p Paths) ObserverRecord() string {
	return filepath.Join(p.ControllerDir(), "network-observer.json")
}

// ObserverLog is the network observer's log where the agent supervises it.
func (p Paths) ObserverLog() string { return filepath.Join(p.ControllerDir(), "network-observer.log") }

// ObserverSupervision is where the agent keeps its records about a network
// observer that it supervises.
func (p Paths) ObserverSupervision() string {
	return filepath.Join(p.ControllerDir(), "network-observer")
}

// ObserverDir is what the network observer itself keeps. It belongs to whom it
// runs as.
func (p Paths) ObserverDir() string { return filepath.Join(p.DataHome, "network-observer") }

// ObserverUsers is the file with those who may log in, where no other one is
// named.
func (p Paths) ObserverUsers() string { return filepath.Join(p.ObserverDir(), "users") }

// ObserverCerts holds the certificate that the network observer shows where it has
// one of its own.
func (p Paths) ObserverCerts() string { return filepath.Join(p.ObserverDir(), "certs") }

// ObserverRun is the run directory of the network observer. No namespace has its
// name.
func (p Paths) ObserverRun() string { return filepath.Join(p.RunDir, "network-observer") }

// ObserverSocket is where the network observer answers commands. Errors wrap
// ErrSocketPath.
func (p Paths) ObserverSocket() (string, error) {
	return socket(filepath.Join(p.ObserverRun(), "observer.sock"))
}

func (p Paths) unit(name string) string {
	if p.UnitDir == "" {
		return ""
	}
	return filepath.Join(p.UnitDir, name)
}

// LingerFile exists while the user manager of that user runs without a login.
func LingerFile(user string) string { return filepath.Join("/var/lib/systemd/linger", user) }
