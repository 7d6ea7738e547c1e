package access

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// users writes a file with alice, whose password is wonderland, and reads it.
func users(t *testing.T) (*Users, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	write(t, path, "alice", "wonderland")
	u, err := ReadUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	return u, path
}

func write(t *testing.T, path, user, password string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "# users\n\n%s:%s\n", user, hash), 0o644); err != nil {
		t.Fatal(err)
	}
}

// inside is what a Gate guards: it answers with the name of who asks.
func inside() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "inside: "+User(r.Context()))
	})
}

// ask makes a request with the headers "Name: value" and returns the answer.
func ask(h http.Handler, method, target string, body url.Values, headers ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body.Encode()))
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Basic" {
			user, password, _ := strings.Cut(value, ":")
			r.SetBasicAuth(user, password)
			continue
		}
		if name == "From" {
			r.RemoteAddr = value
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func form(user, password, next string) url.Values {
	return url.Values{"user": {user}, "password": {password}, "next": {next}}
}

// logIn returns the cookie of a new session.
func logIn(t *testing.T, h http.Handler) string {
	t.Helper()
	r := ask(h, "POST", "/login", form("alice", "wonderland", "/"))
	if r.StatusCode != http.StatusSeeOther || len(r.Cookies()) != 1 {
		t.Fatalf("login: %s, cookies %v", r.Status, r.Cookies())
	}
	c := r.Cookies()[0]
	return "Cookie: " + c.Name + "=" + c.Value
}

func TestNothingIsOpenWithoutLogin(t *testing.T) {
	t.Parallel()
	u, _ := users(t)
	h := New(Options{Users: u, Open: []string{"/healthz"}, TLS: true}).Wrap(inside())
	page := "Accept: text/html,*/*"
	for _, row := range []struct {
		target  string
		headers []string
		status  int
		says    string
	}{
		{"/healthz", nil, 200, "inside: "},
		{"/healthz/", nil, 401, "ErrUnauthorized"},
		{"//healthz", nil, 401, "ErrUnauthorized"},
		{"/", nil, 401, "ErrUnauthorized"},
		{"/metrics", nil, 401, "ErrUnauthorized"},
		{"/api/v2alpha1/sites", nil, 401, "ErrUnauthorized"},
		{"/api/v2alpha1/internal/prom/query", nil, 401, "ErrUnauthorized"},
		{"/swagger/", nil, 401, "ErrUnauthorized"},
		{"/login/../api", nil, 401, "ErrUnauthorized"},
		{"/", []string{page}, 303, "/login?next=%2F"},
		{"/a?b=c", []string{page, "Sec-Fetch-Mode: navigate"}, 303, "/login?next=%2Fa%3Fb%3Dc"},
		{"/", []string{page, "Sec-Fetch-Mode: cors"}, 401, "ErrUnauthorized"},
		{"/", []string{"Cookie: __Host-skupper-observer=guess"}, 401, "ErrUnauthorized"},
		{"/", []string{"Authorization: Bearer x"}, 401, "ErrUnauthorized"},
		{"/login", nil, 200, "<form"},
	} {
		r := ask(h, "GET", row.target, nil, row.headers...)
		says := text(t, r) + r.Header.Get("Location")
		if r.StatusCode != row.status || !strings.Contains(says, row.says) {
			t.Errorf("%s %v: %d %s, want %d %s", row.target, row.headers, r.StatusCode, says, row.status, row.says)
		}
	}
}

func TestWhoIsAskedForAPassword(t *testing.T) {
	t.Parallel()
	u, _ := users(t)
	h := New(Options{Users: u}).Wrap(inside())
	if got := ask(h, "GET", "/", nil).Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic ") {
		t.Errorf("a program is told %q", got)
	}
	// A browser would open its own window over the page.
	if got := ask(h, "GET", "/", nil, "Sec-Fetch-Mode: cors").Header.Get("WWW-Authenticate"); got != "" {
		t.Errorf("a script is told %q", got)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	u, _ := users(t)
	h := New(Options{Users: u, TLS: true}).Wrap(inside())
	for _, row := range []struct{ next, to string }{
		{"/sites?a=b", "/sites?a=b"},
		{"", "/"},
		{"//evil.example", "/"},
		{"https://evil.example/", "/"},
		{`/\evil.example`, "/"},
		{"javascript:alert(1)", "/"},
		{"/%2f/evil.example", "/"},
		{"/login?next=/", "/"},
		{"/logout", "/"},
		{"/a\r\nb", "/"},
		{"evil.example", "/"},
	} {
		r := ask(h, "POST", "/login", form("alice", "wonderland", row.next))
		if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != row.to {
			t.Errorf("next %q: %s, to %q, want %q", row.next, r.Status, r.Header.Get("Location"), row.to)
			continue
		}
		c := r.Cookies()[0]
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("cookie %v", c)
		}
		if got := text(t, ask(h, "GET", "/x", nil, "Cookie: "+c.Name+"="+c.Value)); got != "inside: alice" {
			t.Errorf("with the cookie: %s", got)
		}
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	u, _ := users(t)
	h := New(Options{Users: u}).Wrap(inside())
	for _, row := range []struct {
		name    string
		form    url.Values
		headers []string
		status  int
	}{
		{"wrong password", form("alice", "wonder", "/"), nil, 401},
		{"no password", form("alice", "", "/"), nil, 401},
		{"unknown user", form("bob", "wonderland", "/"), nil, 401},
		{"no user", form("", "", "/"), nil, 401},
		{"long password", form("alice", strings.Repeat("a", 5000), "/"), nil, 401},
		{"very long form", form("alice", strings.Repeat("a", 50_000), "/"), nil, 400},
		{"another site's page", form("alice", "wonderland", "/"), []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"another host of the site", form("alice", "wonderland", "/"), []string{"Sec-Fetch-Site: same-site"}, 403},
		{"another origin", form("alice", "wonderland", "/"), []string{"Origin: https://evil.example"}, 403},
		{"no origin", form("alice", "wonderland", "/"), []string{"Origin: null"}, 403},
	} {
		row.headers = append(row.headers, "From: "+fmt.Sprintf("10.0.0.%d:1", len(row.name)))
		r := ask(h, "POST", "/login", row.form, row.headers...)
		if r.StatusCode != row.status || len(r.Cookies()) > 0 {
			t.Errorf("%s: %s, cookies %v", row.name, r.Status, r.Cookies())
		}
	}
	if r := ask(h, "DELETE", "/login", nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %s", r.Status)
	}
	if got := text(t, ask(h, "POST", "/login", form(`"><script>`, "x", `"><script>`))); strings.Contains(got, "<script>") {
		t.Errorf("unescaped: %s", got)
	}
}

func TestBasicAuthentication(t *testing.T) {
	t.Parallel()
	u, _ := users(t)
	h := New(Options{Users: u}).Wrap(inside())
	for range 2*attempts + 2 { // right ones are not counted
		if got := text(t, ask(h, "GET", "/", nil, "Basic: alice:wonderland")); got != "inside: alice" {
			t.Fatalf("right: %s", got)
		}
	}
	if r := ask(h, "GET", "/", nil, "Basic: alice:x"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("wrong: %s", r.Status)
	}
	// A browser sends what it has remembered with requests of any page.
	if r := ask(h, "POST", "/", nil, "Basic: alice:wonderland", "Sec-Fetch-Site: cross-site"); r.StatusCode != http.StatusForbidden {
		t.Errorf("from another site's page: %s", r.Status)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	u, _ := users(t)
	g := New(Options{Users: u})
	h := g.Wrap(inside())
	cookie := logIn(t, h)
	other := logIn(t, h)
	r := ask(h, "GET", "/logout", nil, cookie)
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/login" || r.Cookies()[0].MaxAge >= 0 {
		t.Errorf("logout: %s, %v", r.Status, r.Cookies())
	}
	if r := ask(h, "GET", "/", nil, cookie); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout: %s", r.Status)
	}
	if r := ask(h, "GET", "/", nil, other); r.StatusCode != http.StatusOK {
		t.Errorf("another session: %s", r.Status)
	}
	// A new login does not go on with the session that there was.
	fresh := ask(h, "POST", "/login", form("alice", "wonderland", "/"), other)
	if c := fresh.Cookies(); other == "Cookie: "+c[len(c)-1].Name+"="+c[len(c)-1].Value {
		t.Error("the same session after a new login")
	}
	if r := ask(h, "GET", "/", nil, other); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("the session before a new login: %s", r.Status)
	}
}

