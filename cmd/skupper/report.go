package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// The exit statuses of every command.
const (
	exitFailed    = 1
	exitWrongUse  = 2
	exitUnhealthy = 3
	exitTimeout   = 4
	exitDenied    = 5
)

// exits describes them for the manuals.
func exits() []command.Exit {
	return []command.Exit{
		{Code: 0, Meaning: "done, or already as wanted"},
		{Code: exitFailed, Meaning: "the operation failed"},
		{Code: exitWrongUse, Meaning: "wrong use: unknown command, flag or value, invalid input, an object that is missing or exists already"},
		{Code: exitUnhealthy, Meaning: "with --check: not healthy; system diff: there is a difference"},
		{Code: exitTimeout, Meaning: "waited, and the time was up"},
		{Code: exitDenied, Meaning: "no permission, or the agent is needed and cannot be reached"},
		{Code: 130, Meaning: "interrupted (143: terminated)"},
	}
}

// exitError ends the program with a status. An empty message says nothing:
// the output has said it.
type exitError struct {
	code    int
	message string
	hint    string
}

func (e *exitError) Error() string { return e.message }
func (e *exitError) Hint() string  { return e.hint }

// report tells a person what went wrong and returns the exit status. It is the
// only place where errors become words on the terminal, each in a line of its
// own where there are several:
//
//	error: <what> (<object>, <file>:<line>)
//	hint: <what to do>
func (p *program) report(err error) int {
	if err == nil {
		return 0
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok && len(problems(err)) == 0 {
		for _, e := range several.Unwrap() {
			p.report(e)
		}
		return exitStatus(err)
	}
	if lines := problems(err); len(lines) > 0 {
		for _, l := range lines {
			printError(p.stderr, l.text, p.here(l.hint))
		}
		return exitWrongUse
	}
	if err.Error() != "" {
		printError(p.stderr, err.Error(), p.here(hintOf(err)))
	}
	return exitStatus(err)
}

// here has commands of an advice be about the namespace that was asked for with
// --namespace: who types them as they stand means that one.
func (p *program) here(advice string) string {
	if p.asked == "" {
		return advice
	}
	return inNamespace(advice, p.asked)
}

// inNamespace has commands of an advice be about a namespace. Those to be typed on
// another site stay as they are.
func inNamespace(advice, namespace string) string {
	for _, elsewhere := range []string{"other site", "site of the", "both sites", "` there"} {
		if strings.Contains(advice, elsewhere) {
			return advice
		}
	}
	parts := strings.Split(advice, "`") // every second one is a command
	for i := 1; i < len(parts); i += 2 {
		if words := strings.Fields(parts[i]); ofNamespace(words) {
			parts[i] = strings.Join(slices.Insert(words, 1, "-n", namespace), " ")
		}
	}
	return strings.Join(parts, "`")
}

// ofNamespace reports whether a command, in words, is about one namespace and
// does not say which.
func ofNamespace(words []string) bool {
	if len(words) < 3 || words[0] != "skupper" || slices.Contains(words, "--help") {
		return false
	}
	switch words[1] {
	case "site", "link", "token", "listener", "connector", "network", "service", "cert", "debug":
		return true
	case "system":
		return !slices.Contains([]string{"status", "install", "uninstall"}, words[2])
	}
	return false
}

func printError(w io.Writer, text, hint string) {
	fmt.Fprintf(w, "error: %s\n", strings.TrimSpace(text))
	if hint != "" {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
}

// problem is one thing wrong with the input, in words.
type problem struct{ text, hint string }

// problems takes apart an error about resources, wherever it was found.
func problems(err error) []problem {
	var list []problem
	var e *api.Error
	if errors.As(err, &e) {
		for _, pr := range e.Problems {
			list = append(list, wordProblem(pr.Field, pr.Reason, pr.Object, pr.File, pr.Line, pr.Hint))
		}
		return list
	}
	for _, f := range resource.Problems(err) {
		list = append(list, wordProblem(f.Field, f.Reason, f.Object.String(), f.File, f.Line, f.Advice))
	}
	return list
}

func wordProblem(field, reason, object, file string, line int, hint string) problem {
	text := reason
	if field != "" {
		text = field + ": " + reason
	}
	place := file
	if line > 0 && file != "" {
		place = fmt.Sprintf("%s:%d", file, line)
	}
	switch {
	case object != "" && place != "":
		text += fmt.Sprintf(" (%s, %s)", object, place)
	case object+place != "":
		text += fmt.Sprintf(" (%s)", object+place)
	}
	return problem{text, hint}
}

// hintOf finds the advice that some error in the chain gives.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func exitStatus(err error) int {
	var exit *exitError
	var use *command.UsageError
	switch {
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &use):
		return exitWrongUse
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	}
	switch api.KindOf(err) {
	case api.Invalid, api.Missing, api.Conflict:
		return exitWrongUse
	case api.Denied, api.Unavailable:
		return exitDenied
	case api.Internal:
		return exitFailed
	}
	if errors.Is(err, fs.ErrPermission) {
		return exitDenied
	}
	return exitFailed
}
