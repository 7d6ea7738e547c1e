package linkstate

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
)

// sectionsOf returns a captured routing message without its router annotations.
func sectionsOf(tb testing.TB, units map[string][]byte, name string) []byte {
	tb.Helper()
	unit := units["msg-"+name]
	var ra amqp.Annotations
	rest, err := ra.Decode(unit)
	if err != nil || len(rest) == 0 || len(rest) == len(unit) {
		tb.Fatalf("unit msg-%s: %d octets behind annotations of %d, %v", name, len(rest), len(unit), err)
	}
	return rest
}

// TestMessagesAreUpstreams compares every kind of message, octet by octet, with
// what skupper-router sent.
func TestMessagesAreUpstreams(t *testing.T) {
	t.Parallel()
	const bootB, bootY = 0x6b02ad7c, 0x6b02adc0
	treated := func(key string, treatment int32) announced {
		return announced{key, Attributes{Treatment: treatment}}
	}
	units := captures.Units(t)
	for name, got := range map[string][]byte{
		"connector-HELLO-empty": composeHello("rtr-B", bootB, nil),
		"connector-HELLO":       composeHello("rtr-B", bootB, []string{"rtr-A"}),
		"connector-RA":          composeRA(toAll, "rtr-B", bootB, 1, 1),
		"connector-LSR":         composeLSR(toRouter("rtr-A"), "rtr-B"),
		"connector-LSU":         composeLSU(toRouter("rtr-A"), "rtr-B", bootB, 1, []peer{{"rtr-A", 3}}),
		"connector-MAR":         composeMAR(toRouterAddresses("rtr-A"), "rtr-B", 0),
		"connector-MAU-add":     composeDifferentialMAU("rtr-B", 2, []announced{treated("Mdb", 3)}, nil),
		"connector-MAU-del":     composeDifferentialMAU("rtr-B", 3, nil, []string{"Mdb"}),
		"connector-MAU-exist": composeAbsoluteMAU(toRouterAddresses("rtr-A"), "rtr-B", 1, []announced{
			treated("Msfe.cHGHl:0", 2), treated("Mvfcr.cHGHl:0", 2), treated("Mecho", 3),
		}),
		"transit-HELLO-empty": composeHello("rtr-Y", bootY, nil),
		"transit-LSU":         composeLSU(toRouter("rtr-X"), "rtr-Y", bootY, 1, []peer{{"rtr-X", 1}}),
	} {
		if want := sectionsOf(t, units, name); string(got) != string(want) {
			t.Errorf("%s:\ngot  %x\nwant %x", name, got, want)
		}
	}
}

// TestCapturedMessages decodes what skupper-router sent and composes the same
// again from what was understood.
func TestCapturedMessages(t *testing.T) {
	t.Parallel()
	units := captures.Units(t)
	seen := map[Opcode]int{}
	for name := range units {
		short, isMessage := strings.CutPrefix(name, "msg-")
		kinds := []string{"HELLO", "RA", "LSR", "LSU", "MAR", "MAU"}
		routing := false
		for _, k := range kinds {
			routing = routing || strings.Contains(short, "-"+k)
		}
		if !isMessage || !routing {
			continue
		}
		sections := sectionsOf(t, units, short)
		b, err := decode(sections)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen[b.op]++
		m, err := amqp.ParseMessage(sections)
		if err != nil {
			t.Fatal(err)
		}
		if got := recompose(b, m.Properties.To); string(got) != string(sections) {
			t.Errorf("%s:\ngot  %x\nwant %x", name, got, sections)
		}
	}
	for _, op := range []Opcode{HELLO, RA, LSR, LSU, MAR, MAU} {
		if seen[op] < 3 {
			t.Errorf("%d messages %s, want some", seen[op], op)
		}
	}
}

func recompose(b body, to string) []byte {
	switch b.op {
	case HELLO:
		return composeHello(b.id, b.instance, b.seen)
	case RA:
		return composeRA(to, b.id, b.instance, b.lsSeq, b.mobileSeq)
	case LSR:
		return composeLSR(to, b.id)
	case LSU:
		return composeLSU(to, b.id, b.instance, b.lsSeq, b.peers)
	case MAR:
		return composeMAR(to, b.id, b.haveSeq)
	case MAU:
		if b.absolute {
			return composeAbsoluteMAU(to, b.id, b.mobileSeq, b.exist)
		}
		return composeDifferentialMAU(b.id, b.mobileSeq, b.exist, b.removed)
	}
	return nil
}

