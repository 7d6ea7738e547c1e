package record

// Unknown is the text of a field that has no data.
const Unknown = "unknown"

// OrUnknown returns the text, or "unknown" if there is none.
func OrUnknown(s string) string {
	if s == "" {
		return Unknown
	}
	return s
}

// Base is what every record has.
type Base struct {
	Identity  string `json:"identity"`
	StartTime uint64 `json:"startTime"`
	EndTime   uint64 `json:"endTime"`
}

// ID returns the identity; lists are sorted by it.
func (b Base) ID() string { return b.Identity }

// Life returns when the record began and when it ended, 0 for not, in
// microseconds since 1970.
func (b Base) Life() (start, end uint64) { return b.StartTime, b.EndTime }

// Site is a site of the network.
type Site struct {
	Base
	Name        string `json:"name"`
	Namespace   string `json:"namespace,omitempty"`
	Platform    string `json:"platform"` // kubernetes, podman, docker, linux, unknown
	Provider    string `json:"provider"` // may be empty
	Version     string `json:"version"`
	RouterCount int    `json:"routerCount"`
	Location    string `json:"location,omitempty"` // ours
}

// Router is a router of a site.
type Router struct {
	Base
	SiteID       string `json:"siteId"`
	Name         string `json:"name"` // "0/" and the router's id
	Mode         string `json:"mode"`
	Namespace    string `json:"namespace,omitempty"`
	HostName     string `json:"hostName"`
	ImageName    string `json:"imageName"`
	ImageVersion string `json:"imageVersion"`
	BuildVersion string `json:"buildVersion"` // may be empty
	SiteName     string `json:"siteName"`     // ours
}

// RouterLink is a link as the router that dials it knows it. Everything about
// the other end is null until that end is known.
type RouterLink struct {
	Base
	Name                  string  `json:"name"`
	Role                  string  `json:"role"`   // inter-router, edge, unknown
	Status                string  `json:"status"` // up, down
	Cost                  *uint64 `json:"cost"`
	RouterID              string  `json:"routerId"`
	RouterName            string  `json:"routerName"`
	SourceSiteID          string  `json:"sourceSiteId"`
	SourceSiteName        string  `json:"sourceSiteName"`
	RouterAccessID        *string `json:"routerAccessId"`
	DestinationRouterID   *string `json:"destinationRouterId"`
	DestinationRouterName *string `json:"destinationRouterName"`
	DestinationSiteID     *string `json:"destinationSiteId"`
	DestinationSiteName   *string `json:"destinationSiteName"`
	OctetCount            uint64  `json:"octetCount"`        // sent by the router that dials
	OctetReverseCount     uint64  `json:"octetReverseCount"` // received by it
	ProxyProtocol         *string `json:"proxyProtocol"`     // NONE, HTTP

	// Ours.
	Protocol  string `json:"protocol,omitempty"` // amqp, amqps
	DestHost  string `json:"destHost,omitempty"`
	DestPort  string `json:"destPort,omitempty"`
	Since     uint64 `json:"since"`     // when the status became what it is
	UpTime    uint64 `json:"upTime"`    // the last time it came up
	DownTime  uint64 `json:"downTime"`  // the last time it went down
	DownCount uint64 `json:"downCount"` // how often it went down
	Result    string `json:"result,omitempty"`
	Reason    string `json:"reason,omitempty"` // why it went down the last time
	// RoundTrip is how long it takes to the other host and back, in microseconds;
	// absent while the link is down, behind a proxy, and with other routers.
	RoundTrip uint64 `json:"roundTrip,omitempty"`
	// CertificateExpiry is when the certificate ends that the router shows which
	// dials; absent without one, and with other routers.
	CertificateExpiry uint64 `json:"certificateExpiry,omitempty"`
}

// RouterAccess is where a router takes links.
type RouterAccess struct {
	Base
	Name      string `json:"name"`
	Role      string `json:"role"`
	RouterID  string `json:"routerId"`
	LinkCount uint64 `json:"linkCount"`

	// Ours.
	RouterName string `json:"routerName"`
	SiteID     string `json:"siteId"`
	SiteName   string `json:"siteName"`
	// CertificateExpiry is when the certificate ends that is shown here; absent
	// without one, and with other routers.
	CertificateExpiry uint64 `json:"certificateExpiry,omitempty"`
}

