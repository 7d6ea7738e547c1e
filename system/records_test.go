package system

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/resource"
)

// listeners makes a change that puts n listeners, each at its port and those
// after it, and removes all others.
func listeners(n, port int) func(*input.Edit) ([]api.Change, error) {
	return func(e *input.Edit) (changes []api.Change, err error) {
		for _, l := range resource.Of[*resource.Listener](e.Set().Clone()) {
			if _, err := e.Remove(l.Ref()); err != nil {
				return nil, err
			}
			changes = append(changes, api.Change{Object: l.Ref().String(), Action: api.Deleted})
		}
		for i := range n {
			l := &resource.Listener{Meta: resource.Meta{Name: fmt.Sprintf("l%d", i), Namespace: "west"}}
			l.Spec.RoutingKey, l.Spec.Host, l.Spec.Port = "k", "127.0.0.1", port+i
			if _, err := e.Put(l); err != nil {
				return nil, err
			}
			changes = append(changes, api.Change{Object: l.Ref().String(), Action: api.Created})
		}
		return changes, nil
	}
}

// TestRecordsOfManyFollow makes changes of many listeners: none writes a record
// of them, and afterwards they are there, some at a time, whatever happens in
// between.
func TestRecordsOfManyFollow(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	var steps []string
	fails := ""
	o.Step = func(step string) error {
		steps = append(steps, step)
		if fails != "" && strings.HasPrefix(step, fails) {
			fails = ""
			return errors.New("failed on purpose")
		}
		return nil
	}
	a, stop := passingAgent(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	stop() // from here on the test is the loop
	n := a.known()[0]
	ctx := context.Background()
	if !n.keep(ctx) { // the loop may have been stopped in the middle of one
		t.Fatal("the first pass fails")
	}
	change := func(n *namespace, w wish) error {
		t.Helper()
		if err := n.take(ctx); err != nil {
			t.Fatal(err)
		}
		defer n.give()
		steps = nil
		_, err := n.pass(ctx, w)
		for _, s := range steps {
			if w.change != nil && strings.Contains(s, "/Listener-") && !strings.Contains(s, "/input/") {
				t.Errorf("the change waits for %q", s)
			}
		}
		return err
	}
	for _, step := range []struct {
		name  string
		count int
		fails string // a step in writing the records
		pass  bool   // that nobody waits for, before the records are written
		small bool   // another change, of one listener, before that
	}{
		{name: "new", count: manyRecords + 10},
		{name: "a change meanwhile", count: manyRecords, small: true},
		{name: "a pass meanwhile", count: manyRecords, pass: true},
		{name: "a record fails", count: manyRecords + 10, fails: "write record"},
		{name: "a removal fails", count: manyRecords, fails: "remove record"},
	} {
		port := 40000 + len(step.name)*300
		if err := change(n, wish{change: listeners(step.count, port)}); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if step.small {
			if err := change(n, wish{change: listeners(step.count, port+1)}); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		if step.pass && !n.keep(ctx) {
			t.Errorf("%s: the pass fails", step.name)
		}
		steps, fails = nil, step.fails
		for more, rounds := true, 0; more; rounds++ {
			before := len(steps)
			more = n.catchUpSome(ctx)
			if len(steps)-before > recordsAtOnce {
				t.Errorf("%s: %d records at once", step.name, len(steps)-before)
			}
			if rounds > 20 {
				t.Fatalf("%s: there is no end of records", step.name)
			}
		}
		if step.fails != "" {
			if fails != "" || !n.moved(ctx) || !n.keep(ctx) {
				t.Errorf("%s: nothing failed, or no pass follows", step.name)
			}
		}
		if err := n.take(ctx); err != nil {
			t.Fatal(err)
		}
		if n.texts.owed {
			t.Errorf("%s: records are still owed", step.name)
		}
		lookAtRecords(t, n, step.name)
		n.give()
	}
}
