package tests

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/box"
)

// rig is two hosts in a network, and Ansible beside them.
type rig struct {
	west, east *box.Box
	dir        string
	env        []string
}

// TestCollection lets one playbook make a linked site on each of two hosts,
// change a listener, and take everything away again.
func TestCollection(t *testing.T) {
	box.Need(t)
	need(t, "ansible-playbook", "dpkg-deb", "rpmbuild", "ip")
	r := newRig(t)
	before := r.files(t)

	foreseen := r.play(t, "--check", "--diff")
	if d := cmp.Diff(before, r.files(t)); d != "" {
		t.Fatalf("check mode changes files:\n%s", d)
	}
	done := r.play(t, "-vvv")
	if d := cmp.Diff(foreseen.changed, done.changed); d != "" || len(foreseen.changed) == 0 {
		t.Fatalf("what check mode foresees, and what is done:\n%s", d)
	}
	r.keepsSecrets(t, done)
	r.echo(t, 17001)
	r.echo(t, 17003)
	if again := r.play(t); len(again.changed) > 0 {
		t.Errorf("the second run changes %v", again.changed)
	}

	// One listener moves; the router, the other listener and its connections stay.
	pid := r.pid(t)
	moved := []string{"--extra-vars", "skupper_port=17011", "--limit", "west"}
	foreseen = r.play(t, append(moved, "--check", "--diff")...)
	r.echo(t, 17001)
	for _, line := range []string{"-  port: 17001", "+  port: 17011"} {
		if !strings.Contains(foreseen.text, line) {
			t.Errorf("the difference lacks %q:\n%s", line, foreseen.text)
		}
	}
	done = r.play(t, moved...)
	want := []string{"west: Resources of the site"}
	if d := cmp.Diff(want, foreseen.changed) + cmp.Diff(want, done.changed); d != "" {
		t.Errorf("one listener is another:\n%s", d)
	}
	r.echo(t, 17011)
	if now := r.pid(t); now != pid {
		t.Errorf("the router of process %s is now %s", pid, now)
	}

	r.moves(t)

	gone := []string{"--extra-vars", "skupper_state=absent"}
	foreseen = r.play(t, append(gone, "--check", "--limit", "west")...)
	done = r.play(t, gone...)
	if d := cmp.Diff(foreseen.changed, of(done.changed, "west")); d != "" {
		t.Errorf("what check mode foresees of a removal, and what is done:\n%s", d)
	}
	if d := cmp.Diff(before, r.files(t)); d != "" {
		t.Errorf("left behind:\n%s", d)
	}
	r.methods(t)
	r.takesOver(t)
}

// moves has the router of west run in each of the engines, and as a process again.
// What the site is stays, and so do its links and services.
func (r *rig) moves(t *testing.T) {
	t.Helper()
	identity := func() string { // keys, router id, site id, ports
		return r.west.Sh(t, "sh", "-c", `cd /var/lib/skupper/namespaces/default/runtime && sha256sum issuers/*/* certs/*/tls.* &&
			grep -E '"(id|port|metadata)":' router/skrouterd.json | sed 's/..platform.*//'`)
	}
	before := identity()
	r.west.Sh(t, "systemctl", "start", "docker.service")
	for _, platform := range []string{"podman", "docker", "linux"} {
		move := []string{"--limit", "west", "--extra-vars", "skupper_platform=" + platform, "../playbooks/migrate.yml"}
		var foreseen outcome
		if platform == "podman" {
			foreseen = r.play(t, append([]string{"--check", "--diff"}, move...)...)
			if !strings.Contains(foreseen.text, "+platform: podman") {
				t.Errorf("the difference lacks the platform:\n%s", foreseen.text)
			}
			r.echo(t, 17011)
		}
		done := r.play(t, move...)
		if d := cmp.Diff(foreseen.changed, done.changed); platform == "podman" && d != "" || !slices.Contains(done.changed, "west: Move them") {
			t.Errorf("to %s: what check mode foresees, and what is done:\n%s%v", platform, d, done.changed)
		}
		r.echo(t, 17011)
		if said := r.west.Sh(t, "skupper", "system", "status", "-o", "json"); !strings.Contains(said, `"platform": "`+platform+`"`) {
			t.Errorf("the platform is not %s: %s", platform, said)
		}
		if now := identity(); now != before {
			t.Errorf("on %s the site is another one (-before +now):\n%s", platform, cmp.Diff(before, now))
		}
	}
	if again := r.play(t, "--limit", "west", "--extra-vars", "skupper_platform=linux", "../playbooks/migrate.yml"); len(again.changed) > 0 {
		t.Errorf("the second move to the same platform changes %v", again.changed)
	}
}

