package system

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/state"
)

// disk is a model of what a loss of power leaves of a data home: what was
// flushed. A file that was not is torn, and a name is the one of before or the
// one of now, whatever became of others; but a file that was renamed has its old
// name or its new one.
type disk struct {
	root string

	mu       sync.Mutex
	now      map[string]inode            // guarded by mu; by path, as programs see it
	content  map[uint64]string           // guarded by mu; of files that were flushed
	names    map[string]map[string]inode // guarded by mu; of directories, as they were flushed
	pending  func()                      // guarded by mu; what the step before has flushed
	instants []*instant                  // guarded by mu
}

// inode is a file, or a directory.
type inode struct {
	number uint64
	dir    bool
	mode   fs.FileMode
	text   string // all that was written
}

// instant is one at which the power may be lost.
type instant struct {
	step    string
	now     map[string]inode
	content map[uint64]string
	names   map[string]map[string]inode
}

// newDisk takes all that is there as flushed.
func newDisk(t *testing.T, root string) *disk {
	t.Helper()
	d := &disk{root: root, content: map[uint64]string{}, names: map[string]map[string]inode{}}
	d.look()
	for path, i := range d.now {
		d.content[i.number] = i.text
		if i.dir {
			d.sync(path)
		}
	}
	return d
}

// look reads what programs see. What is new is not on the disk, but directories
// are made beforehand.
func (d *disk) look() {
	before := map[uint64]bool{}
	for _, i := range d.now {
		before[i.number] = true
	}
	d.now = map[string]inode{}
	_ = filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone while we look
		}
		info, err := e.Info()
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			return nil
		}
		i := inode{number: info.Sys().(*syscall.Stat_t).Ino, dir: info.IsDir(), mode: info.Mode().Perm()}
		if !i.dir {
			data, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			i.text = string(data)
		}
		if !before[i.number] {
			delete(d.content, i.number)
		}
		d.now[path] = i
		return nil
	})
	for path, i := range d.now {
		if i.dir && d.names[path] == nil {
			d.names[path] = map[string]inode{}
		}
	}
}

// sync has the disk know the names of a directory.
func (d *disk) sync(dir string) {
	names := map[string]inode{}
	for path, i := range d.now {
		if filepath.Dir(path) == dir && !i.dir {
			names[filepath.Base(path)] = i
		}
	}
	d.names[dir] = names
}

// flush has the disk know a file, and the name under which it was made: every
// file system on which sites are does so.
func (d *disk) flush(path string) {
	if i, ok := d.now[path]; ok {
		d.content[i.number] = i.text
		names := maps.Clone(d.names[filepath.Dir(path)])
		names[filepath.Base(path)] = i
		d.names[filepath.Dir(path)] = names
	}
}

// step is told of each step before it is taken: it notes what there would be if
// it were the last.
func (d *disk) step(step string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.look()
	if d.pending != nil {
		d.pending()
		d.pending = nil
	}
	m := &instant{step, d.now, maps.Clone(d.content), maps.Clone(d.names)}
	d.instants = append(d.instants, m)
	what, path, _ := strings.Cut(step, " ")
	switch {
	case step == "flush everything":
		for path, i := range d.now {
			d.content[i.number] = i.text
			if i.dir {
				d.sync(path)
			}
		}
	case what == "flush":
		d.flush(path)
	case what == "sync":
		d.sync(path)
	case step == "journal of the input":
		d.pending = func() { // it is written and flushed, name and all
			for path := range d.now {
				if filepath.Base(path) == "input.json" {
					d.flush(path)
					d.sync(filepath.Dir(path))
				}
			}
		}
	}
	return nil
}

// left is what there is after an instant, by path.
func (m *instant) left(tear func(string) string, kept func() bool) map[string]inode {
	left := map[string]inode{}
	for _, dir := range slices.Sorted(maps.Keys(m.names)) {
		i, ok := m.now[dir]
		if !ok {
			continue
		}
		left[dir] = i
		was, is := m.names[dir], map[string]inode{}
		for path, i := range m.now {
			if filepath.Dir(path) == dir && !i.dir {
				is[filepath.Base(path)] = i
			}
		}
		all := maps.Clone(was)
		maps.Copy(all, is)
		renamed := map[string]string{} // the old name of what has one, by the new one
		for name, i := range is {
			for old, o := range was {
				if _, there := is[old]; !there && o.number == i.number {
					renamed[old] = name
				}
			}
		}
		from := map[string]map[string]inode{}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			from[name] = was
			if kept() {
				from[name] = is
			}
		}
		for old, name := range renamed {
			from[old] = from[name]
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			i, ok := from[name][name]
			if !ok {
				continue
			}
			if text, flushed := m.content[i.number]; !flushed || text != i.text {
				i.text = tear(i.text)
			}
			left[filepath.Join(dir, name)] = inode{mode: i.mode, text: i.text}
		}
	}
	return left
}

