package stream

import (
	"slices"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// sink is a stream as the session.Sink of the direction from the network.
type sink stream

// Transfer implements session.Sink: it writes to the socket what the socket
// takes and queues the rest.
func (k *sink) Transfer(p []byte, more bool) {
	s := (*stream)(k)
	if len(p) > 0 {
		s.observe(p)
	}
	s.mu.Lock()
	if !more {
		s.inComplete = true
	}
	if s.over {
		st := s.verdict()
		s.mu.Unlock()
		if !more {
			s.recv.Update(st, true) // compat: once more, and settled
		}
		return
	}
	first := s.in.received == 0
	ok, stalled := s.in.arrive(len(p))
	if !ok {
		s.mu.Unlock()
		s.fail(ErrWindow)
		return
	}
	offset, grown := uint64(0), stalled && s.grow()
	if grown {
		offset = s.in.announce()
	}
	mine := !s.busy && s.direct
	if !mine {
		s.queue.append(p)
		s.startDrain()
	}
	s.mu.Unlock()
	if first || !more {
		s.kick() // see sure
	}
	if grown {
		s.recv.Update(received(offset), false)
	}
	if mine {
		s.deliver(p, more)
	}
}

// verdict is the outcome of a stream that has not ended in order. It is called
// with mu held.
func (s *stream) verdict() amqp.State {
	switch {
	case s.unserved && s.ours:
		return NotConnected(reason(s.err))
	case !s.ingress && s.cur != nil && !s.cur.progress && wasReleased(s.err):
		return amqp.State{Code: amqp.StateReleased} // the reply has found no way: nobody has heard of the server
	}
	return failed()
}

// grow makes the window larger if the Budget allows. It is called with mu held.
func (s *stream) grow() bool {
	by := s.in.growth()
	if !s.opt.Budget.grow(by) {
		return false
	}
	s.in.grow(by)
	s.reserved += by
	return true
}

// Settled implements session.Sink. That the sender has settled, with whatever
// state, says that it has forgotten and not that it has failed.
func (k *sink) Settled(amqp.State) {}

// Abort implements session.Sink.
func (k *sink) Abort() { (*stream)(k).fail(ErrAborted) }

// Lost implements session.Sink.
func (k *sink) Lost(err error) { (*stream)(k).fail(err) }

// deliver writes p in the goroutine that delivers.
func (s *stream) deliver(p []byte, more bool) {
	if len(p) > 0 {
		s.asking()
		n, err := s.sock.TryWrite(p)
		if err != nil {
			s.fail(err)
			return
		}
		s.wrote(n, false)
		if n < len(p) {
			s.mu.Lock()
			if !s.over {
				s.queue.append(p[n:])
				s.startDrain()
			}
			s.mu.Unlock()
			return
		}
	}
	if !more {
		s.endIn()
	}
}

// startDrain hands the socket's write side to drain. It is called with mu
// held, while the stream is not over.
func (s *stream) startDrain() {
	if !s.busy {
		s.busy = true
		s.drains.Go(s.drain)
	}
}

// drain writes the queue, which is never longer than the window, and ends when
// it is empty.
func (s *stream) drain() {
	for {
		s.mu.Lock()
		b := s.queue.pop()
		if b == nil {
			s.busy = false
			ended := s.inComplete && !s.over
			s.mu.Unlock()
			if ended {
				s.endIn()
			}
			return
		}
		s.mu.Unlock()
		s.asking()
		n, err := s.sock.Write(b.Bytes())
		b.Free()
		s.wrote(n, true)
		if err != nil {
			s.fail(err)
			return
		}
	}
}

// asking notes that bytes are about to be written to the server: its answer may
// be read before the write returns.
func (s *stream) asking() {
	if !s.ingress {
		s.meter.asked()
	}
}

// observe shows p to whoever wants to see what the server sends.
func (s *stream) observe(p []byte) {
	if !s.ingress {
		return
	}
	s.meter.told()
	if s.meter.tap != nil {
		s.meter.tap.Server(p)
	}
}

// wrote counts n bytes that the socket took and acknowledges them when it is
// time. queued tells that they came from the queue.
func (s *stream) wrote(n int, queued bool) {
	s.meter.wrote(n)
	s.mu.Lock()
	offset, due := s.in.consume(n, queued && s.queue.empty())
	due = due && !s.inComplete && !s.over
	s.mu.Unlock()
	if due {
		s.recv.Update(received(offset), false)
	}
}

// endIn ends the direction from the network in order, after its last byte was
// written.
func (s *stream) endIn() {
	s.mu.Lock()
	last := s.outEnded && s.direct // then Close does it, a system call less
	s.mu.Unlock()
	if !last {
		// A socket that was reset cannot be shut down; that it was reset shows
		// where it is read.
		_ = s.sock.CloseWrite()
	}
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.inWritten = true
	done := s.outEnded
	s.over = done
	s.mu.Unlock()
	s.recv.Update(amqp.State{Code: amqp.StateAccepted}, true)
	if done {
		s.sock.Close()
		s.kick()
	}
}

// queue holds bytes that a full socket did not take.
type queue struct{ buffers []*session.Buffer }

func (q *queue) empty() bool { return len(q.buffers) == 0 }

func (q *queue) append(p []byte) {
	if n := len(q.buffers); n > 0 {
		p = p[q.buffers[n-1].Append(p):]
	}
	for len(p) > 0 {
		b := session.GetBuffer(max(len(p), session.BufferMedium))
		p = p[b.Append(p):]
		q.buffers = append(q.buffers, b)
	}
}

// pop returns the first buffer, nil if there is none. An empty queue owns
// nothing.
func (q *queue) pop() *session.Buffer {
	if q.empty() {
		return nil
	}
	b := q.buffers[0]
	q.buffers = slices.Delete(q.buffers, 0, 1)
	if q.empty() {
		q.buffers = nil
	}
	return b
}

func (q *queue) take() []*session.Buffer {
	b := q.buffers
	q.buffers = nil
	return b
}
