package router

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/linkstate"
	"github.com/skupper-host/skupper/router/tcp"
	"github.com/skupper-host/skupper/router/trunk"
	"github.com/skupper-host/skupper/router/vanflow"
)

// maxDataConnections bounds what "auto" comes to.
const maxDataConnections = 8

// Delays between attempts to bind a listener. The first ones are short: a
// predecessor may be closing the port just now. The last ones are not long: who
// has freed the port does not wait for it.
const (
	bindFirst = 20 * time.Millisecond
	bindWarn  = 500 * time.Millisecond // from here on it is worth a warning, once
	bindLast  = time.Second
)

func roleOf(role string) (trunk.Role, error) {
	switch role {
	case config.RoleNormal, config.RoleRouteContainer, config.RoleInterNetwork: // auto-links, not routes, join networks
		return trunk.Normal, nil
	case config.RoleInterRouter:
		return trunk.InterRouter, nil
	case config.RoleEdge:
		return trunk.Edge, nil
	case config.RoleInterEdge:
		return trunk.InterEdge, nil
	}
	return 0, fmt.Errorf("role %s is not supported", role)
}

// shared is what listeners and connectors have in common.
type shared struct {
	frame, sessionFrames, sessions, idleSeconds, capacity int64

	mechanisms, strip string
	logged            string
	properties        map[string]any
}

// settingsOf translates what listeners and connectors have in common.
func settingsOf(c shared) linkSettings {
	frame, idleSeconds, mechanisms := c.frame, c.idleSeconds, c.mechanisms
	s := linkSettings{window: uint32(max(0, c.sessionFrames)), capacity: routerCredit, properties: c.properties, logged: partsOf(c.logged)}
	if c.capacity > 0 {
		s.capacity = uint32(c.capacity)
	}
	if c.sessions > 0 {
		s.sessions = uint16(min(c.sessions, 1<<15) - 1)
	}
	s.keepsIn = c.strip == config.StripOut || c.strip == config.StripNo
	s.keepsOut = c.strip == config.StripIn || c.strip == config.StripNo
	// 16,384 is what the configuration has if nobody says anything.
	if frame > 0 && frame != 16384 {
		s.frame = uint32(min(frame, 1<<20))
	}
	if idleSeconds > 0 {
		s.idle = uint32(idleSeconds * 1000 / 2)
	}
	for _, m := range strings.Fields(mechanisms) {
		if m := amqp.Symbol(m); m == conn.External || m == conn.Anonymous {
			s.mechanisms = append(s.mechanisms, m)
		}
	}
	return s
}

// amqpListener is a configured listener.
type amqpListener struct {
	r        *Router
	cfg      *config.Listener
	owner    *connections
	listener *trunk.Listener
	task     *task

	mu      sync.Mutex
	problem error    // Guarded by mu: why the port is not open.
	addr    net.Addr // Guarded by mu: nil if it is not.
}

func (r *Router) newAMQPListener(c *config.Listener) (entity, error) {
	role, err := roleOf(c.Role)
	if err != nil {
		return nil, err
	}
	l := &amqpListener{r: r, cfg: c}
	l.owner = &connections{r: r, name: c.Name, role: c.Role, endpoint: c.Host + ":" + c.Port, set: listenerSettings(c)}
	l.owner.cost.Store(c.Cost)
	var tlsConfig *tls.Config
	var id *conn.Identity
	if c.SSLProfile != "" {
		if id, err = r.identity(c.SSLProfile); err != nil {
			l.problem = err
			return l, err
		}
		tlsConfig = id.Server(c.AuthenticatePeer)
	}
	l.owner.set.required = c.AuthenticatePeer
	l.owner.set.handshake = time.Duration(c.InitialHandshakeTimeoutSeconds) * time.Second
	l.owner.access = r.flows.newAccessFlow(c, r.ordinal(c.SSLProfile), id)
	l.owner.set.plain = !c.AuthenticatePeer && !c.RequireSSL && !c.RequireEncryption
	l.listener = trunk.NewListener(trunk.ListenConfig{
		Name: c.Name, Role: role, TLS: tlsConfig, Log: r.log, Ordinal: r.ordinal(c.SSLProfile),
	}, r.groups, l.owner)
	ln, err := l.bind(context.Background())
	l.note(ln, err)
	l.task = r.run(func(ctx context.Context) {
		l.serve(ctx, ln)
		if l.owner.access != nil {
			l.owner.access.end()
		}
	})
	return l, nil
}

func listenerSettings(c *config.Listener) linkSettings {
	s := settingsOf(shared{
		frame: c.MaxFrameSize, sessionFrames: c.MaxSessionFrames, sessions: c.MaxSessions, idleSeconds: c.IdleTimeoutSeconds, capacity: c.LinkCapacity,
		mechanisms: c.SASLMechanisms, strip: c.StripAnnotations, properties: c.OpenProperties, logged: c.MessageLoggingComponents,
	})
	s.failover = failoverList(c.FailoverURLs)
	return s
}

