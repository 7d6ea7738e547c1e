package render

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// Timing of units.
const (
	watchdog  = "30" // seconds without a sign of life
	stopAfter = 70 * time.Second
	// stopMargin is what a router gets on top of the time that its connections
	// have to end.
	stopMargin = 40 * time.Second
)

// lowPort is the first port that an ordinary process may bind if nothing is
// known about the host (net.ipv4.ip_unprivileged_port_start).
const lowPort = 1024

// Unit is the wanted unit of the router of a site that was rendered before: of
// the Input no more is looked at than Site, Paths, Base, Machine and Memory.
func Unit(in Input) state.Unit { return routerUnit(in, in.Memory.RouterID) }

// routerUnit is the wanted unit of a site's router.
func routerUnit(in Input, routerID string) state.Unit {
	p := in.Paths
	u := state.Unit{
		Running:  !in.Memory.Stopped,
		Enabled:  !in.Memory.Stopped,
		Identity: routerMode(in.Site) + " " + routerID,
		Command:  []string{in.Machine.Binary, "router", "run", "-c", p.RouterConfig(), "--socket", p.RouterSocket},
		Env:      []string{"SKUPPER_SITE_ID=" + in.Memory.SiteID},
		User:     in.Machine.User,
		LowPorts: in.Base.System && needsLowPorts(in.Site, cmp.Or(in.Machine.FirstPort, lowPort)),
		RunDir:   p.RunDir,
		Log:      p.RouterLog(),
		Stop:     max(stopAfter, in.Site.Settings.Drain+stopMargin),
		Reads:    []string{p.RouterDir(), p.Certs(), p.Proxies()},
	}
	if u.LowPorts {
		u.Identity += " low ports"
	}
	if in.Machine.Systemd {
		u.File = p.Unit
	}
	if c := routerContainer(in); c != nil {
		return containUnit(u, c, in.Machine, p.Quadlet)
	}
	return u
}

// needsLowPorts reports whether something of the site listens below the first
// unprivileged port.
func needsLowPorts(s *site.Site, first int) bool {
	low := func(port int) bool { return port < first }
	return slices.ContainsFunc(s.Listeners, func(l site.Listener) bool { return low(l.Port) }) ||
		slices.ContainsFunc(s.MultiKeyListeners, func(l site.MultiKeyListener) bool { return low(l.Port) }) ||
		slices.ContainsFunc(s.Accesses, func(a site.Access) bool {
			return slices.ContainsFunc(a.Roles, func(r site.Role) bool { return low(r.Port) })
		})
}

// RouterUnit is the unit file of a site's router, for the system manager or a
// user's. The instance says which.
func RouterUnit(namespace string, u state.Unit, instance layout.Paths) []byte {
	f := &unitFile{}
	f.section("Unit")
	f.prose("Description", "Skupper site "+namespace)
	f.set("Documentation", "man:skupper(1) man:skupper-router(8)")
	network(f)
	if instance.System {
		f.set("PartOf", "skupper.target")
	}
	f.section("Service")
	notify(f, u.Command)
	f.set("TimeoutStopSec", seconds(u.Stop))
	f.set("KillMode", "mixed")
	f.words("Environment", u.Env...)
	if u.User != "" {
		f.words("User", u.User)
		f.words("Group", u.User)
	}
	if dir, ok := strings.CutPrefix(u.RunDir, instance.RuntimeDir+"/"); ok {
		f.words("RuntimeDirectory", dir)
		f.set("RuntimeDirectoryMode", "0700")
		f.set("RuntimeDirectoryPreserve", "restart")
	}
	f.set("FileDescriptorStoreMax", "4096")
	limits(f)
	if instance.System {
		f.set("OOMScoreAdjust", "-500")
		f.set("Slice", "skupper.slice")
		capabilities := ""
		if u.LowPorts {
			capabilities = "CAP_NET_BIND_SERVICE"
			f.set("AmbientCapabilities", capabilities)
		}
		f.set("CapabilityBoundingSet", capabilities)
		fence(f)
	}
	restrict(f, "~@privileged @resources")
	f.section("Install")
	f.set("WantedBy", wantedBy(instance)+" skupper.service")
	f.section(state.IdentitySection)
	f.prose(state.IdentityKey, u.Identity)
	return f.bytes()
}

// AgentUnit is the unit file of the agent that looks after an instance. The
// agent of the system runs as root, because it writes unit files and gives
// routers their keys; what it may touch is listed.
func AgentUnit(binary string, instance layout.Paths) []byte {
	f := &unitFile{}
	f.section("Unit")
	f.prose("Description", "Skupper agent")
	f.set("Documentation", "man:skupper(1) man:skupper-controller(8)")
	network(f)
	if instance.System {
		f.set("PartOf", "skupper.target")
	}
	f.section("Service")
	if dir, ok := strings.CutPrefix(instance.RunDir, instance.RuntimeDir+"/"); ok && instance.System {
		// Nothing else may have made the run directory since the host started, and
		// without it the paths below cannot be set up. What is in it belongs to
		// routers; a directory of the agent's own leaves owners alone.
		f.words("RuntimeDirectory", dir+"/agent.run")
		f.set("RuntimeDirectoryMode", "0700")
	}
	notify(f, []string{binary, "controller", "run"})
	f.set("TimeoutStopSec", "30")
	f.set("KillMode", "mixed")
	limits(f)
	if instance.System {
		f.set("Slice", "skupper.slice")
		f.words("ReadWritePaths", instance.DataHome, instance.RunDir, instance.UnitDir, "-"+instance.QuadletDir)
		// Files change owner; the grant server's process changes its user.
		f.set("CapabilityBoundingSet", "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETUID CAP_SETGID")
		f.set("OOMPolicy", "continue") // when it is that process which needs too much
		fence(f)
	}
	restrict(f, "~@resources")
	f.section("Install")
	f.set("WantedBy", wantedBy(instance))
	return f.bytes()
}

