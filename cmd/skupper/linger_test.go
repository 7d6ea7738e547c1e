package main

import (
	"io"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
)

// TestLingerIsAskedFor: whoever installs for himself at a terminal is asked
// whether his services run without a login, and nobody else is.
func TestLingerIsAskedFor(t *testing.T) {
	t.Parallel()
	const user = "nobody-of-this-name"
	for _, row := range []struct {
		name, answer, args, want string
		terminal, system, asks   bool
	}{
		{name: "yes", answer: "y\n", terminal: true, asks: true, want: user},
		{name: "no", answer: "n\n", terminal: true, asks: true},
		{name: "return", answer: "\n", terminal: true, asks: true},
		{name: "the end", terminal: true, asks: true},
		{name: "nobody there", answer: "y\n"},
		{name: "not to be asked", answer: "y\n", terminal: true, args: "--yes"},
		{name: "for the system", answer: "y\n", terminal: true, system: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			p := &program{
				stdin: strings.NewReader(row.answer), stdout: io.Discard, stderr: &said, stdinTerminal: row.terminal, stderrTerminal: row.terminal,
				getenv: func(name string) string { return map[string]string{"USER": user}[name] },
			}
			p.paths.System = row.system
			inv, err := command.Prepare(p.tree(), strings.Fields("system install "+row.args), foreignFlags())
			if err != nil {
				t.Fatal(err)
			}
			if got := p.askToLinger(t.Context(), inv.Input); got != row.want {
				t.Errorf("%q lingers, want %q", got, row.want)
			}
			if asks := strings.Contains(said.String(), "without a login? [y/N]"); asks != row.asks {
				t.Errorf("asked: %v, want %v: %q", asks, row.asks, said.String())
			}
		})
	}
}