// TestMeshOfAddress is an address behind one edge mesh, as skupper-router
// describes it: ["Mecho", 3, 0, null, "B8nPtAnBIytfFKk"].
func TestMeshOfAddress(t *testing.T) {
	t.Parallel()
	a := announced{"Mecho", Attributes{Treatment: 3, Mesh: "B8nPtAnBIytfFKk"}}
	got := amqp.AppendValue(nil, a.descriptor())
	want := "c01e05" + "a1054d6563686f" + "5403" + "5400" + "40" + "a10f" + hex.EncodeToString([]byte("B8nPtAnBIytfFKk"))
	if hex.EncodeToString(got) != want {
		t.Errorf("described as %x, want %s", got, want)
	}
	if back, ok := descriptor(a.descriptor()); !ok || back != a {
		t.Errorf("read as %+v, want %+v", back, a)
	}
}

// form is a way to write a message that others might choose.
type form struct {
	name    string
	keys    func(string) any
	texts   func(string) any
	numbers func(int64) any
}

func forms() []form {
	str := func(s string) any { return s }
	sym := func(s string) any { return amqp.Symbol(s) }
	return []form{
		{"int", str, str, func(v int64) any { return int32(v) }},
		{"long", sym, str, func(v int64) any { return v }},
		{"uint", str, sym, func(v int64) any { return uint32(v) }},
		{"ulong", sym, sym, func(v int64) any { return uint64(v) }},
		{"ubyte", str, str, func(v int64) any { return uint8(v) }},
		{"byte", str, str, func(v int64) any { return int8(v) }},
		{"ushort", str, str, func(v int64) any { return uint16(v) }},
		{"short", str, str, func(v int64) any { return int16(v) }},
	}
}

// TestTolerance decodes messages in forms that skupper-router does not write
// but reads.
func TestTolerance(t *testing.T) {
	t.Parallel()
	for _, f := range forms() {
		for _, bare := range []bool{false, true} {
			write := func(op string, pairs ...any) []byte {
				m := amqp.Message{ApplicationProperties: amqp.Map{{Key: f.keys("opcode"), Value: f.texts(op)}}, Kind: amqp.BodyValue}
				if !bare {
					m.Header, m.Properties = &amqp.Header{}, &amqp.Properties{To: "x"}
				}
				m.Value = f.mapOf(pairs...)
				return m.Append(nil)
			}
			for want, sections := range map[string][]byte{
				"HELLO B 0 [A C]":                           write("HELLO", "id", f.texts("B"), "seen", amqp.List{f.texts("A"), int32(7), f.texts("C")}),
				"HELLO B 9 []":                              write("HELLO", "id", f.texts("B"), "instance", f.numbers(9), "pv", f.numbers(1), "more", nil, "seen", amqp.List{}),
				"RA B 0 2 3":                                write("RA", "id", f.texts("B"), "ls_seq", f.numbers(2), "mobile_seq", f.numbers(3)),
				"LSR B":                                     write("LSR", "id", f.texts("B"), "area", int32(7)),
				"LSU B 2 [{C 4} {A 1}]":                     write("LSU", "id", f.texts("B"), "ls_seq", f.numbers(9), "ls", f.mapOf("id", f.texts("B"), "ls_seq", f.numbers(2), "peers", f.mapOf("C", f.numbers(4), "A", f.numbers(0)))),
				"LSU B 2 []":                                write("LSU", "id", f.texts("B"), "ls_seq", f.numbers(2), "ls", f.mapOf("id", f.texts("B"), "ls_seq", f.numbers(2), "peers", f.mapOf())),
				"MAR B 5":                                   write("MAR", "id", f.texts("B"), "pv", f.numbers(2), "have_seq", f.numbers(5)),
				"MAU B 3 all [{Mx {-1 0 }} {Hy {2 7 }}]":    write("MAU", "id", f.texts("B"), "mobile_seq", f.numbers(3), "hints", amqp.List{}, "exist", amqp.List{amqp.List{f.texts("Mx")}, amqp.List{f.texts("Hy"), f.numbers(2), f.numbers(7)}}),
				"MAU B 3 add [{Mx {3 0 mesh}}] del [My]":    write("MAU", "id", f.texts("B"), "mobile_seq", f.numbers(3), "add", amqp.List{amqp.List{f.texts("Mx"), f.numbers(3), f.numbers(0), nil, f.texts("mesh"), "more"}}, "del", amqp.List{amqp.List{f.texts("My")}}),
				"MAU B 3 add [] del []":                     write("MAU", "id", f.texts("B"), "mobile_seq", f.numbers(3), "add", amqp.List{}, "del", amqp.List{}),
				"MAU B 4 all [{Mok {3 0 }}]":                write("MAU", "id", f.texts("B"), "mobile_seq", f.numbers(4), "exist", amqp.List{amqp.List{}, "text", nil, amqp.List{f.texts("Llocal")}, amqp.List{f.texts("M")}, amqp.List{int32(3)}, amqp.List{f.texts("Mok"), f.numbers(3)}}),
				"MAU B 5 all [{Mok {-1 0 }} {Mno {-1 0 }}]": write("MAU", "id", f.texts("B"), "mobile_seq", f.numbers(5), "exist", amqp.List{amqp.List{f.texts("Mok"), true, 1.5, nil, nil}, amqp.List{f.texts("Mno"), "3", "4"}}),
			} {
				b, err := decode(sections)
				if err != nil {
					t.Errorf("%s, bare %v: %s: %v", f.name, bare, want, err)
				} else if got := printed(b); got != want {
					t.Errorf("%s, bare %v:\ngot  %s\nwant %s", f.name, bare, got, want)
				}
			}
		}
	}
}

