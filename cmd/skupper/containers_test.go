package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/box"
	"github.com/skupper-host/skupper/system/api"
)

// TestContainers lives with sites whose routers are containers, on a host with
// systemd: a user's in rootless podman, and the system's in podman and Docker.
func TestContainers(t *testing.T) {
	t.Parallel()
	box.Need(t)
	for _, tool := range []string{"podman", "dockerd", "runc", "newuidmap", "slirp4netns"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed: run make test-deps", tool)
			}
			t.Skipf("%s is not installed: run make test-deps", tool)
		}
	}
	program := builtProgram(t)
	for name, lower := range systems(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newTown(t, "box").hosts["box"]
			host.town.ip("netns", "exec", host.ns, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1") // Docker wants it, and cannot set it inside
			b := box.New(t, box.Options{Lower: lower, Network: host.ns, Keep: []string{"docker.service", "docker.socket", "containerd.service"}, Size: "3g"})
			b.Put(t, program, "/usr/local/bin/skupper")
			b.Sh(t, "useradd", "--create-home", "ann")
			// /proc/sys is read-only inside, where Docker 26 wants to switch IPv6 off; it is started again before it is needed.
			b.Write(t, "/etc/systemd/system/docker.service.d/box.conf", []byte("[Service]\nEnvironment=DOCKER_ALLOW_IPV6_ON_IPV4_INTERFACE=1\n"), 0o644)
			b.Sh(t, "systemctl", "daemon-reload")
			host.echo("127.0.0.1:18090", "")
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("journal:\n%s", b.Journal())
				}
			})
			user := &contained{t: t, box: b, host: host, user: "ann"}
			root := &contained{t: t, box: b, host: host}
			user.lives()
			root.moves()
		})
	}
}

// contained is a user's, or the system's, view of the host.
type contained struct {
	t    *testing.T
	box  *box.Box
	host *computer
	user string // "" for root
}

func (c *contained) command(args ...string) *exec.Cmd {
	if c.user == "" {
		return c.box.Command(args...)
	}
	return c.box.CommandAs(c.user, args...)
}

// try runs a command and gives what it said, standard error included.
func (c *contained) try(args ...string) (string, error) {
	c.t.Helper()
	out, err := c.command(args...).CombinedOutput()
	return string(out), err
}

// must runs one that succeeds.
func (c *contained) must(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("%s: %v\n%s\njournal:\n%s", strings.Join(args, " "), err, out, c.box.Journal())
	}
	return out
}

// refused runs one that fails, and says why and what to do.
func (c *contained) refused(words string, args ...string) {
	c.t.Helper()
	if out, err := c.try(args...); err == nil || !strings.Contains(out, words) || !strings.Contains(out, "hint: ") {
		c.t.Errorf("%s: %v, %s\nwant %q and a hint", strings.Join(args, " "), err, out, words)
	}
}

// refusedAltogether is refused, and leaves the disk of a host without sites as it
// was.
func (c *contained) refusedAltogether(words string, args ...string) {
	c.t.Helper()
	before := diskOf(c.t, c.box, c.user)
	c.refused(words, args...)
	c.nothingNew(before)
}

// full has an engine that keeps its images on a disk that is full: nothing is
// installed for it. engine is what systemctl stops and starts of it.
func (c *contained) full(platform, store string, engine ...string) {
	c.t.Helper()
	service := func(verb string) {
		if len(engine) > 0 {
			c.must(append(append(c.systemctl(), verb), engine...)...)
		}
	}
	c.must("mkdir", "-p", store)
	service("stop")
	owner := strings.TrimSpace(c.must("id", "-u"))
	c.box.Sh(c.t, "mount", "-t", "tmpfs", "-o", "size=6m,mode=711,uid="+owner, "small", store)
	if platform == "docker" {
		service("start")
	}
	c.refusedAltogether(platform+" has no room for the image", "skupper", "--platform", platform, "system", "install")
	if _, err := c.try(append(c.systemctl(), "is-active", "skupper.service")...); err == nil {
		c.t.Error("the agent runs for what cannot be had")
	}
	service("stop")
	c.box.Sh(c.t, "umount", "--recursive", "--lazy", store)
	if platform == "docker" {
		service("start")
	}
}

