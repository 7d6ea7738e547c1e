package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	h := handler(populated(t))
	for _, row := range []struct {
		method, target string
		code           int
		body           string // "" for any
		location       string
	}{
		{"GET", Prefix + "/sites/", 301, "", Prefix + "/sites"},
		{"GET", Prefix + "/sites/?limit=1", 301, "", Prefix + "/sites?limit=1"},
		{"GET", Prefix + "/sites/a%2Fb/", 301, "", Prefix + "/sites/a%2Fb"},
		{"GET", Prefix + "/services/x/connections/", 301, "", Prefix + "/services/x/connections"},
		{"GET", Prefix + "/sites/nope", 404, `{"code":"ErrNotFound","message":""}` + "\n", ""},
		{"GET", Prefix + "/hosts", 200, `{"results":[],"count":0,"timeRangeCount":0}` + "\n", ""},
		{"GET", Prefix + "/hosts/x", 404, `{"code":"ErrNotFound","message":""}` + "\n", ""},
		{"GET", Prefix + "/sites/x/hosts", 200, `{"results":[],"count":0,"timeRangeCount":0}` + "\n", ""},
		{"GET", Prefix + "/sites?nope=1", 400, `{"code":"","message":"invalid parameter \"nope\": Site has no such field to filter by"}` + "\n", ""},
		{"GET", Prefix + "/sites?sortBy=nope.asc", 400, `{"code":"","message":"invalid parameter \"sortBy\": Site has no field \"nope\""}` + "\n", ""},
		{"HEAD", Prefix + "/sites", 200, "", ""},
		{"POST", Prefix + "/sites", 405, "", ""},
		{"DELETE", Prefix + "/sites/x", 405, "", ""},
		{"POST", Prefix + "/logout", 405, "", ""},
		{"GET", Prefix + "/user", 204, "", ""},
		{"GET", Prefix + "/logout?nonce=1", 204, "", ""},
		{"GET", "/healthz", 200, "ok\n", ""},
		{"GET", "/metrics", 200, "up 1\n", ""},
		{"GET", "/swagger", 301, "", "/swagger/"},
		{"GET", "/swagger/nope", 404, "", ""},
		{"GET", "/", 200, "console", ""},
		{"GET", "/index.html", 200, "console", ""},
		{"GET", Prefix + "/internal/prom/nope", 404, "404 page not found\n", ""},
	} {
		w := do(h, row.method, row.target)
		if w.Code != row.code || row.body != "" && w.Body.String() != row.body || w.Header().Get("Location") != row.location {
			t.Errorf("%s %s: %d to %q: %s", row.method, row.target, w.Code, w.Header().Get("Location"), w.Body)
		}
	}
	if got := do(h, "HEAD", Prefix+"/sites").Body.Len(); got > 0 {
		t.Errorf("HEAD with %d bytes", got)
	}
}

