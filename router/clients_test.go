package router_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/manage/client"
)

// dial connects an AMQP client to a port.
func dial(t *testing.T, port int) *goamqp.Conn {
	t.Helper()
	c, err := goamqp.Dial(t.Context(), fmt.Sprintf("amqp://127.0.0.1:%d", port), &goamqp.ConnOptions{SASLType: goamqp.SASLTypeAnonymous()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestConfiguredPropertiesAreInTheOpen(t *testing.T) {
	t.Parallel()
	port := freeport.Get(t)
	start(t, "A", "interior", entity{"listener", attrs{
		"name": "other", "host": "127.0.0.1", "port": strconv.Itoa(port), "failoverUrls": "second:25000, amqps://third",
		"openProperties": map[string]any{"text": "a", "number": -3, "list": []any{1, nil, false}},
	}})
	got := dial(t, port).Properties()
	want := map[string]any{
		"text": "a", "number": int32(-3), "list": []any{int32(1), nil, false},
		"failover-server-list": []any{
			map[any]any{goSymbol("network-host"): "second", goSymbol("port"): "25000"},
			map[any]any{goSymbol("scheme"): "amqps", goSymbol("network-host"): "third", goSymbol("port"): "5671"},
		},
	}
	for key, value := range want {
		if diff := cmp.Diff(fmt.Sprint(value), fmt.Sprint(got[key])); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
}

// goSymbol stands for a symbol, whose type go-amqp does not export; only its
// text is compared.
type goSymbol string

// outcome sends one message on an anonymous link and returns what becomes of it.
func outcome(t *testing.T, s *goamqp.Session, to string) goamqp.DeliveryState {
	t.Helper()
	link, err := s.NewSender(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m := goamqp.NewMessage([]byte("x"))
	m.Properties = &goamqp.MessageProperties{To: &to}
	receipt, err := link.SendWithReceipt(ctx, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	state, err := receipt.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestMessagesWithoutDestination(t *testing.T) {
	t.Parallel()
	n := start(t, "A", "interior", entity{"address", attrs{"prefix": "closed", "distribution": "unavailable"}})
	s := n.session(t)
	if _, ok := outcome(t, s, "nobody").(*goamqp.StateReleased); !ok {
		t.Error("a message that nobody waits for is not released")
	}
	rejected, ok := outcome(t, s, "closed/x").(*goamqp.StateRejected)
	if !ok || rejected.Error == nil || rejected.Error.Condition != "amqp:not-found" {
		t.Errorf("a message to an unavailable address has the outcome %v", rejected)
	}
}

// Addresses are refused unless the configuration names them; the router's own
// are there.
func TestManagementAnswersWhereEverythingElseIsUnavailable(t *testing.T) {
	t.Parallel()
	n := start(t, "A", "interior", entity{"router", attrs{"defaultDistribution": "unavailable"}})
	rows, err := n.manage(t).Query(t.Context(), "router", "id")
	if err != nil || len(rows) != 1 || rows[0].Text("id") != "A" {
		t.Errorf("%v %v", rows, err)
	}
	if _, ok := outcome(t, n.session(t), "any").(*goamqp.StateRejected); !ok {
		t.Error("a message to an unavailable address is not rejected")
	}
}

func TestAnonymousMulticastOfAnEdgeRouterReachesTheOthers(t *testing.T) {
	t.Parallel()
	port := freeport.Get(t)
	interior := start(t, "I", "interior", listener("edge", port))
	edge := start(t, "E", "edge", connector("edge", port))
	here, there := receive(t, edge.session(t), "mc/news"), receive(t, interior.session(t), "mc/news")
	s := edge.session(t)
	eventually(t, "news at both", func() error {
		send(t, s, "", "mc/news", "x")
		if a, b := len(here.received()), len(there.received()); a == 0 || b == 0 {
			return fmt.Errorf("%d here, %d there", a, b)
		}
		return nil
	})
}

// A sender may ask that what one destination releases goes to another.
func TestReleasedMessagesGoToAnotherReceiver(t *testing.T) {
	t.Parallel()
	s := start(t, "A", "interior").session(t)
	unwilling, err := s.NewReceiver(t.Context(), "work", &goamqp.ReceiverOptions{Credit: 10})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		for {
			m, err := unwilling.Receive(ctx, nil)
			if err != nil {
				return
			}
			_ = unwilling.ReleaseMessage(ctx, m) // the sender looks at the outcome
		}
	})
	willing := receive(t, s, "work")
	link, err := s.NewSender(t.Context(), "work", &goamqp.SenderOptions{TargetCapabilities: []string{"qd.resend-released"}})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 6 {
		text := strconv.Itoa(i)
		receipt, err := link.SendWithReceipt(t.Context(), goamqp.NewMessage([]byte(text)), nil)
		if err != nil {
			t.Fatal(err)
		}
		state, err := receipt.Wait(t.Context())
		if _, ok := state.(*goamqp.StateAccepted); !ok || err != nil {
			t.Errorf("message %d: %T, %v", i, state, err)
		}
		want = append(want, text)
	}
	willing.expect(t, want...)
}

func TestDeliveriesAreCountedByTheirOutcome(t *testing.T) {
	t.Parallel()
	n := start(t, "A", "interior")
	m, s := n.manage(t), n.session(t)
	count := func() client.Entity {
		rows, err := m.Query(t.Context(), "routerMetrics")
		if err != nil || len(rows) != 1 {
			t.Fatalf("%v %v", rows, err)
		}
		return rows[0]
	}
	before := count()
	receive(t, s, "a")
	const good = 5
	for range good {
		send(t, s, "a", "", "x")
	}
	outcome(t, s, "nobody")
	eventually(t, "counters", func() error {
		now := count()
		for name, least := range map[string]int64{"deliveriesIngress": good + 1, "deliveriesEgress": good, "acceptedDeliveries": good, "releasedDeliveries": 1} {
			if got := now.Int(name) - before.Int(name); got < least {
				return fmt.Errorf("%s has grown by %d, want %d or more", name, got, least)
			}
		}
		return nil
	})
}

func TestTCPConnectionsAreListedAndCut(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		if c, err := server.Accept(); err == nil {
			accepted <- c
		}
	})
	t.Cleanup(func() { _ = server.Close(); wg.Wait() })
	port := freeport.Get(t)
	n := start(
		t, "A", "interior",
		entity{"tcpListener", attrs{"name": "in", "host": "127.0.0.1", "port": strconv.Itoa(port), "address": "svc"}},
		entity{"tcpConnector", attrs{"name": "out", "host": "127.0.0.1", "port": strconv.Itoa(server.Addr().(*net.TCPAddr).Port), "address": "svc"}},
	)
	var c net.Conn
	eventually(t, "the service", func() (err error) {
		c, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		return err
	})
	defer c.Close()
	defer func() { _ = (<-accepted).Close() }()
	m := n.manage(t)
	byDir, own := map[string]string{}, ""
	eventually(t, "both connections in the list", func() error {
		rows, err := m.Query(t.Context(), "connection", "identity", "protocol", "dir", "host")
		if err != nil {
			return err
		}
		for _, row := range rows {
			switch {
			case row.Text("host") == "egress-dispatch":
				own = row.Text("identity")
			case row.Text("protocol") == "tcp":
				byDir[row.Text("dir")] = row.Text("identity")
			}
		}
		if len(byDir) != 2 {
			return fmt.Errorf("connections by direction: %v", byDir)
		}
		return nil
	})
	// The connector's own connection to the router counts, and stays.
	rows, err := m.Query(t.Context(), "tcpConnector", "connectionsOpened")
	if err != nil || len(rows) != 1 || rows[0].Int("connectionsOpened") != 2 {
		t.Errorf("the connector has opened %v, want 2: %v", rows, err)
	}
	deleted := map[string]any{"adminStatus": "deleted"}
	var refused *client.Error
	if _, err := m.Update(t.Context(), client.Ref{Type: "connection", Identity: own}, deleted); !errors.As(err, &refused) || refused.Status != manage.StatusForbidden {
		t.Errorf("deleting connection %s of the connector: %v, want %d", own, err, manage.StatusForbidden)
	}
	if _, err := m.Update(t.Context(), client.Ref{Type: "connection", Identity: byDir["out"]}, deleted); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the client is still connected: %v", err)
	}
}

// ending waits for the end of a client's connection and returns how it ended.
func ending(t *testing.T, c *goamqp.Conn) *goamqp.ConnError {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the connection is still open")
	}
	var ended *goamqp.ConnError
	if !errors.As(c.Err(), &ended) {
		t.Fatalf("the connection ended with %v", c.Err())
	}
	return ended
}

// A client that its router hangs up on knows that it has to connect again, and
// not that all is done.
func TestClientsAreHungUpOnWhenTheirRouterStops(t *testing.T) {
	t.Parallel()
	port := freeport.Get(t)
	n := start(t, "A", "interior", entity{"listener", attrs{"name": "other", "host": "127.0.0.1", "port": strconv.Itoa(port)}})
	c := dial(t, port)
	n.stop()
	if ended := ending(t, c); ended.RemoteErr != nil {
		t.Errorf("the connection ended with %v, want no Close", ended)
	}
}

// A client whose listener is deleted has nothing to connect to again.
func TestClientsAreToldWhenTheirListenerIsDeleted(t *testing.T) {
	t.Parallel()
	port := freeport.Get(t)
	n := start(t, "A", "interior", entity{"listener", attrs{"name": "other", "host": "127.0.0.1", "port": strconv.Itoa(port)}})
	c := dial(t, port)
	if err := n.manage(t).Delete(t.Context(), client.Ref{Type: "listener", Name: "other"}); err != nil {
		t.Fatal(err)
	}
	if ended := ending(t, c); ended.RemoteErr == nil || ended.RemoteErr.Condition != goamqp.ErrCondConnectionForced {
		t.Errorf("the connection ended with %v, want a Close with %s", ended, goamqp.ErrCondConnectionForced)
	}
}

func TestLinksOfStreamsAreEndpoints(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	between, port := freeport.Get(t), freeport.Get(t)
	west := start(
		t, "west", "interior", listener("inter-router", between),
		entity{"tcpListener", attrs{"name": "in", "host": "127.0.0.1", "port": strconv.Itoa(port), "address": "svc"}},
	)
	start(
		t, "east", "interior", connector("inter-router", between),
		entity{"tcpConnector", attrs{"name": "out", "host": "127.0.0.1", "port": strconv.Itoa(server.Addr().(*net.TCPAddr).Port), "address": "svc"}},
	)
	var c net.Conn
	eventually(t, "the service", func() (err error) {
		c, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		return err
	})
	defer c.Close()
	m := west.manage(t)
	eventually(t, "links of the stream in both directions", func() error {
		connections, err := m.Query(t.Context(), "connection", "identity", "role")
		if err != nil {
			return err
		}
		data := map[string]bool{}
		for _, row := range connections {
			data[row.Text("identity")] = row.Text("role") == "inter-router-data"
		}
		links, err := m.Query(t.Context(), "router.link", "connectionId", "linkType", "linkDir", "operStatus")
		if err != nil {
			return err
		}
		byDir := map[string]int{}
		for _, row := range links {
			if data[row.Text("connectionId")] && row.Text("linkType") == "endpoint" && row.Text("operStatus") == "up" {
				byDir[row.Text("linkDir")]++
			}
		}
		if byDir["in"] != 1 || byDir["out"] != 1 {
			return fmt.Errorf("endpoints in use on data connections: %v", byDir)
		}
		return nil
	})
}

func TestManagementAnswersAtTheAddressOfUpstreamsCore(t *testing.T) {
	t.Parallel()
	n := start(t, "A", "standalone")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, client.Target{Network: "tcp", Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)), Node: "_local/$_management_internal"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rows, err := c.Query(ctx, "router.address", "key")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Text("key") == "L$_management_internal" {
			return
		}
	}
	t.Errorf("the address is not listed: %v", rows)
}

