package session

import (
	"slices"

	"github.com/skupper-host/skupper/router/amqp"
)

// peerClass is added to the channel number to make the class of a session that
// the peer has begun.
const peerClass = 1000

// Session is one AMQP session, AMQP 1.0 §2.5.
type Session struct {
	e       *Engine
	class   int
	channel uint16 // ours
	remote  uint16 // the peer's channel, valid if answered

	answered bool // the peer's begin has come
	ended    bool // our end is queued
	gone     bool // both ends are done, or the connection is

	// Incoming transfer frames, AMQP 1.0 §2.5.6.
	nextIncomingID uint32
	window         uint32 // left of what was announced
	held           uint32 // frames withheld by Incoming.Hold
	windowQueued   bool   // in Engine.windowDue
	echo           bool   // the peer asked for a flow

	// Outgoing transfer frames. blocked holds the links that wait for the
	// peer's window.
	nextOutgoingID uint32
	peerWindow     uint32
	blocked        fifo[*Link]

	// Deliveries. Ids count per session and direction, AMQP 1.0 §2.5.1.
	nextDeliveryID uint32
	wantDeliveryID uint32 // of the peer's next delivery, if it has sent one
	anyDelivery    bool
	outgoing       map[uint32]*Outgoing // not settled
	incoming       map[uint32]*Incoming // not settled

	handles handleTable // links by the peer's handle
	ours    []*Link     // links by our handle; nil where free
	free    []uint32    // our handles to reuse
	peerMax uint32      // highest handle that the peer takes
	names   linkNames
	timed   int // attached links that age matters of
}

// linkNames finds links by their names, which are unique for each direction,
// AMQP 1.0 §2.6.1.
type linkNames struct{ senders, receivers map[string]*Link }

func newLinkNames() linkNames { return linkNames{map[string]*Link{}, map[string]*Link{}} }

// get returns nil if there is none. With sender it is one that we send on.
func (n *linkNames) get(name string, sender bool) *Link { return n.of(sender)[name] }
func (n *linkNames) set(l *Link)                        { n.of(l.sender)[l.name] = l }
func (n *linkNames) drop(l *Link)                       { delete(n.of(l.sender), l.name) }

func (n *linkNames) of(sender bool) map[string]*Link {
	if sender {
		return n.senders
	}
	return n.receivers
}

// Class returns the class given to Engine.Session, or 1000 + the peer's channel
// number for a session that the peer has begun.
func (s *Session) Class() int { return s.class }

// newSession returns a session on our lowest free channel, nil if the peer
// takes no more.
func (e *Engine) newSession(class int) *Session {
	s := &Session{
		e: e, class: class, window: e.p.Window, peerMax: amqp.DefaultHandleMax,
		outgoing: map[uint32]*Outgoing{}, incoming: map[uint32]*Incoming{}, names: newLinkNames(),
	}
	ch := slices.Index(e.local, nil)
	if ch < 0 {
		ch = len(e.local)
		if ch > int(e.channelMax) {
			return nil
		}
		e.local = append(e.local, nil)
	}
	s.channel = uint16(ch)
	e.local[ch] = s
	return s
}

// begin starts a session of ours. With no channel left its links share the
// session of another class; nil if there is none.
func (e *Engine) begin(class int) *Session {
	s := e.newSession(class)
	if s == nil {
		return e.ownSession()
	}
	e.sendBegin(s)
	return s
}

func (e *Engine) ownSession() *Session {
	for _, s := range e.local {
		if s != nil && s.class < peerClass && !s.ended {
			return s
		}
	}
	return nil
}

func (e *Engine) sendBegin(s *Session) {
	e.send(s.channel, &amqp.Begin{
		RemoteChannel: s.remote, HasRemoteChannel: s.answered,
		NextOutgoingID: s.nextOutgoingID, IncomingWindow: s.window,
		OutgoingWindow: outgoingWindow, HandleMax: HandleMax,
	})
}

