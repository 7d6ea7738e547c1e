package podman

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/container"
)

// Oldest is the oldest podman that serves what is asked here.
const Oldest = "4.0.0"

// Client is a connection to podman, made when it is needed. It is safe for
// concurrent use. It implements container.Engine.
type Client struct {
	socket string
	http   *http.Client
}

// New makes a client of the podman that serves a socket: a path, or
// unix:///path as in CONTAINER_ENDPOINT.
func New(endpoint string) *Client {
	socket := strings.TrimPrefix(endpoint, "unix://")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{socket, &http.Client{Transport: patient{&http.Transport{DialContext: dial, DisableKeepAlives: true}, patience}}}
}

// Error is an answer of podman that is no success.
type Error struct {
	Status int    // of HTTP
	Text   string // in its words
}

func (e *Error) Error() string { return "podman: " + e.Text }

// missing reports whether something is not there. A container that goes at the
// same moment is an error of its own to podman, with these words.
func missing(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusNotFound || strings.Contains(e.Text, "no such container"))
}

// request sends one and returns the body of a success.
func (c *Client) request(ctx context.Context, method, path string, query url.Values, body io.Reader, contentType string) (io.ReadCloser, error) {
	u := url.URL{Scheme: "http", Host: "podman", Path: "/v" + Oldest + "/libpod" + path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, &container.UnreachableError{Engine: container.Podman, Socket: c.socket, Err: err}
	}
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified {
		return resp.Body, nil
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("podman: %w", err)
	}
	var said struct{ Message, Cause string }
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = first(strings.TrimSpace(string(text)), resp.Status)
	}
	return nil, &Error{resp.StatusCode, said.Message}
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// maxAnswer bounds what is read of an answer, bytes.
const maxAnswer = 4 << 20

// ask sends a request with a JSON body, or none, and reads a JSON answer, or
// drops it.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	contentType := ""
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body, contentType = bytes.NewReader(text), "application/json"
	}
	answer, err := c.request(ctx, method, path, query, body, contentType)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }() // only read from
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(answer, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("podman: %s: %w", path, err)
	}
	return nil
}

// Version implements container.Engine.
func (c *Client) Version(ctx context.Context) (container.Version, error) {
	var v struct{ Version string }
	err := c.ask(ctx, http.MethodGet, "/version", nil, nil, &v)
	if missing(err) {
		return container.Version{}, &container.TooOldError{Engine: container.Podman, Is: "of this host", Need: "version " + Oldest}
	}
	if err != nil {
		return container.Version{}, err
	}
	if !container.AtLeast(v.Version, Oldest) {
		return container.Version{}, &container.TooOldError{Engine: container.Podman, Is: v.Version, Need: "version " + Oldest}
	}
	return container.Version{Engine: v.Version, API: v.Version}, nil
}

// Image implements container.Engine.
func (c *Client) Image(ctx context.Context, name string) (container.Image, bool, error) {
	var i struct {
		ID     string `json:"Id"`
		Labels map[string]string
	}
	err := c.ask(ctx, http.MethodGet, "/images/"+name+"/json", nil, nil, &i)
	if missing(err) {
		return container.Image{}, false, nil
	}
	return container.Image{ID: i.ID, Labels: i.Labels}, err == nil, err
}

// Load implements container.Engine.
func (c *Client) Load(ctx context.Context, archive io.Reader) error {
	answer, err := c.request(ctx, http.MethodPost, "/images/load", nil, archive, "application/x-tar")
	if err != nil {
		return err
	}
	return answer.Close()
}

// Pull implements container.Engine.
func (c *Client) Pull(ctx context.Context, name string) error {
	answer, err := c.request(ctx, http.MethodPost, "/images/pull", url.Values{"reference": {name}}, nil, "")
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }() // only read from
	for lines := json.NewDecoder(answer); ; {
		var line struct {
			Error string `json:"error"`
		}
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("podman: pull: %w", err)
		case line.Error != "":
			return &Error{http.StatusInternalServerError, line.Error}
		}
	}
}

