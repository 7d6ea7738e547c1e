package amqp

import (
	"strings"
	"testing"
)

func TestTextOfPerformatives(t *testing.T) {
	t.Parallel()
	frame := func(p Performative, payload ...byte) []byte { return append(p.Append(nil), payload...) }
	for _, row := range []struct {
		name string
		body []byte
		want string
	}{
		{"open", frame(&Open{
			ContainerID: "a", MaxFrameSize: 16384, ChannelMax: 32767, OfferedCapabilities: []Symbol{"ANONYMOUS-RELAY", "qd.x"},
			Properties: Map{{Key: Symbol("product"), Value: "p"}, {Key: Symbol("qd.conn-id"), Value: int32(3)}},
		}), `@open(16) [container-id="a", max-frame-size=0x4000, channel-max=0x7fff, offered-capabilities=@<symbol>[:ANONYMOUS-RELAY, :"qd.x"], properties={:product="p", :"qd.conn-id"=3}]`},
		{"transfer", frame(&Transfer{Handle: 1, DeliveryTag: []byte{0, 'x'}, Settled: true}, 0, 'S', '\\'), `@transfer(20) [handle=0x1, delivery-tag=b"\x00x", settled=true] (3) \x00S\\`},
		{"disposition", frame(&Disposition{Role: RoleReceiver, First: 1, Last: 2, Settled: true, State: State{Code: StateAccepted}}), `@disposition(21) [role=true, first=0x1, last=0x2, settled=true, state=@accepted(36) []]`},
		{"close", frame(&Close{Error: &Error{Condition: "amqp:not-found", Description: "no"}}), `@close(24) [error=@error(29) [condition=:"amqp:not-found", description="no"]]`},
		{"a secret", frame(&SASLInit{Mechanism: "PLAIN", InitialResponse: []byte("\x00u\x00p")}), `@sasl-init(65) [mechanism=:PLAIN, initial-response=(4 octets)]`},
		{"nonsense", []byte{1, 2}, `\x01\x02 (`},
		{"a value", AppendValue(nil, Described{Descriptor: Symbol("a:b"), Value: List{nil, true, Map{{Key: "k", Value: Array{uint32(1)}}}}}), `@:"a:b" [null, true, {"k"=@<>[0x1]}]`},
	} {
		if got := string(AppendText(nil, row.body)); got != row.want && !(row.name == "nonsense" && strings.HasPrefix(got, row.want)) {
			t.Errorf("%s:\n got %s\nwant %s", row.name, got, row.want)
		}
	}
}

func TestTextOfALongPayloadIsCut(t *testing.T) {
	t.Parallel()
	body := append((&Transfer{}).Append(nil), make([]byte, 100_000)...)
	if got := AppendText(nil, body); len(got) > 4*maxTextPayload+200 || !strings.HasSuffix(string(got), "(truncated)") {
		t.Errorf("%d octets of text", len(got))
	}
}

func FuzzText(f *testing.F) {
	f.Add((&Open{ContainerID: "x"}).Append(nil))
	f.Fuzz(func(_ *testing.T, body []byte) { AppendText(nil, body) })
}
