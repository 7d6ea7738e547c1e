package system

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

// network is what the routers of a network say of themselves: collected from
// each over the network, a moment old.
type network struct {
	sites      map[string]*networkSite // by site id, or the name where a router has none
	byRouter   map[string]string       // router id → key of sites
	listeners  map[string]int          // tcpListeners by routing key, this router's included
	connectors map[string]int

	told   sync.Once
	status *resource.ConfigMap // what tools are told of it, made when it is first asked for

	recorded sync.Once
	shape    []resource.SiteRecord // what records returns, made when it is first asked for
}

type networkSite struct {
	id, name, version, platform string
	namespace                   string // "" where its routers do not say
	routers                     []string
	hops                        int // of its nearest router; 0 is this one
	cost                        int
	listeners, connectors       map[string][]string // names by routing key
	links                       []resource.LinkRecord
	peers                       []string // routers at the other ends of links, "" where it is not known
	records                     []routerRecord
}

// same reports whether two surveys have found the same.
func (n *network) same(o *network) bool {
	return n != nil && o != nil && maps.Equal(n.byRouter, o.byRouter) && maps.Equal(n.listeners, o.listeners) && maps.Equal(n.connectors, o.connectors) &&
		reflect.DeepEqual(n.sites, o.sites)
}

// siteID is the id of the site that a router serves, "" if it is not known.
func (n *network) siteID(router string) string {
	if n == nil {
		return ""
	}
	if s := n.sites[n.byRouter[router]]; s != nil {
		return s.id
	}
	return ""
}

// siteName is the name of the site that a router serves.
func (n *network) siteName(router string) string {
	if n != nil {
		if s := n.sites[n.byRouter[router]]; s != nil {
			return s.name
		}
	}
	return siteOf(router)
}

// Bounds of a survey. A router that does not answer in time is left out of it.
const (
	surveyTimeout  = 2 * time.Second
	surveyParallel = 8
	surveyAge      = 2 * time.Second  // how long one is good for
	surveyRarely   = 10 * time.Second // how long where each finds what the one before has found
	surveyKeep     = 30 * time.Second // how long the answer of a router counts that is there and does not answer in time
)

// target is a router to ask, and how far away it is.
type target struct {
	id         string
	edge       bool
	hops, cost int
}

// node is the address of the router's management node, from anywhere in the
// network.
func (t target) node() string {
	if t.edge {
		return "_edge/" + t.id + "/$management"
	}
	return "_topo/0/" + t.id + "/$management"
}

// answer is what a router said, and when.
type answer struct {
	*visited
	at time.Time
}

// survey asks every router of the network what it serves, this one first. Each
// names others: those that it knows as nodes, and those of edge sites that hang
// on it. answers are those of the surveys before, by router id; they become those
// of this one.
func survey(ctx context.Context, a Asker, l *live, answers map[string]answer) *network {
	n := &network{
		sites: map[string]*networkSite{}, byRouter: map[string]string{},
		listeners: map[string]int{}, connectors: map[string]int{},
	}
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	slots := make(chan struct{}, surveyParallel)
	seen := map[string]bool{l.id: true}
	for wave := []target{{id: l.id}}; len(wave) > 0; {
		said := make([]*visited, len(wave))
		var asked sync.WaitGroup
		for i, t := range wave {
			asked.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				if v, err := visit(ctx, a, l, t); err == nil {
					said[i] = v // otherwise the next survey tries again
				}
			})
		}
		asked.Wait()
		var named []target
		for i, t := range wave { // in an order that is the same each time
			if said[i] != nil {
				answers[t.id] = answer{said[i], time.Now()}
			} else if time.Since(answers[t.id].at) > surveyKeep {
				continue
			}
			v := answers[t.id].visited
			n.add(t, v)
			named = append(named, v.beyond(t)...)
		}
		wave = unseen(named, seen)
	}
	maps.DeleteFunc(answers, func(id string, _ answer) bool { return n.byRouter[id] == "" })
	n.resolve()
	return n
}

// unseen are the targets that were not asked yet, each once, as the nearest
// router names it. They are seen now.
func unseen(named []target, seen map[string]bool) []target {
	slices.SortFunc(named, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.hops, b.hops), cmp.Compare(a.cost, b.cost))
	})
	var list []target
	for _, t := range named {
		if !seen[t.id] {
			seen[t.id] = true
			list = append(list, t)
		}
	}
	return list
}

