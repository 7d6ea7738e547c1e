package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	timing := Timing{}.withDefaults()
	var b Backoff
	step := func(ready bool, ran time.Duration) time.Duration {
		b.timing = timing
		return b.Next(ready, ran)
	}
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		if got := step(false, 0); got != want*time.Second {
			t.Errorf("try %d without being ready: %v, want %ds", i+1, got, want)
		}
	}
	if got := step(true, time.Second); got != time.Second {
		t.Errorf("ready for a moment: %v", got)
	}
	if got := step(true, timing.Stable); got != 0 {
		t.Errorf("ran well: %v", got)
	}
	if got := step(false, 0); got != time.Second {
		t.Errorf("first failure after that: %v", got)
	}
	for range 200 {
		if got := step(false, 0); got <= 0 || got > timing.Last {
			t.Fatalf("waits %v", got)
		}
	}
}

func TestStartTime(t *testing.T) {
	t.Parallel()
	rest := " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	for stat, want := range map[string]uint64{
		"12 (sleep)" + rest:      4711,
		"12 (a b) (c) 1)" + rest: 4711,
		"12 ())" + rest:          4711,
	} {
		if got, err := startTime([]byte(stat)); err != nil || got != want {
			t.Errorf("%q: %d, %v", stat, got, err)
		}
	}
	for _, stat := range []string{"", "12", "12 (x", "12 (x) S 1 2", "12 (x)" + strings.Replace(rest, "4711", "x", 1)} {
		if _, err := startTime([]byte(stat)); err == nil {
			t.Errorf("%q is understood", stat)
		}
	}
	if _, err := startTime([]byte("12 (x)" + strings.Replace(rest, " S", " Z", 1))); !errors.Is(err, errNoProcess) {
		t.Errorf("zombie: %v", err)
	}
}

func TestIdentityOfThisProcess(t *testing.T) {
	t.Parallel()
	id, err := identify(os.Getpid())
	if err != nil || !id.alive() {
		t.Fatalf("%+v, %v", id, err)
	}
}

func TestParseSign(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sign{
		"READY=1":                          {ready: true},
		"READY=0":                          {},
		"RELOADING=1\nMONOTONIC_USEC=1":    {reloading: true},
		"STATUS=a=b\nWATCHDOG=1":           {text: "a=b", hasText: true, living: true},
		"STATUS=":                          {hasText: true},
		"STOPPING=1\nX=\n\n=\nREADY":       {stopping: true},
		"STATUS=\xff\nMAINPID=1\nBARRIER=": {text: "?", hasText: true},
	} {
		if got := parseSign(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func FuzzParseSign(f *testing.F) {
	f.Add("READY=1\nSTATUS=up")
	f.Add("=\n\xff=\xfe\nSTATUS")
	f.Fuzz(func(t *testing.T, text string) {
		if s := parseSign(text); !utf8.ValidString(s.text) || strings.Contains(s.text, "\n") {
			t.Errorf("status %q", s.text)
		}
	})
}

// TestRotation has two writers go on while the log is rotated under them, as a
// router does that knows nothing of it.
func TestRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "router.log")
	a, _, err := openLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	for n := range 6 {
		if _, err := fmt.Fprintf(a, "line %d\n", n); err != nil {
			t.Fatal(err)
		}
		if err := rotateIfLarge(path, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := rotateIfLarge(path, 1); err != nil { // empty now
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": "", ".1": "line 5\n", ".2": "line 4\n", ".3": "line 3\n"} {
		if got, err := os.ReadFile(path + name); err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 4 {
		t.Errorf("%v (%v)", entries, err)
	}
	if err := rotateIfLarge(path+".none", 1); err != nil {
		t.Errorf("no log: %v", err)
	}
}

func TestLogRotatesItself(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "agent.log")
	l, err := OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	l.max = 20
	for n := range 5 {
		if _, err := fmt.Fprintf(l, "0123456789 %d\n", n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": "0123456789 4\n", ".1": "0123456789 2\n0123456789 3\n", ".2": "0123456789 0\n0123456789 1\n"} {
		if got, err := os.ReadFile(path + name); err != nil || string(got) != want {
			t.Errorf("%q holds %q (%v), want %q", name, got, err, want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("old\none\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		after int64
		n     int
		want  string
	}{{4, 10, "one two three"}, {4, 2, "two three"}, {18, 5, ""}, {99, 1, "three"}} {
		if got := strings.Join(tail(path, row.after, row.n), " "); got != row.want {
			t.Errorf("after %d, %d lines: %q, want %q", row.after, row.n, got, row.want)
		}
	}
	if got := tail(path+"x", 0, 1); got != nil {
		t.Errorf("no log: %q", got)
	}
}
