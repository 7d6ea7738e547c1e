package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/session"
)

// record is a Receiving and a Sink that remember.
type record struct {
	body    []byte
	ended   bool
	updates []string
	held    int
	settled bool
	aborted bool
	lost    error
}

func (r *record) Update(st amqp.State, settled bool) {
	if !r.settled {
		r.updates = append(r.updates, describe(st, settled))
	}
	r.settled = r.settled || settled
}
func (r *record) Hold(n int)    { r.held += n }
func (r *record) Release(n int) { r.held -= n }
func (r *record) Transfer(p []byte, more bool) {
	r.body = append(r.body, p...)
	r.ended = !more
}
func (r *record) Settled(amqp.State) {}
func (r *record) Abort()             { r.aborted = true }
func (r *record) Lost(err error)     { r.lost = err }

type routerFunc func(r Receiving, h *Head) (session.Sink, int)

func (f routerFunc) Route(r Receiving, h *Head) (session.Sink, int) { return f(r, h) }

// whole waits for the whole prefix and gives the body to r.
func whole(to *record) Router {
	return routerFunc(func(_ Receiving, h *Head) (session.Sink, int) {
		if !h.Whole {
			return nil, 0
		}
		return to, h.BodyOffset
	})
}

func sample() ([]byte, opening) {
	o := opening{
		annotations: (&amqp.Annotations{Flags: 5}).Append(nil),
		to:          "svc", replyTo: "amqp:/_topo/0/A/temp.x", correlation: "a:1", properties: properties{alpn: "h2", window: 65536},
	}
	return o.append(nil), o
}

// TestIntakeSplitAnywhere: sections may be split over transfers anywhere.
func TestIntakeSplitAnywhere(t *testing.T) {
	t.Parallel()
	head, o := sample()
	message := append(head, "the body"...)
	for first := range len(message) + 1 {
		for _, second := range []int{first, min(first+1, len(message)), len(message) - (len(message)-first)/2} {
			var got record
			var seen properties
			k := NewIntake(&got, routerFunc(func(_ Receiving, h *Head) (session.Sink, int) {
				if !h.Whole {
					return nil, 0
				}
				seen = readProperties(h)
				return &got, h.BodyOffset
			}), nil)
			k.Transfer(message[:first], true)
			k.Transfer(message[first:second], true)
			k.Transfer(message[second:], false)
			if string(got.body) != "the body" || !got.ended || seen != o.properties || len(got.updates) > 0 {
				t.Fatalf("split at %d and %d: %q %v %+v %v", first, second, got.body, got.ended, seen, got.updates)
			}
		}
	}
	var got record
	k := NewIntake(&got, whole(&got), nil)
	for i := range message {
		k.Transfer(message[i:i+1], true)
	}
	if string(got.body) != "the body" {
		t.Errorf("octet by octet: %q", got.body)
	}
}

// TestIntakeRoutesEarly: a router that needs no more than the address is asked
// before the application properties have come.
func TestIntakeRoutesEarly(t *testing.T) {
	t.Parallel()
	head, _ := sample()
	p, _, _ := amqp.ScanPrefix(head)
	var got record
	k := NewIntake(&got, routerFunc(func(_ Receiving, h *Head) (session.Sink, int) {
		if string(h.To) != "svc" {
			t.Errorf("asked without an address")
		}
		return &got, h.Annotations.Len
	}), nil)
	end := p.Properties.Off + p.Properties.Len
	k.Transfer(head[:end], true)
	if !bytes.Equal(got.body, head[p.Annotations.Len:end]) {
		t.Errorf("%x", got.body)
	}
}

// TestIntakeStepsAside checks that an Intake names its successor as soon as
// there is one, and none before.
func TestIntakeStepsAside(t *testing.T) {
	t.Parallel()
	head, _ := sample()
	p, _, _ := amqp.ScanPrefix(head)
	var got record
	k := NewIntake(&got, whole(&got), nil)
	for _, part := range [][]byte{nil, head[:p.Properties.Off]} {
		k.Transfer(part, true)
		if next := k.Next(); next != nil {
			t.Errorf("after %d octets: %v", len(part), next)
		}
	}
	k.Transfer(head[p.Properties.Off:], true)
	k.Transfer([]byte("x"), true)
	if next := k.Next(); next != &got {
		t.Errorf("%v", next)
	}
}

