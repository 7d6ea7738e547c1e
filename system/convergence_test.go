package system

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/pki"
)

// drop puts a file into the input of a namespace, as a person does.
func drop(t *testing.T, o Options, ns string, data []byte, path ...string) {
	t.Helper()
	file := filepath.Join(append([]string{o.Paths.NamespacesDir(), ns, "input"}, path...)...)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "file") // nobody sees half of it
	if err := errors.Join(os.WriteFile(whole, data, 0o600), os.Rename(whole, file)); err != nil {
		t.Fatal(err)
	}
}

// has reports whether a status names a listener or connector of the router.
func has(s *api.Status, name string) bool {
	return slices.ContainsFunc(append(slices.Clone(s.Listeners), s.Connectors...), func(b api.BridgeState) bool { return b.Name == name })
}

// TestFilesThatAppearAreApplied drops files into the input of a running site,
// changes them and takes them away.
func TestFilesThatAppearAreApplied(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	drop(t, o, "west", listenerFile("db", "5432").Data, "resources", "mine.yaml")
	awaitStatus(t, a, "west", func(s *api.Status) bool { return has(s, "db") && s.Error == "" })
	drop(t, o, "west", append(append(listenerFile("db", "5432").Data, "---\n"...), listenerFile("web", "8080").Data...), "resources", "below", "both.yaml")
	if err := os.Remove(filepath.Join(o.Paths.NamespacesDir(), "west", "input", "resources", "mine.yaml")); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, a, "west", func(s *api.Status) bool { return has(s, "db") && has(s, "web") && s.Error == "" })
	if err := os.RemoveAll(filepath.Join(o.Paths.NamespacesDir(), "west", "input", "resources", "below")); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, a, "west", func(s *api.Status) bool { return !has(s, "db") && !has(s, "web") && s.Error == "" })
	if calls := m.took(); slices.Contains(calls, "stop skupper-west.service") {
		t.Errorf("the router was stopped: %v", calls)
	}
}

// TestUnfinishedFileKeepsTheLastGoodState leaves a file half written for longer
// than anybody waits. The site goes on, says why the input is not in effect, and
// takes the rest when it comes.
func TestUnfinishedFileKeepsTheLastGoodState(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""), listenerFile("db", "5432"))
	whole := listenerFile("web", "8080").Data
	half := append(slices.Clone(whole[:strings.Index(string(whole), "port")]), "po"...)
	drop(t, o, "west", half, "resources", "web.yaml")
	awaitStatus(t, a, "west", func(s *api.Status) bool { return strings.Contains(s.Error, "web.yaml") })
	s, err := a.Status(t.Context(), "west")
	if err != nil || !has(s, "db") || has(s, "web") || s.Generation != 1 || s.Namespace.State != api.Running {
		t.Errorf("while the file is unfinished: %+v, %v", s.Namespace, err)
	}
	drop(t, o, "west", whole, "resources", "web.yaml")
	awaitStatus(t, a, "west", func(s *api.Status) bool { return s.Error == "" && has(s, "db") && has(s, "web") })
}

