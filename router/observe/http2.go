package observe

import (
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
)

// preface is what a client begins with (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	// maxTable bounds the table of header compression. A table can be larger
	// than 4 KiB only if the one that reads it has allowed that, and what grows
	// beyond this cannot be read here.
	maxTable = 64 << 10
	// maxText bounds a header field, in octets.
	maxText = 64 << 10
	// headLength is the length of the head of a frame.
	headLength = 9
)

// Types and flags of frames (RFC 9113, 6).
const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePush         = 5
	frameContinuation = 9

	flagEndStream  = 1
	flagEndHeaders = 4
	flagPadded     = 8
	flagPriority   = 32
)

// http2 is what both directions of HTTP/2 have in common.
type http2 struct {
	rec Recorder

	mu   sync.Mutex
	open map[uint32]*exchange // Guarded by mu. By stream, not over.
	over bool                 // Guarded by mu.
}

// begin notes a request. It returns nil if there are too many.
func (h *http2) begin(at time.Time, q Request) *exchange {
	h.mu.Lock()
	full := h.over || len(h.open) >= maxExchanges
	h.mu.Unlock()
	if full {
		return nil
	}
	x := &exchange{record: h.rec.Begin(at, q), started: at}
	h.mu.Lock()
	over := h.over
	if !over {
		if h.open == nil {
			h.open = map[uint32]*exchange{}
		}
		h.open[uint32(q.StreamID)] = x
	}
	h.mu.Unlock()
	if over {
		x.record.End(at)
		return nil
	}
	return x
}

// find returns the exchange of a stream, nil if there is none.
func (h *http2) find(stream uint32) *exchange {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open[stream]
}

// done notes the end of the request, of the response, or of both.
func (h *http2) done(at time.Time, stream uint32, asked, answered bool) {
	h.mu.Lock()
	x := h.open[stream]
	if x != nil {
		x.asked, x.answered = x.asked || asked, x.answered || answered
		if x.asked && x.answered {
			delete(h.open, stream)
		} else {
			x = nil
		}
	}
	h.mu.Unlock()
	if x != nil {
		x.record.End(at)
	}
}

// end ends what is under way.
func (h *http2) end(at time.Time) {
	h.mu.Lock()
	open := h.open
	h.open, h.over = nil, true
	h.mu.Unlock()
	for _, x := range open {
		x.record.End(at)
	}
}

// framer reads the frames of one direction of HTTP/2. It is owned by one
// goroutine.
type framer struct {
	h      *http2
	clock  clock
	client bool // what it reads comes from the client

	preface int // octets of it that have come
	head    [headLength]byte
	got     int    // octets of head
	begun   bool   // the first frame has come
	last    uint32 // the last stream that the client has opened

	// Of the frame, when its head is there.
	kind, flags byte
	stream      uint32
	fields      int // octets in front of the contents that have not come
	padded      bool
	left, pad   int // octets of the contents, and of the padding, that have not come

	// The exchange of the last frame of data.
	x      *exchange
	xOf    uint32
	decode *hpack.Decoder

	// Of a header block.
	block    bool // it has begun and not ended
	of       uint32
	pushed   bool // it belongs to a request that the server makes
	endsBody bool // it is the last thing of its message
	began    time.Time
	method   string
	status   string
	host     string
	hosted   bool
}

// newFramer returns the framer of one direction of h.
func newFramer(h *http2, now func() time.Time, client bool) *framer {
	f := &framer{h: h, clock: clock{now: now}, client: client}
	if !client {
		f.preface = len(preface)
	}
	return f
}

// feed implements parser.
func (f *framer) feed(b []byte) bool {
	f.clock.read = false
	for len(b) > 0 {
		n, ok := f.step(b)
		if !ok {
			return false
		}
		b = b[n:]
	}
	return true
}

// step takes what comes next and returns how much that is.
func (f *framer) step(b []byte) (n int, ok bool) {
	switch {
	case f.preface < len(preface):
		n = min(len(b), len(preface)-f.preface)
		if string(b[:n]) != preface[f.preface:f.preface+n] {
			return 0, false
		}
		f.preface += n
		return n, true
	case f.got < headLength:
		n = copy(f.head[f.got:], b)
		if f.got += n; f.got < headLength {
			return n, f.begun || f.plausible()
		}
		return n, f.beginFrame() && (!f.complete() || f.endFrame())
	case f.fields > 0:
		if f.padded {
			f.padded, f.pad = false, int(b[0])
			if f.left -= f.pad; f.left < 0 {
				return 0, false // more padding than frame
			}
			n++
		} else {
			n = min(f.fields, len(b))
		}
		f.fields -= n
	case f.left > 0:
		n = min(f.left, len(b))
		f.left -= n
		if !f.contents(b[:n]) {
			return 0, false
		}
	default:
		n = min(f.pad, len(b))
		f.pad -= n
	}
	return n, !f.complete() || f.endFrame()
}

func (f *framer) complete() bool { return f.fields+f.left+f.pad == 0 }

