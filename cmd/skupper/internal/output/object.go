package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// Format is a form of output.
type Format string

// The formats.
const (
	AsTable Format = "table"
	AsWide  Format = "wide"
	AsJSON  Format = "json"
	AsYAML  Format = "yaml"
	AsName  Format = "name"
)

// Objects writes values as JSON or YAML. One value is written bare unless list
// is set; JSON makes several a List, YAML a stream of documents.
func Objects(w io.Writer, f Format, list bool, values ...any) error {
	plain := make([]any, 0, len(values))
	for _, v := range values {
		p, err := Plain(v)
		if err != nil {
			return err
		}
		plain = append(plain, prune(p, false))
	}
	var b []byte
	var err error
	if f == AsYAML {
		b, err = yamlStream(plain)
	} else {
		b, err = jsonDocument(plain, list)
	}
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

func jsonDocument(values []any, list bool) ([]byte, error) {
	var v any = map[string]any{"apiVersion": "v1", "kind": "List", "items": values}
	if !list && len(values) == 1 {
		v = values[0]
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

func yamlStream(values []any) ([]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			return nil, err
		}
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Plain turns a value into maps, lists, strings, numbers and booleans by way
// of its JSON.
func Plain(v any) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return numbers(out), nil
}

// numbers replaces json.Number, which YAML would write as a string.
func numbers(v any) any {
	switch x := v.(type) {
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
		f, err := x.Float64()
		if err != nil {
			return x.String()
		}
		return f
	case map[string]any:
		for k := range x {
			x[k] = numbers(x[k])
		}
	case []any:
		for i := range x {
			x[i] = numbers(x[i])
		}
	}
	return v
}

// zeroTime is how an unset time.Time reads in JSON.
const zeroTime = "0001-01-01T00:00:00Z"

// prune removes zero values from maps at every level; inStatus keeps false.
func prune(v any, inStatus bool) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			e = prune(e, inStatus || k == "status")
			if zero(e, inStatus || k == "status") {
				delete(x, k)
			} else {
				x[k] = e
			}
		}
	case []any:
		for i := range x {
			x[i] = prune(x[i], inStatus)
		}
	}
	return v
}

func zero(v any, inStatus bool) bool {
	switch x := v.(type) {
	case nil:
		return true
	case bool:
		return !x && !inStatus
	case string:
		return x == "" || x == zeroTime
	case int64:
		return x == 0
	case float64:
		return x == 0
	case map[string]any:
		return len(x) == 0
	case []any:
		return len(x) == 0
	}
	return false
}

// Formats lists the formats that a status command takes.
func Formats() []string {
	return []string{string(AsTable), string(AsWide), string(AsJSON), string(AsYAML), string(AsName)}
}