// Images implements container.Engine.
func (c *Client) Images(ctx context.Context, repository string) ([]string, error) {
	var list []struct{ RepoTags []string }
	if err := c.ask(ctx, http.MethodGet, "/images/json", nil, nil, &list); err != nil {
		return nil, err
	}
	var names []string
	for _, i := range list {
		for _, name := range i.RepoTags {
			if strings.HasPrefix(name, repository+":") {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// RemoveImage implements container.Engine.
func (c *Client) RemoveImage(ctx context.Context, name string) error {
	return present(c.ask(ctx, http.MethodDelete, "/images/"+name, nil, nil, nil))
}

// present makes an error of what is not there no error.
func present(err error) error {
	if missing(err) {
		return nil
	}
	return err
}

// Inspect implements container.Engine.
func (c *Client) Inspect(ctx context.Context, name string) (container.Status, bool, error) {
	var i inspected
	err := c.ask(ctx, http.MethodGet, "/containers/"+name+"/json", nil, nil, &i)
	if missing(err) {
		return container.Status{}, false, nil
	}
	return i.status(), err == nil, err
}

// inspected is what is read of a container's description.
type inspected struct {
	ID    string `json:"Id"`
	State struct {
		Status     string
		Pid        int
		ExitCode   int
		Error      string
		StartedAt  time.Time
		FinishedAt time.Time
		Health     struct{ Status string }
		// podman 4 writes this name.
		Healthcheck struct{ Status string }
	}
	RestartCount int
	Config       struct{ Labels map[string]string }
}

func (i inspected) status() container.Status {
	s := container.Status{
		ID: i.ID, Labels: i.Config.Labels, PID: i.State.Pid, Since: i.State.StartedAt, ExitCode: i.State.ExitCode, Restarts: i.RestartCount,
		Health: first(i.State.Health.Status, i.State.Healthcheck.Status), Text: i.State.Error,
	}
	switch i.State.Status {
	case "running", "paused", "stopping":
		s.Phase = container.Running
	case "created", "configured", "initialized":
		s.Phase = container.Created
	default: // exited, stopped, removing
		s.Phase, s.Since, s.PID = container.Exited, i.State.FinishedAt, 0
	}
	return s
}

// Create implements container.Engine.
func (c *Client) Create(ctx context.Context, d container.Container, labels map[string]string) error {
	var made struct{ ID string }
	return c.ask(ctx, http.MethodPost, "/containers/create", nil, specOf(d, labels), &made)
}

// spec is what is asked for a container (podman's SpecGenerator). Limits are left
// to the engine's own settings.
type spec struct {
	Name          string            `json:"name"`
	Image         string            `json:"image"`
	Env           map[string]string `json:"env"`
	Labels        map[string]string `json:"labels"`
	Mounts        []mount           `json:"mounts"`
	User          string            `json:"user"`
	UserNS        *mode             `json:"userns,omitempty"`
	NetNS         mode              `json:"netns"`
	CapDrop       []string          `json:"cap_drop"`
	CapAdd        []string          `json:"cap_add,omitempty"`
	ReadOnly      bool              `json:"read_only_filesystem"`
	NoNew         bool              `json:"no_new_privileges"`
	RestartPolicy string            `json:"restart_policy"`
	StopTimeout   uint              `json:"stop_timeout"`
}

type mode struct {
	Mode string `json:"nsmode"`
}

type mount struct {
	Type        string
	Source      string
	Destination string
	Options     []string
}

// specOf has no health check: podman has systemd ask, which does not answer
// where a container is made here. A unit asks for it, see Container.RunArgs.
func specOf(d container.Container, labels map[string]string) spec {
	s := spec{
		Name: d.Name, Image: d.Image, Env: map[string]string{}, Labels: map[string]string{}, User: d.User(), NetNS: mode{"host"},
		CapDrop: []string{"all"}, CapAdd: d.Capabilities(), ReadOnly: true, NoNew: true, RestartPolicy: "always", StopTimeout: uint(d.Stop.Seconds()),
	}
	if d.KeepID {
		s.UserNS = &mode{"keep-id"}
	}
	for _, e := range d.Env {
		k, v, _ := strings.Cut(e, "=")
		s.Env[k] = v
	}
	for _, m := range []map[string]string{d.Labels, labels} {
		for k, v := range m {
			s.Labels[k] = v
		}
	}
	for _, m := range d.Mounts {
		s.Mounts = append(s.Mounts, mount{"bind", m.From, m.To, append([]string{"rbind"}, m.Options()...)})
	}
	return s
}

// Start implements container.Engine.
func (c *Client) Start(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodPost, "/containers/"+name+"/start", nil, nil, nil)
}

// Stop implements container.Engine.
func (c *Client) Stop(ctx context.Context, name string, after time.Duration) error {
	query := url.Values{"timeout": {strconv.Itoa(int(after.Seconds()))}}
	return present(c.ask(ctx, http.MethodPost, "/containers/"+name+"/stop", query, nil, nil))
}

// Signal implements container.Engine.
func (c *Client) Signal(ctx context.Context, name, signal string) error {
	return c.ask(ctx, http.MethodPost, "/containers/"+name+"/kill", url.Values{"signal": {signal}}, nil, nil)
}

// Podman has no container removed that is just ending: it says so with the word
// ending, and a moment later the container has ended.
const (
	ending      = "container state improper"
	removeTries = 20
	removePause = 100 * time.Millisecond
)

// Remove implements container.Engine.
func (c *Client) Remove(ctx context.Context, name string) error {
	for try := 1; ; try++ {
		err := present(c.ask(ctx, http.MethodDelete, "/containers/"+name, url.Values{"force": {"true"}, "timeout": {"0"}}, nil, nil))
		if err == nil || try == removeTries || !strings.Contains(err.Error(), ending) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(removePause):
		}
	}
}

// Logs implements container.Engine.
func (c *Client) Logs(ctx context.Context, name string, since time.Time, follow bool, to io.Writer) error {
	query := url.Values{"stdout": {"true"}, "stderr": {"true"}, "follow": {strconv.FormatBool(follow)}}
	if !since.IsZero() {
		query.Set("since", strconv.FormatInt(since.Unix(), 10))
	}
	answer, err := c.request(ctx, http.MethodGet, "/containers/"+name+"/logs", query, nil, "")
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }() // only read from
	for {
		var head [8]byte // stream, three zeros, length
		if _, err := io.ReadFull(answer, head[:]); err != nil {
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("podman: logs: %w", err)
		}
		if _, err := io.CopyN(to, answer, int64(binary.BigEndian.Uint32(head[4:]))); err != nil {
			return fmt.Errorf("podman: logs: %w", err)
		}
	}
}