// methods installs skupper in the other ways, with all that the role can add,
// tries what cannot be, and takes everything away again.
func (r *rig) methods(t *testing.T) {
	t.Helper()
	r.offer(t)
	before := r.files(t)
	hosts := []string{"-i", "methods.yml"}

	foreseen := r.play(t, append(hosts, "--check", "--diff")...)
	if d := cmp.Diff(before, r.files(t)); d != "" {
		t.Fatalf("check mode changes files:\n%s", d)
	}
	done := r.play(t, hosts...)
	if d := cmp.Diff(foreseen.changed, done.changed); d != "" {
		t.Errorf("what check mode foresees, and what is done:\n%s", d)
	}
	for _, want := range []string{
		"ann: Fetch the program", "ann: Resources of the site", "shop: Say that the bundle was installed",
		"west: Network observer", "west: Ports in the firewall", "west: Say that the package was installed", "west: Settings of the program",
	} {
		if !slices.Contains(done.changed, want) {
			t.Errorf("%q is not among the changes %q", want, done.changed)
		}
	}
	if again := r.play(t, hosts...); len(again.changed) > 0 {
		t.Errorf("the second run changes %v", again.changed)
	}
	if said := r.east.Sh(t, "skupper", "-n", "shop", "site", "status", "--no-headers"); !strings.Contains(said, "Ready") {
		t.Errorf("the site of the bundle: %s", said)
	}
	if said := r.west.Sh(t, "cat", "/etc/ufw/applications.d/skupper-sites", "/run/ufw.log"); !strings.Contains(said, "ports=9090,45671,55671/tcp\napp update skupper-sites\nallow skupper-sites\n") {
		t.Errorf("the firewall was told:\n%s", said)
	}

	r.wrong(t)

	keys := func() string { return r.west.Sh(t, "skupper", "cert", "list", "-o", "json") }
	old := keys()
	if renewed := r.play(t, "-i", "methods.yml", "--limit", "west", "--extra-vars", "skupper_within_days=400", "../playbooks/rotate_certs.yml"); len(renewed.changed) != 1 || keys() == old {
		t.Errorf("the renewal of certificates changes %v", renewed.changed)
	}

	r.play(t, append(hosts, "--extra-vars", "skupper_state=absent")...)
	if d := cmp.Diff(before, r.files(t)); d != "" {
		t.Errorf("left behind:\n%s", d)
	}
	if said := r.west.Sh(t, "tail", "-n", "1", "/run/ufw.log"); said != "delete allow skupper-sites\n" {
		t.Errorf("the firewall was told at last: %s", said)
	}
}

