package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"gopkg.in/yaml.v3"
)

// maxDepth is how deep a JSON document may nest, in levels.
const maxDepth = 100

// jsonReader turns JSON values into the nodes that the YAML parser would make,
// with their lines. YAML is almost a superset of JSON, but not quite: its
// parser stumbles over tabs and over surrogate pairs.
type jsonReader struct {
	dec  *json.Decoder
	text []byte
	pos  int // up to here lines are counted
	line int
}

func newJSONReader(text []byte) *jsonReader {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return &jsonReader{dec: dec, text: text, line: 1}
}

// next reads one top-level value; io.EOF after the last.
func (r *jsonReader) next() (*yaml.Node, error) {
	tok, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	n, err := r.value(tok, 0)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *jsonReader) value(tok json.Token, depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: r.lineNow(), Column: 1}
	switch tok := tok.(type) {
	case nil:
		n.Tag, n.Value = "!!null", "null"
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(tok)
	case string:
		n.Tag, n.Value, n.Style = "!!str", tok, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!int", tok.String()
		if _, err := tok.Int64(); err != nil {
			n.Tag = "!!float"
		}
	case json.Delim:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		if tok == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		return n, r.members(n, depth)
	}
	return n, nil
}

// members reads what is in an object or array up to its end.
func (r *jsonReader) members(n *yaml.Node, depth int) error {
	for {
		tok, err := r.dec.Token()
		if err != nil {
			return err
		}
		if tok == json.Delim('}') || tok == json.Delim(']') {
			return nil
		}
		inner, err := r.value(tok, depth+1)
		if err != nil {
			return err
		}
		n.Content = append(n.Content, inner)
	}
}

// lineNow is the line on which the last token ended.
func (r *jsonReader) lineNow() int {
	to := min(int(r.dec.InputOffset()), len(r.text))
	if to > r.pos {
		r.line += bytes.Count(r.text[r.pos:to], []byte{'\n'})
		r.pos = to
	}
	return r.line
}

// jsonValue is what encoding/json writes for a node that came from JSON, or
// from a tree. Numbers stay as they were written.
func jsonValue(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = jsonValue(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			list = append(list, jsonValue(c))
		}
		return list
	default:
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		return json.Number(n.Value)
	}
	return n.Value
}
