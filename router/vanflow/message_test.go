package vanflow

import (
	"errors"
	"strings"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

func TestOtherMessages(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*amqp.Message{
		"no properties": {Kind: amqp.BodyValue},
		"no subject":    {Properties: &amqp.Properties{To: "mc/sfe.all"}},
		"other subject": {Properties: &amqp.Properties{Subject: "HELLO"}},
	} {
		if _, err := Decode(m.Append(nil)); !errors.Is(err, ErrNotVanflow) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	var malformed *amqp.Error
	if _, err := Decode([]byte("no message")); !errors.As(err, &malformed) {
		t.Errorf("malformed: error %v", err)
	}
}

// TestLongTexts cuts what upstream would cut, at a character.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	out := AppendRecords(nil, "to", 0, []Record{{Type: TypeLog, Identity: "i", Attributes: []Attribute{
		Text(AttrName, strings.Repeat("a", maxText)),
		Text(AttrTrace, strings.Repeat("b", maxTrace+1)),
		Text(AttrLogText, "x"+strings.Repeat("é", maxText)),
	}}})
	m, err := Decode(out[0].Payload)
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[Code]string{
		AttrName:    strings.Repeat("a", maxText),
		AttrTrace:   strings.Repeat("b", maxTrace),
		AttrLogText: "x" + strings.Repeat("é", (maxText-1)/2),
	} {
		if got := m.Records[0].Text(code); got != want {
			t.Errorf("%s has %d bytes, want %d", code, len(got), len(want))
		}
	}
}