// takesOver has a host's agent take the place of upstream's controller, and go on with
// a site that upstream made.
func (r *rig) takesOver(t *testing.T) {
	t.Helper()
	before := r.files(t)
	const unit, home = "/etc/systemd/system/skupper-controller.service", "/var/lib/skupper/namespaces/west"
	r.east.Write(t, unit, []byte("[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"), 0o644)
	r.east.Sh(t, "systemctl", "enable", "--now", "skupper-controller.service")
	if err := os.CopyFS(r.east.Path(home), os.DirFS("../../../testdata/namespaces/upstream-linux/west")); err != nil {
		t.Fatal(err)
	}
	keys := func() string {
		return r.east.Sh(t, "sh", "-c", "cd "+home+"/runtime && sha256sum issuers/*/* && grep -E '\"id\":' router/skrouterd.json | tr -d ' ,'")
	}
	given, files := keys(), r.files(t)

	take := []string{"-i", "upstream.yml", "--extra-vars", "skupper_package_file=" + filepath.Join(r.dir, "skupper.deb"), "../playbooks/migrate_from_upstream.yml"}
	foreseen := r.play(t, append([]string{"--check", "--diff"}, take...)...)
	if d := cmp.Diff(files, r.files(t)); d != "" {
		t.Errorf("check mode changes files:\n%s", d)
	}
	done := r.play(t, take...)
	if d := cmp.Diff(foreseen.changed, done.changed); d != "" {
		t.Errorf("what check mode foresees, and what is done:\n%s", d)
	}
	if now := keys(); now != given {
		t.Errorf("it is another site (-given +now):\n%s", cmp.Diff(given, now))
	}
	if said := r.east.Sh(t, "skupper", "-n", "west", "site", "status", "--no-headers"); !strings.Contains(said, "Ready") {
		t.Errorf("the site: %s", said)
	}
	if said := r.east.Sh(t, "sh", "-c", "systemctl is-active skupper-controller.service; systemctl is-enabled skupper-controller.service; true"); said != "inactive\ndisabled\n" {
		t.Errorf("upstream's controller is %s", said)
	}
	if again := r.play(t, take...); len(again.changed) > 0 {
		t.Errorf("the second run changes %v", again.changed)
	}
	r.play(t, "-i", "upstream.yml", "--extra-vars", "skupper_install_method=none", "../playbooks/remove.yml")
	r.east.Sh(t, "rm", unit)
	if d := cmp.Diff(before, r.files(t)); d != "" {
		t.Errorf("left behind:\n%s", d)
	}
}

// rpmSpec is of a package with the program alone.
const rpmSpec = `Name: skupper
Version: 0.1
Release: 1
Summary: test
License: Apache-2.0
AutoReqProv: no
%define debug_package %{nil}
%define __os_install_post %{nil}
%description
test
%install
mkdir -p %{buildroot}
cp -a %{source}/usr %{buildroot}/
%files
/usr/bin/skupper
`

