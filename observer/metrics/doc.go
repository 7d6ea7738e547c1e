// Package metrics is the network as Prometheus sees it: upstream's metrics with
// their names, labels and buckets (compat: skupper v2 network-observer), and
// what stands beside them about links, services and the observer itself.
//
//	network.Network, history.Ring → Collector → prometheus.Registry → Handler
//
// Nothing is stored: every scrape reads what the network has counted. Names of
// metrics are in the table of names.go and nowhere else; dashboards and alert
// rules below packaging/observer are tested against it.
//
// Everything is safe for concurrent use.
package metrics