func (l *amqpListener) bind(ctx context.Context) (net.Listener, error) {
	return tcp.Bind(ctx, tcp.Endpoint{Host: l.cfg.Host, Port: l.cfg.Port}, 0)
}

func (l *amqpListener) note(ln net.Listener, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problem, l.addr = err, nil
	if ln != nil {
		l.addr = ln.Addr()
	}
}

// status returns where the listener listens, nil if it does not, and why not.
func (l *amqpListener) status() (net.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr, l.problem
}

// serve accepts connections from ln, or binds until it can.
func (l *amqpListener) serve(ctx context.Context, ln net.Listener) {
	wait := bindFirst
	warned := "" // the problem that was worth a warning
	for ctx.Err() == nil {
		if ln == nil {
			level, text := slog.LevelDebug, l.problemText()
			if wait >= bindWarn && text != warned {
				level, warned = slog.LevelWarn, text
			}
			l.r.log.Log(ctx, level, "listener cannot listen", "module", "CONN_MGR", "listener", l.cfg.Name, "err", text, "wait", wait)
			if !pause(ctx, wait) {
				return
			}
			wait = min(2*wait, bindLast)
			var err error
			ln, err = l.bind(ctx)
			l.note(ln, err)
			continue
		}
		wait, warned = bindFirst, ""
		err := l.listener.Run(ctx, ln)
		ln = nil
		l.note(nil, err)
	}
}

func (l *amqpListener) problemText() string {
	if _, err := l.status(); err != nil {
		return err.Error()
	}
	return ""
}

// pause waits and reports whether ctx is still going on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// dismiss ends the listener for good: no other takes its place.
func (l *amqpListener) dismiss() {
	if l.task != nil {
		l.task.cancel(conn.ErrDismissed)
	}
}

func (l *amqpListener) remove(bool) {
	if l.task != nil {
		l.r.stop(l.task, 0)
	}
}

func (l *amqpListener) profile() string { return l.cfg.SSLProfile }

func (l *amqpListener) setOrdinal(newest, oldest uint64) {
	if l.listener != nil {
		l.listener.SetOrdinal(newest, oldest)
	}
	if l.owner.access != nil {
		l.owner.access.SetTLSOrdinal(newest)
	}
}

// takes implements modifiable.
func (l *amqpListener) takes(attributes []string) bool { return only(attributes, "cost") }

// modify implements modifiable: the cost changes without a new connection.
func (l *amqpListener) modify(c config.Change) {
	l.cfg = c.New.(*config.Listener)
	l.r.setCost(l.owner, l.cfg.Cost)
}

// only reports whether names holds nothing but allowed.
func only(names []string, allowed ...string) bool {
	for _, n := range names {
		ok := false
		for _, a := range allowed {
			ok = ok || n == a
		}
		if !ok {
			return false
		}
	}
	return true
}

// setCost changes the cost of the connections of a listener or connector.
func (r *Router) setCost(o *connections, cost int64) {
	o.cost.Store(cost)
	for _, p := range r.peers {
		if p.owner == o && p.linkUp {
			p.cost = int(max(1, cost))
			r.step(linkstate.LinkUp{Link: p.linkID(), Cost: p.cost, Prompt: p.prompt})
		}
	}
}

// ordinal is the generation of a profile's credentials.
func (r *Router) ordinal(profile string) uint64 {
	for i := range r.cfg.SSLProfiles {
		if s := &r.cfg.SSLProfiles[i]; s.Name == profile {
			return uint64(s.Ordinal)
		}
	}
	return 0
}

// amqpConnector is a configured connector.
type amqpConnector struct {
	r      *Router
	cfg    *config.Connector
	owner  *connections
	dial   trunk.DialConfig
	dialer *trunk.Dialer
	task   *task
}

