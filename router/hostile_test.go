package router

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/forward"
)

// besieged is a router in the middle of a network, with a listener for each
// kind of peer and without TLS.
type besieged struct {
	*node
	host  string
	ports map[string]string // by role
}

// besiege starts three routers in a line and keeps a stream going through the
// one in the middle until the test ends. Whoever attacks that one must not be
// noticed by the stream.
func besiege(t *testing.T) *besieged {
	t.Helper()
	west, middle, east := newNode(t, "west", "interior"), newNode(t, "middle", "interior"), newNode(t, "east", "interior")
	b := &besieged{node: middle, ports: map[string]string{}}
	for _, role := range []string{"inter-router", "edge", "normal"} {
		b.host, b.ports[role] = middle.listens(role, role, attrs{"initialHandshakeTimeoutSeconds": 1, "maxFrameSize": 65536})
	}
	for _, n := range []*node{west, east} {
		n.dials("to-middle", "inter-router", b.host, b.ports["inter-router"], nil)
	}
	west.offers("in", "svc")
	east.serves("out", "svc", serve(t, echo))
	for _, n := range []*node{middle, west, east} {
		n.start()
	}
	c := dial(t, west.address("in"))
	_ = c.SetDeadline(time.Time{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			if err := roundTrip(c, fmt.Sprintf("round %d", i)); err != nil {
				t.Errorf("the stream of others has ended at round %d: %v", i, err)
				return
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		wg.Wait()
		if peers := west.peersOf("to-middle"); len(peers) != 1 || peers[0].id != 1 {
			t.Errorf("the link of others was made anew: %d connections", len(peers))
		}
	})
	return b
}

func (b *besieged) rogue(role string) *rogue {
	b.t.Helper()
	return newRogue(b.t, b.host, b.ports[role])
}

// raw is a frame with that body.
func raw(ch uint16, body ...byte) []byte {
	b := append(amqp.AppendFrameHeader(nil, amqp.FrameAMQP, ch), body...)
	amqp.FinishFrame(b)
	return b
}

// TestHostilePeers: everything that AMQP does not allow is answered with an
// error of the right scope, and nobody else notices.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	header := []byte{0x00, 0x53, 0x70, 0x45}
	to := func(address string) []byte {
		return (&amqp.Message{Properties: &amqp.Properties{To: address}, Kind: amqp.BodyValue, Value: "x"}).Append(nil)
	}
	for _, c := range []struct {
		name, role string
		attack     func(x *rogue)
		want       string // several, separated by commas, are all right
	}{
		// Before there is a connection.
		{"random octets", "normal", func(x *rogue) {
			junk := make([]byte, 4096)
			for i := range junk {
				junk[i] = byte(rand.Uint32())
			}
			x.write(junk...)
		}, "end,reset"},
		{"HTTP", "normal", func(x *rogue) { x.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")...) }, "end,reset"},
		{"TLS on a plain port", "inter-router", func(x *rogue) { x.write(0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3) }, "end,reset"},
		{"AMQP 0-9-1", "normal", func(x *rogue) { x.write([]byte("AMQP\x00\x00\x09\x01")...) }, "end,reset"},
		{"AMQP over TLS header", "normal", func(x *rogue) { x.write([]byte("AMQP\x02\x01\x00\x00")...) }, "end,reset"},
		{"SASL mechanism that is not offered", "normal", func(x *rogue) {
			x.write([]byte(amqp.ProtocolHeaderSASL)...)
			x.saslFrame(&amqp.SASLInit{Mechanism: "PLAIN", InitialResponse: []byte("\x00root\x00root")})
		}, "end,reset"},
		{"SASL frame of 1 GiB", "normal", func(x *rogue) {
			x.write([]byte(amqp.ProtocolHeaderSASL)...)
			x.write(0x40, 0, 0, 0, 2, 1, 0, 0)
		}, "end,reset"},
		{"SASL twice", "normal", func(x *rogue) {
			x.write([]byte(amqp.ProtocolHeaderSASL)...)
			x.saslFrame(&amqp.SASLInit{Mechanism: "ANONYMOUS"})
			x.write([]byte(amqp.ProtocolHeaderSASL)...)
		}, "end,reset"},
		{"SASL frame after open", "normal", func(x *rogue) { x.opens("x").saslFrame(&amqp.SASLInit{Mechanism: "ANONYMOUS"}) }, "connection amqp:connection:framing-error"},
		{"SASL header after open", "normal", func(x *rogue) { x.opens("x").write([]byte(amqp.ProtocolHeaderSASL)...) }, "connection amqp:connection:framing-error"},
		{"max-frame-size of 511", "normal", func(x *rogue) {
			x.write([]byte(amqp.ProtocolHeaderAMQP)...)
			x.send(0, &amqp.Open{ContainerID: "x", MaxFrameSize: 511})
		}, "connection amqp:invalid-field"},
		{"begin before open", "normal", func(x *rogue) {
			x.write([]byte(amqp.ProtocolHeaderAMQP)...)
			x.begins()
		}, "connection amqp:illegal-state"},
		{"nothing at all", "normal", func(*rogue) {}, "end,reset"},
		{"nothing after SASL header", "inter-router", func(x *rogue) { x.write([]byte(amqp.ProtocolHeaderSASL)...) }, "end,reset"},
		{"one octet and no more", "edge", func(x *rogue) { x.write('A') }, "end,reset"},

		// Frames.
		{"huge frame", "normal", func(x *rogue) { x.opens("x").write(0x7f, 0xff, 0xff, 0xff, 2, 0, 0, 0) }, "connection amqp:connection:framing-error"},
		{"frame beyond max-frame-size", "normal", func(x *rogue) { x.opens("x").write(raw(0, make([]byte, 70_000)...)...) }, "connection amqp:connection:framing-error"},
		{"frame of 3 octets", "normal", func(x *rogue) { x.opens("x").write(0, 0, 0, 3, 2, 0, 0, 0) }, "connection amqp:connection:framing-error"},
		{"unknown performative", "normal", func(x *rogue) { x.opens("x").write(raw(0, 0, 0x53, 0x7f, 0x45)...) }, "connection amqp:not-implemented"},
		{"performative that is cut off", "normal", func(x *rogue) { x.opens("x").begins().write(raw(0, 0, 0x53, 0x12, 0xc0, 100)...) }, "connection amqp:decode-error"},
		{"list of 2^32 elements", "normal", func(x *rogue) {
			x.opens("x").write(raw(0, 0, 0x53, 0x11, 0xd0, 0, 0, 0, 8, 0xff, 0xff, 0xff, 0xff, 0x40, 0x40, 0x40, 0x40)...)
		}, "connection amqp:decode-error"},
		{"descriptor inside descriptor", "normal", func(x *rogue) { x.opens("x").write(raw(0, bytes.Repeat([]byte{0}, 60_000)...)...) }, "connection amqp:decode-error"},
		{"deep lists", "normal", func(x *rogue) {
			x.opens("x").write(raw(0, append([]byte{0, 0x53, 0x11, 0xd0, 0, 0, 0x80, 0, 0, 0, 0, 8}, bytes.Repeat([]byte{0xd0, 0, 0, 0x70, 0, 0, 0, 0, 1}, 3000)...)...)...)
		}, "connection amqp:decode-error"},
		{"map of 2^31 pairs", "normal", func(x *rogue) {
			x.opens("x").write(raw(0, append([]byte{0, 0x53, 0x11, 0xc0, 24, 8, 0x40, 0x43, 0x43, 0x43, 0x43, 0x40, 0x40}, 0xd1, 0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0xa3, 1, 'k', 0x40)...)...)
		}, "connection amqp:decode-error"},
		{"array of 2^31 elements of no octets", "normal", func(x *rogue) {
			x.opens("x").write(raw(0, 0, 0x53, 0x11, 0xc0, 31, 8, 0x40, 0x43, 0x43, 0x43, 0x43, 0x40, 0x40, 0xd1, 0, 0, 0, 18, 0, 0, 0, 2, 0xa3, 1, 'k', 0xf0, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff, 0x43)...)
		}, "connection amqp:decode-error"},
		{"second open", "normal", func(x *rogue) { x.opens("x").send(0, &amqp.Open{ContainerID: "y"}) }, "connection amqp:illegal-state"},
		{"open of a wrong type", "normal", func(x *rogue) { x.opens("x").write(raw(0, 0, 0x53, 0x10, 0xc0, 3, 1, 0x54, 7)...) }, "connection amqp:decode-error,connection amqp:illegal-state,connection amqp:invalid-field"},

		// Sessions and links.
		{"attach without session", "normal", func(x *rogue) { x.opens("x").attaches("a") }, "connection amqp:not-allowed"},
		{"begin on a channel in use", "normal", func(x *rogue) { x.opens("x").begins().begins() }, "connection amqp:not-allowed"},
		{"too many sessions", "normal", func(x *rogue) {
			x.opens("x")
			for ch := range uint16(1100) {
				x.send(ch, &amqp.Begin{IncomingWindow: 1, OutgoingWindow: 1, HandleMax: 10})
			}
		}, "connection amqp:resource-limit-exceeded,session amqp:resource-limit-exceeded,connection amqp:not-allowed"},
		{"begin beyond channel-max", "normal", func(x *rogue) { x.opens("x").send(40_000, &amqp.Begin{}) }, "connection amqp:connection:framing-error"},
		{"begin that answers nothing", "normal", func(x *rogue) { x.opens("x").send(0, &amqp.Begin{HasRemoteChannel: true, RemoteChannel: 7}) }, "connection amqp:invalid-field"},
		{"end without session", "normal", func(x *rogue) { x.opens("x").send(3, &amqp.End{}) }, "connection amqp:not-allowed"},
		{"frames after close", "normal", func(x *rogue) {
			x.opens("x").send(0, &amqp.Close{})
			x.begins().send(3, &amqp.End{})
		}, "connection without error"},
		{"attach without name", "normal", func(x *rogue) {
			x.opens("x").begins().write(raw(0, 0, 0x53, 0x12, 0xc0, 5, 3, 0x40, 0x43, 0x42, 0x40)...)
		}, "session amqp:invalid-field,connection amqp:decode-error,connection amqp:invalid-field"},
		{"attach with an empty name", "normal", func(x *rogue) {
			x.opens("x").begins().send(0, &amqp.Attach{Role: amqp.RoleSender, Target: &amqp.Target{}})
		}, "session amqp:invalid-field"},
		{"handle in use", "normal", func(x *rogue) { x.opens("x").begins().attaches("a").attaches("b") }, "session amqp:session:handle-in-use"},
		{"handle beyond handle-max", "normal", func(x *rogue) { x.opens("x").begins().sends(1<<31, "a") }, "connection amqp:connection:framing-error"},
		{"link name in use", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("a").send(0, &amqp.Attach{Name: "out-0", Handle: 1, Role: amqp.RoleSender, Source: &amqp.Source{}, Target: &amqp.Target{}, HasInitialDeliveryCount: true})
		}, "link amqp:not-allowed"},
		{"settle mode that is none", "normal", func(x *rogue) {
			x.opens("x").begins().send(0, &amqp.Attach{Name: "a", Role: amqp.RoleSender, SndSettleMode: 9, Source: &amqp.Source{}, Target: &amqp.Target{}})
		}, "session amqp:invalid-field"},
		{"flow for nothing", "normal", func(x *rogue) { x.opens("x").begins().send(0, &amqp.Flow{HasHandle: true, Handle: 5}) }, "session amqp:session:unattached-handle"},
		{"flow without session", "normal", func(x *rogue) { x.opens("x").send(3, &amqp.Flow{}) }, "connection amqp:not-allowed"},
		{"window from the future", "normal", func(x *rogue) {
			x.opens("x").begins().send(0, &amqp.Flow{HasNextIncomingID: true, NextIncomingID: 5000})
		}, "session amqp:invalid-field"},
		{"disposition of nothing", "normal", func(x *rogue) {
			x.opens("x").begins().send(0, &amqp.Disposition{Role: amqp.RoleReceiver, First: 7, Last: 5000, Settled: true, State: amqp.State{Code: amqp.StateAccepted}})
			x.send(0, &amqp.Disposition{Role: amqp.RoleSender, First: 5000, Last: 7, Settled: true})
			x.send(0, &amqp.Close{}) // nothing else is answered
		}, "connection without error"},
		{"disposition without session", "normal", func(x *rogue) { x.opens("x").send(3, &amqp.Disposition{}) }, "connection amqp:not-allowed"},
		{"detach of nothing", "normal", func(x *rogue) { x.opens("x").begins().send(0, &amqp.Detach{Handle: 5, Closed: true}) }, "session amqp:session:unattached-handle"},
		{"transaction coordinator", "normal", func(x *rogue) {
			x.opens("x").begins().write(raw(0, 0, 0x53, 0x12, 0xc0, 18, 7, 0xa1, 1, 'c', 0x43, 0x42, 0x40, 0x40, 0, 0x53, 0x28, 0x45, 0, 0x53, 0x30, 0xc0, 1, 0)...)
		}, "link amqp:not-implemented"},
		{"router link of a client", "normal", func(x *rogue) { x.opens("x").begins().attaches("", capControl) }, "link qd:forbidden"},
		{"data link of an edge", "edge", func(x *rogue) { x.opens("x").begins().attaches("", capData) }, "link qd:forbidden"},
		{"client link before the control links", "inter-router", func(x *rogue) { x.opens("x").begins().attaches("a") }, "link qd:connection-role"},

		// Transfers.
		{"transfer on an unknown handle", "normal", func(x *rogue) { x.opens("x").begins().send(0, transfer(0, false)) }, "session amqp:session:unattached-handle"},
		{"transfer without session", "normal", func(x *rogue) { x.opens("x").send(7, transfer(0, false)) }, "connection amqp:not-allowed"},
		{"transfer without credit", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("nobody").send(0, transfer(0, false), to("nobody")...)
		}, "link amqp:link:transfer-limit-exceeded"},
		{"tag of 33 octets", "normal", func(x *rogue) {
			tr := transfer(0, false)
			tr.DeliveryTag = make([]byte, 33)
			x.opens("x").begins().attaches("").credited().send(0, tr, to("a")...)
		}, "session amqp:invalid-field"},
		{"delivery inside another", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, true), to("svc")...)
			x.send(0, transfer(1, false), to("svc")...)
		}, "session amqp:invalid-field,delivery released"},
		{"transfer without tag", "normal", func(x *rogue) {
			tr := transfer(0, false)
			tr.DeliveryTag = nil
			x.opens("x").begins().attaches("").credited().send(0, tr, to("a")...)
		}, "session amqp:invalid-field"},
		{"delivery-id out of order", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(5, false), to("a")...)
			x.send(0, transfer(9, false), to("a")...)
		}, "session amqp:invalid-field,delivery released"},

		// Messages.
		{"message without address", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), 0, 0x53, 0x77, 0x40)
		}, "delivery amqp:precondition-failed"},
		{"message to nobody", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), to("nobody")...)
		}, "delivery released"},
		{"reply to a stream that is gone", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), to("amqp:/_topo/0/middle/temp.abcdefghijklmno")...)
		}, "delivery released"},
		{"message of nonsense", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), []byte("not a section at all")...)
		}, "delivery amqp:decode-error"},
		{"sections in a wrong order", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), append(to("a"), header...)...)
		}, "delivery released,delivery amqp:decode-error"},
		{"header without end", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited()
			x.send(0, transfer(0, true), 0, 0x53, 0x70, 0xd0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1)
			for range 100 {
				x.send(0, transfer(0, true), make([]byte, 16_000)...)
			}
		}, "delivery amqp:resource-limit-exceeded,delivery amqp:decode-error"},
		{"annotations without end", "edge", func(x *rogue) {
			x.opens("x").begins().attaches("").credited()
			x.send(0, transfer(0, true), append([]byte{0, 0x80}, append([]byte("SKPR--RA"), 0xd0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 4)...)...)
			for range 100 {
				x.send(0, transfer(0, true), make([]byte, 16_000)...)
			}
		}, "delivery amqp:resource-limit-exceeded,delivery amqp:decode-error"},
		{"application properties without end", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited()
			m := (&amqp.Message{Properties: &amqp.Properties{To: "svc"}}).Append(nil)
			x.send(0, transfer(0, true), append(m, 0, 0x53, 0x74, 0xd1, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 2)...)
			for range 100 {
				x.send(0, transfer(0, true), make([]byte, 16_000)...)
			}
		}, "delivery amqp:resource-limit-exceeded,delivery amqp:decode-error,delivery released"},
		{"router annotations with a null mesh", "edge", func(x *rogue) {
			ra := []byte{0, 0x80, 'S', 'K', 'P', 'R', '-', '-', 'R', 'A', 0xc0, 6, 5, 0x43, 0x40, 0x40, 0x45, 0x40}
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), append(ra, to("svc")...)...)
		}, "delivery amqp:invalid-field"},
		{"HELLO of a client", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), hello("x", "middle")...)
		}, "delivery released"},
		{"link state of a client", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), control("LSU", "amqp:/_topo/0/middle/qdrouter", amqp.Map{{Key: "id", Value: "x"}})...)
		}, "delivery released"},
		{"addresses of an edge", "edge", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), control("MAU", "amqp:/_topo/0/middle/qdrouter.ma", amqp.Map{{Key: amqp.Symbol("id"), Value: "x"}})...)
		}, "delivery released"},
		{"HELLO on a data link", "inter-router", func(x *rogue) {
			x.link = "out-2"
			x.opens("x").controls().sends(2, "", capData)
			tr := transfer(0, false)
			tr.Handle = 2
			x.credited().send(0, tr, hello("x", "middle")...)
		}, "delivery released"},
		{"stream that is no stream", "normal", func(x *rogue) {
			x.opens("x").begins().attaches("").credited().send(0, transfer(0, false), to("svc")...)
		}, "delivery released"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newRogue(t, b.host, b.ports[c.role])
			c.attack(x)
			_ = x.nc.SetReadDeadline(time.Now().Add(patience))
			got := x.answer()
			ok := false
			for want := range strings.SplitSeq(c.want, ",") {
				ok = ok || got == want
			}
			if !ok {
				t.Errorf("answered with %q, want %q", got, c.want)
			}
			_ = x.nc.Close()
		})
	}
	eventually(t, "nothing is left of them", func() error {
		var left []string
		b.on(func(r *Router) {
			for _, p := range r.peers {
				if p.remote != "west" && p.remote != "east" {
					left = append(left, p.owner.name+" "+p.remote)
				}
			}
		})
		if len(left) > 0 {
			return fmt.Errorf("connections of %v", left)
		}
		return nil
	})
}

