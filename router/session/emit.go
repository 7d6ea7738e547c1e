package session

import (
	"encoding/binary"

	"github.com/skupper-host/skupper/router/amqp"
)

// maxTransferHeader is the longest frame header and transfer performative that
// we write, in octets: 8 + 3 + 3, handle 5, delivery-id 5, tag 10, format 5,
// and eight fields of one octet.
const maxTransferHeader = 8 + 3 + 3 + 5 + 5 + 10 + 5 + 8

// Pending reports whether Emit has something to emit.
func (e *Engine) Pending() bool {
	if e.closeSent || e.abandoned {
		return false
	}
	if len(e.open) > 0 {
		return true
	}
	if e.closing && e.closeAtOnce {
		return true
	}
	if e.remote == nil {
		return e.closing
	}
	return e.closing || e.heartbeat || e.control.len() > 0 || e.marked.len() > 0 || e.settling.len() > 0 ||
		e.creditDue.len() > 0 || e.windowDue.len() > 0 || e.ready.len() > 0
}

// Bulk reports whether payload waits that may be emitted, and not only control
// frames.
func (e *Engine) Bulk() bool { return e.ready.len() > 0 }

// Emit composes up to limit octets of what is to be sent, and at least one
// frame if there is any:
//
//  1. dispositions, because they concern what came before everything below;
//  2. begin, attach, detach, end in the order in which they were queued;
//  3. flows, with the newest credit and window;
//  4. transfers of the links in turn;
//  5. close, when nothing of the above is left.
func (e *Engine) Emit(b *Batch, limit int) {
	if len(e.open) > 0 && !e.abandoned {
		b.copyFrame(e.open, nil)
		e.open = nil
	}
	switch {
	case e.closeSent || e.abandoned:
		return
	case e.closing && e.closeAtOnce:
		e.emitClose(b)
		return
	case e.remote == nil:
		if e.closing {
			e.emitClose(b)
		}
		return
	}
	e.emitDispositions(b, limit)
	e.emitControl(b, limit)
	e.emitFlows(b, limit)
	for b.Size < limit && b.room(groupSize) {
		l := e.ready.next()
		if l == nil {
			break
		}
		e.serve(l, b, limit)
	}
	if b.Size == 0 && e.heartbeat && !e.closing {
		b.copyFrame(amqp.AppendHeartbeat(e.scratch[:0]), nil)
	}
	e.heartbeat = false
	if e.closing && b.Size < limit {
		e.emitClose(b)
	}
}

func (e *Engine) emitClose(b *Batch) {
	e.closeSent = true
	if e.silent {
		return
	}
	e.scratch = appendFrame(e.scratch[:0], 0, &amqp.Close{Error: brief(e.closeErr)})
	b.copyFrame(e.scratch, nil)
}

func (e *Engine) emitControl(b *Batch, limit int) {
	for e.control.len() > 0 && b.Size < limit {
		frame := e.control.next()
		if !b.room(len(frame)) {
			if b.Size > 0 {
				return
			}
			b.mem = make([]byte, 0, len(frame)) // a frame longer than a batch
		}
		b.copyFrame(frame, nil)
		e.control.drop(len(frame))
	}
}

func (e *Engine) emitFlows(b *Batch, limit int) {
	for e.creditDue.len() > 0 && b.Size < limit {
		l := e.creditDue.pop()
		l.flowQueued = false
		if l.detached || l.s.ended {
			continue
		}
		f := l.flow()
		e.emitFlow(b, l.s, &f)
	}
	for e.windowDue.len() > 0 && b.Size < limit {
		s := e.windowDue.pop()
		due := s.echo || s.granted() > s.window
		s.windowQueued, s.echo = false, false
		if s.ended || !due {
			continue
		}
		f := s.flow()
		e.emitFlow(b, s, &f)
	}
}