// occupied has another container hold a port that a listener wants: the status
// names it, and the site goes on.
func (c *contained) occupied(engine, namespace string, conn net.Conn) {
	c.t.Helper()
	c.box.Write(c.t, "/var/tmp/other/r.json", []byte(`[["router",{"mode":"standalone","id":"other"}],["listener",{"host":"127.0.0.1","port":18099}]]`), 0o644)
	out := c.must(engine, "run", "--detach", "--name", "other", "--network", "host", "--volume", "/var/tmp/other:/other:ro", "--entrypoint", "/skupper",
		"localhost/skupper-router:2.0.0", "router", "run", "-c", "/other/r.json")
	lines := strings.Fields(out)
	c.told(fmt.Sprintf("container %.12s of %s", lines[len(lines)-1], engine), namespace, "18099", conn)
	c.must(engine, "rm", "--force", "other")
	if engine == "docker" { // which listens for containers that have a network of their own
		c.must(engine, "run", "--detach", "--name", "web", "--publish", "127.0.0.1:18098:80", "--volume", "/var/tmp/other:/other:ro", "--entrypoint", "/skupper",
			"localhost/skupper-router:2.0.0", "router", "run", "-c", "/other/r.json")
		c.told("container web of docker", namespace, "18098", conn)
		c.must(engine, "rm", "--force", "web")
	}
}

// told has a listener want a port that a container has.
func (c *contained) told(who, namespace, port string, conn net.Conn) {
	c.t.Helper()
	c.must("skupper", "--namespace", namespace, "listener", "create", "other", port, "--host", "127.0.0.1", "--wait", "none")
	c.eventually("address already in use by "+who, "skupper", "--namespace", namespace, "listener", "status", "other")
	c.keeps(conn, "a listener without its port")
	c.must("skupper", "--namespace", namespace, "listener", "delete", "other")
}

// untimely gives a site a certificate that is not valid by the clock of the host.
func (c *contained) untimely(namespace, dir string, conn net.Conn) {
	c.t.Helper()
	resource := func(verb string) {
		c.t.Helper()
		cmd := c.command("skupper", "--namespace", namespace, "system", verb, "-")
		cmd.Stdin = strings.NewReader("apiVersion: skupper.io/v2alpha1\nkind: Certificate\nmetadata: {name: mine}\nspec: {ca: skupper-site-ca, subject: mine, server: true, hosts: [localhost]}\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			c.t.Fatalf("%s: %v\n%s", verb, err, out)
		}
	}
	ca, now := newAuthority(c.t), time.Now()
	for words, from := range map[string]time.Time{"is the clock of this host right?": now.Add(24 * time.Hour), "expired": now.Add(-48 * time.Hour)} {
		cert, key := ca.issueFor(from, from.Add(24*time.Hour), "localhost")
		for file, text := range map[string]string{"ca.crt": ca.pem, "tls.crt": cert, "tls.key": key} {
			c.box.Write(c.t, filepath.Join(dir, "input/certs/mine", file), []byte(text), 0o600)
		}
		c.box.Sh(c.t, "chown", "--recursive", "--reference", filepath.Join(dir, "input"), filepath.Join(dir, "input/certs/mine"))
		resource("apply")
		c.eventually(words, "skupper", "--namespace", namespace, "cert", "list")
		c.keeps(conn, "a certificate that is not valid now")
	}
	resource("delete")
	c.must("rm", "-r", filepath.Join(dir, "input/certs/mine"))
}

// eventually repeats a command until it says some words.
func (c *contained) eventually(words string, args ...string) {
	c.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		out, _ := c.try(args...) // a status that is not good may be an exit code
		if strings.Contains(out, words) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: no %q in:\n%s\njournal:\n%s", strings.Join(args, " "), words, out, c.box.Journal())
		}
		<-time.After(100 * time.Millisecond)
	}
}

// site is what the program says of the site of a namespace.
func (c *contained) site(namespace string) api.Namespace {
	c.t.Helper()
	cmd := c.command("skupper", "system", "status", "-o", "json")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("system status: %v\n%s", err, said.String())
	}
	var list struct{ Namespaces []api.Namespace }
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		c.t.Fatalf("%v\n%s", err, out.String())
	}
	i := slices.IndexFunc(list.Namespaces, func(n api.Namespace) bool { return n.Name == namespace })
	if i < 0 {
		c.t.Fatalf("no namespace %s in %s", namespace, out.String())
	}
	return list.Namespaces[i]
}

