package system

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bounds of asking a router on this machine.
const (
	dialTimeout  = time.Second
	queryTimeout = 3 * time.Second
	// surveyWait is how long a status waits for news of the network before it
	// takes what is known.
	surveyWait = 300 * time.Millisecond
)

// routerView asks one router. It keeps one connection, made when it is first
// needed; questions wait for each other.
type routerView struct {
	dial   func(ctx context.Context, socket string) (Asker, error)
	socket string

	mu   sync.Mutex // held while the router is asked
	conn Asker      // guarded by mu; nil when there is none

	surveys   sync.WaitGroup
	surveyMu  sync.Mutex
	known     *network      // guarded by surveyMu; nil before the first survey
	surveying chan struct{} // guarded by surveyMu; closed when the running survey ends, nil if none runs
}

func newRouterView(dial func(context.Context, string) (Asker, error), socket string) *routerView {
	return &routerView{dial: dial, socket: socket}
}

// errNoDial is returned where nobody knows how to ask a router.
var errNoDial = errors.New("no client for the router")

// look asks the router for everything that status needs. A connection that
// turns out to be dead, as after a restart, is replaced once.
func (r *routerView) look(ctx context.Context) (*live, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.conn != nil
	l, err := r.lookOnce(ctx)
	if err != nil && old && ctx.Err() == nil {
		l, err = r.lookOnce(ctx)
	}
	return l, err
}

// lookOnce is look over the present connection; r.mu is held.
func (r *routerView) lookOnce(ctx context.Context) (*live, error) {
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	l, err := ask(ctx, r.conn)
	if err != nil {
		_ = r.conn.Close() // it is broken already
		r.conn = nil
		return nil, err
	}
	return l, nil
}

func (r *routerView) connect(ctx context.Context) error {
	if r.conn != nil {
		return nil
	}
	if r.dial == nil {
		return errNoDial
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := r.dial(ctx, r.socket)
	if err != nil {
		return err
	}
	r.conn = conn
	return nil
}

// network is what is known of the network around l. News are collected in the
// background; ctx bounds the wait for them, not the collecting.
func (r *routerView) network(ctx context.Context, l *live) *network {
	r.surveyMu.Lock()
	if r.known != nil && time.Since(r.known.taken) < surveyAge {
		defer r.surveyMu.Unlock()
		return r.known
	}
	if r.surveying == nil {
		done := make(chan struct{})
		r.surveying = done
		r.surveys.Go(func() { r.survey(l, done) })
	}
	done := r.surveying
	r.surveyMu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(surveyWait):
	}
	r.surveyMu.Lock()
	defer r.surveyMu.Unlock()
	return r.known
}

func (r *routerView) survey(l *live, done chan struct{}) {
	defer func() {
		r.surveyMu.Lock()
		r.surveying = nil
		r.surveyMu.Unlock()
		close(done)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), surveyTimeout+dialTimeout)
	defer cancel()
	if r.dial == nil {
		return
	}
	conn, err := r.dial(ctx, r.socket) // of its own: far routers answer slowly
	if err != nil {
		return
	}
	n := survey(ctx, conn, l, time.Now())
	_ = conn.Close() // nothing more is asked
	r.surveyMu.Lock()
	r.known = n
	r.surveyMu.Unlock()
}

// close ends the connection and waits for a survey.
func (r *routerView) close() {
	r.surveys.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		_ = r.conn.Close() // nothing more is asked
		r.conn = nil
	}
}
