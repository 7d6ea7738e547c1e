package manage

import (
	"github.com/skupper-host/skupper/router/amqp"
)

// OperationLosses asks which TCP connections would end if the configuration
// changed, each counted once. The body of the request is a list of changes: maps
// of "type", "name" and a list of "attributes" that are to change; without those,
// the entity is to go. An empty list asks what ends with the router. The answer is a
// list of maps: a number of "connections", the position of the "change" that would
// end them, and the "type" and "name" of the tcpListener or tcpConnector that they
// belong to; neither for those of other routers that pass through this one. It
// is an operation of this router alone, as OperationDigest is.
const OperationLosses = "GET-LOSSES"

// Change is a change of an entity that is thought of.
type Change struct {
	Type, Name string
	Attributes []string // that change; none: it goes
}

// Loss is how many connections would end.
type Loss struct {
	Change      int    // that would end them: its position; 0 if the router ends
	Type, Name  string // whose they are; empty if they pass through
	Connections int
}

// losses answers OperationLosses.
func (n *Node) losses(q *request) (any, error) {
	list, ok := q.msg.Value.(amqp.List)
	if !ok {
		return nil, badRequest("Body of request must be a list")
	}
	changes := make([]Change, 0, len(list))
	for _, v := range list {
		m, ok := v.(amqp.Map)
		if !ok {
			return nil, badRequest("A change must be a map")
		}
		var c Change
		c.Type, _ = m.Get("type").(string)
		c.Name, _ = m.Get("name").(string)
		names, _ := fromAMQP(m.Get("attributes")).([]any)
		for _, name := range names {
			text, _ := name.(string)
			c.Attributes = append(c.Attributes, text)
		}
		changes = append(changes, c)
	}
	answer := amqp.List{}
	for _, l := range n.store.Losses(changes) {
		row := amqp.Map{{Key: "change", Value: int64(l.Change)}, {Key: "connections", Value: int64(l.Connections)}}
		if l.Type != "" {
			row = append(row, amqp.Pair{Key: "type", Value: l.Type}, amqp.Pair{Key: "name", Value: l.Name})
		}
		answer = append(answer, row)
	}
	return answer, nil
}
