package system

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/resource"
)

// TestChangesAreEvents: what moves between two looks is told with its reason,
// what stays or was not known is not.
func TestChangesAreEvents(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 2, 3, 4, 0, time.UTC)
	link, listener, fresh := resource.Ref{Kind: "Link", Name: "hub"}, resource.Ref{Kind: "Listener", Name: "db"}, resource.Ref{Kind: "Connector", Name: "db"}
	before := &sight{
		health: map[resource.Ref]resource.Health{
			link: {Status: resource.StatusReady, Message: "OK"}, listener: {Status: resource.StatusPending, Message: "no connector"},
		},
		certificates: map[string]string{"client/hub": "Ready", "ca/site": "Ready: until then"},
		sites:        map[string]string{"1": "west", "2": "hub"},
	}
	after := &sight{
		health: map[resource.Ref]resource.Health{
			link: {Status: resource.StatusPending, Message: "connection refused"}, listener: {Status: resource.StatusReady, Message: "OK"},
			fresh: {Status: resource.StatusPending, Message: "no listener"},
		},
		certificates: map[string]string{"client/hub": "Expired: since yesterday", "ca/site": "Ready: until now", "server/new": "Ready"},
		sites:        map[string]string{"1": "west", "3": "east"},
	}
	var want []host.Event
	for _, e := range [][2]string{
		{"status", "connector/db: Pending: no listener"},
		{"status", "link/hub: Pending: connection refused"},
		{"status", "listener/db: Ready, was Pending"},
		{"certificate", "client/hub: Expired: since yesterday"},
		{"site", "east came"},
		{"site", "hub went"},
	} {
		want = append(want, host.Event{Time: now, What: e[0], Text: e[1]})
	}
	if d := cmp.Diff(want, after.changes(before, now)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if again := after.changes(after, now); len(again) > 0 {
		t.Errorf("nothing has moved: %v", again)
	}
	after.sites = nil
	if rest := after.changes(before, now); len(rest) != 4 {
		t.Errorf("of a network that is not known nothing is told: %v", rest)
	}
}
