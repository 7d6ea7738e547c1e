// Package linkstate is the routing protocol of interior routers: who is a
// neighbor, which routers exist, what a path to each costs, and which addresses
// each holds. It speaks HELLO, RA, LSR, LSU, MAR and MAU as skupper-router 3.x
// does.
//
// It is a function: Engine.Step takes what happened and the time, and returns
// what is to be sent, what others hold, how each router is reached, and when
// the next step is due. It has no clock, no goroutines and no I/O, and is not
// safe for concurrent use; a Reach may be read by anybody.
//
// A control link, and with it the router at its other end, is in one of three
// states:
//
//	         HELLO without us   HELLO with us   silence   restart   lost
//	down     1-way              up              down      down      down
//	1-way    1-way              up              down      1-way     down
//	up       up                 up              down      1-way     down
//
// Silence is HelloMaxAge without a HELLO, in state up without one that lists
// this router. A link whose both ends are routers of this kind is prompt: they say
// HELLO twice as often, and half of that time is silence if nothing at all was
// heard of the connection. The time for which this router itself did not run,
// on a machine with too much to do, does not count.
//
// # Differences from skupper-router
//
// What it says is understood by skupper-router, and the paths are the same. But
// it reacts to each event at once instead of once a second, floods its link
// state instead of waiting to be asked, keeps to one of two links to the same
// neighbor, and lets traffic move to a new link only when the far end is known
// to forward. Two routers that flood also compare what they know when they
// meet; see exchange.go.
//
// # Caveats
//
// A mixed network is limited to 128 routers, as skupper-router is. Whoever has
// a control link is believed: the protocol has no signatures.
package linkstate
