package system

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/router/manage/client"
	"github.com/skupper-host/skupper/system/api"
)

// A ping goes the way of a connection: from this router, hop by hop as each says
// what is next, to the routers whose connectors offer a routing key. Those are
// asked to connect to their servers. Where the way ends early, that hop and its
// reason are the answer.

// Bounds of a ping. A router that takes longer than hopTimeout is silent.
const (
	pingTimeout  = 15 * time.Second
	hopTimeout   = 2 * time.Second
	probeTimeout = 6 * time.Second // of a router's own five seconds, and the way there and back
	maxHops      = 64
	maxVisits    = 64 // routers that are asked what they offer
)

// prober is an Asker that can have a router connect to a server.
type prober interface {
	// Probe has the router behind a management node connect to the server of
	// a tcpConnector. A server that cannot be reached is a *client.ProbeError.
	Probe(ctx context.Context, node, connector string) (time.Duration, error)
}

// Probe implements prober.
func (a *managementAsker) Probe(ctx context.Context, node, connector string) (time.Duration, error) {
	c, err := a.client(ctx, node)
	if err != nil {
		return 0, err
	}
	return c.Probe(ctx, connector)
}

// ping does what api.Controller.Ping says.
func (n *namespace) ping(ctx context.Context, r api.PingRequest) (*api.Ping, error) {
	if !n.exists() {
		return nil, n.missing()
	}
	if r.Target == "" {
		return nil, &api.Error{Kind: api.Invalid, Message: "ping: a routing key or the name of a site is needed"}
	}
	p := &api.Ping{Target: r.Target, Paths: []api.PingPath{}}
	l, _, why := n.look(ctx, n.seen.Load())
	if l == nil {
		p.Problem, p.Advice = "router of this site: "+why, downAdvice(n.paths.Name, why)
		return p, nil
	}
	err := n.router.askFor(ctx, pingTimeout, func(ctx context.Context, a Asker) error {
		w := &walk{asker: a, live: l, tables: map[string]map[string]row{}}
		w.ping(ctx, p)
		return nil
	})
	return p, err
}

// walk asks the routers on the way. Its tables are as the routers said them.
type walk struct {
	asker  Asker
	live   *live
	core   string                    // the interior router that knows ways: this one, or the one it hangs on; "" if there is none
	tables map[string]map[string]row // of interior routers: other routers by id
}

// place is a router, and the interior router that leads to it: itself, or for an
// edge router the one that it hangs on.
type place struct{ id, via string }

func (p place) node() string { return target{id: p.id, edge: p.id != p.via}.node() }

// node is the management node of a router, "" for this one.
func (w *walk) node(p place) string {
	if p.id == w.live.id {
		return ""
	}
	return p.node()
}

// ping fills p.
func (w *walk) ping(ctx context.Context, p *api.Ping) {
	w.core = w.live.id
	if w.live.mode == roleEdge {
		w.core = ""
		for _, c := range w.live.connections {
			if c.text("role") == roleEdge && c.text("dir") == "out" {
				w.core = c.text("container")
			}
		}
	}
	p.Kind = api.PingRoutingKey
	for _, o := range w.owners(ctx, p.Target) {
		p.Paths = append(p.Paths, w.offered(ctx, o))
	}
	if len(p.Paths) == 0 {
		for _, at := range w.site(ctx, p.Target) {
			p.Kind = api.PingSite
			p.Paths = append(p.Paths, w.path(ctx, at))
		}
	}
	slices.SortStableFunc(p.Paths, func(a, b api.PingPath) int { return cmp.Compare(len(a.Hops), len(b.Hops)) })
	w.judge(ctx, p)
}

// judge says whether one way works, and otherwise why not.
func (w *walk) judge(ctx context.Context, p *api.Ping) {
	if len(p.Paths) == 0 {
		p.Problem, p.Advice = w.unknown(ctx, p.Target)
		return
	}
	for _, path := range p.Paths {
		if path.Problem == "" {
			p.OK, p.Problem, p.Advice = true, "", ""
			break
		}
		if p.Problem == "" {
			p.Problem, p.Advice = path.Problem, path.Advice
		}
	}
	if p.Kind != api.PingRoutingKey {
		return
	}
	// What leads there from this host is the first hop of all.
	if name, why := w.deaf(p.Target); p.OK && why != "" {
		p.OK, p.Problem, p.Advice = false, fmt.Sprintf("listener %s of this site: %s", name, why), listenAdvice(why, name)
	}
}

