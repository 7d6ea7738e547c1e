package recorded

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
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
			n.Apply(at, id, m.Records)
		case vanflow.SubjectFlush:
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
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

// Settle lets time pass until all clients and servers are known.
func Settle(n *network.Network, at time.Time) {
	for i := range 40 {
		n.Tick(at.Add(time.Duration(i) * time.Second))
	}
}
