package router

import (
	"cmp"
	"context"
	"crypto/tls"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/conn"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/session"
	"github.com/skupper-host/skupper/router/stream"
	"github.com/skupper-host/skupper/router/tcp"
	"github.com/skupper-host/skupper/router/vanflow"
)

// serviceKey is the key of a service's address; a tenant has addresses of its
// own (compat: skupper-router 3.x).
func (r *Router) serviceKey(address string) (string, forward.Key) {
	if t := r.cfg.Network.TenantID; t != "" {
		address = t + "/" + address
	}
	return address, r.snap.Load().Names().Key(address)
}

// service is a configured tcpListener.
type service struct {
	r        *Router
	cfg      *config.TCPListener
	listener *tcp.Listener
	task     *task
	targets  map[forward.Key]string
	records  atomic.Pointer[map[string]*vanflow.Listener] // by address; each map is read only
}

func (r *Router) newService(c *config.TCPListener) (entity, error) {
	s := &service{r: r, cfg: c, targets: map[forward.Key]string{}}
	s.records.Store(&map[string]*vanflow.Listener{})
	tlsConfig, err := r.serverTLS(c.SSLProfile, c.AuthenticatePeer)
	if err != nil {
		return nil, forService(err)
	}
	cfg := tcp.ListenerConfig{
		Name: c.Name, Endpoint: tcp.Endpoint{Host: c.Host, Port: c.Port}, Backlog: int(c.Backlog),
		TLS: tlsConfig, Observer: c.Observer, Accepted: s.accepted, Log: r.log, Serial: &r.lastConn, TLSWords: conn.OpenSSLWords,
		Lot: r.lot, Crew: r.crew, Stream: stream.Options{Opener: opener{r}, Budget: r.budget},
	}
	switch c.MultiAddressStrategy {
	case config.StrategyPriority:
		cfg.Strategy = tcp.Priority
	case config.StrategyWeighted:
		cfg.Strategy = tcp.Weighted
	default:
		cfg.Strategy = tcp.Single
	}
	s.listener = tcp.NewListener(cfg)
	s.setTargets()
	s.task = r.run(func(ctx context.Context) {
		_ = s.listener.Run(ctx) // always nil
		for _, record := range *s.records.Load() {
			record.End(time.Now())
		}
	})
	return s, nil
}

// setTargets tells the listener where its clients go and watches these
// addresses.
func (s *service) setTargets() {
	r := s.r
	var list []tcp.Target
	if s.cfg.Address != "" {
		list = append(list, tcp.Target{Address: s.cfg.Address})
	}
	for i := range r.cfg.ListenerAddresses {
		if a := &r.cfg.ListenerAddresses[i]; a.Listener == s.cfg.Name {
			list = append(list, tcp.Target{Address: a.Address, Value: int(a.Value)})
		}
	}
	next := map[forward.Key]string{}
	for i := range list {
		address, key := r.serviceKey(list[i].Address)
		list[i].Address, next[key] = address, address
	}
	s.setRecords(list)
	s.listener.SetTargets(list)
	was := s.targets
	s.targets = next
	for key := range was {
		if _, stays := next[key]; !stays {
			r.unwatch(key, s)
			r.table.RemoveWatcher(key)
		}
	}
	for key := range next {
		if _, had := was[key]; had {
			continue
		}
		r.table.AddWatcher(key, forward.Unsaid)
		r.watch(key, s)
	}
}

// setRecords makes a flow record of each address, and ends those that are gone.
func (s *service) setRecords(targets []tcp.Target) {
	was, now := *s.records.Load(), time.Now()
	next := make(map[string]*vanflow.Listener, len(targets))
	for _, t := range targets {
		if next[t.Address] = was[t.Address]; next[t.Address] == nil {
			next[t.Address] = s.r.flows.source.Listener(now, s.cfg.Name, s.cfg.Host, s.cfg.Port, t.Address)
		}
	}
	s.records.Store(&next)
	for address, record := range was {
		if next[address] == nil {
			record.End(now)
		}
	}
}

// reachable implements watcher.
func (s *service) reachable(key forward.Key, a *forward.Address) {
	if address, ok := s.targets[key]; ok {
		s.listener.SetReachable(address, a.Counts().Reachable())
	}
}

// streams is an entity with streams of its own.
type streams interface {
	// withdraw takes no new ones and returns the task that ends with the last.
	withdraw() *task
}

func (s *service) withdraw() *task {
	for key := range s.targets {
		s.r.unwatch(key, s)
		s.r.table.RemoveWatcher(key)
	}
	s.targets = nil
	s.listener.Drain()
	return s.task
}

func (s *service) remove(drain bool) { s.r.stop(s.withdraw(), s.r.grace(drain)) }

