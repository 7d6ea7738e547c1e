// Package forward decides where a message goes: it turns the text of an address
// into a key, knows the destinations of each key, and chooses among them.
//
//	control loop            Table: Add, AddHolder, SetTopology … Publish
//	                          │ one immutable Snapshot per round of changes
//	connections, streams    Snapshot: Find an Address, then Choose or Multicast
//
// A Table belongs to one goroutine. A Snapshot is read by any number of them
// without locks; only the counters of outstanding deliveries behind it change.
// They outlive the snapshots, so every Choice is given back once with Done.
//
// The package does no I/O, knows no AMQP and nothing of the routing protocol:
// who holds what, and who is on the way from where, is put in from outside.
package forward