// TestAnswersEndWithTheSession holds for a stream of events, which would go on
// for days.
func TestAnswersEndWithTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u, _ := users(t)
		begun, ended := make(chan bool, 2), make(chan time.Time, 2)
		h := New(Options{Users: u}).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			begun <- true
			<-r.Context().Done()
			ended <- time.Now()
		}))
		cookie, other := logIn(t, h), logIn(t, h)
		start := time.Now()
		for _, c := range []string{cookie, other} {
			go ask(h, "GET", "/stream", nil, c)
			<-begun
		}
		time.Sleep(time.Hour)
		ask(h, "GET", "/logout", nil, cookie)
		if at := (<-ended).Sub(start); at != time.Hour {
			t.Errorf("ended %v after the login, want 1h", at)
		}
		if at := (<-ended).Sub(start); at != sessionLife {
			t.Errorf("the other ended %v after the login, want %v", at, sessionLife)
		}
	})
}

func TestSessionsRunOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u, _ := users(t)
		h := New(Options{Users: u}).Wrap(inside())
		status := func(cookie string) int { return ask(h, "GET", "/", nil, cookie).StatusCode }
		used, idle := logIn(t, h), logIn(t, h)
		for range 3 {
			time.Sleep(sessionIdle - time.Second)
			if got := status(used); got != http.StatusOK {
				t.Fatalf("used every now and then: %d", got)
			}
		}
		if got := status(idle); got != http.StatusUnauthorized {
			t.Errorf("idle: %d", got)
		}
		time.Sleep(3 * time.Second)
		if got := status(used); got != http.StatusUnauthorized {
			t.Errorf("after a day: %d", got)
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	s := sessions{all: map[token]*session{}}
	now := time.Unix(1, 0)
	first := s.begin("alice", "", now)
	second := s.begin("alice", "", now.Add(time.Second))
	for i := range maxSessions {
		if s.find(second, now.Add(time.Duration(i)*time.Second)) == nil {
			t.Fatal("the session that is used is gone")
		}
		s.begin("bob", "", now.Add(time.Duration(i)*time.Second))
	}
	if len(s.all) != maxSessions || s.find(first, now) != nil {
		t.Errorf("%d sessions, the oldest is there: %t", len(s.all), s.find(first, now) != nil)
	}
}

func TestGuessingIsSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u, _ := users(t)
		h := New(Options{Users: u}).Wrap(inside())
		guess := func(from, password string) *http.Response {
			return ask(h, "POST", "/login", form("alice", password, "/"), "From: "+from)
		}
		for i := range attempts {
			if r := guess("192.0.2.1:999", "x"); r.StatusCode != http.StatusUnauthorized {
				t.Fatalf("guess %d: %s", i, r.Status)
			}
		}
		if r := guess("192.0.2.1:1000", "wonderland"); r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "10" {
			t.Errorf("one too many: %s, again in %q", r.Status, r.Header.Get("Retry-After"))
		}
		if r := ask(h, "GET", "/", nil, "From: 192.0.2.1:1", "Basic: alice:wonderland"); r.StatusCode != http.StatusTooManyRequests {
			t.Errorf("one too many by basic authentication: %s", r.Status)
		}
		if r := guess("192.0.2.2:999", "wonderland"); r.StatusCode != http.StatusSeeOther {
			t.Errorf("from elsewhere: %s", r.Status)
		}
		time.Sleep(attemptEvery)
		if r := guess("192.0.2.1:999", "wonderland"); r.StatusCode != http.StatusSeeOther {
			t.Errorf("later: %s", r.Status)
		}
		// Addresses of one network of IPv6 are one.
		for i := range attempts {
			guess(fmt.Sprintf("[2001:db8::%x]:9", i), "x")
		}
		if r := guess("[2001:db8::ffff]:9", "y"); r.StatusCode != http.StatusTooManyRequests {
			t.Errorf("from the same network: %s", r.Status)
		}
	})
}

