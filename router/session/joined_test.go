package session

import (
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/skupper-host/skupper/router/amqp"
)

// side is one of two engines that are joined by byte queues.
type side struct {
	t     rapid.TB
	name  string
	e     *Engine
	batch *Batch
	wire  []byte // on its way to the other side
	other *side

	links map[string]*Link // by name, both directions
	got   map[*Incoming]*content
	sum   map[uint64]uint64 // what arrived: number of the delivery → hash
	sent  map[*Outgoing]*content
	done  int // of our deliveries, settled by the other side
}

// content follows one delivery: eight octets of number, then the body.
type content struct {
	number uint64
	head   []byte
	hash   interface {
		Write([]byte) (int, error)
		Sum64() uint64
	}
	left int
	out  *Outgoing
}

func newSide(t rapid.TB, name string, p Params) *side {
	return &side{
		t: t, name: name, batch: NewBatch(), links: map[string]*Link{},
		e:   New(p, &amqp.Open{ContainerID: name, MaxFrameSize: p.MaxFrameSize, ChannelMax: p.ChannelMax}),
		got: map[*Incoming]*content{}, sum: map[uint64]uint64{}, sent: map[*Outgoing]*content{},
	}
}

// emit composes one batch; it reports whether there was anything.
func (s *side) emit(limit int) bool {
	if !s.e.Pending() {
		return false
	}
	s.e.Emit(s.batch, limit)
	for _, g := range s.batch.Groups {
		for rest := g; len(rest) > 0; rest = rest[FrameSize(rest):] {
			if n := FrameSize(rest); n < 8 || n > len(rest) || n > int(s.other.e.p.MaxFrameSize) {
				s.t.Fatalf("%s: a frame of %d octets in a group of %d, limit %d", s.name, n, len(g), s.other.e.p.MaxFrameSize)
			}
		}
		s.wire = append(s.wire, g...)
	}
	s.batch.Reset()
	return true
}

// receive takes n octets from the wire of the other side.
func (s *side) receive(n int, credit Credit) {
	from := s.other
	buf := from.wire[:n]
	used := 0
	for {
		k, events, err := s.e.Receive(buf[used:])
		if err != nil {
			s.t.Fatalf("%s: %v", s.name, err)
		}
		for _, ev := range events {
			s.handle(ev, credit)
		}
		if used += k; k == 0 {
			break
		}
	}
	from.wire = from.wire[used:]
}

func (s *side) handle(ev Event, credit Credit) {
	switch ev.Kind {
	case EventAttached:
		s.links[ev.Link.Name()] = ev.Link
		ev.Link.Accept(&amqp.Attach{Source: ev.Link.Remote().Source, Target: ev.Link.Remote().Target, SndSettleMode: amqp.SndMixed}, credit)
	case EventTransfer:
		c := s.got[ev.In]
		if ev.First {
			c = &content{hash: crc64.New(checksum)}
			s.got[ev.In] = c
		}
		if len(c.head) < 8 {
			k := min(8-len(c.head), len(ev.Payload))
			c.head = append(c.head, ev.Payload[:k]...)
			ev.Payload = ev.Payload[k:]
		}
		c.hash.Write(ev.Payload)
		if !ev.More {
			for _, b := range c.head {
				c.number = c.number<<8 | uint64(b)
			}
			s.sum[c.number] = c.hash.Sum64()
			if !ev.In.Settled {
				ev.In.Update(&amqp.State{Code: amqp.StateAccepted}, true)
			}
			delete(s.got, ev.In)
		} else if !ev.In.Settled {
			ev.In.Update(&amqp.State{Code: amqp.StateReceived, Offset: 1}, false)
		}
	case EventUpdate:
		if ev.Settled {
			if ev.State.Code != amqp.StateAccepted {
				s.t.Fatalf("%s: outcome %v", s.name, ev.State.Code)
			}
			s.done++
		}
	case EventOpened, EventAnswered, EventCredit:
	default:
		s.t.Fatalf("%s: event %d, error %v", s.name, ev.Kind, ev.Err)
	}
}

// send begins a delivery with n octets of body.
func (s *side) send(l *Link, number uint64, n int, settled bool) {
	c := &content{number: number, hash: crc64.New(checksum), left: n, out: &Outgoing{}}
	if !l.Send(c.out, settled) {
		s.t.Fatalf("%s: the link is gone", s.name)
	}
	var head []byte
	for i := range 8 {
		head = append(head, byte(number>>(56-8*i)))
	}
	c.out.WriteBytes(head, true)
	s.sent[c.out] = c
}

var checksum = crc64.MakeTable(crc64.ECMA)

