package session

import (
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

// TestCreditReturnsAtBegin: half of the window used, a flow with the absolute
// credit and the deliveries seen.
func TestCreditReturnsAtBegin(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.sendingLink("a", 0, Credit{Window: 4})
	x.send(0, transfer(0, 0, false))
	x.wantNothing()
	x.send(0, transfer(0, 1, true)) // incomplete: it counts as it begins
	if f := want[*amqp.Flow](x); f.LinkCredit != 4 || f.DeliveryCount != 2 {
		t.Errorf("flow %+v", f)
	}
	x.send(0, transfer(0, 1, false))
	x.wantNothing()
}

// TestPromptCredit: a flow with every delivery, so that the peer hears of the
// link again.
func TestPromptCredit(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.sendingLink("a", 0, Credit{Window: 250, Prompt: true})
	for i := range uint32(3) {
		x.send(0, transfer(0, i, true))
		if f := want[*amqp.Flow](x); f.LinkCredit != 250 || f.DeliveryCount != i+1 {
			t.Errorf("flow %+v", f)
		}
		x.send(0, transfer(0, i, false))
		x.wantNothing()
	}
}

func TestCreditReturnsOnSettlement(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.sendingLink("a", 0, Credit{Window: 4, OnSettle: true})
	var ins []*Incoming
	for i := range uint32(4) {
		ins = append(ins, x.send(0, transfer(0, i, false))[0].In)
	}
	x.wantNothing()
	ins[2].Update(&amqp.State{Code: amqp.StateAccepted}, false)
	want[*amqp.Disposition](x)
	ins[2].Update(&amqp.State{}, true)
	if d := want[*amqp.Disposition](x); d.First != 2 || !d.Settled || d.State.Code != amqp.StateAccepted {
		t.Errorf("disposition %+v", d)
	}
	if f := want[*amqp.Flow](x); f.LinkCredit != 1 || f.DeliveryCount != 4 {
		t.Errorf("flow %+v", f)
	}
	// A settlement by the sender counts as well.
	x.send(0, &amqp.Disposition{Role: amqp.RoleSender, First: 0, Last: 1, Settled: true})
	if f := want[*amqp.Flow](x); f.LinkCredit != 3 {
		t.Errorf("flow %+v", f)
	}
}

// TestPeerAheadOfCredit: as many deliveries beyond the credit as were ever
// granted are taken, no more, and none where nothing was granted.
func TestPeerAheadOfCredit(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.sendingLink("a", 0, Credit{Window: 3})
	l.SetCredit(0)
	want[*amqp.Flow](x)
	for i := range uint32(3) {
		wantEvents(t, x.send(0, transfer(0, i, false)), `transfer "" first`)
	}
	wantEvents(t, x.send(0, transfer(0, 3, true)), "in-lost amqp:link:transfer-limit-exceeded, in-lost amqp:link:transfer-limit-exceeded, in-lost amqp:link:transfer-limit-exceeded, detached amqp:link:transfer-limit-exceeded")
	x.wantDetach(amqp.ErrTransferLimitExceeded)
	wantEvents(t, x.send(0, transfer(0, 3, false)), "") // the rest of it
	wantEvents(t, x.send(0, &amqp.Detach{Closed: true}), "")
	x.wantNothing()

	x.sendingLink("b", 1, Credit{})
	wantEvents(t, x.send(0, transfer(1, 4, false)), "detached amqp:link:transfer-limit-exceeded")
	x.wantDetach(amqp.ErrTransferLimitExceeded)
}

func TestTransferBeforeAnswer(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.send(0, &amqp.Attach{Name: "a", Role: amqp.RoleSender})[0].Link
	wantEvents(t, x.send(0, transfer(0, 0, true)), "")
	want[*amqp.Attach](x)
	x.wantDetach(amqp.ErrTransferLimitExceeded)
	if l.Accept(&amqp.Attach{}, Credit{Window: 1}) {
		t.Error("accepted after all")
	}
}

func TestSendWaitsForCredit(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 0)
	outs := make([]Outgoing, 3)
	for i := range outs {
		l.Send(&outs[i], false)
		outs[i].WriteBytes([]byte{byte('a' + i)}, false)
	}
	x.wantNothing()
	if l.CreditAvailable() != -3 {
		t.Errorf("credit %d", l.CreditAvailable())
	}
	wantEvents(t, x.send(0, x.credit(0, 0, 2)), "credit")
	for i := range uint32(2) {
		if tr := want[*amqp.Transfer](x); tr.DeliveryID != i {
			t.Errorf("delivery-id %d", tr.DeliveryID)
		}
	}
	x.wantNothing()
	// The peer had seen one when it sent this: one more may begin.
	f := x.credit(0, 1, 2)
	f.NextIncomingID = 1
	wantEvents(t, x.send(0, f), "credit")
	want[*amqp.Transfer](x)
}

