package amqp

// Descriptors of the performatives and of the types they contain, AMQP 1.0
// part 2 and §5.3.
const (
	CodeOpen           uint64 = 0x10
	CodeBegin          uint64 = 0x11
	CodeAttach         uint64 = 0x12
	CodeFlow           uint64 = 0x13
	CodeTransfer       uint64 = 0x14
	CodeDisposition    uint64 = 0x15
	CodeDetach         uint64 = 0x16
	CodeEnd            uint64 = 0x17
	CodeClose          uint64 = 0x18
	CodeError          uint64 = 0x1d
	CodeSource         uint64 = 0x28
	CodeTarget         uint64 = 0x29
	CodeCoordinator    uint64 = 0x30
	CodeSASLMechanisms uint64 = 0x40
	CodeSASLInit       uint64 = 0x41
	CodeSASLChallenge  uint64 = 0x42
	CodeSASLResponse   uint64 = 0x43
	CodeSASLOutcome    uint64 = 0x44
)

// Defaults of absent fields.
const (
	DefaultMaxFrameSize uint32 = 1<<32 - 1 // octets, AMQP 1.0 §2.7.1
	DefaultChannelMax   uint16 = 1<<16 - 1 // AMQP 1.0 §2.7.1
	DefaultHandleMax    uint32 = 1<<32 - 1 // AMQP 1.0 §2.7.2
	MinMaxFrameSize     uint32 = 512       // octets, AMQP 1.0 §2.7.1
)

// Performative is one of *Open, *Begin, *Attach, *Flow, *Transfer,
// *Disposition, *Detach, *End, *Close and the five SASL bodies.
type Performative interface {
	// Append appends the described list, without frame header.
	Append(dst []byte) []byte
	decodeFields(d *decoder)
}

// Role says which end of a link the sender of a frame is, AMQP 1.0 §2.8.1.
type Role bool

const (
	RoleSender   Role = false
	RoleReceiver Role = true
)

// Settle modes, AMQP 1.0 §2.8.2 and §2.8.3.
const (
	SndUnsettled uint8 = 0
	SndSettled   uint8 = 1
	SndMixed     uint8 = 2
	RcvFirst     uint8 = 0
	RcvSecond    uint8 = 1
)

// Open negotiates the parameters of a connection, AMQP 1.0 §2.7.1.
type Open struct {
	ContainerID         string
	Hostname            string // empty = absent
	MaxFrameSize        uint32 // octets; 0 is written as absent and never decoded
	ChannelMax          uint16 // highest channel number; absent = 65535
	IdleTimeOut         uint32 // ms; 0 = absent
	OutgoingLocales     []Symbol
	IncomingLocales     []Symbol
	OfferedCapabilities []Symbol
	DesiredCapabilities []Symbol
	Properties          Map
}

// Begin begins a session on a channel, AMQP 1.0 §2.7.2.
type Begin struct {
	RemoteChannel       uint16
	HasRemoteChannel    bool // set in the answer to the peer's begin
	NextOutgoingID      uint32
	IncomingWindow      uint32 // transfer frames
	OutgoingWindow      uint32 // transfer frames
	HandleMax           uint32 // absent = 2^32-1
	OfferedCapabilities []Symbol
	DesiredCapabilities []Symbol
	Properties          Map
}

// Attach attaches a link to a session, AMQP 1.0 §2.7.3.
type Attach struct {
	Name                    string
	Handle                  uint32
	Role                    Role
	SndSettleMode           uint8   // absent = SndMixed
	RcvSettleMode           uint8   // absent = RcvFirst
	Source                  *Source // nil = null: no such terminus
	Target                  *Target // nil = null, or a coordinator
	Coordinator             bool    // the target is a transaction coordinator (decode only)
	Unsettled               Map
	IncompleteUnsettled     bool
	InitialDeliveryCount    uint32
	HasInitialDeliveryCount bool   // a sender must set it; proton sets it always
	MaxMessageSize          uint64 // octets; 0 = no limit
	OfferedCapabilities     []Symbol
	DesiredCapabilities     []Symbol
	Properties              Map
}

// Flow updates the windows of a session and, with a handle, the credit of a
// link, AMQP 1.0 §2.7.4.
type Flow struct {
	NextIncomingID    uint32
	HasNextIncomingID bool
	IncomingWindow    uint32 // transfer frames
	NextOutgoingID    uint32
	OutgoingWindow    uint32 // transfer frames
	Handle            uint32
	HasHandle         bool // false: the frame is about the session alone
	DeliveryCount     uint32
	HasDeliveryCount  bool
	LinkCredit        uint32 // deliveries
	HasLinkCredit     bool
	Available         uint32 // deliveries; 0 is written as absent
	Drain             bool
	Echo              bool
	Properties        Map
}

