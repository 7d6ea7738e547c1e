package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/state"
)

// stamp tells whether a file has changed since it was read.
type stamp struct {
	ino          uint64
	size         int64
	mtime, ctime unix.Timespec
}

// seen is a file that was read before.
type seen struct {
	stamp stamp
	data  []byte
}

// seenFiles are those of a namespace, by directory and name. It is not changed
// once it is remembered.
type seenFiles map[string]map[string]seen

// area is a directory that belongs to a State with all that is in it.
type area struct {
	dir     string
	subject func(name string) string // of a file, by the first element of its path below dir
	record  bool
	secret  func(file string) bool
	many    bool // a file for each object: see ObserveBut
}

func areas(p layout.NamespacePaths) []area {
	constant := func(subject string) func(string) string { return func(string) string { return subject } }
	isKey := func(file string) bool { return !strings.HasSuffix(file, ".crt") }
	always := func(string) bool { return true }
	none := func(string) bool { return false }
	return []area{
		{p.RouterDir(), constant(state.SubjectConfig), false, none, false},
		{p.Certs(), state.Certificate, false, isKey, false},
		{p.Issuers(), state.Authority, false, isKey, false},
		{p.Links(), state.LinkFile, false, always, false},
		{p.Proxies(), state.Proxy, false, always, false},
		{p.RuntimeResources(), constant(state.SubjectResources), true, always, true},
		{p.Snapshot(), constant(state.SubjectSnapshot), true, always, true},
		{p.Scripts(), constant("scripts"), true, none, false},
	}
}

// Observe tells what the machine has of the namespace. Left-overs of an
// interrupted change are removed on the way.
func (n *Namespace) Observe(ctx context.Context) (state.State, error) {
	n.partial = false
	return n.observe(ctx, "")
}

// ObserveBut is Observe without the records of objects, of which a large site
// has thousands: for a change by somebody who knows what they hold. Those that
// the change touches are added with Records. Where their directories are gone
// it is Observe, and without is false.
func (n *Namespace) ObserveBut(ctx context.Context) (have state.State, without bool, err error) {
	n.partial = true
	for _, a := range areas(n.paths) {
		if _, err := os.Lstat(a.dir); a.many && err != nil {
			n.partial = false
		}
	}
	have, err = n.observe(ctx, "")
	return have, n.partial, err
}

// Records adds to have what there is of some records of objects.
func (n *Namespace) Records(have *state.State, paths []string) error {
	o := n.observer("")
	defer o.folders.close()
	o.state = *have
	return o.records(paths)
}

func (n *Namespace) observer(transaction string) *observer {
	return &observer{
		spare: transaction,
		ns:    n, folders: newFolders(n.paths.Dir), owners: newOwners(), known: n.host.recall(n.paths.Dir), read: make(seenFiles),
		state: state.State{Dirs: make(map[string]state.Dir), Files: make(map[string]state.File), Units: make(map[string]state.Unit)},
	}
}

// observe leaves the scratch files of one transaction alone.
func (n *Namespace) observe(ctx context.Context, transaction string) (state.State, error) {
	o := n.observer(transaction)
	defer o.folders.close()
	if err := o.files(ctx); err != nil {
		return state.State{}, err
	}
	n.host.remember(n.paths.Dir, o.read)
	unit, ok, err := n.host.units.Observe(ctx, n.unitRef())
	if err != nil && n.forsake {
		unit, ok = orphan(n.unitRef())
	}
	if err := n.without(err); err != nil {
		return state.State{}, fmt.Errorf("unit %s: %w", n.unitRef().Name, err)
	}
	if ok {
		o.state.Units[n.unitRef().Name] = unit
	}
	return o.state, nil
}

// observer is one look at a namespace.
type observer struct {
	ns      *Namespace
	folders *folders
	owners  *owners
	known   seenFiles // from the look before
	read    seenFiles // in this one
	spare   string    // transaction whose scratch files stay
	state   state.State
}

func (o *observer) files(ctx context.Context) error {
	p, base := o.ns.paths, o.ns.host.base
	for _, path := range []string{base.DataHome, base.NamespacesDir(), p.Dir, p.InputDir(), p.InputResources(), p.InputCerts(), p.InputIssuers(), p.InternalDir()} {
		if err := o.dir(path, true); err != nil {
			return err
		}
	}
	if err := o.dir(p.RuntimeDir(), false); err != nil {
		return err
	}
	if err := o.dir(p.RouterRun(), true); err != nil {
		return err
	}
	for _, a := range areas(p) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := o.area(a, a.dir, ""); err != nil {
			return err
		}
	}
	if err := o.sweepDir(p.InternalDir(), "."); err != nil {
		return err
	}
	singles := []string{p.Platform(), p.State()}
	units := slices.DeleteFunc([]string{p.Unit, p.Quadlet}, func(path string) bool { return path == "" })
	for _, f := range units {
		if err := o.dir(filepath.Dir(f), true); err != nil {
			return err
		}
		if err := o.sweepDir(filepath.Dir(f), "."+filepath.Base(f)+scratchMark); err != nil {
			return err
		}
		singles = append(singles, f)
	}
	for _, path := range singles {
		f := state.File{Subject: state.SubjectMemory, Record: true}
		if slices.Contains(units, path) {
			f = state.File{Subject: state.SubjectUnit}
		}
		if err := o.single(path, f); err != nil {
			return err
		}
	}
	return nil
}

