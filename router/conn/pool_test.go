package conn

import (
	"slices"
	"testing"
	"time"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/sim/netpipe"
)

// streamed opens a stream, sends one frame and returns both.
func streamed(r *running, capable bool) (*Link, *Sending) {
	l := r.StreamLink(capable)
	s := l.Send(&outcome{o: &owner{}}, false)
	s.WriteBytes([]byte("x"), true)
	return l, s
}

func TestStreamLinksAreReused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{Latency: time.Millisecond}, Config{}, Config{})
		seen := map[*Link]bool{}
		for range 50 {
			l, s := streamed(a, true)
			seen[l] = true
			if r := l.Remote(); r != nil && len(r.Name) > 0 {
				t.Error("the peer's attach is kept for a pooled link")
			}
			time.Sleep(10 * time.Millisecond)
			s.End(false)
			time.Sleep(10 * time.Millisecond)
		}
		if len(seen) > 2 {
			t.Errorf("%d links for one stream at a time", len(seen))
		}
		if n := b.State().Stats.Links; n > minSpare+len(seen) {
			t.Errorf("%d links are attached", n)
		}
	})
}

// TestStreamLinkTermini: with the capability on control connections, bare on
// others, never an address.
func TestStreamLinkTermini(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{}, Config{}, Config{})
		attached := make(chan *amqp.Attach, 100)
		b.owner.attached = func(l *Link) {
			attached <- l.Remote()
			l.Accept(nil, nil, nil, CreditPolicy{Window: 250}, b.owner)
		}
		for _, capable := range []bool{true, false} {
			streamed(a, capable)
			r := <-attached
			for _, caps := range [][]amqp.Symbol{r.Source.Capabilities, r.Target.Capabilities} {
				if capable != (len(caps) == 1 && caps[0] == "qd.router-data") || !capable && len(caps) != 0 {
					t.Errorf("capable %v: %v", capable, caps)
				}
			}
			if r.Source.Address != nil || r.Target.Address != nil || r.SndSettleMode != amqp.SndMixed || r.Role != amqp.RoleSender {
				t.Errorf("%+v", r)
			}
			time.Sleep(time.Second)
			for len(attached) > 0 {
				<-attached
			}
		}
	})
}

// idle is a Sink that does nothing.
type idle struct{}

func (idle) Transfer([]byte, bool) {}
func (idle) Settled(amqp.State)    {}
func (idle) Abort()                {}
func (idle) Lost(error)            {}

// TestLinkWaitsForSettlement: beside a peer that must have seen the end of a
// stream, its link carries the next one only when that is settled.
func TestLinkWaitsForSettlement(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{}, Config{}, Config{})
		a.AwaitSettlement()
		var held []*Receiving
		b.owner.begin = func(r *Receiving) Sink {
			held = append(held, r)
			return idle{}
		}
		inUse := func(l *Link) bool {
			t.Helper()
			a.mu.Lock()
			defer a.mu.Unlock()
			return !slices.Contains(l.pool.idle, l)
		}
		l, s := streamed(a, false)
		time.Sleep(time.Second)
		s.End(false)
		time.Sleep(time.Second)
		if !inUse(l) {
			t.Error("the link is free before the stream is settled")
		}
		held[0].Update(amqp.State{Code: amqp.StateAccepted}, true)
		time.Sleep(time.Second)
		if inUse(l) {
			t.Error("the link is in use although the stream is settled")
		}
		l, s = streamed(a, false)
		time.Sleep(time.Second)
		s.End(true)
		time.Sleep(time.Second)
		if inUse(l) {
			t.Error("the link is in use although the sender has settled")
		}
	})
}

// TestStreamsNeverShareALink: not even when one that has ended is aborted late.
func TestStreamsNeverShareALink(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, _ := joined(t, netpipe.Options{}, Config{}, Config{})
		_, first := streamed(a, false)
		time.Sleep(time.Second)
		first.End(true)
		time.Sleep(time.Second)
		second := a.StreamLink(false)
		first.Abort() // no concern of the link any more
		if third := a.StreamLink(false); third == second {
			t.Error("a link was handed out twice")
		}
	})
}

func TestAbortedStreamFreesItsLink(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{}, Config{}, Config{})
		l, s := streamed(a, false)
		time.Sleep(time.Second)
		s.Abort()
		time.Sleep(time.Second)
		expect(t, b.owner, "aborted")
		reused := false
		for range minSpare + 1 {
			reused = reused || a.StreamLink(false) == l
		}
		if !reused {
			t.Error("the link is not in the pool")
		}
		// One that was never sent on.
		b.owner.attached = func(l *Link) { l.Accept(nil, nil, nil, CreditPolicy{}, b.owner) }
		for range 2 * maxIdleLinks {
			a.StreamLink(false) // takes all there is
		}
		l = a.StreamLink(false)
		s = l.Send(&outcome{o: a.owner}, false)
		s.WriteBytes([]byte("waits for credit"), true)
		s.Abort()
		if a.StreamLink(false) != l {
			t.Error("the link is not in the pool")
		}
	})
}

