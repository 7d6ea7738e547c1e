package system

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/skupper-host/skupper/system/resource"
)

// networkStatusMap is the ConfigMap in which tools find how the network is.
//
// compat: name, key and the JSON are those of upstream's controller; its tools
// and Ansible read them below runtime/resources.
const (
	networkStatusMap = "skupper-network-status"
	networkStatusKey = "NetworkStatus"
)

// routerRecord is what a survey keeps of a router for that document.
type routerRecord struct {
	id, mode      string
	links         []linkRecord
	accepts       []bridgeRecord
	opens         []bridgeRecord
	accessedRoles map[string]bool // roles by which others are linked to it
}

type linkRecord struct {
	name, role, peer string // peer is a router, "" if it is not known
	cost             int
	up               bool
}

type bridgeRecord struct{ name, host, port, key string }

// recordOf is the record of a visited router.
func recordOf(t target, v *visited) routerRecord {
	r := routerRecord{id: t.id, mode: v.mode, accessedRoles: map[string]bool{}}
	for _, c := range v.links {
		role := c.text("role")
		if role == roleInterRouter || role == roleEdge {
			r.links = append(r.links, linkRecord{
				name: c.text("name"), role: role, peer: peerAmong(v.connections, c), cost: int(max(c.number("cost"), 1)),
				up: c.text("connectionStatus") == "SUCCESS",
			})
		}
	}
	for _, l := range v.accepts {
		if key := l.text("address"); key != "" {
			r.accepts = append(r.accepts, bridgeRecordOf(l, key))
		}
	}
	for _, k := range v.keys {
		r.accepts = append(r.accepts, bridgeRecord{name: k.text("listener"), key: k.text("address")})
	}
	for _, c := range v.opens {
		r.opens = append(r.opens, bridgeRecordOf(c, c.text("address")))
	}
	return r
}

func bridgeRecordOf(r row, key string) bridgeRecord {
	return bridgeRecord{name: r.text("name"), host: r.text("host"), port: r.text("port"), key: key}
}

// networkStatus is the ConfigMap about a network, for the namespace of one of
// its sites.
func (n *network) networkStatus(namespace string) *resource.ConfigMap {
	n.told.Do(func() {
		data, err := json.Marshal(n.document(namespace))
		if err != nil {
			panic("network status: " + err.Error()) // it has nothing but texts and numbers
		}
		n.status = &resource.ConfigMap{
			Meta: resource.Meta{Name: networkStatusMap, Namespace: namespace}, Data: map[string]string{networkStatusKey: string(data)},
		}
	})
	return n.status
}

// The document, as upstream's tools read it.
type (
	networkDocument struct {
		Addresses []addressDocument `json:"addresses"`
		Sites     []siteDocument    `json:"siteStatus"`
	}
	addressDocument struct {
		RecType    string `json:"recType"`
		Identity   string `json:"identity"`
		Name       string `json:"name"`
		StartTime  uint64 `json:"startTime"` // not known to a survey: 0
		EndTime    uint64 `json:"endTime"`   // 0: it is there
		Protocol   string `json:"protocol"`
		Listeners  int    `json:"listenerCount"`
		Connectors int    `json:"connectorCount"`
	}
	siteDocument struct {
		Site struct {
			Identity  string `json:"identity,omitempty"`
			Name      string `json:"name,omitempty"`
			Namespace string `json:"namespace,omitempty"`
			Platform  string `json:"platform,omitempty"`
			Version   string `json:"siteVersion,omitempty"`
		} `json:"site"`
		Routers []routerDocument `json:"routerStatus"`
	}
	routerDocument struct {
		Router struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace,omitempty"`
			Mode      string `json:"mode,omitempty"`
		} `json:"router"`
		Links      []linkDocument      `json:"links"`
		Accesses   []accessDocument    `json:"routerAccess"`
		Listeners  []listenerDocument  `json:"listeners"`
		Connectors []connectorDocument `json:"connectors"`
	}
	linkDocument struct {
		Name   string `json:"name"`
		Cost   int    `json:"linkCost,omitempty"`
		Status string `json:"status"` // up, down
		Role   string `json:"role"`
		Peer   string `json:"peer,omitempty"` // identity of an access
	}
	accessDocument struct {
		Identity string `json:"identity"`
	}
	listenerDocument struct {
		Name     string `json:"name,omitempty"`
		Host     string `json:"destHost,omitempty"`
		Port     string `json:"destPort,omitempty"`
		Protocol string `json:"protocol"`
		Address  string `json:"address"`
	}
	connectorDocument struct {
		Host    string `json:"destHost,omitempty"`
		Port    string `json:"destPort,omitempty"`
		Address string `json:"address"`
		Process string `json:"process,omitempty"`
		Target  string `json:"target,omitempty"`
	}
)

