package collect

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/router/vanflow"
)

// Times of the connection.
const (
	dialTimeout  = 10 * time.Second // to dial, and to attach a link
	flushTimeout = 5 * time.Second  // to send a FLUSH
	minBackoff   = 250 * time.Millisecond
	maxBackoff   = 5 * time.Second
	tickEvery    = time.Second
	idleTimeout  = 20 * time.Second // after which a silent router is taken for dead
	credit       = 256              // messages under way of a link (compat: upstream's)
	flushers     = 16               // FLUSH commands under way
	maxSources   = 10_000
	maxID        = 128 // bytes of the id of a source
)

// Config says how to reach the network.
type Config struct {
	// Dial connects to a router; its connection is owned by the collector from
	// then on.
	Dial func(ctx context.Context) (net.Conn, error)
	// Endpoint is where Dial leads to: of what it says, Host and External are
	// used; the rest is used where Dial is nil.
	Endpoint Endpoint
	// NoLogs leaves the logs of the routers alone.
	NoLogs bool
	Log    *slog.Logger // nil is silence
}

// Collector brings what the sources of a network say to a network.Network.
type Collector struct {
	// Set by New, then read only.
	cfg     Config
	log     *slog.Logger
	network *network.Network

	mu      sync.Mutex
	sources sources            // Guarded by mu.
	conn    *connection        // Guarded by mu: nil while there is none.
	status  Status             // Guarded by mu.
	recent  map[string]*recent // Guarded by mu: by id of the source.
}

// Status is how the collector is.
type Status struct {
	Connected bool
	Since     time.Time // connected or not
	Err       error     // why not
	Attempts  int       // to connect, since it was connected the last time
	Messages  uint64
	Malformed uint64 // messages, and records in messages, that could not be read
}

// New returns a collector for a network.
func New(cfg Config, n *network.Network) *Collector {
	c := &Collector{
		cfg: cfg, log: cfg.Log, network: n, sources: sources{all: map[string]*peer{}, max: maxSources}, recent: map[string]*recent{},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.cfg.Dial == nil {
		c.cfg.Dial = cfg.Endpoint.dial
	}
	return c
}

// dial connects to the endpoint.
func (e Endpoint) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, e.Network, e.Address)
}

// Status returns how the collector is.
func (c *Collector) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Run collects until ctx is done, however often the router goes away. It
// returns nil.
func (c *Collector) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { c.keepTime(ctx) })
	backoff := minBackoff
	for {
		began := time.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		c.lost(err)
		if time.Since(began) > maxBackoff {
			backoff = minBackoff
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// lost notes that there is no connection, and says so once.
func (c *Collector) lost(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.Connected || c.status.Attempts == 0 {
		c.status.Since = time.Now()
		c.log.Warn("no connection to the router", "endpoint", c.cfg.Endpoint, "err", err)
	}
	c.status.Connected, c.status.Err = false, err
	c.status.Attempts++
}

// keepTime tells the network and the sources what time it is.
func (c *Collector) keepTime(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		ask := c.network.Tick(now)
		c.mu.Lock()
		c.sources.flush(now, ask)
		conn := c.conn
		var due actions
		if conn != nil { // without a router nobody can be heard, and nobody is given up
			due = c.sources.tick(now)
		}
		for _, id := range due.Forget {
			delete(c.recent, id)
		}
		c.mu.Unlock()
		for _, id := range due.Forget {
			c.log.Info("an event source is gone", "source", id)
			conn.detach(id)
			again := c.network.Forget(now, id)
			c.mu.Lock()
			c.sources.flush(now, again)
			c.mu.Unlock()
		}
		for _, id := range due.Flush {
			conn.flush(id)
		}
	}
}

// connection is a connection to the router.
type connection struct {
	collector *Collector
	ctx       context.Context // of the connection
	cancel    context.CancelFunc
	receive   *goamqp.Session
	send      *goamqp.Session
	wg        sync.WaitGroup
	flushing  chan struct{} // a slot for each FLUSH under way

	mu     sync.Mutex
	peers  map[string]context.CancelFunc // Guarded by mu: by id, of those attached to.
	closed bool                          // Guarded by mu: nothing is started any more.
}

// session connects, and collects until the connection is lost.
func (c *Collector) session(ctx context.Context) error {
	dialing, stop := context.WithTimeout(ctx, dialTimeout)
	defer stop()
	nc, err := c.cfg.Dial(dialing)
	if err != nil {
		return err
	}
	options := &goamqp.ConnOptions{
		ContainerID: "network-observer-" + rand.Text(), HostName: c.cfg.Endpoint.Host, IdleTimeout: idleTimeout,
	}
	if c.cfg.Endpoint.External {
		options.SASLType = goamqp.SASLTypeExternal("")
	}
	if nc, err = secure(dialing, nc, c.cfg.Endpoint.TLS); err != nil {
		return err
	}
	amqp, err := goamqp.NewConn(dialing, nc, options)
	if err != nil {
		_ = nc.Close() // it failed for another reason
		return err
	}
	defer func() { _ = amqp.Close() }() // it ends either way
	k := &connection{collector: c, flushing: make(chan struct{}, flushers), peers: map[string]context.CancelFunc{}}
	k.ctx, k.cancel = context.WithCancel(ctx)
	defer k.close()
	if k.receive, err = amqp.NewSession(dialing, nil); err != nil {
		return err
	}
	if k.send, err = amqp.NewSession(dialing, nil); err != nil {
		return err
	}
	beacons, err := k.receive.NewReceiver(dialing, vanflow.AddressAll, &goamqp.ReceiverOptions{Credit: credit})
	if err != nil {
		return fmt.Errorf("%s: %w", vanflow.AddressAll, err)
	}
	c.mu.Lock()
	c.conn = k
	attempts := c.status.Attempts
	c.status.Connected, c.status.Err, c.status.Attempts, c.status.Since = true, nil, 0, time.Now()
	known := c.sources.attached(time.Now())
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conn = nil
	}()
	c.log.Info("connected to the router", "endpoint", c.cfg.Endpoint, "attempts", attempts+1)
	for _, p := range known {
		k.attach(p.id, p.kind)
	}
	k.spawn(k.search)
	return k.read(k.ctx, beacons, "")
}

