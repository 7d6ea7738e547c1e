package stream

import (
	"errors"
	"io"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// maxQueued is how many buffers of one stream may wait for the connection's
// writer: one that it takes and one to follow. It bounds the delay in front of
// a new byte.
const maxQueued = 2

// progress is why a goroutine has left a stream.
type progress uint8

const (
	finished progress = iota
	parked            // there is nothing to do; resume goes on
	retry             // it has to be opened again
)

// pump reads the socket and sends what it reads.
func (s *stream) pump() progress {
	idle := false
	for {
		s.mu.Lock()
		over, again, ended, answered := s.over, s.again, s.outEnded, s.recv != nil
		sending := s.cur.path.Sending
		room := s.room()
		s.watching = room == 0 || ended
		s.mu.Unlock()

		var err error
		switch {
		case over:
			return finished
		case again:
			return retry
		case ended || room == 0:
			err = s.sock.AwaitReset() // nothing may be read, but a reset counts
		case sending.Queued() >= maxQueued:
			if rung, first := s.bell.hang(); !first {
				<-rung
			}
			continue
		case idle && answered && s.park():
			return parked
		case s.listening != nil:
			err = s.sendSingle(room)
		default:
			err = s.read(min(room, s.sizer.next(sending.MaxPayload())))
		}
		idle = false
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			s.endOut()
		case errors.Is(err, ErrInterrupted):
			s.sock.Resume() // before the state is looked at again
		case errors.Is(err, ErrIdle):
			idle = true
		default:
			s.fail(err)
		}
	}
}

// read sends what one read of at most n bytes returns.
func (s *stream) read(n int) (err error) {
	var b *session.Buffer
	if p, ok := s.sock.(Parker); ok && s.opt.Continue != nil {
		b, err = p.ReadSoon(n)
	} else {
		b, err = s.sock.Read(n)
	}
	if err != nil {
		return err
	}
	s.sizer.took(b.Len())
	s.forward(b)
	return nil
}

// park lets the socket wait alone. From here on only two things can happen to
// the stream that concern pump: there is something to read, or it fails, which
// closes the socket.
func (s *stream) park() bool {
	p, ok := s.sock.(Parker)
	return ok && p.Park(s.ready)
}

// ready takes the stream up again after park.
func (s *stream) ready() { s.opt.Continue(s.resume) }

func (s *stream) resume() {
	if s.pump() == finished {
		s.conclude()
	}
}

// room is how many bytes may be read from the socket. It is called with mu
// held.
func (s *stream) room() int {
	if s.ingress && s.recv == nil && s.joined == nil && !s.cur.path.Early {
		return 0
	}
	if !s.ours && s.recv != nil {
		s.out.size = s.cur.path.Exposure.window()
		if s.listening != nil {
			s.out.size = upstreamLeast
		}
	}
	return int(min(s.out.room(), session.BufferLarge))
}

// forward sends b. As long as another destination may have to take the stream,
// a copy is kept.
func (s *stream) forward(b *session.Buffer) {
	n := b.Len()
	s.meter.read(n)
	if s.ingress {
		s.meter.asked()
		if s.meter.tap != nil {
			s.meter.tap.Client(b.Bytes())
		}
	} else {
		s.meter.told()
	}
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		b.Free()
		return
	}
	s.out.sent += uint64(n)
	s.expose(s.out.inFlight())
	if s.ingress && s.recv == nil && !s.cur.progress {
		s.retain(b.Bytes())
	}
	sending := s.cur.path.Sending
	s.remind()
	s.mu.Unlock()
	sending.Write(b, true)
}

// retain keeps a copy of p. It is called with mu held; earlyWindow bounds what
// comes together.
func (s *stream) retain(p []byte) {
	if n := len(s.retained); n > 0 {
		p = p[s.retained[n-1].Append(p):]
	}
	if len(p) > 0 {
		b := session.GetBuffer(len(p))
		b.Append(p)
		s.retained = append(s.retained, b)
	}
}

// endOut ends the direction to the network in order. If the other one has
// ended before, nobody needs the outcome, and the delivery is settled; not
// beside skupper-router, which has to be looked after until it has seen the
// end.
func (s *stream) endOut() {
	s.mu.Lock()
	if s.over || s.outEnded {
		s.mu.Unlock()
		return
	}
	s.outEnded = true
	done := s.inWritten
	if done {
		s.over = true
		s.expose(0)
	}
	sending, settled := s.cur.path.Sending, done && s.ours
	s.remind()
	s.mu.Unlock()
	sending.End(settled)
	if done {
		s.sock.Close()
	}
}

// begin writes the opening of the stream to attempt a, whose path is p, and
// what an earlier attempt has read from the client.
func (s *stream) begin(a *attempt, p Path, o opening) {
	s.mu.Lock()
	a.path = p
	lost, over := a.lost, s.over
	retained, ended := s.retained, s.outEnded
	s.retained = nil
	s.mu.Unlock()

	if over {
		p.Sending.Abort()
		free(retained)
		return
	}
	o.annotations = p.Annotations
	o.replyTo = p.ReplyTo
	b := session.GetBuffer(session.BufferSmall)
	if m := o.append(b.Space()[:0]); len(m) <= b.Cap() {
		b.SetLen(len(m))
		p.Sending.Write(b, true)
	} else {
		b.Free()
		p.Sending.WriteBytes(m, true)
	}
	for _, b := range retained {
		p.Sending.WriteBytes(b.Bytes(), true)
	}
	if ended {
		p.Sending.End(false)
	}
	s.keep(a, retained)
	s.mu.Lock()
	s.remind() // of the opening
	s.mu.Unlock()
	if lost != nil {
		s.giveUp(a, lost)
	}
}

// keep puts back what begin has sent again, if it may be needed once more.
func (s *stream) keep(a *attempt, retained []*session.Buffer) {
	s.mu.Lock()
	if s.recv == nil && !a.progress && !s.over {
		s.retained, retained = retained, nil
	}
	s.mu.Unlock()
	free(retained)
}

// received is the acknowledgement of a stream up to offset.
func received(offset uint64) amqp.State {
	return amqp.State{Code: amqp.StateReceived, Offset: offset}
}
