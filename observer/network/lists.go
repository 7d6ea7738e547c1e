package network

import (
	"cmp"
	"maps"
	"slices"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// cache keeps a list until something in it changes.
type cache[T any] struct {
	rows               []*T
	made               bool
	version, structure uint64 // that it was made of
}

// stale reports whether the list is of another version, and notes that it is
// made again.
func (c *cache[T]) stale(version, structure uint64) bool {
	if c.made && c.version == version && c.structure == structure {
		return false
	}
	c.made, c.version, c.structure = true, version, structure
	return true
}

// lists are the lists that were handed out last.
type lists struct {
	sites       cache[record.Site]
	routers     cache[record.Router]
	links       cache[record.RouterLink]
	accesses    cache[record.RouterAccess]
	listeners   cache[record.Listener]
	connectors  cache[record.Connector]
	services    cache[record.Service]
	components  cache[record.Component]
	pairs       [3]cache[record.Pair]
	connections cache[record.Connection]
	requests    cache[record.ApplicationFlow]
	processes   struct {
		cache[record.Process]
		all ordered[*process]
	}
}

// entryRows returns the list of a type of the inventory. What make answers nil
// for is not listed.
func entryRows[T any](n *Network, c *cache[T], t vanflow.Type, make func(e *entry) *T) []*T {
	k := n.kinds[t]
	if !c.stale(k.version, n.structure) {
		return c.rows
	}
	all := k.all.all()
	rows := slices.Grow([]*T{}, len(all))
	for _, e := range all {
		row, ok := e.row.(*T)
		if !ok || e.at != n.structure {
			row = make(e)
			e.row, e.at = row, n.structure
		}
		if row != nil {
			rows = append(rows, row)
		}
	}
	c.rows = rows
	return rows
}

// head is the base of a record of the inventory.
func (e *entry) head() record.Base {
	return base(e.rec.Identity, e.rec.Number(vanflow.AttrStartTime), e.rec.Number(vanflow.AttrEndTime))
}

// or returns a text of the record, or "unknown".
func (e *entry) or(c vanflow.Code) string { return record.OrUnknown(e.text(c)) }

// Sites returns the sites.
func (n *Network) Sites() []*record.Site {
	n.mu.Lock()
	defer n.mu.Unlock()
	var routers map[string]int
	return entryRows(n, &n.lists.sites, vanflow.TypeSite, func(e *entry) *record.Site {
		if routers == nil {
			routers = map[string]int{}
			for _, r := range n.kinds[vanflow.TypeRouter].all.all() {
				if r.live() {
					routers[r.text(vanflow.AttrParent)]++
				}
			}
		}
		return &record.Site{
			Base: e.head(), Name: e.or(vanflow.AttrName), Namespace: e.text(vanflow.AttrNamespace), Platform: e.or(vanflow.AttrPlatform),
			Provider: e.text(vanflow.AttrProvider), Version: e.or(vanflow.AttrBuildVersion), RouterCount: routers[e.rec.Identity],
			Location: e.text(vanflow.AttrLocation),
		}
	})
}

// Routers returns the routers.
func (n *Network) Routers() []*record.Router {
	n.mu.Lock()
	defer n.mu.Unlock()
	return entryRows(n, &n.lists.routers, vanflow.TypeRouter, func(e *entry) *record.Router {
		row := &record.Router{
			Base: e.head(), SiteID: e.or(vanflow.AttrParent), Name: e.or(vanflow.AttrName), Mode: e.or(vanflow.AttrMode),
			Namespace: e.text(vanflow.AttrNamespace), HostName: e.or(vanflow.AttrHostname), ImageName: e.or(vanflow.AttrImageName),
			ImageVersion: e.or(vanflow.AttrImageVersion), BuildVersion: e.text(vanflow.AttrBuildVersion), SiteName: record.Unknown,
		}
		if site := n.find(vanflow.TypeSite, row.SiteID); site != nil {
			row.SiteName = site.or(vanflow.AttrName)
		}
		return row
	})
}

// RouterLinks returns the links whose router and site are known.
func (n *Network) RouterLinks() []*record.RouterLink {
	n.mu.Lock()
	defer n.mu.Unlock()
	return entryRows(n, &n.lists.links, vanflow.TypeLink, n.routerLink)
}

func (n *Network) routerLink(e *entry) *record.RouterLink {
	from := n.placeOf(e)
	if from.site == nil {
		return nil
	}
	up, down := e.rec.Number(vanflow.AttrUpTimeStamp), e.rec.Number(vanflow.AttrDownTimeStamp)
	row := &record.RouterLink{
		Base: e.head(), Name: e.or(vanflow.AttrName), Role: roleOf(e), Status: "down",
		RouterID: from.routerID, RouterName: record.OrUnknown(from.routerName), SourceSiteID: from.siteID,
		SourceSiteName: record.OrUnknown(from.siteName), OctetCount: e.rec.Number(vanflow.AttrOctets),
		OctetReverseCount: e.rec.Number(vanflow.AttrOctetsReverse),
		Protocol:          e.text(vanflow.AttrProtocol), DestHost: e.text(vanflow.AttrDestHost), DestPort: e.text(vanflow.AttrDestPort),
		Since: down, UpTime: up, DownTime: down, DownCount: e.rec.Number(vanflow.AttrDownCount),
		Result: e.text(vanflow.AttrResult), Reason: e.text(vanflow.AttrReason),
	}
	row.CertificateExpiry = e.rec.CertificateExpiry()
	if e.text(vanflow.AttrOperStatus) == "up" {
		row.Status, row.Since, row.RoundTrip = "up", up, e.rec.Number(vanflow.AttrLatency)
	}
	switch e.text(vanflow.AttrHTTPProxy) {
	case "yes":
		row.ProxyProtocol = textOrNil("HTTP")
	case "no":
		row.ProxyProtocol = textOrNil("NONE")
	default:
	}
	access := n.find(vanflow.TypeRouterAccess, e.text(vanflow.AttrPeer))
	if access == nil {
		return row
	}
	to := n.placeOf(access)
	cost := e.rec.Number(vanflow.AttrLinkCost)
	row.Cost = &cost
	row.RouterAccessID = textOrNil(access.rec.Identity)
	row.DestinationRouterID, row.DestinationRouterName = textOrNil(to.routerID), textOrNil(to.routerName)
	row.DestinationSiteID, row.DestinationSiteName = textOrNil(to.siteID), textOrNil(to.siteName)
	return row
}

// roleOf is the role of a link, of those that there are.
func roleOf(e *entry) string {
	switch role := e.text(vanflow.AttrRole); role {
	case "inter-router", "edge", "inter-edge":
		return role
	}
	return record.Unknown
}

// RouterAccesses returns where routers take links.
func (n *Network) RouterAccesses() []*record.RouterAccess {
	n.mu.Lock()
	defer n.mu.Unlock()
	return entryRows(n, &n.lists.accesses, vanflow.TypeRouterAccess, func(e *entry) *record.RouterAccess {
		p := n.placeOf(e)
		return &record.RouterAccess{
			Base: e.head(), Name: e.or(vanflow.AttrName), Role: e.or(vanflow.AttrRole), RouterID: record.OrUnknown(p.routerID),
			LinkCount: e.rec.Number(vanflow.AttrLinkCount), RouterName: record.OrUnknown(p.routerName),
			SiteID: record.OrUnknown(p.siteID), SiteName: record.OrUnknown(p.siteName),
			CertificateExpiry: e.rec.CertificateExpiry(),
		}
	})
}

// Listeners returns the listeners.
func (n *Network) Listeners() []*record.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	return entryRows(n, &n.lists.listeners, vanflow.TypeListener, func(e *entry) *record.Listener {
		p := n.placeOf(e)
		row := &record.Listener{
			Base: e.head(), Name: e.or(vanflow.AttrName), RouterID: record.OrUnknown(p.routerID), SiteID: record.OrUnknown(p.siteID),
			SiteName: record.OrUnknown(p.siteName), Protocol: e.or(vanflow.AttrProtocol), DestHost: e.or(vanflow.AttrDestHost),
			DestPort: e.or(vanflow.AttrDestPort), RoutingKey: e.or(vanflow.AttrVanAddress), FlowCount: e.rec.Number(vanflow.AttrFlowCountL4),
		}
		if e.service != nil {
			row.ServiceID = e.service.id
		}
		return row
	})
}

