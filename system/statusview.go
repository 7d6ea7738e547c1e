package system

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
)

// status tells how the namespace is now. It asks the router and the supervisor,
// and takes no turn: it answers while a pass goes on.
func (n *namespace) status(ctx context.Context) (*api.Status, error) {
	v := n.seen.Load()
	if !n.exists() {
		return nil, n.missing()
	}
	l, unit, why := n.look(ctx, v)
	objects, net := n.assessedAt(ctx, v, l, why, nil)
	s := &api.Status{
		Namespace: n.line(v, unit, l, why), Observed: l != nil, Generation: v.memory.Generation, Error: v.failure,
		Objects: []json.RawMessage{}, Links: []api.LinkState{}, RemoteLinks: []api.LinkState{},
		Listeners: []api.BridgeState{}, Connectors: []api.BridgeState{},
		Certificates: n.judged(v.credentials, time.Now()), Network: []api.Site{}, Services: []api.Service{}, Warnings: n.warnings(v),
	}
	for _, o := range sortedObjects(objects) {
		s.Objects = append(s.Objects, json.RawMessage(resource.EncodeJSON(Redacted(o))))
	}
	if l == nil {
		return s, nil
	}
	s.Router = api.Router{ID: l.id, Mode: l.mode, Version: l.version, PID: unit.PID, Since: unit.Since}
	if v.site == nil { // it runs, and its records cannot be read
		return s, nil
	}
	now := time.Now()
	trips := n.roundTrips(ctx, l)
	s.Links, s.RemoteLinks = linkStates(v, l, objects, trips, now), remoteLinks(l, net, trips, now)
	s.Listeners, s.Connectors = bridgeStates(l)
	if net != nil {
		s.Network, s.Services = net.sitesNearFirst(), net.services(ownKeys(v.site))
	}
	return s, nil
}

// names does what api.Controller.Names says.
func (n *namespace) names() (*[]api.Ref, error) {
	if !n.exists() {
		return nil, n.missing()
	}
	v := n.seen.Load()
	set := v.input
	if v.site != nil {
		set = v.site.Objects
	}
	refs := []api.Ref{}
	if set == nil {
		return &refs, nil
	}
	for _, o := range sortedObjects(set) {
		refs = append(refs, api.Ref{Kind: string(o.Ref().Kind), Name: o.Ref().Name})
	}
	return &refs, nil
}

// sortedObjects lists objects by kind in the order of application, then name.
func sortedObjects(set *resource.Set) []resource.Object {
	order := map[resource.Kind]int{}
	for i, k := range resource.Kinds() {
		order[k] = i
	}
	list := slices.Collect(set.All())
	slices.SortStableFunc(list, func(a, b resource.Object) int {
		return cmp.Or(cmp.Compare(order[a.Ref().Kind], order[b.Ref().Kind]), cmp.Compare(a.Ref().Name, b.Ref().Name))
	})
	return list
}

// Redacted is o without what must not be shown: keys and codes stay in files.
func Redacted(o resource.Object) resource.Object {
	switch o := o.(type) {
	case *resource.Secret:
		c := *o
		c.Data = maps.Clone(o.Data)
		for k := range c.Data {
			if k != resource.CACert && k != resource.TLSCert {
				delete(c.Data, k)
			}
		}
		return &c
	case *resource.AccessToken:
		c := *o
		c.Spec.Code = ""
		return &c
	case *resource.AccessGrant:
		c := *o
		c.Spec.Code = ""
		c.Status.Code = ""
		return &c
	}
	return o
}

// unitStatus asks the supervisor; what cannot be asked is unknown.
func (n *namespace) unitStatus(ctx context.Context) host.UnitStatus {
	ref := n.unitRef()
	s, err := n.m.units.Status(ctx, ref)
	switch {
	case err == nil:
		return s
	case container.Known(ref.Platform):
		return host.UnitStatus{State: host.UnitInactive, Result: advised(err.Error(), adviceOf(err))}
	}
	return host.UnitStatus{}
}

// look asks the supervisor and the router; why says why the router does not
// answer.
func (n *namespace) look(ctx context.Context, v *view) (l *live, unit host.UnitStatus, why string) {
	return n.lookWith(ctx, v, nil)
}

