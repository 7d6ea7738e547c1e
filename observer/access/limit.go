package access

import (
	"net/netip"
	"sync"
	"time"
)

const (
	attempts     = 6                // that fail in a row before an address waits
	attemptEvery = 10 * time.Second // one more is granted
	maxAddresses = 4096             // that are remembered
)

// limiter counts what fails, by address.
type limiter struct {
	mu   sync.Mutex
	from map[netip.Prefix]bucket // guarded by mu
}

// bucket holds attempts as the moment from which on it is full: each costs
// attemptEvery.
type bucket time.Time

// take uses one attempt of an address. If there is none, wait is how long it
// takes until there is.
func (l *limiter) take(a netip.Prefix, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := l.full(a, now).Add(attemptEvery)
	if wait := full.Sub(now) - attempts*attemptEvery; wait > 0 {
		return wait
	}
	if _, known := l.from[a]; !known && len(l.from) >= maxAddresses {
		l.forget()
	}
	l.from[a] = bucket(full)
	return 0
}

// give returns the attempt that succeeded.
func (l *limiter) give(a netip.Prefix, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from[a] = bucket(l.full(a, now).Add(-attemptEvery))
}

// full is the moment from which on the address has all its attempts, now or
// later. mu is held.
func (l *limiter) full(a netip.Prefix, now time.Time) time.Time {
	if at := time.Time(l.from[a]); at.After(now) {
		return at
	}
	return now
}

// forget makes room: the address that is nearest to having all its attempts,
// of some. mu is held.
func (l *limiter) forget() {
	var nearest netip.Prefix
	looked := 0
	for a, b := range l.from { // begins anywhere
		if looked == 0 || time.Time(b).Before(time.Time(l.from[nearest])) {
			nearest = a
		}
		if looked++; looked == 32 {
			break
		}
	}
	delete(l.from, nearest)
}

// origin is who counts as one: an address of IPv4, a network of IPv6.
func origin(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{} // a Unix socket: all are one
	}
	addr, bits := at.Addr().Unmap().WithZone(""), 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
