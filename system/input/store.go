package input

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/resource"
)

// Store is the input of one namespace on disk.
type Store struct {
	paths layout.NamespacePaths
	files map[string]*loaded // by path, as of the last Load
}

// loaded is a file of resources as it was read.
type loaded struct {
	stamp  stamp
	data   []byte
	sum    [sha256.Size]byte // of data
	parsed *resource.File
}

// stamp tells whether a file may have changed since it was read.
type stamp struct {
	size  int64
	mtime time.Time
}

// NewStore makes a Store; nothing is read yet.
func NewStore(paths layout.NamespacePaths) *Store {
	return &Store{paths: paths, files: map[string]*loaded{}}
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
	files map[string]*loaded
}

// Empty reports whether there is no resource at all.
func (s *Snapshot) Empty() bool { return s.Set.Len() == 0 && s.Err == nil }

// Load reads the input. A namespace without input has an empty Snapshot. The
// error is that of a directory that cannot be read; a file that cannot be read
// is a problem of the Snapshot.
func (s *Store) Load() (*Snapshot, error) {
	snap := &Snapshot{paths: s.paths, files: map[string]*loaded{}}
	var parsed []*resource.File
	err := walk(s.paths.InputResources(), func(path string, info fs.FileInfo) {
		if !resource.Loadable(path) {
			return
		}
		l := s.load(path, info)
		snap.files[path] = l
		parsed = append(parsed, l.parsed)
	})
	if err != nil {
		return nil, err
	}
	s.files = snap.files
	snap.Set, snap.Warnings, snap.Err = resource.Collect(parsed...)
	for dir, into := range map[string]*Material{
		s.paths.InputCerts(): &snap.Certs, s.paths.InputIssuers(): &snap.Issuers, s.paths.InputProxies(): &snap.Proxies,
	} {
		if *into, err = material(dir); err != nil {
			return nil, err
		}
	}
	snap.Hash = snap.hash()
	return snap, nil
}

// Resources reads the resources below any directory, as Load does.
func Resources(dir string) (*resource.Set, error) {
	var parsed []*resource.File
	s := &Store{}
	err := walk(dir, func(path string, info fs.FileInfo) {
		if resource.Loadable(path) {
			parsed = append(parsed, s.load(path, info).parsed)
		}
	})
	if err != nil {
		return nil, err
	}
	set, _, err := resource.Collect(parsed...)
	return set, err
}

// load reads a file unless it is as it was.
func (s *Store) load(path string, info fs.FileInfo) *loaded {
	now := stamp{info.Size(), info.ModTime()}
	if old := s.files[path]; old != nil && old.stamp == now && len(old.parsed.Errors) == 0 {
		return old
	}
	if info.Size() > resource.MaxFile {
		return &loaded{parsed: unreadable(path, errors.New("larger than a file of resources may be"))}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return &loaded{parsed: unreadable(path, err)}
	}
	return &loaded{stamp: now, data: data, sum: sha256.Sum256(data), parsed: resource.ParseFile(resource.Input{Name: path, Data: data})}
}

func unreadable(path string, err error) *resource.File {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &resource.File{Name: path, Errors: []*resource.FieldError{{File: path, Reason: err.Error()}}}
}

// walk calls f for every regular file below dir, links followed. What is being
// written by us is left out.
func walk(dir string, f func(path string, info fs.FileInfo)) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path != dir && errors.Is(err, fs.ErrNotExist) {
				return nil // went while we looked
			}
			return err
		}
		if d.IsDir() || isTemporary(d.Name()) {
			return nil
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() {
			f(path, info)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("input: %w", err)
	}
	return nil
}

// maxMaterial bounds a file of keys or certificates, bytes.
const maxMaterial = 1 << 20

// material reads the directories below dir, one level deep.
func material(dir string) (Material, error) {
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
		err = walk(sub, func(path string, info fs.FileInfo) {
			if filepath.Dir(path) != sub || info.Size() > maxMaterial {
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
