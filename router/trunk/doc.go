// Package trunk is all connections to one peer: who dials when, which of them
// belong together, and which one carries a stream. It reports; it decides
// nothing about routes.
//
//	Dialer.Run    → control connection + data connections, dialed for ever
//	Listener.Run  → accepted connections
//	                 │ Open: correlator, ordinal, role
//	              Groups: members of one trunk
//	                 │ StreamLink: fewest unsent bytes
//	              conn.Link for one stream
//
// A connector of role inter-router makes one control connection and a number
// of data connections to the same place. They carry a correlator, so that the
// listening side can tell that they belong together, and the ordinal of the
// TLS credentials they were made with (compat: skupper-router 3.x). With new
// credentials the connector makes a second set with a higher ordinal; when its
// control links are attached (Member.Ready), it takes over, and the first set
// serves its streams to their end.
//
// # Concurrency
//
// Run of a Dialer and of a Listener start a goroutine for each connection and
// wait for all of them. Everything else may be called from any goroutine,
// blocks nobody and is not called by this package with a lock held.
package trunk
