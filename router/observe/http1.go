package observe

import (
	"bytes"
	"strconv"
	"strings"
)

// state is what a parser of HTTP/1 expects next (RFC 9112).
type state uint8

const (
	atMethod      state = iota // of a request; empty lines may precede it
	atTarget                   // up to the next space
	atVersion                  // up to the end of the line
	atStatus                   // the first line of a response; empty lines may precede it
	atField                    // the first byte of a header field, or the empty line
	atName                     // up to the colon
	atValue                    // up to the end of the line; it is collected
	atRest                     // likewise; nobody wants it
	atBody                     // left octets
	atEnd                      // everything up to the end of the stream
	atChunk                    // the size of a chunk
	atExtension                // up to the end of its line
	atChunkBody                // left octets
	atChunkEnd                 // the end of the line behind them
	atTrailer                  // the first byte of a trailer field, or the empty line
	atTrailerRest              // up to the end of its line
)

// Limits of lines, in octets.
const (
	maxBlank  = 16      // line ends in front of a message
	maxTarget = 1 << 16 // of a request
	maxStatus = 256     // of the first line of a response; more of a reason is not kept
	maxLine   = 1 << 16 // likewise, with what is not kept
	maxValue  = 256     // of a field that says how long a body is; more of others is not kept
	maxDigits = 16      // of the size of a chunk
)

// field is a header field that says something.
type field uint8

const (
	noField field = iota
	contentLength
	transferEncoding
	forwardedFor
)

// longest is the length of the longest name of a field.
const longest = len("transfer-encoding")

func fieldOf(name []byte) field {
	switch string(name) {
	case "content-length":
		return contentLength
	case "transfer-encoding":
		return transferEncoding
	case "x-forwarded-for":
		return forwardedFor
	}
	return noField
}

// parser1 reads one direction of HTTP/1. It is owned by one goroutine.
type parser1 struct {
	h        *http1
	clock    clock
	response bool

	state    state
	returned bool   // a CR has come, and its LF must follow
	line     []byte // what is collected of the line
	count    int    // octets of a line, or digits
	left     uint64 // octets of the body or chunk
	x        *exchange

	// Of the message.
	method  string
	minor   byte   // of the version, '0' to '9'
	status  int    // 0 for a request
	field   field  // whose value is collected; it may go on with the next line
	value   []byte // of field
	length  uint64 // of the body
	sized   bool   // there is a Content-Length
	codings bool   // there is a Transfer-Encoding
	chunked bool   // it ends so
	hosted  bool   // there is an X-Forwarded-For
}

// feed implements parser.
func (p *parser1) feed(b []byte) bool {
	p.clock.read = false
	for len(b) > 0 {
		n, ok := p.step(b)
		if !ok {
			return false
		}
		b = b[n:]
	}
	return true
}

// step takes what belongs to the state and returns how much that is.
func (p *parser1) step(b []byte) (n int, ok bool) {
	switch p.state {
	case atBody, atChunkBody, atEnd:
		return p.body(b)
	case atMethod:
		return p.readMethod(b)
	case atTarget:
		return p.readTarget(b)
	case atVersion, atStatus, atValue:
		return p.collect(b)
	case atField, atChunkEnd, atTrailer:
		return p.beginLine(b[0])
	case atName:
		return p.readName(b)
	case atRest, atTrailerRest, atExtension:
		return p.skip(b)
	case atChunk:
		return p.readSize(b)
	}
	return 0, false
}

// body counts.
func (p *parser1) body(b []byte) (int, bool) {
	n := len(b)
	if p.state != atEnd {
		n = int(min(uint64(n), p.left))
		p.left -= uint64(n)
	}
	if p.response {
		p.x.record.Received(n)
	} else {
		p.x.record.Sent(n)
	}
	if p.state != atEnd && p.left == 0 {
		if p.state == atBody {
			p.done()
		} else {
			p.state = atChunkEnd
		}
	}
	return n, true
}

// done ends the message.
func (p *parser1) done() {
	p.h.done(p.clock.time(), p.x, p.response)
	p.x, p.state = nil, atMethod
	if p.response {
		p.state = atStatus
	}
	p.line, p.count = p.line[:0], 0
}

func (p *parser1) readMethod(b []byte) (int, bool) {
	for i, c := range b {
		switch {
		case len(p.line) == 0 && (c == '\r' || c == '\n'):
			if p.count++; p.count > maxBlank {
				return 0, false
			}
		case c == ' ' && len(p.line) > 0:
			p.method = known(p.line)
			p.line, p.count, p.state = p.line[:0], 0, atTarget
			return i + 1, true
		case !isToken(c) || len(p.line) == maxMethod:
			return 0, false
		default:
			p.line = append(p.line, c)
		}
	}
	return len(b), true
}

