// Package config says what a router is told: the typed value of skrouterd.json
// and skrouterd.conf, and the model of entities behind it.
//
// The flow:
//
//	file → sections (type, attributes, lines) → typed entities → Check → Config
//	Config → Encode → file                    Diff(old, new) → Changes
//
// One table, Types, holds every entity type of skupper-router 3.x with its
// attributes: kinds, defaults, closed sets of values, and which operations may
// set them. Reading a file, answering a management request and comparing two
// configurations all consult it, so they cannot disagree.
//
// Values of the entity types come from their New functions, which fill in the
// defaults; fields are then set. A field always holds the value in effect, so
// readers need no notion of "not set". Encode leaves out what equals the
// default.
//
// Parsing is lenient about what it does not know (a Warning with its line) and
// strict about what it does: a wrong kind of value, a role that does not fit
// the router's mode or a reference to nothing is an error, and all errors of a
// file come back at once.
//
// It is not for applying a configuration; the router does that with Changes.
// A Config is a plain value; it may be shared between goroutines as long as
// nobody writes to it.
package config
