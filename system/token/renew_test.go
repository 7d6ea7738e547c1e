package token

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
)

// office renews what is signed by its authority.
type office struct {
	by    *pki.Authority
	life  time.Duration
	asked []Renewal
	err   error                         // what it answers instead
	spoil func(*resource.Secret) []byte // how it spoils an answer, nil: not at all
}

func (o *office) Renew(_ context.Context, r Renewal) ([]byte, error) {
	o.asked = append(o.asked, r)
	if o.err != nil {
		return nil, o.err
	}
	key, err := pki.ParseRequest(r.Request)
	if err != nil {
		return nil, ErrBadRequest
	}
	shown, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return nil, err
	}
	pair, err := pki.IssueFor(pki.Want{Subject: shown.Subject.CommonName, Validity: o.life}, key, o.by, time.Now(), rand.Reader)
	if err != nil {
		return nil, err
	}
	s := &resource.Secret{
		Meta: resource.Meta{Name: "east"}, Type: resource.SecretTypeTLS,
		Data: map[string][]byte{resource.CACert: []byte("another"), resource.TLSCert: pair.Cert},
	}
	if o.spoil != nil {
		return o.spoil(s), nil
	}
	return resource.EncodeYAML(s), nil
}

func authorityOf(t testing.TB, name string) (*pki.Authority, pki.Pair) {
	t.Helper()
	p, err := pki.Issue(pki.Want{Authority: true, Subject: name, Validity: 1000 * time.Hour}, nil, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by, err := pki.ParseAuthority(p)
	if err != nil {
		t.Fatal(err)
	}
	return by, p
}

// linked is an office and the credential of a link that it renews.
func linked(t *testing.T) (*office, *resource.Secret) {
	t.Helper()
	by, _ := authorityOf(t, "skupper-site-ca")
	o := &office{by: by, life: 100 * time.Hour}
	s := httptest.NewUnstartedServer(Route(
		&RenewHandler{&RenewGuard{Renewer: o, Log: slog.New(slog.DiscardHandler), Now: time.Now}},
		http.NotFoundHandler(),
	))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	pair, err := pki.Issue(pki.Want{Subject: "site-east", Validity: 10 * time.Hour}, by, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return o, &resource.Secret{
		Meta: resource.Meta{Name: "west", Annotations: map[string]string{
			RenewURL: s.URL + RenewPath, RenewCA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})), "mine": "stays",
		}},
		Type: resource.SecretTypeTLS,
		Data: map[string][]byte{resource.CACert: pair.CA, resource.TLSCert: pair.Cert, resource.TLSKey: pair.Key},
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	o, old := linked(t)
	before := bytes.Clone(old.Data[resource.TLSKey])
	if !Renewable(old) || Renewable(nil) || Renewable(&resource.Secret{}) {
		t.Error("what is renewable is not known")
	}
	s, err := Renew(t.Context(), RenewRequest{Secret: old, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	info, err := pki.Describe(s.Data[resource.TLSCert])
	if err != nil || info.Subject != "site-east" || time.Until(info.NotAfter) < 99*time.Hour {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := tls.X509KeyPair(s.Data[resource.TLSCert], s.Data[resource.TLSKey]); err != nil || bytes.Equal(s.Data[resource.TLSKey], before) {
		t.Errorf("the key is not a new one: %v", err)
	}
	if s.Name != "west" || s.Annotations["mine"] != "stays" || !Renewable(s) || !bytes.Equal(s.Data[resource.CACert], old.Data[resource.CACert]) {
		t.Errorf("what is not the certificate has changed: %+v", s.Meta)
	}
	if !bytes.Equal(old.Data[resource.TLSKey], before) {
		t.Error("the old Secret has changed")
	}
	if leaf, err := x509.ParseCertificate(o.asked[0].Certificate); err != nil || !o.asked[0].Proven(leaf) {
		t.Errorf("it is not proven who asks: %v", err)
	}
	if r := o.asked[0]; r.From != "127.0.0.1" || r.SameKey || !bytes.Contains(r.Request, []byte("CERTIFICATE REQUEST")) {
		t.Errorf("asked %+v", r)
	}
	// One that has expired is shown all the same.
	ended, err := pki.Issue(pki.Want{Subject: "site-east", Validity: time.Minute}, o.by, time.Now().Add(-time.Minute), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old.Data[resource.TLSCert], old.Data[resource.TLSKey] = ended.Cert, ended.Key
	if _, err := Renew(t.Context(), RenewRequest{Secret: old, Now: time.Now()}); err != nil {
		t.Errorf("expired: %v", err)
	}
}

func TestRenewalsThatFail(t *testing.T) {
	t.Parallel()
	other, _ := authorityOf(t, "skupper-site-ca")
	for _, row := range []struct {
		name   string
		change func(*office, *resource.Secret)
		want   string
		advice string
		final  bool
	}{
		{"revoked", func(o *office, _ *resource.Secret) { o.err = ErrRevoked }, "403: This certificate was revoked", anotherLink, true},
		{"not renewed there", func(o *office, _ *resource.Secret) { o.err = ErrNoRenewal }, "404: Certificates of links are not renewed here", anotherLink, true},
		{"too often", func(o *office, _ *resource.Secret) { o.err = ErrTooOften }, "429", "it is tried again", false},
		{"not stored", func(o *office, _ *resource.Secret) { o.err = ErrNotStored }, "503", "", false},
		{"broken", func(o *office, _ *resource.Secret) { o.err = errors.New("no authority") }, "500: The certificate cannot be made", "", false},
		{"not https", func(_ *office, s *resource.Secret) { s.Annotations[RenewURL] = "http://localhost/renew" }, "not an https URL", anotherLink, true},
		{"no authority", func(_ *office, s *resource.Secret) { s.Annotations[RenewCA] = "x" }, "holds no certificate", anotherLink, true},
		{"another server", func(_ *office, s *resource.Secret) { s.Annotations[RenewCA] = otherCA }, "unknown authority", anotherLink, true},
		{"nobody there", func(_ *office, s *resource.Secret) { s.Annotations[RenewURL] = "https://127.0.0.1:1/renew" }, "refused", "does the agent of the other site run", false},
		{"no key", func(_ *office, s *resource.Secret) { s.Data[resource.TLSKey] = nil }, "PEM", anotherLink, true},
		{"another authority signs", func(o *office, _ *resource.Secret) { o.by = other }, "another authority", anotherLink, true},
		{"no longer", func(o *office, _ *resource.Secret) { o.life = time.Hour }, "valid from", "clock", false},
		{"nothing", func(o *office, _ *resource.Secret) { o.spoil = func(*resource.Secret) []byte { return nil } }, "holds 0 objects", anotherLink, true},
		{"no YAML", func(o *office, _ *resource.Secret) { o.spoil = func(*resource.Secret) []byte { return []byte("{") } }, "cannot be read", anotherLink, true},
		{"the old certificate", func(o *office, s *resource.Secret) {
			o.spoil = func(answer *resource.Secret) []byte {
				answer.Data[resource.TLSCert] = s.Data[resource.TLSCert]
				return resource.EncodeYAML(answer)
			}
		}, "no certificate for the new key", anotherLink, true},
		{"a link as well", func(o *office, _ *resource.Secret) {
			o.spoil = func(s *resource.Secret) []byte {
				return append(resource.EncodeYAML(s), []byte("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")...)
			}
		}, "holds 2 objects", anotherLink, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o, s := linked(t)
			row.change(o, s)
			_, err := Renew(t.Context(), RenewRequest{Secret: s, Now: time.Now()})
			var e *Error
			if !errors.As(err, &e) || e.Final != row.final || !strings.Contains(e.Error(), row.want) || !strings.Contains(e.Hint(), row.advice) {
				t.Errorf("%v (%+v)", err, e)
			}
		})
	}
}

func TestRenewHandler(t *testing.T) {
	t.Parallel()
	by, _ := authorityOf(t, "ca")
	pair, err := pki.Issue(pki.Want{Subject: "east", Validity: time.Hour}, by, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pki.Certificates(pair.Cert)
	if err != nil {
		t.Fatal(err)
	}
	_, request, err := pki.NewRequest("", "x", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	shown := &tls.ConnectionState{PeerCertificates: list}
	now := time.Unix(1000, 0)
	for _, row := range []struct {
		name, method, body string
		state              *tls.ConnectionState
		err                error
		want               int
		text               string
	}{
		{"renewed", "POST", string(request), shown, nil, 200, "kind: Secret"},
		{"GET", "GET", "", shown, nil, 405, "Only POST"},
		{"no TLS", "POST", string(request), nil, nil, 403, "certificate of the link is needed"},
		{"no certificate", "POST", string(request), &tls.ConnectionState{}, nil, 403, "certificate of the link is needed"},
		{"long", "POST", strings.Repeat("x", maxRequest+1), shown, nil, 400, "cannot be read"},
		{"no request", "POST", "hello", shown, nil, 400, "PKCS #10"},
		{"unknown", "POST", string(request), shown, ErrUnknown, 403, "not handed out here, or too long ago, or by an authority that was replaced"},
		{"revoked", "POST", string(request), shown, ErrRevoked, 403, "revoked"},
		{"expired", "POST", string(request), shown, ErrExpired, 403, "too long ago"},
		{"disabled", "POST", string(request), shown, ErrNoRenewal, 404, "not renewed here"},
		{"too often", "POST", string(request), shown, ErrTooOften, 429, "too often"},
		{"same key", "POST", string(request), shown, ErrSameKey, 400, "old one"},
		{"broken", "POST", string(request), shown, errors.New("secret of ours"), 500, "cannot be made"},
	} {
		h := &RenewHandler{&RenewGuard{Renewer: &office{by: by, life: time.Hour, err: row.err}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}}
		r := httptest.NewRequestWithContext(t.Context(), row.method, RenewPath, strings.NewReader(row.body))
		r.TLS = row.state
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != row.want || !strings.Contains(w.Body.String(), row.text) || strings.Contains(w.Body.String(), "secret of ours") {
			t.Errorf("%s: %d %s", row.name, w.Code, w.Body)
		}
	}
	// Whoever fails too often is not heard for a minute.
	o := &office{by: by, life: time.Hour, err: ErrUnknown}
	h := &RenewHandler{&RenewGuard{Renewer: o, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}}
	post := func(key string) int {
		r := httptest.NewRequestWithContext(t.Context(), "POST", RenewPath, bytes.NewReader(request))
		r.TLS = shown
		r.Header.Set("key", key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for range guesses {
		if got := post(""); got != 403 {
			t.Fatalf("status %d", got)
		}
	}
	o.err = nil
	if got := post(""); got != 429 || len(o.asked) != guesses {
		t.Errorf("status %d, %d asked", got, len(o.asked))
	}
	now = now.Add(guessesWithin + time.Second)
	if got := post(sameKey); got != 200 || !o.asked[guesses].SameKey {
		t.Errorf("status %d a minute later", got)
	}
}

// FuzzRenewal sends anything to the server, with the certificate of a link.
func FuzzRenewal(f *testing.F) {
	by, _ := authorityOf(f, "ca")
	pair, err := pki.Issue(pki.Want{Subject: "east", Validity: time.Hour}, by, time.Now(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	list, err := pki.Certificates(pair.Cert)
	if err != nil {
		f.Fatal(err)
	}
	_, request, err := pki.NewRequest("", "x", rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("POST", "same", request)
	f.Add("PUT", "", []byte("x"))
	f.Fuzz(func(t *testing.T, method, key string, body []byte) {
		h := &RenewHandler{&RenewGuard{Renewer: &office{by: by, life: time.Hour}, Log: slog.New(slog.DiscardHandler), Now: time.Now}}
		r := httptest.NewRequestWithContext(t.Context(), "POST", RenewPath, bytes.NewReader(body))
		r.Method, r.TLS = method, &tls.ConnectionState{PeerCertificates: list}
		r.Header.Set("key", key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if _, err := pki.ParseRequest(body); (w.Code == 200) != (err == nil && method == "POST" && len(body) <= maxRequest) {
			t.Errorf("status %d for %s, %v", w.Code, method, err)
		}
	})
}
