package system

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
)

// moment is what is known of a namespace when its status is made.
type moment struct {
	site *site.Site
	live *live  // nil: the router does not answer
	why  string // then: why, in words

	generation bool   // the newest input is in effect
	failure    string // otherwise: why it is not

	grants       grantBook
	grantFailure string                              // why the grant server does not listen
	token        func(*resource.AccessToken) verdict // how far a token got; nil where nobody knows

	network *network                         // nil: nothing known beyond this router
	owner   func(port int) string            // who holds a port; "" if that cannot be seen
	taken   func(host string, port int) bool // another program listens there; nil where nobody looks
	creds   []api.Certificate                // the credentials in use
	blamed  []blame                          // objects that the newest input is wrong about
	before  map[resource.Ref]resource.Health
	now     time.Time

	keys map[string]bool // routing keys of the site's own listeners; nil until they are asked for
}

// assess says of every object of the site how it is: conditions, then what
// follows from them. The objects of m.site are changed.
func assess(m *moment) {
	for o := range m.site.Objects.All() {
		h := o.Health()
		if h == nil {
			continue
		}
		if old, ok := m.before[o.Ref()]; ok {
			h.Conditions = slices.Clone(old.Conditions)
		}
		m.one(o, h)
		resource.Aggregate(o, m.now)
	}
	for _, f := range m.site.Faults {
		m.blame(f.Object, advised(f.Err.Error(), f.Err.Advice))
	}
	for _, b := range slices.Concat(m.expired(), m.blamed) {
		m.blame(b.object, b.why)
	}
}

// verdict is the state of one condition.
type verdict struct {
	status, reason, message string
}

func good() verdict { return verdict{resource.ConditionTrue, resource.StatusReady, "OK"} }

// though is good, with a remark that the status shows instead of OK.
func though(remark string) verdict {
	return verdict{resource.ConditionTrue, resource.StatusReady, first(remark, "OK")}
}

func pending(why string) verdict {
	return verdict{resource.ConditionFalse, resource.StatusPending, why}
}
func bad(why string) verdict { return verdict{resource.ConditionFalse, resource.StatusError, why} }

func (m *moment) set(h *resource.Health, condition string, v verdict) {
	h.Set(resource.Condition{Type: condition, Status: v.status, Reason: v.reason, Message: v.message}, m.now)
}

func (m *moment) one(o resource.Object, h *resource.Health) {
	switch o := o.(type) {
	case *resource.Site:
		m.theSite(o, h)
	case *resource.RouterAccess:
		m.access(o, h)
	case *resource.Link:
		m.link(o, h)
	case *resource.Listener:
		m.listener(o, h)
	case *resource.MultiKeyListener:
		m.multiKeyListener(o, h)
	case *resource.Connector:
		m.connector(o, h)
	case *resource.Certificate:
		m.certificate(o, h)
	case *resource.SecuredAccess:
		m.set(h, resource.ConditionConfigured, pending("no effect on this platform; on hosts a Listener lets programs in"))
	case *resource.AccessGrant:
		m.grant(o, h)
	case *resource.AccessToken:
		if m.token != nil {
			v := m.token(o)
			o.Status.Redeemed = v.status == resource.ConditionTrue
			m.set(h, resource.ConditionRedeemed, v)
		}
	}
}

// down is the verdict of everything that a running router would have to say.
func (m *moment) down() verdict { return pending(advised(m.why, downAdvice(m.site.Namespace, m.why))) }

// unknown is the verdict of what the router has not taken yet.
func (m *moment) unknown(what string) verdict {
	return pending(advised("the router does not know "+what+" yet", downAdvice(m.site.Namespace, "starting")))
}

func (m *moment) theSite(s *resource.Site, h *resource.Health) {
	switch {
	case m.failure != "":
		m.set(h, resource.ConditionConfigured, bad(m.failure))
	case m.generation || m.live != nil:
		m.set(h, resource.ConditionConfigured, good())
	default:
		m.set(h, resource.ConditionConfigured, m.down())
	}
	if m.live == nil {
		m.set(h, resource.ConditionRunning, m.down())
	} else {
		m.set(h, resource.ConditionRunning, good())
	}
	if s.Spec.AcceptsLinks() {
		m.set(h, resource.ConditionResolved, m.accessible())
	}
	s.Status.SitesInNetwork = 1
	if m.network != nil {
		s.Status.SitesInNetwork = len(m.network.sites)
		s.Status.Network = m.network.records()
	}
	s.Status.Endpoints = m.endpoints()
	s.Status.DefaultIssuer = first(s.Spec.DefaultIssuer, site.SiteCA)
}

