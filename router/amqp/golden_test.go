package amqp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/captures"
)

// TestCapturedFrames decodes every frame of every capture and encodes it
// again: octet by octet what qpid-proton sent.
func TestCapturedFrames(t *testing.T) {
	t.Parallel()
	seen := map[uint64]int{}
	for _, group := range []string{"control", "tcp"} {
		for _, name := range captures.Names(t, group) {
			for _, f := range captures.Load(t, name).Frames(t) {
				if f.Header() {
					if h := string(f.Data); h != ProtocolHeaderAMQP && h != ProtocolHeaderSASL {
						t.Errorf("%s: protocol header %x", name, h)
					}
					continue
				}
				code, err := recodeFrame(f.Data)
				if err != nil {
					t.Errorf("%s: frame at %d of the %v: %v", name, f.Offset, f.From, err)
				}
				seen[code]++
			}
		}
	}
	for _, code := range []uint64{
		CodeOpen, CodeBegin, CodeAttach, CodeFlow, CodeTransfer, CodeDisposition, CodeDetach,
		CodeSASLMechanisms, CodeSASLInit, CodeSASLOutcome,
	} {
		if seen[code] == 0 {
			t.Errorf("no capture has performative %#x", code)
		}
	}
}

// TestUnitFrames is TestCapturedFrames for single frames.
func TestUnitFrames(t *testing.T) {
	t.Parallel()
	for name, b := range captures.Units(t) {
		if !strings.HasPrefix(name, "frame-") {
			continue
		}
		if _, err := recodeFrame(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// recodeFrame decodes a frame and compares what encoding it again gives.
func recodeFrame(frame []byte) (code uint64, err error) {
	h, err := ParseFrameHeader(frame)
	if err != nil {
		return 0, err
	}
	if int(h.Size) != len(frame) {
		return 0, fmt.Errorf("size %d of %d octets", h.Size, len(frame))
	}
	out := AppendFrameHeader(nil, h.Type, h.Channel)
	if body := frame[h.BodyOffset():]; len(body) > 0 {
		if code, err = Descriptor(body); err != nil {
			return 0, err
		}
		p, payload, err := DecodePerformative(body)
		if err != nil {
			return code, err
		}
		out = append(p.Append(out), payload...)
	}
	FinishFrame(out)
	if !bytes.Equal(out, frame) {
		return code, fmt.Errorf("encoded again\n got %x\nwant %x", out, frame)
	}
	return code, nil
}

// compact lists the message units that a client composed: proton's short
// forms instead of the router's wide ones in some sections.
var compact = map[string]string{
	"msg-interior-mgmt-request": "sections of a management tool, list8 for header and properties",
}

// TestUnitMessages decodes the messages that routers composed and encodes them
// again, octet by octet.
func TestUnitMessages(t *testing.T) {
	t.Parallel()
	for name, b := range captures.Units(t) {
		if !strings.HasPrefix(name, "msg-") {
			continue
		}
		m, err := ParseMessage(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := m.AppendWide(nil, propertiesWritten(t, b))
		if compact[name] == "" && !bytes.Equal(got, b) {
			t.Errorf("%s: encoded again\n got %x\nwant %x", name, got, b)
		}
		again, err := ParseMessage(got)
		if err != nil {
			t.Errorf("%s: encoded again: %v", name, err)
			continue
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Errorf("%s: encoded again (-first +second):\n%s", name, diff)
		}
	}
}

// propertiesWritten returns how many fields the properties section of a
// message has on the wire.
func propertiesWritten(t *testing.T, message []byte) int {
	t.Helper()
	p, _, err := ScanPrefix(message)
	if err != nil {
		t.Fatal(err)
	}
	if p.Properties.Len == 0 {
		return 0
	}
	v, _, err := DecodeValue(p.Properties.In(message))
	if err != nil {
		t.Fatal(err)
	}
	return len(v.(Described).Value.(List))
}
