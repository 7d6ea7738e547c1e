package session

import (
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

// bulk gives n links more than they can send at once.
func bulk(x *peer, n int) []*Outgoing {
	x.t.Helper()
	x.send(0, &amqp.Flow{HasNextIncomingID: true, IncomingWindow: 1 << 20})
	var links []*Link
	for i := range n {
		links = append(links, x.receivingLink(string(rune('A'+i)), uint32(i), 0))
	}
	var outs []*Outgoing
	for i, l := range links {
		f := x.credit(uint32(i), 0, 10)
		f.IncomingWindow = 1 << 20
		x.send(0, f)
		out := &Outgoing{}
		l.Send(out, false)
		out.WriteBytes(make([]byte, 2_000_000), true)
		outs = append(outs, out)
	}
	return outs
}

// turns lists our handle and the size of the transfers of the next batch.
func (x *peer) turns() (handles []uint32, octets map[uint32]int) {
	x.t.Helper()
	x.e.Emit(x.batch, BatchSize)
	octets = map[uint32]int{}
	for _, g := range x.batch.Groups {
		for ; len(g) > 0; g = g[FrameSize(g):] {
			var t amqp.Transfer
			if _, err := t.Decode(g[8:FrameSize(g)]); err != nil {
				x.t.Fatal(err)
			}
			handles = append(handles, t.Handle)
			octets[t.Handle] += FrameSize(g)
		}
	}
	if x.batch.Size > BatchSize+65536 {
		x.t.Errorf("a batch of %d octets", x.batch.Size)
	}
	x.batch.Reset()
	return handles, octets
}

func TestBulkLinksShareEvenly(t *testing.T) {
	t.Parallel()
	p := testParams()
	x := newPeer(t, p, 1)
	bulk(x, 5)
	total := map[uint32]int{}
	for range 20 {
		_, octets := x.turns()
		for h, n := range octets {
			total[h] += n
		}
	}
	for h, n := range total {
		if diff := n - total[0]; diff > 65536 || diff < -65536 {
			t.Errorf("link %d sent %d octets, link 0 %d", h, n, total[0])
		}
	}
}

func TestAloneInLargeFrames(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	bulk(x, 1)
	if handles, octets := x.turns(); len(handles) != 2 || octets[0] < 2*BufferLarge {
		t.Errorf("%d frames of together %d octets", len(handles), octets[0])
	}
}

// TestSparseGoesFirst: a link that has been silent waits for no bulk link.
func TestSparseGoesFirst(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	l := x.receivingLink("sparse", 50, 0)
	x.send(0, x.credit(50, 0, 10))
	bulk(x, 5)
	for range 5 {
		x.turns() // each has had a turn
	}
	for range 3 {
		var rpc Outgoing
		l.Send(&rpc, true)
		rpc.WriteBytes([]byte("ping"), false)
		if handles, _ := x.turns(); handles[0] != l.handle {
			t.Errorf("the sparse link sent after %v", handles)
		}
	}
}

// TestSparseLinksDoNotStopBulk: however many of them there are.
func TestSparseLinksDoNotStopBulk(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	var links []*Link
	for i := range 200 {
		links = append(links, x.receivingLink(string(rune(1000+i)), uint32(100+i), 0))
	}
	for i := range links {
		x.send(0, x.credit(uint32(100+i), 0, 1000))
	}
	busy := bulk(x, 1)[0]
	share := 0
	for range 10 {
		for _, l := range links {
			var rpc Outgoing
			l.Send(&rpc, true)
			rpc.WriteBytes(make([]byte, 1500), false)
		}
		_, octets := x.turns()
		share += octets[busy.l.handle]
	}
	if share < 10*BatchSize/(sparseTurns+2) {
		t.Errorf("the bulk link sent %d octets in 10 batches", share)
	}
}

func TestWindowStopsAllLinksOfASession(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	a, b := x.receivingLink("a", 0, 10), x.receivingLink("b", 1, 10)
	x.send(0, &amqp.Flow{HasNextIncomingID: true, IncomingWindow: 1})
	var outs [2]Outgoing
	a.Send(&outs[0], true)
	b.Send(&outs[1], true)
	outs[0].WriteBytes([]byte("x"), false)
	outs[1].WriteBytes([]byte("y"), false)
	want[*amqp.Transfer](x)
	x.wantNothing()
	x.send(0, &amqp.Flow{HasNextIncomingID: true, NextIncomingID: 0, IncomingWindow: 1}) // crossed ours
	x.wantNothing()
	x.send(0, &amqp.Flow{HasNextIncomingID: true, NextIncomingID: 1, IncomingWindow: 1})
	want[*amqp.Transfer](x)
}
