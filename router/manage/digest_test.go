package manage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
)

// TestDigest changes an attribute and looks at numbers that stand for it and for
// others.
func TestDigest(t *testing.T) {
	t.Parallel()
	store := &fixture{config: config.New()}
	l := config.NewTCPListener()
	l.Name, l.Port, l.Address = "a", "1", "x"
	store.config.TCPListeners = []config.TCPListener{l}
	node := manage.New(store)
	digest := func(body any) (any, int) {
		r, answer := call(t, node, properties("operation", manage.OperationDigest, "type", "org.amqp.management", "name", "self"), body)
		m, _ := answer.(amqp.Map)
		return m.Get("digest"), r.Status
	}
	all := func() [3]any {
		var sums [3]any
		for i, names := range []amqp.List{{"port", "operStatus"}, {"address"}, {}} {
			sum, status := digest(properties("tcpListener", names, "io.skupper.router.connection", amqp.List{"host"}))
			if _, ok := sum.(uint64); !ok || status != manage.StatusOK {
				t.Fatalf("digest %v, status %d", sum, status)
			}
			sums[i] = sum
		}
		return sums
	}
	was := all()
	if again := all(); again != was {
		t.Errorf("nothing changes, the digests do: %v, %v", was, again)
	}
	store.config.TCPListeners[0].Observer = "none"
	if is := all(); is != was {
		t.Errorf("another attribute changes the digests: %v, %v", was, is)
	}
	store.config.TCPListeners[0].Address = "y"
	if is := all(); is[0] != was[0] || is[1] == was[1] || is[2] != was[2] {
		t.Errorf("another address: %v, before %v", is, was)
	}
	store.config.TCPListeners = append(store.config.TCPListeners, l)
	if is := all(); is[2] == was[2] {
		t.Errorf("another listener: %v, before %v", is, was)
	}
	was = all()
	store.more = append(store.more, manage.Connection{ID: 100, Host: "client", Role: "normal"})
	if is := all(); is != was {
		t.Errorf("a client: %v, before %v", is, was)
	}
	store.more = append(store.more, manage.Connection{ID: 101, Host: "router", Role: "inter-router"})
	if is := all(); is[2] == was[2] {
		t.Errorf("another router: %v, before %v", is, was)
	}
	for _, body := range []any{properties("nonsense", amqp.List{}), properties("tcpListener", "port"), int32(1)} {
		if sum, status := digest(body); status != manage.StatusBadRequest || sum != nil {
			t.Errorf("%v: digest %v, status %d", body, sum, status)
		}
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	r, body := call(t, manage.New(&fixture{config: config.New()}), properties("operation", manage.OperationRoundTrips, "type", "org.amqp.management", "name", "self"), nil)
	if diff := cmp.Diff(properties("east-1", int64(1_000_000), "west-1", int64(1500)), body); diff != "" || r.Status != manage.StatusOK {
		t.Errorf("status %d (-want +got):\n%s", r.Status, diff)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	node := manage.New(&fixture{config: config.New()})
	for _, row := range []struct {
		connector string
		status    int
		want      amqp.Map
	}{
		{"connector/db", manage.StatusOK, properties("microseconds", int64(1500))},
		{"connector/dead", manage.StatusOK, properties("microseconds", int64(1000), "error", "connect to 127.0.0.1:1: connection refused")},
		{"connector/none", manage.StatusNotFound, amqp.Map{}},
		{"", manage.StatusBadRequest, amqp.Map{}},
	} {
		r, body := call(t, node, properties("operation", manage.OperationProbe, "type", "org.amqp.management", "name", "self", "connector", row.connector), nil)
		if diff := cmp.Diff(row.want, body); diff != "" || r.Status != row.status {
			t.Errorf("%q: status %d, want %d (-want +got):\n%s", row.connector, r.Status, row.status, diff)
		}
	}
}
