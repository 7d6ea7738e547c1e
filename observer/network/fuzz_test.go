package network

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/vanflow"
)

// FuzzApply gives a network whatever messages there may be, of two sources, twice
// and with time in between: it stays in its bounds and in line with itself.
func FuzzApply(f *testing.F) {
	var before []byte
	for _, name := range []string{"flush-full-state", "flows", "go-controller", "link-down-restart", "logs", "deltas-create-count-delete", "corecords"} {
		for _, m := range captures.Lines[message](f, "vanflow/"+name+".jsonl") {
			raw, err := hex.DecodeString(m.Raw)
			if err != nil {
				f.Fatal(err)
			}
			if before != nil {
				f.Add(before, raw, uint16(3))
			}
			before = raw
		}
	}
	limits := Limits{
		Connections: 4, Requests: 4, Logs: 3, Sources: 3, Records: 6, Flows: 5, Entries: 9, Text: 20, Series: 2, Pairs: 2, ClientsPerSite: 2,
		TTL: time.Minute,
	}
	inventory := captures.Lines[message](f, "vanflow/flush-full-state.jsonl")
	f.Fuzz(func(t *testing.T, first, second []byte, seconds uint16) {
		for _, l := range []Limits{limits, {}} {
			n, now := New(l), start()
			if l.Sources == 0 {
				for i := range inventory {
					apply(n, now, inventory[i].source(), raw(t, &inventory[i]))
				}
			}
			for _, source := range []string{"OD1Mr:0", "X+Iln:0"} {
				apply(n, now, source, first)
				apply(n, now, source, second)
				check(t, n)
				now = now.Add(time.Duration(seconds) * time.Second)
				n.Tick(now)
				apply(n, now, source, first)
			}
			check(t, n)
			n.Forget(now, "OD1Mr:0")
			check(t, n)
			settle(n, now)
			apply(n, now, "OD1Mr:0", second)
			check(t, n)
		}
	})
}

func apply(n *Network, now time.Time, source string, payload []byte) {
	if m, err := vanflow.Decode(payload); err == nil {
		n.Apply(now, source, m.Records)
	}
}

func raw(t *testing.T, m *message) []byte {
	b, err := hex.DecodeString(m.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
