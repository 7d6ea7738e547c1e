package client

import (
	"fmt"
	"math"

	"github.com/skupper-host/skupper/router/amqp"
)

// Entity is the attributes of one entity. A value is nil, a string, a bool, an
// int64 (a uint64 if it is too large for that), a float64, a []byte, a []any or
// a map[string]any.
type Entity map[string]any

// Text returns an attribute that is a string, "" if it is null or another
// thing.
func (e Entity) Text(name string) string {
	s, _ := e[name].(string)
	return s
}

// Int returns an attribute that is a whole number, 0 if it is null or another
// thing.
func (e Entity) Int(name string) int64 {
	n, _ := e[name].(int64)
	return n
}

// Bool returns an attribute that is a boolean, false if it is null or another
// thing.
func (e Entity) Bool(name string) bool {
	b, _ := e[name].(bool)
	return b
}

// fromAMQP returns an AMQP value as an Entity has it.
func fromAMQP(v any) any {
	switch x := v.(type) {
	case nil, string, bool, int64, float64, []byte:
		return x
	case amqp.Symbol:
		return string(x)
	case amqp.Map:
		return attributes(x)
	case amqp.List:
		return values(x)
	case amqp.Array:
		return values(x)
	case []amqp.Symbol:
		out := make([]any, len(x))
		for i, s := range x {
			out[i] = string(s)
		}
		return out
	case uint64:
		if x > math.MaxInt64 {
			return x
		}
		return int64(x)
	case float32:
		return float64(x)
	case amqp.Timestamp:
		return int64(x)
	}
	if n, ok := narrow(v); ok {
		return n
	}
	return fmt.Sprint(v) // char, uuid, decimal: nothing that a router sends
}

// narrow returns an integer of less than 64 bits.
func narrow(v any) (int64, bool) {
	switch x := v.(type) {
	case int32:
		return int64(x), true
	case int16:
		return int64(x), true
	case int8:
		return int64(x), true
	case uint32:
		return int64(x), true
	case uint16:
		return int64(x), true
	case uint8:
		return int64(x), true
	}
	return 0, false
}

func attributes(m amqp.Map) map[string]any {
	out := make(map[string]any, len(m))
	for _, p := range m {
		out[fmt.Sprint(p.Key)] = fromAMQP(p.Value)
	}
	return out
}

func values[L ~[]any](l L) []any {
	out := make([]any, len(l))
	for i, v := range l {
		out[i] = fromAMQP(v)
	}
	return out
}

// toAMQP returns a Go value as an AMQP value. Besides what an Entity holds it
// takes int and []string.
func toAMQP(v any) (any, error) {
	switch x := v.(type) {
	case nil, string, bool, int64, uint64, int32, uint32, float64, []byte:
		return x, nil
	case int:
		return int64(x), nil
	case []string:
		out := make(amqp.List, len(x))
		for i, s := range x {
			out[i] = s
		}
		return out, nil
	case []any:
		out := make(amqp.List, len(x))
		for i, e := range x {
			var err error
			if out[i], err = toAMQP(e); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		return toMap(x)
	case Entity:
		return toMap(x)
	}
	return nil, fmt.Errorf("value of Go type %T cannot be sent", v)
}

func toMap(m map[string]any) (any, error) {
	out := make(amqp.Map, 0, len(m))
	for k, v := range m {
		converted, err := toAMQP(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		out = append(out, amqp.Pair{Key: k, Value: converted})
	}
	return out, nil
}