// receiveBegin handles a begin on the peer's channel ch.
func (e *Engine) receiveBegin(ch uint16, b *amqp.Begin) error {
	if int(ch) < len(e.peers) && e.peers[ch] != nil {
		return connErrorf(amqp.ErrNotAllowed, "begin on channel %d, which is in use", ch)
	}
	var s *Session
	switch {
	case !b.HasRemoteChannel:
		if e.begun >= e.p.Sessions {
			return connErrorf(amqp.ErrResourceLimitExceeded, "more than %d sessions", e.p.Sessions)
		}
		if s = e.newSession(peerClass + int(ch)); s == nil {
			return connErrorf(amqp.ErrResourceLimitExceeded, "all %d channels are in use", len(e.local))
		}
		e.begun++
	case int(b.RemoteChannel) < len(e.local) && e.local[b.RemoteChannel] != nil && !e.local[b.RemoteChannel].answered:
		s = e.local[b.RemoteChannel]
	default:
		return connErrorf(amqp.ErrInvalidField, "begin answers channel %d, which does not wait for one", b.RemoteChannel)
	}
	for len(e.peers) <= int(ch) {
		e.peers = append(e.peers, nil)
	}
	e.peers[ch] = s
	s.remote, s.answered = ch, true
	s.nextIncomingID = b.NextOutgoingID
	s.peerWindow = b.IncomingWindow
	s.peerMax = b.HandleMax
	if !b.HasRemoteChannel {
		e.sendBegin(s)
	}
	return nil
}

// receiveEnd handles the peer's end.
func (s *Session) receiveEnd(end *amqp.End) {
	s.lose(end.Error)
	if !s.ended {
		s.ended = true
		s.e.send(s.channel, &amqp.End{})
	}
	s.gone = true
	s.e.local[s.channel] = nil
	s.e.peers[s.remote] = nil
	if s.class >= peerClass {
		s.e.begun--
	}
}

// end ends the session with an error of ours. What the peer still sends on it
// is dropped until its end comes.
func (s *Session) end(err *amqp.Error) {
	if s.ended {
		return
	}
	s.lose(err)
	s.ended = true
	s.e.send(s.channel, &amqp.End{Error: brief(err)})
}

// lose reports every delivery and link of the session as gone.
func (s *Session) lose(err *amqp.Error) {
	for _, l := range s.ours {
		if l != nil {
			l.lose(err)
			l.uncount()
		}
	}
	for _, l := range s.handles.all() { // not answered yet: without a handle of ours
		l.lose(err)
		l.uncount()
	}
	s.handles, s.ours, s.free, s.names = handleTable{}, nil, nil, newLinkNames()
	s.blocked = fifo[*Link]{}
}

// consume counts one incoming transfer frame.
func (s *Session) consume() error {
	if s.window == 0 {
		return sessionErrorf(amqp.ErrWindowViolation, "incoming session window exceeded")
	}
	s.nextIncomingID++
	s.window--
	s.refresh()
	return nil
}

// refresh announces a fresh window when half of the last one is used and there
// is something to give.
func (s *Session) refresh() {
	if s.window <= s.e.p.Window/2 && s.granted() > s.window {
		s.wantFlow()
	}
}

// granted is the window that may be announced now.
func (s *Session) granted() uint32 {
	if s.held >= s.e.p.Window {
		return 0
	}
	return s.e.p.Window - s.held
}

func (s *Session) wantFlow() {
	if !s.windowQueued && !s.ended {
		s.windowQueued = true
		s.e.windowDue.push(s)
	}
}

// flow returns a flow with the session's windows. Composing it announces the
// incoming window.
func (s *Session) flow() amqp.Flow {
	s.window = max(s.window, s.granted())
	return amqp.Flow{
		NextIncomingID: s.nextIncomingID, HasNextIncomingID: s.answered,
		IncomingWindow: s.window,
		NextOutgoingID: s.nextOutgoingID, OutgoingWindow: outgoingWindow,
	}
}

// receiveFlow handles a flow of the peer.
func (s *Session) receiveFlow(f *amqp.Flow) error {
	from := uint32(0) // the first id that we used
	if f.HasNextIncomingID {
		from = f.NextIncomingID
	}
	if serialDiff(from, s.nextOutgoingID) > 0 {
		return sessionErrorf(amqp.ErrInvalidField, "flow: next-incoming-id %d, but %d is the next to be sent", from, s.nextOutgoingID)
	}
	s.peerWindow = remaining(from, f.IncomingWindow, s.nextOutgoingID)
	s.unblock()
	if !f.HasHandle {
		if f.Echo {
			s.echo = true
			s.wantFlow()
		}
		return nil
	}
	l := s.handles.get(f.Handle)
	if l == nil {
		return sessionErrorf(amqp.ErrUnattachedHandle, "flow: handle %d is not attached", f.Handle)
	}
	return l.receiveFlow(f)
}

// unblock puts the links that waited for the window back into the schedule.
func (s *Session) unblock() {
	if s.peerWindow == 0 {
		return
	}
	for s.blocked.len() > 0 {
		l := s.blocked.pop()
		l.scheduled = false
		l.schedule()
	}
}
