package conn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// performative decodes a recorded frame, nil for headers and heartbeats.
func performative(t *testing.T, f captures.Frame) (p amqp.Performative, payload []byte) {
	t.Helper()
	if f.Header() || len(f.Data) == 8 {
		return nil, nil
	}
	p, payload, err := amqp.DecodePerformative(f.Data[int(f.Data[4])*4:])
	if err != nil {
		t.Fatal(err)
	}
	return p, payload
}

// linkUp returns the frames of one side before the first transfer of either.
func linkUp(t *testing.T, name string, side captures.Side) []captures.Frame {
	t.Helper()
	var frames []captures.Frame
	for _, f := range captures.Load(t, name).Frames(t) {
		p, _ := performative(t, f)
		if _, ok := p.(*amqp.Transfer); ok {
			break
		}
		if f.From == side {
			frames = append(frames, f)
		}
	}
	return frames
}

// TestConnectorSpeaksAsRecorded: SASL, open, sessions and links of a connector
// towards a recorded listener are what skupper-router sent, octet by octet but
// for the text of the ANONYMOUS response and the highest handle.
func TestConnectorSpeaksAsRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const name = "control/ii-plain"
		ours, theirs := linkUp(t, name, captures.Connector), linkUp(t, name, captures.Listener)
		var open *amqp.Open
		var links []*amqp.Attach
		var classes []int // of the links
		var begins []int
		for _, f := range ours {
			p, _ := performative(t, f)
			channel := int(binary.BigEndian.Uint16(f.Data[6:]))
			switch p := p.(type) {
			case *amqp.Open:
				open = p
			case *amqp.Begin:
				begins = append(begins, channel)
			case *amqp.Attach:
				links = append(links, p)
				classes = append(classes, channel)
			}
		}
		r, s := scripted(t, Config{Client: true, Open: *open})
		r.owner.opened = func(c *Conn, _ *amqp.Open) {
			c.Begin(begins...)
			for i, a := range links {
				c.Attach(LinkConfig{
					Session: classes[i], Name: a.Name, Sender: a.Role == amqp.RoleSender, Source: a.Source, Target: a.Target,
					SndSettle: a.SndSettleMode, RcvSettle: a.RcvSettleMode, Credit: CreditPolicy{Window: 250}, Events: r.owner,
				})
			}
		}
		got := make([]byte, 0, 8192)
		for _, f := range theirs { // what they sent is answered, or at least taken, before they send more
			time.Sleep(time.Millisecond)
			got = append(got, s.drain()...)
			s.write(f.Data...)
		}
		time.Sleep(time.Second)
		got = append(got, s.drain()...)
		compareRecorded(t, got, ours)
	})
}

// compareRecorded compares what was sent with recorded frames. Flows may come
// in any order.
func compareRecorded(t *testing.T, got []byte, recorded []captures.Frame) {
	t.Helper()
	var flows, gotFlows []string
	for _, f := range recorded {
		p, _ := performative(t, f)
		frame := f.Data
		n := min(len(got), len(frame))
		switch p := p.(type) {
		case *amqp.Flow:
			flows, gotFlows = append(flows, string(frame)), append(gotFlows, string(got[:n]))
			got = got[n:]
			continue
		case *amqp.SASLInit:
			p.InitialResponse = []byte("anonymous")
			frame = p.Append(slices.Clone(f.Data[:8]))
			amqp.FinishFrame(frame)
		case *amqp.Begin:
			p.HandleMax = session.HandleMax
			frame = p.Append(slices.Clone(f.Data[:8]))
			amqp.FinishFrame(frame)
		}
		if !bytes.HasPrefix(got, frame) {
			t.Fatalf("%T\ngot  %x\nwant %x", p, got[:n], frame)
		}
		got = got[len(frame):]
	}
	slices.Sort(flows)
	slices.Sort(gotFlows)
	if len(got) != 0 || !slices.Equal(flows, gotFlows) {
		t.Errorf("more than recorded: %x; flows\ngot  %x\nwant %x", got, gotFlows, flows)
	}
}

// drain reads what has arrived.
func (s *script) drain() (all []byte) {
	synctest.Wait()
	_ = s.nc.SetReadDeadline(time.Now().Add(time.Microsecond))
	all, _ = io.ReadAll(s.nc)
	return all
}

