package manage

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
)

// create answers CREATE: puts a new entity into the configuration.
func (n *Node) create(q *request) (any, error) {
	t, attributes, err := q.creation()
	if err != nil {
		return nil, err
	}
	if t.Name == "dummy" {
		return n.dummy.create(t, attributes)
	}
	e, ok := config.NewEntity(t)
	if !ok {
		return nil, unsupported("CREATE", t)
	}
	for _, p := range attributes {
		if err := set(e, p); err != nil {
			return nil, err
		}
	}
	for i := range t.Attributes {
		if a := &t.Attributes[i]; a.Has(config.Create|config.Required) && a.Name != "type" && attributes.Get(a.Name) == nil {
			return nil, badRequest("Missing required attribute '%s'", a.Name)
		}
	}
	err = n.store.Change(func(c *config.Config) (*config.Config, error) {
		if c.Find(t, config.Name(e)) != nil {
			return nil, badRequest("Name conflicts with an existing entity: %s %s", t.FullName(), config.Name(e))
		}
		return c.Put(e)
	})
	if err != nil {
		return nil, err
	}
	return n.reread(t, e), nil
}

// creation returns the type and the attributes of an entity to create.
func (q *request) creation() (*config.Type, amqp.Map, error) {
	body, err := q.attributes()
	if err != nil {
		return nil, nil, err
	}
	merged := make(amqp.Map, 0, len(body)+1)
	var typeName any
	for _, p := range body {
		if p.Key == "type" {
			typeName = p.Value
			continue
		}
		merged = append(merged, p)
	}
	if name := q.text("name"); name != "" {
		switch given := body.Get("name"); {
		case given == nil:
			merged = append(merged, amqp.Pair{Key: "name", Value: name})
		case show(given) != name:
			return nil, nil, badRequest("Conflicting values for 'name'")
		}
	}
	t, err := q.typed("type")
	if err != nil {
		return nil, nil, err
	}
	if typeName != nil {
		text, _ := typeName.(string)
		other, ok := config.Lookup(text)
		switch {
		case !ok:
			return nil, nil, badRequest("No such entity type '%s'", text)
		case t != nil && t != other:
			return nil, nil, badRequest("Conflicting values for 'type'")
		}
		t = other
	}
	if t == nil {
		return nil, nil, badRequest("No 'type' attribute")
	}
	if !t.Allows("CREATE") {
		return nil, nil, unsupported("CREATE", t)
	}
	for _, p := range merged {
		if err := settable(t, p, config.Create); err != nil {
			return nil, nil, err
		}
	}
	return t, merged, nil
}

// settable refuses attributes that the type does not have or that the
// operation of the flag may not set.
func settable(t *config.Type, p amqp.Pair, flag config.Flags) error {
	name, _ := p.Key.(string)
	a := t.Attribute(name)
	switch {
	case a == nil:
		return badRequest("Unknown attribute '%s' for '%s'", show(p.Key), t.FullName())
	case !a.Has(flag) && flag == config.Create:
		return badRequest("Cannot set attribute '%s' in CREATE", name)
	case !a.Has(flag):
		return badRequest("Cannot update attribute '%s' in UPDATE", name)
	}
	return nil
}

// set puts an attribute of a request into e.
func set(e config.Entity, p amqp.Pair) error {
	name, _ := p.Key.(string)
	err := config.Set(e, name, fromAMQP(p.Value))
	switch {
	case errors.Is(err, config.ErrUnknownAttribute):
		return badRequest("Cannot set attribute '%s'", name)
	case err != nil:
		return badRequest("%s: Invalid value for '%s': %v", e.Type().FullName(), name, err)
	}
	return nil
}

// reread returns the attributes of e as they are now.
func (n *Node) reread(t *config.Type, e config.Entity) amqp.Map {
	if now := n.find([]*config.Type{t}, "name", config.Name(e)); len(now) > 0 {
		return now[0].attributes()
	}
	return amqp.Map{} // gone again
}

