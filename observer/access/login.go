package access

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxForm bounds the body of a login, bytes.
const maxForm = 8 << 10

//go:embed login.html
var loginHTML string

//go:embed login.css
var loginCSS string

// page is the login page and its content security policy: it needs nothing but
// itself.
type page struct {
	html   *template.Template
	policy string
}

func newPage() page {
	sum := sha256.Sum256([]byte(loginCSS))
	return page{
		template.Must(template.New("login").Parse(loginHTML)),
		fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", base64.StdEncoding.EncodeToString(sum[:])),
	}
}

func (p page) show(w http.ResponseWriter, status int, next, user, message string) {
	var body bytes.Buffer
	err := p.html.Execute(&body, struct {
		Style               template.CSS
		Next, User, Message string
	}{template.CSS(loginCSS), next, user, message})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", p.policy)
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client is gone: nobody is left to be told
}

func (g *Gate) serveLogin(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		g.login.show(w, http.StatusOK, local(r.URL.Query().Get("next")), "", "")
	case http.MethodPost:
		g.logIn(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		refuse(w, http.StatusMethodNotAllowed, "ErrMethodNotAllowed", "")
	}
}

func (g *Gate) logIn(w http.ResponseWriter, r *http.Request) {
	if err := g.csrf.Check(r); err != nil {
		refuse(w, http.StatusForbidden, "ErrForbidden", "login from a page of another origin")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "", "form: "+err.Error())
		return
	}
	now := time.Now()
	next, user := local(r.PostForm.Get("next")), r.PostForm.Get("user")
	e, wait, ok := g.check(r, user, r.PostForm.Get("password"), now)
	switch {
	case wait > 0:
		w.Header().Set("Retry-After", fmt.Sprint(int(math.Ceil(wait.Seconds()))))
		g.login.show(w, http.StatusTooManyRequests, next, user, fmt.Sprintf("Too many attempts: try again in %d s.", int(math.Ceil(wait.Seconds()))))
		return
	case !ok:
		g.login.show(w, http.StatusUnauthorized, next, user, "Wrong user or password.")
		return
	}
	g.Logout(w, r) // the session before, if there is one
	g.setCookie(w, g.sessions.begin(user, e, now), sessionLife)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// nextQuery has the login lead back to what was asked for.
func nextQuery(r *http.Request) string {
	return url.Values{"next": {r.URL.RequestURI()}}.Encode()
}

// local is where to go after the login: a path of ours, whatever was asked for.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\x00\r\n\t") || strings.HasPrefix(u.Path, "//") || u.Path == loginPath || u.Path == logoutPath {
		return "/"
	}
	return next
}
