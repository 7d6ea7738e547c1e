// Package web is what an HTTP listener of the router serves: figures for
// Prometheus, whether the router is well, files of a directory, and AMQP over
// WebSocket.
//
//	net.Listener ─▶ Limit ─▶ Either (TLS or not) ─▶ http.Server ─▶ Handler
//	                                                        ├─ /metrics, /metrics/entities  Sample of each figure
//	                                                        ├─ /healthz, /readyz
//	                                                        ├─ WebSocket ─▶ Tunnel, a net.Listener of AMQP connections
//	                                                        └─ files
//
// It decides how these look to the outside and knows nothing of routing. The
// router gives it figures and takes connections from the Tunnel.
package web
