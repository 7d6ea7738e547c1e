package box

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Files are what lies on the box's disk and is not, or not so, on the disk of
// the machine, by path: kind, mode, owner, and the digest of the contents. What
// every host writes all the time, logs and caches, is left out, and what is below
// one of the directories but.
func (b *Box) Files(t testing.TB, but ...string) map[string]string {
	t.Helper()
	but = append([]string{
		"/tmp", "/var/tmp", "/run", "/var/log", "/var/cache", "/etc/.pwd.lock", "/etc/.updated", "/var/.updated", "/var/lib/private",
		"/var/lib/systemd/timers", "/var/lib/systemd/random-seed", "/var/lib/systemd/catalog", "/var/lib/systemd/timesync",
	}, but...)
	upper, files := filepath.Join(home, b.name, "upper"), map[string]string{}
	err := filepath.WalkDir(upper, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, upper), "/")
		if slices.ContainsFunc(but, func(p string) bool { return name == p || strings.HasPrefix(name, p+"/") }) {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if lower, err := os.Lstat(filepath.Join(b.lower, name)); e.IsDir() && err == nil && lower.IsDir() {
			return nil // it is here because something below it is
		}
		files[name], err = describe(path, e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// describe is what is compared of a file.
func describe(path string, e fs.DirEntry) (string, error) {
	info, err := e.Info()
	if err != nil {
		return "", err
	}
	text := info.Mode().String()
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		text = fmt.Sprintf("%s %d:%d", text, s.Uid, s.Gid)
	}
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %x", text, sha256.Sum256(data)), nil
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		return text + " -> " + to, err
	default:
		return text, nil
	}
}

// Difference are the paths that are not the same in two answers of Files, each
// with what became of it, in order.
func Difference(before, after map[string]string) []string {
	var lines []string
	for path, was := range before {
		switch is, ok := after[path]; {
		case !ok:
			lines = append(lines, path+" is gone: "+was)
		case is != was:
			lines = append(lines, path+" was "+was+", is "+is)
		}
	}
	for path := range maps.Keys(after) {
		if _, ok := before[path]; !ok {
			lines = append(lines, path+" is new: "+after[path])
		}
	}
	slices.Sort(lines)
	return lines
}
