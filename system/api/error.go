package api

import (
	"errors"
	"net/http"
)

// Kind is the sort of an error.
type Kind string

// The kinds of errors.
const (
	Invalid     Kind = "invalid"     // the request or the input is wrong
	Missing     Kind = "missing"     // what was named does not exist
	Conflict    Kind = "conflict"    // what exists stands in the way
	Denied      Kind = "denied"      // no permission
	Internal    Kind = "failed"      // it was tried and failed
	Unavailable Kind = "unavailable" // the agent is needed and does not answer
)

// Error is a refusal or a failure.
type Error struct {
	Kind     Kind      `json:"kind"`
	Message  string    `json:"message"`
	Advice   string    `json:"hint,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is one thing wrong with the input.
type Problem struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Object string `json:"object,omitempty"`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Hint says what to do about it, or "".
func (e *Error) Hint() string { return e.Advice }

// status is the HTTP status of a kind.
func (k Kind) status() int {
	switch k {
	case Invalid:
		return http.StatusBadRequest
	case Missing:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case Denied:
		return http.StatusForbidden
	case Unavailable:
		return http.StatusServiceUnavailable
	case Internal:
	}
	return http.StatusInternalServerError
}

// asError makes a *Error of any error; what is not one already has failed.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	out := &Error{Kind: Internal, Message: err.Error()}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		out.Advice = h.Hint()
	}
	return out
}

// KindOf returns the kind of err, "" if it is not a *Error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}
