package amqp

import "encoding/binary"

// FrameHeaderSize is the size of a frame without extended header and body, in
// octets. Such a frame on channel 0 is the heartbeat, AMQP 1.0 §2.4.5.
const FrameHeaderSize = 8

// Frame types, AMQP 1.0 §2.3.1 and §5.3.1.
const (
	FrameAMQP uint8 = 0
	FrameSASL uint8 = 1
)

// Protocol headers: what each side sends before its first frame of a layer.
const (
	ProtocolHeaderAMQP = "AMQP\x00\x01\x00\x00"
	ProtocolHeaderTLS  = "AMQP\x02\x01\x00\x00"
	ProtocolHeaderSASL = "AMQP\x03\x01\x00\x00"
)

// FrameHeader is the fixed part of a frame, AMQP 1.0 §2.3.1.
type FrameHeader struct {
	Size       uint32 // octets, this header included
	DataOffset uint8  // in units of 4 octets: where the body starts
	Type       uint8
	Channel    uint16 // without meaning in SASL frames
}

// BodyOffset returns the position of the body in the frame, in octets.
func (h FrameHeader) BodyOffset() int { return int(h.DataOffset) * 4 }

// ParseFrameHeader parses the first 8 octets of a frame. It does not compare
// Size with any limit; the caller does, before it waits for the rest.
func ParseFrameHeader(b []byte) (FrameHeader, error) {
	if len(b) < FrameHeaderSize {
		return FrameHeader{}, framingErrorf("frame header of %d octets", len(b))
	}
	h := FrameHeader{
		Size:       binary.BigEndian.Uint32(b),
		DataOffset: b[4],
		Type:       b[5],
		Channel:    binary.BigEndian.Uint16(b[6:]),
	}
	if h.DataOffset < 2 || uint32(h.DataOffset)*4 > h.Size {
		return FrameHeader{}, framingErrorf("frame of %d octets with data offset %d", h.Size, h.DataOffset)
	}
	if h.Type > FrameSASL {
		return FrameHeader{}, framingErrorf("frame type %d", h.Type)
	}
	return h, nil
}

// AppendFrameHeader appends the header of a frame whose size is not known yet;
// FinishFrame fills it in.
func AppendFrameHeader(dst []byte, typ uint8, channel uint16) []byte {
	return append(dst, 0, 0, 0, 0, 2, typ, byte(channel>>8), byte(channel))
}

// FinishFrame writes the size of frame, which must start at its header and end
// at its last octet.
func FinishFrame(frame []byte) {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)))
}

// AppendHeartbeat appends an empty frame.
func AppendHeartbeat(dst []byte) []byte {
	return append(dst, 0, 0, 0, 8, 2, 0, 0, 0)
}
