package amqp

// DefaultPriority is the priority of a message without header, AMQP 1.0
// §3.2.1.
const DefaultPriority uint8 = 4

// MaxPriority is the highest priority, AMQP 1.0 §3.2.1; a router treats
// higher ones as this.
const MaxPriority uint8 = 9

// Header is the header section, AMQP 1.0 §3.2.1.
type Header struct {
	Durable       bool
	Priority      uint8
	HasPriority   bool
	TTL           uint32 // ms
	HasTTL        bool
	FirstAcquirer bool
	DeliveryCount uint32
}

func (h *Header) decodeFields(d *decoder) {
	outer := d.list("header")
	h.Durable = d.bool("durable")
	h.Priority, h.HasPriority = d.ubyteIf("priority")
	if !h.HasPriority {
		h.Priority = DefaultPriority
	}
	h.TTL, h.HasTTL = d.uintIf("ttl", optional)
	h.FirstAcquirer = d.bool("first-acquirer")
	h.DeliveryCount = d.uint("delivery-count", optional, 0)
	d.close(outer)
}

// Append appends the section with defaults left out.
func (h *Header) Append(dst []byte) []byte {
	l := beginDescribedList(dst, SectionHeader)
	l.boolIfTrue(h.Durable)
	l.ubyteIf(h.HasPriority, h.Priority)
	l.uintIf(h.HasTTL, h.TTL)
	l.boolIfTrue(h.FirstAcquirer)
	l.uintIf(h.DeliveryCount != 0, h.DeliveryCount)
	return l.end()
}

// AppendHeaderWide appends the header of the messages that skupper-router
// composes itself: a list32 that says durable=false (compat:).
func AppendHeaderWide(dst []byte) []byte {
	dst, list := AppendList32Header(AppendDescriptor(dst, SectionHeader))
	dst = append(dst, codeFalse)
	FinishCompound32(dst, list, 1)
	return dst
}

// Properties is the properties section, AMQP 1.0 §3.2.4. Empty strings, nil
// and zero times mean absent.
type Properties struct {
	MessageID          any // uint64, UUID, []byte or string by the specification
	UserID             []byte
	To                 string
	Subject            string
	ReplyTo            string
	CorrelationID      any // as MessageID; returned to its sender unchanged
	ContentType        string
	ContentTypeSymbol  bool // written as symbol, as the specification wants, not as string
	ContentEncoding    Symbol
	AbsoluteExpiryTime Timestamp
	CreationTime       Timestamp
	GroupID            string
	GroupSequence      uint32
	HasGroupSequence   bool
	ReplyToGroupID     string
}

func (p *Properties) decodeFields(d *decoder) {
	outer := d.list("properties")
	p.MessageID = d.anything("message-id")
	p.UserID = d.binary("user-id", optional)
	p.To = d.text("to", optional)
	p.Subject = d.text("subject", optional)
	p.ReplyTo = d.text("reply-to", optional)
	p.CorrelationID = d.anything("correlation-id")
	p.ContentType, p.ContentTypeSymbol = d.textOrSymbol("content-type")
	p.ContentEncoding = d.symbol("content-encoding", optional)
	p.AbsoluteExpiryTime = d.timestamp("absolute-expiry-time")
	p.CreationTime = d.timestamp("creation-time")
	p.GroupID = d.text("group-id", optional)
	p.GroupSequence, p.HasGroupSequence = d.uintIf("group-sequence", optional)
	p.ReplyToGroupID = d.text("reply-to-group-id", optional)
	d.close(outer)
}

// Append appends the section.
func (p *Properties) Append(dst []byte) []byte {
	l := beginDescribedList(dst, SectionProperties)
	p.appendFields(&l)
	return l.end()
}

// AppendWide appends the section as a list32. At least fields fields are
// written, trailing ones as null: skupper-router composes a fixed number for
// each kind of message (compat:).
func (p *Properties) AppendWide(dst []byte, fields int) []byte {
	dst, list := AppendList32Header(AppendDescriptor(dst, SectionProperties))
	l := listWriter{buf: dst, start: list, size: len(dst)}
	p.appendFields(&l)
	dst = l.buf[:l.size]
	for n := l.last; n < fields; n++ {
		dst = append(dst, codeNull)
	}
	FinishCompound32(dst, list, max(l.last, fields))
	return dst
}

func (p *Properties) appendFields(l *listWriter) {
	l.value(p.MessageID)
	l.binary(p.UserID)
	l.text(p.To)
	l.text(p.Subject)
	l.text(p.ReplyTo)
	l.value(p.CorrelationID)
	if p.ContentTypeSymbol {
		l.symbol(Symbol(p.ContentType))
	} else {
		l.text(p.ContentType)
	}
	l.symbol(p.ContentEncoding)
	l.timestamp(p.AbsoluteExpiryTime)
	l.timestamp(p.CreationTime)
	l.text(p.GroupID)
	l.uintIf(p.HasGroupSequence, p.GroupSequence)
	l.text(p.ReplyToGroupID)
}
