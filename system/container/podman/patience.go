package podman

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/skupper-host/skupper/system/container"
)

// patience is how long a request may be without an answer before podman is asked
// whether it is there at all, and how long that may take.
const patience = 15 * time.Second

// patient ends a request that nobody will answer: systemd takes connections for a
// podman that ends whenever it is started. One that works for long on a request
// answers another meanwhile.
type patient struct {
	http.RoundTripper
	patience time.Duration
}

// RoundTrip implements http.RoundTripper. The error is container.ErrSilent where
// nobody answers.
func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, stop := context.WithCancelCause(r.Context())
	waiting, answered := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		if p.silent(waiting) {
			stop(container.ErrSilent)
		}
	})
	resp, err := p.RoundTripper.RoundTrip(r.WithContext(ctx))
	answered()
	watcher.Wait()
	if err != nil {
		if errors.Is(context.Cause(ctx), container.ErrSilent) {
			err = container.ErrSilent
		}
		stop(nil)
		return nil, err
	}
	resp.Body = answer{resp.Body, stop}
	return resp, nil
}

// silent asks for a sign of life from time to time while an answer is waited for,
// and reports that there was none.
func (p patient) silent(waiting context.Context) bool {
	for {
		select {
		case <-waiting.Done():
			return false
		case <-time.After(p.patience):
		}
		if !p.lives(waiting) {
			return waiting.Err() == nil
		}
	}
}

func (p patient) lives(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://podman/_ping", nil)
	if err != nil {
		return false
	}
	resp, err := p.RoundTripper.RoundTrip(r)
	return err == nil && resp.Body.Close() == nil
}

// answer ends its request when it is closed.
type answer struct {
	io.ReadCloser
	stop context.CancelCauseFunc
}

func (a answer) Close() error {
	defer a.stop(nil)
	return a.ReadCloser.Close()
}
