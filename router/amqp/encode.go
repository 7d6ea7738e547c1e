package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
)

// AppendBool appends a boolean in its one-octet form.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, codeTrue)
	}
	return append(dst, codeFalse)
}

// AppendUbyte appends a ubyte.
func AppendUbyte(dst []byte, v uint8) []byte { return append(dst, codeUbyte, v) }

// AppendUshort appends a ushort.
func AppendUshort(dst []byte, v uint16) []byte {
	return append(dst, codeUshort, byte(v>>8), byte(v))
}

// AppendUint appends a uint in its shortest form.
func AppendUint(dst []byte, v uint32) []byte {
	switch {
	case v == 0:
		return append(dst, codeUint0)
	case v <= math.MaxUint8:
		return append(dst, codeSmallUint, byte(v))
	}
	return append(dst, codeUint, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// AppendUlong appends a ulong in its shortest form.
func AppendUlong(dst []byte, v uint64) []byte {
	switch {
	case v == 0:
		return append(dst, codeUlong0)
	case v <= math.MaxUint8:
		return append(dst, codeSmallUlong, byte(v))
	}
	return appendUlongWide(dst, v)
}

func appendUlongWide(dst []byte, v uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, codeUlong), v)
}

// AppendInt appends an int in its shortest form.
func AppendInt(dst []byte, v int32) []byte {
	if v >= math.MinInt8 && v <= math.MaxInt8 {
		return append(dst, codeSmallInt, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(dst, codeInt), uint32(v))
}

// AppendLong appends a long in its shortest form.
func AppendLong(dst []byte, v int64) []byte {
	if v >= math.MinInt8 && v <= math.MaxInt8 {
		return append(dst, codeSmallLong, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeLong), uint64(v))
}

// AppendString appends a string, str8 if it fits.
func AppendString(dst []byte, s string) []byte {
	return append(appendVariable(dst, codeStr8, len(s)), s...)
}

// AppendSymbol appends a symbol, sym8 if it fits.
func AppendSymbol(dst []byte, s Symbol) []byte {
	return append(appendVariable(dst, codeSym8, len(s)), s...)
}

// AppendBinary appends a binary, bin8 if it fits.
func AppendBinary(dst []byte, b []byte) []byte {
	return append(appendVariable(dst, codeBin8, len(b)), b...)
}

// appendVariable appends constructor and length of a variable-width value;
// the 32-bit code is the 8-bit code plus 0x10.
func appendVariable(dst []byte, code8 byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(dst, code8, byte(n))
	}
	return append(dst, code8+0x10, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// AppendDescriptor appends the constructor of a described value: 00 53 for
// codes up to 255, 00 80 above. The value must follow.
func AppendDescriptor(dst []byte, code uint64) []byte {
	if code <= math.MaxUint8 {
		return append(dst, codeDescribed, codeSmallUlong, byte(code))
	}
	return appendUlongWide(append(dst, codeDescribed), code)
}

// AppendValue appends v in the shortest form, which is what proton writes: see
// the table at the head of types.go for the Go types. It panics on any other
// type, because that is a mistake in the program and not in its input.
func AppendValue(dst []byte, v any) []byte { return appendAny(dst, v, false) }

// AppendWide appends v like AppendValue, except that lists and maps have
// 32-bit sizes, as skupper-router composes its own messages (compat:). A nil
// List is list0, an empty one a list32 without elements: both occur.
func AppendWide(dst []byte, v any) []byte { return appendAny(dst, v, true) }

func appendAny(dst []byte, v any, wide bool) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, codeNull)
	case bool:
		return AppendBool(dst, v)
	case string:
		return AppendString(dst, v)
	case Symbol:
		return AppendSymbol(dst, v)
	case uint32:
		return AppendUint(dst, v)
	case uint64:
		return AppendUlong(dst, v)
	case int32:
		return AppendInt(dst, v)
	case int64:
		return AppendLong(dst, v)
	case List:
		return appendListValue(dst, v, wide)
	case Map:
		return appendMapValue(dst, v, wide)
	case []Symbol:
		return appendSymbolArray(dst, v, codeSym32)
	case Array:
		return appendArray(dst, v)
	case Described:
		dst = appendAny(append(dst, codeDescribed), v.Descriptor, wide)
		return appendAny(dst, v.Value, wide)
	case []byte:
		return AppendBinary(dst, v)
	}
	code, ok := fixedCode(v)
	if !ok {
		panic(fmt.Sprintf("amqp: no encoding for a value of Go type %T", v))
	}
	return appendFixed(append(dst, code), v)
}

