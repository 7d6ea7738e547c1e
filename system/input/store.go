package input

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/resource"
)

// Store is the input of one namespace on disk.
type Store struct {
	paths layout.NamespacePaths
	step  func(step string) error // nil: nobody is told
	files map[string]*loaded      // by path, as of the last Load
	last  *Snapshot               // nil before the first
}

// loaded is a file of resources as it was read.
type loaded struct {
	stamp    stamp
	reliable bool // a change would change the stamp
	data     []byte
	sum      [sha256.Size]byte // of data
	parsed   *resource.File
}

// stamp tells whether a file may have changed since it was read.
type stamp struct {
	ino          uint64
	size         int64
	mtime, ctime unix.Timespec
}

// settled is how old a change of a file is at least when its stamp is relied
// on: times of files are those of the kernel's last tick, and a second change
// within it leaves no trace.
const settled = 20 * time.Millisecond

func stampOf(st *unix.Stat_t) stamp {
	return stamp{st.Ino, st.Size, st.Mtim, st.Ctim}
}

// reliable reports whether a change after now would change the stamp.
func (s stamp) reliable(now time.Time) bool {
	return now.Sub(time.Unix(s.ctime.Unix())) > settled
}

// NewStore makes a Store; nothing is read yet. step, if it is not nil, is called
// before each step of a change, with words for it; an error stands for the
// failure of the step.
func NewStore(paths layout.NamespacePaths, step func(step string) error) *Store {
	return &Store{paths: paths, step: step, files: map[string]*loaded{}}
}

func (s *Store) reach(step string) error {
	if s.step == nil {
		return nil
	}
	return s.step(step)
}

// Material is the content of the directories below one of input/certs,
// input/issuers and input/proxies: by directory, then by file name.
type Material map[string]map[string][]byte

// Names lists the files of each directory.
func (m Material) Names() map[string][]string {
	names := make(map[string][]string, len(m))
	for dir, files := range m {
		for name := range files {
			names[dir] = append(names[dir], name)
		}
		slices.Sort(names[dir])
	}
	return names
}

// Snapshot is the input at one moment.
type Snapshot struct {
	Set      *resource.Set
	Warnings []resource.Warning
	// Err joins a *resource.FieldError for every problem; Set then lacks the
	// objects that have one.
	Err error

	Certs, Issuers, Proxies Material

	// Hash changes with every byte of the input.
	Hash string

	paths layout.NamespacePaths
	store *Store
	files map[string]*loaded
}

// Empty reports whether there is no resource at all.
func (s *Snapshot) Empty() bool { return s.Set.Len() == 0 && s.Err == nil }

// Load reads the input. A namespace without input has an empty Snapshot. The
// error is that of a directory that cannot be read; a file that cannot be read
// is a problem of the Snapshot. While nothing changes it is the same Snapshot.
func (s *Store) Load() (*Snapshot, error) {
	list := make([]entry, 0, len(s.files)+1)
	now := time.Now()
	err := walk(s.paths.InputResources(), func(path string, st *unix.Stat_t) {
		if resource.Loadable(path) {
			list = append(list, entry{path: path, st: *st})
		}
	})
	if err != nil {
		return nil, err
	}
	s.loadAll(list, now)
	same := s.last != nil
	for _, e := range list {
		same = same && e.file == s.files[e.path]
	}
	snap := &Snapshot{paths: s.paths, store: s}
	for dir, into := range map[string]*Material{
		s.paths.InputCerts(): &snap.Certs, s.paths.InputIssuers(): &snap.Issuers, s.paths.InputProxies(): &snap.Proxies,
	} {
		if *into, err = ReadMaterial(dir); err != nil {
			return nil, err
		}
	}
	if same && len(list) == len(s.files) && snap.Certs.same(s.last.Certs) && snap.Issuers.same(s.last.Issuers) && snap.Proxies.same(s.last.Proxies) {
		return s.last, nil
	}
	parsed := make([]*resource.File, 0, len(list))
	snap.files = make(map[string]*loaded, len(list))
	for _, e := range list {
		snap.files[e.path] = e.file
		parsed = append(parsed, e.file.parsed)
	}
	snap.Set, snap.Warnings, snap.Err = resource.Collect(parsed...)
	snap.Hash = snap.hash()
	s.files, s.last = snap.files, snap
	return snap, nil
}

