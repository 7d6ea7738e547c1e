package session

import (
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

// FuzzEngine feeds whatever a peer may send, after the opens. The engine must
// neither panic nor emit frames that cannot be read, and must end up with
// nothing open when the connection is abandoned.
func FuzzEngine(f *testing.F) {
	open := frameOf(0, &amqp.Open{ContainerID: "peer", MaxFrameSize: 600})
	begin := frameOf(0, &amqp.Begin{IncomingWindow: 5, OutgoingWindow: 5})
	attach := func(name string, h uint32, role amqp.Role) []byte {
		return frameOf(0, &amqp.Attach{Name: name, Handle: h, Role: role, Source: &amqp.Source{}, Target: &amqp.Target{}})
	}
	seq := func(parts ...[]byte) []byte {
		var b []byte
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	f.Add([]byte{})
	f.Add(seq(open, begin, attach("a", 0, amqp.RoleSender), frameOf(0, transfer(0, 0, true), 'x'), frameOf(0, transfer(0, 0, false)), frameOf(0, transfer(0, 1, true))))
	f.Add(seq(open, begin, attach("b", 1, amqp.RoleReceiver), frameOf(0, &amqp.Flow{HasNextIncomingID: true, IncomingWindow: 9, HasHandle: true, Handle: 1, HasLinkCredit: true, LinkCredit: 3, Drain: true, Echo: true}), frameOf(0, &amqp.Disposition{Role: amqp.RoleReceiver, Last: 1 << 31, Settled: true, State: amqp.State{Code: amqp.StateAccepted}})))
	f.Add(seq(open, begin, attach("a", 0, amqp.RoleSender), frameOf(0, &amqp.Detach{Handle: 0}), frameOf(0, &amqp.End{}), begin, frameOf(0, &amqp.Close{})))
	f.Add(seq(open, frameOf(3, &amqp.Begin{HasRemoteChannel: true}), frameOf(3, &amqp.Attach{Name: "ours", Handle: 2, Role: amqp.RoleReceiver}), frameOf(3, &amqp.Detach{Handle: 2, Closed: true})))
	f.Fuzz(func(t *testing.T, in []byte) {
		p := Params{MaxFrameSize: 4096, ChannelMax: 10, Window: 4, Sessions: 3, Links: 5, Deliveries: 8, Control: 4096}
		x := &peer{t: t, e: New(p, &amqp.Open{ContainerID: "us", MaxFrameSize: 4096, ChannelMax: 10}), batch: NewBatch()}
		u := &fuzzUser{t: t, e: x.e, begun: map[*Incoming]bool{}}
		for len(in) > 0 {
			n, events, err := x.e.Receive(in[:min(len(in), 4096)])
			for _, ev := range events {
				u.handle(ev)
			}
			x.emit()
			checkFrames(t, x)
			if err != nil || n == 0 {
				break
			}
			in = in[n:]
		}
		for _, ev := range x.e.Abandon(nil) {
			u.handle(ev)
		}
		if x.e.Unsent() != 0 || x.e.Unsettled() != 0 || u.open != 0 {
			t.Errorf("%d unsent, %d unsettled, %d without a last event", x.e.Unsent(), x.e.Unsettled(), u.open)
		}
	})
}

func checkFrames(t *testing.T, x *peer) {
	for len(x.out) > 0 {
		h, err := amqp.ParseFrameHeader(x.out)
		if err != nil || int(h.Size) > len(x.out) {
			t.Fatalf("emitted %x: %v", x.out, err)
		}
		if x.e.peerFrame > 0 && int(h.Size) > x.e.peerFrame && h.Size > 600 {
			t.Fatalf("a frame of %d octets, the peer takes %d", h.Size, x.e.peerFrame)
		}
		if h.Size > 8 {
			if _, _, err := amqp.DecodePerformative(x.out[8:h.Size]); err != nil {
				t.Fatalf("emitted %x: %v", x.out[:h.Size], err)
			}
		}
		x.out = x.out[h.Size:]
	}
}

// fuzzUser uses what the peer offers and counts first against last events.
type fuzzUser struct {
	t    *testing.T
	e    *Engine
	n    int
	open int

	begun map[*Incoming]bool // deliveries that the user knows of
}

func (u *fuzzUser) handle(ev Event) {
	u.n++
	if ev.In != nil {
		if u.begun[ev.In] == ev.First {
			u.t.Errorf("event %d, first %v, of a delivery that was known: %v", ev.Kind, ev.First, u.begun[ev.In])
		}
		u.begun[ev.In] = true
	}
	switch ev.Kind {
	case EventOpened:
		if l, err := u.e.Attach(0, &amqp.Attach{Name: "ours", Role: amqp.RoleSender, Target: &amqp.Target{}}, Credit{}); err == nil {
			u.open++
			u.write(l)
		}
	case EventAttached:
		switch u.n % 3 {
		case 0:
			ev.Link.Refuse(nil)
		case 1:
			if ev.Link.Accept(&amqp.Attach{Source: &amqp.Source{}, Target: &amqp.Target{}}, Credit{Window: 3, OnSettle: u.n%2 == 0}) {
				u.open++
			}
		}
	case EventTransfer:
		switch u.n % 4 {
		case 0:
			ev.In.Update(&amqp.State{Code: amqp.StateReceived, Offset: 1}, false)
		case 1:
			ev.In.Update(&amqp.State{Code: amqp.StateAccepted}, true)
		case 2:
			ev.In.Hold(1)
		case 3:
			ev.In.Link().Detach(nil)
		}
	case EventCredit:
		u.write(ev.Link)
		ev.Link.Drained()
	case EventUpdate:
		ev.Out.End(true)
	case EventDetached:
		u.open--
	case EventClosed, EventAnswered, EventSettled, EventTold, EventAborted, EventInLost, EventOutLost:
	}
}

func (u *fuzzUser) write(l *Link) {
	out := &Outgoing{}
	l.Send(out, u.n%2 == 0)
	out.WriteBytes(make([]byte, 700*(u.n%3)), u.n%3 == 0)
	if u.n%5 == 0 {
		out.Abort()
	}
}
