package session

import (
	"encoding/binary"

	"github.com/skupper-host/skupper/router/amqp"
)

// maxErrorText bounds the description of an error that we send, in octets, so
// that its frame fits into the smallest frame size.
const maxErrorText = 256

// controlQueue holds whole frames of begin, attach, detach and end in the
// order in which they leave.
type controlQueue struct {
	b    []byte
	head int
}

func (q *controlQueue) len() int { return len(q.b) - q.head }

// next returns the oldest frame; the queue must not be empty. It is valid
// until the next send.
func (q *controlQueue) next() []byte {
	size := binary.BigEndian.Uint32(q.b[q.head:])
	return q.b[q.head : q.head+int(size)]
}

func (q *controlQueue) drop(n int) {
	q.head += n
	switch {
	case q.head == len(q.b) && cap(q.b) > 16384:
		q.b, q.head = nil, 0
	case q.head == len(q.b):
		q.b, q.head = q.b[:0], 0
	case q.head > len(q.b)/2 && q.head > 16384:
		q.b = q.b[:copy(q.b, q.b[q.head:])]
		q.head = 0
	}
}

// send queues a control frame and returns its size.
func (e *Engine) send(channel uint16, p amqp.Performative) int {
	before := len(e.control.b)
	e.control.b = appendFrame(e.control.b, channel, p)
	return len(e.control.b) - before
}

func appendFrame(dst []byte, channel uint16, p amqp.Performative) []byte {
	start := len(dst)
	dst = p.Append(amqp.AppendFrameHeader(dst, amqp.FrameAMQP, channel))
	amqp.FinishFrame(dst[start:])
	return dst
}

// brief returns err with a description that fits into any frame.
func brief(err *amqp.Error) *amqp.Error {
	if err == nil || len(err.Description) <= maxErrorText && err.Info == nil {
		return err
	}
	short := &amqp.Error{Condition: err.Condition, Description: err.Description}
	if len(short.Description) > maxErrorText {
		short.Description = short.Description[:maxErrorText]
	}
	return short
}
