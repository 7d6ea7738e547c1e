package manage

import (
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
)

// OperationDigest asks for one number that stands for some attributes of all
// entities of some types: as long as none of them changes, it is the same. The
// body of the request is a map of types to lists of attributes. Whoever looks at
// a router again and again saves himself the tables. Connections of clients and
// addresses that are not mobile are not in it: they come and go with whoever asks,
// for this or anything else. It is an operation of this router alone, and not in
// the schema, which is upstream's.
const OperationDigest = "GET-DIGEST"

// digest answers OperationDigest.
func (n *Node) digest(q *request) (any, error) {
	body, err := q.attributes()
	if err != nil {
		return nil, err
	}
	sum := fnv.New64a()
	for _, p := range body {
		typ, _ := p.Key.(string)
		t, ok := config.Lookup(typ)
		if !ok {
			return nil, badRequest("No such entity type '%s'", typ)
		}
		names, ok := fromAMQP(p.Value).([]any)
		if !ok {
			return nil, badRequest("attributes of %s must be a list", typ)
		}
		for _, sub := range descendants(t) {
			page := n.entities(sub)
			n.observe(page)
			for _, e := range page {
				if passing(&e) {
					continue
				}
				for _, name := range names {
					text, _ := name.(string)
					write(sum, e.get(text))
				}
				write(sum, e.identity)
			}
		}
	}
	return amqp.Map{{Key: "digest", Value: sum.Sum64()}}, nil
}

// passing reports whether an entity is one that comes and goes with a client.
func passing(e *entity) bool {
	switch e.typ.Name {
	case "connection":
		return e.get("role") == "normal"
	case "router.address":
		key, _ := e.get("key").(string)
		return !strings.HasPrefix(key, "M")
	}
	return false
}

// write adds a value to a hash, which never fails.
func write(sum io.Writer, value any) {
	if s, ok := value.(string); ok {
		_, _ = io.WriteString(sum, s)
	} else {
		_, _ = fmt.Fprint(sum, value)
	}
	_, _ = sum.Write([]byte{0})
}

// OperationRoundTrips asks how long the hosts of the neighbors take to answer:
// the answer is a map of the ids of their routers to microseconds. It is an
// operation of this router alone, as OperationDigest is.
const OperationRoundTrips = "GET-ROUND-TRIPS"

// roundTrips answers OperationRoundTrips.
func (n *Node) roundTrips() amqp.Map {
	answer := amqp.Map{}
	trips := n.store.RoundTrips()
	for _, id := range slices.Sorted(maps.Keys(trips)) {
		answer = append(answer, amqp.Pair{Key: id, Value: trips[id].Microseconds()})
	}
	return answer
}
