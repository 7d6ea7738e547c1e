// Package amqp is the AMQP 1.0 wire format: types, frames, performatives and
// messages, encoded into and decoded from byte slices.
//
// It is a pure codec. It does no I/O, keeps no state between calls, starts no
// goroutines and knows nothing about connections or links. What may be sent
// when is the business of package session; what an address means is the
// business of package forward.
//
// The flow of an incoming frame:
//
//	ParseFrameHeader      size, type and channel from the first 8 octets
//	Descriptor            which performative the frame carries
//	Transfer.Decode       hot path, no allocation (also Flow, Disposition)
//	DecodePerformative    everything else
//	ScanPrefix            the sections of a message that decide its route
//	ParseMessage          a whole message, when a router end point consumes it
//
// Outgoing frames go the other way: AppendFrameHeader, then Append of a
// performative, then the payload, then FinishFrame.
//
// Append functions write the encoding that qpid-proton writes, octet by octet:
// the shortest form of every integer, list8 and map8 where they fit, trailing
// nulls left out. Router annotations and the sections of routing messages are
// written the way skupper-router composes them, with 32-bit lists and maps;
// AppendWide and the List32 and Map32 builders do that.
//
// Decoders accept every form that AMQP 1.0 part 1 allows. They never panic and
// never allocate by a length that the input merely claims. What they reject
// comes back as an *Error with the condition to send to the peer.
//
// All functions are safe for concurrent use on distinct data.
//
// # Caveats
//
// Decoded byte slices (delivery tags, binary values, payloads) alias the
// input. Strings and symbols are copied. The content of strings is not checked
// to be UTF-8.
package amqp
