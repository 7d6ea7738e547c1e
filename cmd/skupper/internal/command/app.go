package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Invocation is a command line that is ready to run.
type Invocation struct {
	Command *Command
	Input   *Input
	Help    bool // help was asked for, or a group was named without a command
}

// Prepare parses args and checks the number of positional arguments. The
// error is a *UsageError.
func Prepare(root *Command, args []string, foreign map[string]string) (*Invocation, error) {
	parsed, err := Parse(root, args, foreign)
	if err != nil {
		return &Invocation{Command: parsed.Command(), Input: &Input{Path: parsed.Names()}}, err
	}
	inv := &Invocation{Command: parsed.Command()}
	asked := parsed.takeHelp()
	app := newApp(root, func(in *Input) { inv.Input = in })
	if err := app.Run(parsed.Argv()); err != nil {
		return inv, &UsageError{Message: err.Error()}
	}
	if inv.Input == nil {
		return inv, &UsageError{Message: "the command line was not understood"}
	}
	inv.Input.Path = parsed.Names()
	if asked != "" {
		inv.Input.text["help"], inv.Input.set["help"] = []string{asked}, true
	}
	inv.Help = inv.Input.Bool("help") || inv.Command.Run == nil
	if inv.Help {
		return inv, nil
	}
	return inv, countArgs(inv.Command, inv.Input)
}

// takeHelp removes --help, which the library would act on, and returns its
// last value, "" if it was not given.
func (p *Parsed) takeHelp() string {
	asked := ""
	p.Globals = slices.DeleteFunc(p.Globals, func(flag string) bool {
		value, ok := strings.CutPrefix(flag, "--help=")
		if ok {
			asked = value
		}
		return ok
	})
	return asked
}

// Run performs the command.
func (inv *Invocation) Run(ctx context.Context) error {
	return inv.Command.Run(ctx, inv.Input)
}

func countArgs(c *Command, in *Input) error {
	line := strings.Join(in.Path, " ")
	for i, a := range c.Args {
		if !a.Optional && i >= len(in.Args) {
			return &UsageError{Message: fmt.Sprintf("%s is missing (%s)", a, line), Advice: "`" + c.Synopsis(in.Path) + "`"}
		}
		if a.Repeat {
			return nil
		}
	}
	if !c.Raw && len(in.Args) > len(c.Args) {
		return &UsageError{
			Message: fmt.Sprintf("one argument too many: %q (%s)", in.Args[len(c.Args)], line),
			Advice:  "`" + c.Synopsis(in.Path) + "`",
		}
	}
	return nil
}

// newApp turns the tree into a urfave/cli application that only reads: the
// action of every command hands what it got to take. The library prints
// nothing and never exits.
func newApp(root *Command, take func(*Input)) *cli.App {
	app := cli.NewApp()
	app.Name = root.Name
	app.HideHelp = true
	app.HideVersion = true
	app.Writer = io.Discard
	app.ErrWriter = io.Discard
	app.DisableSliceFlagSeparator = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.OnUsageError = passError
	app.CommandNotFound = func(*cli.Context, string) {}
	app.Flags = cliFlags(root.Flags)
	app.Action = func(c *cli.Context) error { take(read(c, root, root)); return nil }
	for _, child := range root.Commands {
		app.Commands = append(app.Commands, cliCommand(root, child, take))
	}
	return app
}

func cliCommand(root, c *Command, take func(*Input)) *cli.Command {
	out := &cli.Command{
		Name:            c.Name,
		Flags:           cliFlags(c.Flags),
		HideHelp:        true,
		HideHelpCommand: true,
		OnUsageError:    passError,
		Action:          func(ctx *cli.Context) error { take(read(ctx, root, c)); return nil },
	}
	for _, child := range c.Commands {
		out.Subcommands = append(out.Subcommands, cliCommand(root, child, take))
	}
	return out
}

func passError(_ *cli.Context, err error, _ bool) error {
	return errors.New(strings.TrimPrefix(err.Error(), "flag provided but not defined: "))
}

func cliFlags(flags []Flag) []cli.Flag {
	out := make([]cli.Flag, 0, len(flags))
	for _, f := range flags {
		switch f.Kind {
		case Bool:
			out = append(out, &cli.BoolFlag{Name: f.Name, Value: f.Default == "true"})
		case Strings:
			out = append(out, &cli.StringSliceFlag{Name: f.Name})
		case String, Int, Duration:
			out = append(out, &cli.StringFlag{Name: f.Name, Value: f.Default})
		}
	}
	return out
}

// read copies the flags of the root and of c out of the library's context.
func read(ctx *cli.Context, root, c *Command) *Input {
	in := &Input{Args: ctx.Args().Slice(), text: map[string][]string{}, set: map[string]bool{}}
	flags := root.Flags
	if c != root {
		flags = append(append([]Flag{}, root.Flags...), c.Flags...)
	}
	for _, f := range flags {
		in.set[f.Name] = ctx.IsSet(f.Name)
		switch f.Kind {
		case Bool:
			in.text[f.Name] = []string{fmt.Sprint(ctx.Bool(f.Name))}
		case Strings:
			in.text[f.Name] = ctx.StringSlice(f.Name)
		case String, Int, Duration:
			in.text[f.Name] = []string{ctx.String(f.Name)}
		}
	}
	return in
}
