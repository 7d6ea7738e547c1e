package linkstate

import "fmt"

// EventKind says what an Event is about.
type EventKind uint8

// Kinds of events.
const (
	NeighborUp         EventKind = iota + 1 // Router is a neighbor on Link
	NeighborDown                            // Router is no neighbor any more
	NeighborMoved                           // Router remains a neighbor, now on Link
	RouterAdded                             // Router became known
	RouterRemoved                           // Router was forgotten
	RouterRestarted                         // Router has a new instance
	RouterReachable                         // a path to Router exists
	RouterUnreachable                       // no path to Router exists
	LinkStateExpired                        // Router said nothing for RemoteMaxAge
	LinkStateChanged                        // this router's own link state changed; Count is its sequence
	TopologyComputed                        // paths were computed; Count is the number of reachable routers
	AddressesWithdrawn                      // Count addresses of an unreachable or restarted router are not used
	Synchronized                            // the start is over: this router knows its network
	DuplicateID                             // another router calls itself Router
	Incompatible                            // Router speaks a newer protocol version, Count; it is ignored
	Malformed                               // a message from Link was not understood: Detail
	LimitReached                            // Router or some of its addresses are ignored: too many
	Undeliverable                           // a message for Router could not go on
)

func (k EventKind) String() string {
	names := [...]string{
		NeighborUp: "neighbor up", NeighborDown: "neighbor down", NeighborMoved: "neighbor on another link",
		RouterAdded: "router known", RouterRemoved: "router forgotten", RouterRestarted: "router restarted",
		RouterReachable: "router reachable", RouterUnreachable: "router unreachable",
		LinkStateExpired: "link state expired", LinkStateChanged: "link state changed",
		TopologyComputed: "paths computed", AddressesWithdrawn: "addresses withdrawn", Synchronized: "synchronized",
		DuplicateID: "duplicate router id", Incompatible: "incompatible protocol version",
		Malformed: "malformed routing message", LimitReached: "limit reached", Undeliverable: "routing message without path",
	}
	if int(k) < len(names) && names[k] != "" {
		return names[k]
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// Event is something that happened in a step. Fields that its kind does not
// mention are zero.
type Event struct {
	Kind   EventKind
	Router string
	Link   LinkID
	Count  int64
	Detail string
}

func (e Event) String() string {
	s := e.Kind.String()
	if e.Router != "" {
		s += " " + e.Router
	}
	if e.Link != 0 {
		s += fmt.Sprintf(" link %d", e.Link)
	}
	if e.Count != 0 {
		s += fmt.Sprintf(" (%d)", e.Count)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}
