package amqp_test

import (
	"fmt"

	"github.com/skupper-host/skupper/router/amqp"
)

// A frame is built in one buffer: header, performative, payload, size.
func Example_frame() {
	t := amqp.Transfer{
		Handle: 0, DeliveryID: 5, HasDeliveryID: true, DeliveryTag: []byte{1}, HasMessageFormat: true, More: true,
	}
	frame := amqp.AppendFrameHeader(nil, amqp.FrameAMQP, 11)
	frame = t.Append(frame)
	frame = append(frame, "hello"...)
	amqp.FinishFrame(frame)
	fmt.Printf("%x\n", frame)
	// Output: 0000001c0200000b005314c00a06435205a0010143404168656c6c6f
}

func Example_decode() {
	body := []byte("\x00\x53\x14\xc0\x0a\x06\x43\x52\x05\xa0\x01\x01\x43\x40\x41hello")
	var t amqp.Transfer
	payload, err := t.Decode(body)
	fmt.Printf("delivery %d, more %v, payload %s, error %v\n", t.DeliveryID, t.More, payload, err)
	// Output: delivery 5, more true, payload hello, error <nil>
}

// The request of a stream is routed by the sections in front of its octets.
func ExampleScanPrefix() {
	message := (&amqp.Message{
		Annotations: &amqp.Annotations{Flags: amqp.FlagStreaming | amqp.FlagUnlimited, Ingress: "0/west", HasIngress: true, Trace: []string{"0/west"}},
		Properties:  &amqp.Properties{To: "backend:8080", ReplyTo: "amqp:/_topo/0/west/temp.x", ContentType: "application/octet-stream"},
		Kind:        amqp.BodyValue, // null: raw octets follow
		Extra:       []byte("GET /"),
	}).AppendWide(nil, 7)
	for n := 100; ; n++ {
		p, complete, err := amqp.ScanPrefix(message[:n])
		if err != nil {
			fmt.Println(err)
			return
		}
		if complete {
			fmt.Printf("after %d of %d octets: to %s, octets from %d\n", n, len(message), p.To, p.BodyOffset)
			return
		}
	}
	// Output: after 134 of 139 octets: to backend:8080, octets from 134
}

func ExampleAppendWide() {
	body := amqp.Map{{Key: "id", Value: "rtr-A"}, {Key: "seen", Value: amqp.List(nil)}}
	fmt.Printf("%x\n", amqp.AppendWide(nil, body))
	// Output: d10000001600000004a1026964a1057274722d41a1047365656e45
}