// runs waits until the router of a site answers, and gives what is said of it.
func (c *contained) runs(namespace, platform string) api.Namespace {
	c.t.Helper()
	return c.becomes(namespace, "running", func(n api.Namespace) bool { return n.State == api.Running && n.PID != 0 && n.Platform == platform })
}

func (c *contained) becomes(namespace, what string, is func(api.Namespace) bool) api.Namespace {
	c.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		n := c.site(namespace)
		if is(n) {
			return n
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: %+v, want it %s\njournal:\n%s", namespace, n, what, c.box.Journal())
		}
		<-time.After(100 * time.Millisecond)
	}
}

// kill ends the router of a site with a command, which comes back as another
// process; without one the process is killed.
func (c *contained) kill(namespace, platform string, command ...string) {
	c.t.Helper()
	pid := c.runs(namespace, platform).PID
	if len(command) == 0 {
		command = []string{"kill", "-KILL", strconv.Itoa(pid)}
	}
	c.must(command...)
	c.becomes(namespace, "another process", func(n api.Namespace) bool { return n.State == api.Running && n.PID != pid && n.PID != 0 })
}

// keeps checks that a connection goes on.
func (c *contained) keeps(conn net.Conn, after string) {
	c.t.Helper()
	if err := exchange(conn, "still here"); err != nil {
		c.t.Fatalf("a connection after %s: %v\njournal:\n%s", after, err, c.box.Journal())
	}
}

// works makes a connection through both sites.
func (c *contained) works() {
	c.t.Helper()
	_ = c.host.through("127.0.0.1:18080").Close() // a router that ends waits for its connections
}

// identityOf is what a move must not change: the site's id, its ports, its
// authority, and the links.
func (c *contained) identityOf(dir string) string {
	c.t.Helper()
	data, err := os.ReadFile(c.box.Path(filepath.Join(dir, "internal/state.json")))
	if err != nil {
		c.t.Fatal(err)
	}
	var m struct {
		SiteID, RouterID string
		Ports            map[string]int
	}
	if err := json.Unmarshal(data, &m); err != nil {
		c.t.Fatal(err)
	}
	authority, err := os.ReadFile(c.box.Path(filepath.Join(dir, "runtime/issuers/skupper-site-ca/tls.crt")))
	if err != nil {
		c.t.Fatal(err)
	}
	links := glob(c.box.Path(filepath.Join(dir, "input/resources")), "Link-*.yaml")
	return fmt.Sprintln(m.SiteID, m.RouterID, m.Ports, links, string(authority))
}

const (
	annsData = "/home/ann/.local/share/skupper"
	inspect  = `{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.NetworkMode}} {{.Config.User}} {{index .Config.Labels "application"}} {{index .Config.Labels "skupper.io/v2-component"}}`
)

