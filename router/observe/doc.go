// Package observe finds the requests in the bytes of a stream: HTTP/1 and
// HTTP/2, which carries gRPC too, for the records that network observers get.
//
//	the client's bytes ─▶ Stream.Client ─▶ parser ─┐
//	                                               ├─▶ exchanges ─▶ Recorder
//	the server's bytes ─▶ Stream.Server ─▶ parser ─┘
//
// It only looks. The bytes go their way whatever it finds in them, and what it
// cannot read ends the observation of that stream, silently (Watching). A
// stream is in one of four modes:
//
//	undecided ─▶ HTTP/1, HTTP/2 ─▶ off
//	    └────────────────────────────┘
//
// The first bytes decide: the client's, or those of a server that speaks first,
// as those of HTTP/2 may. What says so by HTTP itself ends the observation too:
// an upgrade, or a tunnel of CONNECT.
//
// Bodies are skipped by count. What is kept of a stream are the fields that are
// collected (some hundred bytes), the exchanges that have not ended (bounded by
// maxExchanges), and with HTTP/2 what its header compression needs: a table of
// at most maxTable in each direction, and a field that is not complete yet.
//
// router makes one Stream for each client of a listener and hands it to
// router/stream as its Tap. There are no clocks here: the time comes from a
// function.
//
// # Concurrency
//
// Each direction has a parser, which belongs to the goroutine that brings its
// bytes. Both meet in the exchanges that are under way, whose mutex is taken
// when a message begins or ends, never for the bytes of a body.
package observe
