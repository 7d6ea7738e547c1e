package input

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/resource"
)

// space is an empty namespace that lives as long as the test.
func space(t *testing.T) layout.NamespacePaths {
	t.Helper()
	p, err := layout.Locate(layout.Env{UID: 1000, OutputPath: t.TempDir(), XDGRuntimeDir: "/run/user/1000"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := p.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, s *Store) *Snapshot {
	t.Helper()
	snap, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func listener(name string, port int) *resource.Listener {
	l := &resource.Listener{Meta: resource.Meta{Name: name}}
	l.Spec.RoutingKey, l.Spec.Host, l.Spec.Port = name, "127.0.0.1", port
	return l
}

const byHand = `# the site
apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: west}
---
# for the shop
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata:
  name: db
spec:
  routingKey: db # as the connector
  host: 127.0.0.1
  port: 5432
`

func TestLoad(t *testing.T) {
	t.Parallel()
	n := space(t)
	s := NewStore(n)
	if snap := load(t, s); !snap.Empty() {
		t.Fatal("a namespace without input is not empty")
	}
	put(t, filepath.Join(n.InputResources(), "deep", "all.yml"), byHand)
	put(t, filepath.Join(n.InputResources(), "README"), "not a resource")
	put(t, filepath.Join(n.InputResources(), ".x.yaml.tmp-1"), "half")
	put(t, filepath.Join(n.InputCert("shop"), "tls.crt"), "pem")
	snap := load(t, s)
	if snap.Err != nil || snap.Set.Len() != 2 {
		t.Fatalf("%d objects, error %v", snap.Set.Len(), snap.Err)
	}
	if d := cmp.Diff(map[string][]string{"shop": {"tls.crt"}}, snap.Certs.Names()); d != "" {
		t.Error(d)
	}
	if again := load(t, s); again.Hash != snap.Hash || again.files[filepath.Join(n.InputResources(), "deep", "all.yml")] != snap.files[filepath.Join(n.InputResources(), "deep", "all.yml")] {
		t.Error("an unchanged input is read again or has another hash")
	}
	put(t, filepath.Join(n.InputCert("shop"), "tls.crt"), "another")
	if again := load(t, s); again.Hash == snap.Hash {
		t.Error("a replaced certificate leaves the hash")
	}
}

func TestProblemsNameTheFile(t *testing.T) {
	t.Parallel()
	n := space(t)
	put(t, filepath.Join(n.InputResources(), "broken.yaml"), "kind: [\n")
	put(t, filepath.Join(n.InputResources(), "site.yaml"), byHand)
	snap := load(t, NewStore(n))
	if snap.Err == nil || !strings.Contains(snap.Err.Error(), "broken.yaml") {
		t.Errorf("error %v", snap.Err)
	}
	if snap.Set.Len() != 2 {
		t.Errorf("%d objects beside the broken file, want 2", snap.Set.Len())
	}
}

func TestEditKeepsWhatAPersonWrote(t *testing.T) {
	t.Parallel()
	n := space(t)
	file := filepath.Join(n.InputResources(), "all.yaml")
	put(t, file, byHand)
	s := NewStore(n)
	edit := load(t, s).Edit()
	for _, step := range []struct {
		o    resource.Object
		want Action
	}{
		{listener("db", 5432), Unchanged},
		{listener("db", 5433), Configured},
		{listener("new", 80), Created},
	} {
		if got, err := edit.Put(step.o); got != step.want || err != nil {
			t.Fatalf("%s: action %d, error %v, want action %d", step.o.Ref(), got, err, step.want)
		}
	}
	half := filepath.Join(n.InputResources(), ".Listener-x.yaml.tmp-7")
	put(t, half, "of a process that was killed")
	hash := edit.Hash()
	if _, err := edit.Write(); err != nil {
		t.Fatal(err)
	}
	if now := load(t, s).Hash; now != hash {
		t.Error("the hash of the written input is not the one that was foreseen")
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("a half file stays: %v", err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(byHand, "5432", "5433", 1)
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("the file (-want +got):\n%s", d)
	}
	info, err := os.Stat(n.InputResource("Listener", "new"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("new file: %v, %v", info, err)
	}
	if snap := load(t, s); snap.Err != nil || snap.Set.Len() != 3 {
		t.Errorf("afterwards %d objects, %v", snap.Set.Len(), snap.Err)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	n := space(t)
	put(t, n.InputResource("Site", "west"), byHand)
	s := NewStore(n)
	before := load(t, s)
	edit := before.Edit()
	if _, err := edit.Put(listener("new", 80)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"db", "none"} {
		if was, err := edit.Remove(resource.Ref{Kind: resource.KindListener, Name: name}); err != nil || was != (name == "db") {
			t.Fatalf("remove %s: %v, %v", name, was, err)
		}
	}
	undo, err := edit.Write()
	if err != nil {
		t.Fatal(err)
	}
	if load(t, s).Hash == before.Hash {
		t.Fatal("nothing was written")
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if load(t, s).Hash != before.Hash {
		t.Error("undo does not restore the input")
	}
}

func TestFailedWriteLeavesTheRest(t *testing.T) {
	t.Parallel()
	n := space(t)
	s := NewStore(n)
	edit := load(t, s).Edit()
	for _, name := range []string{"a", "b"} {
		if _, err := edit.Put(listener(name, 80)); err != nil {
			t.Fatal(err)
		}
	}
	// A directory stands where the second file belongs.
	if err := os.MkdirAll(filepath.Join(n.InputResource("Listener", "b"), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := edit.Write(); err == nil {
		t.Fatal("no error")
	}
	if snap := load(t, s); !snap.Empty() {
		t.Errorf("%d objects were left behind", snap.Set.Len())
	}
}