// lives is the life of two linked sites of a user in rootless podman.
func (c *contained) lives() {
	c.t.Helper()
	before := diskOf(c.t, c.box, c.user)
	c.refusedAltogether("there is no socket", "skupper", "--platform", "podman", "site", "create", "west", "--start")
	c.refusedAltogether("no permission to use /run/docker.sock", "skupper", "--platform", "docker", "system", "install")
	c.box.Sh(c.t, "usermod", "--append", "--groups", "docker", "ann") // who logs in anew may use it
	if said := c.must("skupper", "system", "install", "--platform", "docker"); !strings.Contains(said, "`loginctl enable-linger ann`") {
		c.t.Errorf("nothing is said of services that end with the log-out:\n%s", said)
	}
	c.must("skupper", "system", "uninstall")
	for _, platform := range []string{"podman", "docker"} {
		c.refusedAltogether("HOME is not set", "env", "-u", "HOME", "skupper", "--platform", platform, "system", "install")
	}
	c.full("podman", "/home/ann/.local/share/containers", "podman.service")
	uid := strings.TrimSpace(c.must("id", "-u"))
	c.box.Sh(c.t, "systemctl", "stop", "user@"+uid+".service", "user-runtime-dir@"+uid+".service") // podman's processes have seen that disk
	first := c.must("skupper", "system", "install", "--platform", "podman")
	for _, words := range []string{"started podman.socket", "enabled podman.socket", "made the image ", "`loginctl enable-linger ann`"} {
		if !strings.Contains(first, words) {
			c.t.Errorf("system install: no %q in:\n%s", words, first)
		}
	}
	said, err := c.try("skupper", "system", "install", "--platform", "podman", "--enable-linger")
	if err != nil { // a host where only root may
		if !strings.Contains(said, "hint: everything else is done; have root run `loginctl enable-linger ann`") {
			c.t.Fatalf("system install: %v\n%s", err, said)
		}
		c.box.Sh(c.t, "loginctl", "enable-linger", "ann")
	}
	c.ungenerated("/usr/lib/systemd/user-generators/podman-user-generator")
	c.must("skupper", "--namespace", "west", "--platform", "podman", "site", "create", "west", "--enable-link-access", "--start")
	c.must("skupper", "--namespace", "east", "--platform", "podman", "site", "create", "east")
	c.must("skupper", "--namespace", "west", "link", "generate", "--host", "127.0.0.1", "--output-file", "/home/ann/link.yaml")
	c.must("skupper", "--namespace", "east", "link", "create", "/home/ann/link.yaml")
	c.must("skupper", "--namespace", "east", "system", "start")
	c.must("skupper", "--namespace", "west", "connector", "create", "db", "18090")
	c.must("skupper", "--namespace", "east", "listener", "create", "db", "18080")
	conn := c.host.through("127.0.0.1:18080")
	if got, want := c.must("podman", "inspect", "--format", inspect, "west-skupper-router"), "true host "+uid+":"+uid+" skupper-v2 router\n"; got != want {
		c.t.Errorf("container: %q, want %q", got, want)
	}
	c.must("podman", "healthcheck", "run", "west-skupper-router")
	if said := c.must("skupper", "--namespace", "west", "system", "logs"); !strings.Contains(said, "Operational") {
		c.t.Errorf("logs: %s", said)
	}

	c.must("skupper", "--namespace", "east", "listener", "create", "more", "18081")
	c.keeps(conn, "a reload")
	c.occupied("podman", "west", conn)
	c.untimely("west", annsData+"/namespaces/west", conn)
	c.upgraded("/home/ann/.config", "user", "systemd/user")
	c.keeps(conn, "podman's upgrade")
	c.must("systemctl", "--user", "kill", "--signal=KILL", "skupper.service")
	c.must("systemctl", "--user", "stop", "podman.service")
	c.keeps(conn, "the death of the agent and the engine's service")
	_ = conn.Close() // a router that ends waits for its connections
	c.kill("west", "podman")
	c.kill("west", "podman", "podman", "kill", "west-skupper-router")
	c.works()
	c.boots()
	c.runs("east", "podman")

	c.must("skupper", "--namespace", "east", "system", "stop")
	c.host.closed("127.0.0.1:18080")
	if left := c.must("podman", "ps", "--all", "--quiet", "--filter", "name=east"); left != "" {
		c.t.Errorf("containers of a stopped site: %s", left)
	}
	c.must("skupper", "--namespace", "east", "system", "start")
	c.refused("runs on the platform podman", "skupper", "--namespace", "east", "--platform", "linux", "system", "start")
	was := c.identityOf(annsData + "/namespaces/east")
	c.must("systemctl", "--user", "stop", "podman.socket", "podman.service")
	if said := c.must("skupper", "--namespace", "east", "system", "migrate", "--to", "linux"); !strings.Contains(said, "the container east-skupper-router may be left in it") {
		c.t.Errorf("moved away from an engine that does not answer: %s", said)
	}
	c.runs("east", "linux")
	if is := c.identityOf(annsData + "/namespaces/east"); is != was {
		c.t.Errorf("the site has changed:\n%s\nwas:\n%s", is, was)
	}
	c.works()
	c.must("skupper", "--namespace", "east", "system", "migrate", "--to", "docker")
	c.kill("east", "docker")
	c.works()
	c.must("systemctl", "--user", "start", "podman.socket")
	c.must("skupper", "--namespace", "east", "system", "migrate", "--to", "podman")
	c.works()
	c.nothingLeft(annsData, "podman", "docker")
	c.bundled("podman")
	c.must("rm", "/home/ann/link.yaml")
	c.box.Sh(c.t, "loginctl", "disable-linger", "ann") // which root has done, or uninstall has undone
	c.nothingNew(before)
}

