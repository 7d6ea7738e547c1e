package system

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// numberedRouter is a router with a digest that a test sets, and neighbors that
// say nothing.
type numberedRouter struct {
	Asker
	digest, tables *atomic.Int64
	neighbors      []map[string]any
}

func (r numberedRouter) Digest(context.Context, map[string][]string) (uint64, error) {
	return uint64(r.digest.Load()), nil
}

func (r numberedRouter) Query(ctx context.Context, node, typ string, names ...string) ([]map[string]any, error) {
	if ctx.Value(counted{}) != nil {
		r.tables.Add(1)
	}
	if node == "" && typ == typeNode && r.neighbors != nil {
		return r.neighbors, nil
	}
	return r.Asker.Query(ctx, node, typ, names...)
}

// TestQuietNamespaceIsAskedForANumber looks at a namespace that nothing happens
// in, and after something did.
func TestQuietNamespaceIsAskedForANumber(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	var digest, tables atomic.Int64
	dial := o.Dial
	o.Dial = func(ctx context.Context, socket string) (Asker, error) {
		asker, err := dial(ctx, socket)
		return numberedRouter{asker, &digest, &tables, nil}, err
	}
	a, stop := passingAgent(t, m, o)
	apply(t, a, "west", siteFile("west", ""), listenerFile("db", "5432"))
	stop() // from here on the test is the loop
	n := a.known()[0]
	ctx := context.WithValue(t.Context(), counted{}, true)
	n.keep(ctx)
	n.router.surveys.Wait() // what it found late is written now
	n.keep(ctx)
	for i, step := range []struct {
		name   string
		before func()
		asks   bool // for tables
	}{
		{"a router without a digest", func() {}, true},
		{"it again", func() {}, true},
		{"the first digest", func() { digest.Store(7) }, true},
		{"the same", func() {}, false},
		{"another one", func() { digest.Store(8) }, true},
		{"the same as that", func() {}, false},
		{"after a pass", func() { n.keep(ctx) }, true},
		{"nothing", func() {}, false},
		{"a certificate expires", func() { n.quiet.since = n.quiet.since.AddDate(-30, 0, 0) }, true},
		{"nothing again", func() {}, false},
		{"the router is another process", func() { n.quiet.unit.PID++ }, true},
	} {
		step.before()
		tables.Store(0)
		if n.lookQuietly(ctx) {
			t.Errorf("%d, %s: a status has moved", i, step.name)
		}
		if asks := tables.Load() > 0; asks != step.asks {
			t.Errorf("%d, %s: the router is asked for tables: %v", i, step.name, asks)
		}
	}
	m.mu.Lock()
	m.silent = true
	m.mu.Unlock()
	n.router.close()
	if !n.lookQuietly(ctx) || n.quiet != nil {
		t.Error("a router that does not answer is quiet")
	}
}

// TestLinkedNamespaceAsksOthersLessOften looks at a namespace with neighbors: what
// they have is not in the digest, and they are asked again after longer and longer
// pauses while they say the same.
func TestLinkedNamespaceAsksOthersLessOften(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	var digest, tables atomic.Int64
	digest.Store(7)
	dial := o.Dial
	o.Dial = func(ctx context.Context, socket string) (Asker, error) {
		asker, err := dial(ctx, socket)
		return numberedRouter{asker, &digest, &tables, []map[string]any{{"name": "west", "id": "west"}, {"name": "east", "id": "east"}}}, err
	}
	a, stop := passingAgent(t, m, o)
	apply(t, a, "west", siteFile("west", ""), listenerFile("db", "5432"))
	stop() // from here on the test is the loop
	n := a.known()[0]
	defer n.router.close()
	ctx := context.WithValue(t.Context(), counted{}, true)
	n.keep(ctx)
	n.router.surveys.Wait() // what it found late is written now
	n.keep(ctx)
	n.quiet = nil
	notYet := func() { n.quiet.again = time.Now().Add(time.Hour) }
	over := func() { n.quiet.again = time.Now().Add(-time.Second) }
	for i, step := range []struct {
		name   string
		before func()
		asks   bool // for tables
		pause  time.Duration
	}{
		{"first", func() {}, true, 2 * time.Second},
		{"at once", notYet, false, 2 * time.Second},
		{"the pause is over", over, true, 4 * time.Second},
		{"at once again", notYet, false, 4 * time.Second},
		{"it is over again", over, true, 8 * time.Second},
		{"a third time", over, true, surveyRarely},
		{"a fourth time", over, true, surveyRarely},
		{"something has changed", func() { digest.Store(8) }, true, 2 * time.Second},
	} {
		step.before()
		tables.Store(0)
		if n.lookQuietly(ctx) {
			t.Errorf("%d, %s: a status has moved", i, step.name)
		}
		if asks := tables.Load() > 0; asks != step.asks {
			t.Errorf("%d, %s: the router is asked for tables: %v", i, step.name, asks)
		}
		if n.quiet == nil || n.quiet.pause != step.pause {
			t.Fatalf("%d, %s: quiet %+v, want a pause of %s", i, step.name, n.quiet, step.pause)
		}
	}
}
