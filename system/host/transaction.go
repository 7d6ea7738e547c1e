package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/state"
)

// transaction is one change of a namespace under way.
type transaction struct {
	ns      *Namespace
	id      string // in the names of its scratch files
	folders *folders
	owners  *owners
	tasks   []task
	staged  []string          // scratch files that were written
	durable []string          // those that must survive a loss of power
	kept    map[string]string // files that an earlier transaction kept, by path
	touched map[string]bool   // directories whose entries must survive it, too
	with    Companion         // nil: nobody
	names   func() error      // waits for entries that are being flushed; nil: none are

	complete bool // everything is done
}

func newTransaction(n *Namespace) *transaction {
	return &transaction{ns: n, id: rand.Text(), folders: newFolders(n.paths.Dir), owners: newOwners(), touched: make(map[string]bool)}
}

// close gives back what the transaction holds, whichever way it ended: also a
// flush that nobody waited for has its directories open until it is done.
func (t *transaction) close() {
	_ = t.awaitNames() // who needed to know has asked
	t.folders.close()
}

// run takes the steps: directories, then everything that can fail for want of
// space or rights, then the journal, then the rest. The disk is waited for twice:
// for the new files before anything changes, and for their names at the end. These
// are flushed while units are told and asked.
func (t *transaction) run(ctx context.Context, steps []plan.Step, confirm []Confirm) *ApplyError {
	for _, s := range steps {
		if s.Op == plan.MakeDir {
			if err := t.makeDir(s); err != nil {
				return &ApplyError{Step: s.String(), Err: err}
			}
		}
	}
	for _, s := range steps {
		if err := t.stage(s); err != nil {
			return &ApplyError{Step: s.String(), Err: errors.Join(err, t.unstage())}
		}
	}
	if err := t.flush(); err != nil {
		return &ApplyError{Step: "flush new files", Err: errors.Join(err, t.unstage())}
	}
	if t.with != nil {
		if err := t.with.Place(); err != nil {
			return &ApplyError{Step: "place new files", Err: errors.Join(err, t.unstage())}
		}
	}
	matters := slices.ContainsFunc(t.tasks, func(s task) bool { return s.Op != plan.RemoveDir })
	if matters {
		if err := t.commit(steps); err != nil {
			return &ApplyError{Step: "write journal", Err: errors.Join(err, t.unstage())}
		}
	}
	for i := range t.tasks {
		err := t.turnTo(&t.tasks[i])
		if err == nil {
			err = t.do(ctx, &t.tasks[i])
		}
		if err == nil && matters {
			err = t.ns.markDone(i)
		}
		if err != nil {
			return &ApplyError{Step: t.tasks[i].Text, Err: err}
		}
	}
	for _, ask := range confirm {
		if err := errors.Join(t.reach("confirm"), ask(ctx)); err != nil {
			return &ApplyError{Step: "confirm", Err: err}
		}
	}
	if err := t.finish(); err != nil {
		return &ApplyError{Step: "clean up", Err: err}
	}
	return nil
}

// turnTo has entries of directories flushed before units are told, and waits for
// that before others change.
func (t *transaction) turnTo(s *task) error {
	switch {
	case !onUnit(s.Op):
		return t.awaitNames()
	case t.names == nil:
		return t.beginNames()
	}
	return nil
}

// commit writes the journal: from here on there is a change. Before, it puts
// space by for the way back; the way back itself has none.
func (t *transaction) commit(steps []plan.Step) error {
	j := &journal{ID: t.id, Steps: t.tasks}
	if t.kept == nil {
		if err := errors.Join(t.reach("put space by"), t.ns.putSpaceBy(t.id, t.room(steps))); err != nil {
			return err
		}
	}
	if err := t.reach("journal"); err != nil {
		return err
	}
	return t.ns.writeJournal(j)
}

// spare is space for directories and records, bytes.
const spare = 64 << 10

// room is how much space going back may take, bytes: a journal, and what has to
// be written again: what is deleted together with its directory, and what is not
// kept.
func (t *transaction) room(steps []plan.Step) int64 {
	n := int64(spare)
	for _, task := range t.tasks {
		n += int64(len(task.Text)) + 512*int64(1+len(task.Files))
	}
	for _, s := range steps {
		for _, f := range s.Files {
			if s.Op == plan.Delete || f.Derived {
				n += int64(len(f.Data))
			}
		}
	}
	return n
}

