package router

import (
	"fmt"
	"strings"
	"testing"

	goamqp "github.com/Azure/go-amqp"
)

// Deliveries that nobody settles and links without credit are logged once each,
// and not more of them than people read.
func TestOverdueLinksAreLogged(t *testing.T) {
	t.Parallel()
	n := newNode(t, "A", "interior")
	host, port := n.listens("clients", "normal", nil)
	n.start()
	c, err := goamqp.Dial(t.Context(), "amqp://"+host+":"+port, &goamqp.ConnOptions{SASLType: goamqp.SASLTypeAnonymous()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s, err := c.NewSession(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.NewReceiver(t.Context(), "work", &goamqp.ReceiverOptions{Credit: 100})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.NewSender(t.Context(), "work", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.SendWithReceipt(t.Context(), goamqp.NewMessage([]byte("x")), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Receive(t.Context(), nil); err != nil { // and it is not settled
		t.Fatal(err)
	}
	seconds := func(count int) {
		for range count {
			n.on(func(r *Router) { r.second() })
		}
	}
	lines := func(text string) int { return strings.Count(n.log.String(), text) }
	seconds(15)
	if got := lines("Stuck delivery"); got != 2 {
		t.Errorf("a delivery that is stuck on two links is logged in %d lines", got)
	}
	const links = maxOverdue + 5
	for i := range links {
		if _, err := s.NewSender(t.Context(), fmt.Sprintf("nobody.%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	before := lines("Link blocked")
	seconds(30)
	if got, more := lines("Link blocked")-before, lines("further links"); got > links || got < links && more == 0 {
		t.Errorf("of %d links without credit %d are logged, and of more of them in %d lines", links, got, more)
	}
}
