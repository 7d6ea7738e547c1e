package stream

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/skupper-host/skupper/router/session"
)

// TestClientResetsBeforeReply: what a client said early is not taken for the
// whole when it resets its connection before there is a reply.
func TestClientResetsBeforeReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		u := &upstreamEnd{ends: e}
		e.serve("svc", &destination{take: func(r Receiving, _ *Head) session.Sink {
			u.request = r
			return u
		}})
		c := e.connect("svc")
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.Reset()
		e.done.Wait()
		synctest.Wait()
		if got := e.seen(); !slices.Contains(got, "request: aborted") {
			t.Errorf("what passed does not end in an abort: %q", got)
		}
	})
}
