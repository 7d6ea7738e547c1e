package access

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestUsersFile(t *testing.T) {
	t.Parallel()
	const hash = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC" // as htpasswd -B writes them
	for _, row := range []struct {
		name, content string
		mode          os.FileMode
		want          string // "" if it is right
	}{
		{"bcrypt", "alice:" + hash + "\nbob:" + strings.Replace(hash, "2y", "2a", 1) + "\n", 0o644, ""},
		{"comments, empty lines, CRLF", "# x\r\n\r\nalice:" + hash + "\r\n", 0o644, ""},
		{"in the clear, own", "alice:{PLAIN}secret:with:colons\n", 0o600, ""},
		{"in the clear, others read it", "alice:{PLAIN}secret\n", 0o640, "a password in the clear, readable by others (mode 0640)"},
		{"in the clear, empty", "alice:{PLAIN}\n", 0o600, ":1: empty password"},
		{"empty", "\n", 0o600, "no user"},
		{"no colon", "# x\nalice\n", 0o600, ":2: not of the form name:hash"},
		{"no name", ":" + hash + "\n", 0o600, ":1: not of the form name:hash"},
		{"MD5", "alice:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n", 0o600, ":1: not a hash by bcrypt"},
		{"SHA", "alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", 0o600, ":1: not a hash by bcrypt"},
		{"costs that stall", "alice:" + strings.Replace(hash, "$05$", "$31$", 1) + "\n", 0o600, ":1: bcrypt with cost 31, at most 16 is accepted"},
		{"twice", "alice:" + hash + "\nalice:" + hash + "\n", 0o600, `:2: user "alice" stands there twice`},
	} {
		path := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(path, []byte(row.content), row.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, row.mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadUsers(path)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.HasSuffix(err.Error(), row.want)) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
		var f *FileError
		if err != nil && (!errors.As(err, &f) || !strings.HasPrefix(err.Error(), "users file "+path)) {
			t.Errorf("%s: %T %v", row.name, err, err)
		}
	}
	_, err := ReadUsers("/nonexistent/users")
	var f *FileError
	if !errors.As(err, &f) || f.Error() != "users file /nonexistent/users: no such file or directory" || f.Hint() == "" {
		t.Errorf("no file: %v", err)
	}
}

func TestGeneratedPassword(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "users")
	made, err := Generate(path)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	stat, err := os.Stat(path)
	if err != nil || stat.Mode() != 0o600 {
		t.Fatal(stat.Mode(), err)
	}
	before, err := os.ReadFile(path)
	if err != nil || !regexp.MustCompile(`^skupper:\{PLAIN\}[A-Z2-7]{26}\n$`).Match(before) {
		t.Fatalf("%s %v", before, err)
	}
	u, err := ReadUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	password, ok := u.Password(GeneratedUser)
	e, exists, err := u.entry(GeneratedUser, time.Now())
	if !ok || err != nil || !exists || !e.verify(password) || e.verify(password+"x") || e.verify("{PLAIN}"+password) {
		t.Errorf("password %q of %q, %v", password, e, err)
	}
	if made, err := Generate(path); made || err != nil {
		t.Errorf("again: %t %v", made, err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file has changed: %s %v", after, err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v %v", names, err)
	}
	if _, err := Generate("/proc/nowhere/users"); err == nil {
		t.Error("where nothing can be written: no error")
	}
}

func TestPasswordOfHashIsNotKnown(t *testing.T) {
	t.Parallel()
	u, _ := users(t)
	if p, ok := u.Password("alice"); ok {
		t.Errorf("password %q", p)
	}
	if p, ok := u.Password("nobody"); ok {
		t.Errorf("password %q", p)
	}
}

// TestUnknownUsersTakeAsLong compares with a hash that is well-formed and that
// costs as much as the costliest in the file.
func TestUnknownUsersTakeAsLong(t *testing.T) {
	t.Parallel()
	u, _ := users(t)
	known, _, err := u.entry("alice", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	unknown, exists, err := u.entry("mallory", time.Now())
	if exists || err != nil {
		t.Fatal(exists, err)
	}
	of := func(e entry) int {
		cost, err := bcrypt.Cost([]byte(e))
		if err != nil {
			t.Fatal(err)
		}
		return cost
	}
	if of(known) != of(unknown) || len(known) != len(unknown) {
		t.Errorf("%q beside %q", unknown, known)
	}
	if err := bcrypt.CompareHashAndPassword([]byte(unknown), []byte("x")); !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		t.Errorf("compared with a decoy: %v", err)
	}
}

// TestEntry: what is written of a login lets that user in, and nobody else.
func TestEntry(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 72)
	for _, row := range []struct{ name, password string }{{"ann", "{PLAIN} ümläut: "}, {"Ann Example", long}, {"ann", ""}} {
		text, err := entryOf(row.name, row.password, bcrypt.MinCost) // what it costs otherwise is for attackers
		if err != nil {
			t.Errorf("%q, %q: %v", row.name, row.password, err)
			continue
		}
		path := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		u, err := ReadUsers(path)
		if err != nil {
			t.Errorf("%q, %q: %v", row.name, row.password, err)
			continue
		}
		password := row.password
		made, clear := u.Password(row.name)
		if clear != (row.password == "") || clear && !regexp.MustCompile(`^[A-Z2-7]{26}$`).MatchString(made) {
			t.Errorf("%q, %q: password %q in the clear, %t", row.name, row.password, made, clear)
		}
		if clear {
			password = made
		} else if strings.Contains(string(text), row.password) {
			t.Errorf("the password is in the file: %s", text)
		}
		if e, exists, err := u.entry(row.name, time.Now()); err != nil || !exists || !e.verify(password) || e.verify("y"+password) {
			t.Errorf("%q, %q: %q, %t, %v", row.name, row.password, e, exists, err)
		}
	}
	for _, row := range []struct{ name, password, want string }{
		{"", "x", `"" cannot be the name of a user`},
		{"a:b", "x", `"a:b" cannot be the name of a user`},
		{"a\nroot", "", `cannot be the name of a user`},
		{"#ann", "x", `"#ann" cannot be the name of a user`},
		{strings.Repeat("a", 1025), "x", "cannot be the name of a user"},
		{"ann", long + "x", "the password is longer than 72 bytes"},
	} {
		text, err := Entry(row.name, row.password)
		var wrong *LoginError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), row.want) || wrong.Hint() == "" || text != nil {
			t.Errorf("%.20q: %q, %v", row.name, text, err)
		}
	}
}