// TestTransferBeyondWindow: a peer that ignores the window of its session is
// closed before it has filled the memory.
func TestTransferBeyondWindow(t *testing.T) {
	t.Parallel()
	n := newNode(t, "only", "interior")
	host, port := n.listens("clients", "normal", attrs{"maxSessionFrames": 8})
	n.start()
	reader := newRogue(t, host, port).opens("reader").begins()
	reader.send(0, &amqp.Attach{
		Name: "in", Role: amqp.RoleReceiver, SndSettleMode: amqp.SndMixed,
		Source: &amqp.Source{Address: "queue"}, Target: &amqp.Target{},
	}) // and never any credit
	n.reaches("queue", true)
	x := newRogue(t, host, port).opens("writer").begins().attaches("queue").credited()
	m := (&amqp.Message{Properties: &amqp.Properties{To: "queue"}, Kind: amqp.BodyValue, Value: "x"}).Append(nil)
	x.send(0, transfer(0, true), m...)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 20_000 { // 300 MB
			if _, err := x.nc.Write(frame(0, transfer(0, true), make([]byte, 16_000)...)); err != nil {
				return
			}
		}
	})
	got := x.answer()
	_ = x.nc.Close()
	wg.Wait()
	if got != "session amqp:session:window-violation" && got != "connection amqp:session:window-violation" {
		t.Errorf("answered with %q", got)
	}
}

