package session

import (
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

// TestTransferAllocatesNothing: the steady state of a stream, both ways.
func TestTransferAllocatesNothing(t *testing.T) {
	p := testParams()
	p.Window = 1 << 20
	x := newPeer(t, p, 1)
	x.send(0, &amqp.Flow{HasNextIncomingID: true, IncomingWindow: 1 << 30})
	in := x.sendingLink("in", 0, Credit{Window: 10})
	frame := frameOf(0, transfer(0, 0, true), make([]byte, 1000)...)
	t.Run("receive", func(t *testing.T) {
		wantAllocations(t, func() {
			n, events, err := x.e.Receive(frame)
			if n != len(frame) || err != nil || len(events) != 1 {
				t.Fatal(n, err, len(events))
			}
		})
	})
	t.Run("acknowledge", func(t *testing.T) {
		offset := uint64(0)
		wantAllocations(t, func() {
			offset++
			st := amqp.State{Code: amqp.StateReceived, Offset: offset}
			in.current.Update(&st, false)
			x.e.Emit(x.batch, BatchSize)
			x.batch.Reset()
		})
	})
	l := x.receivingLink("out", 1, 0)
	f := x.credit(1, 0, 10)
	f.IncomingWindow = 1 << 30
	x.send(0, f)
	out := &Outgoing{}
	l.Send(out, false)
	for _, size := range []int{100, BufferMedium, BufferLarge} {
		t.Run("send", func(t *testing.T) {
			wantAllocations(t, func() {
				b := GetBuffer(size)
				b.Grow(size)
				out.Write(b, true)
				x.e.Emit(x.batch, BatchSize)
				if x.batch.Size < size {
					t.Fatal("nothing emitted")
				}
				x.batch.Reset()
			})
		})
	}
	t.Run("receive acknowledgement", func(t *testing.T) {
		ack := frameOf(0, &amqp.Disposition{Role: amqp.RoleReceiver, State: amqp.State{Code: amqp.StateReceived, Offset: 5}})
		wantAllocations(t, func() {
			if _, events, err := x.e.Receive(ack); err != nil || len(events) != 1 {
				t.Fatal(err, len(events))
			}
		})
	})
	t.Run("receive flow", func(t *testing.T) {
		f.NextIncomingID = l.s.nextOutgoingID
		flow := frameOf(0, f)
		wantAllocations(t, func() {
			if _, _, err := x.e.Receive(flow); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func BenchmarkTransfer(b *testing.B) {
	for _, size := range []int{100, BufferMedium, BufferLarge} {
		b.Run(map[int]string{100: "100", BufferMedium: "16KiB", BufferLarge: "64KiB"}[size], func(b *testing.B) {
			p := testParams()
			p.Window = 1 << 31
			t := &testing.T{}
			x := newPeer(t, p, 1)
			l := x.receivingLink("out", 1, 0)
			f := x.credit(1, 0, 10)
			f.IncomingWindow = 1 << 31
			x.send(0, f)
			out := &Outgoing{}
			l.Send(out, false)
			b.SetBytes(int64(size))
			for range b.N {
				buf := GetBuffer(size)
				buf.Grow(size)
				out.Write(buf, true)
				x.e.Emit(x.batch, BatchSize)
				x.batch.Reset()
			}
		})
	}
}