// accessible says whether other routers can connect.
func (m *moment) accessible() verdict {
	if m.live == nil {
		return m.down()
	}
	for _, a := range m.site.Accesses {
		for _, r := range a.Roles {
			if r.Name == site.Normal {
				continue
			}
			if v := m.bound(a, r); v.status != resource.ConditionTrue {
				return v
			}
		}
	}
	return good()
}

// bound says whether the router listens for a role of an access.
func (m *moment) bound(a site.Access, r site.Role) verdict {
	entity, ok := m.live.listeners[a.Name+"-"+r.Name]
	if !ok {
		return m.unknown("listener " + a.Name + "-" + r.Name)
	}
	if text := entity.text("connectionMsg"); text != "" && entity.text("operStatus") != "up" {
		text = m.withOwner(text, r.Port)
		return bad(advised(text, among(text, "`skupper system logs` tells more", remedy{portTaken, "end that program, or give the access another port (spec.roles)"})))
	}
	return good()
}

// portTaken is how a router says that somebody else listens on a port.
const portTaken = "address already in use"

// withOwner adds who holds a port to what the router says about it. A router sees
// less of that than the agent, in a container next to nothing.
func (m *moment) withOwner(text string, port int) string {
	before, _, taken := strings.Cut(text, portTaken)
	if m.owner == nil || !taken {
		return text
	}
	const seen = "(pid " // by one who may look at the process
	if who := m.owner(port); who != "" && !strings.Contains(text, who) && (strings.Contains(who, seen) || !strings.Contains(text, seen)) {
		return before + portTaken + " by " + who
	}
	return text
}

func (m *moment) endpoints() []resource.Endpoint {
	var list []resource.Endpoint
	for _, a := range m.site.Accesses {
		for _, r := range a.Roles {
			if r.Name != site.Normal {
				list = append(list, resource.Endpoint{Name: a.Name + "-" + r.Name, Host: a.BindHost, Port: strconv.Itoa(r.Port), Group: "skupper-router"})
			}
		}
	}
	return list
}

func (m *moment) access(ra *resource.RouterAccess, h *resource.Health) {
	ra.Status.Endpoints = nil
	if m.live == nil {
		m.set(h, resource.ConditionConfigured, m.down())
		m.set(h, resource.ConditionResolved, m.down())
		return
	}
	for _, a := range m.site.Accesses {
		if a.Name != ra.Name {
			continue
		}
		verdictOf := good()
		for _, r := range a.Roles {
			if v := m.bound(a, r); v.status != resource.ConditionTrue {
				verdictOf = v
			}
			ra.Status.Endpoints = append(ra.Status.Endpoints, resource.Endpoint{
				Name: a.Name + "-" + r.Name, Host: a.BindHost, Port: strconv.Itoa(r.Port), Group: "skupper-router",
			})
		}
		m.set(h, resource.ConditionConfigured, good())
		m.set(h, resource.ConditionResolved, verdictOf)
	}
}

func (m *moment) link(l *resource.Link, h *resource.Health) {
	if m.live == nil {
		m.set(h, resource.ConditionConfigured, m.down())
		m.set(h, resource.ConditionOperational, m.down())
		return
	}
	entity, ok := m.live.links[l.Name]
	if !ok {
		m.set(h, resource.ConditionConfigured, m.unknown("the link"))
		return
	}
	m.set(h, resource.ConditionConfigured, good())
	switch entity.text("connectionStatus") {
	case "SUCCESS":
		peer := m.live.peerOf(entity)
		if peer != "" && peer == m.live.id {
			m.set(h, resource.ConditionOperational, bad(advised(notOperational+address(entity)+" is this very site", "`skupper link delete "+l.Name+"`; a link leads to another site")))
			break
		}
		l.Status.RemoteSiteName, l.Status.RemoteSiteID = m.network.siteName(peer), m.network.siteID(peer)
		m.set(h, resource.ConditionOperational, though(m.remark(l, peer)))
	default:
		reason := failure(entity)
		if silent(entity) || reason == "TLS: timed out" {
			text := notOperational + address(entity) + " accepts connections but does not answer"
			m.set(h, resource.ConditionOperational, pending(advised(text, linkAdvice(entity.text("host"), text))))
			break
		}
		if reason != "" {
			m.set(h, resource.ConditionOperational, notConnected(entity, reason))
			break
		}
		text := notOperational + "connecting to " + address(entity) + ", no answer yet"
		m.set(h, resource.ConditionOperational, pending(advised(text, linkAdvice(entity.text("host"), text))))
	}
}