// Listener is where clients of a service connect.
type Listener struct {
	Base
	Name       string `json:"name"`
	RouterID   string `json:"routerId"`
	SiteID     string `json:"siteId"`
	SiteName   string `json:"siteName"`
	Protocol   string `json:"protocol"`
	DestHost   string `json:"destHost"`
	DestPort   string `json:"destPort"`
	RoutingKey string `json:"routingKey"`
	ServiceID  string `json:"serviceId,omitempty"`
	FlowCount  uint64 `json:"flowCount"` // ours: connections since the listener began
}

// Connector leads to a server of a service.
type Connector struct {
	Base
	Name       string  `json:"name"`
	RouterID   string  `json:"routerId"`
	SiteID     string  `json:"siteId"`
	SiteName   string  `json:"siteName"`
	Protocol   string  `json:"protocol"`
	DestHost   string  `json:"destHost"`
	DestPort   string  `json:"destPort"`
	RoutingKey string  `json:"routingKey"`
	ServiceID  string  `json:"serviceId,omitempty"`
	ProcessID  string  `json:"processId"`
	Target     *string `json:"target"`    // name of the process
	FlowCount  uint64  `json:"flowCount"` // ours: connections since the connector began
}

// Service is a routing key with its protocol.
type Service struct {
	Base
	Name                         string   `json:"name"` // the routing key
	Protocol                     string   `json:"protocol"`
	ObservedApplicationProtocols []string `json:"observedApplicationProtocols"` // http1, http2; never null
	ListenerCount                int      `json:"listenerCount"`
	ConnectorCount               int      `json:"connectorCount"`
	IsBound                      bool     `json:"isBound"` // it has listeners and connectors
	HasListener                  bool     `json:"hasListener"`
}

// Component is what processes of the same group are together.
type Component struct {
	Base
	Name         string `json:"name"`
	Role         string `json:"role"` // external, internal, remote
	ProcessCount int    `json:"processCount"`
}

// Process is a server or a client of a service.
type Process struct {
	Base
	Name          string   `json:"name"`
	SiteID        string   `json:"siteId"`
	SiteName      string   `json:"siteName"`
	ComponentID   string   `json:"componentId"`
	ComponentName string   `json:"componentName"`
	SourceHost    string   `json:"sourceHost"`
	HostName      *string  `json:"hostName"`
	ImageName     *string  `json:"imageName"`
	Role          string   `json:"role"`     // external, internal, remote
	Binding       string   `json:"binding"`  // bound, unbound
	Services      []string `json:"services"` // "name@serviceId@protocol", null if there are none
}

// Pair types.
const (
	PairSite      = "SITE"
	PairProcess   = "PROCESS"
	PairComponent = "PROCESS_GROUP"
)

// Pair is who talks to whom: a client's site, component or process to a
// server's, with one protocol.
type Pair struct {
	Base
	PairType            string `json:"pairType"`
	Protocol            string `json:"protocol"` // tcp, http1, http2
	RecordCount         uint64 `json:"recordCount"`
	SourceID            string `json:"sourceId"`
	SourceName          string `json:"sourceName"`
	DestinationID       string `json:"destinationId"`
	DestinationName     string `json:"destinationName"`
	SourceSiteID        string `json:"sourceSiteId,omitempty"` // process pairs only, as the next three
	SourceSiteName      string `json:"sourceSiteName,omitempty"`
	DestinationSiteID   string `json:"destinationSiteId,omitempty"`
	DestinationSiteName string `json:"destinationSiteName,omitempty"`
}

// Ends says between whom a connection or request is.
type Ends struct {
	SourceSiteID      string `json:"sourceSiteId"`
	SourceSiteName    string `json:"sourceSiteName"`
	SourceProcessID   string `json:"sourceProcessId"`
	SourceProcessName string `json:"sourceProcessName"`
	DestSiteID        string `json:"destSiteId"`
	DestSiteName      string `json:"destSiteName"`
	DestProcessID     string `json:"destProcessId"`
	DestProcessName   string `json:"destProcessName"`
}

