package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	dockertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/skupper-host/skupper/system/container"
)

// Oldest is the oldest API that has what is asked here.
const Oldest = "1.41"

// Client is a connection to Docker, made when it is needed. It is safe for
// concurrent use. It implements container.Engine.
type Client struct {
	socket string
	api    *client.Client
}

// New makes a client of the engine at an address as in DOCKER_HOST.
func New(endpoint string) (*Client, error) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "unix://" + endpoint
	}
	api, err := client.NewClientWithOpts(client.WithHost(endpoint), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	return &Client{strings.TrimPrefix(endpoint, "unix://"), api}, nil
}

// explain tells an engine that does not answer from one that refuses.
func (c *Client) explain(err error) error {
	var dial *net.OpError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &dial) && dial.Op == "dial", client.IsErrConnectionFailed(err), errors.Is(err, fs.ErrPermission):
		return &container.UnreachableError{Engine: container.Docker, Socket: c.socket, Err: c.cause(err)}
	}
	return fmt.Errorf("docker: %w", err)
}

// cause is why the engine cannot be reached. The library keeps only words of
// it, so that the socket is asked again.
func (c *Client) cause(err error) error {
	conn, dialled := net.Dial("unix", c.socket)
	if dialled == nil {
		return errors.Join(err, conn.Close())
	}
	return dialled
}

// present makes an error of what is not there no error.
func (c *Client) present(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return c.explain(err)
}

// Version implements container.Engine.
func (c *Client) Version(ctx context.Context) (container.Version, error) {
	v, err := c.api.ServerVersion(ctx)
	if err != nil {
		return container.Version{}, c.explain(err)
	}
	if !container.AtLeast(v.APIVersion, Oldest) {
		return container.Version{}, &container.TooOldError{Engine: container.Docker, Is: v.Version + " (API " + v.APIVersion + ")", Need: "API " + Oldest}
	}
	return container.Version{Engine: v.Version, API: v.APIVersion}, nil
}

// Image implements container.Engine.
func (c *Client) Image(ctx context.Context, name string) (container.Image, bool, error) {
	i, err := c.api.ImageInspect(ctx, name)
	if err != nil {
		return container.Image{}, false, c.present(err)
	}
	out := container.Image{ID: i.ID}
	if i.Config != nil {
		out.Labels = i.Config.Labels
	}
	return out, true, nil
}

// Load implements container.Engine.
func (c *Client) Load(ctx context.Context, archive io.Reader) error {
	answer, err := c.api.ImageLoad(ctx, archive)
	if err != nil {
		return c.explain(err)
	}
	return c.drain(answer.Body)
}

// drain reads an answer to its end, where the engine says whether it failed.
func (c *Client) drain(body io.ReadCloser) error {
	text, err := io.ReadAll(io.LimitReader(body, 4<<20))
	if err := errors.Join(err, body.Close()); err != nil {
		return c.explain(err)
	}
	if _, said, failed := strings.Cut(string(text), `"error":"`); failed {
		said, _, _ = strings.Cut(said, `"`)
		return fmt.Errorf("docker: %s", said)
	}
	return nil
}

// Pull implements container.Engine.
func (c *Client) Pull(ctx context.Context, name string) error {
	answer, err := c.api.ImagePull(ctx, name, image.PullOptions{})
	if err != nil {
		return c.explain(err)
	}
	return c.drain(answer)
}

