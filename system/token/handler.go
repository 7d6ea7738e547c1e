package token

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Refusal is an answer other than 200.
type Refusal struct {
	Status int
	Text   string
}

func (r *Refusal) Error() string { return r.Text }

// The refusals of a Grantor.
//
// compat: status and text are upstream's.
var (
	ErrNoGrant   = &Refusal{http.StatusNotFound, "No such claim"} // or it is expired
	ErrUsedUp    = &Refusal{http.StatusNotFound, "No such access granted"}
	ErrWrongCode = &Refusal{http.StatusForbidden, "Redemption of access token refused"}
	ErrNotStored = &Refusal{http.StatusServiceUnavailable, "The redemption could not be recorded"}
)

// Claim is what somebody asks with.
type Claim struct {
	Grant   string // its key: the uid
	Code    string
	Name    string // of the Link; "" takes the grant's
	Subject string // of the certificate; "" takes Name

	// Key names the grant in another way, where that is allowed.
	Key GrantKey
}

// GrantKey is the namespace of a grant and its name there.
type GrantKey struct{ Namespace, Name string }

// Grantor answers claims. The error is a *Refusal, or a failure.
type Grantor interface {
	Redeem(ctx context.Context, c Claim) (documents []byte, err error)
}

// Limits of the server.
const (
	maxCode       = 4 << 10 // bytes of a request body
	maxWord       = 253     // bytes of a name: a DNS name, or anything shorter
	guesses       = 10      // failures of one address …
	guessesWithin = time.Minute
	maxGuessers   = 10_000 // addresses remembered
)

// Handler serves the protocol.
type Handler struct {
	Grantor Grantor
	Log     *slog.Logger
	Now     func() time.Time

	// ByKey allows /<namespace>/<name> as the path of a grant, beside its uid.
	ByKey bool

	mu       sync.Mutex
	failures map[string]*window // guarded by mu; by address
}

// window counts failures since a moment.
type window struct {
	since time.Time
	count int
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "Only POST is supported", http.StatusMethodNotAllowed)
		return
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	whose := network(from)
	if h.limited(whose) {
		http.Error(w, "Too many attempts", http.StatusTooManyRequests)
		return
	}
	code, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCode))
	if err != nil {
		http.Error(w, "The request cannot be read", http.StatusBadRequest)
		return
	}
	claim := Claim{Grant: strings.ReplaceAll(r.URL.Path, "/", ""), Code: string(code), Name: r.Header.Get("name"), Subject: r.Header.Get("subject")}
	if max(len(claim.Grant)/2, len(claim.Name), len(claim.Subject)) > maxWord {
		h.failed(whose)
		http.Error(w, "A name is too long", http.StatusBadRequest)
		return
	}
	if namespace, name, ok := strings.Cut(strings.Trim(r.URL.Path, "/"), "/"); ok && h.ByKey {
		claim.Key = GrantKey{namespace, name}
	}
	documents, err := h.Grantor.Redeem(r.Context(), claim)
	h.Log.Info("redemption", "peer", from, "grant", claim.Grant, "subject", claim.Subject, "err", err)
	if err != nil {
		h.failed(whose)
		refusal := &Refusal{http.StatusInternalServerError, "The link cannot be made"}
		errors.As(err, &refusal)
		http.Error(w, refusal.Text, refusal.Status)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(documents) // the redemption is counted whether or not it arrives
}

// SameCode compares two codes in constant time.
func SameCode(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

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
func (h *Handler) limited(from string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.failures[from]
	if w == nil || h.Now().Sub(w.since) > guessesWithin {
		return false
	}
	return w.count >= guesses
}

// failed counts a failure. When too many addresses fail, the oldest are
// forgotten: they cannot have guessed much.
func (h *Handler) failed(from string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Now()
	if h.failures == nil || len(h.failures) >= maxGuessers {
		old := h.failures
		h.failures = map[string]*window{}
		for a, w := range old {
			if now.Sub(w.since) <= guessesWithin && len(h.failures) < maxGuessers/2 {
				h.failures[a] = w
			}
		}
	}
	w := h.failures[from]
	if w == nil || now.Sub(w.since) > guessesWithin {
		w = &window{since: now}
		h.failures[from] = w
	}
	w.count++
}
