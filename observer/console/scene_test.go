package console

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/skupper-host/skupper/observer/record"
)

// now is the moment of every scene, µs since 1970: pictures do not age.
const now = 1_795_000_000_000_000

const (
	second = 1_000_000
	minute = 60 * second
	hour   = 60 * minute
)

// scene is what a network looks like at one moment.
type scene struct {
	sites          []*record.Site
	routers        []*record.Router
	links          []*record.RouterLink
	accesses       []*record.RouterAccess
	listeners      []*record.Listener
	connectors     []*record.Connector
	services       []*record.Service
	components     []*record.Component
	processes      []*record.Process
	sitePairs      []*record.Pair
	componentPairs []*record.Pair
	processPairs   []*record.Pair
	connections    []*record.Connection
	requests       []*record.ApplicationFlow
	sources        []*record.Source
	logs           []*record.Log
	observer       record.Observer
}

func base(id string, age uint64) record.Base {
	return record.Base{Identity: id, StartTime: now - age}
}

// made grows a network from its size: sites in rings round hubs, services
// offered on a few sites and used on others.
type made struct {
	scene
	rand *rand.Rand
}

var (
	platforms  = []string{"kubernetes", "linux", "podman", "docker"}
	siteNames  = []string{"frankfurt", "paris", "madrid", "oslo", "warsaw-plant", "lisbon", "vienna", "store-0117"}
	serviceSet = []string{"orders-api", "postgres", "payments", "inventory", "grafana", "mqtt-bridge", "identity", "search"}
	methods    = []string{"GET", "GET", "GET", "POST", "PUT", "DELETE"}
	results    = []string{"200", "200", "200", "200", "201", "204", "304", "404", "500"}
)

func grow(sites, services, connections int) *made {
	m := &made{rand: rand.New(rand.NewPCG(1, 2))}
	for i := range sites {
		m.site(i, sites)
	}
	for i := range services {
		m.service(i)
	}
	for i := range connections {
		m.connection(i)
	}
	return m
}

func siteID(i int) string { return fmt.Sprintf("%08d-aaaa-4aaa-8aaa-000000000000", i) }

func (m *made) site(i, of int) {
	name := fmt.Sprintf("site-%03d", i)
	if of <= len(siteNames) {
		name = siteNames[i]
	}
	platform := platforms[i%len(platforms)]
	routers := 1 + b2i(i == 0)
	m.sites = append(m.sites, &record.Site{
		Base: base(siteID(i), uint64(i+3)*7*hour), Name: name, Namespace: "shop", Platform: platform, Version: "2.2.0", RouterCount: routers,
	})
	mode := "interior"
	if i >= 4 && i%2 == 1 {
		mode = "edge"
	}
	for r := range routers {
		id := fmt.Sprintf("r%03d%d", i, r)
		m.routers = append(m.routers, &record.Router{
			Base: base(id+":0", 7*hour), SiteID: siteID(i), SiteName: name, Name: fmt.Sprintf("0/%s-%d", name, r+1), Mode: mode,
			HostName: name + ".example.net", ImageName: record.Unknown, ImageVersion: record.Unknown, BuildVersion: "2.2.0",
		})
		m.sources = append(m.sources, &record.Source{
			Base: base(id, 7*hour), Type: "ROUTER", State: record.SourceLive, Name: fmt.Sprintf("0/%s-%d", name, r+1), SiteID: siteID(i),
			LastHeartbeat: now - second, LastHeard: now - second, Messages: 4210, Records: 12, Flows: 3,
		})
	}
	m.sources = append(m.sources, &record.Source{
		Base: base(siteID(i), 7*hour), Type: "CONTROLLER", State: record.SourceLive, Name: name, SiteID: siteID(i),
		LastHeartbeat: now - second, LastHeard: now - second, Messages: 310, Records: 5,
	})
	if i > 0 {
		hub := 0
		if i > 3 {
			hub = m.rand.IntN(min(i, 12))
		}
		m.link(i, hub, mode)
		if mode == "interior" && i > 1 && i%3 == 2 {
			m.link(i, (hub+1)%i, mode)
		}
	}
}

