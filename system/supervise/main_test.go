package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roleKey is the variable by which the test binary plays a part.
const roleKey = "SUPERVISE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleKey); {
	case role == "agent":
		agentRole()
	case role != "":
		childRole(role)
	default:
		goleak.VerifyTestMain(m)
	}
}

// childRole is a supervised process.
func childRole(role string) {
	// It outlives its supervisor, but not for long the tests, should they be killed.
	time.AfterFunc(2*time.Minute, func() { os.Exit(9) })
	signals := make(chan os.Signal, 8)
	if role == "deaf" {
		signal.Ignore(syscall.SIGTERM)
		signal.Notify(signals, syscall.SIGHUP)
	} else {
		signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
	}
	fmt.Println("hello from", os.Getpid())
	switch role {
	case "fail":
		fmt.Println("error: cannot bind")
		os.Exit(3)
	case "mute":
	default:
		tell("READY=1\nSTATUS=as " + role)
	}
	if role == "silent" { // gives one sign of life, and then none
		tell("WATCHDOG=1")
	}
	for s := range signals {
		if s == syscall.SIGTERM {
			fmt.Println("goodbye")
			os.Exit(0)
		}
		fmt.Println("reloaded")
		tell("RELOADING=1")
		tell("READY=1\nSTATUS=reloaded")
	}
}

func tell(text string) {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte(text))
	_ = conn.Close()
}

// agentRole is a supervisor in a process of its own, until it is killed. Its
// socket and records are those of the directory in AGENT_DIR.
func agentRole() {
	dir := os.Getenv("AGENT_DIR")
	s := New(Config{Socket: filepath.Join(dir, "notify.sock"), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	go func() { fmt.Println("run:", s.Run(context.Background())) }()
	if err := s.Start(context.Background(), refIn(dir), specIn(dir, "ready")); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("started")
	select {}
}

func refIn(dir string) Ref {
	return Ref{Name: "skupper-west.service", Records: filepath.Join(dir, "internal"), PIDFile: filepath.Join(dir, "run", "router.pid")}
}

func specIn(dir, role string) Spec {
	binary, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Spec{
		Command: []string{binary}, Env: []string{roleKey + "=" + role},
		RunDir: filepath.Join(dir, "run"), Log: filepath.Join(dir, "log", "router.log"), Stop: 20 * time.Second, Tag: "interior r1",
	}
}

// bench is a running supervisor with what it logs.
type bench struct {
	t      *testing.T
	dir    string
	super  *Supervisor
	events chan string
	stop   func() // ends Run and waits for it
}

// start runs a supervisor on a directory.
func start(t *testing.T, dir string, timing Timing) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir, events: make(chan string, 256)}
	b.super = New(Config{Socket: filepath.Join(dir, "notify.sock"), Log: slog.New(eventHandler{b.events}), Timing: timing})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.super.Run(ctx) }()
	stopped := false
	b.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		}
	}
	t.Cleanup(b.stop)
	return b
}

// shortDir is a directory in which sockets have short names.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sup")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *bench) status() Status { return b.super.Status(b.ctx(), refIn(b.dir)) }

// run starts the process in a role and has it stopped at the end.
func (b *bench) run(role string) error {
	b.t.Cleanup(func() {
		if err := b.super.Stop(b.ctx(), refIn(b.dir)); err != nil && !strings.Contains(err.Error(), ErrNotRunning.Error()) {
			b.t.Errorf("stop: %v", err)
		}
	})
	return b.super.Start(b.ctx(), refIn(b.dir), specIn(b.dir, role))
}

// want waits for an event of the log that begins with text.
func (b *bench) want(text string) string {
	b.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case e := <-b.events:
			if strings.HasPrefix(e, text) {
				return e
			}
		case <-limit:
			b.t.Fatalf("no event %q", text)
		}
	}
}

func (b *bench) log() string {
	data, err := os.ReadFile(specIn(b.dir, "").Log)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// eventHandler sends log records as text.
type eventHandler struct{ events chan string }

func (h eventHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h eventHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h eventHandler) WithGroup(string) slog.Handler            { return h }

func (h eventHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.Key + "=" + a.Value.String()
		return true
	})
	select {
	case h.events <- text:
	default: // nobody waits for that many
	}
	return nil
}

// killNow kills one process. There is no process 0: that number means the whole
// group of the caller.
func killNow(t *testing.T, pid int) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("no process to kill: %d", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
