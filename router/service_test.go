package router

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
)

// row returns what management shows of an entity.
func (n *node) row(e config.Entity) (row manage.Row) {
	n.t.Helper()
	n.on(func(r *Router) { row = r.status(e) })
	return row
}

// TestListenerFollowsItsConnector: the socket of a listener is open while a
// connector is known, and its status says why not, whatever comes and goes.
func TestListenerFollowsItsConnector(t *testing.T) {
	t.Parallel()
	s := serve(t, echo)
	at, port := place(t)
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	host, linkPort := west.listens("links", "inter-router", nil)
	east.dials("to-west", "inter-router", host, linkPort, nil)
	west.add("tcpListener", attrs{"name": "in", "address": "svc", "host": at, "port": port})
	west.start()
	east.start()
	down := func(when string) {
		t.Helper()
		eventually(t, when+": down", func() error {
			row := west.row(&config.TCPListener{Name: "in"}).(manage.TCPListenerStatus)
			if row.OperStatus != "down" || row.ConnectionMsg != "no connector for svc is known" {
				return fmt.Errorf("%+v", row)
			}
			return refused(net.JoinHostPort(at, port))
		})
	}
	up := func(when string) {
		t.Helper()
		eventually(t, when+": up", func() error {
			row := west.row(&config.TCPListener{Name: "in"}).(manage.TCPListenerStatus)
			if row.OperStatus != "up" || row.ConnectionMsg != "" {
				return fmt.Errorf("%+v", row)
			}
			return nil
		})
		if err := request(net.JoinHostPort(at, port)); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	down("without connector")
	east.serves("out", "svc", s)
	east.reloads()
	up("a connector has come")
	c := dial(t, net.JoinHostPort(at, port))
	if err := roundTrip(c, "before"); err != nil {
		t.Fatal(err)
	}
	east.drop("tcpConnector", "out")
	east.reloads()
	down("the connector has gone")
	if err := roundTrip(c, "after"); err != nil {
		t.Errorf("the stream that was open: %v", err)
	}
	west.serves("out", "svc", s)
	west.reloads()
	up("another connector, at this router")
	west.drop("tcpConnector", "out")
	east.serves("out", "svc", s)
	west.reloads()
	east.reloads()
	up("it has moved")
	east.stop()
	down("its router has gone")
	if err := east.run(); err != nil {
		t.Fatal(err)
	}
	up("its router is back")
}

// TestListenerPortTaken: who has the port is said, and the listener takes it
// when it is free.
func TestListenerPortTaken(t *testing.T) {
	t.Parallel()
	host, port := place(t)
	at := net.JoinHostPort(host, port)
	taken, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "only", "interior")
	n.add("tcpListener", attrs{"name": "in", "address": "svc", "host": host, "port": port})
	n.serves("out", "svc", serve(t, echo))
	n.add("listener", attrs{"name": "links", "role": "inter-router", "host": host, "port": port})
	n.start()
	eventually(t, "the status says why", func() error {
		service := n.row(&config.TCPListener{Name: "in"}).(manage.TCPListenerStatus)
		link := n.row(&config.Listener{Name: "links"}).(manage.ListenerStatus)
		for _, s := range []struct{ status, text string }{{service.OperStatus, service.ConnectionMsg}, {link.OperStatus, link.ConnectionMsg}} {
			if s.status != "down" || !strings.HasPrefix(s.text, "listen on "+at+": address already in use by ") || !strings.Contains(s.text, "router.test") {
				return fmt.Errorf("%s: %s", s.status, s.text)
			}
		}
		return nil
	})
	_ = taken.Close()
	eventually(t, "one of them gets it", func() error {
		service := n.row(&config.TCPListener{Name: "in"}).(manage.TCPListenerStatus)
		link := n.row(&config.Listener{Name: "links"}).(manage.ListenerStatus)
		if (service.OperStatus == "up") == (link.OperStatus == "up") {
			return fmt.Errorf("%+v, %+v", service, link)
		}
		return nil
	})
}

// TestConnectorSaysWhyNot: a server that refuses is in the connector's status
// while it does, and clients are told at once.
func TestConnectorSaysWhyNot(t *testing.T) {
	t.Parallel()
	w := pair(t, serve(t, echo))
	east := w.nodes[1]
	text := func() string {
		return east.row(&config.TCPConnector{Name: "out"}).(manage.TCPConnectorStatus).ConnectionMsg
	}
	if got := text(); got != "" {
		t.Errorf("before: %s", got)
	}
	w.server.down()
	c := dial(t, w.at)
	if err := ended(c); err != nil {
		t.Errorf("the client sees %v", err)
	}
	if got, want := text(), "connect to "+w.server.String()+": connection refused"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	w.server.up()
	if err := request(w.at); err != nil {
		t.Fatal(err)
	}
	if got := text(); got != "" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestAnotherConnectorIsTried: a client does not notice that one of two servers
// refuses.
func TestAnotherConnectorIsTried(t *testing.T) {
	t.Parallel()
	good, bad := serve(t, echo), serve(t, echo)
	bad.down()
	west, east, north := newNode(t, "west", "interior"), newNode(t, "east", "interior"), newNode(t, "north", "interior")
	host, port := west.listens("links", "inter-router", nil)
	for n, s := range map[*node]*server{east: bad, north: good} {
		n.dials("to-west", "inter-router", host, port, nil)
		n.serves("out", "svc", s)
	}
	west.offers("in", "svc")
	for _, n := range []*node{west, east, north} {
		n.start()
	}
	at := west.address("in")
	eventually(t, "both are known", func() error {
		if c := west.counts("svc"); c.Remote != 2 {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	for i := range 20 {
		if err := request(at); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if st := east.row(&config.TCPConnector{Name: "out"}).(manage.TCPConnectorStatus); st.ConnectionsFailed == 0 {
		t.Error("the server that refuses was never asked")
	}
	good.down()
	if err := request(at); err == nil {
		t.Error("both servers refuse, and the request succeeds")
	}
	if err := errors.Join(refused(good.String()), refused(bad.String())); err != nil {
		t.Error(err)
	}
}
