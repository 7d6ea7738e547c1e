package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// version and commit are set by the linker.
var (
	version = "dev"
	commit  = "unknown"
)

func main() {
	ctx, stop := withSignals(context.Background())
	code := newProgram().run(ctx, os.Args)
	stop()
	os.Exit(code)
}

// newProgram is the program with the process's own surroundings.
func newProgram() *program {
	return &program{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv, uid: os.Getuid(),
		stdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		stdinTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		typedSecret:    func() ([]byte, error) { return term.ReadPassword(int(os.Stdin.Fd())) },
		width:          terminalWidth,
		version:        version, commit: commit,
	}
}

// terminalWidth is the number of columns of the terminal at standard error, 0
// if that is none.
func terminalWidth() int {
	columns, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal syscall.Signal }

func (e interrupted) Error() string {
	if e.signal == syscall.SIGINT {
		return "interrupted"
	}
	return e.signal.String()
}

// withSignals ends the context at the first SIGINT or SIGTERM; a second one
// kills the process, as if nobody had listened.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case s := <-c:
			signal.Stop(c)
			if s, ok := s.(syscall.Signal); ok {
				cancel(interrupted{s})
			}
		case <-done:
		}
	})
	return ctx, func() { signal.Stop(c); close(done); watching.Wait(); cancel(nil) }
}

// run performs the command line and returns the exit status.
func (p *program) run(ctx context.Context, argv []string) int {
	if len(argv) > 0 && filepath.Base(argv[0]) == "skrouterd" {
		return p.report(p.skrouterd(ctx, argv[1:]))
	}
	var args []string
	if len(argv) > 1 {
		args = argv[1:]
	}
	err := p.perform(ctx, args)
	var sig interrupted
	if err != nil && errors.As(context.Cause(ctx), &sig) {
		fmt.Fprintln(p.stderr, sig.Error())
		return 128 + int(sig.signal)
	}
	return p.report(err)
}
