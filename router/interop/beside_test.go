package interop

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
)

// said waits until a node has logged a text.
func (n *node) said(t testing.TB, text string) {
	t.Helper()
	eventually(t, 30*time.Second, n.name+" says "+text, func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !strings.Contains(n.log.String(), text) {
			return fmt.Errorf("it says:\n%s", tail(n.log.String(), 10))
		}
		return nil
	})
}

// set changes an attribute of the entities of a type.
func (n *node) set(typ, attribute string, value any) {
	for _, e := range n.config {
		if e.Type == typ {
			e.Attrs[attribute] = value
		}
	}
}

// last is the newest entity of a type.
func (n *node) last(typ string) entity {
	n.t.Helper()
	for _, e := range slices.Backward(n.config) {
		if e.Type == typ {
			return e
		}
	}
	n.t.Fatalf("%s has no %s", n.name, typ)
	return entity{}
}

// streams opens connections through the network that echo.
func (w *network) streams(t testing.TB, count int) (streams []net.Conn) {
	t.Helper()
	for i := range count {
		c := w.dial(t)
		if err := roundTrip(c, "begin"); err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		streams = append(streams, c)
	}
	return streams
}

// alive returns those that still echo.
func alive(streams []net.Conn) (those []net.Conn) {
	for _, c := range streams {
		if roundTrip(c, "going on") == nil {
			those = append(those, c)
		}
	}
	return those
}

// connections waits until a router has one control connection and as many data
// connections, and returns the addresses of their far ends.
func (a admin) connections(t testing.TB, data int) (control string, others []string) {
	t.Helper()
	eventually(t, 30*time.Second, "control and data connections", func() error {
		rows, err := a.query("connection", "role", "host")
		if err != nil {
			return err
		}
		control, others = "", nil
		controls := 0
		for _, r := range rows {
			host, _ := r["host"].(string)
			switch r["role"] {
			case "inter-router":
				controls, control = controls+1, host
			case "inter-router-data":
				others = append(others, host)
			}
		}
		if controls != 1 || len(others) != data {
			return fmt.Errorf("%d control connections and %d data connections", controls, len(others))
		}
		return nil
	})
	return control, others
}

// TestLostDataConnectionBesideUpstream: with a data connection go the streams
// that it carries, and no others; new streams take those that are left, and it
// comes back. Streams outlive the control connection.
func TestLostDataConnectionBesideUpstream(t *testing.T) {
	t.Parallel()
	mixedPairs(t, func(t *testing.T, tp topology) {
		const data, streams = 3, 12
		w := tp.build(t)
		for _, n := range w.nodes {
			n.set("router", "dataConnectionCount", strconv.Itoa(data))
		}
		newService(t, w.back).run(echo)
		dialer, listener := w.nodes[tp.links[0][0]].admin(), w.nodes[tp.links[0][1]].admin()
		w.start()
		_, members := listener.connections(t, data)
		dialer.connections(t, data)
		open := w.streams(t, streams)
		w.cables[0].sever(t, members[0])
		eventually(t, 10*time.Second, "the end of the streams of the lost connection", func() error {
			if left := alive(open); len(left) < streams {
				open = left
				return nil
			}
			return fmt.Errorf("all %d go on", streams)
		})
		if len(open) < streams/3 {
			t.Errorf("one of %d data connections is lost, and %d of %d streams", data, streams-len(open), streams)
		}
		more := w.streams(t, streams)
		dialer.connections(t, data)
		control, _ := listener.connections(t, data)
		more = append(more, w.streams(t, streams)...)
		if n := len(alive(more)); n != len(more) {
			t.Errorf("%d of %d streams that began later go on", n, len(more))
		}

		w.cables[0].sever(t, control)
		if left := alive(append(more, open...)); len(left) != len(more)+len(open) {
			t.Errorf("without control connection %d of %d streams go on", len(left), len(more)+len(open))
		}
		w.reachable()
		dialer.connections(t, data)
		listener.connections(t, data)
		if left := alive(append(more, open...)); len(left) != len(more)+len(open) {
			t.Errorf("with a new control connection %d of %d streams go on", len(left), len(more)+len(open))
		}
	})
}

