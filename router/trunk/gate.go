package trunk

import (
	"context"
	"sync"
)

// gate is open while the control connection is up.
type gate struct {
	mu   sync.Mutex
	up   bool          // Guarded by mu.
	went chan struct{} // Guarded by mu: closed while up.
}

func newGate() *gate { return &gate{went: make(chan struct{})} }

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.up {
		g.up = true
		close(g.went)
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up {
		g.up = false
		g.went = make(chan struct{})
	}
}

// wait waits until the gate is open; it reports false when ctx ends first.
func (g *gate) wait(ctx context.Context) bool {
	g.mu.Lock()
	went := g.went
	g.mu.Unlock()
	select {
	case <-went:
		return true
	case <-ctx.Done():
		return false
	}
}