// search finds the sources that are there already.
func (k *connection) search() {
	ctx, cancel := context.WithTimeout(k.ctx, dialTimeout)
	defer cancel()
	ids, err := k.discover(ctx)
	if err != nil {
		if k.ctx.Err() == nil {
			k.collector.log.Debug("the router does not say which event sources there are; they announce themselves", "err", err)
		}
		return
	}
	for _, id := range ids {
		k.meet(time.Now(), id, kindOf(id))
	}
}

// attach begins to receive what a source says, unless that has begun. What the
// source answers when it is first asked must not come before the last of its
// links is there, so that the link by which it is heard first is made last.
func (k *connection) attach(id string, kind vanflow.SourceType) {
	var addresses []string
	switch kind {
	case vanflow.SourceRouter:
		addresses = append(addresses, vanflow.AddressFlows(id))
		if !k.collector.cfg.NoLogs {
			addresses = append(addresses, vanflow.AddressLogs(id))
		}
	case vanflow.SourceController:
		addresses = append(addresses, vanflow.AddressHeartbeats(id))
	}
	addresses = append(addresses, vanflow.Address(id))
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.peers[id] != nil {
		return
	}
	ctx, cancel := context.WithCancel(k.ctx)
	k.peers[id] = cancel
	k.wg.Go(func() {
		defer cancel()
		var links sync.WaitGroup
		defer links.Wait()
		for _, address := range addresses {
			r, err := k.link(ctx, address)
			if err != nil {
				k.unlinked(ctx, id, address, err)
				return
			}
			links.Go(func() {
				defer k.unlink(r)
				k.unlinked(ctx, id, address, k.read(ctx, r, id))
			})
		}
	})
}

// link makes a link to receive what is sent to an address.
func (k *connection) link(ctx context.Context, address string) (*goamqp.Receiver, error) {
	attaching, stop := context.WithTimeout(ctx, dialTimeout)
	defer stop()
	return k.receive.NewReceiver(attaching, address, &goamqp.ReceiverOptions{Credit: credit})
}

// unlink ends a link.
func (k *connection) unlink(r *goamqp.Receiver) {
	closing, stop := context.WithTimeout(context.WithoutCancel(k.ctx), time.Second)
	defer stop()
	_ = r.Close(closing) // the connection may be gone
}

// unlinked gives up the other links of a source that lost one: with its next
// beacon all begins anew.
func (k *connection) unlinked(ctx context.Context, id, address string, err error) {
	if ctx.Err() == nil {
		k.collector.log.Warn("a link to an event source ended", "source", id, "address", address, "err", err)
		k.detach(id)
	}
}

// spawn starts a goroutine of the connection, unless that has ended.
func (k *connection) spawn(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed {
		k.wg.Go(f)
	}
}

// close ends the connection's goroutines and waits for them.
func (k *connection) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.wg.Wait()
}

// detach ends what attach began.
func (k *connection) detach(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if cancel := k.peers[id]; cancel != nil {
		cancel()
		delete(k.peers, id)
	}
}

// read takes messages until the link ends, and returns why it did.
func (k *connection) read(ctx context.Context, r *goamqp.Receiver, id string) error {
	for {
		msg, err := r.Receive(ctx, nil)
		if err != nil {
			return err
		}
		if err := r.AcceptMessage(ctx, msg); err != nil { // nothing for presettled ones
			return err
		}
		k.take(id, r.Address(), msg)
	}
}

