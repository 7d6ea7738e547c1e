package manage

import (
	"context"
	"time"

	"github.com/skupper-host/skupper/router/config"
)

// Store is the router as its management node sees it. Methods return values
// that nobody changes afterwards. They are called by Node.Handle, on its
// goroutine, and may not call the Node.
type Store interface {
	// Config returns the configuration in effect, with all that management
	// has changed.
	Config() *config.Config

	// Change puts in effect what edit makes of the configuration. An error of
	// edit comes back as it is and nothing changes. Another error is *Error,
	// if the client is to see a certain status code, or any that says what
	// has failed; then the configuration is as before.
	Change(edit func(*config.Config) (*config.Config, error)) error

	// Reload reads the files of an sslProfile again. It is called after every
	// UPDATE of one, because upstream's controllers say so that the files have
	// changed.
	Reload(sslProfile string) error

	// Statuses returns what is observed of configured entities, in their order:
	// a RouterStatus, ConnectorStatus, TCPListenerStatus, TCPConnectorStatus,
	// ListenerAddressStatus, AutoLinkStatus or PolicyStatus, as the type of an
	// entity demands; nil for all other types, or if there is nothing.
	Statuses(entities []config.Entity) []Row

	// Metrics returns the counters of the router.
	Metrics() Metrics

	// Connections returns the connections, by ascending ID.
	Connections() []Connection

	// Links returns the AMQP links, by ascending ID.
	Links() []Link

	// Addresses returns the known addresses, by ascending Key.
	Addresses() []Address

	// Nodes returns the interior routers of the network with this one first;
	// none if the router is standalone.
	Nodes() []RouterNode

	// RoundTrips returns how long the hosts of the neighbors take to answer, by
	// the ids of their routers. Those that are not known are left out.
	RoundTrips() map[string]time.Duration

	// Losses returns which connections would end by changes of the configuration,
	// or with the router if there are none, by Change, Type and Name.
	Losses(changes []Change) []Loss

	// Probe connects to the server of a tcpConnector once and returns how long
	// that took. It is ErrNoConnector if there is none of that name.
	Probe(ctx context.Context, connector string) (time.Duration, error)

	// LogStats returns the counters of each log module.
	LogStats() []LogStats

	// Allocators returns the memory pools worth showing.
	Allocators() []Allocator

	// VhostStats returns what the policy of each virtual host has done.
	VhostStats() []VhostStats

	// RecentLog returns the newest lines of the log, the oldest of them first;
	// limit is their greatest number, negative for all that are kept.
	RecentLog(limit int) []LogLine

	// SetConnection changes what can be changed of a connection. An *Error
	// with StatusForbidden says that the caller may not.
	SetConnection(caller Caller, id uint64, change ConnectionChange) error
}

// Caller is who sends a request.
type Caller struct {
	// Connection is the ID of the connection on which the request entered
	// this router; 0 for a request from inside.
	Connection uint64
}

// ConnectionChange is the change of a connection. A nil pointer leaves what it
// is about.
type ConnectionChange struct {
	Close bool
	Trace *bool // log the frames
}

// LogLine is one line of the log.
type LogLine struct {
	Module string
	Level  string // debug, info, warning, error or critical
	Text   string
	File   string // place in the source, "" if not known
	Line   int
	Time   int64 // Unix seconds
}
