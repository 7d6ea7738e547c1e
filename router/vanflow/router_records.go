package vanflow

import "time"

// Listener is the LISTENER record of a TCP listener; a listener with several
// addresses has one for each.
type Listener struct {
	*Entry
	router *Router
}

// Connector is the CONNECTOR record of a TCP connector.
type Connector struct {
	*Entry
	router *Router
}

// Link is the LINK record of a connector to another router.
type Link struct{ *Entry }

// Access is the ROUTER_ACCESS record of a listener for other routers. Its
// identity goes into the Open of every connection that the listener accepts,
// as the property qd.access-id: that is how collectors join it to a LINK.
type Access struct{ *Entry }

// Listener makes the record of a TCP listener: its name, where it is bound and
// the routing key.
func (r *Router) Listener(now time.Time, name, host, port, address string) *Listener {
	e := r.entry(TypeListener, now, []Attribute{
		Text(AttrName, name), Text(AttrProtocol, "tcp"), Text(AttrDestHost, host), Text(AttrDestPort, port), Text(AttrVanAddress, address),
	})
	e.counts[countFlows].code = AttrFlowCountL4
	r.add(e)
	return &Listener{e, r}
}

// Connector makes the record of a TCP connector: its name, the target, the
// routing key and the identity of the PROCESS record, if there is one.
func (r *Router) Connector(now time.Time, name, host, port, address, process string) *Connector {
	e := r.entry(TypeConnector, now, []Attribute{
		Text(AttrName, name), Text(AttrProtocol, "tcp"), Text(AttrDestHost, host), Text(AttrDestPort, port), Text(AttrVanAddress, address),
		Text(AttrProcess, process),
	})
	e.counts[countFlows].code = AttrFlowCountL4
	r.add(e)
	return &Connector{e, r}
}

// LinkConfig describes a connector to another router.
type LinkConfig struct {
	Name string
	Role string // inter-router, edge, inter-edge
	Cost uint64
	Host string
	Port string
	TLS  bool
	// TLSOrdinal is the generation of the certificates, with TLS.
	TLSOrdinal uint64
	Proxy      bool // through an HTTP CONNECT proxy
}

// Link makes the record of a connector to another router. It starts as down.
func (r *Router) Link(now time.Time, c LinkConfig) *Link {
	attributes := []Attribute{
		Text(AttrName, c.Name), Text(AttrRole, c.Role), Number(AttrLinkCost, c.Cost), Text(AttrDestHost, c.Host), Text(AttrDestPort, c.Port),
		Text(AttrOperStatus, "down"), Number(AttrDownCount, 0), Text(AttrProtocol, "amqp"), Text(AttrHTTPProxy, "no"),
	}
	if c.Proxy {
		attributes = append(attributes, Text(AttrHTTPProxy, "yes"))
	}
	if c.TLS {
		attributes = append(attributes, Text(AttrProtocol, "amqps"), Number(AttrActiveTLSOrdinal, c.TLSOrdinal))
	}
	e := r.entry(TypeLink, now, attributes)
	e.counts[countOctets].code = AttrOctets
	e.counts[countReverse].code = AttrOctetsReverse
	r.add(e)
	return &Link{e}
}

// Up notes that the first control connection is open. Peer is the property
// qd.access-id of the other side, empty if it sent none.
func (l *Link) Up(now time.Time, peer string) {
	set := []Attribute{Text(AttrOperStatus, "up"), Number(AttrUpTimeStamp, micros(now))}
	if peer != "" {
		set = append(set, Text(AttrPeer, peer))
	}
	l.Set(set...)
}

// Down notes that the last control connection is lost or that an attempt
// failed, with the condition and text for people. Repeated attempts count once.
func (l *Link) Down(now time.Time, condition, reason string) {
	l.source.mu.Lock()
	defer l.source.mu.Unlock()
	if l.record.Ended() {
		return
	}
	if l.record.Text(AttrOperStatus) == "up" || l.record.Number(AttrDownCount) == 0 {
		l.set(Text(AttrOperStatus, "down"))
		l.set(Number(AttrDownTimeStamp, micros(now)))
		l.set(Number(AttrDownCount, l.record.Number(AttrDownCount)+1))
	}
	l.set(Text(AttrResult, condition))
	l.set(Text(AttrReason, reason))
}

// SetRoundTrip sets how long it takes to the peer's host and back, as the kernel
// measures it; 0 is not known. It goes as LATENCY, which upstream's links do not
// have: receivers of theirs refuse a record with an attribute that has no name.
func (l *Link) SetRoundTrip(d time.Duration) {
	if d > 0 {
		l.Set(Number(AttrLatency, uint64(d.Microseconds())))
	}
}

// SetExpiry sets when the certificate ends that this side shows.
func (l *Link) SetExpiry(at time.Time) { l.setExpiry(at) }

// setExpiry goes as the DURATION of the record: no attribute of VanFlow is of
// certificates.
func (e *Entry) setExpiry(at time.Time) {
	e.source.mu.Lock()
	defer e.source.mu.Unlock()
	if !e.record.Ended() {
		e.set(Number(AttrDuration, max(micros(at), e.record.Number(AttrStartTime)+1)-e.record.Number(AttrStartTime)))
	}
}

// AddOctets counts what the connections of the link sent and received. It is
// cheap enough for every read and write.
func (l *Link) AddOctets(sent, received uint64) {
	if sent != 0 {
		l.counts[countOctets].value.Add(sent)
	}
	if received != 0 {
		l.counts[countReverse].value.Add(received)
	}
}

// Octets returns what was counted by AddOctets.
func (l *Link) Octets() (sent, received uint64) {
	return l.counts[countOctets].value.Load(), l.counts[countReverse].value.Load()
}

// Access makes the record of a listener for other routers.
func (r *Router) Access(now time.Time, name, role string) *Access {
	e := r.entry(TypeRouterAccess, now, []Attribute{Text(AttrName, name), Text(AttrRole, role), Number(AttrLinkCount, 0)})
	r.add(e)
	return &Access{e}
}

// SetConns sets how many connections of the listener are open.
func (a *Access) SetConns(n int) { a.Set(Number(AttrLinkCount, uint64(max(n, 0)))) }

// SetTLSOrdinal sets the generation of the listener's certificates.
func (a *Access) SetTLSOrdinal(n uint64) { a.Set(Number(AttrActiveTLSOrdinal, n)) }

// SetExpiry sets when the certificate ends that the listener shows.
func (a *Access) SetExpiry(at time.Time) { a.setExpiry(at) }
