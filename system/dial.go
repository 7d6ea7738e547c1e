package system

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/skupper-host/skupper/router/manage/client"
)

// DialRouter asks a router over its Unix socket, and other routers of its
// network through it.
func DialRouter(ctx context.Context, socket string) (Asker, error) {
	own, err := client.Dial(ctx, client.Target{Network: "unix", Address: socket})
	if err != nil {
		return nil, err
	}
	return &managementAsker{socket: socket, own: own, others: map[string]*client.Client{}}, nil
}

// managementAsker keeps a connection for each management node that was asked.
type managementAsker struct {
	socket string
	own    *client.Client

	mu     sync.Mutex
	others map[string]*client.Client // guarded by mu; by node
}

// Query implements Asker.
func (a *managementAsker) Query(ctx context.Context, node, entityType string, attributes ...string) ([]map[string]any, error) {
	c, err := a.client(ctx, node)
	if err != nil {
		return nil, err
	}
	list, err := c.Query(ctx, entityType, attributes...)
	rows := make([]map[string]any, 0, len(list))
	for _, e := range list {
		rows = append(rows, e)
	}
	return rows, err
}

// Read implements Asker.
func (a *managementAsker) Read(ctx context.Context, entityType, name string) (map[string]any, error) {
	e, err := a.own.Read(ctx, client.Ref{Type: entityType, Name: name})
	var refused *client.Error
	if errors.As(err, &refused) && (refused.Status == http.StatusNotFound || refused.Status == http.StatusBadRequest) {
		return nil, nil // none, or one of another type with that name
	}
	return e, err
}

// Digest implements digester. It is 0 where a router knows of no such thing.
func (a *managementAsker) Digest(ctx context.Context, attributes map[string][]string) (uint64, error) {
	digest, err := a.own.Digest(ctx, attributes)
	var refused *client.Error
	if errors.As(err, &refused) {
		return 0, nil
	}
	return digest, err
}

// RoundTrips implements timer. It is empty where a router knows of no such thing.
func (a *managementAsker) RoundTrips(ctx context.Context) (map[string]time.Duration, error) {
	trips, err := a.own.RoundTrips(ctx)
	var refused *client.Error
	if errors.As(err, &refused) {
		return nil, nil
	}
	return trips, err
}

// Losses implements foreteller.
func (a *managementAsker) Losses(ctx context.Context, changes []client.Change) ([]client.Loss, error) {
	return a.own.Losses(ctx, changes)
}

func (a *managementAsker) client(ctx context.Context, node string) (*client.Client, error) {
	if node == "" {
		return a.own, nil
	}
	a.mu.Lock()
	c := a.others[node]
	a.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := client.Dial(ctx, client.Target{Network: "unix", Address: a.socket, Node: node})
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.others[node]; old != nil { // somebody was faster
		return old, c.Close()
	}
	a.others[node] = c
	return c, nil
}

// Close implements Asker.
func (a *managementAsker) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	errs := []error{a.own.Close()}
	for _, c := range a.others {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
