package system

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Asker asks a running router for its entities.
type Asker interface {
	// Query returns the entities of a type, one map each. node is the address
	// of the management node to ask, "" for that of the router at the other end
	// of the connection.
	Query(ctx context.Context, node, entityType string) ([]map[string]any, error)
	Close() error
}

// Types of entities, as routers name them.
const (
	typeRouter     = "io.skupper.router.router"
	typeNode       = "io.skupper.router.router.node"
	typeConnection = "io.skupper.router.connection"
	typeConnector  = "io.skupper.router.connector"
	typeListener   = "io.skupper.router.listener"
	typeTCPIn      = "io.skupper.router.tcpListener"
	typeTCPOut     = "io.skupper.router.tcpConnector"
	typeKey        = "io.skupper.router.listenerAddress"
	typeAddress    = "io.skupper.router.router.address"
)

// live is what a running router says of itself at one moment. Maps are by
// entity name.
type live struct {
	id, mode, version string
	metadata          string

	links     map[string]row // connectors to other routers
	listeners map[string]row // for other routers and local tools
	accepts   map[string]row // tcpListeners
	opens     map[string]row // tcpConnectors
	keys      map[string]row // listenerAddresses

	connections []row
	nodes       []row
	reach       map[string]int64 // consumers of each mobile address, here and elsewhere
}

// row is one entity.
type row map[string]any

// text returns an attribute as text, "" where it is absent.
func (r row) text(name string) string {
	switch v := r[name].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// number returns an attribute as a whole number, 0 where it is none.
func (r row) number(name string) int64 {
	switch v := r[name].(type) {
	case int64:
		return v
	case uint64:
		return int64(min(v, 1<<63-1))
	case int32:
		return int64(v)
	case uint32:
		return int64(v)
	case int:
		return int64(v)
	}
	return 0
}

// ask reads everything that status needs. It fails as a whole: half an answer
// would be half a truth.
func ask(ctx context.Context, a Asker) (*live, error) {
	l := &live{reach: map[string]int64{}}
	routers, err := a.Query(ctx, "", typeRouter)
	if err != nil {
		return nil, err
	}
	if len(routers) != 1 {
		return nil, fmt.Errorf("router: %d entities of type router", len(routers))
	}
	self := row(routers[0])
	l.id, l.mode, l.version, l.metadata = self.text("id"), self.text("mode"), self.text("version"), self.text("metadata")
	var errs []error
	named := func(typ string) map[string]row {
		list, err := a.Query(ctx, "", typ)
		errs = append(errs, err)
		m := make(map[string]row, len(list))
		for _, r := range list {
			m[row(r).text("name")] = r
		}
		return m
	}
	l.links, l.listeners = named(typeConnector), named(typeListener)
	l.accepts, l.opens, l.keys = named(typeTCPIn), named(typeTCPOut), named(typeKey)
	l.connections, err = queryRows(ctx, a, typeConnection)
	errs = append(errs, err)
	l.nodes, err = queryRows(ctx, a, typeNode)
	errs = append(errs, err)
	addresses, err := queryRows(ctx, a, typeAddress)
	errs = append(errs, err)
	for _, r := range addresses {
		if key, ok := strings.CutPrefix(r.text("key"), "M"); ok {
			l.reach[key] += r.number("subscriberCount") + r.number("remoteCount") + r.number("inProcess")
		}
	}
	return l, errors.Join(errs...)
}

func queryRows(ctx context.Context, a Asker, typ string) ([]row, error) {
	list, err := a.Query(ctx, "", typ)
	rows := make([]row, 0, len(list))
	for _, r := range list {
		rows = append(rows, r)
	}
	return rows, err
}

// active counts open connections by entity, for the plan.
func (l *live) active() map[string]int64 {
	m := map[string]int64{}
	for name, r := range l.accepts {
		m["tcpListener/"+name] = r.number("connectionsOpened") - r.number("connectionsClosed")
	}
	for name, r := range l.opens {
		m["tcpConnector/"+name] = r.number("connectionsOpened") - r.number("connectionsClosed")
	}
	return m
}

// siteOf is the name of the site that a router serves. Routers are named
// "<site>-<suffix>": ours with eight hexadecimal digits, upstream's on hosts
// with seconds and nanoseconds, on clusters "<site>-skupper-router-…".
func siteOf(routerID string) string {
	if name, _, ok := strings.Cut(routerID, "-skupper-router-"); ok {
		return name
	}
	parts := strings.Split(routerID, "-")
	n := len(parts)
	switch {
	case n >= 3 && digits(parts[n-1]) && digits(parts[n-2]):
		return strings.Join(parts[:n-2], "-")
	case n >= 2 && len(parts[n-1]) == 8:
		return strings.Join(parts[:n-1], "-")
	}
	return routerID
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
