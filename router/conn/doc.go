// Package conn is one AMQP connection: TLS, SASL, the reader, the writer and
// the order in which frames leave. It does not know what it carries.
//
//	Send → Sending.Write → engine queue → writer: Emit, encrypt, flush ═══ peer
//	peer ═══ reader: parse a batch → events → LinkEvents, Sink, Outcome
//
// # Goroutines and locks
//
// Run starts a reader and a writer, waits for both and leaves nothing behind.
// One mutex guards the engine of package session. It is held while frames are
// parsed or composed, never during I/O and never while calling into another
// package.
//
// The reader takes the mutex once per batch, then calls the handlers of what
// the batch held, without it. The writer pulls: it takes up to 128 KiB of
// frames that are ready, then encrypts and writes them. Whoever queues
// something while nobody is writing may do the writer's work for one batch
// without blocking (Sending.Inline); that saves a wake-up per hop.
//
// Every method of Conn, Link, Sending and Receiving may be called from any
// goroutine, also from a handler, and none of them blocks.
package conn
