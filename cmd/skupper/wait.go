package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// pollEvery is how often a waiting command looks. A look costs the agent one
// query of the router, below a millisecond.
const pollEvery = 100 * time.Millisecond

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
	generation int64    // the input that must be in effect
	refs       []string // objects, as "listener/db"; none: the site as a whole
	target     string
	timeout    time.Duration
}

// wait returns when what is awaited is so. When the time is up, the error says
// what was missing; the objects stay.
func (p *program) wait(ctx context.Context, c api.Controller, a awaited) error {
	if a.target == waitNone {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	show := p.newProgress()
	defer show.end()
	var missing string
	for {
		s, err := c.Status(limit, a.namespace)
		switch {
		case err != nil && limit.Err() == nil:
			return err
		case err == nil:
			var done bool
			if done, missing, err = a.met(s); done || err != nil {
				return err
			}
			show.say(missing)
		}
		select {
		case <-time.After(pollEvery):
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

// met reports whether the wait is over, and otherwise what is missing. An
// input that was refused will never be in effect.
func (a awaited) met(s *api.Status) (done bool, missing string, err error) {
	if s.Error != "" && s.Generation < a.generation {
		return false, "", &api.Error{Kind: api.Internal, Message: s.Error}
	}
	if s.Generation < a.generation {
		return false, "the agent has not applied the input yet", nil
	}
	if !s.Observed {
		return false, "router: " + first(s.Namespace.Message, "does not answer yet"), nil
	}
	all, err := views(s, waitedKinds()...)
	if err != nil {
		return false, "", err
	}
	refs := a.refs
	if len(refs) == 0 {
		for _, v := range all {
			if v.Kind == string(resource.KindSite) {
				refs = append(refs, v.ref())
			}
		}
	}
	for _, ref := range refs {
		v := find(all, ref)
		if v == nil {
			continue // of a kind without a status
		}
		if !a.reached(v) {
			return false, fmt.Sprintf("%s: %s: %s", ref, v.Status.Status, v.Status.Message), nil
		}
	}
	return true, "", nil
}

func (a awaited) reached(v *view) bool {
	switch {
	case a.target == waitReady:
		return v.Status.Status == resource.StatusReady
	case v.Kind == string(resource.KindAccessGrant), v.Kind == string(resource.KindAccessToken), v.Kind == string(resource.KindCertificate):
		return true
	}
	return v.holds(resource.ConditionConfigured)
}

// waitedKinds are the kinds that can be waited for.
func waitedKinds() []string {
	return []string{
		string(resource.KindSite), string(resource.KindLink), string(resource.KindListener), string(resource.KindConnector),
		string(resource.KindMultiKeyListener), string(resource.KindRouterAccess), string(resource.KindAccessGrant),
		string(resource.KindAccessToken), string(resource.KindCertificate),
	}
}

// awaitGone returns when the router no longer has the objects.
func (p *program) awaitGone(ctx context.Context, c api.Controller, a awaited) error {
	a.target = waitConfigured
	a.refs = []string{"none/none"} // only the generation counts: deleted objects have no status
	return p.wait(ctx, c, a)
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
		fmt.Fprintf(g.p.stderr, "\r\x1b[K%s waiting: %s", frame, strings.TrimSpace(text))
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
