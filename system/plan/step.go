package plan

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/skupper-host/skupper/system/state"
)

// Op is what a Step does.
type Op int

// The operations. Add, Change and Remove are done by the router once it reads
// its configuration; they are steps because people want to know.
const (
	MakeDir   Op = iota // create Path, or give it another mode or owner
	Write               // write Files
	Add                 // the router creates Subject
	Change              // the router changes it
	Remove              // the router removes it
	Load                // have the supervisor read unit files again, or take Spec for Unit
	Enable              // have Unit start with the machine
	Disable             // the contrary
	Start               // start Unit
	Reload              // have Unit read its files again
	Restart             // stop Unit and start it
	Stop                // stop Unit
	Delete              // remove Files
	RemoveDir           // remove the directory Path, if it is empty
)

// Step is one change of the machine.
type Step struct {
	Op      Op
	Subject string // what is changed, in words
	Detail  string // how, in words

	Path  string                // MakeDir, RemoveDir
	Dir   state.Dir             // MakeDir
	Files map[string]state.File // Write: as wanted; Delete: as they were
	Unit  string                // name, for operations on units
	Spec  state.Unit            // as wanted; as it was for a unit that goes

	New     bool         // MakeDir, Write: there was nothing
	Counted bool         // a change in the eyes of a person
	Drops   state.Losses // connections that end by it
}

// String is one line, without the end of it.
func (s Step) String() string {
	text := s.verb() + " " + cmp.Or(s.Subject, s.Path, s.Unit)
	if s.Op == Load && s.Unit == "" {
		text = "have unit files read again"
	}
	if s.Detail != "" {
		text += ": " + s.Detail
	}
	return text + dropped(s.Subject, s.Drops)
}

func (s Step) verb() string {
	switch s.Op {
	case MakeDir:
		if s.New {
			return "create directory"
		}
		return "update directory"
	case Write:
		if s.New {
			return "create"
		}
		return "update"
	case Add:
		return "add"
	case Change:
		return "change"
	case Remove:
		return "remove"
	case Load:
		return "update"
	case Enable:
		return "enable"
	case Disable:
		return "disable"
	case Start:
		return "start"
	case Reload:
		return "reload"
	case Restart:
		return "restart"
	case Stop:
		return "stop"
	case Delete:
		return "delete"
	case RemoveDir:
		return "delete directory"
	}
	return "?"
}

// Summary is what a plan amounts to in the eyes of a person: listeners,
// connectors, links, certificates; not the bookkeeping around them.
type Summary struct {
	Adds, Changes, Removes int
	Dropped                int64 // connections
	Passing                int64 // those of them that are of other sites
}

// Summarize counts the steps of a plan.
func Summarize(steps []Step) Summary {
	var s Summary
	for _, step := range steps {
		s.Dropped += total(step.Drops)
		s.Passing += step.Drops[""]
		if !step.Counted {
			continue
		}
		switch step.Op {
		case Add:
			s.Adds++
		case Change:
			s.Changes++
		case Remove, Delete:
			s.Removes++
		case Write:
			if step.New {
				s.Adds++
			} else {
				s.Changes++
			}
		default: // directories and units are how, not what
		}
	}
	return s
}

func (s Summary) String() string {
	text := fmt.Sprintf("adds %d, changes %d, removes %d, connections dropped: %d", s.Adds, s.Changes, s.Removes, s.Dropped)
	if s.Passing > 0 {
		text += fmt.Sprintf(" (%d of other sites)", s.Passing)
	}
	return text
}

// Lines are the steps as text, one each.
func Lines(steps []Step) []string {
	lines := make([]string, 0, len(steps))
	for _, s := range steps {
		lines = append(lines, s.String())
	}
	return lines
}

// Text is a plan as --dry-run prints it: the steps, and the summary.
func Text(steps []Step) string {
	return strings.Join(append(Lines(steps), Summarize(steps).String()), "\n") + "\n"
}
