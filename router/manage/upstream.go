package manage

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
)

// ShowSchema makes GET-SCHEMA and GET-JSON-SCHEMA answer with the schema in
// file, in the form of upstream's skrouter.json, instead of our own. compat: a
// router that is started with the directory of upstream's Python packages
// shows the descriptions that are in there.
func (n *Node) ShowSchema(file []byte) error {
	var s upstreamSchema
	if err := json.Unmarshal(file, &s); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	types := amqp.Map{}
	for _, name := range slices.Sorted(maps.Keys(s.EntityTypes)) {
		t, err := s.describe(name)
		if err != nil {
			return fmt.Errorf("schema: %w", err)
		}
		types = append(types, amqp.Pair{Key: strings.TrimPrefix(name, "router.config."), Value: t})
	}
	n.schema = amqp.Map{{Key: "prefix", Value: s.Prefix}, {Key: "entityTypes", Value: types}}
	return nil
}

// upstreamSchema is the part of skrouter.json that clients are shown.
type upstreamSchema struct {
	Prefix      string
	EntityTypes map[string]upstreamType
}

type upstreamType struct {
	Description string
	Extends     string
	Operations  []string
	Attributes  map[string]map[string]any
	Singleton   bool
	Deprecated  bool
}

// describe returns a type with what it has from those that it extends.
func (s *upstreamSchema) describe(name string) (amqp.Map, error) {
	t := s.EntityTypes[name]
	attributes := map[string]amqp.Map{}
	var operations []string
	const deepest = 8
	for base, depth := name, 0; base != ""; depth++ {
		b, ok := s.EntityTypes[base]
		if !ok || depth == deepest {
			return nil, fmt.Errorf("%s extends %s, which is not there", name, base)
		}
		for attribute, fields := range b.Attributes {
			if attribute != "type" {
				attributes[attribute] = shown(fields)
			}
		}
		operations = append(operations, b.Operations...)
		base = b.Extends
	}
	m := amqp.Map{{Key: "attributes", Value: mapping(attributes, func(a amqp.Map) any { return a })}}
	if len(operations) > 0 {
		m = append(m, amqp.Pair{Key: "operations", Value: list(operations, func(o string) any { return o })})
	}
	if t.Description != "" {
		m = append(m, amqp.Pair{Key: "description", Value: t.Description})
	}
	m = append(m, amqp.Pair{Key: "fullyQualifiedType", Value: config.Prefix + name})
	m = addTrue(m, "deprecated", t.Deprecated)
	return addTrue(m, "singleton", t.Singleton), nil
}

// shown returns the fields of an attribute that clients see, without those
// that are nothing.
func shown(fields map[string]any) amqp.Map {
	m := amqp.Map{}
	for _, name := range []string{"type", "default", "required", "unique", "deprecated", "description", "graph"} {
		v := fields[name]
		if n, ok := v.(float64); ok {
			v = int64(n)
		}
		if v == nil || v == "" || v == false || v == int64(0) {
			continue
		}
		m = append(m, amqp.Pair{Key: name, Value: plain(v)})
	}
	return m
}
