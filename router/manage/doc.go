// Package manage is the $management node of a router: it answers the requests
// of skstat, skmanage, upstream's controllers and our own tools.
//
//	request → Node.Handle → Store (configuration, status) → reply
//
// The protocol is AMQP Management as skupper-router 3.x speaks it: the
// operation and its object stand in the application properties, attributes in
// a map as the body; the reply carries a status code as in HTTP. The entity
// types and what may be done with them are in router/config; a change is
// checked there and then put in effect by the Store. What is only observed is
// a row: the Store fills in the structs of this package, Node makes columns of
// them.
//
// It is not for receiving and sending: the router hands in messages addressed
// to $management and sends the replies to their To address, settled.
//
// A Node belongs to one goroutine.
//
// Caveats: where upstream answers the same question in two ways, here is one.
// The correlation-id comes back with the type it had; count and offset work
// for all types; an unknown attribute in a query is always refused.
package manage