// plausible reports whether what there is of the first frame may be that of
// settings.
func (f *framer) plausible() bool {
	want := [headLength]byte{3: frameSettings}
	for i := range f.got {
		if i != 1 && i != 2 && f.head[i] != want[i] {
			return false
		}
	}
	return true
}

// beginFrame reads the head of a frame.
func (f *framer) beginFrame() bool {
	if !f.begun && !f.plausible() {
		return false
	}
	f.begun = true
	f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
	f.kind, f.flags = f.head[3], f.head[4]
	f.stream = uint32(f.head[5]&0x7f)<<24 | uint32(f.head[6])<<16 | uint32(f.head[7])<<8 | uint32(f.head[8])
	f.fields, f.padded, f.pad = 0, false, 0
	if f.block != (f.kind == frameContinuation) || f.block && f.stream != f.of {
		return false // a header block is in one piece
	}
	switch f.kind {
	case frameData:
		f.front(0)
	case frameHeaders:
		n := 0
		if f.flags&flagPriority != 0 {
			n = 5
		}
		f.front(n)
		f.beginBlock(false)
	case framePush:
		f.front(4)
		f.beginBlock(true)
	case frameContinuation, frameReset:
	default:
		return true
	}
	return f.stream != 0 && f.left >= 0
}

// front takes n octets, and one for the length of the padding if there is
// some, from the contents.
func (f *framer) front(n int) {
	if f.padded = f.flags&flagPadded != 0; f.padded {
		n++
	}
	f.fields = n
	f.left -= n
}

// contents takes a piece of what is in a frame.
func (f *framer) contents(b []byte) bool {
	switch f.kind {
	case frameData:
		f.data(len(b))
	case frameHeaders, framePush, frameContinuation:
		_, err := f.decode.Write(b)
		return err == nil
	}
	return true
}

// data counts.
func (f *framer) data(n int) {
	if f.x == nil || f.xOf != f.stream {
		f.x, f.xOf = f.h.find(f.stream), f.stream
	}
	switch {
	case f.x == nil:
	case f.client:
		f.x.record.Sent(n)
	default:
		f.x.record.Received(n)
	}
}

// endFrame is called when all of a frame has come.
func (f *framer) endFrame() bool {
	f.got = 0
	switch f.kind {
	case frameData:
		if f.flags&flagEndStream != 0 {
			f.ended(f.stream)
		}
	case frameReset:
		f.x = nil
		f.h.done(f.clock.time(), f.stream, true, true)
	case frameHeaders, framePush, frameContinuation:
		if f.flags&flagEndHeaders != 0 {
			return f.endBlock()
		}
	}
	return true
}

// ended notes the end of the message on a stream.
func (f *framer) ended(stream uint32) {
	f.x = nil
	f.h.done(f.clock.time(), stream, f.client, !f.client)
}

// beginBlock begins a header block.
func (f *framer) beginBlock(pushed bool) {
	if f.decode == nil {
		f.decode = hpack.NewDecoder(4096, f.headerField)
		f.decode.SetAllowedMaxDynamicTableSize(maxTable)
		f.decode.SetMaxStringLength(maxText)
	}
	f.block, f.of, f.pushed = true, f.stream, pushed
	f.endsBody = !pushed && f.flags&flagEndStream != 0
	f.began, f.method, f.status, f.host, f.hosted = f.clock.time(), "", "", "", false
	f.decode.SetEmitEnabled(!pushed && (!f.client || f.stream > f.last))
}

// headerField takes a field of a header block.
func (f *framer) headerField(h hpack.HeaderField) {
	switch h.Name {
	case ":method":
		f.method = known([]byte(cut(h.Value, maxMethod)))
	case ":status":
		f.status = coded([]byte(cut(h.Value, 3)))
		f.decode.SetEmitEnabled(false) // nothing else matters
	case "x-forwarded-for":
		if !f.hosted {
			f.host, f.hosted = first(h.Value), true
		}
	}
}

// endBlock acts on a header block.
func (f *framer) endBlock() bool {
	if f.decode.Close() != nil {
		return false
	}
	f.block = false
	switch {
	case f.pushed:
	case f.client:
		if !f.request() {
			return false
		}
	case f.status != "": // else it is a trailer
		f.answer()
	}
	if f.endsBody {
		f.ended(f.of)
	}
	return true
}

// request begins an exchange, unless the block is a trailer or belongs to a
// stream that was closed.
func (f *framer) request() bool {
	if f.of%2 == 0 {
		return false // servers number so
	}
	if f.of <= f.last {
		return true
	}
	f.last = f.of
	if f.method == "" {
		return true // the server will refuse it
	}
	x := f.h.begin(f.began, Request{Protocol: "HTTP/2", Method: f.method, StreamID: uint64(f.of)})
	if x != nil && f.host != "" {
		x.record.From(f.host)
	}
	return true
}

// answer notes the head of a response.
func (f *framer) answer() {
	x := f.h.find(f.of)
	if x == nil {
		return
	}
	x.answer(f.began)
	if f.status[0] != '1' && !x.final {
		x.final = true
		x.record.Result(f.status, "")
	}
}
