package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
)

// How often a waiting command looks: at first often, since most waits are short.
const (
	pollFirst = 5 * time.Millisecond // doubled up to pollEvery
	pollEvery = 100 * time.Millisecond
)

// The targets of --wait.
const (
	waitNone       = "none"
	waitConfigured = "configured"
	waitReady      = "ready"
)

// waitFlags are --wait and --timeout with their defaults.
func waitFlags(target, timeout string) []command.Flag {
	return []command.Flag{
		{
			Name: "wait", Kind: command.String, Default: target, Value: "none|configured|ready",
			Choices: []string{waitNone, waitConfigured, waitReady, "true", "false"},
			Usage:   "return when the running router has it, or when it works",
		},
		{Name: "timeout", Kind: command.Duration, Default: timeout, Usage: "how long to wait"},
	}
}

// deleteWaitFlags are the flags of commands that remove something.
func deleteWaitFlags() []command.Flag {
	return []command.Flag{
		{Name: "wait", Kind: command.Bool, Default: "true", Usage: "return when the running router has dropped it"},
		{Name: "timeout", Kind: command.Duration, Default: "60s", Usage: "how long to wait"},
	}
}

// waitTarget is what --wait asks for; booleans mean the default and none.
func waitTarget(in *command.Input, standard string) string {
	target := in.String("wait")
	if b, err := strconv.ParseBool(target); err == nil {
		if b {
			return standard
		}
		return waitNone
	}
	return target
}

// awaited is what a command waits for.
type awaited struct {
	namespace  string
	generation int64     // the input that must be in effect
	refs       []api.Ref // objects; none: the site as a whole
	target     string
	timeout    time.Duration
}

// wait returns when what is awaited is so. When the time is up, the error says
// what was missing; the objects stay.
func (p *program) wait(ctx context.Context, c api.Controller, a awaited) error {
	if a.target == waitNone {
		return nil
	}
	return p.await(ctx, c, a, api.CheckRequest{
		Generation: a.generation, Objects: a.refs, Site: len(a.refs) == 0, Ready: a.target == waitReady,
	})
}

// awaitGone returns when the router no longer has what was deleted: what is not
// there any more has no status, only the input counts.
func (p *program) awaitGone(ctx context.Context, c api.Controller, a awaited) error {
	return p.await(ctx, c, a, api.CheckRequest{Generation: a.generation})
}

// await asks until the answer is yes.
func (p *program) await(ctx context.Context, c api.Controller, a awaited, r api.CheckRequest) error {
	limit, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	show := p.newProgress()
	defer show.end()
	missing := "the agent has not answered yet"
	for pause := pollFirst; ; pause = min(2*pause, pollEvery) {
		check, err := c.Check(limit, a.namespace, r)
		switch {
		case err != nil && limit.Err() == nil:
			return err
		case err == nil && check.Done:
			return nil
		case err == nil:
			missing = p.here(check.Missing)
			show.say(missing)
		}
		select {
		case <-time.After(pause):
		case <-limit.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &exitError{
				code:    exitTimeout,
				message: fmt.Sprintf("timed out after %s: %s", a.timeout, missing),
				hint:    "what was made stays; `skupper system status` shows how it goes on",
			}
		}
	}
}

// progress shows what a wait waits for: on a terminal one line that changes,
// elsewhere a line for each change.
type progress struct {
	p     *program
	start time.Time
	last  string
	drawn bool
}

// patience is how long nothing is said: most waits are shorter.
const patience = 500 * time.Millisecond

func (p *program) newProgress() *progress { return &progress{p: p, start: time.Now()} }

func (g *progress) say(text string) {
	if g.p.quiet || time.Since(g.start) < patience {
		return
	}
	if g.p.stderrTerminal {
		frames := [...]string{"|", "/", "-", "\\"}
		frame := frames[int(time.Since(g.start)/pollEvery)%len(frames)]
		fmt.Fprint(g.p.stderr, "\r\x1b[K"+fit(frame+" waiting: "+strings.TrimSpace(text), g.p.width()))
		g.drawn = true
		return
	}
	if text != g.last {
		fmt.Fprintf(g.p.stderr, "waiting: %s\n", text)
		g.last = text
	}
}

func (g *progress) end() {
	if g.drawn {
		fmt.Fprint(g.p.stderr, "\r\x1b[K")
	}
}

// fit cuts a line that would not fit into so many columns: a longer one could
// not be drawn over.
func fit(line string, columns int) string {
	runes := []rune(line)
	if columns <= 1 || len(runes) < columns {
		return line
	}
	return string(runes[:columns-2]) + "…"
}