// TestReplacedCredentialIsTakenUp gives a listener a certificate of one's own,
// then another one.
func TestReplacedCredentialIsTakenUp(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	own := func(subject string) {
		pair, err := pki.Issue(pki.Want{Authority: true, Subject: subject, KeyType: pki.ECDSAP256, Validity: time.Hour}, nil, time.Now(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{pki.CAFile: pair.CA, pki.CertFile: pair.Cert, pki.KeyFile: pair.Key} {
			drop(t, o, "west", data, "certs", "mine", name)
		}
	}
	subject := func(s *api.Status) string {
		i := slices.IndexFunc(s.Certificates, func(c api.Certificate) bool { return c.Name == "mine" })
		if i < 0 {
			return ""
		}
		return s.Certificates[i].Subject
	}
	apply(t, a, "west", siteFile("west", ""))
	own("first")
	tls := listenerFile("db", "5432")
	tls.Data = []byte(strings.Replace(string(tls.Data), "spec: {", "spec: {tlsCredentials: mine, ", 1))
	apply(t, a, "west", tls)
	awaitStatus(t, a, "west", func(s *api.Status) bool { return strings.Contains(subject(s), "first") && s.Error == "" })
	m.took()
	own("second")
	awaitStatus(t, a, "west", func(s *api.Status) bool { return strings.Contains(subject(s), "second") && s.Error == "" })
	if calls := m.took(); !slices.Contains(calls, "reload skupper-west.service") || slices.Contains(calls, "stop skupper-west.service") {
		t.Errorf("the router is told by %v", calls)
	}
}

// TestPruneDeletesWhatTheFilesDoNotHold applies a part of the input with Prune.
func TestPruneDeletesWhatTheFilesDoNotHold(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""), listenerFile("db", "5432"), listenerFile("web", "8080"))
	files := []api.File{siteFile("west", ""), listenerFile("db", "5432")}
	plan, err := a.Apply(t.Context(), "west", api.ApplyRequest{Files: files, Prune: true, DryRun: true})
	if err != nil || !slices.Contains(plan.Plan, "remove listener/web") {
		t.Errorf("the plan does not say what goes: %v, %v", plan, err)
	}
	r, err := a.Apply(t.Context(), "west", api.ApplyRequest{Files: files, Prune: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []api.Change{{Object: "site/west", Action: api.Unchanged}, {Object: "listener/db", Action: api.Unchanged}, {Object: "listener/web", Action: api.Deleted}}
	if d := cmp.Diff(want, r.Changes); d != "" {
		t.Error(d)
	}
	awaitStatus(t, a, "west", func(s *api.Status) bool { return has(s, "db") && !has(s, "web") })
}

// counted marks the context of questions that a countingRouter counts: the
// agent's own loop asks whenever its time comes.
type counted struct{}

// countingRouter counts what routers are asked for under the mark.
type countingRouter struct {
	Asker
	tables, reads *atomic.Int64
}

func count(ctx context.Context, n *atomic.Int64) {
	if ctx.Value(counted{}) != nil {
		n.Add(1)
	}
}

func (r countingRouter) Query(ctx context.Context, node, typ string, attributes ...string) ([]map[string]any, error) {
	count(ctx, r.tables)
	return r.Asker.Query(ctx, node, typ, attributes...)
}

func (r countingRouter) Read(ctx context.Context, typ, name string) (map[string]any, error) {
	count(ctx, r.reads)
	return r.Asker.Read(ctx, typ, name)
}

// TestOneChangeAmongManyAsksForOne counts the questions to the router of a large
// site when one listener changes, and when a command waits for it.
func TestOneChangeAmongManyAsksForOne(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	var tables, reads atomic.Int64
	dial := o.Dial
	o.Dial = func(ctx context.Context, socket string) (Asker, error) {
		asker, err := dial(ctx, socket)
		return countingRouter{asker, &tables, &reads}, err
	}
	a := agentOf(t, m, o)
	apply(t, a, "west", many(200))
	n := a.known()[0]
	ctx := context.WithValue(t.Context(), counted{}, true)
	if err := n.take(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := n.router.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	o1, err := n.pass(ctx, wish{change: changePort(n, "l5", 40001)})
	n.give()
	if err != nil || len(o1.steps) == 0 {
		t.Fatalf("%v, %v", o1, err)
	}
	if tables.Load() != 0 || reads.Load() != 1 {
		t.Errorf("a change asks for %d tables and %d entities, want 0 and 1", tables.Load(), reads.Load())
	}
	reads.Store(0)
	c, err := n.check(ctx, api.CheckRequest{Generation: 2, Objects: []api.Ref{{Kind: "Listener", Name: "l5"}}})
	if err != nil || !c.Done || tables.Load() > 0 || reads.Load() != 2 { // the listener and its address
		t.Errorf("a check says %+v, %v, and asks for %d tables and %d entities, want 0 and 2", c, err, tables.Load(), reads.Load())
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""), listenerFile("db", "5432"))
	for _, row := range []struct {
		name    string
		ask     api.CheckRequest
		done    bool
		missing string
	}{
		{"the input is in effect", api.CheckRequest{Generation: 1}, true, ""},
		{"a later input", api.CheckRequest{Generation: 7}, false, "the agent has not applied the input yet"},
		{"the site", api.CheckRequest{Site: true, Ready: true}, true, ""},
		{"a listener that the router has", api.CheckRequest{Objects: []api.Ref{{Kind: "listener", Name: "db"}}}, true, ""},
		{"what is not there has no status", api.CheckRequest{Objects: []api.Ref{{Kind: "Secret", Name: "x"}, {Kind: "Listener", Name: "gone"}}}, true, ""},
	} {
		c, err := a.Check(t.Context(), "west", row.ask)
		if err != nil || c.Done != row.done || c.Missing != row.missing {
			t.Errorf("%s: %+v, %v", row.name, c, err)
		}
	}
	m.mu.Lock()
	m.silent = true
	m.mu.Unlock()
	a.known()[0].router.close()
	c, err := a.Check(t.Context(), "west", api.CheckRequest{Site: true})
	if err != nil || c.Done || !strings.HasPrefix(c.Missing, "router: router does not answer") {
		t.Errorf("with a silent router: %+v, %v", c, err)
	}
	if _, err := a.Check(t.Context(), "east", api.CheckRequest{}); api.KindOf(err) != api.Missing {
		t.Errorf("of no namespace: %v", err)
	}
	if _, err := a.Check(t.Context(), "west", api.CheckRequest{Objects: []api.Ref{{Kind: "Nonsense"}}}); api.KindOf(err) != api.Invalid {
		t.Errorf("of no kind: %v", err)
	}
}
