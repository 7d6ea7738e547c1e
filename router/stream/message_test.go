package stream

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
)

// openings returns what the first transfer of each stream in a capture holds.
func openings(t *testing.T, name string) (messages [][]byte) {
	t.Helper()
	for _, f := range captures.Load(t, name).Frames(t) {
		if f.Header() {
			continue
		}
		h, err := amqp.ParseFrameHeader(f.Data)
		if err != nil || h.Type != amqp.FrameAMQP || int(h.DataOffset)*4 == len(f.Data) {
			continue
		}
		body := f.Data[int(h.DataOffset)*4:]
		if code, err := amqp.Descriptor(body); err != nil || code != amqp.CodeTransfer {
			continue
		}
		var tr amqp.Transfer
		payload, err := tr.Decode(body)
		if err != nil || !amqp.IsAnnotations(payload) {
			continue
		}
		if p, whole, err := amqp.ScanPrefix(payload); err == nil && whole && p.Null && string(p.ContentType) == ContentType {
			messages = append(messages, payload)
		}
	}
	return messages
}

// TestOpeningsAsRecorded composes every opening that skupper-router's routers
// sent, octet by octet.
func TestOpeningsAsRecorded(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, name := range captures.Names(t, "tcp") {
		for _, m := range openings(t, name) {
			h := Head{Message: m, More: true}
			h.Prefix, h.Whole, _ = amqp.ScanPrefix(m)
			if !h.Opens() {
				t.Fatalf("%s: not the opening of a stream", name)
			}
			o := opening{
				annotations: h.Annotations.In(m), to: string(h.To), replyTo: string(h.ReplyTo),
				correlation: correlation(&h), properties: readProperties(&h),
			}
			if got := o.append(nil); !bytes.Equal(got, m[:h.BodyOffset]) {
				t.Errorf("%s:\n got %x\nwant %x", name, got, m)
			}
			seen++
		}
	}
	if seen < 50 {
		t.Errorf("only %d openings recorded", seen)
	}
}

// TestOpeningOctets pins the request of a service svc:9, compat:
// skupper-router 3.x.
func TestOpeningOctets(t *testing.T) {
	t.Parallel()
	o := opening{
		annotations: (&amqp.Annotations{Flags: 5, Ingress: "0/A", HasIngress: true, Trace: []string{"0/A"}}).Append(nil),
		to:          "svc:9", replyTo: "amqp:/_topo/0/A/temp.Ium2S1QjkAEcDm+", correlation: "s9mxz:3",
	}
	want := "0080534b50522d2d5241d00000001a000000045205" + "40a103302f41d00000000900000001a103302f41" +
		"005373d000000057000000074040a1057376633a3940" +
		"a124" + hex.EncodeToString([]byte(o.replyTo)) + "a10773396d787a3a33" +
		"a118" + hex.EncodeToString([]byte(ContentType)) +
		"005374d10000000900000002a101565201" + "00537740"
	if got := hex.EncodeToString(o.append(nil)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// TestProperties: what is announced is read again; what is malformed is absent.
func TestProperties(t *testing.T) {
	t.Parallel()
	for _, want := range []properties{{}, {alpn: "h2"}, {window: 262_144}, {alpn: "http/1.1", window: 1<<32 - 1}} {
		o := opening{to: "svc", properties: want}
		h := Head{Message: o.append(nil)}
		h.Prefix, _, _ = amqp.ScanPrefix(h.Message)
		if got := readProperties(&h); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, m := range []amqp.Map{nil, {{Key: PropertyWindow, Value: "many"}}, {{Key: PropertyALPN, Value: uint32(2)}}, {{Key: uint32(1), Value: true}}} {
		msg := amqp.Message{ApplicationProperties: m, Kind: amqp.BodyValue}
		h := Head{Message: msg.Append(nil)}
		h.Prefix, _, _ = amqp.ScanPrefix(h.Message)
		if got := readProperties(&h); got != (properties{}) {
			t.Errorf("%v: got %+v", m, got)
		}
	}
}
