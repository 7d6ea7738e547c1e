package amqp

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestPerformativeOctets compares with the octets of qpid-proton.
func TestPerformativeOctets(t *testing.T) {
	t.Parallel()
	tag := []byte{0x0a, 0, 0, 0, 0, 0, 0, 0}
	for _, tt := range []struct {
		name string
		p    Performative
		want string
	}{
		{
			"received",
			&Disposition{Role: RoleReceiver, State: State{Code: StateReceived, Offset: 537571}},
			"005315 c0 15 05 41 43 40 40 00 5323 c0 0b 02 43 80 00000000000833e3",
		},
		{
			"accepted settled",
			&Disposition{Role: RoleReceiver, Settled: true, State: State{Code: StateAccepted}},
			"005315 c0 09 05 41 43 40 41 00 5324 45",
		},
		{
			"modified unsettled",
			&Disposition{Role: RoleReceiver, State: State{Code: StateModified, Failed: true}},
			"005315 c0 0d 05 41 43 40 40 00 5327 c0 03 02 41 42",
		},
		{
			"modified settled by the sender",
			&Disposition{Role: RoleSender, Settled: true, State: State{Code: StateModified, Failed: true}},
			"005315 c0 0d 05 42 43 40 41 00 5327 c0 03 02 41 42",
		},
		{
			"released",
			&Disposition{Role: RoleReceiver, State: State{Code: StateReleased}},
			"005315 c0 09 05 41 43 40 40 00 5326 45",
		},
		{"settled without state", &Disposition{Settled: true}, "005315 c0 05 04 42 43 40 41"},
		{
			"range",
			&Disposition{Role: RoleReceiver, First: 1, Last: 300, Settled: true, State: State{Code: StateAccepted}},
			"005315 c0 0e 05 41 5201 700000012c 41 00 5324 45",
		},
		{
			"rejected",
			&Disposition{Role: RoleReceiver, State: State{Code: StateRejected, Error: &Error{Condition: "amqp:invalid-field"}}},
			"005315 c0 25 05 41 43 40 40 00 5325 c0 1b 01 00 531d c0 15 01 a3 12 616d71703a696e76616c69642d6669656c64",
		},
		{
			"transfer, more",
			&Transfer{HasDeliveryID: true, DeliveryTag: tag, HasMessageFormat: true, More: true},
			"005314 c0 10 06 43 43 a0 08 0a00000000000000 43 40 41",
		},
		{
			"transfer, last",
			&Transfer{HasDeliveryID: true, DeliveryTag: tag, HasMessageFormat: true},
			"005314 c0 0e 04 43 43 a0 08 0a00000000000000 43",
		},
		{
			"transfer, last settled",
			&Transfer{HasDeliveryID: true, DeliveryTag: tag, HasMessageFormat: true, Settled: true},
			"005314 c0 0f 05 43 43 a0 08 0a00000000000000 43 41",
		},
		{
			"transfer, aborted",
			&Transfer{HasDeliveryID: true, DeliveryTag: tag, HasMessageFormat: true, Settled: true, Aborted: true},
			"005314 c0 14 0a 43 43 a0 08 0a00000000000000 43 41 40 40 40 40 41",
		},
		{"transfer, continuation", &Transfer{Handle: 300, More: true}, "005314 c0 0b 06 700000012c 40 40 40 40 41"},
		{
			"flow with credit",
			&Flow{
				HasNextIncomingID: true, IncomingWindow: 8192, OutgoingWindow: 1<<31 - 1, HasHandle: true,
				HasDeliveryCount: true, HasLinkCredit: true, LinkCredit: 250,
			},
			"005313 c0 13 09 43 7000002000 43 707fffffff 43 43 52fa 40 42",
		},
		{
			"flow of the session",
			&Flow{HasNextIncomingID: true, NextIncomingID: 7, IncomingWindow: 8192, OutgoingWindow: 1<<31 - 1},
			"005313 c0 0e 04 5207 7000002000 43 707fffffff",
		},
		{"detach", &Detach{Handle: 10, Closed: true}, "005316 c0 04 02 520a 41"},
		{"end", &End{}, "005317 45"},
		{"close", &Close{}, "005318 45"},
		{
			"close with error",
			&Close{Error: &Error{Condition: "amqp:not-allowed", Description: "x"}},
			"005318 c0 1c 01 00 531d c0 16 02 a3 10 616d71703a6e6f742d616c6c6f776564 a1 01 78",
		},
		{"init", &SASLInit{Mechanism: "EXTERNAL", InitialResponse: []byte{}}, "005341 c0 0d 02 a3 08 45585445524e414c a0 00"},
		{"challenge", &SASLChallenge{Challenge: []byte{}}, "005342 c0 03 01 a0 00"},
		{"response", &SASLResponse{Response: []byte{1}}, "005343 c0 04 01 a0 01 01"},
		{"outcome", &SASLOutcome{Code: SASLAuth}, "005344 c0 03 01 5001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := unhex(t, tt.want)
			// What precedes in the buffer is left alone.
			got := tt.p.Append([]byte("before"))
			if !bytes.HasPrefix(got, []byte("before")) || !bytes.Equal(got[6:], want) {
				t.Fatalf("encoded\n got %x\nwant %x", got, want)
			}
			p, payload, err := DecodePerformative(append(want, "payload"...))
			if err != nil || string(payload) != "payload" {
				t.Fatalf("payload %q, error %v", payload, err)
			}
			if d, ok := tt.p.(*Disposition); ok && d.Last == 0 {
				d.Last = d.First
			}
			if diff := cmp.Diff(tt.p, p); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryFieldSurvives encodes and decodes performatives with every field
// set.
func TestEveryFieldSurvives(t *testing.T) {
	t.Parallel()
	symbols := []Symbol{"a", "b"}
	properties := Map{{Symbol("k"), "v"}}
	failure := &Error{Condition: ErrNotFound, Description: "no", Info: properties}
	for _, p := range []Performative{
		&Open{"id", "host", 512, 15, 8000, symbols, symbols, symbols, []Symbol{"one"}, properties},
		&Begin{3, true, 4, 5, 6, 7, symbols, symbols, properties},
		&Attach{
			Name: strings.Repeat("n", 300), Handle: 1, Role: RoleReceiver, SndSettleMode: SndSettled, RcvSettleMode: RcvSecond,
			Source: &Source{
				"from", 1, ExpireNever, 2, true, properties, "copy", properties,
				Described{uint64(0x26), List(nil)},
				symbols, symbols,
			},
			Target:    &Target{"to", 2, ExpireSessionEnd, 3, true, properties, []Symbol{"one"}},
			Unsettled: Map{{[]byte("tag"), nil}}, IncompleteUnsettled: true, InitialDeliveryCount: 9, HasInitialDeliveryCount: true,
			MaxMessageSize: 1 << 40, OfferedCapabilities: symbols, DesiredCapabilities: symbols, Properties: properties,
		},
		&Attach{Name: "refused", SndSettleMode: SndMixed},
		&Flow{1, true, 2, 3, 4, 5, true, 6, true, 7, true, 8, true, true, properties},
		&Transfer{
			1, 2, true, []byte("tag"), 3, true, true, true, RcvSecond, true,
			State{Code: StateModified, Failed: true, Undeliverable: true, Annotations: properties},
			true, true, true,
		},
		&Disposition{RoleReceiver, 1, 2, true, State{Code: StateRejected, Error: failure}, true},
		&Disposition{Role: RoleSender, State: otherState(7)},
		&Detach{1, true, failure},
		&End{failure},
		&Close{failure},
		&SASLMechanisms{symbols},
		&SASLInit{"PLAIN", []byte("secret"), "host"},
		&SASLOutcome{SASLOK, []byte("more")},
	} {
		got, rest, err := DecodePerformative(p.Append(nil))
		if err != nil || len(rest) != 0 {
			t.Errorf("%T: %d octets left, error %v", p, len(rest), err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Errorf("%T (-want +got):\n%s", p, diff)
		}
	}
}

// TestDefaults decodes performatives with nothing but mandatory fields.
func TestDefaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want Performative
	}{
		{"005310 c0 03 01 a100", &Open{MaxFrameSize: DefaultMaxFrameSize, ChannelMax: DefaultChannelMax}},
		{"005311 c0 05 04 40 43 43 43", &Begin{HandleMax: DefaultHandleMax}},
		{"005312 c0 05 03 a100 43 41", &Attach{Role: RoleReceiver, SndSettleMode: SndMixed}},
		{"005314 c0 02 01 43", &Transfer{}},
		{"005315 c0 03 02 41 43", &Disposition{Role: RoleReceiver}},
		{"005315 c0 05 03 41 5205 40", &Disposition{Role: RoleReceiver, First: 5, Last: 5}},
		{"005316 c0 02 01 43", &Detach{}},
		{"005317 c0 01 00", &End{}},
		{"005318 d0 00000004 00000000", &Close{}},
	} {
		got, _, err := DecodePerformative(unhex(t, tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
}

// TestForms decodes the same transfer in all the widths that a peer may
// choose, AMQP 1.0 §1.6.
func TestForms(t *testing.T) {
	t.Parallel()
	want := &Transfer{Handle: 1, DeliveryID: 2, HasDeliveryID: true, DeliveryTag: []byte{3}, Settled: true}
	for _, in := range []string{
		"00 53 14 c0 0a 05 52 01 52 02 a0 01 03 40 41",
		"00 80 0000000000000014 c0 0a 05 52 01 52 02 a0 01 03 40 41",
		"00 53 14 d0 0000000d 00000005 52 01 52 02 a0 01 03 40 41",
		"00 53 14 d0 00000017 00000005 70 00000001 70 00000002 b0 00000001 03 40 56 01",
		"00 a3 12" + hex.EncodeToString([]byte("amqp:transfer:list")) + "c0 0a 05 52 01 52 02 a0 01 03 40 41",
		"00 b3 00000012" + hex.EncodeToString([]byte("amqp:transfer:list")) + "c0 0a 05 52 01 52 02 a0 01 03 40 41",
	} {
		got, _, err := DecodePerformative(unhex(t, in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

// TestMalformedPerformatives checks what is refused, and with which condition.
func TestMalformedPerformatives(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     Symbol
		says     string
	}{
		{"empty", "", ErrDecode, "octets wanted"},
		{"not described", "c0 01 00", ErrDecode, "want a described value"},
		{"described by a string", "00 a1 01 78 45", ErrDecode, "want a descriptor"},
		{"unknown name", "00 a3 01 78 45", ErrDecode, `"x"`},
		{"unknown code", "00 53 19 45", ErrDecode, "0x19"},
		{"huge code", "00 80 ffffffffffffff14 45", ErrDecode, "not a performative"},
		{"a map for a list", "00 53 14 c1 01 00", ErrDecode, "want a list"},
		{"list beyond the end", "00 53 14 c0 ff 01 43", ErrDecode, "octets wanted"},
		{"list32 beyond the end", "00 53 14 d0 ffffffff 00000001 43", ErrDecode, "length"},
		{"list without room for its count", "00 53 14 c0 00 00", ErrDecode, "octets wanted"},
		{"more fields than octets", "00 53 14 c0 02 ff 43", ErrDecode, "255 values"},
		{"octets behind the fields", "00 53 14 c0 03 01 43 43", ErrDecode, "after the last value"},
		{"field cut off", "00 53 14 c0 03 01 70 00", ErrDecode, "octets wanted"},
		{"no handle", "00 53 14 45", ErrInvalidField, "handle"},
		{"null handle", "00 53 14 c0 02 01 40", ErrInvalidField, "handle"},
		{"handle of another type", "00 53 14 c0 03 01 53 01", ErrDecode, "want uint"},
		{"settled of another type", "00 53 14 c0 06 05 43 40 40 40 43", ErrDecode, "want boolean"},
		{"long delivery tag", "00 53 14 c0 26 03 43 40 a0 21" + strings.Repeat("00", 33), ErrInvalidField, "33 octets"},
		{"state that is none", "00 53 15 c0 09 05 41 43 40 41 00 53 70 45", ErrDecode, "not a delivery state"},
		{"received without offset", "00 53 15 c0 0c 05 41 43 40 41 00 53 23 c0 02 01 43", ErrInvalidField, "section-offset"},
		{"no role", "00 53 15 45", ErrInvalidField, "role"},
		{"flow without window", "00 53 13 c0 02 01 43", ErrInvalidField, "incoming-window"},
		{"no container id", "00 53 10 45", ErrInvalidField, "container-id"},
		{"container id as symbol", "00 53 10 c0 03 01 a3 00", ErrDecode, "want string"},
		{"small max-frame-size", "00 53 10 c0 09 03 a1 00 40 70 000001ff", ErrInvalidField, "511"},
		{"channel-max as uint", "00 53 10 c0 06 04 a1 00 40 40 43", ErrDecode, "want ushort"},
		{"capability as string", "00 53 10 c0 0c 08 a1 00 40 40 40 40 40 40 a1 01 78", ErrDecode, "array of symbol"},
		{"properties as list", "00 53 10 c0 0c 0a a1 00 40 40 40 40 40 40 40 40 45", ErrDecode, "not a map"},
		{"settle mode", "00 53 12 c0 07 04 a1 00 43 41 50 03", ErrInvalidField, "settle modes"},
		{"source that is none", "00 53 12 c0 0b 06 a1 00 43 41 40 40 00 53 29 45", ErrDecode, "source"},
		{"address that is no string", "00 53 12 c0 0e 06 a1 00 43 41 40 40 00 53 28 c0 02 01 43", ErrDecode, "address"},
		{"error without condition", "00 53 18 c0 05 01 00 53 1d 45", ErrInvalidField, "condition"},
		{"error that is none", "00 53 18 c0 05 01 00 53 1c 45", ErrDecode, "descriptor 0x1c"},
		{"outcome without code", "00 53 44 45", ErrInvalidField, "code"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, _, err := DecodePerformative(unhex(t, tt.in))
			wantError(t, err, tt.want, tt.says)
			if p != nil {
				t.Errorf("returned %+v beside the error", p)
			}
		})
	}
}

func wantError(t *testing.T, err error, condition Symbol, says string) {
	t.Helper()
	e, ok := err.(*Error)
	if !ok {
		t.Fatalf("error %v, want %s", err, condition)
	}
	if e.Condition != condition || !strings.Contains(e.Description, says) {
		t.Errorf("error %q, want %s and %q", e, condition, says)
	}
}

func TestCoordinatorIsRecognised(t *testing.T) {
	t.Parallel()
	p, _, err := DecodePerformative(unhex(t, "00 53 12 c0 0c 07 a1 00 43 42 40 40 40 00 53 30 45"))
	if err != nil {
		t.Fatal(err)
	}
	if a := p.(*Attach); !a.Coordinator || a.Target != nil {
		t.Errorf("attach %+v, want a coordinator", a)
	}
}

func TestWrongPerformative(t *testing.T) {
	t.Parallel()
	b := (&End{}).Append(nil)
	_, err := new(Transfer).Decode(b)
	wantError(t, err, ErrDecode, "want transfer")
	wantError(t, new(Flow).Decode(b), ErrDecode, "want flow")
	wantError(t, new(Disposition).Decode(b), ErrDecode, "want disposition")
}

// TestDecodeForgets decodes into a value that was used before.
func TestDecodeForgets(t *testing.T) {
	t.Parallel()
	var x Transfer
	full := &Transfer{
		Handle: 1, DeliveryID: 2, HasDeliveryID: true, DeliveryTag: []byte("tag"), Settled: true, More: true, Aborted: true,
		State: State{Code: StateReceived, Offset: 9},
	}
	if _, err := x.Decode(full.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Decode((&Transfer{Handle: 4}).Append(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Transfer{Handle: 4}, x); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// hotFrames are the frames of a stream.
func hotFrames() (transfer *Transfer, flow *Flow, disposition *Disposition) {
	transfer = &Transfer{
		Handle: 7, DeliveryID: 70000, HasDeliveryID: true, DeliveryTag: []byte("\x0a\x00\x00\x00\x00\x00\x00\x00"),
		HasMessageFormat: true, More: true,
	}
	flow = &Flow{
		HasNextIncomingID: true, NextIncomingID: 70000, IncomingWindow: 8192, OutgoingWindow: 1<<31 - 1,
		HasHandle: true, HasDeliveryCount: true, HasLinkCredit: true, LinkCredit: 250,
	}
	disposition = &Disposition{
		Role: RoleReceiver, First: 70000, Last: 70000, State: State{Code: StateReceived, Offset: 521216},
	}
	return transfer, flow, disposition
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	transfer, flow, disposition := hotFrames()
	payload := make([]byte, 100)
	tb := append(transfer.Append(nil), payload...)
	fb, db := flow.Append(nil), disposition.Append(nil)
	frame := make([]byte, 0, 256)
	var header FrameHeader
	for name, f := range map[string]func() error{
		"transfer decode":    func() error { _, err := transfer.Decode(tb); return err },
		"flow decode":        func() error { return flow.Decode(fb) },
		"disposition decode": func() error { return disposition.Decode(db) },
		"descriptor":         func() error { _, err := Descriptor(tb); return err },
		"transfer append": func() (err error) {
			b := AppendFrameHeader(frame[:0], FrameAMQP, 1)
			b = append(transfer.Append(b), payload...)
			FinishFrame(b)
			header, err = ParseFrameHeader(b)
			return err
		},
		"flow append":        func() error { frame = flow.Append(frame[:0]); return nil },
		"disposition append": func() error { frame = disposition.Append(frame[:0]); return nil },
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if header.Channel != 1 {
		t.Errorf("frame header %+v", header)
	}
}

func BenchmarkTransferDecode(b *testing.B) {
	transfer, _, _ := hotFrames()
	in := append(transfer.Append(nil), make([]byte, 16000)...)
	var x Transfer
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTransferAppend(b *testing.B) {
	transfer, _, _ := hotFrames()
	out := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		out = transfer.Append(AppendFrameHeader(out[:0], FrameAMQP, 1))
		FinishFrame(out)
	}
}

func BenchmarkDispositionDecode(b *testing.B) {
	_, _, disposition := hotFrames()
	in := disposition.Append(nil)
	var x Disposition
	b.ReportAllocs()
	for b.Loop() {
		if err := x.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFlowDecode(b *testing.B) {
	_, flow, _ := hotFrames()
	in := flow.Append(nil)
	var x Flow
	b.ReportAllocs()
	for b.Loop() {
		if err := x.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}

// otherState is a state of that many octets which AMQP does not know.
func otherState(octets int) State {
	b := AppendValue(nil, Described{Descriptor: uint64(0x29a), Value: make([]byte, max(0, octets-15))})
	return State{Code: StateOther, Other: b}
}

// TestOtherStates holds that a state which is not AMQP's is kept as it came, up
// to a limit, and that what is no state at all is refused.
func TestOtherStates(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		state []byte
		want  StateCode
		fails bool
	}{
		"a code":                {[]byte{0x00, 0x80, 0, 0, 0, 0, 0, 0, 2, 0x9a, 0x45}, StateOther, false},
		"a name":                {[]byte{0x00, 0xa3, 3, 'a', ':', 'b', 0xc0, 2, 1, 0x43}, StateOther, false},
		"described by a number": {[]byte{0x00, 0x52, 5, 0x45}, StateOther, false},
		"of AMQP":               {[]byte{0x00, 0x53, 0x24, 0x45}, StateAccepted, false},
		"of AMQP, by name":      {[]byte("\x00\xa3\x12amqp:accepted:list\x45"), StateAccepted, false},
		"as long as may be":     {otherState(MaxOtherState).Other, StateOther, false},
		"too long":              {otherState(MaxOtherState + 1).Other, StateNone, false},
		"a section":             {[]byte{0x00, 0x53, 0x70, 0x45}, 0, true},
		"not described":         {[]byte{0x45}, 0, true},
		"cut short":             {[]byte{0x00, 0x80, 0, 0, 0, 0, 0, 0, 2, 0x9a, 0xd0, 0, 0, 1, 0}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := Disposition{State: State{Code: StateOther, Other: row.state}}
			var got Disposition
			err := got.Decode(x.Append(nil))
			if (err != nil) != row.fails || !row.fails && got.State.Code != row.want {
				t.Fatalf("%v, error %v; want %v", got.State.Code, err, row.want)
			}
			if got.State.Code == StateOther && !bytes.Equal(got.State.Other, row.state) {
				t.Errorf("%x, want %x", got.State.Other, row.state)
			}
		})
	}
}
