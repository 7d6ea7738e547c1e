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

// write makes a change at once.
func write(e *Edit) (*Change, error) {
	c, err := e.Stage()
	if err != nil {
		return nil, err
	}
	return c, c.Place()
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
	s := NewStore(n, nil)
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
	snap := load(t, NewStore(n, nil))
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
	s := NewStore(n, nil)
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
	if _, err := write(edit); err != nil {
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
	s := NewStore(n, nil)
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
	written, err := write(edit)
	if err != nil {
		t.Fatal(err)
	}
	if load(t, s).Hash == before.Hash {
		t.Fatal("nothing was written")
	}
	if err := written.Undo(); err != nil {
		t.Fatal(err)
	}
	if load(t, s).Hash != before.Hash {
		t.Error("undo does not restore the input")
	}
}

// TestUndoTakesNoRoom goes back from a change of one file, and of several: what
// was there is there again, the same files, and nothing else is; and when the
// change is kept, nothing else is either.
func TestUndoTakesNoRoom(t *testing.T) {
	t.Parallel()
	for _, several := range []bool{false, true} {
		for _, keep := range []bool{false, true} {
			n := space(t)
			site, old := n.InputResource("Site", "west"), n.InputResource("Listener", "old")
			put(t, site, byHand)
			put(t, old, strings.Replace(byHand[strings.Index(byHand, "---")+4:], "name: db", "name: old", 1))
			s := NewStore(n, nil)
			edit := load(t, s).Edit()
			if _, err := edit.Remove(resource.Ref{Kind: resource.KindListener, Name: "old"}); err != nil {
				t.Fatal(err)
			}
			want := []string{"Listener-old.yaml", "Site-west.yaml"}
			if keep {
				want = want[1:]
			}
			if several {
				if _, err := edit.Put(listener("db", 80)); err != nil {
					t.Fatal(err)
				}
			}
			before := map[string]os.FileInfo{}
			for _, path := range []string{site, old} {
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				before[path] = info
			}
			written, err := write(edit)
			if err != nil {
				t.Fatal(err)
			}
			if keep {
				written.Done()
			} else if err := written.Undo(); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(n.InputResources())
			var got []string
			for _, e := range entries {
				got = append(got, e.Name())
			}
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("several %v, kept %v: files (-want +got):\n%s%v", several, keep, d, err)
			}
			for path, info := range before {
				if now, err := os.Stat(path); !keep && (err != nil || !os.SameFile(info, now)) {
					t.Errorf("several %v: %s is another file: %v", several, path, err)
				}
			}
		}
	}
}

func TestFailedWriteLeavesTheRest(t *testing.T) {
	t.Parallel()
	n := space(t)
	s := NewStore(n, nil)
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
	if _, err := write(edit); err == nil {
		t.Fatal("no error")
	}
	if snap := load(t, s); !snap.Empty() {
		t.Errorf("%d objects were left behind", snap.Set.Len())
	}
}

// TestKilledInAChange has the process die at each step of a change of several
// files, and of the way back. Afterwards all of the change is there, or nothing.
func TestKilledInAChange(t *testing.T) {
	t.Parallel()
	type killed struct{}
	for _, back := range []bool{false, true} {
		for at := 1; ; at++ {
			n := space(t)
			steps, dies := 0, !back
			s := NewStore(n, func(string) error {
				if steps++; dies && steps == at {
					panic(killed{})
				}
				return nil
			})
			put(t, filepath.Join(n.InputResources(), "deep", "all.yaml"), byHand)
			put(t, n.InputResource("Listener", "old"), strings.Replace(byHand[strings.Index(byHand, "---")+4:], "name: db", "name: old", 1))
			put(t, filepath.Join(n.InternalDir(), "other"), "not of the input")
			before := load(t, s)
			edit := before.Edit()
			for _, l := range []*resource.Listener{listener("db", 5433), listener("new", 80)} {
				if _, err := edit.Put(l); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := edit.Remove(resource.Ref{Kind: resource.KindListener, Name: "old"}); err != nil {
				t.Fatal(err)
			}
			survived := func() (survived bool) {
				defer func() {
					if r := recover(); r != nil && r != any(killed{}) {
						panic(r)
					}
				}()
				written, err := write(edit)
				if err != nil {
					t.Fatal(err)
				}
				steps, dies = 0, true
				if back {
					if err := written.Undo(); err != nil {
						t.Fatal(err)
					}
				}
				return true
			}()
			next := NewStore(n, nil)
			certain := Interrupted(n)
			if err := next.Complete(); err != nil {
				t.Fatal(err)
			}
			got, from, to := load(t, next).Hash, before.Hash, edit.Hash()
			if back {
				from, to = to, from
			}
			if got != to && (got != from || certain || survived) {
				t.Errorf("back %v, killed at step %d: half of the change is there", back, at)
			}
			if Interrupted(n) {
				t.Errorf("back %v, killed at step %d: a journal is left", back, at)
			}
			if survived {
				if at < 6 {
					t.Errorf("back %v: %d steps", back, at)
				}
				break
			}
		}
	}
}

// TestStrangeJournal has a journal that names files elsewhere.
func TestStrangeJournal(t *testing.T) {
	t.Parallel()
	n := space(t)
	victim := filepath.Join(n.Dir, "victim")
	for text, fine := range map[string]bool{
		`[{"path":"../victim"}]`: false, `[{"path":"resources/a.yaml","temp":"../victim"}]`: false, `[{"path":"resources/a.yaml","temp":"resources/b.yaml"}]`: false,
		`half`: true, `[]`: true, `[{"path":"resources/none.yaml"},{"path":"resources/a.yaml","temp":"resources/.a.yaml.tmp-1"}]`: true,
	} {
		put(t, victim, "theirs")
		put(t, filepath.Join(n.InputResources(), "b.yaml"), byHand)
		put(t, journalOf(n), text)
		if err := NewStore(n, nil).Complete(); (err == nil) != fine {
			t.Errorf("%s: %v", text, err)
		}
		for _, path := range []string{victim, filepath.Join(n.InputResources(), "b.yaml")} {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		if Interrupted(n) == fine {
			t.Errorf("%s: the journal is there: %v", text, !fine)
		}
	}
}