// restore makes the data home what is left.
func restore(t *testing.T, root string, left map[string]inode) {
	t.Helper()
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(left)) {
		i := left[path]
		var err error
		if i.dir {
			err = os.MkdirAll(path, i.mode)
		} else {
			err = os.WriteFile(path, []byte(i.text), i.mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

var powerCuts = flag.Bool("powercuts", false, "each step in TestPowerCutAtEachStep, not one of some")

// TestPowerCutAtEachStep loses power at each step of a change. Whatever of it the
// disk has by then, the router can start at the boot, the next agent has the site
// as the input wants it, and the input is that of before or that of after, whole;
// that of after, once the command was answered.
func TestPowerCutAtEachStep(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change []api.File
		every  int // step, unless all are asked for
	}{
		{"one file", []api.File{listenerFile("db", "5433")}, 3},
		{"several files", []api.File{listenerFile("db", "5433"), listenerFile("new", "5434")}, 8},
		{"keys", []api.File{siteFile("west", "linkAccess: default")}, 16},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m, o := newMachinery(t)
			paths, err := o.Paths.Namespace("west")
			if err != nil {
				t.Fatal(err)
			}
			given := func() string {
				data, _ := os.ReadFile(paths.InputResource("Site", "west")) // half a file would be seen
				return portsIn(paths.InputResource) + " " + string(data)
			}
			var d *disk
			o.Step = func(step string) error {
				if d == nil {
					return nil
				}
				return d.step(step)
			}
			a, stop := passingAgent(t, m, o)
			apply(t, a, "west", siteFile("west", ""), listenerFile("db", "5432"))
			stop()
			before, router := given(), routerOf(t, paths)
			d = newDisk(t, o.Paths.DataHome)
			a, stop = passingAgent(t, m, o)
			awaitStatus(t, a, "west", func(s *api.Status) bool { return s.Namespace.State == api.Running })
			d.mu.Lock()
			d.instants = nil
			d.mu.Unlock()
			apply(t, a, "west", row.change...)
			if err := d.step("answered"); err != nil {
				t.Fatal(err)
			}
			stop()
			after := given()
			d.mu.Lock()
			instants := d.instants
			d.mu.Unlock()
			o.Step = nil
			random := rand.New(rand.NewPCG(1, 2))
			answered, tried := false, map[string]bool{}
			for n, at := range instants {
				answered = answered || at.step == "answered"
				if !*powerCuts && n%row.every > 0 && !answered {
					continue
				}
				for _, how := range []struct {
					name string
					tear func(string) string
					kept func() bool
				}{
					{"nothing but what was flushed", func(string) string { return "" }, func() bool { return false }},
					{"every name, torn files", func(s string) string { return s[:len(s)/2] }, func() bool { return true }},
					{"some names", func(string) string { return "" }, func() bool { return random.IntN(2) == 0 }},
				} {
					left := at.left(how.tear, how.kept)
					if key := fmt.Sprint(left, answered); tried[key] || how.name == "some names" && n%4 > 0 && !answered {
						continue
					} else {
						tried[key] = true
					}
					restore(t, o.Paths.DataHome, left)
					boots(t, m, o, paths, how.name+" at "+at.step)
					if got := given(); got != after && (got != before || answered) {
						t.Errorf("%s at %s: the input is %s", how.name, at.step, got)
					}
					if now := routerOf(t, paths); now != router {
						t.Errorf("%s at %s: router %s, was %s", how.name, at.step, now, router)
					}
					if t.Failed() {
						return
					}
				}
			}
			t.Logf("%d steps, %d disks", len(instants), len(tried))
		})
	}
}

// routerOf is the id of the router in its configuration.
func routerOf(t *testing.T, paths layout.NamespacePaths) string {
	t.Helper()
	data, err := os.ReadFile(paths.RouterConfig())
	if err != nil {
		t.Fatal(err)
	}
	list, err := state.Entities(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Type == "router" {
			return e.Attrs["id"]
		}
	}
	return ""
}

// boots starts the router, if there is something to start, and the agent, and
// waits until the site is as its input wants it.
func boots(t *testing.T, m *machinery, o Options, paths layout.NamespacePaths, when string) {
	t.Helper()
	data, err := os.ReadFile(paths.RouterConfig())
	if err == nil {
		_, err = state.Entities(data)
	}
	if err != nil {
		t.Errorf("%s: the router does not start at the boot: %v", when, err)
		return
	}
	m.mu.Lock()
	clear(m.running)
	m.read = nil
	m.mu.Unlock()
	a, stop := passingAgent(t, m, o)
	defer stop()
	awaitStatus(t, a, "west", func(s *api.Status) bool {
		m.mu.Lock()
		_, runs := m.running[layout.UnitName("west")]
		m.mu.Unlock()
		return runs && s.Namespace.State == api.Running && s.Error == "" && portsIn(paths.InputResource) == configured(t, paths)
	})
}

// configured are the ports of listeners that the router is to have.
func configured(t *testing.T, paths layout.NamespacePaths) string {
	t.Helper()
	data, err := os.ReadFile(paths.RouterConfig())
	if err != nil {
		return err.Error()
	}
	list, err := state.Entities(data)
	if err != nil {
		t.Errorf("the router is told to read half a file: %v", err)
	}
	ports := map[string]string{}
	for _, e := range list {
		if name, ok := strings.CutPrefix(e.Name, "listener/"); ok && e.Type == "tcpListener" {
			ports[name] = e.Attrs["port"]
		}
	}
	return ports["db"] + " " + ports["new"]
}

// portsIn are the ports of listeners in their files.
func portsIn(file func(kind, name string) string) string {
	var list []string
	for _, l := range []string{"db", "new"} {
		data, _ := os.ReadFile(file("Listener", l)) // there may be none
		_, port, _ := strings.Cut(string(data), "port: ")
		list = append(list, port[:strings.IndexFunc(port+".", func(r rune) bool { return r < '0' || r > '9' })])
	}
	return strings.Join(list, " ")
}
