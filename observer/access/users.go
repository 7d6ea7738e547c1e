package access

import (
	"bufio"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	// GeneratedUser is the user of a file made by Generate.
	GeneratedUser = "skupper" // compat: skupper v2 network-observer

	plain     = "{PLAIN}" // compat: nginx and skupper v2 mark a password in the clear so
	maxUsers  = 10_000
	maxCost   = 16          // of bcrypt: about 4 s; what is above would serve to stall
	fileCheck = time.Second // between two looks whether the file changed
	maxSecret = 1 << 10     // bytes of a password or user name that are looked at
	setCost   = 12          // of bcrypt, where we make the hash
	maxBcrypt = 72          // bytes of a password
)

// FileError is a problem of the file with the users.
type FileError struct {
	Path   string
	Line   int // 0: the file itself
	Reason string
	advice string
}

func (e *FileError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("users file %s:%d: %s", e.Path, e.Line, e.Reason)
	}
	return fmt.Sprintf("users file %s: %s", e.Path, e.Reason)
}

// Hint says how to mend it.
func (e *FileError) Hint() string { return e.advice }

// Users are those who may log in.
type Users struct {
	path string

	mu      sync.Mutex
	entries map[string]entry // guarded by mu; replaced, never changed
	decoy   string           // guarded by mu; hash that the passwords of unknown users are compared with
	stat    os.FileInfo      // guarded by mu
	looked  time.Time        // guarded by mu
}

// entry is the hash of a password, or the password itself.
type entry string

// ReadUsers reads a file of lines "name:hash", the hash by bcrypt or {PLAIN}
// and the password. Errors are of type *FileError.
func ReadUsers(path string) (*Users, error) {
	u := &Users{path: path}
	return u, u.read()
}

func (u *Users) read() error {
	f, err := os.Open(u.path)
	if err != nil {
		return u.fault(0, reason(err), "name a file made with htpasswd -B, or none to have one made")
	}
	defer func() { _ = f.Close() }() // read only
	stat, err := f.Stat()
	if err != nil {
		return u.fault(0, reason(err), "")
	}
	entries, cost := map[string]entry{}, bcrypt.MinCost
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, secret, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return u.fault(n, "not of the form name:hash", "write it with htpasswd -B")
		}
		its, err := u.check(n, stat, secret)
		if err != nil {
			return err
		}
		cost = max(cost, its)
		if _, twice := entries[name]; twice {
			return u.fault(n, fmt.Sprintf("user %q stands there twice", name), "remove one of the lines")
		}
		entries[name] = entry(secret)
		if len(entries) > maxUsers {
			return u.fault(n, fmt.Sprintf("more than %d users", maxUsers), "")
		}
	}
	if err := lines.Err(); err != nil {
		return u.fault(0, err.Error(), "")
	}
	if len(entries) == 0 {
		return u.fault(0, "no user", "add one with htpasswd -B")
	}
	u.entries, u.stat, u.decoy = entries, stat, decoy(cost)
	return nil
}

// decoy is a hash of no password, which costs as much to compare as those of
// users.
func decoy(cost int) string {
	return fmt.Sprintf("$2a$%02d$%s", cost, strings.Repeat(".", 53))
}

// check reports what is wrong with the hash in line n, or what it costs.
func (u *Users) check(n int, stat os.FileInfo, secret string) (cost int, err error) {
	if password, ok := strings.CutPrefix(secret, plain); ok {
		if mode := stat.Mode().Perm(); mode&0o077 != 0 {
			return 0, u.fault(0, fmt.Sprintf("a password in the clear, readable by others (mode %04o)", mode), "chmod 600 "+u.path)
		}
		if password == "" {
			return 0, u.fault(n, "empty password", "write one behind "+plain)
		}
		return bcrypt.MinCost, nil
	}
	cost, err = bcrypt.Cost([]byte(secret))
	if err != nil {
		return 0, u.fault(n, "not a hash by bcrypt", "write it with htpasswd -B")
	}
	if cost > maxCost {
		return 0, u.fault(n, fmt.Sprintf("bcrypt with cost %d, at most %d is accepted", cost, maxCost), "write it with htpasswd -B -C 12")
	}
	return cost, nil
}