// What a receiver gives back with the outcome modified has failed, for the
// sender on the other side of the router.
func TestModifiedHasFailed(t *testing.T) {
	t.Parallel()
	s := start(t, "A", "interior").session(t)
	r, err := s.NewReceiver(t.Context(), "work", &goamqp.ReceiverOptions{Credit: 10})
	if err != nil {
		t.Fatal(err)
	}
	link, err := s.NewSender(t.Context(), "work", nil)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := link.SendWithReceipt(t.Context(), goamqp.NewMessage([]byte("x")), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Receive(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.ModifyMessage(t.Context(), m, &goamqp.ModifyMessageOptions{UndeliverableHere: true}); err != nil {
		t.Fatal(err)
	}
	state, err := receipt.Wait(t.Context())
	modified, ok := state.(*goamqp.StateModified)
	if !ok || err != nil || !modified.DeliveryFailed || !modified.UndeliverableHere {
		t.Errorf("outcome %T %+v, %v; want modified, failed and undeliverable here", state, state, err)
	}
}

// A connection that management closes is not listed from then on, and its peer
// learns who has done it.
func TestClosedByManagement(t *testing.T) {
	t.Parallel()
	n := start(t, "A", "interior")
	c, err := goamqp.Dial(t.Context(), fmt.Sprintf("amqp://127.0.0.1:%d", n.port), &goamqp.ConnOptions{SASLType: goamqp.SASLTypeAnonymous(), ContainerID: "unwanted"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	m := n.manage(t)
	identity := func() string {
		rows, err := m.Query(t.Context(), "connection", "identity", "container")
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if row.Text("container") == "unwanted" {
				return row.Text("identity")
			}
		}
		return ""
	}
	var id string
	eventually(t, "the connection in the list", func() error {
		if id = identity(); id == "" {
			return errors.New("it is not there")
		}
		return nil
	})
	if _, err := m.Update(t.Context(), client.Ref{Type: "connection", Identity: id}, map[string]any{"adminStatus": "deleted"}); err != nil {
		t.Fatal(err)
	}
	if identity() != "" {
		t.Error("it is still listed")
	}
	<-c.Done()
	var ended *goamqp.ConnError
	if err := c.Err(); !errors.As(err, &ended) || ended.RemoteErr == nil || ended.RemoteErr.Condition != "amqp:connection:forced" {
		t.Errorf("the peer hears %v", err)
	}
}