// Connection is a connection of a client to a service.
type Connection struct {
	Base
	Ends
	Protocol          string   `json:"protocol"` // tcp
	RoutingKey        string   `json:"routingKey"`
	ListenerID        string   `json:"listenerId"`
	ConnectorID       string   `json:"connectorId"`
	SourceHost        string   `json:"sourceHost"`
	SourcePort        string   `json:"sourcePort"`
	DestHost          string   `json:"destHost"` // where the connector leads
	DestPort          string   `json:"destPort"`
	ProxyHost         string   `json:"proxyHost"` // where the server sees the client
	ProxyPort         string   `json:"proxyPort"`
	OctetCount        uint64   `json:"octetCount"`        // client to server
	OctetReverseCount uint64   `json:"octetReverseCount"` // server to client
	Latency           uint64   `json:"latency"`           // to the first byte, at the client's side
	LatencyReverse    uint64   `json:"latencyReverse"`    // to the first byte, at the server's side
	Duration          *uint64  `json:"duration"`          // null while it lasts
	ListenerError     *string  `json:"listenerError"`
	ConnectorError    *string  `json:"connectorError"`
	TraceRouters      []string `json:"traceRouters"`
	TraceSites        []string `json:"traceSites"`
	ProcessPairID     *string  `json:"processPairId"`   // compat: always null
	ComponentPairID   *string  `json:"componentPairId"` // compat: always null
	SitePairID        *string  `json:"sitePairId"`      // compat: always null
	ServiceID         string   `json:"serviceId"`       // ours
}

// ApplicationFlow is a request that was seen in a connection.
type ApplicationFlow struct {
	Base
	Ends
	ConnectionID      string   `json:"connectionId"`
	Protocol          string   `json:"protocol"` // http1, http2
	Method            string   `json:"method"`
	Status            string   `json:"status"`
	RoutingKey        string   `json:"routingKey"`
	OctetCount        uint64   `json:"octetCount"`        // of the request's body
	OctetReverseCount uint64   `json:"octetReverseCount"` // of the response's body
	Duration          *uint64  `json:"duration"`
	TraceRouters      []string `json:"traceRouters"`
	TraceSites        []string `json:"traceSites"`

	// Ours.
	Latency      uint64 `json:"latency"`                // from the request's first line to the response's
	Reason       string `json:"reason,omitempty"`       // HTTP/1: the reason phrase
	StreamID     uint64 `json:"streamId,omitempty"`     // HTTP/2
	ForwardedFor string `json:"forwardedFor,omitempty"` // first token of X-Forwarded-For
	ServiceID    string `json:"serviceId"`
}

// States of a source.
const (
	SourceNew    = "new"    // announced, but nothing more has been heard
	SourceLive   = "live"   // it says something
	SourceSilent = "silent" // it should have said something
	SourceGone   = "gone"   // given up; what only it knew is gone too
)

// Source is an event source of the network; ours, as all its fields are.
type Source struct {
	Base
	Type          string `json:"type"` // ROUTER, CONTROLLER
	State         string `json:"state"`
	Name          string `json:"name"` // of the router or site
	SiteID        string `json:"siteId"`
	LastHeartbeat uint64 `json:"lastHeartbeat"`
	LastHeard     uint64 `json:"lastHeard"`  // any message but beacons
	ClockSkew     int64  `json:"clockSkew"`  // microseconds that its clock is ahead of ours
	Messages      uint64 `json:"messages"`   // with records
	Records       int    `json:"records"`    // that it owns, without flows
	Flows         int    `json:"flows"`      // live connections and requests of its
	Lost          uint64 `json:"lost"`       // messages that did not arrive
	Duplicates    uint64 `json:"duplicates"` // messages that came twice
	Refused       uint64 `json:"refused"`    // records over the limits, or of others
}

// Log is a line of a router's log; ours, as all its fields are.
type Log struct {
	Base
	RouterID   string `json:"routerId"`
	RouterName string `json:"routerName"`
	SiteID     string `json:"siteId"`
	SiteName   string `json:"siteName"`
	Severity   string `json:"severity"` // debug, info, warning, error, critical, unknown
	Text       string `json:"text"`
	SourceFile string `json:"sourceFile,omitempty"`
	SourceLine uint64 `json:"sourceLine,omitempty"`
}

// Observer is how the observer itself is; ours, as all its fields are.
type Observer struct {
	Connected bool   `json:"connected"` // to its router
	Since     uint64 `json:"since"`     // when that became so, microseconds since 1970; 0 before the first attempt has ended
	Problem   string `json:"problem"`   // why it is not connected
}