// lookWith is look with questions of one's own; nil asks everything.
func (n *namespace) lookWith(ctx context.Context, v *view, question func(context.Context, Asker) (*live, error)) (l *live, unit host.UnitStatus, why string) {
	unit = n.unitStatus(ctx)
	switch {
	case v.memory.Generation == 0:
		return nil, unit, "not started"
	case v.memory.Stopped:
		return nil, unit, "router stopped"
	}
	var err error
	if question == nil {
		l, err = n.router.look(ctx)
	} else {
		err = n.router.ask(ctx, func(ctx context.Context, a Asker) (err error) {
			l, err = question(ctx, a)
			return err
		})
	}
	if err == nil {
		return l, unit, ""
	}
	unit = n.afterSilence(ctx, unit, err)
	return nil, unit, whyDown(unit, err, time.Now())
}

// Bounds of waiting for the supervisor to notice that a process ended.
const (
	noticeTimeout = 300 * time.Millisecond
	noticeEvery   = 5 * time.Millisecond
)

// afterSilence is the unit of a router that closed its socket: a process that
// ends does that a moment before its supervisor learns why it ended.
func (n *namespace) afterSilence(ctx context.Context, unit host.UnitStatus, why error) host.UnitStatus {
	limit := time.Now().Add(noticeTimeout)
	pid := unit.PID
	for unit.State == host.UnitActive && unit.PID == pid && !errors.Is(why, context.DeadlineExceeded) && time.Now().Before(limit) {
		select {
		case <-time.After(noticeEvery):
		case <-ctx.Done():
			return unit
		}
		unit = n.unitStatus(ctx)
	}
	return unit
}

// whyDown says why a router that should run does not answer.
func whyDown(u host.UnitStatus, err error, now time.Time) string {
	ended := ""
	if u.Result != "" {
		ended = ": " + u.Result
		if !u.Since.IsZero() && u.PID == 0 {
			ended += " " + ago(u.Since, now)
		}
	}
	switch u.State {
	case host.UnitInactive:
		return "router does not run" + ended
	case host.UnitFailed:
		return "router failed and stays down" + ended
	case host.UnitRestarting:
		return "router ended and is started again" + ended
	case host.UnitStarting:
		return "router is starting" + ended
	case host.UnitStopping:
		return "router is stopping"
	case host.UnitActive, host.UnitReloading:
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "router does not answer: it runs and says nothing"
	}
	return "router does not answer: " + err.Error()
}

func ago(t, now time.Time) string {
	return fmt.Sprintf("%s ago", now.Sub(t).Round(time.Second))
}

// assessed is the status of the objects now.
func (n *namespace) assessed(ctx context.Context, v *view) (*resource.Set, *network) {
	l, _, why := n.look(ctx, v)
	return n.assessedAt(ctx, v, l, why, nil)
}

// assessedAt is assessed for a router that was asked already, of some objects of
// the site; nil means all. The objects are copies.
func (n *namespace) assessedAt(ctx context.Context, v *view, l *live, why string, some *resource.Set) (*resource.Set, *network) {
	if v.site == nil {
		return pendingSet(v), nil
	}
	if some == nil {
		some = v.site.Objects
	}
	var net *network
	if l != nil && l.id != "" {
		net = n.router.network(ctx, l)
	}
	s := *v.site
	s.Objects = copies(some)
	ports, now := host.NewPortOwners(), time.Now()
	assess(&moment{
		site: &s, live: l, why: why, failure: v.failure, network: net,
		owner: n.holder(ctx, ports), taken: n.takenByOthers(ctx, ports), creds: n.judged(v.credentials, now), blamed: v.blamed, before: v.shown.health, now: now,
		grants: v.grants, grantFailure: n.m.grants.failure(), token: n.tokenVerdict(v.memory.Redeemed),
	})
	return s.Objects, net
}

// publisher is an engine that listens on ports of the host for its containers, and
// knows for which.
type publisher interface {
	Publisher(ctx context.Context, port int) (container string, err error)
}

// publisherPatience is how long a status waits for what an engine knows of a port.
const publisherPatience = 2 * time.Second

// holder tells who listens on a port: where Docker does, for which container, if
// the agent may ask it.
func (n *namespace) holder(ctx context.Context, ports host.PortOwners) func(port int) string {
	return func(port int) string {
		by := ports.Of(port)
		if !strings.HasPrefix(by, "docker-proxy ") && !strings.HasSuffix(by, "(docker.service)") {
			return by
		}
		e, err := n.m.options.Engines(container.Docker)
		docker, ok := e.(publisher)
		if err != nil || !ok {
			return by
		}
		ctx, cancel := context.WithTimeout(ctx, publisherPatience)
		defer cancel()
		if name, err := docker.Publisher(ctx, port); err == nil && name != "" {
			return "container " + name + " of docker, " + by
		}
		return by
	}
}

