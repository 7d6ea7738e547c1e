package command

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// UsageError is a command line that cannot be run as typed.
type UsageError struct {
	Message string
	Advice  string // what to type instead, or ""
}

func (e *UsageError) Error() string { return e.Message }

// Hint returns the advice.
func (e *UsageError) Hint() string { return e.Advice }

// Parsed is a command line taken apart.
type Parsed struct {
	Path    []*Command // from the root to the command
	Globals []string   // flags of the root, in long form
	Flags   []string   // flags of the command, in long form
	Args    []string   // positional arguments
}

// Argv is the command line in the order that urfave/cli reads completely:
// global flags, command words, flags, "--", positional arguments.
func (p *Parsed) Argv() []string {
	argv := append([]string{p.Path[0].Name}, p.Globals...)
	for _, c := range p.Path[1:] {
		argv = append(argv, c.Name)
	}
	argv = append(argv, p.Flags...)
	if len(p.Args) > 0 {
		argv = append(append(argv, "--"), p.Args...)
	}
	return argv
}

// Command is the command that was named, the root if none was.
func (p *Parsed) Command() *Command { return p.Path[len(p.Path)-1] }

// Names are the words from the root to the command.
func (p *Parsed) Names() []string {
	names := make([]string, len(p.Path))
	for i, c := range p.Path {
		names[i] = c.Name
	}
	return names
}

// parser reads one command line.
type parser struct {
	root    *Command
	foreign map[string]string
	rest    []string
	out     Parsed
}

// Parse takes args (without the program's name) apart. Flags, command words
// and positional arguments may stand in any order, as with pflag; only a flag
// that belongs to a command must follow its word. foreign explains flags that
// exist elsewhere but not here.
//
// What was read up to an error is returned with it, so that help can be given
// for the right command. The error is a *UsageError.
func Parse(root *Command, args []string, foreign map[string]string) (*Parsed, error) {
	p := parser{root: root, foreign: foreign, rest: args}
	p.out.Path = []*Command{root}
	err := p.run()
	return &p.out, err
}

