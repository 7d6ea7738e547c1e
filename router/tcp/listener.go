package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/router/stream"
)

// ListenerConfig describes a tcpListener. It is read only.
type ListenerConfig struct {
	Name     string
	Endpoint Endpoint
	Backlog  int // of the socket; 0 = the system's largest

	// Strategy and Targets say where clients go; Single has one target.
	Strategy Strategy
	Targets  []Target

	// TLS is nil for plain TCP. Certificates that change belong into its
	// callbacks. ALPN is set here: http/1.1 and h2 (compat:).
	TLS *tls.Config
	// Connections is how many may be open; 0 is without limit.
	Connections int
	// Observer is passed to Accepted; see SetObserver.
	Observer string

	Stream stream.Options // its Totals and Continue are set here
	// Accepted is asked for the telemetry of each client; it may be nil, and
	// so may what it returns.
	Accepted func(c Accepted) (stream.Recorder, stream.Tap)
	// Lot is where idle clients wait; nil leaves each a goroutine.
	Lot *Lot
	// Crew runs the streams; nil makes a goroutine for each.
	Crew *Crew
	// Socket, if not nil, is taken over from a predecessor: the first time the
	// listener listens, it does so with it.
	Socket net.Listener
	Log    *slog.Logger // nil is silence
	// Serial numbers the streams of this and of whoever shares it; nil leaves
	// them without number.
	Serial *atomic.Uint64
	// TLSWords is as in ConnectorConfig.
	TLSWords func(err error) string
}

// Accepted describes a client that a listener has accepted.
type Accepted struct {
	Remote, Local net.Addr
	Address       string // where it goes
	ALPN          string // what TLS has chosen
	Observer      string
}

// Listener accepts clients of a service. Its socket is open while one of its
// addresses is reachable.
type Listener struct {
	cfg    ListenerConfig
	tls    *tls.Config
	roster roster
	change chan struct{} // capacity 1: Run has to look again

	mu sync.Mutex
	// Guarded by mu.
	endpoint Endpoint
	targets  []*target
	reached  uint64 // counts targets that became reachable
	observer string
	drained  bool
	socket   net.Listener // open; written by Run
	bound    Endpoint     // of socket
	problem  error        // why there is none, or why it does not accept
	given    net.Listener // cfg.Socket until it is used
}

// NewListener returns a listener. Run makes it live.
func NewListener(cfg ListenerConfig) *Listener {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &Listener{
		cfg: cfg, change: make(chan struct{}, 1),
		endpoint: cfg.Endpoint, observer: cfg.Observer, given: cfg.Socket,
	}
	l.cfg.Stream.Totals, l.cfg.Stream.Continue = &l.roster.totals, l.roster.carry
	l.roster.crew = cfg.Crew
	if cfg.TLS != nil {
		l.tls = serverTLS(cfg.TLS)
	}
	l.SetTargets(cfg.Targets)
	return l
}

// Name returns the listener's name.
func (l *Listener) Name() string { return l.cfg.Name }

// SetReachable tells whether somebody serves an address. It has no effect for
// one that is not a target.
func (l *Listener) SetReachable(address string, reachable bool) {
	l.mu.Lock()
	for _, t := range l.targets {
		if t.Address != address || reachable == (t.since != 0) {
			continue
		}
		if t.since = 0; reachable {
			l.reached++
			t.since = l.reached
		}
	}
	l.mu.Unlock()
	l.look()
}

// SetTargets replaces the addresses that clients are sent to. Those that stay
// stay reachable; new ones are not. Open streams are not touched.
func (l *Listener) SetTargets(targets []Target) {
	l.mu.Lock()
	old := l.targets
	l.targets = nil
	for _, t := range targets {
		next := &target{Target: t}
		for _, o := range old {
			if o.Address == t.Address {
				next.since, next.opened = o.since, o.opened
			}
		}
		l.targets = append(l.targets, next)
	}
	l.mu.Unlock()
	l.look()
}

// SetObserver changes what is passed to Accepted from the next client on.
func (l *Listener) SetObserver(observer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observer = observer
}

// Rebind makes the listener listen elsewhere: the new socket is open before
// the old one is closed, and open streams go on. If it cannot be opened, the
// old one stays.
func (l *Listener) Rebind(at Endpoint) {
	l.mu.Lock()
	l.endpoint = at
	l.mu.Unlock()
	l.look()
}

// Drain takes no more clients. Run returns when the last stream has ended.
func (l *Listener) Drain() {
	l.roster.end()
	l.mu.Lock()
	l.drained = true
	l.mu.Unlock()
	l.look()
}

// Socket returns a duplicate of the listening socket, to be given to a
// successor, nil if there is none. The queue of clients is common to both, and
// lasts as long as one of them is open.
func (l *Listener) Socket() (*os.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.socket.(interface{ File() (*os.File, error) }); ok {
		return f.File()
	}
	return nil, nil
}

func (l *Listener) look() {
	select {
	case l.change <- struct{}{}:
	default:
	}
}

