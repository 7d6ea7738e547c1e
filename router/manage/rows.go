package manage

import (
	"strconv"

	"github.com/skupper-host/skupper/router/amqp"
)

// Row is what is observed of one entity: one of the structs of this file. The
// tag of a field names its attribute; "null" writes the zero value, and a nil
// pointer is always written, as null. Go int is an AMQP int, or a long if it
// must be; the other integers are what their types say.
type Row interface{ row() }

// identified is a row that is a whole entity.
type identified interface {
	Row
	identity() (name, identity string)
}

// RouterStatus is the observed part of a router entity.
type RouterStatus struct {
	Version  string `attr:"version"`
	HostName string `attr:"hostName"`
	// WorkerThreads is what takes the place of the configured number.
	WorkerThreads int `attr:"workerThreads"`
}

// Metrics are the counters of the whole router. Deliveries count since the
// start, everything else is as of now.
type Metrics struct {
	ID                              string            `attr:"id"`
	Version                         string            `attr:"version"`
	AddrCount                       uint64            `attr:"addrCount"`
	LinkCount                       uint64            `attr:"linkCount"`
	NodeCount                       uint64            `attr:"nodeCount"` // other interior routers
	AutoLinkCount                   uint64            `attr:"autoLinkCount"`
	ConnectionCount                 uint64            `attr:"connectionCount"`
	PresettledDeliveries            uint64            `attr:"presettledDeliveries"`
	DroppedPresettledDeliveries     uint64            `attr:"droppedPresettledDeliveries"`
	AcceptedDeliveries              uint64            `attr:"acceptedDeliveries"`
	RejectedDeliveries              uint64            `attr:"rejectedDeliveries"`
	ReleasedDeliveries              uint64            `attr:"releasedDeliveries"`
	ModifiedDeliveries              uint64            `attr:"modifiedDeliveries"`
	DeliveriesDelayed1Sec           uint64            `attr:"deliveriesDelayed1Sec"`
	DeliveriesDelayed10Sec          uint64            `attr:"deliveriesDelayed10Sec"`
	DeliveriesStuck                 uint64            `attr:"deliveriesStuck"`
	DeliveriesIngress               uint64            `attr:"deliveriesIngress"`
	DeliveriesEgress                uint64            `attr:"deliveriesEgress"`
	DeliveriesTransit               uint64            `attr:"deliveriesTransit"`
	DeliveriesIngressRouteContainer uint64            `attr:"deliveriesIngressRouteContainer"`
	DeliveriesEgressRouteContainer  uint64            `attr:"deliveriesEgressRouteContainer"`
	DeliveriesIngressInterNetwork   uint64            `attr:"deliveriesIngressInterNetwork"`
	DeliveriesEgressInterNetwork    uint64            `attr:"deliveriesEgressInterNetwork"`
	DeliveriesRedirectedToFallback  uint64            `attr:"deliveriesRedirectedToFallback"`
	LinksBlocked                    uint32            `attr:"linksBlocked"`
	UptimeSeconds                   uint32            `attr:"uptimeSeconds"`
	MemoryUsage                     uint64            `attr:"memoryUsage"`         // octets, virtual
	ResidentMemoryUsage             uint64            `attr:"residentMemoryUsage"` // octets
	ConnectionCounters              map[string]uint64 `attr:"connectionCounters"`  // of tcp, amqp, http1, http2
}

func (Metrics) identity() (name, identity string) { return "1", "1" }

