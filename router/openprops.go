package router

import (
	"maps"
	"net"
	"slices"
	"strings"

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

// failoverList is the attribute failoverUrls as a property of Open: places such
// as "amqps://host:port", with commas in between.
func failoverList(urls string) (list amqp.List) {
	for url := range strings.SplitSeq(urls, ",") {
		url = strings.TrimSpace(url)
		scheme, place, named := strings.Cut(url, "://")
		if !named {
			scheme, place = "", url
		}
		host, port, err := net.SplitHostPort(place)
		if err != nil {
			host, port = place, ""
		}
		if host == "" {
			continue
		}
		var m amqp.Map
		if scheme != "" && scheme != "amqp" {
			m = append(m, amqp.Pair{Key: amqp.Symbol("scheme"), Value: scheme})
		}
		m = append(m, amqp.Pair{Key: amqp.Symbol("network-host"), Value: host})
		if port == "" {
			port = "5672" // IANA
			if scheme == "amqps" {
				port = "5671"
			}
		}
		list = append(list, append(m, amqp.Pair{Key: amqp.Symbol("port"), Value: port}))
	}
	return list
}
