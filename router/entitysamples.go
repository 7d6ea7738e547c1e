package router

import (
	"slices"

	"github.com/skupper-host/skupper/router/tcp"
	"github.com/skupper-host/skupper/router/web"
)

// unready says why the router is not to be used now.
func (r *Router) unready() (reasons []string) {
	store{r}.on(func() {
		switch {
		case r.leaving:
			reasons = append(reasons, "the router is about to stop")
		case !r.working:
			reasons = append(reasons, "the router has just started")
		}
		for k := range r.failed {
			reasons = append(reasons, k.typ.Name+" "+k.name+": not in effect, see the log")
		}
		for k, e := range r.entities {
			if l, ok := e.(*amqpListener); ok && !r.failed[k] {
				if addr, err := l.status(); addr == nil && err != nil {
					reasons = append(reasons, "listener "+k.name+": "+err.Error())
				}
			}
		}
	})
	slices.Sort(reasons)
	return reasons
}

// figures collects samples of entities.
type figures []web.Sample

func (f *figures) gauge(name, help string, n float64, labels ...web.Label) {
	*f = append(*f, web.Sample{Name: "skupper_router_" + name, Help: help, Value: n, Labels: labels})
}

func (f *figures) total(name, help string, n uint64, labels ...web.Label) {
	*f = append(*f, web.Sample{Name: "skupper_router_" + name + "_total", Help: help, Total: true, Value: float64(n), Labels: labels})
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// entitySamples are the figures of single links, listeners and connectors.
func (r *Router) entitySamples() []web.Sample {
	var f figures
	store{r}.on(func() {
		f.gauge("info", "The router; always 1.", 1, web.Label{Name: "id", Value: r.id}, web.Label{Name: "mode", Value: r.mode}, web.Label{Name: "version", Value: r.version})
		for _, e := range r.entities {
			switch x := e.(type) {
			case *amqpConnector:
				x.sample(&f)
			case *amqpListener:
				x.sample(&f)
			case *service:
				x.sample(&f)
			case *connectorService:
				x.sample(&f)
			}
		}
		for name, p := range r.profiles {
			if p.identity == nil || p.identity.Certificate() == nil {
				continue
			}
			f.gauge("certificate_expiry_timestamp_seconds", "When the certificate of an sslProfile ends, in seconds since 1970.",
				float64(p.identity.Certificate().NotAfter.Unix()), web.Label{Name: "profile", Value: name})
		}
	})
	return f
}

func (k *amqpConnector) sample(f *figures) {
	labels := []web.Label{{Name: "link", Value: k.cfg.Name}, {Name: "role", Value: k.cfg.Role}, {Name: "endpoint", Value: k.owner.endpoint}}
	f.gauge("link_up", "1 while the connection of a connector is open.", truth(k.dialer.Status().Up), labels...)
	if k.owner.link == nil {
		return
	}
	k.owner.link.measure()
	sent, received := k.owner.link.record.Octets()
	f.total("link_sent_bytes", "Bytes that a link to another router has sent.", sent, labels...)
	f.total("link_received_bytes", "Bytes that a link to another router has received.", received, labels...)
}

func (l *amqpListener) sample(f *figures) {
	labels := []web.Label{{Name: "listener", Value: l.cfg.Name}, {Name: "role", Value: l.cfg.Role}}
	addr, _ := l.status()
	f.gauge("access_up", "1 while an AMQP listener listens.", truth(addr != nil), labels...)
	if l.listener != nil {
		f.gauge("access_connections", "Connections of an AMQP listener that are open.", float64(l.listener.Connections()), labels...)
	}
}

func (s *service) sample(f *figures) {
	st := s.listener.Status()
	labels := []web.Label{{Name: "listener", Value: s.cfg.Name}, {Name: "address", Value: s.cfg.Address}}
	f.gauge("listener_up", "1 while a TCP listener listens: while its address has a server.", truth(st.Up), labels...)
	f.counters("listener", "clients", st.Counters, labels)
}

func (s *connectorService) sample(f *figures) {
	st := s.connector.Status()
	labels := []web.Label{{Name: "connector", Value: s.cfg.Name}, {Name: "address", Value: s.cfg.Address}}
	f.gauge("connector_failing", "1 while the last connection to the server could not be made.", truth(st.Failing), labels...)
	f.total("connector_connections_failed", "Connections to servers that could not be made.", st.Failed, labels...)
	f.counters("connector", "servers", st.Counters, labels)
}

// counters adds what TCP listeners and connectors have in common.
func (f *figures) counters(kind, peers string, n tcp.Counters, labels []web.Label) {
	f.total(kind+"_connections_opened", "Connections of "+peers+" that were opened.", n.Opened, labels...)
	f.total(kind+"_connections_closed", "Connections of "+peers+" that were closed.", n.Closed, labels...)
	f.total(kind+"_received_bytes", "Bytes that "+peers+" have sent.", n.Read, labels...)
	f.total(kind+"_sent_bytes", "Bytes that were sent to "+peers+".", n.Written, labels...)
}
