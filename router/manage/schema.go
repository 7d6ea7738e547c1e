package manage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
)

// perType answers with a map from the full name of each type that keep selects
// to a list of strings.
func perType(keep func(*config.Type) bool, values func(*config.Type) []string) amqp.Map {
	all := amqp.Map{}
	for _, t := range config.Types() {
		if keep(t) {
			all = append(all, amqp.Pair{Key: t.FullName(), Value: list(values(t), func(s string) any { return s })})
		}
	}
	return all
}

// getTypes answers GET-TYPES: each type, or each that extends the one asked
// for, with what it extends.
func (*Node) getTypes(q *request) (any, error) {
	asked, err := q.typed("entityType")
	if err != nil {
		return nil, err
	}
	keep := func(t *config.Type) bool { return asked == nil || t.Is(asked.Name) }
	return perType(keep, func(t *config.Type) []string {
		names := make([]string, len(t.Bases()))
		for i, b := range t.Bases() {
			names[i] = b.FullName()
		}
		return names
	}), nil
}

// getOperations answers GET-OPERATIONS, for the type asked for or for all.
func (*Node) getOperations(q *request) (any, error) {
	asked, err := q.typed("entityType")
	if err != nil {
		return nil, err
	}
	keep := func(t *config.Type) bool { return asked == nil || t == asked }
	return perType(keep, func(t *config.Type) []string { return t.Operations }), nil
}

// getAttributes answers GET-ATTRIBUTES, for the type asked for or for all.
func (*Node) getAttributes(q *request) (any, error) {
	asked, err := q.typed("entityType")
	if err != nil {
		return nil, err
	}
	keep := func(t *config.Type) bool { return asked == nil || t == asked }
	return perType(keep, func(t *config.Type) []string {
		_, names := attributesOf(t)
		return names
	}), nil
}

// getSchema answers GET-SCHEMA: the entity types as a map.
func (n *Node) getSchema(*request) (any, error) {
	if n.schema == nil {
		n.schema = schema()
	}
	return n.schema, nil
}

// getJSONSchema answers GET-JSON-SCHEMA: the same as JSON text.
func (n *Node) getJSONSchema(q *request) (any, error) {
	indent, err := q.number("indent", 0)
	if err != nil {
		return nil, err
	}
	if n.schema == nil {
		n.schema = schema()
	}
	text := appendJSON(nil, n.schema)
	if indent > 0 {
		const most = 16
		var b bytes.Buffer
		if err := json.Indent(&b, text, "", strings.Repeat(" ", int(min(indent, most)))); err != nil {
			return nil, fmt.Errorf("schema: %w", err)
		}
		text = b.Bytes()
	}
	return string(text), nil
}

// schema describes the entity types in the form in which upstream describes
// its own.
func schema() amqp.Map {
	types := amqp.Map{}
	for _, t := range config.Types() {
		types = append(types, amqp.Pair{Key: strings.TrimPrefix(t.Name, "router.config."), Value: schemaType(t)})
	}
	return amqp.Map{
		{Key: "prefix", Value: strings.TrimSuffix(config.Prefix, ".")},
		{Key: "entityTypes", Value: types},
	}
}

func schemaType(t *config.Type) amqp.Map {
	attributes := amqp.Map{}
	for i := range t.Attributes {
		if a := &t.Attributes[i]; a.Name != "type" {
			attributes = append(attributes, amqp.Pair{Key: a.Name, Value: schemaAttribute(a)})
		}
	}
	m := amqp.Map{{Key: "attributes", Value: attributes}}
	if len(t.Operations) > 0 {
		m = append(m, amqp.Pair{Key: "operations", Value: list(t.Operations, func(s string) any { return s })})
	}
	m = append(m, amqp.Pair{Key: "description", Value: t.Doc}, amqp.Pair{Key: "fullyQualifiedType", Value: t.FullName()})
	return addTrue(m, "singleton", t.Singleton)
}

func schemaAttribute(a *config.Attribute) amqp.Map {
	m := amqp.Map{{Key: "type", Value: a.Kind.String()}}
	if a.Kind == config.Enum {
		m[0].Value = list(a.Values, func(s string) any { return s })
	}
	// compat: defaults that are nothing to Python are left out.
	if a.Default != nil && a.Default != "" && a.Default != int64(0) && a.Default != false {
		m = append(m, amqp.Pair{Key: "default", Value: plain(a.Default)})
	}
	m = addTrue(m, "required", a.Has(config.Required))
	m = addTrue(m, "unique", a.Has(config.Unique))
	m = addTrue(m, "deprecated", a.Has(config.Deprecated))
	m = append(m, amqp.Pair{Key: "description", Value: a.Doc})
	return addTrue(m, "graph", a.Has(config.Graph))
}

func addTrue(m amqp.Map, key string, value bool) amqp.Map {
	if value {
		m = append(m, amqp.Pair{Key: key, Value: true})
	}
	return m
}

// appendJSON appends a value of the schema with the order of its maps kept.
func appendJSON(dst []byte, v any) []byte {
	switch x := v.(type) {
	case amqp.Map:
		dst = append(dst, '{')
		for i, p := range x {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(appendJSON(dst, p.Key), ": "...)
			dst = appendJSON(dst, p.Value)
		}
		return append(dst, '}')
	case amqp.List:
		dst = append(dst, '[')
		for i, e := range x {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendJSON(dst, e)
		}
		return append(dst, ']')
	}
	text, _ := json.Marshal(v) // strings, integers and booleans: no error
	return append(dst, text...)
}
