package resource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Text is the text of a file of resources, to be changed one object at a time.
// What is not changed stays as a person wrote it: other documents byte for
// byte, and in the changed one the fields that stay, their order and their
// comments.
type Text struct {
	name string
	json bool
	docs []document
}

// document is one piece of a Text.
type document struct {
	chunk
	ref     Ref
	root    *yaml.Node // with the comments around it; nil if the piece is empty, or not read
	made    bool       // the text was made of an object, and is read when it is needed
	changed bool       // root says something else than text
}

// node is the content of the document.
func (d *document) node() *yaml.Node {
	if d.root == nil {
		n, problem := d.parse()
		if problem != nil {
			panic("resource: text of " + d.ref.String() + ": " + problem.Error()) // EncodeYAML made it
		}
		d.root = n
	}
	return d.root.Content[0]
}

func documentNode(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{n}}
}

// ErrAlias is wrapped by the error of Text.Put when the change would have to
// be made inside a YAML alias, and so in other places as well.
var ErrAlias = errors.New("the field is a YAML alias")

// NewText reads a file for changing. It fails on the first piece that cannot be
// parsed, with a *FieldError: a file is not changed before it is understood.
func NewText(in Input) (*Text, error) {
	t := &Text{name: in.Name}
	text := bytes.TrimPrefix(in.Data, []byte("\xef\xbb\xbf"))
	if len(text) > MaxFile || !utf8.Valid(text) {
		return nil, ParseFile(in).Errors[0]
	}
	if strings.HasSuffix(in.Name, ".json") || looksLikeJSON(text) {
		t.json = true
		return t, t.readJSON(text)
	}
	for _, c := range splitDocuments(text) {
		n, problem := c.parse()
		if problem != nil {
			problem.File = in.Name
			return nil, problem
		}
		d := document{chunk: c, root: n}
		if n != nil {
			d.ref = refOf(d.node())
		}
		t.docs = append(t.docs, d)
	}
	return t, nil
}

func (t *Text) readJSON(text []byte) error {
	r := newJSONReader(text)
	start := 0
	for {
		n, err := r.next()
		if errors.Is(err, io.EOF) {
			t.docs = append(t.docs, document{chunk: chunk{text: text[start:]}})
			return nil
		}
		if err != nil {
			return &FieldError{File: t.name, Line: r.lineNow(), Reason: "JSON: " + err.Error()}
		}
		end := int(r.dec.InputOffset())
		t.docs = append(t.docs, document{chunk: chunk{text: text[start:end]}, ref: refOf(n), root: documentNode(n)})
		start = end
	}
}

// refOf names the object in a document; zero if it is of no kind that is loaded.
func refOf(n *yaml.Node) Ref {
	k := Kind(textAt(n, "kind"))
	if schemas()[k] == nil || k.APIVersion() != textAt(n, "apiVersion") {
		return Ref{}
	}
	return Ref{k, textAt(member(n, "metadata"), "name")}
}

// Put changes the document of o to say what o says, or adds a document. Fields
// that o and the document agree about, and those that o cannot express, stay.
// An error wraps ErrAlias, or tells why the old document cannot be read.
func (t *Text) Put(o Object) error {
	i := slices.IndexFunc(t.docs, func(d document) bool { return d.ref == o.Ref() })
	if i < 0 {
		return t.add(o)
	}
	d := &t.docs[i]
	old := &File{Name: t.name}
	old.document(d.node(), 0, i+1)
	if len(old.Objects) != 1 {
		return JoinErrors(old.Errors)
	}
	changed, err := merge(d.node(), tree(old.Objects[0]), tree(o))
	if err != nil {
		return fmt.Errorf("%s: %s: %w", t.name, o.Ref(), err)
	}
	if changed && d.ref.Kind == KindSecret {
		drop(d.node(), "stringData") // what it said is in data, and it would win
	}
	d.changed = d.changed || changed
	return nil
}

