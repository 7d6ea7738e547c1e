package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
	"github.com/skupper-host/skupper/router/manage/client"
)

// store is a Store of nothing but a configuration.
type store struct {
	manage.Store

	config *config.Config
}

func (s *store) Config() *config.Config                     { return s.config }
func (s *store) Statuses(list []config.Entity) []manage.Row { return make([]manage.Row, len(list)) }
func (s *store) Reload(string) error                        { return nil }
func (s *store) Nodes() []manage.RouterNode                 { return nil }
func (*store) Probe(_ context.Context, connector string) (time.Duration, error) {
	switch connector {
	case "connector/db":
		return 1500 * time.Microsecond, nil
	case "connector/dead":
		return time.Millisecond, errors.New("connect to 127.0.0.1:1: connection refused")
	}
	return 0, manage.ErrNoConnector
}

func (*store) Losses(changes []manage.Change) []manage.Loss {
	switch len(changes) {
	case 0:
		return []manage.Loss{{Connections: 1}, {Type: "tcpListener", Name: "db", Connections: 2}}
	case 1:
		return []manage.Loss{{Type: "tcpListener", Name: "db", Connections: 2}}
	}
	return []manage.Loss{{Change: len(changes), Connections: 1}} // of which nobody has spoken
}

func (s *store) RoundTrips() map[string]time.Duration {
	return map[string]time.Duration{"east": 250 * time.Microsecond}
}
func (s *store) LogStats() []manage.LogStats     { return nil }
func (s *store) Allocators() []manage.Allocator  { return nil }
func (s *store) VhostStats() []manage.VhostStats { return nil }
func (s *store) Change(edit func(*config.Config) (*config.Config, error)) error {
	next, err := edit(s.config)
	if err == nil {
		s.config = next
	}
	return err
}

// router is a server with a management node behind it.
func router(t *testing.T) *server {
	t.Helper()
	c := config.New()
	c.Router.ID = "A"
	node := manage.New(&store{config: c})
	return &server{answer: func(m *amqp.Message) *amqp.Message {
		return node.Handle(context.Background(), m, manage.Caller{}).Reply
	}}
}

// connect returns a client of s.
func connect(t *testing.T, s *server) *client.Client {
	t.Helper()
	c, err := client.Connect(t.Context(), s.pair(t), client.Target{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestOperations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := connect(t, router(t))

	e, err := c.Create(ctx, "listener", "amqp", map[string]any{"port": 5672, "openProperties": map[string]any{"x": []string{"y"}}})
	if err != nil {
		t.Fatal(err)
	}
	if e.Text("port") != "5672" || e.Int("maxFrameSize") != 16384 || !e.Bool("healthz") || e.Text("nosuch") != "" {
		t.Errorf("created %v", e)
	}
	if diff := cmp.Diff(map[string]any{"x": []any{"y"}}, e["openProperties"]); diff != "" {
		t.Error(diff)
	}
	rows, err := c.Query(ctx, "io.skupper.router.listener", "name", "identity")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]client.Entity{{"name": "amqp", "identity": "listener/:5672:amqp"}}, rows); diff != "" {
		t.Error(diff)
	}
	if e, err := c.Read(ctx, client.Ref{Type: "listener", Identity: "listener/:5672:amqp"}); err != nil || e.Text("name") != "amqp" {
		t.Errorf("read %v, %v", e, err)
	}
	if e, err := c.Update(ctx, client.Ref{Identity: "log/SERVER"}, map[string]any{"enable": "debug+"}); err != nil || e.Text("enable") != "debug+" {
		t.Errorf("updated %v, %v", e, err)
	}
	if err := c.Delete(ctx, client.Ref{Type: "listener", Name: "amqp"}); err != nil {
		t.Error(err)
	}
	_, err = c.Read(ctx, client.Ref{Type: "listener", Name: "amqp"})
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Status != 404 || err.Error() != "READ listener amqp: No entity with name=amqp (404)" {
		t.Errorf("reading what is gone: %v", err)
	}
	answer, err := c.Call(ctx, "GET-OPERATIONS", client.Ref{}, map[string]any{"entityType": "log"})
	if diff := cmp.Diff(map[string]any{"io.skupper.router.log": []any{"UPDATE", "READ"}}, answer); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := c.Create(ctx, "listener", "x", map[string]any{"port": struct{}{}}); err == nil || !strings.Contains(err.Error(), "port: value of Go type struct {}") {
		t.Errorf("sending a struct: %v", err)
	}
}