func (m *made) link(from, to int, mode string) {
	role := "inter-router"
	if mode == "edge" {
		role = "edge"
	}
	a, b := m.sites[from], m.sites[to]
	access, router, none := fmt.Sprintf("r%03d0:1", to), fmt.Sprintf("r%03d0:0", to), "NONE"
	far := "0/" + b.Name + "-1"
	cost := uint64(1 + from%3)
	m.links = append(m.links, &record.RouterLink{
		Base: base(fmt.Sprintf("r%03d0:%d", from, 10+len(m.links)), 6*hour), Name: "to-" + b.Name, Role: role, Status: "up", Cost: &cost,
		RouterID: fmt.Sprintf("r%03d0:0", from), RouterName: "0/" + a.Name + "-1", SourceSiteID: a.Identity, SourceSiteName: a.Name,
		RouterAccessID: &access, DestinationRouterID: &router, DestinationRouterName: &far, DestinationSiteID: &b.Identity, DestinationSiteName: &b.Name,
		OctetCount: m.rand.Uint64N(8e9), OctetReverseCount: m.rand.Uint64N(4e10), ProxyProtocol: &none, Protocol: "amqps",
		DestHost: b.Name + ".example.net", DestPort: "55671", Since: now - 6*hour, UpTime: now - 6*hour,
	})
}

func (m *made) service(i int) {
	name := fmt.Sprintf("service-%04d", i)
	if i < len(serviceSet) && len(m.sites) <= len(siteNames) {
		name = serviceSet[i]
	}
	id := fmt.Sprintf("adr-%04d", i)
	seen := []string{}
	if i%2 == 0 {
		seen = append(seen, []string{"http1", "http2"}[i/2%2])
	}
	server, client := m.sites[i%len(m.sites)], m.sites[(i*7+3)%len(m.sites)]
	m.services = append(m.services, &record.Service{
		Base: base(id, uint64(i%40+2)*hour), Name: name, Protocol: "tcp", ObservedApplicationProtocols: seen, ListenerCount: 2, ConnectorCount: 1, IsBound: true, HasListener: true,
	})
	target := name + "-0"
	m.connectors = append(m.connectors, &record.Connector{
		Base: base(id+":c", 3*hour), Name: name, RouterID: "r0000:0", SiteID: server.Identity, SiteName: server.Name, Protocol: "tcp",
		DestHost: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), DestPort: "8080", RoutingKey: name, ServiceID: id, ProcessID: "proc-s" + id, Target: &target, FlowCount: 881,
	})
	for n, s := range []*record.Site{client, m.sites[0]} {
		m.listeners = append(m.listeners, &record.Listener{
			Base: base(fmt.Sprintf("%s:l%d", id, n), 3*hour), Name: name, RouterID: "r0000:0", SiteID: s.Identity, SiteName: s.Name, Protocol: "tcp",
			DestHost: "0.0.0.0", DestPort: fmt.Sprint(10000 + i), RoutingKey: name, ServiceID: id, FlowCount: 440,
		})
	}
	m.process("proc-s"+id, target, name, server, "bound", []string{name + "@" + id + "@tcp"}, fmt.Sprintf("10.0.%d.%d", i/250, i%250+1))
	m.process("proc-c"+id, "site-client-"+name, "clients of "+name, client, "unbound", nil, fmt.Sprintf("192.168.%d.%d", i/250, i%250+1))
	m.pair(id, "proc-c"+id, "site-client-"+name, "pg-clients of "+name, "clients of "+name, client, target, server)
}

func (m *made) process(id, name, group string, at *record.Site, binding string, services []string, host string) {
	role := "internal"
	if services == nil {
		role = "remote"
	}
	m.processes = append(m.processes, &record.Process{
		Base: base(id, 2*hour), Name: name, SiteID: at.Identity, SiteName: at.Name, ComponentID: "pg-" + group, ComponentName: group,
		SourceHost: host, Role: role, Binding: binding, Services: services,
	})
	m.components = append(m.components, &record.Component{Base: base("pg-"+group, 2*hour), Name: group, Role: role, ProcessCount: 1})
}

