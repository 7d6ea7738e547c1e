package system

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
)

func eventsIn(t *testing.T, file string) []host.Event {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var events []host.Event
	for line := range bytes.Lines(data) {
		var e host.Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func TestEventsTellWhatWasDone(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	var full atomic.Bool
	o.Step = func(step string) error {
		if full.Load() && step == "journal" {
			return errors.New("no space left")
		}
		return nil
	}
	paths, err := o.Paths.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	apply(t, a, "west", siteFile("west", "")) // nothing to do, nothing to tell
	apply(t, a, "west", listenerFile("db", "5432"))
	full.Store(true)
	for range 2 { // it fails twice for the same reason
		if _, err := a.Apply(t.Context(), "west", api.ApplyRequest{Files: []api.File{listenerFile("db", "5433")}}); err == nil {
			t.Fatal("no error")
		}
	}
	events := eventsIn(t, paths.Events())
	var what []string
	for _, e := range events {
		what = append(what, e.What)
		if e.Time.IsZero() {
			t.Errorf("%+v has no time", e)
		}
	}
	what = slices.DeleteFunc(what, func(w string) bool { return w == "renewed" }) // as many as there are certificates to begin with
	if d := cmp.Diff([]string{"applied", "applied", "failed"}, what); d != "" {
		t.Errorf("%+v\n%s", events, d)
	}
	if !slices.ContainsFunc(events, func(e host.Event) bool {
		return e.What == "renewed" && strings.Contains(e.Text, "skupper-local-server")
	}) {
		t.Errorf("nothing tells of the new certificates: %+v", events)
	}
}

func TestHistoryHasTheLastGenerations(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	paths, err := o.Paths.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{"5431", "5432", "5433", "5434"} {
		apply(t, a, "west", siteFile("west", ""), listenerFile("db", port))
		n, err := a.space(t.Context(), "west")
		if err != nil {
			t.Fatal(err)
		}
		n.keepGeneration(t.Context())
		n.keepGeneration(t.Context()) // it is there
	}
	got, err := filepath.Glob(filepath.Join(paths.History(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, g := range []string{"2", "3", "4"} {
		want = append(want, filepath.Join(paths.History(), g+".tar.gz"))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
