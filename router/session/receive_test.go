package session

import (
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

// TestConnectionErrors: what leaves the connection without meaning is answered
// with close.
func TestConnectionErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		condition amqp.Symbol
		raw       []byte
		p         amqp.Performative
		ch        uint16
	}{
		{name: "frame beyond max-frame-size", condition: amqp.ErrFraming, raw: []byte{0, 1, 0, 1, 2, 0, 0, 0}},
		{name: "frame of 7 octets", condition: amqp.ErrFraming, raw: []byte{0, 0, 0, 7, 2, 0, 0, 0}},
		{name: "data offset 1", condition: amqp.ErrFraming, raw: []byte{0, 0, 0, 8, 1, 0, 0, 0}},
		{name: "data offset beyond the frame", condition: amqp.ErrFraming, raw: []byte{0, 0, 0, 12, 9, 0, 0, 0, 0, 0, 0, 0}},
		{name: "SASL frame", condition: amqp.ErrFraming, raw: []byte{0, 0, 0, 8, 2, 1, 0, 0}},
		{name: "frame type 9", condition: amqp.ErrFraming, raw: []byte{0, 0, 0, 8, 2, 9, 0, 0}},
		{name: "not a performative", condition: amqp.ErrDecode, raw: []byte{0, 0, 0, 9, 2, 0, 0, 0, 0x40}},
		{name: "unknown performative", condition: amqp.ErrNotImplemented, raw: []byte{0, 0, 0, 12, 2, 0, 0, 0, 0, 0x53, 0x77, 0x45}},
		{name: "list cut off", condition: amqp.ErrDecode, raw: []byte{0, 0, 0, 13, 2, 0, 0, 0, 0, 0x53, 0x14, 0xc0, 0x20}},
		{name: "second open", condition: amqp.ErrIllegalState, p: &amqp.Open{ContainerID: "again"}},
		{name: "begin on a channel in use", condition: amqp.ErrNotAllowed, p: &amqp.Begin{}},
		{name: "begin beyond channel-max", condition: amqp.ErrFraming, ch: 101, p: &amqp.Begin{}},
		{name: "begin answers nothing", condition: amqp.ErrInvalidField, ch: 1, p: &amqp.Begin{HasRemoteChannel: true, RemoteChannel: 77}},
		{name: "begin answers twice", condition: amqp.ErrInvalidField, ch: 1, p: &amqp.Begin{HasRemoteChannel: true, RemoteChannel: 0}},
		{name: "transfer without session", condition: amqp.ErrNotAllowed, ch: 5, p: transfer(0, 0, false)},
		{name: "end without session", condition: amqp.ErrNotAllowed, ch: 5, p: &amqp.End{}},
		{name: "handle beyond handle-max", condition: amqp.ErrFraming, p: &amqp.Attach{Name: "a", Handle: HandleMax + 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newPeer(t, testParams(), 1)
			if c.raw != nil {
				x.raw(c.raw)
			} else {
				x.send(c.ch, c.p)
			}
			x.wantClose(c.condition)
			wantEvents(t, x.send(0, &amqp.Begin{}), "")
		})
	}
}

func TestFrameBeforeOpen(t *testing.T) {
	t.Parallel()
	x := &peer{t: t, e: New(testParams(), &amqp.Open{ContainerID: "us"}), batch: NewBatch()}
	x.send(0, &amqp.Begin{})
	want[*amqp.Open](x)
	x.wantClose(amqp.ErrIllegalState)
}

