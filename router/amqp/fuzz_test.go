package amqp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skupper-host/skupper/internal/captures"
)

// addUnits seeds a fuzz target with the captured units of one kind.
func addUnits(f *testing.F, prefix string, offset int) {
	f.Helper()
	for name, b := range captures.Units(f) {
		if strings.HasPrefix(name, prefix) && len(b) >= offset {
			f.Add(b[offset:])
		}
	}
}

// FuzzFrame cuts a stream into frames as a reader does.
func FuzzFrame(f *testing.F) {
	addUnits(f, "frame-", 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) >= FrameHeaderSize {
			h, err := ParseFrameHeader(b)
			if err != nil {
				return
			}
			if h.Size < FrameHeaderSize || h.BodyOffset() > int(h.Size) {
				t.Fatalf("frame header %+v", h)
			}
			if int(h.Size) > len(b) {
				return
			}
			if body := b[h.BodyOffset():h.Size]; len(body) > 0 {
				checkPerformative(t, body)
			}
			b = b[h.Size:]
		}
	})
}

// FuzzPerformative decodes, encodes and decodes again.
func FuzzPerformative(f *testing.F) {
	addUnits(f, "frame-", 8)
	f.Add([]byte("\x00\x53\x25\xc0\x00"))
	f.Fuzz(checkPerformative)
}

func checkPerformative(t *testing.T, body []byte) {
	p, payload, err := DecodePerformative(body)
	checkError(t, err)
	if err != nil {
		return
	}
	if !bytes.HasSuffix(body, payload) {
		t.Fatal("the payload is not the end of the body")
	}
	out := p.Append(nil)
	again, rest, err := DecodePerformative(out)
	if err != nil || len(rest) != 0 {
		t.Fatalf("%+v encoded as %x: %d octets left, error %v", p, out, len(rest), err)
	}
	if twice := again.Append(nil); !bytes.Equal(out, twice) {
		t.Fatalf("encoding is not stable\n first %x\nsecond %x", out, twice)
	}
	checkHotPath(t, p, body)
}

// checkHotPath compares the allocation-free decoders with the general one.
func checkHotPath(t *testing.T, p Performative, body []byte) {
	var hot Performative
	var err error
	switch p.(type) {
	case *Transfer:
		x := new(Transfer)
		_, err = x.Decode(body)
		hot = x
	case *Flow:
		x := new(Flow)
		err = x.Decode(body)
		hot = x
	case *Disposition:
		x := new(Disposition)
		err = x.Decode(body)
		hot = x
	default:
		return
	}
	if diff := cmp.Diff(p, hot, cmpopts.EquateNaNs()); err != nil || diff != "" {
		t.Fatalf("error %v\n%s", err, diff)
	}
}

// checkError wants an *Error with a condition, or nil.
func checkError(t *testing.T, err error) {
	if err == nil {
		return
	}
	if e, ok := err.(*Error); !ok || e.Condition == "" || e.Description == "" {
		t.Fatalf("error %#v", err)
	}
}

// FuzzMessage decodes, encodes both ways and decodes again.
func FuzzMessage(f *testing.F) {
	addUnits(f, "msg-", 0)
	f.Add([]byte("\x00Su\xa0\x01x\x00Su\xa0\x01y\x00Sx\xc1\x01\x00"))
	f.Add([]byte("\x00Sv\x45\x00Sv\xc0\x02\x01\x41"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		checkError(t, err)
		if err != nil {
			return
		}
		compact := m.Append(nil)
		for _, out := range [][]byte{compact, m.AppendWide(nil, 7)} {
			again, err := ParseMessage(out)
			if err != nil {
				t.Fatalf("%+v encoded as %x: %v", m, out, err)
			}
			if twice := again.Append(nil); m.Header == nil && !bytes.Equal(compact, twice) {
				t.Fatalf("encoding is not stable\n first %x\nsecond %x", compact, twice)
			}
		}
	})
}

// FuzzPrefix scans a message whole and in two parts.
func FuzzPrefix(f *testing.F) {
	for name, b := range captures.Units(f) {
		if strings.HasPrefix(name, "msg-") {
			f.Add(b, len(b)/2)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		whole, complete, err := ScanPrefix(b)
		checkError(t, err)
		if complete && (err != nil || whole.BodyOffset > len(b) || whole.BodyOffset < whole.End) {
			t.Fatalf("complete with %+v, error %v", whole, err)
		}
		if n < 0 || n > len(b) {
			return
		}
		part, partComplete, partErr := ScanPrefix(b[:n])
		if partErr != nil && err == nil {
			t.Fatalf("the first %d of %d octets alone: %v", n, len(b), partErr)
		}
		if partComplete && (!complete || part.BodyOffset != whole.BodyOffset || part.Null != whole.Null) {
			t.Fatalf("first %d octets %+v, all %+v", n, part, whole)
		}
	})
}

// FuzzAnnotations decodes, encodes and decodes again.
func FuzzAnnotations(f *testing.F) {
	addUnits(f, "msg-", 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		var a, again Annotations
		_, err := a.Decode(b)
		checkError(t, err)
		if err != nil {
			return
		}
		if _, err := again.Decode(a.Append(nil)); err != nil || !cmp.Equal(a, again, cmpopts.EquateEmpty()) {
			t.Fatalf("%+v became %+v, error %v", a, again, err)
		}
	})
}

// FuzzValue decodes, encodes and decodes again; skipping a value agrees with
// decoding it.
func FuzzValue(f *testing.F) {
	addUnits(f, "frame-", 8)
	addUnits(f, "msg-", 10)
	f.Add([]byte("\xf0\x00\x00\x00\x05\x7f\xff\xff\xff\x43"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := DecodeValue(b)
		checkError(t, err)
		if err != nil {
			return
		}
		d := newDecoder(b)
		if d.skip(); d.err != nil || len(d.rest()) != len(rest) {
			t.Fatalf("skip left %d octets, decode %d, error %v", len(d.rest()), len(rest), d.error())
		}
		for _, out := range [][]byte{AppendValue(nil, v), AppendWide(nil, v)} {
			again, rest, err := DecodeValue(out)
			if err != nil || len(rest) != 0 {
				t.Fatalf("%#v encoded as %x: %d octets left, error %v", v, out, len(rest), err)
			}
			if diff := cmp.Diff(v, again, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("encoded as %x (-first +second):\n%s", out, diff)
			}
		}
	})
}
