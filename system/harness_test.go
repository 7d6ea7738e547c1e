package system

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/host"
	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/state"
)

// machinery stands in for what supervises routers, and for the routers: one
// that "runs" has exactly the entities of its configuration.
type machinery struct {
	paths layout.Paths

	mu      sync.Mutex
	running map[string]state.Unit // guarded by mu
	calls   []string              // guarded by mu
	silent  bool                  // guarded by mu; routers do not answer
	lost    string                // guarded by mu; a port on which routers cannot listen
	started func()                // called when a unit is started, if not nil
	broken  error                 // guarded by mu; what a start fails with

	read os.FileInfo                 // guarded by mu; the configuration that rows are from
	rows map[string][]map[string]any // guarded by mu
}

func (m *machinery) note(op string, u host.UnitRef) {
	m.calls = append(m.calls, op+" "+u.Name)
}

func (m *machinery) Name() string { return "agent" }

func (m *machinery) Observe(_ context.Context, u host.UnitRef) (state.Unit, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	unit, ok := m.running[u.Name]
	return unit, ok, nil
}

func (m *machinery) Status(_ context.Context, u host.UnitRef) (host.UnitStatus, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.running[u.Name]; ok {
		return host.UnitStatus{State: host.UnitActive, PID: 7, Since: time.Unix(1, 0)}, nil
	}
	return host.UnitStatus{State: host.UnitInactive}, nil
}

func (m *machinery) Load(context.Context, host.UnitRef, state.Unit) error { return nil }
func (m *machinery) Enable(context.Context, host.UnitRef) error           { return nil }
func (m *machinery) Disable(context.Context, host.UnitRef) error          { return nil }

func (m *machinery) Start(_ context.Context, u host.UnitRef, s state.Unit) error {
	if m.started != nil {
		m.started()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("start", u)
	if m.broken != nil {
		return m.broken
	}
	s.Running, s.Enabled = true, true
	m.running[u.Name] = s
	return nil
}

func (m *machinery) Restart(ctx context.Context, u host.UnitRef, s state.Unit) error {
	return m.Start(ctx, u, s)
}

func (m *machinery) Reload(_ context.Context, u host.UnitRef, _ state.Unit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("reload", u)
	return nil
}

func (m *machinery) Stop(_ context.Context, u host.UnitRef, _ state.Unit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("stop", u)
	delete(m.running, u.Name)
	return nil
}

// took returns what was asked of the units since the last call.
func (m *machinery) took() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = nil
	return calls
}

// dial connects to the router behind a socket.
func (m *machinery) dial(_ context.Context, socket string) (Asker, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silent {
		return nil, errors.New("connection refused")
	}
	for _, name := range []string{"west", "east"} {
		n, err := m.paths.Namespace(name)
		if err != nil {
			return nil, err
		}
		if _, ok := m.running[layout.UnitName(name)]; ok && n.RouterSocket == socket {
			return configRouter{n.RouterConfig(), m}, nil
		}
	}
	return nil, errors.New("no such file or directory")
}

// configRouter answers with the entities of a configuration file. What was
// read is kept while the file is the same one.
type configRouter struct {
	file string
	from *machinery
}

func (r configRouter) Close() error { return nil }

func (r configRouter) Read(ctx context.Context, typ, name string) (map[string]any, error) {
	rows, err := r.Query(ctx, "", typ)
	for _, row := range rows {
		if row["name"] == name {
			return row, err
		}
	}
	return nil, err
}

func (r configRouter) Query(_ context.Context, node, typ string, _ ...string) ([]map[string]any, error) {
	if node != "" {
		return nil, errors.New("no route")
	}
	info, err := os.Stat(r.file)
	if err != nil {
		return nil, err
	}
	r.from.mu.Lock()
	defer r.from.mu.Unlock()
	if old := r.from.read; old == nil || !os.SameFile(old, info) || !old.ModTime().Equal(info.ModTime()) {
		if r.from.rows, err = readEntities(r.file); err != nil {
			return nil, err
		}
		r.from.read = info
	}
	if typ != typeListener || r.from.lost == "" {
		return r.from.rows[typ], nil
	}
	rows := slices.Clone(r.from.rows[typ]) // others may be reading them
	for i, row := range rows {
		if row["port"] == r.from.lost {
			rows[i] = maps.Clone(row)
			rows[i]["operStatus"], rows[i]["connectionMsg"] = "down", "listen on :"+r.from.lost+": address already in use"
		}
	}
	return rows, nil
}

func readEntities(file string) (map[string][]map[string]any, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list, err := state.Entities(data)
	if err != nil {
		return nil, err
	}
	rows := map[string][]map[string]any{}
	for _, e := range list {
		row := map[string]any{"operStatus": "up"}
		for k, v := range e.Attrs {
			row[k] = v
		}
		rows["io.skupper.router."+e.Type] = append(rows["io.skupper.router."+e.Type], row)
	}
	return rows, nil
}

// newMachinery makes an empty data home with its stand-ins.
func newMachinery(t testing.TB) (*machinery, Options) {
	t.Helper()
	run, err := os.MkdirTemp("", "sk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) }) // a directory of the test
	paths, err := layout.Locate(layout.Env{UID: 1000, OutputPath: t.TempDir(), XDGRuntimeDir: run})
	if err != nil {
		t.Fatal(err)
	}
	m := &machinery{paths: paths, running: map[string]state.Unit{}}
	return m, Options{Paths: paths, Version: "test", Binary: "/usr/bin/skupper", Getenv: func(string) string { return "" }, UID: 1000, Dial: m.dial}
}

// agentOf runs an agent until the test ends.
func agentOf(t testing.TB, m *machinery, o Options) *Agent {
	t.Helper()
	a, stop := passingAgent(t, m, o)
	t.Cleanup(stop)
	return a
}

// passingAgent runs an agent until stop is called.
func passingAgent(t testing.TB, m *machinery, o Options) (a *Agent, stop func()) {
	t.Helper()
	a = NewAgent(o, m)
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.Run(ctx, func() { close(ready) }); err != nil {
			t.Errorf("agent: %v", err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	select {
	case <-ready:
	case <-time.After(10 * time.Second):
		stop()
		t.Fatal("the agent does not come up")
	}
	return a, stop
}

// many is a site with n listeners and n connectors.
func many(n int) api.File {
	text := "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: big}\n"
	for i := range n {
		text += fmt.Sprintf("---\napiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: l%d}\nspec: {routingKey: k%d, host: 127.0.0.1, port: %d}\n", i, i, 20000+i)
		text += fmt.Sprintf("---\napiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: {name: c%d}\nspec: {routingKey: k%d, host: 127.0.0.1, port: %d}\n", i, i, 30000+i)
	}
	return api.File{Name: "big.yaml", Data: []byte(text)}
}
