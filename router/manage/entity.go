package manage

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
)

// entity is one entity with all its attributes.
type entity struct {
	typ            *config.Type
	name, identity string
	configured     config.Entity // nil for what is only observed
	observed       Row           // nil if there is nothing
	dummy          *dummy
}

// get returns an attribute as an AMQP value.
func (e *entity) get(name string) any {
	switch name {
	case "name":
		return e.name
	case "identity":
		return e.identity
	case "type":
		return e.typ.FullName()
	}
	if v, has := cell(e.observed, name); has {
		return v
	}
	if e.configured != nil {
		return plain(e.setting(name))
	}
	if e.dummy != nil {
		return plain(e.dummy.values[name])
	}
	return nil
}

// setting returns a configured value. A password in clear is not shown; one
// that says where the password is does no harm.
func (e *entity) setting(name string) any {
	v := config.Get(e.configured, name)
	if _, address := e.configured.(*config.Address); address && name == "priority" && v == nil {
		return int64(-1) // compat: a number in every row
	}
	if a := e.typ.Attribute(name); a == nil || !a.Has(config.Hidden) {
		return v
	}
	if text, _ := v.(string); text != "" && !strings.HasPrefix(text, "file:") && !strings.HasPrefix(text, "env:") {
		return "*******"
	}
	return v
}

// attributes returns the answer to READ: what is not null, in the order of the
// schema.
func (e *entity) attributes() amqp.Map {
	all := make(amqp.Map, 0, len(e.typ.Attributes))
	for i := range e.typ.Attributes {
		name := e.typ.Attributes[i].Name
		if v := e.get(name); v != nil || inCore(e.typ) {
			all = append(all, amqp.Pair{Key: name, Value: v})
		}
	}
	return all
}

// entities returns all entities of that very type, in a stable order. What is
// observed of configured ones is missing; see observe.
func (n *Node) entities(t *config.Type) []entity {
	switch t.Name {
	case "management":
		return []entity{{typ: t, name: "self", identity: "self"}}
	case "dummy":
		return n.dummy.entities(t)
	case "routerMetrics":
		return observed(t, []Metrics{n.store.Metrics()})
	case "connection":
		return observed(t, n.store.Connections())
	case "router.link":
		return observed(t, n.store.Links())
	case "router.address":
		return observed(t, n.store.Addresses())
	case "router.node":
		return observed(t, n.store.Nodes())
	case "logStats":
		return observed(t, n.store.LogStats())
	case "allocator":
		return observed(t, n.store.Allocators())
	case "vhostStats":
		return observed(t, n.store.VhostStats())
	case "log":
		return n.logs(t)
	}
	if !t.Configured() {
		return nil
	}
	var out []entity
	for _, e := range n.store.Config().Entities() {
		if e.Type() == t {
			out = append(out, configured(e))
		}
	}
	return out
}

// configured returns the entity without what is observed of it.
func configured(e config.Entity) entity {
	return entity{typ: e.Type(), name: config.Name(e), identity: config.Identity(e), configured: e}
}

// observe adds what is observed of configured entities, asked for at once: it
// is the router's control loop that answers.
func (n *Node) observe(list []entity) {
	var at []int
	var asked []config.Entity
	for i := range list {
		if list[i].configured != nil {
			at, asked = append(at, i), append(asked, list[i].configured)
		}
	}
	if len(asked) == 0 {
		return
	}
	for i, row := range n.store.Statuses(asked) {
		list[at[i]].observed = row
	}
}

// logs returns one entity for each module, also for those without
// configuration, DEFAULT first.
func (n *Node) logs(t *config.Type) []entity {
	modules := slices.Clone(t.Attribute("module").Values)
	slices.SortStableFunc(modules, func(a, b string) int {
		switch {
		case a == "DEFAULT":
			return -1
		case b == "DEFAULT":
			return 1
		}
		return 0
	})
	c := n.store.Config()
	out := make([]entity, len(modules))
	for i, module := range modules {
		l := c.Log(module)
		out[i] = configured(&l)
	}
	return out
}

func observed[R identified](t *config.Type, rows []R) []entity {
	out := make([]entity, len(rows))
	for i, r := range rows {
		name, identity := r.identity()
		out[i] = entity{typ: t, name: name, identity: identity, observed: r}
	}
	return out
}

// descendants returns the types that are t or extend it and whose entities
// are listed under t: nil means all types. compat: those of the core only under
// their own name.
func descendants(t *config.Type) []*config.Type {
	var out []*config.Type
	for _, sub := range config.Types() {
		if sub == t || (!inCore(sub) || fromConfiguration(sub)) && (t == nil || sub.Is(t.Name)) {
			out = append(out, sub)
		}
	}
	return out
}

// object returns the entity that a request is about: by identity or name; the
// management node if it says neither.
func (n *Node) object(q *request) (*entity, error) {
	t, err := q.typed("type")
	if err != nil {
		return nil, err
	}
	key, wanted := "name", q.text("name")
	if wanted == "" {
		key, wanted = "identity", q.text("identity")
	}
	self, _ := config.Lookup("management")
	if wanted == "" {
		if t == nil || self.Is(t.Name) {
			return &n.entities(self)[0], nil
		}
		return nil, badRequest("%s: No name or identity provided", t.FullName())
	}
	found := n.find(descendants(t), key, wanted)
	switch {
	case len(found) > 1:
		return nil, &Error{StatusInternal, "Duplicate entities with " + key + "=" + wanted}
	case len(found) == 0 && t != nil && !inCore(t):
		if others := n.find(descendants(nil), key, wanted); len(others) > 0 {
			return nil, badRequest("Entity type '%s' does not extend requested type '%s'", others[0].typ.FullName(), t.FullName())
		}
	}
	if len(found) == 0 && key == "identity" && t != nil && t.Name == "connection" && !decimal(wanted) {
		return nil, badRequest("Bad Request") // compat: no connection can have it
	}
	if len(found) == 0 {
		return nil, notFound("No entity with %s=%s", key, wanted)
	}
	if id := q.text("identity"); id != "" && id != found[0].identity {
		return nil, badRequest("Conflicting name=%s identity=%s", wanted, id)
	}
	return &found[0], nil
}

// decimal reports whether text is the number of something.
func decimal(text string) bool {
	_, err := strconv.ParseUint(text, 10, 64)
	return err == nil
}

// find returns the entities of the types whose name or identity is as wanted.
func (n *Node) find(types []*config.Type, key, wanted string) []entity {
	var out []entity
	for _, t := range types {
		for _, e := range n.entities(t) {
			if key == "name" && e.name == wanted || key == "identity" && e.identity == wanted {
				out = append(out, e)
			}
		}
	}
	n.observe(out)
	return out
}
