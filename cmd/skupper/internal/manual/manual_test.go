package manual

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
)

func noRun(context.Context, *command.Input) error { return nil }

func page() Page {
	return Page{
		Version: "2", Date: "2026-01-02",
		Exits: []command.Exit{{Code: 0, Meaning: "done"}},
		Root: &command.Command{
			Name: "prog", Summary: "do things", Text: "First.\n\n.Second paragraph.",
			Flags: []command.Flag{{Name: "namespace", Short: "n", Kind: command.String, Value: "NAME", Source: command.Namespaces, Usage: "where"}},
			Commands: []*command.Command{
				{Name: "site", Summary: "a group", Commands: []*command.Command{{
					Name: "create", Summary: "make one", Args: []command.Arg{{Name: "name"}, {Name: "file", Optional: true, Source: command.Files}}, Run: noRun,
					Flags: []command.Flag{
						{Name: "wait", Kind: command.String, Choices: []string{"none", "ready"}, Default: "ready", Usage: "wait until it is so, which may take a while and is said at some length here"},
						{Name: "dry-run", Kind: command.String, Implied: "server", Choices: []string{"client", "server"}, Usage: "change nothing"},
						{Name: "secret", Kind: command.Bool, Usage: "not shown", Hidden: true},
					},
					Text:     "Make it.",
					Examples: []command.Example{{Line: "prog site create west | cat", Text: "Make west"}, {Line: "prog site create east", Text: "Make east"}},
					Exits:    []command.Exit{{Code: 3, Meaning: "not healthy"}},
				}}},
				{Name: "hidden", Summary: "for machines", Hidden: true, Run: noRun},
				{Name: "run", Summary: "the daemon", Hidden: true, Daemon: true, Commands: []*command.Command{
					{Name: "now", Summary: "run it", Raw: true, Text: "Usage: prog run now\n  -c FILE\n", Run: noRun, Examples: []command.Example{{Line: "prog run now", Text: "Run it"}}},
				}},
			},
		},
		Formats: []Format{{Name: "prog-things", Summary: "what there is", Text: "Things.", Parts: []Part{{Title: "Thing", Text: "A thing.", Rows: [][2]string{{"spec.port", "its port"}}}}}},
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	p := page()
	c := p.Root.Commands[0].Commands[0]
	want := `Make one.

Usage:
  prog site create <name> [file] [flags]

Make it.

Flags:
      --wait none|ready             wait until it is so, which may take a while
                                    and is said at some length here (default
                                    ready)
      --dry-run[=client|server]     change nothing (alone: server)

Examples:
  prog site create west | cat
      Make west
  prog site create east
      Make east

Exit status:
  0  done
  3  not healthy

` + "`prog --help` lists the flags of every command.\n"
	got := p.Help([]string{"prog", "site", "create"}, c)
	if d := cmp.Diff(strings.Fields(want), strings.Fields(got)); d != "" {
		t.Error(d)
	}
	for line := range strings.Lines(got) {
		if len(strings.TrimRight(line, "\n")) > width {
			t.Errorf("line of %d characters: %s", len(line), line)
		}
	}
	root := p.Help([]string{"prog"}, p.Root)
	if strings.Contains(root, "hidden") || !strings.Contains(root, "Exit status:") {
		t.Errorf("help of the program:\n%s", root)
	}
}

func TestMan(t *testing.T) {
	t.Parallel()
	pages := page().Man()
	if names := slices.Sorted(keys(pages)); !slices.Equal(names, []string{"prog-run.8", "prog-site.1", "prog-things.5", "prog.1"}) {
		t.Errorf("pages %v", names)
	}
	for _, want := range []string{".TH PROG 1 2026-01-02", `\&.Second paragraph.`, `.BR prog\-site (1)`} {
		if !strings.Contains(pages["prog.1"], want) {
			t.Errorf("prog.1 lacks %q:\n%s", want, pages["prog.1"])
		}
	}
	for _, want := range []string{".TH PROG\\-RUN 8", ".nf\nUsage: prog run now\n  \\-c FILE\n.fi\n"} {
		if !strings.Contains(pages["prog-run.8"], want) {
			t.Errorf("prog-run.8 lacks %q:\n%s", want, pages["prog-run.8"])
		}
	}
	for _, want := range []string{"PROG\\-THINGS 5", ".SH THING\nA thing.\n.TP\n.B spec.port\nits port\n"} {
		if !strings.Contains(pages["prog-things.5"], want) {
			t.Errorf("prog-things.5 lacks %q:\n%s", want, pages["prog-things.5"])
		}
	}
	if strings.Contains(pages["prog-site.1"], "not shown") {
		t.Error("a hidden flag is in the manual")
	}
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	lookup := func(s command.Source, p *command.Parsed) []string {
		if s == command.Namespaces {
			return []string{"lab"}
		}
		return nil
	}
	for line, want := range map[string]string{
		"":                          "site",
		"site":                      "site",
		"site ":                     "create",
		"-n ":                       "lab",
		"--namespace=":              "--namespace=lab",
		"site create --":            "--wait --dry-run --namespace",
		"site create --wait ":       "none ready",
		"site create --dry-run=":    "--dry-run=client --dry-run=server",
		"site create west ":         ":files",
		"site create west x.yaml z": "",
	} {
		words := strings.Split(line, " ")
		list, files := Candidates(page().Root, words, lookup)
		var got []string
		for _, w := range list {
			got = append(got, w.Text)
		}
		if files {
			got = append(got, ":files")
		}
		if d := cmp.Diff(want, strings.Join(got, " ")); d != "" {
			t.Errorf("%q: %s", line, d)
		}
	}
}

func TestCheckFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	root := &command.Command{Name: "prog", Summary: "s", Commands: []*command.Command{
		{Name: "a", Run: noRun, Flags: []command.Flag{{Name: "f"}}},
	}}
	want := []string{"prog a: no summary", "prog a: 0 examples, at least 2 are expected", "prog a: no description", "prog a: flag --f has no usage text"}
	if d := cmp.Diff(want, Check(root)); d != "" {
		t.Error(d)
	}
	if lacks := Check(page().Root); len(lacks) > 0 {
		t.Errorf("a complete table lacks %v", lacks)
	}
}

func TestMarkdownEscapesTables(t *testing.T) {
	t.Parallel()
	md := page().Markdown()
	if !strings.Contains(md, "| `--wait none\\|ready` |") || strings.Contains(md, "hidden") {
		t.Errorf("reference:\n%s", md)
	}
}

func TestScriptsKnowTheProgram(t *testing.T) {
	t.Parallel()
	for _, shell := range Shells() {
		text := Completion(shell, "prog")
		if !strings.Contains(text, "prog") || strings.Contains(text, "PROGRAM") {
			t.Errorf("%s:\n%s", shell, text)
		}
	}
	if Completion("cmd.exe", "prog") != "" {
		t.Error("an unknown shell has a script")
	}
}