func TestWithoutConsole(t *testing.T) {
	t.Parallel()
	h := handler(populated(t), func(o *Options) { o.Console, o.Metrics = nil, nil })
	for _, target := range []string{"/", "/metrics", Prefix + "/user", Prefix + "/logout", Prefix + "/internal/prom/query", Prefix + "/nope"} {
		if w := get(h, target); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	if w := get(h, Prefix+"/sites"); w.Code != http.StatusOK {
		t.Errorf("sites: %d", w.Code)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	h := handler(populated(t))
	whole := ids(t, get(h, Prefix+"/listeners").Body.Bytes())
	if len(whole) < 3 {
		t.Fatalf("%d listeners", len(whole))
	}
	var page struct {
		Results               []json.RawMessage
		Count, TimeRangeCount int
	}
	if err := json.Unmarshal(get(h, Prefix+"/listeners?limit=2&offset=1").Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Results) != 2 || page.Count != 2 || page.TimeRangeCount != len(whole) {
		t.Errorf("%d rows, count %d, of %d", len(page.Results), page.Count, page.TimeRangeCount)
	}
	if got := get(h, Prefix+"/listeners?limit=0").Body.String(); !strings.HasPrefix(got, `{"results":[],"count":0,"timeRangeCount":`) {
		t.Errorf("counted only: %s", got)
	}
}

func TestSubordinateLists(t *testing.T) {
	t.Parallel()
	n := populated(t)
	h := handler(n)
	for _, s := range n.Services() {
		want := 0
		for _, c := range n.Connections() {
			if c.RoutingKey == s.Name {
				want++
			}
		}
		if got := len(ids(t, get(h, Prefix+"/services/"+s.Identity+"/connections?timeRangeStart=0").Body.Bytes())); got != want {
			t.Errorf("service %s: %d connections, want %d", s.Name, got, want)
		}
	}
	routers := 0
	for _, s := range n.Sites() {
		routers += len(ids(t, get(h, Prefix+"/sites/"+s.Identity+"/routers").Body.Bytes()))
	}
	if routers != len(n.Routers()) {
		t.Errorf("%d routers of sites, want %d", routers, len(n.Routers()))
	}
}

func TestWhoIsLoggedIn(t *testing.T) {
	t.Parallel()
	out := 0
	h := handler(populated(t), func(o *Options) {
		o.User = func(context.Context) string { return "alice" }
		o.Logout = func(http.ResponseWriter, *http.Request) { out++ }
	})
	w := get(h, Prefix+"/user")
	if got := w.Body.String(); w.Code != http.StatusOK || got != `{"authType":"internal","username":"alice"}`+"\n" {
		t.Errorf("user: %d %s", w.Code, got)
	}
	if w := get(h, Prefix+"/logout"); w.Code != http.StatusNoContent || out != 1 {
		t.Errorf("logout: %d, called %d times", w.Code, out)
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	h := handler(populated(t))
	plain := get(h, Prefix+"/listeners?timeRangeStart=0")
	if plain.Body.Len() < worth || plain.Header().Get("Content-Encoding") != "" {
		t.Fatalf("%d bytes, encoding %q", plain.Body.Len(), plain.Header().Get("Content-Encoding"))
	}
	for _, accepted := range []string{"gzip", "deflate, gzip;q=0.5", "*", "gzip, deflate, br, zstd"} {
		w := get(h, Prefix+"/listeners?timeRangeStart=0", "Accept-Encoding: "+accepted)
		if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: headers %v", accepted, w.Header())
			continue
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(got, plain.Body.Bytes()) {
			t.Errorf("%s: other bytes, %v", accepted, err)
		}
	}
	for _, accepted := range []string{"", "gzip;q=0", "br", "identity"} {
		if got := get(h, Prefix+"/listeners?timeRangeStart=0", "Accept-Encoding: "+accepted).Header().Get("Content-Encoding"); got != "" {
			t.Errorf("%q: %s", accepted, got)
		}
	}
	small := get(h, Prefix+"/hosts", "Accept-Encoding: gzip")
	if small.Header().Get("Content-Encoding") != "" || small.Header().Get("Content-Type") != "application/json" {
		t.Errorf("a small answer: %v", small.Header())
	}
	if w := get(h, Prefix+"/user", "Accept-Encoding: gzip"); w.Code != http.StatusNoContent {
		t.Errorf("an empty answer: %d", w.Code)
	}
	if w := get(h, Prefix+"/sites/nope", "Accept-Encoding: gzip"); w.Code != http.StatusNotFound {
		t.Errorf("an error: %d", w.Code)
	}
}

func TestPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	closed, open := handler(populated(t)), handler(populated(t), func(o *Options) { o.CORS = true })
	if got := get(closed, Prefix+"/sites", "Origin: http://a.example").Header().Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("allowed for %q", got)
	}
	if got := get(open, Prefix+"/sites", "Origin: http://a.example").Header().Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("allowed for %q", got)
	}
	w := do(open, "OPTIONS", Prefix+"/sites", "Origin: http://a.example", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: Accept")
	if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Methods") != "GET, HEAD" || w.Header().Get("Access-Control-Allow-Headers") == "" {
		t.Errorf("asked before: %d %v", w.Code, w.Header())
	}
	if w.Header().Get("Access-Control-Allow-Credentials") != "" {
		t.Error("with cookies")
	}
}