func (f form) mapOf(pairs ...any) amqp.Map {
	m := amqp.Map{}
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, amqp.Pair{Key: f.keys(pairs[i].(string)), Value: pairs[i+1]})
	}
	return m
}

func printed(b body) string {
	switch b.op {
	case HELLO:
		return fmt.Sprint(b.op, " ", b.id, " ", b.instance, " ", b.seen)
	case RA:
		return fmt.Sprint(b.op, " ", b.id, " ", b.instance, " ", b.lsSeq, " ", b.mobileSeq)
	case LSR:
		return fmt.Sprint(b.op, " ", b.id)
	case LSU:
		return fmt.Sprint(b.op, " ", b.id, " ", b.lsSeq, " ", b.peers)
	case MAR:
		return fmt.Sprint(b.op, " ", b.id, " ", b.haveSeq)
	case MAU:
		if b.absolute {
			return fmt.Sprint(b.op, " ", b.id, " ", b.mobileSeq, " all ", b.exist)
		}
		return fmt.Sprint(b.op, " ", b.id, " ", b.mobileSeq, " add ", b.exist, " del ", b.removed)
	}
	return "?"
}

// TestNotTolerated holds that what makes no sense is refused as a whole.
func TestNotTolerated(t *testing.T) {
	t.Parallel()
	f := forms()[0]
	write := func(op any, pairs ...any) []byte {
		m := amqp.Message{ApplicationProperties: amqp.Map{{Key: "opcode", Value: op}}, Kind: amqp.BodyValue, Value: f.mapOf(pairs...)}
		return m.Append(nil)
	}
	one, addresses := int32(1), amqp.List{}
	for what, sections := range map[string][]byte{
		"nothing":                   nil,
		"no message":                []byte("HELLO"),
		"no opcode":                 write(nil, "id", "B", "seen", amqp.List{}),
		"an unknown opcode":         write("HOLA", "id", "B", "seen", amqp.List{}),
		"no id":                     write("HELLO", "seen", amqp.List{}),
		"an empty id":               write("HELLO", "id", "", "seen", amqp.List{}),
		"a number as id":            write("HELLO", "id", one, "seen", amqp.List{}),
		"an id that means everyone": write("HELLO", "id", "all", "seen", amqp.List{}),
		"an id with a slash":        write("HELLO", "id", "a/b", "seen", amqp.List{}),
		"an id with a space":        write("HELLO", "id", "a b", "seen", amqp.List{}),
		"a long id":                 write("HELLO", "id", strings.Repeat("x", 256), "seen", amqp.List{}),
		"no list of seen":           write("HELLO", "id", "B"),
		"a text as seen":            write("HELLO", "id", "B", "seen", "A"),
		"a truth as version":        write("HELLO", "id", "B", "seen", amqp.List{}, "pv", true),
		"a fraction as instance":    write("HELLO", "id", "B", "seen", amqp.List{}, "instance", 1.5),
		"no mobile_seq":             write("RA", "id", "B", "ls_seq", one),
		"no ls_seq":                 write("RA", "id", "B", "mobile_seq", one),
		"a truth as sequence":       write("RA", "id", "B", "mobile_seq", one, "ls_seq", true),
		"a negative sequence":       write("RA", "id", "B", "mobile_seq", one, "ls_seq", int32(-1)),
		"a huge sequence":           write("RA", "id", "B", "mobile_seq", one, "ls_seq", uint64(1<<63)),
		"digests that are a list":   write("RA", "id", "B", "mobile_seq", one, "ls_seq", one, "known", amqp.List{}),
		"a short digest":            write("LSR", "id", "B", "want", f.mapOf("C", amqp.List{one, one})),
		"a negative digest":         write("LSR", "id", "B", "want", f.mapOf("C", amqp.List{one, one, int32(-1)})),
		"no link state":             write("LSU", "id", "B", "ls_seq", one),
		"a list as link state":      write("LSU", "id", "B", "ls_seq", one, "ls", amqp.List{}),
		"an unnamed link state":     write("LSU", "id", "B", "ls_seq", one, "ls", f.mapOf("ls_seq", one, "peers", f.mapOf())),
		"no peers":                  write("LSU", "id", "B", "ls_seq", one, "ls", f.mapOf("id", "B", "ls_seq", one)),
		"a fraction as cost":        write("LSU", "id", "B", "ls_seq", one, "ls", f.mapOf("id", "B", "ls_seq", one, "peers", f.mapOf("A", 1.5))),
		"a negative age":            write("LSU", "id", "B", "ls_seq", one, "age", int32(-1), "ls", f.mapOf("id", "B", "ls_seq", one, "peers", f.mapOf())),
		"no have_seq":               write("MAR", "id", "B"),
		"no sequence of addresses":  write("MAU", "id", "B", "exist", addresses),
		"no addresses":              write("MAU", "id", "B", "mobile_seq", one),
		"additions alone":           write("MAU", "id", "B", "mobile_seq", one, "add", addresses),
		"removals alone":            write("MAU", "id", "B", "mobile_seq", one, "del", addresses),
		"a mixture":                 write("MAU", "id", "B", "mobile_seq", one, "exist", addresses, "add", addresses, "del", addresses),
		"a text as addresses":       write("MAU", "id", "B", "mobile_seq", one, "exist", "Mx"),
		"a text as removals":        write("MAU", "id", "B", "mobile_seq", one, "add", addresses, "del", "Mx"),
	} {
		if b, err := decode(sections); err == nil {
			t.Errorf("%s: understood as %s", what, printed(b))
		}
	}
}

