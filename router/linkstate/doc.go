// Package linkstate is the routing protocol of interior routers: who is a
// neighbor, which routers exist, what a path to each costs, and which addresses
// each holds. It speaks HELLO, RA, LSR, LSU, MAR and MAU as skupper-router 3.x
// does.
package linkstate
