package observe

import (
	"strings"
	"testing"
)

// row1 is what is said, and what is to be recorded of it.
type row1 struct {
	turns []turn
	want  string
}

func rows1() map[string]row1 {
	const get, ok = "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
	long := strings.Repeat("x", 5000)
	return map[string]row1{
		"one":   {[]turn{from(get), back(ok)}, "HTTP/1.1 GET 0/3 after 1s 200 (OK)\n"},
		"asked": {[]turn{from(get)}, "HTTP/1.1 GET 0/0 live\n"},
		"kept alive": {
			[]turn{from(get), back(ok), from(get), back("HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n")},
			"HTTP/1.1 GET 0/3 after 1s 200 (OK)\nHTTP/1.1 GET 0/0 after 1s 404 (Not Found)\n",
		},
		"pipelined": {
			[]turn{from(get + get + get), back(ok + ok), back(ok)},
			"HTTP/1.1 GET 0/3 after 1s 200 (OK)\nHTTP/1.1 GET 0/3 after 1s 200 (OK)\nHTTP/1.1 GET 0/3 after 2s 200 (OK)\n",
		},
		"body": {[]turn{from("POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345"), back(ok)}, "HTTP/1.1 POST 5/3 after 1s 200 (OK)\n"},
		"answered before the body is there": {
			[]turn{from("PUT /x HTTP/1.1\r\nContent-Length: 5\r\n\r\n12"), back(ok), from("345" + get), back(ok)},
			"HTTP/1.1 PUT 5/3 after 1s 200 (OK)\nHTTP/1.1 GET 0/3 after 1s 200 (OK)\n",
		},
		"chunked both ways": {
			[]turn{
				from("POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\n12345\r\n00A \r\n0123456789\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n"),
				back("HTTP/1.1 200\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 99\r\n\r\n1\nx\n0\n\n"),
			}, "HTTP/1.1 POST 15/1 after 1s 200\n",
		},
		"until the end": {
			[]turn{from("GET / HTTP/1.0\r\n\r\n"), back("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")},
			"HTTP/1.0 GET 0/6 after 1s 200 (OK) live\n",
		},
		"head": {
			[]turn{from("HEAD / HTTP/1.1\r\n\r\n" + get), back("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n" + ok)},
			"HTTP/1.1 HEAD 0/0 after 1s 200 (OK)\nHTTP/1.1 GET 0/3 after 1s 200 (OK)\n",
		},
		"without bodies": {
			[]turn{from(get + get), back("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\nHTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n")},
			"HTTP/1.1 GET 0/0 after 1s 204 (No Content)\nHTTP/1.1 GET 0/0 after 1s 304 (Not Modified)\n",
		},
		"reset content": {
			[]turn{from(get + get), back("HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + ok)},
			"HTTP/1.1 GET 0/0 after 1s 205 (Reset Content)\nHTTP/1.1 GET 0/3 after 1s 200 (OK)\n",
		},
		"continue": {
			[]turn{
				from("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
				back("HTTP/1.1 100 Continue\r\n\r\n"), from("ab"), back("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok),
			}, "HTTP/1.1 POST 2/3 after 1s 200 (OK)\n",
		},
		"upgrade": {
			[]turn{
				from("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
				back("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"), from("\x81\x85...."),
			}, "HTTP/1.1 GET 0/0 after 1s 101 (Switching Protocols)\noff\n",
		},
		"upgrade refused": {
			[]turn{from("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), back(ok), from(get), back(ok)},
			"HTTP/1.1 GET 0/3 after 1s 200 (OK)\nHTTP/1.1 GET 0/3 after 1s 200 (OK)\n",
		},
		"tunnel": {
			[]turn{from("CONNECT a:1 HTTP/1.1\r\n\r\n"), back("HTTP/1.1 200 Connection established\r\nContent-Length: 3\r\n\r\n\x16\x03\x01")},
			"HTTP/1.1 CONNECT 0/0 after 1s 200 (Connection established)\noff\n",
		},
		"tunnel refused": {
			[]turn{from("CONNECT a:1 HTTP/1.1\r\n\r\n"), back("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno."), from(get)},
			"HTTP/1.1 CONNECT 0/3 after 1s 403 (Forbidden)\nHTTP/1.1 GET 0/0 live\n",
		},
		"forwarded": {
			[]turn{from("GET / HTTP/1.1\r\nX-FORWARDED-for:  192.168.0.1 , 10.0.0.1\r\nX-Forwarded-For: 10.9.9.9\r\n\r\n"), back("HTTP/1.1 200 OK\r\nX-Forwarded-For: 1\r\n")},
			"HTTP/1.1 GET from 192.168.0.1 0/0 after 1s 200 (OK) live\n",
		},
		"forwarded by nobody": {[]turn{from("GET / HTTP/1.1\r\nX-Forwarded-For:\r\nX-Forwarded-For: 10.9.9.9\r\n\r\n")}, "HTTP/1.1 GET 0/0 live\n"},
		"forwarded by many": {
			[]turn{from("GET / HTTP/1.1\r\nX-Forwarded-For: 10.1.1.1" + strings.Repeat(",10.2.2.2", 50) + "\r\n\r\n")},
			"HTTP/1.1 GET from 10.1.1.1 0/0 live\n",
		},
		"folded": {
			[]turn{from("POST / HTTP/1.1\r\nContent-Length:\r\n 2\r\nX-A: b\r\n\tcontent-length: 9\r\n\r\n12" + get)},
			"HTTP/1.1 POST 2/0 live\nHTTP/1.1 GET 0/0 live\n",
		},
		"line feeds only": {
			[]turn{from("\r\n\nPOST / HTTP/1.1\ncontent-length: 2\n\n12"), back("\r\nHTTP/1.1   200   All right \n\n1")},
			"HTTP/1.1 POST 2/1 after 1s 200 (All right) live\n",
		},
		"odd lines": {
			[]turn{from("GET / HTTP/1.1\r\nno colon\r\n: x\r\ntransfer-encodings: x\r\ncontent-lengths: 7\r\n" + long + ": " + long + "\r\n\xff: \xfe\r\n\r\n" + get)},
			"HTTP/1.1 GET 0/0 live\nHTTP/1.1 GET 0/0 live\n",
		},
		"long target": {[]turn{from("GET /" + long + " HTTP/1.1\r\n\r\n"), back(ok)}, "HTTP/1.1 GET 0/3 after 1s 200 (OK)\n"},
		"long reason": {
			[]turn{from(get), back("HTTP/1.1 500 " + long + "\r\n")},
			"HTTP/1.1 GET 0/0 after 1s 500 (" + long[:maxStatus-len("HTTP/1.1 500 ")] + ") live\n",
		},
		"length with room":  {[]turn{from("POST / HTTP/1.1\r\nContent-Length:" + strings.Repeat(" ", maxValue) + "2" + strings.Repeat(" ", maxValue) + "\r\n\r\n12")}, "HTTP/1.1 POST 2/0 live\n"},
		"same length twice": {[]turn{from("POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n12")}, "HTTP/1.1 POST 2/0 live\n"},

		// What cannot be read.
		"two lengths":         {[]turn{from("POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n12")}, "HTTP/1.1 POST 0/0\noff\n"},
		"length with a sign":  {[]turn{from("POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\n12")}, "HTTP/1.1 POST 0/0\noff\n"},
		"length of nothing":   {[]turn{from("POST / HTTP/1.1\r\nContent-Length: \r\n\r\n12")}, "HTTP/1.1 POST 0/0\noff\n"},
		"length of a galaxy":  {[]turn{from("POST / HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n\r\n12")}, "HTTP/1.1 POST 0/0\noff\n"},
		"length apart":        {[]turn{from("POST / HTTP/1.1\r\nContent-Length : 2\r\n\r\n12")}, "HTTP/1.1 POST 0/0\noff\n"},
		"endless length":      {[]turn{from("POST / HTTP/1.1\r\nContent-Length: 2" + strings.Repeat(" ", maxValue) + "x\r\n\r\n12")}, "HTTP/1.1 POST 0/0\noff\n"},
		"unknown coding":      {[]turn{from("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n12")}, "HTTP/1.1 POST 0/0\noff\n"},
		"no size":             {[]turn{from("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n")}, "HTTP/1.1 POST 0/0\noff\n"},
		"size of a galaxy":    {[]turn{from("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000001\r\n")}, "HTTP/1.1 POST 0/0\noff\n"},
		"size of something":   {[]turn{from("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\x10\r\n")}, "HTTP/1.1 POST 0/0\noff\n"},
		"chunk without end":   {[]turn{from("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n")}, "HTTP/1.1 POST 1/0\noff\n"},
		"carriage return":     {[]turn{from("GET / HTTP/1.1\r\n\rX: y")}, "HTTP/1.1 GET 0/0\noff\n"},
		"response too many":   {[]turn{from(get), back(ok + ok)}, "HTTP/1.1 GET 0/3 after 1s 200 (OK)\noff\n"},
		"no status":           {[]turn{from(get), back("HTTP/1.1 20 OK\r\n")}, "HTTP/1.1 GET 0/0\noff\n"},
		"status of a letter":  {[]turn{from(get), back("HTTP/1.1 20x OK\r\n")}, "HTTP/1.1 GET 0/0\noff\n"},
		"another response":    {[]turn{from(get), back("ICY 200 OK\r\n")}, "HTTP/1.1 GET 0/0\noff\n"},
		"HTTP/2 in a line":    {[]turn{from("GET / HTTP/2.0\r\n\r\n")}, "off\n"},
		"HTTP/0.9":            {[]turn{from("GET /\r\n")}, "off\n"},
		"spaces in a target":  {[]turn{from("GET /a b HTTP/1.1\r\n\r\n")}, "off\n"},
		"no target":           {[]turn{from("GET  HTTP/1.1\r\n\r\n")}, "off\n"},
		"endless target":      {[]turn{from("GET /" + strings.Repeat("x", maxTarget))}, "off\n"},
		"another protocol":    {[]turn{from("EHLO example.org\r\n")}, "off\n"},
		"another, in bytes":   {[]turn{from("\x16\x03\x01\x00\xa5")}, "off\n"},
		"another, of letters": {[]turn{from("PRIx")}, ""},
		"endless method":      {[]turn{from(strings.Repeat("x", maxMethod+1))}, "off\n"},
		"empty lines":         {[]turn{from(strings.Repeat("\r\n", maxBlank))}, "off\n"},
		"server speaks first": {[]turn{back("SSH-2.0-x\r\n"), from(get)}, "off\n"},
	}
}

func TestHTTP1(t *testing.T) {
	t.Parallel()
	for name, row := range rows1() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tells(t, row.turns, row.want, Auto, HTTP1)
		})
	}
}

// TestBounded: a client that asks and does not listen, or whose lines do not end.
func TestBounded(t *testing.T) {
	t.Parallel()
	l, s := play(Auto, []turn{from(strings.Repeat("GET / HTTP/1.1\r\n\r\n", maxExchanges+1))}, whole)
	if s.Watching() || len(l.list) != maxExchanges || l.list[0].ended != 1 {
		t.Errorf("watching %v, %d requests, the first %s", s.Watching(), len(l.list), l.list[0])
	}
	line := strings.Repeat("a", 1<<20)
	_, s = play(Auto, []turn{from("GET / HTTP/1.1\r\n" + line + ":" + line), from(line)}, whole)
	p := s.fromClient.(*parser1)
	if !s.Watching() || cap(p.line)+cap(p.value) > 1024 {
		t.Errorf("watching %v, %d octets kept", s.Watching(), cap(p.line)+cap(p.value))
	}
}

// TestTokens compares with what a method may consist of.
func TestTokens(t *testing.T) {
	t.Parallel()
	const other = "!#$%&'*+-.^_`|~0123456789"
	for c := range 256 {
		b := byte(c)
		letter := 'a' <= b|0x20 && b|0x20 <= 'z' && c < 0x80
		if want := letter || c < 0x80 && strings.Contains(other, string(rune(c))); isToken(b) != want {
			t.Errorf("%q: %v", b, !want)
		}
	}
}