// failure is why the last attempt of a connector has failed, "" if none has. A
// router that tries again says that it is connecting.
func failure(entity row) string {
	msg := entity.text("connectionMsg")
	if _, reason, ok := strings.Cut(msg, " failed: "); ok && strings.HasPrefix(msg, "Connection to ") {
		return reason
	}
	if entity.text("connectionStatus") == "FAILED" {
		return first(msg, "the connection failed")
	}
	return ""
}

// silent tells that the peer of a connector takes connections, and has not
// answered on the last one; see row of connectors in package router.
func silent(entity row) bool {
	return strings.HasSuffix(entity.text("connectionMsg"), " accepted: no answer yet")
}

// notOperational begins the message of a link that is not connected.
const notOperational = "Not operational: "

// notConnected is the verdict of a link that could not be made. What time may
// heal, such as a peer that does not run, is Pending; what somebody must see
// to, such as a certificate, is an Error. The router names the stage at which a
// connection failed before the reason.
func notConnected(entity row, reason string) verdict {
	stage, _, _ := strings.Cut(reason, ":")
	text := advised(notOperational+address(entity)+": "+strings.TrimPrefix(reason, "dial: "), linkAdvice(entity.text("host"), reason))
	passing := slices.ContainsFunc([]string{"closed", "closed by the peer", "connection reset by the peer", "timed out"}, func(end string) bool {
		return strings.HasSuffix(reason, ": "+end)
	})
	if slices.Contains([]string{"TLS", "SASL", "open"}, stage) && !passing {
		return bad(text)
	}
	return pending(text)
}

// remark is what is to be said of a link that works.
func (m *moment) remark(l *resource.Link, peer string) string {
	for _, other := range m.site.Links {
		if other.Name < l.Name && peer != "" && m.live.peerOf(m.live.links[other.Name]) == peer {
			return fmt.Sprintf("second link to the same site, beside link/%s", other.Name)
		}
	}
	if c, ok := described(m.creds, profileOf(m.site, l.Name), false); ok && c.Status != resource.StatusReady {
		return "the certificate " + c.Message
	}
	return ""
}

// profileOf is the name of the credentials of a link.
func profileOf(s *site.Site, link string) string {
	for _, l := range s.Links {
		if l.Name == link {
			return l.Profile
		}
	}
	return ""
}

// address is where an entity connects to, or listens.
func address(entity row) string {
	return net.JoinHostPort(entity.text("host"), entity.text("port"))
}

// connectionOf is the connection that a connector made, nil if it has none.
func (l *live) connectionOf(connector row) row { return connectionAmong(l.connections, connector) }

func connectionAmong(connections []row, connector row) row {
	for _, c := range connections {
		if c.text("dir") == "out" && c.text("host") == address(connector) && c.text("container") != "" {
			return c
		}
	}
	return nil
}

// peerOf is the id of the router at the other end of a connector.
func (l *live) peerOf(connector row) string { return peerAmong(l.connections, connector) }

func peerAmong(connections []row, connector row) string {
	return connectionAmong(connections, connector).text("container")
}

func (m *moment) listener(l *resource.Listener, h *resource.Health) {
	entity, verdictOf := m.accepting("listener/"+l.Name, l.Spec.Host, l.Spec.Port, l.Name)
	m.set(h, resource.ConditionConfigured, verdictOf)
	l.Status.HasMatchingConnector = m.live != nil && m.reachable(l.Spec.RoutingKey, entity)
	m.set(h, resource.ConditionMatched, m.matched(l.Status.HasMatchingConnector, noConnectors(l.Spec.RoutingKey)))
}

// noConnectors is why nobody serves a listener.
func noConnectors(key string) string {
	return advised("No matching connectors", "on the site of the server: `skupper connector create "+shellWord(key)+" PORT`")
}

// shellWord is a text as a shell takes it for one.
func shellWord(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:@,", r)
	}) {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return text
}

// accepting finds the entity of a listener and says whether it is in order.
// listener is its name for commands, "" if there is no such command.
func (m *moment) accepting(name, host string, port int, listener string) (row, verdict) {
	if m.live == nil {
		return nil, m.down()
	}
	entity, ok := m.live.accepts[name]
	if !ok {
		return nil, m.unknown("it")
	}
	text := entity.text("connectionMsg")
	if !failedToListen(entity) {
		if entity.text("operStatus") == "up" || m.taken == nil || !m.taken(host, port) {
			return entity, good()
		}
		// The router does not listen before a server is known. It could not.
		text = "listen on " + net.JoinHostPort(host, strconv.Itoa(port)) + ": " + portTaken
	}
	text = m.withOwner(text, port)
	return entity, bad(advised(text, listenAdvice(text, listener)))
}