func (e *Engine) emitFlow(b *Batch, s *Session, f *amqp.Flow) {
	frame := amqp.AppendFrameHeader(e.scratch[:0], amqp.FrameAMQP, s.channel)
	frame = f.Append(frame)
	amqp.FinishFrame(frame)
	e.scratch = frame
	b.copyFrame(frame, nil)
}

// emitDispositions sends the marks of both roles. Deliveries that follow each
// other with the same simple state share a frame.
func (e *Engine) emitDispositions(b *Batch, limit int) {
	for e.marked.len() > 0 && b.Size < limit {
		in := e.marked.pop()
		in.marked = false
		s := in.l.s
		if s.ended {
			continue
		}
		d := amqp.Disposition{Role: amqp.RoleReceiver, First: in.id, Last: in.id, Settled: in.settledHere, State: in.state.full()}
		for simple(&d.State) && e.marked.len() > 0 {
			next := e.marked.peek()
			if next.l.s != s || next.id != d.Last+1 || next.settledHere != d.Settled || next.state.code != d.State.Code || !next.state.simple() {
				break
			}
			e.marked.pop().marked = false
			d.Last = next.id
		}
		e.emitDisposition(b, s, &d)
	}
	for e.settling.len() > 0 && b.Size < limit {
		out := e.settling.pop()
		s := out.l.s
		told := out.telling
		out.telling = false
		if s.ended || told && (out.gone || out.settled) {
			continue
		}
		d := amqp.Disposition{Role: amqp.RoleSender, First: out.id, Last: out.id, Settled: !told, State: out.state.full()}
		e.emitDisposition(b, s, &d)
	}
}

// simple reports whether a state says nothing but its name.
func simple(st *amqp.State) bool {
	return st.Code == amqp.StateAccepted || st.Code == amqp.StateReleased
}

// waitingState is a state that waits to be sent. Every delivery has one, and
// most of them are received, accepted or none, so that the rest of an
// amqp.State is kept elsewhere.
type waitingState struct {
	code    amqp.StateCode
	section uint32
	offset  uint64
	whole   *amqp.State // if that is not all
}

func (w *waitingState) set(st *amqp.State) {
	*w = waitingState{code: st.Code, section: st.Section, offset: st.Offset}
	if st.Failed || st.Undeliverable || st.Annotations != nil || st.Error != nil || st.Other != nil {
		whole := *st
		w.whole = &whole
	}
}

func (w *waitingState) full() amqp.State {
	if w.whole != nil {
		return *w.whole
	}
	return amqp.State{Code: w.code, Section: w.section, Offset: w.offset}
}

func (w *waitingState) simple() bool {
	return w.code == amqp.StateAccepted || w.code == amqp.StateReleased
}

func (e *Engine) emitDisposition(b *Batch, s *Session, d *amqp.Disposition) {
	e.scratch = appendDisposition(e.scratch[:0], s.channel, d)
	if len(e.scratch) > e.peerFrame || !b.room(len(e.scratch)) {
		d.State.Error, d.State.Annotations = brief(d.State.Error), nil
		if d.State.Code == amqp.StateOther {
			d.State = amqp.State{}
		}
		e.scratch = appendDisposition(e.scratch[:0], s.channel, d)
	}
	b.copyFrame(e.scratch, nil)
}

func appendDisposition(dst []byte, channel uint16, d *amqp.Disposition) []byte {
	dst = d.Append(amqp.AppendFrameHeader(dst, amqp.FrameAMQP, channel))
	amqp.FinishFrame(dst)
	return dst
}

// serve gives the link its turn.
func (e *Engine) serve(l *Link, b *Batch, limit int) {
	l.scheduled = false
	for l.hasFrame() {
		if l.s.peerWindow == 0 {
			l.scheduled = true // taken out by unblock
			l.s.blocked.push(l)
			return
		}
		if l.deficit <= 0 || b.Size >= limit || !b.room(groupSize) {
			break
		}
		l.deficit -= int32(e.emitTransfer(l, b))
	}
	if !l.hasFrame() {
		return
	}
	if l.deficit <= 0 { // else the batch is full, and the turn goes on later
		l.deficit += quantum
	}
	l.scheduled = true
	e.ready.bulk.push(l)
}

