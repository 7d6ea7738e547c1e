package system

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/state"
)

// TestLostMemoryIsMadeAgain loses state.json between two agents.
func TestLostMemoryIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, want := range []api.State{api.Running, api.Stopped} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			m, o := newMachinery(t)
			paths, err := o.Paths.Namespace("west")
			if err != nil {
				t.Fatal(err)
			}
			a, stop := passingAgent(t, m, o)
			apply(t, a, "west", siteFile("west", "linkAccess: default"), listenerFile("db", "5432"))
			if want == api.Stopped {
				if _, err := a.Operate(t.Context(), "west", api.OperateRequest{Operation: api.Stop}); err != nil {
					t.Error(err)
				}
			}
			stop()
			before := memoryIn(t, paths.State())
			if err := os.Remove(paths.State()); err != nil {
				t.Fatal(err)
			}
			m.took()
			a, stop = passingAgent(t, m, o)
			defer stop()
			awaitStatus(t, a, "west", func(s *api.Status) bool {
				_, err := os.Stat(paths.State())
				return s.Namespace.State == want && s.Error == "" && err == nil
			})
			after := memoryIn(t, paths.State())
			if d := cmp.Diff([]any{before.SiteID, before.RouterID, before.Ports, before.Stopped}, []any{after.SiteID, after.RouterID, after.Ports, after.Stopped}); d != "" {
				t.Errorf("the namespace is another one: %s", d)
			}
			apply(t, a, "west", listenerFile("db", "5433"))
			for _, call := range m.took() {
				if call != "reload skupper-west.service" || want == api.Stopped {
					t.Errorf("the router is touched: %s", call)
				}
			}
		})
	}
}

func memoryIn(t *testing.T, file string) state.Memory {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := state.ParseMemory(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
