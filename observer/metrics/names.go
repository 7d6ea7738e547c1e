package metrics

import "github.com/prometheus/client_golang/prometheus"

// metric is one of the table.
type metric struct {
	name, help string
	typ        prometheus.ValueType // 0: a histogram
	labels     []string
	theirs     bool // of upstream
}

const histogram prometheus.ValueType = 0

// Labels of several metrics.
func traffic(more ...string) []string {
	return append([]string{
		"source_site_id", "dest_site_id", "source_site_name", "dest_site_name", "source_component_id", "dest_component_id",
		"source_component_name", "dest_component_name", "routing_key", "protocol", "source_process_name", "dest_process_name",
	}, more...)
}

func link() []string {
	return []string{"site_id", "site_name", "router", "link", "role", "peer_site_id", "peer_site_name"}
}

// id is the place of a metric in the table.
type id int

// The metrics.
const (
	connectionsOpened id = iota
	connectionsClosed
	sentBytes
	receivedBytes
	requests
	internalLatency
	legacyLatency
	siteInfo
	routersTotal
	siteLinks
	siteLinkErrors
	siteListeners
	siteConnectors
	pendingFlows

	linkUp
	linkCost
	linkFlaps
	linkSent
	linkReceived
	linkChanged
	linkRoundTrip
	certificateExpiry
	serviceListeners
	serviceConnectors
	sources
	sourceHeard
	sourceLost
	records
	refused
	evicted
	folded
	connectionsKept
	requestsKept
	series
	historySeries
	historyLeftOut
	historyBytes
	buildInfo
	count
)

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

// table lists every metric, in the order of their ids.
func table() [count]metric {
	return [count]metric{
		connectionsOpened: {"skupper_connections_opened_total", "Connections that clients opened through the network.", counter, traffic(), true},
		connectionsClosed: {"skupper_connections_closed_total", "Connections through the network that have ended.", counter, traffic(), true},
		sentBytes:         {"skupper_sent_bytes_total", "Payload that went from clients to servers, in bytes.", counter, traffic(), true},
		receivedBytes:     {"skupper_received_bytes_total", "Payload that went from servers to clients, in bytes.", counter, traffic(), true},
		requests:          {"skupper_requests_total", "HTTP requests that have ended.", counter, traffic("method", "code"), true},
		internalLatency:   {"skupper_internal_latency_seconds", "What the network adds to the time until the first byte of a server arrives at the client.", histogram, traffic(), true},
		legacyLatency:     {"legacy_flow_latency_microseconds", "Time until the first byte of a server, seen from the client (incoming) or from the server (outgoing, its ends exchanged).", histogram, traffic("direction"), true},
		siteInfo:          {"skupper_site_info", "A site of the network; always 1.", gauge, []string{"site_id", "name", "version"}, true},
		routersTotal:      {"skupper_routers_total", "Routers of a site.", gauge, []string{"site_id", "mode"}, true},
		siteLinks:         {"skupper_site_links_total", "Links that a site's routers dial.", gauge, []string{"site_id", "role", "status"}, true},
		siteLinkErrors:    {"skupper_site_link_errors_total", "How often links of a site went down since the observer knows them.", counter, []string{"site_id", "role"}, true},
		siteListeners:     {"skupper_site_listeners_total", "Listeners of a site.", gauge, []string{"site_id"}, true},
		siteConnectors:    {"skupper_site_connectors_total", "Connectors of a site.", gauge, []string{"site_id"}, true},
		pendingFlows:      {"skupper_internal_pending_flows", "Connections and requests that wait until it is known what they belong to.", gauge, []string{"type", "reason", "eventsource"}, true},

		linkUp:            {"skupper_site_link_up", "Whether a link between routers is up: 1 or 0.", gauge, link(), false},
		linkCost:          {"skupper_site_link_cost", "Cost of a link between routers.", gauge, link(), false},
		linkFlaps:         {"skupper_site_link_flaps_total", "How often a link went down since its router began.", counter, link(), false},
		linkSent:          {"skupper_site_link_sent_bytes_total", "What the router that dials a link sent over it, in bytes.", counter, link(), false},
		linkReceived:      {"skupper_site_link_received_bytes_total", "What the router that dials a link received over it, in bytes.", counter, link(), false},
		linkChanged:       {"skupper_site_link_changed_timestamp_seconds", "When a link came up or went down the last time, seconds since 1970.", gauge, link(), false},
		linkRoundTrip:     {"skupper_site_link_round_trip_seconds", "How long it takes over a link that is up to the other host and back; not behind a proxy.", gauge, link(), false},
		certificateExpiry: {"skupper_certificate_expiry_timestamp_seconds", "When the certificate ends that a router shows on a link that it dials (kind link) or where it takes links (kind access), seconds since 1970.", gauge, []string{"site_id", "site_name", "router", "kind", "name"}, false},
		serviceListeners:  {"skupper_service_listeners", "Listeners of a service in the whole network.", gauge, []string{"routing_key", "protocol"}, false},
		serviceConnectors: {"skupper_service_connectors", "Connectors of a service in the whole network.", gauge, []string{"routing_key", "protocol"}, false},
		sources:           {"skupper_observer_sources", "Event sources of the network by state: new, live, silent, gone.", gauge, []string{"state"}, false},
		sourceHeard:       {"skupper_observer_source_heard_timestamp_seconds", "When something came from an event source the last time, seconds since 1970.", gauge, []string{"source", "type", "name", "site_id"}, false},
		sourceLost:        {"skupper_observer_source_lost_messages_total", "Messages of an event source that did not arrive.", counter, []string{"source", "type", "name", "site_id"}, false},
		records:           {"skupper_observer_records_total", "Records that came from event sources.", counter, nil, false},
		refused:           {"skupper_observer_refused_records_total", "Records that were beyond a limit or belong to another event source.", counter, nil, false},
		evicted:           {"skupper_observer_evicted_flows_total", "Live connections and requests that were dropped for want of room.", counter, nil, false},
		folded:            {"skupper_observer_folded_series_total", "How often traffic was counted without the names of its ends, because there are too many.", counter, nil, false},
		connectionsKept:   {"skupper_observer_connections", "Connections that are kept.", gauge, nil, false},
		requestsKept:      {"skupper_observer_requests", "Requests that are kept.", gauge, nil, false},
		series:            {"skupper_observer_series", "Label sets with which traffic is counted.", gauge, nil, false},
		historySeries:     {"skupper_observer_history_series", "Series whose history is kept.", gauge, nil, false},
		historyLeftOut:    {"skupper_observer_history_left_out", "Series without a history, because there are too many.", gauge, nil, false},
		historyBytes:      {"skupper_observer_history_bytes", "Memory that the history takes, in bytes.", gauge, nil, false},
		buildInfo:         {"skupper_observer_build_info", "Which program this is; always 1.", gauge, []string{"version", "goversion"}, false},
	}
}