// moves is the life of two linked sites of the system, one in podman, which
// moves to Docker.
func (c *contained) moves() {
	c.t.Helper()
	before := diskOf(c.t, c.box, c.user)
	c.must("systemctl", "stop", "docker.service", "docker.socket", "podman.socket", "podman.service")
	c.refusedAltogether(" /run/podman/podman.sock", "skupper", "--platform", "podman", "site", "create", "west", "--start")
	c.refusedAltogether("nothing answers at /run/docker.sock", "skupper", "system", "install", "--platform", "docker")
	c.full("docker", "/var/lib/docker", "docker.socket", "docker.service")
	c.full("podman", "/var/lib/containers", "podman.socket", "podman.service")
	for _, platform := range []string{"podman", "docker"} {
		c.refusedAltogether("read-only file system", "unshare", "--mount", "sh", "-c", "mount -o bind,ro /etc /etc; exec skupper --platform "+platform+" system install")
	}
	c.box.Write(c.t, "/var/tmp/bad/useradd", []byte("#!/bin/sh\nexit 1\n"), 0o755)
	for _, platform := range []string{"podman", "docker"} { // what fails when the image is there
		c.refusedAltogether("useradd skupper", "sh", "-c", "PATH=/var/tmp/bad:$PATH exec skupper --platform "+platform+" system install")
		if left := c.must(platform, "images", "--quiet"); left != "" {
			c.t.Errorf("images that are left in %s: %s", platform, left)
		}
	}
	rests := c.socketOfPodman()
	c.must("systemctl", "enable", "podman.socket") // which does not listen
	c.must("env", "-u", "HOME", "skupper", "system", "install", "--platform", "podman")
	c.must("env", "-u", "HOME", "skupper", "system", "install", "--platform", "docker")
	c.must("podman", "create", "--name", "east-skupper-router", "localhost/skupper-router:2.0.0")
	c.must("skupper", "--namespace", "west", "--platform", "docker", "site", "create", "west", "--enable-link-access", "--start")
	c.refused("not of this site", "skupper", "--namespace", "east", "--platform", "podman", "site", "create", "east", "--start")
	c.must("podman", "rm", "east-skupper-router")
	c.must("skupper", "--namespace", "east", "--platform", "podman", "site", "create", "east", "--start")
	c.must("skupper", "--namespace", "west", "link", "generate", "--host", "127.0.0.1", "--output-file", "/root/link.yaml")
	c.must("skupper", "--namespace", "east", "link", "create", "/root/link.yaml")
	c.must("skupper", "--namespace", "west", "connector", "create", "db", "18090")
	c.must("skupper", "--namespace", "east", "listener", "create", "db", "18080")
	c.works()
	owner := strings.TrimSpace(c.must("id", "-u", "skupper")) + ":" + strings.TrimSpace(c.must("id", "-g", "skupper"))
	for engine, name := range map[string]string{"docker": "west-skupper-router", "podman": "east-skupper-router"} {
		if got, want := c.must(engine, "inspect", "--format", inspect, name), "true host "+owner+" skupper-v2 router\n"; got != want {
			c.t.Errorf("container of %s: %q, want %q", engine, got, want)
		}
	}
	c.upgraded("/etc", "system", "systemd/system")
	c.kill("east", "podman")
	c.kill("west", "docker", "docker", "kill", "west-skupper-router")
	c.works()
	open := c.host.through("127.0.0.1:18080")
	c.occupied("docker", "east", open)
	c.occupied("podman", "west", open)
	for _, namespace := range []string{"east", "west"} {
		c.untimely(namespace, "/var/lib/skupper/namespaces/"+namespace, open)
	}
	_ = open.Close() // a router that ends waits for its connections

	was := c.identityOf("/var/lib/skupper/namespaces/east")
	c.must("skupper", "--namespace", "east", "system", "migrate", "--to", "docker")
	if is := c.identityOf("/var/lib/skupper/namespaces/east"); is != was {
		c.t.Errorf("the site has changed:\n%s\nwas:\n%s", is, was)
	}
	conn := c.host.through("127.0.0.1:18080")
	c.must("skupper", "--namespace", "east", "listener", "create", "more", "18081")
	c.must("systemctl", "kill", "--signal=KILL", "skupper.service")
	c.keeps(conn, "a reload and the death of the agent")
	_ = conn.Close()                                                                   // a router that ends waits for its connections
	c.must("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "docker.service") // systemd starts it again
	c.works()
	c.boots()
	if said := c.must("skupper", "--namespace", "east", "system", "logs"); !strings.Contains(said, "Operational") {
		c.t.Errorf("logs: %s", said)
	}
	c.leaves()
	c.must("skupper", "--namespace", "east", "system", "stop")
	c.host.closed("127.0.0.1:18080")
	c.nothingLeft("/var/lib/skupper", "docker", "podman")
	if is := c.socketOfPodman(); is != "enabled inactive" {
		c.t.Errorf("podman.socket is %s, was enabled and at rest", is)
	}
	if strings.HasPrefix(rests, "disabled") {
		c.must("systemctl", "disable", "podman.socket")
	}
	c.bundled("docker")
	c.must("rm", "/root/link.yaml")
	c.nothingNew(before)
}

// bundled installs a bundle on a platform that nobody has prepared, and removes it
// with all that it brought.
func (c *contained) bundled(platform string) {
	c.t.Helper()
	const bundle = "/var/tmp/shop.sh"
	if _, err := os.Lstat(c.box.Path(bundle)); err != nil {
		c.box.Write(c.t, "/var/tmp/shop/site.yaml", []byte("apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: shop}\n"), 0o644)
		c.must("skupper", "--namespace", "shop", "system", "generate-bundle", "shop", "--input", "/var/tmp/shop", "--type", "shell-script", "--output", bundle)
		c.box.Sh(c.t, "chmod", "0644", bundle)
	}
	before := c.socketOfPodman()
	c.must("sh", bundle, "-p", platform)
	c.runs("shop", platform)
	c.must(platform, "inspect", "shop-skupper-router")
	c.must("sh", bundle, "-x")
	for _, list := range [][]string{{"ps", "--all", "--quiet"}, {"images", "--quiet"}} {
		if left := c.must(append([]string{platform}, list...)...); left != "" {
			c.t.Errorf("%s %s after the bundle has gone: %s", platform, list[0], left)
		}
	}
	if after := c.socketOfPodman(); after != before {
		c.t.Errorf("podman.socket is %s, was %s", after, before)
	}
}

// socketOfPodman is whether it starts at boot, and whether it listens: "enabled
// active".
func (c *contained) socketOfPodman() string {
	var words []string
	for _, verb := range []string{"is-enabled", "is-active"} {
		out, _ := c.try(append(c.systemctl(), verb, "podman.socket")...) // it fails where it says no
		words = append(words, strings.TrimSpace(out))
	}
	return strings.Join(words, " ")
}

// systemctl is the command for who has the sites.
func (c *contained) systemctl() []string {
	if c.user == "" {
		return []string{"systemctl"}
	}
	return []string{"systemctl", "--user"}
}

// boots restarts the host, and cuts its power. Nobody logs in before there is
// traffic.
func (c *contained) boots() {
	c.t.Helper()
	c.box.Reboot(c.t)
	c.works()
	c.box.Crash(c.t)
	c.works()
}

// ungenerated has podman's generator, where the host has one, make nothing: the
// site is not started, and it is said whom to ask.
func (c *contained) ungenerated(generator string) {
	c.t.Helper()
	if _, err := os.Lstat(c.box.Path(generator)); err != nil {
		return
	}
	c.box.Sh(c.t, "mv", generator, generator+".bak")
	c.box.Sh(c.t, "ln", "-s", "/bin/true", generator)
	c.refused("--dryrun` says why", "skupper", "--namespace", "west", "--platform", "podman", "site", "create", "west", "--start")
	if left := glob(c.box.Path("/home/ann/.config/containers/systemd"), "*"); len(left) > 0 {
		c.t.Errorf("left: %v", left)
	}
	c.box.Sh(c.t, "mv", generator+".bak", generator)
}

// upgraded has a podman that cannot make units of Quadlet files become one that
// can, where the host has such: the site's unit file goes, and the router goes on.
func (c *contained) upgraded(config, kind, units string) {
	c.t.Helper()
	generator := "/usr/lib/systemd/" + kind + "-generators/podman-" + kind + "-generator"
	unit, quadlet := filepath.Join(config, units, "skupper-east.service"), filepath.Join(config, "containers/systemd/skupper-east.container")
	is, other := quadlet, unit
	settled := func(when string) {
		c.t.Helper()
		for path, want := range map[string]bool{is: true, other: false} {
			if _, err := os.Lstat(c.box.Path(path)); (err == nil) != want {
				c.t.Errorf("%s: %s: %v", when, path, err)
			}
		}
		if n := c.runs("east", "podman"); n.Message != "" {
			c.t.Errorf("%s: %s", when, n.Message)
		}
	}
	if _, err := os.Lstat(c.box.Path(generator)); err != nil {
		is, other = unit, quadlet
		settled("podman without a generator")
		return
	}
	settled("podman with a generator")
	pid := c.site("east").PID
	for _, from := range []string{generator, generator + ".bak"} {
		to := generator
		if from == generator {
			to += ".bak"
		}
		is, other = other, is
		c.box.Sh(c.t, "mv", from, to)
		c.must("skupper", "--namespace", "east", "system", "reload")
		settled("after " + to)
	}
	if again := c.site("east").PID; again != pid {
		c.t.Errorf("the router is process %d, and was %d", again, pid)
	}
}

// leaves moves a site away from a Docker that was killed and does not come back,
// while its containers go on.
func (c *contained) leaves() {
	c.t.Helper()
	old, west := c.runs("east", "docker").PID, c.runs("west", "docker").PID
	const once = "/etc/systemd/system/docker.service.d/once.conf"
	c.box.Write(c.t, once, []byte("[Service]\nRestart=no\n"), 0o644)
	c.must("systemctl", "daemon-reload")
	c.must("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "docker.service")
	c.must("systemctl", "stop", "docker.socket")
	c.must("kill", "-0", strconv.Itoa(old))
	const gone = "docker: nothing answers at /run/docker.sock; start Docker: systemctl start docker"
	if n := c.site("east"); n.State != api.Running || !strings.Contains(n.Message, "the router goes on") || !strings.Contains(n.Message, gone) {
		c.t.Errorf("a router that goes on without Docker: %+v", n)
	}
	c.must("kill", "-KILL", strconv.Itoa(west))
	c.becomes("west", "said to be down for want of Docker", func(n api.Namespace) bool { return n.State == api.Failed && strings.Contains(n.Message, gone) })
	if said := c.must("skupper", "--namespace", "east", "system", "migrate", "--to", "linux"); !strings.Contains(said, "`docker rm --force east-skupper-router`") {
		c.t.Errorf("moved away from an engine that was killed: %s", said)
	}
	c.runs("east", "linux")
	if out, err := c.try("kill", "-0", strconv.Itoa(old)); err == nil {
		c.t.Errorf("the router of the container goes on: %s", out)
	}
	c.must("rm", once)
	c.must("systemctl", "daemon-reload")
	c.must("systemctl", "start", "docker.socket", "docker.service")
	c.works()
	c.must("docker", "rm", "--force", "east-skupper-router")
}

// nothingLeft uninstalls everything: neither engines nor systemd know of it.
func (c *contained) nothingLeft(data string, engines ...string) {
	c.t.Helper()
	c.must("skupper", "system", "uninstall", "--force", "--yes")
	c.host.closed("127.0.0.1:18080")
	for _, engine := range engines {
		for _, list := range [][]string{{"ps", "--all", "--quiet"}, {"images", "--quiet"}, {"volume", "ls", "--quiet"}} {
			if left := c.must(append([]string{engine}, list...)...); left != "" {
				c.t.Errorf("%s %s: %s", engine, list[0], left)
			}
		}
	}
	for _, list := range [][]string{{"list-units", "--all"}, {"list-unit-files"}} {
		if left, _ := c.try(append(append(c.systemctl(), list...), "--no-legend", "skupper*")...); left != "" { // none is an exit code of some versions
			c.t.Errorf("systemd knows: %s", left)
		}
	}
	c.must("sh", "-ec", "ls $0/trash/*.tar.gz; rm -r $0/trash; rmdir $0", data) // archives are all that is kept
	if left, err := c.try("sh", "-c", "find ${XDG_RUNTIME_DIR:-/run}/skupper"); err == nil {
		c.t.Errorf("left: %s", left)
	}
}

// nothingNew compares the disk with what it was.
func (c *contained) nothingNew(before map[string]string) {
	c.t.Helper()
	if d := box.Difference(before, diskOf(c.t, c.box, c.user)); len(d) > 0 {
		c.t.Errorf("left:\n%s", strings.Join(d, "\n"))
	}
}
