package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/record"
)

// Prefix is the path of the API.
const Prefix = "/api/v2alpha1"

// HealthPath answers 200 while the process serves; it says nothing else and may
// be open.
const HealthPath = "/healthz"

// Options say what is served.
type Options struct {
	Network *network.Network
	History *history.Ring
	Metrics http.Handler // of /metrics

	// Console is what stands at "/", with the routes that it needs; nil: there is
	// no console.
	Console http.Handler
	// Prometheus is the base URL of one that queries are passed on to; nil: they
	// are answered from History.
	Prometheus *url.URL

	Observer func() record.Observer // how the observer is; nil: connected, as far as anybody knows

	User   func(context.Context) string             // who is logged in, "" for nobody; nil: there is no login
	Logout func(http.ResponseWriter, *http.Request) // may be nil
	CORS   bool                                     // pages of any origin may ask
	Access bool                                     // log every request
	Log    *slog.Logger
}

// API serves a network.
type API struct {
	o      Options
	events *events
}

// New returns an API.
func New(o Options) *API {
	if o.User == nil {
		o.User = func(context.Context) string { return "" }
	}
	if o.Observer == nil {
		o.Observer = func() record.Observer { return record.Observer{Connected: true} }
	}
	if o.Logout == nil {
		o.Logout = func(http.ResponseWriter, *http.Request) {}
	}
	return &API{o, newEvents()}
}

// Run feeds the streams of events until the context ends.
func (a *API) Run(ctx context.Context) error { return a.events.run(ctx, a.o.Network) }

// Handler serves everything.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes() {
		serve := r.serve
		mux.HandleFunc("GET "+Prefix+"/"+r.path, func(w http.ResponseWriter, req *http.Request) { serve(a, w, req) })
		mux.HandleFunc("GET "+Prefix+"/"+r.path+"/{$}", withoutSlash)
	}
	mux.HandleFunc("GET "+Prefix+"/events", a.serveEvents)
	mux.HandleFunc("GET "+Prefix+"/observer", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, a.o.Observer()) })
	mux.HandleFunc("GET "+HealthPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // as in reply
	})
	if a.o.Metrics != nil {
		mux.Handle("GET /metrics", a.o.Metrics)
	}
	mux.HandleFunc("GET /swagger/", serveSwagger)
	mux.Handle("GET /swagger", http.RedirectHandler("/swagger/", http.StatusMovedPermanently))
	if a.o.Console != nil {
		mux.HandleFunc("GET "+Prefix+"/user", a.serveUser)
		mux.HandleFunc("GET "+Prefix+"/logout", func(w http.ResponseWriter, r *http.Request) {
			a.o.Logout(w, r)
			w.WriteHeader(http.StatusNoContent)
		})
		mux.Handle("GET "+Prefix+"/internal/prom/", a.prometheus())
		mux.Handle("GET /", a.o.Console)
	}
	var h http.Handler = mux
	h = compress(h)
	if a.o.CORS {
		h = anyOrigin(h)
	}
	if a.o.Access && a.o.Log != nil {
		h = logged(h, a.o)
	}
	return h
}

// withoutSlash redirects to the path as it is.
func withoutSlash(w http.ResponseWriter, r *http.Request) {
	u := url.URL{Path: strings.TrimSuffix(r.URL.Path, "/"), RawPath: strings.TrimSuffix(r.URL.RawPath, "/"), RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, u.String(), http.StatusMovedPermanently)
}

func (a *API) serveUser(w http.ResponseWriter, r *http.Request) {
	name := a.o.User(r.Context())
	if name == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	reply(w, http.StatusOK, map[string]string{"username": name, "authType": "internal"}) // compat: the console shows the name and a way out
}

// anyOrigin has browsers hand answers to pages of any origin, without cookies.
func anyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD")
			if want := r.Header.Get("Access-Control-Request-Headers"); want != "" {
				w.Header().Set("Access-Control-Allow-Headers", "Accept, Content-Type, Authorization, Last-Event-ID")
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
