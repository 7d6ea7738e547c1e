package router

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/forward"
	"github.com/skupper-host/skupper/router/journal"
	"github.com/skupper-host/skupper/router/tcp"
)

var long = flag.Bool("long", false, "the campaigns in full: 1 GiB, 10,000 connections")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long something may take that takes no time.
const patience = 2 * time.Minute

// node is a router in this process.
type node struct {
	t    testing.TB
	dir  string
	mode string
	log  logText

	entities []entityText
	options  Options
	notify   *notifier

	// Set by start.
	r      *Router
	reload chan os.Signal
	stop   func() // idempotent; waits
	stops  func() // begins to stop
	ended  chan struct{}
}

// entityText is an entity as a file has it.
type entityText struct {
	typ   string
	attrs attrs
}

type attrs map[string]any

// MarshalJSON implements json.Marshaler.
func (e entityText) MarshalJSON() ([]byte, error) { return json.Marshal([]any{e.typ, e.attrs}) }

// newNode returns a router that is not yet running.
func newNode(t testing.TB, id, mode string) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir(), mode: mode, notify: &notifier{ready: make(chan struct{}, 1)}}
	n.add("router", attrs{"name": "router", "id": id, "mode": mode, "dataConnectionCount": "0"})
	n.options = Options{
		ConfigPath: filepath.Join(n.dir, "skrouterd.json"), Version: "test",
		Log:         slog.New(slog.NewTextHandler(&n.log, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Notify:      n.notify,
		Environment: func(string) (string, bool) { return "", false },
	}
	return n
}

func (n *node) id() string { return n.entities[0].attrs["id"].(string) }

func (n *node) add(typ string, a attrs) *node {
	n.entities = append(n.entities, entityText{typ, a})
	return n
}

// entity returns the attributes of an entity, to be changed before a reload.
func (n *node) entity(typ, name string) attrs {
	n.t.Helper()
	for _, e := range n.entities {
		if e.typ == typ && e.attrs["name"] == name {
			return e.attrs
		}
	}
	n.t.Fatalf("no %s %s", typ, name)
	return nil
}

func (n *node) drop(typ, name string) {
	n.t.Helper()
	for i, e := range n.entities {
		if e.typ == typ && e.attrs["name"] == name {
			n.entities = append(n.entities[:i:i], n.entities[i+1:]...)
			return
		}
	}
	n.t.Fatalf("no %s %s", typ, name)
}

// listens adds a place for other routers to dial, and returns it.
func (n *node) listens(name, role string, more attrs) (host, port string) {
	n.t.Helper()
	host, port = place(n.t)
	n.add("listener", merge(attrs{"name": name, "role": role, "host": host, "port": port}, more))
	return host, port
}

// dials adds a connector to a place.
func (n *node) dials(name, role, host, port string, more attrs) {
	n.add("connector", merge(attrs{"name": name, "role": role, "host": host, "port": port}, more))
}

// serves adds a connector of a service to a server.
func (n *node) serves(name, address string, server net.Addr) {
	host, port, err := net.SplitHostPort(server.String())
	if err != nil {
		n.t.Fatal(err)
	}
	n.add("tcpConnector", attrs{"name": name, "address": address, "host": host, "port": port})
}

// offers adds a listener of a service on any port; see address.
func (n *node) offers(name, address string) {
	n.add("tcpListener", attrs{"name": name, "address": address, "host": "127.0.0.1", "port": "0"})
}

func merge(a, more attrs) attrs {
	for k, v := range more {
		a[k] = v
	}
	return a
}

func (n *node) write() {
	n.t.Helper()
	text, err := json.MarshalIndent(n.entities, "", "  ")
	if err != nil {
		n.t.Fatal(err)
	}
	n.writeText(string(text))
}

// writeText replaces the file in one step, as the agent does.
func (n *node) writeText(text string) {
	n.t.Helper()
	next := n.options.ConfigPath + ".new"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Rename(next, n.options.ConfigPath); err != nil {
		n.t.Fatal(err)
	}
}

// start runs the router until the end of the test, or stop.
func (n *node) start() *node {
	n.t.Helper()
	n.write()
	if err := n.run(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		n.stop()
		if n.t.Failed() {
			n.t.Logf("log of %s:\n%s", n.id(), n.log.tail(60))
		}
	})
	return n
}

