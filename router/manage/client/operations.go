package client

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

// Ref names one entity. Name or Identity must be given; Type, short or full,
// should be.
type Ref struct {
	Type     string
	Name     string
	Identity string
}

func (r Ref) properties(operation string) amqp.Map {
	m := amqp.Map{{Key: "operation", Value: operation}}
	for _, p := range []amqp.Pair{{Key: "type", Value: r.Type}, {Key: "name", Value: r.Name}, {Key: "identity", Value: r.Identity}} {
		if p.Value != "" {
			m = append(m, p)
		}
	}
	return m
}

// String returns the type and the name or identity.
func (r Ref) String() string {
	name := r.Name
	if name == "" {
		name = r.Identity
	}
	if r.Type == "" {
		return name
	}
	return r.Type + " " + name
}

// Error is a refusal by the management node.
type Error struct {
	Operation   string
	Object      string // what the request was about, may be ""
	Status      int    // as in HTTP: 400, 403, 404, 500, 501
	Description string
}

// Error returns all of it.
func (e *Error) Error() string {
	if e.Object == "" {
		return fmt.Sprintf("%s: %s (%d)", e.Operation, e.Description, e.Status)
	}
	return fmt.Sprintf("%s %s: %s (%d)", e.Operation, e.Object, e.Description, e.Status)
}

// pageSize is how many rows of a query are asked for at a time: large sites take
// few round trips, and an answer stays far below maxReply.
const pageSize = 2000

// Query returns the entities of a type, short or full; all of them if it is
// "". attributes says which attributes are wanted, none all. A refusal is an
// *Error.
func (c *Client) Query(ctx context.Context, typ string, attributes ...string) ([]Entity, error) {
	names := make(amqp.List, len(attributes))
	for i, a := range attributes {
		names[i] = a
	}
	body := amqp.Map{{Key: "attributeNames", Value: names}}
	var all []Entity
	var previous []Entity
	for {
		properties := Ref{Type: "org.amqp.management", Name: "self"}.properties("QUERY")
		if typ != "" {
			properties = append(properties, amqp.Pair{Key: "entityType", Value: typ})
		}
		properties = append(properties, amqp.Pair{Key: "count", Value: int64(pageSize)}, amqp.Pair{Key: "offset", Value: int64(len(all))})
		reply, err := c.perform(ctx, "QUERY", typ, properties, body)
		if err != nil {
			return nil, err
		}
		page, err := table(reply)
		if err != nil {
			return nil, fmt.Errorf("QUERY %s: %w", typ, err)
		}
		// compat: for some types upstream sends all rows again and again.
		if len(previous) > 0 && reflect.DeepEqual(previous, page) {
			return all, nil
		}
		all = append(all, page...)
		if len(page) != pageSize {
			return all, nil
		}
		previous = page
	}
}

// operationDigest is an operation of our routers alone.
const operationDigest = "GET-DIGEST"

// Digest returns a number that stays the same as long as none of some attributes
// of some types changes. Routers other than ours refuse with an *Error.
func (c *Client) Digest(ctx context.Context, attributes map[string][]string) (uint64, error) {
	var body amqp.Map
	for _, typ := range slices.Sorted(maps.Keys(attributes)) {
		names := make(amqp.List, len(attributes[typ]))
		for i, a := range attributes[typ] {
			names[i] = a
		}
		body = append(body, amqp.Pair{Key: typ, Value: names})
	}
	properties := Ref{Type: "org.amqp.management", Name: "self"}.properties(operationDigest)
	reply, err := c.perform(ctx, operationDigest, "", properties, body)
	if err != nil {
		return 0, err
	}
	m, _ := reply.(amqp.Map)
	digest, ok := m.Get("digest").(uint64)
	if !ok {
		return 0, fmt.Errorf("%s: the answer is no number", operationDigest)
	}
	return digest, nil
}

