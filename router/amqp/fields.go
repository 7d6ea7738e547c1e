package amqp

// The methods of this file read the positional fields of the list that
// decoder.list entered, AMQP 1.0 §1.4. Each reads the next field; the name is
// for the error. A field beyond the end of the list is null.

// presence says whether a field may be null or missing.
type presence bool

const (
	mandatory presence = true
	optional  presence = false
)

// present moves to the next field and reports whether it has a value. A
// mandatory field without one fails with amqp:invalid-field.
func (d *decoder) present(name string, p presence) bool {
	if d.left > 0 {
		d.left--
		if !d.null() {
			return true
		}
	}
	if p == mandatory && d.err == nil {
		d.fail(invalidFieldf("%s: mandatory field %s is null", d.typ, name))
	}
	return false
}

// mismatch fails because the type code c does not fit the field.
func (d *decoder) mismatch(name string, c byte, want string) {
	d.failf("%s: field %s has type code %#02x, want %s", d.typ, name, c, want)
}

// bool reads a boolean; false stands for null.
func (d *decoder) bool(name string) bool {
	return d.present(name, optional) && d.boolean(name)
}

// boolean reads a field that is present.
func (d *decoder) boolean(name string) bool {
	switch c := d.octet(); c {
	case codeTrue:
		return true
	case codeFalse:
		return false
	case codeBoolean:
		return d.octet() != 0
	default:
		d.mismatch(name, c, "boolean")
		return false
	}
}

// role reads the mandatory boolean of attach and disposition.
func (d *decoder) role() Role {
	if !d.present("role", mandatory) {
		return RoleSender
	}
	return Role(d.boolean("role"))
}

func (d *decoder) ubyte(name string, p presence, def uint8) uint8 {
	if !d.present(name, p) {
		return def
	}
	if c := d.octet(); c != codeUbyte {
		d.mismatch(name, c, "ubyte")
		return def
	}
	return d.octet()
}

// ubyteIf reads a ubyte and reports whether it was there.
func (d *decoder) ubyteIf(name string) (v uint8, ok bool) {
	if !d.present(name, optional) {
		return 0, false
	}
	if c := d.octet(); c != codeUbyte {
		d.mismatch(name, c, "ubyte")
		return 0, false
	}
	return d.octet(), true
}

// ushort reads a ushort and reports whether it was there; def stands for null.
func (d *decoder) ushort(name string, def uint16) (v uint16, ok bool) {
	if !d.present(name, optional) {
		return def, false
	}
	if c := d.octet(); c != codeUshort {
		d.mismatch(name, c, "ushort")
		return def, false
	}
	return d.uint16(), true
}

// uint reads a uint; def stands for null.
func (d *decoder) uint(name string, p presence, def uint32) uint32 {
	v, ok := d.uintIf(name, p)
	if !ok {
		return def
	}
	return v
}

// uintIf reads a uint and reports whether it was there.
func (d *decoder) uintIf(name string, p presence) (v uint32, ok bool) {
	if !d.present(name, p) {
		return 0, false
	}
	switch c := d.octet(); c {
	case codeUint0:
		return 0, true
	case codeSmallUint:
		return uint32(d.octet()), true
	case codeUint:
		return d.uint32(), true
	default:
		d.mismatch(name, c, "uint")
		return 0, false
	}
}

func (d *decoder) ulong(name string, p presence, def uint64) uint64 {
	if !d.present(name, p) {
		return def
	}
	switch c := d.octet(); c {
	case codeUlong0:
		return 0
	case codeSmallUlong:
		return uint64(d.octet())
	case codeUlong:
		return d.uint64()
	default:
		d.mismatch(name, c, "ulong")
		return def
	}
}

// timestamp reads a timestamp; 0 stands for null.
func (d *decoder) timestamp(name string) Timestamp {
	if !d.present(name, optional) {
		return 0
	}
	if c := d.octet(); c != codeTimestamp {
		d.mismatch(name, c, "timestamp")
		return 0
	}
	return Timestamp(d.uint64())
}

// octets reads a variable-width value with the 8-bit code given, or its 32-bit
// sibling. The result aliases the input.
func (d *decoder) octets(name string, p presence, code8 byte, want string) []byte {
	if !d.present(name, p) {
		return nil
	}
	return d.variable(name, code8, want)
}

