package trunk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/conn"
)

const (
	// maxConnections of one listener. compat: skupper-router 3.x.
	maxConnections = 65535
	// maxHandshakes is how many connections of one listener may be without an
	// Open at a time; more are dropped at once, so that strangers cannot hold
	// memory for long.
	maxHandshakes = 1024
	// acceptPause is how long to wait after a failed accept (no file
	// descriptor is left).
	acceptPause = 100 * time.Millisecond
)

// ListenConfig describes a listener of AMQP connections. It is read only.
type ListenConfig struct {
	Name string
	Role Role
	TLS  *tls.Config // nil: plain connections
	// Connections is how many may be open; 0 is 65,535.
	Connections int
	// Ordinal is the generation of the credentials; see Listener.SetOrdinal.
	Ordinal uint64
	Log     *slog.Logger // nil is silence
}

// Listener accepts connections.
type Listener struct {
	cfg    ListenConfig
	groups *Groups
	owner  Owner

	shaking atomic.Int32 // connections without an Open

	mu     sync.Mutex
	newest uint64     // Guarded by mu: ordinal of new connections.
	live   []*attempt // Guarded by mu.
}

// NewListener returns a listener. Run makes it live.
func NewListener(cfg ListenConfig, groups *Groups, owner Owner) *Listener {
	if cfg.Connections == 0 {
		cfg.Connections = maxConnections
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Listener{cfg: cfg, groups: groups, owner: owner, newest: cfg.Ordinal}
}

// Name returns the listener's name.
func (l *Listener) Name() string { return l.cfg.Name }

// Connections is the number of connections that are open or being made.
func (l *Listener) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.live)
}

// SetOrdinal changes the generation of the credentials. Connections that were
// accepted with one below oldest are ended at once.
func (l *Listener) SetOrdinal(newest, oldest uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = max(l.newest, newest)
	for _, x := range l.live {
		if x.ordinal < oldest {
			x.cancel()
		}
	}
}

// Run accepts connections from ln, which it closes, and serves them until ctx
// is done. When it returns, all of them have ended. An error means that ln has
// failed.
func (l *Listener) Run(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer func() {
		stop()
		_ = ln.Close()
	}()
	for {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = nc.Close()
			}
			return nil
		case err != nil && errors.Is(err, net.ErrClosed):
			return fmt.Errorf("listener %s: %w", l.cfg.Name, err)
		case err != nil:
			l.cfg.Log.Warn("accept", "listener", l.cfg.Name, "err", conn.InWords(err))
			sleep(ctx, acceptPause)
			continue
		}
		connCtx, end := context.WithCancel(ctx)
		x := l.enlist(end)
		if x == nil {
			end()
			_ = nc.Close()
			continue
		}
		wg.Go(func() {
			defer end()
			defer l.unlist(x)
			l.serve(connCtx, nc, x.ordinal)
		})
	}
}

// enlist notes a connection; nil if there are too many.
func (l *Listener) enlist(cancel context.CancelFunc) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.live) >= l.cfg.Connections || l.shaking.Load() >= maxHandshakes {
		return nil
	}
	x := &attempt{ordinal: l.newest, cancel: cancel, index: len(l.live)}
	l.live = append(l.live, x)
	return x
}

func (l *Listener) unlist(x *attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.live) - 1
	l.live[x.index] = l.live[last]
	l.live[x.index].index = x.index
	l.live[last] = nil
	l.live = l.live[:last]
}

// serve runs one connection to its end.
func (l *Listener) serve(ctx context.Context, nc net.Conn, own uint64) {
	m := &Member{Role: l.cfg.Role, Listener: l, Own: own, groups: l.groups, mu: &l.groups.mu}
	cfg, handler := l.owner.Connect(m)
	cfg.Client = false
	cfg.TLS = l.cfg.TLS
	l.shaking.Add(1)
	opened := false // written by the reader, which has ended below
	m.Conn = conn.New(nc, cfg, &memberHandler{m: m, next: handler, entry: func(m *Member, open *amqp.Open) error {
		opened = true
		l.shaking.Add(-1)
		return l.groups.accepted(m, open)
	}})
	err := m.Conn.Run(ctx)
	if !opened {
		l.shaking.Add(-1)
	}
	l.groups.gone(m)
	l.owner.Ended(m, err)
}
