package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTutorials types what the README and docs/bundles.md tell a newcomer to
// type, on hosts that have nothing but the program, and compares what is said
// with what they show.
func TestTutorials(t *testing.T) {
	t.Parallel()
	for _, lesson := range []struct{ document, section, client, server string }{
		{"README.md", "## Five minutes", "west", "east"},
		{"docs/bundles.md", "## From nothing to traffic", "west", "shop"},
	} {
		t.Run(lesson.document, func(t *testing.T) {
			t.Parallel()
			town := newTown(t, lesson.client, lesson.server)
			client, server := town.hosts[lesson.client], town.hosts[lesson.server]
			dir, bin := t.TempDir(), t.TempDir() // what is carried from host to host is there already
			if err := os.Symlink(client.program[len(client.program)-1], filepath.Join(bin, "skupper")); err != nil {
				t.Fatal(err)
			}
			for _, h := range []*computer{client, server} {
				h.env = append(h.env, "PATH="+bin+":"+os.Getenv("PATH"))
				h.knows("west.example.com", client.address)
			}
			server.echo("127.0.0.1:5432", "")

			used := 0
			for _, s := range steps(t, lesson.document, lesson.section) {
				h := town.hosts[s.host]
				switch {
				case h == nil:
					t.Errorf("%s: there is no host %s", lesson.document, s.host)
				case strings.HasPrefix(s.line, "psql "): // its server is another one here
					client.through("127.0.0.1:5432")
					used++
				default:
					types(t, s, func() *exec.Cmd {
						cmd := exec.Command("ip", "netns", "exec", h.ns, "sh", "-c", s.line)
						cmd.Env, cmd.Dir = h.env, dir
						return cmd
					})
				}
			}
			if used == 0 {
				t.Errorf("%s: nobody uses the database", lesson.document)
			}
		})
	}
}

// step is a command line of a tutorial, and what it shows of the answer.
type step struct {
	host, line string
	shows      []string
}

var prompt = regexp.MustCompile(`^    ([a-z]+)\$ (.*)$`)

// steps are those of a section. In a block, what follows a command line is its
// answer; one that shows none may have any.
func steps(t *testing.T, document, section string) []step {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../..", document))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n"+section+"\n")
	if !found {
		t.Fatalf("%s has no %s", document, section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var all []step
	answer := false
	for line := range strings.SplitSeq(text, "\n") {
		m := prompt.FindStringSubmatch(line)
		switch {
		case m != nil:
			all, answer = append(all, step{host: m[1], line: m[2]}), true
		case !strings.HasPrefix(line, "    "):
			answer = false
		case answer:
			last := &all[len(all)-1]
			last.shows = append(last.shows, strings.TrimSpace(line))
		}
	}
	return all
}

// asks matches a line that may have to be typed again: what it shows comes to be
// by itself.
var asks = regexp.MustCompile(` status|^skupper (top|ping) |^curl `)

// waits matches what a terminal shows only for a while.
var waits = regexp.MustCompile(`(?m)^waiting: .*\n`)

// types runs the command of a step, which has to show what the document does:
// a question for up to half a minute, until it does.
func types(t *testing.T, s step, command func() *exec.Cmd) {
	t.Helper()
	want := pattern(s.shows)
	began := time.Now()
	defer func() { t.Logf("%v %s$ %s", time.Since(began).Round(time.Millisecond), s.host, s.line) }()
	for deadline := time.Now().Add(30 * time.Second); ; {
		out, err := command().CombinedOutput()
		if out = waits.ReplaceAll(out, nil); err == nil && want.Match(out) {
			return
		}
		if !asks.MatchString(s.line) || time.Now().After(deadline) {
			t.Fatalf("%s$ %s: %v\n%swant\n%s", s.host, s.line, err, out, strings.Join(s.shows, "\n"))
		}
		<-time.After(50 * time.Millisecond)
	}
}

// pattern matches what is shown, with any time, process and identifier where there
// is one, and anything for an ellipsis. Nothing shown is anything.
func pattern(shows []string) *regexp.Regexp {
	if len(shows) == 0 {
		return regexp.MustCompile("")
	}
	lines := make([]string, len(shows))
	for i, line := range shows {
		text := regexp.QuoteMeta(line)
		text = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`).ReplaceAllString(text, `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
		text = regexp.MustCompile(`\bpid \d+`).ReplaceAllString(text, `pid \d+`)
		text = regexp.MustCompile(`\b[0-9a-f]{4}…`).ReplaceAllString(text, `[0-9a-f]{4}…`)
		text = regexp.MustCompile(`-[0-9a-f]{8}\b`).ReplaceAllString(text, `-[0-9a-f]{8}`)
		lines[i] = strings.ReplaceAll(text, "…", ".*")
	}
	return regexp.MustCompile(fmt.Sprintf(`\A%s\n\z`, strings.Join(lines, `[ ]*\n`)))
}
