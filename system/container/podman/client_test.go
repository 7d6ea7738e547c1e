package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/container"
	"github.com/skupper-host/skupper/system/container/enginetest"
)

// serve gives a client of a podman that has some answers.
func serve(t *testing.T, answers enginetest.Answers) (*Client, *enginetest.Engine) {
	t.Helper()
	e := enginetest.Serve(t, "/v"+Oldest+"/libpod", answers)
	return New("unix://" + e.Socket), e
}

func TestVersion(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, enginetest.Answers{"GET /version": enginetest.Say(200, `{"Version":"4.3.1","ApiVersion":"1.41"}`)})
	if v, err := c.Version(t.Context()); err != nil || v.Engine != "4.3.1" {
		t.Errorf("%+v %v", v, err)
	}
	for _, a := range []enginetest.Answer{enginetest.Say(200, `{"Version":"3.4.4"}`), enginetest.Say(404, "page not found")} {
		c, _ := serve(t, enginetest.Answers{"GET /version": a})
		_, err := c.Version(t.Context())
		var old *container.TooOldError
		if !errors.As(err, &old) || old.Hint() == "" {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	_, err := New("/nonexistent/podman.sock").Version(t.Context())
	var e *container.UnreachableError
	if !errors.As(err, &e) || !errors.Is(err, fs.ErrNotExist) || err.Error() != "podman: there is no socket /nonexistent/podman.sock" || !strings.Contains(e.Hint(), "system install") {
		t.Errorf("%v", err)
	}
}

// TestSilent asks a podman that systemd starts for each connection, and that ends
// before it has taken one; and one that takes its time.
func TestSilent(t *testing.T) {
	t.Parallel()
	impatient := func(socket string) *Client {
		c := New(socket)
		p := c.http.Transport.(patient)
		p.patience = 50 * time.Millisecond
		c.http.Transport = p
		return c
	}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = impatient(socket).Version(t.Context())
	var e *container.UnreachableError
	if !errors.As(err, &e) || !errors.Is(err, container.ErrSilent) || !strings.Contains(e.Hint(), "podman.service") {
		t.Errorf("%v", err)
	}

	pings := make(chan struct{}, 100)
	slow := http.NewServeMux()
	slow.HandleFunc("/_ping", func(http.ResponseWriter, *http.Request) { pings <- struct{}{} })
	slow.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			<-pings
		}
		_, _ = io.WriteString(w, `{"Version":"4.3.1"}`)
	})
	other := filepath.Join(t.TempDir(), "s")
	if l, err = net.Listen("unix", other); err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: slow}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	defer serving.Wait()
	defer s.Close()
	if v, err := impatient(other).Version(t.Context()); err != nil || v.Engine != "4.3.1" {
		t.Errorf("%+v %v", v, err)
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	c, e := serve(t, enginetest.Answers{
		"GET /images/localhost/r:1/json":          enginetest.Say(200, `{"Id":"abc","Labels":{"k":"v"}}`),
		"GET /images/localhost/r:2/json":          enginetest.Say(404, `{"cause":"image not known","message":"no such image","response":404}`),
		"POST /images/load":                       enginetest.Say(200, `{"Names":["localhost/r:1"]}`),
		"POST /images/pull?reference=quay.io%2Fx": enginetest.Say(200, `{"stream":"Trying"}`+"\n"+`{"error":"no route"}`),
		"POST /images/pull?reference=quay.io%2Fy": enginetest.Say(200, `{"stream":"Trying"}`+"\n"+`{"images":["y"],"id":"y"}`),
		"GET /images/json":                        enginetest.Say(200, `[{"RepoTags":["localhost/r:1","localhost/r:2"]},{"RepoTags":["localhost/rr:1"]},{"RepoTags":null}]`),
		"DELETE /images/localhost/r:1":            enginetest.Say(200, `{}`),
		"DELETE /images/localhost/r:2":            enginetest.Say(404, `{"message":"no such image"}`),
		"DELETE /images/localhost/r:3":            enginetest.Say(409, `{"cause":"in use","message":"image is in use"}`),
	})
	ctx := t.Context()
	if i, ok, err := c.Image(ctx, "localhost/r:1"); err != nil || !ok || i.ID != "abc" || i.Labels["k"] != "v" {
		t.Errorf("image: %+v %v %v", i, ok, err)
	}
	if _, ok, err := c.Image(ctx, "localhost/r:2"); err != nil || ok {
		t.Errorf("no image: %v %v", ok, err)
	}
	if err := c.Load(ctx, strings.NewReader("archive")); err != nil || string(e.Sent("POST /images/load")) != "archive" {
		t.Errorf("load: %v", err)
	}
	if err := c.Pull(ctx, "quay.io/x"); err == nil || err.Error() != "podman: no route" {
		t.Errorf("pull: %v", err)
	}
	if err := c.Pull(ctx, "quay.io/y"); err != nil {
		t.Errorf("pull: %v", err)
	}
	if names, err := c.Images(ctx, "localhost/r"); err != nil || fmt.Sprint(names) != "[localhost/r:1 localhost/r:2]" {
		t.Errorf("images: %v %v", names, err)
	}
	if err := errors.Join(c.RemoveImage(ctx, "localhost/r:1"), c.RemoveImage(ctx, "localhost/r:2")); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := c.RemoveImage(ctx, "localhost/r:3"); err == nil || err.Error() != "podman: image is in use" {
		t.Errorf("remove one in use: %v", err)
	}
}

