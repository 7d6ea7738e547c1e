package router_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	goamqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router/amqp"
)

// exchange is a recorded request of a management tool and the answer of
// upstream's router, west-1.
type exchange struct {
	Name              string
	Request, Response struct{ Raw string }
}

// answeredOtherwise says where our answer is another on purpose.
func answeredOtherwise() map[string]string {
	const typ = "QUERY io.skupper.router."
	return map[string]string{
		typ + "connection ['identity', 'role', 'nosuch']{}":           "upstream answers an unknown attribute with another column",
		typ + "tcpListener ['name', 'port']{'count': 1, 'offset': 0}": "upstream ignores count",
		"CREATE dup":              "upstream's description is the text of two Python objects",
		"CREATE missing required": "upstream answers 500 by accident",
	}
}

// recordedSites are the three routers of the recording, but for their ports.
func recordedSites(t *testing.T) (west *node) {
	t.Helper()
	links, edges := freeport.Get(t), freeport.Get(t)
	at := func(typ, name, address string) entity {
		return entity{typ, attrs{
			"name": name, "host": "127.0.0.1", "port": strconv.Itoa(freeport.Get(t)), "address": address,
			"siteId": "11111111-aaaa-4aaa-8aaa-111111111111",
		}}
	}
	west = start(
		t, "west-1", "interior",
		entity{"router", attrs{"dataConnectionCount": "2", "metadata": `{"id":"11111111-aaaa-4aaa-8aaa-111111111111","version":"2.1.0","platform":"linux"}`}},
		entity{"log", attrs{"module": "DEFAULT", "enable": "info+", "outputFile": filepath.Join(t.TempDir(), "west.log")}},
		entity{"site", attrs{"name": "west", "location": "lab", "provider": "none", "version": "2.1.0", "platform": "linux", "namespace": "default"}},
		listener("inter-router", links), listener("edge", edges),
		at("tcpListener", "listener/echo", "echo"), at("tcpListener", "listener/web", "web"), at("tcpListener", "listener/local", "local"),
		at("tcpConnector", "connector/local", "local"),
	)
	of := func(site string) entity {
		return entity{"router", attrs{"metadata": fmt.Sprintf(`{"id":%q,"version":"2.1.0","platform":"linux"}`, site)}}
	}
	start(
		t, "east-1", "interior", of("22222222-bbbb-4bbb-8bbb-222222222222"), connector("inter-router", links),
		at("tcpConnector", "connector/web", "web"), at("tcpConnector", "connector/echo", "echo"),
	)
	start(t, "edge-1", "edge", of("33333333-cccc-4ccc-8ccc-333333333333"), connector("edge", edges), at("tcpListener", "listener/edge", "echo"))
	return west
}

