package host

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
)

// Companion is a change of files that belong to somebody else, made together with
// a change of the machine, so that the disk is waited for once.
type Companion interface {
	// Files are those that must be on the disk before Place.
	Files() []string
	// Place makes the change, before anything else of the machine changes. If it
	// fails, it has left everything as it was.
	Place() error
	// Dirs are the directories whose entries Place has changed.
	Dirs() []string
}

// flushEach is up to how many files are flushed one by one; beyond it flushing
// the whole file system is faster.
const flushEach = 16

// staged is a file that waits to be flushed.
type staged struct {
	dir  *folder
	name string
}

// flush makes what was staged survive a loss of power.
func (t *transaction) flush() error {
	others := newFolders(t.ns.paths.Dir)
	others.trusting = true // of the owner's input
	defer others.close()
	var files []staged
	add := func(from *folders, paths []string) error {
		for _, path := range paths {
			d, name, err := from.of(path)
			if err != nil {
				return err
			}
			files = append(files, staged{d, name})
		}
		return nil
	}
	err := add(t.folders, t.durable)
	if t.with != nil {
		err = errors.Join(err, add(others, t.with.Files()))
	}
	if err != nil || len(files) == 0 {
		return err
	}
	if len(files) > flushEach {
		return t.flushAll(files)
	}
	for _, f := range files {
		if err := t.reach("flush %s", filepath.Join(f.dir.path, f.name)); err != nil {
			return err
		}
	}
	// Writing begins with all of them, so that they share one commit of the
	// file system's journal.
	for _, f := range files {
		if err := f.dir.beginFlush(f.name); err != nil {
			return err
		}
	}
	return atOnce(files, func(f staged) error { return f.dir.flush(f.name) })
}

// flushAll flushes the file systems that files are on.
func (t *transaction) flushAll(files []staged) error {
	if err := t.reach("flush everything"); err != nil {
		return err
	}
	flushed := make(map[uint64]bool) // by device
	for _, f := range files {
		st, err := f.dir.stat(".")
		if err != nil {
			return err
		}
		if flushed[st.Dev] {
			continue
		}
		flushed[st.Dev] = true
		if err := f.dir.syncAll(); err != nil {
			return err
		}
	}
	return nil
}

// beginNames begins to make the entries of all directories that were touched
// survive a loss of power.
func (t *transaction) beginNames() error {
	others := newFolders(t.ns.paths.Dir)
	others.trusting = true
	var dirs []*folder
	add := func(from *folders, paths []string) error {
		for _, path := range paths {
			if err := t.reach("sync %s", path); err != nil {
				return err
			}
			d, err := from.at(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			dirs = append(dirs, d)
		}
		return nil
	}
	err := add(t.folders, slices.Sorted(maps.Keys(t.touched)))
	if t.with != nil {
		err = errors.Join(err, add(others, t.with.Dirs()))
	}
	if err != nil || len(dirs) == 0 {
		others.close()
		return err
	}
	clear(t.touched)
	t.with = nil // that is all of it
	var failed error
	var flushing sync.WaitGroup
	flushing.Go(func() {
		failed = atOnce(dirs, (*folder).sync)
		others.close()
	})
	t.names = func() error {
		flushing.Wait()
		return failed
	}
	return nil
}

// awaitNames waits until what beginNames began is on the disk.
func (t *transaction) awaitNames() error {
	if t.names == nil {
		return nil
	}
	wait := t.names
	t.names = nil
	return wait()
}

// atOnce flushes several things at the same time: a disk takes about as long for
// them together as for one.
func atOnce[T any](list []T, flush func(T) error) error {
	errs := make([]error, len(list))
	var flushed sync.WaitGroup
	for i, one := range list {
		flushed.Go(func() { errs[i] = flush(one) })
	}
	flushed.Wait()
	return errors.Join(errs...)
}
