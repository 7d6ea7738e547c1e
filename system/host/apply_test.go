package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/state"
)

func TestApply(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	for _, n := range []int{1, 2, 3, 1, 0, 2, 0} {
		r.mustConverge(t, n)
	}
	want := []string{
		"load enable start", "load enable reload", "restart", "load enable restart", "stop disable load", "load enable start", "stop disable load",
	}
	if got := strings.Join(r.units.memory().Calls, " "); got != strings.Join(want, " ") {
		t.Errorf("calls %s", got)
	}
	if entries, err := os.ReadDir(r.paths.RuntimeDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left in runtime: %v (%v)", entries, err)
	}
}

// TestUnchanged checks that nothing is touched when nothing has changed.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	calls := len(r.units.memory().Calls)
	before, err := os.Stat(r.paths.RouterConfig())
	if err != nil {
		t.Fatal(err)
	}
	r.host.reach = func(point string) error {
		t.Errorf("touched: %s", point)
		return nil
	}
	steps, err := r.converge(t.Context(), scenario(r, 1))
	if err != nil || len(steps) > 0 {
		t.Errorf("%v, %v", steps, err)
	}
	after, err := os.Stat(r.paths.RouterConfig())
	if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("the file was written: %v", err)
	}
	if got := len(r.units.memory().Calls); got != calls {
		t.Errorf("%d calls, were %d", got, calls)
	}
}

// transitions are the ways between scenarios that tests break.
func transitions() [][2]int { return [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 1}, {2, 0}} }

// TestEveryFailureIsUndone has each change of the machine fail once.
func TestEveryFailureIsUndone(t *testing.T) {
	t.Parallel()
	for _, tr := range transitions() {
		t.Run(fmt.Sprintf("%d to %d", tr[0], tr[1]), func(t *testing.T) {
			t.Parallel()
			r := newRig(tempDir(t))
			r.mustConverge(t, tr[0])
			for n := 1; ; n++ {
				cause := []error{syscall.ENOSPC, syscall.EACCES, syscall.EIO}[n%3]
				r.fail(n, cause)
				_, err := r.converge(t.Context(), scenario(r, tr[1]))
				if err == nil {
					if n < 4 {
						t.Errorf("only %d changes", n)
					}
					r.check(t, tr[1])
					return
				}
				var failed *ApplyError
				if !errors.As(err, &failed) || failed.Undo != nil || !errors.Is(err, cause) || failed.Step == "" {
					t.Fatalf("change %d: %v", n, err)
				}
				r.check(t, tr[0])
				if t.Failed() {
					t.Fatalf("after change %d failed: %v", n, err)
				}
			}
		})
	}
}

func TestUnitFailureIsUndone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		from, to int
		method   string
	}{{0, 1, "load"}, {0, 1, "enable"}, {0, 1, "start"}, {1, 2, "reload"}, {2, 3, "restart"}, {1, 0, "stop"}, {1, 0, "load"}} {
		r := newRig(tempDir(t))
		r.mustConverge(t, row.from)
		failure := errors.New("cannot bind")
		r.units.failOnce[row.method] = failure
		_, err := r.converge(t.Context(), scenario(r, row.to))
		var failed *ApplyError
		if !errors.As(err, &failed) || !errors.Is(err, failure) || failed.Undo != nil {
			t.Errorf("%s: %v", row.method, err)
		}
		r.check(t, row.from)
	}
}

func TestRefusedConfirmationIsUndone(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	refused := errors.New("the router refused it")
	asked := false
	_, err := r.converge(t.Context(), scenario(r, 2), func(context.Context) error {
		asked = true
		if digest(r.paths.RouterConfig()) != r.units.memory().Config {
			t.Error("asked before the router was told")
		}
		return refused
	})
	var failed *ApplyError
	if !asked || !errors.As(err, &failed) || !errors.Is(err, refused) || failed.Undo != nil || failed.Step != "confirm" {
		t.Fatalf("%v", err)
	}
	r.check(t, 1)
}

