package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skupper-host/skupper/observer/network"
	"github.com/skupper-host/skupper/observer/recorded"
	"github.com/skupper-host/skupper/router/vanflow"
)

// sink is the client's end of a stream; while stuck is set and not closed,
// writes wait.
type sink struct {
	header http.Header

	mu    sync.Mutex
	stuck chan struct{}
	code  int
	text  strings.Builder
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) Flush()              {}

func (s *sink) WriteHeader(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code = code
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	stuck := s.stuck
	s.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// took returns what came since it was called before, without comments.
func (s *sink) took() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := strings.ReplaceAll(s.text.String(), ": still here\n\n", "")
	s.text.Reset()
	return out
}

// site is a record of a site.
func site(id, name string, more ...vanflow.Attribute) vanflow.Record {
	r := vanflow.Record{Type: vanflow.TypeSite, Identity: id}
	for _, a := range append(more, vanflow.Text(vanflow.AttrName, name), vanflow.Number(vanflow.AttrStartTime, 1)) {
		r.Set(a)
	}
	return r
}

// streaming runs fn in a bubble with an API that runs; listen opens a stream.
func streaming(t *testing.T, fn func(n *network.Network, listen func(target string, headers ...string) (*sink, context.CancelFunc))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := network.New(network.Limits{})
		a := New(Options{Network: n})
		h := a.Handler()
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if err := a.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		fn(n, func(target string, headers ...string) (*sink, context.CancelFunc) {
			s := &sink{header: http.Header{}}
			ctx, leave := context.WithCancel(ctx)
			r := httptest.NewRequest("GET", Prefix+"/events"+target, nil).WithContext(ctx)
			for _, h := range headers {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Set(name, value)
			}
			all.Go(func() { h.ServeHTTP(s, r) })
			return s, leave
		})
		cancel()
		all.Wait()
		if left, _ := a.events.all(); len(left) > 0 {
			t.Errorf("%d streams are left", len(left))
		}
	})
}

func TestEventsTellWhatChanges(t *testing.T) {
	t.Parallel()
	streaming(t, func(n *network.Network, listen func(string, ...string) (*sink, context.CancelFunc)) {
		apply := func(records ...vanflow.Record) {
			n.Apply(time.Now(), "src", records)
			time.Sleep(2 * eventEvery)
		}
		apply(site("a", "west"))
		s, _ := listen("?kinds=sites")
		if got, want := s.took(), "retry: 3000\nid: seen\nevent: hello\ndata: {\"kinds\":[\"sites\"]}\n\n"; got != want {
			t.Errorf("hello: %q, want %q", got, want)
		}
		if got := s.header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("content type %s", got)
		}
		apply(site("b", "east"))
		if got := s.took(); !strings.HasPrefix(got, "event: sites\ndata: {\"change\":\"added\",\"record\":{\"identity\":\"b\",") || strings.Count(got, "event:") != 1 {
			t.Errorf("added: %q", got)
		}
		apply(site("a", "western"))
		if got := s.took(); !strings.Contains(got, `{"change":"changed","record":{"identity":"a",`) || !strings.Contains(got, `"name":"western"`) || strings.Count(got, "event:") != 1 {
			t.Errorf("changed: %q", got)
		}
		apply(site("a", "western"))
		if got := s.took(); got != "" {
			t.Errorf("the same again: %q", got)
		}
		n.Forget(time.Now(), "src")
		time.Sleep(2 * eventEvery)
		if got := s.took(); strings.Count(got, `{"change":"removed"`) != 2 {
			t.Errorf("removed: %q", got)
		}
	})
}

func TestEventsOfAllKinds(t *testing.T) {
	t.Parallel()
	var all []string
	for _, k := range kindsOfEvents() {
		all = append(all, k.name)
	}
	streaming(t, func(n *network.Network, listen func(string, ...string) (*sink, context.CancelFunc)) {
		s, _ := listen("?kinds=" + strings.Join(all[:3], ",") + "&kinds=" + strings.Join(all[3:], ","))
		s.took()
		for _, name := range recorded.Names() {
			recorded.Replay(t, n, recorded.Then(), name)
		}
		recorded.Settle(n, recorded.Then())
		time.Sleep(2 * eventEvery)
		got := s.took()
		for _, kind := range all {
			if !strings.Contains(got, "event: "+kind+"\n") {
				t.Errorf("nothing of %s", kind)
			}
		}
		time.Sleep(10 * eventEvery)
		if got := s.took(); got != "" {
			t.Errorf("nothing has changed: %.300q", got)
		}
	})
}

