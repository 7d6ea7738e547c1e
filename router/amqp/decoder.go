package amqp

import "encoding/binary"

// decoder is a cursor over encoded values. The first failure sticks: every
// later read returns a zero value, so that decode functions are flat. It is
// used as a local variable and never escapes on the hot path.
type decoder struct {
	b     []byte
	off   int
	short bool // the failure is that b ended outside of any list
	err   *Error
	level
}

// level is the innermost list, map or array that was entered.
type level struct {
	typ  string // composite type, for errors
	left int    // fields not read
	end  int    // reads stop here
	deep int    // number of surrounding levels
}

func newDecoder(b []byte) decoder { return decoder{b: b, level: level{end: len(b)}} }

// rest returns what follows the cursor.
func (d *decoder) rest() []byte { return d.b[d.off:] }

func (d *decoder) failf(format string, args ...any) {
	if d.err == nil {
		d.fail(decodeErrorf(format, args...))
	}
}

// fail notes the first failure and leaves nothing to read.
func (d *decoder) fail(e *Error) {
	if d.err == nil {
		d.err = e
	}
	d.end, d.left = d.off, 0
}

// error returns the first failure as an error interface, nil if there is none.
func (d *decoder) error() error {
	if d.err == nil {
		return nil
	}
	return d.err
}

// has reports whether n more octets can be read, and fails if not.
func (d *decoder) has(n int) bool {
	return uint(n) <= uint(d.end-d.off) || d.lacks(n)
}

// lacks fails because there are no n more octets. Running out of input outside
// of any list sets short: more input may help.
func (d *decoder) lacks(n int) bool {
	if d.err == nil {
		d.short = d.deep == 0
		d.failf("%d octets wanted at %d, %d left", n, d.off, d.end-d.off)
	}
	return false
}

func (d *decoder) take(n int) []byte {
	if !d.has(n) {
		return nil
	}
	v := d.b[d.off : d.off+n : d.off+n]
	d.off += n
	return v
}

func (d *decoder) octet() (v byte) {
	if d.off < d.end {
		v = d.b[d.off]
		d.off++
	} else {
		d.lacks(1)
	}
	return v
}

func (d *decoder) uint16() uint16 {
	if !d.has(2) {
		return 0
	}
	v := binary.BigEndian.Uint16(d.b[d.off:])
	d.off += 2
	return v
}

func (d *decoder) uint32() uint32 {
	if !d.has(4) {
		return 0
	}
	v := binary.BigEndian.Uint32(d.b[d.off:])
	d.off += 4
	return v
}

func (d *decoder) uint64() uint64 {
	if !d.has(8) {
		return 0
	}
	v := binary.BigEndian.Uint64(d.b[d.off:])
	d.off += 8
	return v
}

// length reads a 32-bit length as an int; one that does not fit in what is
// left fails in the take that follows.
func (d *decoder) length() int {
	n := d.uint32()
	if n > 1<<31-1 {
		d.failf("length %d at %d", n, d.off-4)
		return 0
	}
	return int(n)
}

// null consumes a null if there is one at the cursor.
func (d *decoder) null() bool {
	if d.off < d.end && d.b[d.off] == codeNull {
		d.off++
		return true
	}
	return false
}

// descriptor reads the constructor of a described value and returns its code.
// The symbolic names of AMQP 1.0 are translated; others fail.
func (d *decoder) descriptor() uint64 {
	if c := d.octet(); c != codeDescribed {
		d.failf("type code %#02x, want a described value", c)
		return 0
	}
	switch c := d.octet(); c {
	case codeSmallUlong:
		return uint64(d.octet())
	case codeUlong:
		return d.uint64()
	case codeUlong0:
		return 0
	case codeSym8:
		return d.symbolicDescriptor(int(d.octet()))
	case codeSym32:
		return d.symbolicDescriptor(d.length())
	default:
		d.failf("type code %#02x, want a descriptor", c)
		return 0
	}
}

func (d *decoder) symbolicDescriptor(n int) uint64 {
	name := d.take(n)
	code, ok := descriptorNames[string(name)]
	if !ok {
		d.failf("descriptor %.64q", name)
	}
	return code
}

