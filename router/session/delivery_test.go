package session

import (
	"bytes"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

func TestDeliveryIDsCountPerSession(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 2)
	a, b := x.receivingLink("a", 0, 10), x.receivingLink("b", 1, 10)
	for i, l := range []*Link{a, b, a} {
		var out Outgoing
		l.Send(&out, true)
		out.WriteBytes([]byte("x"), false)
		if tr := want[*amqp.Transfer](x); int(tr.DeliveryID) != i || !tr.Settled {
			t.Errorf("transfer %d: %+v", i, tr)
		}
	}
}

// TestIDsWrap: ids of deliveries and of transfers are serial numbers.
func TestIDsWrap(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 0)
	x.send(0, &amqp.Begin{NextOutgoingID: 1<<32 - 1, IncomingWindow: 10, OutgoingWindow: 10, HandleMax: 10})
	want[*amqp.Begin](x)
	l := x.sendingLink("a", 0, Credit{Window: 10})
	var ins []*Incoming
	for i := range uint32(4) {
		id := 1<<32 - 2 + i
		ins = append(ins, x.send(0, transfer(0, id, true))[0].In)
		wantEvents(t, x.send(0, transfer(0, id, false)), `transfer ""`)
	}
	for _, in := range ins {
		in.Update(&amqp.State{Code: amqp.StateAccepted}, true)
	}
	if d := want[*amqp.Disposition](x); d.First != 1<<32-2 || d.Last != 1 {
		t.Errorf("disposition of %d to %d", d.First, d.Last)
	}
	x.send(0, &amqp.Flow{HasNextIncomingID: true, IncomingWindow: 10, Echo: true})
	if f := want[*amqp.Flow](x); f.NextIncomingID != 7 || l.Unsettled() != 0 {
		t.Errorf("next-incoming-id %d, %d unsettled", f.NextIncomingID, l.Unsettled())
	}

	// Those of ours.
	out := x.receivingLink("b", 1, 10)
	out.s.nextDeliveryID = 1<<32 - 1
	outs := make([]Outgoing, 2)
	for i, id := range []uint32{1<<32 - 1, 0} {
		out.Send(&outs[i], false)
		outs[i].WriteBytes([]byte("x"), false)
		if tr := want[*amqp.Transfer](x); tr.DeliveryID != id {
			t.Errorf("delivery-id %d, want %d", tr.DeliveryID, id)
		}
	}
	wantEvents(t, x.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, First: 1<<32 - 1, Last: 0, Settled: true, State: amqp.State{Code: amqp.StateAccepted}}),
		"update accepted settled, update accepted settled")
}

func TestMultiFrameDelivery(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 10)
	out := &Outgoing{Format: 9}
	l.Send(out, false)
	out.WriteBytes([]byte("one"), true)
	tr := want[*amqp.Transfer](x)
	if !tr.More || tr.Settled || tr.MessageFormat != 9 || len(tr.DeliveryTag) != 8 {
		t.Errorf("transfer %+v", tr)
	}
	out.WriteBytes([]byte("two"), true)
	out.WriteBytes([]byte("three"), true) // merged
	p, payload, _ := x.next()
	if got := p.(*amqp.Transfer); string(payload) != "twothree" || !got.More || got.DeliveryID != 0 || !bytes.Equal(got.DeliveryTag, tr.DeliveryTag) {
		t.Errorf("%+v %q", got, payload)
	}
	out.End(false)
	if got := want[*amqp.Transfer](x); got.More || got.Settled {
		t.Errorf("%+v", got)
	}
	wantEvents(t, x.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, First: 0, Settled: true, State: amqp.State{Code: amqp.StateAccepted}}), "update accepted settled")
	wantEvents(t, x.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, First: 0, Settled: true}), "")
	if l.Unsettled() != 0 || l.Stats().Accepted != 1 {
		t.Errorf("unsettled %d, %+v", l.Unsettled(), l.Stats())
	}
}

