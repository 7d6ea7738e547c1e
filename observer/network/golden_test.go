package network

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// message is a recorded message.
type message struct {
	T       float64          `json:"t"`
	Link    string           `json:"link_source"`
	Records []map[string]any `json:"records"`
	Raw     string           `json:"raw"`

	vanflow.Message `json:"-"`
}

// source is the id of the source that sent a message with records.
func (m *message) source() string {
	id := strings.TrimPrefix(m.Link, "mc/sfe.")
	for _, suffix := range []string{".flows", ".logs", ".heartbeats"} {
		id = strings.TrimSuffix(id, suffix)
	}
	return id
}

// recorded reads a recording of routers and controllers.
func recorded(t testing.TB, name string) []message {
	t.Helper()
	messages := captures.Lines[message](t, "vanflow/"+name+".jsonl")
	for i := range messages {
		m := &messages[i]
		raw, err := hex.DecodeString(m.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if m.Message, err = vanflow.Decode(raw); err != nil {
			t.Fatal(err)
		}
		if m.Skipped > 0 {
			t.Fatalf("%s: %d records skipped", name, m.Skipped)
		}
	}
	return messages
}

// start is when the tests begin.
func start() time.Time { return time.UnixMicro(1795337365_000000) }

// replay gives a network what was recorded.
func replay(n *Network, now time.Time, messages []message) {
	for i := range messages {
		m := &messages[i]
		at := now.Add(time.Duration(m.T * float64(time.Second)))
		switch m.Subject {
		case vanflow.SubjectBeacon:
			n.SourceSeen(at, m.ID, m.Source)
		case vanflow.SubjectHeartbeat:
			n.Heartbeat(at, m.ID, m.Now)
		case vanflow.SubjectRecord:
			n.Apply(at, m.source(), m.Message.Records)
		case vanflow.SubjectFlush:
		}
	}
}

// TestEveryRecordLands shows that nothing that was recorded is lost: each record
// is in the list of its kind, with its identity.
func TestEveryRecordLands(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"flush-full-state", "deltas-create-count-delete", "deltas-idle-link-counters", "flows", "go-controller",
		"link-down-restart", "link-tls", "logs",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := New(Limits{})
			if name != "flush-full-state" {
				replay(n, start(), recorded(t, "flush-full-state"))
			}
			messages := recorded(t, name)
			replay(n, start(), messages)
			logs := map[string]bool{}
			for _, l := range n.Logs() {
				logs[l.Identity] = true
			}
			for _, m := range messages {
				for _, r := range m.Message.Records {
					var ok bool
					switch r.Type {
					case vanflow.TypeBiflowTport:
						ok = n.flows[r.Identity] != nil
					case vanflow.TypeBiflowApp:
						ok = n.requests[r.Identity] != nil
					case vanflow.TypeLog:
						ok = logs[r.Identity]
					default:
						ok = n.entries[r.Identity] != nil
					}
					if !ok {
						t.Errorf("%v %s is lost", r.Type, r.Identity)
					}
				}
			}
			if s := n.Stats(); s.Refused > 0 || s.Ignored > 0 || s.Records == 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// theirs reads what upstream's observer answered.
func theirs[T any](t *testing.T, name string) []*T {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "captures", "observer-api", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Results []*T `json:"results"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	return list.Results
}

// captured returns the network that upstream's observer saw: three sites, one of
// which restarted. What the recordings do not have is taken from its answers.
func captured(t *testing.T) *Network {
	t.Helper()
	n := New(Limits{})
	before := start().Add(-time.Hour)
	replay(n, before, recorded(t, "flush-full-state"))
	replay(n, before, recorded(t, "deltas-create-count-delete"))
	n.Forget(before.Add(time.Minute), "OD1Mr:0")
	replay(n, before.Add(2*time.Minute), recorded(t, "link-down-restart"))
	n.Apply(before.Add(3*time.Minute), "U9ZmI:0", []vanflow.Record{
		{Type: vanflow.TypeLink, Identity: "U9ZmI:1", Attributes: []vanflow.Attribute{vanflow.Text(vanflow.AttrPeer, "ZVqfj:2")}},
	})
	for _, l := range theirs[record.Listener](t, "listeners") {
		n.Apply(before.Add(3*time.Minute), l.RouterID, []vanflow.Record{{
			Type: vanflow.TypeListener, Identity: l.Identity, Attributes: []vanflow.Attribute{
				vanflow.Text(vanflow.AttrParent, l.RouterID), vanflow.Number(vanflow.AttrStartTime, l.StartTime),
				vanflow.Text(vanflow.AttrDestHost, l.DestHost), vanflow.Text(vanflow.AttrProtocol, l.Protocol),
				vanflow.Text(vanflow.AttrDestPort, l.DestPort), vanflow.Text(vanflow.AttrVanAddress, l.RoutingKey),
				vanflow.Text(vanflow.AttrName, l.Name),
			},
		}})
	}
	n.Tick(start())
	return n
}

func TestInventoryAsUpstream(t *testing.T) {
	t.Parallel()
	n := captured(t)
	compare(t, "sites", theirs[record.Site](t, "sites"), n.Sites(), nil)
	compare(t, "routers", theirs[record.Router](t, "routers"), n.Routers(), exceptions{
		"buildVersion": "upstream leaves it empty though routers say it",
	})
	compare(t, "routerlinks", theirs[record.RouterLink](t, "routerlinks"), n.RouterLinks(), exceptions{
		"octetCount":        "upstream leaves it zero though routers count",
		"octetReverseCount": "as octetCount",
	})
	compare(t, "routeraccess", theirs[record.RouterAccess](t, "routeraccess"), n.RouterAccesses(), nil)
	compare(t, "listeners", theirs[record.Listener](t, "listeners"), n.Listeners(), nil)
	compare(t, "connectors", theirs[record.Connector](t, "connectors"), n.Connectors(), nil)
}

// exceptions are fields in which we differ from upstream, with the reason.
type exceptions map[string]string

// compare compares the rows of upstream with ours, field by field. What upstream
// does not have is not compared.
func compare[T any](t *testing.T, name string, theirs, ours []*T, but exceptions) {
	t.Helper()
	want, got := fields(t, theirs, but), fields(t, ours, but)
	upstream := map[string]bool{}
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "captures", "observer-api", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Results []map[string]any `json:"results"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	for _, row := range list.Results {
		for field := range row {
			upstream[field] = true
		}
	}
	for _, rows := range [][]map[string]any{want, got} {
		for _, row := range rows {
			for field := range row {
				if !upstream[field] {
					delete(row, field)
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-upstream +ours):\n%s", name, diff)
	}
}

// fields returns rows as the API writes them, without the exceptions.
func fields[T any](t *testing.T, rows []*T, but exceptions) (out []map[string]any) {
	t.Helper()
	raw, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	for _, row := range out {
		for field := range but {
			delete(row, field)
		}
	}
	return out
}
