package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skupper-host/skupper/observer/network"
)

const (
	eventEvery  = time.Second      // between two looks at what has changed
	beatEvery   = 15 * time.Second // a comment, so that nobody takes the stream for dead
	maxStreams  = 128
	maxQueue    = 512 << 10 // bytes that wait for one client
	maxBatch    = 256 << 10 // bytes of one list's changes at a time; more is a resync
	retryStream = 3000      // ms after which a client asks again
)

// batch is what has changed in a list since the look before, as events.
type batch struct {
	kind string
	text []byte
	many bool // too much to tell: whoever has the list has to ask for it again
}

// stream is one client.
type stream struct {
	kinds map[string]bool
	ready chan struct{} // closed when every change from now on will be told
	wake  chan struct{} // one place

	mu    sync.Mutex
	queue []batch // guarded by mu
	bytes int     // guarded by mu; in it
	late  bool    // guarded by mu: the queue was too long and is gone
}

// put adds what the client asked for. A client that does not read gets nothing
// but a resync.
func (s *stream) put(all []batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range all {
		if !s.kinds[b.kind] || s.late {
			continue
		}
		s.queue = append(s.queue, b)
		if s.bytes += len(b.text); s.bytes > maxQueue {
			s.queue, s.bytes, s.late = nil, 0, true
		}
	}
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// take returns what waits.
func (s *stream) take() (queue []batch, late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue, late = s.queue, s.late
	s.queue, s.bytes, s.late = nil, 0, false
	return queue, late
}

// events compares the lists and tells the streams.
type events struct {
	joined chan struct{} // one place: there is another stream

	mu      sync.Mutex
	streams map[*stream]struct{} // guarded by mu
}

func newEvents() *events {
	return &events{joined: make(chan struct{}, 1), streams: map[*stream]struct{}{}}
}

// join adds a stream unless there are too many.
func (e *events) join(s *stream) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.streams) >= maxStreams {
		return false
	}
	e.streams[s] = struct{}{}
	select {
	case e.joined <- struct{}{}:
	default: // it is known
	}
	return true
}

func (e *events) leave(s *stream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.streams, s)
}

// all returns the streams, and the lists that any of them wants.
func (e *events) all() (streams []*stream, kinds map[string]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	kinds = map[string]bool{}
	for s := range e.streams {
		streams = append(streams, s)
		for k := range s.kinds {
			kinds[k] = true
		}
	}
	return streams, kinds
}

// run tells the streams what changes until the context ends.
func (e *events) run(ctx context.Context, n *network.Network) error {
	watched := map[string]watcher{}
	ready := map[*stream]bool{}
	tick := time.NewTicker(eventEvery)
	defer tick.Stop()
	for {
		streams, kinds := e.all()
		out := look(n, watched, kinds)
		for _, s := range streams {
			if len(out) > 0 {
				s.put(out)
			}
			if !ready[s] {
				ready[s] = true
				close(s.ready)
			}
		}
		if len(ready) > len(streams) { // some have left
			for s := range ready {
				if !slices.Contains(streams, s) {
					delete(ready, s)
				}
			}
		}
		wake := tick.C
		if len(streams) == 0 {
			wake = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.joined:
		case <-wake:
		}
	}
}

// look returns what has changed in the lists that are wanted since it looked
// before.
func look(n *network.Network, watched map[string]watcher, kinds map[string]bool) []batch {
	var out []batch
	for _, k := range kindsOfEvents() {
		w := watched[k.name]
		switch {
		case !kinds[k.name]:
			delete(watched, k.name)
		case w == nil:
			watched[k.name] = k.watch(n)
		default:
			if b := w(n); len(b.text) > 0 || b.many {
				out = append(out, b)
			}
		}
	}
	return out
}

// serveEvents streams events to a client.
func (a *API) serveEvents(w http.ResponseWriter, r *http.Request) {
	kinds, err := wantedKinds(r.URL.Query()["kinds"])
	if err != nil {
		fail(w, http.StatusBadRequest, "", err.Error())
		return
	}
	s := &stream{kinds: kinds, ready: make(chan struct{}), wake: make(chan struct{}, 1)}
	if !a.events.join(s) {
		w.Header().Set("Retry-After", "30")
		fail(w, http.StatusServiceUnavailable, "ErrTooMany", fmt.Sprintf("%d streams of events are open, which is all there may be", maxStreams))
		return
	}
	defer a.events.leave(s)
	control := http.NewResponseController(w)
	// The limits of a request and an answer are not for a stream; a connection
	// that knows none needs no lifting. Each event has its own limit below.
	_ = control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx in front
	send := func(text []byte) bool {
		_ = control.SetWriteDeadline(time.Now().Add(writeFor)) // as above
		if _, err := w.Write(text); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	select {
	case <-r.Context().Done():
		return
	case <-s.ready:
	}
	// Who comes again, which the id tells, has missed something.
	hello := fmt.Appendf(nil, "retry: %d\nid: seen\n", retryStream)
	hello = append(hello, event("hello", map[string]any{"kinds": sorted(kinds)})...)
	if r.Header.Get("Last-Event-ID") != "" {
		hello = append(hello, resync(sorted(kinds))...)
	}
	if !send(hello) {
		return
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			if !send([]byte(": still here\n\n")) {
				return
			}
		case <-s.wake:
			if text := s.text(); len(text) > 0 && !send(text) {
				return
			}
		}
	}
}

// text is what the client has to be told.
func (s *stream) text() []byte {
	queue, late := s.take()
	if late {
		return resync(sorted(s.kinds))
	}
	var out []byte
	for _, b := range queue {
		if b.many {
			out = append(out, resync([]string{b.kind})...)
		} else {
			out = append(out, b.text...)
		}
	}
	return out
}

// resync says that lists have to be asked for again.
func resync(kinds []string) []byte { return event("resync", map[string]any{"kinds": kinds}) }

func event(name string, data any) []byte {
	body, err := json.Marshal(data)
	if err != nil {
		panic(err) // made of texts
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, body)
}

func sorted(kinds map[string]bool) []string {
	out := make([]string, 0, len(kinds))
	for k := range kinds {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// wantedKinds reads the parameter kinds: names of lists, in one text or in
// several. Without it all are wanted whose records are few and stay.
func wantedKinds(given []string) (map[string]bool, error) {
	wanted := map[string]bool{}
	names := strings.FieldsFunc(strings.Join(given, ","), func(r rune) bool { return r == ',' })
	for _, k := range kindsOfEvents() {
		if len(names) == 0 && k.usual || slices.Contains(names, k.name) {
			wanted[k.name] = true
		}
	}
	for _, n := range names {
		if !wanted[n] {
			return nil, fmt.Errorf("invalid parameter %q: there is no list %q whose changes can be followed", "kinds", n)
		}
	}
	return wanted, nil
}

// watcher returns what has changed in a list since it was called before.
type watcher func(*network.Network) batch

// changes writes events of one list.
type changes struct {
	kind string
	buf  bytes.Buffer
	many bool
}

func (c *changes) add(change string, record any) {
	if c.many {
		return
	}
	body, err := json.Marshal(struct {
		Change string `json:"change"`
		Record any    `json:"record"`
	}{change, record})
	if err != nil {
		panic(err) // records are JSON
	}
	fmt.Fprintf(&c.buf, "event: %s\ndata: %s\n\n", c.kind, body)
	if c.buf.Len() > maxBatch {
		c.many = true
		c.buf.Reset()
	}
}

func (c *changes) batch() batch { return batch{c.kind, c.buf.Bytes(), c.many} }