func (t *Text) add(o Object) error {
	if !t.json {
		t.docs = append(t.docs, document{ref: o.Ref(), chunk: chunk{text: EncodeYAML(o)}, made: true})
		return nil
	}
	n := new(yaml.Node)
	if err := n.Encode(tree(o)); err != nil {
		return fmt.Errorf("%s: %w", o.Ref(), err)
	}
	t.docs = append(t.docs, document{ref: o.Ref(), root: documentNode(n), changed: true})
	return nil
}

// Remove drops the document of an object and reports whether there was one.
func (t *Text) Remove(ref Ref) bool {
	before := len(t.docs)
	t.docs = slices.DeleteFunc(t.docs, func(d document) bool { return d.ref == ref && ref != Ref{} })
	return len(t.docs) < before
}

// Empty reports whether no resource is left, so that the file can go.
func (t *Text) Empty() bool {
	return !slices.ContainsFunc(t.docs, func(d document) bool { return d.root != nil || d.made })
}

// Bytes is the file as it is to be written.
func (t *Text) Bytes() []byte {
	var out bytes.Buffer
	for i, d := range t.docs {
		switch {
		case t.json && d.changed:
			writeLine(&out, false, marshalJSON(jsonValue(d.node())))
		case t.json:
			out.Write(d.text)
		case !d.changed:
			writeLine(&out, i > 0 && !hasMarker(d.text), d.text)
		default:
			writeLine(&out, i > 0 || hasMarker(d.text), encodeNode(d.root))
		}
	}
	return out.Bytes()
}

// writeLine adds a document, begun by a marker if it needs one, to what is
// there.
func writeLine(out *bytes.Buffer, marker bool, text []byte) {
	if out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	if marker {
		out.WriteString("---\n")
	}
	out.Write(text)
}

// hasMarker reports whether the text of a document begins with its marker,
// comments aside.
func hasMarker(text []byte) bool {
	for row := range bytes.Lines(text) {
		if isMarker(row, "---") {
			return true
		}
		if !isBlank(row) {
			return false
		}
	}
	return false
}

func encodeNode(n *yaml.Node) []byte {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		panic("resource: encode node: " + err.Error())
	}
	return out.Bytes()
}

// merge changes the mapping n, which says old and more, to say want and more.
func merge(n *yaml.Node, old, want map[string]any) (changed bool, err error) {
	keys := slices.Collect(maps.Keys(want))
	for key := range old {
		if _, ok := want[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		one, err := mergeKey(n, key, old[key], want[key])
		if err != nil {
			return false, err
		}
		changed = changed || one
	}
	return changed, nil
}

func mergeKey(n *yaml.Node, key string, old, want any) (changed bool, err error) {
	if reflect.DeepEqual(old, want) {
		return false, nil
	}
	if want == nil {
		return drop(n, key), nil
	}
	at := keyIndex(n, key)
	if at >= 0 {
		value := n.Content[at+1]
		if value.Kind == yaml.AliasNode {
			return false, fmt.Errorf("%s: %w", key, ErrAlias)
		}
		oldMap, isMap := old.(map[string]any)
		wantMap, wantsMap := want.(map[string]any)
		if isMap && wantsMap && value.Kind == yaml.MappingNode {
			return merge(value, oldMap, wantMap)
		}
	}
	fresh := new(yaml.Node)
	if err := fresh.Encode(want); err != nil {
		return false, fmt.Errorf("%s: %w", key, err)
	}
	if at < 0 {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, fresh)
		return true, nil
	}
	value := n.Content[at+1]
	fresh.HeadComment, fresh.LineComment, fresh.FootComment = value.HeadComment, value.LineComment, value.FootComment
	n.Content[at+1] = fresh
	return true, nil
}

// keyIndex is where a key is in the content of a mapping; -1 if it is not.
func keyIndex(n *yaml.Node, key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// drop takes a key out of a mapping and reports whether it was there.
func drop(n *yaml.Node, key string) bool {
	i := keyIndex(n, key)
	if i >= 0 {
		n.Content = slices.Delete(n.Content, i, i+2)
	}
	return i >= 0
}
