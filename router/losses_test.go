package router_test

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router/manage/client"
)

// holds makes a connection that has an answer and stays open.
func holds(t *testing.T, port int) {
	t.Helper()
	eventually(t, "a connection", func() error {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return err
		}
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err = io.WriteString(c, "x"); err == nil {
			_, err = io.ReadFull(c, make([]byte, 1))
		}
		if err != nil {
			_ = c.Close()
			return err
		}
		t.Cleanup(func() { _ = c.Close() })
		return nil
	})
}

// TestLosses has connections on all ways that there are at a router in the middle,
// and asks it which of them changes would end.
func TestLosses(t *testing.T) {
	t.Parallel()
	interior, edges, east, echo := freeport.Get(t), freeport.Get(t), freeport.Get(t), strconv.Itoa(echoServer(t))
	in := func(name, key string, port int) entity {
		return entity{"tcpListener", attrs{"name": name, "host": "127.0.0.1", "port": strconv.Itoa(port), "address": key}}
	}
	out := func(name, key string) entity {
		return entity{"tcpConnector", attrs{"name": name, "host": "127.0.0.1", "port": echo, "address": key}}
	}
	west, onEdge, toEast, local := freeport.Get(t), freeport.Get(t), freeport.Get(t), freeport.Get(t)
	start(t, "east", "interior", listener("inter-router", east), out("far", "far"))
	hub := start(t, "hub", "interior", listener("inter-router", interior), listener("edge", edges), connector("inter-router", east),
		in("to-east", "far", toEast), in("local", "near", local), out("near", "near"))
	start(t, "west", "interior", connector("inter-router", interior), in("far", "far", west))
	start(t, "edge", "edge", connector("edge", edges), in("near", "near", onEdge))

	for port, n := range map[int]int{west: 3, onEdge: 2, toEast: 1, local: 1} {
		for range n {
			holds(t, port)
		}
	}
	m := hub.manage(t)
	link := func(attributes ...string) client.Change {
		return client.Change{Type: "connector", Name: fmt.Sprintf("to-inter-router-%d", east), Attributes: attributes}
	}
	access := client.Change{Type: "listener", Name: fmt.Sprintf("inter-router-%d", interior)}
	forEdges := client.Change{Type: "listener", Name: fmt.Sprintf("edge-%d", edges)}
	service := func(typ, name string, attributes ...string) client.Change {
		return client.Change{Type: typ, Name: name, Attributes: attributes}
	}
	of := func(change, n int, typ, name string) client.Loss {
		return client.Loss{Change: change, Type: typ, Name: name, Connections: n}
	}
	passing := func(change, n int) client.Loss { return client.Loss{Change: change, Connections: n} }
	for _, row := range []struct {
		what    string
		changes []client.Change
		want    []client.Loss
	}{
		{"the router ends", nil, []client.Loss{passing(0, 3), of(0, 2, "tcpConnector", "near"), of(0, 1, "tcpListener", "local"), of(0, 1, "tcpListener", "to-east")}},
		{"a link goes", []client.Change{link()}, []client.Loss{passing(0, 3), of(0, 1, "tcpListener", "to-east")}},
		{"it moves", []client.Change{link("port")}, []client.Loss{passing(0, 3), of(0, 1, "tcpListener", "to-east")}},
		{"it costs more", []client.Change{link("cost")}, []client.Loss{}},
		{"the access of others goes", []client.Change{access}, []client.Loss{passing(0, 3)}},
		{"both ends of what passes", []client.Change{access, link()}, []client.Loss{passing(0, 3), of(1, 1, "tcpListener", "to-east")}},
		{"the access of edges", []client.Change{forEdges}, []client.Loss{of(0, 2, "tcpConnector", "near")}},
		{"a service and its link", []client.Change{service("tcpListener", "to-east"), link()}, []client.Loss{of(0, 1, "tcpListener", "to-east"), passing(1, 3)}},
		{
			"a listener and the connector of its client",
			[]client.Change{service("tcpConnector", "near"), service("tcpListener", "local")},
			[]client.Loss{of(0, 2, "tcpConnector", "near"), of(1, 1, "tcpListener", "local")},
		},
		{"the connector alone", []client.Change{service("tcpConnector", "near")}, []client.Loss{of(0, 3, "tcpConnector", "near")}},
		{"another port of a listener", []client.Change{service("tcpListener", "local", "port")}, []client.Loss{}},
		{"another key of a listener", []client.Change{service("tcpListener", "local", "address")}, []client.Loss{of(0, 1, "tcpListener", "local")}},
		{"what is not there", []client.Change{service("tcpListener", "none"), service("nonsense", "none")}, []client.Loss{}},
	} {
		eventually(t, row.what, func() error { // a connection is held when its server has been reached
			got, err := m.Losses(t.Context(), row.changes)
			if diff := cmp.Diff(row.want, got); err == nil && diff != "" {
				err = fmt.Errorf("-want +got:\n%s", diff)
			}
			return err
		})
	}
}