func (m *made) pair(id, client, clientName, clientGroup, clientGroupName string, from *record.Site, serverName string, to *record.Site) {
	service := m.services[len(m.services)-1].Name
	m.processPairs = append(m.processPairs, &record.Pair{
		Base: base("processpair-"+id, hour), PairType: record.PairProcess, Protocol: "tcp", SourceID: client, SourceName: clientName, DestinationID: "proc-s" + id,
		DestinationName: serverName, SourceSiteID: from.Identity, SourceSiteName: from.Name, DestinationSiteID: to.Identity, DestinationSiteName: to.Name,
	})
	m.componentPairs = append(m.componentPairs, &record.Pair{
		Base: base("grouppair-"+id, hour), PairType: record.PairComponent, Protocol: "tcp", SourceID: clientGroup, SourceName: clientGroupName, DestinationID: "pg-" + service, DestinationName: service,
	})
	m.sitePairs = append(m.sitePairs, &record.Pair{
		Base: base("sitepair-"+id, hour), PairType: record.PairSite, Protocol: "tcp", SourceID: from.Identity, SourceName: from.Name, DestinationID: to.Identity, DestinationName: to.Name,
	})
}

func (m *made) connection(i int) {
	n := m.rand.IntN(len(m.services))
	s, p, c, l := m.services[n], m.processPairs[n], m.connectors[n], m.listeners[2*n]
	age := uint64(i%800)*second + second/2
	var end uint64
	var duration *uint64
	if i%3 != 0 {
		took := m.rand.Uint64N(age)
		end, duration = now-age+took, &took
	}
	ends := record.Ends{
		SourceSiteID: p.SourceSiteID, SourceSiteName: p.SourceSiteName, SourceProcessID: p.SourceID, SourceProcessName: p.SourceName,
		DestSiteID: p.DestinationSiteID, DestSiteName: p.DestinationSiteName, DestProcessID: p.DestinationID, DestProcessName: p.DestinationName,
	}
	b := base(fmt.Sprintf("conn:%05d", i), age)
	b.EndTime = end
	conn := &record.Connection{
		Base: b, Ends: ends, Protocol: "tcp", RoutingKey: s.Name, ListenerID: l.Identity, ConnectorID: c.Identity, SourceHost: "192.168.7.20",
		SourcePort: fmt.Sprint(30000 + i%30000), DestHost: c.DestHost, DestPort: c.DestPort, ProxyHost: "10.0.0.9", ProxyPort: fmt.Sprint(40000 + i%20000),
		OctetCount: m.rand.Uint64N(40_000), OctetReverseCount: m.rand.Uint64N(9_000_000), Latency: 900 + m.rand.Uint64N(90_000), LatencyReverse: 400 + m.rand.Uint64N(400),
		Duration: duration, TraceRouters: []string{"0/" + p.SourceSiteName + "-1", "0/" + m.sites[0].Name + "-1", "0/" + p.DestinationSiteName + "-1"},
		TraceSites: []string{p.SourceSiteName, m.sites[0].Name, p.DestinationSiteName}, ServiceID: s.Identity,
	}
	if i%17 == 4 {
		failed := "connection to " + c.DestHost + ":8080 refused"
		conn.ConnectorError, conn.OctetCount, conn.OctetReverseCount, conn.Latency, conn.LatencyReverse = &failed, 0, 0, 0, 0
	}
	m.connections = append(m.connections, conn)
	if len(s.ObservedApplicationProtocols) > 0 && end != 0 && conn.ConnectorError == nil {
		took := min(*duration, 1000+m.rand.Uint64N(200_000))
		m.requests = append(m.requests, &record.ApplicationFlow{
			Base: record.Base{Identity: fmt.Sprintf("req:%05d", i), StartTime: now - age, EndTime: now - age + took}, Ends: ends, ConnectionID: b.Identity,
			Protocol: s.ObservedApplicationProtocols[0], Method: methods[i%len(methods)], Status: results[i%len(results)], RoutingKey: s.Name,
			OctetCount: m.rand.Uint64N(2000), OctetReverseCount: m.rand.Uint64N(90_000), Duration: &took, Latency: took / 2,
			TraceRouters: conn.TraceRouters, TraceSites: conn.TraceSites, ServiceID: s.Identity,
		})
	}
}

