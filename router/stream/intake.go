package stream

import (
	"sync/atomic"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// Head is the beginning of an incoming message. It is valid during the call
// that it is handed to.
type Head struct {
	amqp.Prefix
	// Message are the octets that have come so far, of which Prefix speaks.
	Message []byte
	// More tells that the delivery goes on.
	More bool
	// Whole tells that all sections in front of the body are there.
	Whole bool
	// Full tells that no more of the message is gathered: it is complete, or
	// there is no room for more.
	Full bool
}

// Opens reports whether the message opens a stream.
func (h *Head) Opens() bool { return h.Null && string(h.ContentType) == ContentType }

// A Router says where an incoming message goes. h describes it; the returned
// sink gets the octets of the message from offset from on. It is called as
// soon as the properties are there, in the goroutine that delivers.
//
// If it needs more of the message, the other sections (Head.Whole) or all of it,
// it returns nil to be called again. A message that is Full and whole, and for
// which it returns nil, is released.
type Router interface {
	Route(r Receiving, h *Head) (sink session.Sink, from int)
}

// Limits of what is gathered of messages before they are passed on, in octets.
const (
	maxGathered  = 1 << 20  // of one message
	maxGathering = 16 << 20 // of all messages of one connection
)

// Gathering is the account of what one connection's messages hold before they
// are passed on. Beyond 16 MiB nothing more is gathered than the sections that
// say where a message goes.
type Gathering struct{ octets atomic.Int64 }

func (g *Gathering) add(octets int) {
	if g != nil {
		g.octets.Add(int64(octets))
	}
}

func (g *Gathering) full() bool { return g != nil && g.octets.Load() >= maxGathering }

// Intake is the Sink of a delivery whose destination is not known yet. It
// collects the sections in front of the body, and more if the Router wants it,
// asks a Router and from then on passes everything to the sink that the Router
// named.
//
// A message that is malformed, or whose sections are longer than
// amqp.MaxPrefix before its properties are known, is rejected.
type Intake struct {
	r         Receiving
	router    Router
	gathering *Gathering
	buf       []byte      // what came before there was a destination
	told      *amqp.State // likewise what the sender has told
	next      session.Sink
}

// NewIntake returns an Intake for a delivery that begins. What it holds is
// entered into g, which may be nil.
func NewIntake(r Receiving, router Router, g *Gathering) *Intake {
	return &Intake{r: r, router: router, gathering: g}
}

// Transfer implements session.Sink.
func (k *Intake) Transfer(payload []byte, more bool) {
	if k.next != nil {
		k.next.Transfer(payload, more)
		return
	}
	if k.buf != nil {
		k.buf = append(k.buf, payload...)
		k.gathering.add(len(payload))
		payload = k.buf
	}
	next, from := k.route(payload, more)
	if next == nil {
		if k.buf == nil {
			k.buf = append(make([]byte, 0, len(payload)+256), payload...)
			k.gathering.add(len(payload))
		}
		return
	}
	k.forget()
	told := k.told
	*k = Intake{next: next}
	if told != nil {
		k.Told(*told)
	}
	next.Transfer(payload[from:], more)
}

// forget drops what was gathered.
func (k *Intake) forget() {
	k.gathering.add(-len(k.buf))
	k.buf = nil
}

// Next implements session.Stage.
func (k *Intake) Next() session.Sink { return k.next }

// route returns nil if more of the message is needed.
func (k *Intake) route(message []byte, more bool) (next session.Sink, from int) {
	h := Head{Message: message, More: more}
	var err error
	h.Prefix, h.Whole, err = amqp.ScanPrefix(message)
	switch {
	case err != nil:
		return k.reject(err), len(message)
	case !more && !h.Whole:
		if h.End != len(message) {
			return k.reject(&amqp.Error{Condition: amqp.ErrDecode, Description: "the message ends within a section"}), len(message)
		}
		h.Whole, h.BodyOffset = true, h.End
	}
	if !h.Whole && h.Properties.Len == 0 {
		return nil, 0
	}
	h.Full = !more || len(message) >= maxGathered || k.gathering.full()
	next, from = k.router.Route(k.r, &h)
	if next == nil && h.Whole && h.Full {
		return Refuse(k.r, amqp.State{Code: amqp.StateReleased}), len(message)
	}
	return next, from
}

func (k *Intake) reject(err error) session.Sink {
	return Refuse(k.r, rejected(err))
}

// Settled implements session.Sink.
func (k *Intake) Settled(st amqp.State) {
	if k.next != nil {
		k.next.Settled(st)
	}
}

// Told implements session.Hearer.
func (k *Intake) Told(st amqp.State) {
	if k.next == nil {
		k.told = &st
	} else if h, ok := k.next.(session.Hearer); ok {
		h.Told(st)
	}
}

// Abort implements session.Sink. A delivery that nobody knows is forgotten.
func (k *Intake) Abort() {
	if k.next != nil {
		k.next.Abort()
	}
	k.forget()
}

// Lost implements session.Sink.
func (k *Intake) Lost(err error) {
	if k.next != nil {
		k.next.Lost(err)
	}
	k.forget()
}

// Refuse ends a delivery with outcome st and returns the sink for what still
// comes of it. The outcome is sent with the first Transfer: settled if that
// completes the delivery, otherwise unsettled and, when it is complete, again
// and settled (compat: skupper-router 3.x).
func Refuse(r Receiving, st amqp.State) session.Sink { return &refusal{r: r, state: st} }

type refusal struct {
	r     Receiving
	state amqp.State
	told  bool
}

func (k *refusal) Transfer(_ []byte, more bool) {
	if !k.told || !more {
		k.told = true
		k.r.Update(k.state, !more)
	}
}

func (k *refusal) Settled(amqp.State) {}
func (k *refusal) Abort()             {}
func (k *refusal) Lost(error)         {}

// rejected is the outcome of a message that is malformed.
func rejected(err error) amqp.State {
	e, ok := err.(*amqp.Error)
	if !ok {
		e = &amqp.Error{Condition: amqp.ErrDecode, Description: err.Error()}
	}
	return amqp.State{Code: amqp.StateRejected, Error: e}
}
