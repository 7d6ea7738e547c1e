package manage

import (
	"context"
	"fmt"
	"strings"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
)

// Node is the management node of a router.
type Node struct {
	store  Store
	schema amqp.Map // answer to GET-SCHEMA, nil until it is asked for
	dummy  dummies
}

// New returns the node of the router behind store.
func New(store Store) *Node { return &Node{store: store} }

// Result is what became of a request.
type Result struct {
	// Reply is the message for the client, to be sent to its To address; nil
	// if the request names no address for a reply. Such a request is not
	// performed.
	Reply *amqp.Message

	// Operation, Type and Entity are what was asked for, as the request says
	// it. Description says why, if Status is not a success.
	Operation, Type, Entity string
	Status                  int
	Description             string
}

// OK reports whether the request was performed.
func (r *Result) OK() bool { return r.Status/100 == 2 }

// Handle performs one request. ctx bounds how long the servers of an
// OperationProbe may take; requests of that operation may be handled at the same
// time as others.
func (n *Node) Handle(ctx context.Context, msg *amqp.Message, caller Caller) Result {
	if msg.Properties == nil || msg.Properties.ReplyTo == "" {
		return Result{}
	}
	q := request{msg: msg, caller: caller}
	r := Result{Operation: q.text("operation"), Type: q.text("type"), Entity: q.text("name")}
	if r.Type == "" {
		r.Type = q.text("entityType")
	}
	if r.Entity == "" {
		r.Entity = q.text("identity")
	}
	status, body, err := n.perform(ctx, &q)
	r.Status, r.Description = status, statusText(status)
	if err != nil {
		refused := refusal(err)
		r.Status, r.Description, body = refused.Status, refused.Description, amqp.Map{}
	}
	r.Reply = &amqp.Message{
		Header:     &amqp.Header{},
		Properties: &amqp.Properties{To: msg.Properties.ReplyTo, CorrelationID: msg.Properties.CorrelationID},
		ApplicationProperties: amqp.Map{
			{Key: "statusCode", Value: int32(r.Status)},
			{Key: "statusDescription", Value: r.Description},
		},
		Kind:  amqp.BodyValue,
		Value: body,
	}
	return r
}

// request is one request.
type request struct {
	msg    *amqp.Message
	caller Caller
}

// property returns an application property, nil if it is not there.
func (q *request) property(name string) any { return q.msg.ApplicationProperties.Get(name) }

// text returns an application property that is text, else "".
func (q *request) text(name string) string {
	switch s := q.property(name).(type) {
	case string:
		return s
	case amqp.Symbol:
		return string(s)
	}
	return ""
}

// number returns an application property that is a whole number, otherwise if
// it is not there.
func (q *request) number(name string, otherwise int64) (int64, error) {
	v := q.property(name)
	if v == nil {
		return otherwise, nil
	}
	if n, ok := whole(v); ok {
		return n, nil
	}
	if s, ok := v.(string); ok {
		var n int64
		if _, err := fmt.Sscanf(s, "%d", &n); err == nil {
			return n, nil
		}
	}
	return 0, badRequest("%s must be a whole number", name)
}

// attributes returns the map that is the body.
func (q *request) attributes() (amqp.Map, error) {
	switch body := q.msg.Value.(type) {
	case nil:
		return nil, nil
	case amqp.Map:
		return body, nil
	case amqp.List:
		if len(body) == 0 {
			return nil, nil // compat: Python clients send an empty list for nothing
		}
	}
	return nil, badRequest("Body of request must be a map")
}

// typed returns the entity type that a property names, nil if it is not there.
func (q *request) typed(property string) (*config.Type, error) {
	name := q.text(property)
	if name == "" {
		return nil, nil
	}
	t, ok := config.Lookup(name)
	if !ok {
		return nil, badRequest("No such entity type '%s'", name)
	}
	return t, nil
}

// operation is one that the management node performs on itself.
type operation func(n *Node, q *request) (body any, err error)

// nodeOperation returns the operation of that name, nil if there is none.
func nodeOperation(name string) operation {
	switch name {
	case "QUERY":
		return (*Node).query
	case "GET-TYPES":
		return (*Node).getTypes
	case "GET-ATTRIBUTES":
		return (*Node).getAttributes
	case "GET-OPERATIONS":
		return (*Node).getOperations
	case "GET-ANNOTATIONS":
		return func(*Node, *request) (any, error) { return amqp.Map{}, nil }
	case "GET-MGMT-NODES":
		return (*Node).getNodes
	case "GET-SCHEMA":
		return (*Node).getSchema
	case "GET-JSON-SCHEMA":
		return (*Node).getJSONSchema
	case "GET-LOG":
		return (*Node).getLog
	}
	return nil
}

// perform finds the object of the request and performs the operation.
func (n *Node) perform(ctx context.Context, q *request) (status int, body any, err error) {
	name := q.text("operation")
	if name == "" {
		return 0, nil, badRequest("No 'operation' property")
	}
	name = strings.ToUpper(name)
	if name == "CREATE" {
		body, err := n.create(q)
		return StatusCreated, body, err
	}
	if name == "QUERY" && q.queriesByType() {
		body, err := n.query(q)
		return StatusOK, body, err
	}
	switch name {
	case OperationDigest:
		body, err := n.digest(q)
		return StatusOK, body, err
	case OperationRoundTrips:
		return StatusOK, n.roundTrips(), nil
	case OperationLosses:
		body, err := n.losses(q)
		return StatusOK, body, err
	case OperationProbe:
		body, err := n.probe(ctx, q)
		return StatusOK, body, err
	}
	e, err := n.object(q)
	if err != nil {
		return 0, nil, err
	}
	// compat: the schema of upstream says nothing of the UPDATE of connections.
	if !e.typ.Allows(name) && !(name == "UPDATE" && e.typ.Name == "connection") {
		return 0, nil, unsupported(name, e.typ)
	}
	switch name {
	case "READ":
		return StatusOK, e.attributes(), nil
	case "UPDATE":
		body, err := n.update(q, e)
		return StatusOK, body, err
	case "DELETE":
		return StatusNoContent, amqp.Map{}, n.delete(e)
	case "CALLME":
		return StatusOK, q.msg.ApplicationProperties, nil // the dummy's own operation
	}
	if op := nodeOperation(name); op != nil && e.typ.Is("org.amqp.management") {
		body, err := op(n, q)
		return StatusOK, body, err
	}
	return 0, nil, &Error{StatusNotImplemented, fmt.Sprintf("Operation '%s' not implemented on %s", name, e.typ.FullName())}
}

// unsupported is the refusal of an operation that a type does not have.
// compat: the types that upstream's core answers for forbid it.
func unsupported(operation string, t *config.Type) error {
	if inCore(t) {
		return forbidden()
	}
	return &Error{StatusNotImplemented, fmt.Sprintf("Operation '%s' not implemented for '%s' %s", operation, t.FullName(), quoted(t.Operations))}
}

// fromConfiguration reports whether upstream's Python agent knows entities of the type
// too: it has made them from the configuration.
func fromConfiguration(t *config.Type) bool {
	return t.Name == "router.config.address" || t.Name == "router.config.autoLink"
}

// inCore reports whether upstream's core, and not its Python agent, answers
// for the type. compat: entities of these types are found by their own type
// only, and reading one of them gives nulls as well.
func inCore(t *config.Type) bool {
	switch t.Name {
	case "routerMetrics", "connection", "router.link", "router.address", "router.config.address", "router.config.autoLink":
		return true
	}
	return false
}
