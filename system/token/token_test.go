package token

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/resource"
)

// grants answers every claim for one key and code.
type grants struct{ asked []Claim }

const answer = `---
apiVersion: v1
kind: Secret
metadata: {name: east}
data: {ca.crt: eA==, tls.crt: eA==, tls.key: eA==}
---
apiVersion: skupper.io/v2alpha1
kind: Link
metadata: {name: east}
spec: {endpoints: [{name: inter-router, host: west, port: "55671"}], tlsCredentials: east}
`

func (g *grants) Redeem(_ context.Context, c Claim) ([]byte, error) {
	g.asked = append(g.asked, c)
	switch {
	case c.Grant != "uid-1":
		return nil, ErrNoGrant
	case !SameCode(c.Code, "open sesame"):
		return nil, ErrWrongCode
	case c.Subject == "disk":
		return nil, ErrNotStored
	case c.Subject == "broken":
		return nil, errors.New("no authority")
	}
	return []byte(answer), nil
}

// guarded is a grantor behind a guard.
func guarded(g Grantor, now func() time.Time) *Guard {
	return &Guard{Grantor: g, Log: slog.New(slog.DiscardHandler), Now: now}
}

// serve runs a grant server and returns a token for it.
func serve(t *testing.T, g Grantor, now func() time.Time) *resource.AccessToken {
	t.Helper()
	s := httptest.NewUnstartedServer(&Handler{Grantor: guarded(g, now)})
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	s.StartTLS()
	t.Cleanup(s.Close)
	tok := &resource.AccessToken{Meta: resource.Meta{Name: "east"}}
	tok.Spec.URL, tok.Spec.Code = s.URL+"/uid-1", "open sesame"
	tok.Spec.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return tok
}

func TestRedeem(t *testing.T) {
	t.Parallel()
	g := &grants{}
	tok := serve(t, g, time.Now)
	tok.Spec.LinkCost = 3
	objects, err := Redeem(t.Context(), Request{Token: tok, Subject: "site-id"})
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 2 || objects[0].Ref().Kind != resource.KindSecret {
		t.Fatalf("objects %v", objects)
	}
	if l, ok := objects[1].(*resource.Link); !ok || l.Spec.Cost != 3 {
		t.Errorf("link %+v", objects[1])
	}
	if want := (Claim{From: "127.0.0.1", Grant: "uid-1", Code: "open sesame", Name: "east", Subject: "site-id"}); g.asked[0] != want {
		t.Errorf("asked %+v, want %+v", g.asked[0], want)
	}
	if objects, err = Redeem(t.Context(), Request{Token: tok, Cost: 7}); err != nil || objects[1].(*resource.Link).Spec.Cost != 7 {
		t.Errorf("the cost of the request does not win: %v", err)
	}
}

// TestAnswerForAnotherName has a server that is not to be trusted answer with
// what would replace something else.
func TestAnswerForAnotherName(t *testing.T) {
	t.Parallel()
	tok := &resource.AccessToken{Meta: resource.Meta{Name: "east"}}
	if _, err := links(tok, []byte(answer), 0); err != nil {
		t.Fatal(err)
	}
	numbered := strings.ReplaceAll(answer, "Link\nmetadata: {name: east}", "Link\nmetadata: {name: east-2}")
	if _, err := links(tok, []byte(numbered), 0); err != nil {
		t.Error(err)
	}
	for _, other := range []string{
		strings.Replace(answer, "name: east", "name: skupper-site-ca", 1),
		strings.Replace(numbered, "name: east-2", "name: east-west", 1),
		strings.Replace(numbered, "name: east-2", "name: easter", 1),
		strings.Replace(answer, "tlsCredentials: east", "tlsCredentials: other", 1),
		answer + "---\napiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: east}\nspec: {routingKey: a, host: 0.0.0.0, port: 1}\n",
	} {
		var e *Error
		if _, err := links(tok, []byte(other), 0); !errors.As(err, &e) || !e.Final || !strings.Contains(e.Reason, "not asked for") {
			t.Errorf("%v for:\n%s", err, other)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*Request)
		want   string
		status int
		final  bool
	}{
		{"unknown grant", func(r *Request) { r.Token.Spec.URL += "x" }, "No such claim", 404, true},
		{"wrong code", func(r *Request) { r.Token.Spec.Code = "guess" }, "refused", 403, true},
		{"not stored", func(r *Request) { r.Subject = "disk" }, "recorded", 503, false},
		{"broken", func(r *Request) { r.Subject = "broken" }, "cannot be made", 500, false},
		{"no authority", func(r *Request) { r.Token.Spec.CA = "" }, "no authority to trust", 0, true},
		{"plain http", func(r *Request) { r.Token.Spec.URL = "http://localhost/uid-1" }, "not an https URL", 0, true},
		{"another authority", func(r *Request) { r.Token.Spec.CA = otherCA }, "unknown authority", 0, true},
		{"another name", func(r *Request) { r.Token.Spec.URL = strings.Replace(r.Token.Spec.URL, "127.0.0.1", "localhost", 1) }, "localhost", 0, true},
		{"nobody there", func(r *Request) { r.Token.Spec.URL = "https://127.0.0.1:1/uid-1" }, "refused", 0, false},
		{"no such host", func(r *Request) { r.Token.Spec.URL = "https://nosuch.invalid/uid-1" }, "nosuch.invalid", 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := Request{Token: serve(t, &grants{}, time.Now)}
			row.change(&r)
			_, err := Redeem(t.Context(), r)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Status != row.status || e.Final != row.final || !strings.Contains(e.Error(), row.want) {
				t.Errorf("got %q status %d final %v; want %q %d %v", e, e.Status, e.Final, row.want, row.status, row.final)
			}
			if strings.Contains(e.Error(), r.Token.Spec.Code) && r.Token.Spec.Code != "" {
				t.Error("the error tells the code")
			}
		})
	}
}

