package watch

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestDebounce(t *testing.T) {
	t.Parallel()
	start := time.Unix(100, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for _, row := range []struct {
		name   string
		events []int // ms
		due    int   // ms; -1 for never
	}{
		{"nothing", nil, -1},
		{"one event", []int{0}, 200},
		{"a burst", []int{0, 50, 120}, 320},
		{"without end", []int{0, 190, 380, 570, 760, 950, 1140, 1330, 1520, 1710, 1900, 1990}, 2000},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var d debounce
			for _, ms := range row.events {
				if d.fire(at(ms)) {
					t.Fatalf("fired at %d ms within the burst", ms)
				}
				d.event(at(ms))
			}
			if row.due < 0 {
				if !d.due().IsZero() {
					t.Fatalf("due at %v without an event", d.due())
				}
				return
			}
			if got := d.due(); !got.Equal(at(row.due)) {
				t.Fatalf("due %v after the start, want %d ms", got.Sub(start), row.due)
			}
			if d.fire(at(row.due-1)) || !d.fire(at(row.due)) || d.fire(at(row.due)) {
				t.Fatal("does not fire exactly once, when due")
			}
		})
	}
}

// watching starts a Watch that ends with the test.
func watching(t *testing.T) *Watch {
	t.Helper()
	w, err := New()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return w
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, tree *Tree, what string) {
	t.Helper()
	select {
	case <-tree.Changed():
	case <-time.After(5 * time.Second):
		t.Fatalf("no mark after %s", what)
	}
}

func TestMarksFollowTheTree(t *testing.T) {
	t.Parallel()
	w := watching(t)
	root := filepath.Join(t.TempDir(), "input")
	tree, err := w.Add(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	write(t, filepath.Join(root, "resources", "a.yaml"))
	await(t, tree, "the tree appeared")
	write(t, filepath.Join(root, "certs", "deep", "tls.crt"))
	await(t, tree, "a directory appeared")
	write(t, filepath.Join(root, "certs", "deep", "tls.crt"))
	await(t, tree, "a file in the new directory changed")
	if err := os.Chmod(filepath.Join(root, "certs", "deep", "tls.crt"), 0); err != nil {
		t.Fatal(err)
	}
	await(t, tree, "a file cannot be read any more")
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	await(t, tree, "the tree vanished")
	write(t, filepath.Join(root, "resources", "b.yaml"))
	await(t, tree, "the tree came back")
}

func TestTreesAreIndependent(t *testing.T) {
	t.Parallel()
	w := watching(t)
	dir := t.TempDir()
	west, err := w.Add(filepath.Join(dir, "west"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.AddFlat(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "east", "resources", "a.yaml"))
	await(t, all, "a new directory")
	write(t, filepath.Join(dir, "west", ".a.yaml.tmp-1"))
	select {
	case <-west.Changed(): // the directory itself is new
	case <-time.After(5 * time.Second):
		t.Fatal("no mark for the new tree")
	}
	select {
	case <-west.Changed():
		t.Fatal("a mark for another tree, or for a file being written")
	case <-time.After(3 * quiet):
	}
}

func TestRefreshFindsTheParent(t *testing.T) {
	t.Parallel()
	w := watching(t)
	root := filepath.Join(t.TempDir(), "west", "input")
	tree, err := w.Add(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if err := os.MkdirAll(filepath.Join(root, "resources"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := tree.Refresh(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "resources", "a.yaml"))
	await(t, tree, "a refresh")
}
