package router

import (
	"context"
	"errors"
	"sync"
)

// mailbox carries work to the control loop. Any goroutine may post; posting
// never blocks, since the posters are connection readers. What a peer can post
// is bounded by the sender: see control.go, maxPendingControl.
type mailbox struct {
	ready chan struct{} // capacity 1: "the queue is not empty"
	over  chan struct{} // closed by end

	mu    sync.Mutex
	queue []func() // Guarded by mu.
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1), over: make(chan struct{})} }

// post queues f for the control loop.
func (m *mailbox) post(f func()) {
	m.mu.Lock()
	m.queue = append(m.queue, f)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// take returns what has been posted, in order, and empties the queue. The
// slice spare is reused for what comes next.
func (m *mailbox) take(spare []func()) []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.queue
	m.queue = spare[:0]
	return got
}

// end says that nothing more will be taken.
func (m *mailbox) end() { close(m.over) }

var errOver = errors.New("the router has stopped")

// call runs f on the control loop and waits for its end, or for ctx. Once the
// loop has ended it does nothing.
func (m *mailbox) call(ctx context.Context, f func()) error {
	done := make(chan struct{})
	m.post(func() {
		defer close(done)
		f()
	})
	select {
	case <-done:
		return nil
	case <-m.over:
		return errOver
	case <-ctx.Done():
		return ctx.Err()
	}
}