// deaf is a listener of this site for a routing key that does not listen although
// the key is offered, and why; "" if there is none, or another one does.
func (w *walk) deaf(key string) (name, why string) {
	for _, r := range w.live.accepts {
		if r.text("address") != key {
			continue
		}
		if r.text("operStatus") == "up" {
			return "", ""
		}
		name, why = bridgeName(r), r.text("connectionMsg")
	}
	if strings.HasPrefix(why, "no connector") { // the router has not noticed the one that was found here
		return "", ""
	}
	return name, why
}

// offer is a router with connectors for a routing key.
type offer struct {
	place
	connectors []row
}

// owners are the routers with connectors for a key that this router would send
// connections to.
func (w *walk) owners(ctx context.Context, key string) []offer {
	var list []offer
	here := place{w.live.id, cmp.Or(w.core, w.live.id)}
	if own := offering(rows(w.live.opens), key); len(own) > 0 {
		list = append(list, offer{here, own})
	}
	if w.core == "" {
		return list
	}
	for _, id := range w.holders(ctx, key) {
		at := place{id, id}
		if id == w.live.id && len(list) > 0 {
			continue // seen
		}
		if found := w.connectors(ctx, at, key); len(found) > 0 {
			list = append(list, offer{at, found})
			continue
		}
		for _, edge := range w.edges(ctx, at) {
			if edge.id == w.live.id {
				continue
			}
			if found := w.connectors(ctx, edge, key); len(found) > 0 {
				list = append(list, offer{edge, found})
			}
		}
	}
	return list
}

// holders are the interior routers that have consumers of a key, as the core says.
func (w *walk) holders(ctx context.Context, key string) []string {
	var ids []string
	for _, r := range w.query(ctx, w.node(place{w.core, w.core}), typeAddress, "key", "subscriberCount", "remoteHostRouters") {
		if r.text("key") != "M"+key {
			continue
		}
		if r.number("subscriberCount") > 0 {
			ids = append(ids, w.core)
		}
		remote, _ := r["remoteHostRouters"].([]any)
		for _, id := range remote {
			ids = append(ids, fmt.Sprint(id))
		}
	}
	return ids[:min(len(ids), maxVisits)]
}

func (w *walk) connectors(ctx context.Context, at place, key string) []row {
	return offering(w.query(ctx, w.node(at), typeTCPOut, "name", "address", "host", "port", "sslProfile"), key)
}

func offering(connectors []row, key string) []row {
	return slices.DeleteFunc(slices.Clone(connectors), func(r row) bool { return r.text("address") != key })
}