// TestRemoveWaitsForAnEnd removes a container that is just ending, and one that
// does not end.
func TestRemoveWaitsForAnEnd(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "podman.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/containers/n") && asked.Add(1) == 3 {
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"message":"sending SIGKILL: container state improper: stopped"}`)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() { _ = s.Close(); serving.Wait() })
	c := New("unix://" + socket)
	if err := c.Remove(t.Context(), "n"); err != nil || asked.Load() != 3 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*removePause)
	defer cancel()
	if err := c.Remove(ctx, "stuck"); err == nil {
		t.Error("one that does not end is removed")
	}
}

func TestContainers(t *testing.T) {
	t.Parallel()
	c, e := serve(t, enginetest.Answers{
		"POST /containers/create":                   enginetest.Say(201, `{"Id":"1"}`),
		"POST /containers/n/start":                  enginetest.Say(204, ""),
		"POST /containers/n/kill?signal=HUP":        enginetest.Say(204, ""),
		"POST /containers/n/stop?timeout=70":        enginetest.Say(304, ""),
		"POST /containers/x/stop?timeout=70":        enginetest.Say(404, `{"message":"no such container"}`),
		"DELETE /containers/n?force=true&timeout=0": enginetest.Say(200, "[]"),
		"DELETE /containers/x?force=true&timeout=0": enginetest.Say(404, "{}"),
		"POST /containers/x/start":                  enginetest.Say(500, "not JSON"),
		"GET /containers/n/json": enginetest.Say(200, `{"Id":"1","RestartCount":2,"Config":{"Labels":{"a":"b"}},
			"State":{"Status":"running","Pid":7,"StartedAt":"2026-01-02T03:04:05Z","Healthcheck":{"Status":"healthy"}}}`),
		"GET /containers/dead/json":                                   enginetest.Say(200, `{"State":{"Status":"exited","Pid":0,"ExitCode":137,"FinishedAt":"2026-01-02T03:04:06Z"}}`),
		"GET /containers/x/json":                                      enginetest.Say(404, `{"message":"no such container"}`),
		"GET /containers/n/logs?follow=false&stderr=true&stdout=true": enginetest.Say(200, "\x02\x00\x00\x00\x00\x00\x00\x05hello\x01\x00\x00\x00\x00\x00\x00\x01\n"),
	})
	ctx := t.Context()
	d := container.Container{
		Name: "n", Image: "i", Env: []string{"K=v=w"}, Labels: map[string]string{"a": "b"}, UID: 1, GID: 2, KeepID: true, LowPorts: true, Stop: 70 * time.Second,
		Mounts: []container.Mount{{From: "/f", To: "/t"}},
	}
	if err := c.Create(ctx, d, map[string]string{"c": "d"}); err != nil {
		t.Fatal(err)
	}
	var got, want any
	sent := `{"name":"n","image":"i","env":{"K":"v=w"},"labels":{"a":"b","c":"d"},"mounts":[{"Type":"bind","Source":"/f","Destination":"/t","Options":["rbind","ro","z"]}],
		"user":"1:2","userns":{"nsmode":"keep-id"},"netns":{"nsmode":"host"},"cap_drop":["all"],"cap_add":["NET_BIND_SERVICE"],"read_only_filesystem":true,
		"no_new_privileges":true,"restart_policy":"always","stop_timeout":70}`
	if err := errors.Join(json.Unmarshal(e.Sent("POST /containers/create"), &got), json.Unmarshal([]byte(sent), &want)); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("create: %v\n%s\nwant\n%s", err, e.Sent("POST /containers/create"), sent)
	}
	if err := errors.Join(
		c.Start(ctx, "n"), c.Signal(ctx, "n", "HUP"), c.Stop(ctx, "n", 70*time.Second), c.Stop(ctx, "x", 70*time.Second), c.Remove(ctx, "n"), c.Remove(ctx, "x"),
	); err != nil {
		t.Error(err)
	}
	if err := c.Start(ctx, "x"); err == nil || err.Error() != "podman: not JSON" {
		t.Errorf("start: %v", err)
	}
	s, ok, err := c.Inspect(ctx, "n")
	if err != nil || !ok || s.Phase != container.Running || s.PID != 7 || s.Restarts != 2 || s.Health != "healthy" || s.Labels["a"] != "b" || s.Since.IsZero() {
		t.Errorf("running: %+v %v %v", s, ok, err)
	}
	if s, ok, err := c.Inspect(ctx, "dead"); err != nil || !ok || s.Phase != container.Exited || s.ExitCode != 137 || s.Since.Second() != 6 {
		t.Errorf("ended: %+v %v %v", s, ok, err)
	}
	if _, ok, err := c.Inspect(ctx, "x"); ok || err != nil {
		t.Errorf("none: %v %v", ok, err)
	}
	var log bytes.Buffer
	if err := c.Logs(ctx, "n", time.Time{}, false, &log); err != nil || log.String() != "hello\n" {
		t.Errorf("logs: %q %v", log.String(), err)
	}
}
