package token

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/resource"
)

// claimServer answers as upstream's claim server on Kubernetes does, and shares
// no code with ours: its order of checks, its statuses and its texts.
//
// compat: heard from the server of upstream 2.2.0.
type claimServer struct {
	code    string
	expires string // as it is stored
	left    int
	groups  []string // of endpoints; a Link each
	broken  string   // what fails: store, generate
	asked   http.Header
}

const claimUID = "11111111-2222-4333-8444-555555555555"

func (s *claimServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = r.Header
	if r.Method != http.MethodPost {
		http.Error(w, "Only POST is supported", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if strings.ReplaceAll(r.URL.Path, "/", "") != claimUID {
		http.Error(w, "No such claim", http.StatusNotFound)
		return
	}
	expires, err := time.Parse(time.RFC3339, s.expires)
	switch {
	case err != nil:
		http.Error(w, "Corrupted claim", http.StatusInternalServerError)
		return
	case expires.Before(time.Now()):
		http.Error(w, "No such claim", http.StatusNotFound)
		return
	case s.left == 0:
		http.Error(w, "No such access granted", http.StatusNotFound)
		return
	case subtle.ConstantTimeCompare([]byte(s.code), body) == 0:
		http.Error(w, "Redemption of access token refused", http.StatusForbidden)
		return
	case s.broken == "store":
		http.Error(w, "Internal error", http.StatusServiceUnavailable)
		return
	}
	s.left-- // before the answer is made: one that fails is lost
	if s.broken == "generate" {
		http.Error(w, "could not generate the certificate", http.StatusInternalServerError)
		return
	}
	name := r.Header.Get("name")
	if name == "" {
		name = "partners"
	}
	fmt.Fprintf(w, "---\napiVersion: v1\ndata:\n  ca.crt: eA==\n  tls.crt: eA==\n  tls.key: eA==\nkind: Secret\nmetadata:\n  creationTimestamp: null\n  name: %s\ntype: kubernetes.io/tls\n", name)
	for i, group := range s.groups {
		link := name
		if len(s.groups) > 1 {
			link = fmt.Sprintf("%s-%d", name, i+1)
		}
		fmt.Fprintf(w, "---\napiVersion: skupper.io/v2alpha1\nkind: Link\nmetadata:\n  creationTimestamp: null\n  name: %s\nspec:\n  endpoints:\n"+
			"  - group: %[2]s\n    host: west.example\n    name: inter-router\n    port: \"55671\"\n"+
			"  - group: %[2]s\n    host: west.example\n    name: edge\n    port: \"45671\"\n  tlsCredentials: %[3]s\nstatus: {}\n", link, group, name)
	}
}

// start serves over TLS and returns a token as upstream's command line writes
// it.
func (s *claimServer) start(t *testing.T, handler http.Handler, config *tls.Config) *resource.AccessToken {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.TLS = config
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	text := fmt.Sprintf("apiVersion: skupper.io/v2alpha1\nkind: AccessToken\nmetadata:\n  creationTimestamp: null\n  name: granted\nspec:\n  ca: |\n    %s\n  code: %s\n  url: %s/%s\nstatus: {}\n",
		strings.ReplaceAll(strings.TrimSpace(string(ca)), "\n", "\n    "), s.code, server.URL, claimUID)
	set, _, err := resource.Parse([]resource.Input{{Name: "token", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return resource.Get[*resource.AccessToken](set, "granted")
}

func claims() *claimServer {
	return &claimServer{code: "vMCjjB04JOvZCxdmlAVlvf0Y", expires: time.Now().Add(time.Hour).Format(time.RFC3339), left: 1, groups: []string{"skupper-router"}}
}

func tls13() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS13} }

// TestUpstreamsServer redeems tokens of such a server.
func TestUpstreamsServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		groups []string
		want   []string
	}{
		{[]string{"skupper-router"}, []string{"Secret granted", "Link granted 0"}},
		{[]string{"skupper-router-1", "skupper-router-2"}, []string{"Secret granted", "Link granted-1 0", "Link granted-2 0"}},
	} {
		s := claims()
		s.groups = c.groups
		objects, err := Redeem(t.Context(), Request{Token: s.start(t, s, tls13()), Subject: "site-id"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range objects {
			text := string(o.Ref().Kind) + " " + o.Ref().Name
			if l, ok := o.(*resource.Link); ok {
				text += fmt.Sprint(" ", l.Spec.Cost)
				if l.Spec.TLSCredentials != "granted" || len(l.Spec.Endpoints) != 2 {
					t.Errorf("link %+v", l.Spec)
				}
			}
			got = append(got, text)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Error(d)
		}
		if name, subject := s.asked.Get("name"), s.asked.Get("subject"); name != "granted" || subject != "site-id" || s.asked.Get("Content-Type") != "" {
			t.Errorf("headers %v", s.asked)
		}
	}
}

// TestUpstreamsRefusals: what such a server refuses is told in its words, and
// is final where another attempt cannot help.
func TestUpstreamsRefusals(t *testing.T) {
	t.Parallel()
	elsewhere := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
	}
	for _, c := range []struct {
		name    string
		change  func(*claimServer, *resource.AccessToken)
		handler http.HandlerFunc
		tls     *tls.Config
		status  int
		final   bool
		want    string
	}{
		{"used up", func(s *claimServer, _ *resource.AccessToken) { s.left = 0 }, nil, nil, 404, true, "404: No such access granted"},
		{"expired", func(s *claimServer, _ *resource.AccessToken) { s.expires = "2020-01-01T00:00:00Z" }, nil, nil, 404, true, "404: No such claim"},
		{"unknown", func(_ *claimServer, a *resource.AccessToken) { a.Spec.URL += "0" }, nil, nil, 404, true, "404: No such claim"},
		{"wrong code", func(_ *claimServer, a *resource.AccessToken) { a.Spec.Code = "guessed" }, nil, nil, 403, true, "403: Redemption of access token refused"},
		{"corrupted", func(s *claimServer, _ *resource.AccessToken) { s.expires = "soon" }, nil, nil, 500, false, "500: Corrupted claim"},
		{"not stored", func(s *claimServer, _ *resource.AccessToken) { s.broken = "store" }, nil, nil, 503, false, "503: Internal error"},
		{"not generated", func(s *claimServer, _ *resource.AccessToken) { s.broken = "generate" }, nil, nil, 500, false, "500: could not generate"},
		{"redirect", nil, elsewhere, nil, 302, true, "302"},
		{"old TLS", nil, nil, &tls.Config{MaxVersion: tls.VersionTLS12}, 0, true, "TLS 1.3"},
		{"rubbish", nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, nil, 0, true, "cannot be read"},
		{"no link", nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "---\n") }, nil, 0, true, "0 Secrets and 0 Links"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, config := claims(), c.tls
			if config == nil {
				config = tls13()
			}
			var handler http.Handler = s
			if c.handler != nil {
				handler = c.handler
			}
			a := s.start(t, handler, config)
			if c.change != nil {
				c.change(s, a)
			}
			_, err := Redeem(t.Context(), Request{Token: a})
			var e *Error
			if !errors.As(err, &e) || e.Status != c.status || e.Final != c.final || !strings.Contains(e.Error(), c.want) {
				t.Errorf("%v, %+v; want status %d, final %v, %q", err, e, c.status, c.final, c.want)
			}
		})
	}
}

