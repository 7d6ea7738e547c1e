package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

func testParams() Params {
	return Params{MaxFrameSize: 65536, ChannelMax: 100, Window: 100, Sessions: 10, Links: 1000, Deliveries: 1000, Control: 1 << 20}
}

// peer drives an engine with frames: it sends performatives and states what
// the engine must answer.
type peer struct {
	t     *testing.T
	e     *Engine
	batch *Batch
	out   []byte // emitted by the engine, not yet looked at
	err   error  // of the last Receive
}

// newPeer returns a peer that has exchanged opens and, if sessions > 0, begun
// that many sessions on channels 0, 1, ….
func newPeer(t *testing.T, p Params, sessions int) *peer {
	t.Helper()
	x := &peer{t: t, e: New(p, &amqp.Open{ContainerID: "us", MaxFrameSize: p.MaxFrameSize, ChannelMax: p.ChannelMax}), batch: NewBatch()}
	x.send(0, &amqp.Open{ContainerID: "peer", MaxFrameSize: 65536, ChannelMax: 200})
	want[*amqp.Open](x)
	for i := range sessions {
		x.send(uint16(i), &amqp.Begin{IncomingWindow: 1000, OutgoingWindow: 1000, HandleMax: 1000})
		if b := want[*amqp.Begin](x); !b.HasRemoteChannel || int(b.RemoteChannel) != i {
			t.Fatalf("begin %+v answers channel %d", b, i)
		}
	}
	return x
}

func (x *peer) raw(frame []byte) []Event {
	x.t.Helper()
	var all []Event
	for {
		n, events, err := x.e.Receive(frame)
		x.err = err
		for _, ev := range events {
			ev.Payload = append([]byte(nil), ev.Payload...)
			if ev.State != nil {
				st := *ev.State
				ev.State = &st
			}
			all = append(all, ev)
		}
		if frame = frame[n:]; err != nil || n == 0 || len(frame) == 0 {
			return all
		}
	}
}

func (x *peer) send(ch uint16, p amqp.Performative, payload ...byte) []Event {
	x.t.Helper()
	return x.raw(frameOf(ch, p, payload...))
}

func frameOf(ch uint16, p amqp.Performative, payload ...byte) []byte {
	b := append(p.Append(amqp.AppendFrameHeader(nil, amqp.FrameAMQP, ch)), payload...)
	amqp.FinishFrame(b)
	return b
}

func (x *peer) emit() {
	for x.e.Pending() {
		x.e.Emit(x.batch, BatchSize)
		for _, g := range x.batch.Groups {
			x.out = append(x.out, g...)
		}
		if x.batch.Size == 0 && x.e.Pending() {
			x.t.Fatal("the engine has something pending and emits nothing")
		}
		x.batch.Reset()
	}
}

// next returns the next frame that the engine emits, nil if there is none.
func (x *peer) next() (amqp.Performative, []byte, uint16) {
	x.t.Helper()
	x.emit()
	if len(x.out) == 0 {
		return nil, nil, 0
	}
	h, err := amqp.ParseFrameHeader(x.out)
	if err != nil {
		x.t.Fatal(err)
	}
	p, payload, err := amqp.DecodePerformative(x.out[h.BodyOffset():h.Size])
	if err != nil {
		x.t.Fatal(err)
	}
	x.out = x.out[h.Size:]
	return p, payload, h.Channel
}

// want returns the next frame, which must be a P.
func want[P amqp.Performative](x *peer) P {
	x.t.Helper()
	p, _, _ := x.next()
	v, ok := p.(P)
	if !ok {
		x.t.Fatalf("got %T %+v, want %T", p, p, v)
	}
	return v
}

func (x *peer) wantNothing() {
	x.t.Helper()
	if p, _, _ := x.next(); p != nil {
		x.t.Fatalf("got %T %+v, want nothing", p, p)
	}
}

func (x *peer) wantClose(condition amqp.Symbol) {
	x.t.Helper()
	var c *ConnError
	if !errors.As(x.err, &c) || c.Err.Condition != condition {
		x.t.Fatalf("Receive returned %v, want a ConnError with %s", x.err, condition)
	}
	if got := want[*amqp.Close](x); got.Error == nil || got.Error.Condition != condition {
		x.t.Fatalf("close with %v, want %s", got.Error, condition)
	}
	x.wantNothing()
}

func (x *peer) wantEnd(condition amqp.Symbol) {
	x.t.Helper()
	if x.err != nil {
		x.t.Fatalf("the connection has failed: %v", x.err)
	}
	if got := want[*amqp.End](x); got.Error == nil || got.Error.Condition != condition {
		x.t.Fatalf("end with %v, want %s", got.Error, condition)
	}
}

