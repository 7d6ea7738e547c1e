package docker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/container"
)

// engine answers over a Unix socket as Docker 20.10 does; answers are by method
// and path. What is asked besides is an error of the test.
type engine struct {
	t       *testing.T
	answers map[string]answer

	mu     sync.Mutex
	bodies map[string][]byte // guarded by mu; what was sent, by method and path
}

type answer struct {
	status int
	body   string
}

func (e *engine) sent(what string) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bodies[what]
}

func serve(t *testing.T, answers map[string]answer) (*Client, *engine) {
	t.Helper()
	dir, err := os.MkdirTemp("", "dock") // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, answers: answers, bodies: map[string][]byte{}}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: e}}
	s.Start()
	t.Cleanup(s.Close)
	c, err := New("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.api.Close() })
	return c, e
}

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), "/v1.41")
	if strings.HasSuffix(what, "/_ping") {
		w.Header().Set("Api-Version", "1.41")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		e.t.Error(err)
	}
	e.mu.Lock()
	e.bodies[what] = body
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

func TestVersion(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, map[string]answer{"GET /version": {200, `{"Version":"20.10.24","ApiVersion":"1.41"}`}})
	if v, err := c.Version(t.Context()); err != nil || v.Engine != "20.10.24" || v.API != "1.41" {
		t.Errorf("%+v %v", v, err)
	}
	c, _ = serve(t, map[string]answer{"GET /version": {200, `{"Version":"19.03.1","ApiVersion":"1.40"}`}})
	_, err := c.Version(t.Context())
	var old *container.TooOldError
	if !errors.As(err, &old) || old.Hint() == "" {
		t.Errorf("an old engine: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	c, err := New("/nonexistent/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Version(t.Context())
	var e *container.UnreachableError
	if !errors.As(err, &e) || !errors.Is(err, fs.ErrNotExist) || err.Error() != "docker: there is no socket /nonexistent/docker.sock" {
		t.Errorf("%v", err)
	}
	if _, err := New("what://"); err == nil {
		t.Error("an endpoint that is none was taken")
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	c, e := serve(t, map[string]answer{
		"GET /images/localhost/r:1/json":                                                    {200, `{"Id":"abc","Config":{"Labels":{"k":"v"}}}`},
		"GET /images/localhost/r:2/json":                                                    {404, `{"message":"No such image"}`},
		"POST /images/load?quiet=0":                                                         {200, `{"stream":"Loaded image"}`},
		"POST /images/create?fromImage=docker.io%2Flibrary%2Fx&tag=1":                       {200, `{"status":"Pulling"}` + "\n" + `{"errorDetail":{"message":"no route"},"error":"no route"}`},
		"GET /images/json?filters=%7B%22reference%22%3A%7B%22localhost%2Fr%22%3Atrue%7D%7D": {200, `[{"Id":"1","RepoTags":["localhost/r:1","other:2"]}]`},
		"DELETE /images/localhost/r:1":                                                      {200, `[]`},
		"DELETE /images/localhost/r:2":                                                      {404, `{"message":"No such image"}`},
		"DELETE /images/localhost/r:3":                                                      {409, `{"message":"image is being used"}`},
	})
	ctx := t.Context()
	if i, ok, err := c.Image(ctx, "localhost/r:1"); err != nil || !ok || i.ID != "abc" || i.Labels["k"] != "v" {
		t.Errorf("image: %+v %v %v", i, ok, err)
	}
	if _, ok, err := c.Image(ctx, "localhost/r:2"); err != nil || ok {
		t.Errorf("no image: %v %v", ok, err)
	}
	if err := c.Load(ctx, strings.NewReader("archive")); err != nil || string(e.sent("POST /images/load?quiet=0")) != "archive" {
		t.Errorf("load: %v", err)
	}
	if err := c.Pull(ctx, "x:1"); err == nil || err.Error() != "docker: no route" {
		t.Errorf("pull: %v", err)
	}
	if names, err := c.Images(ctx, "localhost/r"); err != nil || fmt.Sprint(names) != "[localhost/r:1]" {
		t.Errorf("images: %v %v", names, err)
	}
	if err := errors.Join(c.RemoveImage(ctx, "localhost/r:1"), c.RemoveImage(ctx, "localhost/r:2")); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := c.RemoveImage(ctx, "localhost/r:3"); err == nil || !strings.Contains(err.Error(), "image is being used") {
		t.Errorf("remove one in use: %v", err)
	}
}

func TestContainers(t *testing.T) {
	t.Parallel()
	c, e := serve(t, map[string]answer{
		"POST /containers/create?name=n":     {201, `{"Id":"1"}`},
		"POST /containers/n/start":           {204, ""},
		"POST /containers/x/start":           {500, `{"message":"mounts denied"}`},
		"POST /containers/n/kill?signal=HUP": {204, ""},
		"POST /containers/n/stop?t=70":       {304, ""},
		"POST /containers/x/stop?t=70":       {404, `{"message":"no such container"}`},
		"DELETE /containers/n?force=1":       {204, ""},
		"DELETE /containers/x?force=1":       {404, `{"message":"no such container"}`},
		"GET /containers/n/json": {200, `{"Id":"1","RestartCount":2,"Config":{"Labels":{"a":"b"}},
			"State":{"Status":"running","Pid":7,"StartedAt":"2026-01-02T03:04:05Z","Health":{"Status":"unhealthy"}}}`},
		"GET /containers/dead/json":                         {200, `{"State":{"Status":"exited","ExitCode":1,"Error":"no","FinishedAt":"2026-01-02T03:04:06Z"}}`},
		"GET /containers/again/json":                        {200, `{"State":{"Status":"restarting","ExitCode":137}}`},
		"GET /containers/x/json":                            {404, `{"message":"no such container"}`},
		"GET /containers/n/logs?stderr=1&stdout=1&tail=all": {200, "\x02\x00\x00\x00\x00\x00\x00\x05hello\x01\x00\x00\x00\x00\x00\x00\x01\n"},
	})
	ctx := t.Context()
	d := container.Container{
		Name: "n", Image: "i", Env: []string{"K=v"}, Labels: map[string]string{"a": "b"}, UID: 1, GID: 2, LowPorts: true, Stop: 70 * time.Second,
		Mounts: []container.Mount{{From: "/f", To: "/t", Writable: true}}, Health: []string{"/skupper"},
	}
	if err := c.Create(ctx, d, map[string]string{"c": "d"}); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Image, User string
		Env         []string
		Labels      map[string]string
		Healthcheck struct{ Test []string }
		HostConfig  struct {
			NetworkMode, UsernsMode string
			RestartPolicy           struct{ Name string }
			ReadonlyRootfs          bool
			CapDrop, CapAdd, Binds  []string
			SecurityOpt             []string
		}
	}
	if err := json.Unmarshal(e.sent("POST /containers/create?name=n"), &sent); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", sent), "{Image:i User:1:2 Env:[K=v] Labels:map[a:b c:d] Healthcheck:{Test:[CMD /skupper]} "+
		"HostConfig:{NetworkMode:host UsernsMode: RestartPolicy:{Name:always} ReadonlyRootfs:true CapDrop:[ALL] CapAdd:[CAP_NET_BIND_SERVICE] Binds:[/f:/t:rw,z] SecurityOpt:[no-new-privileges]}}"; got != want {
		t.Errorf("create:\n%s\nwant\n%s", got, want)
	}
	if err := errors.Join(
		c.Start(ctx, "n"), c.Signal(ctx, "n", "HUP"), c.Stop(ctx, "n", 70*time.Second), c.Stop(ctx, "x", 70*time.Second), c.Remove(ctx, "n"), c.Remove(ctx, "x"),
	); err != nil {
		t.Error(err)
	}
	if err := c.Start(ctx, "x"); err == nil || !strings.Contains(err.Error(), "mounts denied") {
		t.Errorf("start: %v", err)
	}
	s, ok, err := c.Inspect(ctx, "n")
	if err != nil || !ok || s.Phase != container.Running || s.PID != 7 || s.Restarts != 2 || s.Health != "unhealthy" || s.Labels["a"] != "b" || s.Since.IsZero() {
		t.Errorf("running: %+v %v %v", s, ok, err)
	}
	for name, want := range map[string]container.Phase{"dead": container.Exited, "again": container.Restarting} {
		if s, ok, err := c.Inspect(ctx, name); err != nil || !ok || s.Phase != want || s.ExitCode == 0 {
			t.Errorf("%s: %+v %v %v", name, s, ok, err)
		}
	}
	if _, ok, err := c.Inspect(ctx, "x"); ok || err != nil {
		t.Errorf("none: %v %v", ok, err)
	}
	var log bytes.Buffer
	if err := c.Logs(ctx, "n", time.Time{}, false, &log); err != nil || log.String() != "hello\n" {
		t.Errorf("logs: %q %v", log.String(), err)
	}
}
