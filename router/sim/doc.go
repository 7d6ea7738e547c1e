// Package sim runs the control planes of many routers in one process and in
// virtual time: engines of package linkstate and tables of package forward,
// joined by links with a delay. Only tests use it.
//
// A Network is a discrete event simulation without goroutines and without a
// clock. The same seed gives the same run, message by message. It counts the
// routing messages and lets tests walk messages through the tables, hop by hop
// as routers would forward them. Reference computes what the tables should be,
// in the plainest way.
//
// Links break in two ways: Cut tells both ends at once, as a TCP connection
// that is reset does; Blackhole loses everything silently.
package sim
