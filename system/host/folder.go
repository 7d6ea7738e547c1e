package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// folder is an open directory. Its methods take names of entries and follow no
// symbolic links. Errors are *fs.PathError with the whole path.
type folder struct {
	file *os.File
	path string
}

const folderFlags = unix.O_DIRECTORY | unix.O_RDONLY | unix.O_CLOEXEC

// openFolder opens a directory whose path is trusted.
func openFolder(path string) (*folder, error) {
	fd, err := unix.Open(path, folderFlags, 0)
	if errors.Is(err, unix.EACCES) { // it may still be passed through
		fd, err = unix.Open(path, unix.O_DIRECTORY|unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return &folder{os.NewFile(uintptr(fd), path), path}, nil
}

func (d *folder) close() { _ = d.file.Close() } // nothing was written through it

func (d *folder) fd() int { return int(d.file.Fd()) }

func (d *folder) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: filepath.Join(d.path, name), Err: err}
}

// sub opens the directory with that name in d.
func (d *folder) sub(name string) (*folder, error) {
	fd, err := unix.Openat(d.fd(), name, folderFlags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, d.fail("open", name, err)
	}
	path := filepath.Join(d.path, name)
	return &folder{os.NewFile(uintptr(fd), path), path}, nil
}

// entries lists the names in d.
func (d *folder) entries() ([]string, error) {
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return d.file.Readdirnames(-1)
}

// stat tells what an entry is. A symbolic link is one.
func (d *folder) stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, d.fail("stat", name, err)
}

// exists reports whether there is an entry of that name.
func (d *folder) exists(name string) (bool, error) {
	_, err := d.stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// maxFile bounds what is read of one file, usualFile is room for most of them,
// bytes.
const (
	maxFile   = 16 << 20
	usualFile = 1 << 10
)

// read reads a regular file.
func (d *folder) read(name string) ([]byte, error) {
	fd, err := unix.Openat(d.fd(), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, d.fail("open", name, err)
	}
	defer func() { _ = unix.Close(fd) }() // only read from
	data := make([]byte, 0, usualFile)
	for {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return data, d.fail("read", name, err)
		case n == 0:
			return data, nil
		}
		if data = data[:len(data)+n]; len(data) > maxFile {
			return data, d.fail("read", name, fmt.Errorf("larger than %d bytes", maxFile))
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data))
		}
	}
}

// create makes a file that does not exist yet and writes it. There may be
// thousands, so that it does no more than it must.
func (d *folder) create(name string, data []byte, mode fs.FileMode, o ids) (err error) {
	fd, err := unix.Openat(d.fd(), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return d.fail("create", name, err)
	}
	defer func() { err = errors.Join(err, d.fail("close", name, unix.Close(fd))) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return d.fail("stat", name, err)
	}
	if fs.FileMode(st.Mode)&fs.ModePerm != mode.Perm() || o != (ids{-1, -1}) && o != (ids{int(st.Uid), int(st.Gid)}) {
		if err := d.give(fd, name, mode, o); err != nil {
			return err
		}
	}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return d.fail("write", name, err)
		}
		data = data[max(n, 0):]
	}
	return nil
}

// give sets owner and mode of what is open as fd.
func (d *folder) give(fd int, name string, mode fs.FileMode, o ids) error {
	if o != (ids{-1, -1}) {
		if err := unix.Fchown(fd, o.uid, o.gid); err != nil {
			return d.fail("chown", name, err)
		}
	}
	return d.fail("chmod", name, unix.Fchmod(fd, uint32(mode.Perm())))
}

// beginFlush has the disk begin with a file that is to be flushed. Where the
// file system knows no such thing, flushing does it all.
func (d *folder) beginFlush(name string) error {
	fd, err := unix.Openat(d.fd(), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return d.fail("open", name, err)
	}
	defer func() { _ = unix.Close(fd) }() // only read from
	_ = unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	return nil
}

// flush writes a file of d to the disk.
func (d *folder) flush(name string) error {
	fd, err := unix.Openat(d.fd(), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return d.fail("open", name, err)
	}
	defer func() { _ = unix.Close(fd) }() // only flushed
	return d.fail("fsync", name, unix.Fsync(fd))
}

// sync writes the entries of d to the disk, where the file system knows such a
// thing and d can be read.
func (d *folder) sync() error {
	if err := unix.Fsync(d.fd()); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EBADF) {
		return d.fail("fsync", "", err)
	}
	return nil
}

// syncAll flushes the file system that d is on.
func (d *folder) syncAll() error { return d.fail("syncfs", "", unix.Syncfs(d.fd())) }

func (d *folder) rename(from, to string) error {
	return d.fail("rename", from, unix.Renameat(d.fd(), from, d.fd(), to))
}

func (d *folder) link(from, to string) error {
	return d.fail("link", from, unix.Linkat(d.fd(), from, d.fd(), to, 0))
}

// remove deletes what is not a directory. What is gone already is fine.
func (d *folder) remove(name string) error {
	if err := unix.Unlinkat(d.fd(), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return d.fail("remove", name, err)
	}
	return nil
}

// removeDir deletes an empty directory. One that is gone, or that somebody put
// something into, is fine.
func (d *folder) removeDir(name string) error {
	err := unix.Unlinkat(d.fd(), name, unix.AT_REMOVEDIR)
	if err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return nil
	}
	return d.fail("remove", name, err)
}

// makeDir creates the directory name, or gives it mode and owner. What stands
// there and is none is removed.
func (d *folder) makeDir(name string, mode fs.FileMode, o ids) error {
	if st, err := d.stat(name); err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		if err := d.remove(name); err != nil {
			return err
		}
	}
	if err := unix.Mkdirat(d.fd(), name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return d.fail("create", name, err)
	}
	made, err := d.sub(name)
	if err != nil {
		return err
	}
	defer made.close()
	return d.give(made.fd(), name, mode, o)
}

// folders opens directories once each. Those below root are reached from it
// without following symbolic links, unless it is trusting; all others are trusted.
type folders struct {
	root     string
	trusting bool // links are followed below root, too
	open     map[string]*folder
}

func newFolders(root string) *folders {
	return &folders{root: root, open: make(map[string]*folder)}
}

// at opens the directory with that path.
func (f *folders) at(path string) (*folder, error) {
	if d := f.open[path]; d != nil {
		return d, nil
	}
	var d *folder
	var err error
	if !f.trusting && strings.HasPrefix(path, f.root+"/") {
		var parent *folder
		if parent, err = f.at(filepath.Dir(path)); err == nil {
			d, err = parent.sub(filepath.Base(path))
		}
	} else {
		d, err = openFolder(path)
	}
	if err != nil {
		return nil, err
	}
	f.open[path] = d
	return d, nil
}

// of opens the directory that holds path, and gives the name of the entry.
func (f *folders) of(path string) (*folder, string, error) {
	d, err := f.at(filepath.Dir(path))
	return d, filepath.Base(path), err
}

// forget closes a directory that was removed or replaced, and all below it.
func (f *folders) forget(path string) {
	for p, d := range f.open {
		if p == path || strings.HasPrefix(p, path+"/") {
			d.close()
			delete(f.open, p)
		}
	}
}

func (f *folders) close() {
	for _, d := range f.open {
		d.close()
	}
	clear(f.open)
}
