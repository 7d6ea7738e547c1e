// Package stream is one proxied TCP connection as two AMQP deliveries, one per
// direction, the way skupper-router 3.x does it: composing and reading the
// messages that open a stream, windows, half-close, failure, and the relay of
// deliveries through a router.
//
//	client ─▶ Socket ─▶ Ingress ─▶ Sending ══ network ══ Receiving ─▶ Egress ─▶ Socket ─▶ server
//	client ◀─ Socket ◀─ Ingress ◀─ Receiving ══ network ══ Sending ◀─ Egress ◀─ Socket ◀─ server
//
// Request streams are routed by the service's address, reply streams by the
// address that the request names in reply-to. An Intake collects the sections
// in front of the body of an incoming delivery and asks which of these takes
// it: an Egress (we have the connector), the Ingress that waits for the reply,
// a Relay (one way on), a Fanout (several), or nobody (Refuse).
//
// It works on bytes handed to it and knows no sockets: package tcp has those.
//
// # Windows
//
// How many bytes of a stream may be under way is decided in window.go. Towards
// skupper-router it is upstream's constant. When both ends are ours, each
// announces its window in the application property "w" (PropertyWindow) and
// raises it while it is the bottleneck; nothing is carried hop by hop.
//
// # Concurrency
//
// A stream with a socket has one goroutine, from Start on, which reads the
// socket and holds no buffer while there is nothing to read. When there has
// been nothing for a while, it ends and the socket waits alone (Parker). Bytes from the network are
// written to the socket by the goroutine that delivers them, without blocking;
// while the socket is full, and only then, there is a second goroutine that
// drains a queue. Relays have no goroutine.
//
// One mutex guards a stream's state. It is never held while calling a Socket,
// a Sending, a Receiving or anything else outside of this package.
//
// # Failure
//
// Both ends of a stream fail together. A connection that is cut short is reset
// and not closed, so that nobody takes what came for the whole; compat:
// skupper-router closes.
package stream
