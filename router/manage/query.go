package manage

import (
	"fmt"
	"slices"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
)

// query answers QUERY: a table of the attributes asked for, one row for each
// entity that has at least one of them.
func (n *Node) query(q *request) (any, error) {
	t, err := q.queried()
	if err != nil {
		return nil, err
	}
	names, err := q.columns(t)
	if err != nil {
		return nil, err
	}
	offset, err := q.number("offset", 0)
	if err != nil {
		return nil, err
	}
	count, err := q.number("count", -1)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, badRequest("offset must not be negative")
	}
	results := amqp.List{}
	for _, sub := range descendants(t) {
		page := n.entities(sub)
		if neverEmpty(names) {
			skipped := min(offset, int64(len(page)))
			page, offset = page[skipped:], offset-skipped
			if count >= 0 {
				page = page[:min(int64(len(page)), count-int64(len(results)))]
			}
		}
		n.observe(page)
		for _, e := range page {
			if count >= 0 && int64(len(results)) >= count {
				break
			}
			row, empty := e.row(names)
			if empty {
				continue
			}
			if offset > 0 {
				offset--
				continue
			}
			results = append(results, row)
		}
	}
	return amqp.Map{
		{Key: "attributeNames", Value: list(names, func(s string) any { return s })},
		{Key: "results", Value: results},
	}, nil
}

// queried returns the type that a query is about, nil if it is about all of
// them. compat: clients name it in type as well, where only that of the
// management node would be due.
func (q *request) queried() (*config.Type, error) {
	if q.text("entityType") == "" && q.queriesByType() {
		return q.typed("type")
	}
	return q.typed("entityType")
}

// queriesByType reports whether type names the entities that a query is about,
// and not the management node that is to answer.
func (q *request) queriesByType() bool {
	t, err := q.typed("type")
	return err == nil && t != nil && !t.Is("org.amqp.management") && q.text("name") == "" && q.text("identity") == ""
}

// neverEmpty reports whether every entity has one of the attributes, so that
// none has to be looked at to be counted.
func neverEmpty(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return name == "name" || name == "identity" || name == "type" })
}

// row returns the attributes in the order of names. empty means that there is
// none of them.
func (e *entity) row(names []string) (row amqp.List, empty bool) {
	row, empty = make(amqp.List, len(names)), true
	for i, name := range names {
		row[i] = e.get(name)
		empty = empty && row[i] == nil
	}
	return row, empty
}

// columns returns the attributes that a query asks for: those in its body, or
// all of the type; of all types if it has none.
func (q *request) columns(t *config.Type) ([]string, error) {
	known, order := attributesOf(t)
	body, err := q.attributes()
	if err != nil {
		return nil, err
	}
	names, ok := fromAMQP(body.Get("attributeNames")).([]any)
	if !ok && body.Get("attributeNames") != nil {
		return nil, badRequest("attributeNames must be a list")
	}
	if len(names) == 0 {
		return order, nil
	}
	var out, unknown []string
	for _, v := range names {
		name, ok := v.(string)
		if !ok {
			return nil, badRequest("attributeNames must be a list of strings")
		}
		if !known[name] {
			unknown = append(unknown, name)
		}
		out = append(out, name)
	}
	if len(unknown) > 0 {
		suffix := ""
		if t != nil {
			suffix = " for type " + t.FullName()
		}
		return nil, notFound("Unknown attributes %s%s.", quoted(unknown), suffix)
	}
	return out, nil
}

// attributesOf returns the names of all attributes of a type, or of all types.
func attributesOf(t *config.Type) (known map[string]bool, order []string) {
	types := []*config.Type{t}
	if t == nil {
		types = config.Types()
	}
	known = map[string]bool{}
	if t != nil && inCore(t) { // compat: clients take the first column of these for the name
		known["name"], known["identity"], known["type"] = true, true, true
		order = []string{"name", "identity", "type"}
	}
	for _, t := range types {
		for i := range t.Attributes {
			if name := t.Attributes[i].Name; !known[name] {
				known[name] = true
				order = append(order, name)
			}
		}
	}
	return known, order
}

// getNodes answers GET-MGMT-NODES: the agents of all routers known.
func (n *Node) getNodes(*request) (any, error) {
	return list(n.store.Nodes(), func(node RouterNode) any { return fmt.Sprintf("amqp:/_topo/0/%s/$management", node.ID) }), nil
}

// getLog answers GET-LOG: the newest lines of the log.
func (n *Node) getLog(q *request) (any, error) {
	limit, err := q.number("limit", -1)
	if err != nil {
		return nil, err
	}
	if limit == 0 { // compat: no limit
		limit = -1
	}
	const most = 1 << 20
	return list(n.store.RecentLog(int(min(limit, most))), func(l LogLine) any {
		var file any
		if l.File != "" {
			file = l.File
		}
		return amqp.List{l.Module, l.Level, l.Text, file, integer(int64(l.Line)), integer(l.Time)}
	}), nil
}
