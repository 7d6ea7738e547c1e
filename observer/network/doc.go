// Package network is what the network observer knows: the records of all event
// sources merged by identity, and what follows from them. It is pure: it is told
// what was received and what time it is, and answers with lists of records.
//
//	collect ── Apply, SourceSeen, Heartbeat, Forget, Tick ──→ Network
//	Network ── Sites, Services, Connections, Traffic, … ──→ query, api, metrics, history
//
// Sources publish sites, routers, links, listeners, connectors and processes,
// and the connections and requests through them. Derived here: services (a
// routing key with its protocol), components (processes of a group), processes
// that nobody publishes (the servers and clients of hosts), pairs (who talks to
// whom), and traffic counters.
//
// # Whose a record is
//
// A record belongs to every source that published it. When a source is given up
// (Forget), what belongs to no other goes with it; its connections end. A router
// that restarts comes back as another source, and its site stays meanwhile.
// Records in the form of a router's, five characters, a colon, a number, are
// taken from that router only.
//
// # How a connection is understood
//
// A connection names its listener, and, some time later, its connector; either may
// be known before or after it. It waits until both ends are known. Then it has a
// route, which it shares with others of the same listener, connector, client and
// server, and is counted in the series of the route's labels. Requests find
// their connection in the same way.
//
// # Bounds
//
// Connections and requests are kept up to a number and an age; of those that
// were dropped enough is remembered, for a while, to go on counting them once.
// Counters outlive what they count. Everything that a source can make grow has
// a limit (Limits), and what is beyond it is counted as refused.
//
// # Concurrency
//
// Every method may be called from any goroutine; one lock guards everything. The
// cost of Apply does not depend on how much is stored. Lists are made when they
// are asked for, and kept until something in them changes; neither they nor
// their records change after they were handed out.
package network
