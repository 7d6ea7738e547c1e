package amqp

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestValueOctets has one row for each form of AMQP 1.0 §1.6. Rows with wide
// set are decoded only: our encoder chooses a shorter form.
func TestValueOctets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		octets string
		value  any
		wide   bool
	}{
		{"40", nil, false},
		{"41", true, false},
		{"42", false, false},
		{"56 01", true, true},
		{"56 00", false, true},
		{"50 07", uint8(7), false},
		{"51 f9", int8(-7), false},
		{"60 0102", uint16(258), false},
		{"61 fffe", int16(-2), false},
		{"43", uint32(0), false},
		{"52 ff", uint32(255), false},
		{"70 00000100", uint32(256), false},
		{"70 00000001", uint32(1), true},
		{"54 80", int32(-128), false},
		{"54 7f", int32(127), false},
		{"71 00000080", int32(128), false},
		{"71 ffffffff", int32(-1), true},
		{"44", uint64(0), false},
		{"53 ff", uint64(255), false},
		{"80 0000000000000100", uint64(256), false},
		{"80 0000000000000001", uint64(1), true},
		{"55 ff", int64(-1), false},
		{"81 8000000000000000", int64(math.MinInt64), false},
		{"72 3f800000", float32(1), false},
		{"82 bff0000000000000", float64(-1), false},
		{"73 0001f600", Char(0x1f600), false},
		{"83 00000199f0b3a1c4", Timestamp(0x199f0b3a1c4), false},
		{"98 000102030405060708090a0b0c0d0e0f", UUID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, false},
		{"74 01020304", Decimal("\x01\x02\x03\x04"), false},
		{"84 0102030405060708", Decimal("\x01\x02\x03\x04\x05\x06\x07\x08"), false},
		{"94 " + strings.Repeat("0f", 16), Decimal(strings.Repeat("\x0f", 16)), false},
		{"a0 02 0102", []byte{1, 2}, false},
		{"b0 00000001 09", []byte{9}, true},
		{"a1 02 c3a9", "é", false},
		{"b1 00000001 78", "x", true},
		{"b1 00000100" + strings.Repeat("61", 256), strings.Repeat("a", 256), false},
		{"a3 01 78", Symbol("x"), false},
		{"b3 00000001 78", Symbol("x"), true},
		{"45", List(nil), false},
		{"c0 01 00", List{}, true},
		{"c0 04 02 43 5201", List{uint32(0), uint32(1)}, false},
		{"d0 00000005 00000001 43", List{uint32(0)}, true},
		{"c1 01 00", Map{}, false},
		{"c1 05 02 a1 01 6b 41", Map{{"k", true}}, false},
		{"d1 00000008 00000002 a1 01 6b 41", Map{{"k", true}}, true},
		{"00 53 24 45", Described{uint64(0x24), List(nil)}, false},
		{"00 a3 01 78 43", Described{Symbol("x"), uint32(0)}, false},
	} {
		in := unhex(t, tt.octets)
		v, rest, err := DecodeValue(append(in, 0xff))
		if err != nil || !bytes.Equal(rest, []byte{0xff}) {
			t.Errorf("%s: rest %x, error %v", tt.octets, rest, err)
			continue
		}
		if diff := cmp.Diff(tt.value, v); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.octets, diff)
		}
		if got := AppendValue(nil, v); !tt.wide && !bytes.Equal(got, in) {
			t.Errorf("%#v: encoded %x, want %x", v, got, in)
		}
	}
}

func TestArrays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		octets string
		value  any
		same   bool // encoded the same way
	}{
		{"e0 07 01 b3 00000001 78", []Symbol{"x"}, true},
		{"e0 04 01 a3 01 78", []Symbol{"x"}, false},
		{"f0 0000000a 00000001 b3 00000001 78", []Symbol{"x"}, false},
		{"e0 0a 02 70 00000001 00000002", Array{uint32(1), uint32(2)}, true},
		{"e0 04 02 52 01 02", Array{uint32(1), uint32(2)}, false},
		{"e0 04 02 56 01 00", Array{true, false}, true},
		{"e0 0a 02 b1 00000000 00000000", Array{"", ""}, true},
		{"e0 02 00 40", Array{}, true},
		{"e0 02 00 70", Array{}, false},
		{"e0 0a 02 00 53 01 50 07 08", nil, false},
		{"e0 07 02 00 53 01 50 07 08", Array{Described{uint64(1), uint8(7)}, Described{uint64(1), uint8(8)}}, true},
		{"e0 0f 01 d0 00000009 00000001 70 00000100", Array{List{uint32(256)}}, true},
		{"e0 0f 01 d1 00000009 00000002 a1 01 6b 43 40", nil, false},
		{"e0 0e 01 d1 00000008 00000002 a1 01 6b 43", Array{Map{{"k", uint32(0)}}}, true},
		{"e0 0c 01 f0 00000006 00000001 50 07", Array{Array{uint8(7)}}, true},
	} {
		in := unhex(t, tt.octets)
		v, _, err := DecodeValue(in)
		if tt.value == nil {
			wantError(t, err, ErrDecode, "")
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.octets, err)
			continue
		}
		if diff := cmp.Diff(tt.value, v); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.octets, diff)
		}
		got := AppendValue(nil, v)
		if tt.same && !bytes.Equal(got, in) {
			t.Errorf("%#v: encoded %x, want %x", v, got, in)
		}
		again, _, err := DecodeValue(got)
		if err != nil || !cmp.Equal(v, again) {
			t.Errorf("%#v: encoded and decoded %#v, error %v", v, again, err)
		}
	}
}

