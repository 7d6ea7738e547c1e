package token

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// How often somebody may fail.
const (
	guesses       = 10 // failures of one address …
	guessesWithin = time.Minute
	maxGuessers   = 10_000 // addresses remembered
)

// limiter counts failures of those who ask. The zero limiter is ready.
type limiter struct {
	mu       sync.Mutex
	failures map[string]*window // guarded by mu; by address
}

// window counts failures since a moment.
type window struct {
	since time.Time
	count int
}

// caller is the address that a request comes from.
func caller(r *http.Request) string {
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return from
}

// network is whom failures are counted for: an IPv4 address, or the 64 bits of
// an IPv6 address that somebody is given; the rest of it he chooses.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

// limited reports whether an address has failed too often of late.
func (l *limiter) limited(from string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.failures[from]
	if w == nil || now.Sub(w.since) > guessesWithin {
		return false
	}
	return w.count >= guesses
}

// failed counts a failure. When too many addresses fail, the oldest are
// forgotten: they cannot have guessed much.
func (l *limiter) failed(from string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures == nil || len(l.failures) >= maxGuessers {
		old := l.failures
		l.failures = map[string]*window{}
		for a, w := range old {
			if now.Sub(w.since) <= guessesWithin && len(l.failures) < maxGuessers/2 {
				l.failures[a] = w
			}
		}
	}
	w := l.failures[from]
	if w == nil || now.Sub(w.since) > guessesWithin {
		w = &window{since: now}
		l.failures[from] = w
	}
	w.count++
}
