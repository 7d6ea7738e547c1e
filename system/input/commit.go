package input

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/skupper-host/skupper/system/layout"
)

// journalName is the file in internal/ that a change of several files leaves
// while it is under way. Once it is there, the change will be completed.
const journalName = "input.json"

// replacement is what happens to one file. Both are below the directory of the
// input.
type replacement struct {
	Path string `json:"path"`
	Temp string `json:"temp,omitempty"` // what comes there; empty: the file goes
}

func journalOf(p layout.NamespacePaths) string { return filepath.Join(p.InternalDir(), journalName) }

// Interrupted reports whether a change of the input goes on, or was interrupted
// and is completed by the next who may write: until then the input is half of it.
func Interrupted(p layout.NamespacePaths) bool {
	_, err := os.Lstat(journalOf(p))
	return err == nil
}

// Complete finishes a change that was interrupted. Whoever calls holds the lock
// of the namespace.
func (s *Store) Complete() error {
	data, err := os.ReadFile(journalOf(s.paths))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("input: %w", err)
	}
	var list []replacement
	if json.Unmarshal(data, &list) == nil { // else it is not ours: a journal appears whole
		if err := s.replaceAll(list); err != nil {
			return fmt.Errorf("input: interrupted change: %w", err)
		}
	}
	return os.Remove(journalOf(s.paths))
}

// Written is a change that was made.
type Written struct {
	store *Store
	list  []replacement
	old   map[string][]byte // by path; nil: there was no file
	kept  map[string]string // what was there, under another name; by path
}

// commit gives files new content; those without content go. Of several, all
// change or none: when one fails, those before it have old content again, and
// when the process dies in between, Complete goes on. What was there keeps a
// second name until Done: going back takes no room on the disk.
func (s *Store) commit(change, old map[string][]byte) (*Written, error) {
	w := &Written{store: s, old: old, kept: map[string]string{}}
	if len(change) == 0 {
		return w, nil
	}
	if err := errors.Join(s.reach("stage the input"), sweep(s.paths.InputResources())); err != nil {
		return nil, err
	}
	var err error
	if w.list, err = s.stage(change); err != nil {
		return nil, errors.Join(err, sweep(s.paths.InputResources()))
	}
	w.keep()
	several := len(w.list) > 1
	if several {
		if err = s.reach("journal of the input"); err == nil {
			err = s.writeJournal(w.list)
		}
		if err != nil {
			return nil, errors.Join(err, sweep(s.paths.InputResources()))
		}
	}
	if err := s.replaceAll(w.list); err != nil {
		errs := []error{err}
		if several {
			errs = append(errs, os.Remove(journalOf(s.paths)))
		}
		return nil, errors.Join(append(errs, w.restore(), sweep(s.paths.InputResources()))...)
	}
	if !several {
		return w, nil
	}
	if err := s.reach("end of the journal of the input"); err != nil {
		return nil, err
	}
	return w, os.Remove(journalOf(s.paths))
}

// keep gives files that are about to change a second name. Where the file system
// knows no such thing, going back writes them again.
func (w *Written) keep() {
	for _, r := range w.list {
		path := filepath.Join(w.store.paths.InputDir(), r.Path)
		if w.old[path] == nil {
			continue
		}
		kept := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp-"+rand.Text())
		if os.Link(path, kept) == nil {
			w.kept[path] = kept
		}
	}
}

// Undo goes back: all of it or, if the process dies meanwhile, Complete does.
func (w *Written) Undo() error {
	if len(w.list) == 0 {
		return nil
	}
	var back []replacement
	for _, r := range w.list {
		path := filepath.Join(w.store.paths.InputDir(), r.Path)
		r.Temp = ""
		if kept, ok := w.kept[path]; ok {
			r.Temp = filepath.Join(filepath.Dir(r.Path), filepath.Base(kept))
		} else if data := w.old[path]; data != nil {
			temp, err := create(path, data, true)
			if err != nil {
				return err
			}
			r.Temp = filepath.Join(filepath.Dir(r.Path), filepath.Base(temp))
		}
		back = append(back, r)
	}
	// Without room for a journal there is none.
	journal := len(back) > 1 && w.store.reach("journal of the way back") == nil && w.store.writeJournal(back) == nil
	if err := w.store.replaceAll(back); err != nil || !journal {
		return err
	}
	if err := w.store.reach("end of the journal of the way back"); err != nil {
		return err
	}
	return os.Remove(journalOf(w.store.paths))
}

// restore gives every file of a change that failed the content that it had. It
// goes on where one fails.
func (w *Written) restore() error {
	var errs []error
	for path, data := range w.old {
		if kept, ok := w.kept[path]; ok {
			errs = append(errs, os.Rename(kept, path))
		} else {
			errs = append(errs, restore(path, data))
		}
	}
	return errors.Join(errs...)
}

// Done forgets what was there before.
func (w *Written) Done() {
	for _, kept := range w.kept {
		_ = os.Remove(kept) // what is left is swept by the next change
	}
}

// stage writes what files are to hold beside them, on the disk.
func (s *Store) stage(change map[string][]byte) ([]replacement, error) {
	few := len(change) <= syncFew
	var list []replacement
	dir := "" // that is known to be there
	for _, path := range sorted(change) {
		rel, err := filepath.Rel(s.paths.InputDir(), path)
		if err != nil {
			return nil, err
		}
		r := replacement{Path: rel}
		if data := change[path]; data != nil {
			if filepath.Dir(path) != dir {
				dir = filepath.Dir(path)
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return nil, err
				}
			}
			temp, err := create(path, data, few)
			if err != nil {
				return nil, err
			}
			r.Temp = filepath.Join(filepath.Dir(rel), filepath.Base(temp))
		}
		list = append(list, r)
	}
	if few {
		return list, nil
	}
	return list, syncAll(s.paths.InputResources())
}

// writeJournal makes a change certain.
func (s *Store) writeJournal(list []replacement) error {
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return Replace(journalOf(s.paths), append(data, '\n'))
}

// replaceAll makes a change, or the rest of one.
func (s *Store) replaceAll(list []replacement) error {
	var touched []string
	for _, r := range list {
		if !filepath.IsLocal(r.Path) || r.Temp != "" && (!filepath.IsLocal(r.Temp) || filepath.Dir(r.Temp) != filepath.Dir(r.Path) || !isTemporary(filepath.Base(r.Temp))) {
			return fmt.Errorf("%s is not in the input", r.Path)
		}
		path := filepath.Join(s.paths.InputDir(), r.Path)
		if err := s.reach("replace " + path); err != nil {
			return err
		}
		var err error
		if r.Temp == "" {
			err = os.Remove(path)
		} else {
			err = os.Rename(filepath.Join(s.paths.InputDir(), r.Temp), path)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) { // else it is done
			return err
		}
		touched = append(touched, path)
	}
	return syncDirs(slices.Compact(touched))
}

// restore gives a file the content that it had, if it existed.
func restore(path string, data []byte) error {
	if data != nil {
		return Replace(path, data)
	}
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