func (m *made) log(site int, severity, text string, age uint64) {
	s := m.sites[site]
	m.logs = append(m.logs, &record.Log{
		Base: base(fmt.Sprintf("log:%04d", len(m.logs)), age), RouterID: fmt.Sprintf("r%03d0:0", site), RouterName: "0/" + s.Name + "-1", SiteID: s.Identity, SiteName: s.Name,
		Severity: severity, Text: text, SourceFile: "router/trunk/dial.go", SourceLine: 214,
	})
}

func normal() *made {
	m := grow(8, 8, 120)
	m.log(4, "warning", "trunk to-frankfurt: no answer for 3 s, dialing again", 20*minute)
	m.log(2, "error", "listener payments: address 0.0.0.0:10002 in use", 44*minute)
	m.log(1, "warning", "observer: no request line: <b onclick=alert(1)>GET</b>", 50*minute) // whatever a peer sends
	m.services[7].IsBound, m.services[7].ConnectorCount = false, 0
	return m
}

// huge is what one console still has to show.
func huge() *made {
	m := grow(100, 1000, 2000)
	for i := range 500 {
		m.log(i%100, "warning", fmt.Sprintf("trunk to-site-%03d: no answer for 3 s, dialing again", i%12), uint64(i)*minute/10)
	}
	return m
}

// cut is normal with one link that broke and one that never came up.
func cut() *made {
	m := normal()
	broken := m.links[1]
	broken.Status, broken.Since, broken.DownTime, broken.DownCount = "down", now-4*minute, now-4*minute, 3
	broken.Result, broken.Reason = "connection refused", "dial frankfurt.example.net:55671: connection refused"
	m.log(2, "error", "trunk to-frankfurt: connection refused", 4*minute)
	never := *m.links[2]
	never.Identity, never.Name, never.Status, never.Cost = "r0060:99", "to-berlin", "down", nil
	never.RouterAccessID, never.DestinationRouterID, never.DestinationRouterName, never.DestinationSiteID, never.DestinationSiteName = nil, nil, nil, nil, nil
	never.SourceSiteID, never.SourceSiteName, never.DestHost = m.sites[6].Identity, m.sites[6].Name, "berlin.example.net"
	never.OctetCount, never.OctetReverseCount, never.DownCount, never.Since = 0, 0, 1, now-2*hour
	never.Result, never.Reason = "name not found", "lookup berlin.example.net: no such host"
	m.links = append(m.links, &never)
	for _, c := range m.connections { // what went over the broken link
		if c.SourceSiteID == broken.SourceSiteID || c.DestSiteID == broken.SourceSiteID {
			why, took := "no connector for "+c.RoutingKey+" is known", uint64(second/2)
			c.ListenerError, c.ConnectorError, c.EndTime, c.Duration = &why, nil, c.StartTime+took, &took
			c.OctetCount, c.OctetReverseCount, c.Latency, c.LatencyReverse = 0, 0, 0, 0
			c.TraceRouters, c.TraceSites = c.TraceRouters[:1], c.TraceSites[:1]
		}
	}
	m.requests = slices.DeleteFunc(m.requests, func(r *record.ApplicationFlow) bool {
		return r.SourceSiteID == broken.SourceSiteID || r.DestSiteID == broken.SourceSiteID
	})
	return m
}

// dead is normal with a site whose router and controller have fallen silent.
func dead() *made {
	m := normal()
	for _, s := range m.sources {
		if s.SiteID == siteID(5) {
			s.State, s.LastHeard, s.LastHeartbeat, s.Lost = record.SourceSilent, now-3*minute, now-3*minute, 2
		}
	}
	return m
}

// lost is dead since the observer has lost its router.
func lost() *made {
	m := dead()
	m.observer = record.Observer{Since: now - 4*minute, Problem: "dial unix /run/router.sock: connection refused"}
	return m
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
