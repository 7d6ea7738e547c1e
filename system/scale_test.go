package system

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/resource"
)

// TestChangesKeepTheRecords makes changes that look at no more than they touch,
// some of which fail, and takes records away meanwhile. The records are those of
// the objects each time.
func TestChangesKeepTheRecords(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	failing := false // as long as this test has the turn
	var mine atomic.Bool
	o.Step = func(step string) error {
		if mine.Load() && failing && strings.HasPrefix(step, "end journal") {
			failing = false
			return errors.New("failed on purpose")
		}
		return nil
	}
	a := agentOf(t, m, o)
	apply(t, a, "west", many(5))
	paths, err := o.Paths.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	n := a.known()[0]
	port := 41000
	listener := func(name string) func(*input.Edit) ([]api.Change, error) {
		return func(e *input.Edit) ([]api.Change, error) {
			port++
			l := &resource.Listener{Meta: resource.Meta{Name: name, Namespace: "west"}}
			l.Spec.RoutingKey, l.Spec.Host, l.Spec.Port = "k", "127.0.0.1", port
			_, err := e.Put(l)
			return nil, err
		}
	}
	remove := func(names ...string) func(*input.Edit) ([]api.Change, error) {
		return func(e *input.Edit) ([]api.Change, error) {
			var errs []error
			for _, name := range names {
				_, err := e.Remove(resource.Ref{Kind: resource.KindListener, Name: name})
				errs = append(errs, err)
			}
			return nil, errors.Join(errs...)
		}
	}
	takeAway := func(paths ...string) {
		for _, path := range paths {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, step := range []struct {
		name   string
		change func(*input.Edit) ([]api.Change, error) // nil: a pass that nobody waits for
		fails  bool
		before func()
	}{
		{name: "change", change: listener("l1")},
		{name: "new", change: listener("new")},
		{name: "a change fails", change: listener("l1"), fails: true},
		{name: "change after that", change: listener("l1")},
		{name: "a new one fails", change: listener("other"), fails: true},
		{name: "delete", change: remove("l2", "l3")},
		{name: "a deletion fails", change: remove("l4"), fails: true},
		{name: "records are gone", change: listener("l1"), before: func() { takeAway(paths.RuntimeResources(), paths.Snapshot()) }},
		{name: "a record is gone", before: func() { takeAway(paths.RuntimeResource("Listener", "l1")) }},
		{name: "change at last", change: listener("l1")},
	} {
		if err := n.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		if step.before != nil {
			step.before()
		}
		failing = step.fails
		mine.Store(true)
		_, err := n.pass(t.Context(), wish{change: step.change})
		mine.Store(false)
		if (err != nil) != step.fails {
			t.Errorf("%s: %v", step.name, err)
		}
		lookAtRecords(t, n, step.name)
		n.give()
	}
}

// lookAtRecords compares the records of a namespace with its objects. The caller
// holds the turn.
func lookAtRecords(t *testing.T, n *namespace, when string) {
	t.Helper()
	var shown, loaded []string
	for o := range n.seen.Load().site.Objects.All() {
		shown = append(shown, string(o.Ref().Kind)+"-"+o.Ref().Name+".yaml")
	}
	wanted, err := input.Resources(n.paths.InputResources())
	if err != nil {
		t.Fatal(err)
	}
	for o := range wanted.All() {
		name := string(o.Ref().Kind) + "-" + o.Ref().Name + ".yaml"
		loaded = append(loaded, name)
		if text, err := os.ReadFile(filepath.Join(n.paths.Snapshot(), name)); err != nil || string(text) != string(resource.EncodeYAML(o)) {
			t.Errorf("%s: the snapshot has of %s\n%s(%v)", when, name, text, err)
		}
	}
	for dir, want := range map[string][]string{n.paths.RuntimeResources(): shown, n.paths.Snapshot(): loaded} {
		slices.Sort(want)
		there := slices.DeleteFunc(names(t, dir), func(name string) bool { return name == "ConfigMap-"+networkStatusMap+".yaml" }) // of no object
		if diff := cmp.Diff(want, there); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", when, dir, diff)
		}
	}
}

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// BenchmarkOneChangeAmongThousands changes one of 1,000 listeners.
func BenchmarkOneChangeAmongThousands(b *testing.B) {
	m, o := newMachinery(b)
	a := agentOf(b, m, o)
	if _, err := a.Apply(b.Context(), "west", api.ApplyRequest{Files: []api.File{many(1000)}, Start: true}); err != nil {
		b.Fatal(err)
	}
	port := 40000
	for b.Loop() {
		port++
		_, err := a.Patch(b.Context(), "west", api.PatchRequest{
			Object: api.Ref{Kind: "Listener", Name: "l5"}, Fields: map[string]any{"spec.port": port},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApplyThousands applies 1,000 listeners and 1,000 connectors to a
// namespace that does not exist yet.
func BenchmarkApplyThousands(b *testing.B) {
	for b.Loop() {
		m, o := newMachinery(b)
		a := agentOf(b, m, o)
		if _, err := a.Apply(b.Context(), "west", api.ApplyRequest{Files: []api.File{many(1000)}, Start: true}); err != nil {
			b.Fatal(err)
		}
	}
}
