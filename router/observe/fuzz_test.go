package observe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// inPieces makes pieces of a length each that depends on seed.
func inPieces(seed uint8) func(string) []string {
	return func(s string) (list []string) {
		n := int(seed)%16 + 1
		for len(s) > n {
			list = append(list, s[:n])
			s = s[n:]
			n = n*7%31 + 1
		}
		return append(list, s)
	}
}

// sameInPieces shows a stream of a kind in one piece and in several, and returns
// what was recorded.
func sameInPieces(t *testing.T, kind Kind, turns []turn, seed uint8) *ledger {
	t.Helper()
	want := told(kind, turns, whole)
	for _, pieces := range []func(string) []string{bytewise, inPieces(seed)} {
		if got := told(kind, turns, pieces); got != want {
			t.Fatalf("in pieces:\n%sin one:\n%s", got, want)
		}
	}
	l, _ := play(kind, turns, whole)
	return l
}

// FuzzHTTP1 compares with net/http: a request and a response that it reads are
// recorded.
func FuzzHTTP1(f *testing.F) {
	rows := rows1()
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		row := rows[name]
		client, server := "", ""
		for _, x := range row.turns {
			if x.server {
				server += x.text
			} else {
				client += x.text
			}
		}
		if len(client)+len(server) < 10_000 {
			f.Add([]byte(client), []byte(server), uint8(len(client)))
		}
	}
	f.Fuzz(func(t *testing.T, client, server []byte, seed uint8) {
		if len(client)+len(server) > 10_000 {
			t.Skip("longer than anything that matters")
		}
		turns := []turn{from(string(client)), back(string(server))}
		sameInPieces(t, Auto, turns, seed)
		l := sameInPieces(t, HTTP1, turns, seed)
		in := bufio.NewReader(bytes.NewReader(client))
		var methods []string
		complete := 0 // requests
		for i := 0; ; i++ {
			r, err := http.ReadRequest(in)
			if err != nil || len(r.Method) > maxMethod || r.ProtoMajor != 1 || long(r.Header) {
				break
			}
			n, err := io.Copy(io.Discard, r.Body)
			if i >= len(l.list) {
				t.Fatalf("request %d of %s is not recorded", i, r.Method)
			}
			e := l.list[i]
			if protocol := fmt.Sprintf("HTTP/1.%d", min(r.ProtoMinor, 1)); e.Method != r.Method || e.Protocol != protocol || err == nil && int64(e.sent) != n {
				t.Errorf("request %d: %s; want %s %s with %d octets", i, e, protocol, r.Method, n)
			}
			methods = append(methods, r.Method)
			if err != nil {
				break
			}
			complete++
		}
		if _, s := play(HTTP1, turns[:1], whole); !s.Watching() {
			return
		}
		out := bufio.NewReader(bytes.NewReader(server))
		for i := 0; i < len(methods); {
			r, err := http.ReadResponse(out, &http.Request{Method: methods[i]})
			if err != nil || r.ProtoMajor != 1 || r.StatusCode < 100 || r.Status[0] == '+' || long(r.Header) {
				return
			}
			if r.StatusCode/100 == 1 && r.StatusCode != 101 {
				continue
			}
			n, err := io.Copy(io.Discard, r.Body)
			e := l.list[i]
			tunnel := r.StatusCode == 101 || methods[i] == http.MethodConnect && r.StatusCode/100 == 2
			if status := fmt.Sprint(r.StatusCode); e.result != status || !tunnel && err == nil && int64(e.received) != n {
				t.Errorf("response %d: %s; want %s with %d octets", i, e, status, n)
			}
			if over := err == nil && (i < complete && r.ContentLength >= 0 || tunnel); over != (e.ended == 1) && over {
				t.Errorf("response %d: %s; want it ended", i, e)
			}
			if tunnel || err != nil {
				return
			}
			i++
		}
	})
}

// long reports whether a field that matters is longer than is taken for a
// length.
func long(h http.Header) bool {
	return len(h.Get("Content-Length")) > 200 || len(h.Get("Transfer-Encoding")) > 200
}

// model is what x/net/http2 finds on a stream.
type model struct {
	method          string
	status          string
	sent, received  int
	asked, answered bool
	vague           bool // something was refused
}

