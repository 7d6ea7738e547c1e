package api

import (
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/skupper-host/skupper/observer/promql"
)

// prometheus answers what upstream's console asks a Prometheus for.
func (a *API) prometheus() http.Handler {
	instant, over := http.HandlerFunc(a.instant), http.HandlerFunc(a.over)
	if a.o.Prometheus != nil {
		instant, over = a.passOn("query"), a.passOn("query_range")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, Prefix+"/internal/prom/"), "/") {
		case "query":
			instant(w, r)
		case "rangequery", "query_range":
			over(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// passOn hands a query to the Prometheus. What tells it who asks stays here.
func (a *API) passOn(path string) http.HandlerFunc {
	target := a.o.Prometheus.JoinPath("api", "v1", path)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL = &url.URL{Scheme: target.Scheme, Host: target.Host, Path: target.Path, RawPath: target.RawPath, RawQuery: r.In.URL.RawQuery}
			r.Out.Host = ""
			for _, h := range []string{"Cookie", "Authorization", "Origin", "Referer"} {
				r.Out.Header.Del(h)
			}
			if user := a.o.Prometheus.User; user != nil {
				password, _ := user.Password()
				r.Out.SetBasicAuth(user.Username(), password)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Del("Set-Cookie")
			r.Header.Del("Access-Control-Allow-Origin")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			promFail(w, http.StatusBadGateway, "unavailable", "Prometheus at "+target.Host+": "+err.Error())
		},
	}
	return proxy.ServeHTTP
}

func (a *API) instant(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	expr, err := promql.Parse(q.Get("query"))
	at := time.Now()
	if t := q.Get("time"); err == nil && t != "" {
		at, err = promql.ParseTime(t)
	}
	var data *promql.Data
	if err == nil {
		data, err = expr.Instant(a.o.History, at)
	}
	promReply(w, data, err)
}

func (a *API) over(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	expr, err := promql.Parse(q.Get("query"))
	from, err1 := promql.ParseTime(q.Get("start"))
	to, err2 := promql.ParseTime(q.Get("end"))
	step, err3 := promql.ParseStep(q.Get("step"))
	if err = first(err, err1, err2, err3); err != nil {
		promReply(w, nil, err)
		return
	}
	data, err := expr.Range(a.o.History, from, to, step)
	promReply(w, data, err)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func promReply(w http.ResponseWriter, data *promql.Data, err error) {
	var wrong *promql.Error
	switch {
	case errors.As(err, &wrong):
		promFail(w, http.StatusBadRequest, "bad_data", wrong.Reason)
	case err != nil:
		promFail(w, http.StatusInternalServerError, "internal", err.Error())
	default:
		reply(w, http.StatusOK, struct {
			Status string       `json:"status"`
			Data   *promql.Data `json:"data"`
		}{"success", data})
	}
}

func promFail(w http.ResponseWriter, status int, kind, message string) {
	reply(w, status, struct {
		Status string `json:"status"`
		Type   string `json:"errorType"`
		Error  string `json:"error"`
	}{"error", kind, message})
}
