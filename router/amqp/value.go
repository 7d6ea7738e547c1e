package amqp

import "math"

// maxDepth bounds the nesting of lists, maps, arrays and described values.
// Management and routing messages need six levels at most.
const maxDepth = 32

// firstCapacity bounds what is allocated for a list or map before its
// elements were seen.
const firstCapacity = 32

// DecodeValue decodes the value at the start of src and returns what follows
// it. The Go types are those in the table at the head of types.go. Memory use
// is proportional to the octets consumed. Errors are *Error with condition
// amqp:decode-error.
func DecodeValue(src []byte) (v any, rest []byte, err error) {
	d := newDecoder(src)
	v = d.value(0)
	if d.err != nil {
		return nil, src, d.err
	}
	return v, d.rest(), nil
}

// value reads one value of any type.
func (d *decoder) value(depth int) any {
	if depth > maxDepth {
		d.failf("values nested deeper than %d", maxDepth)
		return nil
	}
	c := d.octet()
	if d.err != nil {
		return nil
	}
	if c == codeDescribed {
		descriptor := d.value(depth + 1)
		return Described{Descriptor: descriptor, Value: d.value(depth + 1)}
	}
	return d.element(c, depth)
}

// element reads what follows the constructor c.
func (d *decoder) element(c byte, depth int) any {
	switch c {
	case codeNull:
		return nil
	case codeTrue:
		return true
	case codeFalse:
		return false
	case codeBoolean:
		return d.octet() != 0
	case codeUbyte:
		return d.octet()
	case codeByte:
		return int8(d.octet())
	case codeUshort:
		return d.uint16()
	case codeShort:
		return int16(d.uint16())
	case codeUint0:
		return uint32(0)
	case codeSmallUint:
		return uint32(d.octet())
	case codeUint:
		return d.uint32()
	case codeSmallInt:
		return int32(int8(d.octet()))
	case codeInt:
		return int32(d.uint32())
	case codeUlong0:
		return uint64(0)
	case codeSmallUlong:
		return uint64(d.octet())
	case codeUlong:
		return d.uint64()
	case codeSmallLong:
		return int64(int8(d.octet()))
	case codeLong:
		return int64(d.uint64())
	case codeFloat:
		return math.Float32frombits(d.uint32())
	case codeDouble:
		return math.Float64frombits(d.uint64())
	case codeChar:
		return Char(d.uint32())
	case codeTimestamp:
		return Timestamp(d.uint64())
	case codeDecimal32:
		return Decimal(d.take(4))
	case codeDecimal64:
		return Decimal(d.take(8))
	case codeDecimal128:
		return Decimal(d.take(16))
	case codeUUID:
		var u UUID
		copy(u[:], d.take(len(u)))
		return u
	}
	return d.variableElement(c, depth)
}

// variableElement reads a string, binary or compound value.
func (d *decoder) variableElement(c byte, depth int) any {
	switch c {
	case codeBin8:
		return d.take(int(d.octet()))
	case codeBin32:
		return d.take(d.length())
	case codeStr8:
		return string(d.take(int(d.octet())))
	case codeStr32:
		return string(d.take(d.length()))
	case codeSym8:
		return Symbol(d.take(int(d.octet())))
	case codeSym32:
		return Symbol(d.take(d.length()))
	case codeList0:
		return List(nil)
	case codeList8, codeList32:
		return d.listValue(d.compound(c == codeList8), depth)
	case codeMap8, codeMap32:
		return d.mapValue(d.compound(c == codeMap8), depth)
	case codeArray8, codeArray32:
		return d.arrayValue(d.compound(c == codeArray8), depth)
	}
	d.failf("type code %#02x at %d", c, d.off-1)
	return nil
}

// compound reads size and count of a list, map or array and enters it. The
// count is what is left of the new level.
func (d *decoder) compound(short bool) (outer level) {
	size, count := 0, 0
	if short {
		size, count = int(d.octet())-1, int(d.octet())
	} else {
		size, count = d.length()-4, d.length()
	}
	return d.enter(size, count)
}

// next counts down the elements of the level.
func (d *decoder) next() bool {
	d.left--
	return d.left >= 0
}

// leave ends a compound whose elements were all read; they must fill it.
func (d *decoder) leave(outer level) {
	d.left = 0
	d.close(outer)
}

func (d *decoder) listValue(outer level, depth int) List {
	v := make(List, 0, min(d.left, firstCapacity))
	for d.next() {
		v = append(v, d.value(depth+1))
	}
	d.leave(outer)
	return v
}

func (d *decoder) mapValue(outer level, depth int) Map {
	if d.left%2 != 0 {
		d.failf("map with %d keys and values", d.left)
	}
	v := make(Map, 0, min(d.left/2, firstCapacity))
	for d.next() {
		d.left--
		key := d.value(depth + 1)
		v = append(v, Pair{Key: key, Value: d.value(depth + 1)})
	}
	d.leave(outer)
	return v
}

// arrayValue reads an array: one constructor, then elements without. Because
// enter has checked the count against the size, elements without octets, such
// as uint0, cannot multiply.
func (d *decoder) arrayValue(outer level, depth int) any {
	if depth >= maxDepth {
		d.failf("values nested deeper than %d", maxDepth)
	}
	var descriptor any
	c := d.octet()
	described := c == codeDescribed
	if described {
		descriptor = d.value(depth + 1)
		c = d.octet()
	}
	if c == codeSym8 || c == codeSym32 {
		if !described {
			return d.symbolArrayValue(outer, c)
		}
	}
	v := make(Array, 0, min(d.left, firstCapacity))
	for d.next() {
		e := d.element(c, depth+1)
		if described {
			e = Described{Descriptor: descriptor, Value: e}
		}
		v = append(v, e)
	}
	d.leave(outer)
	return v
}

func (d *decoder) symbolArrayValue(outer level, c byte) []Symbol {
	v := make([]Symbol, 0, min(d.left, firstCapacity))
	for d.next() {
		n := 0
		if c == codeSym8 {
			n = int(d.octet())
		} else {
			n = d.length()
		}
		v = append(v, Symbol(d.take(n)))
	}
	d.leave(outer)
	return v
}
