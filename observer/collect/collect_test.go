package collect

import (
	"fmt"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/network"
)

// TestTwoSites: what is shown of two sites with a connection between them is all
// of it, and as many bytes as the clients sent.
func TestTwoSites(t *testing.T) {
	t.Parallel()
	west, _, port := pairOfSites(t)
	n, c, _ := observe(t, west)
	eventually(t, "the network", func() error {
		if sites, routers := n.Sites(), n.Routers(); len(sites) != 2 || len(routers) != 2 || sites[0].RouterCount != 1 || sites[1].Name != "east" {
			return fmt.Errorf("%d sites, %d routers", len(sites), len(routers))
		}
		links := n.RouterLinks()
		if len(links) != 1 || links[0].Status != "up" || links[0].DestinationSiteName == nil || *links[0].DestinationSiteName != "west" || *links[0].Cost != 3 {
			return fmt.Errorf("links %+v", links)
		}
		if s := n.Services(); len(s) != 1 || !s[0].IsBound || s[0].Name != "echo" {
			return fmt.Errorf("services %+v", s)
		}
		return nil
	})
	for _, size := range []int{10, 100, 70_000} {
		if err := say(t, port, size).Close(); err != nil {
			t.Fatal(err)
		}
	}
	const sum = 10 + 100 + 70_000
	eventually(t, "traffic", func() error { return counted(n, 3, sum, sum) })
	for _, row := range n.Connections() {
		if row.TraceSites[0] != "west" || row.TraceSites[1] != "east" || row.RoutingKey != "echo" || row.DestProcessName == "unknown" {
			t.Errorf("%+v", row)
		}
	}
	if s := c.Status(); !s.Connected || s.Malformed != 0 || s.Messages == 0 {
		t.Errorf("%+v", s)
	}
	for _, s := range n.Sources() {
		if s.State != "live" || s.Lost != 0 || s.Refused != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// counted reports whether that many connections were opened and closed, and
// that many bytes went to servers and to clients.
func counted(n *network.Network, connections int, there, back uint64) error {
	var opened, closed, sent, received uint64
	for _, s := range n.Traffic() {
		opened, closed, sent, received = opened+s.Opened, closed+s.Closed, sent+s.Sent, received+s.Received
	}
	if opened != uint64(connections) || closed != opened || sent != there || received != back || len(n.Connections()) != connections {
		return fmt.Errorf("%d opened, %d closed, %d and %d bytes, %d rows", opened, closed, sent, received, len(n.Connections()))
	}
	return nil
}

// TestObserverRestarts: an observer that begins while there is traffic has the
// whole picture at once, and connections that began before it are in it.
func TestObserverRestarts(t *testing.T) {
	t.Parallel()
	west, _, port := pairOfSites(t)
	_, _, stop := observe(t, west)
	c := say(t, port, 1000)
	defer c.Close()
	stop()
	began := time.Now()
	n, _, _ := observe(t, west)
	eventually(t, "the same picture", func() error {
		if s, l, k := len(n.Sites()), len(n.Listeners()), len(n.Connectors()); s != 2 || l != 1 || k != 1 {
			return fmt.Errorf("%d sites, %d listeners, %d connectors", s, l, k)
		}
		rows := n.Connections()
		if len(rows) != 1 || rows[0].EndTime != 0 || rows[0].OctetCount != 1000 || rows[0].OctetReverseCount != 1000 || rows[0].TraceSites[1] != "east" {
			return fmt.Errorf("connections %+v", rows)
		}
		return nil
	})
	t.Logf("complete after %v", time.Since(began))
}

// TestRouterRestarts: the router that the observer is connected to restarts. It is
// another source then, in the same site.
func TestRouterRestarts(t *testing.T) {
	t.Parallel()
	west, _, _ := pairOfSites(t)
	n, c, _ := observe(t, west)
	router := func() (string, error) {
		for _, r := range n.Routers() {
			if r.Name == "0/west-1" && r.SiteName == "west" && len(n.RouterLinks()) == 1 && len(n.Listeners()) == 1 {
				return r.Identity, nil
			}
		}
		return "", fmt.Errorf("routers %+v, links %+v", n.Routers(), n.RouterLinks())
	}
	var before string
	eventually(t, "the network", func() (err error) {
		before, err = router()
		return err
	})
	west.stop()
	eventually(t, "the loss of the router", func() error {
		if s := c.Status(); s.Connected || s.Err == nil {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if len(n.Sites()) != 2 {
		t.Errorf("sites %+v: without a router nobody is given up", n.Sites())
	}
	west.start(t)
	eventually(t, "the router as another source", func() error {
		for _, r := range n.Routers() {
			if r.Name == "0/west-1" && r.Identity != before && c.Status().Connected {
				return nil
			}
		}
		return fmt.Errorf("routers %+v", n.Routers())
	})
	if sites := n.Sites(); len(sites) != 2 || sites[0].Name != "west" {
		t.Errorf("sites %+v", sites)
	}
}
