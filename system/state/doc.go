// Package state describes what a machine has of one namespace, or should have:
// directories, files and units, as plain values that can be compared and
// printed.
//
//	render ──→ State (wanted) ─┐
//	                           ├─→ plan ──→ Steps ──→ host
//	host ────→ State (observed)┘
//
// It also holds Memory, the one file that a namespace must not lose, and
// Entities, the router's configuration taken apart for comparison.
//
// The package is pure: it neither reads nor writes a machine. Values are safe
// for concurrent reading.
//
// Caveats: a State holds private keys. Print and String never show the content
// of a file, only its size and a short digest, and for a secret not even that.
package state
