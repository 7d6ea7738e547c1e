package amqp

// presence says whether a field may be null or missing.
type presence bool

const (
	mandatory presence = true
	optional  presence = false
)

// fields reads the positional fields of a composite type, AMQP 1.0 §1.4. Each
// method reads the next field; the name is for the error. A field beyond the
// end of the list is null.
type fields struct {
	d     *decoder
	typ   string
	left  int
	outer int // d.end of the surrounding list
}

// present moves to the next field and reports whether it has a value. A
// mandatory field without one fails with amqp:invalid-field.
func (f *fields) present(name string, p presence) bool {
	if f.d.err != nil {
		return false
	}
	if f.left > 0 {
		f.left--
		if !f.d.null() {
			return true
		}
	}
	if p == mandatory {
		f.d.fail(invalidFieldf("%s: mandatory field %s is null", f.typ, name))
	}
	return false
}

// mismatch fails because the type code c does not fit the field.
func (f *fields) mismatch(name string, c byte, want string) {
	f.d.failf("%s: field %s has type code %#02x, want %s", f.typ, name, c, want)
}

func (f *fields) bool(name string, def bool) bool {
	if !f.present(name, optional) {
		return def
	}
	return f.boolean(name, def)
}

// boolean reads a field that is present.
func (f *fields) boolean(name string, def bool) bool {
	switch c := f.d.octet(); c {
	case codeTrue:
		return true
	case codeFalse:
		return false
	case codeBoolean:
		return f.d.octet() != 0
	default:
		f.mismatch(name, c, "boolean")
		return def
	}
}

// role reads the mandatory boolean of attach and disposition.
func (f *fields) role() Role {
	if !f.present("role", mandatory) {
		return RoleSender
	}
	return Role(f.boolean("role", false))
}

func (f *fields) ubyte(name string, p presence, def uint8) uint8 {
	if !f.present(name, p) {
		return def
	}
	if c := f.d.octet(); c != codeUbyte {
		f.mismatch(name, c, "ubyte")
		return def
	}
	return f.d.octet()
}

// ubyteIf reads a ubyte and reports whether it was there.
func (f *fields) ubyteIf(name string) (v uint8, ok bool) {
	if !f.present(name, optional) {
		return 0, false
	}
	if c := f.d.octet(); c != codeUbyte {
		f.mismatch(name, c, "ubyte")
		return 0, false
	}
	return f.d.octet(), true
}

// ushort reads a ushort and reports whether it was there; def stands for null.
func (f *fields) ushort(name string, def uint16) (v uint16, ok bool) {
	if !f.present(name, optional) {
		return def, false
	}
	if c := f.d.octet(); c != codeUshort {
		f.mismatch(name, c, "ushort")
		return def, false
	}
	return f.d.uint16(), true
}

// uint reads a uint; def stands for null.
func (f *fields) uint(name string, p presence, def uint32) uint32 {
	v, ok := f.uintIf(name, p)
	if !ok {
		return def
	}
	return v
}

// uintIf reads a uint and reports whether it was there.
func (f *fields) uintIf(name string, p presence) (v uint32, ok bool) {
	if !f.present(name, p) {
		return 0, false
	}
	switch c := f.d.octet(); c {
	case codeUint0:
		return 0, true
	case codeSmallUint:
		return uint32(f.d.octet()), true
	case codeUint:
		return f.d.uint32(), true
	default:
		f.mismatch(name, c, "uint")
		return 0, false
	}
}

func (f *fields) ulong(name string, p presence, def uint64) uint64 {
	if !f.present(name, p) {
		return def
	}
	switch c := f.d.octet(); c {
	case codeUlong0:
		return 0
	case codeSmallUlong:
		return uint64(f.d.octet())
	case codeUlong:
		return f.d.uint64()
	default:
		f.mismatch(name, c, "ulong")
		return def
	}
}

// timestamp reads a timestamp; 0 stands for null.
func (f *fields) timestamp(name string) Timestamp {
	if !f.present(name, optional) {
		return 0
	}
	if c := f.d.octet(); c != codeTimestamp {
		f.mismatch(name, c, "timestamp")
		return 0
	}
	return Timestamp(f.d.uint64())
}

// octets reads a variable-width value with the 8-bit code given, or its 32-bit
// sibling. The result aliases the input.
func (f *fields) octets(name string, p presence, code8 byte, want string) []byte {
	if !f.present(name, p) {
		return nil
	}
	return f.variable(name, code8, want)
}

