package router_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	goamqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/internal/captures"
	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/vanflow"
)

// telemetry is a recorded message of upstream's routers.
type telemetry struct {
	Subject, Raw string
}

// forms are what records and announcements look like: of each attribute, or
// application property, the type that it has in a message. Types of the keys of
// properties do not survive the library that receives here.
func forms(t *testing.T, message []byte, into map[string]string) {
	t.Helper()
	m := parsed(t, message)
	if m.Properties == nil || m.Header != nil {
		t.Errorf("header %v, properties %v", m.Header, m.Properties)
		return
	}
	for _, p := range m.ApplicationProperties {
		into[fmt.Sprintf("%s %v", m.Properties.Subject, p.Key)] = fmt.Sprintf("%T", p.Value)
	}
	records, _ := m.Value.(amqp.List)
	for _, r := range records {
		record := r.(amqp.Map)
		typ := vanflow.Type(1 << 30)
		for _, p := range record {
			if v, ok := p.Value.(uint32); ok && p.Key == uint32(0) {
				typ = vanflow.Type(v)
			}
		}
		for _, p := range record {
			into[fmt.Sprintf("%v %T %v", typ, p.Key, vanflow.Code(p.Key.(uint32)))] = fmt.Sprintf("%T", p.Value)
		}
	}
}

// TestObservedAsRecorded looks at a network like that of the recordings as an
// observer does: announcements and, asked for, records have the attributes that
// those of upstream's routers have, in the same encoding. What they say of a
// site is said by another source of ours, and not looked at.
func TestObservedAsRecorded(t *testing.T) {
	t.Parallel()
	want, got := map[string]string{}, map[string]string{}
	for _, name := range []string{"flush-full-state", "beacon-heartbeat"} {
		for _, m := range captures.Lines[telemetry](t, "vanflow/"+name+".jsonl") {
			octets, err := hex.DecodeString(m.Raw)
			if err != nil {
				t.Fatal(err)
			}
			forms(t, octets, want)
		}
	}
	maps.DeleteFunc(want, func(form, _ string) bool {
		switch form {
		case "LINK uint32 downTimeStamp", "LINK uint32 result", "LINK uint32 reason":
			return true // of a link that has not come up at once
		}
		return strings.HasPrefix(form, "SITE ")
	})
	west := recordedSites(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := west.session(t)
	anonymous, err := s.NewSender(ctx, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]bool{}
	messages := make(chan *goamqp.Message, 1000)
	listens := func(address string) {
		r, err := s.NewReceiver(ctx, address, &goamqp.ReceiverOptions{Credit: 100})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		listening, stop := context.WithCancel(ctx)
		go func() {
			defer close(done)
			for {
				m, err := r.Receive(listening, nil)
				if err != nil {
					return
				}
				messages <- m
			}
		}()
		t.Cleanup(func() { stop(); <-done })
	}
	listens("mc/sfe.all")
	for len(sources) < 3 || !maps.Equal(kept(want, got), want) {
		var m *goamqp.Message
		select {
		case m = <-messages:
		case <-ctx.Done():
			t.Fatalf("from %d routers (-want +got):\n%s", len(sources), cmp.Diff(want, kept(want, got)))
		}
		octets, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if m.ApplicationProperties["sourceType"] == "ROUTER" && !sources[fmt.Sprint(m.ApplicationProperties["id"])] {
			sources[fmt.Sprint(m.ApplicationProperties["id"])] = true
			listens(fmt.Sprint(m.ApplicationProperties["address"]))
			to, subject := fmt.Sprint(m.ApplicationProperties["direct"]), "FLUSH"
			ask := &goamqp.Message{Properties: &goamqp.MessageProperties{To: &to, Subject: &subject}, Value: nil}
			if err := anonymous.Send(ctx, ask, nil); err != nil {
				t.Fatal(err)
			}
		}
		forms(t, octets, got)
	}
	may := []string{
		"SITE ", "PROCESS ", "LINK uint32 destHost", "LINK uint32 latency", "LINK uint32 duration", "ROUTER_ACCESS uint32 duration", // of ours only
		"ROUTER uint32 hostname", "ROUTER uint32 namespace", "ROUTER uint32 imageName", "ROUTER uint32 imageVersion", // of the environment
	}
	for _, form := range slices.Sorted(maps.Keys(got)) {
		if want[form] == "" && !slices.ContainsFunc(may, func(p string) bool { return strings.HasPrefix(form, p) }) {
			t.Errorf("%s is too much", form)
		}
	}
}

// kept are the forms that are wanted.
func kept(want, got map[string]string) map[string]string {
	m := map[string]string{}
	for form := range want {
		if got[form] != "" {
			m[form] = got[form]
		}
	}
	return m
}
