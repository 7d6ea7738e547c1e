package session

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

// heap is how many bytes are in use: who asks for it does not run beside other
// tests.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestFloods: what a peer says over and over, while it reads the answers, costs
// no more than what it says once.
func TestFloods(t *testing.T) {
	rounds := uint32(5_000)
	if raceEnabled {
		rounds = 1_000
	}
	for _, c := range []struct {
		name string
		says func(x *peer, i uint32)
	}{
		{"flows", func(x *peer, i uint32) {
			x.send(0, &amqp.Flow{HasNextIncomingID: true, IncomingWindow: i, OutgoingWindow: 1, Echo: true})
			x.send(0, x.credit(0, 0, i))
		}},
		{"dispositions", func(x *peer, i uint32) {
			x.send(0, &amqp.Disposition{Role: amqp.RoleReceiver, First: i, Last: i + 1<<30, Settled: true, State: amqp.State{Code: amqp.StateAccepted}})
			x.send(0, &amqp.Disposition{Role: amqp.RoleSender, First: i, Last: i + 1<<30})
		}},
		{"sessions", func(x *peer, _ uint32) {
			x.send(7, &amqp.Begin{IncomingWindow: 1, OutgoingWindow: 1})
			x.send(7, &amqp.Attach{Name: "a", Source: &amqp.Source{}, Target: &amqp.Target{}})
			x.send(7, &amqp.End{})
		}},
		{"links", func(x *peer, i uint32) {
			for _, ev := range x.send(0, &amqp.Attach{Name: fmt.Sprint(i), Handle: 2 + i%999, Source: &amqp.Source{}, Target: &amqp.Target{}}) {
				ev.Link.Accept(&amqp.Attach{}, Credit{Window: 10})
			}
			x.send(0, &amqp.Detach{Handle: 2 + i%999, Closed: true})
		}},
		{"deliveries", func(x *peer, i uint32) {
			tr := transfer(1, i, false)
			tr.Settled = true
			x.send(0, tr, make([]byte, 100)...)
		}},
		{"aborted deliveries", func(x *peer, i uint32) {
			x.send(0, transfer(1, i, true), make([]byte, 100)...)
			tr := transfer(1, i, false)
			tr.Aborted = true
			x.send(0, tr)
		}},
		{"heartbeats", func(x *peer, _ uint32) { x.raw(amqp.AppendHeartbeat(nil)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newPeer(t, testParams(), 1)
			x.receivingLink("out", 0, 0)
			x.sendingLink("in", 1, Credit{Window: 10})
			before := heap()
			for i := range rounds {
				c.says(x, i)
				x.emit()
				if x.out = x.out[:0]; x.err != nil {
					t.Fatalf("round %d: %v", i, x.err)
				}
			}
			if grown := heap() - before; grown > 512<<10 {
				t.Errorf("the heap has grown by %d KiB", grown>>10)
			}
			if x.e.Links() != 2 || x.e.Sessions() != 1 || x.e.Unsettled() != 0 {
				t.Errorf("%d links, %d sessions, %d unsettled are left", x.e.Links(), x.e.Sessions(), x.e.Unsettled())
			}
			runtime.KeepAlive(x)
		})
	}
}

// TestAsManyLinksAsThereMayBe: 65,536 of them are taken, in bounded memory, and
// not one more.
func TestAsManyLinksAsThereMayBe(t *testing.T) {
	most := uint32(1 << 16)
	if raceEnabled {
		most = 1 << 12
	}
	p := testParams()
	p.Links = int(most)
	x := newPeer(t, p, 0)
	x.send(0, &amqp.Begin{IncomingWindow: 1000, OutgoingWindow: 1000, HandleMax: 1<<32 - 1})
	want[*amqp.Begin](x)
	before := heap()
	for i := range most {
		for _, ev := range x.send(0, &amqp.Attach{Name: fmt.Sprint(i), Handle: i, Role: amqp.RoleSender, Source: &amqp.Source{}, Target: &amqp.Target{}}) {
			ev.Link.Accept(&amqp.Attach{}, Credit{Window: 250})
		}
		x.emit()
		x.out = x.out[:0]
	}
	if x.e.Links() != int(most) || x.err != nil {
		t.Fatalf("%d links, %v", x.e.Links(), x.err)
	}
	if each := (heap() - before) / int64(most); each > 3072 && !raceEnabled {
		t.Errorf("%d bytes for each link", each)
	}
	x.send(0, &amqp.Attach{Name: "one more", Handle: most, Role: amqp.RoleSender})
	x.wantClose(amqp.ErrResourceLimitExceeded)
}