// TestSessionErrors: what one session cannot make sense of ends that session
// and leaves the other alone.
func TestSessionErrors(t *testing.T) {
	t.Parallel()
	noTag := transfer(0, 0, false)
	noTag.DeliveryTag = nil
	noID := transfer(0, 0, false)
	noID.HasDeliveryID = false
	longTag := transfer(0, 0, false)
	longTag.DeliveryTag = make([]byte, 33)
	otherTag := transfer(0, 7, false)
	otherTag.DeliveryTag = []byte("other")
	for _, c := range []struct {
		name      string
		condition amqp.Symbol
		frames    []amqp.Performative
	}{
		{"transfer on an unknown handle", amqp.ErrUnattachedHandle, []amqp.Performative{transfer(9, 0, false)}},
		{"flow on an unknown handle", amqp.ErrUnattachedHandle, []amqp.Performative{&amqp.Flow{HasHandle: true, Handle: 9}}},
		{"detach on an unknown handle", amqp.ErrUnattachedHandle, []amqp.Performative{&amqp.Detach{Handle: 9}}},
		{"handle in use", amqp.ErrHandleInUse, []amqp.Performative{&amqp.Attach{Name: "b", Handle: 0}}},
		{"empty link name", amqp.ErrInvalidField, []amqp.Performative{&amqp.Attach{Handle: 5}}},
		{"settle mode 3", amqp.ErrInvalidField, []amqp.Performative{&amqp.Attach{Name: "b", Handle: 5, SndSettleMode: 3}}},
		{"delivery without id", amqp.ErrInvalidField, []amqp.Performative{noID}},
		{"delivery without tag", amqp.ErrInvalidField, []amqp.Performative{noTag}},
		{"tag of 33 octets", amqp.ErrInvalidField, []amqp.Performative{longTag}},
		{"delivery-id not the next", amqp.ErrInvalidField, []amqp.Performative{transfer(0, 7, false), transfer(0, 9, false)}},
		{"delivery-id repeated", amqp.ErrInvalidField, []amqp.Performative{transfer(0, 7, false), transfer(0, 7, false)}},
		{"delivery inside another", amqp.ErrInvalidField, []amqp.Performative{transfer(0, 7, true), transfer(0, 8, false)}},
		{"another tag inside a delivery", amqp.ErrInvalidField, []amqp.Performative{transfer(0, 7, true), otherTag}},
		{"window from the future", amqp.ErrInvalidField, []amqp.Performative{&amqp.Flow{HasNextIncomingID: true, NextIncomingID: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newPeer(t, testParams(), 2)
			x.sendingLink("a", 0, Credit{Window: 10})
			var events []Event
			for _, p := range c.frames {
				events = append(events, x.send(0, p)...)
			}
			x.wantEnd(c.condition)
			if last := events[len(events)-1]; last.Kind != EventDetached || last.Err.Condition != c.condition {
				t.Errorf("last event %+v, want the link's end", last)
			}
			wantEvents(t, x.send(0, transfer(0, 0, false)), "") // on its way when the end was sent
			x.send(0, &amqp.End{})
			x.wantNothing()
			x.send(0, &amqp.Begin{IncomingWindow: 1})
			want[*amqp.Begin](x)
			wantEvents(t, x.send(1, &amqp.Attach{Name: "b", Handle: 0}), "attached")
		})
	}
}

// TestLinkErrors: what one link cannot make sense of detaches that link.
func TestLinkErrors(t *testing.T) {
	t.Parallel()
	t.Run("transfer against the link's direction", func(t *testing.T) {
		t.Parallel()
		x := newPeer(t, testParams(), 1)
		x.receivingLink("a", 3, 10)
		wantEvents(t, x.send(0, transfer(3, 0, false)), "detached amqp:not-allowed")
		x.wantDetach(amqp.ErrNotAllowed)
	})
	t.Run("delivery-count from the future", func(t *testing.T) {
		t.Parallel()
		x := newPeer(t, testParams(), 1)
		x.receivingLink("a", 3, 10)
		wantEvents(t, x.send(0, x.credit(3, 1, 10)), "detached amqp:invalid-field")
		x.wantDetach(amqp.ErrInvalidField)
	})
	t.Run("transaction coordinator", func(t *testing.T) {
		t.Parallel()
		x := newPeer(t, testParams(), 1)
		coordinator := []byte{
			0, 0, 0, 33, 2, 0, 0, 0, 0x00, 0x53, 0x12, 0xc0, 20, 7,
			0xa1, 1, 't', 0x43, 0x42, 0x40, 0x40, 0x00, 0x53, 0x28, 0x45, 0x00, 0x53, 0x30, 0xc0, 1, 0, 0x40, 0x40,
		}
		coordinator = coordinator[:31]
		coordinator[3], coordinator[12] = 31, 18
		wantEvents(t, x.raw(coordinator), "")
		if a := want[*amqp.Attach](x); a.Target != nil {
			t.Errorf("target %+v, want null", a.Target)
		}
		x.wantDetach(amqp.ErrNotImplemented)
	})
}

// TestMissingLinkName: a null name cannot crash anything.
func TestMissingLinkName(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.raw([]byte{0, 0, 0, 17, 2, 0, 0, 0, 0x00, 0x53, 0x12, 0xc0, 4, 3, 0x40, 0x43, 0x42})
	x.wantEnd(amqp.ErrInvalidField)
}

func TestTransferBeyondWindow(t *testing.T) {
	t.Parallel()
	p := testParams()
	p.Window = 4
	x := newPeer(t, p, 1)
	x.sendingLink("a", 0, Credit{Window: 10})
	for i := range uint32(4) {
		x.send(0, transfer(0, 0, true), byte(i))
	}
	// Two frames used half: the flow that announces four more was not read, so
	// the peer may not know of it; the fifth is one too many.
	x.send(0, transfer(0, 0, true))
	if x.err != nil {
		t.Fatal(x.err)
	}
	if f := want[*amqp.End](x); f.Error.Condition != amqp.ErrWindowViolation {
		t.Fatalf("end with %v", f.Error)
	}
}

func TestWindowIsCountedPerFrame(t *testing.T) {
	t.Parallel()
	p := testParams()
	p.Window = 4
	x := newPeer(t, p, 1)
	x.sendingLink("a", 0, Credit{Window: 10})
	x.send(0, transfer(0, 0, true))
	x.wantNothing()
	x.send(0, transfer(0, 0, true))
	f := want[*amqp.Flow](x)
	if f.HasHandle || f.NextIncomingID != 2 || f.IncomingWindow != 4 {
		t.Errorf("flow %+v, want the session alone with 2 and 4", f)
	}
}

// TestWindowCountsWhatIsNotTaken: transfers on a link that was detached by us
// still use up the window and the delivery ids.
func TestWindowCountsWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	p := testParams()
	p.Window = 4
	x := newPeer(t, p, 1)
	l := x.sendingLink("a", 0, Credit{Window: 10})
	wantEvents(t, x.send(0, transfer(0, 0, true), 'x'), `transfer "x" first more`)
	l.Detach(&amqp.Error{Condition: amqp.ErrDetachForced})
	x.wantDetach(amqp.ErrDetachForced)
	wantEvents(t, x.send(0, transfer(0, 0, false)), `transfer ""`)
	f := want[*amqp.Flow](x)
	if f.NextIncomingID != 2 {
		t.Errorf("next-incoming-id %d, want 2", f.NextIncomingID)
	}
	wantEvents(t, x.send(0, transfer(0, 1, false)), "")
	wantEvents(t, x.send(0, &amqp.Detach{Closed: true}), "in-lost, detached")
	x.sendingLink("b", 0, Credit{Window: 10})
	wantEvents(t, x.send(0, transfer(0, 2, false)), `transfer "" first`)
}

