package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/observer/history"
	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/recorded"
)

// populated is a network with records of every kind.
func populated(t testing.TB) *network.Network {
	t.Helper()
	return recorded.Network(t)
}

// handler serves a network.
func handler(n *network.Network, change ...func(*Options)) http.Handler {
	o := Options{
		Network: n, History: history.New(),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) }),
		Console: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("console")) }),
	}
	for _, c := range change {
		c(&o)
	}
	return New(o).Handler()
}

// get asks for a path and returns the answer.
func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	return do(h, "GET", target, headers...)
}

func do(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