// TestSilentServer: a server that takes the connection and says nothing costs
// no more than the time that there is.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	s := claims()
	asked := make(chan struct{})
	a := s.start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // from then on the server notices that the client goes
		close(asked)
		<-r.Context().Done()
	}), tls13())
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() { <-asked; cancel(context.DeadlineExceeded) }()
	_, err := Redeem(ctx, Request{Token: a})
	var e *Error
	if !errors.As(err, &e) || e.Final {
		t.Errorf("%v", err)
	}
}

// TestAnswers: who asks our server as upstream's programs do gets what theirs
// would say, to the letter.
func TestAnswers(t *testing.T) {
	t.Parallel()
	h := &Handler{Grantor: guarded(&grants{}, time.Now)}
	for _, c := range []struct {
		method, path, code, subject string
		status                      int
		body                        string
	}{
		{http.MethodGet, "/uid-1", "", "", 405, "Only POST is supported\n"},
		{http.MethodPut, "/uid-1", "open sesame", "", 405, "Only POST is supported\n"},
		{http.MethodPost, "/uid-2", "open sesame", "", 404, "No such claim\n"},
		{http.MethodPost, "/", "open sesame", "", 404, "No such claim\n"},
		{http.MethodPost, "/uid-1", "guess", "", 403, "Redemption of access token refused\n"},
		{http.MethodPost, "/uid-1", "open sesame", "disk", 503, "The redemption could not be recorded\n"},
		{http.MethodPost, "/uid-1", "open sesame", "east", 200, answer},
		{http.MethodPost, "//uid-1/", "open sesame", "east", 200, answer},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.code))
		r.Header.Set("subject", c.subject)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s %s %q: %d %q, want %d %q", c.method, c.path, c.code, w.Code, w.Body, c.status, c.body)
		}
	}
}
