package trunk

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
)

const (
	// dialTimeout limits one attempt to reach an endpoint, names included.
	dialTimeout = 10 * time.Second
	// silence is how long a peer may take to answer until that is worth a word.
	silence = time.Second
)

// Endpoint is a place to connect to.
type Endpoint struct{ Host, Port string }

func (e Endpoint) String() string { return net.JoinHostPort(e.Host, e.Port) }

// DialConfig describes a connector. It is read only.
type DialConfig struct {
	Name      string
	Role      Role
	Endpoints []Endpoint // at least one; tried in order, the one that answers is kept; see Dialer.follow
	// TLS returns the configuration for a host; nil: plain connections.
	TLS   func(host string) *tls.Config
	Proxy *Proxy // nil: direct

	// Data is the number of data connections of role InterRouter. Without any
	// the peer is told nothing of a group.
	Data int
	// Correlator names the group: 15 characters, made once for a connector.
	Correlator string
	// Ordinal is the generation of the credentials; see Dialer.SetOrdinal.
	Ordinal uint64
	// Succession counts the dialers with this correlator before this one. To the
	// peer its connections are a newer generation of theirs; see Dialer.Retire.
	Succession uint64

	// Dial reaches an address; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Dialer keeps the connections of one connector.
type Dialer struct {
	cfg    DialConfig
	groups *Groups
	owner  Owner
	group  *Group
	// announce says that the peer is told the ordinal: it is one of TLS
	// credentials, or of a successor.
	announce bool

	changed chan struct{} // capacity 1: SetOrdinal was called
	retired chan struct{} // closed by Retire
	retire  sync.Once

	mu     sync.Mutex
	newest uint64 // Guarded by mu: ordinal of new connections.
	oldest uint64 // Guarded by mu: connections below are ended.
	kept   int    // Guarded by mu: index of the endpoint in use.
	// Guarded by mu: what is configured, and what the peer has added. The
	// slice itself is not changed.
	endpoints []Endpoint
	status    Status     // Guarded by mu.
	live      []*attempt // Guarded by mu.
}

// attempt is a connection that is up or being made.
type attempt struct {
	ordinal uint64 // of the credentials on our side
	cancel  context.CancelFunc
	index   int // in the list of its listener

	// Guarded by Dialer.mu, of a control connection that was dialed: when the
	// peer took the connection, and whether it has answered.
	accepted time.Time
	answered bool
	endpoint Endpoint // where it goes to; set before it is in the list
}

// Status says how a connector is doing.
type Status struct {
	Up       bool // a control connection is open, perhaps of an older generation
	Endpoint Endpoint
	// Order are the places to connect to, the one in use or tried next first.
	Order    []Endpoint
	Since    time.Time // the last success or failure
	Err      error     // the last failure, nil after a success; its text is fit for a status line
	Failures int       // in a row
	Next     time.Time // the next attempt, zero after a success
	// Silent is a place that takes connections, and has not answered on one for
	// a while; empty if there is none.
	Silent Endpoint
}

// NewDialer returns a dialer. Run makes it live.
func NewDialer(cfg DialConfig, groups *Groups, owner Owner) *Dialer {
	d := &Dialer{cfg: cfg, groups: groups, owner: owner, newest: cfg.Ordinal, endpoints: cfg.Endpoints, changed: make(chan struct{}, 1), retired: make(chan struct{})}
	d.group, d.announce = groups.newGroup(""), cfg.TLS != nil || cfg.Succession > 0
	if d.cfg.Dial == nil {
		d.cfg.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{Enable: false}}).DialContext
	}
	return d
}

// Name returns the connector's name.
func (d *Dialer) Name() string { return d.cfg.Name }

// Group returns the trunk.
func (d *Dialer) Group() *Group { return d.group }

// Status returns how the connector is doing.
func (d *Dialer) Status() Status {
	up := d.group.open()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status
	s.Up, s.Order = up, d.order()
	for _, x := range d.live {
		if !up && !x.accepted.IsZero() && !x.answered && time.Since(x.accepted) >= silence {
			s.Silent = x.endpoint
		}
	}
	return s
}

// SetOrdinal changes the generation of the credentials. A higher newest makes a
// second set of connections, which takes over when it is ready; the first is
// not made again when it breaks. Connections with an ordinal below oldest are
// ended at once.
func (d *Dialer) SetOrdinal(newest, oldest uint64) {
	d.mu.Lock()
	d.newest, d.oldest = max(newest, d.newest), oldest
	for _, x := range d.live {
		if x.ordinal < oldest {
			x.cancel()
		}
	}
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Retire has the dialer make no connection any more: a successor does. Those that
// stand serve their streams; Run returns when they have ended.
func (d *Dialer) Retire() { d.retire.Do(func() { close(d.retired) }) }

// Run makes the connections, again and again, until ctx is done or, after Retire,
// the last one has ended. When it returns, all of them have ended.
func (d *Dialer) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		d.mu.Lock()
		ordinal := d.newest
		d.mu.Unlock()
		current, supersede := context.WithCancel(ctx)
		control := newGate()
		wg.Go(func() { d.keepControl(ctx, current, ordinal, control) })
		for range d.dataCount() {
			wg.Go(func() { d.keepData(ctx, current, ordinal, control) })
		}
		more := d.awaitNewer(ctx, ordinal)
		supersede()
		if !more {
			return nil
		}
	}
}

func (d *Dialer) dataCount() int {
	if d.cfg.Role != InterRouter {
		return 0
	}
	return d.cfg.Data
}

// awaitNewer waits for a generation after ordinal. It reports false when there
// will be none.
func (d *Dialer) awaitNewer(ctx context.Context, ordinal uint64) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-d.retired:
			return false
		case <-d.changed:
		}
		d.mu.Lock()
		newer := d.newest > ordinal
		d.mu.Unlock()
		if newer {
			return true
		}
	}
}

