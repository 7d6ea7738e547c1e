package layout

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	system := Paths{
		System: true, DataHome: "/var/lib/skupper", UnitDir: "/etc/systemd/system", QuadletDir: "/etc/containers/systemd",
		RuntimeDir: "/run", RunDir: "/run/skupper", AgentDir: "/run/skupper",
	}
	ann := Paths{
		DataHome: "/home/ann/.local/share/skupper", UnitDir: "/home/ann/.config/systemd/user", QuadletDir: "/home/ann/.config/containers/systemd",
		RuntimeDir: "/run/user/1000", RunDir: "/run/user/1000/skupper", AgentDir: "/run/user/1000/skupper",
	}
	change := func(p Paths, f func(*Paths)) Paths {
		f(&p)
		return p
	}
	for _, c := range []struct {
		name string
		env  Env
		want Paths
		err  error
	}{
		{"root", Env{Home: "/root", XDGDataHome: "/x", XDGConfigHome: "/x", XDGRuntimeDir: "/x"}, system, nil},
		{"user", Env{UID: 1000, Home: "/home/ann"}, ann, nil},
		{"user who asks for the system", Env{UID: 1000, Home: "/home/ann", Instance: System}, system, nil},
		{"root as a user", Env{Home: "/root", Instance: User}, Paths{
			DataHome: "/root/.local/share/skupper", UnitDir: "/root/.config/systemd/user", QuadletDir: "/root/.config/containers/systemd",
			RuntimeDir: "/run/user/0", RunDir: "/run/user/0/skupper", AgentDir: "/run/user/0/skupper",
		}, nil},
		{"base directories", Env{UID: 1000, Home: "/home/ann", XDGDataHome: "/d/", XDGConfigHome: "/c", XDGRuntimeDir: "/r/"}, Paths{
			DataHome: "/d/skupper", UnitDir: "/c/systemd/user", QuadletDir: "/c/containers/systemd", RuntimeDir: "/r", RunDir: "/r/skupper", AgentDir: "/r/skupper",
		}, nil},
		{"output path", Env{UID: 1000, Home: "/home/ann", OutputPath: "/out/./x/"}, change(ann, func(p *Paths) { p.DataHome = "/out/x" }), nil},
		{"output path of root", Env{OutputPath: "/out"}, change(system, func(p *Paths) { p.DataHome = "/out" }), nil},
		{"no runtime directory", Env{UID: 1000, Home: "/home/ann", NoRuntimeDir: true}, change(ann, func(p *Paths) {
			p.AgentDir = "/home/ann/.local/share/skupper/system-controller"
			p.RunDir = p.AgentDir + "/run"
		}), nil},
		{"no home, but data home", Env{UID: 1000, XDGDataHome: "/d"}, change(ann, func(p *Paths) { p.DataHome, p.UnitDir, p.QuadletDir = "/d/skupper", "", "" }), nil},
		{"no home", Env{UID: 1000}, Paths{}, ErrNoHome},
		{"relative data home", Env{UID: 1000, Home: "/home/ann", XDGDataHome: "skupper"}, Paths{}, ErrRelative},
		{"relative runtime directory", Env{UID: 1000, Home: "/home/ann", XDGRuntimeDir: "run"}, Paths{}, ErrRelative},
		{"relative output path of root", Env{OutputPath: "out"}, Paths{}, ErrRelative},
	} {
		got, err := Locate(c.env)
		if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, (-want +got):\n%s", c.name, err, diff)
		}
	}
}

