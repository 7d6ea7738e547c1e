package observe

import (
	"bytes"
	"strings"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// side writes the frames of one side of a connection.
type side struct {
	*xhttp2.Framer
	out, block bytes.Buffer
	enc        *hpack.Encoder
}

func newSide() *side {
	s := &side{}
	s.Framer = xhttp2.NewFramer(&s.out, nil)
	s.Framer.AllowIllegalWrites = true
	s.enc = hpack.NewEncoder(&s.block)
	return s
}

// fields encodes a header block: names and values in turn.
func (s *side) fields(list ...string) []byte {
	s.block.Reset()
	for i := 0; i < len(list); i += 2 {
		if err := s.enc.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]}); err != nil {
			panic(err)
		}
	}
	return s.block.Bytes()
}

// said returns what was written and forgets it.
func (s *side) said() string {
	defer s.out.Reset()
	return s.out.String()
}

// headers writes a header block in one frame.
func (s *side) headers(stream uint32, end bool, list ...string) {
	must(s.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: stream, BlockFragment: s.fields(list...), EndStream: end, EndHeaders: true}))
}

func (s *side) data(stream uint32, end bool, p string) { must(s.WriteData(stream, end, []byte(p))) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// hello is what each side begins with.
func hello() (client, server *side) {
	client, server = newSide(), newSide()
	client.out.WriteString(xhttp2.ClientPreface)
	must(client.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 20}))
	must(server.WriteSettings())
	return client, server
}

// row2 is what is said, and what is to be recorded of it.
type row2 struct {
	play func(c, s *side) []turn
	want string
}

