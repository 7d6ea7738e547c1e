package session

import "github.com/skupper-host/skupper/router/amqp"

// ConnError ends the connection with Close.
type ConnError struct{ amqp.Error }

// SessionError ends one session with End.
type SessionError struct {
	Channel uint16 // the peer's
	amqp.Error
}

// LinkError ends one link with Detach.
type LinkError struct {
	Name string
	amqp.Error
}
