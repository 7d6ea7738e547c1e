package amqp

// StateCode names a delivery state by the low octet of its descriptor, AMQP
// 1.0 §3.4 and §4.5.
type StateCode uint8

// Delivery states. The zero value means that no state is present.
const (
	StateNone          StateCode = 0
	StateReceived      StateCode = 0x23
	StateAccepted      StateCode = 0x24
	StateRejected      StateCode = 0x25
	StateReleased      StateCode = 0x26
	StateModified      StateCode = 0x27
	StateDeclared      StateCode = 0x33
	StateTransactional StateCode = 0x34
)

// String returns the name of the state in the specification.
func (c StateCode) String() string {
	switch c {
	case StateNone:
		return "none"
	case StateReceived:
		return "received"
	case StateAccepted:
		return "accepted"
	case StateRejected:
		return "rejected"
	case StateReleased:
		return "released"
	case StateModified:
		return "modified"
	case StateDeclared:
		return "declared"
	case StateTransactional:
		return "transactional-state"
	}
	return "unknown"
}

// State is a delivery state. Only the fields that belong to its Code are
// meaningful; transactional states are recognised, their content is not kept.
type State struct {
	Code StateCode

	Section uint32 // received: section number
	Offset  uint64 // received: octets of that section

	Failed        bool // modified: delivery-failed
	Undeliverable bool // modified: undeliverable-here
	Annotations   Map  // modified: message annotations

	Error *Error // rejected
}

// Terminal reports whether the state is an outcome: the delivery has ended at
// the receiver.
func (s *State) Terminal() bool {
	switch s.Code {
	case StateAccepted, StateRejected, StateReleased, StateModified:
		return true
	case StateNone, StateReceived, StateDeclared, StateTransactional:
		return false
	}
	return false
}

// Append appends the state; StateNone is null.
func (s *State) Append(dst []byte) []byte {
	if s.Code == StateNone {
		return append(dst, codeNull)
	}
	l := beginDescribedList(dst, uint64(s.Code))
	switch s.Code {
	case StateReceived:
		l.uint(s.Section)
		l.ulongWide(s.Offset)
	case StateRejected:
		l.err(s.Error)
	case StateModified:
		l.bool(s.Failed)
		l.bool(s.Undeliverable)
		l.mapping(s.Annotations)
	case StateNone, StateAccepted, StateReleased, StateDeclared, StateTransactional:
	}
	return l.end()
}

// decode reads the state at the cursor.
func (s *State) decode(d *decoder) {
	*s = State{}
	code := d.descriptor()
	switch code {
	case uint64(StateReceived), uint64(StateAccepted), uint64(StateRejected), uint64(StateReleased),
		uint64(StateModified), uint64(StateDeclared), uint64(StateTransactional):
		s.Code = StateCode(code)
	default:
		d.failf("%#x is not a delivery state", code)
		return
	}
	outer := d.list("delivery-state")
	switch s.Code {
	case StateReceived:
		s.Section = d.uint("section-number", mandatory, 0)
		s.Offset = d.ulong("section-offset", mandatory, 0)
	case StateRejected:
		s.Error = d.failure()
	case StateModified:
		s.Failed = d.bool("delivery-failed")
		s.Undeliverable = d.bool("undeliverable-here")
		s.Annotations = d.mapping("message-annotations")
	case StateNone, StateAccepted, StateReleased, StateDeclared, StateTransactional:
	}
	d.close(outer)
}