func TestAddressesAreBounded(t *testing.T) {
	t.Parallel()
	l := limiter{from: map[netip.Prefix]bucket{}}
	now := time.Unix(1, 0)
	for range attempts {
		l.take(origin("10.1.1.1:1"), now)
	}
	for i := range 2 * maxAddresses {
		l.take(origin(fmt.Sprintf("10.2.%d.%d:1", i/256, i%256)), now)
	}
	if len(l.from) != maxAddresses {
		t.Errorf("%d addresses", len(l.from))
	}
	if l.take(origin("10.1.1.1:1"), now) == 0 {
		t.Error("the address that has to wait is forgotten")
	}
}

func TestUsersChange(t *testing.T) {
	t.Parallel()
	u, path := users(t)
	var log strings.Builder
	h := New(Options{Users: u, Log: slog.New(slog.NewTextHandler(&log, nil))}).Wrap(inside())
	again := func() { u.mu.Lock(); u.looked = time.Time{}; u.mu.Unlock() }
	cookie := logIn(t, h)
	again()
	if r := ask(h, "GET", "/", nil, cookie); r.StatusCode != http.StatusOK {
		t.Errorf("nothing has changed: %s", r.Status)
	}
	if err := os.WriteFile(path, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again()
	if r := ask(h, "GET", "/", nil, cookie); r.StatusCode != http.StatusOK || !strings.Contains(log.String(), "not of the form name:hash") {
		t.Errorf("a wrong file: %s, log: %s", r.Status, log.String())
	}
	write(t, path, "alice", "another password")
	again()
	if r := ask(h, "GET", "/", nil, cookie); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("another password: %s", r.Status)
	}
	if r := ask(h, "GET", "/", nil, "Basic: alice:another password"); r.StatusCode != http.StatusOK {
		t.Errorf("with the other password: %s", r.Status)
	}
	if r := ask(h, "GET", "/", nil, "Basic: alice:wonderland"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("with the password before: %s", r.Status)
	}
}

func TestWithoutLogin(t *testing.T) {
	t.Parallel()
	h := New(Options{Hosts: []string{"observer.example"}}).Wrap(inside())
	for host, status := range map[string]int{
		"127.0.0.1:8080": 200, "127.9.9.9": 200, "[::1]:8080": 200, "[::1]": 200, "localhost": 200, "LOCALHOST:1": 200, "localhost.:1": 200,
		"a.localhost": 200, "observer.example": 200, "Observer.Example:99": 200,
		"evil.example": 403, "192.0.2.1:8080": 403, "localhost.evil.example": 403, "notlocalhost": 403, "127.0.0.1.evil.example": 403, "": 403,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("host %q: %d, want %d", host, w.Code, status)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "192.0.2.1"
	w := httptest.NewRecorder()
	New(Options{Any: true}).Wrap(inside()).ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Body.String() != "inside: " {
		t.Errorf("any host: %d %s", w.Code, w.Body)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	u, _ := users(t)
	for name, h := range map[string]http.Handler{
		"with a login": New(Options{Users: u}).Wrap(inside()), "without": New(Options{Any: true}).Wrap(inside()),
	} {
		for _, target := range []string{"/", "/login", "/api"} {
			got := ask(h, "GET", target, nil).Header
			for header, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Content-Security-Policy": "default-src '",
			} {
				if !strings.HasPrefix(got.Get(header), want) {
					t.Errorf("%s: %s: %s: %q, want %q", name, target, header, got.Get(header), want)
				}
			}
		}
	}
	if got := ask(New(Options{Users: u}).Wrap(inside()), "GET", "/login", nil).Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; style-src 'sha256-") || strings.Contains(got, "unsafe") {
		t.Errorf("the login page's policy: %s", got)
	}
}

func TestNobodyIsNamedWithoutLogin(t *testing.T) {
	t.Parallel()
	if got := User(context.Background()); got != "" {
		t.Errorf("user %q", got)
	}
}