func rows2() map[string]row2 {
	return map[string]row2{
		"get": {func(c, s *side) []turn {
			c.headers(1, true, ":method", "GET", ":path", "/", "x-forwarded-for", " 10.0.0.7, 10.0.0.8", "x-forwarded-for", "10.0.0.9")
			s.headers(1, false, ":status", "200", "x-forwarded-for", "10.0.0.1")
			s.data(1, false, "abc")
			s.data(1, true, "")
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 GET stream 1 from 10.0.0.7 0/3 after 1s 200\n"},
		"call of gRPC": {func(c, s *side) []turn {
			c.headers(1, false, ":method", "POST", ":path", "/a.B/C", "te", "trailers")
			c.data(1, true, "\x00\x00\x00\x00\x02ab")
			s.headers(1, false, ":status", "200", "content-type", "application/grpc")
			s.data(1, false, "\x00\x00\x00\x00\x01x")
			s.headers(1, true, "grpc-status", "5", ":status", "404") // not twice
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 POST stream 1 7/6 after 1s 200\n"},
		"streams at once": {func(c, s *side) []turn {
			for id := uint32(1); id < 9; id += 2 {
				c.headers(id, false, ":method", "PUT")
			}
			for id := uint32(1); id < 9; id += 2 {
				c.data(id, false, "a")
			}
			first := c.said()
			for id := uint32(7); id < 9; id -= 2 {
				s.headers(id, false, ":status", "201")
				s.data(id, id != 3, strings.Repeat("x", int(id)))
				c.data(id, true, "b")
			}
			second := c.said()
			s.headers(3, true, "trailer", "x")
			return []turn{from(first), back(s.said()), from(second)}
		}, "HTTP/2 PUT stream 1 2/1 after 1s 201\nHTTP/2 PUT stream 3 2/3 after 1s 201\nHTTP/2 PUT stream 5 2/5 after 1s 201\nHTTP/2 PUT stream 7 2/7 after 1s 201\n"},
		"interim": {func(c, s *side) []turn {
			c.headers(1, true, ":method", "GET")
			s.headers(1, false, ":status", "103")
			early := s.said()
			s.headers(1, true, ":status", "204")
			return []turn{from(c.said()), back(early), back(s.said())}
		}, "HTTP/2 GET stream 1 0/0 after 1s 204\n"},
		"trailers of the client": {func(c, s *side) []turn {
			c.headers(1, false, ":method", "POST")
			c.data(1, false, "ab")
			c.headers(1, true, "x-sum", "1", "x-forwarded-for", "10.0.0.1")
			s.headers(1, true, ":status", "200")
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 POST stream 1 2/0 after 1s 200\n"},
		"reset by the client": {func(c, s *side) []turn {
			c.headers(1, false, ":method", "POST")
			must(c.WriteRSTStream(1, xhttp2.ErrCodeCancel))
			c.data(1, false, "late")
			s.headers(1, true, ":status", "200")
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 POST stream 1 0/0\n"},
		"reset by the server": {func(c, s *side) []turn {
			c.headers(1, false, ":method", "POST")
			s.headers(1, true, ":status", "413")
			must(s.WriteRSTStream(1, xhttp2.ErrCodeNo))
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 POST stream 1 0/0 after 1s 413\n"},
		"server first": {func(c, s *side) []turn {
			must(s.WritePing(false, [8]byte{}))
			early := s.said()
			c.headers(1, true, ":method", "GET")
			s.headers(1, true, ":status", "200")
			return []turn{back(early), from(c.said()), back(s.said())}
		}, "HTTP/2 GET stream 1 0/0 after 1s 200\n"},
		"padding, priority, pieces": {func(c, s *side) []turn {
			b := bytes.Clone(c.fields(":method", "DELETE", "x-forwarded-for", "10.0.0.3"))
			must(c.WriteHeaders(xhttp2.HeadersFrameParam{
				StreamID: 1, BlockFragment: b[:3], PadLength: 9,
				Priority: xhttp2.PriorityParam{StreamDep: 3, Weight: 7},
			}))
			must(c.WriteContinuation(1, false, b[3:3]))
			must(c.WriteContinuation(1, true, b[3:]))
			must(c.WriteDataPadded(1, false, []byte("abc"), make([]byte, 200)))
			must(c.WriteDataPadded(1, true, nil, make([]byte, 2)))
			must(c.WritePriority(5, xhttp2.PriorityParam{Weight: 1}))
			must(c.WriteRawFrame(0xbe, 0xff, 0, []byte("unknown")))
			s.headers(1, true, ":status", "200")
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 DELETE stream 1 from 10.0.0.3 3/0 after 1s 200\n"},
		"promised": {func(c, s *side) []turn {
			c.headers(1, true, ":method", "GET")
			must(s.WritePushPromise(xhttp2.PushPromiseParam{
				StreamID: 1, PromiseID: 2, BlockFragment: s.fields(":method", "GET", ":path", "/pushed", "x-a", "b"), EndHeaders: true, PadLength: 4,
			}))
			s.headers(1, true, ":status", "200", "x-a", "b")
			s.headers(2, false, ":status", "200", "x-a", "b")
			s.data(2, true, "pushed")
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 GET stream 1 0/0 after 1s 200\n"},
		"larger table": {func(c, s *side) []turn {
			s.enc.SetMaxDynamicTableSizeLimit(maxTable)
			s.enc.SetMaxDynamicTableSize(maxTable)
			for id := uint32(1); id < 39; id += 2 {
				c.headers(id, true, ":method", "GET")
				s.headers(id, true, ":status", "200", "x", strings.Repeat("v", int(id)*20))
			}
			return []turn{from(c.said()), back(s.said())}
		}, many(19)},
		"unended": {func(c, _ *side) []turn {
			c.headers(1, true, ":method", "GET")
			return []turn{from(c.said())}
		}, "HTTP/2 GET stream 1 0/0 live\n"},
		"without method": {func(c, s *side) []turn {
			c.headers(1, true, ":path", "/")
			s.headers(1, true, ":status", "400")
			return []turn{from(c.said()), back(s.said())}
		}, ""},
		"closed stream": {func(c, s *side) []turn {
			c.headers(3, true, ":method", "GET")
			c.headers(1, true, ":method", "GET")
			s.headers(3, true, ":status", "200")
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 GET stream 3 0/0 after 1s 200\n"},

		// What cannot be read.
		"table too large": {func(c, s *side) []turn {
			s.enc.SetMaxDynamicTableSizeLimit(maxTable + 1)
			s.enc.SetMaxDynamicTableSize(maxTable + 1)
			c.headers(1, true, ":method", "GET")
			s.headers(1, true, ":status", "200")
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 GET stream 1 0/0\noff\n"},
		"field too long": {func(c, _ *side) []turn {
			c.headers(1, true, ":method", "GET", "x", strings.Repeat("v", 2*maxText))
			return []turn{from(c.said())}
		}, "off\n"},
		"no settings": {func(c, _ *side) []turn {
			c.out.Reset()
			c.out.WriteString(xhttp2.ClientPreface)
			c.headers(1, true, ":method", "GET")
			return []turn{from(c.said())}
		}, "off\n"},
		"no settings of the server": {func(c, s *side) []turn {
			s.said()
			c.headers(1, true, ":method", "GET")
			s.headers(1, true, ":status", "200")
			return []turn{from(c.said()), back(s.said())}
		}, "HTTP/2 GET stream 1 0/0\noff\n"},
		"stream 0": {func(c, _ *side) []turn {
			c.headers(0, true, ":method", "GET")
			return []turn{from(c.said())}
		}, "off\n"},
		"stream of the server's": {func(c, _ *side) []turn {
			c.headers(2, true, ":method", "GET")
			return []turn{from(c.said())}
		}, "off\n"},
		"block in between": {func(c, _ *side) []turn {
			must(c.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(":method", "GET")}))
			must(c.WritePing(false, [8]byte{}))
			return []turn{from(c.said())}
		}, "off\n"},
		"block without head": {func(c, _ *side) []turn {
			must(c.WriteContinuation(1, true, c.fields(":method", "GET")))
			return []turn{from(c.said())}
		}, "off\n"},
		"block cut off": {func(c, _ *side) []turn {
			b := c.fields(":method", "GET", "long", "value")
			must(c.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:len(b)-1], EndHeaders: true}))
			return []turn{from(c.said())}
		}, "off\n"},
		"more padding than frame": {func(c, _ *side) []turn {
			must(c.WriteRawFrame(xhttp2.FrameData, xhttp2.FlagDataPadded, 1, []byte{5, 1, 2, 3}))
			return []turn{from(c.said())}
		}, "off\n"},
		"frame too short": {func(c, _ *side) []turn {
			must(c.WriteRawFrame(xhttp2.FrameHeaders, xhttp2.FlagHeadersPriority, 1, []byte{1, 2, 3}))
			return []turn{from(c.said())}
		}, "off\n"},
		"HTTP/1 of the server": {func(c, _ *side) []turn {
			c.headers(1, true, ":method", "GET")
			return []turn{from(c.said()), back("HTTP/1.1 400 Bad Request\r\n\r\n")}
		}, "HTTP/2 GET stream 1 0/0\noff\n"},
		"HTTP/1 of the client": {func(_, s *side) []turn {
			return []turn{back(s.said()), from("GET / HTTP/1.1\r\n\r\n"), back("\x00")}
		}, "HTTP/1.1 GET 0/0\noff\n"},
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	for name, row := range rows2() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turns := row.play(hello())
			kinds := []Kind{Auto, HTTP2}
			if strings.Contains(row.want, "HTTP/1") {
				kinds = kinds[:1]
			}
			tells(t, turns, row.want, kinds...)
		})
	}
}

// many are the lines of n requests.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		e := &entry{Request: Request{Protocol: "HTTP/2", Method: "GET", StreamID: uint64(2*i + 1)}, latency: time.Second.String(), result: "200", ended: 1}
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}

// TestStreamsBeyond: those that find no room have no record, and the others go
// on.
func TestStreamsBeyond(t *testing.T) {
	t.Parallel()
	c, s := hello()
	for i := range uint32(maxExchanges + 5) {
		c.headers(2*i+1, true, ":method", "GET")
	}
	s.headers(1, true, ":status", "200")
	l, stream := play(Auto, []turn{from(c.said()), back(s.said())}, whole)
	if len(l.list) != maxExchanges || l.list[0].ended != 1 || !stream.Watching() {
		t.Errorf("%d requests, watching %v", len(l.list), stream.Watching())
	}
}
