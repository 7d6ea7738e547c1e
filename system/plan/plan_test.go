package plan

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/skupper-host/skupper/system/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestPlans makes the plan of every file in testdata. A file has the states
// "have" and "want" and the plan between them; parse says how a state is
// written.
func TestPlans(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, have := parse(t, section(archive, "want")), parse(t, section(archive, "have"))
			got := Text(Make(want, have))
			if *update {
				setSection(archive, "plan", got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(section(archive, "plan"), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func setSection(a *txtar.Archive, name, text string) {
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
}

// parse reads a state, one thing a line:
//
//	dir PATH [MODE] [shared] [lax]
//	file PATH CONTENT [subject WORDS]
//	record PATH CONTENT
//	config PATH ENTITIES          JSON on the rest of the line
//	unit NAME IDENTITY [running] [enabled] [file PATH] [reads PATH]
//	loses BY COUNT [SERVICE]      connections that end with an entity, or the router: keys of entities, or "router" and "others"
func parse(t *testing.T, text string) state.State {
	t.Helper()
	s := state.State{Dirs: map[string]state.Dir{}, Files: map[string]state.File{}, Units: map[string]state.Unit{}, Losses: map[string]state.Losses{}}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		flag := func(name string) bool { return slices.Contains(f, name) }
		after := func(name string) string {
			if i := slices.Index(f, name); i >= 0 {
				return strings.Join(f[i+1:], " ")
			}
			return ""
		}
		switch f[0] {
		case "dir":
			d := state.Dir{Mode: 0o700, Shared: flag("shared"), Lax: flag("lax")}
			if len(f) > 2 {
				if m, err := strconv.ParseUint(f[2], 8, 16); err == nil {
					d.Mode = fs.FileMode(m)
				}
			}
			s.Dirs[f[1]] = d
		case "file":
			s.Files[f[1]] = state.File{Data: []byte(f[2]), Mode: 0o600, Subject: after("subject")}
		case "record":
			s.Files[f[1]] = state.File{Data: []byte(f[2]), Mode: 0o600, Subject: state.SubjectResources, Record: true}
		case "config":
			s.Files[f[1]] = state.File{Data: []byte(strings.Join(f[2:], " ")), Mode: 0o600, Subject: state.SubjectConfig, Entities: true}
		case "unit":
			u := state.Unit{Identity: f[2], Running: flag("running"), Enabled: flag("enabled"), Command: []string{"x"}}
			if i := slices.Index(f, "file"); i >= 0 {
				u.File = f[i+1]
			}
			if r := after("reads"); r != "" {
				u.Reads = strings.Fields(r)
			}
			s.Units[f[1]] = u
		case "loses":
			n, err := strconv.ParseInt(f[2], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			by, service := strings.TrimSuffix(f[1], "router"), f[1]
			if len(f) > 3 {
				service = strings.TrimSuffix(f[3], "others")
			}
			if s.Losses[by] == nil {
				s.Losses[by] = state.Losses{}
			}
			s.Losses[by][service] = n
		default:
			t.Fatalf("not understood: %s", line)
		}
	}
	return s
}

// TestTakingAPlanGetsThere takes plans between random states, by a machine of
// few lines, and looks whether the result is what was wanted.
func TestTakingAPlanGetsThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		have, want := drawState(t, "have"), drawState(t, "want")
		got := take(t, have, Make(want, have))
		if again := Make(want, got); len(again) > 0 {
			t.Fatalf("a second plan has something to do:\n%s", Text(again))
		}
		if back := take(t, got, Make(have, got)); len(Make(have, back)) > 0 {
			t.Fatalf("the way back does not lead back:\n%s", Text(Make(have, back)))
		}
	})
}

func drawState(t *rapid.T, label string) state.State {
	s := state.State{Dirs: map[string]state.Dir{}, Files: map[string]state.File{}, Units: map[string]state.Unit{}}
	for _, d := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"/n", "/n/a", "/n/b"}), rapid.ID).Draw(t, label+" dirs") {
		s.Dirs["/n"] = state.Dir{Mode: 0o700}
		s.Dirs[d] = state.Dir{Mode: rapid.SampledFrom([]fs.FileMode{0o700, 0o710}).Draw(t, "mode")}
		for _, f := range []string{"x", "y"} {
			if rapid.Bool().Draw(t, "file") {
				s.Files[d+"/"+f] = state.File{
					Data: []byte(rapid.SampledFrom([]string{"1", "2"}).Draw(t, "data")), Mode: 0o600,
					Subject: rapid.SampledFrom([]string{"", d}).Draw(t, "subject"),
				}
			}
		}
	}
	if rapid.Bool().Draw(t, label+" unit") {
		u := state.Unit{Running: rapid.Bool().Draw(t, "running"), Enabled: rapid.Bool().Draw(t, "enabled"), Command: []string{rapid.SampledFrom([]string{"x", "y"}).Draw(t, "command")}}
		u.Identity = rapid.SampledFrom([]string{"i", "j"}).Draw(t, "identity")
		s.Units["u"] = u
	}
	return s
}

