package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/skupper-host/skupper/internal/freeport"
	"github.com/skupper-host/skupper/router"
	"github.com/skupper-host/skupper/router/manage/client"
)

// patience bounds every wait of these tests. It only matters when one fails.
const patience = time.Minute

// attrs are the attributes of a configured entity.
type attrs map[string]any

// entity is one element of a configuration.
type entity struct {
	typ   string
	attrs attrs
}

func (e entity) MarshalJSON() ([]byte, error) { return json.Marshal([]any{e.typ, e.attrs}) }

// node is a router that runs in this process.
type node struct {
	id   string
	port int    // of its listener for clients
	stop func() // as a signal would
}

// start runs a router with a listener for clients until the test ends.
func start(t *testing.T, id, mode string, more ...entity) *node {
	t.Helper()
	n := &node{id: id, port: freeport.Get(t)}
	own := attrs{"id": id, "mode": mode}
	more = slices.DeleteFunc(more, func(e entity) bool { // what is said of the router itself
		if e.typ == "router" {
			maps.Copy(own, e.attrs)
		}
		return e.typ == "router"
	})
	config := append([]entity{
		{"router", own},
		{"address", attrs{"prefix": "mc", "distribution": "multicast"}},
		{"listener", attrs{"name": "clients", "host": "127.0.0.1", "port": strconv.Itoa(n.port)}},
	}, more...)
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "skrouterd.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	n.stop = cancel
	ready := make(chan struct{})
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		failed = router.Run(ctx, router.Options{ConfigPath: path, Log: slog.New(slog.DiscardHandler), Version: "test", Notify: &notifier{up: ready}})
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if failed != nil {
			t.Errorf("router %s: %v", id, failed)
		}
	})
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatalf("router %s is not ready", id)
	}
	return n
}

// notifier tells when a router is up.
type notifier struct{ up chan struct{} }

func (n *notifier) Ready()                                    { close(n.up) }
func (*notifier) Reloading()                                  {}
func (*notifier) Status(string)                               {}
func (*notifier) Stopping()                                   {}
func (*notifier) Watchdog(ctx context.Context, _ func() bool) { <-ctx.Done() }

// listener and connector are entities for other routers.
func listener(role string, port int) entity {
	return entity{"listener", attrs{"name": fmt.Sprintf("%s-%d", role, port), "host": "127.0.0.1", "port": strconv.Itoa(port), "role": role}}
}

func connector(role string, port int) entity {
	return entity{"connector", attrs{"name": fmt.Sprintf("to-%s-%d", role, port), "host": "127.0.0.1", "port": strconv.Itoa(port), "role": role}}
}

// eventually polls until ok returns nil.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}

// session connects an AMQP client.
func (n *node) session(t *testing.T) *goamqp.Session {
	t.Helper()
	c, err := goamqp.Dial(t.Context(), fmt.Sprintf("amqp://127.0.0.1:%d", n.port), &goamqp.ConnOptions{SASLType: goamqp.SASLTypeAnonymous()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s, err := c.NewSession(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inbox accepts the messages of a link and keeps their texts.
type inbox struct {
	address string

	mu    sync.Mutex
	texts []string // Guarded by mu.
}

// receive attaches a link to receive on; an empty address is a dynamic one.
func receive(t *testing.T, s *goamqp.Session, address string) *inbox {
	t.Helper()
	r, err := s.NewReceiver(t.Context(), address, &goamqp.ReceiverOptions{DynamicAddress: address == "", Credit: 100})
	if err != nil {
		t.Fatal(err)
	}
	box := &inbox{address: r.Address()}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			m, err := r.Receive(ctx, nil)
			if err != nil {
				return
			}
			_ = r.AcceptMessage(ctx, m) // the sender looks at the outcome
			box.mu.Lock()
			box.texts = append(box.texts, string(m.GetData()))
			box.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return box
}

func (b *inbox) received() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.texts)
}

// expect waits until exactly these texts have come.
func (b *inbox) expect(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, "messages to "+b.address, func() error {
		if got := b.received(); !slices.Equal(got, want) {
			return fmt.Errorf("got %q, want %q", got, want)
		}
		return nil
	})
}

// send sends one message and waits for its outcome, again while it finds no
// destination. An empty address is an anonymous link.
func send(t *testing.T, s *goamqp.Session, address, to, text string) {
	t.Helper()
	link, err := s.NewSender(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := goamqp.NewMessage([]byte(text))
	if to != "" {
		m.Properties = &goamqp.MessageProperties{To: &to}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	eventually(t, "sending to "+address+to, func() error {
		receipt, err := link.SendWithReceipt(ctx, m, nil)
		if err != nil {
			return err
		}
		outcome, err := receipt.Wait(ctx)
		if _, ok := outcome.(*goamqp.StateAccepted); err == nil && !ok {
			return fmt.Errorf("outcome %T", outcome)
		}
		return err
	})
	if err := link.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// manage connects a management client.
func (n *node) manage(t *testing.T) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, client.Target{Network: "tcp", Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
