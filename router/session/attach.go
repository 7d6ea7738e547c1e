package session

import (
	"github.com/skupper-host/skupper/router/amqp"
)

// Attach attaches a link of ours on the session of a class. Name, role,
// termini, settle modes and properties are taken from a; the rest is filled in.
// The error says why there can be no such link; the link returned with it is
// gone.
func (e *Engine) Attach(class int, a *amqp.Attach, credit Credit) (*Link, *amqp.Error) {
	l := &Link{name: a.Name, sender: a.Role == amqp.RoleSender, policy: credit}
	var err *amqp.Error
	if !e.closing && !e.abandoned {
		l.s = e.Session(class)
	}
	s := l.s
	switch {
	case s == nil:
		err = newError(amqp.ErrIllegalState, "the connection is closed or has no channel left")
	case s.names.get(l.name, l.sender) != nil:
		err = newError(amqp.ErrNotAllowed, "link name %q is in use", l.name)
	case e.links >= e.p.Links || s.nextHandle() > s.peerMax:
		err = newError(amqp.ErrResourceLimitExceeded, "%d links are attached", e.links)
	}
	if err != nil {
		l.gone = true
		return l, err
	}
	s.names.set(l)
	l.count()
	l.sendAttach(a)
	return l, nil
}

func (l *Link) count() {
	l.counted = true
	l.s.e.links++
	if !l.untimed {
		l.s.timed++
	}
}

func (l *Link) uncount() {
	if l.counted {
		l.counted = false
		l.s.e.links--
		if !l.untimed {
			l.s.timed--
		}
	}
}

// nextHandle is the handle of ours that the next link gets.
func (s *Session) nextHandle() uint32 {
	if n := len(s.free); n > 0 {
		return s.free[n-1]
	}
	return uint32(len(s.ours))
}

// sendAttach queues our attach, in answer to the peer's or not.
func (l *Link) sendAttach(a *amqp.Attach) {
	s := l.s
	l.handle = s.nextHandle()
	if n := len(s.free); n > 0 {
		s.free = s.free[:n-1]
		s.ours[l.handle] = l
	} else {
		s.ours = append(s.ours, l)
	}
	l.attached = true
	a.Handle = l.handle
	a.HasInitialDeliveryCount = true // compat: proton sends 0 in both roles
	size := s.e.send(s.channel, a)
	if s.e.remote != nil && size > s.e.peerFrame {
		s.e.Close(newError(amqp.ErrFrameSizeTooSmall, "an attach of %d octets for frames of %d", size, s.e.peerFrame))
	}
}

// receiveAttach handles an attach of the peer.
func (s *Session) receiveAttach(a *amqp.Attach) error {
	switch {
	case a.Handle > HandleMax:
		return connErrorf(amqp.ErrFraming, "attach: handle %d, the maximum is %d", a.Handle, HandleMax)
	case s.handles.get(a.Handle) != nil:
		return sessionErrorf(amqp.ErrHandleInUse, "attach: handle %d is in use", a.Handle)
	case a.Name == "":
		return sessionErrorf(amqp.ErrInvalidField, "attach: the link has no name")
	}
	sender := a.Role == amqp.RoleReceiver
	l := s.names.get(a.Name, sender)
	if l != nil && l.remote == nil {
		s.attachAnswered(l, a)
		return nil
	}
	if s.e.links >= s.e.p.Links || s.nextHandle() > s.peerMax {
		return connErrorf(amqp.ErrResourceLimitExceeded, "%d links are attached", s.e.links)
	}
	fresh := &Link{s: s, name: a.Name, sender: sender, remote: a, theirs: a.Handle}
	fresh.heard(a)
	fresh.count()
	s.handles.set(a.Handle, fresh)
	if l != nil {
		fresh.Refuse(newError(amqp.ErrNotAllowed, "link name %q is in use", a.Name))
		return nil
	}
	s.names.set(fresh)
	if a.Coordinator {
		fresh.Refuse(newError(amqp.ErrNotImplemented, "transactions are not supported"))
		return nil
	}
	s.e.event(Event{Kind: EventAttached, Link: fresh})
	return nil
}

// attachAnswered notes the peer's answer to our attach.
func (s *Session) attachAnswered(l *Link, a *amqp.Attach) {
	l.remote, l.theirs = a, a.Handle
	s.handles.set(a.Handle, l)
	l.heard(a)
	l.refused = l.sender && a.Target == nil || !l.sender && a.Source == nil
	if l.detached {
		return
	}
	l.grant()
	s.e.event(Event{Kind: EventAnswered, Link: l})
}

