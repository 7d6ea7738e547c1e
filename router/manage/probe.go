package manage

import (
	"context"
	"errors"
	"fmt"

	"github.com/skupper-host/skupper/router/amqp"
)

// OperationProbe asks the router to connect to the server of the tcpConnector of
// that name once, TLS included. The answer is a map: how many "microseconds" it
// took and, if it failed, the "error". It is an operation of this router alone,
// as OperationDigest is, and takes as long as the server lets it.
const OperationProbe = "PROBE"

// ErrNoConnector is returned by Store.Probe.
var ErrNoConnector = errors.New("no such tcpConnector")

// probe answers OperationProbe.
func (n *Node) probe(ctx context.Context, q *request) (any, error) {
	name := q.text("connector")
	if name == "" {
		return nil, badRequest("No 'connector' property")
	}
	took, err := n.store.Probe(ctx, name)
	if errors.Is(err, ErrNoConnector) {
		return nil, &Error{StatusNotFound, fmt.Sprintf("No tcpConnector '%s'", name)}
	}
	answer := amqp.Map{{Key: "microseconds", Value: took.Microseconds()}}
	if err != nil {
		answer = append(answer, amqp.Pair{Key: "error", Value: err.Error()})
	}
	return answer, nil
}