func (p *parser) run() error {
	for len(p.rest) > 0 {
		if p.out.Command().Raw {
			p.out.Args = append(p.out.Args, p.rest...)
			return nil
		}
		token := p.rest[0]
		p.rest = p.rest[1:]
		var err error
		switch {
		case token == "--":
			p.out.Args = append(p.out.Args, p.rest...)
			p.rest = nil
			err = p.strayWord()
		case strings.HasPrefix(token, "--"):
			err = p.long(token)
		case strings.HasPrefix(token, "-") && token != "-":
			err = p.short(token)
		default:
			err = p.word(token)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// strayWord refuses words after "--" where a command word is due.
func (p *parser) strayWord() error {
	if c := p.out.Command(); len(c.Commands) > 0 && len(p.out.Args) > 0 {
		return unknownCommand(p.out.Path, p.out.Args[0])
	}
	return nil
}

func (p *parser) word(token string) error {
	c := p.out.Command()
	if len(c.Commands) == 0 {
		p.out.Args = append(p.out.Args, token)
		return nil
	}
	child := c.Find(token)
	if child == nil {
		return unknownCommand(p.out.Path, token)
	}
	p.out.Path = append(p.out.Path, child)
	return nil
}

func (p *parser) long(token string) error {
	name, value, attached := strings.Cut(token[2:], "=")
	f, global := p.find(func(flags []Flag) *Flag { return findLong(flags, name) })
	if name == "" || f == nil {
		return p.unknownFlag("--"+name, name)
	}
	if attached {
		return p.emit(f, global, value)
	}
	return p.bare(f, global, "--"+f.Name)
}

// bare emits a flag without "=": its value is implied or the next token.
func (p *parser) bare(f *Flag, global bool, typed string) error {
	switch {
	case f.Kind == Bool:
		return p.emit(f, global, "true")
	case !f.TakesValue():
		return p.emit(f, global, f.Implied)
	}
	if len(p.rest) == 0 {
		return &UsageError{Message: fmt.Sprintf("%s needs a value (%s)", typed, f.Placeholder())}
	}
	value := p.rest[0]
	p.rest = p.rest[1:]
	return p.emit(f, global, value)
}

// short reads a cluster such as -q, -n west, -nwest, -n=west or -qn west.
func (p *parser) short(token string) error {
	for letters := token[1:]; letters != ""; {
		letter := letters[:1]
		letters = letters[1:]
		f, global := p.find(func(flags []Flag) *Flag { return findShort(flags, letter) })
		if f == nil {
			typed := "-" + letter
			if typed != token {
				typed += " in " + token
			}
			return p.unknownFlag(typed, "")
		}
		switch {
		case strings.HasPrefix(letters, "=") && len(letters) > 1:
			return p.emit(f, global, letters[1:])
		case f.TakesValue() && letters != "":
			return p.emit(f, global, letters)
		}
		if err := p.bare(f, global, "-"+letter); err != nil {
			return err
		}
	}
	return nil
}

// find looks a flag up among those of the command, then among the global ones.
func (p *parser) find(in func([]Flag) *Flag) (f *Flag, global bool) {
	if c := p.out.Command(); c != p.root {
		if f := in(c.Flags); f != nil {
			return f, false
		}
	}
	return in(p.root.Flags), true
}

func (p *parser) emit(f *Flag, global bool, value string) error {
	if err := f.check(value); err != nil {
		return &UsageError{Message: fmt.Sprintf("--%s %q: %v", f.Name, value, err)}
	}
	text := "--" + f.Name + "=" + value
	if global {
		p.out.Globals = append(p.out.Globals, text)
	} else {
		p.out.Flags = append(p.out.Flags, text)
	}
	return nil
}

// check refuses a value that the flag's kind or choices do not allow.
func (f *Flag) check(value string) error {
	switch f.Kind {
	case Bool:
		if _, err := strconv.ParseBool(value); err != nil {
			return errors.New("not true or false")
		}
	case Int:
		n, err := strconv.ParseInt(value, 0, 32)
		if err != nil || n < 0 {
			return errors.New("not a whole number from 0 up")
		}
	case Duration:
		d, err := ParseDuration(value)
		if err != nil {
			return err
		}
		if d < 0 {
			return errors.New("a time cannot be negative")
		}
	case String, Strings:
	}
	if len(f.Choices) > 0 && !slices.Contains(f.Choices, value) {
		return fmt.Errorf("not one of %s", strings.Join(f.Choices, ", "))
	}
	return nil
}

func unknownCommand(path []*Command, word string) error {
	c := path[len(path)-1]
	if advice, ok := c.Retired[word]; ok {
		return &UsageError{Message: fmt.Sprintf("%q is not a command of this version", word), Advice: advice}
	}
	var names []string
	for _, child := range c.Commands {
		if !child.Hidden {
			names = append(names, child.Name)
		}
	}
	words := make([]string, 0, len(path))
	for _, p := range path {
		words = append(words, p.Name)
	}
	e := &UsageError{
		Message: fmt.Sprintf("unknown command %q (%s)", word, strings.Join(words, " ")),
		Advice:  fmt.Sprintf("`%s --help` lists the commands", strings.Join(words, " ")),
	}
	if near := nearest(word, names); near != "" {
		e.Advice = fmt.Sprintf("did you mean `%s %s`?", strings.Join(words, " "), near)
	}
	return e
}

func (p *parser) unknownFlag(typed, name string) error {
	if text, ok := p.foreign[name]; ok && name != "" {
		return &UsageError{Message: typed + " applies to Kubernetes sites", Advice: text}
	}
	c := p.out.Command()
	if len(c.Commands) > 0 && name != "" && below(c, name) {
		return &UsageError{
			Message: fmt.Sprintf("unknown flag %s before the command", typed),
			Advice:  fmt.Sprintf("put --%s after the command", name),
		}
	}
	words := (&p.out).Names()
	e := &UsageError{
		Message: fmt.Sprintf("unknown flag %s (%s)", typed, strings.Join(words, " ")),
		Advice:  fmt.Sprintf("`%s --help` lists the flags", strings.Join(words, " ")),
	}
	if c.Foreign != "" {
		e.Advice = c.Foreign
	}
	if near := nearest(name, flagNames(c, p.root)); near != "" {
		e.Advice = fmt.Sprintf("did you mean --%s?", near)
	}
	return e
}

// below reports whether a command under c has the flag.
func below(c *Command, name string) bool {
	return slices.ContainsFunc(c.Commands, func(child *Command) bool {
		return findLong(child.Flags, name) != nil || below(child, name)
	})
}

func flagNames(commands ...*Command) []string {
	var names []string
	for _, c := range commands {
		for _, f := range c.Flags {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		}
	}
	return names
}
