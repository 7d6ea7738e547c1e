package host

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/state"
)

// orphanRole serves a socket as a router does whose engine is gone.
func orphanRole() {
	time.AfterFunc(2*time.Minute, func() { os.Exit(9) }) // should the tests be killed
	l, err := net.Listen("unix", os.Getenv("HOST_TEST_ARGS"))
	if err != nil {
		panic(err)
	}
	for {
		if c, err := l.Accept(); err == nil {
			_ = c.Close()
		}
	}
}

// TestForsaken takes a site away from an engine that does not answer: the router
// that is still there ends, and it is said that a container may be left.
func TestForsaken(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	gone := &container.UnreachableError{Engine: container.Docker, Socket: "/run/docker.sock", Err: fs.ErrNotExist}
	r.mustConverge(t, 1)
	if err := os.MkdirAll(filepath.Dir(r.paths.RouterSocket), 0o700); err != nil {
		t.Fatal(err)
	}
	router := exec.Command(os.Args[0])
	router.Env = append(os.Environ(), roleKey+"=orphan", "HOST_TEST_ARGS="+r.paths.RouterSocket)
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- router.Wait() }()
	for deadline := time.Now().Add(time.Minute); servedBy(r.paths.RouterSocket) != router.Process.Pid; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody serves the socket in time")
		}
	}
	r.units.fail["observe"] = gone
	r.units.fail["stop"] = errors.Join(gone, nil)

	open := func() *Namespace {
		ns, err := r.host.Open(t.Context(), r.paths)
		if err != nil {
			t.Fatal(err)
		}
		return ns
	}
	ns := open()
	if _, err := ns.Observe(t.Context()); !errors.Is(err, gone) || ns.Forsaken() != nil {
		t.Errorf("an engine that does not answer: %v, %v", err, ns.Forsaken())
	}
	ns.Forsake()
	have, err := ns.Observe(t.Context())
	if err != nil || !have.Units[unitName].Running || ns.Forsaken() == nil {
		t.Fatalf("observed without the engine: %+v, %v", have.Units, err)
	}
	want := have
	want.Units = map[string]state.Unit{unitName: {Command: []string{"x"}, Container: &container.Container{Engine: container.Docker}, Stop: time.Minute}}
	if err := ns.Apply(t.Context(), have, plan.Make(want, have)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the router goes on")
	}
	if have, err = ns.Observe(t.Context()); err != nil || len(have.Units) > 0 {
		t.Errorf("afterwards: %+v, %v", have.Units, err)
	}
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	gone, other := &container.UnreachableError{Err: fs.ErrNotExist}, errors.New("other")
	for name, c := range map[string]struct {
		err  error
		gone bool
		rest bool
	}{
		"nothing":            {nil, false, false},
		"gone":               {gone, true, false},
		"gone twice":         {errors.Join(gone, errors.Join(gone)), true, false},
		"gone and something": {errors.Join(gone, other), true, true},
		"something":          {other, false, true},
	} {
		if g, rest := unreachable(c.err); (g != nil) != c.gone || (rest != nil) != c.rest {
			t.Errorf("%s: %v, %v", name, g, rest)
		}
	}
}