// takenByOthers tells whether another program than the router of the site
// listens somewhere.
func (n *namespace) takenByOthers(ctx context.Context, ports host.PortOwners) func(host string, port int) bool {
	return func(host string, port int) bool {
		if !ports.Taken(host, port) {
			return false
		}
		router := n.unitStatus(ctx).PID
		return router == 0 || !strings.HasSuffix(ports.Of(port), fmt.Sprintf("(pid %d)", router))
	}
}

// pendingSet are objects of an input that is not in effect at all.
func pendingSet(v *view) *resource.Set {
	set := resource.NewSet()
	if v.input == nil {
		return set
	}
	for o := range copies(v.input).All() {
		if h := o.Health(); h != nil {
			h.Status, h.Message = resource.StatusPending, "not started"
			if v.failure != "" {
				h.Status, h.Message = resource.StatusError, v.failure
			}
		}
		set.Put(o)
	}
	return set
}

func copies(set *resource.Set) *resource.Set {
	out := resource.NewSet()
	for o := range set.All() {
		out.Put(resource.WithoutStatus(o))
	}
	out.Skipped = set.Skipped
	return out
}

// platform is what the router of the namespace runs as, or will when it is
// started.
func (n *namespace) platform(v *view) string {
	if v.memory.Generation > 0 {
		return platformWord(v.memory.Platform)
	}
	return platformWord(n.chosen())
}

// warnings are those about the input, and about links that end soon. That a grant
// server which is wanted for grants does not run is in their status.
func (n *namespace) warnings(v *view) []string {
	now := time.Now()
	list := append(texts(v.warnings, v.dropped), endingSoon(v.memory.Links, now)...)
	if v.site == nil || len(renewalHosts(v.site, v.memory.Links, now)) == 0 {
		return list
	}
	if why := n.m.grants.failure(); why != "" {
		list = append(list, "certificates that were handed out in links cannot be renewed: grant server: "+why)
	} else if moved := movedRenewals(v.site, v.memory.Links, n.m.grants.at(), now); moved != "" {
		list = append(list, moved)
	}
	return list
}

// line is the namespace in one line.
func (n *namespace) line(v *view, unit host.UnitStatus, l *live, why string) api.Namespace {
	out := api.Namespace{
		Name: n.paths.Name, Platform: n.platform(v), Site: v.siteName, Dir: n.paths.Dir,
		State: api.Running, Unit: layout.UnitName(n.paths.Name), PID: unit.PID,
		Generation: v.memory.Generation, Warnings: n.warnings(v),
	}
	for _, c := range v.credentials {
		if out.Expires.IsZero() || !c.Expires.IsZero() && c.Expires.Before(out.Expires) {
			out.Expires = c.Expires
		}
	}
	if l != nil {
		out.Since = unit.Since
		l.count(&out)
	}
	switch {
	case v.memory.Generation == 0:
		out.State, out.Unit = api.Defined, ""
		out.Message = first(v.failure, "not started")
		if !v.hasInput {
			out.Message = first(v.failure, "no input")
		}
	case v.memory.Stopped:
		out.State = api.Stopped
	case l == nil:
		out.State, out.Message = api.Failed, why
	default:
		out.Message = first(n.unsupervised(unit), v.failure, n.outdated(l))
	}
	return out
}

// unsupervised says of a router that answers that the engine does not that would
// start it again.
func (n *namespace) unsupervised(unit host.UnitStatus) string {
	if !container.Known(n.unitRef().Platform) || unit.State != host.UnitInactive || unit.Result == "" {
		return ""
	}
	return "the router goes on, changes wait and nobody starts it again: " + unit.Result
}

// outdated says that a router was started before the program was replaced, if
// it was: an upgrade of the program touches no router.
func (n *namespace) outdated(l *live) string {
	if l.version == "" || l.version == n.m.options.Version {
		return ""
	}
	return advised("the router runs version "+l.version+", "+n.m.options.Version+" is installed", "`skupper system restart` takes it, and drops connections")
}

// count tells of the router what a line about its namespace has room for.
func (l *live) count(out *api.Namespace) {
	out.RouterID, out.Version = l.id, l.version
	for _, r := range l.links {
		tally(&out.Links, r.text("connectionStatus") == "SUCCESS")
	}
	for _, r := range l.accepts {
		tally(&out.Listeners, !failedToListen(r))
		out.Connections += r.opened() - r.number("connectionsClosed")
	}
	for _, r := range l.opens {
		out.Connections += r.servers() - r.number("connectionsClosed")
	}
	out.RemoteLinks = len(l.callers())
}

