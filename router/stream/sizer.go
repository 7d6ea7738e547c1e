package stream

import "github.com/skupper-host/skupper/router/session"

// A sizer chooses how much to read from a socket at once: it starts small,
// goes up after a read that filled its buffer and down after three that would
// have fitted into the next smaller one (as nats-server does). A stream of
// small messages never touches a large buffer.
type sizer struct {
	class uint8
	short uint8 // reads in a row that a smaller buffer would have held
}

const shortReads = 3

// bufferClass are the buffer classes in bytes.
func bufferClass(class uint8) int {
	switch class {
	case 0:
		return session.BufferSmall
	case 1:
		return session.BufferMedium
	}
	return session.BufferLarge
}

// next is the size of the next read for a peer that takes frames with payload
// bytes of payload.
func (s *sizer) next(payload int) int {
	if payload < session.BufferLarge && s.class == 2 {
		s.class = 1
	}
	return bufferClass(s.class)
}

// took reports a read of n bytes.
func (s *sizer) took(n int) {
	switch {
	case n >= bufferClass(s.class):
		s.short = 0
		if s.class < 2 {
			s.class++
		}
	case s.class > 0 && n <= bufferClass(s.class-1):
		if s.short++; s.short == shortReads {
			s.short = 0
			s.class--
		}
	default:
		s.short = 0
	}
}
