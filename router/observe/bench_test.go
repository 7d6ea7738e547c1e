package observe

import (
	"strings"
	"testing"
	"time"
)

// silence is a Recorder and a Record of nothing.
type silence struct{}

func (silence) Begin(time.Time, Request) Record { return silence{} }
func (silence) From(string)                     {}
func (silence) Sent(int)                        {}
func (silence) Received(int)                    {}
func (silence) Answered(time.Duration)          {}
func (silence) Result(string, string)           {}
func (silence) End(time.Time)                   {}

// BenchmarkRequest is what it costs to look at one request and its response.
func BenchmarkRequest(b *testing.B) {
	client, server := hello()
	client.headers(1, true, ":method", "GET", ":scheme", "http", ":path", "/64", ":authority", "h", "user-agent", "bench")
	server.headers(1, false, ":status", "200", "content-type", "text/plain", "content-length", "64")
	server.data(1, true, strings.Repeat("x", 64))
	opening, settings := client.said(), server.said() // with what the next header blocks refer to
	client.headers(3, true, ":method", "GET", ":scheme", "http", ":path", "/64", ":authority", "h", "user-agent", "bench")
	server.headers(3, false, ":status", "200", "content-type", "text/plain", "content-length", "64")
	server.data(3, true, strings.Repeat("x", 64))
	for name, row := range map[string]struct{ opening, settings, ask, answer string }{
		"HTTP1": {
			ask:    "GET /64 HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n",
			answer: "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 64\r\n\r\n" + strings.Repeat("x", 64),
		},
		"HTTP2": {opening, settings, client.said(), server.said()},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ask, answer := []byte(row.ask), []byte(row.answer)
			var s *Stream
			for i := 0; b.Loop(); i++ {
				if i%1_000_000 == 0 {
					s = New(Auto, silence{}, time.Now, nil)
					if row.opening != "" {
						s.Client([]byte(row.opening))
						s.Server([]byte(row.settings))
					}
				}
				if row.opening != "" { // the next stream
					id := uint32(2*(i%1_000_000) + 3)
					for _, p := range [][]byte{ask, answer} {
						p[5], p[6], p[7], p[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
					}
					data := answer[len(answer)-64-headLength:]
					copy(data[5:9], ask[5:9])
				}
				s.Client(ask)
				s.Server(answer)
			}
			if !s.Watching() {
				b.Error("it could not be read")
			}
		})
	}
}

// BenchmarkBody is what it costs to look at 64 KiB of a body, and at those of a
// stream that carries something else.
func BenchmarkBody(b *testing.B) {
	for name, begin := range map[string]string{"HTTP1": "HTTP/1.1 200 OK\r\n\r\n", "other": "SSH"} {
		b.Run(name, func(b *testing.B) {
			s := New(Auto, silence{}, time.Now, nil)
			s.Client([]byte("GET / HTTP/1.1\r\n\r\n"))
			s.Server([]byte(begin))
			p := make([]byte, 64<<10)
			for b.Loop() {
				s.Server(p)
			}
		})
	}
}
