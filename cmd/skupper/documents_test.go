package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
)

// TestDocumentsSpeakOfThisProgram: what the documents show as a command line of
// skupper, in a block or within a sentence, and what errors advise to type, is
// one that the program takes. Nothing is run.
func TestDocumentsSpeakOfThisProgram(t *testing.T) {
	t.Parallel()
	root := testTree()
	lines := 0
	for _, path := range documentFiles(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range saidCommands(path, string(data)) {
			lines++
			if err := takes(root, said); err != nil {
				t.Errorf("%s: %s: %v", path, said.line, err)
			}
		}
	}
	if lines < 300 {
		t.Errorf("only %d command lines were found", lines)
	}
	for _, wrong := range []string{"skupper site crate west", "skupper site create west --enable-links", "skupper site create"} {
		if takes(root, saidCommand{line: wrong, whole: true}) == nil {
			t.Errorf("%s passes", wrong)
		}
	}
}

// documentFiles are the files that show command lines: Markdown, and Go for its
// errors and hints.
func documentFiles(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && (name == ".git" || name == "dist" || name == "testdata" || name == "npm" || name == "tools"):
			return fs.SkipDir
		case strings.HasSuffix(name, ".md") && name != "CHANGELOG.md", // which tells of what was, too
			strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// saidCommand is a command line of a document. One within a sentence may leave
// arguments out.
type saidCommand struct {
	line  string
	whole bool
}

var (
	// shownLine is a line of an indented block, with the prompt of a host or of root.
	shownLine = regexp.MustCompile(`^    (?:([a-z]*)[$#] )?(?:sudo )?(?:\./)?(skupper .*)$`)
	// quotedLine is a command line within a sentence, or within a string of Go.
	quotedLine = regexp.MustCompile("`(?:sudo )?(?:\\./)?(skupper [^`\"]*)`")
	// notToType is in a synopsis, or a sentence of an error.
	notToType = regexp.MustCompile(`\[flags\]|<command>|^skupper is `)
	// values stand for those that are described.
	values = strings.NewReplacer("'", "", `"`, "", "%d", "1", " N", " 1", "--to PLATFORM", "--to linux", "--to %s", "--to linux")
)

func saidCommands(path, text string) []saidCommand {
	var all []saidCommand
	if strings.HasSuffix(path, ".md") {
		text = strings.ReplaceAll(text, "\\\n", " ")
		var prose []string
		for line := range strings.SplitSeq(text, "\n") {
			m := shownLine.FindStringSubmatch(line)
			switch {
			case m == nil && !strings.HasPrefix(line, "    "):
				prose = append(prose, line)
			case m == nil, m[1] == "cluster", notToType.MatchString(line): // a cluster has upstream's program
			default:
				all = append(all, saidCommand{m[2], true})
			}
		}
		text = strings.Join(prose, " ")
	}
	for _, m := range quotedLine.FindAllStringSubmatch(text, -1) {
		if !notToType.MatchString(m[1]) && !strings.HasPrefix(m[1], "skupper %s ") && m[1] != "skupper %s" {
			all = append(all, saidCommand{m[1], false})
		}
	}
	return all
}

// takes reads a command line as the program does.
func takes(root *command.Command, said saidCommand) error {
	line := said.line
	for _, end := range []string{" #", " &&", " |", " >", " <", ";", " …", " ..."} {
		line, _, _ = strings.Cut(line, end)
	}
	words := strings.Fields(values.Replace(line))[1:]
	if said.whole {
		_, err := command.Prepare(root, words, nil)
		return err
	}
	_, err := command.Parse(root, words, nil)
	return err
}
