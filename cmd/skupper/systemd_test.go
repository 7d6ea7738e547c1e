package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/box"
)

// TestUnderSystemd lives through the whole life of a site on hosts with systemd:
// one of the system, and one of an ordinary user.
func TestUnderSystemd(t *testing.T) {
	t.Parallel()
	box.Need(t)
	program := builtProgram(t)
	for name, lower := range systems(t) {
		t.Run("system, "+name, func(t *testing.T) {
			t.Parallel()
			h := newSystemdHost(t, program, lower, "")
			h.badSystem()
			h.life()
		})
		t.Run("user, "+name, func(t *testing.T) {
			t.Parallel()
			h := newSystemdHost(t, program, lower, "ann")
			h.badUser()
			h.life()
		})
	}
}

// systems are the root file systems that hosts are booted from: that of this
// machine, and that of Debian 13 where there is one.
func systems(t *testing.T) map[string]string {
	t.Helper()
	list := map[string]string{"this system": ""}
	if trixie := os.Getenv("SKUPPER_BOX_TRIXIE"); trixie != "" {
		list["Debian 13"] = trixie
	} else if os.Getenv("CI") == "true" {
		t.Error("SKUPPER_BOX_TRIXIE does not name a root file system of Debian 13: run make trixie-tree")
	}
	return list
}

// systemdHost is a host with systemd, and who has a site there.
type systemdHost struct {
	t     *testing.T
	b     *box.Box
	user  string // "" is root, whose site is the system's
	units string // where unit files are
}

// newSystemdHost boots a host with an echo server on port 9000.
func newSystemdHost(t *testing.T, program, lower, user string) *systemdHost {
	h := &systemdHost{t: t, b: box.New(t, box.Options{Lower: lower}), user: user, units: "/etc/systemd/system"}
	h.b.Put(t, program, "/usr/local/bin/skupper")
	h.b.Write(t, "/etc/systemd/system/echo.socket", []byte("[Socket]\nListenStream=127.0.0.1:9000\nAccept=yes\n[Install]\nWantedBy=sockets.target\n"), 0o644)
	h.b.Write(t, "/etc/systemd/system/echo@.service", []byte("[Service]\nExecStart=/bin/cat\nStandardInput=socket\n"), 0o644)
	h.b.Sh(t, "systemctl", "daemon-reload")
	h.b.Sh(t, "systemctl", "enable", "--now", "echo.socket")
	if user != "" {
		h.b.Sh(t, "useradd", "--create-home", "--shell", "/bin/bash", user)
		h.units = "/home/" + user + "/.config/systemd/user"
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journal:\n%s", h.b.Journal())
		}
	})
	return h
}

// command is one that the site's owner types.
func (h *systemdHost) command(args ...string) *exec.Cmd {
	if h.user == "" {
		return h.b.Command(args...)
	}
	return h.b.CommandAs(h.user, args...)
}

// try runs a command, however it ends.
func (h *systemdHost) try(args ...string) (string, bool) {
	out, err := h.command(args...).CombinedOutput()
	return string(out), err == nil
}

func (h *systemdHost) must(args ...string) string {
	h.t.Helper()
	out, ok := h.try(args...)
	if !ok {
		h.t.Fatalf("%s:\n%s", strings.Join(args, " "), out)
	}
	return out
}

func (h *systemdHost) skupper(args ...string) string {
	h.t.Helper()
	return h.must(append([]string{"skupper"}, args...)...)
}

func (h *systemdHost) systemctl(args ...string) string {
	h.t.Helper()
	return h.must(append(h.manager("systemctl"), args...)...)
}

// manager is a command of systemd's that is told whose manager is meant.
func (h *systemdHost) manager(command string) []string {
	if h.user == "" {
		return []string{command}
	}
	return []string{command, "--user"}
}

// refused runs a command that has to fail with some words, and to leave the disk
// as it was.
func (h *systemdHost) refused(words []string, args ...string) {
	h.t.Helper()
	before := h.disk()
	out, ok := h.try(args...)
	if ok {
		h.t.Errorf("%s: it succeeded:\n%s", strings.Join(args, " "), out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			h.t.Errorf("%s: no %q in:\n%s", strings.Join(args, " "), w, out)
		}
	}
	if d := box.Difference(before, h.disk()); len(d) > 0 {
		h.t.Errorf("%s: it left:\n%s", strings.Join(args, " "), strings.Join(d, "\n"))
	}
}