// Connectors returns the connectors.
func (n *Network) Connectors() []*record.Connector {
	n.mu.Lock()
	defer n.mu.Unlock()
	return entryRows(n, &n.lists.connectors, vanflow.TypeConnector, func(e *entry) *record.Connector {
		p := n.placeOf(e)
		row := &record.Connector{
			Base: e.head(), Name: e.or(vanflow.AttrName), RouterID: record.OrUnknown(p.routerID), SiteID: record.OrUnknown(p.siteID),
			SiteName: record.OrUnknown(p.siteName), Protocol: e.or(vanflow.AttrProtocol), DestHost: e.or(vanflow.AttrDestHost),
			DestPort: e.or(vanflow.AttrDestPort), RoutingKey: e.or(vanflow.AttrVanAddress), ProcessID: record.Unknown,
			FlowCount: e.rec.Number(vanflow.AttrFlowCountL4),
		}
		if e.service != nil {
			row.ServiceID = e.service.id
		}
		if e.target != nil {
			row.ProcessID, row.Target = e.target.id, textOrNil(e.target.name)
		}
		return row
	})
}

// Services returns the services.
func (n *Network) Services() []*record.Service {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.lists.services
	if !c.stale(0, n.structure) {
		return c.rows
	}
	rows := make([]*record.Service, 0, len(n.services))
	for _, s := range n.services {
		row := &record.Service{
			Base: base(s.id, s.start, 0), Name: s.address, Protocol: s.protocol, ObservedApplicationProtocols: []string{},
			ListenerCount: s.listeners, ConnectorCount: s.connectors, HasListener: s.listeners > 0,
			IsBound: s.listeners > 0 && s.connectors > 0,
		}
		if s.http1 {
			row.ObservedApplicationProtocols = append(row.ObservedApplicationProtocols, http1.String())
		}
		if s.http2 {
			row.ObservedApplicationProtocols = append(row.ObservedApplicationProtocols, http2.String())
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b *record.Service) int { return cmp.Compare(a.Identity, b.Identity) })
	c.rows = rows
	return rows
}

