// Package session is AMQP 1.0 part 2 as a function: frames in, events out;
// deliveries in, frames out. It decides which frame may be sent or accepted:
// windows, credit, handles, delivery ids, error scopes.
//
// It does no I/O, reads no clock, starts no goroutines and takes no locks.
// Package conn owns an Engine, guards it and moves the bytes.
//
// Incoming:
//
//	Engine.Receive   whole frames of a read buffer → []Event (payloads alias
//	                 the buffer) and an error that has ended the connection
//
// Outgoing, pulled by whoever is about to write:
//
//	Link.Send, Outgoing.Write …   queue deliveries
//	Engine.Emit                   control frames first, then one quantum of
//	                              each ready link in turn → Batch
//
// An error has its scope in its type: ConnError ends the connection,
// SessionError one session, LinkError one link. Input never panics.
//
// # Concurrency
//
// An Engine and everything that belongs to it (links, deliveries) must not be
// used by two goroutines at once. Buffer pools are safe for concurrent use.
//
// # Caveats
//
// Suspended links and the resumption of deliveries are not kept: the map of
// unsettled deliveries in an attach is ignored, a detach ends the link
// whatever its closed flag says. Transactions are refused.
package session
