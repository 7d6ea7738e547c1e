// Package plan decides what must change on a machine, and in which order, to
// get from the State it has to the State that is wanted.
//
//	Make(want, have) → []Step → printed by --dry-run, or taken by host
//
// A Step prints as one line that a person can read. The order is such that a
// router never reads a configuration before the credentials that it names, and
// loses no file that it still uses:
//
//	directories → files → the router's configuration → units → removals
//
// Undoing is a plan as well: towards the State that was there before.
//
// The package is pure and safe for concurrent use.
package plan
