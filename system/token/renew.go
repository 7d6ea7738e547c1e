package token

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
)

// RenewRequest is one renewal.
type RenewRequest struct {
	Secret  *resource.Secret // the credential, with the annotations
	KeyType pki.KeyType      // of the new key

	// Proxy finds the HTTP proxy for a request, as in http.Transport.
	Proxy func(*http.Request) (*url.URL, error)
	Now   time.Time
}

// Renewable reports whether a Secret says where it is renewed.
func Renewable(s *resource.Secret) bool {
	return s != nil && s.Annotations[RenewURL] != "" && s.Annotations[RenewCA] != ""
}

// Renew has the credential of a link renewed with a new key, and returns its
// Secret with both in it. Whom the Secret trusts, and where it is renewed, stay as
// they are: whoever answers, on the network, has no say in that. Errors are *Error.
func Renew(ctx context.Context, r RenewRequest) (*resource.Secret, error) {
	name := r.Secret.Name
	fail := func(advice, format string, args ...any) *Error {
		return &Error{Token: name, Reason: fmt.Sprintf(format, args...), Advice: advice, Final: true}
	}
	u, err := url.Parse(r.Secret.Annotations[RenewURL])
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fail(anotherLink, "%s is not an https URL", RenewURL)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(r.Secret.Annotations[RenewCA])) {
		return nil, fail(anotherLink, "%s holds no certificate", RenewCA)
	}
	old, err := tls.X509KeyPair(r.Secret.Data[resource.TLSCert], r.Secret.Data[resource.TLSKey])
	if err != nil {
		return nil, fail(anotherLink, "%v", err)
	}
	key, request, err := pki.NewRequest(r.KeyType, old.Leaf.Subject.CommonName, rand.Reader)
	if err != nil {
		return nil, fail("", "%v", err)
	}
	proof, err := Prove(old.PrivateKey, old.Leaf.Raw, request)
	if err != nil {
		return nil, fail(anotherLink, "%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(request))
	if err != nil {
		return nil, fail(anotherLink, "%v", err)
	}
	req.Header.Set(headerProof, base64.StdEncoding.EncodeToString(proof))
	client := http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{
				RootCAs: roots, MinVersion: tls.VersionTLS13,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &old, nil },
			},
			Proxy: r.Proxy, DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, notRenewed(unreached(name, u.Host, err))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, notRenewed(unreached(name, u.Host, err))
	}
	if resp.StatusCode != http.StatusOK {
		return nil, notRenewed(refused(name, resp.StatusCode, body))
	}
	return renewed(r, old.Leaf, key, body)
}

// anotherLink is what to do where a credential cannot be renewed.
const anotherLink = "take a new link or token from that site"

// notRenewed is an error of a redemption in the words of a renewal.
func notRenewed(e *Error) *Error {
	switch e.Status {
	case 0:
		if e.Final {
			e.Advice = anotherLink
		}
	case http.StatusTooManyRequests:
		e.Advice = "it is tried again"
	default:
		if e.Status < http.StatusInternalServerError {
			e.Advice = anotherLink
		}
	}
	return e
}

// renewed is the Secret with the certificate of an answer, if that is one for the
// new key and by an authority of the link.
func renewed(r RenewRequest, old *x509.Certificate, key, body []byte) (*resource.Secret, error) {
	fail := func(format string, args ...any) *Error {
		return &Error{Token: r.Secret.Name, Reason: "the answer " + fmt.Sprintf(format, args...), Final: true, Advice: anotherLink}
	}
	set, _, err := resource.Parse([]resource.Input{{Name: "answer of the grant server", Data: bytes.TrimSpace(body)}})
	if err != nil {
		return nil, fail("cannot be read: %v", err)
	}
	secrets := resource.Of[*resource.Secret](set)
	if len(secrets) != 1 || set.Len() != 1 {
		return nil, fail("holds %d objects, %d of them Secrets", set.Len(), len(secrets))
	}
	cert := secrets[0].Data[resource.TLSCert]
	c, err := pki.Load(pki.Pair{Cert: cert, Key: key})
	if err != nil {
		return nil, fail("is no certificate for the new key: %v", err)
	}
	leaf := c.Leaf()
	if !pki.Signed(r.Secret.Data[resource.CACert], leaf) {
		return nil, fail("is a certificate of another authority, %s", leaf.Issuer.CommonName)
	}
	if r.Now.Before(leaf.NotBefore) || !leaf.NotAfter.After(old.NotAfter) {
		e := fail("is a certificate that is valid from %s to %s", leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
		e.Final, e.Advice = false, "is the clock right on both hosts? An authority that ends makes none that lasts longer"
		return nil, e
	}
	s := *r.Secret
	s.Data = maps.Clone(r.Secret.Data)
	s.Data[resource.TLSCert], s.Data[resource.TLSKey] = cert, key
	return &s, nil
}
