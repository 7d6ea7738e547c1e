package amqp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/captures"
)

// describe prints what a prefix says, for comparison.
func describe(p Prefix, message []byte) string {
	return fmt.Sprintf("to=%q reply-to=%q correlation-id=%x content-type=%q priority=%d null=%v body=%x sections=%d,%d,%d,%d,%d,%d",
		p.To, p.ReplyTo, p.CorrelationID, p.ContentType, p.Priority, p.Null, message[p.BodyOffset:],
		p.Annotations.Len, p.Header.Len, p.DeliveryAnnotations.Len, p.MessageAnnotations.Len, p.Properties.Len, p.ApplicationProperties.Len)
}

// TestPrefixOfUnits compares the scanner with the parser of whole messages.
func TestPrefixOfUnits(t *testing.T) {
	t.Parallel()
	for name, b := range captures.Units(t) {
		if !strings.HasPrefix(name, "msg-") {
			continue
		}
		m, err := ParseMessage(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p, complete, err := ScanPrefix(b)
		if err != nil || complete != (m.Kind != BodyNone) {
			t.Errorf("%s: complete %v, error %v", name, complete, err)
		}
		if !complete && p.End != len(b) {
			t.Errorf("%s: sections end at %d of %d", name, p.End, len(b))
		}
		if m.Properties == nil {
			m.Properties = new(Properties)
		}
		if string(p.To) != m.Properties.To || string(p.ReplyTo) != m.Properties.ReplyTo || string(p.ContentType) != m.Properties.ContentType {
			t.Errorf("%s: prefix %s, message %+v", name, describe(p, b), m.Properties)
		}
		if p.Annotations.Len == 0 || (p.ApplicationProperties.Len > 0) != (m.ApplicationProperties != nil) {
			t.Errorf("%s: prefix %s", name, describe(p, b))
		}
	}
}

// TestPrefixSplit feeds every message unit octet by octet: the scan completes
// exactly when the body section is there, and says the same for every longer
// part.
func TestPrefixSplit(t *testing.T) {
	t.Parallel()
	for name, b := range captures.Units(t) {
		if !strings.HasPrefix(name, "msg-") {
			continue
		}
		whole, wantComplete, err := ScanPrefix(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		need := whole.BodyOffset + 4 // descriptor and the constructor that tells null
		if whole.Null {
			need = whole.BodyOffset
		}
		for n := range b {
			p, complete, err := ScanPrefix(b[:n])
			if err != nil {
				t.Fatalf("%s: first %d octets: %v", name, n, err)
			}
			if complete != (wantComplete && n >= need) {
				t.Fatalf("%s: complete %v after %d octets, want it after %d", name, complete, n, need)
			}
			if complete && describe(p, b) != describe(whole, b) {
				t.Fatalf("%s: after %d octets %s\nwant %s", name, n, describe(p, b), describe(whole, b))
			}
		}
	}
}

func TestPrefixOfStream(t *testing.T) {
	t.Parallel()
	b := append(captures.Units(t)["msg-edge-stream-start"], "GET / HTTP/1.1"...)
	p, complete, err := ScanPrefix(b)
	if err != nil || !complete || !p.Null {
		t.Fatalf("complete %v, null %v, error %v", complete, p.Null, err)
	}
	if got := string(b[p.BodyOffset:]); got != "GET / HTTP/1.1" {
		t.Errorf("body %q", got)
	}
	if got, want := string(p.To), "amqp:/_topo/0/rtr-I/temp.ZpFTwlPEqxfdzS5"; got != want {
		t.Errorf("to %q, want %q", got, want)
	}
	var ra Annotations
	rest, err := ra.Decode(p.Annotations.In(b))
	if err != nil || len(rest) != 0 || ra.Flags != FlagStreaming|FlagUnlimited || ra.Mesh != "VswQgU_L7KKD7ih" {
		t.Errorf("router annotations %+v, %d octets left, error %v", ra, len(rest), err)
	}
	value, _, err := DecodeValue(p.ApplicationProperties.In(b))
	if want := (Described{SectionApplicationProperties, Map{{"V", uint32(1)}}}); err != nil || !cmp.Equal(value, want) {
		t.Errorf("application properties %v, error %v", value, err)
	}
}

// TestPrefixForms scans sections in unusual but legal forms.
func TestPrefixForms(t *testing.T) {
	t.Parallel()
	header := "00 53 70 c0 04 02 40 50 63"
	for _, tt := range []struct{ name, in, want string }{
		{"nothing but a body", "00 53 75 a0 01", `to="" reply-to="" correlation-id= content-type="" priority=4 null=false body=005375a001 sections=0,0,0,0,0,0`},
		{"value that is not null", "00 53 77 41", `to="" reply-to="" correlation-id= content-type="" priority=4 null=false body=00537741 sections=0,0,0,0,0,0`},
		{
			"all sections, priority capped", header + "00 53 71 c1 01 00 00 53 72 d1 00000004 00000000 00 53 73 45 00 53 74 c1 01 00 00 53 77 40 ff",
			`to="" reply-to="" correlation-id= content-type="" priority=9 null=true body=ff sections=0,9,6,12,4,6`,
		},
		{
			"symbols, long descriptors", "00 80 0000000000000073 c0 0f 06 43 40 a3 01 74 40 b3 00000001 72 53 07 00 80 0000000000000076 45",
			`to="t" reply-to="r" correlation-id=5307 content-type="" priority=4 null=false body=0080000000000000007645 sections=0,0,0,0,27,0`,
		},
	} {
		b := unhex(t, tt.in)
		p, complete, err := ScanPrefix(b)
		if err != nil || !complete {
			t.Errorf("%s: complete %v, error %v", tt.name, complete, err)
			continue
		}
		if got := describe(p, b); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestPrefixErrors checks that bad sections are refused, however they arrive.
func TestPrefixErrors(t *testing.T) {
	t.Parallel()
	long := "00 53 72 d1 00010000 00000002 a1 01 6b b0 0000fff4" + strings.Repeat("00", 0xfff4)
	for _, tt := range []struct {
		name, in string
		want     Symbol
		says     string
	}{
		{"not described", "41", ErrDecode, "described"},
		{"order", "00 53 73 45 00 53 70 45", ErrDecode, "after section"},
		{"twice", "00 53 70 45 00 53 70 45", ErrDecode, "after section"},
		{"unknown", "00 53 6f 45", ErrDecode, "section 0x6f"},
		{"footer first", "00 53 78 c1 01 00", ErrDecode, "section 0x78"},
		{"annotations behind the header", "00 53 70 45 00 80 534b50522d2d5241 45", ErrDecode, "after section"},
		{"zero code", "00 44 45", ErrDecode, "section 0x0"},
		{"to of another type", "00 53 73 c0 04 03 40 40 43", ErrDecode, "string or symbol"},
		{"properties as map", "00 53 73 c1 01 00", ErrDecode, "want a list"},
		{"fields in too few octets", "00 53 73 c0 02 05 40", ErrDecode, "5 values"},
		{"too long", long, ErrResourceLimitExceeded, "too long"},
		{"nested descriptors", "00 53 74" + strings.Repeat("00", 64), ErrDecode, "nested"},
	} {
		b := unhex(t, tt.in)
		p, complete, err := ScanPrefix(b)
		if complete {
			t.Errorf("%s: complete, %+v", tt.name, p)
			continue
		}
		wantError(t, err, tt.want, tt.says)
		for n := range min(len(b), 100) {
			if _, complete, _ := ScanPrefix(b[:n]); complete {
				t.Errorf("%s: complete after %d octets", tt.name, n)
			}
		}
	}
}

// TestAnnotationsRules has the rules of the section, found by trial with
// skupper-router 3.5.
func TestAnnotationsRules(t *testing.T) {
	t.Parallel()
	const ra = "00 80 534b50522d2d5241"
	for _, tt := range []struct {
		name, in string
		want     Annotations
		refused  bool
		noList   bool
	}{
		{name: "shortest", in: "c0 05 04 43 40 40 45", want: Annotations{}},
		{name: "list32", in: "d0 00000008 00000004 43 40 40 45", want: Annotations{}},
		{
			name: "everything", in: "c0 12 05 52f1 a1 01 61 a1 01 62 c0 04 01 a1 01 63 a1 01 64",
			want: Annotations{Flags: 0xf1, To: "a", HasTo: true, Ingress: "b", HasIngress: true, Trace: []string{"c"}, Mesh: "d"},
		},
		{name: "elements behind the fifth", in: "c0 0b 07 43 40 40 45 a1 01 64 a3 00 40", want: Annotations{Mesh: "d"}},
		{name: "list0", in: "45", refused: true},
		{name: "three elements", in: "c0 04 03 43 40 40", refused: true},
		{name: "flags null", in: "c0 05 04 40 40 40 45", refused: true},
		{name: "flags ulong", in: "c0 05 04 44 40 40 45", refused: true},
		{name: "to as symbol", in: "c0 07 04 43 a3 01 61 40 45", refused: true},
		{name: "ingress as symbol", in: "c0 07 04 43 40 a3 01 61 45", refused: true},
		{name: "trace null", in: "c0 05 04 43 40 40 40", refused: true},
		{name: "trace of symbols", in: "c0 0a 04 43 40 40 c0 04 01 a3 01 63", refused: true},
		{name: "trace with null", in: "c0 08 04 43 40 40 c0 02 01 40", refused: true},
		{name: "mesh null", in: "c0 06 05 43 40 40 45 40", refused: true},
		{name: "mesh as symbol", in: "c0 08 05 43 40 40 45 a3 01 64", refused: true},
		{name: "map", in: "c1 01 00", refused: true, noList: true},
		{name: "cut off", in: "c0 05 04 43 40", refused: true},
	} {
		got := Annotations{Trace: []string{"old", "older"}, Mesh: "old"}
		rest, err := got.Decode(append(unhex(t, ra+tt.in), "rest"...))
		if tt.refused {
			condition := ErrInvalidField
			if tt.noList {
				condition = ErrDecode
			}
			wantError(t, err, condition, "")
			continue
		}
		if err != nil || string(rest) != "rest" {
			t.Errorf("%s: rest %q, error %v", tt.name, rest, err)
			continue
		}
		if len(got.Trace) == 0 {
			got.Trace = nil
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		var again Annotations
		if _, err := again.Decode(got.Append(nil)); err != nil || !cmp.Equal(got, again) {
			t.Errorf("%s: encoded again %+v, error %v", tt.name, again, err)
		}
	}
	var a Annotations
	_, err := a.Decode(unhex(t, "00 53 70 45"))
	wantError(t, err, ErrInvalidField, "missing")
}

// TestCapturedStreamBodies takes the TCP payload out of the captured streams.
func TestCapturedStreamBodies(t *testing.T) {
	t.Parallel()
	bodies := streamBodies(t, "tcp/large", captures.Connector)
	if len(bodies) != 1 || len(bodies[0]) != 8<<20 {
		t.Fatalf("%d streams", len(bodies))
	}
	for i, o := range bodies[0] {
		if o != byte(i) {
			t.Fatalf("octet %d is %#x, want %#x", i, o, byte(i))
		}
	}
	if got := streamBodies(t, "tcp/halfclose", captures.Listener); len(got) != 1 || string(got[0]) != "got 20000\n" {
		t.Errorf("reply %q", got)
	}
}

// streamBodies returns the octets of the streams that one side sent.
func streamBodies(t *testing.T, name string, from captures.Side) [][]byte {
	t.Helper()
	var bodies [][]byte
	open := map[[2]uint32][]byte{} // by channel and handle
	for _, f := range captures.Load(t, name).Frames(t) {
		if f.From != from || f.Header() || len(f.Data) == FrameHeaderSize {
			continue
		}
		var x Transfer
		if code, _ := Descriptor(f.Data[8:]); code != CodeTransfer {
			continue
		}
		payload, err := x.Decode(f.Data[8:])
		if err != nil {
			t.Fatal(err)
		}
		key := [2]uint32{uint32(f.Data[6])<<8 | uint32(f.Data[7]), x.Handle}
		open[key] = append(open[key], payload...)
		if x.More {
			continue
		}
		p, complete, err := ScanPrefix(open[key])
		if err != nil {
			t.Fatal(err)
		}
		if complete && string(p.ContentType) == "application/octet-stream" {
			bodies = append(bodies, bytes.Clone(open[key][p.BodyOffset:]))
		}
		delete(open, key)
	}
	return bodies
}

func BenchmarkScanPrefix(b *testing.B) {
	message := captures.Units(b)["msg-interior-stream-start"]
	b.ReportAllocs()
	for b.Loop() {
		if _, complete, err := ScanPrefix(message); !complete || err != nil {
			b.Fatal(complete, err)
		}
	}
}
