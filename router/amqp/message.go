package amqp

// BodyKind says what the body of a message is made of, AMQP 1.0 §3.2.
type BodyKind uint8

// Kinds of body.
const (
	BodyNone     BodyKind = iota // no body section at all
	BodyData                     // one or more data sections
	BodySequence                 // one or more amqp-sequence sections
	BodyValue                    // one amqp-value section
)

// Message is a whole message. Nil sections are absent.
type Message struct {
	Annotations           *Annotations
	Header                *Header
	DeliveryAnnotations   Map
	MessageAnnotations    Map
	Properties            *Properties
	ApplicationProperties Map

	Kind     BodyKind
	Data     [][]byte // BodyData; aliases the input of ParseMessage
	Sequence []List   // BodySequence
	Value    any      // BodyValue

	// Extra is what follows the body section "amqp-value null" of a stream:
	// raw octets, not AMQP. It aliases the input of ParseMessage.
	Extra []byte

	Footer Map
}

// maxBodySections bounds the data or amqp-sequence sections of one message.
const maxBodySections = 4096

// ParseMessage decodes all sections of a message. Sections must come in the
// order of AMQP 1.0 §3.2, each of them is optional here. Behind an amqp-value
// of null everything that does not begin a footer is Extra.
//
// Errors are *Error: amqp:decode-error or amqp:invalid-field.
func ParseMessage(b []byte) (*Message, error) {
	m := new(Message)
	if IsAnnotations(b) {
		m.Annotations = new(Annotations)
		rest, err := m.Annotations.Decode(b)
		if err != nil {
			return nil, err
		}
		b = rest
	}
	d := newDecoder(b)
	last := uint64(0)
	for d.off < d.end && d.err == nil {
		start := d.off
		if m.streams() && !startsFooter(d.rest()) {
			m.Extra = d.rest()
			break
		}
		code := d.descriptor()
		if d.err != nil {
			break
		}
		repeats := code == last && (code == SectionData || code == SectionSequence)
		if code <= last && !repeats || m.Kind != BodyNone && !repeats && code != SectionFooter {
			d.failf("section %#x at %d after section %#x", code, start, last)
			break
		}
		last = code
		m.decodeSection(&d, code)
	}
	if d.err != nil {
		return nil, d.err
	}
	return m, nil
}

func (m *Message) streams() bool { return m.Kind == BodyValue && m.Value == nil }

func startsFooter(b []byte) bool {
	code, err := Descriptor(b)
	return err == nil && code == SectionFooter
}

func (m *Message) decodeSection(d *decoder, code uint64) {
	switch code {
	case SectionHeader:
		m.Header = new(Header)
		m.Header.decodeFields(d)
	case SectionDeliveryAnnotations:
		m.DeliveryAnnotations = d.mapSection("delivery-annotations")
	case SectionMessageAnnotations:
		m.MessageAnnotations = d.mapSection("message-annotations")
	case SectionProperties:
		m.Properties = new(Properties)
		m.Properties.decodeFields(d)
	case SectionApplicationProperties:
		m.ApplicationProperties = d.mapSection("application-properties")
	case SectionData:
		m.Kind = BodyData
		if len(m.Data) == maxBodySections {
			d.failf("more than %d data sections", maxBodySections)
		}
		v, ok := d.value(0).([]byte)
		if !ok {
			d.failf("data section without binary")
		}
		m.Data = append(m.Data, v)
	case SectionSequence:
		m.Kind = BodySequence
		if len(m.Sequence) == maxBodySections {
			d.failf("more than %d amqp-sequence sections", maxBodySections)
		}
		v, ok := d.value(0).(List)
		if !ok {
			d.failf("amqp-sequence section without list")
		}
		m.Sequence = append(m.Sequence, v)
	case SectionValue:
		m.Kind = BodyValue
		m.Value = d.value(0)
	case SectionFooter:
		m.Footer = d.mapSection("footer")
	default:
		d.failf("%#x is not a message section", code)
	}
}

// mapSection reads the map of a section. It is not nil if there is no error.
func (d *decoder) mapSection(name string) Map {
	m, ok := d.value(0).(Map)
	if !ok {
		d.failf("%s: want a map", name)
	}
	return m
}

// Append appends the message with the shortest encodings, as a client writes
// it. Extra follows the body.
func (m *Message) Append(dst []byte) []byte {
	if m.Annotations != nil {
		dst = m.Annotations.Append(dst)
	}
	if m.Header != nil {
		dst = m.Header.Append(dst)
	}
	dst = appendMapSection(dst, SectionDeliveryAnnotations, m.DeliveryAnnotations, false)
	dst = appendMapSection(dst, SectionMessageAnnotations, m.MessageAnnotations, false)
	if m.Properties != nil {
		dst = m.Properties.Append(dst)
	}
	dst = appendMapSection(dst, SectionApplicationProperties, m.ApplicationProperties, false)
	return m.appendBody(dst, false)
}

// AppendWide appends the message as skupper-router composes its own: header
// "durable=false" if there is one, 32-bit lists and maps, and at least
// properties fields in the properties section (compat:).
func (m *Message) AppendWide(dst []byte, properties int) []byte {
	if m.Annotations != nil {
		dst = m.Annotations.Append(dst)
	}
	if m.Header != nil {
		dst = AppendHeaderWide(dst)
	}
	dst = appendMapSection(dst, SectionDeliveryAnnotations, m.DeliveryAnnotations, true)
	dst = appendMapSection(dst, SectionMessageAnnotations, m.MessageAnnotations, true)
	if m.Properties != nil {
		dst = m.Properties.AppendWide(dst, properties)
	}
	dst = appendMapSection(dst, SectionApplicationProperties, m.ApplicationProperties, true)
	return m.appendBody(dst, true)
}

func (m *Message) appendBody(dst []byte, wide bool) []byte {
	switch m.Kind {
	case BodyNone:
	case BodyData:
		for _, b := range m.Data {
			dst = AppendBinary(AppendDescriptor(dst, SectionData), b)
		}
	case BodySequence:
		for _, l := range m.Sequence {
			dst = appendAny(AppendDescriptor(dst, SectionSequence), l, wide)
		}
	case BodyValue:
		dst = appendAny(AppendDescriptor(dst, SectionValue), m.Value, wide)
	}
	dst = append(dst, m.Extra...)
	return appendMapSection(dst, SectionFooter, m.Footer, wide)
}

// appendMapSection appends nothing for a nil map.
func appendMapSection(dst []byte, code uint64, m Map, wide bool) []byte {
	if m == nil {
		return dst
	}
	return appendAny(AppendDescriptor(dst, code), m, wide)
}
