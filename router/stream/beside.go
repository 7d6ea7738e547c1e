package stream

import (
	"time"

	"github.com/skupper-host/skupper/router/session"
)

// What a stream does because its other end is skupper-router's. compat:
// skupper-router 3.x, all of it.

// What reaches skupper-router while it switches its listener's side of a reply
// over to cut-through is lost. It is through when it has read its client, which
// it does only afterwards, or has acknowledged anything; before, nothing can be
// told but that it rarely takes long. So what a server says to a client that
// has said nothing goes in single frames with pauses between them: one that is
// not there at the very moment of the switch is not lost, and the first one
// that is acknowledged, with half a megabyte, ends it.
const (
	firstPause   = 25 * time.Millisecond // after the opening of the reply
	furtherPause = 10 * time.Millisecond // after each frame
)

// listening keeps what an Egress knows of the other end's listener while that
// may still be about to switch. It is owned by pump.
type listening struct {
	next time.Time // when the next frame may be sent
}

// sure waits until the other end's listener is through, but not longer than
// until the next frame may be sent to one that may not be. It reports whether
// it is.
func (s *stream) sure() bool {
	timer := time.NewTimer(time.Until(s.listening.next))
	defer timer.Stop()
	rung, _ := s.bell.hang()
	for {
		s.mu.Lock()
		through := s.ours || s.over || s.inComplete || s.in.received > 0 || s.out.acked > 0
		s.mu.Unlock()
		if through {
			return true
		}
		select {
		case <-rung:
		case <-timer.C:
			return false
		}
	}
}

// sendSingle sends the next frame to a listener that may not be through.
func (s *stream) sendSingle(room int) error {
	if s.sure() {
		s.listening = nil
		return nil
	}
	err := s.read(min(room, s.cur.path.Sending.MaxPayload(), session.BufferMedium))
	s.listening.next = time.Now().Add(furtherPause)
	return err
}

// Bytes and ends that reach a router of skupper-router at the wrong moment
// stay where they are until something else happens to their stream. A
// disposition is such a thing: it makes the router look again. So it gets one
// when what was sent has not been acknowledged and nothing follows it.
const (
	// remindAfter is the first pause, which gets four times as long with each
	// reminder.
	remindAfter = 100 * time.Millisecond
	// remindMost is the longest pause.
	remindMost = 6400 * time.Millisecond
	// reminders is how often a stream is looked after that goes on. One that
	// has ended is looked after until its end is acknowledged.
	reminders = 3
)

// reminder is what reminds the other end of what was sent. It is guarded by
// stream.mu.
type reminder struct {
	timer *time.Timer
	armed bool
	seen  uint64 // what had been sent when the last pause began
	times int    // since something was sent
}

// remind begins to look after what is sent. It is called with mu held.
func (s *stream) remind() {
	r := s.reminder
	if r != nil && r.armed || s.ours || s.cur.path.Early || s.out.off {
		return
	}
	if r == nil {
		r = &reminder{timer: time.AfterFunc(remindAfter, s.lookAfter)}
		s.reminder = r
	} else {
		r.timer.Reset(remindAfter)
	}
	r.armed, r.seen, r.times = true, s.sentSoFar(), 0
}

// sentSoFar changes whenever something is sent. It is called with mu held.
func (s *stream) sentSoFar() uint64 {
	if s.outEnded {
		return s.out.sent + 1
	}
	return s.out.sent
}

// lookAfter sends a reminder if it is time for one.
func (s *stream) lookAfter() {
	s.mu.Lock()
	r := s.reminder
	sent := s.sentSoFar()
	due := sent == r.seen
	sending, offset := s.cur.path.Sending, s.out.sent
	switch {
	case s.over && s.err != nil, sending == nil, s.cur.lost != nil, s.ours, s.out.off,
		!s.outEnded && (offset > 0 && s.out.inFlight() == 0 || due && r.times == reminders):
		r.armed = false
		s.mu.Unlock()
		return
	case due:
		r.times++
	default:
		r.seen, r.times = sent, 0
	}
	pause := remindMost
	if r.times < 4 {
		pause = min(remindAfter<<(2*r.times), remindMost)
	}
	r.timer.Reset(pause)
	s.mu.Unlock()
	if due {
		sending.Tell(received(offset))
	}
}