// Run listens and carries the streams of its clients. It returns nil after
// Drain, when the last stream has ended, or when ctx is done, after it has cut
// those that were open.
func (l *Listener) Run(ctx context.Context) error {
	keep := context.AfterFunc(ctx, func() { l.roster.cut(context.Cause(ctx)) })
	defer keep()
	defer l.roster.wg.Wait()
	var loops sync.WaitGroup
	defer loops.Wait()
	pausing, stop := context.WithCancel(ctx)
	defer stop()
	defer l.closeSocket(nil)
	l.roster.begin()
	defer l.roster.end()

	retry := time.NewTimer(bindAgain)
	defer retry.Stop()
	for ctx.Err() == nil && !l.isDrained() {
		fresh, err := l.reconcile(ctx)
		if fresh != nil {
			loops.Go(func() { l.accept(ctx, pausing, fresh) })
		}
		retry.Stop()
		if err != nil {
			retry.Reset(bindAgain)
		}
		select {
		case <-ctx.Done():
		case <-l.change:
		case <-retry.C:
		}
	}
	return nil
}

func (l *Listener) isDrained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drained
}

// reconcile opens, moves or closes the socket as it is wanted now. It returns
// a socket that was opened, or why it could not be.
func (l *Listener) reconcile(ctx context.Context) (net.Listener, error) {
	l.mu.Lock()
	wanted := false
	for _, t := range l.targets {
		wanted = wanted || t.since != 0
	}
	at, bound, have, given := l.endpoint, l.bound, l.socket, l.given
	var unknown error
	if wanted {
		l.given = nil
	} else {
		unknown = l.unknown()
	}
	l.mu.Unlock()
	switch {
	case !wanted:
		l.closeSocket(unknown)
		return nil, nil
	case have != nil && bound == at:
		return nil, nil
	case given != nil:
		l.install(given, at, nil)
		return given, nil
	}
	fresh, err := Bind(ctx, at, l.cfg.Backlog)
	if errors.Is(err, syscall.EADDRINUSE) && have != nil && at.Port == bound.Port {
		l.closeSocket(nil) // in its own way: another address of the same port
		fresh, err = Bind(ctx, at, l.cfg.Backlog)
	}
	if err != nil {
		l.say(err)
		return nil, err
	}
	l.install(fresh, at, have)
	return fresh, nil
}

// install makes fresh the socket, then closes the old one.
func (l *Listener) install(fresh net.Listener, at Endpoint, old net.Listener) {
	l.mu.Lock()
	l.socket, l.bound, l.problem = fresh, at, nil
	l.mu.Unlock()
	l.cfg.Log.Info("listening", "listener", l.cfg.Name, "address", fresh.Addr().String())
	if old != nil {
		_ = old.Close()
	}
}

// unknown says why there is no socket while no address is reachable. It is
// called with mu held.
func (l *Listener) unknown() error {
	names := make([]string, len(l.targets))
	for i, t := range l.targets {
		names[i] = t.Address
	}
	if len(names) == 0 {
		return errors.New("no address is configured")
	}
	return fmt.Errorf("no connector for %s is known", strings.Join(names, ", "))
}

func (l *Listener) closeSocket(why error) {
	l.mu.Lock()
	old := l.socket
	l.socket, l.bound, l.problem = nil, Endpoint{}, why
	l.mu.Unlock()
	if old != nil {
		_ = old.Close()
		l.cfg.Log.Info("not listening any more", "listener", l.cfg.Name)
	}
}

// say notes a problem and logs it once.
func (l *Listener) say(err error) {
	l.mu.Lock()
	known := l.problem != nil && err != nil && l.problem.Error() == err.Error()
	l.problem = err
	l.mu.Unlock()
	if err != nil && !known {
		l.cfg.Log.Warn("listener", "listener", l.cfg.Name, "err", err)
	}
}

// ListenerStatus describes a listener.
type ListenerStatus struct {
	Up      bool     // the socket is open
	Addr    net.Addr // of the socket, nil if there is none
	Problem error    // why the socket is not open, or takes nobody; in words
	Targets []TargetStatus
	Counters
}

// TargetStatus describes an address of a listener.
type TargetStatus struct {
	Target
	Reachable bool
	Opened    uint64 // clients sent there
}

// errCut is why a stream ends that somebody has cut.
var errCut = errors.New("cut by management")

// Streams lists the streams that are open, in no order.
func (l *Listener) Streams() []Open { return l.roster.list() }

// Cut ends the stream of that number and reports whether there is one.
func (l *Listener) Cut(id uint64) bool { return l.roster.cutOne(id, errCut) }

// Status describes the listener.
func (l *Listener) Status() ListenerStatus {
	s := ListenerStatus{Counters: l.roster.counters()}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Problem = l.problem
	if l.socket != nil {
		s.Up, s.Addr = true, l.socket.Addr()
	}
	for _, t := range l.targets {
		s.Targets = append(s.Targets, TargetStatus{Target: t.Target, Reachable: t.since != 0, Opened: t.opened})
	}
	return s
}