// TestFailedUndoIsCompletedLater has the way back fail, too. The next Open goes
// on with it.
func TestFailedUndoIsCompletedLater(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	r.units.fail["reload"] = errors.New("no answer")
	_, err := r.converge(t.Context(), scenario(r, 2))
	var failed *ApplyError
	if !errors.As(err, &failed) || failed.Undo == nil {
		t.Fatalf("%v", err)
	}
	r.whole(t, 1, 2)
	ns, err := r.host.Open(t.Context(), r.paths)
	if err != nil {
		t.Fatal(err)
	}
	if ns.Pending == nil {
		t.Error("a unit that still does not answer is not told of")
	}
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
	delete(r.units.fail, "reload")
	ns, err = r.host.Open(t.Context(), r.paths)
	if err != nil {
		t.Fatal(err)
	}
	if ns.Pending != nil || len(ns.Completed) == 0 {
		t.Errorf("pending %v, completed %v", ns.Pending, ns.Completed)
	}
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
	r.check(t, 1)
}

// TestPendingReloadIsNotForgotten applies a change that has nothing to do with
// the unit while the unit still has to be told of an earlier one.
func TestPendingReloadIsNotForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	if out, err := apply(t, r, applyArgs{To: 2, Kill: killAt(t, r, "reload "+unitName)}); err == nil {
		t.Fatalf("it was not killed: %s", out)
	}
	r.units.fail["reload"] = errors.New("no answer")
	ns, err := r.host.Open(t.Context(), r.paths)
	if err != nil || ns.Pending == nil {
		t.Fatalf("%v, pending %v", err, ns.Pending)
	}
	have, err := ns.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := scenario(r, 2)
	f := want.Files[r.paths.RuntimeResource("Site", "west")]
	f.Data = []byte("status")
	want.Files[r.paths.RuntimeResource("Site", "west")] = f
	delete(r.units.fail, "reload")
	if err := ns.Apply(t.Context(), have, plan.Make(want, have)); err != nil {
		t.Fatal(err)
	}
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
	if told := r.units.memory().Config; told != digest(r.paths.RouterConfig()) {
		t.Errorf("the router was told %s, the file is %s", told, digest(r.paths.RouterConfig()))
	}
}

// killAt counts the changes of the way from 1 to 2 up to one.
func killAt(t *testing.T, _ *rig, point string) int {
	t.Helper()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	n, at := 0, 0
	r.host.reach = func(p string) error {
		n++
		if p == point {
			at = n
		}
		return nil
	}
	if _, err := r.converge(t.Context(), scenario(r, 2)); err != nil || at == 0 {
		t.Fatalf("%q is change %d: %v", point, at, err)
	}
	return at
}

type applyArgs struct {
	Dir            string
	To, Kill, Fail int
}

// apply goes to a scenario in a process of its own.
func apply(t *testing.T, r *rig, args applyArgs) (string, error) {
	t.Helper()
	args.Dir = r.dir
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), roleKey+"=apply", "HOST_TEST_ARGS="+string(text))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func killed(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// TestKilledAtEveryStep kills the process at each change of the machine once.
// The next one gets to the same end, whether it wants the same or the way back.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	everyStep(t, [2]int{1, 2}, func(r *rig, n int) bool {
		out, err := apply(t, r, applyArgs{To: 2, Kill: n})
		if err != nil && !killed(err) {
			t.Fatalf("change %d: %v: %s", n, err, out)
		}
		return err == nil
	})
}

// TestAbandonedAtEveryStep is the same for more ways, without a process each
// time: the change is left where it stands.
func TestAbandonedAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, tr := range transitions() {
		t.Run(fmt.Sprintf("%d to %d", tr[0], tr[1]), func(t *testing.T) {
			t.Parallel()
			everyStep(t, tr, func(r *rig, n int) (done bool) {
				defer func() {
					if p := recover(); p != nil && p != abandon {
						panic(p)
					}
				}()
				left := newRig(r.dir)
				left.host.reach = func(string) error {
					if n--; n == 0 {
						panic(abandon)
					}
					return nil
				}
				if _, err := left.converge(t.Context(), scenario(r, tr[1])); err != nil {
					t.Fatal(err)
				}
				return true
			})
		})
	}
}

