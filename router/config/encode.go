package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Encode returns c as the JSON that upstream's controllers write: a list of
// [type, attributes], indented by four blanks, the groups in a fixed order,
// names ascending in each. The same Config gives the same octets. Parse gives
// back an equal Config, lines apart.
//
// Attributes that have their default, or are null without one, are left out,
// except mode and helloMaxAgeSeconds of router, role, host and port of
// connector, role and port of listener, value of listenerAddress, and module of
// log. A network or policy that would be empty is left out.
func (c *Config) Encode() []byte { return new(Writer).Encode(c) }

// Writer encodes one configuration after another and writes anew only what is
// different. The zero value is ready to use.
type Writer struct {
	bridges map[string]piece // the tcpListeners and tcpConnectors of the last one, by type and name
	size    int              // of the last one, octets
}

// piece is an entity and its text.
type piece struct {
	entity Entity // a copy
	text   []byte
}

// encode writes an entity, which may have been in the last configuration.
func (w *Writer) encode(b *bytes.Buffer, e Entity, attrs func() []Attr, next map[string]piece) {
	key := ""
	switch x := e.(type) {
	case *TCPListener:
		key = "tcpListener/" + x.Name
	case *TCPConnector:
		key = "tcpConnector/" + x.Name
	default:
		encodeEntity(b, e.Type().section(), attrs())
		return
	}
	p, ok := w.bridges[key]
	if !ok || !equal(p.entity, e) {
		start := b.Len()
		encodeEntity(b, e.Type().section(), attrs())
		p = piece{Clone(e), bytes.Clone(b.Bytes()[start:])}
		next[key] = p
		return
	}
	b.Write(p.text)
	next[key] = p
}

// Encode is as that of Config.
func (w *Writer) Encode(c *Config) []byte {
	type place struct {
		Entity
		rank int
		name string
	}
	var entities []place
	rank := map[*Type]int{}
	for i, e := range c.Entities() {
		if _, seen := rank[e.Type()]; !seen {
			rank[e.Type()] = i
		}
		entities = append(entities, place{e, rank[e.Type()], Name(e)})
	}
	slices.SortStableFunc(entities, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.name, b.name))
	})
	var b bytes.Buffer
	b.Grow(w.size + w.size/8)
	next := make(map[string]piece, len(w.bridges))
	b.WriteByte('[')
	first := true
	for _, e := range entities {
		if e.Type().Singleton && len(written(e.Entity)) == 0 {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		w.encode(&b, e.Entity, func() []Attr { return written(e.Entity) }, next)
	}
	if !first {
		b.WriteByte('\n')
	}
	b.WriteByte(']')
	w.bridges, w.size = next, b.Len()
	return b.Bytes()
}

func encodeEntity(b *bytes.Buffer, typ string, attrs []Attr) {
	b.WriteString("\n    [\n        " + strconv.Quote(typ) + ",\n        {")
	if len(attrs) == 0 {
		b.WriteString("}\n    ]")
		return
	}
	b.WriteByte('\n')
	for i, a := range attrs {
		b.WriteString("            \"")
		b.WriteString(a.Name) // a word of the schema
		b.WriteString("\": ")
		encodeValue(b, a.Value)
		if i < len(attrs)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("        }\n    ]")
}

// encodeValue writes a string, number or bool, or a map or list of them. The
// first three are nearly all there is, and a site may have thousands.
func encodeValue(b *bytes.Buffer, v any) {
	switch x := v.(type) {
	case string:
		if literal(x) {
			b.WriteByte('"')
			b.WriteString(x)
			b.WriteByte('"')
			return
		}
	case int64:
		b.Write(strconv.AppendInt(b.AvailableBuffer(), x, 10))
		return
	case bool:
		b.Write(strconv.AppendBool(b.AvailableBuffer(), x))
		return
	}
	value, _ := json.Marshal(v) // of these types: no error
	if value[0] == '{' || value[0] == '[' {
		_ = json.Indent(b, value, "            ", "    ") // it is JSON
		return
	}
	b.Write(value)
}

// literal reports whether JSON has the string as it is.
func literal(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c >= utf8.RuneSelf, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// written returns the attributes of e that Encode writes, as it writes them.
func written(e Entity) []Attr {
	b, v := of(e)
	out := make([]Attr, 0, 8) // mostly enough
	for i := range b.fields {
		f := &b.fields[i]
		value := f.load(v)
		if !f.always && (value == nil || same(value, f.attr.Default)) {
			continue
		}
		if value == nil {
			value = ""
		}
		out = append(out, Attr{f.attr.Name, f.form(value)})
	}
	return out
}

// same reports whether two values of attributes are the same.
func same(a, b any) bool {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && a == b
	case int64:
		b, ok := b.(int64)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	}
	return reflect.DeepEqual(a, b)
}

// form gives value the JSON type that upstream's controllers expect.
func (f *field) form(value any) any {
	switch x := value.(type) {
	case int64:
		if f.text {
			return strconv.FormatInt(x, 10)
		}
	case string:
		// Not "+5" or "007", which would come back as another text.
		if n, err := strconv.ParseInt(x, 10, 64); f.number && err == nil && strconv.FormatInt(n, 10) == x {
			return n
		}
	}
	return value
}
