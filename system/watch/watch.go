package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch watches trees of directories.
type Watch struct {
	events *fsnotify.Watcher

	mu    sync.Mutex
	trees map[*Tree]bool // guarded by mu
}

// Tree is one watched directory and everything below it.
type Tree struct {
	watch   *Watch
	root    string
	shallow bool
	changed chan struct{}

	burst debounce // guarded by watch.mu
}

// New opens the event source. The error is the system's, such as the limit on
// inotify instances.
func New() (*Watch, error) {
	events, err := fsnotify.NewBufferedWatcher(256)
	if err != nil {
		return nil, fmt.Errorf("file events: %w", err)
	}
	return &Watch{events: events, trees: map[*Tree]bool{}}, nil
}

// Add watches root and everything below it, and waits for root where it does
// not exist yet, as long as its parent does. Where the error is not nil, some
// directories are not watched; the tree is usable and must be closed.
func (w *Watch) Add(root string) (*Tree, error) { return w.add(root, false) }

// AddFlat watches only what is directly in root.
func (w *Watch) AddFlat(root string) (*Tree, error) { return w.add(root, true) }

func (w *Watch) add(root string, shallow bool) (*Tree, error) {
	t := &Tree{watch: w, root: filepath.Clean(root), shallow: shallow, changed: make(chan struct{}, 1)}
	w.mu.Lock()
	w.trees[t] = true
	w.mu.Unlock()
	return t, t.watchAll()
}

// Refresh watches directories that came without an event: the parent of the
// root may not have existed, or a watch may have failed. Looking at the tree
// after it misses nothing.
func (t *Tree) Refresh() error { return t.watchAll() }

// watchAll puts watches on the parent of the root, the root, and what is below.
func (t *Tree) watchAll() error {
	errs := []error{t.watchDir(filepath.Dir(t.root))}
	if t.shallow {
		return errors.Join(append(errs, t.watchDir(t.root))...)
	}
	return errors.Join(append(errs, t.watchBelow(t.root))...)
}

func (t *Tree) watchBelow(dir string) error {
	var errs []error
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it went while we looked; its parent tells when it is back
			}
			errs = append(errs, err)
			return fs.SkipDir
		}
		if d.IsDir() {
			errs = append(errs, t.watchDir(p))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

func (t *Tree) watchDir(dir string) error {
	err := t.watch.events.Add(dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("watch %s: %w", dir, err)
}

// Changed yields one value after a burst of changes. Reading it is to promise
// to look at the whole tree.
func (t *Tree) Changed() <-chan struct{} { return t.changed }

// Close forgets the tree. Its watches stay as long as the Watch: other trees
// may share them.
func (t *Tree) Close() {
	t.watch.mu.Lock()
	defer t.watch.mu.Unlock()
	delete(t.watch.trees, t)
}

// Run delivers marks until ctx is done and then closes the event source. It
// returns nil, or an error when the source broke.
func (w *Watch) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return w.events.Close()
		case e, ok := <-w.events.Events:
			if !ok {
				return errors.New("file events: the source closed")
			}
			w.note(e, time.Now())
		case _, ok := <-w.events.Errors:
			if !ok {
				return errors.New("file events: the source closed")
			}
			w.noteAll(time.Now()) // an overflow: anything may have changed
		case <-timer.C:
		}
		timer.Reset(time.Until(w.fire(time.Now())))
	}
}

// note starts or prolongs the burst of every tree that the event belongs to.
func (w *Watch) note(e fsnotify.Event, now time.Time) {
	if scratch(e.Name) {
		return
	}
	w.mu.Lock()
	var grown []*Tree
	for t := range w.trees {
		if !t.has(e.Name) {
			continue
		}
		t.burst.event(now)
		if e.Has(fsnotify.Create) && !t.shallow {
			grown = append(grown, t)
		}
	}
	w.mu.Unlock()
	for _, t := range grown {
		if err := t.watchBelow(e.Name); err != nil {
			w.noteAll(now)
		}
	}
}

// has reports whether a path lies in the tree.
func (t *Tree) has(path string) bool {
	if path == t.root {
		return true
	}
	rest, ok := strings.CutPrefix(path, t.root+string(filepath.Separator))
	return ok && (!t.shallow || !strings.ContainsRune(rest, filepath.Separator))
}

// scratch reports whether a name is that of a file which is being written: it
// will be renamed, and the rename is an event of its own.
func scratch(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, ".") && strings.Contains(name, ".tmp-")
}

func (w *Watch) noteAll(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for t := range w.trees {
		t.burst.event(now)
	}
}

// fire sets the marks that are due and returns when to look again.
func (w *Watch) fire(now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := now.Add(time.Hour)
	for t := range w.trees {
		if t.burst.fire(now) {
			select {
			case t.changed <- struct{}{}:
			default: // the mark is set already
			}
		}
		if due := t.burst.due(); !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	return next
}
