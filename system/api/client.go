package api

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
	"net/url"
	"syscall"
)

// Client asks the agent behind a Unix socket. It implements Controller.
type Client struct {
	socket string
	http   http.Client
}

// NewClient makes a client for the socket at that path. Nothing is dialed yet.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, err
		}
		if err := trusted(conn); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
	return &Client{socket: socket, http: http.Client{Transport: &http.Transport{DialContext: dial, DisableCompression: true}}}
}

// Agent implements Controller.
func (c *Client) Agent(ctx context.Context) (*Agent, error) {
	return call[Agent](ctx, c, "GET", "/v1/agent", nil)
}

// Namespaces implements Controller.
func (c *Client) Namespaces(ctx context.Context) ([]Namespace, error) {
	list, err := call[[]Namespace](ctx, c, "GET", "/v1/namespaces", nil)
	if err != nil {
		return nil, err
	}
	return *list, nil
}

// Observer implements Controller.
func (c *Client) Observer(ctx context.Context, r ObserverRequest) (*ObserverState, error) {
	return call[ObserverState](ctx, c, "POST", "/v1/observer", r)
}

// Status implements Controller.
func (c *Client) Status(ctx context.Context, namespace string) (*Status, error) {
	return call[Status](ctx, c, "GET", path(namespace, ""), nil)
}

// Names implements Controller.
func (c *Client) Names(ctx context.Context, namespace string) (*[]Ref, error) {
	return call[[]Ref](ctx, c, "GET", path(namespace, "/names"), nil)
}

// Check implements Controller.
func (c *Client) Check(ctx context.Context, namespace string, r CheckRequest) (*Check, error) {
	return call[Check](ctx, c, "POST", path(namespace, "/check"), r)
}

// Ping implements Controller.
func (c *Client) Ping(ctx context.Context, namespace string, r PingRequest) (*Ping, error) {
	return call[Ping](ctx, c, "POST", path(namespace, "/ping"), r)
}

// Apply implements Controller.
func (c *Client) Apply(ctx context.Context, namespace string, r ApplyRequest) (*Result, error) {
	return call[Result](ctx, c, "POST", path(namespace, "/apply"), r)
}

// Delete implements Controller.
func (c *Client) Delete(ctx context.Context, namespace string, r DeleteRequest) (*Result, error) {
	return call[Result](ctx, c, "POST", path(namespace, "/delete"), r)
}

// Patch implements Controller.
func (c *Client) Patch(ctx context.Context, namespace string, r PatchRequest) (*Result, error) {
	return call[Result](ctx, c, "POST", path(namespace, "/patch"), r)
}

// Operate implements Controller.
func (c *Client) Operate(ctx context.Context, namespace string, r OperateRequest) (*Result, error) {
	return call[Result](ctx, c, "POST", path(namespace, "/operate"), r)
}

// Link implements Controller.
func (c *Client) Link(ctx context.Context, namespace string, r LinkRequest) (*LinkFile, error) {
	return call[LinkFile](ctx, c, "POST", path(namespace, "/link"), r)
}

// Token implements Controller.
func (c *Client) Token(ctx context.Context, namespace string, r TokenRequest) (*TokenFile, error) {
	return call[TokenFile](ctx, c, "POST", path(namespace, "/token"), r)
}

// Redeem implements Controller.
func (c *Client) Redeem(ctx context.Context, namespace string, r RedeemRequest) (*Result, error) {
	return call[Result](ctx, c, "POST", path(namespace, "/redeem"), r)
}

// Renew implements Controller.
func (c *Client) Renew(ctx context.Context, namespace string, r RenewRequest) (*Result, error) {
	return call[Result](ctx, c, "POST", path(namespace, "/renew"), r)
}

func path(namespace, rest string) string {
	return "/v1/namespaces/" + url.PathEscape(namespace) + rest
}

// call makes one request. An agent that is not there is Unavailable, one that
// refuses this user Denied.
func call[A any](ctx context.Context, c *Client, method, path string, body any) (*A, error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("request %s: %w", path, err)
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, reader)
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", path, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	if resp.StatusCode != http.StatusOK {
		e := &Error{Kind: Internal}
		if err := json.NewDecoder(resp.Body).Decode(e); err != nil || e.Message == "" {
			return nil, &Error{Kind: Internal, Message: fmt.Sprintf("agent: %s for %s", resp.Status, path)}
		}
		return nil, e
	}
	answer := new(A)
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return answer, nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &Error{Kind: Unavailable, Message: "agent: " + inner(err).Error() + " (" + c.socket + ")"}
	var stranger *strangerError
	switch {
	case errors.As(err, &stranger):
		e.Kind, e.Message = Denied, "agent: "+stranger.Error()+" ("+c.socket+")"
		e.Advice = "set XDG_RUNTIME_DIR to a directory of your own"
	case errors.Is(err, fs.ErrPermission):
		e.Kind = Denied
		e.Message = "agent: permission denied (" + c.socket + ")"
		e.Advice = "run as the user whose sites they are, or as a member of the group skupper"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		e.Message = "agent: not running (" + c.socket + ")"
	}
	return e
}

// inner drops the layers of an HTTP client's error that repeat the address.
func inner(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
