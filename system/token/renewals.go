package token

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/skupper-host/skupper/system/pki"
)

// RenewPath is where the credential of a link is renewed, below the base of the
// URLs of grants.
const RenewPath = "/renew"

// The annotations of a Secret that a token was exchanged for, by which its holder
// finds the way to RenewPath: the URL, and the authority of the server in PEM.
// Whoever does not know them leaves them alone.
const (
	RenewURL = "skupper-agent/renew-url"
	RenewCA  = "skupper-agent/renew-ca"
)

// headerKey is the header by which somebody says that he means to keep his key;
// sameKey is its value. headerProof is the one with the Proof, in base64.
const (
	headerKey   = "key"
	sameKey     = "same"
	headerProof = "proof"
)

// Bounds of a renewal, bytes.
const (
	maxRequest = 8 << 10  // of a PKCS #10 request in PEM: one for an RSA key of 8192 bits has 3 KiB
	maxShown   = 16 << 10 // of the certificate that is shown
)

// renewalLabel begins what is signed, so that it is nothing that a key signs
// elsewhere.
const renewalLabel = "skupper link renewal\x00"

// The refusals of a Renewer.
var (
	ErrNoCertificate = &Refusal{http.StatusForbidden, "The certificate of the link is needed"}
	ErrNotHolder     = &Refusal{http.StatusForbidden, "The request is not signed with the key of the certificate"}
	ErrUnknown       = &Refusal{http.StatusForbidden, "This certificate was not handed out here, or too long ago, or by an authority that was replaced"}
	ErrRevoked       = &Refusal{http.StatusForbidden, "This certificate was revoked"}
	ErrExpired       = &Refusal{http.StatusForbidden, "This certificate expired too long ago"}
	ErrNoRenewal     = &Refusal{http.StatusNotFound, "Certificates of links are not renewed here"}
	ErrTooMany       = &Refusal{http.StatusTooManyRequests, "Too many attempts"}
	ErrTooOften      = &Refusal{http.StatusTooManyRequests, "This certificate was renewed too often of late"}
	ErrSameKey       = &Refusal{http.StatusBadRequest, "The key is the old one"}
	errNotMade       = &Refusal{http.StatusInternalServerError, "The certificate cannot be made"}
	ErrBadRequest    = &Refusal{http.StatusBadRequest, "Not a PKCS #10 request for a key that TLS can use"}
)

// Renewal is what somebody asks for who wants the credential of his link renewed.
type Renewal struct {
	From string // the address that asks

	Certificate []byte // what he has shown, DER; nothing about it is certain
	Request     []byte // PKCS #10, PEM; not looked at
	SameKey     bool   // he means to keep his key

	// Proof is a signature over the certificate and the request with the key of the
	// certificate. Somebody who has seen it can ask for the same once more, which is
	// a certificate for a key that he has not.
	Proof []byte
}

// signed is what the Proof is a signature of. The certificate says itself where it
// ends.
func signed(certificate, request []byte) []byte {
	return slices.Concat([]byte(renewalLabel), certificate, request)
}

// Prove makes the Proof of a request, with the key of the certificate (DER) that is
// shown. The error is of the key.
func Prove(key crypto.PrivateKey, certificate, request []byte) ([]byte, error) {
	return pki.Sign(key, signed(certificate, request), rand.Reader)
}

// Proven reports whether whoever made the request has the key of the certificate
// that is shown. It costs what the size of the key says: the certificate should be
// known before.
func (r Renewal) Proven(shown *x509.Certificate) bool {
	return pki.Verify(shown, signed(r.Certificate, r.Request), r.Proof) == nil
}

// Renewer answers renewals: with a Secret that has no key. The error is a
// *Refusal, or a failure.
type Renewer interface {
	Renew(ctx context.Context, r Renewal) (document []byte, err error)
}

// RenewHandler makes renewals of what is asked of RenewPath, and decides nothing.
// The server in front of it has asked for a certificate (tls.RequestClientCert),
// which may have expired.
type RenewHandler struct{ Renewer Renewer }

// ServeHTTP implements http.Handler.
func (h *RenewHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "Only POST is supported", http.StatusMethodNotAllowed)
		return
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, ErrNoCertificate.Text, ErrNoCertificate.Status)
		return
	}
	shown := r.TLS.PeerCertificates[0].Raw
	proof, err := base64.StdEncoding.DecodeString(r.Header.Get(headerProof))
	if err != nil || len(shown) > maxShown {
		http.Error(w, ErrNotHolder.Text, ErrNotHolder.Status)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "The request cannot be read", http.StatusBadRequest)
		return
	}
	document, err := h.Renewer.Renew(r.Context(), Renewal{
		From: caller(r), Certificate: shown, Request: body, SameKey: r.Header.Get(headerKey) == sameKey, Proof: proof,
	})
	if err != nil {
		refusal := RefusalOf(err)
		http.Error(w, refusal.Text, refusal.Status)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(document) // who does not get it asks again
}

// RenewGuard stands before a Renewer: it refuses who fails too often, and logs the
// others.
type RenewGuard struct {
	Renewer Renewer
	Log     *slog.Logger
	Now     func() time.Time

	limiter limiter
}

// Renew implements Renewer.
func (g *RenewGuard) Renew(ctx context.Context, r Renewal) ([]byte, error) {
	whose := network(r.From)
	if g.limiter.limited(whose, g.Now()) {
		return nil, ErrTooMany
	}
	document, err := g.Renewer.Renew(ctx, r)
	g.Log.Info("renewal", "peer", r.From, "err", err)
	if err == nil {
		return document, nil
	}
	g.limiter.failed(whose, g.Now())
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		return nil, refusal
	}
	return nil, errNotMade // strangers are told nothing of why
}

// Route sends what is asked of RenewPath to one handler, and everything else to
// another.
func Route(renewals, claims http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == RenewPath {
			renewals.ServeHTTP(w, r)
			return
		}
		claims.ServeHTTP(w, r)
	})
}
