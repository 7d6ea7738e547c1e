package render

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/state"
)

// routerContainer is the wanted container of a site's router, nil on a platform
// without.
//
// compat: name, labels, environment and the first two mounts are upstream's.
func routerContainer(in Input) *container.Container {
	m, p := in.Machine, in.Paths
	if !container.Known(m.Platform) {
		return nil
	}
	c := &container.Container{
		Engine: m.Platform, Name: layout.ContainerName(p.Name), Image: m.Image, Local: m.LocalImage,
		Env: []string{
			"APPLICATION_NAME=skupper-router", "QDROUTERD_CONF=" + container.Config, "QDROUTERD_CONF_TYPE=json",
			"SKUPPER_SITE_ID=" + in.Memory.SiteID, "SSL_PROFILE_BASE_PATH=" + container.Home,
		},
		Labels: map[string]string{
			container.LabelApplication: container.Application, container.LabelComponent: container.Component, container.LabelSite: in.Memory.SiteID,
		},
		Mounts: []container.Mount{
			{From: p.RouterDir(), To: container.ConfigDir},
			{From: p.Certs(), To: container.Certs},
			{From: p.RouterRun(), To: container.RunDir, Writable: true},
		},
		UID: m.UID, GID: m.GID, KeepID: m.KeepID,
	}
	if len(in.Site.Proxies) > 0 {
		c.Mounts = append(c.Mounts, container.Mount{From: p.Proxies(), To: container.Proxies})
	}
	if m.LocalImage {
		c.Health = container.HealthCommand()
	}
	return c
}

// containUnit makes a unit of a process one of a container. quadlet is where a
// Quadlet file for it belongs.
func containUnit(u state.Unit, c *container.Container, m Machine, quadlet string) state.Unit {
	c.LowPorts, c.Stop = u.LowPorts, u.Stop
	u.Container = c
	u.Identity += " " + c.Engine + " " + c.Digest()
	switch {
	case c.Engine == container.Docker || !m.Systemd:
		u.File = ""
	case m.Quadlet && quadlet != "" && sayable(c):
		u.File = quadlet
	}
	return u
}

// sayable reports whether a Quadlet file can say how a container is run. The
// generator takes most values as they stand, up to the end of the line.
func sayable(c *container.Container) bool {
	odd := func(s string) bool {
		return strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || strings.ContainsRune("\"'\\\x7f", r) })
	}
	for _, m := range c.Mounts {
		if odd(m.From) || strings.Contains(m.From, ":") {
			return false
		}
	}
	return !odd(c.Image)
}

// podmanUnit is the unit file of a router in a container of podman. Its process
// hands SIGTERM on to the router and removes the container. There is no command
// to stop it: while the host shuts down podman cannot be asked any more, and
// waits for the service manager, which waits for it.
func podmanUnit(namespace, podman string, u state.Unit, instance layout.Paths) []byte {
	f := &unitFile{}
	f.section("Unit")
	f.prose("Description", "Skupper site "+namespace)
	f.set("Documentation", "man:skupper(1) man:skupper-router(8)")
	network(f)
	if instance.System {
		f.set("PartOf", "skupper.target")
	}
	f.section("Service")
	f.set("Type", "exec")
	f.set("Environment", "PODMAN_SYSTEMD_UNIT=%n")
	f.command("ExecStart", append([]string{podman}, u.Container.RunArgs()...)...)
	f.command("ExecReload", podman, "kill", "--signal", "HUP", u.Container.Name)
	f.set("Restart", "always")
	f.set("RestartSec", "1")
	f.set("TimeoutStopSec", seconds(u.Stop))
	f.set("KillMode", "mixed")
	f.section("Install")
	f.set("WantedBy", wantedBy(instance)+" skupper.service")
	f.section(state.IdentitySection)
	f.prose(state.IdentityKey, u.Identity)
	return f.bytes()
}

// quadlet is the file of which podman's generator makes the unit of a router in a
// container (podman-systemd.unit(5)). It has the keys that podman 4.4 knows and
// no others: of a file with one that it does not know the generator makes
// nothing. What these cannot say are arguments of podman.
func quadlet(namespace, podman string, u state.Unit, instance layout.Paths) []byte {
	f, c := &unitFile{}, u.Container
	f.section("Unit")
	f.prose("Description", "Skupper site "+namespace)
	f.set("Documentation", "man:skupper(1) man:skupper-router(8)")
	network(f)
	if instance.System {
		f.set("PartOf", "skupper.target")
	}
	f.section("Container")
	f.raw("ContainerName", c.Name)
	f.raw("Image", c.Image)
	f.set("Network", "host")
	f.on("ReadOnly", "NoNewPrivileges")
	f.set("DropCapability", "all")
	if names := c.Capabilities(); len(names) > 0 {
		f.words("AddCapability", names...)
	}
	f.set("User", strconv.Itoa(c.UID))
	f.set("Group", strconv.Itoa(c.GID))
	if c.Local {
		f.on("Notify") // our router says when it is ready
	}
	f.arguments("Environment", c.Env...)
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		f.arguments("Label", k+"="+c.Labels[k])
	}
	for _, m := range c.Mounts {
		f.raw("Volume", m.From+":"+m.To+":"+strings.Join(m.Options(), ","))
	}
	f.arguments("PodmanArgs", c.QuadletArgs()...)
	f.section("Service")
	f.command("ExecReload", podman, "kill", "--signal", "HUP", c.Name)
	f.set("Restart", "always")
	f.set("RestartSec", "1")
	f.set("TimeoutStopSec", seconds(u.Stop))
	f.set("KillMode", "mixed")
	if u.Enabled { // what is generated cannot be enabled
		f.section("Install")
		f.set("WantedBy", wantedBy(instance)+" skupper.service")
	}
	f.section(state.IdentitySection)
	f.prose(state.IdentityKey, u.Identity)
	return f.bytes()
}

// inside is where the router finds a file of its own: containers have other
// places.
func (r *renderer) inside(path string) string {
	if !container.Known(r.in.Machine.Platform) {
		return path
	}
	p := r.in.Paths
	for from, to := range map[string]string{p.Certs(): container.Certs, p.Proxies(): container.Proxies} {
		if rel, err := filepath.Rel(from, path); err == nil && filepath.IsLocal(rel) {
			return filepath.Join(to, rel)
		}
	}
	panic(fmt.Sprintf("render: the router cannot see %s", path)) // it reads nothing else
}
