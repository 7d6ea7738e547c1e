package main

import (
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
					if w == ">" {
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
