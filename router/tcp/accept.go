package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/router/nonblock"
	"github.com/skupper-host/skupper/router/stream"
)

const (
	// acceptPause is how long to wait after a failed accept.
	acceptPause = 100 * time.Millisecond
	// handshakeTime is how long TLS may take, on either side.
	handshakeTime = 10 * time.Second
)

// accept takes the clients of one socket until that is closed. Their streams
// are cut when ctx is done.
func (l *Listener) accept(ctx, pausing context.Context, ln net.Listener) {
	failed := false
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			if failed {
				l.say(nil)
				failed = false
			}
			if l.roster.enter(l.cfg.Connections) {
				l.roster.carry(func() { l.serve(ctx, nc) })
			} else {
				newSocket(nc, nil).Reset()
			}
			continue
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			err = fmt.Errorf("no file descriptor is left, raise LimitNOFILE: %w", err)
		}
		failed = true
		l.say(err)
		select {
		case <-pausing.Done():
			return
		case <-time.After(acceptPause):
		}
	}
}

// serve carries the stream of one client.
func (l *Listener) serve(ctx context.Context, nc net.Conn) {
	c, err := l.client(ctx, nc)
	if err != nil {
		_ = nc.Close()
		l.cfg.Log.Debug("client refused", "listener", l.cfg.Name, "client", nc.RemoteAddr().String(), "err", err)
		l.roster.leave(nil)
		return
	}
	g := stream.NewIngress(&l.cfg.Stream, c)
	h := l.roster.hold(g, l.cfg.Serial, nc.RemoteAddr())
	g.Start(ctx, func(err error) {
		if err != nil {
			l.cfg.Log.Debug("stream failed", "listener", l.cfg.Name, "address", g.Address(), "err", err)
		}
		l.roster.leave(h)
	})
}

// client performs the handshake of TLS, if there is one, and decides where the
// client goes.
func (l *Listener) client(ctx context.Context, nc net.Conn) (stream.Client, error) {
	var c stream.Client
	if l.tls != nil {
		t := tls.Server(nonblock.Wrap(nc), l.tls)
		if err := handshake(ctx, t); err != nil {
			if l.cfg.TLSWords != nil { // compat: the words are upstream's
				l.cfg.Log.Debug("TLS connection failed: "+l.cfg.TLSWords(err), "module", "TCP_ADAPTOR", "listener", l.cfg.Name)
			}
			return c, fmt.Errorf("tls: %w", err)
		}
		nc, c.ALPN = t, t.ConnectionState().NegotiatedProtocol
	}
	c.Socket = newSocket(nc, l.cfg.Lot)
	var observer string
	c.Address, observer = l.target()
	if l.cfg.Accepted != nil {
		c.Recorder, c.Tap = l.cfg.Accepted(Accepted{
			Remote: nc.RemoteAddr(), Local: nc.LocalAddr(), Address: c.Address, ALPN: c.ALPN, Observer: observer,
		})
	}
	return c, nil
}

// target chooses the address for a client.
func (l *Listener) target() (address, observer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := choose(l.cfg.Strategy, l.targets, rand.IntN)
	if t == nil {
		return "", l.observer
	}
	t.opened++
	return t.Address, l.observer
}

func handshake(ctx context.Context, t *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	return t.HandshakeContext(ctx)
}

// offered are the protocols that a TLS listener chooses from, in its order of
// preference. compat: skupper-router 3.x.
func offered() []string { return []string{"http/1.1", "h2"} }

// serverTLS returns base with ALPN. A client that offers none of our protocols
// gets none, where crypto/tls would refuse it.
func serverTLS(base *tls.Config) *tls.Config {
	with, without := base.Clone(), base.Clone()
	with.NextProtos, without.NextProtos = offered(), nil
	with.GetConfigForClient, without.GetConfigForClient = nil, nil
	first := base.Clone()
	first.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		ours := slices.ContainsFunc(hello.SupportedProtos, func(p string) bool { return slices.Contains(offered(), p) })
		if base.GetConfigForClient != nil {
			c, err := base.GetConfigForClient(hello)
			if err != nil {
				return nil, err
			}
			if c != nil {
				if c = c.Clone(); ours {
					c.NextProtos = offered()
				} else {
					c.NextProtos = nil
				}
				return c, nil
			}
		}
		if ours {
			return with, nil
		}
		return without, nil
	}
	return first
}