// keepControl keeps the control connection of one generation: in ctx as long
// as it lives, made again only in current.
func (d *Dialer) keepControl(ctx, current context.Context, ordinal uint64, up *gate) {
	var b backoff
	tried := 0 // endpoints in a row that failed
	for {
		lasted, err := d.connectControl(ctx, current, ordinal, up)
		if current.Err() != nil {
			return
		}
		var wait time.Duration
		if lasted {
			b.succeeded()
			tried = 0
			wait = b.next()
		} else {
			tried++
			wait = d.nextEndpoint(&b, tried)
		}
		if err == nil {
			err = errors.New("closed by the peer")
		}
		d.failed(err, b.failures, wait)
		d.owner.Retry(d, err, wait)
		if !sleep(current, wait) {
			return
		}
	}
}

// nextEndpoint moves on to the next endpoint and returns how long to wait: the
// time grows only after all have been tried.
func (d *Dialer) nextEndpoint(b *backoff, tried int) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.endpoints)
	d.kept = (d.kept + 1) % n
	if tried%n != 0 {
		return minWait / 2
	}
	return b.next()
}

// keepData keeps one data connection while the control connection is up.
func (d *Dialer) keepData(ctx, current context.Context, ordinal uint64, control *gate) {
	var b backoff
	for current.Err() == nil {
		if !control.wait(current) {
			return
		}
		if _, lasted, _ := d.connect(ctx, ordinal, nil); lasted { // the owner is told by Ended
			b.succeeded()
		}
		if !sleep(current, b.next()) {
			return
		}
	}
}

// connect makes one connection and serves it to its end. lasted tells that it
// was up for a while, won that it opened. A control connection is in a race, a
// data connection is not.
func (d *Dialer) connect(ctx context.Context, ordinal uint64, in *entrant) (won, lasted bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &attempt{ordinal: ordinal, cancel: cancel, endpoint: d.endpoint()}
	if !d.enlist(x) {
		return false, false, errors.New("the credentials are no longer valid")
	}
	defer d.unlist(x)
	nc, err := d.reach(ctx, x.endpoint)
	if err != nil {
		return false, false, &conn.Error{Stage: conn.StageDial, Err: conn.InWords(err)}
	}
	m := &Member{Role: d.cfg.Role, Dialer: d, groups: d.groups, mu: &d.groups.mu, group: d.group, data: in == nil, ordinal: ordinal, Own: ordinal}
	if in != nil {
		d.mu.Lock()
		x.accepted = time.Now()
		d.mu.Unlock()
	}
	cfg, handler := d.owner.Connect(m)
	d.complete(&cfg, m, x.endpoint)
	var opened time.Time // written by the reader, which has ended below
	m.Conn = conn.New(nc, cfg, &memberHandler{m: m, next: handler, entry: func(m *Member, open *amqp.Open) error {
		if in != nil && !in.win() {
			return errSlower
		}
		opened = time.Now()
		return d.opened(m, open, x, in)
	}})
	err = m.Conn.Run(ctx)
	if in != nil && !opened.IsZero() {
		in.up.close()
	}
	d.groups.gone(m)
	d.owner.Ended(m, err)
	return !opened.IsZero(), !opened.IsZero() && time.Since(opened) >= steady, err
}

func (d *Dialer) endpoint() Endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.endpoints[d.kept]
}

// complete fills in what the dialer knows of a configuration.
func (d *Dialer) complete(cfg *conn.Config, m *Member, e Endpoint) {
	cfg.Client = true
	cfg.Open.Hostname = e.Host
	if d.cfg.TLS != nil {
		cfg.TLS = d.cfg.TLS(e.Host)
	}
	if d.dataCount() == 0 && !d.announce {
		return // a trunk of one connection that is never replaced
	}
	add := func(key amqp.Symbol, v any) {
		cfg.Open.Properties = append(cfg.Open.Properties[:len(cfg.Open.Properties):len(cfg.Open.Properties)], amqp.Pair{Key: key, Value: v})
	}
	if m.Role == InterRouter {
		if m.data {
			add(propRole, roleData)
		}
		add(propCorrelator, d.cfg.Correlator)
	}
	if d.announce {
		add(propOrdinal, m.ordinal+d.cfg.Succession)
	}
}

// opened notes that a connection is up. The error refuses it.
func (d *Dialer) opened(m *Member, open *amqp.Open, x *attempt, in *entrant) error {
	d.groups.mu.Lock()
	m.heard(open)
	err := d.group.sameRouter(m)
	if err == nil {
		d.group.add(m)
	}
	d.groups.mu.Unlock()
	if err != nil || m.data {
		return err
	}
	d.mu.Lock()
	x.answered = true
	d.status = Status{Endpoint: x.endpoint, Since: time.Now()}
	d.follow(open, x.endpoint)
	d.mu.Unlock()
	in.up.open()
	return nil
}

// failed notes why there is no connection.
func (d *Dialer) failed(err error, failures int, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.status = Status{Endpoint: d.endpoints[d.kept], Since: now, Err: err, Failures: failures, Next: now.Add(wait)}
}

func (d *Dialer) enlist(x *attempt) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x.ordinal < d.oldest {
		return false
	}
	d.live = append(d.live, x)
	return true
}

func (d *Dialer) unlist(x *attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.live {
		if d.live[i] == x {
			d.live[i] = d.live[len(d.live)-1]
			d.live = d.live[:len(d.live)-1]
			return
		}
	}
}

// sleep waits; it reports false when ctx ends first.
func sleep(ctx context.Context, wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