// TestSenderTells: a state of the sender is sent while the delivery is neither
// unknown to the receiver nor settled.
func TestSenderTells(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 10)
	out := &Outgoing{}
	l.Send(out, false)
	tell := func(offset uint64) { out.Tell(&amqp.State{Code: amqp.StateReceived, Offset: offset}) }
	tell(0)
	x.wantNothing()
	out.WriteBytes([]byte("one"), true)
	want[*amqp.Transfer](x)
	tell(1)
	tell(3)
	d := want[*amqp.Disposition](x)
	if d.Role != amqp.RoleSender || d.First != 0 || d.Settled || d.State.Code != amqp.StateReceived || d.State.Offset != 3 {
		t.Errorf("disposition %+v", d)
	}
	x.wantNothing()
	out.End(false)
	want[*amqp.Transfer](x)
	tell(3)
	out.Settle(&amqp.State{})
	if d := want[*amqp.Disposition](x); !d.Settled || d.State.Code != amqp.StateNone {
		t.Errorf("disposition %+v", d)
	}
	tell(3)
	x.wantNothing()
}

// TestSenderIsHeard: what the sender says of a delivery that it has not
// settled is reported and ends nothing.
func TestSenderIsHeard(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.sendingLink("a", 0, Credit{Window: 10})
	x.send(0, transfer(0, 0, true))
	said := &amqp.Disposition{Role: amqp.RoleSender, First: 0, Last: 0, State: amqp.State{Code: amqp.StateReceived, Offset: 7}}
	wantEvents(t, x.send(0, said), "told received")
	x.send(0, transfer(0, 0, false))
	wantEvents(t, x.send(0, said), "told received")
	if l.Unsettled() != 1 {
		t.Errorf("%d unsettled", l.Unsettled())
	}
	said.Settled = true
	wantEvents(t, x.send(0, said), "settled received")
	said.Settled = false
	wantEvents(t, x.send(0, said), "")
}

func TestFramesObeyThePeersLimit(t *testing.T) {
	t.Parallel()
	for _, size := range []uint32{512, 1000, 16384, 65536, 1 << 20} {
		x := &peer{t: t, e: New(testParams(), &amqp.Open{ContainerID: "us"}), batch: NewBatch()}
		x.send(0, &amqp.Open{ContainerID: "peer", MaxFrameSize: size})
		want[*amqp.Open](x)
		x.send(0, &amqp.Begin{IncomingWindow: 10000})
		want[*amqp.Begin](x)
		l := x.receivingLink("a", 0, 0)
		f := x.credit(0, 0, 1)
		f.IncomingWindow = 10000
		x.send(0, f)
		out := &Outgoing{}
		l.Send(out, true)
		body := make([]byte, 200_000)
		for i := range body {
			body[i] = byte(i * 7)
		}
		out.WriteBytes(body, false)
		var got []byte
		for more := true; more; {
			x.emit()
			if n := FrameSize(x.out); n > int(size) {
				t.Fatalf("a frame of %d octets, the peer takes %d", n, size)
			}
			p, payload, _ := x.next()
			tr, ok := p.(*amqp.Transfer)
			if !ok {
				t.Fatalf("got %T", p)
			}
			more = tr.More
			got = append(got, payload...)
		}
		if !bytes.Equal(got, body) {
			t.Errorf("frame size %d: the content differs", size)
		}
		if x.e.Unsent() != 0 {
			t.Errorf("%d octets unsent", x.e.Unsent())
		}
	}
}

// TestLargeFrameIsNotCopied: a full buffer leaves from where it lies, and in a
// group of its own.
func TestLargeFrameIsNotCopied(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 10)
	out := &Outgoing{}
	l.Send(out, false)
	out.WriteBytes([]byte("small"), true)
	x.emit()
	b := GetBuffer(BufferLarge)
	mem := &b.Space()[0]
	b.Grow(BufferLarge)
	out.Write(b, true)
	out.WriteBytes([]byte("behind"), true)
	x.e.Emit(x.batch, BatchSize)
	if len(x.batch.Groups) != 2 {
		t.Fatalf("%d groups", len(x.batch.Groups))
	}
	g := x.batch.Groups[0]
	if &g[len(g)-BufferLarge] != mem {
		t.Error("the payload was copied")
	}
	if len(g) > 65536 || FrameSize(g) != len(g) {
		t.Errorf("a frame of %d octets in %d", FrameSize(g), len(g))
	}
	if len(x.batch.Low) != 1 || x.batch.Low[0] != out {
		t.Error("the queue fell below two, and nobody is told")
	}
	x.batch.Reset()
}

