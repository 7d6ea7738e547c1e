package observe

import (
	"sync/atomic"
	"time"
)

// Kind is what is looked for.
type Kind uint8

// Kinds.
const (
	Auto  Kind = iota // whatever the first bytes say
	HTTP1             // HTTP/1.0 and HTTP/1.1
	HTTP2             // HTTP/2, from its preface on
)

// Request is what is known of a request when it begins.
type Request struct {
	Protocol string // "HTTP/1.0", "HTTP/1.1", "HTTP/2"
	Method   string
	StreamID uint64 // of HTTP/2, else 0
}

// Recorder records the requests of one stream. Begin may be called by two
// goroutines at a time.
type Recorder interface {
	Begin(at time.Time, q Request) Record
}

// Record is the record of one request. Sent is called by one goroutine, From
// too; Answered, Result and Received by one; End by any, perhaps more than once
// and before another method.
type Record interface {
	// From names the client that a proxy has spoken for.
	From(host string)
	// Sent and Received count octets of the bodies of request and response.
	Sent(n int)
	Received(n int)
	// Answered is the time from the request to the first thing that was
	// answered, called once.
	Answered(latency time.Duration)
	// Result is the status code and, with HTTP/1, what was said of it.
	Result(status, reason string)
	// End is called when both messages are over, or what is seen of them.
	End(at time.Time)
}

// mode is what a stream carries, as far as it is known.
type mode = uint32

const (
	undecided mode = iota
	isHTTP1
	isHTTP2
	off
)

// Open counts streams that carry HTTP now.
type Open struct{ http1, http2 atomic.Int64 }

// HTTP1 is how many streams carry HTTP/1 now, of those that are looked at.
func (o *Open) HTTP1() uint64 { return uint64(max(o.http1.Load(), 0)) }

// HTTP2 is how many carry HTTP/2.
func (o *Open) HTTP2() uint64 { return uint64(max(o.http2.Load(), 0)) }

// add counts a stream that begins or ends to carry what the mode says.
func (o *Open) add(m mode, n int64) {
	switch {
	case o == nil:
	case m == isHTTP1:
		o.http1.Add(n)
	case m == isHTTP2:
		o.http2.Add(n)
	}
}

// Stream observes one stream. Client and Server are called by one goroutine
// each, the other methods by any.
type Stream struct {
	rec  Recorder
	now  func() time.Time
	open *Open // nil: nobody counts
	mode atomic.Uint32
	h1   atomic.Pointer[http1]
	h2   atomic.Pointer[http2]

	fromClient parser // Owned by who calls Client.
	fromServer parser // Owned by who calls Server.
	prefix     int    // Owned by who calls Client: how much of the preface has come, while undecided.
}

// parser takes the bytes of one direction. It returns false when it cannot, or
// need not, read on.
type parser interface{ feed(p []byte) bool }

// clock reads the time once for all that is found in one piece of bytes.
type clock struct {
	now  func() time.Time
	at   time.Time
	read bool
}

func (c *clock) time() time.Time {
	if !c.read {
		c.at, c.read = c.now(), true
	}
	return c.at
}

// New returns the observation of a stream that begins. Open may be nil.
func New(kind Kind, rec Recorder, now func() time.Time, open *Open) *Stream {
	s := &Stream{rec: rec, now: now, open: open}
	switch kind {
	case HTTP1:
		s.mode.Store(isHTTP1)
	case HTTP2:
		s.mode.Store(isHTTP2)
	case Auto:
	}
	open.add(s.mode.Load(), 1)
	return s
}

// decide notes what the client turned out to speak, unless the observation has
// ended.
func (s *Stream) decide(m mode) bool {
	s.open.add(m, 1) // before another goroutine can take it back
	if s.mode.CompareAndSwap(undecided, m) {
		return true
	}
	s.open.add(m, -1)
	return false
}

// Watching reports whether bytes still have to be shown. Once it is false it
// stays so.
func (s *Stream) Watching() bool { return s.mode.Load() != off }

// Client looks at bytes from the client.
func (s *Stream) Client(p []byte) {
	if s.fromClient == nil {
		if s.mode.Load() == off {
			return
		}
		if s.fromClient = s.client(p); s.fromClient == nil {
			return
		}
	}
	if s.mode.Load() == off {
		s.fromClient = nil
	} else if !s.fromClient.feed(p) {
		s.end()
	}
}

// Server looks at bytes from the server.
func (s *Stream) Server(p []byte) {
	m := s.mode.Load()
	if m == off {
		s.fromServer = nil
		return
	}
	if s.fromServer == nil {
		s.fromServer = s.server(m, p)
	}
	switch x := s.fromServer.(type) {
	case nil:
		s.end()
	case *framer:
		if m == isHTTP1 || !x.feed(p) { // the server has spoken first, and not what the client speaks
			s.end()
		}
	case *parser1:
		if !x.feed(p) {
			s.end()
		}
	}
}

// Closed ends the observation: the stream is over.
func (s *Stream) Closed() { s.end() }

// client returns the parser for the client's bytes, of which p are the next.
// It returns nil as long as they may become either.
func (s *Stream) client(p []byte) parser {
	switch s.mode.Load() {
	case isHTTP1:
		return s.client1()
	case isHTTP2:
		return newFramer(s.shared2(), s.now, true)
	}
	n := 0
	for n < len(p) && s.prefix+n < len(preface) && p[n] == preface[s.prefix+n] {
		n++
	}
	switch before := s.prefix; {
	case before+n == len(preface):
		f := newFramer(s.shared2(), s.now, true)
		f.feed([]byte(preface[:before]))
		if !s.decide(isHTTP2) {
			return nil
		}
		return f
	case n == len(p):
		s.prefix += n
		return nil
	default:
		c := s.client1()
		if !s.decide(isHTTP1) {
			return nil
		}
		if !c.feed([]byte(preface[:before])) {
			s.end()
			return nil
		}
		return c
	}
}

func (s *Stream) client1() *parser1 {
	h := &http1{rec: s.rec}
	s.h1.Store(h)
	return &parser1{h: h, clock: clock{now: s.now}, state: atMethod}
}

// shared2 returns what both directions of HTTP/2 have in common.
func (s *Stream) shared2() *http2 {
	h := &http2{rec: s.rec}
	if s.h2.CompareAndSwap(nil, h) {
		return h
	}
	if first := s.h2.Load(); first != nil {
		return first
	}
	return h // it has ended
}

// server returns the parser for the server's bytes, of which p are the first;
// nil if it is not the server's turn.
func (s *Stream) server(m mode, p []byte) parser {
	switch m {
	case isHTTP1:
		if h := s.h1.Load(); h != nil {
			return &parser1{h: h, clock: clock{now: s.now}, state: atStatus, response: true}
		}
		return nil
	case undecided:
		if len(p) > 0 && p[0] != 0 {
			return nil // not the settings that a server of HTTP/2 begins with
		}
	}
	return newFramer(s.shared2(), s.now, false)
}

// end ends what is under way.
func (s *Stream) end() {
	was := s.mode.Swap(off)
	if was == off {
		return
	}
	s.open.add(was, -1)
	if h := s.h1.Swap(nil); h != nil {
		h.end(s.now())
	}
	if h := s.h2.Swap(nil); h != nil {
		h.end(s.now())
	}
}
