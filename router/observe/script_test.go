package observe

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger is a Recorder that keeps what it is told.
type ledger struct {
	mu   sync.Mutex
	list []*entry
}

// entry is a Record.
type entry struct {
	Request
	host           string
	sent, received int
	latency        string
	result, reason string
	ended          int
}

func (l *ledger) Begin(_ time.Time, q Request) Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &entry{Request: q}
	l.list = append(l.list, e)
	return e
}

func (e *entry) From(host string)             { e.host = host }
func (e *entry) Sent(n int)                   { e.sent += n }
func (e *entry) Received(n int)               { e.received += n }
func (e *entry) Answered(d time.Duration)     { e.latency += d.String() }
func (e *entry) Result(status, reason string) { e.result, e.reason = e.result+status, e.reason+reason }
func (e *entry) End(time.Time)                { e.ended++ }

func (e *entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Protocol, e.Method)
	if e.StreamID != 0 {
		fmt.Fprintf(&b, " stream %d", e.StreamID)
	}
	if e.host != "" {
		fmt.Fprintf(&b, " from %s", e.host)
	}
	fmt.Fprintf(&b, " %d/%d", e.sent, e.received)
	if e.latency != "" {
		fmt.Fprintf(&b, " after %s", e.latency)
	}
	if e.result != "" {
		fmt.Fprintf(&b, " %s", e.result)
	}
	if e.reason != "" {
		fmt.Fprintf(&b, " (%s)", e.reason)
	}
	switch e.ended {
	case 0:
		b.WriteString(" live")
	case 1:
	default:
		fmt.Fprintf(&b, " ended %d times", e.ended)
	}
	return b.String()
}

func (l *ledger) lines() string {
	var b strings.Builder
	for _, e := range l.list {
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}

// turn is what one side says in one go.
type turn struct {
	server bool
	text   string
}

// play shows the turns to a Stream of a kind, in pieces that cut makes of each.
// The clock moves on by a second with each turn.
func play(kind Kind, turns []turn, pieces func(string) []string) (l *ledger, s *Stream) {
	now := time.Unix(0, 0)
	l = &ledger{}
	s = New(kind, l, func() time.Time { return now }, nil)
	for _, t := range turns {
		now = now.Add(time.Second)
		for _, p := range pieces(t.text) {
			if p == "" {
				continue // nothing is never shown
			}
			if t.server {
				s.Server([]byte(p))
			} else {
				s.Client([]byte(p))
			}
		}
	}
	return l, s
}

func whole(s string) []string { return []string{s} }

// told is what a Stream of a kind makes of the turns, and whether it goes on.
func told(kind Kind, turns []turn, pieces func(string) []string) string {
	l, s := play(kind, turns, pieces)
	text := l.lines()
	if !s.Watching() {
		text += "off\n"
	}
	return text
}

// bytewise cuts at every byte, and a very long text at every hundredth.
func bytewise(s string) []string {
	if len(s) < 10_000 {
		return strings.Split(s, "")
	}
	var list []string
	for ; len(s) > 100; s = s[100:] {
		list = append(list, s[:100])
	}
	return append(list, s)
}

// tells checks what a Stream of some kinds makes of the turns, in one piece and
// byte by byte. The first kind has them cut at every byte too, or at some of a
// long one.
func tells(t *testing.T, turns []turn, want string, kinds ...Kind) {
	t.Helper()
	for _, kind := range kinds {
		if got := told(kind, turns, whole); got != want {
			t.Errorf("kind %d, in one piece:\n%swant\n%s", kind, got, want)
		}
		if got := told(kind, turns, bytewise); got != want {
			t.Errorf("kind %d, byte by byte:\n%swant\n%s", kind, got, want)
		}
	}
	for i := range turns {
		text := turns[i].text
		for at := 1; at < len(text); at += 1 + len(text)/150 {
			got := told(kinds[0], turns, func(s string) []string {
				if s == text {
					return []string{s[:at], s[at:]}
				}
				return []string{s}
			})
			if got != want {
				t.Fatalf("turn %d cut at %d:\n%swant\n%s", i, at, got, want)
			}
		}
	}
}

func from(text string) turn { return turn{false, text} }
func back(text string) turn { return turn{true, text} }
