package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router/config"
)

// TestReloadTouchesOnlyWhatChanged: services come, go, move and change, a link
// gets another cost, and streams through a service that stays go on, over the
// same connections between the routers.
func TestReloadTouchesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	s := serve(t, echo)
	host, port := place(t)
	movedTo := net.JoinHostPort(host, port)
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	linkHost, linkPort := west.listens("links", "inter-router", nil)
	east.dials("to-west", "inter-router", linkHost, linkPort, attrs{"cost": 2})
	for _, name := range []string{"stays", "goes", "moves", "changes"} {
		west.offers(name, name)
		east.serves(name, name, s)
	}
	west.start()
	east.start()

	open := map[string]*net.TCPConn{}
	for _, name := range []string{"stays", "goes", "moves", "changes"} {
		open[name] = dial(t, west.address(name))
		if err := roundTrip(open[name], "before"); err != nil {
			t.Fatal(name, err)
		}
	}
	gone, changed := west.address("goes"), west.address("changes")
	entities := func(n *node) map[entityKey]entity {
		all := map[entityKey]entity{}
		n.on(func(r *Router) {
			for k, e := range r.entities {
				all[k] = e
			}
		})
		return all
	}
	wasWest, wasEast, links := entities(west), entities(east), east.peersOf("to-west")

	west.drop("tcpListener", "goes")
	east.drop("tcpConnector", "goes")
	west.offers("comes", "comes")
	east.serves("comes", "comes", s)
	merge(west.entity("tcpListener", "moves"), attrs{"host": host, "port": port})
	west.entity("tcpListener", "changes")["address"] = "comes"
	east.entity("connector", "to-west")["cost"] = 5
	west.entities[0].attrs["drainSeconds"] = 60
	west.reloads()
	east.reloads()

	for name, c := range open { // all of them are open: what is removed drains
		if err := roundTrip(c, "after"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := request(west.address("comes")); err != nil {
		t.Error("comes:", err)
	}
	if err := request(movedTo); err != nil {
		t.Error("moves:", err)
	}
	if err := request(west.address("changes")); err != nil {
		t.Error("changes:", err)
	}
	for _, at := range []string{gone, changed} {
		if at == west.address("changes") {
			continue // it has got the same port again
		}
		if err := refused(at); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	for where, n := range map[string]struct{ was, is map[entityKey]entity }{
		"west": {wasWest, entities(west)}, "east": {wasEast, entities(east)},
	} {
		for k, e := range n.was {
			if touched := k.name == "goes" || where == "west" && k.name == "changes"; (n.is[k] != e) != touched {
				t.Errorf("%s of %s: made anew or gone: %v", k.name, where, n.is[k] != e)
			}
		}
	}
	if now := east.peersOf("to-west"); !slices.Equal(now, links) || len(now) == 0 {
		t.Errorf("the link was made anew: %d, then %d connections", len(links), len(now))
	}
	eventually(t, "the new cost is known", func() error {
		var cost int64
		east.on(func(r *Router) {
			for _, x := range r.reach.Routers {
				if x.ID == "west" {
					cost = x.Cost
				}
			}
		})
		if cost != 5 {
			return fmt.Errorf("cost %d", cost)
		}
		return nil
	})
}

// TestReloadOfNothing: a file that says the same in other words changes
// nothing.
func TestReloadOfNothing(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	n.offers("in", "svc")
	n.serves("out", "svc", serve(t, echo))
	n.start()
	c := dial(t, n.address("in"))
	if err := roundTrip(c, "before"); err != nil {
		t.Fatal(err)
	}
	var was, is *config.Config
	n.on(func(r *Router) { was = r.cfg })
	slices.Reverse(n.entities)
	n.reloads()
	n.on(func(r *Router) { is = r.cfg })
	if changes := config.Diff(was, is); is == was || len(changes) > 0 {
		t.Errorf("read: %v, changes: %v", is != was, changes)
	}
	if err := roundTrip(c, "after"); err != nil {
		t.Error(err)
	}
}

// TestReloadOfBadFile: a file that cannot be read, or makes no sense, leaves
// everything as it is.
func TestReloadOfBadFile(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	n.offers("in", "svc")
	n.serves("out", "svc", serve(t, echo))
	n.start()
	c := dial(t, n.address("in"))
	at := n.address("in")
	for _, text := range []string{
		"", "[", `[["router", {"id": "only"}], ["tcpListener", {"name": "in", "port": "none at all"}]]`, `[["nonsense", {}]]`,
	} {
		n.writeText(text)
		n.hup()
		if err := roundTrip(c, "still here"); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if now := n.address("in"); now != at {
			t.Errorf("%q: listens at %s, not %s", text, now, at)
		}
	}
	if log := n.log.String(); strings.Count(log, "configuration is not taken") != 4 {
		t.Errorf("the log does not say so:\n%s", log)
	}
	n.reloads()
	if err := request(at); err != nil {
		t.Error(err)
	}
}

// TestReloadNeedsRestart: what needs another process is said, and not done.
func TestReloadNeedsRestart(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior").start()
	for attribute, value := range map[string]string{"id": "another", "mode": "edge"} {
		was := n.entities[0].attrs[attribute]
		n.entities[0].attrs[attribute] = value
		n.offers(attribute, "svc")
		n.reloads()
		n.entities[0].attrs[attribute] = was
		if n.on(func(r *Router) {
			if len(r.cfg.TCPListeners) > 0 {
				t.Errorf("a file with another %s was taken", attribute)
			}
		}); !strings.Contains(n.log.String(), "restart the router for that") {
			t.Errorf("nothing is said about another %s", attribute)
		}
	}
	n.entities[0].attrs["helloMaxAgeSeconds"] = 7
	n.reloads()
	n.on(func(r *Router) {
		if len(r.cfg.TCPListeners) != 2 || !strings.Contains(n.log.String(), "change needs a restart of the router") {
			t.Errorf("%d listeners:\n%s", len(r.cfg.TCPListeners), n.log.String())
		}
	})
}

// TestReloadWithNewCertificates: files that are replaced, with a higher
// ordinal, make a second connection, which takes over. Streams go on over the
// first one until its ordinal is not valid any more.
func TestReloadWithNewCertificates(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	west.add("sslProfile", ca.profile("links", certificate{name: "west"}))
	host, port := west.listens("links", "inter-router", attrs{"sslProfile": "links", "saslMechanisms": "EXTERNAL", "authenticatePeer": true})
	east.add("sslProfile", merge(ca.profile("links", certificate{name: "east"}), attrs{"ordinal": 1}))
	east.dials("to-west", "inter-router", host, port, attrs{"sslProfile": "links"})
	west.offers("in", "svc")
	east.serves("out", "svc", serve(t, echo))
	west.start()
	east.start()
	at := west.address("in")
	c := dial(t, at)
	if err := roundTrip(c, "before"); err != nil {
		t.Fatal(err)
	}
	first := east.peersOf("to-west")[0]

	for _, name := range []string{"west", "east"} {
		ca.issue(certificate{name: name})
	}
	east.entity("sslProfile", "links")["ordinal"] = 2
	west.reloads()
	east.reloads()
	if err := roundTrip(c, "in the meantime"); err != nil {
		t.Fatal(err)
	}
	var second *peer
	eventually(t, "a second connection takes over", func() error {
		peers := east.peersOf("to-west")
		for _, p := range peers {
			if p != first && p.member.Primary() {
				second = p
				return nil
			}
		}
		return fmt.Errorf("%d connections", len(peers))
	})
	if second.member.Ordinal() != 2 || first.member.Ordinal() != 1 {
		t.Errorf("ordinals %d and %d", first.member.Ordinal(), second.member.Ordinal())
	}
	serial := func(p *peer) string {
		return p.conn.State().TLS.PeerCertificates[0].SerialNumber.String()
	}
	if serial(first) == serial(second) {
		t.Error("the second connection has met the old certificate")
	}
	eventually(t, "the control links of the first are given up", func() (err error) {
		east.on(func(*Router) {
			if first.linkUp {
				err = errors.New("they are attached")
			}
		})
		return err
	})
	eventually(t, "new streams go through", func() error { return request(at) })
	if err := roundTrip(c, "after"); err != nil {
		t.Errorf("the stream over the first connection: %v", err)
	}

	east.entity("sslProfile", "links")["oldestValidOrdinal"] = 2
	east.reloads()
	if err := ended(c); err == nil {
		t.Error("the stream has ended in order with the first connection")
	}
	eventually(t, "the first connection ends", func() error {
		if peers := east.peersOf("to-west"); len(peers) != 1 || peers[0] != second {
			return fmt.Errorf("%d connections", len(peers))
		}
		return nil
	})
	if err := request(at); err != nil {
		t.Error(err)
	}
}

// TestLinkMovesAtReload: a connector that is sent elsewhere goes there, and its
// services come back by themselves.
func TestLinkMovesAtReload(t *testing.T) {
	t.Parallel()
	s := serve(t, echo)
	west, other, east := newNode(t, "west", "interior"), newNode(t, "other", "interior"), newNode(t, "east", "interior")
	host, port := west.listens("links", "inter-router", nil)
	east.dials("link", "inter-router", host, port, nil)
	for _, n := range []*node{west, other} {
		n.offers("in", "svc")
	}
	host, port = other.listens("links", "inter-router", nil)
	east.serves("out", "svc", s)
	for _, n := range []*node{west, other, east} {
		n.start()
	}
	at := west.address("in")
	merge(east.entity("connector", "link"), attrs{"host": host, "port": port})
	east.reloads()
	if err := request(other.address("in")); err != nil {
		t.Error(err)
	}
	eventually(t, "the first router has no destination any more", func() error { return refused(at) })
}

// TestLinkChangesItsEndpoint: a connector whose endpoint changes keeps its link
// until there is one to the new endpoint: no request fails, and streams that are
// open go on.
func TestLinkChangesItsEndpoint(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"interior", "edge"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			role := map[string]string{"interior": "inter-router", "edge": "edge"}[mode]
			west, east := newNode(t, "west", "interior"), newNode(t, "east", mode)
			host, port := west.listens("first", role, nil)
			_, other := west.listens("second", role, nil)
			east.dials("link", role, host, port, nil)
			merge(east.entities[0].attrs, attrs{"drainSeconds": 600, "dataConnectionCount": "2"})
			west.offers("in", "of east") // in both directions
			east.serves("out", "of east", serve(t, echo))
			east.offers("in", "of west")
			west.serves("out", "of west", serve(t, echo))
			west.start()
			east.start()
			at := []string{west.address("in"), east.address("in")}
			var open []net.Conn
			for _, a := range at {
				c := dial(t, a)
				if err := roundTrip(c, "before"); err != nil {
					t.Fatal(err)
				}
				open = append(open, c)
			}
			first := east.peersOf("link")[0]

			done, failed := make(chan struct{}), make(chan error, 1)
			go func() {
				for i := 0; ; i++ {
					select {
					case <-done:
						failed <- nil
						return
					default:
					}
					if err := request(at[i%2]); err != nil {
						failed <- err
						return
					}
				}
			}()
			merge(east.entity("connector", "link"), attrs{"port": other})
			east.reloads()
			eventually(t, "the new link is in use", func() (err error) {
				east.on(func(r *Router) {
					err = errors.New("it is not")
					for _, p := range r.peers {
						if p.owner.name == "link" && p.owner != first.owner && (p.linkUp || r.uplink != nil && r.uplink.active() == p) {
							err = nil
						}
					}
					if err == nil && first.linkUp {
						err = errors.New("the control links of the first are attached")
					}
				})
				return err
			})
			close(done)
			if err := <-failed; err != nil {
				t.Errorf("a request while the link moved: %v", err)
			}
			for i, c := range open {
				if err := roundTrip(c, "after"); err != nil {
					t.Errorf("stream %d over the first link: %v", i, err)
				}
				if err := request(at[i]); err != nil {
					t.Error(err)
				}
			}
			if log := west.log.String() + east.log.String(); strings.Contains(log, "not listening any more") {
				t.Errorf("a listener has given up its socket:\n%s", log)
			}
			if log := west.log.String() + east.log.String(); strings.Contains(log, "second link to the same router") {
				t.Errorf("two links are told of:\n%s", log)
			}
		})
	}
}

