package conn

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/sim/netpipe"
)

func TestTraceShowsBothDirections(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var lines []string
		cfg := Config{Trace: func(text string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, text)
		}}
		a, b := joined(t, netpipe.Options{}, Config{}, cfg)
		l := a.Attach(LinkConfig{Name: "l", Sender: true, Source: &amqp.Source{}, Target: &amqp.Target{}, Events: a.owner})
		l.Send(&outcome{o: a.owner}, false).WriteBytes([]byte("hello"), false)
		expect(t, a.owner, "answered l, accepted settled=true")
		b.SetTrace(nil)
		a.Close(nil)
		_, _ = a.stopped(), b.stopped()
		mu.Lock()
		defer mu.Unlock()
		got := strings.Join(lines, "\n") + "\n"
		for _, want := range []string{
			`^FRAME:   <- SASL\n`, `FRAME:   -> SASL\nFRAME: 0 -> @sasl-mechanisms\(64\) `, `FRAME: 0 <- @sasl-init\(65\) `, `FRAME: 0 -> @sasl-outcome\(68\) `,
			`FRAME:   -> AMQP\n`, `FRAME:   <- AMQP\n`, `FRAME: 0 <- @open\(16\) \[container-id="client"`, `FRAME: 0 -> @open\(16\) \[container-id="server"`,
			`FRAME: 0 <- @attach\(18\) \[name="l"`, `FRAME: 0 -> @flow\(19\) `, `FRAME: 0 <- @transfer\(20\) .* \(5\) hello\n`, `FRAME: 0 -> @disposition\(21\) `,
		} {
			if !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		if strings.Contains(got, "close") {
			t.Error("a frame was traced after the trace had ended")
		}
	})
}