// TestSecondLinkIsReported: whoever dials, our router notices that there are two
// links to the same router, says so, and uses one of them.
func TestSecondLinkIsReported(t *testing.T) {
	t.Parallel()
	for _, links := range [][][2]int{{{0, 1}, {0, 1}}, {{1, 0}, {1, 0}}, {{0, 1}, {1, 0}}} {
		t.Run(fmt.Sprint(links), func(t *testing.T) {
			t.Parallel()
			w := topology{kinds: []kind{ours, theirs}, links: links}.build(t)
			newService(t, w.back).run(echo)
			w.start()
			w.nodes[0].said(t, "second link to the same router")
			open := w.streams(t, 10)
			if n := len(alive(open)); n != len(open) {
				t.Errorf("%d of %d streams go on", n, len(open))
			}
			for _, c := range w.cables {
				c.reset()
				w.reachable()
			}
		})
	}
}

// TestFailOverBesideUpstream: a router goes where the listener has told it to
// when that is gone.
func TestFailOverBesideUpstream(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]kind{{ours, theirs, theirs}, {theirs, ours, ours}} {
		t.Run(fmt.Sprintf("%s dial %s", kinds[0], kinds[1]), func(t *testing.T) {
			t.Parallel()
			w := topology{kinds: kinds, links: [][2]int{{0, 1}}}.build(t)
			other := freeport.Get(t)
			w.nodes[1].set("listener", "failoverUrls", fmt.Sprintf("amqps://localhost:%d", other))
			w.nodes[2].add("listener", map[string]any{
				"name": "link-0", "host": "127.0.0.1", "port": strconv.Itoa(other), "role": "inter-router",
				"sslProfile": "link", "saslMechanisms": "EXTERNAL", "authenticatePeer": true,
			})
			w.nodes[1].add("tcpConnector", map[string]any{"name": "near", "host": "127.0.0.1", "port": strconv.Itoa(w.back), "address": "svc"})
			newService(t, w.back).run(echo)
			w.start()
			w.nodes[1].kill()
			w.reachable() // through the other
			w.nodes[1].start()
			w.nodes[2].kill()
			w.reachable()
		})
	}
}

// TestNameOfTheListenerIsVerified: a connector does not take a certificate for
// another name, unless verifyHostname is false.
func TestNameOfTheListenerIsVerified(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]kind{{ours, theirs}, {theirs, ours}} {
		t.Run(fmt.Sprintf("%s dial", kinds[0]), func(t *testing.T) {
			t.Parallel()
			w := topology{kinds: kinds, links: line(2)}.build(t)
			port := freeport.Get(t)
			w.nodes[1].set("listener", "host", "127.0.0.2")
			w.nodes[1].set("listener", "port", strconv.Itoa(port))
			w.nodes[0].set("connector", "host", "127.0.0.2") // the certificate is for 127.0.0.1
			w.nodes[0].set("connector", "port", strconv.Itoa(port))
			a := w.nodes[0].admin()
			newService(t, w.back).run(echo)
			for _, n := range w.nodes {
				n.start()
			}
			eventually(t, time.Minute, "the refusal", func() error {
				rows, err := a.query("connector", "connectionStatus", "connectionMsg")
				if err != nil {
					return err
				}
				if text, _ := rows[0]["connectionMsg"].(string); !strings.Contains(text, "certificate") {
					return fmt.Errorf("the connector is %v", rows[0])
				}
				return nil
			})
			if c, err := net.Dial("tcp", local(w.in)); err == nil {
				_ = c.Close()
				t.Error("there is a way to the service")
			}
			w.nodes[0].kill()
			w.nodes[0].set("connector", "verifyHostname", false)
			w.nodes[0].start()
			w.reachable()
		})
	}
}

// TestMeshOfEdgeRoutersOfBothKinds: edge routers that are connected to each
// other and to an interior router, which has the server. From one edge router
// to the other upstream's carry messages and no TCP connections, also among
// themselves.
func TestMeshOfEdgeRoutersOfBothKinds(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]kind{{ours, theirs, ours}, {theirs, ours, theirs}, {ours, theirs, theirs}, {theirs, ours, ours}} {
		t.Run(fmt.Sprintf("%s-%s of %s interior", kinds[0], kinds[1], kinds[2]), func(t *testing.T) {
			t.Parallel()
			w := topology{kinds: kinds, edges: []int{0, 1}, links: [][2]int{{0, 1}, {0, 2}, {1, 2}}}.started(t)
			w.scenarios(t)
		})
	}
}

// scenarios is what an application does, in short.
func (w *network) scenarios(t *testing.T) {
	t.Helper()
	open := w.streams(t, 50)
	if n := len(alive(open)); n != len(open) {
		t.Errorf("%d of %d streams go on", n, len(open))
	}
	for i, c := range open {
		if err := roundTrip(c, strings.Repeat("x", 200_000)); err != nil {
			t.Errorf("stream %d, 200,000 bytes: %v", i, err)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if err := closedSoon(c, 20*time.Second); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
	}
}