func (t *transaction) reach(format string, args ...any) error {
	if t.ns.host.reach == nil {
		return nil
	}
	return t.ns.host.reach(fmt.Sprintf(format, args...))
}

// makeDir creates a directory, or gives it mode and owner. What is above a
// directory outside of the namespace is made, too.
func (t *transaction) makeDir(s plan.Step) error {
	if err := t.reach("make directory %s", s.Path); err != nil {
		return err
	}
	owner, err := t.owners.ids(s.Dir.Owner)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(s.Path, t.folders.root+"/") {
		if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
			return err
		}
	}
	parent, name, err := t.folders.of(s.Path)
	if err != nil {
		return err
	}
	t.folders.forget(s.Path)
	return parent.makeDir(name, s.Dir.Mode, owner)
}

// stage prepares a step: new content is written beside its target.
func (t *transaction) stage(s plan.Step) error {
	switch s.Op {
	case plan.MakeDir, plan.Add, plan.Change, plan.Remove:
		return nil // done, or done by the router
	default:
	}
	task := task{Op: s.Op, Text: s.String(), Path: s.Path, Unit: s.Unit, Spec: s.Spec}
	for _, path := range slices.Sorted(maps.Keys(s.Files)) {
		f := s.Files[path]
		m := move{Path: path}
		if !f.Derived {
			m.Kept = scratchPath(path, t.id, ".old")
		}
		if s.Op == plan.Write {
			m.Temp = scratchPath(path, t.id, ".new")
			if kept, ok := t.kept[path]; ok {
				m.Temp = kept
			} else if err := t.stageFile(m.Temp, f); err != nil {
				return err
			}
		}
		task.Files = append(task.Files, m)
	}
	t.tasks = append(t.tasks, task)
	return nil
}

func (t *transaction) stageFile(temp string, f state.File) error {
	if err := t.reach("stage %s", temp); err != nil {
		return err
	}
	owner, err := t.owners.ids(f.Owner)
	if err != nil {
		return err
	}
	d, name, err := t.folders.of(temp)
	if err != nil {
		return err
	}
	t.staged = append(t.staged, temp)
	if !f.Derived {
		t.durable = append(t.durable, temp)
	}
	return d.create(name, f.Data, f.Mode, owner)
}

// unstage removes what was staged for nothing.
func (t *transaction) unstage() error {
	var errs []error
	for _, path := range t.staged {
		errs = append(errs, t.removeScratch(path))
	}
	t.staged, t.durable = nil, nil
	return errors.Join(append(errs, t.ns.giveSpaceBack(t.id))...)
}

