package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A kind says whose router a node runs.
type kind string

const (
	ours   kind = "ours"
	theirs kind = "theirs"
)

// entity is one element of a router's JSON configuration.
type entity struct {
	Type  string
	Attrs map[string]any
}

func (e entity) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{e.Type, e.Attrs})
}

// node is one router process.
type node struct {
	t      testing.TB
	name   string
	kind   kind
	config []entity
	env    []string // beyond that of the test
	dir    string

	mu  sync.Mutex
	cmd *exec.Cmd     // Guarded by mu.
	end chan struct{} // Guarded by mu; closed when the process has been waited for.
	log bytes.Buffer  // Guarded by mu.
}

// binary is the path of our program: SKUPPER, or a build made for this run.
var binary = sync.OnceValues(func() (string, error) {
	if p := os.Getenv("SKUPPER"); p != "" {
		return p, nil
	}
	dir, err := os.MkdirTemp("", "skupper-interop-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "skupper")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/skupper-host/skupper/cmd/skupper")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// networks is how many tests run beside each other, of those that may, unless
// -parallel says it: they wait most of their time.
const networks = "16"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", networks); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	if os.Getenv("SKUPPER") == "" {
		if p, err := binary(); err == nil {
			_ = os.RemoveAll(filepath.Dir(p))
		}
	}
	os.Exit(code)
}

// requires skips the test when a router of one of the kinds is not to be had.
func requires(t testing.TB, kinds ...kind) {
	t.Helper()
	for _, k := range kinds {
		if k == theirs && os.Getenv("SKROUTERD") == "" {
			t.Skip("SKROUTERD does not name an upstream router")
		}
	}
}

// newNode writes nothing yet; start does.
func newNode(t testing.TB, name string, k kind, mode string) *node {
	t.Helper()
	n := &node{t: t, name: name, kind: k, dir: t.TempDir()}
	n.add("router", map[string]any{"id": name, "mode": mode, "helloMaxAgeSeconds": 3})
	n.add("address", map[string]any{"prefix": "mc", "distribution": "multicast"})
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			n.mu.Lock()
			defer n.mu.Unlock()
			t.Logf("log of %s (%s):\n%s", n.name, n.kind, tail(n.log.String(), 40))
		}
	})
	return n
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (n *node) add(typ string, attrs map[string]any) {
	n.config = append(n.config, entity{typ, attrs})
}

// Write collects what the process prints.
func (n *node) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.Write(p)
}

// write writes the configuration file and returns its path.
func (n *node) write() string {
	n.t.Helper()
	path := filepath.Join(n.dir, "skrouterd.json")
	text, err := json.MarshalIndent(n.config, "", "    ")
	if err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		n.t.Fatal(err)
	}
	return path
}

func (n *node) start() {
	n.t.Helper()
	path := n.write()
	var cmd *exec.Cmd
	switch n.kind {
	case theirs:
		cmd = exec.Command(os.Getenv("SKROUTERD"), "-c", path)
	case ours:
		bin, err := binary()
		if err != nil {
			n.t.Fatal(err)
		}
		cmd = exec.Command(bin, "router", "run", "-c", path)
	}
	cmd.Dir, cmd.Env = n.dir, append(os.Environ(), n.env...)
	cmd.Stdout, cmd.Stderr = n, n
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	end := make(chan struct{})
	n.mu.Lock()
	n.cmd, n.end = cmd, end
	n.mu.Unlock()
	go func() {
		_ = cmd.Wait() // the tests look at sockets and signals, not at this status
		close(end)
	}()
}

// signal sends sig and, if wait, waits for the process to end.
func (n *node) signal(sig syscall.Signal, wait bool) {
	n.t.Helper()
	n.mu.Lock()
	cmd, end := n.cmd, n.end
	n.mu.Unlock()
	if cmd == nil {
		return
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Fatal(err)
	}
	if !wait {
		return
	}
	select {
	case <-end:
	case <-time.After(30 * time.Second):
		n.t.Errorf("%s does not end on %v", n.name, sig)
	}
}

func (n *node) kill() { n.signal(syscall.SIGKILL, true) }

// eventually polls until ok returns nil, and fails the test with its last
// error when limit has passed.
func eventually(t testing.TB, limit time.Duration, what string, ok func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		case <-tick.C:
		}
	}
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