// Connection is one connection of the router, AMQP or TCP.
type Connection struct {
	ID                 uint64
	Host               string   `attr:"host"` // ADDRESS:PORT of the peer; of a connector, HOST:PORT as configured
	LocalSocket        string   `attr:"localSocket,null"`
	Role               string   `attr:"role"`     // a role of config, or inter-router-data
	Protocol           string   `attr:"protocol"` // amqp or tcp
	Dir                string   `attr:"dir"`      // in or out
	Container          string   `attr:"container,null"`
	SASL               string   `attr:"sasl,null"`
	IsAuthenticated    bool     `attr:"isAuthenticated"`
	User               string   `attr:"user,null"`
	IsEncrypted        bool     `attr:"isEncrypted"`
	SSLProto           string   `attr:"sslProto,null"`
	SSLCipher          string   `attr:"sslCipher,null"`
	SSLSSF             int64    `attr:"sslSsf"` // bits
	Properties         amqp.Map `attr:"properties"`
	SSL                bool     `attr:"ssl"`
	Opened             bool     `attr:"opened"`
	Active             bool     `attr:"active"`      // false only for an uplink of an edge router not in use
	AdminStatus        string   `attr:"adminStatus"` // enabled or deleted
	OperStatus         string   `attr:"operStatus"`  // up or closing
	UptimeSeconds      uint32   `attr:"uptimeSeconds"`
	LastDlvSeconds     *uint32  `attr:"lastDlvSeconds"` // nil: no delivery yet
	ProtocolTrace      bool     `attr:"enableProtocolTrace"`
	MeshID             string   `attr:"meshId,null"`
	TLSOrdinal         *uint64  `attr:"tlsOrdinal"`
	GroupCorrelationID string   `attr:"groupCorrelationId,null"`
	GroupOrdinal       *uint64  `attr:"groupOrdinal"`
}

func (c Connection) identity() (name, identity string) {
	return "connection/" + c.Host, strconv.FormatUint(c.ID, 10)
}

// Link is one AMQP link.
type Link struct {
	ID                     uint64
	LinkName               string   `attr:"linkName"`
	LinkType               string   `attr:"linkType"` // endpoint, router-control, inter-router, edge-downlink, inter-edge
	LinkDir                string   `attr:"linkDir"`  // in or out
	OwningAddr             string   `attr:"owningAddr,null"`
	Capacity               uint32   `attr:"capacity"`
	UndeliveredCount       uint64   `attr:"undeliveredCount"`
	UnsettledCount         uint64   `attr:"unsettledCount"`
	DeliveryCount          uint64   `attr:"deliveryCount"`
	ConnectionID           string   `attr:"connectionId"` // decimal
	AdminStatus            string   `attr:"adminStatus"`  // enabled
	OperStatus             string   `attr:"operStatus"`   // up, down, quiescing or idle
	PresettledCount        uint64   `attr:"presettledCount"`
	DroppedPresettledCount uint64   `attr:"droppedPresettledCount"`
	AcceptedCount          uint64   `attr:"acceptedCount"`
	RejectedCount          uint64   `attr:"rejectedCount"`
	ReleasedCount          uint64   `attr:"releasedCount"`
	ModifiedCount          uint64   `attr:"modifiedCount"`
	DeliveriesDelayed1Sec  uint64   `attr:"deliveriesDelayed1Sec"`
	DeliveriesDelayed10Sec uint64   `attr:"deliveriesDelayed10Sec"`
	DeliveriesStuck        uint64   `attr:"deliveriesStuck"`
	OpenMovedStreams       uint64   `attr:"openMovedStreams"`
	IngressHistogram       []uint64 `attr:"ingressHistogram,null"` // of normal outgoing links, by the index of a RouterNode
	Priority               uint32   `attr:"priority"`
	SettleRate             uint32   `attr:"settleRate"` // deliveries per second
	CreditAvailable        uint32   `attr:"creditAvailable"`
	ZeroCreditSeconds      uint32   `attr:"zeroCreditSeconds"`
}

func (l Link) identity() (name, identity string) { return l.LinkName, strconv.FormatUint(l.ID, 10) }

