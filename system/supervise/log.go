package supervise

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Bounds of a log: how large it gets before it is rotated, bytes, and how many
// old ones are kept.
const (
	logSize = 10 << 20
	logKept = 3
)

// Log is a log file of this process that rotates by itself. It may be open in
// other processes too.
type Log struct {
	path string
	max  int64

	mu   sync.Mutex
	file *os.File // guarded by mu
	size int64    // guarded by mu
}

// OpenLog opens a log for writing at its end, and makes its directory.
func OpenLog(path string) (*Log, error) {
	f, size, err := openLogFile(path)
	if err != nil {
		return nil, err
	}
	return &Log{path: path, max: logSize, file: f, size: size}, nil
}

func openLogFile(path string) (*os.File, int64, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, 0, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Write appends to the log, rotating it first if it is large enough. A log that
// cannot be rotated goes on growing.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > l.max {
		l.size = 0
		if rotate(l.path) != nil {
			l.size = -l.max // try again after as much
		}
	}
	n, err := l.file.Write(p)
	l.size += int64(n)
	return n, err
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// rotateIfLarge rotates a log that another process writes.
func rotateIfLarge(path string, limit int64) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() <= limit {
		return nil
	}
	if err != nil {
		return err
	}
	return rotate(path)
}

// rotate copies a log to path.1, after what was path.1 has become path.2 and so
// on, and cuts it off. Writers have it open for appending, so that they go on
// at its new end.
func rotate(path string) error {
	temp := path + ".tmp"
	if err := copyFile(path, temp); err != nil {
		return fmt.Errorf("rotate %s: %w", path, err)
	}
	for n := logKept; n > 1; n-- {
		if err := os.Rename(numbered(path, n-1), numbered(path, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotate %s: %w", path, err)
		}
	}
	if err := os.Rename(temp, numbered(path, 1)); err != nil {
		return fmt.Errorf("rotate %s: %w", path, err)
	}
	if err := os.Truncate(path, 0); err != nil {
		return fmt.Errorf("rotate %s: %w", path, err)
	}
	return nil
}

func numbered(path string, n int) string { return fmt.Sprintf("%s.%d", path, n) }

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read from
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// tailSize is how much of a log is looked at for its last lines, bytes.
const tailSize = 8 << 10

// tail gives the last lines of a log, n at most, that were written after it had
// a size.
func tail(path string, after int64, n int) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	if info.Size() < after {
		after = 0 // rotated meanwhile
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(after, info.Size()-tailSize), tailSize))
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines[max(0, len(lines)-n):]
}