func TestPoolIsTrimmed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{}, Config{}, Config{})
		var streams []*Sending
		for range 300 {
			_, s := streamed(a, false)
			streams = append(streams, s)
		}
		time.Sleep(time.Second)
		for _, s := range streams {
			s.End(true)
		}
		time.Sleep(time.Second)
		before := b.State().Stats.Links
		time.Sleep(trimPeriod)
		if after := b.State().Stats.Links; after != before-trimLinks {
			t.Errorf("%d of %d links after the first trim", after, before)
		}
		time.Sleep(40 * trimPeriod)
		if n := b.State().Stats.Links; n != maxIdleLinks {
			t.Errorf("%d links stay", n)
		}
	})
}

// TestPeerDetachesIdleLink: either side may, at any time.
func TestPeerDetachesIdleLink(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{}, Config{}, Config{})
		var theirs []*Link
		b.owner.attached = func(l *Link) {
			theirs = append(theirs, l)
			l.Accept(nil, nil, nil, CreditPolicy{Window: 250}, b.owner)
		}
		_, s := streamed(a, false)
		time.Sleep(time.Second)
		s.End(true)
		time.Sleep(time.Second)
		for _, l := range theirs {
			l.Detach(nil)
		}
		time.Sleep(time.Second)
		if n := a.State().Stats.Links; n != 0 {
			t.Errorf("%d links", n)
		}
		l, _ := streamed(a, false)
		time.Sleep(time.Second)
		if l.Stats().Deliveries != 1 {
			t.Error("the next stream does not run")
		}
	})
}

// TestRefusedStreamLink: the stream hears why.
func TestRefusedStreamLink(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{}, Config{}, Config{})
		b.owner.attached = func(l *Link) { l.Refuse(&amqp.Error{Condition: "qd:connection-role"}) }
		l := a.StreamLink(true)
		l.Send(&outcome{o: a.owner}, false).WriteBytes([]byte("x"), true)
		expect(t, a.owner, "out lost: qd:connection-role")
	})
}

// TestBurstNeedsNoRoundTrips: the pool grows with the rate of streams.
func TestBurstNeedsNoRoundTrips(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, _ := joined(t, netpipe.Options{Latency: 20 * time.Millisecond}, Config{}, Config{})
		for range 200 { // one in 2 ms, while an attach takes 40 ms to be answered
			_, s := streamed(a, false)
			time.Sleep(2 * time.Millisecond)
			s.End(true)
		}
		waiting := 0
		for range 100 {
			l, s := streamed(a, false)
			if l.CreditAvailable() < 0 {
				waiting++
			}
			time.Sleep(2 * time.Millisecond)
			s.End(true)
		}
		if waiting > 0 {
			t.Errorf("%d of 100 streams waited for their link", waiting)
		}
	})
}

// TestDeliveryBehindAnother: what follows a delivery while that is on its way
// uses its link, which is free when both have left.
func TestDeliveryBehindAnother(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := joined(t, netpipe.Options{Latency: time.Millisecond}, Config{}, Config{})
		b.owner.begin = func(*Receiving) Sink { return idle{} }
		free := func(l *Link) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return slices.Contains(l.pool.idle, l)
		}
		l, first := streamed(a, true)
		time.Sleep(time.Second)
		second := first.Behind(&outcome{o: &owner{}}, false, 0)
		if second == nil || second.Link() != l {
			t.Fatalf("%v begins behind a delivery that is on its way, want one on its link", second)
		}
		if first.Behind(&outcome{o: &owner{}}, false, 0) != nil {
			t.Error("two begin behind the same one")
		}
		second.WriteBytes([]byte("y"), false)
		time.Sleep(time.Second)
		if !second.Waits() || free(l) {
			t.Error("the second one has left before the first one's end")
		}
		first.End(false)
		time.Sleep(time.Second)
		if first.Waits() || second.Waits() || !free(l) {
			t.Errorf("they wait: %v, %v; the link is free: %v", first.Waits(), second.Waits(), free(l))
		}
		if second.Behind(&outcome{o: &owner{}}, false, 0) != nil {
			t.Error("one begins on a link that is free")
		}
	})
}
