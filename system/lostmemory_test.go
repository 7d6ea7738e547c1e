package system

import (
	"os"
	"strings"
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

// TestDamagedMemoryIsLeftAlone has records that cannot be read: the site stays
// who it is, says what to do, and is whole again once that was done.
func TestDamagedMemoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"empty": "", "half": `{"schema": 1, "siteId": "`, "of another program": `{"version": 2}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, o := newMachinery(t)
			paths, err := o.Paths.Namespace("west")
			if err != nil {
				t.Fatal(err)
			}
			a, stop := passingAgent(t, m, o)
			apply(t, a, "west", siteFile("west", "linkAccess: default"))
			apply(t, a, "east", siteFile("east", ""))
			stop()
			before := memoryIn(t, paths.State())
			if err := os.WriteFile(paths.State(), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			advice := "Move the file away and run `skupper -n west system reload`"
			told := func(list []api.Namespace, err error) {
				t.Helper()
				for _, n := range list {
					bad := n.Name == "west"
					if n.State != api.Running || strings.Contains(n.Message, paths.State()+": ") != bad || strings.Contains(n.Message, advice) != bad {
						t.Errorf("%+v", n)
					}
				}
				if err != nil || len(list) != 2 {
					t.Errorf("%d namespaces, %v", len(list), err)
				}
			}
			told(NewOffline(o, m).Namespaces(t.Context()))
			a, stop = passingAgent(t, m, o)
			defer stop()
			_, err = a.Apply(t.Context(), "west", api.ApplyRequest{Files: []api.File{listenerFile("db", "5432")}})
			if err == nil || !strings.Contains(err.Error(), paths.State()) || !strings.Contains(adviceOf(err), advice) {
				t.Errorf("a change: %v", err)
			}
			told(a.Namespaces(t.Context()))
			if data, err := os.ReadFile(paths.State()); err != nil || string(data) != text {
				t.Errorf("the records are %q, %v", data, err)
			}
			if err := os.Rename(paths.State(), paths.State()+".damaged"); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Operate(t.Context(), "west", api.OperateRequest{Operation: api.Reload}); err != nil {
				t.Fatal(err)
			}
			after := memoryIn(t, paths.State())
			if d := cmp.Diff([]any{before.SiteID, before.RouterID, before.Ports}, []any{after.SiteID, after.RouterID, after.Ports}); d != "" {
				t.Errorf("the namespace is another one: %s", d)
			}
		})
	}
}