// variable reads a variable-width field that is present.
func (f *fields) variable(name string, code8 byte, want string) []byte {
	switch c := f.d.octet(); c {
	case code8:
		return f.d.take(int(f.d.octet()))
	case code8 + 0x10:
		return f.d.take(f.d.length())
	default:
		f.mismatch(name, c, want)
		return nil
	}
}

func (f *fields) binary(name string, p presence) []byte {
	return f.octets(name, p, codeBin8, "binary")
}

// text reads a string; "" stands for null.
func (f *fields) text(name string, p presence) string {
	return string(f.octets(name, p, codeStr8, "string"))
}

// textIf reads a string and reports whether it was there.
func (f *fields) textIf(name string, p presence) (s string, ok bool) {
	if !f.present(name, p) {
		return "", false
	}
	return string(f.variable(name, codeStr8, "string")), true
}

// textOrSymbol reads a field that the specification calls a symbol and
// skupper-router writes as a string.
func (f *fields) textOrSymbol(name string) (s string, symbol bool) {
	if !f.present(name, optional) {
		return "", false
	}
	if f.d.off < f.d.end && f.d.b[f.d.off]&^0x10 == codeSym8 {
		return string(f.variable(name, codeSym8, "symbol")), true
	}
	return string(f.variable(name, codeStr8, "string or symbol")), false
}

// textBytes reads a string or a symbol; nil stands for null. The result aliases
// the input.
func (f *fields) textBytes(name string) []byte {
	if !f.present(name, optional) {
		return nil
	}
	code := byte(codeStr8)
	if f.d.off < f.d.end && f.d.b[f.d.off]&^0x10 == codeSym8 {
		code = codeSym8
	}
	return f.variable(name, code, "string or symbol")
}

// texts reads a mandatory list of strings and appends them to dst.
func (f *fields) texts(name string, dst []string) []string {
	if !f.present(name, mandatory) {
		return dst
	}
	g := f.d.list(name)
	for g.left > 0 && f.d.err == nil {
		dst = append(dst, g.text("element", mandatory))
	}
	f.d.close(&g)
	return dst
}

// symbol reads a symbol; "" stands for null.
func (f *fields) symbol(name string, p presence) Symbol {
	return Symbol(f.octets(name, p, codeSym8, "symbol"))
}

// symbols reads a field of type symbol with multiple="true": null, one symbol
// or an array of them, AMQP 1.0 §1.4.
func (f *fields) symbols(name string) []Symbol {
	switch v := f.value(name).(type) {
	case nil:
		return nil
	case Symbol:
		return []Symbol{v}
	case []Symbol:
		return v
	case Array:
		if len(v) == 0 {
			return []Symbol{}
		}
	}
	f.d.failf("%s: field %s is not an array of symbol", f.typ, name)
	return nil
}

// mapping reads a map; nil stands for null.
func (f *fields) mapping(name string) Map {
	switch v := f.value(name).(type) {
	case nil:
		return nil
	case Map:
		return v
	}
	f.d.failf("%s: field %s is not a map", f.typ, name)
	return nil
}

// address reads the address of a terminus: nil or a string. The specification
// leaves the type open; nothing but strings is in use.
func (f *fields) address() any {
	if !f.present("address", optional) {
		return nil
	}
	return string(f.variable("address", codeStr8, "string"))
}

// state reads a delivery state; StateNone stands for null.
func (f *fields) state(name string, s *State) {
	if !f.present(name, optional) {
		*s = State{}
		return
	}
	s.decode(f.d)
}

// value reads any value; nil stands for null.
func (f *fields) value(name string) any {
	if !f.present(name, optional) {
		return nil
	}
	return f.d.value(0)
}

// raw reads any value as its encoding; nil stands for null.
func (f *fields) raw(name string) []byte {
	if !f.present(name, optional) {
		return nil
	}
	start := f.d.off
	f.d.skip()
	if f.d.err != nil {
		return nil
	}
	return f.d.b[start:f.d.off:f.d.off]
}

// err reads an error; nil stands for null.
func (f *fields) err(name string) *Error {
	if !f.present(name, optional) {
		return nil
	}
	if c := f.d.descriptor(); c != CodeError {
		f.d.failf("%s: field %s has descriptor %#x, want error", f.typ, name, c)
		return nil
	}
	e := new(Error)
	g := f.d.list("error")
	e.Condition = g.symbol("condition", mandatory)
	e.Description = g.text("description", optional)
	e.Info = g.mapping("info")
	f.d.close(&g)
	return e
}
