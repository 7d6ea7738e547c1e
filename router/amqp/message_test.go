package amqp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFrameHeader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want FrameHeader
		says string
	}{
		{in: "00000008 02 00 0000", want: FrameHeader{Size: 8, DataOffset: 2}},
		{in: "00010000 03 01 0102", want: FrameHeader{Size: 65536, DataOffset: 3, Type: FrameSASL, Channel: 258}},
		{in: "00000008 02 00 00", says: "7 octets"},
		{in: "00000007 02 00 0000", says: "7 octets"},
		{in: "00000008 01 00 0000", says: "data offset 1"},
		{in: "00000008 03 00 0000", says: "data offset 3"},
		{in: "00000008 02 02 0000", says: "type 2"},
	} {
		h, err := ParseFrameHeader(unhex(t, tt.in))
		if tt.says != "" {
			wantError(t, err, ErrFraming, tt.says)
			continue
		}
		if err != nil || h != tt.want {
			t.Errorf("%s: %+v, error %v", tt.in, h, err)
		}
	}
	if h, err := ParseFrameHeader(AppendHeartbeat(nil)); err != nil || h.Size != FrameHeaderSize {
		t.Errorf("heartbeat %+v, error %v", h, err)
	}
	if h := (FrameHeader{DataOffset: 3}); h.BodyOffset() != 12 {
		t.Errorf("body at %d, want 12", h.BodyOffset())
	}
}

// TestEverySectionSurvives encodes and decodes a message with every section
// and every field.
func TestEverySectionSurvives(t *testing.T) {
	t.Parallel()
	m := &Message{
		Annotations:           &Annotations{Flags: 1, Trace: []string{"0/a"}},
		Header:                &Header{Durable: true, Priority: 7, HasPriority: true, TTL: 1, HasTTL: true, FirstAcquirer: true, DeliveryCount: 3},
		DeliveryAnnotations:   Map{{Symbol("d"), uint32(1)}},
		MessageAnnotations:    Map{{Symbol("m"), uint32(2)}},
		ApplicationProperties: Map{},
		Properties: &Properties{
			MessageID: uint64(1), UserID: []byte("u"), To: "to", Subject: "subject", ReplyTo: "reply", CorrelationID: UUID{1},
			ContentType: "text/plain", ContentTypeSymbol: true, ContentEncoding: "gzip", AbsoluteExpiryTime: 5, CreationTime: 6,
			GroupID: "group", GroupSequence: 7, HasGroupSequence: true, ReplyToGroupID: "reply group",
		},
		Footer: Map{{Symbol("f"), "end"}},
	}
	bodies := []Message{
		{Kind: BodyData, Data: [][]byte{[]byte("one"), {}, []byte(strings.Repeat("long", 100))}},
		{Kind: BodySequence, Sequence: []List{{"a"}, {"b", uint32(1)}}},
		{Kind: BodyValue, Value: Map{{"k", "v"}}},
		{Kind: BodyValue},
	}
	for _, body := range bodies {
		m.Kind, m.Data, m.Sequence, m.Value = body.Kind, body.Data, body.Sequence, body.Value
		got, err := ParseMessage(m.Append(nil))
		if err != nil {
			t.Errorf("body kind %d: %v", body.Kind, err)
			continue
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("body kind %d (-want +got):\n%s", body.Kind, diff)
		}
	}
}

func TestExtraOctets(t *testing.T) {
	t.Parallel()
	m, err := ParseMessage([]byte("\x00Sw@raw octets"))
	if err != nil || m.Kind != BodyValue || string(m.Extra) != "raw octets" {
		t.Errorf("message %+v, error %v", m, err)
	}
}

func TestContentTypeString(t *testing.T) {
	t.Parallel()
	p := &Properties{ContentType: "application/octet-stream"}
	if got, want := p.Append(nil), "\xa1\x18application/octet-stream"; !bytes.HasSuffix(got, []byte(want)) {
		t.Errorf("encoded %q", got)
	}
	p.ContentTypeSymbol = true
	if got, want := p.Append(nil), "\xa3\x18application/octet-stream"; !bytes.HasSuffix(got, []byte(want)) {
		t.Errorf("encoded %q", got)
	}
}

func TestMalformedMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     Symbol
		says     string
	}{
		{"annotations of three", "00 80 534b50522d2d5241 c0 04 03 43 40 40", ErrInvalidField, "3 elements"},
		{"annotations alone and broken", "00 80 534b50522d2d5241", ErrInvalidField, "octets wanted"},
		{"header as map", "00 53 70 c1 01 00", ErrDecode, "want a list"},
		{"priority as uint", "00 53 70 c0 03 02 40 43", ErrDecode, "want ubyte"},
		{"application properties as list", "00 53 74 45", ErrDecode, "application-properties: want a map"},
		{"creation time as ulong", "00 53 73 c0 0b 0a 40 40 40 40 40 40 40 40 40 44", ErrDecode, "want timestamp"},
		{"data as string", "00 53 75 a1 00", ErrDecode, "without binary"},
		{"sequence as map", "00 53 76 c1 01 00", ErrDecode, "without list"},
		{"value twice", "00 53 77 41 00 53 77 41", ErrDecode, "after section"},
		{"data and value", "00 53 75 a0 00 00 53 77 41", ErrDecode, "after section"},
		{"value and data", "00 53 77 41 00 53 75 a0 00", ErrDecode, "after section"},
		{"unknown section", "00 53 79 45", ErrDecode, "not a message section"},
		{"octets between", "41", ErrDecode, "described"},
		{"many sections", strings.Repeat("00 53 76 45", maxBodySections+1), ErrDecode, "more than"},
		{"much data", strings.Repeat("00 53 75 a0 00", maxBodySections+1), ErrDecode, "more than"},
	} {
		m, err := ParseMessage(unhex(t, tt.in))
		if m != nil {
			t.Errorf("%s: %+v", tt.name, m)
			continue
		}
		wantError(t, err, tt.want, tt.says)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state    State
		name     string
		terminal bool
	}{
		{State{}, "none", false},
		{State{Code: StateReceived, Section: 1, Offset: 2}, "received", false},
		{State{Code: StateAccepted}, "accepted", true},
		{State{Code: StateRejected}, "rejected", true},
		{State{Code: StateReleased}, "released", true},
		{State{Code: StateModified}, "modified", true},
		{State{Code: StateDeclared}, "declared", false},
		{State{Code: StateTransactional}, "transactional-state", false},
		{State{Code: 1}, "unknown", false},
	} {
		if got := tt.state.Code.String(); got != tt.name {
			t.Errorf("%#x is %s, want %s", uint8(tt.state.Code), got, tt.name)
		}
		if tt.state.Terminal() != tt.terminal {
			t.Errorf("%s: terminal %v", tt.name, tt.state.Terminal())
		}
		if tt.name == "unknown" {
			continue
		}
		var x Disposition
		if err := x.Decode((&Disposition{State: tt.state}).Append(nil)); err != nil || !cmp.Equal(x.State, tt.state) {
			t.Errorf("%s: decoded %+v, error %v", tt.name, x.State, err)
		}
	}
}

// TestReceivedOffsetForms reads the offset in every width.
func TestReceivedOffsetForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]uint64{
		"00 53 15 c0 0d 05 42 43 40 40 00 53 23 c0 03 02 43 44":                  0,
		"00 53 15 c0 0e 05 42 43 40 40 00 53 23 c0 04 02 43 53 ff":               255,
		"00 53 15 c0 15 05 42 43 40 40 00 53 23 c0 0b 02 43 80 0000000100000000": 1 << 32,
	} {
		var x Disposition
		if err := x.Decode(unhex(t, in)); err != nil || x.State.Offset != want {
			t.Errorf("%s: offset %d, error %v", in, x.State.Offset, err)
		}
	}
	var x Disposition
	wantError(t, x.Decode(unhex(t, "00 53 15 c0 0e 05 42 43 40 40 00 53 23 c0 04 02 43 52 ff")), ErrDecode, "want ulong")
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]*Error{
		"amqp:not-found":       {Condition: ErrNotFound},
		"amqp:not-found: name": {Condition: ErrNotFound, Description: "name"},
	} {
		if got := err.Error(); got != want {
			t.Errorf("error %q, want %q", got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	b := []byte("abcdef")
	if got := (Span{Off: 1, Len: 2}).In(b); string(got) != "bc" || cap(got) != 2 {
		t.Errorf("span is %q with capacity %d", got, cap(got))
	}
	if got := (Span{Off: 1}).In(b); got != nil {
		t.Errorf("absent span is %q", got)
	}
}

func TestMap32(t *testing.T) {
	t.Parallel()
	b, mark := AppendMap32Header([]byte("x"))
	b = AppendBool(AppendString(b, "k"), true)
	FinishCompound32(b, mark, 2)
	if want := unhex(t, "78 d1 00000008 00000002 a1016b 41"); !bytes.Equal(b, want) {
		t.Errorf("encoded %x, want %x", b, want)
	}
}