// table answers every query with the rows that f returns for a page.
func table(f func(offset int64) amqp.List) *server {
	return &server{answer: func(m *amqp.Message) *amqp.Message {
		offset, _ := m.ApplicationProperties.Get("offset").(int64)
		return &amqp.Message{
			// compat: the Python agent of upstream returns an int for a ulong.
			Properties:            &amqp.Properties{To: m.Properties.ReplyTo, CorrelationID: int32(m.Properties.CorrelationID.(uint64))},
			ApplicationProperties: amqp.Map{{Key: "statusCode", Value: int32(200)}},
			Kind:                  amqp.BodyValue,
			Value:                 amqp.Map{{Key: "attributeNames", Value: amqp.List{"n"}}, {Key: "results", Value: f(offset)}},
		}
	}}
}

func numbers(from, to int64) amqp.List {
	rows := amqp.List{}
	for n := from; n < to; n++ {
		rows = append(rows, amqp.List{n})
	}
	return rows
}

func TestQueryInPages(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		pages func(offset int64) amqp.List
		want  int
	}{
		"two and a half pages": {func(o int64) amqp.List { return numbers(o, min(o+2000, 5000)) }, 5000},
		"full pages":           {func(o int64) amqp.List { return numbers(o, min(o+2000, 4000)) }, 4000},
		"all rows every time":  {func(int64) amqp.List { return numbers(0, 2000) }, 2000},
		"more than a page":     {func(int64) amqp.List { return numbers(0, 2700) }, 2700},
		"nothing":              {func(int64) amqp.List { return amqp.List{} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := connect(t, table(row.pages)).Query(t.Context(), "x")
			if err != nil || len(rows) != row.want {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for i, e := range rows {
				if e.Int("n") != int64(i) {
					t.Fatalf("row %d is %v", i, e)
				}
			}
		})
	}
}

func TestOddAnswers(t *testing.T) {
	t.Parallel()
	for _, body := range []any{nil, amqp.List{}, amqp.Map{}, amqp.Map{{Key: "attributeNames", Value: amqp.List{"a", "b"}}, {Key: "results", Value: amqp.List{amqp.List{"x"}}}}} {
		s := &server{answer: func(m *amqp.Message) *amqp.Message {
			return &amqp.Message{
				Properties:            &amqp.Properties{To: m.Properties.ReplyTo, CorrelationID: m.Properties.CorrelationID},
				ApplicationProperties: amqp.Map{{Key: "statusCode", Value: int32(200)}}, Kind: amqp.BodyValue, Value: body,
			}
		}}
		if rows, err := connect(t, s).Query(t.Context(), "x"); err == nil {
			t.Errorf("%v: %v", body, rows)
		}
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	c := connect(t, router(t))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			module := []string{"SERVER", "AGENT", "ROUTER", "POLICY"}[i%4]
			e, err := c.Read(t.Context(), client.Ref{Identity: "log/" + module})
			if err != nil || e.Text("module") != module {
				t.Errorf("%s: %v %v", module, e, err)
			}
		})
	}
	wg.Wait()
}

func TestNodeThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := router(t)
	s.refuse = "_topo/0/B/$management"
	_, err := client.Connect(t.Context(), s.pair(t), client.Target{Node: s.refuse})
	var refused *amqp.Error
	if !errors.As(err, &refused) || refused.Condition != amqp.ErrNotFound {
		t.Errorf("link refused: %v", err)
	}
	s = &server{answer: func(*amqp.Message) *amqp.Message { return nil }}
	_, err = connect(t, s).Query(t.Context(), "x")
	if err == nil || err.Error() != "QUERY x: no management node at $management" {
		t.Errorf("request released: %v", err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	s := &server{answer: func(m *amqp.Message) *amqp.Message {
		close(asked)
		return &amqp.Message{Properties: &amqp.Properties{To: "nobody"}}
	}}
	c := connect(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := c.Query(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	s := &server{answer: func(m *amqp.Message) *amqp.Message {
		close(asked)
		return &amqp.Message{Properties: &amqp.Properties{To: "nobody"}}
	}}
	c := connect(t, s)
	failed := make(chan error)
	go func() {
		_, err := c.Query(t.Context(), "x")
		failed <- err
	}()
	<-asked
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, client.ErrClosed) {
		t.Errorf("error %v", err)
	}
	if _, err := c.Query(t.Context(), "x"); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestConnectGivesUp(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Connect(ctx, ours, client.Target{}); !errors.Is(err, context.Canceled) {
		t.Errorf("peer that says nothing: %v", err)
	}
	ours, theirs = net.Pipe()
	theirs.Close()
	if _, err := client.Connect(t.Context(), ours, client.Target{}); err == nil {
		t.Error("peer that hangs up: no error")
	}
}

func TestDialUnix(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	if _, err := client.Dial(t.Context(), client.Target{Network: "unix", Address: path}); err == nil {
		t.Fatal("dialed nothing")
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- nc
	}()
	s := router(t)
	connected := make(chan error, 1)
	go func() {
		c, err := client.Dial(t.Context(), client.Target{Network: "unix", Address: path})
		if err == nil {
			_, err = c.Query(t.Context(), "router")
			_ = c.Close()
		}
		connected <- err
	}()
	s.serve(t, <-accepted)
	if err := <-connected; err != nil {
		t.Error(err)
	}
}

// TestAnotherClient asks the node with a client of other making, as upstream's
// controllers do.
func TestAnotherClient(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, err := goamqp.NewConn(ctx, router(t).pair(t), &goamqp.ConnOptions{SASLType: goamqp.SASLTypeAnonymous()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	session, err := c.NewSession(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := session.NewReceiver(ctx, "", &goamqp.ReceiverOptions{DynamicAddress: true, Credit: 10})
	if err != nil {
		t.Fatal(err)
	}
	sender, err := session.NewSender(ctx, "$management", nil)
	if err != nil {
		t.Fatal(err)
	}
	replyTo := receiver.Address()
	for i := range uint64(3) {
		err := sender.Send(ctx, &goamqp.Message{
			Properties:            &goamqp.MessageProperties{ReplyTo: &replyTo, CorrelationID: i},
			ApplicationProperties: map[string]any{"operation": "QUERY", "entityType": "io.skupper.router.router"},
			Value:                 map[string]any{"attributeNames": []any{"id", "mode"}},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := receiver.Receive(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := reply.Properties.CorrelationID.(uint64); !ok || id != i || reply.ApplicationProperties["statusCode"] != int32(200) {
			t.Errorf("reply %+v", reply)
		}
		want := map[string]any{"attributeNames": []any{"id", "mode"}, "results": []any{[]any{"A", "standalone"}}}
		if diff := cmp.Diff(want, reply.Value); diff != "" {
			t.Error(diff)
		}
	}
}

func ExampleDial() {
	ctx := context.Background()
	c, err := client.Dial(ctx, client.Target{Network: "unix", Address: "/nonexistent/router.sock"})
	if err != nil {
		fmt.Println("no router there")
		return
	}
	defer c.Close()
	rows, err := c.Query(ctx, "io.skupper.router.connection", "host", "role")
	if err != nil {
		fmt.Println(err)
	}
	for _, row := range rows {
		fmt.Println(row.Text("host"), row.Text("role"))
	}
	// Output: no router there
}

// TestOwnOperations asks for what only our routers answer.
func TestOwnOperations(t *testing.T) {
	t.Parallel()
	c := connect(t, router(t))
	trips, err := c.RoundTrips(t.Context())
	if err != nil || len(trips) != 1 || trips["east"] != 250*time.Microsecond {
		t.Errorf("round trips %v, %v", trips, err)
	}
	if took, err := c.Probe(t.Context(), "connector/db"); err != nil || took != 1500*time.Microsecond {
		t.Errorf("probe: %v, %v", took, err)
	}
	var failed *client.ProbeError
	if _, err := c.Probe(t.Context(), "connector/dead"); !errors.As(err, &failed) || failed.Error() != "connect to 127.0.0.1:1: connection refused" {
		t.Errorf("probe of a dead server: %v", err)
	}
	var refused *client.Error
	if _, err := c.Probe(t.Context(), "connector/none"); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("probe of no connector: %v", err)
	}
	for _, row := range []struct {
		changes []client.Change
		want    []client.Loss
	}{
		{nil, []client.Loss{{Connections: 1}, {Type: "tcpListener", Name: "db", Connections: 2}}},
		{[]client.Change{{Type: "tcpListener", Name: "db", Attributes: []string{"port"}}}, []client.Loss{{Type: "tcpListener", Name: "db", Connections: 2}}},
	} {
		if got, err := c.Losses(t.Context(), row.changes); err != nil || !reflect.DeepEqual(got, row.want) {
			t.Errorf("losses by %v: %v, %v", row.changes, got, err)
		}
	}
	if got, err := c.Losses(t.Context(), make([]client.Change, 2)); err == nil {
		t.Errorf("losses by a third change of two: %v", got)
	}
	attributes := map[string][]string{"tcpListener": {"port"}, "log": {"enable"}}
	one, err := c.Digest(t.Context(), attributes)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := c.Digest(t.Context(), attributes); err != nil || other != one || one == 0 {
		t.Errorf("digests %d, %d, %v", one, other, err)
	}
	if _, err := c.Digest(t.Context(), map[string][]string{"nonsense": nil}); err == nil {
		t.Error("a digest of nothing known")
	}
}
