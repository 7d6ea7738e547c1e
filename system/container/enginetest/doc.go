// Package enginetest answers over a Unix socket as a container engine does, for
// the tests of what speaks to one. Tests import it and nothing else does.
//
//	a test's answers → Serve → a socket → the client that is tested
//
// It is no engine: it has no containers, and knows no request but those that a
// test has an answer to.
package enginetest
