package session

import (
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

func ours(name string, role amqp.Role) *amqp.Attach {
	return &amqp.Attach{Name: name, Role: role, SndSettleMode: amqp.SndMixed, Source: &amqp.Source{}, Target: &amqp.Target{}}
}

// answerBegin answers the engine's begin on channel ch.
func (x *peer) answerBegin(ch uint16) {
	x.t.Helper()
	x.emit()
	_, _, channel := x.peekBegin()
	x.send(ch, &amqp.Begin{HasRemoteChannel: true, RemoteChannel: channel, IncomingWindow: 1000, OutgoingWindow: 1000})
}

func (x *peer) peekBegin() (amqp.Performative, []byte, uint16) {
	x.t.Helper()
	p, payload, ch := x.next()
	if b, ok := p.(*amqp.Begin); !ok || b.HasRemoteChannel {
		x.t.Fatalf("got %T %+v, want our begin", p, p)
	}
	return p, payload, ch
}

func TestAttachIsPipelined(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 0)
	l, err := x.e.Attach(3, ours("a", amqp.RoleReceiver), Credit{Window: 250})
	if err != nil {
		t.Fatal(err)
	}
	x.answerBegin(9)
	if a := want[*amqp.Attach](x); a.Name != "a" || a.Role != amqp.RoleReceiver || !a.HasInitialDeliveryCount {
		t.Errorf("attach %+v", a)
	}
	x.wantNothing() // credit waits for the peer's attach
	answer := ours("a", amqp.RoleSender)
	answer.Handle, answer.InitialDeliveryCount, answer.HasInitialDeliveryCount = 77, 5, true
	wantEvents(t, x.send(9, answer), "answered")
	f := want[*amqp.Flow](x)
	if f.LinkCredit != 250 || f.DeliveryCount != 5 || f.Handle != 0 {
		t.Errorf("flow %+v", f)
	}
	if l.Remote().Handle != 77 || l.Session().Class() != 3 {
		t.Errorf("remote %+v, class %d", l.Remote(), l.Session().Class())
	}
	wantEvents(t, x.send(9, transfer(77, 0, false), 'm'), `transfer "m" first`)
}

func TestClassesShareNothing(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 0)
	if a, b := x.e.Session(1), x.e.Session(2); a == b || x.e.Session(1) != a {
		t.Error("one session for each class is wanted")
	}
	for range 2 {
		want[*amqp.Begin](x)
	}
}

func TestChannelMaxFoldsClasses(t *testing.T) {
	t.Parallel()
	p := testParams()
	p.ChannelMax = 1
	x := newPeer(t, p, 0)
	a, b, c := x.e.Session(1), x.e.Session(2), x.e.Session(3)
	if a == b || c != a {
		t.Error("the third class does not share the session of the first")
	}
}

// TestRefusedByPeer: attach with a null terminus, then detach, AMQP 1.0 §2.6.3.
func TestRefusedByPeer(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 0)
	l, _ := x.e.Attach(0, ours("a", amqp.RoleSender), Credit{})
	x.answerBegin(0)
	want[*amqp.Attach](x)
	var out Outgoing
	l.Send(&out, false)
	out.WriteBytes([]byte("x"), false)
	answer := ours("a", amqp.RoleReceiver)
	answer.Target = nil
	wantEvents(t, x.send(0, answer), "answered")
	if !l.Refused() {
		t.Error("not refused")
	}
	wantEvents(t, x.send(0, &amqp.Detach{Closed: true, Error: &amqp.Error{Condition: "qd:forbidden"}}), "out-lost qd:forbidden, detached qd:forbidden")
	x.wantDetach("")
	x.wantNothing()
	if x.e.Links() != 0 || x.e.Unsent() != 0 {
		t.Errorf("%d links, %d octets are left", x.e.Links(), x.e.Unsent())
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	for _, role := range []amqp.Role{amqp.RoleSender, amqp.RoleReceiver} {
		x := newPeer(t, testParams(), 1)
		l := x.send(0, &amqp.Attach{Name: "a", Handle: 4, Role: role, Source: &amqp.Source{Address: "s"}, Target: &amqp.Target{Address: "t"}})[0].Link
		l.Refuse(&amqp.Error{Condition: amqp.ErrNotFound, Description: "nobody"})
		a := want[*amqp.Attach](x)
		if role == amqp.RoleSender && (a.Target != nil || a.Source == nil) || role == amqp.RoleReceiver && (a.Source != nil || a.Target == nil) {
			t.Errorf("role %v: refused with source %v, target %v", role, a.Source, a.Target)
		}
		x.wantDetach(amqp.ErrNotFound)
		wantEvents(t, x.send(0, &amqp.Detach{Handle: 4, Closed: true}), "")
		x.wantNothing()
		if x.e.Links() != 0 {
			t.Errorf("%d links are left", x.e.Links())
		}
	}
}

