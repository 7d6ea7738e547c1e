package router

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/tcp"
	"github.com/skupper-host/skupper/router/trunk"
	"github.com/skupper-host/skupper/router/web"
)

// Limits of HTTP connections: headers and requests must come within these.
const (
	webHeaderTimeout = 10 * time.Second
	webIdleTimeout   = 2 * time.Minute
)

// webListener is a configured listener that speaks HTTP.
type webListener struct {
	r    *Router
	addr net.Addr
	task *task
}

// forWeb reports whether a listener speaks HTTP.
func forWeb(c *config.Listener) bool { return c.HTTP || c.HTTPRootDir != "" }

// newWebListener binds the port, or fails. compat: skupper-router does not start
// without its HTTP ports, while it waits for those of AMQP.
func (r *Router) newWebListener(c *config.Listener) (entity, error) {
	tlsConfig, err := r.serverTLS(c.SSLProfile, c.AuthenticatePeer)
	if err != nil {
		return nil, err
	}
	ln, err := tcp.Bind(context.Background(), tcp.Endpoint{Host: c.Host, Port: c.Port}, 0)
	if err != nil {
		return nil, err
	}
	l := &webListener{r: r, addr: ln.Addr()}
	settings := web.Config{Root: c.HTTPRootDir}
	if c.Metrics {
		settings.Metrics = r.samples
	}
	if c.Healthz {
		settings.Alive = r.alive
	}
	var amqp *trunk.Listener
	if c.Websockets {
		settings.AMQP = web.NewTunnel(ln.Addr())
		owner := &connections{r: r, name: c.Name, endpoint: c.Host + ":" + c.Port, set: listenerSettings(c)}
		amqp = trunk.NewListener(trunk.ListenConfig{Name: c.Name, Role: trunk.Normal, Log: r.log}, r.groups, owner)
	}
	server := &http.Server{
		Handler: web.Handler(settings), ReadHeaderTimeout: webHeaderTimeout, IdleTimeout: webIdleTimeout,
		ErrorLog: slog.NewLogLogger(r.log.With("module", "HTTP", "listener", c.Name).Handler(), slog.LevelDebug),
	}
	switch {
	case tlsConfig == nil:
	case c.RequireSSL || c.AuthenticatePeer:
		ln = tls.NewListener(ln, tlsConfig)
	default:
		ln = web.Either(ln, tlsConfig)
	}
	l.task = r.run(func(ctx context.Context) { l.serve(ctx, server, ln, amqp, settings.AMQP) })
	r.log.Info("Listening for HTTP on "+l.addr.String(), "module", "HTTP", "listener", c.Name)
	return l, nil
}

// serve serves until ctx is done.
func (l *webListener) serve(ctx context.Context, server *http.Server, ln net.Listener, amqp *trunk.Listener, tunnel *web.Tunnel) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if amqp != nil {
		wg.Go(func() { _ = amqp.Run(ctx, tunnel) }) // the tunnel does not fail
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // what is lost with it is lost
	defer stop()
	if err := server.Serve(ln); ctx.Err() == nil {
		l.r.log.Error("HTTP listener ended", "module", "HTTP", "addr", l.addr.String(), "err", err)
	}
}

func (l *webListener) remove(bool) { l.r.stop(l.task, 0) }

func (l *webListener) row() manage.ListenerStatus { return manage.ListenerStatus{OperStatus: "up"} }

// samples are the figures for Prometheus. compat: the names are upstream's.
func (r *Router) samples() []web.Sample {
	m := store{r}.Metrics()
	var list []web.Sample
	total := func(name, help string, n uint64) {
		list = append(list, web.Sample{Name: "qdr_" + name + "_total", Help: help, Total: true, Value: float64(n)})
	}
	gauge := func(name, help string, n float64) {
		list = append(list, web.Sample{Name: "qdr_" + name, Help: help, Value: n})
	}
	gauge("connections_total", "Connections that are open.", float64(m.ConnectionCount))
	gauge("links_total", "AMQP links that are attached.", float64(m.LinkCount))
	gauge("addresses_total", "Addresses that are known.", float64(m.AddrCount))
	gauge("routers_total", "Other interior routers that are reachable.", float64(m.NodeCount))
	gauge("links_blocked_total", "Links without credit that have something to send.", float64(m.LinksBlocked))
	total("presettled_deliveries", "Deliveries that came settled.", m.PresettledDeliveries)
	total("dropped_presettled_deliveries", "Settled deliveries that were dropped.", m.DroppedPresettledDeliveries)
	total("accepted_deliveries", "Deliveries that were accepted.", m.AcceptedDeliveries)
	total("released_deliveries", "Deliveries that were released.", m.ReleasedDeliveries)
	total("rejected_deliveries", "Deliveries that were rejected.", m.RejectedDeliveries)
	total("modified_deliveries", "Deliveries that were modified.", m.ModifiedDeliveries)
	total("deliveries_ingress", "Deliveries that came from clients.", m.DeliveriesIngress)
	total("deliveries_egress", "Deliveries that went to clients.", m.DeliveriesEgress)
	total("deliveries_transit", "Deliveries from other routers to other routers.", m.DeliveriesTransit)
	total("deliveries_delayed_1sec", "Deliveries that took more than a second.", m.DeliveriesDelayed1Sec)
	total("deliveries_delayed_10sec", "Deliveries that took more than ten seconds.", m.DeliveriesDelayed10Sec)
	gauge("deliveries_stuck_total", "Deliveries that wait for more than ten seconds.", float64(m.DeliveriesStuck))
	gauge("last_topology_change_timestamp", "When the network of routers has changed last, in seconds since 1970.", r.lastTopologyChange())
	for _, protocol := range []string{"tcp", "amqp", "http1", "http2"} {
		gauge(protocol+"_service_connections", "Connections of "+protocol+" services that are open.", float64(m.ConnectionCounters[protocol]))
	}
	for _, a := range (store{r}).Allocators() {
		list = append(list,
			web.Sample{Name: a.TypeName + ":in_use", Help: "Objects of this size that are in use.", Value: float64(a.HeldByThreads)},
			web.Sample{Name: a.TypeName + ":allocated", Help: "Objects of this size that were allocated.", Total: true, Value: float64(a.TotalAllocFromHeap)},
		)
	}
	return list
}

// lastTopologyChange is when routes have changed last, in seconds since 1970; 0
// if they never have.
func (r *Router) lastTopologyChange() (seconds float64) {
	store{r}.on(func() {
		if r.engine != nil && !r.engine.LastChange().IsZero() {
			seconds = float64(r.engine.LastChange().Unix())
		}
	})
	return seconds
}