// operationRoundTrips is another operation of our routers alone.
const operationRoundTrips = "GET-ROUND-TRIPS"

// RoundTrips returns how long the hosts of the router's neighbors take to answer,
// by the ids of their routers. Routers other than ours refuse with an *Error.
func (c *Client) RoundTrips(ctx context.Context) (map[string]time.Duration, error) {
	properties := Ref{Type: "org.amqp.management", Name: "self"}.properties(operationRoundTrips)
	reply, err := c.perform(ctx, operationRoundTrips, "", properties, amqp.Map{})
	if err != nil {
		return nil, err
	}
	m, ok := reply.(amqp.Map)
	if !ok {
		return nil, fmt.Errorf("%s: the answer is no map", operationRoundTrips)
	}
	trips := map[string]time.Duration{}
	for _, p := range m {
		id, named := p.Key.(string)
		if us, ok := p.Value.(int64); ok && named {
			trips[id] = time.Duration(us) * time.Microsecond
		}
	}
	return trips, nil
}

// operationLosses is another operation of our routers alone.
const operationLosses = "GET-LOSSES"

// Change is a change of an entity that is thought of.
type Change struct {
	Type, Name string
	Attributes []string // that change; none: it goes
}

// Loss is how many TCP connections would end.
type Loss struct {
	Change      int    // that would end them: its position; 0 if the router ends
	Type, Name  string // of the tcpListener or tcpConnector; empty if they pass through the router
	Connections int
}

// Losses returns which connections would end by changes of the configuration,
// each counted once; with the router if there are none. Routers other than ours
// refuse with an *Error.
func (c *Client) Losses(ctx context.Context, changes []Change) ([]Loss, error) {
	body := make(amqp.List, 0, len(changes))
	for _, change := range changes {
		names := make(amqp.List, len(change.Attributes))
		for i, a := range change.Attributes {
			names[i] = a
		}
		body = append(body, amqp.Map{{Key: "type", Value: change.Type}, {Key: "name", Value: change.Name}, {Key: "attributes", Value: names}})
	}
	reply, err := c.perform(ctx, operationLosses, "", Ref{Type: "org.amqp.management", Name: "self"}.properties(operationLosses), body)
	if err != nil {
		return nil, err
	}
	rows, ok := reply.(amqp.List)
	if !ok {
		return nil, fmt.Errorf("%s: the answer is no list", operationLosses)
	}
	losses := make([]Loss, 0, len(rows))
	for _, row := range rows {
		m, _ := row.(amqp.Map)
		change, ok := m.Get("change").(int64)
		n, ok2 := m.Get("connections").(int64)
		if !ok || !ok2 || change < 0 || change >= int64(max(1, len(changes))) {
			return nil, fmt.Errorf("%s: the answer is about no such change", operationLosses)
		}
		l := Loss{Change: int(change), Connections: int(n)}
		l.Type, _ = m.Get("type").(string)
		l.Name, _ = m.Get("name").(string)
		losses = append(losses, l)
	}
	return losses, nil
}

// operationProbe is another operation of our routers alone.
const operationProbe = "PROBE"

// ProbeError says why a router cannot connect to a server.
type ProbeError struct{ Reason string }

// Error returns the reason.
func (e *ProbeError) Error() string { return e.Reason }

// Probe asks the router to connect to the server of a tcpConnector once, TLS
// included, and returns how long that took. A server that cannot be reached is a
// *ProbeError; routers other than ours refuse with an *Error.
func (c *Client) Probe(ctx context.Context, connector string) (time.Duration, error) {
	properties := Ref{Type: "org.amqp.management", Name: "self"}.properties(operationProbe)
	properties = append(properties, amqp.Pair{Key: "connector", Value: connector})
	reply, err := c.perform(ctx, operationProbe, connector, properties, amqp.Map{})
	if err != nil {
		return 0, err
	}
	m, _ := reply.(amqp.Map)
	us, ok := m.Get("microseconds").(int64)
	if !ok {
		return 0, fmt.Errorf("%s: the answer does not say how long it took", operationProbe)
	}
	took := time.Duration(us) * time.Microsecond
	if reason, failed := m.Get("error").(string); failed {
		return took, &ProbeError{Reason: reason}
	}
	return took, nil
}

