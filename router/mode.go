package router

import "github.com/skupper-host/skupper/router/amqp"

// Capabilities of connections and termini (compat: skupper-router 3.x).
const (
	capAnonymousRelay amqp.Symbol = "ANONYMOUS-RELAY"
	capStreaming      amqp.Symbol = "qd.streaming-links"
	capTrunking       amqp.Symbol = "qd.connection_trunking"

	capControl  amqp.Symbol = "qd.router"
	capData     amqp.Symbol = "qd.router-data"
	capDownlink amqp.Symbol = "qd.router-edge-downlink"

	// of a target: its deliveries go on before they are complete; one that is
	// released goes to another destination.
	capStreamingDeliveries amqp.Symbol = "qd.streaming-deliveries"
	capResendReleased      amqp.Symbol = "qd.resend-released"

	capInterEdge amqp.Symbol = "qd.router-inter-edge"

	// capUnread is offered by routers of this kind: bytes that lie unread on a
	// connection never close it (skupper-router with Proton 0.41 does at 4 MiB).
	capUnread amqp.Symbol = "skupper-host:unread"

	// capPrompt is offered by routers of this kind: HELLO comes twice as often,
	// and half of the usual silence ends a neighbor, if the other end offers it
	// too.
	capPrompt amqp.Symbol = "skupper-host:prompt-hello"
)

// Properties of Open between routers, those that package trunk does not set
// (compat: skupper-router 3.x).
const (
	propProduct     amqp.Symbol = "product"
	propVersion     amqp.Symbol = "version"
	propConnID      amqp.Symbol = "qd.conn-id"
	propCost        amqp.Symbol = "qd.inter-router-cost"
	propAccessID    amqp.Symbol = "qd.access-id"
	propAnnotations amqp.Symbol = "qd.annotations-version"
	propFailover    amqp.Symbol = "failover-server-list"
)

// priorities is the number of pairs of data links on an inter-router
// connection; defaultPriority is that of a message that does not say.
const (
	priorities      = 10
	defaultPriority = 4
)

// routerCredit is the window of links between routers, in deliveries.
const routerCredit = 250

// Addresses that an edge router and its interior router use between them, and
// edge routers among each other (compat: skupper-router 3.x).
const (
	addrTracking = "_$qd.edge_addr_tracking"
	addrMesh     = "_$qd.mesh_discovery"
	addrMeshBids = "_$qd.mesh_id_negotiation"
)

const (
	trackingCredit = 32
	meshCredit     = 3
)

// Refusals of links (compat: skupper-router 3.x conditions and texts).
var (
	errConnectionRole = amqp.Error{Condition: "qd:connection-role", Description: "Link attach forbidden on inter-router connection"}
	errForbidden      = amqp.Error{Condition: "qd:forbidden", Description: "Connection is not an inter-router connection"}
	errUnavailable    = amqp.Error{Condition: amqp.ErrNotFound, Description: "Node not found"}
	errDeleted        = amqp.Error{Condition: amqp.ErrConnectionForced, Description: "connection aborted: its listener is deleted"}
	errNoRoute        = amqp.Error{Condition: "qd:no-route-to-dest", Description: "No route to the destination node"}
)

// refusal returns a copy of one of the errors above.
func refusal(e amqp.Error) *amqp.Error { return &e }
