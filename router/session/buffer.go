package session

import "sync"

// Headroom is the room in front of a Buffer's payload, in bytes. The frame
// header and the transfer performative are written there backwards, so that a
// frame leaves in one piece without a copy. The longest that Outgoing writes
// needs 45.
const Headroom = 64

// Payload sizes of the buffer classes, in bytes. With its headroom a buffer
// fills a size class of the Go allocator; a full BufferMedium makes a frame of
// at most 16,384 bytes, which is one TLS record and upstream's frame limit.
const (
	BufferSmall  = 2048 - Headroom
	BufferMedium = 16384 - Headroom
	BufferLarge  = 65536 - Headroom
)

// Buffer is a pooled piece of payload on its way out: filled by a stream pump,
// queued on an Outgoing, written by the connection.
//
// A buffer has one owner at a time. Outgoing.Write takes ownership; whoever
// owns it last calls Free.
type Buffer struct {
	mem   []byte
	start int // of the payload that is not yet emitted
	end   int
	next  *Buffer // in the queue of an Outgoing
}

var (
	smallBuffers  = sync.Pool{New: func() any { return newBuffer(BufferSmall) }}
	mediumBuffers = sync.Pool{New: func() any { return newBuffer(BufferMedium) }}
	largeBuffers  = sync.Pool{New: func() any { return newBuffer(BufferLarge) }}
)

func newBuffer(payload int) *Buffer {
	return &Buffer{mem: make([]byte, Headroom+payload)}
}

// GetBuffer returns an empty buffer of the smallest class that holds n bytes of
// payload, of the largest if none does.
func GetBuffer(n int) *Buffer {
	var b *Buffer
	switch {
	case n <= BufferSmall:
		b, _ = smallBuffers.Get().(*Buffer)
	case n <= BufferMedium:
		b, _ = mediumBuffers.Get().(*Buffer)
	default:
		b, _ = largeBuffers.Get().(*Buffer)
	}
	b.start, b.end = Headroom, Headroom
	return b
}

// Free gives the buffer back to its pool. It must not be used afterwards.
func (b *Buffer) Free() {
	b.next = nil
	switch len(b.mem) - Headroom {
	case BufferSmall:
		smallBuffers.Put(b)
	case BufferMedium:
		mediumBuffers.Put(b)
	case BufferLarge:
		largeBuffers.Put(b)
	}
}

// Space returns the unused room behind the payload; SetLen or Grow makes what
// was written there part of the payload.
func (b *Buffer) Space() []byte { return b.mem[b.end:] }

// Grow adds the first n bytes of Space to the payload.
func (b *Buffer) Grow(n int) { b.SetLen(b.Len() + n) }

// SetLen makes the payload n bytes long.
func (b *Buffer) SetLen(n int) {
	b.end = b.start + n
	_ = b.mem[:b.end]
}

// Bytes returns the payload.
func (b *Buffer) Bytes() []byte { return b.mem[b.start:b.end] }

// Len is the length of the payload in bytes.
func (b *Buffer) Len() int { return b.end - b.start }

// Cap is the payload size of the buffer's class in bytes.
func (b *Buffer) Cap() int { return len(b.mem) - Headroom }

// Append copies as much of p as there is room for and returns how much that
// was.
func (b *Buffer) Append(p []byte) int {
	n := copy(b.mem[b.end:], p)
	b.end += n
	return n
}