// offer puts onto west what hosts fetch, and a firewall that notes what it is
// told.
func (r *rig) offer(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "skupper.spec"), []byte(rpmSpec), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "rpmbuild", "-bb", "--quiet", "--define", "_topdir "+filepath.Join(r.dir, "rpm"), "--define", "_rpmdir "+r.dir, "--define", "_build_name_fmt skupper.rpm",
		"--define", "_dbpath "+filepath.Join(r.dir, "rpmdb"), "--define", "_binary_payload w0.gzdio", "--define", "source "+filepath.Join(r.dir, "package"), filepath.Join(r.dir, "skupper.spec"))
	bundle := filepath.Join(r.dir, "shop.sh")
	pack := exec.Command(filepath.Join(r.dir, "skupper"), "--user", "system", "generate-bundle", "shop", "--input", "east", "--type", "shell-script", "--include-binary", "--output", bundle)
	pack.Env = append(os.Environ(), "XDG_DATA_HOME="+filepath.Join(r.dir, "data"), "XDG_RUNTIME_DIR="+filepath.Join(r.dir, "run"))
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("the bundle: %v\n%s", err, out)
	}
	r.env = append(r.env, "BUNDLE="+bundle)
	for name, file := range map[string]string{"SUM_RPM": "skupper.rpm", "SUM_PROGRAM": "skupper"} {
		data, err := os.ReadFile(filepath.Join(r.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		r.west.Write(t, "/srv/"+file, data, 0o644)
		r.env = append(r.env, fmt.Sprintf("%s=%x", name, sha256.Sum256(data)))
	}
	r.west.Write(t, "/usr/local/bin/ufw", []byte("#!/bin/sh\necho \"$*\" >>/run/ufw.log\n"), 0o755)
	r.west.Sh(t, "mkdir", "-p", "/etc/ufw/applications.d")
	r.west.Sh(t, "systemd-run", "--quiet", "--unit=files", "/usr/bin/python3", "-m", "http.server", "--directory", "/srv", "8000")
}

// wrong has hosts told what cannot be: it is said why, and nothing is changed.
func (r *rig) wrong(t *testing.T) {
	t.Helper()
	before := r.files(t)
	o, err := r.run(t, "-i", "wrong.yml")
	if err == nil {
		t.Errorf("nothing is refused:\n%s", o.text)
	}
	for host, why := range map[string]string{
		"platform":    "skupper_platform is lxc: it is linux, podman or docker",
		"key":         "listener db: prot: not one of name, port",
		"unsure":      "needs its skupper_checksum",
		"checksum":    "did not match 0000000000",
		"unreachable": "Connection refused",
		"nofile":      "/nowhere/shop.sh",
		"yaml":        "skupper system apply: YAML: did not find expected",
		"field":       "spec.port: 70000 is out of range",
	} {
		if !regexp.MustCompile(`(?m)^(fatal|failed): \[` + host + `\].*` + regexp.QuoteMeta(why)).MatchString(o.text) {
			t.Errorf("%s: nobody says %q:\n%s", host, why, o.text)
		}
	}
	if d := cmp.Diff(before, r.files(t)); d != "" || len(o.changed) > 0 {
		t.Errorf("what is refused changes %v:\n%s", o.changed, d)
	}
}

// of are the changes of one host.
func of(changed []string, host string) []string {
	return slices.DeleteFunc(slices.Clone(changed), func(line string) bool { return !strings.HasPrefix(line, host+":") })
}

// need skips a test without its programs.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed: run make test-deps", p)
		}
		t.Skipf("%s is not installed: run make test-deps", p)
	}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir()}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	r.program(t)
	places := filepath.Join(r.dir, "ansible_collections", "skupper_host")
	if err := os.MkdirAll(places, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(here), filepath.Join(places, "site")); err != nil {
		t.Fatal(err)
	}
	ns := []string{fmt.Sprintf("answ%d", os.Getpid()), fmt.Sprintf("anse%d", os.Getpid())}
	for i, n := range ns {
		run(t, "ip", "netns", "add", n)
		t.Cleanup(func() { run(t, "ip", "netns", "del", n) })
		run(t, "ip", "-n", n, "link", "set", "lo", "up")
		if i > 0 {
			run(t, "ip", "link", "add", "eth0", "netns", ns[0], "type", "veth", "peer", "name", "eth0", "netns", n)
		}
	}
	for i, n := range ns {
		run(t, "ip", "-n", n, "address", "add", fmt.Sprintf("10.77.0.%d/24", i+1), "dev", "eth0")
		run(t, "ip", "-n", n, "link", "set", "eth0", "up")
	}
	run(t, "ip", "netns", "exec", ns[0], "sysctl", "-q", "-w", "net.ipv4.ip_forward=1") // Docker wants it, and cannot set it inside
	r.west = box.New(t, box.Options{Network: ns[0], Keep: []string{"docker.service", "docker.socket", "containerd.service"}, Size: "3g"})
	r.east = box.New(t, box.Options{Network: ns[1]})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journal of west:\n%s\njournal of east:\n%s", r.west.Journal(), r.east.Journal())
		}
	})
	r.east.Sh(t, "useradd", "--create-home", "--shell", "/bin/sh", "ann")
	r.east.Sh(t, "loginctl", "enable-linger", "ann")
	r.east.Write(t, "/opt/echo.py", []byte(echoServer), 0o644)
	r.east.Sh(t, "systemd-run", "--quiet", "--unit=echo", "/usr/bin/python3", "/opt/echo.py")
	r.env = append(os.Environ(),
		"BOX_WEST="+r.west.Name(), "BOX_EAST="+r.east.Name(), "BOX_SCRIPT="+filepath.Join(here, "../../../internal/box/box.sh"),
		"SKUPPER="+filepath.Join(r.dir, "skupper"), "SKUPPER_DEB="+filepath.Join(r.dir, "skupper.deb"), "EAST_FILES="+filepath.Join(here, "east"),
		"ANSIBLE_CONFIG="+filepath.Join(here, "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH="+r.dir, "ANSIBLE_HOME="+r.dir,
		"ANSIBLE_LOCAL_TEMP="+filepath.Join(r.dir, "tmp"), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1",
	)
	return r
}

// echoServer answers with what it is sent.
const echoServer = `import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            data = self.request.recv(4096)
            if not data:
                return
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("127.0.0.1", 17000), Echo).serve_forever()
`

// echoClient waits until its argument, a port, echoes.
const echoClient = `import socket, sys, time
limit = time.monotonic() + 30
while True:
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 3) as s:
            s.settimeout(3)
            s.sendall(b"over there")
            if s.recv(100) == b"over there":
                sys.exit(0)
    except OSError as e:
        if time.monotonic() > limit:
            raise
    time.sleep(0.05)
`