// TestNestedArrays encodes arrays of arrays, short and long.
func TestNestedArrays(t *testing.T) {
	t.Parallel()
	long := Array{}
	for i := range 300 {
		long = append(long, uint16(i))
	}
	v := Array{Array{uint8(1)}, long, Array{}}
	got, rest, err := DecodeValue(AppendValue(nil, v))
	if err != nil || len(rest) != 0 || !cmp.Equal(got, any(v)) {
		t.Errorf("%d octets left, error %v\n%s", len(rest), err, cmp.Diff(any(v), got))
	}
	symbols := Array{[]Symbol{"a"}, []Symbol{"b", "c"}}
	got, _, err = DecodeValue(AppendValue(nil, symbols))
	if err != nil || !cmp.Equal(got, any(symbols)) {
		t.Errorf("error %v\n%s", err, cmp.Diff(any(symbols), got))
	}
}

func TestMalformedValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, octets, says string }{
		{"nothing", "", "octets wanted"},
		{"unknown code", "46", "type code 0x46"},
		{"unknown wide code", "95" + strings.Repeat("00", 16), "type code 0x95"},
		{"cut off", "70 0000", "octets wanted"},
		{"string beyond the end", "b1 7fffffff 61", "octets wanted"},
		{"string of 4 GiB", "b1 ffffffff 61", "length"},
		{"list without elements", "c0 02 05 43", "5 values"},
		{"list of many", "d0 00000005 ffffffff 43", "length"},
		{"list longer than its elements", "c0 03 01 43 43", "after the last value"},
		{"odd map", "c1 02 01 43", "map with 1"},
		{"array of zero-width elements", "f0 00000005 7fffffff 43", "values in"},
		{"array of nothing", "e0 01 00", "octets wanted"},
		{"element outside its list", "c0 02 01 70 00000001", "octets wanted"},
		{"deep lists", strings.Repeat("c0 f0 01", 50), ""},
		{"deep descriptors", strings.Repeat("00", 100), "nested"},
	} {
		_, _, err := DecodeValue(unhex(t, tt.octets))
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		wantError(t, err, ErrDecode, tt.says)
	}
	deep := List{}
	for range maxDepth + 2 {
		deep = List{deep}
	}
	_, _, err := DecodeValue(AppendValue(nil, deep))
	wantError(t, err, ErrDecode, "nested deeper")
}

// TestSkip passes over values and stops where decoding stops.
func TestSkip(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		nil, true, uint8(1), uint16(1), uint32(1), uint32(1 << 20), uint64(1 << 40), int64(-1), 1.5,
		UUID{},
		Decimal("1234"),
		"text", strings.Repeat("long", 100),
		[]byte{1},
		List{"a", List{}},
		Map{{"k", "v"}},
		[]Symbol{"s"},
		Array{uint32(1)},
		Described{uint64(3), Described{Symbol("x"), "v"}},
	} {
		b := AppendValue(nil, v)
		d := newDecoder(append(b, 0x41))
		if d.skip(); d.err != nil || d.off != len(b) {
			t.Errorf("%v: skipped %d of %d octets, error %v", v, d.off, len(b), d.error())
		}
	}
}

func TestAppendWide(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value any
		want  string
	}{
		{List(nil), "45"},
		{List{}, "d0 00000004 00000000"},
		{List{uint32(1)}, "d0 00000006 00000001 5201"},
		{Map{}, "d1 00000004 00000000"},
		{Map{{"k", List{List{true}}}}, "d1 0000001a 00000002 a1016b d0 0000000e 00000001 d0 00000005 00000001 41"},
		{Described{uint64(0x77), Map{}}, "00 53 77 d1 00000004 00000000"},
	} {
		if got := AppendWide(nil, tt.value); !bytes.Equal(got, unhex(t, tt.want)) {
			t.Errorf("%v: encoded %x, want %s", tt.value, got, tt.want)
		}
	}
}

func TestNoEncoding(t *testing.T) {
	t.Parallel()
	for _, v := range []any{1, struct{}{}, Decimal("12345"), Array{1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T was encoded", v)
				}
			}()
			AppendValue(nil, v)
		}()
	}
}

func TestMapGet(t *testing.T) {
	t.Parallel()
	m := Map{{uint32(1), "number"}, {Symbol("a"), 1}, {"b", 2}, {"a", 3}}
	if m.Get("a") != 1 || m.Get("b") != 2 || m.Get("c") != nil {
		t.Errorf("a=%v b=%v c=%v", m.Get("a"), m.Get("b"), m.Get("c"))
	}
}