func TestIntakeRefuses(t *testing.T) {
	t.Parallel()
	head, _ := sample()
	long := opening{to: "svc", replyTo: string(make([]byte, amqp.MaxPrefix))}
	for name, row := range map[string]struct {
		frames [][]byte
		want   []string
	}{
		"garbage":           {[][]byte{{0xff, 0xff, 0xff}, nil}, []string{"rejected", "rejected settled"}},
		"garbage at once":   {[][]byte{{0xff, 0xff, 0xff}}, []string{"rejected settled"}},
		"ends in a section": {[][]byte{head[:20]}, []string{"rejected settled"}},
		"too long":          {[][]byte{long.append(nil), nil}, []string{"rejected", "rejected settled"}},
		"nobody":            {[][]byte{head, []byte("x"), nil}, []string{"released settled"}},
		"nobody, too much":  {[][]byte{head, make([]byte, maxGathered), nil}, []string{"released", "released settled"}},
		"empty":             {[][]byte{nil}, []string{"released settled"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got record
			k := NewIntake(&got, routerFunc(func(Receiving, *Head) (session.Sink, int) { return nil, 0 }), nil)
			for i, f := range row.frames {
				k.Transfer(f, i < len(row.frames)-1)
			}
			if fmt.Sprint(got.updates) != fmt.Sprint(row.want) {
				t.Errorf("%v, want %v", got.updates, row.want)
			}
		})
	}
}

// TestIntakeWithoutBody: a message may end before its body.
func TestIntakeWithoutBody(t *testing.T) {
	t.Parallel()
	m := amqp.Message{Properties: &amqp.Properties{To: "x"}}
	var got record
	k := NewIntake(&got, whole(&got), nil)
	k.Transfer(m.Append(nil), true)
	k.Transfer(nil, false)
	if !got.ended || len(got.body) > 0 {
		t.Errorf("%+v", got)
	}
}

// TestIntakeEndsEarly: a delivery that goes before it has a destination leaves
// nothing, and afterwards its sink hears of it.
func TestIntakeEndsEarly(t *testing.T) {
	t.Parallel()
	head, _ := sample()
	var got record
	k := NewIntake(&got, whole(&got), nil)
	k.Transfer(head[:9], true)
	k.Settled(amqp.State{})
	k.Abort()
	k.Lost(errors.New("gone"))
	if got.aborted || got.lost != nil {
		t.Errorf("%+v", got)
	}
	k = NewIntake(&got, whole(&got), nil)
	k.Transfer(head, true)
	k.Abort()
	k.Lost(errors.New("gone"))
	if !got.aborted || got.lost == nil {
		t.Errorf("%+v", got)
	}
}

// TestIntakeGathers: a router may wait for the whole message, as long as there
// is room for it; what is over gives its room back.
func TestIntakeGathers(t *testing.T) {
	t.Parallel()
	head, _ := sample()
	patient := func(to *record) Router {
		return routerFunc(func(_ Receiving, h *Head) (session.Sink, int) {
			if !h.Full {
				return nil, 0
			}
			return to, 0
		})
	}
	var g Gathering
	var first, second, third record
	k := NewIntake(&first, patient(&first), &g)
	k.Transfer(head, true)
	k.Transfer([]byte("a"), true)
	if len(first.body) > 0 {
		t.Fatal("passed on before it was complete")
	}
	k.Transfer([]byte("b"), false)
	if want := string(head) + "ab"; string(first.body) != want || !first.ended || g.octets.Load() != 0 {
		t.Fatalf("%q, ended %v, %d octets are held", first.body, first.ended, g.octets.Load())
	}

	g.add(maxGathering - len(head)) // by others
	k = NewIntake(&second, patient(&second), &g)
	k.Transfer(head, true)
	k.Transfer([]byte("a"), true)
	if want := string(head) + "a"; string(second.body) != want {
		t.Errorf("%q was passed on, want all of it: there is no more room", second.body)
	}
	k.Transfer([]byte("b"), false)

	g.add(-1 << 20)
	k = NewIntake(&third, patient(&third), &g)
	k.Transfer(head, true)
	k.Abort()
	k.Lost(nil)
	if n := g.octets.Load(); n != maxGathering-len64(head)-1<<20 || len(third.body) > 0 {
		t.Errorf("%d octets are held after an abort, %q was passed on", n, third.body)
	}
}