// eventually waits until something is so.
func (h *systemdHost) eventually(what string, is func() bool) {
	h.t.Helper()
	limit, tick := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-limit:
			status, _ := h.try("skupper", "system", "status")
			h.t.Fatalf("not so in time: %s\n%s", what, status)
		}
	}
}

func (h *systemdHost) disk() map[string]string {
	h.t.Helper()
	return diskOf(h.t, h.b, h.user)
}

// diskOf is what lies on the disk of a host, but for the accounts of the machine,
// what container engines keep, and the directories that a user has anyway.
func diskOf(t *testing.T, b *box.Box, user string) map[string]string {
	t.Helper()
	home := "/home/" + user
	but := []string{"/var/lib/containers", "/var/lib/docker", "/var/lib/containerd", "/opt/containerd", "/etc/docker", home + "/.local/share/containers", home + "/.config/cni", home + "/.rpmdb", "/root/.rpmdb"}
	for _, name := range []string{"passwd", "group", "shadow", "gshadow", "subuid", "subgid"} {
		but = append(but, "/etc/"+name, "/etc/"+name+"-")
	}
	files := b.Files(t, but...)
	for _, dir := range []string{".local", ".local/share", ".config", ".config/systemd", ".config/systemd/user", ".config/containers", ".config/containers/systemd"} {
		delete(files, home+"/"+dir)
	}
	for _, kind := range []string{"user", "system"} { // which tests move away and back
		delete(files, "/usr/lib/systemd/"+kind+"-generators/podman-"+kind+"-generator")
	}
	return files
}

// pid is the main process of a unit, "0" where there is none.
func (h *systemdHost) pid(unit string) string {
	h.t.Helper()
	return strings.TrimSpace(h.systemctl("show", "-p", "MainPID", "--value", unit))
}

// talks reports whether a new connection through the site comes to the server.
func (h *systemdHost) talks(port int) bool {
	out, err := h.b.Command("timeout", "5", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$0; echo hello >&3; head -n 1 <&3", fmt.Sprint(port)).Output()
	return err == nil && string(out) == "hello\n"
}

func (h *systemdHost) awaitTraffic(port int) {
	h.t.Helper()
	h.eventually(fmt.Sprintf("connections through port %d", port), func() bool { return h.talks(port) })
}

// awaitHealth waits until status has nothing to complain of.
func (h *systemdHost) awaitHealth() {
	h.t.Helper()
	h.eventually("the site is well", func() bool {
		_, ok := h.try("skupper", "system", "status", "--check")
		return ok
	})
}

// wire is a connection through the site that stays open.
type wire struct {
	t    *testing.T
	to   io.Writer
	from *os.File
	read *bufio.Reader

	close func()
}

func (h *systemdHost) open(port int) *wire {
	h.t.Helper()
	cmd := h.b.Command("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$0; cat <&3 & exec cat >&3", fmt.Sprint(port))
	to, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	from, write, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd.Stdout = write
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	_ = write.Close() // the process has it
	w := &wire{t: h.t, to: to, from: from, read: bufio.NewReader(from), close: sync.OnceFunc(func() {
		_, _ = to.Close(), from.Close()
		_ = cmd.Wait() // it may have been killed with its host
	})}
	h.t.Cleanup(w.close)
	w.say("hello")
	return w
}

// say has a word come back.
func (w *wire) say(word string) {
	w.t.Helper()
	if _, err := io.WriteString(w.to, word+"\n"); err != nil {
		w.t.Fatalf("%s: the open connection: %v", word, err)
	}
	if err := w.from.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		w.t.Fatal(err)
	}
	if got, err := w.read.ReadString('\n'); got != word+"\n" {
		w.t.Fatalf("%s: the open connection answered %q: %v", word, got, err)
	}
}

// badSystem has the system's site refused where it cannot be.
func (h *systemdHost) badSystem() {
	readOnly := func(command string) []string {
		return []string{"unshare", "--mount", "sh", "-c", "mount -o bind,ro /etc /etc; exec " + command}
	}
	h.refused([]string{"error: /etc: read-only file system", "hint: ", "nothing was changed"}, readOnly("skupper system install")...)
	h.refused([]string{"error: /etc/systemd/system: read-only file system", "hint: "}, readOnly("skupper site create west --start")...)
	h.refused([]string{"error: user skupper: ", "hint: sudo skupper system install"}, "skupper", "site", "create", "west", "--start")
}

