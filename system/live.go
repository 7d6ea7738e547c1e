package system

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/manage/client"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/state"
)

// Asker asks a running router for its entities. Its methods may be called at
// the same time.
type Asker interface {
	// Query returns the entities of a type, one map each. node is the address
	// of the management node to ask, "" for that of the router at the other end
	// of the connection. attributes are those that are wanted, none all.
	Query(ctx context.Context, node, entityType string, attributes ...string) ([]map[string]any, error)
	// Read returns one entity of that router, by its name; nil if there is none.
	Read(ctx context.Context, entityType, name string) (map[string]any, error)
	Close() error
}

// digester is an Asker that can say whether anything has changed.
type digester interface {
	// Digest returns a number that stays the same as long as none of the
	// attributes changes, by type; 0 if the router knows of no such thing.
	Digest(ctx context.Context, attributes map[string][]string) (uint64, error)
}

// timer is an Asker that can say how far away the neighbors of a router are.
type timer interface {
	// RoundTrips returns how long their hosts take to answer, by router id.
	RoundTrips(ctx context.Context) (map[string]time.Duration, error)
}

// foreteller is an Asker that can say which connections would end. A router that
// knows of no such thing refuses with a *client.Error.
type foreteller interface {
	// Losses returns which connections changes would end, or the end of the router if
	// there are none.
	Losses(ctx context.Context, changes []client.Change) ([]client.Loss, error)
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
	typeSite       = "io.skupper.router.site"
)