// fixedCode returns the constructor of the full-width form of v, false if v is
// not of a fixed-width type.
func fixedCode(v any) (byte, bool) {
	switch v := v.(type) {
	case bool:
		return codeBoolean, true
	case uint8:
		return codeUbyte, true
	case int8:
		return codeByte, true
	case uint16:
		return codeUshort, true
	case int16:
		return codeShort, true
	case uint32:
		return codeUint, true
	case int32:
		return codeInt, true
	case float32:
		return codeFloat, true
	case Char:
		return codeChar, true
	case uint64:
		return codeUlong, true
	case int64:
		return codeLong, true
	case float64:
		return codeDouble, true
	case Timestamp:
		return codeTimestamp, true
	case UUID:
		return codeUUID, true
	case Decimal:
		switch len(v) {
		case 4:
			return codeDecimal32, true
		case 8:
			return codeDecimal64, true
		case 16:
			return codeDecimal128, true
		}
	}
	return 0, false
}

// appendFixed appends the octets of a value that fixedCode knows.
func appendFixed(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return append(dst, 1)
		}
		return append(dst, 0)
	case uint8:
		return append(dst, v)
	case int8:
		return append(dst, byte(v))
	case uint16:
		return binary.BigEndian.AppendUint16(dst, v)
	case int16:
		return binary.BigEndian.AppendUint16(dst, uint16(v))
	case uint32:
		return binary.BigEndian.AppendUint32(dst, v)
	case int32:
		return binary.BigEndian.AppendUint32(dst, uint32(v))
	case float32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(v))
	case Char:
		return binary.BigEndian.AppendUint32(dst, uint32(v))
	case uint64:
		return binary.BigEndian.AppendUint64(dst, v)
	case int64:
		return binary.BigEndian.AppendUint64(dst, uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
	case Timestamp:
		return binary.BigEndian.AppendUint64(dst, uint64(v))
	case UUID:
		return append(dst, v[:]...)
	case Decimal:
		return append(dst, v...)
	}
	panic(fmt.Sprintf("amqp: %T is not of fixed width", v))
}

func appendListValue(dst []byte, v List, wide bool) []byte {
	if len(v) == 0 && (v == nil || !wide) {
		return append(dst, codeList0)
	}
	start := len(dst)
	dst = appendCompoundHeader(dst, codeList8, wide)
	for _, e := range v {
		dst = appendAny(dst, e, wide)
	}
	return finishCompound(dst, start, len(v), wide)
}

func appendMapValue(dst []byte, v Map, wide bool) []byte {
	start := len(dst)
	dst = appendCompoundHeader(dst, codeMap8, wide)
	for i := range v {
		dst = appendAny(dst, v[i].Key, wide)
		dst = appendAny(dst, v[i].Value, wide)
	}
	return finishCompound(dst, start, 2*len(v), wide)
}

// AppendList32Header appends the start of a list32 and returns the mark that
// FinishCompound32 needs. The elements follow.
func AppendList32Header(dst []byte) (out []byte, mark int) {
	return appendCompoundHeader(dst, codeList8, true), len(dst)
}

// AppendMap32Header appends the start of a map32 and returns the mark that
// FinishCompound32 needs. Keys and values follow.
func AppendMap32Header(dst []byte) (out []byte, mark int) {
	return appendCompoundHeader(dst, codeMap8, true), len(dst)
}

// FinishCompound32 writes size and count of the list32 or map32 that begins at
// mark and ends at the end of dst. A map counts keys and values.
func FinishCompound32(dst []byte, mark, count int) {
	binary.BigEndian.PutUint32(dst[mark+1:], uint32(len(dst)-mark-5))
	binary.BigEndian.PutUint32(dst[mark+5:], uint32(count))
}

