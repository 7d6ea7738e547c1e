package observe

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept of a stream.
const (
	// maxExchanges is how many requests may be under way on one stream. HTTP/1
	// with more is not observed any longer; with HTTP/2 those beyond have no
	// record.
	maxExchanges = 1000
	maxMethod    = 32  // octets
	maxHost      = 128 // of X-Forwarded-For
)

// exchange is a request and its response.
type exchange struct {
	record  Record
	started time.Time
	head    bool // HEAD: the response has no body
	connect bool

	// Owned by who reads the responses.
	told  bool // something was answered
	final bool // and it was the last word

	// Guarded by the mutex of http1 or http2.
	asked, answered bool // the message is over
}

// answer notes the first thing that is answered.
func (x *exchange) answer(at time.Time) {
	if !x.told {
		x.told = true
		x.record.Answered(at.Sub(x.started))
	}
}

// http1 is what both directions of HTTP/1 have in common.
type http1 struct {
	rec Recorder

	mu   sync.Mutex
	open []*exchange // Guarded by mu. Not over, oldest first; those that are answered come first.
	over bool        // Guarded by mu.
}

// begin notes a request. It returns nil if there is no room.
func (h *http1) begin(at time.Time, q Request) *exchange {
	h.mu.Lock()
	full := h.over || len(h.open) == maxExchanges
	h.mu.Unlock()
	if full {
		return nil
	}
	x := &exchange{record: h.rec.Begin(at, q), started: at, head: q.Method == "HEAD", connect: q.Method == "CONNECT"}
	h.mu.Lock()
	over := h.over
	if !over {
		h.open = append(h.open, x)
	}
	h.mu.Unlock()
	if over {
		x.record.End(at)
		return nil
	}
	return x
}

// next returns the request that a response answers which begins; nil if there
// is none.
func (h *http1) next() *exchange {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.open {
		if !x.answered {
			return x
		}
	}
	return nil
}

// done notes the end of the request, or of the response, of x.
func (h *http1) done(at time.Time, x *exchange, response bool) {
	h.mu.Lock()
	if response {
		x.answered = true
	} else {
		x.asked = true
	}
	over := x.asked && x.answered
	if over {
		if i := slices.Index(h.open, x); i >= 0 {
			h.open = slices.Delete(h.open, i, i+1)
		}
	}
	h.mu.Unlock()
	if over {
		x.record.End(at)
	}
}

// end ends what is under way.
func (h *http1) end(at time.Time) {
	h.mu.Lock()
	open := h.open
	h.open, h.over = nil, true
	h.mu.Unlock()
	for _, x := range open {
		x.record.End(at)
	}
}

// known returns the method as a string, without making one of a usual one.
func known(method []byte) string {
	switch string(method) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "PATCH":
		return "PATCH"
	case "OPTIONS":
		return "OPTIONS"
	}
	return string(method)
}

// first returns the first host of a list as X-Forwarded-For has it.
func first(list string) string {
	host, _, _ := strings.Cut(list, ",")
	return strings.Clone(cut(strings.TrimSpace(host), maxHost))
}

func cut(s string, limit int) string { return s[:min(len(s), limit)] }