// read2 lets x/net/http2 read the frames of one side, as far as what they are
// is beyond doubt. It reports whether that is all.
func read2(frames []byte, client bool, streams map[uint32]*model) bool {
	in := xhttp2.NewFramer(io.Discard, bytes.NewReader(frames))
	in.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	last := uint32(0)
	for i := 0; ; i++ {
		f, err := in.ReadFrame()
		if refused := (xhttp2.StreamError{}); errors.As(err, &refused) {
			if m := streams[refused.StreamID]; m != nil {
				m.vague = true
			}
			if client {
				last = max(last, refused.StreamID)
			}
			if i == 0 || client && refused.StreamID%2 == 0 {
				return false
			}
			continue
		}
		if err != nil {
			return err == io.EOF
		}
		if s, ok := f.(*xhttp2.SettingsFrame); i == 0 && (!ok || s.IsAck() || s.Length > math.MaxUint16) {
			return false
		}
		m := streams[f.Header().StreamID]
		switch f := f.(type) {
		case *xhttp2.PushPromiseFrame:
			return false // its headers are not read, and those after it are misread
		case *xhttp2.MetaHeadersFrame:
			if f.Truncated || client && f.StreamID%2 == 0 {
				return false
			}
			if method := f.PseudoValue("method"); client && f.StreamID > last {
				if last = f.StreamID; method != "" {
					m = &model{method: method}
					streams[f.StreamID] = m
				}
			}
			if m == nil || m.asked && m.answered {
				continue
			}
			if status := f.PseudoValue("status"); !client && status != "" && status[0] != '1' && m.status == "" {
				m.status = status
			}
			m.end(f.StreamEnded(), client)
		case *xhttp2.DataFrame:
			if m == nil || m.asked && m.answered {
				continue
			}
			if client {
				m.sent += len(f.Data())
			} else {
				m.received += len(f.Data())
			}
			m.end(f.StreamEnded(), client)
		case *xhttp2.RSTStreamFrame:
			if m != nil {
				m.asked, m.answered = true, true
			}
		}
	}
}

func (m *model) end(ended, client bool) {
	m.asked, m.answered = m.asked || ended && client, m.answered || ended && !client
}

// same reports whether e says of the response what m does.
func (m *model) same(e *entry) bool {
	return e.result == cut(m.status, 3) && e.received == m.received && (e.ended == 1) == (m.asked && m.answered)
}

// FuzzHTTP2 compares with x/net/http2: a request that it reads is recorded with
// its response.
func FuzzHTTP2(f *testing.F) {
	rows := rows2()
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		row := rows[name]
		client, server := "", ""
		for _, x := range row.play(hello()) {
			if x.server {
				server += x.text
			} else {
				client += strings.TrimPrefix(x.text, preface)
			}
		}
		if len(client)+len(server) < 10_000 {
			f.Add([]byte(client), []byte(server), uint8(len(client)))
		}
	}
	f.Fuzz(func(t *testing.T, client, server []byte, seed uint8) {
		if len(client)+len(server) > 10_000 {
			t.Skip("longer than anything that matters")
		}
		turns := []turn{from(preface + string(client)), back(string(server))}
		sameInPieces(t, Auto, turns, seed)
		sameInPieces(t, Auto, []turn{turns[1], turns[0]}, seed)
		l := sameInPieces(t, HTTP2, turns, seed)
		streams := map[uint32]*model{}
		asked := read2(client, true, streams)
		answered := read2(server, false, streams)
		records := map[uint64]*entry{}
		for _, e := range l.list {
			if records[e.StreamID] != nil {
				t.Errorf("two records of stream %d", e.StreamID)
			}
			records[e.StreamID] = e
		}
		for id, m := range streams {
			e := records[uint64(id)]
			switch {
			case m.vague:
			case e == nil:
				t.Errorf("stream %d: %+v is not recorded", id, m)
			case e.Method != cut(m.method, maxMethod), asked && e.sent != m.sent, asked && answered && !m.same(e):
				t.Errorf("stream %d: %s; want %+v", id, e, m)
			}
		}
	})
}
