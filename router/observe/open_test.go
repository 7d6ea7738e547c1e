package observe

import (
	"testing"
	"time"
)

// TestOpen counts a stream from when it is known what it carries until it is
// looked at no more.
func TestOpen(t *testing.T) {
	t.Parallel()
	var open Open
	check := func(what string, http1, http2 uint64) {
		t.Helper()
		if open.HTTP1() != http1 || open.HTTP2() != http2 {
			t.Errorf("%s: %d of HTTP/1, %d of HTTP/2; want %d, %d", what, open.HTTP1(), open.HTTP2(), http1, http2)
		}
	}
	begin := func(kind Kind) *Stream { return New(kind, silence{}, time.Now, &open) }
	one, two, mute, other := begin(Auto), begin(Auto), begin(Auto), begin(Auto)
	check("nothing was sent", 0, 0)
	one.Client([]byte("GET / HTTP/1.1\r\n"))
	two.Client([]byte(preface))
	other.Client([]byte("\x16\x03\x01 no HTTP\n"))
	check("two speak", 1, 1)
	first := begin(HTTP1)
	second := begin(HTTP2)
	check("two are said to", 2, 2)
	one.Closed()
	one.Closed()
	mute.Closed()
	check("one has ended", 1, 2)
	for _, s := range []*Stream{two, first, second, other} {
		s.Closed()
	}
	check("all have ended", 0, 0)
	one.Client([]byte("GET / HTTP/1.1\r\n"))
	check("one that had ended goes on", 0, 0)
}
