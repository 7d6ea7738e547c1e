package token

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
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

// RefusalOf is what is answered where a Grantor fails with an error. Of one that
// is no Refusal strangers are told nothing.
func RefusalOf(err error) *Refusal {
	refusal := &Refusal{http.StatusInternalServerError, "The link cannot be made"}
	errors.As(err, &refusal)
	return refusal
}

// Claim is what somebody asks with.
type Claim struct {
	From    string // the address that asks
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
	maxCode     = 4 << 10          // bytes of a request's body
	maxHeader   = 16 << 10         // bytes of its header
	requestTime = 10 * time.Second // until it is read
	// AnswerTime is how long a request may take altogether.
	AnswerTime = 20 * time.Second
)

// NewServer is the HTTP server of what strangers ask, with the certificate that is
// asked for at each handshake.
func NewServer(h http.Handler, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *http.Server {
	return &http.Server{
		Handler: h, ReadTimeout: requestTime, WriteTimeout: AnswerTime, MaxHeaderBytes: maxHeader,
		// Whoever renews shows a certificate, which may have expired; whoever
		// redeems has none.
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: certificate, ClientAuth: tls.RequestClientCert},
	}
}

// Handler makes claims of requests.
type Handler struct{ Grantor Grantor }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "Only POST is supported", http.StatusMethodNotAllowed)
		return
	}
	code, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCode))
	if err != nil {
		http.Error(w, "The request cannot be read", http.StatusBadRequest)
		return
	}
	claim := Claim{
		From: caller(r), Grant: strings.ReplaceAll(r.URL.Path, "/", ""), Code: string(code), Name: r.Header.Get("name"), Subject: r.Header.Get("subject"),
	}
	if namespace, name, ok := strings.Cut(strings.Trim(r.URL.Path, "/"), "/"); ok {
		claim.Key = GrantKey{namespace, name}
	}
	documents, err := h.Grantor.Redeem(r.Context(), claim)
	if err != nil {
		refusal := RefusalOf(err)
		http.Error(w, refusal.Text, refusal.Status)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(documents) // the redemption is counted whether or not it arrives
}

// SameCode compares two codes in constant time.
func SameCode(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
