package router

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
)

// rogue is a peer that says whatever a test makes it say.
type rogue struct {
	t  testing.TB
	nc net.Conn

	mu     sync.Mutex
	moved  sync.Cond // of mu
	link   string    // the link that credit is noted of
	handle uint32    // Guarded by mu: the router's, of that link.
	limit  uint32    // Guarded by mu: deliveries that may be sent on it.
	frames uint32    // Guarded by mu: transfers that may be sent in the session.
	gone   bool      // Guarded by mu.
	sent   uint32    // transfers
}

// newRogue connects to a listener without TLS.
func newRogue(t testing.TB, host, port string) *rogue {
	t.Helper()
	x := &rogue{t: t, nc: dial(t, net.JoinHostPort(host, port)), link: "out-0", handle: math.MaxUint32}
	x.moved.L = &x.mu
	return x
}

// write does not mind that the other end may have closed.
func (x *rogue) write(b ...byte) { _, _ = x.nc.Write(b) }

func (x *rogue) send(ch uint16, p amqp.Performative, payload ...byte) {
	x.write(frame(ch, p, payload...)...)
}

func frame(ch uint16, p amqp.Performative, payload ...byte) []byte {
	b := append(p.Append(amqp.AppendFrameHeader(nil, amqp.FrameAMQP, ch)), payload...)
	amqp.FinishFrame(b)
	return b
}

func (x *rogue) saslFrame(p amqp.Performative) {
	b := p.Append(amqp.AppendFrameHeader(nil, amqp.FrameSASL, 0))
	amqp.FinishFrame(b)
	x.write(b...)
}

// opens exchanges SASL ANONYMOUS and opens.
func (x *rogue) opens(id string) *rogue {
	x.t.Helper()
	x.write([]byte(amqp.ProtocolHeaderSASL)...)
	x.saslFrame(&amqp.SASLInit{Mechanism: "ANONYMOUS", InitialResponse: []byte("x")})
	x.write([]byte(amqp.ProtocolHeaderAMQP)...)
	x.send(0, &amqp.Open{
		ContainerID: id, MaxFrameSize: 16384, ChannelMax: 32767, IdleTimeOut: 60_000,
		OfferedCapabilities: []amqp.Symbol{capStreaming},
	})
	for range 2 { // header and frames of SASL, header of AMQP
		if _, err := io.ReadFull(x.nc, make([]byte, 8)); err != nil {
			x.t.Fatal(err)
		}
		for {
			p, _, _, err := x.next()
			if err != nil {
				x.t.Fatal(err)
			}
			if _, ok := p.(*amqp.SASLOutcome); ok {
				break
			}
			if _, ok := p.(*amqp.Open); ok {
				return x
			}
		}
	}
	return x
}

// begins opens a session on channel 0.
func (x *rogue) begins() *rogue {
	x.send(0, &amqp.Begin{IncomingWindow: 8192, OutgoingWindow: 1 << 31, HandleMax: 1 << 31})
	return x
}

// attaches attaches a link on channel 0 to send on, with handle 0.
func (x *rogue) attaches(address string, capabilities ...amqp.Symbol) *rogue {
	x.sends(0, address, capabilities...)
	return x
}

func (x *rogue) sends(handle uint32, address string, capabilities ...amqp.Symbol) {
	a := &amqp.Attach{
		Name: fmt.Sprintf("out-%d", handle), Handle: handle, Role: amqp.RoleSender, SndSettleMode: amqp.SndMixed,
		Source: &amqp.Source{Capabilities: capabilities}, Target: &amqp.Target{Capabilities: capabilities}, HasInitialDeliveryCount: true,
	}
	if address != "" {
		a.Target.Address = address
	}
	x.send(0, a)
}

// controls attaches the control links of a router, as its connector does.
func (x *rogue) controls() *rogue {
	x.begins()
	x.sends(0, "", capControl)
	x.send(0, &amqp.Attach{
		Name: "in", Handle: 1, Role: amqp.RoleReceiver, SndSettleMode: amqp.SndMixed,
		Source: &amqp.Source{Capabilities: []amqp.Symbol{capControl}}, Target: &amqp.Target{Capabilities: []amqp.Symbol{capControl}},
	})
	x.send(0, &amqp.Flow{
		HasNextIncomingID: true, IncomingWindow: 8192, OutgoingWindow: 1 << 31, HasHandle: true, Handle: 1, HasLinkCredit: true, LinkCredit: 1 << 30,
	})
	return x
}