func (x *peer) wantDetach(condition amqp.Symbol) *amqp.Detach {
	x.t.Helper()
	if x.err != nil {
		x.t.Fatalf("the connection has failed: %v", x.err)
	}
	got := want[*amqp.Detach](x)
	if condition == "" && got.Error != nil || condition != "" && (got.Error == nil || got.Error.Condition != condition) {
		x.t.Fatalf("detach with %v, want %s", got.Error, condition)
	}
	if !got.Closed {
		x.t.Fatal("a detach that does not close")
	}
	return got
}

// kinds prints events for comparison.
func kinds(events []Event) string {
	names := map[EventKind]string{
		EventOpened: "opened", EventClosed: "closed", EventAttached: "attached", EventAnswered: "answered",
		EventTransfer: "transfer", EventSettled: "settled", EventTold: "told", EventAborted: "aborted", EventInLost: "in-lost",
		EventUpdate: "update", EventOutLost: "out-lost", EventCredit: "credit", EventDetached: "detached",
	}
	var s []string
	for _, ev := range events {
		name := names[ev.Kind]
		switch {
		case ev.Kind == EventTransfer:
			name += fmt.Sprintf(" %q", ev.Payload)
			if ev.First {
				name += " first"
			}
			if ev.More {
				name += " more"
			}
		case ev.State != nil:
			name += " " + ev.State.Code.String()
			if ev.Settled {
				name += " settled"
			}
		case ev.Err != nil:
			name += " " + string(ev.Err.Condition)
		}
		s = append(s, name)
	}
	return strings.Join(s, ", ")
}

func wantEvents(t *testing.T, events []Event, wanted string) {
	t.Helper()
	if got := kinds(events); got != wanted {
		t.Fatalf("events: %s\nwant:   %s", got, wanted)
	}
}

// wantAllocations fails when f allocates on average. The race detector's
// bookkeeping makes pools drop items, so that it is not measured there.
func wantAllocations(t *testing.T, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 && !raceEnabled {
		t.Errorf("%.1f allocations per run, want none", n)
	}
}

// receiver attaches a link named name on channel 0 that the peer sends on.
func (x *peer) sendingLink(name string, handle uint32, credit Credit) *Link {
	x.t.Helper()
	events := x.send(0, &amqp.Attach{Name: name, Handle: handle, Role: amqp.RoleSender, SndSettleMode: amqp.SndMixed, Source: &amqp.Source{}, Target: &amqp.Target{}})
	wantEvents(x.t, events, "attached")
	l := events[0].Link
	if !l.Accept(&amqp.Attach{Source: &amqp.Source{}, Target: &amqp.Target{}}, credit) {
		x.t.Fatal("the link is gone")
	}
	want[*amqp.Attach](x)
	if credit.Window > 0 {
		if f := want[*amqp.Flow](x); f.LinkCredit != credit.Window {
			x.t.Fatalf("credit %d, want %d", f.LinkCredit, credit.Window)
		}
	}
	return l
}

// receivingLink attaches a link on channel 0 that the peer receives on, with
// credit.
func (x *peer) receivingLink(name string, handle, credit uint32) *Link {
	x.t.Helper()
	events := x.send(0, &amqp.Attach{Name: name, Handle: handle, Role: amqp.RoleReceiver, Source: &amqp.Source{}, Target: &amqp.Target{}})
	wantEvents(x.t, events, "attached")
	l := events[0].Link
	l.Accept(&amqp.Attach{Source: &amqp.Source{}, Target: &amqp.Target{}}, Credit{})
	want[*amqp.Attach](x)
	if credit > 0 {
		wantEvents(x.t, x.send(0, x.credit(handle, 0, credit)), "credit")
	}
	return l
}

func (x *peer) credit(handle, count, credit uint32) *amqp.Flow {
	return &amqp.Flow{
		HasNextIncomingID: true, IncomingWindow: 1000, OutgoingWindow: 1000,
		HasHandle: true, Handle: handle, HasDeliveryCount: true, DeliveryCount: count, HasLinkCredit: true, LinkCredit: credit,
	}
}

func transfer(handle, id uint32, more bool) *amqp.Transfer {
	return &amqp.Transfer{
		Handle: handle, DeliveryID: id, HasDeliveryID: true, DeliveryTag: []byte{byte(id)}, HasMessageFormat: true, More: more,
	}
}