// document is the document; own is the namespace of this site.
func (n *network) document(own string) networkDocument {
	d := networkDocument{Addresses: []addressDocument{}, Sites: []siteDocument{}}
	for _, s := range n.services(nil) {
		d.Addresses = append(d.Addresses, addressDocument{
			RecType: "ADDRESS", Identity: s.RoutingKey, Name: s.RoutingKey, Protocol: "tcp", Listeners: s.Listeners, Connectors: s.Connectors,
		})
	}
	accessed := n.accessed()
	for _, key := range slices.Sorted(maps.Keys(n.sites)) {
		s := n.sites[key]
		var site siteDocument
		site.Site.Identity, site.Site.Name, site.Site.Platform, site.Site.Version = s.id, s.name, s.platform, s.version
		namespace := s.namespace
		if s.hops == 0 {
			namespace = own
		}
		site.Site.Namespace = namespace
		records := slices.SortedFunc(slices.Values(s.records), func(a, b routerRecord) int { return cmp.Compare(a.id, b.id) })
		for _, r := range records {
			site.Routers = append(site.Routers, n.routerDocument(r, namespace, accessed[r.id]))
		}
		d.Sites = append(d.Sites, site)
	}
	return d
}

// accessed are the roles by which routers have links from others.
func (n *network) accessed() map[string][]string {
	roles := map[string][]string{}
	for _, s := range n.sites {
		for _, r := range s.records {
			for _, l := range r.links {
				if l.peer != "" && !slices.Contains(roles[l.peer], l.role) {
					roles[l.peer] = append(roles[l.peer], l.role)
				}
			}
		}
	}
	return roles
}

func (n *network) routerDocument(r routerRecord, namespace string, roles []string) routerDocument {
	d := routerDocument{Links: []linkDocument{}, Accesses: []accessDocument{}, Listeners: []listenerDocument{}, Connectors: []connectorDocument{}}
	d.Router.Name, d.Router.Namespace, d.Router.Mode = r.id, namespace, r.mode
	for _, l := range r.links {
		link := linkDocument{Name: l.name, Cost: l.cost, Status: "down", Role: l.role}
		if l.up {
			link.Status = "up"
		}
		if l.peer != "" {
			link.Peer = accessIdentity(l.peer, l.role)
		}
		d.Links = append(d.Links, link)
	}
	for _, role := range slices.Sorted(slices.Values(roles)) {
		d.Accesses = append(d.Accesses, accessDocument{accessIdentity(r.id, role)})
	}
	for _, b := range bridgesByName(r.accepts) {
		d.Listeners = append(d.Listeners, listenerDocument{Name: b.name, Host: b.host, Port: b.port, Protocol: "tcp", Address: b.key})
	}
	for _, b := range bridgesByName(r.opens) {
		d.Connectors = append(d.Connectors, connectorDocument{Host: b.host, Port: b.port, Address: b.key, Target: strings.TrimPrefix(b.name, "connector/")})
	}
	return d
}

// accessIdentity names the access of a router for a role.
func accessIdentity(router, role string) string { return router + "/" + role }

func bridgesByName(list []bridgeRecord) []bridgeRecord {
	return slices.SortedFunc(slices.Values(list), func(a, b bridgeRecord) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.key, b.key))
	})
}

// detail is what a status says beyond its words, for a comparison: what the
// files say has to follow that, too.
func detail(o resource.Object) string {
	switch o := o.(type) {
	case *resource.Site:
		data, err := json.Marshal(o.Status.Network)
		if err != nil {
			return err.Error()
		}
		return strconv.Itoa(o.Status.SitesInNetwork) + string(data)
	case *resource.Link:
		return o.Status.RemoteSiteName + "\n" + o.Status.RemoteSiteID
	case *resource.MultiKeyListener:
		data, err := json.Marshal(o.Status.Strategy)
		if err != nil {
			return err.Error()
		}
		return string(data)
	}
	return ""
}
