package manage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/skupper-host/skupper/router/config"
)

// Status codes of replies, with the meaning they have in HTTP.
const (
	StatusOK             = 200
	StatusCreated        = 201
	StatusNoContent      = 204
	StatusBadRequest     = 400
	StatusForbidden      = 403
	StatusNotFound       = 404
	StatusInternal       = 500
	StatusNotImplemented = 501
)

// Error is a refusal with the status code and the text for the client.
type Error struct {
	Status      int
	Description string
}

// Error returns the code and the text.
func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Status, e.Description) }

func badRequest(format string, args ...any) error {
	return &Error{StatusBadRequest, fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &Error{StatusNotFound, fmt.Sprintf(format, args...)}
}

// forbidden is the refusal of what no client may do. compat: the text.
func forbidden() error {
	return &Error{StatusForbidden, "You are not allowed to perform this operation."}
}

// refusal returns the status code and text for any error: an *Error as it is,
// a mistake in a configuration as a bad request, the rest as the router's own
// failure.
func refusal(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var c *config.Error
	if errors.As(err, &c) {
		return &Error{StatusBadRequest, c.Description()}
	}
	return &Error{StatusInternal, err.Error()}
}

// statusText is the description of a success.
func statusText(status int) string {
	switch status {
	case StatusCreated:
		return "Created"
	case StatusNoContent:
		return "No Content"
	}
	return "OK"
}

// quoted writes names as a list in single quotes. compat: ['a', 'b'].
func quoted(names []string) string {
	if len(names) == 0 {
		return "[]"
	}
	return "['" + strings.Join(names, "', '") + "']"
}
