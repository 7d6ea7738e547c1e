package resource

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < maxDepth; i++ {
		n = n.Alias
	}
	return n
}

// member finds the value of a key of a mapping; nil if n is no mapping or has
// no such key.
func member(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

// textAt is the text of a member; empty if it is absent or no text.
func textAt(n *yaml.Node, key string) string {
	m := member(n, key)
	if m == nil || m.Kind != yaml.ScalarNode || !isText(m) {
		return ""
	}
	return m.Value
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// isText reports whether a scalar is a string. A date is one, too: YAML 1.1
// gives it a type of its own, JSON does not.
func isText(n *yaml.Node) bool {
	tag := n.ShortTag()
	return tag == "!!str" || tag == "!!timestamp"
}

// nodeType is what a value is, in the words of the schema.
func nodeType(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "object"
	case yaml.SequenceNode:
		return "list"
	default:
	}
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return "string"
	case "!!int":
		return "integer"
	case "!!float":
		return "number"
	case "!!bool":
		return "boolean"
	case "!!null":
		return "nothing"
	default:
		return tag
	}
}

// Line is the line of a field, "spec.roles[1].port", in the file that the
// object came from. Where the field is absent it is the line of what it would
// be part of; 0 for an object that was made.
func (m *Meta) Line(field string) int {
	n := resolve(m.node)
	if n == nil {
		return m.Source.Line
	}
	line := m.Source.Line
	for _, key := range splitPath(field) {
		n = step(n, key)
		if n == nil {
			break
		}
		line = n.Line
		n = resolve(n)
	}
	return line
}

// step goes from a node to a member or element of it, before an alias is
// followed.
func step(n *yaml.Node, key string) *yaml.Node {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i]
		}
	default:
	}
	return nil
}

// splitPath cuts "spec.roles[1].port" into spec, roles, 1, port.
func splitPath(field string) []string {
	if field == "" {
		return nil
	}
	return strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}
