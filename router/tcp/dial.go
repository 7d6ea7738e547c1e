package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/router/nonblock"
)

// connect dials all addresses of the host in turn, then performs the handshake
// of TLS, if there is one, with alpn as the only protocol.
func (c *Connector) connect(ctx context.Context, alpn string) (net.Conn, error) {
	nc, err := c.connectTCP(ctx)
	if err != nil || c.cfg.TLS == nil {
		return nc, err
	}
	cfg := c.cfg.TLS.Clone()
	cfg.NextProtos = nil
	if alpn != "" {
		cfg.NextProtos = []string{alpn}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = c.cfg.Host
	}
	t := tls.Client(nonblock.Wrap(nc), cfg)
	if err := handshake(ctx, t); err != nil {
		_ = nc.Close()
		return nil, &tlsError{err}
	}
	return t, nil
}

// tlsError is a failed handshake.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return "tls: " + e.err.Error() }
func (e *tlsError) Unwrap() error { return e.err }

// tlsFailed logs why TLS with the server has failed, if it has. compat: the
// words are upstream's.
func (c *Connector) tlsFailed(err error) {
	if c.cfg.TLSWords == nil {
		return
	}
	if words := c.cfg.TLSWords(err); words != "" {
		c.cfg.Log.Debug("TLS connection failed: "+words, "module", "TCP_ADAPTOR", "connector", c.cfg.Name, "err", err)
	}
}

func (c *Connector) connectTCP(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DialTime)
	defer cancel()
	addrs, err := c.resolve.lookup(ctx)
	if err != nil {
		return nil, err
	}
	// Literal addresses need no second goroutine for the other family, and
	// keep-alive is not upstream's way.
	d := net.Dialer{FallbackDelay: -1, KeepAlive: -1}
	d.SetMultipathTCP(false)
	var errs []error
	for i, a := range addrs {
		nc, err := dialOne(ctx, &d, net.JoinHostPort(a.String(), c.cfg.Port), len(addrs)-i)
		if err == nil {
			return nc, nil
		}
		errs = append(errs, err)
	}
	return nil, errs[0] // the first address is the one that is meant to work
}

// dialOne dials one of several addresses that are left, in its share of the
// time.
func dialOne(ctx context.Context, d *net.Dialer, address string, left int) (net.Conn, error) {
	if until, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(until)/time.Duration(left))
		defer cancel()
	}
	return d.DialContext(ctx, "tcp", address)
}

// resolveTime is how long a name's addresses are used.
const resolveTime = 5 * time.Second

// resolver resolves one host name, and remembers the result for a while.
type resolver struct {
	host string

	mu    sync.Mutex
	addrs []netip.Addr // Guarded by mu.
	until time.Time    // Guarded by mu.
}

// lookup returns at least one address, or an error. When the name cannot be
// resolved now, what it was before is better than nothing.
func (r *resolver) lookup(ctx context.Context) ([]netip.Addr, error) {
	r.mu.Lock()
	addrs, fresh := r.addrs, time.Now().Before(r.until)
	r.mu.Unlock()
	if fresh {
		return addrs, nil
	}
	if a, err := netip.ParseAddr(r.host); err == nil {
		r.keep([]netip.Addr{a}, 365*24*time.Hour)
		return []netip.Addr{a}, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", r.host)
	switch {
	case err == nil && len(found) > 0:
		r.keep(found, resolveTime)
		return found, nil
	case len(addrs) > 0:
		return addrs, nil
	case err == nil:
		err = &net.DNSError{Err: "no address", Name: r.host, IsNotFound: true}
	}
	return nil, err
}

func (r *resolver) keep(addrs []netip.Addr, d time.Duration) {
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addrs, r.until = addrs, time.Now().Add(d)
}

// DialError says why a server cannot be reached.
type DialError struct {
	Host, Port string
	Err        error

	cause string
}

func (e *DialError) Error() string {
	return "connect to " + net.JoinHostPort(e.Host, e.Port) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// Reason is what other sites are told: no name, no address.
func (e *DialError) Reason() string { return e.cause }

func reason(err error) string {
	var t *tlsError
	var dns *net.DNSError
	switch {
	case errors.As(err, &t):
		return "TLS handshake failed"
	case errors.As(err, &dns):
		return "name cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return "timed out"
	}
	return "connection failed"
}
