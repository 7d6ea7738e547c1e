package conn

import (
	"fmt"

	"github.com/skupper-host/skupper/router/amqp"
)

// Tracer hears of every frame of a connection in a form for people:
//
//	FRAME: 0 <- @begin(17) [next-outgoing-id=0x0, incoming-window=0x2000]
//
// with the channel and the direction, and of protocol headers. It is called by
// whoever reads or writes the frame and must not block. compat: the words of
// Proton's trace, which log scrapers read.
type Tracer func(text string)

// SetTrace makes f hear of every frame from now on; nil ends it.
func (c *Conn) SetTrace(f Tracer) {
	if f == nil {
		c.tracer.Store(nil)
		return
	}
	c.tracer.Store(&f)
}

// Directions of frames.
const (
	traceIn  = "<-"
	traceOut = "->"
)

// traceFrames tells the tracer of the whole frames in b.
func (c *Conn) traceFrames(direction string, b []byte) {
	f := c.tracer.Load()
	if f == nil {
		return
	}
	for len(b) >= amqp.FrameHeaderSize {
		h, err := amqp.ParseFrameHeader(b)
		if err != nil || int(h.Size) > len(b) {
			return
		}
		if body := b[h.BodyOffset():h.Size]; len(body) > 0 {
			line := fmt.Appendf(nil, "FRAME: %d %s ", h.Channel, direction)
			(*f)(string(amqp.AppendText(line, body)))
		} else {
			(*f)(fmt.Sprintf("FRAME: %d %s (EMPTY FRAME)", h.Channel, direction))
		}
		b = b[h.Size:]
	}
}

// traceSaid tells the tracer of what is sent before there are frames: a header,
// perhaps with a frame behind it, or a frame.
func (c *Conn) traceSaid(b []byte) {
	n := len(amqp.ProtocolHeaderSASL)
	if len(b) >= n && string(b[:4]) == amqp.ProtocolHeaderSASL[:4] {
		c.traceHeader(traceOut, string(b[:n]))
		b = b[n:]
	}
	c.traceFrames(traceOut, b)
}

// traceHeader tells the tracer of a protocol header.
func (c *Conn) traceHeader(direction, header string) {
	f := c.tracer.Load()
	if f == nil {
		return
	}
	name := "AMQP"
	if header == amqp.ProtocolHeaderSASL {
		name = "SASL"
	}
	(*f)("FRAME:   " + direction + " " + name)
}