// variable reads a variable-width field that is present.
func (d *decoder) variable(name string, code8 byte, want string) []byte {
	switch c := d.octet(); c {
	case code8:
		return d.take(int(d.octet()))
	case code8 + 0x10:
		return d.take(d.length())
	default:
		d.mismatch(name, c, want)
		return nil
	}
}

func (d *decoder) binary(name string, p presence) []byte {
	return d.octets(name, p, codeBin8, "binary")
}

// text reads a string; "" stands for null.
func (d *decoder) text(name string, p presence) string {
	return string(d.octets(name, p, codeStr8, "string"))
}

// textIf reads a string and reports whether it was there.
func (d *decoder) textIf(name string, p presence) (s string, ok bool) {
	if !d.present(name, p) {
		return "", false
	}
	return string(d.variable(name, codeStr8, "string")), true
}

// textOrSymbol reads a field that the specification calls a symbol and
// skupper-router writes as a string.
func (d *decoder) textOrSymbol(name string) (s string, symbol bool) {
	if !d.present(name, optional) {
		return "", false
	}
	if d.off < d.end && d.b[d.off]&^0x10 == codeSym8 {
		return string(d.variable(name, codeSym8, "symbol")), true
	}
	return string(d.variable(name, codeStr8, "string or symbol")), false
}

// textBytes reads a string or a symbol; nil stands for null. The result aliases
// the input.
func (d *decoder) textBytes(name string) []byte {
	if !d.present(name, optional) {
		return nil
	}
	code := byte(codeStr8)
	if d.off < d.end && d.b[d.off]&^0x10 == codeSym8 {
		code = codeSym8
	}
	return d.variable(name, code, "string or symbol")
}

// texts reads a mandatory list of strings and appends them to dst.
func (d *decoder) texts(name string, dst []string) []string {
	if !d.present(name, mandatory) {
		return dst
	}
	outer := d.list(name)
	for d.left > 0 && d.err == nil {
		dst = append(dst, d.text("element", mandatory))
	}
	d.close(outer)
	return dst
}

// symbol reads a symbol; "" stands for null.
func (d *decoder) symbol(name string, p presence) Symbol {
	return Symbol(d.octets(name, p, codeSym8, "symbol"))
}

// symbols reads a field of type symbol with multiple="true": null, one symbol
// or an array of them, AMQP 1.0 §1.4.
func (d *decoder) symbols(name string) []Symbol {
	switch v := d.anything(name).(type) {
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
	d.failf("%s: field %s is not an array of symbol", d.typ, name)
	return nil
}

// mapping reads a map; nil stands for null.
func (d *decoder) mapping(name string) Map {
	switch v := d.anything(name).(type) {
	case nil:
		return nil
	case Map:
		return v
	}
	d.failf("%s: field %s is not a map", d.typ, name)
	return nil
}

// address reads the address of a terminus: nil or a string. The specification
// leaves the type open; nothing but strings is in use.
func (d *decoder) address() any {
	if !d.present("address", optional) {
		return nil
	}
	return string(d.variable("address", codeStr8, "string"))
}

// state reads a delivery state; StateNone stands for null.
func (d *decoder) state(name string, s *State) {
	if !d.present(name, optional) {
		*s = State{}
		return
	}
	s.decode(d)
}

// anything reads any value; nil stands for null.
func (d *decoder) anything(name string) any {
	if !d.present(name, optional) {
		return nil
	}
	return d.value(0)
}

// raw reads any value as its encoding; nil stands for null.
func (d *decoder) raw(name string) []byte {
	if !d.present(name, optional) {
		return nil
	}
	start := d.off
	d.skip()
	if d.err != nil {
		return nil
	}
	return d.b[start:d.off:d.off]
}

// failure reads the error of a composite type; nil stands for null.
func (d *decoder) failure() *Error {
	if !d.present("error", optional) {
		return nil
	}
	if c := d.descriptor(); c != CodeError {
		d.failf("%s: field error has descriptor %#x", d.typ, c)
		return nil
	}
	e := new(Error)
	outer := d.list("error")
	e.Condition = d.symbol("condition", mandatory)
	e.Description = d.text("description", optional)
	e.Info = d.mapping("info")
	d.close(outer)
	return e
}
