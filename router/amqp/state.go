package amqp

import "bytes"

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
	// StateOther is any state that is not AMQP's: it is passed on unread.
	StateOther StateCode = 0xff
)

// MaxOtherState bounds a state that is passed on unread, in octets. A longer one
// is read as none.
const MaxOtherState = 4096

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
	case StateOther:
		return "other"
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

	Other []byte // other: the described value as it came, a copy
}

// Terminal reports whether the state is an outcome: the delivery has ended at
// the receiver.
func (s *State) Terminal() bool {
	switch s.Code {
	case StateAccepted, StateRejected, StateReleased, StateModified:
		return true
	case StateNone, StateReceived, StateDeclared, StateTransactional, StateOther:
		return false
	}
	return false
}

// Append appends the state; StateNone is null.
func (s *State) Append(dst []byte) []byte {
	if s.Code == StateNone {
		return append(dst, codeNull)
	}
	if s.Code == StateOther {
		return append(dst, s.Other...)
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
	case StateNone, StateAccepted, StateReleased, StateDeclared, StateTransactional, StateOther:
	}
	return l.end()
}

// decode reads the state at the cursor.
func (s *State) decode(d *decoder) {
	*s = State{}
	if s.decodeOther(d) {
		return
	}
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
	case StateNone, StateAccepted, StateReleased, StateDeclared, StateTransactional, StateOther:
	}
	d.close(outer)
}

// ownDescriptors is where the descriptors of AMQP's own types end.
const ownDescriptors = 0x80

// decodeOther reads the state at the cursor if it is none of AMQP's. It reports
// false, and reads nothing, if it is, or if it is no described value.
func (s *State) decodeOther(d *decoder) bool {
	ahead := *d
	code := ahead.descriptor()
	if ahead.err == nil && code < ownDescriptors || d.off == len(d.b) || d.b[d.off] != codeDescribed {
		return false
	}
	start := d.off
	d.skip()
	if n := d.off - start; d.err == nil && n <= MaxOtherState {
		s.Code, s.Other = StateOther, bytes.Clone(d.b[start:d.off])
	}
	return true
}
