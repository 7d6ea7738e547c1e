package systemd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNoManager(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Connect(t.Context(), Options{User: true, RuntimeDir: dir}); !errors.Is(err, ErrAbsent) {
		t.Errorf("no sockets: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "systemd"), 0o700); err != nil {
		t.Fatal(err)
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "systemd/private"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(t.Context(), Options{User: true, RuntimeDir: dir}); !errors.Is(err, ErrAbsent) {
		t.Errorf("a socket that nobody serves: %v", err)
	}
	if got := addresses(Options{}); got[0].path != "/run/systemd/private" || !got[1].bus {
		t.Errorf("system: %+v", got)
	}
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	running := map[string]any{
		"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled", "FragmentPath": "/u/x.service",
		"MainPID": uint32(42), "ExecMainStartTimestamp": uint64(1_700_000_000_000_000), "StatusText": "2 links", "NRestarts": uint32(3),
		"Result": "success", "ExecMainStatus": int32(9),
	}
	want := Status{
		Loaded: true, Active: "active", Sub: "running", Enabled: true, File: "/u/x.service", PID: 42,
		Started: time.UnixMicro(1_700_000_000_000_000), Text: "2 links", Restarts: 3,
	}
	if got := statusOf(running); got != want {
		t.Errorf("%+v", got)
	}
	for _, row := range []struct {
		result string
		status int32
		want   string
	}{
		{"success", 0, ""},
		{"", 1, "exit status 1"},
		{"exit-code", 203, "exit status 203"},
		{"signal", 9, "killed by SIGKILL"},
		{"core-dump", 6, "crashed by SIGABRT"},
		{"watchdog", 6, "watchdog"},
		{"timeout", 15, "timeout"},
	} {
		p := map[string]any{"ActiveState": "failed", "Result": row.result, "ExecMainStatus": row.status}
		if got := statusOf(p).Result; got != row.want {
			t.Errorf("%s %d: %q, want %q", row.result, row.status, got, row.want)
		}
	}
	if got := statusOf(map[string]any{"LoadState": 7, "MainPID": "x"}); got != (Status{}) {
		t.Errorf("properties of other types: %+v", got)
	}
}

func TestSetting(t *testing.T) {
	t.Parallel()
	file := []byte("[Unit]\nIdentity=wrong\n\n[X-Skupper]\n# Identity=comment\nOther=1\nIdentity=interior 100%%=x\nIdentity=second\n")
	for _, row := range [][3]string{{"X-Skupper", "Identity", "interior 100%=x"}, {"X-Skupper", "None", ""}, {"Service", "Identity", ""}, {"Unit", "Identity", "wrong"}} {
		if got := Setting(file, row[0], row[1]); got != row[2] {
			t.Errorf("[%s] %s: %q, want %q", row[0], row[1], got, row[2])
		}
	}
}

// supervisor is a notify socket.
func supervisor(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func heard(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func env(pairs ...string) func(string) string {
	return func(key string) string {
		for _, p := range pairs {
			if k, v, _ := strings.Cut(p, "="); k == key {
				return v
			}
		}
		return ""
	}
}

func TestNotifier(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{filepath.Join(dir, "notify"), fmt.Sprintf("@skupper-test-%d", os.Getpid())} {
		conn := supervisor(t, name)
		n := NewNotifier(env("NOTIFY_SOCKET=" + name))
		for _, row := range []struct {
			tell func()
			want string
		}{
			{n.Ready, "READY=1"},
			{func() { n.Status("two\nlines") }, "STATUS=two lines"},
			{n.Reloading, "RELOADING=1\nMONOTONIC_USEC="},
			{n.Stopping, "STOPPING=1"},
		} {
			row.tell()
			if got := heard(t, conn); !strings.HasPrefix(got, row.want) {
				t.Errorf("%s: %q, want %q", name, got, row.want)
			}
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	for _, getenv := range []func(string) string{env(), env("NOTIFY_SOCKET=" + filepath.Join(t.TempDir(), "none"))} {
		n := NewNotifier(getenv)
		n.Ready()
		n.Status("x")
		n.Watchdog(t.Context(), func() bool { t.Error("asked for nothing"); return true })
	}
}

func TestWatchdog(t *testing.T) {
	t.Parallel()
	name := fmt.Sprintf("@skupper-watchdog-%d", os.Getpid())
	conn := supervisor(t, name)
	n := NewNotifier(env("NOTIFY_SOCKET="+name, "WATCHDOG_USEC=2000", "WATCHDOG_PID="+strconv.Itoa(os.Getpid())))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	asked := 0
	group.Go(func() {
		n.Watchdog(ctx, func() bool { asked++; return asked != 2 })
	})
	for range 3 {
		if got := heard(t, conn); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}
	cancel()
	group.Wait()
	if asked < 4 {
		t.Errorf("three signs of life in %d turns, one of them without", asked)
	}
	if other := NewNotifier(env("NOTIFY_SOCKET="+name, "WATCHDOG_USEC=2000", "WATCHDOG_PID=1")); other.watchdog != 0 {
		t.Error("the watchdog of another process is served")
	}
}
