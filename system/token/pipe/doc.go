// Package pipe is what passes between the process that faces the network for
// tokens and the agent, which decides.
//
//	client ─ HTTPS ─ token.Handler, RenewHandler → asker ══ socket pair ══ Desk → token.Guard, RenewGuard
//	         Run, a process without rights                │ the agent
//
// The process gets two descriptors and nothing else: one end of the pair, and a
// socket that listens already. Over the pair it is told the certificate to show,
// with its key, and it asks: claims, and that nobody waits for an answer any
// more. The agent keeps the listening socket open as well: while there is no
// process, clients wait in its queue. The end of either side is the end of the
// pair, and with it that of the process.
//
// A message is its length in four bytes and then JSON. Each side bounds what it
// reads, how many questions are open, and how long a write may take; the agent
// takes nothing that comes over the pair for granted, and ends a process that
// says what it could not say.
//
// It decides nothing about claims and does not start the process again; package
// system does.
package pipe
