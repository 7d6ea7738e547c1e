package input

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
		if err := s.replaceDurably(list); err != nil {
			return fmt.Errorf("input: interrupted change: %w", err)
		}
	}
	return os.Remove(journalOf(s.paths))
}

// Change gives files new content; those without content go. Of several, all
// change or none: when one fails, those before it have old content again, and
// when the process dies in between, Complete goes on. What was there keeps a
// second name until Done: going back takes no room on the disk.
type Change struct {
	store  *Store
	list   []replacement
	old    map[string][]byte // by path; nil: there was no file
	kept   map[string]string // what was there, under another name; by path
	placed bool
}

// stage writes what files are to hold beside them.
func (s *Store) stage(content, old map[string][]byte) (*Change, error) {
	c := &Change{store: s, old: old, kept: map[string]string{}}
	if len(content) == 0 {
		return c, nil
	}
	if err := errors.Join(s.reach("stage the input"), sweep(s.paths.InputResources())); err != nil {
		return nil, err
	}
	dir := "" // that is known to be there
	for _, path := range sorted(content) {
		rel, err := filepath.Rel(s.paths.InputDir(), path)
		if err != nil {
			return nil, errors.Join(err, c.Undo())
		}
		r := replacement{Path: rel}
		if data := content[path]; data != nil {
			if filepath.Dir(path) != dir {
				dir = filepath.Dir(path)
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return nil, errors.Join(err, c.Undo())
				}
			}
			temp, err := create(path, data, false)
			if err != nil {
				return nil, errors.Join(err, c.Undo())
			}
			r.Temp = filepath.Join(filepath.Dir(rel), filepath.Base(temp))
		}
		c.list = append(c.list, r)
	}
	return c, nil
}

// Files are those that have to be on the disk before Place.
func (c *Change) Files() []string {
	var files []string
	for _, r := range c.list {
		if r.Temp != "" {
			files = append(files, filepath.Join(c.store.paths.InputDir(), r.Temp))
		}
	}
	return files
}

// Place makes the change. It survives a loss of power once Dirs are flushed.
func (c *Change) Place() error {
	if len(c.list) == 0 {
		return nil
	}
	err := c.place()
	if err != nil {
		c.list = nil // nothing of it is left
		return fmt.Errorf("input: %w", err)
	}
	c.placed = true
	return nil
}

func (c *Change) place() error {
	s := c.store
	c.keep()
	if len(c.list) == 1 {
		return c.orNothing(s.replaceAll(c.list))
	}
	err := s.reach("journal of the input")
	if err == nil {
		err = s.writeJournal(c.list)
	}
	if err != nil {
		return errors.Join(err, sweep(s.paths.InputResources()))
	}
	if err := s.replaceDurably(c.list); err != nil {
		return c.orNothing(errors.Join(err, os.Remove(journalOf(s.paths))))
	}
	if err := s.reach("end of the journal of the input"); err != nil {
		return err
	}
	return os.Remove(journalOf(s.paths))
}

// orNothing has everything as it was if there is an error.
func (c *Change) orNothing(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, c.restore(), sweep(c.store.paths.InputResources()))
}

// Dirs are the directories whose names of files have changed and may not be on
// the disk yet.
func (c *Change) Dirs() []string {
	if len(c.list) != 1 {
		return nil // several are on the disk before their journal goes
	}
	return c.store.dirs(c.list)
}

// keep gives files that are about to change a second name. Where the file system
// knows no such thing, going back writes them again.
func (c *Change) keep() {
	for _, r := range c.list {
		path := filepath.Join(c.store.paths.InputDir(), r.Path)
		if c.old[path] == nil {
			continue
		}
		kept := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp-"+rand.Text())
		if os.Link(path, kept) == nil {
			c.kept[path] = kept
		}
	}
}

// Undo goes back: all of it or, if the process dies meanwhile, Complete does.
func (c *Change) Undo() error {
	if !c.placed {
		var errs []error
		for _, file := range c.Files() {
			errs = append(errs, os.Remove(file))
		}
		c.list = nil
		return errors.Join(errs...)
	}
	var back []replacement
	for _, r := range c.list {
		path := filepath.Join(c.store.paths.InputDir(), r.Path)
		r.Temp = ""
		if kept, ok := c.kept[path]; ok {
			r.Temp = filepath.Join(filepath.Dir(r.Path), filepath.Base(kept))
		} else if data := c.old[path]; data != nil {
			temp, err := create(path, data, true)
			if err != nil {
				return err
			}
			r.Temp = filepath.Join(filepath.Dir(r.Path), filepath.Base(temp))
		}
		back = append(back, r)
	}
	// Without room for a journal there is none.
	s := c.store
	journal := len(back) > 1 && s.reach("journal of the way back") == nil && s.writeJournal(back) == nil
	if err := s.replaceDurably(back); err != nil || !journal {
		return err
	}
	if err := s.reach("end of the journal of the way back"); err != nil {
		return err
	}
	return os.Remove(journalOf(s.paths))
}

// restore gives every file of a change that failed the content that it had. It
// goes on where one fails.
func (c *Change) restore() error {
	var errs []error
	for path, data := range c.old {
		if kept, ok := c.kept[path]; ok {
			errs = append(errs, os.Rename(kept, path))
		} else {
			errs = append(errs, restore(path, data))
		}
	}
	return errors.Join(errs...)
}

// Done forgets what was there before.
func (c *Change) Done() {
	for _, kept := range c.kept {
		_ = os.Remove(kept) // what is left is swept by the next change
	}
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
	}
	return nil
}

// replaceDurably is replaceAll for what has to be on the disk at once.
func (s *Store) replaceDurably(list []replacement) error {
	if err := s.replaceAll(list); err != nil {
		return err
	}
	dirs := s.dirs(list)
	for _, dir := range dirs {
		if err := s.reach("sync " + dir); err != nil {
			return err
		}
	}
	return syncDirs(dirs)
}

// dirs are the directories of files, each once.
func (s *Store) dirs(list []replacement) []string {
	dirs := map[string]bool{}
	for _, r := range list {
		dirs[filepath.Dir(filepath.Join(s.paths.InputDir(), r.Path))] = true
	}
	return sorted(dirs)
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
