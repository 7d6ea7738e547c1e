package resource

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"time"

	"gopkg.in/yaml.v3"
)

// EncodeYAML renders o as upstream's command line does: all keys sorted, what
// is zero left out, two blanks of indentation. Booleans of the status stay
// even when false.
//
// compat: byte for byte what upstream writes for Site, Listener and Connector.
func EncodeYAML(o Object) []byte {
	m := tree(o)
	if text, ok := emitPlain(m); ok {
		return text
	}
	return encodeTree(m)
}

func encodeTree(m map[string]any) []byte {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(indentStep)
	if err := enc.Encode(m); err != nil {
		panic("resource: encode: " + err.Error())
	}
	return out.Bytes()
}

// EncodeJSON renders o with the same content in JSON, indented by two blanks.
func EncodeJSON(o Object) []byte { return marshalJSON(tree(o)) }

// EncodeJSONList renders objects as one JSON document, a List.
func EncodeJSONList(objects ...Object) []byte {
	items := make([]any, 0, len(objects))
	for _, o := range objects {
		items = append(items, tree(o))
	}
	return marshalJSON(map[string]any{"apiVersion": CoreVersion, "kind": "List", "items": items})
}

func marshalJSON(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic("resource: encode: " + err.Error())
	}
	return out.Bytes()
}

// tree is an object as maps, lists and scalars, without what is zero.
func tree(o Object) map[string]any {
	m := members(reflect.ValueOf(o).Elem(), false)
	kind := o.Ref().Kind
	m["apiVersion"], m["kind"] = kind.APIVersion(), string(kind)
	return m
}

// members collects the members of a struct that are not zero.
func members(v reflect.Value, status bool) map[string]any {
	m := make(map[string]any)
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name := memberName(f)
		switch {
		case !f.IsExported():
		case name != "":
			if x := plain(v.Field(i), status || name == "status"); x != nil {
				m[name] = x
			}
		case f.Anonymous:
			for key, x := range members(v.Field(i), status) {
				m[key] = x
			}
		}
	}
	if status && onlyFalse(m) {
		return map[string]any{}
	}
	return m
}

// onlyFalse reports whether a status says nothing at all.
func onlyFalse(m map[string]any) bool {
	for _, x := range m {
		if x != false {
			return false
		}
	}
	return true
}

// plain is a value as map, list or scalar; nil if it is zero.
func plain(v reflect.Value, status bool) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return members(v.Elem(), status)
	case reflect.Struct:
		if v.Type() == timeType {
			return plainTime(v.Interface().(time.Time))
		}
		if m := members(v, status); len(m) > 0 {
			return m
		}
		return nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return base64.StdEncoding.EncodeToString(v.Bytes())
		}
		return plainList(v, status)
	case reflect.Map:
		return plainMap(v)
	case reflect.Bool:
		if v.Bool() || status {
			return v.Bool()
		}
		return nil
	default:
	}
	if v.IsZero() {
		return nil
	}
	return v.Interface()
}

func plainTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

func plainList(v reflect.Value, status bool) any {
	if v.Len() == 0 {
		return nil
	}
	list := make([]any, 0, v.Len())
	for i := range v.Len() {
		x := plain(v.Index(i), status)
		if x == nil {
			x = zeroOf(v.Index(i))
		}
		list = append(list, x)
	}
	return list
}

// plainMap keeps entries that are zero: a label without a value is a label.
func plainMap(v reflect.Value) any {
	if v.Len() == 0 {
		return nil
	}
	m := make(map[string]any, v.Len())
	for it := v.MapRange(); it.Next(); {
		x := plain(it.Value(), false)
		if x == nil {
			x = zeroOf(it.Value())
		}
		m[it.Key().String()] = x
	}
	return m
}

func zeroOf(v reflect.Value) any {
	if v.Kind() == reflect.Struct {
		return map[string]any{}
	}
	return v.Interface()
}

// Same reports whether two objects say the same: their documents, fields that
// nobody knows included, or, for objects that were made, their values.
func Same(a, b Object) bool {
	return a.Ref() == b.Ref() && reflect.DeepEqual(content(a), content(b))
}

// SameWish reports whether two objects want the same: what is in them without
// their status, as far as it is known here.
func SameWish(a, b Object) bool {
	return a.Ref() == b.Ref() && reflect.DeepEqual(tree(WithoutStatus(a)), tree(WithoutStatus(b)))
}

func content(o Object) any {
	if n := o.Head().node; n != nil {
		var x any
		if n.Decode(&x) == nil {
			return x
		}
	}
	return tree(o)
}
