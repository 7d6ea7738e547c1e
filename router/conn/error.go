package conn

import "errors"

// ErrClosed is what Lost reports after the connection was closed on this side.
var ErrClosed = errors.New("connection closed")

// Stage is a part of a connection's life, as it is named to people.
type Stage string

// Stages in order.
const (
	StageDial Stage = "dial"
	StageTLS  Stage = "tls"
	StageSASL Stage = "sasl"
	StageOpen Stage = "open"
	StageRun  Stage = "" // the connection was up
)

// Error says why a connection failed or ended.
type Error struct {
	Stage Stage
	Err   error // its text is fit for a status line
}

func (e *Error) Error() string {
	if e.Stage == StageRun {
		return e.Err.Error()
	}
	return string(e.Stage) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