// update answers UPDATE: changes attributes of an entity. Attributes with the
// value they have may always be given.
func (n *Node) update(q *request, e *entity) (any, error) {
	body, err := q.attributes()
	if err != nil {
		return nil, err
	}
	switch {
	case e.typ.Name == "connection":
		return n.updateConnection(q, e, body)
	case e.dummy != nil:
		return n.dummy.update(e, body)
	}
	changed := config.Clone(e.configured)
	for _, p := range body {
		if err := e.updateAttribute(changed, p); err != nil {
			return nil, err
		}
	}
	err = n.store.Change(func(c *config.Config) (*config.Config, error) { return c.Put(changed) })
	if err == nil && e.typ.Name == "sslProfile" {
		err = n.store.Reload(e.name)
	}
	if err != nil {
		return nil, err
	}
	return n.reread(e.typ, changed), nil
}

// updateAttribute puts one attribute into changed, unless it has that value.
func (e *entity) updateAttribute(changed config.Entity, p amqp.Pair) error {
	name, _ := p.Key.(string)
	if e.unchanged(name, p.Value) {
		return nil
	}
	if err := settable(e.typ, p, config.Update); err != nil {
		return err
	}
	if e.typ.Name == "log" && name == "outputFile" && p.Value == "" {
		// compat: the words in which upstream says so.
		return &Error{StatusInternal, "CError: Configuration: Failed to open log file ''"}
	}
	return set(changed, p)
}

// unchanged reports whether the attribute has that value already.
func (e *entity) unchanged(name string, value any) bool {
	a := e.typ.Attribute(name)
	if a == nil {
		return false
	}
	is := e.get(name)
	if value == nil || is == nil {
		return value == is
	}
	if t, ok := value.(string); ok && name == "type" {
		other, _ := config.Lookup(t)
		return other == e.typ
	}
	converted, err := config.Convert(a, fromAMQP(value))
	if err != nil {
		return false
	}
	switch converted.(type) {
	case string, int64, bool:
		return plain(converted) == is
	}
	return false
}

// updateConnection closes a connection or switches its trace. Connections
// between routers are not for clients to close.
func (n *Node) updateConnection(q *request, e *entity, body amqp.Map) (any, error) {
	c, _ := e.observed.(Connection)
	var change ConnectionChange
	for _, p := range body {
		name, _ := p.Key.(string)
		switch name {
		case "adminStatus":
			switch p.Value {
			case "deleted":
				change.Close = true
			case "enabled":
			default:
				return nil, badRequest("adminStatus: %s is neither enabled nor deleted", show(p.Value))
			}
		case "enableProtocolTrace":
			on, err := config.Convert(e.typ.Attribute(name), fromAMQP(p.Value))
			if err != nil {
				return nil, badRequest("enableProtocolTrace: %v", err)
			}
			trace := on.(bool)
			change.Trace = &trace
		default:
			if err := settable(e.typ, p, config.Update); err != nil && !e.unchanged(name, p.Value) {
				return nil, err
			}
		}
	}
	if body.Get("adminStatus") == nil && change.Trace == nil {
		return nil, badRequest("Bad Request")
	}
	if change.Close && !closable(c) {
		return nil, forbidden()
	}
	if change.Close || change.Trace != nil {
		if err := n.store.SetConnection(q.caller, c.ID, change); err != nil {
			return nil, err
		}
	}
	if change.Close {
		c.AdminStatus, c.OperStatus = "deleted", "closing"
	}
	if change.Trace != nil {
		c.ProtocolTrace = *change.Trace
	}
	e.observed = c
	return e.attributes(), nil
}

// closable reports whether a client may close the connection. compat: not the
// ones that hold the network together, not the TCP dispatcher.
func closable(c Connection) bool {
	return c.Role != config.RoleInterRouter && c.Role != config.RoleEdge && c.Host != "egress-dispatch"
}

// delete answers DELETE.
func (n *Node) delete(e *entity) error {
	if e.dummy != nil {
		n.dummy.delete(e)
		return nil
	}
	return n.store.Change(func(c *config.Config) (*config.Config, error) { return c.Remove(e.typ, e.name) })
}

// show writes a value of a request into a description.
func show(v any) string {
	const most = 200
	s := fmt.Sprint(v)
	if b, ok := v.([]byte); ok {
		s = strconv.Quote(string(b))
	}
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}