// same reports whether two materials hold the same.
func (m Material) same(o Material) bool {
	return maps.EqualFunc(m, o, func(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) })
}

// Resources reads the resources below any directory, as Load does.
func Resources(dir string) (*resource.Set, error) {
	var parsed []*resource.File
	s := &Store{}
	now := time.Now()
	err := walk(dir, func(path string, st *unix.Stat_t) {
		if resource.Loadable(path) {
			parsed = append(parsed, s.load(path, st, now).parsed)
		}
	})
	if err != nil {
		return nil, err
	}
	set, _, err := resource.Collect(parsed...)
	return set, err
}

// entry is a file that was found.
type entry struct {
	path string
	st   unix.Stat_t
	file *loaded
}

// loadAll loads files, several at a time where there are many.
func (s *Store) loadAll(list []entry, now time.Time) {
	const each = 64 // in the time that it takes to have another processor help
	workers := min(runtime.GOMAXPROCS(0), 1+len(list)/each)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(list); i += workers {
				list[i].file = s.load(list[i].path, &list[i].st, now)
			}
		})
	}
	wg.Wait()
}

// load reads a file unless it is as it was.
func (s *Store) load(path string, st *unix.Stat_t, now time.Time) *loaded {
	stamp := stampOf(st)
	old := s.files[path]
	if old != nil && old.reliable && old.stamp == stamp && len(old.parsed.Errors) == 0 {
		return old
	}
	if st.Size > resource.MaxFile {
		return &loaded{parsed: unreadable(path, errors.New("larger than a file of resources may be"))}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return &loaded{parsed: unreadable(path, err)}
	}
	sum := sha256.Sum256(data)
	if old != nil && old.sum == sum && len(old.parsed.Errors) == 0 {
		old.stamp, old.reliable = stamp, stamp.reliable(now)
		return old
	}
	return &loaded{stamp: stamp, reliable: stamp.reliable(now), data: data, sum: sum, parsed: resource.ParseFile(resource.Input{Name: path, Data: data})}
}

func unreadable(path string, err error) *resource.File {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &resource.File{Name: path, Errors: []*resource.FieldError{{File: path, Reason: err.Error()}}}
}

// walk calls f for every regular file below dir, links to files followed. What
// is being written by us is left out.
func walk(dir string, f func(path string, st *unix.Stat_t)) error {
	err := walkBelow(dir, f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("input: %w", err)
	}
	return nil
}

// walkBelow asks for files by their names in the open directory: there may be
// thousands.
func walkBelow(dir string, f func(path string, st *unix.Stat_t)) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only read from
	entries, err := d.ReadDir(-1)
	if err != nil {
		return err
	}
	fd := int(d.Fd())
	for _, e := range entries {
		path := dir + "/" + e.Name()
		if e.IsDir() {
			if err := walkBelow(path, f); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if isTemporary(e.Name()) {
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstatat(fd, e.Name(), &st, 0); err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			f(path, &st) // otherwise it went while we looked
		}
	}
	return nil
}

// maxMaterial bounds a file of keys or certificates, bytes.
const maxMaterial = 1 << 20

// ReadMaterial reads the directories below dir, one level deep.
func ReadMaterial(dir string) (Material, error) {
	m := Material{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		info, err := os.Stat(sub)
		if err != nil || !info.IsDir() {
			continue
		}
		files := map[string][]byte{}
		err = walk(sub, func(path string, st *unix.Stat_t) {
			if filepath.Dir(path) != sub || st.Size > maxMaterial {
				return
			}
			if data, err := os.ReadFile(path); err == nil {
				files[filepath.Base(path)] = data
			}
		})
		if err != nil {
			return nil, err
		}
		m[e.Name()] = files
	}
	return m, nil
}

// hash covers names and content of everything.
func (s *Snapshot) hash() string {
	h := sha256.New()
	add := func(name string, sum [sha256.Size]byte) {
		_, _ = io.WriteString(h, name) // it never fails
		_, _ = h.Write(append(sum[:], 0))
	}
	for _, path := range sorted(s.files) {
		add(path, s.files[path].sum)
	}
	for i, m := range []Material{s.Certs, s.Issuers, s.Proxies} {
		for _, dir := range sorted(m) {
			for _, name := range sorted(m[dir]) {
				add(fmt.Sprintf("%d/%s/%s", i, dir, name), sha256.Sum256(m[dir][name]))
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
