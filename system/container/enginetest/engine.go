package enginetest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Answer is what an engine says to a request.
type Answer struct {
	status int // of HTTP
	body   string
}

// Say makes an answer of a status of HTTP and a text.
func Say(status int, body string) Answer { return Answer{status, body} }

// Answers are by method and what follows the version in the path:
// "GET /version".
type Answers map[string]Answer

// Engine has answers, and remembers what was sent. What is asked besides is an
// error of the test.
type Engine struct {
	Socket string

	t       testing.TB
	prefix  string
	answers Answers

	mu   sync.Mutex
	sent map[string][]byte // guarded by mu; by method and path
}

// Serve answers at a socket until the test ends. prefix is the version in the
// paths, "/v1.41".
func Serve(t testing.TB, prefix string, answers Answers) *Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "eng") // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	e := &Engine{Socket: filepath.Join(dir, "s"), t: t, prefix: prefix, answers: answers, sent: map[string][]byte{}}
	l, err := net.Listen("unix", e.Socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(e.answer)}}
	s.Start()
	t.Cleanup(s.Close)
	return e
}

// Sent is the body of the last such request.
func (e *Engine) Sent(what string) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sent[what]
}

func (e *Engine) answer(w http.ResponseWriter, r *http.Request) {
	what := r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), e.prefix)
	if strings.HasSuffix(what, "/_ping") { // Docker's clients ask for the version first
		w.Header().Set("Api-Version", strings.TrimPrefix(e.prefix, "/v"))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		e.t.Error(err)
	}
	e.mu.Lock()
	e.sent[what] = body
	e.mu.Unlock()
	a, ok := e.answers[what]
	if !ok {
		e.t.Errorf("asked %s", what)
		a.status = http.StatusTeapot
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body) // who does not read it has failed already
}