// TestLinkToNowhere: a connector whose new endpoint does not answer serves what
// it has for as long as a removed service does, and no longer.
func TestLinkToNowhere(t *testing.T) {
	t.Parallel()
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	host, port := west.listens("links", "inter-router", nil)
	east.dials("link", "inter-router", host, port, nil)
	east.entities[0].attrs["drainSeconds"] = 1
	west.offers("in", "svc")
	east.serves("out", "svc", serve(t, echo))
	west.start()
	east.start()
	at := west.address("in")
	if err := request(at); err != nil {
		t.Fatal(err)
	}
	merge(east.entity("connector", "link"), attrs{"host": "127.0.0.1", "port": strconv.Itoa(freeport.Get(t))})
	east.reloads()
	eventually(t, "the link is gone", func() error {
		if n := len(east.peersOf("link")); n > 0 {
			return fmt.Errorf("%d connections", n)
		}
		return nil
	})
	eventually(t, "the service is gone", func() error { return refused(at) })
	merge(east.entity("connector", "link"), attrs{"host": host, "port": port})
	east.reloads()
	if err := request(west.address("in")); err != nil {
		t.Error(err)
	}
}

// TestHangUp: the process reads its file again on SIGHUP.
func TestHangUp(t *testing.T) {
	n := newNode(t, "only", "standalone")
	n.write()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- Run(ctx, n.options) }()
	<-n.notify.ready
	at, port := place(t)
	n.add("tcpListener", attrs{"name": "in", "address": "svc", "host": at, "port": port})
	n.serves("out", "svc", serve(t, echo))
	n.write()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-n.notify.ready
	eventually(t, "the new service", func() error { return request(net.JoinHostPort(at, port)) })
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}

// TestRunOfBadFile: a router that cannot be what its file says does not start,
// and says why.
func TestRunOfBadFile(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	ctx := t.Context()
	for text, want := range map[string]string{
		"[": "skrouterd.json:1",
		`[["router", {"mode": "interior", "id": "a/b"}]]`: "id",
		`[["router", {"mode": "interior", "id": "only"}], ["listener", {"name": "x", "port": "1", "role": "inter-router", "sslProfile": "none"}]]`: "none",
	} {
		n.writeText(text)
		if err := Run(ctx, n.options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := os.Remove(n.options.ConfigPath); err != nil {
		t.Fatal(err)
	}
	if err := Run(ctx, n.options); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