func TestEventsAreKeptShort(t *testing.T) {
	t.Parallel()
	streaming(t, func(n *network.Network, listen func(string, ...string) (*sink, context.CancelFunc)) {
		s, _ := listen("?kinds=sites")
		s.took()
		var many []vanflow.Record
		for i := range 3000 {
			many = append(many, site(fmt.Sprintf("site-%04d", i), "x"))
		}
		n.Apply(time.Now(), "src", many)
		time.Sleep(2 * eventEvery)
		if got, want := s.took(), "event: resync\ndata: {\"kinds\":[\"sites\"]}\n\n"; got != want {
			t.Errorf("too much at a time: %.200q, want %q", got, want)
		}
	})
}

func TestSlowClientIsToldToAskAgain(t *testing.T) {
	t.Parallel()
	streaming(t, func(n *network.Network, listen func(string, ...string) (*sink, context.CancelFunc)) {
		slow, _ := listen("?kinds=sites")
		quick, _ := listen("?kinds=sites")
		slow.took()
		quick.took()
		slow.mu.Lock()
		slow.stuck = make(chan struct{})
		slow.mu.Unlock()
		var events int
		for round := range 20 {
			var some []vanflow.Record
			for i := range 500 {
				some = append(some, site(fmt.Sprintf("site-%04d", i), fmt.Sprintf("name %d", round)))
			}
			n.Apply(time.Now(), "src", some)
			time.Sleep(eventEvery)
			events += strings.Count(quick.took(), "event: sites")
		}
		close(slow.stuck)
		time.Sleep(eventEvery)
		got := slow.took()
		if !strings.HasSuffix(got, "event: resync\ndata: {\"kinds\":[\"sites\"]}\n\n") || len(got) > 2*maxQueue {
			t.Errorf("the slow one got %d bytes, at last %.100q", len(got), got[max(0, len(got)-100):])
		}
		if events != 20*500 {
			t.Errorf("the quick one got %d events, want %d", events, 20*500)
		}
		n.Apply(time.Now(), "src", []vanflow.Record{site("site-0000", "later")})
		time.Sleep(2 * eventEvery)
		if got := slow.took(); strings.Count(got, "event: sites") != 1 {
			t.Errorf("later: %q", got)
		}
	})
}

func TestWhoComesAgainAsksAgain(t *testing.T) {
	t.Parallel()
	streaming(t, func(_ *network.Network, listen func(string, ...string) (*sink, context.CancelFunc)) {
		s, _ := listen("?kinds=services,sites", "Last-Event-ID: seen")
		if got := s.took(); !strings.HasSuffix(got, "event: resync\ndata: {\"kinds\":[\"services\",\"sites\"]}\n\n") {
			t.Errorf("%q", got)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	streaming(t, func(_ *network.Network, listen func(string, ...string) (*sink, context.CancelFunc)) {
		var leave context.CancelFunc
		for range maxStreams {
			_, leave = listen("")
		}
		synctest.Wait()
		s, _ := listen("")
		if got := s.took(); s.code != http.StatusServiceUnavailable || !strings.Contains(got, "ErrTooMany") || s.header.Get("Retry-After") == "" {
			t.Errorf("one too many: %d %s", s.code, got)
		}
		leave()
		synctest.Wait()
		s, _ = listen("")
		if got := s.took(); !strings.Contains(got, "event: hello") {
			t.Errorf("when one has left: %s", got)
		}
	})
}

func TestSilentStreamIsKeptAlive(t *testing.T) {
	t.Parallel()
	streaming(t, func(_ *network.Network, listen func(string, ...string) (*sink, context.CancelFunc)) {
		s, _ := listen("")
		time.Sleep(time.Minute)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if got := strings.Count(s.text.String(), ": still here\n\n"); got != 3 && got != 4 {
			t.Errorf("%d signs of life in a minute", got)
		}
	})
}

func TestUnknownKinds(t *testing.T) {
	t.Parallel()
	h := handler(network.New(network.Limits{}))
	for _, q := range []string{"nope", "sites,nope", "Sites"} {
		if w := get(h, Prefix+"/events?kinds="+q); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", q, w.Code, w.Body)
		}
	}
}