// TestDetachBeforeAnswer: the peer gives its attach up before it was answered.
func TestDetachBeforeAnswer(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.send(0, &amqp.Attach{Name: "a", Handle: 4})[0].Link
	wantEvents(t, x.send(0, &amqp.Detach{Handle: 4, Closed: true}), "")
	x.wantNothing()
	if l.Accept(&amqp.Attach{}, Credit{Window: 3}) {
		t.Error("accepted a link that is gone")
	}
	want[*amqp.Attach](x)
	x.wantDetach("")
	if x.e.Links() != 0 {
		t.Errorf("%d links are left", x.e.Links())
	}
}

func TestNamesAreUniquePerDirection(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.sendingLink("a", 0, Credit{})
	x.receivingLink("a", 1, 0)
	wantEvents(t, x.send(0, &amqp.Attach{Name: "a", Handle: 2, Role: amqp.RoleSender}), "")
	want[*amqp.Attach](x)
	d := x.wantDetach(amqp.ErrNotAllowed)
	if d.Handle != 2 {
		t.Errorf("detached handle %d", d.Handle)
	}
	wantEvents(t, x.send(0, &amqp.Detach{Handle: 2}), "")
	// After a detach on both sides the name is free.
	wantEvents(t, x.send(0, &amqp.Detach{Handle: 0, Closed: true}), "detached")
	x.wantDetach("")
	x.sendingLink("a", 0, Credit{})
}

func TestOurNamesAreUnique(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 0)
	if _, err := x.e.Attach(0, ours("a", amqp.RoleSender), Credit{}); err != nil {
		t.Fatal(err)
	}
	if l, err := x.e.Attach(0, ours("a", amqp.RoleSender), Credit{}); err == nil || !l.Gone() {
		t.Error("two links of one name and direction")
	}
	if _, err := x.e.Attach(0, ours("a", amqp.RoleReceiver), Credit{}); err != nil {
		t.Error(err)
	}
}

func TestHandleMaxOfPeer(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 0)
	x.e.Session(0)
	want[*amqp.Begin](x)
	x.send(0, &amqp.Begin{HasRemoteChannel: true, HandleMax: 1})
	for i, name := range []string{"a", "b", "c"} {
		if _, err := x.e.Attach(0, ours(name, amqp.RoleSender), Credit{}); (err != nil) != (i == 2) {
			t.Errorf("link %d: %v", i, err)
		}
	}
}

// TestSuspendedLink: a detach that does not close is answered in kind, and
// nothing of the link is kept.
func TestSuspendedLink(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.sendingLink("a", 0, Credit{Window: 5})
	wantEvents(t, x.send(0, transfer(0, 0, true), 'x'), `transfer "x" first more`)
	wantEvents(t, x.send(0, &amqp.Detach{Handle: 0}), "in-lost, detached")
	if d := want[*amqp.Detach](x); d.Closed {
		t.Error("answered with closed")
	}
	x.sendingLink("a", 0, Credit{Window: 5})
}

func TestUnsettledMapIsIgnored(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	a := &amqp.Attach{Name: "a", Role: amqp.RoleSender, Unsettled: amqp.Map{{Key: []byte("t"), Value: nil}}, IncompleteUnsettled: true}
	wantEvents(t, x.send(0, a), "attached")
}

func TestPeerEndsSession(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.sendingLink("a", 0, Credit{Window: 5})
	out := &Outgoing{}
	x.receivingLink("b", 1, 5).Send(out, false)
	out.WriteBytes([]byte("x"), true)
	want[*amqp.Transfer](x)
	x.send(0, transfer(0, 0, false))
	events := x.send(0, &amqp.End{Error: &amqp.Error{Condition: "why"}})
	wantEvents(t, events, "in-lost why, detached why, out-lost why, detached why")
	if e := want[*amqp.End](x); e.Error != nil {
		t.Errorf("end with %v", e.Error)
	}
	x.wantNothing()
	if x.e.Links() != 0 || x.e.Sessions() != 0 || x.e.Unsettled() != 0 {
		t.Errorf("%d links, %d sessions, %d unsettled are left", x.e.Links(), x.e.Sessions(), x.e.Unsettled())
	}
	out.WriteBytes([]byte("late"), false) // harmless
	x.wantNothing()
}

func TestAbandon(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.sendingLink("a", 0, Credit{Window: 5})
	pending := x.send(0, &amqp.Attach{Name: "c", Handle: 7})[0].Link
	sent, waiting, settled := &Outgoing{}, &Outgoing{}, &Outgoing{}
	l := x.receivingLink("b", 1, 2)
	for _, out := range []*Outgoing{settled, sent, waiting} {
		l.Send(out, out == settled)
		out.WriteBytes([]byte("x"), false)
	}
	want[*amqp.Transfer](x)
	want[*amqp.Transfer](x)
	x.send(0, transfer(0, 0, false))
	events := x.e.Abandon(&amqp.Error{Condition: "gone"})
	wantEvents(t, events, "in-lost gone, detached gone, out-lost gone, out-lost gone, detached gone")
	if events[2].Out != sent || events[3].Out != waiting {
		t.Error("the wrong deliveries are lost")
	}
	if pending.Accept(&amqp.Attach{}, Credit{}) {
		t.Error("accepted on a lost connection")
	}
	if len(x.e.Abandon(nil)) != 0 {
		t.Error("lost twice")
	}
}