// Address is one address known to the router.
type Address struct {
	Key                             string   `attr:"key"`          // class letter and text, as Mdb
	Distribution                    string   `attr:"distribution"` // flood, multicast, closest, balanced or unavailable
	InProcess                       uint32   `attr:"inProcess"`
	SubscriberCount                 uint32   `attr:"subscriberCount"`
	RemoteCount                     uint32   `attr:"remoteCount"`
	ContainerCount                  uint32   `attr:"containerCount"`
	RemoteHostRouters               []string `attr:"remoteHostRouters"`
	DeliveriesIngress               uint64   `attr:"deliveriesIngress"`
	DeliveriesEgress                uint64   `attr:"deliveriesEgress"`
	DeliveriesTransit               uint64   `attr:"deliveriesTransit"`
	DeliveriesToContainer           uint64   `attr:"deliveriesToContainer"`
	DeliveriesFromContainer         uint64   `attr:"deliveriesFromContainer"`
	DeliveriesEgressRouteContainer  uint64   `attr:"deliveriesEgressRouteContainer"`
	DeliveriesIngressRouteContainer uint64   `attr:"deliveriesIngressRouteContainer"`
	DeliveriesEgressInterNetwork    uint64   `attr:"deliveriesEgressInterNetwork"`
	DeliveriesIngressInterNetwork   uint64   `attr:"deliveriesIngressInterNetwork"`
	DeliveriesRedirectedToFallback  uint64   `attr:"deliveriesRedirectedToFallback"`
	TransitOutstanding              []int64  `attr:"transitOutstanding,null"` // by the index of a RouterNode
	TrackedDeliveries               int64    `attr:"trackedDeliveries"`
	Priority                        int      `attr:"priority"` // -1: none
	Watch                           bool     `attr:"watch"`
}

func (a Address) identity() (name, identity string) { return a.Key, a.Key }

// RouterNode is one interior router of the network.
type RouterNode struct {
	ID              string   `attr:"id"`
	ProtocolVersion int      `attr:"protocolVersion"`
	Instance        int      `attr:"instance"`     // Unix seconds of its start
	LinkState       []string `attr:"linkState"`    // its neighbors
	NextHop         string   `attr:"nextHop,null"` // "(self)" for this router, "" for a neighbor
	ValidOrigins    []string `attr:"validOrigins"`
	Address         string   `attr:"address"` // amqp:/_topo/0/<id>
	RouterLink      *int     `attr:"routerLink"`
	Cost            *int     `attr:"cost"`
	LastTopoChange  *int     `attr:"lastTopoChange"` // Unix seconds
	Index           int      `attr:"index"`
}

func (n RouterNode) identity() (name, identity string) {
	id := "router.node/" + n.ID
	return id, id
}

// ConnectorStatus is the observed part of a connector.
type ConnectorStatus struct {
	ConnectionStatus string `attr:"connectionStatus"` // CONNECTING, SUCCESS, FAILED, …
	ConnectionMsg    string `attr:"connectionMsg"`
	FailoverURLs     string `attr:"failoverUrls"` // amqp://host:port[, …], the configured one first
}

// ListenerStatus is the observed part of a listener.
type ListenerStatus struct {
	OperStatus    string `attr:"operStatus"` // up while the socket listens, else down
	ConnectionMsg string `attr:"connectionMsg"`
}

// TCPListenerStatus is the observed part of a tcpListener.
type TCPListenerStatus struct {
	ConnectionsOpened int    `attr:"connectionsOpened"`
	ConnectionsClosed int    `attr:"connectionsClosed"`
	BytesIn           int    `attr:"bytesIn"`
	BytesOut          int    `attr:"bytesOut"`
	OperStatus        string `attr:"operStatus"` // up while the socket listens, else down
	ConnectionMsg     string `attr:"connectionMsg"`
}

// TCPConnectorStatus is the observed part of a tcpConnector.
type TCPConnectorStatus struct {
	ConnectionsOpened int    `attr:"connectionsOpened"`
	ConnectionsClosed int    `attr:"connectionsClosed"`
	ConnectionsFailed int    `attr:"connectionsFailed"`
	BytesIn           int    `attr:"bytesIn"`
	BytesOut          int    `attr:"bytesOut"`
	ConnectionMsg     string `attr:"connectionMsg"` // why the last connection could not be made
	LastError         string `attr:"lastError"`     // the same, kept when a later one could; with its time
}

