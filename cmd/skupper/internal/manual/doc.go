// Package manual writes what a command tree says of itself: help on a
// terminal, manual pages, the command reference in Markdown, and completion
// scripts. All of it comes from the same table that parses the command line.
//
// The package is pure: it returns text.
package manual