func (t *transaction) removeScratch(path string) error {
	if path == "" {
		return nil
	}
	d, name, err := t.folders.of(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.remove(name)
}

// do takes a step, or does again what was interrupted in it.
func (t *transaction) do(ctx context.Context, s *task) error {
	if onUnit(s.Op) {
		if err := t.reach("%s", s.Text); err != nil {
			return err
		}
		return t.unit(ctx, s)
	}
	if s.Op == plan.RemoveDir {
		return t.removeDir(s.Path)
	}
	for _, m := range s.Files {
		if err := t.move(m); err != nil {
			return err
		}
	}
	return nil
}

// move puts a file into its place, or takes it away. The file that was there
// keeps a second name if it is to be kept. Everything in it may be done again.
func (t *transaction) move(m move) error {
	d, name, err := t.folders.of(m.Path)
	if errors.Is(err, fs.ErrNotExist) && m.Temp == "" {
		return nil
	}
	if err != nil {
		return err
	}
	if m.Kept == "" {
		return t.moveDerived(d, name, m)
	}
	t.touched[d.path] = true
	kept := filepath.Base(m.Kept)
	if m.Temp == "" {
		if err := t.reach("put aside %s", m.Path); err != nil {
			return err
		}
		return missing(d.rename(name, kept))
	}
	temp := filepath.Base(m.Temp)
	if there, err := d.exists(temp); err != nil || !there {
		return err // in its place already
	}
	if err := t.reach("keep %s", m.Path); err != nil {
		return err
	}
	if err := d.link(name, kept); err != nil && !dispensable(err) {
		return err
	}
	if err := t.reach("replace %s", m.Path); err != nil {
		return err
	}
	return d.rename(temp, name)
}

// moveDerived is move for a file that need not be kept.
func (t *transaction) moveDerived(d *folder, name string, m move) error {
	if m.Temp == "" {
		if err := t.reach("delete %s", m.Path); err != nil {
			return err
		}
		return d.remove(name)
	}
	if err := t.reach("replace %s", m.Path); err != nil {
		return err
	}
	return missing(d.rename(filepath.Base(m.Temp), name)) // in its place already
}

// dispensable reports whether a change can do without the second name of a
// file: there is no file, it has the name already, or the file system knows no
// such thing, in which case an undo writes the file again.
func dispensable(err error) bool {
	for _, is := range []error{fs.ErrNotExist, fs.ErrExist, unix.EPERM, unix.EOPNOTSUPP, unix.EMLINK, unix.ENOSYS} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

func (t *transaction) removeDir(path string) error {
	if err := t.reach("remove directory %s", path); err != nil {
		return err
	}
	// What was put aside in it goes with it; an undo has it in memory.
	if err := t.emptyScratch(path); err != nil {
		return err
	}
	t.folders.forget(path)
	d, name, err := t.folders.of(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t.touched[d.path] = true
	return d.removeDir(name)
}

func (t *transaction) emptyScratch(path string) error {
	d, err := t.folders.at(path)
	if err != nil {
		return missing(err)
	}
	names, err := d.entries()
	if err != nil {
		return err
	}
	for _, name := range names {
		if isScratch(name) {
			if err := d.remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// unit has the supervisor take a step.
func (t *transaction) unit(ctx context.Context, s *task) error {
	u, ref := t.ns.host.units, t.ns.unitRef()
	if s.Unit != "" {
		ref.Name = s.Unit
	}
	ref.Platform = ""
	if s.Spec.Container != nil {
		ref.Platform = s.Spec.Container.Engine
	}
	switch s.Op {
	case plan.Load:
		return u.Load(ctx, ref, s.Spec)
	case plan.Enable:
		return u.Enable(ctx, ref)
	case plan.Disable:
		return u.Disable(ctx, ref)
	case plan.Start:
		return u.Start(ctx, ref, s.Spec)
	case plan.Reload:
		return u.Reload(ctx, ref, s.Spec)
	case plan.Restart:
		return u.Restart(ctx, ref, s.Spec)
	case plan.Stop:
		var err error
		if t.ns.forsaken != nil {
			err = endOrphan(ctx, ref.Socket, s.Spec.Stop)
		}
		return t.ns.without(errors.Join(err, u.Stop(ctx, ref, s.Spec)))
	default:
		return nil
	}
}

// finish ends the transaction: the directories are flushed, and nothing is left
// of it but what it did.
func (t *transaction) finish() error {
	if err := t.reach("end journal"); err != nil {
		return err
	}
	if err := errors.Join(t.awaitNames(), t.beginNames(), t.awaitNames()); err != nil {
		return err
	}
	if err := t.ns.dropJournal(); err != nil {
		return err
	}
	t.complete = true
	t.cleanUp()
	return nil
}

// cleanUp removes scratch files. One that cannot be removed is no failure of
// the change: the next look at the namespace tries again, and says why not.
func (t *transaction) cleanUp() {
	_ = t.ns.giveSpaceBack(t.id)
	for _, s := range t.tasks {
		for _, m := range s.Files {
			if m.Kept == "" && t.complete {
				continue // it is in its place, and nothing else was made
			}
			_ = t.reach("clean up %s", m.Path)
			_ = t.removeScratch(m.Kept)
			_ = t.removeScratch(m.Temp)
		}
	}
}

// keptFiles are the files that the transaction replaced or took away, where it
// keeps them.
func (t *transaction) keptFiles() map[string]string {
	kept := make(map[string]string)
	for _, s := range t.tasks {
		for _, m := range s.Files {
			if m.Kept == "" {
				continue
			}
			d, name, err := t.folders.of(m.Kept)
			if err != nil {
				continue
			}
			if there, err := d.exists(name); err == nil && there {
				kept[m.Path] = m.Kept
			}
		}
	}
	return kept
}