// TestMediumBufferIsOneRecord: whatever the ids, a full medium buffer is a frame
// that upstream takes and one TLS record.
func TestMediumBufferIsOneRecord(t *testing.T) {
	t.Parallel()
	if BufferMedium+maxTransferHeader > 16384 || BufferLarge+maxTransferHeader > 65536 || maxTransferHeader > Headroom {
		t.Errorf("a header of %d octets does not fit", maxTransferHeader)
	}
	out := Outgoing{l: &Link{s: &Session{channel: 1 << 15}, handle: 1 << 31}, id: 1 << 31, Format: 1 << 31, begun: true, aborted: true}
	if n := len(out.appendHeader(nil, 0)); n > maxTransferHeader {
		t.Errorf("the longest header has %d octets", n)
	}
}

func TestGroupsAreRecords(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.send(0, &amqp.Flow{HasNextIncomingID: true, IncomingWindow: 100000})
	var links [40]*Link
	for i := range links {
		links[i] = x.receivingLink(string(rune('a'+i)), uint32(i), 0)
	}
	for i, l := range links {
		x.send(0, x.credit(uint32(i), 0, 1))
		var out Outgoing
		l.Send(&out, true)
		out.WriteBytes(make([]byte, 1000), false)
	}
	x.e.Emit(x.batch, BatchSize)
	total := 0
	for _, g := range x.batch.Groups {
		if len(g) > 16384 {
			t.Errorf("a group of %d octets", len(g))
		}
		for n := 0; n < len(g); n += FrameSize(g[n:]) {
			if FrameSize(g[n:]) < 8 {
				t.Fatal("a group that does not hold whole frames")
			}
		}
		total += len(g)
	}
	if total != x.batch.Size || len(x.batch.Groups) != 3 {
		t.Errorf("%d groups, %d octets, size %d", len(x.batch.Groups), total, x.batch.Size)
	}
	x.batch.Reset()
}

func TestAbort(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 10)
	unsent, begun := &Outgoing{}, &Outgoing{}
	l.Send(unsent, false)
	unsent.WriteBytes([]byte("never seen"), true)
	unsent.Abort()
	x.wantNothing()
	l.Send(begun, false)
	begun.WriteBytes([]byte("x"), true)
	want[*amqp.Transfer](x)
	begun.WriteBytes([]byte("dropped"), true)
	begun.Abort()
	if tr := want[*amqp.Transfer](x); !tr.Aborted || !tr.Settled || tr.More || tr.DeliveryID != 0 {
		t.Errorf("%+v", tr)
	}
	begun.WriteBytes([]byte("late"), true)
	x.wantNothing()
	if x.e.Unsent() != 0 || l.Unsettled() != 0 {
		t.Errorf("%d octets, %d deliveries are left", x.e.Unsent(), l.Unsettled())
	}
	complete := &Outgoing{}
	l.Send(complete, false)
	complete.WriteBytes([]byte("x"), false)
	want[*amqp.Transfer](x)
	complete.Abort()
	if d := want[*amqp.Disposition](x); d.Role != amqp.RoleSender || !d.Settled || d.First != 1 {
		t.Errorf("%+v", d)
	}
}

func TestAbortedByPeer(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.sendingLink("a", 0, Credit{Window: 10})
	abort := transfer(0, 0, false)
	abort.Aborted = true
	wantEvents(t, x.send(0, abort), "") // it never was
	x.send(0, transfer(0, 1, true), 'x')
	abort.DeliveryID, abort.DeliveryTag = 1, []byte{1}
	wantEvents(t, x.send(0, abort), "aborted")
	wantEvents(t, x.send(0, transfer(0, 2, false), 'y'), `transfer "y" first`)
	if l.Unsettled() != 1 {
		t.Errorf("%d unsettled", l.Unsettled())
	}
}

