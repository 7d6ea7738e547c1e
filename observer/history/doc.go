// Package history remembers how the counters of the network's traffic grew: in
// steps of 10 s for two hours, of a minute for two days.
//
//	totals every 10 s → Ring.Observe → frames of what was added
//	Ring.Read → Curves: sums of counters over time, by group
//
// A frame holds only what changed, as variable-length numbers, so that series
// that are idle cost nothing. Memory is bounded: in series, in frames and in
// bytes; beyond the bytes what is oldest is forgotten first.
//
// The package knows no clock and no I/O: the time is an argument.
//
// # Concurrency
//
// One goroutine calls Observe; any number may call Read meanwhile. Frames never
// change once they are made, so that a Read holds the lock only while it takes
// hold of them.
package history