// visited is what one router says.
type visited struct {
	metadata, mode, namespace   string
	accepts, opens, keys, links []row
	connections, nodes          []row
}

// beyond are the routers that a visited one names.
func (v *visited) beyond(t target) []target {
	var list []target
	for _, node := range v.nodes {
		id := node.text("id")
		if id == t.id || id == "" {
			continue
		}
		next := target{id: id, hops: t.hops + 1, cost: t.cost + int(node.number("cost"))}
		if via := node.text("nextHop"); via != "" && via != id && via != "(self)" {
			next.hops++
		}
		list = append(list, next)
	}
	for _, c := range v.connections {
		if id := c.text("container"); c.text("role") == roleEdge && id != "" && id != t.id {
			list = append(list, target{id: id, edge: c.text("dir") == "in", hops: t.hops + 1, cost: t.cost + 1})
		}
	}
	return list
}

// Roles of connections between routers.
const (
	roleEdge        = "edge"
	roleInterRouter = "inter-router"
)

// visit asks a router. Who are the nodes of the network is asked of this router
// or, where that is an edge router, of those that it hangs on.
func visit(ctx context.Context, a Asker, l *live, t target) (*visited, error) {
	v, node := &visited{}, t.node()
	if t.id == l.id {
		v = &visited{l.metadata, l.mode, "", rows(l.accepts), rows(l.opens), rows(l.keys), rows(l.links), sortedRows(l.connections), sortedRows(l.nodes)}
		node = ""
	}
	sites, err := a.Query(ctx, node, typeSite, attributesOf(typeSite)...)
	if err != nil {
		return nil, err
	}
	for _, s := range sites {
		v.namespace = row(s).text("namespace")
	}
	if t.id == l.id {
		return v, nil // the rest was asked already
	}
	routers, err := a.Query(ctx, node, typeRouter, attributesOf(typeRouter)...)
	if err != nil {
		return nil, err
	}
	for _, r := range routers {
		v.metadata, v.mode = row(r).text("metadata"), row(r).text("mode")
	}
	asked := map[string]*[]row{typeTCPIn: &v.accepts, typeTCPOut: &v.opens, typeKey: &v.keys, typeConnector: &v.links, typeConnection: &v.connections}
	if l.mode == roleEdge && t.hops == 1 {
		asked[typeNode] = &v.nodes
	}
	for typ, into := range asked {
		list, err := a.Query(ctx, node, typ, surveyed(typ)...)
		if err != nil {
			return nil, err
		}
		*into = sortedRows(rowsOf(list))
	}
	return v, nil
}

// surveyed are the attributes that a survey asks for of each type.
func surveyed(typ string) []string {
	switch typ {
	case typeTCPIn, typeTCPOut:
		return []string{"name", "address", "host", "port"}
	case typeConnection:
		return []string{"name", "dir", "role", "host", "container"}
	}
	return attributesOf(typ)
}

// sortedRows is a list by name: routers tell in any order.
func sortedRows(list []row) []row {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b row) int { return cmp.Compare(a.text("name"), b.text("name")) })
	return list
}

func rows(m map[string]row) []row {
	list := make([]row, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[name])
	}
	return list
}

// add notes what a router says.
func (n *network) add(t target, v *visited) {
	var meta struct{ ID, Version, Platform, Name string }
	if json.Unmarshal([]byte(v.metadata), &meta) != nil {
		meta.ID = v.metadata // compat: plain text is the site id
	}
	key := cmp.Or(meta.ID, siteOf(t.id))
	s := n.sites[key]
	if s == nil {
		s = &networkSite{
			id: meta.ID, name: cmp.Or(meta.Name, siteOf(t.id)), version: meta.Version, platform: meta.Platform,
			hops: t.hops, cost: t.cost, listeners: map[string][]string{}, connectors: map[string][]string{},
		}
		n.sites[key] = s
	}
	s.namespace = cmp.Or(s.namespace, v.namespace)
	if t.hops < s.hops {
		s.hops, s.cost = t.hops, t.cost
	}
	n.byRouter[t.id] = key
	s.records = append(s.records, recordOf(t, v))
	s.routers = append(s.routers, t.id)
	slices.Sort(s.routers)
	for _, r := range v.accepts {
		if k := r.text("address"); k != "" {
			n.listeners[k]++
			s.listeners[k] = append(s.listeners[k], bridgeName(r))
		}
	}
	for _, r := range v.keys {
		k := r.text("address")
		n.listeners[k]++
		s.listeners[k] = append(s.listeners[k], strings.TrimPrefix(r.text("listener"), "multiAddress/"))
	}
	for _, c := range v.links {
		if role := c.text("role"); role == roleInterRouter || role == roleEdge {
			s.links = append(s.links, resource.LinkRecord{Name: c.text("name"), Operational: c.text("connectionStatus") == "SUCCESS"})
			s.peers = append(s.peers, peerAmong(v.connections, c))
		}
	}
	for _, r := range v.opens {
		k := r.text("address")
		n.connectors[k]++
		s.connectors[k] = append(s.connectors[k], bridgeName(r))
	}
}