func (n *node) run() error {
	opt := n.options
	logs := journal.New(opt.Log.Handler(), &n.log)
	opt.Log = slog.New(logs.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	r, end, err := launch(ctx, opt, logs)
	if err != nil {
		cancel()
		_ = logs.Close()
		return err
	}
	n.r, n.reload, n.ended = r, make(chan os.Signal), make(chan struct{})
	ended := n.ended
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(ended)
		r.serve(ctx, opt, n.reload)
		end()
		_ = logs.Close()
	})
	n.stops = cancel
	n.stop = func() {
		cancel()
		wg.Wait()
	}
	<-n.notify.ready
	return nil
}

// reloads writes the configuration as it is now and lets the router read it.
func (n *node) reloads() {
	n.t.Helper()
	n.write()
	n.hup()
}

func (n *node) hup() {
	n.t.Helper()
	n.reload <- syscall.SIGHUP
	select {
	case <-n.notify.ready:
	case <-time.After(patience):
		n.t.Fatal("the reload does not end")
	}
}

// on runs f on the control loop.
func (n *node) on(f func(r *Router)) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.r.box.call(ctx, func() { f(n.r) }); err != nil {
		n.t.Fatalf("control loop of %s: %v", n.id(), err)
	}
}

// listener returns how a tcpListener is doing.
func (n *node) listener(name string) (st tcp.ListenerStatus) {
	n.t.Helper()
	n.on(func(r *Router) {
		s, _ := r.entities[keyOf(&config.TCPListener{Name: name})].(*service)
		if s == nil {
			n.t.Errorf("no tcpListener %s", name)
			return
		}
		st = s.listener.Status()
	})
	return st
}

// address waits until a tcpListener listens and returns where.
func (n *node) address(name string) string {
	n.t.Helper()
	var at string
	eventually(n.t, "tcpListener "+name+" of "+n.id()+" listens", func() error {
		st := n.listener(name)
		if st.Addr == nil {
			return fmt.Errorf("it does not: %v", st.Problem)
		}
		at = st.Addr.String()
		return nil
	})
	return at
}

// counts returns who is known of a mobile address.
func (n *node) counts(address string) forward.Counts {
	snap := n.r.snap.Load()
	return snap.Lookup(snap.Names().Key(address)).Counts()
}

// reaches waits until an address is known, or is not any more.
func (n *node) reaches(address string, yes bool) {
	n.t.Helper()
	eventually(n.t, fmt.Sprintf("%s reaches %s: %v", n.id(), address, yes), func() error {
		if c := n.counts(address); c.Reachable() != yes {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
}

// count is how many temporary addresses there are.
func (t *temps[T]) count() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		n += len(s.m)
		s.mu.RUnlock()
	}
	return n
}

// peersOf are the open connections of a connector or listener.
func (n *node) peersOf(name string) (list []*peer) {
	n.t.Helper()
	n.on(func(r *Router) {
		for _, p := range r.peers {
			if p.owner.name == name && p.up {
				list = append(list, p)
			}
		}
	})
	return list
}

// notifier tells tests what the router tells its supervisor.
type notifier struct{ ready chan struct{} }

func (n *notifier) Ready()                                    { n.ready <- struct{}{} }
func (*notifier) Reloading()                                  {}
func (*notifier) Status(string)                               {}
func (*notifier) Stopping()                                   {}
func (*notifier) Watchdog(ctx context.Context, _ func() bool) { <-ctx.Done() }

// logText collects a log.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer // Guarded by mu.
}

// Write implements io.Writer. Only the end is kept.
func (l *logText) Write(p []byte) (int, error) {
	const most = 1 << 20
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() > most {
		l.b.Next(most / 2)
	}
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logText) tail(lines int) string {
	all := strings.Split(l.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// place returns a port of this machine that nothing uses. The address is one
// that only this test uses, so that nobody else takes the port meanwhile.
func place(t testing.TB) (host, port string) {
	t.Helper()
	id := os.Getpid()
	ln, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.1:0", 1+id>>8%254, id&0xff))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	host, port, err = net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// eventually polls until ok returns nil, and fails the test with its last error
// when it does not.
func eventually(t testing.TB, what string, ok func() error) {
	t.Helper()
	within(t, patience, what, ok)
}

func within(t testing.TB, limit time.Duration, what string, ok func() error) {
	t.Helper()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-timeout.C:
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		case <-tick.C:
		}
	}
}
