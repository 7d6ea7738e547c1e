package docker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/container/enginetest"
)

// serve gives a client of a Docker 20.10 that has some answers.
func serve(t *testing.T, answers enginetest.Answers) (*Client, *enginetest.Engine) {
	t.Helper()
	e := enginetest.Serve(t, "/v1.41", answers)
	c, err := New("unix://" + e.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.api.Close() })
	return c, e
}

func TestVersion(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, enginetest.Answers{"GET /version": enginetest.Say(200, `{"Version":"20.10.24","ApiVersion":"1.41"}`)})
	if v, err := c.Version(t.Context()); err != nil || v.Engine != "20.10.24" || v.API != "1.41" {
		t.Errorf("%+v %v", v, err)
	}
	c, _ = serve(t, enginetest.Answers{"GET /version": enginetest.Say(200, `{"Version":"19.03.1","ApiVersion":"1.40"}`)})
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
	c, e := serve(t, enginetest.Answers{
		"GET /images/localhost/r:1/json":                                                    enginetest.Say(200, `{"Id":"abc","Config":{"Labels":{"k":"v"}}}`),
		"GET /images/localhost/r:2/json":                                                    enginetest.Say(404, `{"message":"No such image"}`),
		"POST /images/load?quiet=0":                                                         enginetest.Say(200, `{"stream":"Loaded image"}`),
		"POST /images/create?fromImage=docker.io%2Flibrary%2Fx&tag=1":                       enginetest.Say(200, `{"status":"Pulling"}`+"\n"+`{"errorDetail":{"message":"no route"},"error":"no route"}`),
		"GET /images/json?filters=%7B%22reference%22%3A%7B%22localhost%2Fr%22%3Atrue%7D%7D": enginetest.Say(200, `[{"Id":"1","RepoTags":["localhost/r:1","other:2"]}]`),
		"DELETE /images/localhost/r:1":                                                      enginetest.Say(200, `[]`),
		"DELETE /images/localhost/r:2":                                                      enginetest.Say(404, `{"message":"No such image"}`),
		"DELETE /images/localhost/r:3":                                                      enginetest.Say(409, `{"message":"image is being used"}`),
	})
	ctx := t.Context()
	if i, ok, err := c.Image(ctx, "localhost/r:1"); err != nil || !ok || i.ID != "abc" || i.Labels["k"] != "v" {
		t.Errorf("image: %+v %v %v", i, ok, err)
	}
	if _, ok, err := c.Image(ctx, "localhost/r:2"); err != nil || ok {
		t.Errorf("no image: %v %v", ok, err)
	}
	if err := c.Load(ctx, strings.NewReader("archive")); err != nil || string(e.Sent("POST /images/load?quiet=0")) != "archive" {
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
	c, e := serve(t, enginetest.Answers{
		"POST /containers/create?name=n":     enginetest.Say(201, `{"Id":"1"}`),
		"POST /containers/n/start":           enginetest.Say(204, ""),
		"POST /containers/x/start":           enginetest.Say(500, `{"message":"mounts denied"}`),
		"POST /containers/n/kill?signal=HUP": enginetest.Say(204, ""),
		"POST /containers/n/stop?t=70":       enginetest.Say(304, ""),
		"POST /containers/x/stop?t=70":       enginetest.Say(404, `{"message":"no such container"}`),
		"DELETE /containers/n?force=1":       enginetest.Say(204, ""),
		"DELETE /containers/x?force=1":       enginetest.Say(404, `{"message":"no such container"}`),
		"GET /containers/n/json": enginetest.Say(200, `{"Id":"1","RestartCount":2,"Config":{"Labels":{"a":"b"}},
			"State":{"Status":"running","Pid":7,"StartedAt":"2026-01-02T03:04:05Z","Health":{"Status":"unhealthy"}}}`),
		"GET /containers/dead/json":  enginetest.Say(200, `{"State":{"Status":"exited","ExitCode":1,"Error":"no","FinishedAt":"2026-01-02T03:04:06Z"}}`),
		"GET /containers/again/json": enginetest.Say(200, `{"State":{"Status":"restarting","ExitCode":137}}`),
		"GET /containers/json?filters=%7B%22publish%22%3A%7B%2280%2Ftcp%22%3Atrue%7D%7D": enginetest.Say(200, `[{"Id":"1","Names":["/n"]}]`),
		"GET /containers/json?filters=%7B%22publish%22%3A%7B%2281%2Ftcp%22%3Atrue%7D%7D": enginetest.Say(200, `[]`),
		"GET /containers/x/json":                            enginetest.Say(404, `{"message":"no such container"}`),
		"GET /containers/n/logs?stderr=1&stdout=1&tail=all": enginetest.Say(200, "\x02\x00\x00\x00\x00\x00\x00\x05hello\x01\x00\x00\x00\x00\x00\x00\x01\n"),
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
	if err := json.Unmarshal(e.Sent("POST /containers/create?name=n"), &sent); err != nil {
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
	for port, want := range map[int]string{80: "n", 81: ""} {
		if name, err := c.Publisher(ctx, port); err != nil || name != want {
			t.Errorf("port %d is published by %q, %v", port, name, err)
		}
	}
	var log bytes.Buffer
	if err := c.Logs(ctx, "n", time.Time{}, false, &log); err != nil || log.String() != "hello\n" {
		t.Errorf("logs: %q %v", log.String(), err)
	}
}
