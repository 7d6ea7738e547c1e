package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/cmd/skupper/internal/manual"
)

func testTree() *command.Command {
	p := &program{getenv: func(string) string { return "" }}
	return p.tree()
}

func TestTableLacksNothing(t *testing.T) {
	t.Parallel()
	for _, lack := range manual.Check(testTree()) {
		t.Error(lack)
	}
}

// TestExamplesParse has every example of the help be a command line of this
// program.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	root := testTree()
	root.Walk(func(_ []string, c *command.Command) {
		for _, e := range c.Examples {
			for line := range strings.SplitSeq(e.Line, "&&") {
				words := strings.Fields(strings.TrimSpace(line))
				if words[0] == "sudo" {
					words = words[1:]
				}
				for i, w := range words {
					if w == ">" || w == "|" {
						words = words[:i]
						break
					}
				}
				if words[0] != "skupper" {
					continue // a shell's own words
				}
				if _, err := command.Prepare(root, words[1:], nil); err != nil {
					t.Errorf("%s: %v", e.Line, err)
				}
			}
		}
	})
}

// TestNoFlagHidesAGlobalOne keeps -n, -p and their kind what they are
// everywhere.
func TestNoFlagHidesAGlobalOne(t *testing.T) {
	t.Parallel()
	root := testTree()
	names := map[string]bool{}
	for _, f := range root.Flags {
		names["--"+f.Name] = true
		if f.Short != "" {
			names["-"+f.Short] = true
		}
	}
	root.Walk(func(path []string, c *command.Command) {
		if c == root {
			return
		}
		for _, f := range c.Flags {
			if names["--"+f.Name] || f.Short != "" && names["-"+f.Short] {
				t.Errorf("%s: --%s (-%s) is a global flag as well", strings.Join(path, " "), f.Name, f.Short)
			}
		}
	})
}

// TestEnvironmentIsDocumented: every variable that the program reads is in the
// manual.
func TestEnvironmentIsDocumented(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{"SKUPPER_SITE_ID": true} // of the router's unit; nobody sets it
	word := regexp.MustCompile(`[A-Z][A-Z_]+`)
	for _, row := range (&program{}).manual().Env {
		for _, name := range word.FindAllString(row[0], -1) {
			documented[name] = true
		}
	}
	read := regexp.MustCompile(`"(SKUPPER_[A-Z_]+|XDG_[A-Z_]+|DOCKER_HOST|CONTAINER_ENDPOINT|NO_COLOR)"`)
	for _, dir := range []string{".", "../../system", "../../bundle"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range read.FindAllSubmatch(text, -1) {
				if !documented[string(m[1])] {
					t.Errorf("%s reads %s, which is not in the manual", path, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