// resolve gives links the names of the sites that they lead to.
func (n *network) resolve() {
	for _, s := range n.sites {
		for i, peer := range s.peers {
			if peer != "" {
				s.links[i].RemoteSiteName, s.links[i].RemoteSiteID = n.siteName(peer), n.siteID(peer)
			}
		}
	}
}

// bridgeName is the name of the resource behind a tcpListener or tcpConnector:
// listener/<name>, multiAddress/<name>, connector/<name>@<host>.
func bridgeName(r row) string {
	_, name, ok := strings.Cut(r.text("name"), "/")
	if !ok {
		name = r.text("name")
	}
	name, _, _ = strings.Cut(name, "@")
	return name
}

// records are the sites in the shape of a Site's status. They are not changed.
func (n *network) records() []resource.SiteRecord {
	n.recorded.Do(func() { n.shape = n.makeRecords() })
	return n.shape
}

func (n *network) makeRecords() []resource.SiteRecord {
	var list []resource.SiteRecord
	for _, key := range slices.Sorted(maps.Keys(n.sites)) {
		s := n.sites[key]
		r := resource.SiteRecord{ID: s.id, Name: s.name, Namespace: s.namespace, Platform: s.platform, Version: s.version, Links: s.links}
		used := map[string]bool{}
		for k := range s.listeners {
			used[k] = true
		}
		for k := range s.connectors {
			used[k] = true
		}
		for _, k := range slices.Sorted(maps.Keys(used)) {
			r.Services = append(r.Services, resource.ServiceRecord{
				RoutingKey: k, Listeners: slices.Sorted(slices.Values(s.listeners[k])), Connectors: slices.Sorted(slices.Values(s.connectors[k])),
			})
		}
		list = append(list, r)
	}
	return list
}

// sitesNearFirst lists the sites for people: this one, then by distance.
func (n *network) sitesNearFirst() []api.Site {
	list := []api.Site{}
	for _, key := range slices.Sorted(maps.Keys(n.sites)) {
		s := n.sites[key]
		site := api.Site{
			ID: s.id, Name: s.name, Version: s.version, Platform: s.platform, Routers: s.routers, Hops: s.hops, Cost: s.cost,
		}
		for _, l := range s.links {
			site.Links = append(site.Links, api.SiteLink{Name: l.Name, Site: l.RemoteSiteName, Operational: l.Operational})
		}
		list = append(list, site)
	}
	slices.SortStableFunc(list, func(a, b api.Site) int { return cmp.Or(cmp.Compare(a.Hops, b.Hops), cmp.Compare(a.Name, b.Name)) })
	return list
}

// services lists the routing keys of the network; own says which this site
// uses itself.
func (n *network) services(own map[string]bool) []api.Service {
	keys := map[string]bool{}
	for k := range n.listeners {
		keys[k] = true
	}
	for k := range n.connectors {
		keys[k] = true
	}
	list := []api.Service{}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		list = append(list, api.Service{
			RoutingKey: k, Listeners: n.listeners[k], Connectors: n.connectors[k], Local: own[k], Sites: n.sitesOf(k),
		})
	}
	return list
}

// sitesOf lists who uses a routing key, by site.
func (n *network) sitesOf(key string) []api.ServiceSite {
	var list []api.ServiceSite
	for _, s := range n.sites {
		in, out := slices.Sorted(slices.Values(s.listeners[key])), slices.Sorted(slices.Values(s.connectors[key]))
		if len(in)+len(out) > 0 {
			list = append(list, api.ServiceSite{Site: s.name, Listeners: in, Connectors: out})
		}
	}
	slices.SortFunc(list, func(a, b api.ServiceSite) int { return cmp.Compare(a.Site, b.Site) })
	return list
}
