package session

import (
	"errors"
	"fmt"

	"github.com/skupper-host/skupper/router/amqp"
)

// ErrDropped is what Outcome.Lost reports for a presettled delivery that was
// dropped because its link had no credit for too many of them.
var ErrDropped = errors.New("dropped: no credit")

// ConnError ends the connection with Close.
type ConnError struct{ Err *amqp.Error }

func (e *ConnError) Error() string { return e.Err.Error() }

// Unwrap returns the error as on the wire.
func (e *ConnError) Unwrap() error { return e.Err }

// SessionError ends one session with End. The engine handles it itself; it is
// a type so that the scope of a failure is stated where it is found.
type SessionError struct{ Err *amqp.Error }

func (e *SessionError) Error() string { return e.Err.Error() }

// Unwrap returns the error as on the wire.
func (e *SessionError) Unwrap() error { return e.Err }

// LinkError ends one link with Detach. The engine handles it itself.
type LinkError struct {
	Link *Link
	Err  *amqp.Error
}

func (e *LinkError) Error() string { return "link " + e.Link.name + ": " + e.Err.Error() }

// Unwrap returns the error as on the wire.
func (e *LinkError) Unwrap() error { return e.Err }

func newError(condition amqp.Symbol, format string, args ...any) *amqp.Error {
	return &amqp.Error{Condition: condition, Description: fmt.Sprintf(format, args...)}
}

func connErrorf(condition amqp.Symbol, format string, args ...any) error {
	return &ConnError{newError(condition, format, args...)}
}

func sessionErrorf(condition amqp.Symbol, format string, args ...any) error {
	return &SessionError{newError(condition, format, args...)}
}

func linkErrorf(l *Link, condition amqp.Symbol, format string, args ...any) error {
	return &LinkError{l, newError(condition, format, args...)}
}

// decodeError gives what a decoder found its scope: octets that are not AMQP
// leave nothing to trust in the connection; a field that is missing or out of
// range ends the session that it was sent on.
func decodeError(err error) error {
	var e *amqp.Error
	if !errors.As(err, &e) {
		return connErrorf(amqp.ErrDecode, "%v", err)
	}
	if e.Condition == amqp.ErrInvalidField {
		return &SessionError{e}
	}
	return &ConnError{e}
}
