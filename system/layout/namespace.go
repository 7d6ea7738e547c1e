package layout

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// DefaultNamespace is meant where no namespace is named.
const DefaultNamespace = "default"

// MaxSocketPath is the longest path of a Unix socket, in bytes (unix(7):
// sun_path has 108, the last one being zero).
const MaxSocketPath = 107

// ErrNamespace is wrapped by the error of Paths.Namespace for a name that is
// not a single harmless path element.
var ErrNamespace = errors.New("not usable as a directory name")

// ErrSocketPath is wrapped by errors about sockets whose path is longer than
// MaxSocketPath.
var ErrSocketPath = errors.New("socket path too long")

// A SocketError tells which path is too long. It wraps ErrSocketPath.
type SocketError struct{ Path string }

func (e *SocketError) Error() string {
	return fmt.Sprintf("%v: %d bytes, the system allows %d: %s", ErrSocketPath, len(e.Path), MaxSocketPath, e.Path)
}

// Unwrap returns ErrSocketPath.
func (e *SocketError) Unwrap() error { return ErrSocketPath }

// Hint says what a person can do.
func (e *SocketError) Hint() string {
	return "set XDG_RUNTIME_DIR to a shorter directory, such as /run/user/<uid>"
}

func socket(path string) (string, error) {
	if len(path) > MaxSocketPath {
		return "", &SocketError{path}
	}
	return path, nil
}

// NamespacePaths are the places of one namespace (of one site).
type NamespacePaths struct {
	Name string // of the namespace
	Dir  string // <data home>/namespaces/<name>

	RunDir string // the router's run directory: socket and pid file

	// Unit and Quadlet are the files that make the site's service; one of them
	// exists where systemd runs the router. Empty for a user without a home.
	Unit    string
	Quadlet string

	// RouterSocket is the router's management and status socket.
	RouterSocket string
}

// Namespace gives the places of the namespace with that name; the empty name
// means DefaultNamespace. Errors wrap ErrNamespace or ErrSocketPath.
func (p Paths) Namespace(name string) (NamespacePaths, error) {
	if name == "" {
		name = DefaultNamespace
	}
	if name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return NamespacePaths{}, fmt.Errorf("namespace %q: %w", name, ErrNamespace)
	}
	n := NamespacePaths{
		Name:   name,
		Dir:    filepath.Join(p.NamespacesDir(), name),
		RunDir: filepath.Join(p.RunDir, name),
		Unit:   p.unit(UnitName(name)),
	}
	if p.QuadletDir != "" {
		n.Quadlet = filepath.Join(p.QuadletDir, "skupper-"+name+".container")
	}
	var err error
	if n.RouterSocket, err = socket(filepath.Join(n.RunDir, "router.sock")); err != nil {
		return NamespacePaths{}, fmt.Errorf("namespace %s: %w", name, err)
	}
	return n, nil
}

// UnitName is the name of the systemd service of a namespace.
func UnitName(namespace string) string { return "skupper-" + namespace + ".service" }

// ContainerName is the name of the router's container on the podman and docker
// platforms.
func ContainerName(namespace string) string { return namespace + "-skupper-router" }

func (n NamespacePaths) join(elem ...string) string {
	return filepath.Join(append([]string{n.Dir}, elem...)...)
}

// InputDir is the part of a namespace that belongs to people; everything else
// is made from it.
func (n NamespacePaths) InputDir() string { return n.join("input") }

// InputResources holds the resources that a person or the program wants.
func (n NamespacePaths) InputResources() string { return n.join("input/resources") }

// InputCerts holds a directory of ca.crt, tls.crt and tls.key for each
// credential that a person supplies.
func (n NamespacePaths) InputCerts() string { return n.join("input/certs") }

// InputIssuers does so for certificate authorities.
func (n NamespacePaths) InputIssuers() string { return n.join("input/issuers") }

// InputProxies holds a directory of host, port, username and password.txt for
// each HTTP proxy that links may use.
func (n NamespacePaths) InputProxies() string { return n.join("input/proxies") }