// Images implements container.Engine.
func (c *Client) Images(ctx context.Context, repository string) ([]string, error) {
	list, err := c.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", repository))})
	if err != nil {
		return nil, c.explain(err)
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
	_, err := c.api.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
	return c.present(err)
}

// Inspect implements container.Engine.
func (c *Client) Inspect(ctx context.Context, name string) (container.Status, bool, error) {
	i, err := c.api.ContainerInspect(ctx, name)
	if err != nil {
		return container.Status{}, false, c.present(err)
	}
	return statusOf(i), true, nil
}

func statusOf(i dockertypes.InspectResponse) container.Status {
	var s container.Status
	if i.Config != nil {
		s.Labels = i.Config.Labels
	}
	if i.ContainerJSONBase == nil || i.State == nil {
		s.Phase = container.Created
		return s
	}
	s.ID, s.PID, s.ExitCode, s.Restarts, s.Text = i.ID, i.State.Pid, i.State.ExitCode, i.RestartCount, i.State.Error
	s.Since, _ = time.Parse(time.RFC3339Nano, i.State.StartedAt) // zero where it never started
	if i.State.Health != nil && i.State.Health.Status != "none" {
		s.Health = i.State.Health.Status
	}
	switch i.State.Status {
	case "running", "paused":
		s.Phase = container.Running
	case "restarting":
		s.Phase = container.Restarting
	case "created":
		s.Phase = container.Created
	default: // exited, dead, removing
		s.Phase, s.PID = container.Exited, 0
		s.Since, _ = time.Parse(time.RFC3339Nano, i.State.FinishedAt)
	}
	return s
}

// Publisher names the container to which a TCP port of the host leads, "" where it
// leads to none.
func (c *Client) Publisher(ctx context.Context, port int) (string, error) {
	list, err := c.api.ContainerList(ctx, dockertypes.ListOptions{Filters: filters.NewArgs(filters.Arg("publish", strconv.Itoa(port)+"/tcp"))})
	if err != nil {
		return "", c.explain(err)
	}
	for _, s := range list {
		if len(s.Names) > 0 {
			return strings.TrimPrefix(s.Names[0], "/"), nil
		}
	}
	return "", nil
}

// Create implements container.Engine.
func (c *Client) Create(ctx context.Context, d container.Container, labels map[string]string) error {
	config, host := specOf(d, labels)
	_, err := c.api.ContainerCreate(ctx, config, host, nil, nil, d.Name)
	return c.explain(err)
}

// specOf is what is asked for a container. Limits are left to the engine's own
// settings.
func specOf(d container.Container, labels map[string]string) (*dockertypes.Config, *dockertypes.HostConfig) {
	seconds := int(d.Stop.Seconds())
	config := &dockertypes.Config{Image: d.Image, User: d.User(), Env: d.Env, Labels: map[string]string{}, StopTimeout: &seconds}
	maps.Copy(config.Labels, d.Labels)
	maps.Copy(config.Labels, labels)
	if len(d.Health) > 0 {
		config.Healthcheck = &dockertypes.HealthConfig{
			Test: append([]string{"CMD"}, d.Health...), Interval: container.HealthEvery, Timeout: container.HealthTimeout, Retries: container.HealthRetries,
		}
	}
	host := &dockertypes.HostConfig{
		NetworkMode: "host", RestartPolicy: dockertypes.RestartPolicy{Name: dockertypes.RestartPolicyAlways}, ReadonlyRootfs: true,
		CapDrop: []string{"ALL"}, CapAdd: d.Capabilities(), SecurityOpt: []string{"no-new-privileges"},
	}
	for _, m := range d.Mounts {
		// The notation with colons alone knows the label of SELinux.
		host.Binds = append(host.Binds, m.From+":"+m.To+":"+strings.Join(m.Options(), ","))
	}
	return config, host
}

// Start implements container.Engine.
func (c *Client) Start(ctx context.Context, name string) error {
	return c.explain(c.api.ContainerStart(ctx, name, dockertypes.StartOptions{}))
}

// Stop implements container.Engine.
func (c *Client) Stop(ctx context.Context, name string, after time.Duration) error {
	seconds := int(after.Seconds())
	return c.present(c.api.ContainerStop(ctx, name, dockertypes.StopOptions{Timeout: &seconds}))
}

// Signal implements container.Engine.
func (c *Client) Signal(ctx context.Context, name, signal string) error {
	return c.explain(c.api.ContainerKill(ctx, name, signal))
}

// Remove implements container.Engine.
func (c *Client) Remove(ctx context.Context, name string) error {
	return c.present(c.api.ContainerRemove(ctx, name, dockertypes.RemoveOptions{Force: true}))
}

// Logs implements container.Engine.
func (c *Client) Logs(ctx context.Context, name string, since time.Time, follow bool, to io.Writer) error {
	o := dockertypes.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: follow, Tail: "all"}
	if !since.IsZero() {
		o.Since = strconv.FormatInt(since.Unix(), 10)
	}
	answer, err := c.api.ContainerLogs(ctx, name, o)
	if err != nil {
		return c.explain(err)
	}
	defer func() { _ = answer.Close() }() // only read from
	if _, err := stdcopy.StdCopy(to, to, answer); err != nil && ctx.Err() == nil {
		return c.explain(err)
	}
	return nil
}
