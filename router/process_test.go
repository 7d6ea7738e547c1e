package router

import (
	"sync/atomic"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/stream"
)

// outcome keeps the outcome of a delivery.
type outcome struct{ states []amqp.State }

func (o *outcome) Update(st amqp.State, _ bool) { o.states = append(o.states, st) }
func (o *outcome) Ready()                       {}
func (o *outcome) Lost(error)                   {}

// TestProcessIsBounded refuses what is too long, and what is not complete once
// there is too much of that.
func TestProcessIsBounded(t *testing.T) {
	t.Parallel()
	var incomplete atomic.Int64
	var got []int
	p := &process{handle: func(b []byte) { got = append(got, len(b)) }, limit: 1 << 20, incomplete: &incomplete}
	begin := func() (stream.Sending, *outcome) {
		o := &outcome{}
		path, _ := p.way(forward.Choice{}, &message{}, o)
		return path.Sending, o
	}
	check := func(what string, o *outcome, want string) {
		t.Helper()
		switch {
		case want == "" && len(o.states) == 1 && o.states[0].Code == amqp.StateAccepted:
		case len(o.states) != 1 || o.states[0].Error == nil || string(o.states[0].Error.Condition) != want:
			t.Errorf("%s: %+v", what, o.states)
		}
	}
	s, o := begin()
	s.WriteBytes(make([]byte, 1<<20), true)
	s.WriteBytes(make([]byte, 1), true)
	check("too long", o, string(amqp.ErrMessageSizeExceeded))
	s.WriteBytes(make([]byte, 1), false) // the rest goes nowhere

	var open []stream.Sending
	for range maxIncomplete >> 20 {
		s, _ := begin()
		s.WriteBytes(make([]byte, 1<<20), true)
		open = append(open, s)
	}
	s, o = begin()
	s.WriteBytes(make([]byte, 1), true)
	check("too much", o, string(amqp.ErrResourceLimitExceeded))
	s, o = begin()
	s.WriteBytes(make([]byte, 5), false)
	check("complete at once", o, "")
	for i, s := range open {
		if i%2 == 0 {
			s.Abort()
		} else {
			s.End(true)
		}
	}
	if n := incomplete.Load(); n != 0 {
		t.Errorf("%d octets are left", n)
	}
	if len(got) != 1+len(open)/2 || got[0] != 5 || got[1] != 1<<20 {
		t.Errorf("messages of %v octets", got)
	}
}