// TestListenerAnswersAsRecorded: sessions and links are answered in the order
// and with the content that skupper-router has. Flows may come elsewhere.
func TestListenerAnswersAsRecorded(t *testing.T) {
	for _, name := range []string{"control/ii-plain", "control/ii-trunk-control", "control/edge-interior", "tcp/echo"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				theirs, recorded := linkUp(t, name, captures.Connector), linkUp(t, name, captures.Listener)
				r, s := scripted(t, Config{})
				r.owner.attached = func(l *Link) { l.Accept(nil, nil, nil, CreditPolicy{Window: 250}, r.owner) }
				var got []byte
				for _, f := range theirs {
					s.write(f.Data...)
					got = append(got, s.drain()...)
				}
				summary := func(frames []captures.Frame) (order, flows []string) {
					for _, f := range frames {
						p, _ := performative(t, f)
						channel := binary.BigEndian.Uint16(f.Data[6:])
						switch p := p.(type) {
						case *amqp.Begin:
							order = append(order, fmt.Sprintf("begin %d answers %d", channel, p.RemoteChannel))
						case *amqp.Attach:
							order = append(order, fmt.Sprintf("attach %s on %d as %d, role %v", p.Name, channel, p.Handle, p.Role))
						case *amqp.Flow:
							flows = append(flows, fmt.Sprintf("flow %d on %d", p.Handle, channel))
						}
					}
					slices.Sort(flows)
					return order, flows
				}
				ours := (&captures.Capture{Chunks: []captures.Chunk{{From: captures.Listener, Data: got}}}).Frames(t)
				order, flows := summary(ours)
				wantOrder, wantFlows := summary(recorded)
				if !slices.Equal(order, wantOrder) {
					t.Errorf("got  %q\nwant %q", order, wantOrder)
				}
				if !slices.Equal(flows, wantFlows) && name != "control/edge-interior" { // there credit depends on reachability
					t.Errorf("got  %q\nwant %q", flows, wantFlows)
				}
			})
		})
	}
}

// TestRecordedSendersAreTaken: every delivery that either side of a recording
// has sent arrives whole. What answers the other side of the recording is left
// out; sessions that answer one of its own are made the peer's own.
func TestRecordedSendersAreTaken(t *testing.T) {
	for _, group := range []string{"control", "tcp"} {
		for _, name := range captures.Names(t, group) {
			for _, side := range []captures.Side{captures.Connector, captures.Listener} {
				t.Run(name+"/"+side.String(), func(t *testing.T) {
					inBubble(t, func(t *testing.T) { replaySender(t, name, side) })
				})
			}
		}
	}
}

func replaySender(t *testing.T, name string, side captures.Side) {
	r, s := scripted(t, Config{Open: amqp.Open{MaxFrameSize: 131072}}) // as in tcp/bigframe
	var got []string
	r.owner.begin = func(d *Receiving) Sink { return &gatherer{link: d.Link().Name(), got: &got} }
	s.say(amqp.ProtocolHeaderAMQP)
	var wanted []string
	links := map[[2]uint32]*gatherer{}
	for _, f := range captures.Load(t, name).Frames(t) {
		p, payload := performative(t, f)
		if f.From != side || p == nil || f.Data[5] != amqp.FrameAMQP {
			continue
		}
		channel := binary.BigEndian.Uint16(f.Data[6:])
		switch p := p.(type) {
		case *amqp.Begin:
			p.HasRemoteChannel = false
			s.send(channel, p)
			continue
		case *amqp.Flow, *amqp.Disposition:
			continue
		case *amqp.Attach:
			links[[2]uint32{uint32(channel), p.Handle}] = &gatherer{link: p.Name, got: &wanted}
		case *amqp.Transfer:
			g := links[[2]uint32{uint32(channel), p.Handle}]
			if p.Aborted {
				g.Abort()
			} else {
				g.Transfer(payload, p.More)
			}
		}
		s.write(f.Data...)
		if _, ok := p.(*amqp.Transfer); !ok {
			s.drain() // credit comes before transfers
		}
	}
	s.drain()
	if !slices.Equal(got, wanted) || len(wanted) == 0 && group(name) == "tcp" && side == captures.Connector && name != "tcp/trunk-conn2" {
		t.Errorf("got  %d: %.300q\nwant %d: %.300q", len(got), got, len(wanted), wanted)
	}
	if e := r.ended.Load(); e != nil {
		t.Errorf("ended: %v", e)
	}
}

func group(name string) string { return name[:bytes.IndexByte([]byte(name), '/')] }

// gatherer lists the deliveries that came to their end.
type gatherer struct {
	link string
	n    int
	sum  uint32
	got  *[]string
}

func (g *gatherer) Transfer(p []byte, more bool) {
	g.n += len(p)
	g.sum = crc32.Update(g.sum, crc32.IEEETable, p)
	if !more {
		*g.got = append(*g.got, fmt.Sprintf("%s %d %08x", g.link, g.n, g.sum))
		g.n, g.sum = 0, 0
	}
}

func (g *gatherer) Abort() {
	*g.got = append(*g.got, g.link+" aborted")
	g.n, g.sum = 0, 0
}
func (g *gatherer) Settled(amqp.State) {}
func (g *gatherer) Lost(error)         {}