func tally(t *api.Tally, up bool) {
	if up {
		t.Up++
	} else {
		t.Down++
	}
}

// roundTrips asks the router how far away its neighbors are, if it has any. They
// are shown beside what is known otherwise; without them nothing is wrong.
func (n *namespace) roundTrips(ctx context.Context, l *live) (trips map[string]time.Duration) {
	if l.alone() {
		return nil
	}
	err := n.router.ask(ctx, func(ctx context.Context, a Asker) (err error) {
		if t, ok := a.(timer); ok {
			trips, err = t.RoundTrips(ctx)
		}
		return err
	})
	if err != nil {
		n.log.Debug("round trips are not known", keyErr, err)
	}
	return trips
}

// linkStates are the links that this site asked for.
func linkStates(v *view, l *live, objects *resource.Set, trips map[string]time.Duration, now time.Time) []api.LinkState {
	list := []api.LinkState{}
	for _, link := range v.site.Links {
		s := api.LinkState{
			Name: link.Name, Cost: link.Cost, Direction: "outgoing", Role: link.Role, Endpoint: fmt.Sprintf("%s:%d", link.Host, link.Port),
		}
		for _, c := range v.credentials {
			if c.Name == link.Profile {
				s.Expires = c.Expires
			}
		}
		if o, ok := objects.Find(resource.Ref{Kind: resource.KindLink, Name: link.Name}).(*resource.Link); ok {
			s.Status, s.Message, s.RemoteSite = o.Status.Status, o.Status.Message, o.Status.RemoteSiteName
		}
		if connection := l.connectionOf(l.links[link.Name]); connection != nil {
			s.Since, s.RoundTrip = since(connection, now), trips[connection.text("container")].Microseconds()
		}
		list = append(list, s)
	}
	return list
}

// remoteLinks are those that other sites made to this one, one for each router
// however many connections it has.
func remoteLinks(l *live, net *network, trips map[string]time.Duration, now time.Time) []api.LinkState {
	list := []api.LinkState{}
	for peer, c := range l.callers() {
		list = append(list, api.LinkState{
			Name: peer, RemoteSite: net.siteName(peer), Direction: "incoming", Role: c.text("role"), Endpoint: c.text("host"),
			Status: resource.StatusReady, Message: "OK", Since: since(c, now), RoundTrip: trips[peer].Microseconds(),
		})
	}
	slices.SortFunc(list, func(a, b api.LinkState) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// callers are the routers that connected to this one, each with the first of
// its connections.
func (l *live) callers() map[string]row {
	m := map[string]row{}
	for _, c := range l.connections {
		role, peer := c.text("role"), c.text("container")
		if c.text("dir") == "in" && (role == roleInterRouter || role == roleEdge) && peer != "" && m[peer] == nil {
			m[peer] = c
		}
	}
	return m
}

// since is when a connection was made.
func since(connection row, now time.Time) time.Time {
	return now.Add(-time.Duration(connection.number("uptimeSeconds")) * time.Second).UTC().Truncate(time.Second)
}

// bridgeStates are the counters of listeners and connectors.
func bridgeStates(l *live) (listeners, connectors []api.BridgeState) {
	of := func(kind string, r row, opened int64) api.BridgeState {
		closed := r.number("connectionsClosed")
		return api.BridgeState{
			Kind: kind, Name: bridgeName(r), Active: opened - closed, Total: opened, BytesIn: r.number("bytesIn"), BytesOut: r.number("bytesOut"),
			TLS: r.text("sslProfile") != "", Failed: r.number("connectionsFailed"), LastError: r.text("lastError"),
		}
	}
	listeners, connectors = []api.BridgeState{}, []api.BridgeState{}
	for _, r := range rows(l.accepts) {
		kind := resource.KindListener
		if strings.HasPrefix(r.text("name"), "multiAddress/") {
			kind = resource.KindMultiKeyListener
		}
		listeners = append(listeners, of(string(kind), r, r.opened()))
	}
	for _, r := range rows(l.opens) {
		connectors = append(connectors, of(string(resource.KindConnector), r, r.servers()))
	}
	return listeners, connectors
}

// ownKeys are the routing keys that this site uses itself.
func ownKeys(s *site.Site) map[string]bool {
	m := listenedKeys(s)
	for _, c := range s.Connectors {
		m[c.RoutingKey] = true
	}
	return m
}
