package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// parseJSON reads [[type, {attributes}], …]. Lines that begin with # are
// comments. A problem that leaves the rest readable does not end the reading.
func parseJSON(data []byte, report func(line int, format string, args ...any)) []section {
	data = blankComments(data)
	if err := wellFormed(data); err != nil {
		var syntax *json.SyntaxError
		at := len(data)
		if errors.As(err, &syntax) {
			at = int(syntax.Offset) - 1
		}
		report(lineOf(data, at), "not JSON: %v", err)
		return nil
	}
	r := jsonReader{dec: tokens{data: data}, lines: lines{data: data}, report: report}
	return r.file()
}

// wellFormed says where a text is not JSON, and why not.
func wellFormed(data []byte) error {
	if json.Valid(data) {
		return nil
	}
	var whole json.RawMessage
	return json.Unmarshal(data, &whole)
}

// blankComments returns data with the lines that begin with # made blank.
// Offsets stay as they are.
func blankComments(data []byte) []byte {
	out := data
	for start := 0; start < len(data); {
		end := start + bytes.IndexByte(data[start:], '\n')
		if end < start {
			end = len(data)
		}
		if bytes.HasPrefix(bytes.TrimLeft(data[start:end], " \t"), []byte("#")) {
			if &out[0] == &data[0] {
				out = bytes.Clone(data)
			}
			copy(out[start:end], bytes.Repeat([]byte(" "), end-start))
		}
		start = end + 1
	}
	return out
}

// jsonReader walks through a JSON text known to be well-formed.
type jsonReader struct {
	dec    tokens
	lines  lines
	report func(line int, format string, args ...any)
}

// errTooDeep ends the reading of a value that is nested too deeply.
var errTooDeep = fmt.Errorf("more than %d lists and maps inside each other", maxDepth)

// line is the line of the token read last.
func (r *jsonReader) line() int { return r.lines.at(r.dec.inputOffset()) }

func (r *jsonReader) file() []section {
	if !r.opens('[') {
		r.report(r.line(), "not a list of entities")
		return nil
	}
	var all []section
	for r.dec.more() {
		s, err := r.section()
		if err != nil {
			r.report(r.line(), "%v", err)
			return all
		}
		if s != nil {
			all = append(all, *s)
		}
	}
	return all
}

// opens reads a token and reports whether it is that delimiter.
func (r *jsonReader) opens(want json.Delim) bool {
	tok, err := r.dec.token()
	return err == nil && tok == want
}

// section reads one [type, {attributes}]. nil means that it was another thing,
// which is reported.
func (r *jsonReader) section() (*section, error) {
	tok, err := r.dec.token()
	if err != nil {
		return nil, err
	}
	s := section{line: r.line()}
	if tok != json.Delim('[') {
		r.report(s.line, "an entity is a list of its type and its attributes")
		_, err := r.rest(tok, 1)
		return nil, err
	}
	ok := r.dec.more()
	if ok {
		if tok, err = r.dec.token(); err != nil {
			return nil, err
		}
		s.typ, ok = tok.(string)
		if !ok {
			_, err = r.rest(tok, 1)
		}
	}
	if err == nil && ok {
		ok, err = r.attributes(&s)
	}
	for err == nil && r.dec.more() {
		ok = false
		_, err = r.value(1)
	}
	if err == nil {
		_, err = r.dec.token() // the closing bracket
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		r.report(s.line, "an entity is a list of its type and its attributes")
		return nil, nil
	}
	return &s, nil
}

// attributes reads {name: value, …} into s. ok is false if there is another
// thing.
func (r *jsonReader) attributes(s *section) (ok bool, err error) {
	if !r.dec.more() {
		return false, nil
	}
	tok, err := r.dec.token()
	if err != nil {
		return false, err
	}
	if tok != json.Delim('{') {
		_, err := r.rest(tok, 1)
		return false, err
	}
	for r.dec.more() {
		key, err := r.dec.token()
		if err != nil {
			return false, err
		}
		a := sectionAttr{line: r.line()}
		a.name, _ = key.(string)
		if a.value, err = r.value(1); err != nil {
			return false, err
		}
		s.attrs = append(s.attrs, a)
	}
	_, err = r.dec.token() // the closing brace
	return true, err
}

// value reads one value at that depth.
func (r *jsonReader) value(depth int) (any, error) {
	tok, err := r.dec.token()
	if err != nil {
		return nil, err
	}
	return r.rest(tok, depth)
}

// rest reads what belongs to the value that tok begins.
func (r *jsonReader) rest(tok json.Token, depth int) (any, error) {
	delim, ok := tok.(json.Delim)
	if !ok {
		return tok, nil
	}
	if depth > maxDepth {
		return nil, errTooDeep
	}
	if delim == '[' {
		list := []any{}
		for r.dec.more() {
			v, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := r.dec.token()
		return list, err
	}
	m := map[string]any{}
	for r.dec.more() {
		key, err := r.dec.token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if m[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.token()
	return m, err
}

// decodeMap reads one JSON map and nothing else.
func decodeMap(data []byte) (map[string]any, error) {
	if err := wellFormed(data); err != nil {
		return nil, err
	}
	r := jsonReader{dec: tokens{data: data}, lines: lines{data: data}}
	v, err := r.value(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a map")
	}
	return m, nil
}