// take is a machine: it refuses what a real one would.
func take(t *rapid.T, have state.State, steps []Step) state.State {
	s := state.State{Dirs: maps.Clone(have.Dirs), Files: maps.Clone(have.Files), Units: maps.Clone(have.Units)}
	for _, step := range steps {
		switch step.Op {
		case MakeDir:
			if parent := filepath.Dir(step.Path); parent != "/" {
				if _, ok := s.Dirs[parent]; !ok {
					t.Fatalf("%s: no %s", step, parent)
				}
			}
			s.Dirs[step.Path] = step.Dir
		case Write:
			for path, f := range step.Files {
				if _, ok := s.Dirs[filepath.Dir(path)]; !ok {
					t.Fatalf("%s: no directory", step)
				}
				s.Files[path] = f
			}
		case Delete:
			for path := range step.Files {
				delete(s.Files, path)
			}
		case RemoveDir:
			for path := range s.Files {
				if strings.HasPrefix(path, step.Path+"/") {
					t.Fatalf("%s: holds %s", step, path)
				}
			}
			delete(s.Dirs, step.Path)
		case Start, Restart:
			u := s.Units[step.Unit]
			u.Running, u.Identity, u.Command = true, step.Spec.Identity, step.Spec.Command
			s.Units[step.Unit] = u
		case Load:
			u := s.Units[step.Unit]
			u.Command = step.Spec.Command
			s.Units[step.Unit] = u
		case Stop:
			u := s.Units[step.Unit]
			u.Running = false
			s.Units[step.Unit] = u
		case Enable, Disable:
			u := s.Units[step.Unit]
			u.Enabled = step.Op == Enable
			s.Units[step.Unit] = u
		default:
		}
	}
	return s
}

func TestStepsShowNoSecrets(t *testing.T) {
	t.Parallel()
	f := map[string]state.File{"/n/tls.key": {Data: []byte("hush"), Secret: true, Subject: state.Certificate("west")}}
	config := func(password string) state.File {
		return state.File{Entities: true, Data: fmt.Appendf(nil, `[["connector",{"name":"c","saslPassword":%q}]]`, password)}
	}
	steps := Make(state.State{Files: map[string]state.File{"/n/tls.key": f["/n/tls.key"], "/n/c": config("hush")}}, state.State{Files: map[string]state.File{"/n/c": config("before")}})
	text := Text(steps) + fmt.Sprintf("%v %+v %s", steps, f, f["/n/tls.key"])
	if strings.Contains(text, "hush") || strings.Contains(text, "before") || bytes.Contains([]byte(text), []byte("68757368")) {
		t.Errorf("a secret shows:\n%s", text)
	}
	if !strings.Contains(text, "change link/c: saslPassword") {
		t.Errorf("the change does not show:\n%s", text)
	}
}
