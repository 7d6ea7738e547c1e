package manage

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/router/amqp"
)

// columns says where the attributes of a row are in its struct.
type columns map[string]column

type column struct {
	index int
	null  bool // the zero value is null
}

// layouts has the columns of every struct of rows.go. It is built once and
// never written.
var layouts = layOut(
	RouterStatus{}, Metrics{}, Connection{}, Link{}, Address{}, RouterNode{}, ConnectorStatus{}, ListenerStatus{}, TCPListenerStatus{},
	TCPConnectorStatus{}, ListenerAddressStatus{}, AutoLinkStatus{}, PolicyStatus{}, LogStats{}, Allocator{}, VhostStats{},
)

func layOut(rows ...Row) map[reflect.Type]columns {
	all := map[reflect.Type]columns{}
	for _, r := range rows {
		t := reflect.TypeOf(r)
		c := columns{}
		for i := range t.NumField() {
			tag := t.Field(i).Tag.Get("attr")
			if tag == "" {
				continue
			}
			name, null := strings.CutSuffix(tag, ",null")
			c[name] = column{i, null}
		}
		all[t] = c
	}
	return all
}

// cell returns the attribute of a row as an AMQP value, nil for null and for
// what the row does not have.
func cell(r Row, name string) (value any, has bool) {
	if r == nil {
		return nil, false
	}
	v := reflect.ValueOf(r)
	c, ok := layouts[v.Type()][name]
	if !ok {
		return nil, false
	}
	f := v.Field(c.index)
	if c.null && f.IsZero() {
		return nil, true
	}
	if f.Kind() == reflect.Pointer {
		if f.IsNil() {
			return nil, true
		}
		f = f.Elem()
	}
	return toAMQP(f.Interface()), true
}

// toAMQP returns a Go value of a row or of a configuration as an AMQP value.
// Integers of no particular width become an int if they fit.
func toAMQP(v any) any {
	switch x := v.(type) {
	case int:
		return integer(int64(x))
	case []string:
		return list(x, func(s string) any { return s })
	case []uint64:
		return list(x, func(n uint64) any { return n })
	case []int64:
		return list(x, func(n int64) any { return n })
	case map[string]uint64:
		return mapping(x, func(n uint64) any { return n })
	case map[string]any:
		return mapping(x, plain)
	case []any:
		return list(x, plain)
	case amqp.Map:
		if x == nil {
			return amqp.Map{}
		}
	}
	return v
}

// ConfigValue returns a value of a configuration, such as an openProperties
// map has, as an AMQP value.
func ConfigValue(v any) any { return plain(v) }

// plain is toAMQP for the values of a configuration, where every integer is an
// int64.
func plain(v any) any {
	if n, ok := v.(int64); ok {
		return integer(n)
	}
	return toAMQP(v)
}

func integer(n int64) any {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return n
	}
	return int32(n)
}

func list[T any](in []T, convert func(T) any) amqp.List {
	out := make(amqp.List, len(in))
	for i, v := range in {
		out[i] = convert(v)
	}
	return out
}

// mapping returns m with its keys ascending.
func mapping[T any](m map[string]T, convert func(T) any) amqp.Map {
	out := make(amqp.Map, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, amqp.Pair{Key: k, Value: convert(m[k])})
	}
	return out
}

// fromAMQP returns an AMQP value as config.Set takes it.
func fromAMQP(v any) any {
	switch x := v.(type) {
	case amqp.Symbol:
		return string(x)
	case amqp.Map:
		m := make(map[string]any, len(x))
		for _, p := range x {
			m[fmt.Sprint(p.Key)] = fromAMQP(p.Value)
		}
		return m
	case amqp.List:
		return []any(list(x, fromAMQP))
	case amqp.Array:
		return []any(list(x, fromAMQP))
	case []amqp.Symbol:
		return []any(list(x, func(s amqp.Symbol) any { return string(s) }))
	}
	if n, ok := whole(v); ok {
		return n
	}
	return v
}

// whole returns an AMQP integer as an int64; a ulong may be too large for it.
func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int32:
		return int64(n), true
	case int16:
		return int64(n), true
	case int8:
		return int64(n), true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case uint32:
		return int64(n), true
	case uint16:
		return int64(n), true
	case uint8:
		return int64(n), true
	}
	return 0, false
}
