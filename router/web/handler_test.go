package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/router/web"
)

func answer(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// TestFigures shows those that can be shown, whatever is wrong with others.
func TestFigures(t *testing.T) {
	t.Parallel()
	h := web.Handler(web.Config{
		Metrics: func() []web.Sample { return []web.Sample{{Name: "a_total", Help: "Of a.", Total: true, Value: 3}} },
		Entities: func() []web.Sample {
			return []web.Sample{
				{Name: "up", Help: "Is it?", Value: 1, Labels: []web.Label{{Name: "name", Value: "a\xff\"\n"}}},
				{Name: "up", Help: "Is it?", Value: 0, Labels: []web.Label{{Name: "name", Value: "b"}}},
				{Name: "down", Help: "Twice.", Value: 0, Labels: []web.Label{{Name: "x", Value: "1"}, {Name: "x", Value: "2"}}},
			}
		},
	})
	for path, want := range map[string]string{
		"/metrics":          "# HELP a_total Of a.\n# TYPE a_total counter\na_total 3\n",
		"/metrics/entities": "# HELP up Is it?\n# TYPE up gauge\nup{name=\"a\uFFFD\\\"\\n\"} 1\nup{name=\"b\"} 0\n",
	} {
		if w := answer(h, path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d\n%.400s\nwant %s", path, w.Code, w.Body, want)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/"} {
		if w := answer(h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

// TestHealth tells a router that hangs from one that is not to be used now.
func TestHealth(t *testing.T) {
	t.Parallel()
	alive, reasons := true, []string{}
	h := web.Handler(web.Config{Alive: func() bool { return alive }, Unready: func() []string { return reasons }})
	check := func(path string, status int, body string) {
		t.Helper()
		if w := answer(h, path); w.Code != status || w.Body.String() != body {
			t.Errorf("%s: status %d, %q; want %d, %q", path, w.Code, w.Body, status, body)
		}
	}
	check("/healthz", http.StatusOK, "OK\n")
	check("/readyz", http.StatusOK, "OK\n")
	reasons = []string{"a", "b"}
	check("/healthz", http.StatusOK, "OK\n")
	check("/readyz", http.StatusServiceUnavailable, "a\nb\n")
	alive = false
	check("/healthz", http.StatusServiceUnavailable, "the router does not answer\n")
	check("/readyz", http.StatusServiceUnavailable, "the router does not answer\n")
}
