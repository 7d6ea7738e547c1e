package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/layout"
)

// asProgram has the test binary be the program: for the scripts, and for the
// agents and routers that they start.
const asProgram = "SKUPPER_TEST_PROGRAM"

func TestMain(m *testing.M) {
	// Routers and the agents of units get an environment of their own; the
	// command line tells them.
	daemon := len(os.Args) > 1 && slices.Contains([]string{"router", "controller", "network-observer", "grant-server"}, os.Args[1])
	if os.Getenv(asProgram) != "" || daemon {
		dieAtStep(os.Getenv(killAt))
		main()
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", beside); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	_ = os.RemoveAll(builtDir) // where nothing was built it is not there
	os.Exit(code)
}

// builtDir is where builtProgram is.
var builtDir = filepath.Join(os.TempDir(), fmt.Sprintf("skupper-built-%d", os.Getpid()))

var build = sync.OnceValue(func() error {
	// The flags are those of make build, whose compiled packages serve here too.
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=2.0.0", "-o", filepath.Join(builtDir, "skupper"), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// builtProgram is the program as people get it, version 2.0.0, for other hosts:
// that of the tests is too large, and linked dynamically. It is built once.
func builtProgram(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(builtDir, "skupper")
}

// beside is how many tests run beside each other, of those that may, unless
// -parallel says it: they wait for processes and booted hosts most of their time.
const beside = "3"

// raceOptions is the GORACE of the programs that tests run. With the race
// detector each waits a second before it exits, to hear of more races; tests
// run hundreds of them.
func raceOptions() string {
	return strings.TrimSpace(os.Getenv("GORACE") + " atexit_sleep_ms=20")
}

// TestScripts runs what a person types: testdata/script/*.txt. Each script has
// a home of its own; whatever it started has ended when it is over.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupScript,
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": freePort,
			"occupy":   occupy,
			"echo":     serveEcho,
			"talk":     talk,
			"killpid":  killPID,
			"until":    until,
			"follow":   follow,
			"heard":    heard,
			"https":    httpsAnswers,
			"renewed":  renewed,
			"agrees":   agrees,
			"mode":     checkMode,
			"exits":    exitStatusIs,
		},
	})
}

// setupScript gives a script the program and a home. Sockets lie in a short
// directory: their paths are bounded.
func setupScript(env *testscript.Env) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Join(env.WorkDir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(bin, "skupper")); err != nil {
		return err
	}
	sites, err := filepath.Abs("../../testdata/sites")
	if err != nil {
		return err
	}
	run, err := os.MkdirTemp("", "sk")
	if err != nil {
		return err
	}
	env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
	env.Setenv(asProgram, "1")
	env.Setenv("GORACE", raceOptions())
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("XDG_RUNTIME_DIR", run)
	env.Setenv("SKUPPER_AGENT_INSTANCE", "user")
	env.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	env.Setenv("SITES", sites)
	env.Values[followedKey{}] = &atomic.Pointer[followed]{}
	env.Defer(func() {
		_ = syscall.Unmount(filepath.Join(env.WorkDir, "disk"), syscall.MNT_DETACH) // where the script mounted one
		cleanUp(env.Getenv("HOME"), run)
	})
	return nil
}

// cleanUp ends what a script left running and removes its run directory.
func cleanUp(home, run string) {
	paths, err := layout.Locate(layout.Env{UID: 1, Home: home, XDGRuntimeDir: run, Instance: layout.User})
	if err != nil {
		return
	}
	// The agent first: it would bring the routers back.
	if socket, err := paths.AgentSocket(); err == nil {
		if a, err := api.NewClient(socket).Agent(context.Background()); err == nil {
			end(a.PID)
		}
	}
	for _, pidFile := range append(glob(run, "skupper/*/router.pid"), glob(run, "skupper/*/observer.pid")...) {
		end(pidIn(pidFile))
	}
	_ = os.RemoveAll(run) // a directory of the test
}

// pidIn is the process id that a file begins with, 0 if there is none.
func pidIn(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	pid, err := strconv.Atoi(strings.TrimSpace(word))
	if err != nil {
		return 0
	}
	return pid
}

// end kills a process that a script started.
func end(pid int) {
	if pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
}

// freePort sets a variable to a port on which nothing listens.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: freeport VARIABLE...")
	}
	for _, name := range args {
		port, release, err := freeport.Hold()
		ts.Check(err)
		ts.Defer(release)
		ts.Setenv(name, strconv.Itoa(port))
	}
}

// occupy listens on a port until the script ends.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: occupy PORT")
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", args[0]))
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
}

// serveEcho sends back what it gets on a port, until the script ends.
func serveEcho(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: echo PORT")
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", args[0]))
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
}