func TestHoldWithholdsTheWindow(t *testing.T) {
	t.Parallel()
	p := testParams()
	p.Window = 4
	x := newPeer(t, p, 1)
	x.sendingLink("a", 0, Credit{Window: 10})
	in := x.send(0, transfer(0, 0, true))[0].In
	in.Hold(1)
	x.send(0, transfer(0, 0, true))
	in.Hold(1)
	x.wantNothing() // 2 left and 2 held
	x.send(0, transfer(0, 0, true))
	if f := want[*amqp.Flow](x); f.IncomingWindow != 2 {
		t.Errorf("window %d, want 2", f.IncomingWindow)
	}
	in.Release(5)
	if f := want[*amqp.Flow](x); f.IncomingWindow != 4 {
		t.Errorf("window %d, want 4", f.IncomingWindow)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	p := testParams()
	p.Sessions, p.Links, p.Deliveries, p.Control = 2, 3, 5, 4096
	t.Run("sessions", func(t *testing.T) {
		t.Parallel()
		x := newPeer(t, p, 2)
		x.send(2, &amqp.Begin{})
		x.wantClose(amqp.ErrResourceLimitExceeded)
	})
	t.Run("links", func(t *testing.T) {
		t.Parallel()
		x := newPeer(t, p, 1)
		for i := range uint32(3) {
			x.send(0, &amqp.Attach{Name: string(rune('a' + i)), Handle: i})
		}
		x.send(0, &amqp.Attach{Name: "z", Handle: 9})
		x.wantClose(amqp.ErrResourceLimitExceeded)
	})
	t.Run("unsettled deliveries", func(t *testing.T) {
		t.Parallel()
		x := newPeer(t, p, 1)
		x.sendingLink("a", 0, Credit{Window: 100})
		for i := range uint32(6) {
			x.send(0, transfer(0, i, false))
		}
		x.wantClose(amqp.ErrResourceLimitExceeded)
	})
	t.Run("answers that nobody reads", func(t *testing.T) {
		t.Parallel()
		x := newPeer(t, p, 1)
		for i := 0; x.err == nil; i++ {
			if i > 1000 {
				t.Fatal("1000 attach and detach were taken")
			}
			for _, ev := range x.send(0, &amqp.Attach{Name: "a", Handle: 0}) {
				ev.Link.Refuse(&amqp.Error{Condition: amqp.ErrNotFound})
			}
			x.send(0, &amqp.Detach{Handle: 0, Closed: true})
		}
		x.wantClose(amqp.ErrResourceLimitExceeded)
	})
	t.Run("handles far apart", func(t *testing.T) {
		t.Parallel()
		x := newPeer(t, p, 1)
		wantEvents(t, x.send(0, &amqp.Attach{Name: "a", Handle: HandleMax}), "attached")
		wantEvents(t, x.send(0, &amqp.Attach{Name: "b", Handle: 4711}), "attached")
	})
}

func TestPeerCloses(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	events := x.send(0, &amqp.Close{Error: &amqp.Error{Condition: amqp.ErrConnectionForced}})
	wantEvents(t, events, "closed amqp:connection:forced")
	if c := want[*amqp.Close](x); c.Error != nil {
		t.Errorf("close with %v", c.Error)
	}
	if !x.e.CloseSent() || !x.e.PeerClosed() {
		t.Error("the exchange of closes is not complete")
	}
	wantEvents(t, x.send(0, &amqp.Begin{}), "")
}

func TestHeartbeatsAreIgnored(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	wantEvents(t, x.raw(amqp.AppendHeartbeat(nil)), "")
	x.wantNothing()
	x.e.Heartbeat()
	x.emit()
	if string(x.out) != string(amqp.AppendHeartbeat(nil)) {
		t.Errorf("emitted %x", x.out)
	}
}