// edges are the edge routers that hang on a router.
func (w *walk) edges(ctx context.Context, at place) []place {
	var list []place
	for _, c := range w.query(ctx, w.node(at), typeConnection, "role", "dir", "container") {
		if c.text("role") == roleEdge && c.text("dir") == "in" {
			if e := (place{c.text("container"), at.id}); !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	return list
}

// site are the routers of the site of that name.
func (w *walk) site(ctx context.Context, name string) []place {
	named := func(id string) bool { return id == name || siteOf(id) == name }
	if named(w.live.id) {
		return []place{{w.live.id, cmp.Or(w.core, w.live.id)}}
	}
	var list []place
	for _, at := range w.interior(ctx) {
		if named(at.id) {
			list = append(list, at)
			continue
		}
		for _, e := range w.edges(ctx, at) {
			if named(e.id) {
				list = append(list, e)
			}
		}
	}
	return list
}

// interior are the interior routers that the core knows, itself first.
func (w *walk) interior(ctx context.Context) []place {
	if w.core == "" {
		return nil
	}
	list := []place{{w.core, w.core}}
	table, _ := w.table(ctx, w.core)
	for id := range table {
		if id != w.core {
			list = append(list, place{id, id})
		}
	}
	slices.SortFunc(list[1:], func(a, b place) int { return strings.Compare(a.id, b.id) })
	return list[:min(len(list), maxVisits)]
}

// query asks a router, for a short while. One that does not answer has nothing:
// whether it answers at all is found out on the way to it.
func (w *walk) query(ctx context.Context, node, typ string, attributes ...string) []row {
	ctx, cancel := context.WithTimeout(ctx, hopTimeout)
	defer cancel()
	list, err := w.asker.Query(ctx, node, typ, attributes...)
	if err != nil {
		return nil
	}
	return rowsOf(list)
}

// table are the routers that an interior router knows, by id.
func (w *walk) table(ctx context.Context, id string) (map[string]row, error) {
	if t := w.tables[id]; t != nil {
		return t, nil
	}
	ctx, cancel := context.WithTimeout(ctx, hopTimeout)
	defer cancel()
	list, err := w.asker.Query(ctx, w.node(place{id, id}), typeNode, attributesOf(typeNode)...)
	if err != nil {
		return nil, err
	}
	t := map[string]row{}
	for _, r := range list {
		t[row(r).text("id")] = r
	}
	w.tables[id] = t
	return t, nil
}

// offered is the way to the servers of an offer, and what they say.
func (w *walk) offered(ctx context.Context, o offer) api.PingPath {
	p := w.path(ctx, o.place)
	if p.Problem != "" {
		return p
	}
	answers := false
	for _, c := range o.connectors {
		s := w.probe(ctx, o.place, c)
		answers = answers || s.OK
		if s.Problem != "" && p.Problem == "" {
			p.Problem, p.Advice = fmt.Sprintf("connector %s of site %s: %s", s.Connector, p.Site, s.Problem), s.Advice
		}
		p.Servers = append(p.Servers, s)
	}
	if answers {
		p.Problem, p.Advice = "", ""
	}
	return p
}

// probe has a router connect to a server. A router of upstream's cannot: that is
// no fault of the server.
func (w *walk) probe(ctx context.Context, at place, connector row) api.PingServer {
	s := api.PingServer{Connector: bridgeName(connector), Host: connector.text("host"), Port: connector.text("port")}
	pr, ok := w.asker.(prober)
	if !ok {
		s.Note = "not asked"
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	took, err := pr.Probe(ctx, w.node(at), connector.text("name"))
	s.Took = took.Microseconds()
	var failed *client.ProbeError
	var refused *client.Error
	switch {
	case err == nil:
		s.OK = true
	case errors.As(err, &failed):
		// The address is beside it already.
		s.Problem = strings.TrimPrefix(failed.Reason, "connect to "+net.JoinHostPort(s.Host, s.Port)+": ")
		s.Advice = serverAdvice(s.Connector, s.Problem)
	case errors.As(err, &refused):
		s.Note = "this router cannot be asked to connect"
		s.OK = true // as far as can be seen
	default:
		s.Problem = "the router did not say whether it reaches the server: " + inTime(err)
	}
	return s
}

// path goes from this router to another one, as each on the way says.
func (w *walk) path(ctx context.Context, to place) api.PingPath {
	p := api.PingPath{Router: to.id, Site: siteOf(to.id), Servers: []api.PingServer{}}
	p.Hops = append(p.Hops, w.hop(ctx, place{w.live.id, w.live.id}, 0))
	if to.id == w.live.id {
		return p
	}
	cur := w.live.id
	if cur != w.core {
		p.Hops = append(p.Hops, w.hop(ctx, place{w.core, w.core}, 1))
		cur = w.core
	}
	for cur != to.via && len(p.Hops) < maxHops && last(p.Hops).Problem == "" {
		table, err := w.table(ctx, cur)
		if err != nil {
			p.Hops[len(p.Hops)-1].Problem = "does not answer: " + inTime(err)
			break
		}
		r, ok := table[to.via]
		if !ok {
			p.Hops[len(p.Hops)-1].Problem = fmt.Sprintf("knows no way to %s of site %s", to.via, siteOf(to.via))
			break
		}
		next := to.via
		if via := r.text("nextHop"); via != "" && via != "(self)" {
			next = via
		}
		p.Hops = append(p.Hops, w.hop(ctx, place{next, next}, int(table[next].number("cost"))))
		cur = next
	}
	if h := last(p.Hops); cur != to.via && h.Problem == "" {
		h.Problem = fmt.Sprintf("is hop %d of a way to %s that does not end: routers send it in circles", len(p.Hops)-1, to.via)
	}
	if to.id != to.via && last(p.Hops).Problem == "" {
		p.Hops = append(p.Hops, w.hop(ctx, to, 1))
	}
	if h := last(p.Hops); h.Problem != "" {
		p.Problem = fmt.Sprintf("router %s of site %s %s", h.Router, h.Site, h.Problem)
		p.Advice = "is that host up, and the link to it? `skupper link status` on both sides of it tells more"
	}
	return p
}

func last(hops []api.PingHop) *api.PingHop { return &hops[len(hops)-1] }

// hop measures the way to a router and back: the shortest time of three questions,
// as the first may have had to make a connection.
func (w *walk) hop(ctx context.Context, at place, cost int) api.PingHop {
	h := api.PingHop{Router: at.id, Site: siteOf(at.id), Cost: cost}
	ctx, cancel := context.WithTimeout(ctx, hopTimeout)
	defer cancel()
	for range 3 {
		begin := time.Now()
		if _, err := w.asker.Query(ctx, w.node(at), typeRouter, "id"); err != nil {
			h.Problem = "does not answer: " + inTime(err)
			return h
		}
		if took := time.Since(begin).Microseconds(); h.RoundTrip == 0 || took < h.RoundTrip {
			h.RoundTrip = took
		}
	}
	return h
}

// inTime is an error, or that the time was over.
func inTime(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "timed out"
	}
	return err.Error()
}

// unknown says why nobody offers what was asked for.
func (w *walk) unknown(ctx context.Context, name string) (problem, advice string) {
	problem = fmt.Sprintf("no connector that this site reaches offers %q, and no site has that name", name)
	if why, advice := w.downLink(rows(w.live.links), "this site"); why != "" {
		return problem + ": " + why, advice
	}
	if w.core == "" {
		return problem + ": this edge site has no link to another site", "`skupper link status`"
	}
	for _, at := range w.interior(ctx) {
		if at.id == w.live.id {
			continue
		}
		links := w.query(ctx, w.node(at), typeConnector, attributesOf(typeConnector)...)
		if why, _ := w.downLink(links, "site "+siteOf(at.id)); why != "" {
			return problem + ": " + why, "`skupper link status` there tells more"
		}
	}
	for _, a := range w.live.accepts {
		if a.text("address") == name {
			return fmt.Sprintf("a listener of this site leads to %q, and no connector that this site reaches offers it", name),
				fmt.Sprintf("on the site of its server: `skupper connector create %s PORT`", name)
		}
	}
	if near := w.similar(name); near != "" {
		return problem, fmt.Sprintf("did you mean %q?", near)
	}
	return problem, "`skupper service status` lists the routing keys of the network, `skupper connector create` offers one"
}

// downLink is a link of a router that is down, and why.
func (w *walk) downLink(connectors []row, whose string) (problem, advice string) {
	for _, c := range connectors {
		role := c.text("role")
		if role != roleInterRouter && role != roleEdge || c.text("connectionStatus") == "SUCCESS" {
			continue
		}
		why := cmp.Or(c.text("connectionMsg"), "not connected yet")
		return fmt.Sprintf("link %s of %s is down: %s", c.text("name"), whose, why), linkAdvice(c.text("host"), why)
	}
	return "", ""
}

// similar is another routing key that differs from name by its case, or nearly not.
func (w *walk) similar(name string) string {
	keys := make([]string, 0, len(w.live.reach))
	for key := range w.live.reach {
		if !strings.ContainsAny(key, "/$") && !strings.HasPrefix(key, "sfe.") && !strings.HasPrefix(key, "vfcr.") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		if key != name && (strings.EqualFold(key, name) || nearly(key, name)) {
			return key
		}
	}
	return ""
}

// nearly reports whether one letter was left out, added or mistyped, or two
// letters next to each other have changed places.
func nearly(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(b) < 3 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case len(a) != len(b):
		return a[i:] == b[i+1:]
	case i == len(a):
		return false
	case i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i]:
		return a[i+2:] == b[i+2:]
	}
	return a[i+1:] == b[i+1:]
}
