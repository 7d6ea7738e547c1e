package captures_test

import (
	"bytes"
	"testing"

	"github.com/skupper-host/skupper/internal/captures"
)

// TestFramesCoverTheStream checks that cutting into frames loses nothing, for
// the captures that end at a frame.
func TestFramesCoverTheStream(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"control", "tcp"} {
		for _, name := range captures.Names(t, group) {
			c := captures.Load(t, name)
			var sent [2][]byte
			last := c.Chunks[0].Time
			for _, f := range c.Frames(t) {
				sent[f.From] = append(sent[f.From], f.Data...)
				if f.Time < last {
					t.Errorf("%s: frame at %v after one at %v", name, f.Time, last)
				}
				last = f.Time
			}
			for _, side := range []captures.Side{captures.Connector, captures.Listener} {
				if whole := c.Sent(side); !bytes.HasPrefix(whole, sent[side]) || len(whole)-len(sent[side]) > 16384 {
					t.Errorf("%s: %d octets in frames of the %v, %d sent", name, len(sent[side]), side, len(whole))
				}
			}
		}
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	units := captures.Units(t)
	if got, want := len(units["msg-connector-HELLO"]), 202; got != want {
		t.Errorf("HELLO has %d octets, want %d", got, want)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	type message struct{ Subject, Raw string }
	for _, m := range captures.Lines[message](t, "vanflow/flows.jsonl") {
		if m.Subject == "" || m.Raw == "" {
			t.Errorf("message %+v", m)
		}
	}
}