func (u *Users) fault(line int, reason, advice string) error {
	return &FileError{u.path, line, reason, advice}
}

// reason is the error without what the caller names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// entry returns the current entry of a user; of one who does not exist, one
// that no password is right for. The file is read again if it has changed; while
// it is wrong what it said before holds, and err says why.
func (u *Users) entry(name string, now time.Time) (e entry, exists bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Sub(u.looked) >= fileCheck {
		u.looked = now
		stat, serr := os.Stat(u.path)
		switch {
		case serr != nil:
			err = u.fault(0, reason(serr), "")
		case !os.SameFile(stat, u.stat) || !stat.ModTime().Equal(u.stat.ModTime()) || stat.Size() != u.stat.Size():
			err = u.read()
		}
	}
	if e, exists = u.entries[name]; !exists {
		e = entry(u.decoy)
	}
	return e, exists, err
}

// verify reports whether e is of that password.
func (e entry) verify(password string) bool {
	if want, clear := strings.CutPrefix(string(e), plain); clear {
		return subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1
	}
	return bcrypt.CompareHashAndPassword([]byte(e), []byte(password)) == nil
}

// Generate makes a file with GeneratedUser and a random password, readable by
// its owner only, unless there is a file. It reports whether it made one.
func Generate(path string) (made bool, err error) {
	if _, err := os.Lstat(path); err == nil {
		return false, nil
	}
	err = written(path, generated(GeneratedUser), func(tmp string) error {
		if err := os.Link(tmp, path); !errors.Is(err, fs.ErrExist) { // somebody else was faster
			return err
		}
		return nil
	})
	return err == nil, err
}

// LoginError is a name or a password that cannot be one.
type LoginError struct{ reason, advice string }

func (e *LoginError) Error() string { return e.reason }

// Hint says what to choose.
func (e *LoginError) Hint() string { return e.advice }

// Entry is the text of a file with one user, to be readable by its owner only.
// Without a password it makes a random one, which stands there in the clear:
// nobody else knows it. The error is a *LoginError.
func Entry(name, password string) ([]byte, error) { return entryOf(name, password, setCost) }

func entryOf(name, password string, cost int) ([]byte, error) {
	switch {
	case name == "" || len(name) > maxSecret || strings.ContainsAny(name, ":\r\n\x00") || strings.HasPrefix(name, "#"):
		return nil, &LoginError{fmt.Sprintf("%q cannot be the name of a user", name), "choose one without colons and line breaks"}
	case password == "":
		return []byte(generated(name)), nil
	case len(password) > maxBcrypt:
		return nil, &LoginError{fmt.Sprintf("the password is longer than %d bytes", maxBcrypt), "choose a shorter one; bcrypt looks at no more"}
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		return nil, &LoginError{err.Error(), "choose another password"}
	}
	return []byte(name + ":" + string(hash) + "\n"), nil
}

// generated is the line of a user with a random password of 130 bits.
func generated(name string) string { return name + ":" + plain + rand.Text() + "\n" }

// written makes a file beside path, which keep gives its place: whole or not at
// all.
func written(path, text string, keep func(tmp string) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("users file %s: %w", path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".users-*") // 0600
	if err != nil {
		return fmt.Errorf("users file %s: %w", path, err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // the name that stays is another
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = keep(tmp.Name())
	}
	if err != nil {
		return fmt.Errorf("users file %s: %w", path, err)
	}
	return nil
}

// Password returns the password in the clear of a user, if the file has it: to
// be shown to the owner of the file.
func (u *Users) Password(name string) (password string, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return strings.CutPrefix(string(u.entries[name]), plain)
}