// badUser has a user's site refused where it cannot be, and the user told of
// what will not work.
func (h *systemdHost) badUser() {
	h.refused([]string{"error: data home: HOME is not set", "hint: set HOME"}, "env", "-u", "HOME", "skupper", "system", "install")
	h.refused([]string{"error: data home: HOME is not set", "hint: set HOME"}, "env", "-u", "HOME", "skupper", "site", "create", "west", "--start")
	before := h.disk()
	h.skupper("site", "create", "west", "--start") // which sets the agent up
	h.skupper("system", "teardown", "--yes", "--purge")
	h.skupper("system", "uninstall")
	if out := h.skupper("system", "install"); !strings.Contains(out, "loginctl enable-linger ann") {
		h.t.Errorf("nothing is said of services that end with the log-out:\n%s", out)
	}
	h.skupper("system", "uninstall")
	if d := box.Difference(before, h.disk()); len(d) > 0 {
		h.t.Errorf("installed and uninstalled, it left:\n%s", strings.Join(d, "\n"))
	}
}

const systemdSite = `apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: west}
spec: {linkAccess: default}
---
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata: {name: echo}
spec: {host: 127.0.0.1, port: 8000, routingKey: echo}
---
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: {name: echo}
spec: {host: 127.0.0.1, port: 9000, routingKey: echo}
`

// life is the life of a site, after which the disk is as it was before.
func (h *systemdHost) life() {
	before := h.disk()
	h.install()
	h.liveChange()
	h.observed()
	h.dropIns()
	h.crashes()
	h.grants()
	h.managers()
	h.boots()
	h.stopped()
	h.journal()
	h.gone(before)
}

