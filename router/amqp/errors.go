package amqp

import "fmt"

// Error is an AMQP error, AMQP 1.0 §2.8.14: what is sent in Close, End, Detach
// and in the rejected outcome, and what a decoder returns for bad input.
type Error struct {
	Condition   Symbol
	Description string
	Info        Map
}

// Error returns the condition and, if there is one, the description.
func (e *Error) Error() string {
	if e.Description == "" {
		return string(e.Condition)
	}
	return string(e.Condition) + ": " + e.Description
}

func (e *Error) append(dst []byte) []byte {
	l := beginDescribedList(dst, CodeError)
	l.symbol(e.Condition)
	l.text(e.Description)
	l.mapping(e.Info)
	return l.end()
}

// Error conditions, AMQP 1.0 §2.8.15 to §2.8.18.
const (
	ErrInternal              Symbol = "amqp:internal-error"
	ErrNotFound              Symbol = "amqp:not-found"
	ErrUnauthorizedAccess    Symbol = "amqp:unauthorized-access"
	ErrDecode                Symbol = "amqp:decode-error"
	ErrResourceLimitExceeded Symbol = "amqp:resource-limit-exceeded"
	ErrNotAllowed            Symbol = "amqp:not-allowed"
	ErrInvalidField          Symbol = "amqp:invalid-field"
	ErrNotImplemented        Symbol = "amqp:not-implemented"
	ErrResourceLocked        Symbol = "amqp:resource-locked"
	ErrPreconditionFailed    Symbol = "amqp:precondition-failed"
	ErrResourceDeleted       Symbol = "amqp:resource-deleted"
	ErrIllegalState          Symbol = "amqp:illegal-state"
	ErrFrameSizeTooSmall     Symbol = "amqp:frame-size-too-small"

	ErrConnectionForced   Symbol = "amqp:connection:forced"
	ErrFraming            Symbol = "amqp:connection:framing-error"
	ErrConnectionRedirect Symbol = "amqp:connection:redirect"

	ErrWindowViolation     Symbol = "amqp:session:window-violation"
	ErrErrantLink          Symbol = "amqp:session:errant-link"
	ErrHandleInUse         Symbol = "amqp:session:handle-in-use"
	ErrUnattachedHandle    Symbol = "amqp:session:unattached-handle"
	ErrSessionInvalidField Symbol = "amqp:session:invalid-field" // compat: as proton writes it

	ErrDetachForced          Symbol = "amqp:link:detach-forced"
	ErrTransferLimitExceeded Symbol = "amqp:link:transfer-limit-exceeded"
	ErrMessageSizeExceeded   Symbol = "amqp:link:message-size-exceeded"
	ErrLinkRedirect          Symbol = "amqp:link:redirect"
	ErrStolen                Symbol = "amqp:link:stolen"
)

// Error conditions of skupper-router 3.x (compat:).
const (
	// ErrConnectionRole answers an attach that does not fit the role of the
	// connection's listener.
	ErrConnectionRole Symbol = "qd:connection-role"
	// ErrForbidden answers a router link on a connection that carries none.
	ErrForbidden Symbol = "qd:forbidden"
	// ErrRoutedLinkLost ends a link whose far side is gone.
	ErrRoutedLinkLost Symbol = "qd:routed-link-lost"
	// ErrNoRoute answers an attach to an address without destination.
	ErrNoRoute Symbol = "qd:no-route-to-dest"
)

// decodeErrorf returns an *Error for octets that are not valid AMQP.
func decodeErrorf(format string, args ...any) *Error {
	return &Error{Condition: ErrDecode, Description: fmt.Sprintf(format, args...)}
}

// invalidFieldf returns an *Error for valid AMQP that a field does not allow.
func invalidFieldf(format string, args ...any) *Error {
	return &Error{Condition: ErrInvalidField, Description: fmt.Sprintf(format, args...)}
}

// framingErrorf returns an *Error for a frame that cannot be delimited.
func framingErrorf(format string, args ...any) *Error {
	return &Error{Condition: ErrFraming, Description: fmt.Sprintf(format, args...)}
}
