package network

import (
	"strings"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// roleRemote is the role of a process that nobody publishes.
const roleRemote = "remote"

// hostKey is a host as the routers of a site name it.
type hostKey struct{ site, name string }

// host is what is known to be on a host.
type host struct {
	published map[*process]struct{}
	server    *process // invented
	client    *process // invented
}

// process is a server or client: published as a PROCESS, or invented for what
// a connector leads to or a connection comes from.
type process struct {
	id         string
	name       string
	group      string
	role       string
	host       hostKey
	start      uint64
	entry      *entry              // nil if it was invented
	connectors map[*entry]struct{} // that lead to it
	routes     int                 // that begin or end here
	idle       uint64              // µs: since when nothing needs it
	gone       bool
}

func (p *process) key() string   { return p.id }
func (p *process) dropped() bool { return p.gone }

// shortSite is how names of invented processes say the site (compat: upstream's).
func shortSite(site string) string {
	short, _, _ := strings.Cut(site, "-")
	return short
}

// deriveProcess makes, changes or drops the process of a PROCESS record.
func (n *Network) deriveProcess(e *entry) {
	p := e.process
	if !e.live() {
		if p != nil {
			e.process = nil
			n.dropProcess(p)
		}
		return
	}
	h := hostKey{e.text(vanflow.AttrParent), e.text(vanflow.AttrSourceHost)}
	if p == nil {
		p = &process{id: e.rec.Identity, entry: e, connectors: map[*entry]struct{}{}}
		e.process = p
		n.addProcess(p)
		n.hostOf(h).published[p] = struct{}{}
		p.host = h
		n.replaceServer(h)
	} else if p.host != h {
		n.leaveHost(p)
		p.host = h
		n.hostOf(h).published[p] = struct{}{}
		n.replaceServer(h)
	}
	p.name, p.group, p.role = e.text(vanflow.AttrName), e.text(vanflow.AttrGroup), e.text(vanflow.AttrMode)
	p.start = e.rec.Number(vanflow.AttrStartTime)
}

func (n *Network) hostOf(k hostKey) *host {
	h := n.hosts[k]
	if h == nil {
		h = &host{published: map[*process]struct{}{}}
		n.hosts[k] = h
	}
	return h
}

// addProcess lists a process.
func (n *Network) addProcess(p *process) {
	n.processes[p.id] = p
	n.lists.processes.all.add(p)
	n.structure++
}

// dropProcess drops a process. Connectors that lead to it look for another.
func (n *Network) dropProcess(p *process) {
	if p.gone {
		return
	}
	p.gone = true
	n.lists.processes.all.remove()
	if n.processes[p.id] == p {
		delete(n.processes, p.id)
	}
	for c := range p.connectors {
		c.target, c.row = nil, nil
		if c.live() {
			n.unplaced[c] = struct{}{}
		}
	}
	n.leaveHost(p)
	n.structure++
	n.names++
}

func (n *Network) leaveHost(p *process) {
	h := n.hosts[p.host]
	if h == nil {
		return
	}
	delete(h.published, p)
	if h.server == p {
		h.server = nil
	}
	if h.client == p {
		h.client = nil
		if n.clients[p.host.site]--; n.clients[p.host.site] <= 0 {
			delete(n.clients, p.host.site)
		}
	}
	if len(h.published) == 0 && h.server == nil && h.client == nil {
		delete(n.hosts, p.host)
	}
}

// replaceServer drops the server that was invented for a host where one is
// published.
func (n *Network) replaceServer(k hostKey) {
	if s := n.hostOf(k).server; s != nil {
		n.dropProcess(s)
	}
}

// target returns the process that a connector leads to, nil while that is not
// clear. It is the one that the connector names, else the one at its host, else
// one that is invented.
func (n *Network) targetOf(c *entry, p place) *process {
	if named := n.find(vanflow.TypeProcess, c.text(vanflow.AttrProcess)); named != nil && named.process != nil {
		return n.lead(c, named.process)
	}
	if c.target != nil {
		return c.target
	}
	if p.site == nil || !c.live() {
		return nil
	}
	k := hostKey{p.siteID, c.text(vanflow.AttrDestHost)}
	h := n.hosts[k]
	if h != nil && len(h.published) > 0 {
		return n.lead(c, first(h.published))
	}
	wait := n.limits.Settle
	if c.text(vanflow.AttrProcess) != "" || isKubernetes(p.site) {
		wait = n.limits.Patience
	}
	if n.now < max(c.seen, p.site.seen)+span(wait) {
		return nil
	}
	if h == nil || h.server == nil {
		short := shortSite(p.siteID)
		s := &process{
			id: identity("siteproc", k.name, k.site), name: "site-server-" + k.name + "-" + short, group: "site-servers-" + short,
			role: roleRemote, host: k, connectors: map[*entry]struct{}{},
		}
		h = n.hostOf(k)
		h.server = s
		n.addProcess(s)
	}
	return n.lead(c, h.server)
}

// lead notes where a connector leads to.
func (n *Network) lead(c *entry, p *process) *process {
	delete(n.unplaced, c)
	if c.target == p {
		return p
	}
	if c.target != nil {
		delete(c.target.connectors, c)
		n.names++
	}
	c.target, c.row = p, nil
	p.connectors[c] = struct{}{}
	if start := c.rec.Number(vanflow.AttrStartTime); p.entry == nil && start != 0 && (p.start == 0 || start < p.start) {
		p.start = start
	}
	n.structure++
	return p
}

// first returns the process with the smallest identity.
func first(all map[*process]struct{}) (p *process) {
	for q := range all {
		if p == nil || q.id < p.id {
			p = q
		}
	}
	return p
}

// clientOf returns the process that connections of a host come from, nil while
// that is not clear. In a Kubernetes site a host is a pod, which is published.
// Elsewhere what is published are servers, and who connects from their host is
// somebody else: each address is a client of its own. (compat: upstream takes
// the server for the client there, and waits 15 s for any other client.)
func (n *Network) clientOf(site *entry, name string, seen, start uint64) *process {
	k := hostKey{site.rec.Identity, name}
	h := n.hosts[k]
	wait := n.limits.Settle
	if isKubernetes(site) {
		if h != nil && len(h.published) > 0 {
			return first(h.published)
		}
		wait = n.limits.Patience
		if n.now < seen+span(wait) {
			return nil
		}
	}
	if n.now < site.seen+span(wait) {
		return nil
	}
	if h != nil && h.client != nil {
		n.began(h.client, start)
		return h.client
	}
	if n.clients[k.site] >= n.limits.ClientsPerSite {
		k.name = "others"
		if h = n.hosts[k]; h != nil && h.client != nil {
			n.began(h.client, start)
			return h.client
		}
	}
	short := shortSite(k.site)
	p := &process{
		id: identity("siteclient", k.name, k.site), name: "site-client-" + k.name + "-" + short, group: "site-clients-" + short,
		role: roleRemote, host: k, start: start, connectors: map[*entry]struct{}{},
	}
	n.hostOf(k).client = p
	n.clients[k.site]++
	n.addProcess(p)
	return p
}

// began notes when a connection of an invented client began.
func (n *Network) began(p *process, start uint64) {
	if start != 0 && (p.start == 0 || start < p.start) {
		p.start = start
		n.structure++
	}
}

func isKubernetes(site *entry) bool { return site.text(vanflow.AttrPlatform) == "kubernetes" }

// placeConnectors looks for the processes of connectors that have none.
func (n *Network) placeConnectors() {
	for c := range n.unplaced {
		if !c.live() {
			n.unplace(c)
			continue
		}
		n.targetOf(c, n.placeOf(c))
	}
}

// unplace forgets where a connector that is gone led to.
func (n *Network) unplace(c *entry) {
	delete(n.unplaced, c)
	if c.target != nil {
		delete(c.target.connectors, c)
		c.target = nil
	}
}

// sweepProcesses drops invented processes that nothing needs any more: servers
// without a connector, clients without connections for the TTL.
func (n *Network) sweepProcesses() {
	for _, p := range n.processes {
		switch {
		case p.entry != nil:
		case p.routes > 0 || len(p.connectors) > 0:
			p.idle = 0
		case p.idle == 0:
			p.idle = n.now
		case p.idle+span(n.limits.TTL) <= n.now || n.find(vanflow.TypeSite, p.host.site) == nil:
			n.dropProcess(p)
		}
	}
}

// componentOf is the component of a process.
func (p *process) component() (id, name string) {
	if p.group == "" {
		return record.Unknown, record.Unknown
	}
	return identity("pg", p.group), p.group
}
