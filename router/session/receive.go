package session

import (
	"encoding/binary"

	"github.com/skupper-host/skupper/router/amqp"
)

// FrameSize returns the size of the frame that begins buf, 0 while that is not
// known. Receive takes a frame only when all of it is there.
func FrameSize(buf []byte) int {
	if len(buf) < 4 {
		return 0
	}
	return int(binary.BigEndian.Uint32(buf))
}

// Receive handles the whole frames at the start of buf and returns how many
// octets they were and what they caused. It stops early when there are many
// events: call it again until n is 0. A returned error has ended the
// connection: Close is queued, and nothing more is received; the events before
// it are valid. The slice of events is reused.
func (e *Engine) Receive(buf []byte) (n int, events []Event, err error) {
	clear(e.events)
	e.events, e.states = e.events[:0], e.states[:0]
	for len(e.events) < maxEvents {
		size, err := e.receiveFrame(buf[n:])
		if err != nil {
			return len(buf), e.events, err
		}
		if size == 0 {
			break
		}
		n += size
	}
	return n, e.events, nil
}

// receiveFrame handles the frame at the start of b and returns its size, 0 if
// it is not all there.
func (e *Engine) receiveFrame(b []byte) (int, error) {
	if e.peerClosed || e.deaf {
		return len(b), nil
	}
	if len(b) < amqp.FrameHeaderSize {
		return 0, nil
	}
	h, err := amqp.ParseFrameHeader(b)
	if err == nil && h.Size > e.p.MaxFrameSize {
		err = newError(amqp.ErrFraming, "a frame of %d octets, the maximum is %d", h.Size, e.p.MaxFrameSize)
	}
	if err == nil && h.Type != amqp.FrameAMQP {
		err = newError(amqp.ErrFraming, "a frame of type %d", h.Type)
	}
	if err != nil {
		e.deaf = true
		return 0, e.fail(nil, decodeError(err))
	}
	if int(h.Size) > len(b) {
		return 0, nil
	}
	return int(h.Size), e.receiveBody(h.Channel, b[h.BodyOffset():h.Size])
}

// receiveBody handles one performative.
func (e *Engine) receiveBody(ch uint16, body []byte) error {
	if len(body) == 0 {
		return nil // heartbeat
	}
	code, err := amqp.Descriptor(body)
	if err != nil {
		return e.fail(nil, decodeError(err))
	}
	if e.closing && e.closeErr != nil && code != amqp.CodeClose {
		return nil // our close has given the reason; the rest is late
	}
	if e.remote == nil && code != amqp.CodeOpen && code != amqp.CodeClose {
		return e.fail(nil, connErrorf(amqp.ErrIllegalState, "performative %#x before open", code))
	}
	switch code {
	case amqp.CodeOpen, amqp.CodeBegin, amqp.CodeClose:
		return e.fail(nil, e.receiveConnection(ch, body))
	case amqp.CodeAttach, amqp.CodeFlow, amqp.CodeTransfer, amqp.CodeDisposition, amqp.CodeDetach, amqp.CodeEnd:
	default:
		return e.fail(nil, connErrorf(amqp.ErrNotImplemented, "performative %#x", code))
	}
	var s *Session
	if int(ch) < len(e.peers) {
		s = e.peers[ch]
	}
	if s == nil {
		return e.fail(nil, connErrorf(amqp.ErrNotAllowed, "performative %#x on channel %d, where no session is begun", code, ch))
	}
	if s.ended && code != amqp.CodeEnd {
		return nil // sent before the peer saw our end
	}
	err = e.fail(s, s.receive(code, body))
	if err == nil && e.control.len() > e.p.Control {
		return e.fail(nil, connErrorf(amqp.ErrResourceLimitExceeded, "%d octets of answers wait to be read", e.control.len()))
	}
	return err
}

// receiveConnection handles what is not sent within a session.
func (e *Engine) receiveConnection(ch uint16, body []byte) error {
	p, _, err := amqp.DecodePerformative(body)
	if err != nil {
		return asConnError(decodeError(err))
	}
	switch p := p.(type) {
	case *amqp.Open:
		if e.remote != nil {
			return connErrorf(amqp.ErrIllegalState, "a second open")
		}
		e.remote = p
		e.peerFrame = int(min(p.MaxFrameSize, 1<<30))
		e.channelMax = min(e.channelMax, p.ChannelMax)
		e.event(Event{Kind: EventOpened, Open: p})
	case *amqp.Begin:
		if ch > e.p.ChannelMax {
			return connErrorf(amqp.ErrFraming, "begin on channel %d, the maximum is %d", ch, e.p.ChannelMax)
		}
		return e.receiveBegin(ch, p)
	case *amqp.Close:
		e.peerClosed = true
		if !e.closing {
			e.Close(nil)
		}
		e.closeAtOnce = true
		e.event(Event{Kind: EventClosed, Err: p.Error})
	}
	return nil
}

// asConnError widens an error that no session can take.
func asConnError(err error) error {
	if s, ok := err.(*SessionError); ok {
		return &ConnError{s.Err}
	}
	return err
}

// receive handles a performative within the session.
func (s *Session) receive(code uint64, body []byte) error {
	switch code {
	case amqp.CodeTransfer:
		return s.receiveTransfer(body)
	case amqp.CodeFlow:
		var f amqp.Flow
		if err := f.Decode(body); err != nil {
			return decodeError(err)
		}
		return s.receiveFlow(&f)
	case amqp.CodeDisposition:
		var d amqp.Disposition
		if err := d.Decode(body); err != nil {
			return decodeError(err)
		}
		if d.Role == amqp.RoleReceiver {
			s.receiveReceiverDisposition(&d)
		} else {
			s.receiveSenderDisposition(&d)
		}
		return nil
	}
	p, _, err := amqp.DecodePerformative(body)
	if err != nil {
		return decodeError(err)
	}
	switch p := p.(type) {
	case *amqp.Attach:
		return s.receiveAttach(p)
	case *amqp.Detach:
		return s.receiveDetach(p)
	case *amqp.End:
		s.receiveEnd(p)
	}
	return nil
}
