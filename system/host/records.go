package host

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/skupper-host/skupper/system/state"
)

// WriteRecords replaces records of objects, and removes those that are gone.
// Each is whole, old or new, but they are not one change, and they are not
// flushed: only what can be made again is written this way. What was not written
// yet when an error comes is as it was.
func (n *Namespace) WriteRecords(files map[string][]byte, gone []string) error {
	fail := func(path string, err error) error { return fmt.Errorf("record %s: %w", path, err) }
	t := newTransaction(n)
	defer t.close()
	owner, err := t.owners.ids(state.Owner{})
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		d, name, err := t.folders.of(path)
		if err == nil {
			err = t.reach("write record %s", path)
		}
		if err != nil {
			return fail(path, err)
		}
		temp := filepath.Base(scratchPath(path, t.id, ".new"))
		if err = d.create(temp, files[path], recordMode, owner); err == nil {
			err = d.rename(temp, name)
		}
		if err != nil {
			return fail(path, errors.Join(err, d.remove(temp)))
		}
	}
	for _, path := range gone {
		if err := errors.Join(t.reach("remove record %s", path), t.removeScratch(path)); err != nil {
			return fail(path, err)
		}
	}
	return nil
}

// recordMode is that of the records of objects.
const recordMode = 0o600
