package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReader changes a file in every way, and reads it each time with a Reader
// that knows what it was before and with one that does not.
func TestReader(t *testing.T) {
	t.Parallel()
	entity := func(typ, name, rest string) string {
		return fmt.Sprintf("\n    [\n        %q,\n        {\n            \"name\": %q%s\n        }\n    ]", typ, name, rest)
	}
	file := func(entities ...string) string { return "[" + strings.Join(entities, ",") + "\n]" }
	a, b := entity("tcpListener", "a", `, "port": "1", "address": "x"`), entity("tcpListener", "b", `, "port": "2", "address": "x"`)
	c, d := entity("tcpConnector", "c", `, "host": "h", "port": "3", "address": "y"`), entity("sslProfile", "d", "")
	b9 := strings.Replace(b, `"2"`, `"9"`, 1)
	path := filepath.Join(t.TempDir(), "router.json")
	reader := NewReader(path, nil)
	for i, text := range []string{
		file(a, b, c), file(a, b9, c), file(a, c), file(a, b, c), file(b, c), file(a, b, c), file(a, b), file(a, b, d),
		file(d, a, b, d), // a name twice: refused
		file(a, b, c), file(a, a, b, c), file(a, b, c, d), file(a, d, c, b),
		file(a), file(a, strings.Replace(c, `"y"`, `"y", "nonsense": 1`, 1)), file(a, b), file(a, strings.Replace(b, "2", "none", 1)),
		file(a, b), file(a, b)[:40], file(a, b), "", file(), file(a, b), "# a comment\n" + file(a, b), file(a, b),
		strings.Replace(file(a, b), "\n    [", "\n[", 1), file(a, b), file(a, strings.TrimPrefix(b, "\n")), file(a, b),
		file(a, b, entity("connector", "k", `, "host": "h", "port": "1", "openProperties": {"list": `+"\n    [\n 1]}")),
		file(a, b) + "x", file(a, b), strings.Replace(file(a, b, c), "],", "]", 1), file(a, b), file(a, strings.Replace(b, "tcpListener", "nothing", 1), c), file(c, b),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, gotWarnings, gotErr := reader.Load()
		want, wantWarnings, wantErr := Load(path, nil)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("text %d (-whole +patched):\n%s", i, diff)
		}
		if fmt.Sprint(gotWarnings, gotErr) != fmt.Sprint(wantWarnings, wantErr) {
			t.Errorf("text %d: %v, %v, want %v, %v", i, gotWarnings, gotErr, wantWarnings, wantErr)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := reader.Load(); err == nil {
		t.Error("no error without a file")
	}
}

// TestReaderParsesWhatIsDifferent looks at which entities are those of the last
// time.
func TestReaderParsesWhatIsDifferent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "router.json")
	c := New()
	for i := range 50 {
		l := NewTCPListener()
		l.Name, l.Host, l.Port, l.Address = fmt.Sprintf("l%02d", i), "127.0.0.1", fmt.Sprint(1000+i), "x"
		c.TCPListeners = append(c.TCPListeners, l)
	}
	reader := NewReader(path, nil)
	load := func() []Entity {
		if err := os.WriteFile(path, c.Encode(), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := reader.Load(); err != nil {
			t.Fatal(err)
		}
		return reader.entities
	}
	before := load()
	c.TCPListeners[20].Port = "5"
	var fresh []string
	for i, e := range load() {
		if e != before[i] {
			fresh = append(fresh, Name(e))
		}
	}
	if diff := cmp.Diff([]string{"l20"}, fresh); diff != "" {
		t.Error(diff)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("[\n    [\n\"log\",{}],\n    [\n\"address\",{}]\n]"), []byte("[\n    [\n\"log\",{}]\n]"))
	f.Fuzz(func(t *testing.T, one, other []byte) {
		path := filepath.Join(t.TempDir(), "router.json")
		reader := NewReader(path, nil)
		for _, text := range [][]byte{one, other, one} {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			got, _, gotErr := reader.Load()
			want, _, wantErr := Load(path, nil)
			if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || cmp.Diff(want, got) != "" {
				t.Fatalf("%v, want %v: %s", gotErr, wantErr, cmp.Diff(want, got))
			}
		}
	})
}