func (h *systemdHost) install() {
	t := h.t
	if h.user == "" {
		h.skupper("system", "install")
	} else {
		if out, ok := h.try("skupper", "system", "install", "--enable-linger"); !ok { // a host where only root may
			if !strings.Contains(out, "hint: everything else is done; have root run `loginctl enable-linger "+h.user+"`") {
				t.Fatalf("install:\n%s", out)
			}
			h.b.Sh(t, "loginctl", "enable-linger", h.user)
		}
		h.b.Sh(t, "test", "-e", "/var/lib/systemd/linger/"+h.user)
	}
	apply := h.command("skupper", "system", "apply", "-f", "-")
	apply.Stdin = strings.NewReader(systemdSite)
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	if out := h.skupper("system", "status"); !strings.Contains(out, "routers supervised by systemd") {
		t.Errorf("status:\n%s", out)
	}
	unit := filepath.Join(h.units, "skupper-default.service")
	verify := append(h.manager("systemd-analyze"), "--man=no", "verify", unit, filepath.Join(h.units, "skupper.service"))
	if out, ok := h.try(verify...); !ok || out != "" {
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
	if h.user == "" {
		h.must("systemd-analyze", "security", "--offline=true", "--threshold=15", unit)
	}
	for _, name := range []string{"skupper", "skupper-default"} {
		h.systemctl("is-active", name)
		h.systemctl("is-enabled", name)
	}
}

// liveChange changes the site under an open connection.
func (h *systemdHost) liveChange() {
	w, router := h.open(8000), h.pid("skupper-default")
	h.skupper("listener", "create", "more", "8001", "--host", "127.0.0.1", "--routing-key", "echo")
	h.awaitTraffic(8001)
	h.systemctl("reload", "skupper-default")
	w.say("reloaded")
	w.close()
	if h.pid("skupper-default") != router {
		h.t.Error("a change took another router")
	}
}

// dropIns are an administrator's, and are respected.
func (h *systemdHost) dropIns() {
	t := h.t
	files := map[string]string{"skupper-default.service.d/admin.conf": "Environment=ADMIN=one", "skupper-.service.d/every.conf": "Environment=EVERY=all"}
	for name, line := range files {
		h.b.Write(t, filepath.Join(h.units, name), []byte("[Service]\n"+line+"\n"), 0o644)
	}
	h.systemctl("daemon-reload")
	if out := h.skupper("system", "reload", "--dry-run"); strings.Contains(out, "unit") {
		t.Errorf("drop-ins would be changed:\n%s", out)
	}
	h.skupper("listener", "delete", "more")
	h.skupper("system", "restart")
	env := h.b.Sh(t, "cat", "/proc/"+h.pid("skupper-default")+"/environ")
	for name, line := range files {
		if !strings.Contains(env, strings.TrimPrefix(line, "Environment=")+"\x00") {
			t.Errorf("%s is not in effect", name)
		}
		h.b.Sh(t, "rm", "-r", filepath.Join(h.units, filepath.Dir(name)))
	}
	h.systemctl("daemon-reload")
}

// crashes kills the router, and the agent under an open connection.
func (h *systemdHost) crashes() {
	h.awaitTraffic(8000)
	router := h.pid("skupper-default")
	h.b.Sh(h.t, "kill", "-KILL", router)
	h.awaitTraffic(8000)
	if again := h.pid("skupper-default"); again == router || again == "0" {
		h.t.Errorf("the router is process %s, and was %s", again, router)
	}
	w, agent := h.open(8000), h.pid("skupper")
	h.b.Sh(h.t, "kill", "-KILL", agent)
	h.eventually("another agent", func() bool { p := h.pid("skupper"); return p != "0" && p != agent })
	w.say("without the agent")
	w.close()
	h.awaitHealth()
}

// grants has a token to redeem, and looks whom the network gets to talk to.
func (h *systemdHost) grants() {
	t := h.t
	var made struct{ Spec struct{ URL string } }
	if err := json.Unmarshal([]byte(h.skupper("--quiet", "token", "issue", "-", "--name", "gate", "--host", "localhost", "-o", "json")), &made); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(made.Spec.URL, "https://localhost:")
	port, _, _ := strings.Cut(address, "/")
	server := func() string {
		out, _ := h.b.Command("pgrep", "-f", "^skupper grant-server run$").Output() // none is no output
		return strings.TrimSpace(string(out))
	}
	answers := func() bool {
		_, err := h.b.Command("timeout", "5", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/"+port).Output()
		return err == nil
	}
	h.eventually("somebody listens at "+made.Spec.URL, answers)
	if h.user != "" {
		if pid := server(); pid != "" {
			t.Errorf("process %s serves a user's grants", pid)
		}
		h.skupper("token", "revoke", "gate")
		return
	}
	h.eventually("a process for the network", func() bool { return server() != "" })
	pid := server()
	status := h.b.Sh(t, "cat", "/proc/"+pid+"/status")
	uid := strings.TrimSpace(h.b.Sh(t, "id", "-u", "skupper"))
	for _, want := range []string{"\nUid:\t" + uid + "\t" + uid, "\nGroups:\t \n", "\nCapPrm:\t0000000000000000\n", "\nCapEff:\t0000000000000000\n", "\nNoNewPrivs:\t1\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in:\n%s", want, status)
		}
	}
	if out := h.b.Sh(t, "cat", "/proc/"+pid+"/cgroup"); !strings.Contains(out, "/skupper.service\n") {
		t.Errorf("it is not of the agent's unit: %s", out)
	}
	h.b.Sh(t, "kill", "-KILL", pid)
	h.eventually("another process", func() bool { p := server(); return p != "" && p != pid })
	pid = server()
	h.systemctl("restart", "skupper")
	h.eventually("another process, of another agent", func() bool { p := server(); return p != "" && p != pid })
	h.eventually("the same port", answers)
	h.skupper("token", "revoke", "gate")
}

// managers uses systemd's own command.
func (h *systemdHost) managers() {
	w := h.open(8000)
	h.systemctl("stop", "skupper")
	w.say("the agent is stopped")
	w.close()
	h.systemctl("stop", "skupper-default")
	if h.talks(8000) {
		h.t.Error("stopped, and still there")
	}
	h.systemctl("start", "skupper") // and every site
	h.awaitTraffic(8000)
}

// boots restarts the host, and cuts its power just after a change. Nobody logs
// in before there is traffic.
func (h *systemdHost) boots() {
	h.b.Reboot(h.t)
	h.awaitTraffic(8000)
	h.observes()
	h.skupper("listener", "create", "late", "8002", "--host", "127.0.0.1", "--routing-key", "echo")
	h.b.Crash(h.t)
	h.awaitTraffic(8000)
	h.awaitTraffic(8002)
	h.awaitHealth()
}