// talk sends a word to a port and expects it back, within 20 seconds.
func talk(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: talk PORT WORD")
	}
	deadline := time.Now().Add(20 * time.Second)
	if neg {
		deadline = time.Now()
	}
	for {
		err := talkOnce(args[0], args[1])
		if err == nil && !neg || err != nil && neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("talk to %s: %v", args[0], err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func talkOnce(port, word string) error {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, word); err != nil {
		return err
	}
	got := make([]byte, len(word))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != word {
		return fmt.Errorf("got %q", got)
	}
	return nil
}

// killPID kills the process whose id a file holds, or the agent.
func killPID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: killpid FILE|agent")
	}
	pid := 0
	if args[0] == "agent" {
		a, err := api.NewClient(filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "skupper", "agent.sock")).Agent(context.Background())
		ts.Check(err)
		pid = a.PID
	} else {
		pid = pidIn(ts.MkAbs(args[0]))
	}
	if pid < 2 {
		ts.Fatalf("no process id in %s", args[0])
	}
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
}

// until runs the program until its standard output holds a text, within a
// minute: until TEXT ARG...
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT ARG...")
	}
	deadline := time.Now().Add(time.Minute)
	for {
		err := ts.Exec("skupper", args[1:]...)
		out := ts.ReadFile("stdout")
		if strings.Contains(out, args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no %q in time; last: %v\n%s%s", args[0], err, out, ts.ReadFile("stderr"))
		}
		<-time.After(50 * time.Millisecond)
	}
}

// followed is a program that goes on, and what it has said.
type followed struct {
	ended chan struct{}

	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (f *followed) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.Write(p)
}

func (f *followed) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.String()
}

// followedKey is the key of a script's values for what it follows.
type followedKey struct{}

// follow starts the program, which goes on until the script ends: follow ARG...
// heard waits for what it says. What was followed before is let alone.
func follow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: follow ARG...")
	}
	f := &followed{ended: make(chan struct{})}
	cmd := exec.Command(filepath.Join(ts.Getenv("WORK"), "bin", "skupper"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.Getenv("WORK"), f, f
	for _, name := range []string{"HOME", "XDG_RUNTIME_DIR", "PATH", "SKUPPER_AGENT_INSTANCE", "DBUS_SESSION_BUS_ADDRESS", "GORACE", asProgram} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	ts.Value(followedKey{}).(*atomic.Pointer[followed]).Store(f)
	go func() {
		_ = cmd.Wait() // heard tells of one that ended too early
		close(f.ended)
	}()
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // it may have ended
		<-f.ended
	})
}

// heard waits until what is followed has said something that a regular
// expression matches, within a minute: heard PATTERN
func heard(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: heard PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	f := ts.Value(followedKey{}).(*atomic.Pointer[followed]).Load()
	if f == nil {
		ts.Fatalf("nothing is followed")
	}
	limit, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !pattern.MatchString(f.String()) {
		select {
		case <-tick.C:
		case <-f.ended:
			ts.Fatalf("it ended:\n%s", f)
		case <-limit:
			ts.Fatalf("no %q in time:\n%s", args[0], f)
		}
	}
}

// httpsAnswers has a server prove itself with a certificate that a CA in a file has
// signed, or that is in it: https CAFILE HOST:PORT [NAME]
func httpsAnswers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: https CAFILE HOST:PORT [NAME]")
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM([]byte(ts.ReadFile(args[0]))) {
		ts.Fatalf("%s: no certificate", args[0])
	}
	conf := &tls.Config{RootCAs: trusted}
	if len(args) == 3 {
		conf.ServerName = args[2]
	}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: time.Minute}, Config: conf}
	conn, err := dialer.Dial("tcp", args[1])
	ts.Check(err)
	ts.Check(conn.Close())
}

// renewed waits, up to a minute, until a server shows another certificate than the
// one in a file: renewed FILE HOST:PORT
func renewed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: renewed FILE HOST:PORT")
	}
	old := ts.ReadFile(args[0])
	for deadline := time.Now().Add(time.Minute); ; <-time.After(50 * time.Millisecond) {
		conn, err := tls.Dial("tcp", args[1], &tls.Config{InsecureSkipVerify: true})
		ts.Check(err)
		shown := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw}))
		ts.Check(conn.Close())
		if !strings.Contains(old, shown) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the same certificate")
		}
	}
}

// checkMode compares the permission bits of files: mode 0600 FILE...
func checkMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode BITS FILE...")
	}
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := info.Mode().Perm(); got != os.FileMode(want) {
			ts.Fatalf("%s: mode %o, want %o", name, got, want)
		}
	}
}

// exitStatusIs runs the program and compares its exit status: exits 2 ARG...
func exitStatusIs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits STATUS ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("skupper", args[1:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