// TestRecordedRequests sends what management tools asked upstream's router to
// one of ours in a network of the same kind, encoded by another AMQP library,
// and compares the answers: status and description, the names of attributes,
// and of each attribute the type. Where answers are about an entity it is the
// same entity.
func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	west := recordedSites(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := west.session(t)
	replies, err := s.NewReceiver(ctx, "", &goamqp.ReceiverOptions{DynamicAddress: true, Credit: 10})
	if err != nil {
		t.Fatal(err)
	}
	anonymous, err := s.NewSender(ctx, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.NewSender(ctx, "$management", nil)
	if err != nil {
		t.Fatal(err)
	}
	otherwise := answeredOtherwise()
	compared := 0
	for _, x := range captures.Lines[exchange](t, "management/messages.jsonl") {
		raw, err := hex.DecodeString(x.Request.Raw)
		if err != nil {
			t.Fatal(err)
		}
		var request goamqp.Message
		if err := request.UnmarshalBinary(raw); err != nil {
			t.Fatalf("%s: %v", x.Name, err)
		}
		address := replies.Address()
		request.Properties.ReplyTo = &address
		sender := own
		if request.Properties.To != nil {
			sender = anonymous
		}
		eventually(t, x.Name+" is taken", func() error { // others come to be known
			receipt, err := sender.SendWithReceipt(ctx, &request, nil)
			if err != nil {
				return err
			}
			outcome, err := receipt.Wait(ctx)
			if _, ok := outcome.(*goamqp.StateAccepted); err == nil && !ok {
				return fmt.Errorf("outcome %T", outcome)
			}
			return err
		})
		reply, err := replies.Receive(ctx, nil)
		if err != nil {
			t.Fatalf("%s: %v", x.Name, err)
		}
		if err := replies.AcceptMessage(ctx, reply); err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(reply.Properties.CorrelationID, request.Properties.CorrelationID) {
			t.Errorf("%s: correlation id %#v", x.Name, reply.Properties.CorrelationID)
		}
		octets, err := hex.DecodeString(x.Response.Raw)
		if err != nil || otherwise[x.Name] != "" {
			delete(otherwise, x.Name)
			continue // the recording of a long answer was cut off
		}
		encoded, err := reply.MarshalBinary()
		if err != nil {
			t.Fatalf("%s: %v", x.Name, err)
		}
		compareAnswers(t, x.Name, parsed(t, octets), parsed(t, encoded))
		compared++
	}
	if compared < 50 {
		t.Errorf("%d answers compared", compared)
	}
	for name := range otherwise {
		t.Errorf("%s: not among the exchanges", name)
	}
}

func parsed(t *testing.T, octets []byte) *amqp.Message {
	t.Helper()
	m, err := amqp.ParseMessage(octets)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func compareAnswers(t *testing.T, name string, want, got *amqp.Message) {
	t.Helper()
	for _, key := range []string{"statusCode", "statusDescription"} {
		if diff := cmp.Diff(want.ApplicationProperties.Get(key), got.ApplicationProperties.Get(key)); diff != "" {
			t.Errorf("%s: %s: %s", name, key, diff)
		}
	}
	if w, g := fmt.Sprintf("%T", want.Value), fmt.Sprintf("%T", got.Value); w != g {
		t.Errorf("%s: the body is %s, want %s", name, g, w)
		return
	}
	w, ok := want.Value.(amqp.Map)
	if !ok {
		return
	}
	g := got.Value.(amqp.Map)
	if w.Get("attributeNames") != nil {
		w, g = firstValues(w), firstValues(g)
	}
	for _, p := range w {
		key, theirs, ours := fmt.Sprint(p.Key), p.Value, g.Get(fmt.Sprint(p.Key))
		if ours == nil && !has(g, key) && key != "" { // an empty column is a bug of upstream's
			t.Errorf("%s: no %s", name, key)
		} else if ours != nil && theirs != nil && fmt.Sprintf("%T", ours) != fmt.Sprintf("%T", theirs) {
			t.Errorf("%s: %s is %#v, want %#v", name, key, ours, theirs)
		}
	}
	if strings.HasPrefix(name, "CREATE") || strings.HasPrefix(name, "UPDATE") || strings.HasPrefix(name, "READ") {
		for _, p := range g {
			if !has(w, fmt.Sprint(p.Key)) {
				t.Errorf("%s: %v = %v is too much", name, p.Key, p.Value)
			}
		}
	}
}

func has(m amqp.Map, key string) bool {
	for _, p := range m {
		if p.Key == key {
			return true
		}
	}
	return false
}

// firstValues makes a map of a table: of each column the first value that is
// not null.
func firstValues(table amqp.Map) (m amqp.Map) {
	names, _ := table.Get("attributeNames").(amqp.List)
	rows, _ := table.Get("results").(amqp.List)
	for i, name := range names {
		p := amqp.Pair{Key: name}
		for _, row := range rows {
			if cells, ok := row.(amqp.List); ok && i < len(cells) && p.Value == nil {
				p.Value = cells[i]
			}
		}
		m = append(m, p)
	}
	return m
}
