package session

import (
	"github.com/skupper-host/skupper/router/amqp"
)

// Params are the limits of one connection. All fields must be set.
type Params struct {
	MaxFrameSize uint32 // octets: of frames that we accept, as in our Open
	ChannelMax   uint16 // as in our Open
	Window       uint32 // incoming window of each session, in transfer frames, at least 2

	Sessions   int // begun by the peer
	Links      int // attached by either side
	Deliveries int // incoming and not settled
	Control    int // octets of control frames that wait to be written
}

// HandleMax is the highest link handle that we accept on a session.
const HandleMax = 1<<20 - 1

// outgoingWindow is what our Begin and Flow say: we never stop by ourselves.
// compat: skupper-router 3.x.
const outgoingWindow = 1<<31 - 1

// maxEvents bounds what one Receive returns, so that the caller's slice stays
// small whatever the frames are.
const maxEvents = 512

// Engine is one end of an AMQP connection after the handshakes.
type Engine struct {
	p Params

	remote     *amqp.Open // the peer's, nil before it has come
	peerFrame  int        // octets: largest frame that the peer takes
	channelMax uint16     // of both sides

	closing     bool // our Close will be the last frame
	closeAtOnce bool // and does not wait for what is queued
	closeSent   bool
	closeErr    *amqp.Error
	silent      bool // our Close is left out
	peerClosed  bool
	deaf        bool // frames cannot be told apart any more
	abandoned   bool

	// Sessions by our and by the peer's channel number; nil where free.
	local  []*Session
	peers  []*Session
	begun  int // by the peer
	links  int // attached
	inOpen int // incoming deliveries that are not settled
	unsent int // octets queued on outgoing deliveries

	// What waits to be emitted, in the order of emission.
	open      []byte // our Open frame
	marked    fifo[*Incoming]
	settling  fifo[*Outgoing]
	control   controlQueue
	creditDue fifo[*Link]
	windowDue fifo[*Session]
	ready     schedule
	heartbeat bool
	dropped   []*Outgoing

	// What the current Receive has found.
	events []Event
	states []amqp.State

	now      uint32 // seconds, see Second
	nextTag  uint64
	scratch  []byte        // a performative that is being composed
	incoming amqp.Transfer // the one that is being decoded; too big for each stack

	forgotten amqp.Attach // stands for those that were forgotten
	stats     Stats
}

// Stats counts since the connection began.
type Stats struct {
	DeliveriesIn, DeliveriesOut uint64
	TransfersIn, TransfersOut   uint64

	// Outcomes are those of deliveries that we have received, and how many of
	// either direction were dropped.
	Outcomes LinkStats
	Stuck    int // deliveries that are not over after more than 10 s, now
	Blocked  int // links without credit for more than 10 s, now
}

// New returns an engine that will send open as its first frame. The fields of
// open must agree with p.
func New(p Params, open *amqp.Open) *Engine {
	e := &Engine{p: p, channelMax: p.ChannelMax, scratch: make([]byte, 0, 512)}
	e.open = appendFrame(nil, 0, open)
	return e
}

// Remote returns the peer's Open, nil before it has come.
func (e *Engine) Remote() *amqp.Open { return e.remote }

// Stats returns the counters.
func (e *Engine) Stats() Stats { return e.stats }

// Links is the number of links that are attached.
func (e *Engine) Links() int { return e.links }

// EachLink calls f for every link that is attached at our end.
func (e *Engine) EachLink(f func(*Link)) {
	for _, s := range e.local {
		if s == nil {
			continue
		}
		for _, l := range s.ours {
			if l != nil {
				f(l)
			}
		}
	}
}

// Sessions is the number of sessions that are begun.
func (e *Engine) Sessions() int {
	n := 0
	for _, s := range e.local {
		if s != nil {
			n++
		}
	}
	return n
}

// Unsettled is the number of incoming deliveries that are not settled.
func (e *Engine) Unsettled() int { return e.inOpen }

// Unsent is the number of payload octets queued on outgoing deliveries.
func (e *Engine) Unsent() int { return e.unsent }

// Session returns the session of a class, begun on first use. Classes share
// one when the peer takes no more sessions; nil if there is none to share.
func (e *Engine) Session(class int) *Session {
	for _, s := range e.local {
		if s != nil && s.class == class && !s.ended {
			return s
		}
	}
	return e.begin(class)
}

// Close ends the connection after everything that is queued and allowed to
// leave has been emitted. With an error, and after a first Close, it does so
// at once. err may be nil.
func (e *Engine) Close(err *amqp.Error) {
	e.closeAtOnce = e.closeAtOnce || e.closing || err != nil
	if !e.closing {
		e.closing, e.closeErr = true, err
	}
}

// Leave is Close, at once and without the frame: the connection ends below it.
func (e *Engine) Leave() {
	e.closing, e.closeAtOnce, e.silent = true, true, true
}

// Closing reports whether Close was called or the connection has failed.
func (e *Engine) Closing() bool { return e.closing }

// CloseSent reports whether our Close was emitted or left out: no frame follows.
func (e *Engine) CloseSent() bool { return e.closeSent }

// PeerClosed reports whether the peer's Close has come: no frame follows.
func (e *Engine) PeerClosed() bool { return e.peerClosed }

// Heartbeat makes the next Emit send an empty frame if it sends nothing else.
func (e *Engine) Heartbeat() { e.heartbeat = true }

// Abandon ends everything that is open because the connection is gone, and
// returns the last events of every delivery and link. Queued buffers are
// freed. Whatever is called afterwards finds its link gone.
func (e *Engine) Abandon(err *amqp.Error) []Event {
	e.events, e.states = e.events[:0], e.states[:0]
	e.abandoned = true
	for _, s := range e.local {
		if s != nil {
			s.lose(err)
		}
	}
	e.marked, e.settling, e.creditDue, e.windowDue, e.control = fifo[*Incoming]{}, fifo[*Outgoing]{}, fifo[*Link]{}, fifo[*Session]{}, controlQueue{}
	e.ready = schedule{}
	return e.events
}

// fail acts on an error by its scope.
func (e *Engine) fail(s *Session, err error) error {
	switch err := err.(type) {
	case *SessionError:
		s.end(err.Err)
		return nil
	case *LinkError:
		err.Link.fail(err.Err)
		return nil
	case *ConnError:
		e.Close(err.Err)
		return err
	}
	return err
}
