package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked is wrapped when another process holds a lock.
var ErrLocked = errors.New("locked by another process")

// lockPoll is how often a lock is tried while somebody else has it.
const lockPoll = 20 * time.Millisecond

// Lock is an exclusive lock on a file (flock(2)). It ends with Close, or with
// the process.
type Lock struct{ file *os.File }

// LockController takes the lock of an agent: there is one for each data home,
// ours or upstream's. Errors wrap ErrLocked.
func LockController(path string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return tryLock(path)
}

// takeLock waits for a lock until ctx is done; errors then wrap ErrLocked.
func takeLock(ctx context.Context, path string) (*Lock, error) {
	for {
		l, err := tryLock(path)
		if !errors.Is(err, ErrLocked) {
			return l, err
		}
		timer := time.NewTimer(lockPoll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(err, ctx.Err())
		case <-timer.C:
		}
	}
}

// tryLock takes a lock or says who might have it. A lock file is never removed:
// somebody may be waiting for it.
func tryLock(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return &Lock{f}, nil
}

// Tell writes into the lock's file where its holder can be found.
func (l *Lock) Tell(where string) error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(where+"\n"), 0)
	return err
}

// ControllerAt is what the holder of an agent's lock told last, "" if nothing;
// whether somebody holds it now is not said.
func ControllerAt(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "" // nobody has ever held it, or it is not ours to read
	}
	return strings.TrimSpace(string(data))
}

// Close gives the lock back.
func (l *Lock) Close() error {
	if l == nil {
		return fs.ErrInvalid
	}
	return l.file.Close()
}