func TestSettledInTheLastTransfer(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 10)
	out := &Outgoing{}
	l.Send(out, false)
	out.WriteBytes([]byte("x"), true)
	want[*amqp.Transfer](x)
	wantEvents(t, x.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, State: amqp.State{Code: amqp.StateModified, Failed: true}}), "update modified")
	out.End(true)
	if tr := want[*amqp.Transfer](x); !tr.Settled || tr.More {
		t.Errorf("%+v", tr)
	}
	x.wantNothing()
	if l.Unsettled() != 0 {
		t.Error("still unsettled")
	}
	// As a receiver.
	in := x.sendingLink("b", 1, Credit{Window: 10})
	wantEvents(t, x.send(0, transfer(1, 0, true), 'x'), `transfer "x" first more`)
	last := transfer(1, 0, false)
	last.Settled = true
	wantEvents(t, x.send(0, last, 'y'), `transfer "y", settled none`)
	if in.Unsettled() != 0 {
		t.Error("still unsettled")
	}
}

func TestSettleBySender(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 10)
	out := &Outgoing{}
	l.Send(out, false)
	out.WriteBytes([]byte("x"), false)
	want[*amqp.Transfer](x)
	out.Settle(&amqp.State{Code: amqp.StateModified, Failed: true})
	if d := want[*amqp.Disposition](x); d.Role != amqp.RoleSender || !d.Settled || d.State.Code != amqp.StateModified {
		t.Errorf("%+v", d)
	}
	out.Settle(&amqp.State{})
	x.wantNothing()
}

// TestReceivedStatesCoalesce: only the newest is written, an outcome replaces
// it.
func TestReceivedStatesCoalesce(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.sendingLink("a", 0, Credit{Window: 10})
	in := x.send(0, transfer(0, 0, true))[0].In
	for _, n := range []uint64{100, 200, 300} {
		in.Update(&amqp.State{Code: amqp.StateReceived, Offset: n}, false)
	}
	if d := want[*amqp.Disposition](x); d.State.Offset != 300 || d.Settled || d.Role != amqp.RoleReceiver {
		t.Errorf("%+v", d)
	}
	in.Update(&amqp.State{Code: amqp.StateReceived, Offset: 400}, false)
	in.Update(&amqp.State{Code: amqp.StateAccepted}, true)
	if d := want[*amqp.Disposition](x); d.State.Code != amqp.StateAccepted || !d.Settled {
		t.Errorf("%+v", d)
	}
	in.Update(&amqp.State{Code: amqp.StateReleased}, true)
	x.wantNothing()
	wantEvents(t, x.send(0, transfer(0, 0, false), 'z'), "") // nobody waits for the rest
}

func TestDispositionsShareAFrame(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	x.sendingLink("a", 0, Credit{Window: 100})
	x.sendingLink("b", 1, Credit{Window: 100})
	var ins []*Incoming
	for i := range uint32(10) {
		ins = append(ins, x.send(0, transfer(i%2, i, false))[0].In)
	}
	for i, in := range ins {
		st := amqp.State{Code: amqp.StateAccepted}
		if i == 4 {
			st = amqp.State{Code: amqp.StateModified}
		}
		in.Update(&st, true)
	}
	for _, w := range []amqp.Disposition{{First: 0, Last: 3}, {First: 4, Last: 4}, {First: 5, Last: 9}} {
		if d := want[*amqp.Disposition](x); d.First != w.First || d.Last != w.Last {
			t.Errorf("%d to %d, want %d to %d", d.First, d.Last, w.First, w.Last)
		}
	}
	x.wantNothing()
}

func TestDispositionRanges(t *testing.T) {
	t.Parallel()
	for _, r := range []struct{ first, last, want uint32 }{
		{0, 9, 10}, {3, 3, 1}, {0, 1<<31 - 1, 10}, {5, 1 << 30, 5}, {1<<32 - 5, 2, 3}, {9, 3, 0}, {77, 99, 0},
	} {
		x := newPeer(t, testParams(), 1)
		l := x.receivingLink("a", 0, 10)
		outs := make([]Outgoing, 10)
		for i := range outs {
			l.Send(&outs[i], false)
			outs[i].WriteBytes([]byte("x"), false)
			want[*amqp.Transfer](x)
		}
		events := x.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, First: r.first, Last: r.last, Settled: true, State: amqp.State{Code: amqp.StateAccepted}})
		if len(events) != int(r.want) {
			t.Errorf("%d to %d: %d updates, want %d", r.first, r.last, len(events), r.want)
		}
		for i := 1; i < len(events); i++ {
			if events[i].Out.id < events[i-1].Out.id {
				t.Errorf("%d to %d: out of order", r.first, r.last)
			}
		}
	}
}

