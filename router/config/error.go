package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// A Warning is something in a file that has no effect.
type Warning struct {
	File string
	Line int
	Text string
}

// String returns "file:line: text".
func (w Warning) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Text) }

// An Error is something in a configuration that cannot be.
type Error struct {
	File      string // "" if it is of no file
	Line      int
	Entity    string // type and name of the entity, "" if there is none
	Attribute string // "" if it is about the whole entity
	Reason    string

	class string // the Python exception that upstream raises for it
	known string // what upstream says, if somebody looks for it
}

// Error returns "file:line: entity: attribute: reason" without what is empty.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	}
	for _, part := range []string{e.Entity, e.Attribute} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	return b.String() + e.Reason
}

// as adds the words of upstream.
func (e *Error) as(class, format string, args ...any) {
	e.class, e.known = class, fmt.Sprintf(format, args...)
}

// Description returns what a management client is told. compat: in the words
// of skupper-router 3.x where its users look for them.
func (e *Error) Description() string {
	switch {
	case e.known != "":
		return e.known
	case e.Attribute != "":
		return "Configuration: " + e.Attribute + ": " + e.Reason
	}
	return "Configuration: " + e.Reason
}

// Startup returns the line with which skupper-router 3.x does not start for
// this mistake. compat: scripts look for it in the output of skrouterd.
func (e *Error) Startup() string {
	switch {
	case e.class == schemaError:
		return "Exception: Cannot load configuration file " + filepath.Base(e.File) + ": " + e.known
	case e.class != "":
		return "Router start-up failed: Python: " + e.class + ": " + e.known
	case strings.Contains(e.Reason, "beginning of object key string"): // by encoding/json
		return "Router start-up failed: Python: JSONDecodeError: Expecting property name enclosed in double quotes"
	}
	return "Router start-up failed: Python: CError: " + e.Description()
}

// Classes of upstream's exceptions. A schemaError is raised before there is a
// class to print.
const (
	schemaError     = "Exception"
	validationError = "ValidationError"
	attributeError  = "AttributeError"
	cError          = "CError"
)
