package router

import (
	"context"
	"errors"
	"testing"
)

// TestCallAfterEnd returns at once when nobody will do what is asked.
func TestCallAfterEnd(t *testing.T) {
	t.Parallel()
	m := newMailbox()
	waiting := make(chan error)
	go func() { waiting <- m.call(context.Background(), func() { t.Error("called") }) }()
	<-m.ready
	m.end()
	if err := <-waiting; !errors.Is(err, errOver) {
		t.Errorf("got %v", err)
	}
	if err := m.call(context.Background(), func() { t.Error("called") }); !errors.Is(err, errOver) {
		t.Errorf("got %v", err)
	}
}