func TestSwagger(t *testing.T) {
	t.Parallel()
	h := handler(populated(t))
	if w := get(h, "/swagger/openapi.yaml"); !bytes.Equal(w.Body.Bytes(), Description()) || w.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
	page := get(h, "/swagger/").Body.String()
	for _, want := range []string{"GET /api/v2alpha1/services/{id}/processpairs", "openapi.yaml", "<!doctype html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") || strings.Contains(page, "<script") {
		t.Error("the page leads elsewhere")
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{
		filepath.Join(dir, "index.html"): "<p>index", filepath.Join(dir, "static", "a.js"): "let a", filepath.Join(outside, "secret"): "secret",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	console, err := Directory(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := handler(populated(t), func(o *Options) { o.Console = console })
	for target, want := range map[string]int{
		"/": 200, "/static/a.js": 200, "/static/": 404, "/static": 301, "/nope": 404, "/out": 404, "/..%2f..%2fetc/passwd": 404, "/index.html": 301,
	} {
		w := get(h, target)
		if w.Code != want && !(want == 404 && w.Code == 500) { // a link that leads outside is an error of the file system
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: leads outside", target)
		}
		if w.Header().Get("X-Frame-Options") != "SAMEORIGIN" || w.Header().Get("Content-Security-Policy") != "default-src 'self';" {
			t.Errorf("%s: headers %v", target, w.Header())
		}
	}
	if _, err := Directory(filepath.Join(dir, "nope")); err == nil {
		t.Error("a directory that is not there: no error")
	}
	if _, err := Directory(outside); err == nil || !strings.Contains(err.Error(), "index.html") {
		t.Errorf("a directory without a console: %v", err)
	}
}

// sent is the console's query for the rate of bytes sent.
const sent = `sum(rate(skupper_sent_bytes_total{routing_key=~"web"}[60s]))`

func TestQueriesFromTheHistory(t *testing.T) {
	t.Parallel()
	ring := history.New()
	end := time.Now()
	ring.Observe(end.Add(-time.Minute), nil)
	ring.Observe(end, []network.Traffic{{Labels: network.Labels{RoutingKey: "web"}, Sent: 600}})
	doc, h := openAPI(t), handler(populated(t), func(o *Options) { o.History = ring })
	q := url.Values{"query": {sent}}
	over := url.Values{"query": {sent}, "start": {end.Add(-time.Minute).Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)}, "step": {"15s"}}
	for _, row := range []struct {
		path   string
		values url.Values
		code   int
		want   string
	}{
		{"query", q, 200, `"resultType":"vector"`},
		{"query/", q, 200, `,"10"]`},
		{"query", url.Values{"query": {sent}, "time": {"1"}}, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`},
		{"query_range", over, 200, `"resultType":"matrix"`},
		{"query_range/", over, 200, `"values":[[`},
		{"rangequery", over, 200, `"resultType":"matrix"`},
		{"rangequery/", over, 200, `"resultType":"matrix"`},
		{"query", url.Values{"query": {"up"}}, 400, `{"status":"error","errorType":"bad_data","error":"`},
		{"query", nil, 400, `"bad_data"`},
		{"query", url.Values{"query": {sent}, "time": {"x"}}, 400, `"bad_data"`},
		{"query_range", q, 400, `"bad_data"`},
		{"query_range", url.Values{"query": {sent}, "start": {"1"}, "end": {"2"}, "step": {"0"}}, 400, `"bad_data"`},
		{"query_range", url.Values{"query": {sent}, "start": {"1"}, "end": {"200000"}, "step": {"1"}}, 400, `"bad_data"`},
	} {
		target := Prefix + "/internal/prom/" + row.path + "?" + row.values.Encode()
		w := get(h, target)
		if w.Code != row.code || !strings.Contains(w.Body.String(), row.want) {
			t.Errorf("%s: %d %s, want %d %s", target, w.Code, w.Body, row.code, row.want)
		}
		conforms(t, doc, Prefix+"/internal/prom/"+strings.TrimSuffix(row.path, "/"), target, w.Code, w.Header(), w.Body.Bytes())
	}
}

func TestQueriesPassedOn(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	}))
	t.Cleanup(prometheus.Close)
	base, err := url.Parse(prometheus.URL + "/base/")
	if err != nil {
		t.Fatal(err)
	}
	base.User = url.UserPassword("u", "p")
	h := handler(populated(t), func(o *Options) { o.Prometheus = base })
	for path, want := range map[string]string{"query": "/base/api/v1/query", "query/": "/base/api/v1/query", "rangequery/": "/base/api/v1/query_range", "query_range": "/base/api/v1/query_range"} {
		w := get(h, Prefix+"/internal/prom/"+path+"?query=up&a=b;c", "Cookie: secret=1", "Authorization: Basic eA==")
		r := <-asked
		user, password, _ := r.BasicAuth()
		if r.URL.Path != want || r.URL.RawQuery != "query=up&a=b;c" || r.Header.Get("Cookie") != "" || user != "u" || password != "p" {
			t.Errorf("%s: %s, headers %v", path, r.URL, r.Header)
		}
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "vector") || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
	prometheus.Close()
	w := get(h, Prefix+"/internal/prom/query?query=up")
	if w.Code != http.StatusBadGateway || !strings.HasPrefix(w.Body.String(), `{"status":"error","errorType":"unavailable","error":"Prometheus at `) {
		t.Errorf("gone: %d %s", w.Code, w.Body)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := handler(populated(t), func(o *Options) { o.Access, o.Log = true, slog.New(slog.NewJSONHandler(&log, nil)) })
	get(h, Prefix+"/sites/nope?name=secret")
	var line struct {
		Method, Path string
		Status       int
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Method != "GET" || line.Path != Prefix+"/sites/nope" || line.Status != 404 {
		t.Errorf("%v: %s", err, log.String())
	}
}
