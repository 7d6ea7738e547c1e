package command

import (
	"context"
	"slices"
	"strings"
)

// Kind is the type of a flag's value.
type Kind uint8

// The kinds of flags. An Int is a count, a cost or a port: a whole number from 0
// up. A Duration takes Go's syntax or a bare number of seconds, none negative; a
// Strings flag may be repeated and keeps every value.
const (
	Bool Kind = iota
	String
	Strings
	Int
	Duration
)

// Source names where completion finds the words for an argument or a value.
type Source uint8

// Sources of completion.
const (
	NoWords Source = iota
	Files
	Namespaces
	Sites
	Links
	Listeners
	Connectors
	RoutingKeys
	Certificates
	Kinds
	Commands
	Tokens
	Platforms
)

// Flag is one flag of a command.
type Flag struct {
	Name    string // long name without dashes
	Short   string // one letter, or ""
	Kind    Kind
	Value   string   // what stands for the value in help; "" takes the kind's word
	Default string   // shown in help and used when the flag is not given
	Implied string   // the value of the bare flag; such a flag takes a value by "=" only
	Choices []string // the allowed values, if they are few
	Usage   string
	Source  Source
	Hidden  bool // accepted, but not shown
}

// Arg is one positional argument.
type Arg struct {
	Name     string
	Optional bool
	Repeat   bool // takes all that is left
	Source   Source
}

// Example is a command line that works, and what it is for.
type Example struct {
	Line string
	Text string
}

// Command is a command or a group of commands.
type Command struct {
	Name     string
	Summary  string // one line, no full stop
	Text     string // paragraphs, separated by empty lines
	Args     []Arg
	Flags    []Flag
	Examples []Example
	Exits    []Exit // beyond those of every command
	Hidden   bool   // works, but is not listed
	Raw      bool   // all that follows goes to Run unread
	Daemon   bool   // run by a service manager: section 8 of the manual
	Commands []*Command

	// Foreign is the advice about a flag that the command does not have, "" for
	// the usual one: commands of earlier versions had flags that are gone.
	Foreign string

	// Retired maps words that once were commands here to what to type now.
	Retired map[string]string

	// Run performs the command. It is nil for a group.
	Run func(context.Context, *Input) error
}

// Exit is an exit status and its meaning.
type Exit struct {
	Code    int
	Meaning string
}

// Find returns the child called name, or nil.
func (c *Command) Find(name string) *Command {
	for _, child := range c.Commands {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// Walk calls f for c and everything below it, parents first; path holds the
// names from the root to the command.
func (c *Command) Walk(f func(path []string, c *Command)) {
	c.walk(nil, f)
}

func (c *Command) walk(above []string, f func([]string, *Command)) {
	path := append(slices.Clone(above), c.Name)
	f(path, c)
	for _, child := range c.Commands {
		child.walk(path, f)
	}
}

// Synopsis is the command line in short: `skupper site create <name> [flags]`.
func (c *Command) Synopsis(path []string) string {
	words := slices.Clone(path)
	if len(c.Commands) > 0 {
		words = append(words, "<command>")
	}
	for _, a := range c.Args {
		words = append(words, a.String())
	}
	if slices.ContainsFunc(c.Flags, func(f Flag) bool { return !f.Hidden }) {
		words = append(words, "[flags]")
	}
	return strings.Join(words, " ")
}

// String writes the argument as help shows it: <name>, [name], [file...].
func (a Arg) String() string {
	s := a.Name
	if a.Repeat {
		s += "..."
	}
	if a.Optional {
		return "[" + s + "]"
	}
	return "<" + s + ">"
}

// TakesValue reports whether the token after the flag is its value.
func (f Flag) TakesValue() bool { return f.Kind != Bool && f.Implied == "" }

// Placeholder is what stands for the value in help, "" for a boolean.
func (f Flag) Placeholder() string {
	switch {
	case f.Kind == Bool:
		return ""
	case f.Value != "":
		return f.Value
	case len(f.Choices) > 0:
		return strings.Join(f.Choices, "|")
	case f.Kind == Int:
		return "N"
	case f.Kind == Duration:
		return "DURATION"
	}
	return "VALUE"
}

// Find returns the flag with that long name, or nil.
func findLong(flags []Flag, name string) *Flag {
	for i := range flags {
		if flags[i].Name == name {
			return &flags[i]
		}
	}
	return nil
}

func findShort(flags []Flag, letter string) *Flag {
	for i := range flags {
		if flags[i].Short == letter && letter != "" {
			return &flags[i]
		}
	}
	return nil
}
