// Package router is a whole router: it joins the packages below it and decides
// nothing that one of them could decide.
//
//	configuration ─▶ entities: listeners, connectors, tcpListeners, tcpConnectors
//	connections   ─▶ peer ─▶ control links ─▶ link-state engine ─┐
//	                  │  └─▶ endpoint links ─▶ address table ────┤
//	                  │                                          ▼
//	                  └─▶ delivery ─▶ route ◀── snapshot of the address table
//	                                   ├─▶ connector (stream.Egress)
//	                                   ├─▶ reply (stream.Ingress)
//	                                   ├─▶ link or neighbor (stream.Relay, stream.Fanout)
//	                                   └─▶ process inside the router
//
// # Concurrency
//
// The control loop owns the configuration, the link-state engine and the
// address table. Everybody else posts work to it and reads what it published:
// the snapshot of the table and the neighbors by control link. The path of a
// delivery takes no lock of this package and never waits for the control loop.
package router
