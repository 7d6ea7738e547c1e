package router

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/stream"
)

// player is the recorded router A, which has a listener, beside a router of
// ours in the place of B, which has the connector. It says what A said; what
// our router begins by itself is answered as it comes.
type player struct {
	*rogue
	wg sync.WaitGroup

	mu       sync.Mutex
	moved    sync.Cond            // of mu
	credited map[string]bool      // Guarded by mu: links of A that may be sent on, by name.
	names    map[[2]uint32]string // Guarded by mu: of links of A, by channel and handle of ours.
	replies  map[[2]uint32]*reply // Guarded by mu: deliveries to A that are not complete, by channel and handle.
	bodies   []string             // Guarded by mu: of replies that are.
	failures int                  // Guarded by mu: request streams that were refused.
	acked    int                  // Guarded by mu: octets of the longest request stream that were.
	over     bool                 // Guarded by mu.
}

// reply is a delivery of our router to A.
type reply struct {
	id    uint32
	data  []byte
	acked int
}

// body is what of a stream's message has come, false if it is no stream.
func body(message []byte) ([]byte, bool) {
	p, whole, err := amqp.ScanPrefix(message)
	if err != nil || !whole || string(p.ContentType) != stream.ContentType {
		return nil, false
	}
	return message[p.BodyOffset:], true
}

// firstAnswer is where the player's own channels begin: A used lower ones.
const firstAnswer = 1000

// listen answers what our router begins.
func (x *player) listen() {
	for {
		p, payload, ch, err := x.next()
		if err != nil {
			x.mu.Lock()
			x.over = true
			x.moved.Broadcast()
			x.mu.Unlock()
			return
		}
		x.take(ch, p, payload)
	}
}

func (x *player) take(ch uint16, p amqp.Performative, payload []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer x.moved.Broadcast()
	switch p := p.(type) {
	case *amqp.Begin:
		if !p.HasRemoteChannel {
			x.send(firstAnswer+ch, &amqp.Begin{HasRemoteChannel: true, RemoteChannel: ch, IncomingWindow: 1 << 30, OutgoingWindow: 1 << 30, HandleMax: 1 << 30})
		}
	case *amqp.Attach:
		if name, of := p.Name, [2]uint32{uint32(ch), p.Handle}; p.Role == amqp.RoleReceiver {
			x.names[of] = name
		} else if x.names[of] == "" && !x.credited["attached "+name] {
			a := *p
			a.Role = amqp.RoleReceiver
			x.send(firstAnswer+ch, &a)
			x.send(firstAnswer+ch, &amqp.Flow{
				HasNextIncomingID: true, IncomingWindow: 1 << 30, OutgoingWindow: 1 << 30, HasHandle: true, Handle: p.Handle,
				HasDeliveryCount: true, HasLinkCredit: true, LinkCredit: 1 << 20,
			})
		}
	case *amqp.Flow:
		if name := x.names[[2]uint32{uint32(ch), p.Handle}]; name != "" && p.HasHandle && p.LinkCredit > 0 {
			x.credited[name] = true
		}
	case *amqp.Transfer:
		x.transferred(ch, p, payload)
	case *amqp.Disposition:
		switch {
		case p.Role != amqp.RoleReceiver:
		case p.State.Code == amqp.StateReceived:
			x.acked = max(x.acked, int(p.State.Offset))
		case p.State.Code == amqp.StateModified && p.State.Failed:
			x.failures++
		}
	}
}

// transferred collects a delivery and acknowledges it as a listener does.
func (x *player) transferred(ch uint16, p *amqp.Transfer, payload []byte) {
	of := [2]uint32{uint32(ch), p.Handle}
	r := x.replies[of]
	if r == nil {
		r = &reply{id: p.DeliveryID}
		x.replies[of] = r
	}
	r.data = append(r.data, payload...)
	b, isStream := body(r.data)
	switch {
	case !p.More:
		delete(x.replies, of)
		if isStream {
			x.bodies = append(x.bodies, string(b))
			x.send(firstAnswer+ch, &amqp.Disposition{Role: amqp.RoleReceiver, First: r.id, Last: r.id, Settled: true, State: amqp.State{Code: amqp.StateAccepted}})
		}
	case isStream && len(b)-r.acked >= 500_000:
		r.acked = len(b)
		x.send(firstAnswer+ch, &amqp.Disposition{Role: amqp.RoleReceiver, First: r.id, Last: r.id, State: amqp.State{Code: amqp.StateReceived, Offset: uint64(len(b))}})
	}
}

// await waits until ok, which is called with mu held.
func (x *player) await(ok func() bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for !x.over && !ok() {
		x.moved.Wait()
	}
	return ok()
}

