package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrUnknownAttribute is returned for an attribute that the type does not
// have.
var ErrUnknownAttribute = errors.New("unknown attribute")

// Convert returns value as the Go type of the attribute's kind. It accepts
// what files and management requests of upstream's tools contain: numbers as
// decimal text and the other way round, and yes/no, true/false and on/off for
// booleans. Whole numbers of every Go type and json.Number are numbers. The
// error says what was expected.
func Convert(a *Attribute, value any) (any, error) {
	switch a.Kind {
	case Integer:
		return toInteger(value)
	case Boolean:
		return toBoolean(value)
	case Enum:
		if s, ok := value.(string); ok && slices.Contains(a.Values, s) {
			return s, nil
		}
		return nil, fmt.Errorf("%s is not one of %s", show(value), strings.Join(a.Values, ", "))
	case List:
		if l, ok := value.([]any); ok {
			return l, nil
		}
		return nil, fmt.Errorf("%s is not a list", show(value))
	case Mapping, Properties:
		return toMapping(a.Kind, value)
	case String, Path, EntityID:
	}
	return toText(value)
}

func toInteger(value any) (any, error) {
	if s, ok := value.(string); ok {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is not a whole number", show(value))
		}
		return n, nil
	}
	n, ok := whole(value)
	if !ok {
		return nil, fmt.Errorf("%s is not a whole number", show(value))
	}
	return n, nil
}

// whole returns the number of any Go type as an int64 if it is one.
func whole(value any) (int64, bool) {
	switch n := value.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case int16:
		return int64(n), true
	case int8:
		return int64(n), true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case uint:
		return int64(n), n <= math.MaxInt64
	case uint32:
		return int64(n), true
	case uint16:
		return int64(n), true
	case uint8:
		return int64(n), true
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

func toBoolean(value any) (any, error) {
	switch b := value.(type) {
	case bool:
		return b, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(b)) {
		case "yes", "true", "on":
			return true, nil
		case "no", "false", "off":
			return false, nil
		}
	}
	// compat: upstream takes any number for a boolean; 0 and 1 are meant so.
	if n, ok := whole(value); ok && (n == 0 || n == 1) {
		return n == 1, nil
	}
	return nil, fmt.Errorf("%s is not yes or no", show(value))
}

func toText(value any) (any, error) {
	if s, ok := value.(string); ok {
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("%s is not UTF-8", show(s))
		}
		return s, nil
	}
	if n, ok := whole(value); ok {
		return strconv.FormatInt(n, 10), nil
	}
	return nil, fmt.Errorf("%s is not text", show(value))
}

func toMapping(kind Kind, value any) (any, error) {
	m, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is not a map", show(value))
	}
	if kind == Properties {
		for key := range m {
			if strings.ContainsFunc(key, func(r rune) bool { return r > 127 }) {
				return nil, fmt.Errorf("key %q is not ASCII", key)
			}
		}
	}
	return m, nil
}

// show writes a value into an error text, shortened.
func show(value any) string {
	const most = 60
	s := fmt.Sprint(value)
	if _, ok := value.(string); ok {
		s = strconv.Quote(s)
	}
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// plainNumber returns an int64 for a json.Number that is whole, a float64 for
// any other, and v for everything else.
func plainNumber(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, err := n.Float64()
	if err != nil {
		return n.String()
	}
	const exact = 1 << 53 // below, every whole float64 is exact
	if f == math.Trunc(f) && math.Abs(f) < exact {
		return int64(f)
	}
	return f
}