// dir notes a directory, if it exists.
func (o *observer) dir(path string, shared bool) error {
	parent, name, err := o.folders.of(path)
	if err != nil {
		return missing(err)
	}
	st, err := parent.stat(name)
	if err != nil {
		return missing(err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK && !strings.HasPrefix(path, o.ns.paths.Dir+"/") {
		var d *folder // above the namespace a link is the owner's wish
		if d, err = o.folders.at(path); err != nil {
			return missing(err)
		}
		if st, err = d.stat("."); err != nil {
			return err
		}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		o.note(path, st, shared)
	}
	return nil
}

func (o *observer) note(path string, st unix.Stat_t, shared bool) {
	o.state.Dirs[path] = state.Dir{
		Mode: fs.FileMode(st.Mode & 0o7777 & uint32(fs.ModePerm)), Owner: o.owners.owner(ids{int(st.Uid), int(st.Gid)}), Shared: shared,
	}
}

// missing makes an error of what is not there no error.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	return err
}

// area reads a directory of an area. top is the first element of its path
// below the area, empty at the area itself.
func (o *observer) area(a area, path, top string) error {
	d, err := o.folders.at(path)
	if err != nil {
		return missing(err)
	}
	st, err := d.stat(".")
	if err != nil {
		return err
	}
	o.note(path, st, false)
	if a.many && o.ns.partial {
		o.read[path] = o.known[path]
		return nil
	}
	names, err := d.entries()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if isScratch(name) {
			if err := o.sweep(d, name); err != nil {
				return err
			}
			continue
		}
		st, err := d.stat(name)
		if err != nil {
			return err
		}
		first := top
		if first == "" {
			first = name
		}
		at := path + "/" + name // both are clean, and there may be thousands
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = o.area(a, at, first)
		} else {
			err = o.file(d, name, st, state.File{Subject: a.subject(first), Record: a.record, Secret: a.secret(name), Entities: at == o.ns.paths.RouterConfig()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// records looks at those of the paths that are of records of objects.
func (o *observer) records(paths []string) error {
	for _, a := range areas(o.ns.paths) {
		if !a.many {
			continue
		}
		for _, path := range paths {
			if filepath.Dir(path) != a.dir {
				continue
			}
			f := state.File{Subject: a.subject(filepath.Base(path)), Record: a.record, Secret: a.secret(path)}
			if err := o.single(path, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweep removes a scratch file, unless it is to stay.
func (o *observer) sweep(d *folder, name string) error {
	if o.spare != "" && strings.Contains(name, o.spare) {
		return nil
	}
	return d.remove(name)
}

// sweepDir removes the scratch files of a directory that have a prefix.
func (o *observer) sweepDir(path, prefix string) error {
	d, err := o.folders.at(path)
	if err != nil {
		return missing(err)
	}
	names, err := d.entries()
	if err != nil {
		return err
	}
	for _, name := range names {
		if isScratch(name) && strings.HasPrefix(name, prefix) {
			if err := o.sweep(d, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *observer) single(path string, f state.File) error {
	d, name, err := o.folders.of(path)
	if err != nil {
		return missing(err)
	}
	st, err := d.stat(name)
	if err != nil {
		return missing(err)
	}
	return o.file(d, name, st, f)
}

// file notes a file. What is no regular file has a mode that nobody wants, and
// is not read.
func (o *observer) file(d *folder, name string, st unix.Stat_t, f state.File) error {
	path := d.path + "/" + name
	f.Mode = fs.FileMode(st.Mode & uint32(fs.ModePerm))
	f.Owner = o.owners.owner(ids{int(st.Uid), int(st.Gid)})
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		f.Mode |= fs.ModeIrregular
		o.state.Files[path] = f
		return nil
	}
	s := stamp{st.Ino, st.Size, st.Mtim, st.Ctim}
	if known, ok := o.known[d.path][name]; ok && known.stamp == s {
		f.Data = known.data
	} else {
		data, err := d.read(name)
		if err != nil {
			return err
		}
		f.Data = data
	}
	if o.read[d.path] == nil {
		o.read[d.path] = make(map[string]seen)
	}
	o.read[d.path][name] = seen{s, f.Data}
	o.state.Files[path] = f
	return nil
}

// recall and remember keep what was read of a namespace, so that looking again
// costs no more than asking for the times of its files.
func (h *Host) recall(dir string) seenFiles {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[dir]
}

func (h *Host) remember(dir string, files seenFiles) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[dir] = files
}
