package router_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	goamqp "github.com/Azure/go-amqp"
	"github.com/skupper-host/skupper/internal/freeport"
)

// Messages of one sender come in its order at the other end of a network,
// however long they are and however many frames they have.
func TestMessagesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	for name, roles := range map[string][2]string{
		"interior": {"inter-router", "interior"},
		"edge":     {"edge", "edge"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			link, clients := freeport.Get(t), freeport.Get(t)
			there := start(t, "B", "interior", listener(roles[0], link))
			start(t, "A", roles[1], connector(roles[0], link), entity{"listener", attrs{
				"name": "small frames", "host": "127.0.0.1", "port": strconv.Itoa(clients), "maxFrameSize": 2048,
			}})
			inbox := receive(t, there.session(t), "work")
			c := dial(t, clients)
			s, err := c.NewSession(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			send(t, s, "work", "", "first")
			out, err := s.NewSender(t.Context(), "work", nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			n := 0
			for round := range 30 {
				long := 5000 * (1 + round%3)
				if round%5 == 4 {
					long = 300_000 // passed on before it is complete
				}
				for _, size := range []int{long, 0, 0, long / 2, 0} {
					n++
					text := strconv.Itoa(n) + strings.Repeat(" ", size)
					if _, err := out.SendWithReceipt(ctx, goamqp.NewMessage([]byte(text)), nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			eventually(t, "all messages", func() error {
				if got := len(inbox.received()); got < n+1 {
					return fmt.Errorf("%d of %d have come", got, n+1)
				}
				return nil
			})
			for i, text := range inbox.received()[1:] {
				if got := strings.TrimSpace(text); got != strconv.Itoa(i+1) {
					t.Fatalf("message %s comes as number %d", got, i+1)
				}
			}
		})
	}
}