func appendCompoundHeader(dst []byte, code8 byte, wide bool) []byte {
	if wide {
		return append(dst, code8+0x10, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	return append(dst, code8, 0, 0)
}

// finishCompound writes size and count of the compound that begins at start.
// One with an 8-bit header is widened if they do not fit.
func finishCompound(dst []byte, start, count int, wide bool) []byte {
	if wide {
		FinishCompound32(dst, start, count)
		return dst
	}
	if size := len(dst) - start - 2; size <= math.MaxUint8 && count <= math.MaxUint8 {
		dst[start+1], dst[start+2] = byte(size), byte(count)
		return dst
	}
	dst = append(dst, 0, 0, 0, 0, 0, 0)
	copy(dst[start+9:], dst[start+3:len(dst)-6])
	dst[start] += 0x10
	FinishCompound32(dst, start, count)
	return dst
}

// appendSymbolArray appends an array of symbols with the element constructor
// code, codeSym8 or codeSym32. compat: proton writes sym32 in arrays, except
// in the list of SASL mechanisms.
func appendSymbolArray(dst []byte, v []Symbol, code byte) []byte {
	start := len(dst)
	dst = append(dst, codeArray8, 0, 0, code)
	for _, s := range v {
		if code == codeSym8 {
			dst = append(dst, byte(len(s)))
		} else {
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
		}
		dst = append(dst, s...)
	}
	return finishCompound(dst, start, len(v), false)
}

// appendArray appends an array in full-width element form. All elements must
// have the type of the first.
func appendArray(dst []byte, v Array) []byte {
	start := len(dst)
	dst = append(dst, codeArray8, 0, 0)
	if len(v) == 0 {
		return finishCompound(append(dst, codeNull), start, 0, false)
	}
	dst = appendElementConstructor(dst, v[0])
	for _, e := range v {
		dst = appendElement(dst, e)
	}
	return finishCompound(dst, start, len(v), false)
}

func appendElementConstructor(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, codeNull)
	case string:
		return append(dst, codeStr32)
	case Symbol:
		return append(dst, codeSym32)
	case []byte:
		return append(dst, codeBin32)
	case List:
		return append(dst, codeList32)
	case Map:
		return append(dst, codeMap32)
	case []Symbol, Array:
		return append(dst, codeArray32)
	case Described:
		dst = AppendValue(append(dst, codeDescribed), v.Descriptor)
		return appendElementConstructor(dst, v.Value)
	}
	code, ok := fixedCode(v)
	if !ok {
		panic(fmt.Sprintf("amqp: no array encoding for a value of Go type %T", v))
	}
	return append(dst, code)
}

// appendElement appends one array element without its constructor.
func appendElement(dst []byte, v any) []byte {
	var body []byte
	switch v := v.(type) {
	case nil:
		return dst
	case string:
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
	case Symbol:
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
	case []byte:
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
	case List:
		mark := len(dst) - 1
		dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
		for _, e := range v {
			dst = AppendValue(dst, e)
		}
		FinishCompound32(dst, mark, len(v))
		return dst
	case Map:
		mark := len(dst) - 1
		dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
		for i := range v {
			dst = AppendValue(AppendValue(dst, v[i].Key), v[i].Value)
		}
		FinishCompound32(dst, mark, 2*len(v))
		return dst
	case []Symbol:
		body = appendSymbolArray(nil, v, codeSym32)
	case Array:
		body = appendArray(nil, v)
	case Described:
		return appendElement(dst, v.Value)
	default:
		return appendFixed(dst, v)
	}
	return append(dst, widenArray(body)...)
}

// widenArray returns the octets after the constructor of an array32 that holds
// what the array8 or array32 b holds.
func widenArray(b []byte) []byte {
	if b[0] == codeArray32 {
		return b[1:]
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(b[1])+3)
	out = binary.BigEndian.AppendUint32(out, uint32(b[2]))
	return append(out, b[3:]...)
}
