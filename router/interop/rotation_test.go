package interop

import (
	"fmt"
	"net"
	"testing"
	"time"
)

// mixedPairs are the pairs of our router and upstream's, by who has the
// listener of the service and who dials.
func mixedPairs(t *testing.T, run func(t *testing.T, tp topology)) {
	t.Helper()
	for _, kinds := range [][]kind{{ours, theirs}, {theirs, ours}} {
		for _, link := range [][2]int{{0, 1}, {1, 0}} {
			t.Run(fmt.Sprintf("%s-%s, %s dial", kinds[0], kinds[1], kinds[link[0]]), func(t *testing.T) {
				t.Parallel()
				run(t, topology{kinds: kinds, links: [][2]int{link}})
			})
		}
	}
}

// groupOrdinals counts the connections between routers by their generation.
func (a admin) groupOrdinals() (map[string]int, error) {
	rows, err := a.query("connection", "role", "groupOrdinal")
	count := map[string]int{}
	for _, r := range rows {
		if r["role"] == "inter-router" || r["role"] == "inter-router-data" {
			count[fmt.Sprint(r["groupOrdinal"])]++
		}
	}
	return count, err
}

// TestNewCredentialsBesideUpstream: a higher ordinal at the dialing router
// makes new connections, to which new streams go, while the old streams run on
// the old ones until oldestValidOrdinal says that these are over.
func TestNewCredentialsBesideUpstream(t *testing.T) {
	t.Parallel()
	mixedPairs(t, func(t *testing.T, tp topology) {
		w := tp.build(t)
		for _, n := range w.nodes {
			n.set("router", "dataConnectionCount", "3")
		}
		newService(t, w.back).run(echo)
		admins := []admin{w.nodes[0].admin(), w.nodes[1].admin()}
		w.start()
		have := func(what string, want map[string]int) {
			t.Helper()
			for i := range admins {
				eventually(t, 30*time.Second, what+" at "+w.nodes[i].name, func() error {
					got, err := admins[i].groupOrdinals()
					if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
						err = fmt.Errorf("connections by ordinal %v, want %v", got, want)
					}
					return err
				})
			}
		}
		have("first connections", map[string]int{"0": 4})
		goOn := func(what string, streams []net.Conn) {
			t.Helper()
			if n := len(alive(streams)); n != len(streams) {
				t.Fatalf("%s streams: %d of %d go on", what, n, len(streams))
			}
		}
		dialer := tp.links[0][0]
		old := w.streams(t, 10)
		admins[dialer].update(t, "sslProfile", "link", map[string]any{"ordinal": int64(3)})
		during := w.streams(t, 10) // while control passes from one connection to the other
		have("both generations", map[string]int{"0": 4, "3": 4})
		goOn("old", old)
		goOn("middle", during)
		later := w.streams(t, 10)
		goOn("new", later)
		admins[dialer].update(t, "sslProfile", "link", map[string]any{"oldestValidOrdinal": int64(3)})
		have("the new generation", map[string]int{"3": 4})
		for i, c := range old {
			if err := closedSoon(c, 20*time.Second); err != nil {
				t.Errorf("old stream %d: %v", i, err)
			}
		}
		goOn("new", later)
		goOn("newest", w.streams(t, 10))
	})
}