// isToken reports whether c may be a part of a method (RFC 9110, 5.6.2).
func isToken(c byte) bool {
	const (
		low  = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' | (1<<10-1)<<'0'
		high = (1<<26-1)<<('A'-64) | 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | (1<<26-1)<<('a'-64) | 1<<('|'-64) | 1<<('~'-64)
	)
	return c < 64 && uint64(low)>>c&1 != 0 || c >= 64 && uint64(high)>>(c-64)&1 != 0
}

func (p *parser1) readTarget(b []byte) (int, bool) {
	for i, c := range b {
		if c == ' ' && p.count > 0 {
			p.count, p.state = 0, atVersion
			return i + 1, true
		}
		if p.count++; c <= ' ' || c == 0x7f || p.count > maxTarget {
			return 0, false
		}
	}
	return len(b), true
}

// collect takes a line, or what there is of it.
func (p *parser1) collect(b []byte) (int, bool) {
	n, whole := len(b), false
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		n, whole = i, true
	}
	p.count += n
	ok := p.count <= maxLine
	if p.state == atValue {
		ok = p.keep(b[:n])
	} else {
		p.line = append(p.line, b[:min(n, maxStatus-len(p.line))]...)
		ok = ok && (p.state == atVersion || begins(p.line))
	}
	if !ok || !whole {
		return n, ok
	}
	line := bytes.TrimSuffix(p.line, []byte("\r"))
	switch {
	case p.state == atVersion:
		return n + 1, p.beginRequest(line)
	case p.state == atValue:
		p.state = atField
		return n + 1, true
	case len(line) == 0 && p.count < maxBlank:
		p.line, p.count = p.line[:0], p.count+1
		return n + 1, true
	}
	return n + 1, p.beginResponse(line)
}

// keep collects a piece of a value. A length that is longer than any length is
// none.
func (p *parser1) keep(b []byte) bool {
	if len(p.value) == 0 {
		b = bytes.TrimLeft(b, " \t")
	}
	n := min(len(b), maxValue-len(p.value))
	p.value = append(p.value, b[:n]...)
	return p.field == forwardedFor || len(bytes.TrimRight(b[n:], " \t\r")) == 0
}

// begins reports whether b may become the first line of a response, which empty
// lines may precede.
func begins(b []byte) bool {
	const version = "HTTP/1."
	b = bytes.TrimLeft(b, "\r")
	return string(b[:min(len(b), len(version))]) == version[:min(len(b), len(version))]
}

// parseVersion reads "HTTP/1." and a digit.
func (p *parser1) parseVersion(b []byte) bool {
	const prefix = "HTTP/1."
	if len(b) != len(prefix)+1 || string(b[:len(prefix)]) != prefix || b[len(prefix)] < '0' || b[len(prefix)] > '9' {
		return false
	}
	p.minor = b[len(prefix)]
	return true
}

// beginHeader forgets the message before.
func (p *parser1) beginHeader() {
	p.line, p.count, p.state = p.line[:0], 0, atField
	p.field, p.sized, p.codings, p.chunked, p.hosted = noField, false, false, false, p.response
}

func (p *parser1) beginRequest(version []byte) bool {
	if !p.parseVersion(version) {
		return false
	}
	q := Request{Protocol: "HTTP/1.1", Method: p.method}
	if p.minor == '0' {
		q.Protocol = "HTTP/1.0"
	}
	p.x = p.h.begin(p.clock.time(), q)
	p.beginHeader()
	return p.x != nil
}

// beginResponse reads the version, three digits, and a reason that may be
// missing.
func (p *parser1) beginResponse(line []byte) bool {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	code, reason, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	if !p.parseVersion(version) || len(code) != 3 {
		return false
	}
	status, err := strconv.ParseUint(string(code), 10, 16)
	if err != nil || status < 100 {
		return false
	}
	if p.x = p.h.next(); p.x == nil {
		return false
	}
	p.x.answer(p.clock.time())
	if p.status = int(status); !p.interim() {
		p.x.record.Result(coded(code), reasoned(bytes.TrimSpace(reason)))
	}
	p.beginHeader()
	return true
}

// coded returns a status as a string, without making one of a usual one.
func coded(b []byte) string {
	switch string(b) {
	case "200":
		return "200"
	case "204":
		return "204"
	case "304":
		return "304"
	case "404":
		return "404"
	}
	return string(b)
}

// reasoned returns the reason as a string, without making one of the usual one.
func reasoned(b []byte) string {
	if string(b) == "OK" {
		return "OK"
	}
	return string(b)
}

// interim reports whether another response to the same request follows.
func (p *parser1) interim() bool { return p.status/100 == 1 && p.status != 101 }