// ListenerAddressStatus is the observed part of a listenerAddress.
type ListenerAddressStatus struct {
	ConnectionsOpened int `attr:"connectionsOpened"`
}

// AutoLinkStatus is the observed part of an auto-link.
type AutoLinkStatus struct {
	LinkRef    string `attr:"linkRef,null"` // identity of the link
	OperStatus string `attr:"operStatus"`   // inactive, attaching, failed, active, quiescing or idle
	LastError  string `attr:"lastError,null"`
}

// PolicyStatus is the observed part of the policy.
type PolicyStatus struct {
	ConnectionsProcessed int `attr:"connectionsProcessed"`
	ConnectionsDenied    int `attr:"connectionsDenied"`
	ConnectionsCurrent   int `attr:"connectionsCurrent"`
	LinksDenied          int `attr:"linksDenied"`
	MaxMessageSizeDenied int `attr:"maxMessageSizeDenied"`
	TotalDenials         int `attr:"totalDenials"`
}

// LogStats counts the lines of one log module.
type LogStats struct {
	Module        string
	DebugCount    int `attr:"debugCount"`
	InfoCount     int `attr:"infoCount"`
	WarningCount  int `attr:"warningCount"`
	ErrorCount    int `attr:"errorCount"`
	CriticalCount int `attr:"criticalCount"`
}

func (s LogStats) identity() (name, identity string) { return s.Module, "logStats/" + s.Module }

// Allocator is a pool of memory.
type Allocator struct {
	TypeName                   string `attr:"typeName"`
	TypeSize                   int    `attr:"typeSize"` // octets
	TransferBatchSize          int    `attr:"transferBatchSize"`
	LocalFreeListMax           int    `attr:"localFreeListMax"`
	GlobalFreeListMax          int    `attr:"globalFreeListMax"`
	TotalAllocFromHeap         int    `attr:"totalAllocFromHeap"`
	TotalFreeToHeap            int    `attr:"totalFreeToHeap"`
	HeldByThreads              int    `attr:"heldByThreads"`
	BatchesRebalancedToThreads int    `attr:"batchesRebalancedToThreads"`
	BatchesRebalancedToGlobal  int    `attr:"batchesRebalancedToGlobal"`
}

func (a Allocator) identity() (name, identity string) {
	id := "allocator/" + a.TypeName
	return id, id
}

// VhostStats is what the policy of one virtual host has done.
type VhostStats struct {
	Hostname             string         `attr:"hostname"`
	ConnectionsApproved  int            `attr:"connectionsApproved"`
	ConnectionsDenied    int            `attr:"connectionsDenied"`
	ConnectionsCurrent   int            `attr:"connectionsCurrent"`
	PerUserState         map[string]any `attr:"perUserState"` // user → []any of connections
	PerHostState         map[string]any `attr:"perHostState"` // remote host → []any of connections
	SessionDenied        int            `attr:"sessionDenied"`
	SenderDenied         int            `attr:"senderDenied"`
	ReceiverDenied       int            `attr:"receiverDenied"`
	MaxMessageSizeDenied int            `attr:"maxMessageSizeDenied"`
}

func (s VhostStats) identity() (name, identity string) {
	id := "vhostStats/" + s.Hostname
	return id, id
}

func (RouterStatus) row()          {}
func (Metrics) row()               {}
func (Connection) row()            {}
func (Link) row()                  {}
func (Address) row()               {}
func (RouterNode) row()            {}
func (ConnectorStatus) row()       {}
func (ListenerStatus) row()        {}
func (TCPListenerStatus) row()     {}
func (TCPConnectorStatus) row()    {}
func (ListenerAddressStatus) row() {}
func (AutoLinkStatus) row()        {}
func (PolicyStatus) row()          {}
func (LogStats) row()              {}
func (Allocator) row()             {}
func (VhostStats) row()            {}
