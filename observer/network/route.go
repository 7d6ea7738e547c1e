package network

import (
	"slices"
	"strings"

	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/router/vanflow"
)

// application is the protocol that something is counted with.
type application int

const (
	tcp application = iota
	http1
	http2
	applications int = iota
	unrecognized     = application(-1)
)

func (a application) String() string { return [...]string{"tcp", "http1", "http2"}[a] }

// applicationOf is how the protocol of a request is counted.
func applicationOf(protocol string) application {
	switch {
	case strings.HasPrefix(protocol, "HTTP/1"):
		return http1
	case strings.HasPrefix(protocol, "HTTP/2"):
		return http2
	}
	return unrecognized
}

type routeKey struct {
	listener, connector *entry
	source, dest        *process
}

// route is what connections of the same listener, connector, client and server
// have in common.
type route struct {
	routeKey
	refs  int    // connections and requests that have it
	names uint64 // Network.names that the texts are of

	ends                                record.Ends
	listenerID, connectorID             string
	routingKey, serviceID               string
	destHost, destPort                  string
	listenerRouter, connectorRouter     string // names
	listenerSiteName, connectorSiteName string
	labels                              Labels
	service                             *service
	series                              [applications]*series
	pairs                               [applications][3]*pair
	paths                               map[string]*path
}

// path is which routers and sites a connection passes.
type path struct{ routers, sites []string }

// maxPaths bounds the paths that a route remembers.
const maxPaths = 16

// routeOf returns the route with the ends; it is new if there is none yet.
func (n *Network) routeOf(k routeKey) *route {
	r := n.routes[k]
	if r == nil {
		r = &route{routeKey: k}
		n.routes[k] = r
		k.source.routes++
		k.dest.routes++
	}
	n.refresh(r)
	return r
}

// release gives back one use of a route.
func (n *Network) release(r *route) {
	if r == nil {
		return
	}
	if r.refs--; r.refs == 0 {
		delete(n.routes, r.routeKey)
		r.source.routes--
		r.dest.routes--
	}
}

// refresh brings the texts of a route in line with its ends. What is gone is
// called as it was.
func (n *Network) refresh(r *route) {
	if r.names == n.names+1 { // so that zero is none
		return
	}
	r.names = n.names + 1
	if r.listener.gone || r.connector.gone || r.source.gone || r.dest.gone {
		return
	}
	from, to := n.placeOf(r.listener), n.placeOf(r.connector)
	if from.site == nil || to.site == nil {
		return
	}
	r.listenerID, r.connectorID = r.listener.rec.Identity, r.connector.rec.Identity
	r.listenerRouter, r.connectorRouter = from.routerName, to.routerName
	r.listenerSiteName, r.connectorSiteName = from.siteName, to.siteName
	r.routingKey = r.connector.text(vanflow.AttrVanAddress)
	r.destHost, r.destPort = r.connector.text(vanflow.AttrDestHost), r.connector.text(vanflow.AttrDestPort)
	if r.service = r.connector.service; r.service != nil {
		r.serviceID = r.service.id
	}
	r.ends = record.Ends{
		SourceSiteID: from.siteID, SourceSiteName: from.siteName, SourceProcessID: r.source.id, SourceProcessName: r.source.name,
		DestSiteID: to.siteID, DestSiteName: to.siteName, DestProcessID: r.dest.id, DestProcessName: r.dest.name,
	}
	sourceID, source := r.source.component()
	destID, dest := r.dest.component()
	r.labels = Labels{
		SourceSiteID: from.siteID, SourceSiteName: from.siteName, SourceComponentID: sourceID, SourceComponentName: source,
		SourceProcessName: r.source.name, DestSiteID: to.siteID, DestSiteName: to.siteName, DestComponentID: destID,
		DestComponentName: dest, DestProcessName: r.dest.name, RoutingKey: r.routingKey,
	}
	r.series, r.pairs, r.paths = [applications]*series{}, [applications][3]*pair{}, nil
}

// seriesFor returns the series that something on a route is counted in.
func (n *Network) seriesFor(r *route, a application) *series {
	if r.series[a] == nil {
		l := r.labels
		l.Protocol = a.String()
		r.series[a] = n.seriesOf(l)
	}
	return r.series[a]
}

// pathOf returns which routers and sites a connection passes: the listener's,
// those of its trace, the connector's.
func (n *Network) pathOf(r *route, trace string) *path {
	if p := r.paths[trace]; p != nil {
		return p
	}
	names := []string{r.listenerRouter}
	if trace != "" && trace != "Local" {
		names = append(names, strings.Split(trace, "|")...)
	}
	names = slices.Compact(append(names, r.connectorRouter))
	p := &path{routers: names, sites: []string{}}
	for _, name := range names {
		site := n.siteOfRouter(name)
		switch name { // their ends may be gone or restarted
		case r.listenerRouter:
			site = r.listenerSiteName
		case r.connectorRouter:
			site = r.connectorSiteName
		default:
		}
		if site != "" && !slices.Contains(p.sites, site) {
			p.sites = append(p.sites, site)
		}
	}
	if len(r.paths) < maxPaths {
		if r.paths == nil {
			r.paths = map[string]*path{}
		}
		r.paths[trace] = p
	}
	return p
}

// siteOfRouter returns the name of the site of a router, by the router's name.
func (n *Network) siteOfRouter(name string) string {
	if n.routerNames.at != n.structure {
		n.routerNames.at, n.routerNames.site = n.structure, map[string]string{}
		for _, e := range n.kinds[vanflow.TypeRouter].all.all() {
			if site := n.find(vanflow.TypeSite, e.text(vanflow.AttrParent)); site != nil {
				n.routerNames.site[e.text(vanflow.AttrName)] = site.text(vanflow.AttrName)
			}
		}
	}
	return n.routerNames.site[name]
}

// routerNames are the names of the sites of routers, by the names of those.
type routerNames struct {
	at   uint64 // structure
	site map[string]string
}
