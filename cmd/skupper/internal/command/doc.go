// Package command is a command line as one table. A tree of Command values
// says what may be typed; parsing, help, manual pages, completion and the
// differential test against another parser all read that tree, so that none
// of them can say something else than the others.
//
//	argv → Parse (flags and words in any order) → canonical argv
//	     → urfave/cli (types, defaults) → Input → Command.Run
//
// Parse exists because urfave/cli stops reading flags at the first positional
// argument, and users write `site create west --enable-link-access`.
//
// The package prints nothing and never exits: every wrong use comes back as a
// *UsageError, and help is a value of Invocation for the caller to print.
package command
