// Package api is what the network observer says over HTTP: the API v2alpha1 of
// upstream's, with what upstream leaves empty filled (compat: skupper v2
// network-observer), and what stands beside it.
//
//	/api/v2alpha1/…            lists and records of the network; GET only
//	/api/v2alpha1/events       the same as they change, server-sent events
//	/api/v2alpha1/observer     whether the observer has its router
//	/api/v2alpha1/internal/prom/…   queries of upstream's console: from the
//	                           history, or passed on to a Prometheus
//	/swagger/                  the description of all this, openapi.yaml
//	/metrics, /healthz, /      given by the caller; health; the console
//
// Which rows a request asks for is decided by package query, who may ask by
// package access, which wraps the Handler. openapi.yaml describes the routes and
// answers; a test compares it with them.
//
// # Goroutines
//
// Run compares the lists once a second while somebody listens to events, and
// ends with its context, and with it all streams of events. Handler may be used
// by any number of requests.
package api
