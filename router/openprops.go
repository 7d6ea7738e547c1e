package router

import (
	"maps"
	"slices"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/manage"
)

// openProperties are the configured properties of an Open, in the order of
// their keys.
func openProperties(configured map[string]any) (props amqp.Map) {
	for _, key := range slices.Sorted(maps.Keys(configured)) {
		props = append(props, amqp.Pair{Key: amqp.Symbol(key), Value: manage.ConfigValue(configured[key])})
	}
	return props
}

// understood is the part of a peer's properties that is well-formed. compat:
// upstream reads on to the first key that is no symbol and the first value that
// is null.
func understood(props amqp.Map) amqp.Map {
	for i, p := range props {
		if _, ok := p.Key.(amqp.Symbol); !ok || p.Value == nil {
			return props[:i]
		}
	}
	return props
}
