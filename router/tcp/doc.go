// Package tcp owns the sockets of proxied TCP services: Listener accepts
// clients, Connector connects to servers. Both hand them to package stream,
// which knows what to do with the bytes.
//
//	accept ─▶ TLS ─▶ choose the address ─▶ stream.Ingress ─▶ network
//	network ─▶ stream.Egress ─▶ resolve ─▶ dial ─▶ TLS ─▶ server
//
// It does not route: a stream.Opener finds the way to an address.
//
// # Sockets
//
// A plain socket is read when there is something to read, into a buffer that
// is borrowed for that moment; one goroutine per connection waits in the
// poller and owns no buffer, and if it has waited for a quarter of a second in
// vain, the socket waits in a Lot and the goroutine ends. It is written by
// whoever has bytes, as long as it takes them without blocking. TLS and other connections go through the
// blocking calls of net.Conn, and bytes towards them through stream's queue.
//
// # Listening
//
// The socket of a listener is open only while somebody serves one of its
// addresses (SetReachable), so that clients are refused by the kernel
// otherwise. If it cannot be bound, Status says who has the port, and it is
// tried again.
//
// # Concurrency
//
// Listener.Run and Connector.Run own every goroutine of their connections and
// wait for them. All other methods may be called from anywhere and do not
// block, except Dial.
package tcp