// TestSlowHandshakes: peers that say one octet at a time, or nothing, are
// dropped in time, and do not keep others out meanwhile.
func TestSlowHandshakes(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	var slow []*rogue
	for i := range 200 {
		x := b.rogue("inter-router")
		if i%2 == 0 {
			x.write('A', 'M')
		}
		slow = append(slow, x)
	}
	var wg sync.WaitGroup
	for _, x := range slow {
		wg.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for range 100 {
				<-tick.C
				if _, err := x.nc.Write([]byte{'Q'}); err != nil {
					return
				}
			}
		})
	}
	b.rogue("inter-router").opens("patient")
	for i, x := range slow {
		if err := x.closedWithin(patience); err != nil {
			t.Errorf("slow peer %d: %v", i, err)
		}
		_ = x.nc.Close()
	}
	wg.Wait()
}

// heap is how many bytes are in use, by all that runs: tests that ask for it do
// not run beside others.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// control is a routing message of the peer "rogue", or of from.
func control(op, to string, body amqp.Map) []byte {
	m := &amqp.Message{
		Properties:            &amqp.Properties{To: to},
		ApplicationProperties: amqp.Map{{Key: "opcode", Value: op}},
		Kind:                  amqp.BodyValue, Value: body,
	}
	return m.Append(nil)
}

