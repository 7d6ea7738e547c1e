package recorded

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/router/vanflow"
)

// Then is when the recordings were made; everything in them began before.
func Then() time.Time { return time.UnixMicro(1795337400_000000) }

// Replay gives a network what was recorded, as if it were said at some time.
func Replay(t testing.TB, n *network.Network, at time.Time, name string) {
	t.Helper()
	replay(t, n, at, name, 0)
}

// Recent is Network as if it were recorded just now: what began minutes before
// the recordings were made began minutes ago. One connection is still open.
func Recent(t testing.TB, now time.Time) *network.Network {
	t.Helper()
	n := network.New(network.Limits{})
	at := now.Add(-settling * time.Second)
	for _, name := range Names() {
		replay(t, n, at, name, at.Sub(Then().Add(5*time.Minute))) // the last of them was made four minutes later
	}
	Settle(n, at)
	return n
}

func replay(t testing.TB, n *network.Network, at time.Time, name string, later time.Duration) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "captures", "vanflow", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Link string `json:"link_source"`
			Raw  string `json:"raw"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(line.Raw)
		if err != nil {
			t.Fatal(err)
		}
		m, err := vanflow.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		switch m.Subject {
		case vanflow.SubjectBeacon:
			n.SourceSeen(at, m.ID, m.Source)
		case vanflow.SubjectHeartbeat:
			n.Heartbeat(at, m.ID, at)
		case vanflow.SubjectRecord:
			id := strings.TrimPrefix(line.Link, "mc/sfe.")
			for _, suffix := range []string{".flows", ".logs", ".heartbeats"} {
				id = strings.TrimSuffix(id, suffix)
			}
			for _, r := range m.Records {
				for i, a := range r.Attributes {
					if (a.Code == vanflow.AttrStartTime || a.Code == vanflow.AttrEndTime) && a.Number != 0 {
						r.Attributes[i].Number += uint64(later.Microseconds())
					}
				}
			}
			if later != 0 {
				m.Records = append(m.Records, stillOpen(m.Records)...)
			}
			n.Apply(at, id, m.Records)
		case vanflow.SubjectFlush:
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// stillOpen copies the first connection to the service web without its end.
func stillOpen(records []vanflow.Record) []vanflow.Record {
	for _, r := range records {
		if r.Type != vanflow.TypeBiflowTport || r.Identity != "OD1Mr:13" {
			continue
		}
		r.Identity += "99"
		r.Attributes = slices.DeleteFunc(slices.Clone(r.Attributes), func(a vanflow.Attribute) bool { return a.Code == vanflow.AttrEndTime })
		return []vanflow.Record{r}
	}
	return nil
}

// Names are recordings that together have records of every kind.
func Names() []string { return []string{"flush-full-state", "go-controller", "flows", "logs"} }

// Network is a network with records of every kind.
func Network(t testing.TB) *network.Network {
	t.Helper()
	n := network.New(network.Limits{})
	for _, name := range Names() {
		Replay(t, n, Then(), name)
	}
	Settle(n, Then())
	return n
}

// settling is how many seconds that takes.
const settling = 40

// Settle lets time pass until all clients and servers are known.
func Settle(n *network.Network, at time.Time) {
	for i := range settling {
		n.Tick(at.Add(time.Duration(i) * time.Second))
	}
}
