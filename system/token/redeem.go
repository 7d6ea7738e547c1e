package token

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/skupper-host/skupper/system/resource"
)

// Timeout bounds a redemption where the caller sets no shorter one.
const Timeout = 10 * time.Second

// maxAnswer bounds what a server may send, bytes. A Secret and sixteen Links
// stay below 64 KiB.
const maxAnswer = 1 << 20

// Request is one redemption.
type Request struct {
	Token   *resource.AccessToken
	Subject string // who asks: the site id, or the namespace where there is no site
	Cost    int    // of the links; 0: what the token says

	// Proxy finds the HTTP proxy for a request, as in http.Transport.
	Proxy func(*http.Request) (*url.URL, error)
}

// Error is a redemption that failed.
type Error struct {
	Token  string
	Status int    // of the HTTP answer, 0 if there was none
	Reason string // in words
	Advice string
	Final  bool // trying again cannot help
}

func (e *Error) Error() string { return "token " + e.Token + ": " + e.Reason }

// Hint says what to do, or "".
func (e *Error) Hint() string { return e.Advice }

// Redeem exchanges a token for a Secret and the Links that use it. Errors are
// *Error.
//
// compat: POST of the code, headers name and subject, trust in spec.ca only,
// TLS 1.3, no redirects; the answer is a stream of documents, the Secret first.
func Redeem(ctx context.Context, r Request) ([]resource.Object, error) {
	t := r.Token
	fail := func(format string, args ...any) *Error {
		return &Error{Token: t.Name, Reason: fmt.Sprintf(format, args...), Final: true}
	}
	u, err := url.Parse(t.Spec.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fail("its URL is not an https URL")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(t.Spec.CA)) {
		return nil, fail("it has no authority to trust (spec.ca)")
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(t.Spec.Code))
	if err != nil {
		return nil, fail("%v", err)
	}
	req.Header.Set("name", t.Name)
	req.Header.Set("subject", r.Subject)
	client := http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, Proxy: r.Proxy, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, unreached(t.Name, u.Host, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, unreached(t.Name, u.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refused(t.Name, resp.StatusCode, body)
	}
	return links(t, body, r.Cost)
}

// links reads the answer.
func links(t *resource.AccessToken, body []byte, cost int) ([]resource.Object, error) {
	set, _, err := resource.Parse([]resource.Input{{Name: "answer of the grant server", Data: bytes.TrimSpace(body)}})
	if err != nil {
		return nil, &Error{Token: t.Name, Reason: "the answer cannot be read: " + err.Error(), Final: true}
	}
	secrets, list := resource.Of[*resource.Secret](set), resource.Of[*resource.Link](set)
	if len(secrets) != 1 || len(list) == 0 {
		return nil, &Error{Token: t.Name, Reason: fmt.Sprintf("the answer holds %d Secrets and %d Links", len(secrets), len(list)), Final: true}
	}
	// A server that answers with other names would replace what is not its own.
	for o := range set.All() {
		if l, ok := o.(*resource.Link); !ofToken(t.Name, o) || ok && l.Spec.TLSCredentials != t.Name {
			return nil, &Error{Token: t.Name, Reason: fmt.Sprintf("the answer holds %s, which was not asked for", o.Ref()), Final: true}
		}
	}
	if cost == 0 {
		cost = t.Spec.LinkCost
	}
	objects := []resource.Object{secrets[0]}
	for _, l := range list {
		if cost > 0 {
			l.Spec.Cost = cost
		}
		objects = append(objects, l)
	}
	return objects, nil
}

// ofToken reports whether an object is one that a token of that name is
// exchanged for: its Secret, its Link or, of several, Link <name>-<number>.
func ofToken(name string, o resource.Object) bool {
	rest, ok := strings.CutPrefix(o.Head().Name, name)
	switch o.(type) {
	case *resource.Secret:
		return ok && rest == ""
	case *resource.Link:
		return ok && (rest == "" || len(rest) > 1 && rest[0] == '-' && strings.Trim(rest[1:], "0123456789") == "")
	}
	return false
}

// refused explains an answer other than 200.
func refused(name string, status int, body []byte) *Error {
	text := strings.TrimSpace(string(body[:min(len(body), 200)]))
	e := &Error{Token: name, Status: status, Final: status < 500, Reason: fmt.Sprintf("the grant server answers %d: %s", status, text)}
	switch status {
	case http.StatusNotFound:
		e.Advice = "the token is expired or used up: issue another one"
	case http.StatusForbidden:
		e.Advice = "the code is wrong: take the token file as it was issued"
	case http.StatusTooManyRequests:
		e.Final = false
		e.Advice = "wait a minute and try again"
	}
	return e
}

// unreached explains why there was no answer.
func unreached(name, host string, err error) *Error {
	e := &Error{Token: name, Reason: fmt.Sprintf("%s: %v", host, innermost(err))}
	var dns *net.DNSError
	var hostname x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &dns):
		e.Advice = "the name cannot be resolved here; issue a token with a host that can be (--host)"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Advice = "nothing listens there: does the agent of the other site run, and the grant still live?"
	case errors.Is(err, context.DeadlineExceeded):
		e.Advice = "no answer: is the port open in the firewall?"
	case errors.As(err, &hostname):
		e.Final, e.Advice = true, "the server's certificate is for another name; issue a token with that host (--host)"
	case errors.As(err, &authority):
		e.Final, e.Advice = true, "the server is not the one that issued the token, or its authority was replaced"
	case errors.As(err, &invalid):
		e.Advice = "is the clock right on both hosts?"
	case strings.Contains(err.Error(), "protocol version not supported"): // the alert has no type of its own
		e.Final, e.Reason, e.Advice = true, host+": it does not speak TLS 1.3", "is that a grant server of Skupper 2?"
	}
	return e
}

// innermost drops the layers that repeat method and URL.
func innermost(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