// table makes entities of the answer to a query.
func table(body any) ([]Entity, error) {
	m, _ := body.(amqp.Map)
	names, ok := fromAMQP(m.Get("attributeNames")).([]any)
	rows, ok2 := m.Get("results").(amqp.List)
	if !ok || !ok2 {
		return nil, fmt.Errorf("the answer is not a table")
	}
	out := make([]Entity, 0, len(rows))
	for _, row := range rows {
		cells, ok := row.(amqp.List)
		if !ok || len(cells) != len(names) {
			return nil, fmt.Errorf("a row of the answer does not fit its columns")
		}
		e := make(Entity, len(names))
		for i, name := range names {
			e[fmt.Sprint(name)] = fromAMQP(cells[i])
		}
		out = append(out, e)
	}
	return out, nil
}

// Read returns one entity. A refusal is an *Error, with Status 404 if there is
// no such entity.
func (c *Client) Read(ctx context.Context, ref Ref) (Entity, error) {
	return c.entity(ctx, "READ", ref, nil)
}

// Create makes an entity and returns it as it has become. A refusal is an
// *Error.
func (c *Client) Create(ctx context.Context, typ, name string, attributes map[string]any) (Entity, error) {
	return c.entity(ctx, "CREATE", Ref{Type: typ, Name: name}, attributes)
}

// Update changes attributes of an entity and returns it as it has become. A
// refusal is an *Error.
func (c *Client) Update(ctx context.Context, ref Ref, attributes map[string]any) (Entity, error) {
	return c.entity(ctx, "UPDATE", ref, attributes)
}

// Delete removes an entity. A refusal is an *Error, with Status 404 if there is
// no such entity.
func (c *Client) Delete(ctx context.Context, ref Ref) error {
	_, err := c.perform(ctx, "DELETE", ref.String(), ref.properties("DELETE"), amqp.Map{})
	return err
}

// Call performs any operation on an entity, the node itself if ref is empty,
// and returns the body of the answer as an Entity has values.
func (c *Client) Call(ctx context.Context, operation string, ref Ref, properties map[string]any) (any, error) {
	m := ref.properties(operation)
	for k, v := range properties {
		converted, err := toAMQP(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", operation, k, err)
		}
		m = append(m, amqp.Pair{Key: k, Value: converted})
	}
	body, err := c.perform(ctx, operation, ref.String(), m, amqp.Map{})
	return fromAMQP(body), err
}

// entity performs an operation that is answered with an entity.
func (c *Client) entity(ctx context.Context, operation string, ref Ref, attrs map[string]any) (Entity, error) {
	body, err := toMap(attrs)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", operation, ref, err)
	}
	reply, err := c.perform(ctx, operation, ref.String(), ref.properties(operation), body)
	if err != nil {
		return nil, err
	}
	m, ok := reply.(amqp.Map)
	if !ok {
		return nil, fmt.Errorf("%s %s: the answer is not a map", operation, ref)
	}
	return attributes(m), nil
}

// perform sends a request and returns the body of the answer to it, or the
// refusal.
func (c *Client) perform(ctx context.Context, operation, object string, properties amqp.Map, body any) (any, error) {
	reply, err := c.call(ctx, properties, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", operation, object, err)
	}
	status, _ := fromAMQP(reply.ApplicationProperties.Get("statusCode")).(int64)
	if status/100 != 2 {
		text, _ := reply.ApplicationProperties.Get("statusDescription").(string)
		return nil, &Error{Operation: operation, Object: object, Status: int(status), Description: text}
	}
	return reply.Value, nil
}
