// Package api is the agent's interface: what can be asked of it, as Go values,
// and how these values travel as JSON over HTTP on a Unix socket.
//
//	command → Client ─ HTTP, Unix socket ─ Handler → Controller
//
// Controller is the interface; Client implements it by asking the agent, and
// package system implements it in the agent itself and, for what can be done
// without one, in the process of a command. openapi.yaml describes the JSON;
// a test compares it with the routes.
//
// Errors are values of type *Error: a kind that decides the HTTP status and
// the exit status of a command, a message, a hint, and the problems of an
// input file by file. They are the same on both sides of the socket.
//
// Everything is safe for concurrent use.
package api
