package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
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
func (c *Config) Encode() []byte {
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
	b.WriteByte('[')
	first := true
	for _, e := range entities {
		attrs := written(e.Entity)
		if len(attrs) == 0 && e.Type().Singleton {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		encodeEntity(&b, e.Type().section(), attrs)
	}
	if !first {
		b.WriteByte('\n')
	}
	b.WriteByte(']')
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
		value, _ := json.Marshal(a.Value) // strings, numbers, bools and maps of them: no error
		b.WriteString("            " + strconv.Quote(a.Name) + ": ")
		if value[0] == '{' || value[0] == '[' {
			_ = json.Indent(b, value, "            ", "    ") // it is JSON
		} else {
			b.Write(value)
		}
		if i < len(attrs)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("        }\n    ]")
}

// written returns the attributes of e that Encode writes, as it writes them.
func written(e Entity) []Attr {
	b, v := of(e)
	var out []Attr
	for i := range b.fields {
		f := &b.fields[i]
		value := f.load(v)
		if !f.always && (value == nil || reflect.DeepEqual(value, f.attr.Default)) {
			continue
		}
		if value == nil {
			value = ""
		}
		out = append(out, Attr{f.attr.Name, f.form(value)})
	}
	return out
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
