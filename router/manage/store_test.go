package manage_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
)

// fixture is a Store that stands still, but for the configuration. Its values
// are those of the router in testdata/exchanges.txt.
type fixture struct {
	config   *config.Config
	refuse   error // of the next Change
	reloaded []string
	changed  []manage.ConnectionChange
	asked    int // statuses
	more     []manage.Connection
}

func (f *fixture) Config() *config.Config { return f.config }

func (f *fixture) Change(edit func(*config.Config) (*config.Config, error)) error {
	next, err := edit(f.config)
	if err != nil {
		return err
	}
	if err := f.refuse; err != nil {
		f.refuse = nil
		return err
	}
	f.config = next
	return nil
}

func (f *fixture) Reload(profile string) error {
	f.reloaded = append(f.reloaded, profile)
	return nil
}

func (f *fixture) Statuses(entities []config.Entity) []manage.Row {
	f.asked += len(entities)
	rows := make([]manage.Row, len(entities))
	for i, e := range entities {
		rows[i] = status(e)
	}
	return rows
}

func status(e config.Entity) manage.Row {
	switch x := e.(type) {
	case *config.Router:
		return manage.RouterStatus{Version: "3.5.1", HostName: "localhost", WorkerThreads: 4}
	case *config.Connector:
		return manage.ConnectorStatus{ConnectionStatus: "CONNECTING", FailoverURLs: "amqp://" + x.Host + ":" + x.Port}
	case *config.TCPListener:
		status := manage.TCPListenerStatus{OperStatus: "up"}
		if x.Name == "t1" {
			status.OperStatus = "down"
		}
		return status
	case *config.TCPConnector:
		return manage.TCPConnectorStatus{ConnectionsOpened: 1}
	case *config.Policy:
		return manage.PolicyStatus{ConnectionsProcessed: 7, ConnectionsCurrent: 6}
	}
	return nil
}

func (f *fixture) Metrics() manage.Metrics {
	return manage.Metrics{ID: "west-1", Version: "3.5.1", AddrCount: 35, ConnectionCounters: map[string]uint64{"tcp": 1, "amqp": 2}}
}

func (f *fixture) Connections() []manage.Connection {
	seconds, ordinal := uint32(0), uint64(2)
	return append([]manage.Connection{
		{ID: 1, Host: "egress-dispatch", Role: "normal", Protocol: "tcp", Dir: "out", Container: "TcpAdaptor", Opened: true, Active: true, AdminStatus: "enabled", OperStatus: "up", UptimeSeconds: 241},
		{ID: 2, Host: "127.0.0.1:59026", Role: "edge", Protocol: "amqp", Dir: "in", Container: "edge-1", MeshID: "sr90Xd0t0zAURMB", LastDlvSeconds: &seconds, AdminStatus: "enabled", OperStatus: "up"},
		{ID: 4, Host: "127.0.0.1:48404", Role: "inter-router", Protocol: "amqp", Dir: "in", Container: "east-1", TLSOrdinal: &ordinal, GroupOrdinal: &ordinal, GroupCorrelationID: "abcdefghijklmno", AdminStatus: "enabled", OperStatus: "up"},
		{
			ID: 6, Host: "127.0.0.1:56938", Role: "normal", Protocol: "amqp", Dir: "in", Container: "test-ctl", AdminStatus: "enabled", OperStatus: "up",
			Properties: amqp.Map{{Key: amqp.Symbol("product"), Value: "x"}},
		},
	}, f.more...)
}

func (f *fixture) Links() []manage.Link {
	return []manage.Link{
		{ID: 2, LinkName: "tcp.connector.out", LinkType: "endpoint", LinkDir: "out", OwningAddr: "Mlocal", Capacity: 5, ConnectionID: "1", AdminStatus: "enabled", OperStatus: "up", IngressHistogram: []uint64{0, 3}},
		{ID: 3, LinkName: "x", LinkType: "router-control", LinkDir: "in", ConnectionID: "4", AdminStatus: "enabled", OperStatus: "up"},
	}
}

func (f *fixture) Addresses() []manage.Address {
	var out []manage.Address
	for _, key := range []string{"Lqdhello", "Lqdrouter", "Lqdrouter.ma", "Tqdrouter", "Tqdrouter.ma"} {
		out = append(out, manage.Address{Key: key, Distribution: "flood", Priority: -1, TransitOutstanding: []int64{0}})
	}
	return out
}

func (*fixture) Probe(_ context.Context, connector string) (time.Duration, error) {
	switch connector {
	case "connector/db":
		return 1500 * time.Microsecond, nil
	case "connector/dead":
		return time.Millisecond, errors.New("connect to 127.0.0.1:1: connection refused")
	}
	return 0, manage.ErrNoConnector
}

func (*fixture) Losses(changes []manage.Change) []manage.Loss {
	if len(changes) == 0 {
		return []manage.Loss{{Connections: 2}}
	}
	last := changes[len(changes)-1]
	return []manage.Loss{{Change: len(changes) - 1, Type: last.Type, Name: last.Name, Connections: 3 + len(last.Attributes)}}
}

func (f *fixture) RoundTrips() map[string]time.Duration {
	return map[string]time.Duration{"west-1": 1500 * time.Microsecond, "east-1": time.Second}
}

func (f *fixture) Nodes() []manage.RouterNode {
	link, cost, changed := 0, 5, 1795337463
	return []manage.RouterNode{
		{ID: "west-1", ProtocolVersion: 1, Instance: 1795337456, LinkState: []string{"east-1"}, NextHop: "(self)", Address: "amqp:/_topo/0/west-1", LastTopoChange: &changed},
		{ID: "east-1", ProtocolVersion: 1, Instance: 1795336990, LinkState: []string{"west-1"}, Address: "amqp:/_topo/0/east-1", RouterLink: &link, Cost: &cost, Index: 1},
	}
}

func (f *fixture) LogStats() []manage.LogStats {
	return []manage.LogStats{{Module: "DEFAULT"}, {Module: "AGENT", DebugCount: 166, InfoCount: 1}}
}

func (f *fixture) Allocators() []manage.Allocator { return nil }

func (f *fixture) VhostStats() []manage.VhostStats {
	return []manage.VhostStats{{Hostname: "$default", PerUserState: map[string]any{"anonymous": []any{"127.0.0.1:5"}}}}
}

func (f *fixture) RecentLog(limit int) []manage.LogLine {
	lines := []manage.LogLine{
		{Module: "SERVER", Level: "info", Text: "started", Time: 1795337690},
		{Module: "AGENT", Level: "error", Text: "refused", File: "agent.py", Line: 941, Time: 1795337698},
		{Module: "AGENT", Level: "error", Text: "refused", File: "agent.py", Line: 941, Time: 1795337698},
	}
	if limit >= 0 && limit < len(lines) {
		return lines[len(lines)-limit:]
	}
	return slices.Clone(lines)
}

func (f *fixture) SetConnection(_ manage.Caller, _ uint64, c manage.ConnectionChange) error {
	f.changed = append(f.changed, c)
	return nil
}