// newAMQPConnector makes a connector, in the place of another one or of nil.
func (r *Router) newAMQPConnector(c *config.Connector, old *amqpConnector) (entity, error) {
	role, err := roleOf(c.Role)
	if err != nil {
		return nil, err
	}
	k := &amqpConnector{r: r, cfg: c}
	k.owner = &connections{r: r, name: c.Name, role: c.Role, endpoint: c.Host + ":" + c.Port, set: settingsOf(shared{
		frame: c.MaxFrameSize, sessionFrames: c.MaxSessionFrames, sessions: c.MaxSessions, idleSeconds: c.IdleTimeoutSeconds, capacity: c.LinkCapacity,
		mechanisms: c.SASLMechanisms, strip: c.StripAnnotations, properties: c.OpenProperties, logged: c.MessageLoggingComponents,
	})}
	k.owner.cost.Store(c.Cost)
	dial := trunk.DialConfig{
		Name: c.Name, Role: role, Endpoints: []trunk.Endpoint{{Host: c.Host, Port: c.Port}},
		Ordinal: r.ordinal(c.SSLProfile),
	}
	var id *conn.Identity
	if c.SSLProfile != "" {
		if id, err = r.identity(c.SSLProfile); err != nil {
			return nil, err
		}
		dial.TLS = func(host string) *tls.Config { return id.Client(host, c.VerifyHostname) }
	}
	if dial.Proxy, err = r.proxy(c.ProxyProfile); err != nil {
		return nil, err
	}
	if role == trunk.InterRouter {
		dial.Correlator, dial.Data = discriminator(), r.dataConnections()
	}
	if old != nil {
		k.owner.before = old.owner
		dial.Correlator, dial.Succession = old.dial.Correlator, old.dial.Succession+1
	}
	k.dial = dial
	k.owner.link = r.flows.newLinkFlow(c, dial.Ordinal, id)
	k.dialer = trunk.NewDialer(dial, r.groups, k.owner)
	k.task = r.run(func(ctx context.Context) {
		_ = k.dialer.Run(ctx) // it ends with ctx only
		if k.owner.link != nil {
			k.owner.link.end()
		}
	})
	return k, nil
}

func (k *amqpConnector) remove(bool) { k.r.stop(k.task, 0) }

// succeededBy reports whether the connector has a link that is to last until the
// one in its place has one, too. For a while there are two of them, which only
// links between routers can be.
func (k *amqpConnector) succeededBy(e config.Entity) bool {
	next, ok := e.(*config.Connector)
	if !ok || next.Role != k.cfg.Role || next.Role != config.RoleInterRouter && next.Role != config.RoleEdge {
		return false
	}
	for _, p := range k.r.peers {
		if p.owner == k.owner && (p.linkUp || k.r.uplink != nil && k.r.uplink.active() == p) {
			return true
		}
	}
	return false
}

// succeed makes a connector in the place of one that has a link. That one serves
// until the new one has its own, and then the streams that it has, for as long as
// removed services do.
func (r *Router) succeed(old *amqpConnector, next *config.Connector) error {
	made, err := r.newAMQPConnector(next, old)
	if err != nil {
		r.failed[keyOf(next)] = true // the old one goes on until the new one can be made
		return err
	}
	delete(r.failed, keyOf(next))
	r.entities[keyOf(next)] = made
	old.dialer.Retire()
	r.stop(old.task, r.grace(true))
	return nil
}

func (k *amqpConnector) profile() string { return k.cfg.SSLProfile }

func (k *amqpConnector) setOrdinal(newest, oldest uint64) { k.dialer.SetOrdinal(newest, oldest) }

// takes implements modifiable.
func (k *amqpConnector) takes(attributes []string) bool { return only(attributes, "cost") }

// modify implements modifiable.
func (k *amqpConnector) modify(c config.Change) {
	k.cfg = c.New.(*config.Connector)
	k.r.setCost(k.owner, k.cfg.Cost)
	if k.owner.link != nil {
		k.owner.link.record.Set(vanflow.Number(vanflow.AttrLinkCost, uint64(max(1, k.cfg.Cost))))
	}
}

// dataConnections is the number that the attribute dataConnectionCount means.
func (r *Router) dataConnections() int {
	if n, err := strconv.Atoi(r.cfg.Router.DataConnectionCount); err == nil && n >= 0 {
		return n
	}
	return min((r.threads()+1)/2, maxDataConnections) // compat: skupper-router 3.x
}

// logDataConnections says how many there will be. compat: tools look for it.
func (r *Router) logDataConnections() {
	how := "calculated at"
	if _, err := strconv.Atoi(r.cfg.Router.DataConnectionCount); err == nil {
		how = "set to"
	}
	r.log.Info(fmt.Sprintf("Inter-router data connections %s %d", how, r.dataConnections()), "module", "ROUTER")
}

var errNoProxy = errors.New("no such proxyProfile")

func (r *Router) proxy(name string) (*trunk.Proxy, error) {
	if name == "" {
		return nil, nil
	}
	for i := range r.cfg.ProxyProfiles {
		p := &r.cfg.ProxyProfiles[i]
		if p.Name != name {
			continue
		}
		password, err := r.secret(p.Password)
		if err != nil {
			return nil, fmt.Errorf("proxyProfile %s: %w", name, err)
		}
		return &trunk.Proxy{Address: net.JoinHostPort(p.Host, p.Port), User: p.Username, Password: password}, nil
	}
	return nil, fmt.Errorf("proxyProfile %s: %w", name, errNoProxy)
}