// emitTransfer composes one frame of the link's first delivery and returns its
// size.
func (e *Engine) emitTransfer(l *Link, b *Batch) int {
	out := l.queue
	if !out.begun {
		out.begin()
	}
	size := out.emitFrame(b, min(e.peerFrame, maxFrame))
	l.s.nextOutgoingID++
	l.s.peerWindow--
	e.stats.TransfersOut++
	if out.buffers == 0 && out.complete {
		out.end(b)
	}
	return size
}

// begin gives the delivery its id and uses up the credit for it.
func (out *Outgoing) begin() {
	l, s := out.l, out.l.s
	out.begun = true
	out.id = s.nextDeliveryID
	s.nextDeliveryID++
	l.credit--
	l.deliveryCount++
	l.waiting--
	l.stats.Deliveries++
	s.e.stats.DeliveriesOut++
	out.enlist()
	if out.settled {
		l.stats.Presettled++
		if out.complete {
			l.presettled--
		}
	} else {
		s.outgoing[out.id] = out
	}
	l.Drained()
}

// end takes the delivery out of the queue after its last transfer.
func (out *Outgoing) end(b *Batch) {
	l := out.l
	out.emitted = true
	l.queue = out.queued
	if l.queue == nil {
		l.queueTail = nil
	}
	out.queued = nil
	b.Done = append(b.Done, out)
	if out.settled || out.there {
		out.forget()
	}
}

// emitFrame composes a frame of what fits of the first buffer, without payload
// if there is none, and returns its size.
func (out *Outgoing) emitFrame(b *Batch, longest int) int {
	e, buf := out.l.s.e, out.first
	if out.early { // the state has a frame of its own, since there is only so much room for the header of others
		head := out.appendHeader(e.scratch[:0], 0)
		out.early, out.state = false, waitingState{}
		if len(head) <= longest && b.room(len(head)) {
			b.copyFrame(head, nil)
			return len(head)
		}
	}
	if buf == nil {
		head := out.appendHeader(e.scratch[:0], 0)
		b.copyFrame(head, nil)
		return len(head)
	}
	n := buf.Len()
	last := n+maxTransferHeader <= longest
	if !last {
		n = min(longest, groupSize) - maxTransferHeader
	}
	e.unsent -= n
	out.octets -= n
	if !last {
		head := out.appendHeader(e.scratch[:0], n)
		b.copyFrame(head, buf.Bytes()[:n])
		buf.start += n
		return len(head) + n
	}
	out.first = buf.next
	buf.next = nil
	if out.first == nil {
		out.last = nil
	}
	out.buffers--
	if out.buffers == 1 && !out.complete {
		b.Low = append(b.Low, out)
	}
	head := out.appendHeader(e.scratch[:0], n)
	if n < ownFrame {
		b.copyFrame(head, buf.Bytes())
		buf.Free()
		return len(head) + n
	}
	start := buf.start - len(head)
	copy(buf.mem[start:], head)
	b.ownFrame(buf.mem[start:buf.end], buf)
	return len(head) + n
}

// appendHeader appends frame header and transfer of a frame with n octets of
// payload. What the buffers hold decides whether it is the last.
func (out *Outgoing) appendHeader(dst []byte, n int) []byte {
	t := amqp.Transfer{
		Handle: out.l.handle, DeliveryID: out.id, HasDeliveryID: true, DeliveryTag: out.tag[:],
		MessageFormat: out.Format, HasMessageFormat: true,
	}
	t.More = !(out.complete && out.octets == 0)
	t.Settled = out.settled && (!t.More || out.ahead)
	if out.aborted {
		t.Settled, t.Aborted, t.More = true, true, false
	} else if out.early {
		t.State = out.state.full()
	}
	start := len(dst)
	dst = t.Append(amqp.AppendFrameHeader(dst, amqp.FrameAMQP, out.l.s.channel))
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start+n))
	return dst
}
