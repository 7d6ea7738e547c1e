// Package collect brings what the event sources of a network say to
// observer/network. It is a client of any router of that network, over its Unix
// socket or TCP with mutual TLS (AMQP 1.0).
//
//	Run ── dial, receive beacons ──→ sources ── attach, flush, forget ──→ Run
//	    ── receive what each source says ──→ network.Network
//
// Which sources live, when one is asked for everything again (FLUSH) and when it
// is given up is decided in sources.go, which has no clock and no connection.
// A source is asked when it is first heard, when it is heard again after it was
// silent, and again while it does not answer. While this side has no router, it
// gives up nobody.
//
// # Concurrency
//
// Run owns every goroutine: one for time, two or three for each source.
package collect