// descriptorNames has the symbolic descriptors, AMQP 1.0 §1.4: "amqp:" name
// ":" type.
var descriptorNames = map[string]uint64{
	"amqp:open:list": CodeOpen, "amqp:begin:list": CodeBegin, "amqp:attach:list": CodeAttach,
	"amqp:flow:list": CodeFlow, "amqp:transfer:list": CodeTransfer, "amqp:disposition:list": CodeDisposition,
	"amqp:detach:list": CodeDetach, "amqp:end:list": CodeEnd, "amqp:close:list": CodeClose,
	"amqp:error:list": CodeError, "amqp:source:list": CodeSource, "amqp:target:list": CodeTarget,
	"amqp:coordinator:list":     CodeCoordinator,
	"amqp:sasl-mechanisms:list": CodeSASLMechanisms, "amqp:sasl-init:list": CodeSASLInit,
	"amqp:sasl-challenge:list": CodeSASLChallenge, "amqp:sasl-response:list": CodeSASLResponse,
	"amqp:sasl-outcome:list": CodeSASLOutcome,
	"amqp:received:list":     uint64(StateReceived), "amqp:accepted:list": uint64(StateAccepted),
	"amqp:rejected:list": uint64(StateRejected), "amqp:released:list": uint64(StateReleased),
	"amqp:modified:list": uint64(StateModified), "amqp:declared:list": uint64(StateDeclared),
	"amqp:transactional-state:list": uint64(StateTransactional),
	"amqp:header:list":              SectionHeader, "amqp:delivery-annotations:map": SectionDeliveryAnnotations,
	"amqp:message-annotations:map": SectionMessageAnnotations, "amqp:properties:list": SectionProperties,
	"amqp:application-properties:map": SectionApplicationProperties, "amqp:data:binary": SectionData,
	"amqp:amqp-sequence:list": SectionSequence, "amqp:amqp-value:*": SectionValue, "amqp:footer:map": SectionFooter,
}

// skip passes over one value without looking into lists, maps and arrays.
func (d *decoder) skip() {
	// A descriptor is a value, and so is what it describes.
	for values := 1; values > 0 && d.err == nil; values-- {
		c := d.octet()
		switch {
		case c == codeDescribed:
			values += 2
		case c>>4 == 0x4:
			d.take(0)
		case c>>4 >= 0x5 && c>>4 <= 0x9:
			d.take(1 << (c>>4 - 5))
		case c>>4 == 0xa, c>>4 == 0xc, c>>4 == 0xe:
			d.take(int(d.octet()))
		case c>>4 == 0xb, c>>4 == 0xd, c>>4 == 0xf:
			d.take(d.length())
		default:
			d.failf("type code %#02x", c)
		}
		if values > maxDepth {
			d.failf("more than %d nested descriptors", maxDepth)
		}
	}
}

// list enters the list at the cursor, whose fields are those of the composite
// type with the given name. It returns the surrounding list, for close.
func (d *decoder) list(name string) level {
	size, count := 0, 0
	switch c := d.octet(); c {
	case codeList0:
	case codeList8:
		size, count = int(d.octet())-1, int(d.octet())
	case codeList32:
		size, count = d.length()-4, d.length()
	default:
		d.failf("%s: type code %#02x, want a list", name, c)
	}
	outer := d.enter(size, count)
	d.typ = name
	return outer
}

// enter narrows the decoder to the next size octets, which hold count values
// of at least one octet each, and returns the surrounding level.
func (d *decoder) enter(size, count int) (outer level) {
	outer = d.level
	if d.has(size) && count > size {
		d.failf("%d values in %d octets", count, size)
	}
	if d.err == nil {
		d.level = level{left: count, end: d.off + size, deep: outer.deep + 1}
	}
	return outer
}

// close leaves the list, passing over fields that were not read.
func (d *decoder) close(outer level) {
	for ; d.left > 0; d.left-- {
		d.skip()
	}
	if d.off != d.end {
		d.failf("%s: %d octets after the last value", d.typ, d.end-d.off)
	}
	d.level = outer
	if d.err != nil {
		d.fail(d.err)
	}
}