// grace is how long the streams of an entity may go on that is removed.
func (r *Router) grace(drain bool) time.Duration {
	if drain {
		return time.Duration(r.cfg.Router.DrainSeconds) * time.Second
	}
	return 0
}

// takes implements modifiable.
func (s *service) takes(attributes []string) bool {
	return only(attributes, "host", "port", "observer", "siteId")
}

// modify implements modifiable: another port or host is bound before the old
// one is closed, and open streams go on.
func (s *service) modify(c config.Change) {
	s.cfg = c.New.(*config.TCPListener)
	s.listener.SetObserver(s.cfg.Observer)
	if !only(c.Attributes, "observer", "siteId") {
		s.listener.Rebind(tcp.Endpoint{Host: s.cfg.Host, Port: s.cfg.Port})
		for _, record := range *s.records.Load() {
			record.Set(vanflow.Text(vanflow.AttrDestHost, s.cfg.Host), vanflow.Text(vanflow.AttrDestPort, s.cfg.Port))
		}
	}
}

// connectorService is a configured tcpConnector.
type connectorService struct {
	r         *Router
	id        uint64 // of its connection to the router, as management counts them
	since     time.Time
	cfg       *config.TCPConnector
	connector *tcp.Connector
	record    *vanflow.Connector
	consumer  *forward.Consumer
	task      *task
}

func (r *Router) newConnectorService(c *config.TCPConnector) (entity, error) {
	s := &connectorService{r: r, id: r.lastConn.Add(1), since: time.Now(), cfg: c}
	var tlsConfig *tls.Config
	if c.SSLProfile != "" {
		id, err := r.identity(c.SSLProfile)
		if err != nil {
			return nil, forService(err)
		}
		tlsConfig = id.Client(c.Host, c.VerifyHostname)
	}
	address, key := r.serviceKey(c.Address)
	host := cmp.Or(c.Host, "127.0.0.1")
	process := r.flows.process(c, host)
	s.record = r.flows.source.Connector(time.Now(), c.Name, host, c.Port, address, process)
	s.connector = tcp.NewConnector(tcp.ConnectorConfig{
		Name: c.Name, Address: address, Host: host, Port: c.Port, TLS: tlsConfig, Log: r.log, Explain: conn.InWords, Serial: &r.lastConn, TLSWords: conn.OpenSSLWords,
		Arrived: s.arrived,
		Lot:     r.lot, Crew: r.crew, Stream: stream.Options{Opener: opener{r}, Budget: r.budget},
	})
	s.task = r.run(func(ctx context.Context) {
		_ = s.connector.Run(ctx) // always nil
		s.record.End(time.Now())
		r.flows.processGone(process)
	})
	// A connection of a service counts twice here and once on its way to
	// another router, so that routers farther away get their part too (compat:
	// skupper-router 3.x).
	const weight = 2
	s.consumer = &forward.Consumer{Kind: forward.Local, Target: s, Weight: weight}
	r.table.Add(key, s.consumer, forward.Unsaid)
	return s, nil
}

// accept takes a request stream. The load of the choice is given back when the
// delivery is over.
func (s *connectorService) accept(rcv stream.Receiving, h *stream.Head, c forward.Choice) session.Sink {
	l := &loaded{Receiving: rcv, choice: c}
	l.sink = s.connector.Accept(l, h)
	return l
}

// loaded is a request stream that counts as load of a connector. It stands on
// both sides of the connector: as what it receives, and as its sink.
type loaded struct {
	stream.Receiving
	sink   session.Sink
	choice forward.Choice
	over   atomic.Bool
}

func (l *loaded) finish() {
	if l.over.CompareAndSwap(false, true) {
		l.choice.Done()
	}
}

// Update implements stream.Receiving.
func (l *loaded) Update(st amqp.State, settled bool) {
	l.Receiving.Update(st, settled)
	if settled {
		l.finish()
	}
}

// Transfer implements session.Sink.
func (l *loaded) Transfer(payload []byte, more bool) { l.sink.Transfer(payload, more) }

// Settled implements session.Sink.
func (l *loaded) Settled(st amqp.State) {
	l.finish()
	l.sink.Settled(st)
}

// Abort implements session.Sink.
func (l *loaded) Abort() {
	l.finish()
	l.sink.Abort()
}

// Lost implements session.Sink.
func (l *loaded) Lost(err error) {
	l.finish()
	l.sink.Lost(err)
}

func (s *connectorService) withdraw() *task {
	s.r.table.Remove(s.consumer)
	s.connector.Drain()
	return s.task
}

func (s *connectorService) remove(drain bool) { s.r.stop(s.withdraw(), s.r.grace(drain)) }