func hello(id string, seen ...any) []byte {
	return control("HELLO", "amqp:/_local/qdhello", amqp.Map{
		{Key: "id", Value: id}, {Key: "pv", Value: int32(1)}, {Key: "area", Value: "0"}, {Key: "instance", Value: int32(1)}, {Key: "seen", Value: amqp.List(seen)},
	})
}

// says sends routing messages on the control link, presettled, in frames.
func (x *rogue) says(id *uint32, message []byte) {
	for {
		part := message[:min(len(message), 60_000)]
		message = message[len(part):]
		tr := transfer(*id, len(message) > 0)
		tr.Settled = true
		if !x.may(*id) {
			return
		}
		if _, err := x.nc.Write(frame(0, tr, part...)); err != nil || len(message) == 0 {
			*id++
			return
		}
	}
}

// TestHostileRouter: a neighbor that says nonsense, lies and floods costs
// bounded memory, and the network goes on around it.
func TestHostileRouter(t *testing.T) {
	b := besiege(t)
	x := b.rogue("inter-router").opens("rogue").controls()
	var wg sync.WaitGroup
	wg.Go(x.drains)
	var id uint32
	x.says(&id, hello("rogue", "middle"))
	eventually(t, "the rogue is a neighbor", func() error {
		known := false
		b.on(func(r *Router) {
			for _, n := range r.engine.Routers() {
				known = known || n.ID == "rogue"
			}
		})
		if !known {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	before := heap()
	all, one := "amqp:/_topo/0/all/qdrouter", "amqp:/_topo/0/middle/qdrouter"
	lists := amqp.List{}
	for i := range 100_000 {
		lists = append(lists, amqp.List{fmt.Sprintf("Mlie-%d", i), int32(3), int32(0)})
	}
	peers := amqp.Map{}
	for i := range 50_000 {
		peers = append(peers, amqp.Pair{Key: fmt.Sprintf("nobody-%d", i), Value: int32(1)})
	}
	ls := func(peers any) amqp.Map {
		return amqp.Map{
			{Key: "id", Value: "rogue"},
			{Key: "pv", Value: int32(1)},
			{Key: "area", Value: "0"},
			{Key: "instance", Value: int32(1)},
			{Key: "ls_seq", Value: int32(1 << 30)},
			{Key: "ls", Value: amqp.Map{{Key: "id", Value: "rogue"}, {Key: "area", Value: "0"}, {Key: "ls_seq", Value: int32(1 << 30)}, {Key: "peers", Value: peers}}},
		}
	}
	for _, m := range [][]byte{
		[]byte("nonsense"), make([]byte, 17<<20),
		control("HELLO", "amqp:/_local/qdhello", nil),
		control("HELLO", "amqp:/_local/qdhello", amqp.Map{{Key: "id", Value: int32(5)}, {Key: "seen", Value: "middle"}}),
		hello("middle", "middle"), hello("", "middle"), hello(strings.Repeat("x", 70_000), "middle"), hello("a/b", "middle"),
		control("HOWDY", all, ls(amqp.Map{})),
		control("RA", all, amqp.Map{{Key: "id", Value: "rogue"}, {Key: "pv", Value: int32(99)}}),
		control("RA", all, amqp.Map{{Key: "id", Value: "rogue"}, {Key: "ls_seq", Value: int64(-5)}, {Key: "mobile_seq", Value: true}}),
		control("RA", all, amqp.Map{
			{Key: "id", Value: "rogue"}, {Key: "pv", Value: int32(1)}, {Key: "instance", Value: int32(1)}, {Key: "ls_seq", Value: int64(1 << 62)}, {Key: "mobile_seq", Value: int64(1 << 62)},
		}),
		control("LSR", one, amqp.Map{{Key: "id", Value: "unheard of"}}),
		control("LSU", one, ls("no map")), control("LSU", one, ls(amqp.Map{{Key: "middle", Value: int32(-7)}, {Key: int32(3), Value: "x"}})),
		control("LSU", one, ls(peers)),
		control("MAU", one+".ma", amqp.Map{{Key: amqp.Symbol("id"), Value: "rogue"}, {Key: amqp.Symbol("pv"), Value: int64(2)}, {Key: amqp.Symbol("mobile_seq"), Value: int64(1)}, {Key: amqp.Symbol("exist"), Value: lists}}),
		control("MAU", one+".ma", amqp.Map{{Key: amqp.Symbol("id"), Value: "rogue"}, {Key: amqp.Symbol("pv"), Value: int64(2)}, {Key: amqp.Symbol("mobile_seq"), Value: int64(2)}, {Key: amqp.Symbol("exist"), Value: lists}, {Key: amqp.Symbol("add"), Value: "x"}}),
		control("MAR", one+".ma", amqp.Map{{Key: amqp.Symbol("id"), Value: "rogue"}, {Key: amqp.Symbol("have_seq"), Value: int64(-1)}}),
	} {
		x.says(&id, m)
	}
	for i := range 6000 { // a flood of routers that do not exist, and of restarts
		x.says(&id, control("RA", all, amqp.Map{
			{Key: "id", Value: fmt.Sprintf("ghost-%d", i)},
			{Key: "pv", Value: int32(1)},
			{Key: "area", Value: "0"},
			{Key: "instance", Value: int32(i)},
			{Key: "ls_seq", Value: int32(i)},
			{Key: "mobile_seq", Value: int32(i)},
		}))
		if i%100 == 0 {
			x.says(&id, hello("rogue", "middle"))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	good := hello("rogue", "middle")
	for range 1000 { // and what nobody thinks of
		m := bytes.Clone(good)
		for range 1 + random.IntN(8) {
			m[random.IntN(len(m))] = byte(random.Uint32())
		}
		x.says(&id, m)
	}
	b.on(func(r *Router) {
		if n := len(r.engine.Routers()); n > 4096 {
			t.Errorf("%d routers are known", n)
		}
	})
	// 100,000 addresses and 4,096 routers are known, and no more.
	if grown := heap() - before; grown > 256<<20 {
		t.Errorf("the heap has grown by %d MB", grown>>20)
	}
	_ = x.nc.Close()
	wg.Wait()
	eventually(t, "its addresses are forgotten", func() error {
		n := 0
		b.r.snap.Load().All(func(*forward.Address) bool { n++; return true })
		if n > 1000 {
			return fmt.Errorf("%d addresses", n)
		}
		return nil
	})
}

// TestManyLinks: what one peer can attach costs bounded memory.
func TestManyLinks(t *testing.T) {
	b := besiege(t)
	before, rest := heap(), int64(0)
	const links = 10_000
	for round := range 2 {
		x := b.rogue("normal").opens("greedy").begins()
		var wg sync.WaitGroup
		wg.Go(x.drains)
		for i := range uint32(links) {
			x.sends(i, fmt.Sprintf("address-%d", i))
		}
		eventually(t, "all of them are attached", func() error {
			n := 0
			b.on(func(r *Router) {
				for _, p := range r.peers {
					n += len(p.links)
				}
			})
			if n < links {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		if per := (heap() - before) / links; per > 4096 {
			t.Errorf("%d bytes for each link", per)
		}
		_ = x.nc.Close()
		wg.Wait()
		eventually(t, "it is given back", func() error {
			left := heap() - before
			if round == 0 {
				rest = left // tables stay as large as they were once
			}
			if left > links*512 || left > rest+1<<20 {
				return fmt.Errorf("%d bytes", left)
			}
			return nil
		})
	}
}

// TestSleepyPeer: a peer that does not read what it has asked for costs
// bounded memory and is closed when it does not answer any more.
func TestSleepyPeer(t *testing.T) {
	n := newNode(t, "only", "interior")
	host, port := n.listens("clients", "normal", attrs{"idleTimeoutSeconds": 2})
	n.start()
	x := newRogue(t, host, port).opens("sleepy").begins()
	before := heap()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := uint32(0); ; i++ { // each is answered with an error
			name := fmt.Sprintf("%060000d", i) // which is in the answer
			b := frame(0, &amqp.Attach{Name: name, Handle: i, Role: amqp.RoleSender, Source: &amqp.Source{}, HasInitialDeliveryCount: true})
			b = append(b, frame(0, &amqp.Detach{Handle: i, Closed: true})...)
			if _, err := x.nc.Write(b); err != nil {
				return
			}
		}
	})
	eventually(t, "the peer is given up", func() error {
		if len(n.peersOf("clients")) > 0 {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	_ = x.nc.Close()
	wg.Wait()
	if grown := heap() - before; grown > 64<<20 {
		t.Errorf("the heap has grown by %d MB", grown>>20)
	}
}
