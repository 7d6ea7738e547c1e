// Package resource holds the Skupper v2 kinds as plain Go values and decides
// whether a document is a valid resource: its syntax, the type of every field,
// and every rule that looks at one field alone. Whether many resources make a
// site is the business of package site.
//
//	bytes → chunks (---) → YAML or JSON nodes → decode by the table of fields → Set
//
// Each field of each kind is described once, in the tables of schema_*.go: what
// it means, its default, what it may hold, whether it matters off Kubernetes.
// Loading, the explain command and the reference are driven by them.
//
// All problems of all files are reported, not the first only, and each names
// file, line, object and field. A field that nobody knows is a warning: a later
// version may know it. A document of a kind that has no meaning here is skipped
// with a warning and listed in the Set.
//
// Writing comes in two forms. Encode renders a value as upstream's command line
// does: keys sorted, zero values left out. Document changes single fields of a
// file that a person wrote and keeps the rest, comments included.
//
// The package is pure and its functions are safe for concurrent use; a value
// belongs to whoever holds it.
//
// Caveats: a status in an input document is read but never trusted, so errors
// in it are only warnings. Values of type Secret and AccessToken hold keys and
// codes: they are not for logs.
package resource