// failedToListen reports whether a tcpListener wants to listen and cannot: its
// message then begins as the errors of package tcp do. It may also say something
// when it does not want to, as when no server is known.
func failedToListen(entity row) bool {
	return entity.text("operStatus") != "up" && strings.HasPrefix(entity.text("connectionMsg"), "listen ")
}

func (m *moment) reachable(key string, entity row) bool {
	return m.live.reach[key] > 0 || entity.text("operStatus") == "up"
}

func (m *moment) matched(is bool, otherwise string) verdict {
	switch {
	case m.live == nil:
		return m.down()
	case is:
		return good()
	}
	return pending(otherwise)
}

func (m *moment) multiKeyListener(l *resource.MultiKeyListener, h *resource.Health) {
	entity, verdictOf := m.accepting("multiAddress/"+l.Name, l.Spec.Host, l.Spec.Port, "")
	m.set(h, resource.ConditionConfigured, verdictOf)
	l.Status.HasDestination = false
	l.Status.Strategy = resource.StrategyStatus{}
	reached := func(key string) bool { return m.live != nil && m.live.reach[key] > 0 }
	if s := l.Spec.Strategy.Priority; s != nil {
		status := &resource.PriorityStatus{}
		for _, k := range s.RoutingKeys {
			if reached(k) {
				status.RoutingKeysReachable = append(status.RoutingKeysReachable, k)
			}
		}
		l.Status.Strategy.Priority = status
		l.Status.HasDestination = len(status.RoutingKeysReachable) > 0
	}
	if s := l.Spec.Strategy.Weighted; s != nil {
		status := &resource.WeightedStatus{RoutingKeysReachable: map[string]int{}}
		for k, weight := range s.RoutingKeys {
			if reached(k) {
				status.RoutingKeysReachable[k] = weight
			}
		}
		l.Status.Strategy.Weighted = status
		l.Status.HasDestination = len(status.RoutingKeysReachable) > 0
	}
	l.Status.HasDestination = l.Status.HasDestination || entity.text("operStatus") == "up"
	m.set(h, resource.ConditionOperational, m.matched(l.Status.HasDestination, noConnectors(first(append(routingKeys(l), "KEY")...))))
}

func (m *moment) connector(c *resource.Connector, h *resource.Health) {
	if m.live == nil {
		m.set(h, resource.ConditionConfigured, m.down())
		m.set(h, resource.ConditionMatched, m.down())
		return
	}
	entity, ok := m.live.opens[connectorEntity(c)]
	switch text := entity.text("connectionMsg"); {
	case !ok:
		m.set(h, resource.ConditionConfigured, m.unknown("it"))
	case strings.HasSuffix(text, "no answer yet"):
		m.set(h, resource.ConditionConfigured, though(advised(strings.Replace(text, "connect to ", "connecting to ", 1), serverAdvice(c.Name, text))))
	case text != "":
		m.set(h, resource.ConditionConfigured, though(advised("last connect failed: "+strings.TrimPrefix(text, "connect to "), serverAdvice(c.Name, text))))
	default:
		m.set(h, resource.ConditionConfigured, good())
	}
	c.Status.HasMatchingListener = m.listened(c.Spec.RoutingKey)
	m.set(h, resource.ConditionMatched, m.matched(c.Status.HasMatchingListener,
		advised("No matching listeners", "on the site of the clients: `skupper listener create "+shellWord(c.Spec.RoutingKey)+" PORT`")))
}

// listened reports whether some listener of the network has the routing key.
func (m *moment) listened(key string) bool {
	if m.keys == nil {
		m.keys = listenedKeys(m.site)
	}
	return m.keys[key] || m.network != nil && m.network.listeners[key] > 0
}

// listenedKeys are the routing keys that a site listens for.
func listenedKeys(s *site.Site) map[string]bool {
	keys := map[string]bool{}
	for _, l := range s.Listeners {
		keys[l.RoutingKey] = true
	}
	for _, l := range s.MultiKeyListeners {
		for _, k := range l.Keys {
			keys[k.RoutingKey] = true
		}
	}
	return keys
}

func (m *moment) certificate(c *resource.Certificate, h *resource.Health) {
	have, ok := described(m.creds, c.Name, c.Spec.Signing)
	c.Status.Expiration = have.Expires
	switch {
	case !ok:
		m.set(h, resource.ConditionReady, pending(advised("not made yet", downAdvice(m.site.Namespace, "starting"))))
	case have.Status == resource.StatusError:
		m.set(h, resource.ConditionReady, bad(have.Message))
	case have.Status == resource.StatusPending:
		m.set(h, resource.ConditionReady, pending(have.Message))
	default:
		m.set(h, resource.ConditionReady, good())
	}
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