// program builds skupper, and a package of it as dpkg takes it.
func (r *rig) program(t *testing.T) {
	t.Helper()
	root := filepath.Join(r.dir, "package")
	for _, dir := range []string{"DEBIAN", "usr/bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", filepath.Join(r.dir, "skupper"), "../../../cmd/skupper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Link(filepath.Join(r.dir, "skupper"), filepath.Join(root, "usr/bin/skupper")); err != nil {
		t.Fatal(err)
	}
	control := "Package: skupper\nVersion: 0.1\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: test\n"
	if err := os.WriteFile(filepath.Join(root, "DEBIAN/control"), []byte(control), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "dpkg-deb", "--root-owner-group", "-Znone", "--build", root, filepath.Join(r.dir, "skupper.deb"))
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", args, err, out)
	}
}

// outcome is what a run of the playbook did.
type outcome struct {
	changed []string // "host: task", sorted
	text    string
}

// play runs the playbook, or the one that args end in.
func (r *rig) play(t *testing.T, args ...string) outcome {
	t.Helper()
	o, err := r.run(t, args...)
	if err != nil {
		t.Fatalf("ansible-playbook %v: %v\n%s", args, err, o.text)
	}
	return o
}

// run is play, which may fail.
func (r *rig) run(t *testing.T, args ...string) (outcome, error) {
	t.Helper()
	record := filepath.Join(r.dir, "changes")
	if err := os.WriteFile(record, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(args) == 0 || !strings.HasPrefix(args[len(args)-1], "../playbooks/") {
		args = append(args, "play.yml")
	}
	cmd := exec.Command("ansible-playbook", args...)
	cmd.Env = append(r.env, "CHANGES="+record)
	out, failed := cmd.CombinedOutput()
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	o := outcome{text: string(out), changed: strings.FieldsFunc(string(data), func(c rune) bool { return c == '\n' })}
	slices.Sort(o.changed)
	o.changed = slices.Compact(o.changed)
	t.Logf("%v: %d changed, %.1f s of processor time", args, len(o.changed), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	return o, failed
}

// ours is where skupper and the collection put things, on the hosts' disks.
var ours = regexp.MustCompile("skupper|^/(opt|root|home|usr/local|etc/systemd|var/cache)/")

// files lists what was written there.
func (r *rig) files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, b := range []*box.Box{r.west, r.east} {
		upper := b.Path("../upper")
		err := filepath.WalkDir(upper, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // meanwhile
			}
			name := strings.TrimPrefix(path, upper)
			switch {
			case err != nil:
				return err
			case d.IsDir() && slices.Contains([]string{".ansible", ".cache", ".rpmdb", "log", "rpm", "tmp"}, d.Name()):
				return fs.SkipDir
			case ours.MatchString(name) && (!d.IsDir() || strings.Contains(d.Name(), "skupper")):
				all = append(all, b.Name()+":"+name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// echo waits until a listener of west's host leads to the server of east's.
func (r *rig) echo(t *testing.T, port int) {
	t.Helper()
	r.west.Sh(t, "python3", "-c", echoClient, fmt.Sprint(port))
}

// pid is that of the router of west.
func (r *rig) pid(t *testing.T) string {
	t.Helper()
	return r.west.Sh(t, "systemctl", "show", "--property=MainPID", "skupper-default.service")
}

// keepsSecrets looks for keys and codes in what Ansible said.
func (r *rig) keepsSecrets(t *testing.T, o outcome) {
	t.Helper()
	grants := r.west.Sh(t, "sh", "-c", "cat /var/lib/skupper/namespaces/default/internal/state.json; ls /var/lib/skupper/namespaces/default/input/resources")
	if !strings.Contains(grants, "AccessGrant-east-lab.yaml") {
		t.Errorf("no grant was made for east:\n%s", grants)
	}
	key := r.east.Sh(t, "sh", "-c", "sed -n 's/^ *tls.key: //p' /home/ann/.local/share/skupper/namespaces/lab/input/resources/Secret-west.yaml")
	if len(key) < 60 {
		t.Fatalf("east has no key of its link: %q", key)
	}
	for _, secret := range []string{"PRIVATE KEY", key[:60]} {
		if strings.Contains(o.text, secret) {
			t.Errorf("the output holds a secret: %s", secret)
		}
	}
}