// Components returns the groups of processes.
func (n *Network) Components() []*record.Component {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.lists.components
	if !c.stale(0, n.structure) {
		return c.rows
	}
	byName := map[string]*record.Component{}
	for _, p := range n.lists.processes.all.all() {
		if p.group == "" {
			continue
		}
		row := byName[p.group]
		if row == nil {
			id, name := p.component()
			row = &record.Component{Base: base(id, p.start, 0), Name: name, Role: record.OrUnknown(p.role)}
			byName[p.group] = row
		}
		row.ProcessCount++
		if p.start != 0 && (row.StartTime == 0 || p.start < row.StartTime) {
			row.StartTime = p.start
		}
	}
	c.rows = slices.SortedFunc(maps.Values(byName), func(a, b *record.Component) int { return cmp.Compare(a.Identity, b.Identity) })
	return c.rows
}

// Processes returns the servers and clients.
func (n *Network) Processes() []*record.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.processRows()
}

func (n *Network) processRows() []*record.Process {
	c := &n.lists.processes
	if !c.stale(0, n.structure) {
		return c.rows
	}
	all := c.all.all()
	rows := make([]*record.Process, len(all))
	for i, p := range all {
		rows[i] = n.processRow(p)
	}
	c.rows = rows
	return rows
}

func (n *Network) processRow(p *process) *record.Process {
	id, name := p.component()
	row := &record.Process{
		Base: base(p.id, p.start, 0), Name: record.OrUnknown(p.name), SiteID: record.OrUnknown(p.host.site), SiteName: record.Unknown,
		ComponentID: id, ComponentName: name, SourceHost: record.OrUnknown(p.host.name), Role: record.OrUnknown(p.role), Binding: "unbound",
	}
	if p.entry != nil {
		row.HostName, row.ImageName = textOrNil(p.entry.text(vanflow.AttrHostname)), textOrNil(p.entry.text(vanflow.AttrImageName))
	}
	if site := n.find(vanflow.TypeSite, p.host.site); site != nil {
		row.SiteName = site.or(vanflow.AttrName)
	}
	for c := range p.connectors {
		s := c.service
		if s == nil {
			continue
		}
		row.Services = append(row.Services, s.address+"@"+s.id+"@"+s.protocol)
		if s.listeners > 0 {
			row.Binding = "bound"
		}
	}
	slices.Sort(row.Services)
	row.Services = slices.Compact(row.Services)
	return row
}

// ServiceProcesses returns the processes that the connectors of a service lead
// to.
func (n *Network) ServiceProcesses(id string) []*record.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	rows := []*record.Process{}
	all := n.processRows()
	for i, p := range n.lists.processes.all.all() {
		for c := range p.connectors {
			if c.service != nil && c.service.id == id {
				rows = append(rows, all[i])
				break
			}
		}
	}
	return rows
}

// SitePairs returns which sites talk to which.
func (n *Network) SitePairs() []*record.Pair { return n.pairRows(sitePairs) }

// ComponentPairs returns which components talk to which.
func (n *Network) ComponentPairs() []*record.Pair { return n.pairRows(componentPairs) }

// ProcessPairs returns which processes talk to which.
func (n *Network) ProcessPairs() []*record.Pair { return n.pairRows(processPairs) }

func (n *Network) pairRows(kind int) []*record.Pair {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, set := &n.lists.pairs[kind], &n.pairs[kind]
	if !c.stale(set.version, 0) {
		return c.rows
	}
	all := set.listed.all()
	c.rows = make([]*record.Pair, len(all))
	for i, p := range all {
		c.rows[i] = p.show()
	}
	return c.rows
}

func (p *pair) show() *record.Pair {
	if p.shown == nil {
		row := p.row
		p.shown = &row
	}
	return p.shown
}

// ServicePairs returns which processes talk to which through a service.
func (n *Network) ServicePairs(id string) []*record.Pair {
	n.mu.Lock()
	defer n.mu.Unlock()
	rows := []*record.Pair{}
	for _, p := range n.pairs[processPairs].listed.all() {
		if _, ok := p.services[id]; ok {
			rows = append(rows, p.show())
		}
	}
	return rows
}