func TestGuessingIsLimited(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	guard := guarded(&grants{}, func() time.Time { return now })
	post := func(from, code string, names ...string) int {
		// The process that has the handler may be another one each time.
		h := &Handler{Grantor: guard}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/uid-1", strings.NewReader(code))
		r.RemoteAddr = from
		for _, name := range names {
			r.Header.Set(name, strings.Repeat("x", maxWord+1))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for range guesses {
		if got := post("192.0.2.1:5", "guess"); got != http.StatusForbidden {
			t.Fatalf("status %d", got)
		}
	}
	for i := range guesses {
		post(fmt.Sprintf("[2001:db8::%x]:5", i+1), "guess")
	}
	if got := post("[2001:db8::ffff]:5", "open sesame"); got != http.StatusTooManyRequests {
		t.Errorf("status %d after too many guesses of one network", got)
	}
	if got := post("[2001:db8:0:1::1]:5", "open sesame"); got != http.StatusOK {
		t.Errorf("status %d for another network", got)
	}
	if got := post("192.0.2.1:6", "open sesame"); got != http.StatusTooManyRequests {
		t.Errorf("status %d after too many guesses", got)
	}
	if got := post("192.0.2.2:6", "open sesame"); got != http.StatusOK {
		t.Errorf("status %d for somebody else", got)
	}
	now = now.Add(guessesWithin + time.Second)
	if got := post("192.0.2.1:6", "open sesame"); got != http.StatusOK {
		t.Errorf("status %d a minute later", got)
	}
	if got := post("192.0.2.3:1", strings.Repeat("x", maxCode+1)); got != http.StatusBadRequest {
		t.Errorf("status %d for a huge body", got)
	}
	for i := range guesses {
		if got := post("192.0.2.4:1", "open sesame", []string{"name", "subject"}[i%2]); got != http.StatusBadRequest {
			t.Errorf("status %d for a long name", got)
		}
	}
	if got := post("192.0.2.4:1", "open sesame"); got != http.StatusTooManyRequests {
		t.Errorf("status %d after too many long names", got)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/uid-1", nil)
	w := httptest.NewRecorder()
	if (&Handler{Grantor: guard}).ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("status %d for GET", w.Code)
	}
}

// otherCA is a self-signed authority that signed nothing here.
const otherCA = `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIUC5xSyPtu5JwtICd1mfC0elq2NuwwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTI1MDU0MDQyWhgPMjEyNjExMDEwNTQw
NDJaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
KBV4lplkxOc2YbZvXDWsAHGlUC3s8tkGsZkW63Wi4O7Vx4AMEpRdPB/DZN2CNRuV
IWWsueAi5mTKraXUeazj6KNTMFEwHQYDVR0OBBYEFLHbh5XzUF6TNKlBhu+sNqUP
v81JMB8GA1UdIwQYMBaAFLHbh5XzUF6TNKlBhu+sNqUPv81JMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAJSziDQh22vqvTRb5gQtUBPFpKxcXO1+
iBL4YdywAFyuAiADihDCXrEAAI9mQxpIOWYlTBAJVhvMN4M1TH8OEts32g==
-----END CERTIFICATE-----
`

// TestRedeemByKey asks by namespace and name of a grant, which is another way to
// name it only where that is allowed.
func TestRedeemByKey(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		path    string
		allowed bool
		want    Claim
	}{
		{"/west/gate", true, Claim{Grant: "westgate", Key: GrantKey{"west", "gate"}}},
		{"/west/gate", false, Claim{Grant: "westgate"}},
		{"/uid-1", true, Claim{Grant: "uid-1"}},
		{"/uid/-1", false, Claim{Grant: "uid-1"}},
		{"/a/b/c", true, Claim{Grant: "abc", Key: GrantKey{"a", "b/c"}}}, // of no grant
	} {
		g := &grants{}
		guard := guarded(g, time.Now)
		guard.ByKey = row.allowed
		h := &Handler{Grantor: guard}
		row.want.From = "192.0.2.1" // that of httptest
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", row.path, strings.NewReader("")))
		if len(g.asked) != 1 || g.asked[0] != row.want {
			t.Errorf("%s (allowed: %v) asks %+v, want %+v", row.path, row.allowed, g.asked, row.want)
		}
	}
}
