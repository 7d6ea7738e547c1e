package command

import (
	"errors"
	"strconv"
	"time"
)

// Input is what was typed, as a command's Run reads it.
type Input struct {
	Path []string // words from the root to the command
	Args []string // positional arguments

	text map[string][]string
	set  map[string]bool
}

// NewInput makes an Input by hand: each value of flags is what was given for
// that flag. It is what a command that stands in for another hands on.
func NewInput(path, args []string, flags map[string][]string) *Input {
	in := &Input{Path: path, Args: args, text: flags, set: map[string]bool{}}
	for name := range flags {
		in.set[name] = true
	}
	return in
}

// Arg returns the i-th positional argument, or "".
func (in *Input) Arg(i int) string {
	if i < len(in.Args) {
		return in.Args[i]
	}
	return ""
}

// Changed reports whether the flag was typed.
func (in *Input) Changed(name string) bool { return in.set[name] }

// String returns the last value of the flag, or its default.
func (in *Input) String(name string) string {
	if v := in.text[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// Strings returns every value of a repeatable flag.
func (in *Input) Strings(name string) []string { return in.text[name] }

// Bool returns a boolean flag.
func (in *Input) Bool(name string) bool {
	v, err := strconv.ParseBool(in.String(name))
	return err == nil && v
}

// Int returns a whole-number flag; Parse has checked it.
func (in *Input) Int(name string) int {
	v, err := strconv.ParseInt(in.String(name), 0, 64)
	if err != nil {
		return 0
	}
	return int(v)
}

// Duration returns a duration flag; Parse has checked it.
func (in *Input) Duration(name string) time.Duration {
	d, err := ParseDuration(in.String(name))
	if err != nil {
		return 0
	}
	return d
}

// ParseDuration reads Go's duration syntax or a bare number of seconds.
func ParseDuration(s string) (time.Duration, error) {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("not a duration such as 30s, 5m or 1h")
	}
	return d, nil
}
