package input

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/resource"
)

// Action is what a Put does.
type Action int

// The actions.
const (
	Unchanged Action = iota
	Created
	Configured
)

// Edit is a change of the input that is not written yet.
type Edit struct {
	snap  *Snapshot
	set   *resource.Set
	texts map[string]*resource.Text // by path, those that change
}

// Edit begins a change of what s holds.
func (s *Snapshot) Edit() *Edit {
	return &Edit{snap: s, set: s.Set.Clone(), texts: map[string]*resource.Text{}}
}

// Set is what the input would hold.
func (e *Edit) Set() *resource.Set { return e.set }

// Put adds o, or changes the object with its kind and name in the file where
// it is defined. What it says of itself decides, not where it came from.
func (e *Edit) Put(o resource.Object) (Action, error) {
	old := e.set.Find(o.Ref())
	if old != nil && resource.SameWish(old, o) {
		return Unchanged, nil
	}
	path := e.snap.paths.InputResource(string(o.Ref().Kind), o.Head().Name)
	action := Created
	if old != nil {
		action = Configured
		if file := old.Head().Source.File; e.snap.files[file] != nil {
			path = file
		}
	}
	text, err := e.text(path)
	if err != nil {
		return Unchanged, err
	}
	e.set.Put(o)
	return action, text.Put(resource.WithoutStatus(o))
}

// Remove drops an object and reports whether it was there.
func (e *Edit) Remove(ref resource.Ref) (bool, error) {
	old := e.set.Find(ref)
	if old == nil {
		return false, nil
	}
	file := old.Head().Source.File
	if e.snap.files[file] == nil { // put by this edit
		file = e.snap.paths.InputResource(string(ref.Kind), ref.Name)
	}
	text, err := e.text(file)
	if err != nil {
		return false, err
	}
	text.Remove(ref)
	e.set.Delete(ref)
	return true, nil
}

// text is the file at path, to be changed.
func (e *Edit) text(path string) (*resource.Text, error) {
	if t := e.texts[path]; t != nil {
		return t, nil
	}
	in := resource.Input{Name: path}
	if f := e.snap.files[path]; f != nil {
		in.Data = f.data
	}
	t, err := resource.NewText(in)
	if err != nil {
		return nil, err
	}
	e.texts[path] = t
	return t, nil
}

// Changes reports whether Write would write anything.
func (e *Edit) Changes() bool { return len(e.texts) > 0 }

// Hash is that of the input once the change is written.
func (e *Edit) Hash() string {
	after := *e.snap
	after.files = maps.Clone(e.snap.files)
	for path, t := range e.texts {
		delete(after.files, path)
		if !t.Empty() {
			after.files[path] = &loaded{sum: sha256.Sum256(t.Bytes())}
		}
	}
	return after.hash()
}

// Stage writes what the change puts into files beside them; nothing has changed
// yet. Whoever stages has it flushed and placed, and says when it is Done, or has
// it undone.
func (e *Edit) Stage() (*Change, error) {
	content, old := map[string][]byte{}, map[string][]byte{}
	for path, t := range e.texts {
		old[path] = nil
		if f := e.snap.files[path]; f != nil {
			old[path] = f.data
		}
		content[path] = nil
		if !t.Empty() {
			content[path] = t.Bytes()
		}
	}
	c, err := e.snap.store.stage(content, old)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	return c, nil
}

// syncDirs makes the names of files durable.
func syncDirs(dirs []string) error {
	var errs []error
	for _, dir := range dirs {
		d, err := os.Open(dir)
		if err != nil {
			continue // renamed; only the durability is unknown
		}
		errs = append(errs, d.Sync(), d.Close())
	}
	return errors.Join(errs...)
}

// sweep removes what a killed process was writing. Whoever writes holds the
// lock of the namespace, so that nobody is writing now.
func sweep(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	err = errors.Join(err, d.Close())
	for _, name := range names {
		if isTemporary(name) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
		}
	}
	return err
}

// isTemporary reports whether a file is one that Replace is writing.
func isTemporary(name string) bool {
	return strings.HasPrefix(name, ".") && strings.Contains(name, ".tmp-")
}

// Replace writes a file so that after a crash it holds the old content or the
// new: temporary file in the same directory, fsync, rename, fsync of the
// directory. The file is its owner's alone: 0600 in 0700.
func Replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temporary, err := create(path, data, true)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncDirs([]string{filepath.Dir(path)})
}

// create writes a temporary file beside path and says where. Its mode is 0600,
// less what the process takes away. There may be thousands, so that the system is
// asked for no more than a new file with that content.
func create(path string, data []byte, flush bool) (temporary string, err error) {
	dir, name := filepath.Split(path)
	for {
		temporary = dir + "." + name + ".tmp-" + rand.Text()
		fd, err := unix.Open(temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return "", &fs.PathError{Op: "create", Path: path, Err: err}
		}
		if err := errors.Join(fill(fd, data, flush), unix.Close(fd)); err != nil {
			return "", errors.Join(&fs.PathError{Op: "write", Path: path, Err: err}, os.Remove(temporary))
		}
		return temporary, nil
	}
}

// fill writes to an open file.
func fill(fd int, data []byte, flush bool) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		data = data[max(n, 0):]
	}
	if flush {
		return unix.Fsync(fd)
	}
	return nil
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