func len64(b []byte) int64 { return int64(len(b)) }

// FuzzIntake: whatever comes, in two parts or one, leads to the same end.
func FuzzIntake(f *testing.F) {
	head, _ := sample()
	f.Add(append(bytes.Clone(head), "body"...), uint16(30))
	f.Add(head[:50], uint16(49))
	f.Add([]byte{0x00, 0x53, 0x73, 0x45, 0x00, 0x53, 0x77, 0x40}, uint16(3))
	f.Add([]byte{0x00, 0x53, 0x75, 0xa0, 0x01, 0x41}, uint16(0))
	f.Fuzz(func(t *testing.T, message []byte, at uint16) {
		run := func(parts ...[]byte) (string, string) {
			var got record
			k := NewIntake(&got, whole(&got), nil)
			for i, p := range parts {
				k.Transfer(p, i < len(parts)-1)
			}
			last := ""
			if n := len(got.updates); n > 0 {
				last = got.updates[n-1]
			}
			return string(got.body), last
		}
		cut := min(int(at), len(message))
		body, outcome := run(message)
		body2, outcome2 := run(message[:cut], message[cut:])
		if body != body2 || outcome != outcome2 {
			t.Errorf("whole: %q %q, in two parts: %q %q", body, outcome, body2, outcome2)
		}
		if outcome != "" && body != "" {
			t.Errorf("refused (%s) and delivered", outcome)
		}
	})
}

// FuzzOpening: an Egress and a reply take whatever opens a stream.
func FuzzOpening(f *testing.F) {
	head, _ := sample()
	f.Add(head)
	f.Add([]byte{0x00, 0x53, 0x77, 0x40})
	f.Fuzz(func(t *testing.T, message []byte) {
		h := Head{Message: message, More: true}
		var err error
		if h.Prefix, h.Whole, err = amqp.ScanPrefix(message); err != nil || !h.Whole {
			return
		}
		var r record
		e, sink := NewEgress(&Options{Budget: NewBudget(1 << 20)}, nil, &r, &h)
		if (e != nil) != h.Opens() {
			t.Errorf("egress %v for fit=%v", e != nil, h.Opens())
		}
		sink.Transfer(message[h.BodyOffset:], false)
		if e == nil && len(r.updates) == 0 {
			t.Error("neither taken nor refused")
		}
	})
}

// TestRefusalIsRepeated: what the sender hears when the rest of a refused
// request comes says no less than the first answer, which it may replace on
// the way.
func TestRefusalIsRepeated(t *testing.T) {
	t.Parallel()
	message, _ := sample()
	h := Head{Message: message, More: true}
	var err error
	if h.Prefix, h.Whole, err = amqp.ScanPrefix(message); err != nil {
		t.Fatal(err)
	}
	var r record
	refused := dialFunc(func(context.Context, Call) (Leg, error) { return Leg{}, ErrLimit })
	e, sink := NewEgress(&Options{}, refused, &r, &h)
	e.Start(t.Context(), func(error) {})
	sink.Transfer([]byte("late"), true)
	sink.Transfer(nil, false)
	if len(r.updates) != 2 || r.updates[1] != r.updates[0]+" settled" {
		t.Errorf("%q, want the same twice", r.updates)
	}
}
