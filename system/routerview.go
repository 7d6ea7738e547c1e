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
// needed, over which several may ask at the same time.
type routerView struct {
	dial   func(ctx context.Context, socket string) (Asker, error)
	socket string

	mu   sync.Mutex
	conn Asker // guarded by mu; nil when there is none

	lastMu  sync.Mutex
	last    *live     // guarded by lastMu; what the router said last, nil after a failure
	lastAt  time.Time // guarded by lastMu
	surveys sync.WaitGroup

	surveyMu  sync.Mutex
	known     *network          // guarded by surveyMu; nil before the first survey, the same one while surveys find the same
	knownAt   time.Time         // guarded by surveyMu; when the last survey began
	answers   map[string]answer // of the routers of the network; owned by the running survey
	surveying chan struct{}     // guarded by surveyMu; closed when the running survey ends, nil if none runs
}

func newRouterView(dial func(context.Context, string) (Asker, error), socket string) *routerView {
	return &routerView{dial: dial, socket: socket, answers: map[string]answer{}}
}

// errNoDial is returned where nobody knows how to ask a router.
var errNoDial = errors.New("no client for the router")

// look asks the router for everything that status needs.
func (r *routerView) look(ctx context.Context) (l *live, err error) {
	err = r.ask(ctx, func(ctx context.Context, a Asker) error {
		l, err = ask(ctx, a)
		return err
	})
	r.lastMu.Lock()
	defer r.lastMu.Unlock()
	r.last, r.lastAt = l, time.Now()
	return l, err
}

// recent is what the router said a moment ago; it is asked if that is too long
// ago. It is nil where the router does not answer.
func (r *routerView) recent(ctx context.Context) *live {
	r.lastMu.Lock()
	last, at := r.last, r.lastAt
	r.lastMu.Unlock()
	if last != nil && time.Since(at) < 2*statusEvery {
		return last
	}
	l, _ := r.look(ctx) // nil says it
	return l
}

// latest is what the router said last, nil if it did not answer.
func (r *routerView) latest() *live {
	r.lastMu.Lock()
	defer r.lastMu.Unlock()
	return r.last
}

// forget drops what the router said: it is about to be another one.
func (r *routerView) forget() {
	r.lastMu.Lock()
	defer r.lastMu.Unlock()
	r.last = nil
}

// ask puts a question. A connection that turns out to be dead, as after a
// restart, is replaced once.
func (r *routerView) ask(ctx context.Context, question func(context.Context, Asker) error) error {
	return r.askFor(ctx, queryTimeout, question)
}

// askFor is ask for a question that may take another time.
func (r *routerView) askFor(ctx context.Context, limit time.Duration, question func(context.Context, Asker) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		conn, fresh, err := r.connection(ctx)
		if err != nil {
			return err
		}
		if err = question(ctx, conn); err == nil {
			return nil
		}
		r.drop(conn)
		if fresh || ctx.Err() != nil {
			return err
		}
	}
}

// connection is the one to the router; fresh says that it was made now.
func (r *routerView) connection(ctx context.Context) (conn Asker, fresh bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		return r.conn, false, nil
	}
	if r.dial == nil {
		return nil, false, errNoDial
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if r.conn, err = r.dial(ctx, r.socket); err != nil {
		r.conn = nil
	}
	return r.conn, true, err
}

// drop ends a connection that is broken.
func (r *routerView) drop(conn Asker) {
	r.mu.Lock()
	if r.conn == conn {
		r.conn = nil
	}
	r.mu.Unlock()
	_ = conn.Close() // it is broken already
}

// network is what is known of the network around l. News are collected in the
// background; ctx bounds the wait for them, not the collecting.
func (r *routerView) network(ctx context.Context, l *live) *network {
	r.surveyMu.Lock()
	if r.known != nil && time.Since(r.knownAt) < surveyAge {
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

// surveyed is what the last survey found, nil before the first.
func (r *routerView) surveyed() *network {
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
	began := time.Now()
	n := survey(ctx, conn, l, r.answers)
	_ = conn.Close() // nothing more is asked
	r.surveyMu.Lock()
	if r.knownAt = began; !n.same(r.known) {
		r.known = n
	}
	r.surveyMu.Unlock()
}

// close ends the connection and waits for a survey.
func (r *routerView) close() {
	r.surveys.Wait()
	r.mu.Lock()
	conn := r.conn
	r.conn = nil
	r.mu.Unlock()
	if conn != nil {
		_ = conn.Close() // nothing more is asked
	}
}
