// Package system is the controller of a host's sites: the agent that keeps
// every namespace as its input wants it, and the answers to whoever asks.
//
//	file event, request, timer → namespace.pass → input → site → render → plan → host
//	                                              router ← asked over its socket → status
//
// Agent.Run owns one goroutine per namespace; a namespace that is broken, slow
// or full of errors takes no part in the life of another. Who works on a
// namespace holds its turn (namespace.turn), be it the loop or a request.
// Looking at a namespace needs no turn: it reads what the last pass left behind
// and asks the router.
//
// A pass is a level, not a reaction: it looks at everything, compares, and
// changes what differs. Whatever is lost, forgotten or interrupted is found by
// the next one. A pass that fails leaves the last good generation running.
//
// Offline is the same code in the process of a command when no agent runs. It
// writes input and looks; it runs nothing.
//
// Agent and router are two processes: this package imports nothing of the
// router but its configuration format and the client of its management node.
package system
