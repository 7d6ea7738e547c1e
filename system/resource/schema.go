package resource

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// Field describes one field of a kind, for people and for the decoder.
type Field struct {
	Path           string   // "spec.roles.port": list elements add nothing to it
	Type           string   // "string", "integer", "list of string", "map of integer", "object" and so on
	Doc            string   // one or two sentences
	Default        string   // what an absent value means, if that is not obvious
	Allowed        []string // the only values, if they are few
	Required       bool
	KubernetesOnly bool // accepted, warned about, ignored

	min, max int  // of an integer; max 0: no limit; both 0: unchecked
	rule     rule // of a text that is not empty
}

// Describe says in a sentence or two what a kind is for.
func Describe(kind Kind) string { return schemas()[kind].doc }

// Fields lists the fields of a kind: metadata, spec, status, each object before
// its members.
func Fields(kind Kind) []Field {
	s := schemas()[kind]
	if s == nil {
		return nil
	}
	return slices.Clone(s.fields)
}

// Explain finds the field at path below a kind, and its direct members. The
// empty path means the kind itself. What is below spec may be named without
// it: "port" for "spec.port". It is not ok if there is no such field.
func Explain(kind Kind, path string) (field Field, members []Field, ok bool) {
	s := schemas()[kind]
	if s == nil {
		return Field{}, nil, false
	}
	if path == "" {
		field = Field{Type: "object", Doc: s.doc}
	} else {
		f := s.find(path)
		if f == nil {
			f = s.find("spec." + path)
		}
		if f == nil {
			return Field{}, nil, false
		}
		field = *f
	}
	for _, f := range s.fields {
		if parentOf(f.Path) == field.Path {
			members = append(members, f)
		}
	}
	return field, members, true
}

func parentOf(path string) string {
	i := strings.LastIndexByte(path, '.')
	return path[:max(i, 0)]
}

// schema is what is known of one kind.
type schema struct {
	doc    string
	fields []Field
	byPath map[string]*Field
}

func (s *schema) find(path string) *Field { return s.byPath[path] }

// schemas are the tables, completed with what the Go types say. They never
// change.
var schemas = sync.OnceValue(func() map[Kind]*schema {
	all := make(map[Kind]*schema)
	for _, kind := range Kinds() {
		s := &schema{doc: kindDocs()[kind], byPath: make(map[string]*Field)}
		s.fields = append(metadataFields(kind), kindFields(kind)...)
		if New(kind, "").Health() != nil {
			s.fields = append(s.fields, healthFields()...)
		}
		for i := range s.fields {
			f := &s.fields[i]
			f.Type = typeAt(reflect.TypeOf(New(kind, "")).Elem(), strings.Split(f.Path, "."))
			s.byPath[f.Path] = f
		}
		all[kind] = s
	}
	return all
})

func kindFields(kind Kind) []Field {
	switch kind {
	case KindSite:
		return siteFields()
	case KindListener:
		return listenerFields()
	case KindConnector:
		return connectorFields()
	case KindMultiKeyListener:
		return multiKeyListenerFields()
	case KindRouterAccess:
		return routerAccessFields()
	case KindLink:
		return linkFields()
	case KindAccessGrant:
		return accessGrantFields()
	case KindAccessToken:
		return accessTokenFields()
	case KindCertificate:
		return certificateFields()
	case KindSecuredAccess:
		return securedAccessFields()
	case KindSecret:
		return secretFields()
	case KindConfigMap:
		return configMapFields()
	}
	return nil
}

// typeAt names the type of the member at path below t. A path that leads
// nowhere is a mistake in a table.
func typeAt(t reflect.Type, path []string) string {
	for len(path) > 0 {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			t = t.Elem()
		case reflect.Map:
			t, path = t.Elem(), path[1:]
		case reflect.Struct:
			i := memberIndex(t, path[0])
			if i == nil {
				panic("resource: no field " + strings.Join(path, ".") + " in " + t.String())
			}
			t, path = t.FieldByIndex(i).Type, path[1:]
		default:
			panic("resource: " + t.String() + " has no field " + strings.Join(path, "."))
		}
	}
	return typeName(t)
}

var timeType = reflect.TypeFor[time.Time]()

func typeName(t reflect.Type) string {
	switch {
	case t == timeType:
		return "time"
	case t.Kind() == reflect.Pointer:
		return typeName(t.Elem())
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "base64"
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Map:
		return "map of " + typeName(t.Elem())
	case t.Kind() == reflect.Struct:
		return "object"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.String:
		return "string"
	}
	return "integer"
}

// memberIndex finds the member of a struct that has that name in documents;
// nil if there is none.
func memberIndex(t reflect.Type, name string) []int {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := memberName(f)
		if tag == name && tag != "" {
			return f.Index
		}
		if f.Anonymous && tag == "" {
			if inner := memberIndex(f.Type, name); inner != nil {
				return append([]int{i}, inner...)
			}
		}
	}
	return nil
}

// memberName is the name of a struct field in documents; empty for one whose
// members stand in its place, and for one that is not in documents.
func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" {
		return ""
	}
	return name
}
