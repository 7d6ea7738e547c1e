package stream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/skupper-host/skupper/router/amqp"
)

var (
	// ErrNoRoute is what an Opener returns if no destination is known or none
	// is left.
	ErrNoRoute = errors.New("no route to destination")
	// ErrInterrupted is what Socket.Read returns after Interrupt.
	ErrInterrupted = errors.New("interrupted")
	// ErrIdle is what Parker.ReadSoon returns when it is not soon.
	ErrIdle = errors.New("idle")
	// ErrAborted ends a stream whose sender, or a router on the way, gave it
	// up.
	ErrAborted = errors.New("stream aborted on its way")
	// ErrWindow ends a stream whose sender ignores the window.
	ErrWindow = errors.New("sender exceeds the window")
	// ErrLimit is what a Dialer returns if too many connections to its server
	// are being made.
	ErrLimit = errors.New("too many connections being made")
)

// OutcomeError ends a stream whose other end gave it up.
type OutcomeError struct{ State amqp.State }

func (e *OutcomeError) Error() string {
	if cause, ok := notConnected(&e.State); ok {
		return strings.TrimSuffix("server not connected: "+cause, ": ")
	}
	if e.State.Error != nil {
		return fmt.Sprintf("%v by the other end: %v", e.State.Code, e.State.Error)
	}
	return fmt.Sprintf("%v by the other end", e.State.Code)
}

// wasReleased reports whether err ends a stream that its destination, or a router
// on the way, has released.
func wasReleased(err error) bool {
	var e *OutcomeError
	return errors.As(err, &e) && e.State.Code == amqp.StateReleased
}

// notConnectedKey is a message annotation of the modified outcome between
// routers of ours. It says that not one byte of the stream reached a server,
// so that it can be sent elsewhere; its value is a string with the cause.
// skupper-router passes it on and ignores it.
const notConnectedKey amqp.Symbol = "skupper-host:not-connected"

// NotConnected is the outcome of a request stream for which no server was
// reached: modified, delivery-failed, as skupper-router's, and marked as safe
// to send elsewhere.
func NotConnected(cause string) amqp.State {
	st := failed()
	st.Annotations = amqp.Map{{Key: notConnectedKey, Value: cause}}
	return st
}

// Unserved is the outcome of a request stream that no server can take here, of
// which nothing was passed on: NotConnected if its sender is ours and can send
// it elsewhere, else released (compat: skupper-router 3.x).
func Unserved(h *Head, cause string) amqp.State {
	if h.Whole && readProperties(h).window != 0 {
		return NotConnected(cause)
	}
	return amqp.State{Code: amqp.StateReleased}
}

// notConnected reports whether st was made by NotConnected, and the cause.
func notConnected(st *amqp.State) (cause string, ok bool) {
	if st.Code != amqp.StateModified {
		return "", false
	}
	cause, ok = st.Annotations.Get(string(notConnectedKey)).(string)
	return cause, ok
}

// reason is what another site is told about err: no address, no name.
func reason(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return ""
}

// failed is the outcome of a stream that failed, compat: skupper-router 3.x.
func failed() amqp.State { return amqp.State{Code: amqp.StateModified, Failed: true} }

// failing reports whether st ends a stream before its time.
func failing(st *amqp.State) bool { return st.Terminal() && st.Code != amqp.StateAccepted }
