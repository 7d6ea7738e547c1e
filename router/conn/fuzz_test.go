package conn

import (
	"context"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/sim/netpipe"
)

// FuzzPeer lets a peer say anything, from its first octet on, to either side of
// a connection. Run must end, without a panic, when the peer has closed.
func FuzzPeer(f *testing.F) {
	frame := func(typ uint8, p amqp.Performative) string {
		b := p.Append(amqp.AppendFrameHeader(nil, typ, 0))
		amqp.FinishFrame(b)
		return string(b)
	}
	open := amqp.ProtocolHeaderAMQP + frame(0, &amqp.Open{ContainerID: "x", MaxFrameSize: 512, ChannelMax: 5})
	f.Add(false, []byte(open+frame(0, &amqp.Begin{IncomingWindow: 3})+frame(0, &amqp.Attach{Name: "l", Source: &amqp.Source{}, Target: &amqp.Target{}})))
	f.Add(false, []byte(amqp.ProtocolHeaderSASL+frame(1, &amqp.SASLInit{Mechanism: Anonymous})+open))
	f.Add(true, []byte(amqp.ProtocolHeaderSASL+frame(1, &amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{Anonymous}})+frame(1, &amqp.SASLOutcome{})+open))
	f.Add(true, []byte(amqp.ProtocolHeaderSASL+frame(1, &amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{Anonymous}})+frame(1, &amqp.SASLChallenge{Challenge: []byte{}})))
	f.Fuzz(func(_ *testing.T, client bool, in []byte) {
		x, y := netpipe.Pair(netpipe.Options{Buffer: 1 << 20})
		_, _ = y.Write(in)
		_ = y.CloseWrite()
		o := &owner{}
		o.opened = func(c *Conn, _ *amqp.Open) {
			c.StreamLink(true).Send(&outcome{o: o}, false).WriteBytes(make([]byte, 2000), false)
		}
		c := New(x, Config{Client: client, Open: amqp.Open{ContainerID: "us"}}, o)
		_ = c.Run(context.Background())
		_ = y.Close()
	})
}
