package amqp

// listWriter builds the described list of a performative or section. Absent
// fields are written as null and dropped when nothing but nulls follows. It
// lives on the stack of the Append function that uses it.
type listWriter struct {
	buf   []byte
	start int // of the list's constructor
	count int // fields written
	last  int // fields up to the last that is not null
	size  int // length of buf after that field
}

func beginDescribedList(dst []byte, code uint64) listWriter {
	dst = AppendDescriptor(dst, code)
	start := len(dst)
	dst = append(dst, codeList8, 0, 0)
	return listWriter{buf: dst, start: start, size: len(dst)}
}

// end drops trailing nulls, writes the size and returns the buffer.
func (l *listWriter) end() []byte {
	if l.last == 0 {
		return append(l.buf[:l.start], codeList0)
	}
	return finishCompound(l.buf[:l.size], l.start, l.last, false)
}

func (l *listWriter) null() {
	l.buf = append(l.buf, codeNull)
	l.count++
}

// done notes that a field that is not null was appended.
func (l *listWriter) done() {
	l.count++
	l.last, l.size = l.count, len(l.buf)
}

func (l *listWriter) bool(v bool) {
	l.buf = AppendBool(l.buf, v)
	l.done()
}

// boolIfTrue writes false as null.
func (l *listWriter) boolIfTrue(v bool) {
	if !v {
		l.null()
		return
	}
	l.buf = append(l.buf, codeTrue)
	l.done()
}

func (l *listWriter) ubyte(v uint8) {
	l.buf = AppendUbyte(l.buf, v)
	l.done()
}

func (l *listWriter) ubyteIf(present bool, v uint8) {
	if !present {
		l.null()
		return
	}
	l.ubyte(v)
}

func (l *listWriter) ushortIf(present bool, v uint16) {
	if !present {
		l.null()
		return
	}
	l.buf = AppendUshort(l.buf, v)
	l.done()
}

func (l *listWriter) uint(v uint32) {
	l.buf = AppendUint(l.buf, v)
	l.done()
}

func (l *listWriter) uintIf(present bool, v uint32) {
	if !present {
		l.null()
		return
	}
	l.uint(v)
}

func (l *listWriter) ulong(v uint64) {
	l.buf = AppendUlong(l.buf, v)
	l.done()
}

// ulongWide writes all eight octets.
func (l *listWriter) ulongWide(v uint64) {
	l.buf = appendUlongWide(l.buf, v)
	l.done()
}

// text writes an empty string as null.
func (l *listWriter) text(s string) {
	if s == "" {
		l.null()
		return
	}
	l.textAlways(s)
}

func (l *listWriter) textAlways(s string) {
	l.buf = AppendString(l.buf, s)
	l.done()
}

// symbol writes an empty symbol as null.
func (l *listWriter) symbol(s Symbol) {
	if s == "" {
		l.null()
		return
	}
	l.buf = AppendSymbol(l.buf, s)
	l.done()
}

// binary writes nil as null.
func (l *listWriter) binary(b []byte) {
	if b == nil {
		l.null()
		return
	}
	l.binaryAlways(b)
}

func (l *listWriter) binaryAlways(b []byte) {
	l.buf = AppendBinary(l.buf, b)
	l.done()
}

// timestamp writes 0 as null.
func (l *listWriter) timestamp(v Timestamp) {
	if v == 0 {
		l.null()
		return
	}
	l.value(v)
}

// symbols writes an array, nil as null.
func (l *listWriter) symbols(v []Symbol) {
	if v == nil {
		l.null()
		return
	}
	l.buf = appendSymbolArray(l.buf, v, codeSym32)
	l.done()
}

// symbolArray8 writes an array of sym8.
func (l *listWriter) symbolArray8(v []Symbol) {
	code := byte(codeSym8)
	for _, s := range v {
		if len(s) > 255 {
			code = codeSym32
		}
	}
	l.buf = appendSymbolArray(l.buf, v, code)
	l.done()
}

// bareSymbols writes a single symbol without an array round it. compat:
// skupper-router gives the capabilities of a terminus this way.
func (l *listWriter) bareSymbols(v []Symbol) {
	if len(v) == 1 {
		l.symbol(v[0])
		return
	}
	l.symbols(v)
}

// mapping writes nil as null.
func (l *listWriter) mapping(m Map) {
	if m == nil {
		l.null()
		return
	}
	l.buf = AppendValue(l.buf, m)
	l.done()
}

// value writes any value; nil is null.
func (l *listWriter) value(v any) {
	if v == nil {
		l.null()
		return
	}
	l.buf = AppendValue(l.buf, v)
	l.done()
}

// err writes nil as null.
func (l *listWriter) err(e *Error) {
	if e == nil {
		l.null()
		return
	}
	l.buf = e.append(l.buf)
	l.done()
}

// state writes StateNone as null.
func (l *listWriter) state(s *State) {
	if s.Code == StateNone {
		l.null()
		return
	}
	l.buf = s.Append(l.buf)
	l.done()
}
