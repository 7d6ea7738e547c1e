package config

import (
	"slices"
	"strings"
)

// Prefix is what precedes the short name of every entity type on the wire.
const Prefix = "io.skupper.router."

// Kind is the kind of value of an attribute. In Go a value is a string for
// String, Path, EntityID and Enum, an int64 for Integer, a bool for Boolean, a
// []any for List and a map[string]any for Mapping and Properties.
type Kind uint8

// The kinds.
const (
	String Kind = iota
	Path
	EntityID // names another entity
	Integer
	Boolean
	Enum // one of Attribute.Values
	List
	Mapping
	Properties // a mapping whose keys are ASCII
)

// String returns the name of the kind as schemas write it. An Enum is written
// as the list of its values instead.
func (k Kind) String() string {
	return [...]string{"string", "path", "entityId", "integer", "boolean", "enum", "list", "map", "properties"}[k]
}

// Flags say what may be done with an attribute.
type Flags uint8

// The flags.
const (
	Create   Flags = 1 << iota // may be set by CREATE or in a file
	Update                     // may be changed by UPDATE
	Required                   // must be set by CREATE or in a file
	Unique                     // no two entities of a type have the same value
	Hidden                     // a secret: never logged
	Graph                      // a number worth a chart
	Restart                    // a change takes effect when the router starts again
	Deprecated
)

// Attribute describes one attribute of a Type.
type Attribute struct {
	Name    string
	Kind    Kind
	Values  []string // of an Enum
	Default any      // nil: absent means null
	Flags   Flags
	Doc     string // a phrase, lower case
}

// Has reports whether all the flags are set.
func (a *Attribute) Has(f Flags) bool { return a.Flags&f == f }

// Type describes one entity type. Types and what they refer to are read only.
type Type struct {
	Name       string // without Prefix
	Base       string // short name of the type it extends; only entity has none
	Doc        string // a phrase, lower case
	Singleton  bool
	Operations []string    // in the file of tables its own; in Types with those of Base appended
	Attributes []Attribute // likewise

	bases []*Type
	index map[string]*Attribute
}

// FullName returns the name as on the wire.
func (t *Type) FullName() string { return Prefix + t.Name }

// section returns the name of the type in a file and in identities.
func (t *Type) section() string { return strings.TrimPrefix(t.Name, "router.config.") }

// Bases returns the types that t extends, nearest first.
func (t *Type) Bases() []*Type { return t.bases }

// Is reports whether t is the type with that short name or extends it.
func (t *Type) Is(name string) bool {
	return t.Name == name || slices.ContainsFunc(t.bases, func(b *Type) bool { return b.Name == name })
}

// Allows reports whether the operation, in upper case, is one of the type's.
func (t *Type) Allows(operation string) bool { return slices.Contains(t.Operations, operation) }

// Attribute returns the attribute with that name, nil if there is none.
func (t *Type) Attribute(name string) *Attribute { return t.index[name] }

// Configured reports whether entities of the type may stand in a file.
func (t *Type) Configured() bool {
	return t.Is("configurationEntity") && t.Name != "configurationEntity"
}

// Types returns every entity type, the ones extended first.
func Types() []*Type { return schema.types }

// Lookup returns the type with that short or full name.
func Lookup(name string) (*Type, bool) {
	t, ok := schema.byName[strings.TrimPrefix(name, Prefix)]
	return t, ok
}

// schema is the only copy of the tables. It is built once and never written.
var schema = buildSchema()

type types struct {
	types  []*Type
	byName map[string]*Type
}

func buildSchema() types {
	s := types{byName: map[string]*Type{}}
	for _, group := range [][]Type{baseTypes(), routerTypes(), serviceTypes(), statusTypes()} {
		for i := range group {
			s.add(&group[i])
		}
	}
	return s
}

// add puts t into the schema; its base must be there.
func (s *types) add(t *Type) {
	if base := s.byName[t.Base]; base != nil {
		t.bases = append([]*Type{base}, base.bases...)
		t.Operations = append(t.Operations, base.Operations...)
		t.Attributes = append(t.Attributes, base.Attributes...)
	}
	t.index = make(map[string]*Attribute, len(t.Attributes))
	for i := range t.Attributes {
		t.index[t.Attributes[i].Name] = &t.Attributes[i]
	}
	s.types = append(s.types, t)
	s.byName[t.Name] = t
}

// baseTypes are the types that others extend, the management node and the
// dummy.
func baseTypes() []Type {
	return []Type{
		{
			Name: "entity", Doc: "what every entity has",
			Attributes: []Attribute{
				{Name: "name", Kind: String, Flags: Create | Unique, Doc: "name, unique among the entities of its type"},
				{Name: "identity", Kind: String, Flags: Unique, Doc: "made by the router, never changes"},
				{Name: "type", Kind: String, Flags: Create | Required, Doc: "full name of the entity type"},
			},
		},
		{Name: "configurationEntity", Doc: "what is configured", Base: "entity", Operations: []string{"READ"}},
		{Name: "operationalEntity", Doc: "what is observed", Base: "entity", Operations: []string{"READ"}},
		{
			Name: "org.amqp.management", Doc: "the management node of AMQP", Base: "operationalEntity",
			Operations: []string{"QUERY", "GET-TYPES", "GET-ANNOTATIONS", "GET-OPERATIONS", "GET-ATTRIBUTES", "GET-MGMT-NODES"},
		},
		{
			Name: "management", Doc: "the management node of this router", Base: "org.amqp.management", Singleton: true,
			Operations: []string{"GET-SCHEMA", "GET-JSON-SCHEMA", "GET-LOG", "PROFILE"},
		},
		{
			// compat: the management tests of upstream and of its tools create,
			// change and delete entities of this type.
			Name: "dummy", Doc: "stands for nothing; for tests of management tools", Base: "entity",
			Operations: []string{"CREATE", "READ", "UPDATE", "DELETE", "CALLME"},
			Attributes: []Attribute{
				{Name: "arg1", Kind: String, Flags: Create | Update, Doc: "any text"},
				{Name: "arg2", Kind: String, Flags: Create | Update, Doc: "any text"},
				{Name: "num1", Kind: Integer, Flags: Create | Update, Doc: "any number"},
				{Name: "num2", Kind: Integer, Flags: Create | Update, Doc: "any number"},
			},
		},
	}
}

// modules are the parts of the program that log on their own. DEFAULT stands
// for all that have no log entity.
func modules() []string {
	return []string{
		"ROUTER", "ROUTER_CORE", "ROUTER_HELLO", "ROUTER_LS", "ROUTER_MA", "MESSAGE", "SERVER", "AGENT", "CONTAINER",
		"ERROR", "POLICY", "HTTP", "CONN_MGR", "PYTHON", "PROTOCOL", "TCP_ADAPTOR", "HTTP_ADAPTOR", "FLOW_LOG",
		"ADDRESS_WATCH", "HTTP1_OBSERVER", "HTTP2_OBSERVER", "HTTP2_DECODER", "DEFAULT",
	}
}