// play says what A said. If our router refuses streams, A hears it before it
// gives them up.
func (x *player) play(frames []captures.Frame, refuses bool) {
	x.t.Helper()
	answers := map[uint16]bool{} // channels on which A answered sessions of B
	var settled, sent int        // streams that A gave up; octets of streams
	for _, f := range frames {
		if f.From != captures.Connector {
			continue
		}
		if f.Header() || len(f.Data) == 8 || f.Data[5] == amqp.FrameSASL {
			x.write(f.Data...)
			continue
		}
		p, payload, err := amqp.DecodePerformative(f.Data[int(f.Data[4])*4:])
		if err != nil {
			x.t.Fatal(err)
		}
		ch := binary.BigEndian.Uint16(f.Data[6:])
		if b, ok := p.(*amqp.Begin); ok && b.HasRemoteChannel {
			answers[ch] = true
		}
		if answers[ch] {
			continue
		}
		switch p := p.(type) {
		case *amqp.Flow:
			if p.HasHandle {
				*p = amqp.Flow{
					HasNextIncomingID: true, IncomingWindow: 1 << 30, OutgoingWindow: 1 << 30, HasHandle: true, Handle: p.Handle,
					HasDeliveryCount: true, HasLinkCredit: true, LinkCredit: 1 << 20,
				}
				x.send(ch, p)
			}
			continue
		case *amqp.Disposition:
			if p.Role == amqp.RoleReceiver {
				continue // of deliveries that B made
			}
		case *amqp.Transfer:
			const window = 1_000_000
			if sent += len(payload); !x.await(func() bool { return sent-x.acked < window || sent < window }) {
				x.t.Fatal("the window of the stream does not open")
			}
			if p.Settled && !p.More && len(payload) == 0 && refuses {
				settled++ // A had been told before
				x.await(func() bool { return x.failures >= settled })
			}
		case *amqp.Attach:
			if p.Role == amqp.RoleReceiver {
				x.mu.Lock()
				x.credited["attached "+p.Name] = true // its answer needs none
				x.mu.Unlock()
				break
			}
			x.write(f.Data...)
			if !x.await(func() bool { return x.credited[p.Name] }) {
				x.t.Fatalf("no credit for %s", p.Name)
			}
			continue
		}
		x.write(f.Data...)
	}
}

// recordedBodies are those of the streams that one side has sent, of complete
// ones.
func recordedBodies(t *testing.T, frames []captures.Frame, side captures.Side) (all []string) {
	t.Helper()
	open := map[[2]uint32][]byte{}
	for _, f := range frames {
		if f.From != side || f.Header() || len(f.Data) == 8 || f.Data[5] != amqp.FrameAMQP {
			continue
		}
		p, payload, err := amqp.DecodePerformative(f.Data[int(f.Data[4])*4:])
		if err != nil {
			t.Fatal(err)
		}
		if tr, ok := p.(*amqp.Transfer); ok {
			of := [2]uint32{uint32(binary.BigEndian.Uint16(f.Data[6:])), tr.Handle}
			open[of] = append(open[of], payload...)
			if !tr.More {
				if b, ok := body(open[of]); ok {
					all = append(all, string(b))
				}
				delete(open, of)
			}
		}
	}
	slices.Sort(all)
	return all
}

// TestRecordedListener puts a router of ours in the place of the recorded
// router with the connector: servers get what the recorded client has sent, and
// the recorded listener gets what the servers say, as it did from
// skupper-router.
func TestRecordedListener(t *testing.T) {
	t.Parallel()
	pattern := make([]byte, 256)
	for i := range pattern {
		pattern[i] = byte(i)
	}
	for name, serve := range map[string]func(c *net.TCPConn){
		"echo": echo, "echo-sender-settle": echo, "echo-client-shutdown": echo, "concurrent": echo, "large": echo,
		"server-first": func(c *net.TCPConn) {
			_, _ = io.WriteString(c, "220 ready\r\n")
			echo(c)
		},
		"nodata": echo,
		"halfclose": func(c *net.TCPConn) {
			n, _ := io.Copy(io.Discard, c)
			_, _ = fmt.Fprintf(c, "got %d\n", n)
		},
		"download": func(c *net.TCPConn) {
			_, _ = io.ReadFull(c, make([]byte, 1))
			_, _ = c.Write(bytes.Repeat(pattern, 8<<20/len(pattern)))
		},
		"client-abort": func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) },
		"refused":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replayListener(t, "tcp/"+name, serve)
		})
	}
}

func replayListener(t *testing.T, name string, f func(c *net.TCPConn)) {
	frames := captures.Load(t, name).Frames(t)
	s := serve(t, f)
	if f == nil {
		s.down()
	}
	n := newNode(t, "B", "interior")
	host, port := n.listens("links", "inter-router", nil)
	for _, address := range []string{"svc:9", "echo:9"} {
		n.serves(address, address, s)
	}
	n.start()
	x := &player{rogue: newRogue(t, host, port), credited: map[string]bool{}, names: map[[2]uint32]string{}, replies: map[[2]uint32]*reply{}}
	x.moved.L = &x.mu
	x.wg.Go(x.listen)
	defer func() {
		_ = x.nc.Close()
		x.wg.Wait()
	}()
	x.play(frames, f == nil)
	if f == nil {
		if !x.await(func() bool { return x.failures == 2 }) {
			t.Errorf("%d streams were refused", x.failures)
		}
		return
	}
	want := recordedBodies(t, frames, captures.Listener)
	x.await(func() bool { return len(x.bodies) >= len(want) })
	x.mu.Lock()
	defer x.mu.Unlock()
	slices.Sort(x.bodies)
	if !slices.Equal(x.bodies, want) {
		t.Errorf("%d replies of lengths %v, want %d of %v", len(x.bodies), lengths(x.bodies), len(want), lengths(want))
	}
}

func lengths(all []string) (n []int) {
	for _, s := range all {
		n = append(n, len(s))
	}
	return n
}
