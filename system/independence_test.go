package system

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/input"
	"github.com/skupper-host/skupper/system/resource"
)

// changePort is the change of a listener's port.
func changePort(n *namespace, name string, port int) func(*input.Edit) ([]api.Change, error) {
	return func(e *input.Edit) ([]api.Change, error) {
		old := e.Set().Find(resource.Ref{Kind: resource.KindListener, Name: name})
		changed, _, err := patched(old, map[string]any{"spec.port": port})
		if err != nil {
			return nil, err
		}
		_, err = e.Put(changed)
		return nil, err
	}
}

// TestDamageStaysWhereItIs damages a namespace in many ways, under a running
// agent and before it starts. Every time another namespace is served as if
// nothing had happened, and the damaged one is told of.
func TestDamageStaysWhereItIs(t *testing.T) {
	t.Parallel()
	replace := func(path string, make func(string) error) error {
		// The agent may be writing there.
		for deadline := time.Now().Add(20 * time.Second); ; <-time.After(5 * time.Millisecond) {
			err := errors.Join(os.RemoveAll(path), make(path))
			if err == nil || time.Now().After(deadline) {
				return err
			}
		}
	}
	text := func(data string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(data), 0o600) }
	}
	directory := func(path string) error { return os.Mkdir(path, 0o700) }
	for _, row := range []struct {
		name   string
		damage func(dir string) error
		heals  bool // what is damaged is made again
	}{
		{"input that is no YAML", func(dir string) error { return text("kind: [")(filepath.Join(dir, "input/resources/x.yaml")) }, false},
		{"input that is no text", func(dir string) error {
			return text("\xff\xfe\x00")(filepath.Join(dir, "input/resources/Site-west.yaml"))
		}, false},
		{"a directory in place of an input file", func(dir string) error {
			return replace(filepath.Join(dir, "input/resources/Site-west.yaml"), directory)
		}, false},
		{"a file in place of the input", func(dir string) error { return replace(filepath.Join(dir, "input"), text("")) }, false},
		{"a link to itself in place of the resources", func(dir string) error {
			return replace(filepath.Join(dir, "input/resources"), func(path string) error { return os.Symlink(path, path) })
		}, false},
		{"records that are no records", func(dir string) error { return text("{")(filepath.Join(dir, "internal/state.json")) }, false},
		{"a directory in place of the records", func(dir string) error { return replace(filepath.Join(dir, "internal/state.json"), directory) }, false},
		{"a journal that is none", func(dir string) error { return text("{}")(filepath.Join(dir, "internal/journal.json")) }, true},
		{"a file in place of the internal directory", func(dir string) error { return replace(filepath.Join(dir, "internal"), text("")) }, false},
		{"a file in place of what was made", func(dir string) error { return replace(filepath.Join(dir, "runtime"), text("")) }, true},
		{"a key that is none", func(dir string) error {
			return text("no key")(filepath.Join(dir, "runtime/issuers/skupper-site-ca/tls.key"))
		}, false},
		{"resources that are none", func(dir string) error { return text("[")(filepath.Join(dir, "runtime/resources/Site-west.yaml")) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m, o := newMachinery(t)
			t.Run("running", func(t *testing.T) { // its agent ends with it
				a := agentOf(t, m, o)
				apply(t, a, "west", siteFile("west", ""))
				apply(t, a, "east", siteFile("east", ""))
				if err := row.damage(filepath.Join(o.Paths.NamespacesDir(), "west")); err != nil {
					t.Fatal(err)
				}
				// It fails where the damage is such; how, is told by the status.
				_, _ = a.Operate(t.Context(), "west", api.OperateRequest{Operation: api.Reload})
				unharmed(t, a, "5432")
				toldOf(t, a, row.heals)
			})
			t.Run("started", func(t *testing.T) {
				if err := row.damage(filepath.Join(o.Paths.NamespacesDir(), "west")); err != nil {
					t.Fatal(err)
				}
				a := agentOf(t, m, o)
				unharmed(t, a, "5433")
				toldOf(t, a, row.heals)
			})
		})
	}
}

// unharmed checks that namespace east takes changes.
func unharmed(t *testing.T, a *Agent, port string) {
	t.Helper()
	apply(t, a, "east", listenerFile("db", port))
	s, err := a.Status(t.Context(), "east")
	if err != nil || s.Error != "" || !s.Observed || !has(s, "db") {
		t.Errorf("the other namespace: %+v, %v", s, err)
	}
}

// toldOf checks that namespace west is in order, if it heals, or says why not.
func toldOf(t *testing.T, a *Agent, heals bool) {
	t.Helper()
	awaitStatus(t, a, "west", func(s *api.Status) bool {
		if heals {
			return s.Namespace.State == api.Running && s.Error == ""
		}
		return s.Error != "" || s.Namespace.Message != ""
	})
	list, err := a.Namespaces(t.Context())
	if err != nil || len(list) != 2 {
		t.Errorf("namespaces %+v, %v", list, err)
	}
}
