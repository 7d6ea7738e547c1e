package box

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed box.sh
var script string

// home is where the boxes' file systems are mounted.
const home = "/run/skupper-box"

// Options of a box. The zero value is a host of its own without a network.
type Options struct {
	Network string   // the network namespace that it lives in, of `ip netns add`
	Keep    []string // units of the machine's packages that shall start inside, as docker.service
	Lower   string   // another root file system to boot than /
	Size    string   // of what may be written, as tmpfs takes it; 1g where empty
}

// Box is a booted host.
type Box struct {
	name  string
	lower string
	env   []string
}

// New boots a host; the end of the test takes it down. The test is skipped where
// no box can be booted; a missing program is an error where CI is true.
func New(t testing.TB, o Options) *Box {
	t.Helper()
	Need(t)
	removeLeft(t)
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(home, fmt.Sprintf("b%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	lower := cmp.Or(o.Lower, "/")
	b := &Box{
		name:  filepath.Base(dir),
		lower: lower,
		env:   []string{"BOX_NETNS=" + o.Network, "BOX_KEEP=" + strings.Join(o.Keep, " "), "BOX_LOWER=" + lower, "BOX_SIZE=" + o.Size},
	}
	t.Cleanup(func() { b.do(t, "down") })
	b.booted(t, b.do(t, "up"))
	return b
}

// Need skips a test where no box can be booted.
func Need(t testing.TB) {
	t.Helper()
	if raceDetector {
		t.Skip("the processes of a box share no memory with the test, and start too slowly beside the race detector")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root boots a box")
	}
	for _, tool := range []string{"systemd-nspawn", "nsenter"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed: run make test-deps", tool)
		}
		t.Skipf("%s is not installed: run make test-deps", tool)
	}
}

// removeLeft takes down the boxes of processes that were killed.
func removeLeft(t testing.TB) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(home, "b*-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range left {
		name := filepath.Base(dir)
		process, _, _ := strings.Cut(name[1:], "-")
		if _, err := os.Stat("/proc/" + process); errors.Is(err, os.ErrNotExist) {
			(&Box{name: name}).do(t, "down")
		}
	}
}

func (b *Box) command(verb string, args ...string) *exec.Cmd {
	cmd := exec.Command("bash", append([]string{"-c", script, "box", verb, b.name}, args...)...)
	cmd.Env = append(os.Environ(), b.env...)
	return cmd
}

// do runs a verb of the script.
func (b *Box) do(t testing.TB, verb string) string {
	t.Helper()
	return must(t, b.command(verb), verb)
}

func must(t testing.TB, cmd *exec.Cmd, what string) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", what, err, out)
	}
	return string(out)
}

// booted checks what systemd says of the host. It may be degraded, by units of
// the machine that need what a box does not have.
func (b *Box) booted(t testing.TB, state string) {
	t.Helper()
	if !strings.Contains(state, "running") && !strings.Contains(state, "degraded") {
		t.Fatalf("the box is %q", state)
	}
}

// Name is the host's name.
func (b *Box) Name() string { return b.name }

// Path is where a file of the box is, seen from outside.
func (b *Box) Path(inside string) string { return filepath.Join(home, b.name, "root", inside) }

// Put copies a file into the box, with its mode.
func (b *Box) Put(t testing.TB, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(t, to, data, info.Mode().Perm())
}

// Write puts a file into the box.
func (b *Box) Write(t testing.TB, to string, data []byte, mode os.FileMode) {
	t.Helper()
	path := b.Path(to)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// Command is a command inside, as root.
func (b *Box) Command(args ...string) *exec.Cmd { return b.command("sh", args...) }

// CommandAs is a command inside, in a login session of a user. Its standard
// output and error are as its own; it ends with the command's exit code.
func (b *Box) CommandAs(user string, args ...string) *exec.Cmd {
	return b.command("as", append([]string{user}, args...)...)
}

// Sh runs a command inside as root, which must succeed, and returns what it
// printed.
func (b *Box) Sh(t testing.TB, args ...string) string {
	t.Helper()
	return must(t, b.Command(args...), "root: "+strings.Join(args, " "))
}

// As is Sh in a login session of a user.
func (b *Box) As(t testing.TB, user string, args ...string) string {
	t.Helper()
	return must(t, b.CommandAs(user, args...), user+": "+strings.Join(args, " "))
}

// Journal is the end of the host's journal, for a test that failed.
func (b *Box) Journal() string {
	out, err := b.Command("journalctl", "--no-pager", "-n", "80", "-o", "short-monotonic").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("no journal: %v: %s", err, out)
	}
	return string(out)
}

// Reboot restarts the host in order; its disk stays.
func (b *Box) Reboot(t testing.TB) {
	t.Helper()
	b.booted(t, b.do(t, "reboot"))
}

// Crash cuts the power, and boots again.
func (b *Box) Crash(t testing.TB) {
	t.Helper()
	b.booted(t, b.do(t, "crash"))
}