func TestDrain(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 0)
	f := x.credit(0, 0, 10)
	f.Drain = true
	wantEvents(t, x.send(0, f), "credit")
	var out Outgoing
	l.Send(&out, true)
	out.WriteBytes([]byte("x"), false)
	l.Drained() // one waits: not yet
	want[*amqp.Transfer](x)
	tr := want[*amqp.Flow](x)
	if tr.LinkCredit != 0 || tr.DeliveryCount != 10 || !tr.Drain {
		t.Errorf("flow %+v", tr)
	}
}

func TestDrainWithoutMessages(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 0)
	f := x.credit(0, 0, 10)
	f.Drain = true
	x.send(0, f)
	l.Drained()
	if got := want[*amqp.Flow](x); got.LinkCredit != 0 || got.DeliveryCount != 10 || !got.Drain {
		t.Errorf("flow %+v", got)
	}
	f = x.credit(0, 10, 1)
	x.send(0, f)
	var out Outgoing
	l.Send(&out, true)
	out.WriteBytes([]byte("x"), false)
	want[*amqp.Transfer](x)
}

func TestEcho(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.receivingLink("a", 3, 7)
	x.send(0, &amqp.Flow{IncomingWindow: 9, Echo: true})
	if f := want[*amqp.Flow](x); f.HasHandle || f.IncomingWindow != 100 {
		t.Errorf("flow %+v", f)
	}
	f := x.credit(3, 0, 7)
	f.Echo = true
	x.send(0, f)
	if got := want[*amqp.Flow](x); !got.HasHandle || got.LinkCredit != 7 {
		t.Errorf("flow %+v", got)
	}
}

func TestSerialWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, n, now, want uint32 }{
		{0, 10, 0, 10},
		{0, 10, 4, 6},
		{0, 10, 10, 0},
		{0, 10, 11, 0},
		{1<<32 - 3, 10, 2, 5},
		{5, 10, 3, 10},
		{0, 1<<32 - 1, 5, 1<<32 - 6},
	} {
		if got := remaining(c.from, c.n, c.now); got != c.want {
			t.Errorf("%d from %d at %d: %d left, want %d", c.n, c.from, c.now, got, c.want)
		}
	}
}

// TestPresettledOverflow: beyond 250 the oldest complete ones are dropped.
func TestPresettledOverflow(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 0)
	outs := make([]Outgoing, 260)
	for i := range outs {
		l.Send(&outs[i], true)
		outs[i].WriteBytes([]byte{byte(i)}, false)
	}
	dropped := x.e.Dropped()
	if len(dropped) != 10 || dropped[0] != &outs[0] || l.Stats().Dropped != 10 || len(x.e.Dropped()) != 0 {
		t.Fatalf("%d dropped, %d counted", len(dropped), l.Stats().Dropped)
	}
	x.send(0, x.credit(0, 0, 1000))
	for i := 10; i < 260; i++ {
		p, payload, _ := x.next()
		if tr, ok := p.(*amqp.Transfer); !ok || !tr.Settled || payload[0] != byte(i) {
			t.Fatalf("%d: %+v %x", i, p, payload)
		}
	}
	x.wantNothing()
}

// TestKeptPresettled: how many wait is what was said, and those that were
// dropped count as presettled too.
func TestKeptPresettled(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 2)
	l.KeepPresettled(3)
	for i := range 10 {
		out := &Outgoing{}
		l.Send(out, true)
		out.WriteBytes([]byte{byte(i)}, false)
		x.emit()
	}
	if st := l.Stats(); st.Deliveries != 2 || l.Waiting() != 3 || st.Dropped != 5 || st.Presettled != 7 {
		t.Errorf("%+v, %d wait; want 2 sent, 3 that wait, 5 dropped", st, l.Waiting())
	}
}

// TestCreditBeforeOurAttach: a peer that pipelines gives credit before it knows
// that it has a link.
func TestCreditBeforeOurAttach(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.send(0, &amqp.Attach{Name: "a", Role: amqp.RoleReceiver, Source: &amqp.Source{}, Target: &amqp.Target{}})[0].Link
	wantEvents(t, x.send(0, x.credit(0, 0, 7)), "")
	x.wantNothing()
	l.Accept(&amqp.Attach{Source: &amqp.Source{}, Target: &amqp.Target{}}, Credit{})
	want[*amqp.Attach](x)
	if got := l.CreditAvailable(); got != 7 {
		t.Errorf("credit %d", got)
	}
}