// InputResource is the file that the program writes for a resource. Files of
// any other name are read as well.
func (n NamespacePaths) InputResource(kind, name string) string {
	return filepath.Join(n.InputResources(), kind+"-"+name+".yaml")
}

// InputCert, InputIssuer and InputProxy are the directory of one such thing.
func (n NamespacePaths) InputCert(name string) string   { return filepath.Join(n.InputCerts(), name) }
func (n NamespacePaths) InputIssuer(name string) string { return filepath.Join(n.InputIssuers(), name) }
func (n NamespacePaths) InputProxy(name string) string  { return filepath.Join(n.InputProxies(), name) }

// RuntimeDir is made from the input; it can be made again, but for Issuers.
func (n NamespacePaths) RuntimeDir() string { return n.join("runtime") }

// RuntimeResources holds the resources in effect, with generated ones and
// status.
func (n NamespacePaths) RuntimeResources() string { return n.join("runtime/resources") }

// RuntimeResource is the file of one resource in effect.
func (n NamespacePaths) RuntimeResource(kind, name string) string {
	return filepath.Join(n.RuntimeResources(), kind+"-"+name+".yaml")
}

// RouterDir holds what only the router reads.
func (n NamespacePaths) RouterDir() string { return n.join("runtime/router") }

// RouterConfig is the router's configuration, the one thing the agent tells it.
func (n NamespacePaths) RouterConfig() string { return n.join("runtime/router/skrouterd.json") }

// Certs holds a directory for each credential in use.
func (n NamespacePaths) Certs() string { return n.join("runtime/certs") }

// CertDir is the directory of one credential: ca.crt, tls.crt, tls.key.
func (n NamespacePaths) CertDir(name string) string { return filepath.Join(n.Certs(), name) }

// Issuers holds a directory for each certificate authority in use.
func (n NamespacePaths) Issuers() string { return n.join("runtime/issuers") }

// IssuerDir is the directory of one certificate authority.
func (n NamespacePaths) IssuerDir(name string) string { return filepath.Join(n.Issuers(), name) }

// Links holds the static link files for other sites.
func (n NamespacePaths) Links() string { return n.join("runtime/links") }

// LinkFile is the link file for reaching a RouterAccess by a host. The colons
// of an IPv6 address stay in the name, as upstream writes it.
func (n NamespacePaths) LinkFile(routerAccess, host string) string {
	return filepath.Join(n.Links(), "link-"+routerAccess+"-"+host+".yaml")
}

// RouterRun is the run directory of a router in a container. The engine may start
// it before anything is below /run.
func (n NamespacePaths) RouterRun() string { return n.join("runtime/run") }

// Proxies holds the proxy definitions in use.
func (n NamespacePaths) Proxies() string { return n.join("runtime/proxies") }

// InternalDir holds what only the program reads.
func (n NamespacePaths) InternalDir() string { return n.join("internal") }

// Platform binds the namespace to a platform: one line, "platform: linux".
func (n NamespacePaths) Platform() string { return n.join("internal/platform.yaml") }

// Snapshot holds the resources as loaded when they were last applied.
func (n NamespacePaths) Snapshot() string { return n.join("internal/snapshot") }

// Scripts is where upstream keeps start.sh, stop.sh and unit files; ours has
// none and only cleans it up.
func (n NamespacePaths) Scripts() string { return n.join("internal/scripts") }

// State is what must survive: site id, router id, ports, serials.
func (n NamespacePaths) State() string { return n.join("internal/state.json") }

// Lock is held (flock, exclusive) by whoever changes the namespace.
func (n NamespacePaths) Lock() string { return n.join("internal/lock") }

// Events is the bounded log of what was applied, rotated and restarted.
func (n NamespacePaths) Events() string { return n.join("internal/events.log") }

// History keeps the last generations of the snapshot.
func (n NamespacePaths) History() string { return n.join("internal/history") }

// RouterLog is the router's log where the agent supervises it itself, without
// a journal; rotated copies add a number.
func (n NamespacePaths) RouterLog() string { return n.join("internal/log/router.log") }

// RouterPID is the router's pid file where the agent supervises it itself.
func (n NamespacePaths) RouterPID() string { return filepath.Join(n.RunDir, "router.pid") }
