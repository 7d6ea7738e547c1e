package interop

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router/vanflow"
)

// siteID is the id of the site of a node.
func siteID(node int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", node) }

// describe makes our nodes tell of their sites, and gives every node a
// listener for collectors. It returns the ports of these.
func (w *network) describe() (ports []int) {
	for i, n := range w.nodes {
		port := freeport.Get(w.t)
		ports = append(ports, port)
		n.add("listener", map[string]any{"name": "amqp", "host": "127.0.0.1", "port": strconv.Itoa(port), "role": "normal"})
		n.env = append(n.env, "SKUPPER_SITE_ID="+siteID(i)) // upstream's router looks nowhere else
		for _, e := range n.config {
			if e.Type == "router" {
				e.Attrs["metadata"] = fmt.Sprintf(`{"id":%q,"version":"2.1.0","platform":"linux","name":"site %d"}`, siteID(i), i)
			}
		}
		n.add("site", map[string]any{"name": n.name, "platform": "linux", "namespace": "ns", "version": "2.1.0"})
	}
	return ports
}

// TestObserved observes networks from every router at the same time, and finds
// in the records what is there.
func TestObserved(t *testing.T) {
	t.Parallel()
	for _, tp := range topologies {
		if len(tp.links) != 1 {
			continue
		}
		t.Run(tp.name, func(t *testing.T) {
			t.Parallel()
			w := tp.build(t)
			ports := w.describe()
			server := newService(t, w.back)
			server.run(echo)
			w.start()
			var watching []*observer
			for i, port := range ports {
				watching = append(watching, &observer{w: w, tp: tp, c: collect(t, "from "+w.nodes[i].name, port)})
			}
			for _, o := range watching {
				o.findsEverything()
			}
			kept, talked := w.talk(t), w.talk(t)
			server.stop()
			refused := w.refused(t)
			for _, o := range watching {
				o.findsFlow(kept, false)
				o.findsFlow(talked, false)
			}
			talked.close()
			// A collector that comes later learns of everything that is still there.
			late := &observer{w: w, tp: tp, c: collect(t, "late from "+w.nodes[0].name, ports[0])}
			for _, o := range watching {
				o.findsFlow(talked, true)
				o.findsFailure(refused)
				o.hearsEverybody()
			}
			late.findsEverything()
			late.findsFlow(kept, false)
		})
	}
}

type attributes = map[vanflow.Code]string

// observer is a collector in a network of two routers with one link and one
// service.
type observer struct {
	w  *network
	tp topology
	c  *collector

	listener, connector string // identities
}

func (o *observer) edge(node int) bool { return slices.Contains(o.tp.edges, node) }

// findsEverything waits for the records of what is configured.
func (o *observer) findsEverything() {
	c, w := o.c, o.w
	c.t.Helper()
	var routers []vanflow.Record
	for i, n := range w.nodes {
		mode := "interior"
		if o.edge(i) {
			mode = "edge"
		}
		want := attributes{vanflow.AttrName: "0/" + n.name, vanflow.AttrMode: mode, vanflow.AttrBuildVersion: "*", vanflow.AttrStartTime: "*"}
		if n.kind == ours {
			want[vanflow.AttrParent] = siteID(i)
			site := c.one(vanflow.TypeSite, attributes{
				vanflow.AttrName: fmt.Sprintf("site %d", i), vanflow.AttrBuildVersion: "2.1.0", vanflow.AttrPlatform: "linux", vanflow.AttrNamespace: "ns",
			})
			if site.Identity != siteID(i) {
				c.t.Errorf("%s: site %s, want %s", c.name, site.Identity, siteID(i))
			}
		}
		routers = append(routers, c.one(vanflow.TypeRouter, want))
	}
	from, to := o.tp.links[0][0], o.tp.links[0][1]
	access := c.one(vanflow.TypeRouterAccess, attributes{vanflow.AttrParent: routers[to].Identity, vanflow.AttrLinkCount: "1"})
	c.one(vanflow.TypeLink, attributes{
		vanflow.AttrParent: routers[from].Identity, vanflow.AttrPeer: access.Identity, vanflow.AttrOperStatus: "up",
		vanflow.AttrRole: access.Text(vanflow.AttrRole), vanflow.AttrLinkCost: "1", vanflow.AttrOctets: "*", vanflow.AttrOctetsReverse: "*",
		vanflow.AttrDestPort: strconv.Itoa(w.links[0]), vanflow.AttrUpTimeStamp: "*",
	})
	o.listener = c.one(vanflow.TypeListener, attributes{
		vanflow.AttrParent: routers[0].Identity, vanflow.AttrVanAddress: "svc", vanflow.AttrProtocol: "tcp", vanflow.AttrDestPort: strconv.Itoa(w.in),
	}).Identity
	connector := c.one(vanflow.TypeConnector, attributes{
		vanflow.AttrParent: routers[1].Identity, vanflow.AttrVanAddress: "svc", vanflow.AttrProtocol: "tcp", vanflow.AttrDestHost: "127.0.0.1",
	})
	o.connector = connector.Identity
	if w.nodes[1].kind == ours {
		process := c.one(vanflow.TypeProcess, attributes{
			vanflow.AttrParent: siteID(1), vanflow.AttrName: "out", vanflow.AttrGroup: "out", vanflow.AttrSourceHost: "127.0.0.1",
		})
		if connector.Text(vanflow.AttrProcess) != process.Identity {
			c.t.Errorf("%s: connector leads to %q, want %s", c.name, connector.Text(vanflow.AttrProcess), process.Identity)
		}
	}
}

// connected reports whether flows have the attributes that the router of the
// connector supplies. An edge router of upstream's sends these nowhere: it does
// not know the listener's router (compat: skupper-router 3.x).
func (o *observer) connected() bool { return o.w.nodes[1].kind == ours || !o.edge(1) }

// client is a connection through the network.
type client struct {
	net.Conn
	port string // its own
}

func (w *network) client(t *testing.T) client {
	t.Helper()
	c := w.dial(t)
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return client{c, port}
}

const talkedBytes = 12345

// talk returns a connection that has sent talkedBytes to the server and got as
// many back.
func (w *network) talk(t *testing.T) client {
	t.Helper()
	c := w.client(t)
	if err := roundTrip(c, strings.Repeat("x", talkedBytes)); err != nil {
		t.Fatal(err)
	}
	return c
}

// refused returns a connection that came to its end for want of a server.
func (w *network) refused(t *testing.T) client {
	t.Helper()
	c := w.client(t)
	_, _ = io.ReadAll(c)
	c.close()
	return c
}

func (c client) close() { _ = c.Conn.Close() }

// findsFlow waits for the record of a connection that has talked.
func (o *observer) findsFlow(of client, ended bool) {
	o.c.t.Helper()
	octets := strconv.Itoa(talkedBytes)
	want := attributes{
		vanflow.AttrParent: o.listener, vanflow.AttrSourceHost: "127.0.0.1", vanflow.AttrSourcePort: of.port,
		vanflow.AttrOctets: octets, vanflow.AttrOctetsReverse: octets, vanflow.AttrLatency: "*",
	}
	if o.connected() {
		want[vanflow.AttrConnector], want[vanflow.AttrProcessLatency] = o.connector, "*"
		want[vanflow.AttrProxyHost], want[vanflow.AttrProxyPort] = "127.0.0.1", "*"
		if !o.edge(0) { // edge routers are not part of a trace
			want[vanflow.AttrTrace] = "0/" + o.w.nodes[0].name
		}
	}
	if ended {
		want[vanflow.AttrEndTime] = "*"
	}
	flow := o.c.one(vanflow.TypeBiflowTport, want)
	if flow.Ended() != ended {
		o.c.t.Errorf("%s: flow of port %s ended: %v", o.c.name, of.port, flow.Ended())
	}
	if text := flow.Text(vanflow.AttrErrorConnectorSide); text != "" {
		o.c.t.Errorf("%s: error at the connector: %q", o.c.name, text)
	}
}

// findsFailure waits for the record of a connection without a server.
func (o *observer) findsFailure(of client) {
	o.c.t.Helper()
	want := attributes{vanflow.AttrParent: o.listener, vanflow.AttrSourcePort: of.port, vanflow.AttrEndTime: "*"}
	if o.connected() {
		want[vanflow.AttrConnector], want[vanflow.AttrErrorConnectorSide] = o.connector, "*"
	}
	o.c.one(vanflow.TypeBiflowTport, want)
}

// hearsEverybody waits until every source has sent heartbeats.
func (o *observer) hearsEverybody() {
	c := o.c
	c.t.Helper()
	sources := len(o.w.nodes)
	for _, n := range o.w.nodes {
		if n.kind == ours {
			sources++ // the site's
		}
	}
	eventually(c.t, 10*time.Second, c.name+": heartbeats of every source", func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		n := 0
		for _, s := range c.sources {
			if s.beats > 1 {
				n++
			}
		}
		if n != sources || len(c.sources) != sources {
			return fmt.Errorf("%d of %d sources, want %d", n, len(c.sources), sources)
		}
		return nil
	})
}
