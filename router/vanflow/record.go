package vanflow

import (
	"math"
	"slices"

	"github.com/skupper-host/skupper/router/amqp"
)

// Attribute is an attribute with its value: Number if the code is one of a
// number, Text otherwise.
type Attribute struct {
	Code   Code
	Number uint64
	Text   string
}

// Number returns an attribute that is a number.
func Number(c Code, n uint64) Attribute { return Attribute{Code: c, Number: n} }

// Text returns an attribute that is text.
func Text(c Code, s string) Attribute { return Attribute{Code: c, Text: s} }

// Record is what one emission says about a record: everything that is known,
// or what changed since the emission before.
type Record struct {
	Type       Type
	Identity   string
	Attributes []Attribute // ascending by code, without record type and identity
}

// find returns the position of an attribute, or where it belongs.
func (r *Record) find(c Code) (int, bool) {
	return slices.BinarySearchFunc(r.Attributes, c, func(a Attribute, c Code) int { return int(a.Code) - int(c) })
}

// Text returns the attribute's text, "" if it is not set.
func (r *Record) Text(c Code) string {
	if i, ok := r.find(c); ok {
		return r.Attributes[i].Text
	}
	return ""
}

// Number returns the attribute's number, 0 if it is not set.
func (r *Record) Number(c Code) uint64 {
	if i, ok := r.find(c); ok {
		return r.Attributes[i].Number
	}
	return 0
}

// Set sets an attribute and reports whether that changed anything.
func (r *Record) Set(a Attribute) bool {
	i, ok := r.find(a.Code)
	if !ok {
		r.Attributes = slices.Insert(r.Attributes, i, a)
		return true
	}
	if r.Attributes[i] == a {
		return false
	}
	r.Attributes[i] = a
	return true
}

// Merge sets every attribute of a later emission of the same record.
func (r *Record) Merge(later *Record) {
	for _, a := range later.Attributes {
		r.Set(a)
	}
}

// Ended reports whether the record has an end time.
func (r *Record) Ended() bool { return r.Number(AttrEndTime) != 0 }

// CertificateExpiry returns when the certificate ends that a link or a place for
// links shows, in µs since 1970; 0 is not known. See SetExpiry of Link.
func (r *Record) CertificateExpiry() uint64 {
	if d := r.Number(AttrDuration); d != 0 {
		return r.Number(AttrStartTime) + d
	}
	return 0
}

// decodeRecord reads one element of the body of a RECORD message. Attributes
// that are unknown or of an impossible type are left out. A record without
// identity or of an unknown type is refused.
func decodeRecord(v any) (r Record, ok bool) {
	m, ok := v.(amqp.Map)
	if !ok {
		return Record{}, false
	}
	typed := false
	r.Attributes = make([]Attribute, 0, max(len(m)-2, 0)) // but for type and identity
	for _, p := range m {
		code, ok := number(p.Key)
		if !ok || code > math.MaxUint32 || !Code(code).known() {
			continue
		}
		c := Code(code)
		n, isNumber := number(p.Value)
		s, isText := text(p.Value)
		switch {
		case c == AttrRecordType && isNumber && n <= uint64(maxType):
			r.Type, typed = Type(n), true
		case c == AttrIdentity && isText:
			r.Identity = s
		case c == AttrRecordType || c == AttrIdentity:
			return Record{}, false
		case c.IsNumber() && isNumber:
			r.Set(Number(c, n))
		case !c.IsNumber() && isText:
			r.Set(Text(c, s))
		}
	}
	return r, typed && r.Identity != ""
}

// number reads an integer of any width; negative ones are none of ours.
func number(v any) (n uint64, ok bool) {
	switch v := v.(type) {
	case uint64:
		return v, true
	case uint32:
		return uint64(v), true
	case uint16:
		return uint64(v), true
	case uint8:
		return uint64(v), true
	case int64:
		return uint64(v), v >= 0
	case int32:
		return uint64(v), v >= 0
	case int16:
		return uint64(v), v >= 0
	case int8:
		return uint64(v), v >= 0
	case amqp.Timestamp:
		return uint64(v), v >= 0
	}
	return 0, false
}

func text(v any) (s string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case amqp.Symbol:
		return string(v), true
	}
	return "", false
}
