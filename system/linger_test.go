package system

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/skupper-host/skupper/system/layout"
)

// TestUnlinger has lingering go that an installation asked for, unless somebody
// else has come to need it.
func TestUnlinger(t *testing.T) {
	for name, c := range map[string]struct {
		code, other, want, called string
	}{
		"gone":    {code: "0", want: "services of ann end with the last log-out again", called: "disable-linger ann\n"},
		"refused": {code: "1", want: "kept lingering of ann: exit status 1: no; have root run `loginctl disable-linger ann`", called: "disable-linger ann\n"},
		"needed":  {code: "0", other: "web.service", want: "kept lingering of ann: other services need it (`loginctl disable-linger ann` ends it)"},
	} {
		dir := t.TempDir()
		write := func(path, text string) {
			t.Helper()
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write("bin/loginctl", "#!/bin/sh\necho \"$@\" >>"+dir+"/called\n[ "+c.code+" = 0 ] || echo no\nexit "+c.code+"\n")
		if c.other != "" {
			write("units/default.target.wants/"+c.other, "")
		}
		t.Setenv("PATH", filepath.Join(dir, "bin"))
		if got := unlinger(t.Context(), layout.Paths{UnitDir: filepath.Join(dir, "units")}, "ann"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		called, _ := os.ReadFile(filepath.Join(dir, "called")) // it need not have been
		if string(called) != c.called {
			t.Errorf("%s: loginctl %q, want %q", name, called, c.called)
		}
	}
}