// TestBigErrorIsCut: an explanation never makes a frame that the peer refuses.
func TestBigErrorIsCut(t *testing.T) {
	t.Parallel()
	x := &peer{t: t, e: New(testParams(), &amqp.Open{ContainerID: "us"}), batch: NewBatch()}
	x.send(0, &amqp.Open{ContainerID: "peer", MaxFrameSize: 512})
	want[*amqp.Open](x)
	x.send(0, &amqp.Begin{IncomingWindow: 10000})
	want[*amqp.Begin](x)
	l := x.sendingLink("a", 0, Credit{Window: 1})
	long := string(bytes.Repeat([]byte("long "), 1000))
	bad := &amqp.Error{Condition: amqp.ErrInternal, Description: long, Info: amqp.Map{{Key: amqp.Symbol("k"), Value: long}}}
	x.send(0, transfer(0, 0, false))[0].In.Update(&amqp.State{Code: amqp.StateRejected, Error: bad}, true)
	l.Detach(bad)
	x.e.Close(bad)
	x.e.closeAtOnce = false
	x.emit()
	for len(x.out) > 0 {
		if FrameSize(x.out) > 512 {
			t.Errorf("a frame of %d octets", FrameSize(x.out))
		}
		x.out = x.out[FrameSize(x.out):]
	}
}

func TestSendOnGoneLinkFreesBuffers(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("a", 0, 10)
	l.Detach(nil)
	var out Outgoing
	if l.Send(&out, false) {
		t.Error("sent on a detached link")
	}
	out.Write(GetBuffer(10), true)
	out.WriteBytes([]byte("x"), true)
	out.End(true)
	out.Abort()
	x.wantDetach("")
	x.wantNothing()
}

// TestOtherStates holds that a state which is not AMQP's goes with the first
// transfer, in a frame of its own, and by disposition, and is heard likewise.
func TestOtherStates(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	out, in := x.receivingLink("a", 0, 10), x.sendingLink("b", 1, Credit{Window: 10})
	state := func(n int) amqp.State {
		return amqp.State{Code: amqp.StateOther, Other: amqp.AppendValue(nil, amqp.Described{Descriptor: uint64(999), Value: make([]byte, n)})}
	}
	early, later, long := state(100), state(3), state(2000)
	d := &Outgoing{}
	out.Send(d, false)
	d.Tell(&early)
	d.WriteBytes(make([]byte, 40), false)
	for i, size := range []int{0, 40} {
		p, payload, _ := x.next()
		tr := p.(*amqp.Transfer)
		if len(payload) != size || tr.More != (i == 0) || (tr.State.Code == amqp.StateOther) != (i == 0) || i == 0 && !bytes.Equal(tr.State.Other, early.Other) {
			t.Errorf("frame %d has %d octets, more %v, state %v", i, len(payload), tr.More, tr.State.Code)
		}
	}
	d.Tell(&later)
	if got := want[*amqp.Disposition](x); got.Settled || got.Role != amqp.RoleSender || !bytes.Equal(got.State.Other, later.Other) {
		t.Errorf("%+v", got)
	}
	x.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, State: later})

	var begun *Incoming
	for _, ev := range x.send(0, &amqp.Transfer{Handle: 1, HasDeliveryID: true, DeliveryTag: []byte("t"), State: later}, 'x') {
		if ev.Kind == EventTransfer && ev.State != nil && bytes.Equal(ev.State.Other, later.Other) {
			begun = ev.In
		}
	}
	if begun == nil {
		t.Fatal("the state of a transfer is not reported")
	}
	begun.Update(&later, false)
	if got := want[*amqp.Disposition](x); got.Settled || got.Role != amqp.RoleReceiver || !bytes.Equal(got.State.Other, later.Other) {
		t.Errorf("%+v", got)
	}
	x.e.peerFrame = 512
	begun.Update(&long, true)
	if got := want[*amqp.Disposition](x); !got.Settled || got.State.Code != amqp.StateNone {
		t.Errorf("a state that is longer than a frame of the peer comes as %v, settled %v", got.State.Code, got.Settled)
	}
	if in.Stats().Deliveries != 1 {
		t.Errorf("%+v", in.Stats())
	}
}
