package router_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/manage/client"
)

// echoServer answers what it is told until the end of the test.
func echoServer(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().(*net.TCPAddr).Port
}

// asks makes a connection for one answer.
func asks(port int) error {
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "hello"); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, len("hello")))
	return err
}

// closed reports whether nobody listens on a port.
func closed(port int) error {
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil
	}
	_ = c.Close()
	return errors.New("somebody listens")
}

// TestEntitiesLive creates, changes and deletes by management, and looks at
// what the router does then.
func TestEntitiesLive(t *testing.T) {
	t.Parallel()
	links := freeport.Get(t)
	a := start(t, "A", "interior")
	b := start(t, "B", "interior", listener("inter-router", links))
	m := a.manage(t)
	ctx := t.Context()
	create := func(typ, name string, with map[string]any) {
		t.Helper()
		if _, err := m.Create(ctx, typ, name, with); err != nil {
			t.Fatalf("create %s %s: %v", typ, name, err)
		}
	}
	remove := func(typ, name string) {
		t.Helper()
		if err := m.Delete(ctx, client.Ref{Type: typ, Name: name}); err != nil {
			t.Fatalf("delete %s %s: %v", typ, name, err)
		}
	}
	at := func(port int, more map[string]any) map[string]any {
		with := map[string]any{"host": "127.0.0.1", "port": strconv.Itoa(port)}
		for k, v := range more {
			with[k] = v
		}
		return with
	}
	refuses := func(typ, name, attribute string, value any) {
		t.Helper()
		var refused *client.Error
		if _, err := m.Update(ctx, client.Ref{Type: typ, Name: name}, map[string]any{attribute: value}); !errors.As(err, &refused) || refused.Status != manage.StatusBadRequest {
			t.Errorf("another %s of %s: %v, want %d", attribute, typ, err, manage.StatusBadRequest)
		}
	}

	in := freeport.Get(t)
	create("tcpListener", "in", at(in, map[string]any{"address": "svc"}))
	if err := closed(in); err != nil {
		t.Errorf("the listener of a service without connector: %v", err)
	}
	create("tcpConnector", "out", at(echoServer(t), map[string]any{"address": "svc"}))
	eventually(t, "the service", func() error { return asks(in) })
	if _, err := m.Update(ctx, client.Ref{Type: "tcpListener", Name: "in"}, map[string]any{"observer": "none"}); err != nil {
		t.Error(err)
	}
	refuses("tcpListener", "in", "port", "1")
	remove("tcpConnector", "out")
	eventually(t, "the service without connector", func() error { return closed(in) })
	create("tcpConnector", "out", at(echoServer(t), map[string]any{"address": "svc"}))
	eventually(t, "the service with another connector", func() error { return asks(in) })

	many := freeport.Get(t)
	create("tcpListener", "many", at(many, map[string]any{"multiAddressStrategy": "priority"}))
	create("listenerAddress", "first", map[string]any{"listener": "many", "address": "svc", "value": 1})
	eventually(t, "the service at a listener of several addresses", func() error { return asks(many) })
	remove("listenerAddress", "first")
	eventually(t, "a listener without address", func() error { return closed(many) })
	remove("tcpListener", "many")
	remove("tcpListener", "in")
	eventually(t, "the service that is gone", func() error { return closed(in) })

	create("connector", "to-b", at(links, map[string]any{"role": "inter-router", "cost": 7}))
	eventually(t, "the link", func() error {
		rows, err := m.Query(ctx, "router.node", "id", "cost")
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Text("id") == b.id && r.Int("cost") == 7 {
				return nil
			}
		}
		return fmt.Errorf("%v", rows)
	})
	remove("connector", "to-b")
	eventually(t, "no link", func() error {
		rows, err := m.Query(ctx, "connection", "role", "container")
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Text("container") == b.id {
				return fmt.Errorf("%v", r)
			}
		}
		return nil
	})

	door := freeport.Get(t)
	create("listener", "door", at(door, map[string]any{"idleTimeoutSeconds": 10}))
	c := dial(t, door)
	remove("listener", "door")
	<-c.Done()
	eventually(t, "a deleted listener", func() error { return closed(door) })

	create("sslProfile", "unused", map[string]any{"caCertFile": "/nowhere/ca.crt"})
	if e, err := m.Update(ctx, client.Ref{Type: "sslProfile", Name: "unused"}, map[string]any{"caCertFile": "/elsewhere/ca.crt", "ordinal": 3}); err != nil || e.Int("ordinal") != 3 {
		t.Errorf("%v %v", e, err)
	}
	remove("sslProfile", "unused")

	s := a.session(t)
	create("router.config.address", "closed", map[string]any{"prefix": "closed", "distribution": "unavailable"})
	if state, ok := outcome(t, s, "closed/x").(*goamqp.StateRejected); !ok {
		t.Errorf("a message to an unavailable address: %v", state)
	}
	remove("router.config.address", "closed")
	eventually(t, "the address is as any other", func() error {
		if state, ok := outcome(t, s, "closed/x").(*goamqp.StateReleased); !ok {
			return fmt.Errorf("outcome %T", state)
		}
		return nil
	})

	for _, level := range []string{"debug+", "error+"} {
		e, err := m.Update(ctx, client.Ref{Type: "log", Identity: "log/SERVER"}, map[string]any{"enable": level})
		if err != nil || e.Text("enable") != level {
			t.Errorf("%v %v", e, err)
		}
	}
}
