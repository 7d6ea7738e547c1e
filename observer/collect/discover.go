package collect

import (
	"context"
	"fmt"
	"strings"

	goamqp "github.com/Azure/go-amqp"

	"github.com/skupper-host/skupper/router/vanflow"
)

// page is how many addresses are asked for at a time (compat: as upstream's
// tools do).
const page = 500

// discover asks the router which sources there are: each takes commands at an
// address that every interior router knows. Beacons, which come every 10 s, would
// say it too, and do where the router has no answer.
func (k *connection) discover(ctx context.Context) ([]string, error) {
	replies, err := k.receive.NewReceiver(ctx, "", &goamqp.ReceiverOptions{DynamicAddress: true, Credit: 1})
	if err != nil {
		return nil, err
	}
	defer k.unlink(replies)
	requests, err := k.send.NewSender(ctx, "$management", nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = requests.Close(ctx) // the connection may be gone
	}()
	var ids []string
	for offset := 0; ; offset += page {
		names, err := addresses(ctx, requests, replies, offset)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			// M: a mobile address, one that a client or an in-process subscriber
			// takes messages at, as opposed to those of routers.
			id, ok := strings.CutPrefix(name, "M"+vanflow.AddressDirect(""))
			if ok && id != "" && len(id) <= maxID && !strings.Contains(id, "/") {
				ids = append(ids, id)
			}
		}
		if len(names) < page {
			return ids, nil
		}
	}
}

// addresses asks for a page of the router's addresses.
func addresses(ctx context.Context, requests *goamqp.Sender, replies *goamqp.Receiver, offset int) (names []string, err error) {
	to, from := "$management", replies.Address()
	err = requests.Send(ctx, &goamqp.Message{
		Properties: &goamqp.MessageProperties{To: &to, ReplyTo: &from, CorrelationID: uint64(offset)},
		ApplicationProperties: map[string]any{
			"operation": "QUERY", "name": "self", "type": "org.amqp.management", "entityType": "io.skupper.router.router.address",
			"count": int32(page), "offset": int32(offset),
		},
		Value: map[string]any{"attributeNames": []any{"name"}},
	}, nil)
	if err != nil {
		return nil, err
	}
	reply, err := replies.Receive(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := replies.AcceptMessage(ctx, reply); err != nil {
		return nil, err
	}
	if status := fmt.Sprint(reply.ApplicationProperties["statusCode"]); status != "200" {
		return nil, fmt.Errorf("addresses of the router: status %s, %v", status, reply.ApplicationProperties["statusDescription"])
	}
	for _, row := range rowsOf(reply.Value) {
		if cells, ok := row.([]any); ok && len(cells) == 1 {
			if name, ok := cells[0].(string); ok {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// rowsOf returns the rows of the answer to QUERY; keys of its map are strings of
// either library's type.
func rowsOf(body any) []any {
	switch m := body.(type) {
	case map[string]any:
		rows, _ := m["results"].([]any)
		return rows
	case map[any]any:
		rows, _ := m["results"].([]any)
		return rows
	}
	return nil
}

// kindOf is the type of a source by its id: a router's is five characters and
// ":0", anything else is a controller's.
func kindOf(id string) vanflow.SourceType {
	if len(id) == len("abcde:0") && strings.HasSuffix(id, ":0") {
		return vanflow.SourceRouter
	}
	return vanflow.SourceController
}