// noise is what bodies are cut from.
var noise = func() []byte {
	b := make([]byte, 200_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// write gives a random delivery some more of its body.
func (s *side) write(c *content, r *rand.Rand) {
	n := min(c.left, r.IntN(70_000))
	b := GetBuffer(n)
	n = min(n, len(b.Space()))
	copy(b.Space(), noise[r.IntN(len(noise)-n):][:n])
	b.Grow(n)
	c.hash.Write(b.Bytes())
	c.left -= n
	c.out.Write(b, c.left > 0)
}

// TestJoinedEngines: whatever the frame sizes, windows, credits and the pieces
// in which bytes travel, everything that one engine sends arrives at the other
// and is settled, and nothing is left.
func TestJoinedEngines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		size := rapid.SampledFrom([]uint32{512, 1024, 4096, 16384, 65536, 131072})
		window := rapid.SampledFrom([]uint32{2, 3, 16, 2048})
		credit := Credit{Window: rapid.SampledFrom([]uint32{1, 2, 3, 250}).Draw(t, "credit"), OnSettle: rapid.Bool().Draw(t, "on settle")}
		params := func(name string) Params {
			return Params{
				MaxFrameSize: size.Draw(t, name+" frame"), ChannelMax: 10, Window: window.Draw(t, name+" window"),
				Sessions: 20, Links: 100, Deliveries: 10000, Control: 1 << 24,
			}
		}
		a, b := newSide(t, "a", params("a")), newSide(t, "b", params("b"))
		a.other, b.other = b, a
		sides := []*side{a, b}
		links := rapid.IntRange(1, 6).Draw(t, "links")
		for i := range links {
			s := sides[i%2]
			name := fmt.Sprintf("link-%d", i)
			l, err := s.e.Attach(i/2%3, &amqp.Attach{Name: name, Role: amqp.RoleSender, SndSettleMode: amqp.SndMixed, Source: &amqp.Source{}, Target: &amqp.Target{}}, Credit{})
			if err != nil {
				t.Fatal(err)
			}
			s.links[name] = l
		}
		j := &exchange{sides: sides, links: links, r: r, credit: credit, wanted: [2]map[uint64]*content{{}, {}}}
		j.run(t, rapid.IntRange(1, 40).Draw(t, "deliveries"))
		j.check(t)
	})
}

// exchange is what two engines send to each other.
type exchange struct {
	sides     []*side
	links     int // link i belongs to side i%2
	r         *rand.Rand
	credit    Credit
	wanted    [2]map[uint64]*content // sent by each side, by number
	unsettled [2]int                 // of those
}

// run begins deliveries one by one and moves bytes until nothing moves.
func (j *exchange) run(t rapid.TB, deliveries int) {
	for number := 1; ; number++ {
		if number <= deliveries {
			i := j.r.IntN(j.links)
			settled := j.r.IntN(2) == 0
			s := j.sides[i%2]
			s.send(s.links[fmt.Sprintf("link-%d", i)], uint64(number), 1+j.r.IntN(150_000), settled)
			if !settled {
				j.unsettled[i%2]++
			}
		}
		moved := number <= deliveries
		for k := range j.sides {
			moved = j.step(k) || moved
		}
		if !moved {
			return
		}
		if number > 1_000_000 {
			t.Fatal("no end in sight")
		}
	}
}

// step lets side k write, emit and receive something.
func (j *exchange) step(k int) (moved bool) {
	s := j.sides[k]
	for _, c := range s.sent {
		j.wanted[k][c.number] = c
		if c.left > 0 && c.out.Queued() < 2 {
			s.write(c, j.r)
			moved = true
		}
	}
	moved = s.emit(1+j.r.IntN(BatchSize)) || moved
	if n := len(s.other.wire); n > 0 {
		s.receive(1+j.r.IntN(n), j.credit)
		moved = true
	}
	return moved
}

// check compares what arrived with what was sent, and looks for remains.
func (j *exchange) check(t rapid.TB) {
	for k, s := range j.sides {
		wanted := j.wanted[k]
		if len(s.other.sum) != len(wanted) || s.done != j.unsettled[k] {
			t.Fatalf("%s: %d of %d arrived, %d of %d settled", s.name, len(s.other.sum), len(wanted), s.done, j.unsettled[k])
		}
		for number, c := range wanted {
			if s.other.sum[number] != c.hash.Sum64() {
				t.Fatalf("%s: delivery %d is changed", s.name, number)
			}
		}
		if s.e.Unsent() != 0 || s.e.Unsettled() != 0 || len(s.other.wire) != 0 {
			t.Fatalf("%s: %d unsent, %d unsettled", s.name, s.e.Unsent(), s.e.Unsettled())
		}
		for _, session := range s.e.local {
			if len(session.incoming)+len(session.outgoing) != 0 {
				t.Fatalf("%s: deliveries are left in a session", s.name)
			}
		}
	}
}