// stopped is a site that keeps everything and does not run.
func (h *systemdHost) stopped() {
	h.skupper("system", "stop")
	if out, ok := h.try(append(h.manager("systemctl"), "is-enabled", "skupper-default")...); ok {
		h.t.Errorf("stopped, and %s", out)
	}
	h.systemctl("restart", "skupper")
	h.skupper("system", "status") // the agent has looked
	if p := h.pid("skupper-default"); p != "0" {
		h.t.Errorf("the agent started what was stopped: %s", p)
	}
	h.skupper("system", "start")
	h.awaitTraffic(8000)
}

// journal looks for what agent and router say, by fields.
func (h *systemdHost) journal() {
	unit := "_SYSTEMD_UNIT="
	if h.user != "" {
		unit = "_SYSTEMD_USER_UNIT="
	}
	for _, match := range [][]string{
		{unit + "skupper.service", "SKUPPER_SITE=default", "PRIORITY=6"},
		{unit + "skupper-default.service", "SKUPPER_LISTENER=listener/echo", "SYSLOG_IDENTIFIER=skupper"},
	} {
		if out := h.b.Sh(h.t, append([]string{"journalctl", "--quiet", "--no-pager", "-o", "cat"}, match...)...); out == "" {
			h.t.Errorf("nothing in the journal for %v", match)
		}
	}
	if out := h.skupper("system", "logs"); !strings.Contains(out, "listening") {
		h.t.Errorf("system logs:\n%s", out)
	}
}

// gone removes everything, after which the disk is as it was.
func (h *systemdHost) gone(before map[string]string) {
	if h.user == "" {
		h.skupper("system", "teardown", "--yes", "--purge")
		h.skupper("system", "uninstall", "--force") // who may log in to the network observer goes too
	} else {
		h.skupper("system", "uninstall", "--force", "--yes")
		h.b.Sh(h.t, "loginctl", "disable-linger", h.user) // which root has done, or uninstall has undone
		h.b.Sh(h.t, "sh", "-c", "set -e; cd /home/"+h.user+"/.local/share; ls skupper/trash/default-*.tar.gz; rm -r skupper/trash; rmdir skupper")
	}
	for _, name := range []string{"skupper", "skupper-default", "skupper-network-observer"} {
		if out, ok := h.try(append(h.manager("systemctl"), "cat", name)...); ok {
			h.t.Errorf("systemd still knows:\n%s", out)
		}
	}
	if out, err := h.b.Command("pgrep", "-ax", "skupper").Output(); err == nil {
		h.t.Errorf("still running: %s", out)
	}
	if d := box.Difference(before, h.disk()); len(d) > 0 {
		h.t.Errorf("left:\n%s", strings.Join(d, "\n"))
	}
}