func paths(t *testing.T, env Env) Paths {
	t.Helper()
	p, err := Locate(env)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestInstance(t *testing.T) {
	t.Parallel()
	p := paths(t, Env{UID: 1000, Home: "/home/ann"})
	socket, err := p.AgentSocket()
	if err != nil {
		t.Fatal(err)
	}
	const data, units = "/home/ann/.local/share/skupper/", "/home/ann/.config/systemd/user/"
	for got, want := range map[string]string{
		p.NamespacesDir():          data + "namespaces",
		p.ControllerLock():         data + "namespaces/controller.lock",
		p.PortsFile():              data + "namespaces/ports.json",
		p.BundlesDir():             data + "bundles",
		p.TrashDir():               data + "trash",
		p.InstallRecord():          data + "system-controller/install.json",
		p.AgentLog():               data + "system-controller/agent.log",
		p.AgentCertDir("g"):        data + "system-controller/certs/g",
		p.AgentIssuerDir("g"):      data + "system-controller/issuers/g",
		socket:                     "/run/user/1000/skupper/agent.sock",
		p.AgentUnit():              units + "skupper.service",
		p.UpstreamControllerUnit(): units + "skupper-controller.service",
		p.ObserverUnit():           units + "skupper-network-observer.service",
		LingerFile("ann"):          "/var/lib/systemd/linger/ann",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := (Paths{}).AgentUnit(); got != "" {
		t.Errorf("unit %q without a unit directory", got)
	}
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	n, err := paths(t, Env{}).Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	const dir = "/var/lib/skupper/namespaces/west/"
	for got, want := range map[string]string{
		n.InputDir():                   dir + "input",
		n.InputResources():             dir + "input/resources",
		n.InputResource("Site", "w"):   dir + "input/resources/Site-w.yaml",
		n.InputCert("c"):               dir + "input/certs/c",
		n.InputIssuer("c"):             dir + "input/issuers/c",
		n.InputProxy("c"):              dir + "input/proxies/c",
		n.RuntimeDir():                 dir + "runtime",
		n.RuntimeResources():           dir + "runtime/resources",
		n.RuntimeResource("Link", "l"): dir + "runtime/resources/Link-l.yaml",
		n.RouterDir():                  dir + "runtime/router",
		n.RouterConfig():               dir + "runtime/router/skrouterd.json",
		n.CertDir("c"):                 dir + "runtime/certs/c",
		n.IssuerDir("c"):               dir + "runtime/issuers/c",
		n.LinkFile("west", "::1"):      dir + "runtime/links/link-west-::1.yaml",
		n.Proxies():                    dir + "runtime/proxies",
		n.InternalDir():                dir + "internal",
		n.Platform():                   dir + "internal/platform.yaml",
		n.Snapshot():                   dir + "internal/snapshot",
		n.Scripts():                    dir + "internal/scripts",
		n.State():                      dir + "internal/state.json",
		n.Lock():                       dir + "internal/lock",
		n.Events():                     dir + "internal/events.log",
		n.History():                    dir + "internal/history",
		n.RouterLog():                  dir + "internal/log/router.log",
		n.RouterPID():                  "/run/skupper/west/router.pid",
		n.RouterSocket:                 "/run/skupper/west/router.sock",
		n.Unit:                         "/etc/systemd/system/skupper-west.service",
		n.Quadlet:                      "/etc/containers/systemd/skupper-west.container",
		ContainerName(n.Name):          "west-skupper-router",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestNamespaceWithoutARuntimeDirectory has a namespace named like a file
// of the agent: the run directory must not collide with it.
func TestNamespaceWithoutARuntimeDirectory(t *testing.T) {
	t.Parallel()
	p := paths(t, Env{UID: 1000, Home: "/h", NoRuntimeDir: true})
	n, err := p.Namespace("certs")
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(p.AgentCertDir("x"), n.RunDir+"/") || n.RunDir == p.AgentDir {
		t.Errorf("run directory %s among the agent's files", n.RunDir)
	}
}

func TestNamespaceNames(t *testing.T) {
	t.Parallel()
	p := paths(t, Env{})
	if n, err := p.Namespace(""); err != nil || n.Name != DefaultNamespace {
		t.Errorf("the empty name: %q %v", n.Name, err)
	}
	for _, name := range []string{".", "..", "a/b", "../a", "/", "a\x00", strings.Repeat("a", 256)} {
		if _, err := p.Namespace(name); !errors.Is(err, ErrNamespace) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestSocketPathLimit(t *testing.T) {
	t.Parallel()
	deep := func(n int) Env { return Env{UID: 1000, Home: "/h", XDGRuntimeDir: "/" + strings.Repeat("r", n-1)} }
	const rest = len("/skupper/west/router.sock")
	fits, exceeds := deep(MaxSocketPath-rest), deep(MaxSocketPath-rest+1)
	if n, err := paths(t, fits).Namespace("west"); err != nil || len(n.RouterSocket) != MaxSocketPath {
		t.Errorf("%d bytes: %v", len(n.RouterSocket), err)
	}
	_, err := paths(t, exceeds).Namespace("west")
	var e *SocketError
	if !errors.As(err, &e) || !errors.Is(err, ErrSocketPath) || e.Hint() == "" {
		t.Fatalf("got %v", err)
	}
	if want := "namespace west: socket path too long: 108 bytes, the system allows 107: /"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if _, err := paths(t, deep(200)).AgentSocket(); !errors.Is(err, ErrSocketPath) {
		t.Errorf("agent: %v", err)
	}
}
