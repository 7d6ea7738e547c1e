package linkstate

import "time"

// LinkID names a control link to a neighbor: the pair of AMQP links with the
// capability "qd.router" of one connection. The owner chooses it; it is not 0
// and not used again for another connection.
type LinkID uint64

// Input is what can happen to an engine: one of the types below, or nil for
// the passing of time alone.
type Input interface{ input() }

// LinkUp says that both control links of a connection are attached. For a link
// that is up already it changes the cost.
type LinkUp struct {
	Link LinkID
	Cost int // of the connection, the larger one of both ends; at least 1
	// Replaces is a link to the same router whose place this one takes at once,
	// or 0: the neighbor stays one, and the other link is not used any more.
	Replaces LinkID
	// Prompt says that both ends say HELLO twice as often as HelloInterval says
	// and take half of HelloMaxAge for silence, if nothing else was heard of the
	// connection either: see Tick. It is fixed by the first LinkUp.
	Prompt bool
}

// LinkDown says that a control link is gone. Neighbors hear of it at once.
type LinkDown struct{ Link LinkID }

// Received is a whole message that arrived on a control link, whatever its
// address. Output.Relay says where it goes on.
type Received struct {
	Link     LinkID
	To       string   // to-override of the router annotations, or "to" of the properties
	Ingress  string   // of the router annotations, "0/" and an id; empty if absent
	Trace    []string // of the router annotations, likewise
	Sections []byte   // everything behind the router annotations; not kept
}

// Tick says that Output.Wake has come. Every input does what is due, so a Tick
// is needed only when nothing else happens.
type Tick struct {
	// Heard tells when the last octets came on the connections of prompt links,
	// whatever they were. A Tick that does not mention a link says nothing new
	// of it.
	Heard []Heard
}

// Heard is when something was last heard on the connection of a link.
type Heard struct {
	Link LinkID
	At   time.Time
}

// AddressAdded says that an address got its first local destination, or that
// the attributes of one that has destinations changed.
type AddressAdded struct {
	Key string // hash key with its class: M, H or N
	Attributes
}

// AddressRemoved says that the last local destination of an address is gone.
type AddressRemoved struct{ Key string }

func (LinkUp) input()         {}
func (LinkDown) input()       {}
func (Received) input()       {}
func (Tick) input()           {}
func (AddressAdded) input()   {}
func (AddressRemoved) input() {}

// Attributes of an address as one router announces it.
type Attributes struct {
	Treatment int32  // compat: 0 flood, 1 multicast, 2 closest, 3 balanced; NoTreatment if not said
	Producers int32  // local links that produce for the address
	Mesh      string // edge mesh behind which all its destinations are; empty = none
}

// NoTreatment means that the announcement does not say how an address is
// treated.
const NoTreatment int32 = -1
