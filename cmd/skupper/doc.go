// Command skupper connects services of hosts that cannot reach each other. It
// is the command line, the agent (skupper controller run) and the router
// (skupper router run, or started as skrouterd) in one static binary.
//
//	argv → internal/command → a method of program → api.Controller → report
//
// Commands ask the agent over its Unix socket; where none runs, what needs no
// running site is done in the process of the command (see target.go). What a
// person reads goes through report.go and progress.go, what a program reads
// through internal/output. Only main exits.
package main
