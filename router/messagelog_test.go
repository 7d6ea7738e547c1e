package router

import (
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
)

func TestMessageInTheLog(t *testing.T) {
	t.Parallel()
	s := &spoken{
		properties: (&amqp.Properties{
			MessageID: "m1", UserID: []byte("me"), Subject: "s", CorrelationID: uint64(89), ContentType: "text/html; charset=utf-8", ContentTypeSymbol: true,
			CreationTime: 1487772623883, HasGroupSequence: true,
		}).Append(nil),
		application: (&amqp.Message{ApplicationProperties: amqp.Map{
			{Key: "list", Value: amqp.List{int32(1), true}}, {Key: "word", Value: amqp.Symbol("O_one")},
		}}).Append(nil),
	}
	for set, want := range map[string]string{
		"none":               `Message{}`,
		"":                   `Message{}`,
		"subject, user-id,x": `Message{user-id=b"me", subject="s"}`,
		"app-properties":     `Message{app-properties={"list"=[1, true], "word"=:"O_one"}}`,
		"all": `Message{message-id="m1", user-id=b"me", subject="s", correlation-id=89, content-type=:"text/html; charset=utf-8", ` +
			`creation-time="2017-02-22 14:10:23.883 +0000", group-sequence=0, app-properties={"list"=[1, true], "word"=:"O_one"}}`,
	} {
		if got := s.text(partsOf(set)); got != want {
			t.Errorf("%q: %s, want %s", set, got, want)
		}
	}
	if got := (&spoken{}).text(partsOf("all")); got != "Message{}" {
		t.Errorf("a message without properties: %s", got)
	}
}