// beginLine decides what kind of line begins with c.
func (p *parser1) beginLine(c byte) (int, bool) {
	switch {
	case c == '\n':
		p.returned = false
		return 1, p.empty()
	case p.returned:
		return 0, false
	case c == '\r':
		p.returned = true
		return 1, true
	case p.state == atChunkEnd:
		return 0, false
	case p.state == atTrailer:
		p.state = atTrailerRest
		return 0, true
	case c == ' ' || c == '\t': // the value of the line before goes on
		p.state = atRest
		if p.field != noField {
			p.state = atValue
			p.keep([]byte{' '})
		}
		return 1, true
	}
	ok := p.commit()
	if p.line, p.state = p.line[:0], atName; !interesting(c) {
		p.state = atRest
	}
	return 0, ok
}

// interesting reports whether the name of a field that says something may begin
// with c.
func interesting(c byte) bool {
	c |= 0x20
	return c == 'c' || c == 't' || c == 'x'
}

// empty is the end of an empty line.
func (p *parser1) empty() bool {
	switch p.state {
	case atTrailer:
		p.done()
	case atChunkEnd:
		p.count, p.left, p.state = 0, 0, atChunk
	default:
		return p.commit() && p.beginBody()
	}
	return true
}

// readName reads the name of a field as far as that matters. A line without
// a colon says nothing.
func (p *parser1) readName(b []byte) (int, bool) {
	for i, c := range b {
		switch {
		case c == '\n':
			p.state = atField
			return i + 1, true
		case c == ':' || len(p.line) > longest:
			f := fieldOf(p.line)
			if c != ':' || f == forwardedFor && p.hosted {
				f = noField
			}
			if f == noField && isLength(fieldOf(bytes.TrimRight(p.line, " \t"))) && (c == ' ' || c == '\t' || c == ':') {
				return 0, false // some take it for one, others do not
			}
			p.field, p.value, p.count, p.state = f, p.value[:0], 0, atRest
			if f != noField {
				p.state = atValue
			}
			return i + 1, true
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
			fallthrough
		default:
			p.line = append(p.line, c)
		}
	}
	return len(b), true
}

func isLength(f field) bool { return f == contentLength || f == transferEncoding }

// skip passes over the rest of a line.
func (p *parser1) skip(b []byte) (int, bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return len(b), true
	}
	switch p.state {
	case atExtension:
		p.beginChunk()
	case atTrailerRest:
		p.state = atTrailer
	default:
		p.state = atField
	}
	return i + 1, true
}

// commit takes the value of a field that is complete.
func (p *parser1) commit() bool {
	value := bytes.TrimSpace(p.value)
	f := p.field
	p.field = noField
	switch f {
	case contentLength:
		n, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil || p.sized && n != p.length {
			return false
		}
		p.sized, p.length = true, n
	case transferEncoding:
		if p.minor == '0' {
			break // there is none in HTTP/1.0
		}
		last := value[bytes.LastIndexByte(value, ',')+1:]
		p.codings, p.chunked = true, strings.EqualFold(string(bytes.TrimSpace(last)), "chunked")
	case forwardedFor:
		p.hosted = true
		if host := first(string(value)); host != "" {
			p.x.record.From(host)
		}
	case noField:
	}
	return true
}

// beginBody decides where the message ends (RFC 9112, 6.3).
func (p *parser1) beginBody() bool {
	if p.response {
		switch {
		case p.interim():
			p.line, p.count, p.state = p.line[:0], 0, atStatus
			return true
		case p.status == 101, p.x.connect && p.status/100 == 2:
			return false // what follows is something else
		case p.x.head, p.status == 204, p.status == 304:
			p.done()
			return true
		}
	}
	p.count, p.left = 0, p.length
	switch {
	case p.chunked:
		p.state, p.left = atChunk, 0
	case p.response && (p.codings || !p.sized):
		p.state = atEnd
	case p.codings:
		return false
	case p.sized && p.length > 0:
		p.state = atBody
	default:
		p.done()
	}
	return true
}

// readSize reads the size of a chunk.
func (p *parser1) readSize(b []byte) (int, bool) {
	for i, c := range b {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if c < '0' || c > 'f' {
			digit = -1 // a control character is none of these either
		}
		switch {
		case digit >= 0 && p.count < maxDigits:
			p.count++
			p.left = p.left<<4 | uint64(digit)
		case digit >= 0 || p.count == 0:
			return 0, false
		case c == '\n':
			p.beginChunk()
			return i + 1, true
		case c == ';' || c == ' ' || c == '\t' || c == '\r':
			p.state = atExtension
			return i + 1, true
		default:
			return 0, false
		}
	}
	return len(b), true
}

func (p *parser1) beginChunk() {
	if p.state = atChunkBody; p.left == 0 {
		p.state = atTrailer
	}
}