// take takes a message; id is the source's, "" for beacons.
func (k *connection) take(id, address string, msg *goamqp.Message) {
	c, now := k.collector, time.Now()
	raw, err := msg.MarshalBinary()
	var m vanflow.Message
	if err == nil {
		m, err = vanflow.Decode(raw)
	}
	c.mu.Lock()
	c.status.Messages++
	c.status.Malformed += uint64(m.Skipped)
	if err != nil {
		c.status.Malformed++
	}
	c.mu.Unlock()
	switch {
	case err != nil:
		c.log.Debug("a message that is none", "address", address, "err", err)
	case m.Subject == vanflow.SubjectBeacon && id == "":
		k.beacon(now, &m)
	case m.Subject == vanflow.SubjectHeartbeat && id != "":
		k.heard(now, id, address, msg, &m)
		c.network.Heartbeat(now, id, m.Now)
	case m.Subject == vanflow.SubjectRecord && id != "":
		k.heard(now, id, address, msg, &m)
		c.network.Apply(now, id, m.Records)
	}
}

// beacon takes an announcement. One whose addresses are not those of its id is
// none: nobody tells the observer to listen or send elsewhere.
func (k *connection) beacon(now time.Time, m *vanflow.Message) {
	if m.ID == "" || len(m.ID) > maxID || m.Address != vanflow.Address(m.ID) || m.Direct != vanflow.AddressDirect(m.ID) {
		return
	}
	k.meet(now, m.ID, m.Source)
}

// meet makes a source known, and begins to receive what it says.
func (k *connection) meet(now time.Time, id string, kind vanflow.SourceType) {
	c := k.collector
	c.mu.Lock()
	known, fresh := c.sources.beacon(now, id, kind)
	c.mu.Unlock()
	if fresh {
		c.log.Debug("an event source", "source", id, "type", kind)
	}
	if known {
		c.network.SourceSeen(now, id, kind)
		k.attach(id, kind)
	}
}

// heard notes that a source said something, and asks it for everything when
// that is due.
func (k *connection) heard(now time.Time, id, address string, msg *goamqp.Message, m *vanflow.Message) {
	c := k.collector
	answer := false
	for i := range m.Records {
		answer = answer || m.Records[i].Identity == id && m.Records[i].Number(vanflow.AttrStartTime) != 0
	}
	c.mu.Lock()
	missing, flush := c.sources.heard(now, id, m.Subject == vanflow.SubjectHeartbeat, answer)
	var again uint64
	if c.sources.all[id] != nil && c.again(id, address, msg) {
		again = 1
	}
	c.mu.Unlock()
	if missing > 0 || again > 0 {
		c.network.Missed(id, missing, again)
	}
	if flush {
		k.flush(id)
	}
}

// flush asks a source for everything. It does not wait.
func (k *connection) flush(id string) {
	k.spawn(func() {
		select {
		case k.flushing <- struct{}{}:
		case <-k.ctx.Done():
			return
		}
		defer func() { <-k.flushing }()
		ctx, cancel := context.WithTimeout(k.ctx, flushTimeout)
		defer cancel()
		if err := k.command(ctx, vanflow.AddressDirect(id)); err != nil && k.ctx.Err() == nil {
			// The way to the source may not be known yet: it is asked again.
			k.collector.log.Debug("FLUSH failed", "source", id, "err", err)
		}
	})
}

// command sends FLUSH to an address.
func (k *connection) command(ctx context.Context, address string) error {
	s, err := k.send.NewSender(ctx, address, nil)
	if err != nil {
		return err
	}
	defer func() {
		closing, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer stop()
		_ = s.Close(closing) // the connection may be gone
	}()
	subject, reply := string(vanflow.SubjectFlush), ""
	return s.Send(ctx, &goamqp.Message{Properties: &goamqp.MessageProperties{To: &address, Subject: &subject, ReplyTo: &reply}}, nil)
}

// recent remembers the latest messages of a source by their numbers. The same
// message may come on two ways; what it says is merged, so that nothing depends
// on finding it out.
type recent struct {
	ids  [32]string
	next int
}

// again reports whether a message was there already.
func (c *Collector) again(id, address string, msg *goamqp.Message) bool {
	if msg.Properties == nil || msg.Properties.MessageID == nil {
		return false
	}
	number := fmt.Sprint(address, " ", msg.Properties.MessageID)
	seen := c.recent[id]
	if seen == nil {
		seen = &recent{}
		c.recent[id] = seen
	}
	for _, other := range seen.ids {
		if other == number {
			return true
		}
	}
	seen.ids[seen.next%len(seen.ids)] = number
	seen.next++
	return false
}

// String is what the log calls the endpoint.
func (e Endpoint) String() string { return cmp.Or(e.Address, "?") }