// Transfer carries a message or a part of one, AMQP 1.0 §2.7.5.
type Transfer struct {
	Handle           uint32
	DeliveryID       uint32
	HasDeliveryID    bool
	DeliveryTag      []byte // ≤ 32 octets; nil = absent; aliases the frame after Decode
	MessageFormat    uint32
	HasMessageFormat bool
	Settled          bool
	More             bool
	RcvSettleMode    uint8
	HasRcvSettleMode bool
	State            State
	Resume           bool
	Aborted          bool
	Batchable        bool
}

// Disposition reports the state of deliveries First to Last, AMQP 1.0 §2.7.6.
type Disposition struct {
	Role      Role
	First     uint32
	Last      uint32 // inclusive; First when absent on the wire
	Settled   bool
	State     State
	Batchable bool
}

// Detach detaches a link, AMQP 1.0 §2.7.7.
type Detach struct {
	Handle uint32
	Closed bool
	Error  *Error
}

// End ends a session, AMQP 1.0 §2.7.8.
type End struct{ Error *Error }

// Close closes a connection, AMQP 1.0 §2.7.9.
type Close struct{ Error *Error }

// Expiry policies of a terminus, AMQP 1.0 §3.5.6. An empty ExpiryPolicy field
// means absent, which is ExpireSessionEnd.
const (
	ExpireLinkDetach      Symbol = "link-detach"
	ExpireSessionEnd      Symbol = "session-end"
	ExpireConnectionClose Symbol = "connection-close"
	ExpireNever           Symbol = "never"
)

// Source is where the messages of a link come from, AMQP 1.0 §3.5.3.
type Source struct {
	Address               any // nil or string
	Durable               uint32
	ExpiryPolicy          Symbol
	Timeout               uint32 // s
	Dynamic               bool
	DynamicNodeProperties Map
	DistributionMode      Symbol
	Filter                Map
	DefaultOutcome        any
	Outcomes              []Symbol
	Capabilities          []Symbol // one is written bare, more as an array
}

// Target is where the messages of a link go to, AMQP 1.0 §3.5.4.
type Target struct {
	Address               any // nil or string
	Durable               uint32
	ExpiryPolicy          Symbol
	Timeout               uint32 // s
	Dynamic               bool
	DynamicNodeProperties Map
	Capabilities          []Symbol // one is written bare, more as an array
}

// Descriptor returns the code of the described value at the start of body
// without decoding it.
func Descriptor(body []byte) (code uint64, err error) {
	d := newDecoder(body)
	code = d.descriptor()
	return code, d.error()
}

// DecodePerformative decodes the performative at the start of body, the part
// of a frame after its extended header, and returns the payload behind it.
// Only a transfer has one. The empty body of a heartbeat is an error here.
//
// Errors are *Error: amqp:decode-error for malformed input and for fields of
// the wrong type, amqp:invalid-field for a mandatory field that is null and
// for values out of range.
func DecodePerformative(body []byte) (p Performative, payload []byte, err error) {
	d := newDecoder(body)
	code := d.descriptor()
	if d.err != nil {
		return nil, nil, d.err
	}
	p = newPerformative(code)
	if p == nil {
		return nil, nil, decodeErrorf("%#x is not a performative", code)
	}
	p.decodeFields(&d)
	if d.err != nil {
		return nil, nil, d.err
	}
	return p, d.rest(), nil
}

func newPerformative(code uint64) Performative {
	switch code {
	case CodeOpen:
		return new(Open)
	case CodeBegin:
		return new(Begin)
	case CodeAttach:
		return new(Attach)
	case CodeFlow:
		return new(Flow)
	case CodeTransfer:
		return new(Transfer)
	case CodeDisposition:
		return new(Disposition)
	case CodeDetach:
		return new(Detach)
	case CodeEnd:
		return new(End)
	case CodeClose:
		return new(Close)
	case CodeSASLMechanisms:
		return new(SASLMechanisms)
	case CodeSASLInit:
		return new(SASLInit)
	case CodeSASLChallenge:
		return new(SASLChallenge)
	case CodeSASLResponse:
		return new(SASLResponse)
	case CodeSASLOutcome:
		return new(SASLOutcome)
	}
	return nil
}

// expect reads a descriptor and fails if it is not code.
func (d *decoder) expect(code uint64, name string) {
	if c := d.descriptor(); c != code && d.err == nil {
		d.failf("descriptor %#x, want %s", c, name)
	}
}