// observed has a network observer see the site. It stays until everything goes.
func (h *systemdHost) observed() {
	t := h.t
	out := h.skupper("system", "network-observer", "install", "--password", "auto")
	if !strings.Contains(out, "supervised by systemd") || !strings.Contains(out, "name and password are in ") {
		t.Errorf("install:\n%s", out)
	}
	h.observes()
	h.eventually("the service is seen", func() bool {
		out, ok := h.try("skupper", "top", "--once")
		return ok && strings.Contains(out, "\necho ")
	})
	const unit = "skupper-network-observer"
	file := filepath.Join(h.units, unit+".service")
	if out, ok := h.try(append(h.manager("systemd-analyze"), "--man=no", "verify", file)...); !ok || out != "" {
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
	h.systemctl("is-enabled", unit)
	if h.user == "" {
		h.must("systemd-analyze", "security", "--offline=true", "--threshold=15", file)
		if who := strings.TrimSpace(h.must("ps", "-o", "user=", "-p", h.pid(unit))); who != "skupper" {
			t.Errorf("the network observer runs as %s", who)
		}
	}
	h.keptObserver(unit, file)

	// Killed, it is back; stopped by systemd's command, status says so.
	pid := h.pid(unit)
	h.b.Sh(t, "kill", "-KILL", pid)
	h.eventually("another network observer", func() bool { p := h.pid(unit); return p != "0" && p != pid })
	h.observes()
	h.systemctl("stop", unit)
	if out, ok := h.try("skupper", "system", "network-observer", "status", "--check"); ok || !strings.Contains(out, "not running: inactive; supervised by systemd") {
		t.Errorf("stopped, status says:\n%s", out)
	}
	h.observedByOthers(unit)
}

// observes waits until the network observer is connected and hears the site.
func (h *systemdHost) observes() {
	h.t.Helper()
	h.eventually("the network observer is connected and hears the site", func() bool {
		_, ok := h.try("skupper", "system", "network-observer", "status", "--check")
		return ok
	})
}

// keptObserver has installations fail, which leave the one before as it is.
func (h *systemdHost) keptObserver(unit, file string) {
	t := h.t
	files := []string{file, h.data() + "/network-observer/users", h.data() + "/system-controller/network-observer.json"}
	before, pid := h.must(append([]string{"sha256sum"}, files...)...), h.pid(unit)
	fails := func(words []string, args ...string) {
		t.Helper()
		args = append([]string{"skupper", "system", "network-observer", "install"}, args...)
		out, ok := h.try(args...)
		if ok {
			t.Errorf("%s: it succeeded:\n%s", strings.Join(args, " "), out)
		}
		for _, w := range words {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in:\n%s", strings.Join(args, " "), w, out)
			}
		}
		if after := h.must(append([]string{"sha256sum"}, files...)...); after != before {
			t.Errorf("%s: it changed\n%sto\n%s", strings.Join(args, " "), before, after)
		}
		h.must("test", "!", "-e", h.data()+"/network-observer/certs")
	}
	holder := "systemd (pid 1)"
	if h.user != "" {
		holder = "a process of user root" // whose process others may not look at
	}
	fails([]string{"address already in use by " + holder}, "--listen", "127.0.0.1:9000", "--username", "eve", "--password", "auto")
	if h.user != "" {
		fails([]string{"error: --listen 127.0.0.1:80: permission denied", "hint: ports below 1024"}, "--listen", "127.0.0.1:80")
	}
	if p := h.pid(unit); p != pid {
		t.Errorf("what is known beforehand to fail took another network observer: %s", p)
	}
	// What turns out when it starts: whom it runs as may not read, or make, a file.
	users := "/proc/nowhere/users"
	if h.user == "" {
		users = "/root/users"
		h.b.Write(t, users, []byte("eve:{PLAIN}secret\n"), 0o600)
	}
	fails([]string{"error: network observer: exit status ", users, "hint: `journalctl "}, "--htpasswd", users, "--listen", "127.0.0.1:8099")
	if h.user == "" {
		h.b.Sh(t, "rm", users)
	}
	h.observes()
	if p := h.pid(unit); p == pid {
		t.Error("the unit was never tried")
	}
}

// observedByOthers has it serve others, with a certificate of its own.
func (h *systemdHost) observedByOthers(unit string) {
	t := h.t
	address := ":8443"
	if h.user == "" {
		address = ":443" // where only the system's may
	}
	h.skupper("system", "network-observer", "install", "--listen", address)
	h.observes()
	certs, pid := h.data()+"/network-observer/certs", h.pid(unit)
	shown := func() (fingerprint string) {
		t.Helper()
		var status struct{ Certificate struct{ SHA256 string } }
		if err := json.Unmarshal([]byte(h.skupper("system", "network-observer", "status", "-o", "json")), &status); err != nil {
			t.Fatal(err)
		}
		return status.Certificate.SHA256
	}
	first := shown()
	if mode := h.must("stat", "-c", "%a", certs+"/tls.key"); mode != "600\n" || first == "" {
		t.Errorf("key with mode %s, fingerprint %q", mode, first)
	}
	h.must("rm", certs+"/tls.crt")
	h.systemctl("restart", "skupper") // whose agent looks after it
	h.eventually("a new certificate is shown", func() bool { return shown() != first })
	if p := h.pid(unit); p != pid {
		t.Errorf("a new certificate took another network observer: %s, before %s", p, pid)
	}
}

// data is the data home.
func (h *systemdHost) data() string {
	if h.user == "" {
		return "/var/lib/skupper"
	}
	return "/home/" + h.user + "/.local/share/skupper"
}
