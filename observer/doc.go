// Package observer is the network observer: one process that shows a whole
// network, from whichever of its routers it is connected to.
//
//	router ── collect ──→ network ──→ what shows it
//
// It puts the packages below together and decides nothing else. It sees a
// network, not a host: nothing here knows of namespaces, files of a site or
// service managers.
package observer