// transfer is a frame of a delivery on handle 0.
func transfer(id uint32, more bool) *amqp.Transfer {
	tag := binary.LittleEndian.AppendUint64(nil, uint64(id))
	return &amqp.Transfer{HasDeliveryID: true, DeliveryID: id, DeliveryTag: tag, HasMessageFormat: true, More: more}
}

// next reads a frame; p is nil for an empty one, and for a protocol header.
func (x *rogue) next() (p amqp.Performative, payload []byte, ch uint16, err error) {
	b := make([]byte, 8)
	if _, err := io.ReadFull(x.nc, b); err != nil {
		return nil, nil, 0, err
	}
	if string(b[:4]) == "AMQP" {
		return nil, nil, 0, nil
	}
	h, err := amqp.ParseFrameHeader(b)
	if err != nil {
		return nil, nil, 0, err
	}
	body := make([]byte, h.Size-8)
	if _, err := io.ReadFull(x.nc, body); err != nil {
		return nil, nil, 0, err
	}
	if len(body) == 0 {
		return nil, nil, h.Channel, nil
	}
	p, payload, err = amqp.DecodePerformative(body[4*int(h.DataOffset)-8:])
	return p, payload, h.Channel, err
}

// answer reads until the router complains, and returns with what: the scope
// and the condition of the error.
func (x *rogue) answer() string {
	for {
		p, _, _, err := x.next()
		switch p := p.(type) {
		case *amqp.Close:
			return "connection " + condition(p.Error)
		case *amqp.End:
			return "session " + condition(p.Error)
		case *amqp.Detach:
			return "link " + condition(p.Error)
		case *amqp.Disposition:
			if p.State.Code == amqp.StateRejected {
				return "delivery " + condition(p.State.Error)
			}
			if p.State.Code == amqp.StateReleased {
				return "delivery released"
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return "end"
		case err != nil:
			var e net.Error
			if errors.As(err, &e) && e.Timeout() {
				return "nothing"
			}
			return "reset"
		}
	}
}

func condition(err *amqp.Error) string {
	if err == nil {
		return "without error"
	}
	return string(err.Condition)
}

// drains reads until the connection ends, and remembers what may be sent.
func (x *rogue) drains() {
	for {
		p, _, _, err := x.next()
		x.heard(p, err)
		if err != nil {
			return
		}
	}
}

// heard notes credit and window.
func (x *rogue) heard(p amqp.Performative, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch p := p.(type) {
	case *amqp.Begin:
		x.frames = p.IncomingWindow
	case *amqp.Attach:
		if p.Name == x.link {
			x.handle = p.Handle
		}
	case *amqp.Flow:
		x.frames = p.NextIncomingID + p.IncomingWindow
		if p.HasHandle && p.Handle == x.handle {
			x.limit = p.DeliveryCount + p.LinkCredit
		}
	}
	x.gone = x.gone || err != nil
	x.moved.Broadcast()
}

// credited reads until its link, that with handle 0, may be sent on.
func (x *rogue) credited() *rogue {
	x.t.Helper()
	for x.limit == 0 {
		p, _, _, err := x.next()
		if err != nil {
			x.t.Fatal(err)
		}
		x.heard(p, err)
	}
	return x
}

// may waits until one more transfer of delivery id may be sent.
func (x *rogue) may(id uint32) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for !x.gone && (id >= x.limit || x.sent >= x.frames) {
		x.moved.Wait()
	}
	x.sent++
	return !x.gone
}

// closedWithin reports whether the router ends the connection in time.
func (x *rogue) closedWithin(limit time.Duration) error {
	_ = x.nc.SetReadDeadline(time.Now().Add(limit))
	_, err := io.Copy(io.Discard, x.nc)
	var e net.Error
	if errors.As(err, &e) && e.Timeout() {
		return errors.New("the connection is still open")
	}
	return nil
}