// ObserverUnit is the unit file of the network observer. It runs as the routers
// do, whose sockets it has to open, and writes to one directory. Credentials are
// files that it cannot read where they lie, by name: the manager gives it copies,
// in CredentialDir.
func ObserverUnit(u state.Unit, writes string, credentials map[string]string, instance layout.Paths) []byte {
	f := &unitFile{}
	f.section("Unit")
	f.prose("Description", "Skupper network observer")
	f.set("Documentation", "man:skupper-network-observer(8)")
	network(f)
	if instance.System {
		f.set("PartOf", "skupper.target")
	}
	f.section("Service")
	serves(f, u.Command)
	restarts(f)
	f.set("TimeoutStopSec", seconds(u.Stop))
	if u.User != "" {
		f.words("User", u.User)
		f.words("Group", u.User)
	}
	for _, name := range slices.Sorted(maps.Keys(credentials)) {
		f.prose("LoadCredential", name+":"+credentials[name]) // no quotes are read there
	}
	if dir, ok := strings.CutPrefix(u.RunDir, instance.RuntimeDir+"/"); ok {
		f.words("RuntimeDirectory", dir)
		f.set("RuntimeDirectoryMode", "0700")
	}
	f.set("UMask", "0077")
	if instance.System {
		f.set("Slice", "skupper.slice")
		f.words("ReadWritePaths", writes)
		capabilities := ""
		if u.LowPorts {
			capabilities = "CAP_NET_BIND_SERVICE"
			f.set("AmbientCapabilities", capabilities)
		}
		f.set("CapabilityBoundingSet", capabilities)
		fence(f)
	}
	restrict(f, "~@privileged @resources")
	f.section("Install")
	f.set("WantedBy", wantedBy(instance))
	return f.bytes()
}

// CredentialDir is where a service of the system finds its credentials.
const CredentialDir = "/run/credentials/"

// Target is skupper.target, by which everything of the system instance can be
// stopped at once.
func Target() []byte {
	f := &unitFile{}
	f.section("Unit")
	f.prose("Description", "Skupper agent and sites")
	f.set("Documentation", "man:skupper(1)")
	f.section("Install")
	f.set("WantedBy", "multi-user.target")
	return f.bytes()
}

// Slice is skupper.slice, the control group of everything of the system
// instance.
func Slice() []byte {
	f := &unitFile{}
	f.section("Unit")
	f.prose("Description", "Skupper agent and sites")
	f.set("Documentation", "man:skupper(1)")
	return f.bytes()
}

func network(f *unitFile) {
	f.set("Wants", "network-online.target")
	f.set("After", "network-online.target nss-lookup.target")
	f.set("StartLimitIntervalSec", "0") // it is tried for ever
}

// notify is how our processes are run: they say when they are ready and that
// they are alive, and read their configuration again on SIGHUP.
func notify(f *unitFile, command []string) {
	serves(f, command)
	f.set("ExecReload", "/bin/kill -HUP $MAINPID")
	restarts(f)
}

func serves(f *unitFile, command []string) {
	f.set("Type", "notify")
	f.set("NotifyAccess", "main")
	f.command("ExecStart", command...)
}

func restarts(f *unitFile) {
	f.set("Restart", "always")
	f.set("RestartSec", "1")
	f.set("WatchdogSec", watchdog)
}

func limits(f *unitFile) {
	f.set("LimitNOFILE", "1048576") // two for each proxied connection
	f.set("TasksMax", "infinity")
	f.set("UMask", "0077")
}

// fence keeps a process away from the rest of the system. It takes a manager
// that runs as root. ProcSubset is not set: it hides /proc/sys, and Go then
// listens with a backlog of 128.
func fence(f *unitFile) {
	f.set("ProtectSystem", "strict")
	f.on("ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateMounts",
		"ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups",
		"ProtectClock", "ProtectHostname", "RemoveIPC")
	f.set("ProtectProc", "invisible")
}

// restrict is what a user's manager can enforce as well.
func restrict(f *unitFile, refusedCalls string) {
	f.on("NoNewPrivileges", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute")
	f.set("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK")
	f.set("SystemCallArchitectures", "native")
	f.set("SystemCallFilter", "@system-service")
	f.set("SystemCallFilter", refusedCalls)
	f.set("SystemCallErrorNumber", "EPERM")
}

func wantedBy(instance layout.Paths) string {
	if instance.System {
		return "multi-user.target default.target"
	}
	return "default.target"
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
