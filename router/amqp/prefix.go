package amqp

// MaxPrefix bounds the sections in front of the body of a message, in octets.
// Whoever sends more is not routed.
const MaxPrefix = 64 << 10

// Span is a part of a buffer. A section always has Len > 0, so the zero value
// means absent.
type Span struct{ Off, Len int }

// In returns the part of buf that s denotes, nil if s is absent.
func (s Span) In(buf []byte) []byte {
	if s.Len == 0 {
		return nil
	}
	return buf[s.Off : s.Off+s.Len : s.Off+s.Len]
}

// Prefix is what the beginning of a message says about its route. The spans of
// sections include their descriptors. Byte slices alias the buffer that was
// scanned.
type Prefix struct {
	Annotations           Span // router annotations, for Annotations.Decode
	Header                Span
	DeliveryAnnotations   Span
	MessageAnnotations    Span
	Properties            Span
	ApplicationProperties Span

	Priority      uint8  // of the header, DefaultPriority if absent
	To            []byte // nil = absent, also below
	ReplyTo       []byte
	CorrelationID []byte // encoded value with its constructor
	ContentType   []byte

	// Null reports a body of amqp-value null: raw octets follow it.
	Null bool
	// BodyOffset is where the raw octets start if Null, else where the body
	// section starts. Meaningful when the scan is complete.
	BodyOffset int
	// End is where the last whole section in front of the body ends. A
	// delivery that ends there has no body.
	End int
}

// ScanPrefix scans the sections in front of the body of a message, of which
// buf holds the first octets. Call it again with more of the message while
// complete is false; p then holds what the whole sections said so far. No more
// than MaxPrefix octets are ever needed.
//
// A message may end without a body: if a delivery is over and p.End is
// len(buf), the prefix is all there is.
//
// Errors are *Error: amqp:decode-error for malformed sections, a wrong order
// of sections or an unknown one, amqp:invalid-field for fields of wrong types,
// amqp:resource-limit-exceeded beyond MaxPrefix. They do not depend on how the
// message was split.
func ScanPrefix(buf []byte) (p Prefix, complete bool, err error) {
	p.Priority = DefaultPriority
	d := newDecoder(buf)
	if IsAnnotations(buf) {
		d.off = len(annotationsDescriptor)
		if d.skip(); d.err == nil {
			p.Annotations = Span{Len: d.off}
		}
	}
	last := uint64(0)
	for d.err == nil && d.off <= MaxPrefix {
		start := d.off
		p.End = start
		code := d.descriptor()
		if d.err == nil && (code < SectionHeader || code > SectionValue || code <= last) {
			d.failf("section %#x at %d after section %#x", code, start, last)
		}
		if d.err == nil && code >= SectionData {
			p.body(&d, code, start)
			if d.err == nil {
				return p, true, nil
			}
		}
		if d.err == nil {
			p.section(&d, code, start)
		}
		last = code
	}
	return p, false, prefixError(&d, len(buf))
}

// prefixError returns why the scan stopped, nil if more octets will help.
func prefixError(d *decoder, n int) error {
	if d.err != nil && !d.short {
		return d.err
	}
	if d.off > MaxPrefix || n > MaxPrefix {
		return &Error{Condition: ErrResourceLimitExceeded, Description: "sections in front of the body are too long"}
	}
	return nil
}

func (p *Prefix) body(d *decoder, code uint64, start int) {
	p.BodyOffset = start
	if code != SectionValue {
		return
	}
	if d.has(1) && d.null() {
		p.Null = true
		p.BodyOffset = d.off
	}
}

// section reads a section in front of the body. Nothing of a section that is
// not whole is kept.
func (p *Prefix) section(d *decoder, code uint64, start int) {
	q := *p
	var at *Span
	switch code {
	case SectionHeader:
		var h Header
		h.decodeFields(d)
		q.Priority = min(h.Priority, MaxPriority)
		at = &q.Header
	case SectionDeliveryAnnotations:
		d.skip()
		at = &q.DeliveryAnnotations
	case SectionMessageAnnotations:
		d.skip()
		at = &q.MessageAnnotations
	case SectionProperties:
		q.properties(d)
		at = &q.Properties
	default:
		d.skip()
		at = &q.ApplicationProperties
	}
	if d.err == nil {
		*at = Span{Off: start, Len: d.off - start}
		*p = q
	}
}

// properties reads the fields up to content-type.
func (p *Prefix) properties(d *decoder) {
	outer := d.list("properties")
	d.raw("message-id")
	d.raw("user-id")
	p.To = d.textBytes("to")
	d.raw("subject")
	p.ReplyTo = d.textBytes("reply-to")
	p.CorrelationID = d.raw("correlation-id")
	p.ContentType = d.textBytes("content-type")
	d.close(outer)
}
