package host

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Remove deletes the directory of a namespace: all of it, or all but the input.
// Its unit must be gone already, and what the router left in its run directory
// goes with it. The lock file goes last; who waits for it finds a namespace that
// does not exist.
func (n *Namespace) Remove(ctx context.Context, keepInput bool) error {
	if err := os.RemoveAll(n.paths.RunDir); err != nil {
		return err
	}
	if !keepInput {
		return os.RemoveAll(n.paths.Dir)
	}
	entries, err := os.ReadDir(n.paths.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if path := filepath.Join(n.paths.Dir, e.Name()); path != n.paths.InputDir() {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// Discard deletes the directory of a namespace that was not made after all. It
// stays where somebody put input into it, or where a change is to be undone
// yet.
func (n *Namespace) Discard() error {
	if _, err := os.Lstat(n.journalPath()); err == nil {
		return nil
	}
	kept := errors.New("kept")
	err := filepath.WalkDir(n.paths.InputDir(), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			return kept
		}
		return err
	})
	switch {
	case errors.Is(err, kept):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return os.RemoveAll(n.paths.Dir)
}

// Archive writes the namespace into a compressed tar file, readable by its
// owner only: it holds keys. Sockets, logs and locks are left out.
func (n *Namespace) Archive(ctx context.Context, file string) error {
	except := []string{n.paths.Lock(), n.journalPath(), filepath.Dir(n.paths.RouterLog())}
	if err := writeArchive(ctx, file, n.paths.Dir, n.paths.Name, except); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// writeArchive writes what is below dir, under the name top, into a file that
// its owner only can read.
func writeArchive(ctx context.Context, file, dir, top string, except []string) (err error) {
	to := filepath.Dir(file)
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(to, "."+filepath.Base(file)+scratchMark+"*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	err = addTree(ctx, t, dir, top, except)
	if err = errors.Join(err, t.Close(), z.Close(), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), file); err != nil {
		return err
	}
	return syncDir(to)
}

// addTree adds what is below dir under the name top, except for some paths.
func addTree(ctx context.Context, t *tar.Writer, dir, top string, except []string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if slices.Contains(except, path) || isScratch(d.Name()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return addEntry(t, path, filepath.Join(top, rel), d)
	})
}

func addEntry(t *tar.Writer, path, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	switch {
	case d.IsDir(), info.Mode().IsRegular():
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	default:
		return nil
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name = name
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read from
	_, err = io.CopyN(t, f, info.Size())
	return err
}