// heard takes over what the peer's attach says about a link that we receive on.
func (l *Link) heard(a *amqp.Attach) {
	if !l.sender {
		l.deliveryCount = a.InitialDeliveryCount
		l.presettling = a.SndSettleMode == amqp.SndSettled
	}
}

// Accept answers the peer's attach. Termini, settle modes and properties are
// taken from a. It reports false if the link is gone meanwhile: then no event
// will follow. There is no event for credit that the peer has given already.
func (l *Link) Accept(a *amqp.Attach, credit Credit) bool {
	if l.gone || l.attached {
		return false
	}
	l.policy = credit
	l.answer(a)
	if l.ended {
		l.gone = true
		l.sendDetach(nil)
		return false
	}
	l.grant()
	return true
}

// Refuse answers the peer's attach with a null terminus and detaches, AMQP 1.0
// §2.6.3. No event follows.
func (l *Link) Refuse(err *amqp.Error) {
	if l.gone || l.attached {
		return
	}
	a := &amqp.Attach{
		Source: l.remote.Source, Target: l.remote.Target,
		SndSettleMode: l.remote.SndSettleMode, RcvSettleMode: l.remote.RcvSettleMode,
	}
	if l.sender {
		a.Source = nil
	} else {
		a.Target = nil
	}
	l.answer(a)
	l.gone = true
	l.sendDetach(err)
}

func (l *Link) answer(a *amqp.Attach) {
	a.Name, a.Role = l.name, amqp.Role(!l.sender)
	l.sendAttach(a)
}

// Detach closes the link. Nothing more is sent on it. Its last events come when
// the peer has answered.
func (l *Link) Detach(err *amqp.Error) {
	switch {
	case l.gone || l.detached:
	case !l.attached:
		l.Refuse(err)
	default:
		l.sendDetach(err)
	}
}

// sendDetach queues our detach, always with closed=true: skupper-router ends
// the connection when a link is suspended (compat:).
func (l *Link) sendDetach(err *amqp.Error) {
	l.detached = true
	l.s.e.send(l.s.channel, &amqp.Detach{Handle: l.handle, Closed: true, Error: brief(err)})
	if l.ended {
		l.release()
	}
}

// receiveDetach handles a detach of the peer. A link that it only suspends is
// gone as well: nothing of it is kept, and the answer says the same.
func (s *Session) receiveDetach(d *amqp.Detach) error {
	l := s.handles.get(d.Handle)
	if l == nil {
		return sessionErrorf(amqp.ErrUnattachedHandle, "detach: handle %d is not attached", d.Handle)
	}
	l.ended = true
	s.handles.set(d.Handle, nil)
	if !l.attached {
		return nil // Accept or Refuse will answer
	}
	l.lose(d.Error)
	if !l.detached {
		l.detached = true
		s.e.send(s.channel, &amqp.Detach{Handle: l.handle, Closed: d.Closed})
	}
	l.release()
	return nil
}

// release frees handle and name of a link that is detached on both sides.
func (l *Link) release() {
	s := l.s
	if int(l.handle) < len(s.ours) && s.ours[l.handle] == l {
		s.ours[l.handle] = nil
		s.free = append(s.free, l.handle)
	}
	if s.names.get(l.name, l.sender) == l {
		s.names.drop(l)
	}
	l.uncount()
}

// fail detaches the link because of what the peer did on it.
func (l *Link) fail(err *amqp.Error) {
	if l.gone || l.detached {
		return
	}
	if !l.attached {
		l.Refuse(err)
		return
	}
	l.lose(err)
	l.sendDetach(err)
}

// lose reports the link and everything on it as gone.
func (l *Link) lose(err *amqp.Error) {
	if l.gone {
		return
	}
	l.gone = true
	l.unblock()
	e := l.s.e
	for l.sent != nil {
		if out := l.sent; !out.quiet() {
			e.event(Event{Kind: EventOutLost, Out: out, Err: err})
		}
		l.sent.forget()
	}
	for l.queue != nil {
		if out := l.queue; !out.quiet() {
			e.event(Event{Kind: EventOutLost, Out: out, Err: err})
		}
		l.queue.forget()
	}
	for l.received != nil {
		if in := l.received; in.told && !in.settledHere {
			e.event(Event{Kind: EventInLost, In: in, Err: err})
		}
		l.received.forget()
	}
	if l.attached {
		e.event(Event{Kind: EventDetached, Link: l, Err: err})
	}
}
