package router

import (
	"fmt"
	"testing"
	"time"
)

// TestMeasuredLinks: what observers are told of a link that nobody else tells
// them: how far it goes, and until when its certificates are good.
func TestMeasuredLinks(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ends := time.Now().Add(30 * time.Minute).Truncate(time.Second).UTC()
	west, east := newNode(t, "west", "interior"), newNode(t, "east", "interior")
	west.add("sslProfile", ca.profile("links", certificate{name: "west", from: time.Now().Add(-time.Minute), to: ends}))
	east.add("sslProfile", ca.profile("links", certificate{name: "east", from: time.Now().Add(-time.Minute), to: ends.Add(time.Minute)}))
	host, port := west.listens("links", "inter-router", attrs{"sslProfile": "links", "saslMechanisms": "EXTERNAL", "authenticatePeer": true})
	east.dials("to-west", "inter-router", host, port, attrs{"sslProfile": "links"})
	west.start()
	east.start()

	flows := func(n *node) (links []*linkFlow, accesses []*accessFlow) {
		f := n.r.flows
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.links, f.accesses
	}
	links, _ := flows(east)
	_, accesses := flows(west)
	if len(links) != 1 || len(accesses) != 1 {
		t.Fatalf("%d links, %d listeners", len(links), len(accesses))
	}
	eventually(t, "the round trip is known", func() error {
		links[0].mu.Lock()
		defer links[0].mu.Unlock()
		if d := links[0].roundTrip(); d <= 0 || d > 10*time.Second {
			return fmt.Errorf("%v", d)
		}
		return nil
	})
	good := func(t *testing.T, link, access time.Time) error {
		t.Helper()
		if got := links[0].identity.Expiry(); !got.Equal(link) {
			return fmt.Errorf("the link's certificate ends %v, want %v", got, link)
		}
		if got := accesses[0].identity.Expiry(); !got.Equal(access) {
			return fmt.Errorf("the listener's certificate ends %v, want %v", got, access)
		}
		return nil
	}
	if err := good(t, ends.Add(time.Minute), ends); err != nil {
		t.Error(err)
	}
	ca.issue(certificate{name: "west", from: time.Now().Add(-time.Minute), to: ends.Add(time.Hour)})
	eventually(t, "a renewed certificate counts before the next handshake", func() error {
		return good(t, ends.Add(time.Minute), ends.Add(time.Hour))
	})
}
