// Package netpipe is a network in memory: pairs of buffered net.Conn with
// latency and bandwidth. Only tests use it.
//
// Inside a testing/synctest bubble its times are virtual, so that "50 ms" is
// exact and costs nothing; a real socket never counts as idle there. Outside
// it works as well.
//
//	a, b := netpipe.Pair(netpipe.Options{Latency: 25 * time.Millisecond, Bandwidth: 125e6})
//
// A pair breaks in two ways: Cut resets both ends at once, as a router that
// dies does; Stall delivers nothing any more, as a pulled cable does.
package netpipe