const abandon = "abandoned"

// everyStep breaks the way between two scenarios at its first change, at its
// second, and so on until there is none left.
func everyStep(t *testing.T, tr [2]int, upTo func(r *rig, n int) (done bool)) {
	t.Helper()
	r := newRig(tempDir(t))
	for n := 1; ; n++ {
		r.mustConverge(t, tr[0])
		if upTo(r, n) {
			if n < 4 {
				t.Errorf("only %d changes", n)
			}
			r.check(t, tr[1])
			return
		}
		r.whole(t, tr[0], tr[1])
		if n%2 == 0 {
			r.mustConverge(t, tr[1])
		}
		if t.Failed() {
			t.Fatalf("broken at change %d", n)
		}
	}
}

// TestKilledOnTheWayBack fails a change and kills the process while it undoes
// what it did.
func TestKilledOnTheWayBack(t *testing.T) {
	t.Parallel()
	fail := killAt(t, nil, "reload "+unitName)
	r := newRig(tempDir(t))
	for n := fail + 1; ; n++ {
		r.mustConverge(t, 1)
		out, err := apply(t, r, applyArgs{To: 2, Fail: fail, Kill: n})
		if !killed(err) {
			if !strings.Contains(out, "input/output error") {
				t.Fatalf("change %d: %v: %s", n, err, out)
			}
			if n < fail+5 {
				t.Errorf("only %d changes on the way back", n-fail)
			}
			r.check(t, 1)
			return
		}
		r.whole(t, 1, 2)
		r.mustConverge(t, []int{1, 2, 3}[n%3])
		if t.Failed() {
			t.Fatalf("killed at change %d", n)
		}
	}
}

func TestDamagedJournalIsPutAside(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	r.mustConverge(t, 1)
	ns := &Namespace{host: r.host, paths: r.paths}
	for _, text := range []string{"", "{", `{"schema":9}` + "\n"} {
		if err := os.WriteFile(ns.journalPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		open, err := r.host.Open(t.Context(), r.paths)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if open.Pending == nil {
			t.Errorf("%q: not told of", text)
		}
		if err := open.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(ns.journalPath() + ".bad"); err != nil {
		t.Fatal(err)
	}
	r.mustConverge(t, 2)
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"schema":1,"id":"x","steps":[{"op":1,"files":[{"path":"/a","temp":"/b","kept":"/c"}]},{"op":9,"unit":"u"}]}` + "\n0\n1"))
	f.Add([]byte("{\"schema\":1}\n-5\n99\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if j, err := parseJournal(data); err == nil && (j.done < 0 || j.done > len(j.Steps)) {
			t.Errorf("%d of %d steps done", j.done, len(j.Steps))
		}
	})
}

// TestManyFiles applies a large site, and changes one thing of it.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	r := newRig(tempDir(t))
	want := scenario(r, 1)
	for n := range 500 {
		want.Files[r.paths.RuntimeResource("Listener", fmt.Sprint(n))] = state.File{Data: fmt.Append(nil, n), Mode: 0o600, Subject: state.SubjectResources, Record: true}
	}
	if _, err := r.converge(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	path := r.paths.RuntimeResource("Listener", "7")
	want.Files[path] = state.File{Data: []byte("seven"), Mode: 0o600, Subject: state.SubjectResources, Record: true}
	steps, err := r.converge(t.Context(), want)
	if err != nil || len(steps) != 1 || !slices.Equal([]string{"update resources: Listener-7.yaml"}, plan.Lines(steps)) {
		t.Errorf("%v: %v", plan.Lines(steps), err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "seven" {
		t.Errorf("%q, %v", got, err)
	}
}
