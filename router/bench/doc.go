// Command bench measures two of our routers linked by mutual TLS beside a pair
// of bare TLS 1.3 proxies: the plainest tunnel that Go can make, one onward
// connection for each client and io.CopyBuffer both ways. What the routers cost
// more than the pair is what the protocol between them costs.
//
//	client ─▶ ingress process ═ TLS ═ egress process ─▶ server
//
// Client and server are this program. Both tunnels are up at the same time and
// take turns on every load, round by round; a ratio pairs two figures of the
// same round, and the table shows the median over the rounds. Within a round
// the tunnels alternate four times on each load. Shared machines drift by tens
// of percent between minutes, so ratios can be compared and plain figures
// hardly.
//
// CPU is the clock of the two processes in the middle (clock_gettime(2) of
// another process: what getrusage(2) counts, exact to the nanosecond), memory
// their resident set. Nothing here fails because it is slow.
//
//	go run ./router/bench -program ./skupper
//	go run ./router/bench -program ./skupper -rounds 7 -loads bulk1,bulk8
package main
