package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/internal/box"
)

// root is the checkout.
const root = "../.."

// TestPackages builds the packages of two versions, and lives through what an
// administrator does with them, on hosts with systemd.
func TestPackages(t *testing.T) {
	t.Parallel()
	box.Need(t)
	for _, tool := range []string{"dpkg", "lintian", "rpm", "rpmlint", "python3", "podman", "dockerd"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed: run make test-deps", tool)
			}
			t.Skipf("%s is not installed: run make test-deps", tool)
		}
	}
	dir := made(t)
	t.Run("deb", func(t *testing.T) {
		t.Parallel()
		inside(t, dir, "deb", "bare", "archive")
	})
	t.Run("rpm", func(t *testing.T) {
		t.Parallel()
		inside(t, dir, "rpm")
	})
	t.Run("lintian", func(t *testing.T) {
		t.Parallel()
		lintian(t, filepath.Join(dir, "packages/skupper_2.0.1-1_amd64.deb"))
	})
	t.Run("rpmlint", func(t *testing.T) {
		t.Parallel()
		rpmlint(t, filepath.Join(dir, "packages/skupper-2.0.1-1.x86_64.rpm"))
	})
	t.Run("arm64", func(t *testing.T) {
		t.Parallel()
		otherArchitecture(t, dir)
	})
}

// made is a directory with the packages of two versions, in packages, and what
// they were made with.
func made(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	// The flags are those of make build, whose compiled packages serve here too.
	must(t, goBuild("-modfile=tools/package.mod", "-o", filepath.Join(dir, "nfpm"), "github.com/goreleaser/nfpm/v2/cmd/nfpm"))
	must(t, goBuild("-o", filepath.Join(dir, "pack"), "./internal/pack"))
	for _, version := range []string{"2.0.0", "2.0.1"} {
		program := filepath.Join(dir, "skupper-"+version)
		must(t, goBuild("-ldflags", "-s -w -X main.version="+version, "-o", program, "./cmd/skupper"))
		build(t, program, version, "amd64", filepath.Join(dir, "packages"))
	}
	return dir
}

func goBuild(args ...string) *exec.Cmd {
	return exec.Command("go", append([]string{"build", "-trimpath", "-buildvcs=false"}, args...)...)
}

func lintian(t *testing.T, deb string) {
	out := must(t, exec.Command("lintian", "--allow-root", "--tag-display-limit", "0", "-I", "--fail-on", "error,warning", deb))
	if strings.Contains(out, "W: ") || strings.Contains(out, "E: ") {
		t.Errorf("lintian:\n%s", out)
	}
}

// rpmlint is run as nobody: as root it would unpack what it looks at into /.
func rpmlint(t *testing.T, rpm string) {
	dir, err := os.MkdirTemp("", "rpmlint")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{rpm: filepath.Base(rpm), filepath.Join(root, "packaging/rpm/rpmlint.toml"): "rpmlint.toml"} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := must(t, exec.Command("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "-C", dir, "HOME=/nonexistent",
		"rpmlint", "-c", "rpmlint.toml", filepath.Base(rpm)))
	if !strings.Contains(out, "; 0 errors, 0 warnings") {
		t.Errorf("rpmlint:\n%s", out)
	}
}

// otherArchitecture has a program, a small one, packed twice under the name of
// another machine.
func otherArchitecture(t *testing.T, dir string) {
	first, again := t.TempDir(), t.TempDir()
	build(t, filepath.Join(dir, "pack"), "2.0.1", "arm64", first)
	build(t, filepath.Join(dir, "pack"), "2.0.1", "arm64", again)
	packages, err := filepath.Glob(filepath.Join(again, "*"))
	if err != nil || len(packages) != 3 {
		t.Fatalf("made %v: %v", packages, err)
	}
	for _, path := range packages {
		if sum(t, path) != sum(t, filepath.Join(first, filepath.Base(path))) {
			t.Errorf("%s: made again it is not the same", filepath.Base(path))
		}
	}
	if got := must(t, exec.Command("dpkg-deb", "-f", filepath.Join(first, "skupper_2.0.1-1_arm64.deb"), "Architecture")); got != "arm64\n" {
		t.Errorf("the DEB is for %s", got)
	}
	got := must(t, exec.Command("rpm", "-qp", "--nosignature", "--qf", "%{ARCH}", filepath.Join(first, "skupper-2.0.1-1.aarch64.rpm")))
	if !strings.HasSuffix(got, "aarch64") {
		t.Errorf("the RPM is for %s", got)
	}
}

// build packs a program, for an architecture, with the tools beside it.
func build(t *testing.T, program, version, arch, into string) {
	t.Helper()
	dir := filepath.Dir(program)
	cmd := exec.Command(filepath.Join(dir, "pack"), "-program", program, "-version", version, "-arch", arch, "-into", into, "-nfpm", filepath.Join(dir, "nfpm"))
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
	must(t, cmd)
}

// inside runs parts of testdata/inside.sh in a host of its own, each of which
// leaves the disk as it was.
func inside(t *testing.T, dir string, parts ...string) {
	b := box.New(t, box.Options{Keep: []string{"docker.service", "docker.socket", "containerd.service"}})
	files, err := filepath.Glob(filepath.Join(dir, "packages/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		b.Put(t, path, "/packages/"+filepath.Base(path))
	}
	b.Put(t, "testdata/inside.sh", "/packages/inside.sh")
	b.Sh(t, "rm", "-f",
		"/usr/sbin/policy-rc.d",       // services may be started and stopped here
		"/var/lib/man-db/auto-update") // the index of all manual pages takes its time
	b.Sh(t, "mkdir", "-p", "/usr/share/licenses") // as every host has it that has RPM
	for _, part := range parts {
		before := disk(t, b)
		if out, err := b.Command("bash", "/packages/inside.sh", part).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s\njournal:\n%s", part, err, tail(out), b.Journal())
		}
		if d := box.Difference(before, disk(t, b)); len(d) > 0 {
			t.Errorf("%s: not all is as before:\n%s", part, strings.Join(d, "\n"))
		}
	}
}

// disk is what is compared: everything but the databases of packages, what
// container engines do at boot, and the accounts: that of the routers stays, as
// files may belong to it.
func disk(t *testing.T, b *box.Box) map[string]string {
	t.Helper()
	but := []string{"/var/lib/dpkg", "/var/lib/rpm", "/root/.rpmdb", "/var/lib/containers", "/var/lib/docker", "/var/lib/containerd", "/opt/containerd", "/etc/docker"}
	for _, name := range []string{"passwd", "group", "shadow", "gshadow"} {
		but = append(but, "/etc/"+name, "/etc/"+name+"-")
	}
	return b.Files(t, but...)
}

func must(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	cmd.Dir = root
	if cmd.Env == nil {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, tail(out))
	}
	return string(out)
}

// tail is the end of a long output.
func tail(out []byte) []byte {
	lines := bytes.SplitAfter(out, []byte("\n"))
	return bytes.Join(lines[max(len(lines)-60, 0):], nil)
}

func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

// TestScripts has a linter read every shell script.
func TestScripts(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("shellcheck"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("shellcheck is not installed: run make test-deps")
		}
		t.Skip("shellcheck is not installed: run make test-deps")
	}
	must(t, exec.Command("shellcheck", ".ci/run", ".ci/test-deps", "packaging/install.sh",
		"packaging/deb/postinst", "packaging/deb/prerm", "packaging/deb/postrm", "packaging/rpm/post", "packaging/rpm/preun", "packaging/rpm/postun",
		"internal/box/box.sh", "internal/pack/testdata/inside.sh"))
}
