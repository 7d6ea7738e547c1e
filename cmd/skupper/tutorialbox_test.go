package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/skupper-host/skupper/internal/box"
)

// TestTutorialsOnHosts types the tutorials for systemd, for podman with the
// network observer, and for Docker, as somebody who may use sudo and has just
// been given two hosts with systemd. Each of them ends with a host as it was.
func TestTutorialsOnHosts(t *testing.T) {
	t.Parallel()
	box.Need(t)
	for _, tool := range []string{"sudo", "curl", "podman", "dockerd", "runc", "newuidmap", "slirp4netns"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed: run make test-deps", tool)
			}
			t.Skipf("%s is not installed: run make test-deps", tool)
		}
	}
	program := builtProgram(t)
	town := newTown(t, "west", "east")
	pupils := map[string]*pupil{}
	for name, h := range town.hosts {
		pupils[name] = newPupil(t, h, town.hosts["west"].address)
	}
	west, east := pupils["west"], pupils["east"]
	east.at.echo("127.0.0.1:5432", "")
	for _, lesson := range []struct{ document, section, visit, visitSection string }{
		{document: "docs/systemd.md", section: "## Five minutes"},
		{document: "docs/containers.md", section: "## With podman", visit: "docs/network-observer.md", visitSection: "## Five minutes"},
		{document: "docs/containers.md", section: "## With Docker"},
	} {
		if lesson.document == "docs/systemd.md" { // which starts before there is a program
			west.b.Put(t, program, "/home/ann/skupper")
			east.b.Put(t, program, "/home/ann/skupper")
		}
		before := map[*pupil]map[string]string{west: diskOf(t, west.b, "ann"), east: diskOf(t, east.b, "ann")}
		if lesson.document != "docs/systemd.md" {
			west.b.Put(t, program, "/usr/local/bin/skupper")
			east.b.Put(t, program, "/usr/local/bin/skupper")
		}
		used := 0
		for _, s := range steps(t, lesson.document, lesson.section) {
			p := pupils[s.host]
			switch {
			case p == nil:
				t.Fatalf("%s: there is no host %s", lesson.document, s.host)
			case strings.HasPrefix(s.line, "psql "): // its server is another one here
				_ = west.at.through("127.0.0.1:5432").Close() // a router that ends waits for its connections
				used++
				if lesson.visit != "" {
					for _, s := range steps(t, lesson.visit, lesson.visitSection) {
						pupils[s.host].types(t, s, nil)
					}
				}
			default:
				p.types(t, s, pupils)
			}
		}
		if used == 0 {
			t.Errorf("%s: nobody uses the database", lesson.document)
		}
		for p, files := range before {
			p.leaves(t, lesson.section, files)
		}
	}
}

// pupil is ann at one of the hosts.
type pupil struct {
	b  *box.Box
	at *computer
}

func newPupil(t *testing.T, at *computer, west string) *pupil {
	t.Helper()
	at.town.ip("netns", "exec", at.ns, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1") // Docker wants it, and cannot set it inside
	b := box.New(t, box.Options{Network: at.ns, Keep: []string{"docker.service", "docker.socket", "containerd.service"}, Size: "2g"})
	// On this disk podman's usual driver works once, and never again.
	b.Write(t, "/etc/containers/storage.conf", []byte("[storage]\ndriver = \"vfs\"\nrunroot = \"/run/containers/storage\"\ngraphroot = \"/var/lib/containers/storage\"\n"), 0o644)
	b.Sh(t, "rm", "-rf", "/var/lib/containers/storage") // of a service at boot
	b.Sh(t, "useradd", "--create-home", "--shell", "/bin/bash", "ann")
	b.Write(t, "/etc/sudoers.d/ann", []byte("ann ALL=(ALL) NOPASSWD: ALL\n"), 0o440)
	b.Write(t, "/etc/hosts", []byte("127.0.0.1 localhost "+b.Name()+"\n"+west+" west.example.com\n"), 0o644)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journal:\n%s", b.Journal())
		}
	})
	return &pupil{b, at}
}

// carried matches a file that goes from one host to another.
var carried = regexp.MustCompile(`^[\w-]+\.token$`)

// types is a step at the host. A file that it wants and the host lacks has been
// carried here by ann, if it is hers.
func (p *pupil) types(t *testing.T, s step, from map[string]*pupil) {
	t.Helper()
	for word := range strings.FieldsSeq(s.line) {
		here := p.b.Path("/home/ann/" + word)
		if _, err := os.Stat(here); err == nil || !carried.MatchString(word) {
			continue
		}
		for _, other := range from {
			there, err := os.Stat(other.b.Path("/home/ann/" + word))
			if err != nil {
				continue
			}
			home, err := os.Stat(other.b.Path("/home/ann"))
			if err != nil {
				t.Fatal(err)
			}
			if owner := home.Sys().(*syscall.Stat_t).Uid; there.Sys().(*syscall.Stat_t).Uid == owner {
				p.b.Put(t, other.b.Path("/home/ann/"+word), "/home/ann/"+word)
				p.b.Sh(t, "chown", "ann:ann", "/home/ann/"+word)
			}
		}
	}
	if packages, ok := strings.CutPrefix(s.line, "sudo apt-get install "); ok { // they are here; that is what they are called
		p.b.Sh(t, append([]string{"dpkg-query", "--show"}, strings.Fields(packages)...)...)
		return
	}
	types(t, s, func() *exec.Cmd { return p.b.CommandAs("ann", "bash", "-c", s.line) })
}

// leaves checks that nothing stays of a lesson but what the document says: the
// token, archives of sites, and the user of the routers.
func (p *pupil) leaves(t *testing.T, lesson string, before map[string]string) {
	t.Helper()
	p.b.Sh(t, "sh", "-c", "rm -rf /home/ann/*.token /home/ann/.local/share/skupper /usr/local/bin/skupper; ! id skupper 2>/dev/null || userdel skupper")
	after := diskOf(t, p.b, "ann")
	left := slices.DeleteFunc(box.Difference(before, after), func(line string) bool {
		return strings.HasPrefix(line, "/home/ann/.local/share was") // when it was written
	})
	if len(left) > 0 {
		t.Errorf("%s: it left:\n%s", lesson, strings.Join(left, "\n"))
	}
}
