package session

import (
	"slices"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

// seconds lets n of them pass and returns what is overdue.
func (x *peer) seconds(n int) (list []Overdue) {
	for range n {
		list = append(list, x.e.Second()...)
	}
	return list
}

func TestStuckDeliveries(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	out, in := x.receivingLink("a", 0, 1), x.sendingLink("b", 1, Credit{Window: 10})
	x.seconds(100) // links may be older than what they carry
	sent, queued := &Outgoing{}, &Outgoing{}
	for _, d := range []*Outgoing{sent, queued} { // credit for one
		out.Send(d, false)
		d.WriteBytes([]byte("x"), false)
	}
	x.emit()
	var begun *Incoming
	for _, ev := range x.send(0, &amqp.Transfer{Handle: 1, HasDeliveryID: true, DeliveryTag: []byte("t")}, 'x') {
		begun = ev.In
	}
	check := func(when string, stuck, onOut, onIn int) {
		t.Helper()
		if x.e.Stats().Stuck != stuck || out.Stuck() != onOut || in.Stuck() != onIn {
			t.Errorf("%s: %d deliveries are stuck, %d out, %d in, want %d, %d, %d", when, x.e.Stats().Stuck, out.Stuck(), in.Stuck(), stuck, onOut, onIn)
		}
	}
	late := x.seconds(10)
	check("after 10 s", 0, 0, 0)
	late = append(late, x.seconds(1)...)
	check("after 11 s", 3, 2, 1)
	late = append(late, x.seconds(3)...)
	check("after 14 s", 3, 2, 1)
	if want := []Overdue{{Link: out}, {Link: in}, {out, true}}; !slices.Equal(late, want) {
		t.Errorf("overdue are %v, want stuck ones of each link once and one that is blocked: %v", late, want)
	}
	begun.Update(&amqp.State{Code: amqp.StateAccepted}, true)
	check("after one is settled", 2, 2, 0)
	x.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, Settled: true, State: amqp.State{Code: amqp.StateAccepted}})
	check("after the second is settled", 1, 1, 0)
	x.send(0, &amqp.Detach{Handle: 0, Closed: true})
	check("after the link of the third is gone", 0, 0, 0)
	if st := in.Stats(); st.Delayed10 != 1 || st.Delayed1 != 0 {
		t.Errorf("of what came, %d were delayed by 10 s and %d by 1 s, want 1 and 0", st.Delayed10, st.Delayed1)
	}
	if st := x.e.Stats().Outcomes; st.Delayed10 != 1 {
		t.Errorf("%d deliveries were delayed by 10 s, want the one that came", st.Delayed10)
	}
}

func TestDelayedDeliveries(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	out := x.receivingLink("a", 0, 100)
	for id, age := range []int{0, 1, 2, 10, 11} {
		d := &Outgoing{}
		out.Send(d, false)
		d.WriteBytes([]byte("x"), false)
		x.emit()
		x.seconds(age)
		x.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, First: uint32(id), Last: uint32(id), Settled: true, State: amqp.State{Code: amqp.StateAccepted}})
	}
	if st := out.Stats(); st.Delayed1 != 2 || st.Delayed10 != 1 {
		t.Errorf("%d were delayed by 1 s and %d by 10 s, want 2 and 1", st.Delayed1, st.Delayed10)
	}
}

func TestStreamsHaveNoAge(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	out, in := x.receivingLink("a", 0, 10), x.sendingLink("b", 1, Credit{Window: 10})
	out.Untimed()
	d := &Outgoing{}
	out.Send(d, false)
	d.WriteBytes([]byte("x"), true)
	x.emit()
	for _, ev := range x.send(0, &amqp.Transfer{Handle: 1, HasDeliveryID: true, DeliveryTag: []byte("t"), More: true}, 'x') {
		ev.In.Untimed()
	}
	x.seconds(30)
	d.Abort()
	x.emit()
	x.send(0, &amqp.Transfer{Handle: 1, Aborted: true})
	for _, l := range []*Link{out, in} {
		if st := l.Stats(); l.Stuck() != 0 || st.Delayed1 != 0 || st.Delayed10 != 0 {
			t.Errorf("%s: %d are stuck, %+v", l.Name(), l.Stuck(), st)
		}
	}
	if n := x.e.Stats().Stuck; n != 0 {
		t.Errorf("%d deliveries are stuck", n)
	}
}

func TestBlockedLinks(t *testing.T) {
	t.Parallel()
	x := newPeer(t, testParams(), 1)
	dry, gone, untimed := x.receivingLink("a", 0, 0), x.receivingLink("b", 1, 0), x.receivingLink("c", 2, 0)
	x.receivingLink("d", 3, 1)
	untimed.Untimed()
	check := func(when string, blocked int, zero uint32) {
		t.Helper()
		if x.e.Stats().Blocked != blocked || dry.ZeroCredit() != zero {
			t.Errorf("%s: %d links are blocked, one for %d s; want %d, %d s", when, x.e.Stats().Blocked, dry.ZeroCredit(), blocked, zero)
		}
	}
	late := x.seconds(11)
	check("after 11 s", 0, 10)
	late = append(late, x.seconds(1)...)
	check("after 12 s", 2, 11)
	if want := []Overdue{{dry, true}, {gone, true}}; !slices.Equal(late, want) {
		t.Errorf("overdue are %v, want %v", late, want)
	}
	gone.Detach(nil)
	x.send(0, &amqp.Detach{Handle: 1, Closed: true})
	check("after one is gone", 1, 11)
	x.send(0, x.credit(0, 0, 10))
	x.seconds(1)
	check("after there is credit", 0, 0)
}
