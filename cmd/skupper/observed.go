package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"

	"github.com/skupper-host/skupper/observer"
	"github.com/skupper-host/skupper/observer/record"
	"github.com/skupper-host/skupper/system/api"
)

// observed asks the network observer of this instance over its Unix socket.
type observed struct {
	socket string
	http   http.Client
}

// apiPrefix is the path of the API.
const apiPrefix = "/api/v2alpha1/"

// observer is the network observer of this instance, which need not run.
func (p *program) observer() (*observed, error) {
	if p.pathsErr != nil {
		return nil, p.pathsErr
	}
	socket, err := p.paths.ObserverSocket()
	if err != nil {
		return nil, err
	}
	return &observed{socket: socket, http: http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}, nil
}

// open asks for a path. Whoever called closes the answer.
func (o *observed) open(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("network observer: %w", err)
	}
	response, err := o.http.Do(request)
	if err != nil {
		return nil, o.unreachable(ctx, err)
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return nil, errors.Join(fmt.Errorf("network observer: %s for %s: %s", response.Status, path, text), err, response.Body.Close())
}

// unreachable says why the observer does not answer.
func (o *observed) unreachable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &api.Error{Kind: api.Unavailable, Message: "no network observer runs", Advice: "`skupper system network-observer install` starts one"}
	case errors.Is(err, fs.ErrPermission):
		return &api.Error{Kind: api.Denied, Message: "network observer: permission denied (" + o.socket + ")", Advice: "run as root or as the user whose sites they are"}
	}
	return fmt.Errorf("network observer: %w", err)
}

// get reads an answer in JSON.
func (o *observed) get(ctx context.Context, path string, query url.Values, into any) error {
	body, err := o.open(ctx, path, query)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // only read from
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("network observer: %s: %w", path, err)
	}
	return nil
}

// status is how the observer is.
func (o *observed) status(ctx context.Context) (*observer.Status, error) {
	s := &observer.Status{}
	return s, o.get(ctx, observer.StatusPath, nil, s)
}

// list reads the records that live.
func list[T any](ctx context.Context, o *observed, name string) ([]T, error) {
	var page struct{ Results []T }
	err := o.get(ctx, apiPrefix+name, url.Values{"state": {"active"}}, &page)
	return page.Results, err
}

// sample is a value of some labels.
type sample struct {
	labels map[string]string
	value  float64
}

// query asks for what was counted.
func (o *observed) query(ctx context.Context, text string) ([]sample, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := o.get(ctx, apiPrefix+"internal/prom/query", url.Values{"query": {text}}, &answer); err != nil {
		return nil, err
	}
	samples := make([]sample, 0, len(answer.Data.Result))
	for _, r := range answer.Data.Result {
		word, _ := r.Value[1].(string)
		value, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("network observer: %q of %s is no number", word, text)
		}
		samples = append(samples, sample{r.Metric, value})
	}
	return samples, nil
}

// links are the links between routers, and what flows over each.
func (o *observed) links(ctx context.Context) ([]record.RouterLink, map[string]observer.LinkRate, error) {
	all, err := list[record.RouterLink](ctx, o, "routerlinks")
	if err != nil {
		return nil, nil, err
	}
	rates := map[string]observer.LinkRate{}
	return all, rates, o.get(ctx, observer.RatesPath, nil, &rates)
}
