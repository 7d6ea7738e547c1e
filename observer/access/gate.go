package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Policy is the content security policy of what is shown unless it has its
// own.
const Policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"

const (
	loginPath   = "/login"
	logoutPath  = "/logout"
	checks      = 2 // of passwords at a time
	maxVerified = 256
	verifiedFor = 5 * time.Minute
)

// Options say who may see what.
type Options struct {
	Users *Users // nil: nobody has to log in
	// Hosts are names under which the listener may be asked when nobody has to
	// log in, beside those of loopback: "east.example.com" without a port. Any
	// says that there is no list.
	Hosts []string
	Any   bool
	Open  []string // paths that need no login, such as health
	TLS   bool     // the listener speaks TLS
	Log   *slog.Logger
}

// Gate lets requests in, or not.
type Gate struct {
	o        Options
	sessions sessions
	limiter  limiter
	checking chan struct{}
	csrf     *http.CrossOriginProtection
	login    page
	key      []byte // of digests of what was verified

	mu       sync.Mutex
	verified map[token]verified // guarded by mu
}

// verified is a password that was right: basic authentication sends it with
// every request, and checking it costs as much as it has to.
type verified struct {
	entry entry
	until time.Time
}

// New returns a Gate.
func New(o Options) *Gate {
	g := &Gate{
		o: o, sessions: sessions{all: map[token]*session{}}, limiter: limiter{from: map[netip.Prefix]bucket{}},
		checking: make(chan struct{}, checks), csrf: http.NewCrossOriginProtection(), login: newPage(),
		key: []byte(rand.Text()), verified: map[token]verified{},
	}
	return g
}

type userKey struct{}

// User is the name of who asks, "" where nobody has to log in.
func User(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}

// Wrap lets requests through to next.
func (g *Gate) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.headers(w.Header())
		switch {
		case slices.Contains(g.o.Open, r.URL.Path):
			next.ServeHTTP(w, r)
		case g.o.Users == nil:
			if !g.o.Any && !g.local(r.Host) {
				refuse(w, http.StatusForbidden, "ErrForbidden", fmt.Sprintf("host %q is not served here; without a login only requests to a loopback address are", r.Host))
				return
			}
			next.ServeHTTP(w, r)
		case r.URL.Path == loginPath:
			g.serveLogin(w, r)
		case r.URL.Path == logoutPath:
			g.Logout(w, r)
			http.Redirect(w, r, loginPath, http.StatusSeeOther)
		default:
			g.admit(w, r, next)
		}
	})
}

// headers are sent with every answer; a handler may replace them. There is no
// Strict-Transport-Security: it would lock out of a host whose certificate is
// its own.
func (g *Gate) headers(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", Policy)
	if g.o.Users != nil {
		h.Set("Cache-Control", "no-store") // not left behind in a browser after the logout
	}
}

// local reports whether the host of a request is one of this machine's that
// nobody else can give a meaning to.
func (g *Gate) local(host string) bool {
	name := strings.ToLower(host)
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if a, err := netip.ParseAddr(name); err == nil && a.IsLoopback() {
		return true
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost") ||
		slices.ContainsFunc(g.o.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// admit lets through who has logged in.
func (g *Gate) admit(w http.ResponseWriter, r *http.Request, next http.Handler) {
	now := time.Now()
	if c, err := r.Cookie(g.cookie()); err == nil {
		if s := g.sessions.find(c.Value, now); s != nil {
			if e, ok, err := g.o.Users.entry(s.user, now); ok && e == s.entry {
				g.report(err)
				ctx, leave := g.sessions.join(r.Context(), s)
				defer leave()
				next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, userKey{}, s.user)))
				return
			}
			g.sessions.end(c.Value)
		}
	}
	if name, password, ok := r.BasicAuth(); ok {
		if g.csrf.Check(r) != nil {
			refuse(w, http.StatusForbidden, "ErrForbidden", "request of another origin")
			return
		}
		_, wait, ok := g.check(r, name, password, now)
		switch {
		case wait > 0:
			tooMany(w, wait)
			return
		case ok:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, name)))
			return
		}
	}
	if navigates(r) {
		http.Redirect(w, r, loginPath+"?"+nextQuery(r), http.StatusSeeOther)
		return
	}
	if r.Header.Get("Sec-Fetch-Mode") == "" { // no script of a page, which has its own way to the login
		w.Header().Set("WWW-Authenticate", `Basic realm="Skupper network observer", charset="UTF-8"`)
	}
	refuse(w, http.StatusUnauthorized, "ErrUnauthorized", "log in first: "+loginPath)
}

// navigates reports whether a person opens a page.
func navigates(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("Authorization") == ""
}

// check reports whether name has that password, and by which entry. If wait is
// not 0 nothing was looked at.
func (g *Gate) check(r *http.Request, name, password string, now time.Time) (e entry, wait time.Duration, ok bool) {
	if len(name) > maxSecret || len(password) > maxSecret {
		return "", 0, false
	}
	e, exists, err := g.o.Users.entry(name, now)
	g.report(err)
	mac := hmac.New(sha256.New, g.key)
	fmt.Fprintf(mac, "%d:%s:%s", len(name), name, password)
	id := token(mac.Sum(nil))
	if g.known(id, e, exists, now) {
		return e, 0, true
	}
	from := origin(r.RemoteAddr)
	if wait := g.limiter.take(from, now); wait > 0 {
		return "", wait, false
	}
	select {
	case g.checking <- struct{}{}:
	case <-r.Context().Done():
		return "", 0, false
	}
	ok = e.verify(password) && exists
	<-g.checking
	if !ok {
		if g.o.Log != nil {
			g.o.Log.Warn("login refused", "from", r.RemoteAddr)
		}
		return "", 0, false
	}
	g.limiter.give(from, now)
	g.remember(id, e, now)
	return e, 0, true
}

func (g *Gate) known(id token, e entry, exists bool, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, ok := g.verified[id]
	return ok && exists && v.entry == e && now.Before(v.until)
}

func (g *Gate) remember(id token, e entry, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.verified) >= maxVerified {
		clear(g.verified) // they are checked again
	}
	g.verified[id] = verified{e, now.Add(verifiedFor)}
}

func (g *Gate) report(err error) {
	if err != nil && g.o.Log != nil {
		g.o.Log.Warn("users stay as they were", "err", err)
	}
}

// cookie is the name of the session's cookie. With the prefix __Host- nobody
// but this host can have set it.
func (g *Gate) cookie() string {
	if g.o.TLS {
		return "__Host-skupper-observer"
	}
	return "skupper-observer"
}

func (g *Gate) setCookie(w http.ResponseWriter, value string, maxAge time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: g.cookie(), Value: value, Path: "/", MaxAge: int(maxAge.Seconds()),
		Secure: g.o.TLS, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// Logout ends the session of a request, if it has one. The cookie does not come
// with requests of another site, so that none can log anybody out.
func (g *Gate) Logout(w http.ResponseWriter, r *http.Request) {
	if g.o.Users == nil {
		return
	}
	if c, err := r.Cookie(g.cookie()); err == nil {
		g.sessions.end(c.Value)
		g.setCookie(w, "", -time.Second)
	}
}

func tooMany(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	refuse(w, http.StatusTooManyRequests, "ErrTooManyRequests", fmt.Sprintf("too many attempts: try again in %d s", int(math.Ceil(wait.Seconds()))))
}

// refuse answers in the form of the API's errors.
func refuse(w http.ResponseWriter, status int, code, message string) {
	body, err := json.Marshal(map[string]string{"code": code, "message": message})
	if err != nil {
		body = []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody is left to be told
}
