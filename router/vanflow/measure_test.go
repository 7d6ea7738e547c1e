package vanflow

import (
	"testing"
	"time"
)

// TestMeasured: what only our records of links have is emitted and read again; no
// round trip is none of zero. A certificate that had ended before is told of.
func TestMeasured(t *testing.T) {
	t.Parallel()
	s := newScript("abcde")
	link, access := s.r.Link(epoch(), LinkConfig{Name: "to-west", Role: "edge"}), s.r.Access(epoch(), "links", "edge")
	link.SetRoundTrip(1500 * time.Microsecond)
	link.SetRoundTrip(0)
	link.SetExpiry(epoch().Add(time.Hour))
	access.SetExpiry(epoch().Add(2 * time.Hour))
	one := func(identity string) Record {
		found := s.emitted(t, epoch().Add(5*time.Second), identity)
		if len(found) != 1 {
			t.Fatalf("%s: %d records", identity, len(found))
		}
		return found[0]
	}
	got := one(link.Identity())
	if n, at := got.Number(AttrLatency), got.CertificateExpiry(); n != 1500 || at != micros(epoch().Add(time.Hour)) {
		t.Errorf("link: round trip %d, certificate until %d", n, at)
	}
	link.SetExpiry(epoch().Add(-time.Hour))
	if found := s.emitted(t, epoch().Add(7*time.Second), link.Identity()); len(found) != 1 || found[0].Number(AttrDuration) != 1 {
		t.Errorf("link: %+v", found)
	}
	access.SetExpiry(epoch().Add(3 * time.Hour))
	found := s.emitted(t, epoch().Add(10*time.Second), access.Identity())
	if len(found) != 1 || found[0].Number(AttrDuration) != uint64(3*time.Hour/time.Microsecond) {
		t.Errorf("access: %+v", found)
	}
}
