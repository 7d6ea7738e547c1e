package resource

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// decoder reads one document into an object of its kind, by the Go types for
// what a value is and by the table of fields for what it may be.
type decoder struct {
	file   *File
	schema *schema
	ref    Ref
	failed bool // an error was reported
	spent  int  // keys and elements looked at
}

// maxMembers is how many keys and list elements of a document are looked at.
// Aliases can make a small document have very many.
const maxMembers = 100_000

// spend reports whether the members of n may be looked at.
func (d *decoder) spend(n *yaml.Node, path string) bool {
	if d.spent > maxMembers {
		return false
	}
	d.spent += len(n.Content)
	if d.spent > maxMembers {
		d.failed = true
		d.file.Errors = append(d.file.Errors, &FieldError{
			File: d.file.Name, Line: n.Line, Object: d.ref, Field: path,
			Reason: fmt.Sprintf("document has more than %d members", maxMembers),
		})
		return false
	}
	return true
}

// ignoredMetadata are members of metadata that a Kubernetes cluster adds.
func ignoredMetadata() []string {
	return []string{
		"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers",
		"generateName", "generation", "managedFields", "ownerReferences", "resourceVersion", "selfLink",
	}
}

// object reads a document. It returns nil if something in it is wrong.
func (d *decoder) object(n *yaml.Node, src Source) Object {
	o := New(d.ref.Kind, "")
	d.structure(n, n.Line, reflect.ValueOf(o).Elem(), "", "")
	if s, ok := o.(*Secret); ok {
		d.stringData(n, s)
	}
	m := o.Head()
	m.Source, m.node = src, n
	if d.failed {
		return nil
	}
	return o
}

// fail reports a problem. In the status, which the program writes itself, it
// is only remarked upon.
func (d *decoder) fail(line int, field, reason, advice string) {
	if inStatus(field) {
		d.warn(line, field, reason)
		return
	}
	d.failed = true
	d.file.Errors = append(d.file.Errors, &FieldError{
		File: d.file.Name, Line: line, Object: d.ref, Field: field, Reason: reason, Advice: advice,
	})
}

func (d *decoder) warn(line int, field, reason string) {
	d.file.Warnings = append(d.file.Warnings, Warning{
		File: d.file.Name, Line: line, Object: d.ref, Field: field, Reason: reason,
	})
}

func inStatus(field string) bool {
	return field == "status" || strings.HasPrefix(field, "status.")
}

// structure reads a mapping into a struct. n is nil if the mapping is absent;
// line is where it is or would be. path names it in messages, with the number
// of each list element; known names it in the table, without.
func (d *decoder) structure(n *yaml.Node, line int, v reflect.Value, path, known string) {
	present := make(map[string]bool)
	if n != nil {
		if n.Kind != yaml.MappingNode {
			d.mismatch(n, path, "object")
			return
		}
		line = n.Line
		d.pairs(n, path, func(key string, keyNode, value *yaml.Node) {
			if index := memberIndex(v.Type(), key); index != nil {
				present[key] = true
				d.value(value, v.FieldByIndex(index), below(path, key), below(known, key))
				return
			}
			d.unknown(keyNode, key, v.Type(), path)
		})
	}
	d.absent(line, v, present, path, known)
}

// pairs calls f for every key of a mapping that has a value. Keys that stand
// twice are errors.
func (d *decoder) pairs(n *yaml.Node, path string, f func(key string, keyNode, value *yaml.Node)) {
	if !d.spend(n, path) {
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode, value := resolve(n.Content[i]), resolve(n.Content[i+1])
		key := keyNode.Value
		switch {
		case keyNode.Kind != yaml.ScalarNode || !isText(keyNode) && keyNode.ShortTag() != "!!merge":
			d.fail(keyNode.Line, path, "keys must be strings, got "+nodeType(keyNode), quoteAdvice(keyNode))
		case keyNode.ShortTag() == "!!merge":
			d.fail(keyNode.Line, path, "merge keys (<<) are not supported", "write the fields out")
		case seen[key] != 0:
			d.fail(keyNode.Line, below(path, key), fmt.Sprintf("key given twice, first in line %d", seen[key]), "")
		default:
			seen[key] = keyNode.Line
			if !isNull(value) {
				f(key, keyNode, value)
			}
		}
	}
}

// absent looks at the members of a struct that the document does not have.
func (d *decoder) absent(line int, v reflect.Value, present map[string]bool, path, known string) {
	t := v.Type()
	for i := range t.NumField() {
		name := memberName(t.Field(i))
		if name == "" {
			continue
		}
		field := d.schema.find(below(known, name))
		switch {
		case present[name] || field == nil:
		case field.Required:
			d.fail(line, below(path, name), missing(name), "")
		case t.Field(i).Type.Kind() == reflect.Struct && t.Field(i).Type != timeType && !inStatus(name):
			d.structure(nil, line, v.Field(i), below(path, name), below(known, name))
		}
	}
}

func missing(name string) string {
	if strings.HasSuffix(name, "s") {
		return name + " are required"
	}
	return name + " is required"
}

func (d *decoder) unknown(keyNode *yaml.Node, key string, t reflect.Type, path string) {
	switch {
	case path == "metadata" && slices.Contains(ignoredMetadata(), key):
	case path == "" && (key == "apiVersion" || key == "kind" || key == "immutable" || key == "binaryData"):
	case path == "" && key == "stringData" && d.ref.Kind == KindSecret:
	default:
		reason := "unknown field, ignored"
		if other := memberLike(t, key); other != "" {
			reason += "; did you mean " + other + "?"
		}
		d.warn(keyNode.Line, below(path, key), reason)
	}
}