// live is what a running router says of itself at one moment. Maps are by
// entity name.
type live struct {
	id, mode, version string // empty in an answer about a few entities
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

// alone reports whether the router knows of no other.
func (l *live) alone() bool {
	return len(l.nodes) <= 1 && len(l.links) == 0 && len(l.callers()) == 0
}

// settled reports whether every listener for clients listens, so that it does
// not matter who else on the machine might.
func (l *live) settled() bool {
	for _, r := range l.accepts {
		if r.text("operStatus") != "up" {
			return false
		}
	}
	return true
}

// opened is how many connections a listener has accepted.
func (r row) opened() int64 { return r.number("connectionsOpened") }

// servers is how many connections a connector has opened to its server: routers
// count the one over which it gets its streams as well (compat: skupper-router
// 3.x).
func (r row) servers() int64 { return max(0, r.number("connectionsOpened")-1) }

// attributesOf are the attributes that are asked for of each type: a large site
// has thousands of entities, and most of what they have is known.
func attributesOf(typ string) []string {
	switch typ {
	case typeRouter:
		return []string{"name", "id", "mode", "version", "metadata"}
	case typeConnector:
		return []string{"name", "role", "host", "port", "cost", "connectionStatus", "connectionMsg"}
	case typeListener:
		return []string{"name", "operStatus", "connectionMsg"}
	case typeTCPIn:
		return []string{"name", "address", "host", "port", "sslProfile", "operStatus", "connectionMsg", "connectionsOpened", "connectionsClosed", "bytesIn", "bytesOut"}
	case typeTCPOut:
		return []string{"name", "address", "host", "port", "sslProfile", "connectionMsg", "lastError", "connectionsOpened", "connectionsClosed", "connectionsFailed", "bytesIn", "bytesOut"}
	case typeKey:
		return []string{"name", "address", "listener"}
	case typeConnection:
		return []string{"name", "dir", "role", "host", "container", "uptimeSeconds"}
	case typeNode:
		return []string{"name", "id", "cost", "nextHop"}
	case typeSite:
		return []string{"name", "namespace"}
	case typeAddress:
		return []string{"key", "name", "subscriberCount", "remoteCount", "inProcess"}
	}
	return nil
}

// telling are the attributes on which the status of an object depends, by type.
// Others of attributesOf are shown beside it, and always move.
var telling = sync.OnceValue(func() map[string][]string {
	moving := []string{"connectionsOpened", "connectionsClosed", "connectionsFailed", "bytesIn", "bytesOut", "uptimeSeconds"}
	m := map[string][]string{}
	for _, typ := range []string{typeConnector, typeListener, typeTCPIn, typeTCPOut, typeKey, typeConnection, typeNode, typeAddress, typeRouter} {
		m[typ] = slices.DeleteFunc(attributesOf(typ), func(name string) bool { return slices.Contains(moving, name) })
	}
	return m
})

// ask reads everything that status needs, all types at the same time. It fails
// as a whole: half an answer would be half a truth.
func ask(ctx context.Context, a Asker) (*live, error) {
	l := &live{reach: map[string]int64{}}
	var addresses []row
	lists := []struct {
		typ  string
		rows *[]row
		into *map[string]row
	}{
		{typ: typeConnector, into: &l.links},
		{typ: typeListener, into: &l.listeners},
		{typ: typeTCPIn, into: &l.accepts},
		{typ: typeTCPOut, into: &l.opens},
		{typ: typeKey, into: &l.keys},
		{typ: typeConnection, rows: &l.connections},
		{typ: typeNode, rows: &l.nodes},
		{typ: typeAddress, rows: &addresses},
		{typ: typeRouter},
	}
	errs := make([]error, len(lists))
	var asked sync.WaitGroup
	for i, q := range lists {
		asked.Go(func() {
			list, err := a.Query(ctx, "", q.typ, attributesOf(q.typ)...)
			switch {
			case err != nil:
				errs[i] = err
			case q.rows != nil:
				*q.rows = rowsOf(list)
			case q.into != nil:
				*q.into = byName(list)
			default:
				errs[i] = l.introduce(list)
			}
		})
	}
	asked.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	for _, r := range addresses {
		if key, ok := strings.CutPrefix(r.text("key"), "M"); ok {
			l.reach[key] += consumers(r)
		}
	}
	return l, nil
}

// introduce takes what the router says of itself.
func (l *live) introduce(routers []map[string]any) error {
	if len(routers) != 1 {
		return fmt.Errorf("router: %d entities of type router", len(routers))
	}
	self := row(routers[0])
	l.id, l.mode, l.version, l.metadata = self.text("id"), self.text("mode"), self.text("version"), self.text("metadata")
	return nil
}

// consumers is how many take what is sent to an address, here and elsewhere.
func consumers(address row) int64 {
	return address.number("subscriberCount") + address.number("remoteCount") + address.number("inProcess")
}

func rowsOf(list []map[string]any) []row {
	rows := make([]row, 0, len(list))
	for _, r := range list {
		rows = append(rows, r)
	}
	return rows
}

func byName(list []map[string]any) map[string]row {
	m := make(map[string]row, len(list))
	for _, r := range list {
		m[row(r).text("name")] = r
	}
	return m
}

// askFew reads of the router only what the status of a few listeners and
// connectors needs.
func askFew(ctx context.Context, a Asker, objects *resource.Set) (*live, error) {
	l := &live{reach: map[string]int64{}, accepts: map[string]row{}, opens: map[string]row{}}
	read := func(typ, name string) (row, error) { return a.Read(ctx, typ, name) }
	var err error
	reach := func(keys ...string) {
		for _, key := range keys {
			address, failure := read(typeAddress, "M"+key)
			l.reach[key], err = consumers(address), errors.Join(err, failure)
		}
	}
	into := func(m map[string]row, typ, name string) {
		entity, failure := read(typ, name)
		if entity != nil {
			m[name] = entity
		}
		err = errors.Join(err, failure)
	}
	for o := range objects.All() {
		switch o := o.(type) {
		case *resource.Listener:
			into(l.accepts, typeTCPIn, "listener/"+o.Name)
			reach(o.Spec.RoutingKey)
		case *resource.MultiKeyListener:
			into(l.accepts, typeTCPIn, "multiAddress/"+o.Name)
			reach(routingKeys(o)...)
		case *resource.Connector:
			into(l.opens, typeTCPOut, connectorEntity(o))
		}
	}
	return l, err
}

// routingKeys lists the routing keys of a multi-key listener.
func routingKeys(o *resource.MultiKeyListener) []string {
	var keys []string
	if s := o.Spec.Strategy.Priority; s != nil {
		keys = append(keys, s.RoutingKeys...)
	}
	if s := o.Spec.Strategy.Weighted; s != nil {
		keys = slices.AppendSeq(keys, maps.Keys(s.RoutingKeys))
	}
	return keys
}

// connectorEntity is the name of the tcpConnector of a connector.
func connectorEntity(c *resource.Connector) string {
	return fmt.Sprintf("connector/%s@%s", c.Name, c.Spec.Host)
}

// readFew is up to how many entities are read one by one; more are cheaper as a
// table.
const readFew = 16

// entityTypes are the types of a configuration that are asked after, by the
// names that configurations have for them.
func entityTypes() map[string]string {
	return map[string]string{
		"tcpListener": typeTCPIn, "tcpConnector": typeTCPOut, "connector": typeConnector, "listener": typeListener, "listenerAddress": typeKey,
	}
}

// find looks for entities of a configuration in the router. Those that are
// missing are not in the result, nor are those of types that nobody asks after.
func find(ctx context.Context, a Asker, wanted []state.Entity, attributes ...string) (map[string]row, error) {
	types := entityTypes()
	byType := map[string][]state.Entity{}
	for _, e := range wanted {
		if types[e.Type] != "" {
			byType[e.Type] = append(byType[e.Type], e)
		}
	}
	found := map[string]row{}
	for typ, list := range byType {
		if len(list) > readFew {
			all, err := a.Query(ctx, "", types[typ], append(attributes, "name")...)
			if err != nil {
				return nil, err
			}
			there := byName(all)
			for _, e := range list {
				if r := there[e.Name]; r != nil {
					found[e.Key()] = r
				}
			}
			continue
		}
		for _, e := range list {
			r, err := a.Read(ctx, types[typ], e.Name)
			if err != nil {
				return nil, err
			}
			if r != nil {
				found[e.Key()] = r
			}
		}
	}
	return found, nil
}

// lacking is the error about the first entity that the router does not have, or
// has with another place or address.
func lacking(ctx context.Context, a Asker, wanted []state.Entity) error {
	types := entityTypes()
	found, err := find(ctx, a, wanted) // tables of many have names alone
	if err != nil {
		return err
	}
	for _, e := range wanted {
		r := found[e.Key()]
		if types[e.Type] != "" && r == nil {
			return fmt.Errorf("it does not have %s %s", e.Type, e.Name)
		}
		for _, name := range []string{"host", "port", "address"} {
			if is, ok := r[name]; ok && e.Attrs[name] != "" && fmt.Sprint(is) != e.Attrs[name] {
				return fmt.Errorf("it has %s %s with the %s of before", e.Type, e.Name, name)
			}
		}
	}
	if len(found) == 0 { // nothing was asked: it must answer all the same
		_, err = a.Query(ctx, "", typeRouter, attributesOf(typeRouter)...)
	}
	return err
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