// TestNewerVersion holds that of a newer version only who and which is read.
func TestNewerVersion(t *testing.T) {
	t.Parallel()
	f := forms()[0]
	for op, version := range map[string]int64{"HELLO": 2, "RA": 2, "LSR": 7, "LSU": 2, "MAR": 3, "MAU": 3} {
		m := amqp.Message{
			ApplicationProperties: amqp.Map{{Key: "opcode", Value: op}}, Kind: amqp.BodyValue,
			Value: f.mapOf("id", "B", "pv", version, "instance", "not a number any more"),
		}
		b, err := decode(m.Append(nil))
		if err != nil || b.version != version || b.id != "B" {
			t.Errorf("%s: understood as %+v, %v", op, b, err)
		}
	}
}

// TestStrangePeers holds that a neighbor with an impossible name does not make
// the others disappear.
func TestStrangePeers(t *testing.T) {
	t.Parallel()
	f := forms()[0]
	m := amqp.Message{
		ApplicationProperties: amqp.Map{{Key: "opcode", Value: "LSU"}}, Kind: amqp.BodyValue,
		Value: f.mapOf("id", "B", "ls_seq", int32(1), "ls", f.mapOf("id", "B", "ls_seq", int32(1), "peers",
			f.mapOf("A", int64(-5), "an other", int32(1), "all", int32(1), "", int32(1), "C", int64(1)<<40))),
	}
	b, err := decode(m.Append(nil))
	if got, want := fmt.Sprint(b.peers, err), "[{A 1} {C 2147483647}] <nil>"; got != want {
		t.Errorf("peers are %s, want %s", got, want)
	}
}

// TestNegativeInstance holds that a boot number may be any integer: it is only
// compared.
func TestNegativeInstance(t *testing.T) {
	t.Parallel()
	b, err := decode(composeHello("B", -5, nil))
	if err != nil || b.instance != -5 || !b.hasInstance {
		t.Errorf("understood as %+v, %v", b, err)
	}
}
