package router

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/tcp"
	"github.com/skupper-host/skupper/router/trunk"
	"github.com/skupper-host/skupper/router/web"
)

// Limits of HTTP connections. Requests are small; so are answers, but for files
// on slow lines.
const (
	webConnections   = 128 // of one listener, WebSockets not counted
	webHeader        = 16 << 10
	webReadTimeout   = 10 * time.Second
	webAnswerTimeout = 5 * time.Minute
	webIdleTimeout   = 30 * time.Second
	// webFarewell is how long answers may take that are being given when the
	// listener ends.
	webFarewell = time.Second
)

// webListener is a configured listener that speaks HTTP.
type webListener struct {
	r      *Router
	socket net.Listener
	task   *task
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
	l := &webListener{r: r, socket: ln}
	settings := web.Config{Root: c.HTTPRootDir}
	if c.Metrics {
		settings.Metrics, settings.Entities = r.samples, r.entitySamples
	}
	if c.Healthz {
		settings.Alive, settings.Unready = r.alive, r.unready
	}
	var amqp *trunk.Listener
	if c.Websockets {
		settings.AMQP = web.NewTunnel(ln.Addr())
		owner := &connections{r: r, name: c.Name, endpoint: c.Host + ":" + c.Port, set: listenerSettings(c)}
		amqp = trunk.NewListener(trunk.ListenConfig{Name: c.Name, Role: trunk.Normal, Log: r.log}, r.groups, owner)
	}
	limit := web.NewLimit(ln, webConnections)
	ln = limit
	server := &http.Server{
		Handler: web.Handler(settings), MaxHeaderBytes: webHeader, ConnState: limit.Note,
		ReadTimeout: webReadTimeout, WriteTimeout: webAnswerTimeout, IdleTimeout: webIdleTimeout,
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
	r.log.Info("Listening for HTTP on "+l.socket.Addr().String(), "module", "HTTP", "listener", c.Name)
	return l, nil
}

// serve serves until ctx is done.
func (l *webListener) serve(ctx context.Context, server *http.Server, ln net.Listener, amqp *trunk.Listener, tunnel *web.Tunnel) {
	var wg sync.WaitGroup
	defer wg.Wait()
	ended := make(chan struct{})
	if amqp != nil {
		wg.Go(func() { _ = amqp.Run(ctx, tunnel) }) // the tunnel does not fail
	}
	stop := context.AfterFunc(ctx, func() {
		farewell, cancel := context.WithTimeout(context.Background(), webFarewell)
		defer cancel()
		if server.Shutdown(farewell) != nil {
			_ = server.Close() // what is lost with it is lost
		}
		close(ended)
	})
	defer func() {
		if stop() {
			close(ended)
		}
		<-ended
	}()
	if err := server.Serve(ln); ctx.Err() == nil {
		l.r.log.Error("HTTP listener ended", "module", "HTTP", "addr", l.socket.Addr().String(), "err", err)
	}
}

// remove frees the port before it returns: what replaces the listener may want
// it.
func (l *webListener) remove(bool) {
	l.r.stop(l.task, 0)
	_ = l.socket.Close() // closed twice at worst
}

func (l *webListener) row() manage.ListenerStatus { return manage.ListenerStatus{OperStatus: "up"} }

// samples are the figures for Prometheus. compat: the names are upstream's.
func (r *Router) samples() []web.Sample {
	m := store{r}.Metrics()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
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
	gauge("links_blocked_total", "Links without credit for more than ten seconds.", float64(m.LinksBlocked))
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
	gauge("alloc_pool_bytes", "Memory that is set aside for objects, in bytes.", float64(memory.HeapSys))
	gauge("router_vmsize_bytes", "Address space of the process, in bytes.", float64(m.MemoryUsage))
	gauge("router_rss_bytes", "Resident memory of the process, in bytes.", float64(m.ResidentMemoryUsage))
	gauge("last_topology_change_timestamp", "When the network of routers has changed last, in seconds since 1970.", r.lastTopologyChange())
	for _, protocol := range []string{"tcp", "amqp", "http1", "http2"} {
		gauge(protocol+"_service_connections", "Connections of "+protocol+" services that are open, with one of each connector to the router.", float64(m.ConnectionCounters[protocol]))
	}
	list = append(list,
		web.Sample{Name: "skupper_router_uptime_seconds", Help: "Since the router has started, in seconds.", Value: float64(m.UptimeSeconds)},
		web.Sample{Name: "skupper_router_goroutines", Help: "Goroutines that exist.", Value: float64(runtime.NumGoroutine())},
		web.Sample{Name: "skupper_router_flow_records", Help: "Connections that have a flow record.", Value: float64(r.flows.source.Flows())},
	)
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