// memberLike finds a member whose name differs in case only.
func memberLike(t reflect.Type, key string) string {
	for i := range t.NumField() {
		if name := memberName(t.Field(i)); strings.EqualFold(name, key) {
			return name
		}
	}
	return ""
}

// value reads a node into a member.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path, known string) {
	field := d.schema.find(known)
	before := d.failed
	d.failed = false
	switch {
	case v.Type() == timeType:
		d.time(n, v, path)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.structure(n, n.Line, v.Elem(), path, known)
	case v.Kind() == reflect.Struct:
		d.structure(n, n.Line, v, path, known)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path, known)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, path, known)
	case v.Kind() == reflect.String:
		d.text(n, v, field, path)
	case v.Kind() == reflect.Bool:
		d.boolean(n, v, path)
	default:
		d.integer(n, v, field, path)
	}
	if field != nil && !d.failed {
		d.judge(n, v, field, path)
	}
	d.failed = d.failed || before
}

// judge applies what the table says of a field to a value of the right type.
func (d *decoder) judge(n *yaml.Node, v reflect.Value, field *Field, path string) {
	empty := v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
	switch {
	case empty && field.Required && v.Kind() != reflect.Int:
		d.fail(n.Line, path, missing(lastOf(path)), "")
	case !empty && field.KubernetesOnly:
		d.warn(n.Line, path, "ignored on this platform")
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path, known string) {
	if n.Kind != yaml.SequenceNode {
		d.mismatch(n, path, typeName(v.Type()))
		return
	}
	if !d.spend(n, path) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		d.value(resolve(c), v.Index(i), fmt.Sprintf("%s[%d]", path, i), known)
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path, known string) {
	if n.Kind != yaml.MappingNode {
		d.mismatch(n, path, typeName(v.Type()))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	settings := v.Type() == reflect.TypeFor[Settings]()
	d.pairs(n, path, func(key string, keyNode, value *yaml.Node) {
		if settings && d.schema.find(below(known, key)) == nil {
			d.warn(keyNode.Line, below(path, key), "unknown setting, ignored")
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if e.Kind() == reflect.Slice {
			d.bytes(value, e, below(path, key))
		} else {
			d.value(value, e, below(path, key), below(known, key))
		}
		v.SetMapIndex(reflect.ValueOf(key), e)
	})
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, field *Field, path string) {
	if n.Kind != yaml.ScalarNode || !isText(n) {
		d.mismatch(n, path, "string")
		return
	}
	text := n.Value
	if field != nil && text != "" {
		if field.rule != nil {
			clean, reason := field.rule(d.ref.Kind, text)
			if reason != "" {
				d.fail(n.Line, path, reason, "")
				return
			}
			text = clean
		}
		if len(field.Allowed) > 0 && !slices.Contains(field.Allowed, text) {
			d.fail(n.Line, path, fmt.Sprintf("%q is not one of %s", text, strings.Join(field.Allowed, ", ")), "")
			return
		}
	}
	v.SetString(text)
}

// boolean also takes the words of YAML 1.1, as upstream does.
func (d *decoder) boolean(n *yaml.Node, v reflect.Value, path string) {
	var b bool
	quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if n.Kind != yaml.ScalarNode || quoted || n.Decode(&b) != nil {
		d.mismatch(n, path, "boolean")
		return
	}
	v.SetBool(b)
}

func (d *decoder) integer(n *yaml.Node, v reflect.Value, field *Field, path string) {
	var i int64
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&i) != nil || v.OverflowInt(i) {
		d.mismatch(n, path, "integer")
		return
	}
	if field != nil && (field.min != 0 || field.max != 0) {
		if reason := checkRange(int(i), field.min, field.max); reason != "" {
			d.fail(n.Line, path, reason, "")
			return
		}
	}
	v.SetInt(i)
}

func (d *decoder) time(n *yaml.Node, v reflect.Value, path string) {
	t, err := time.Parse(time.RFC3339, n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.mismatch(n, path, "time as in 2006-01-02T15:04:05Z")
		return
	}
	v.Set(reflect.ValueOf(t.UTC()))
}

// bytes reads base64. Line breaks in it do not matter.
func (d *decoder) bytes(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode || !isText(n) && n.ShortTag() != "!!binary" {
		d.mismatch(n, path, "base64")
		return
	}
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
	if err != nil {
		d.fail(n.Line, path, "not in base64", "plain text belongs into stringData")
		return
	}
	v.SetBytes(b)
}

// stringData adds the plain texts of a Secret to its data.
func (d *decoder) stringData(n *yaml.Node, s *Secret) {
	texts := member(n, "stringData")
	if texts == nil || isNull(texts) {
		return
	}
	var plain map[string]string
	d.mapping(texts, reflect.ValueOf(&plain).Elem(), "stringData", "stringData")
	for key, text := range plain {
		if s.Data == nil {
			s.Data = make(map[string][]byte)
		}
		s.Data[key] = []byte(text)
	}
}

func (d *decoder) mismatch(n *yaml.Node, path, want string) {
	advice := ""
	if want == "string" && n.Kind == yaml.ScalarNode {
		advice = quoteAdvice(n)
	}
	if n.Kind == yaml.ScalarNode && (want == "integer" || want == "boolean") && isText(n) {
		advice = "write it without quotes"
	}
	d.fail(n.Line, path, want+" expected, got "+nodeType(n), advice)
}

func quoteAdvice(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	return "put it into quotes"
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// lastOf is the last name of a path, without the number of a list element.
func lastOf(path string) string {
	return strings.TrimRight(path[strings.LastIndexByte(path, '.')+1:], "[]0123456789")
}
