package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/input"
)

// TestManualReload: where files wait for a command, the agent tells of them and
// applies none, until it is told to.
func TestManualReload(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	o.Getenv = func(name string) string {
		return map[string]string{"SKUPPER_SYSTEM_RELOAD_TYPE": "manual"}[name]
	}
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	paths, err := o.Paths.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	f := listenerFile("db", "5432")
	if err := input.Replace(paths.InputResource("Listener", "db"), f.Data); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, a, "west", func(s *api.Status) bool { return strings.Contains(s.Error, "`skupper system reload` applies them") })
	config, err := os.ReadFile(paths.RouterConfig())
	if err != nil || strings.Contains(string(config), "listener/db") {
		t.Errorf("applied by itself: %v", err)
	}
	if _, err := a.Operate(t.Context(), "west", api.OperateRequest{Operation: api.Reload}); err != nil {
		t.Fatal(err)
	}
	config, err = os.ReadFile(paths.RouterConfig())
	if err != nil || !strings.Contains(string(config), "listener/db") {
		t.Errorf("not applied by the command: %v", err)
	}
	awaitStatus(t, a, "west", func(s *api.Status) bool { return s.Error == "" })
}

// TestAgentResumesTheLastGoodState starts an agent after a boot, with an input
// that it does not apply: the router runs as it did before.
func TestAgentResumesTheLastGoodState(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, reload, file, text, want string }{
		{"an input that waits", "manual", "Listener-db.yaml", string(listenerFile("db", "5432").Data), "`skupper system reload` applies them"},
		{"a wrong input", "auto", "wrong.yaml", "kind: [\n", "wrong.yaml"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m, o := newMachinery(t)
			o.Getenv = func(name string) string {
				return map[string]string{"SKUPPER_SYSTEM_RELOAD_TYPE": row.reload}[name]
			}
			first, stop := passingAgent(t, m, o)
			apply(t, first, "west", siteFile("west", ""))
			stop()
			paths, err := o.Paths.Namespace("west")
			if err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(paths.RouterConfig())
			if err != nil {
				t.Fatal(err)
			}
			m.mu.Lock()
			clear(m.running)
			m.mu.Unlock()
			if err := input.Replace(filepath.Join(paths.InputResources(), row.file), []byte(row.text)); err != nil {
				t.Fatal(err)
			}
			a := agentOf(t, m, o)
			awaitStatus(t, a, "west", func(s *api.Status) bool {
				return strings.Contains(s.Error, row.want) && s.Observed && s.Namespace.State == api.Running
			})
			if after, err := os.ReadFile(paths.RouterConfig()); err != nil || string(after) != string(before) {
				t.Errorf("another configuration than before (%v):\n%s", err, after)
			}
		})
	}
}
