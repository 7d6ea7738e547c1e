package linkstate

import "time"

// Output is what a step asks of its caller. It is valid until the next step.
type Output struct {
	// Send holds messages of this router's own, to be sent in this order.
	Send []Message

	// Relay names the control links on which the message of this Received
	// goes on, after everything in Send. The sections stay as they are; the
	// caller adds this router to the trace (and, if there is none, as ingress).
	Relay []LinkID

	// Reach is every known router and how it is reached, nil if nothing
	// changed. It is immutable and stays valid.
	Reach *Reach

	// Addresses holds what other routers newly hold or no longer hold, to be
	// applied in this order. It does not depend on Reach: an index that is
	// given to another router has no addresses left.
	Addresses []AddressChange

	// Events tells what happened, for the log.
	Events []Event

	// Wake is when the engine wants its next step at the latest.
	Wake time.Time
}

// Message is a routing message without router annotations: those are ingress
// and trace "0/<this router>", flags 0.
type Message struct {
	Links    []LinkID // one copy on each of these control links
	Opcode   Opcode
	Router   string // whom it is for; empty for neighbors or for all
	Sections []byte // owned by the receiver; header, properties, application-properties, amqp-value
}

// AddressChange says that another router now holds an address with these
// attributes, or no longer holds it.
type AddressChange struct {
	Index   int    // of the router, as in Reach
	Router  string // its id
	Key     string
	Removed bool
	Attributes
}

// Reach is a result of the path computation.
type Reach struct {
	// Routers is indexed by router index. Number 0 is this router; an empty
	// id marks an index that is not in use.
	Routers []Router
	// Radius is the number of hops to the farthest reachable router.
	Radius int

	topology *topology
}

// Router is one known router.
type Router struct {
	ID      string
	Link    LinkID // control link of the next hop; 0 = not reachable, or this router
	NextHop int    // index of the next hop, itself for most neighbors; 0 as above
	Cost    int64  // of the path
	Hops    int    // of the path
}

// Through returns the destinations, as a bit set by router index, that lie
// behind this router on the paths from the given origin: the routers d with
// origin ∈ valid_origins(d). For this router itself that is every reachable
// one. An unknown or unreachable origin has none.
//
// It computes at the first call per origin and is safe for concurrent use. The
// result must not be changed.
func (r *Reach) Through(origin int) []uint64 { return r.topology.through(origin) }
