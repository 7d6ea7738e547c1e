package resource

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A FieldError is one problem of the input. Its text is a path to the problem:
//
//	west/listener.yaml:7: listener/db: spec.port: 99999 is out of range 1..65535
type FieldError struct {
	File   string // as in Input
	Line   int    // from 1; 0 when the problem has no line
	Object Ref    // zero when the document could not be understood so far
	Field  string // "spec.roles[1].port"; empty when the whole object is meant
	Reason string
	Advice string // what a person can do, if that is known
}

func (e *FieldError) Error() string {
	return join(e.place(), e.Object.String(), e.Field, e.Reason)
}

// Hint says what a person can do; empty if that is not known.
func (e *FieldError) Hint() string { return e.Advice }

func (e *FieldError) place() string { return place(e.File, e.Line) }

// A Warning is something in the input that has no effect, or not the one that
// its author may expect. Nothing fails because of it.
type Warning struct {
	File   string
	Line   int
	Object Ref
	Field  string
	Reason string
}

func (w Warning) String() string {
	return join(place(w.File, w.Line), w.Object.String(), w.Field, w.Reason)
}

// SameAs reports whether o says the same of the same object, wherever it was
// found.
func (w Warning) SameAs(o Warning) bool {
	return w.Object == o.Object && w.Field == o.Field && w.Reason == o.Reason
}

// place is where something was found; "" where it was not in a file, but typed.
func place(file string, line int) string {
	if line == 0 || file == "" {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

// JoinErrors makes one error of many, sorted by file, line and field; nil of
// none. Problems takes it apart again.
func JoinErrors(list []*FieldError) error {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *FieldError) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Field, b.Field))
	})
	errs := make([]error, 0, len(list))
	for _, e := range list {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// Problems lists the field errors in err, which may wrap and join them.
func Problems(err error) []*FieldError {
	switch e := err.(type) {
	case nil:
		return nil
	case *FieldError:
		return []*FieldError{e}
	case interface{ Unwrap() []error }:
		var list []*FieldError
		for _, inner := range e.Unwrap() {
			list = append(list, Problems(inner)...)
		}
		return list
	}
	return Problems(errors.Unwrap(err))
}

// SortWarnings orders warnings as JoinErrors orders errors.
func SortWarnings(list []Warning) {
	slices.SortStableFunc(list, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Field, b.Field))
	})
}
