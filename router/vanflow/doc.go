// Package vanflow tells network observers what a router and its site consist
// of and what flows through them: the VanFlow protocol, version 1, as upstream's
// routers and controllers speak it (compat: skupper-router 3.x, skupper v2).
//
// A source announces itself by beacons, proves that it lives by heartbeats and
// emits records: first whole, then whatever changed, finally with an end time.
// A collector merges them by identity; after it attached it sends FLUSH and gets
// every live record again. Addresses are multicast, "mc/sfe." and the source id;
// nothing is sent to an address without consumers.
//
// There are two kinds of source here:
//
//   - Router: the router's own. Record identities are five characters chosen at
//     each start, a colon and a number. ROUTER, LINK, ROUTER_ACCESS, LISTENER,
//     CONNECTOR, one BIFLOW_TPORT per TCP connection, one BIFLOW_APP per request
//     found in it, and LOG.
//   - Controller: the site's. Its id is the site id, which survives restarts.
//     SITE and one PROCESS per connector.
//
// The flow of a TCP connection through the records:
//
//	listener's router   Listener.Open → Flow; Flow.Identity travels as the
//	                    correlation id of the stream
//	connector's router  Connector.Open → CoFlow, sent to the router of the
//	                    listener as a co-record (address "vfcr." and its id)
//	listener's router   Router.CoRecords merges it; Flow is emitted on ".flows",
//	                    and with it each Request
//
// The other direction, for collectors: Decode takes a message apart, leniently,
// because sources differ in the types they write.
//
// # Concurrency
//
// Everything may be called from any goroutine and nothing blocks. Step and
// Finish of a source are called by one goroutine, Run. Opening and closing a
// flow touches one of 16 shards; counters are atomics. All times come from the
// caller.
//
// # Caveats
//
// At most 5,000 flows and requests have a record at a time, as upstream limits
// them; one beyond that is nil and its methods do nothing. A request that has
// ended does not count, but at most 12,800 ends wait for the next step. A collector of upstream cannot
// see a number go back to zero or a text become empty: zero means absent there.
package vanflow
