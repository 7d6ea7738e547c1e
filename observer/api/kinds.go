package api

import (
	"reflect"
	"strings"

	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/record"
)

// kind is a list whose changes can be followed.
type kind struct {
	name  string
	usual bool // followed unless the client says what it wants
	watch func(*network.Network) watcher
}

// identified is a pointer to a record.
type identified[T any] interface {
	*T
	ID() string
}

// kindsOfEvents lists what can be followed. What only counts up, such as bytes,
// is no change: blank takes it out of a copy before two records are compared.
func kindsOfEvents() []kind {
	return []kind{
		followed("sites", true, (*network.Network).Sites, nil),
		followed("routers", true, (*network.Network).Routers, nil),
		followed("routerlinks", true, (*network.Network).RouterLinks, func(l *record.RouterLink) { l.OctetCount, l.OctetReverseCount = 0, 0 }),
		followed("routeraccess", true, (*network.Network).RouterAccesses, nil),
		followed("listeners", true, (*network.Network).Listeners, func(l *record.Listener) { l.FlowCount = 0 }),
		followed("connectors", true, (*network.Network).Connectors, func(c *record.Connector) { c.FlowCount = 0 }),
		followed("services", true, (*network.Network).Services, nil),
		followed("components", true, (*network.Network).Components, nil),
		followed("processes", true, (*network.Network).Processes, nil),
		followed("sitepairs", true, (*network.Network).SitePairs, func(p *record.Pair) { p.RecordCount = 0 }),
		followed("componentpairs", false, (*network.Network).ComponentPairs, func(p *record.Pair) { p.RecordCount = 0 }),
		followed("processpairs", false, (*network.Network).ProcessPairs, func(p *record.Pair) { p.RecordCount = 0 }),
		followed("connections", false, (*network.Network).Connections, func(c *record.Connection) {
			c.OctetCount, c.OctetReverseCount, c.Latency, c.LatencyReverse = 0, 0, 0, 0
		}),
		followed("applicationflows", false, (*network.Network).Requests, func(f *record.ApplicationFlow) { f.OctetCount, f.OctetReverseCount, f.Latency = 0, 0, 0 }),
		followed("sources", true, (*network.Network).Sources, func(s *record.Source) {
			*s = record.Source{Base: s.Base, Type: s.Type, State: s.State, Name: s.Name, SiteID: s.SiteID, Lost: s.Lost, Refused: s.Refused}
		}),
		{"logs", false, watchLogs},
	}
}

// followed is a list in the order of identities.
func followed[T any, P identified[T]](name string, usual bool, all func(*network.Network) []*T, blank func(*T)) kind {
	same := func(a, b *T) bool {
		x, y := *a, *b
		if blank != nil {
			blank(&x)
			blank(&y)
		}
		return reflect.DeepEqual(x, y)
	}
	return kind{name, usual, func(n *network.Network) watcher {
		before := all(n)
		return func(n *network.Network) batch {
			now := all(n)
			c := changes{kind: name}
			compare[T, P](&c, before, now, same)
			before = now
			return c.batch()
		}
	}}
}

// compare adds what is different in two lists in the order of identities.
// Records that did not change are mostly the same ones.
func compare[T any, P identified[T]](c *changes, before, now []*T, same func(a, b *T) bool) {
	if len(before) == len(now) && (len(now) == 0 || &before[0] == &now[0]) {
		return // the same list
	}
	for len(before) > 0 || len(now) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(now) == 0:
			order = -1
		default:
			if before[0] != now[0] {
				order = strings.Compare(P(before[0]).ID(), P(now[0]).ID())
				if order == 0 && !same(before[0], now[0]) {
					c.add("changed", now[0])
				}
			}
		}
		if order > 0 {
			c.add("added", now[0])
		}
		if order < 0 {
			c.add("removed", before[0])
		}
		if order <= 0 {
			before = before[1:]
		}
		if order >= 0 {
			now = now[1:]
		}
	}
}

// watchLogs follows the lines of logs, to which new ones are added at the end.
func watchLogs(n *network.Network) watcher {
	last := func(all []*record.Log) *record.Log {
		if len(all) == 0 {
			return nil
		}
		return all[len(all)-1]
	}
	before := last(n.Logs())
	return func(n *network.Network) batch {
		c := changes{kind: "logs"}
		all := n.Logs()
		from := len(all)
		for from > 0 && all[from-1] != before {
			from--
		}
		for _, l := range all[from:] {
			c.add("added", l)
		}
		before = last(all)
		return c.batch()
	}
}
