package system

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/resource"
)

func siteFile(name, spec string) api.File {
	return api.File{Name: name + ".yaml", Data: []byte("apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n")}
}

func listenerFile(name, port string) api.File {
	return api.File{Name: name + ".yaml", Data: []byte("apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: {name: " + name +
		"}\nspec: {routingKey: k, host: 127.0.0.1, port: " + port + "}\n")}
}

// apply applies files that have to be accepted.
func apply(t *testing.T, a *Agent, ns string, files ...api.File) *api.Result {
	t.Helper()
	r, err := a.Apply(t.Context(), ns, api.ApplyRequest{Files: files, Start: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// snapshot is every file of a directory with its content.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/runtime/resources/") || strings.Contains(path, "journal.json") || strings.Contains(path, "/internal/history/") || strings.HasSuffix(path, "/internal/events.log") {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestApplyStartsThenChangesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	r := apply(t, a, "west", siteFile("west", "linkAccess: default"), listenerFile("db", "5432"))
	if !r.Started || r.State != api.Running || r.Generation != 1 {
		t.Errorf("result %+v", r)
	}
	if d := cmp.Diff([]string{"start skupper-west.service"}, m.took()); d != "" {
		t.Error(d)
	}
	dir := filepath.Join(o.Paths.NamespacesDir(), "west")
	before := snapshot(t, dir)
	r = apply(t, a, "west", siteFile("west", "linkAccess: default"), listenerFile("db", "5432"))
	if len(r.Plan) > 0 || r.Generation != 1 || slices.ContainsFunc(r.Changes, func(c api.Change) bool { return c.Action != api.Unchanged }) {
		t.Errorf("the same input: %+v", r)
	}
	if d := cmp.Diff(before, snapshot(t, dir)); d != "" {
		t.Errorf("the same input changes files:\n%s", d)
	}
	if calls := m.took(); len(calls) > 0 {
		t.Errorf("the same input: %v", calls)
	}
	r = apply(t, a, "west", listenerFile("db", "5433"))
	if r.Summary != "adds 0, changes 1, removes 0, connections dropped: 0" || r.Generation != 2 {
		t.Errorf("one change: %+v", r)
	}
	if d := cmp.Diff([]string{"reload skupper-west.service"}, m.took()); d != "" {
		t.Error(d)
	}
}

func TestFailedApplyPutsEverythingBack(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	dir := filepath.Join(o.Paths.NamespacesDir(), "west")
	before := snapshot(t, dir)
	for name, files := range map[string][]api.File{
		"a port out of range": {listenerFile("db", "99999")},
		"a second site":       {siteFile("east", "")},
		"not YAML":            {{Name: "x.yaml", Data: []byte("kind: [")}},
	} {
		_, err := a.Apply(t.Context(), "west", api.ApplyRequest{Files: files, Start: true})
		var problems []api.Problem
		if e, ok := err.(*api.Error); ok {
			problems = e.Problems
		}
		if api.KindOf(err) != api.Invalid || len(problems) == 0 {
			t.Errorf("%s: error %v, problems %v", name, err, problems)
		}
	}
	if d := cmp.Diff(before, snapshot(t, dir)); d != "" {
		t.Errorf("refused input leaves traces:\n%s", d)
	}
	s, err := a.Status(t.Context(), "west")
	if err != nil || s.Error != "" {
		t.Errorf("refused input is in the status: %v, %v", s.Error, err)
	}
}

func TestBrokenNamespaceLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	apply(t, a, "east", siteFile("east", ""))
	file := filepath.Join(o.Paths.NamespacesDir(), "west", "input", "resources", "broken.yaml")
	if err := os.WriteFile(file, []byte("kind: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, a, "west", func(s *api.Status) bool { return strings.Contains(s.Error, "broken.yaml") })
	apply(t, a, "east", listenerFile("db", "5432"))
	s, err := a.Status(t.Context(), "west")
	if err != nil || !s.Observed || s.Namespace.State != api.Running {
		t.Errorf("the broken one does not go on: %+v, %v", s.Namespace, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, a, "west", func(s *api.Status) bool { return s.Error == "" })
}

// TestSiteIsStoppedWhateverItsInputSays: a router that has to go does not wait for
// somebody to mend a file.
func TestSiteIsStoppedWhateverItsInputSays(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"half a file": func(dir string) error { return os.WriteFile(filepath.Join(dir, "x.yaml"), []byte("kind: ["), 0o600) },
		"no Site":     func(dir string) error { return os.RemoveAll(dir) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, o := newMachinery(t)
			a, stop := passingAgent(t, m, o)
			apply(t, a, "west", siteFile("west", ""), listenerFile("db", "5432"))
			before, err := a.Status(t.Context(), "west")
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(o.Paths.NamespacesDir(), "west", "input", "resources")
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			awaitStatus(t, a, "west", func(s *api.Status) bool { return s.Error != "" })
			m.took()
			operate := func(op api.Operation) error {
				_, err := a.Operate(t.Context(), "west", api.OperateRequest{Operation: op})
				return err
			}
			if err := operate(api.Start); err == nil {
				t.Error("the input is put into effect")
			}
			if err := operate(api.Stop); err != nil {
				t.Fatal(err)
			}
			s, err := a.Status(t.Context(), "west")
			if calls := m.took(); err != nil || s.Namespace.State != api.Stopped || s.Error == "" || !slices.Contains(calls, "stop skupper-west.service") {
				t.Errorf("%+v, %q, %v; %v", s.Namespace, s.Error, err, calls)
			}
			// The next agent lets it rest, too; the site is as it was.
			stop()
			a, stop = passingAgent(t, m, o)
			defer stop()
			awaitStatus(t, a, "west", func(s *api.Status) bool { return s.Namespace.State == api.Stopped })
			_ = os.Remove(filepath.Join(dir, "x.yaml"))
			apply(t, a, "west", siteFile("west", ""))
			if err := operate(api.Start); err != nil {
				t.Fatal(err)
			}
			s, err = a.Status(t.Context(), "west")
			if err != nil || s.Namespace.State != api.Running || s.Router.ID != before.Router.ID {
				t.Errorf("started again: %+v, %v", s.Namespace, err)
			}
			// Whoever takes the Site away is told that it goes on.
			r, err := a.Delete(t.Context(), "west", api.DeleteRequest{Objects: []api.Ref{{Kind: "Site", Name: "west"}}})
			if err != nil || !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "skupper -n west system teardown") }) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// awaitStatus waits until the status of a namespace is as wanted.
func awaitStatus(t *testing.T, a *Agent, ns string, is func(*api.Status) bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		s, err := a.Status(t.Context(), ns)
		if err == nil && is(s) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			if s == nil {
				s = &api.Status{}
			}
			t.Fatalf("namespace %s: last status %+v, failure %q, generation %d, error %v", ns, s.Namespace, s.Error, s.Generation, err)
		}
	}
}

func TestStopKeepsAndTeardownRemoves(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", "linkAccess: default"))
	first, err := a.Status(t.Context(), "west")
	if err != nil {
		t.Fatal(err)
	}
	operate := func(op api.Operation) *api.Result {
		t.Helper()
		r, err := a.Operate(t.Context(), "west", api.OperateRequest{Operation: op})
		if err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		return r
	}
	operate(api.Stop)
	s, err := a.Status(t.Context(), "west")
	if err != nil || s.Namespace.State != api.Stopped || s.Observed {
		t.Errorf("after stop: %+v, %v", s.Namespace, err)
	}
	if r := operate(api.Stop); !slices.Contains(r.Notes, "the site is stopped already") {
		t.Errorf("notes of the second stop: %v", r.Notes)
	}
	apply(t, a, "west", listenerFile("db", "5432")) // stored; the site stays stopped
	operate(api.Start)
	s, err = a.Status(t.Context(), "west")
	if err != nil || s.Router.ID != first.Router.ID || s.Namespace.State != api.Running {
		t.Errorf("after start: %+v, router %q, before %q, %v", s.Namespace, s.Router.ID, first.Router.ID, err)
	}
	want := []string{"start", "stop", "start"}
	var got []string
	for _, c := range m.took() {
		op, _, _ := strings.Cut(c, " ")
		if op != "reload" {
			got = append(got, op)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	r := operate(api.Teardown)
	if _, err := os.Stat(r.Archive); err != nil {
		t.Errorf("archive %q: %v", r.Archive, err)
	}
	if _, err := a.Status(t.Context(), "west"); api.KindOf(err) != api.Missing {
		t.Errorf("after teardown: %v", err)
	}
}

// TestAgentComesBack ends an agent and starts another one: it knows the site
// before its first pass, and has nothing to do.
func TestAgentComesBack(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	t.Run("first", func(t *testing.T) { // its agent ends with it
		apply(t, agentOf(t, m, o), "west", siteFile("west", "linkAccess: default"), listenerFile("db", "5432"))
	})
	m.took()
	off := NewOffline(o, m)
	s, err := off.Status(t.Context(), "west")
	if err != nil || !s.Observed || len(s.Certificates) == 0 {
		t.Fatalf("without an agent: observed %v, %d certificates, %v", s.Observed, len(s.Certificates), err)
	}
	if _, err := off.Link(t.Context(), "west", api.LinkRequest{}); api.KindOf(err) != api.Unavailable {
		t.Errorf("link without an agent: %v", err)
	}
	a := agentOf(t, m, o)
	awaitStatus(t, a, "west", func(s *api.Status) bool { return s.Observed && s.Generation == 1 })
	r := apply(t, a, "west", listenerFile("db", "5432"))
	if len(r.Plan) > 0 || len(m.took()) > 0 {
		t.Errorf("the second agent changes something: %v", r.Plan)
	}
}

func TestLinkFilesHaveKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", "linkAccess: default"))
	seen := map[string]bool{}
	for range 2 {
		f, err := a.Link(t.Context(), "west", api.LinkRequest{Host: "west.example.com", Generate: true, Cost: 3})
		if err != nil {
			t.Fatal(err)
		}
		set, _, err := resource.Parse([]resource.Input{{Name: "link", Data: f.Document}})
		if err != nil {
			t.Fatal(err)
		}
		l := resource.Get[*resource.Link](set, f.Name)
		if l == nil || l.Spec.Cost != 3 || l.Spec.Endpoints[0].Host != "west.example.com" {
			t.Fatalf("link %+v", l)
		}
		seen[string(resource.Get[*resource.Secret](set, l.Spec.TLSCredentials).Data[resource.TLSKey])] = true
	}
	if len(seen) != 2 {
		t.Error("two link files share a key")
	}
	s, err := a.Status(t.Context(), "west")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Certificates, func(c api.Certificate) bool { return c.Name == "west" })
	if !slices.Contains(s.Certificates[i].Hosts, "west.example.com") {
		t.Errorf("the server certificate names %v", s.Certificates[i].Hosts)
	}
	for host, kind := range map[string]api.Kind{"0.0.0.0": api.Invalid, "no good": api.Invalid} {
		if _, err := a.Link(t.Context(), "west", api.LinkRequest{Host: host}); api.KindOf(err) != kind {
			t.Errorf("host %s: %v", host, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	w := httptest.NewRecorder()
	newMetrics(a).handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`skupper_agent_info{units="agent",version="test"} 1`,
		`skupper_agent_namespace_state{namespace="west",state="running"} 1`,
		`skupper_agent_namespace_state{namespace="west",state="failed"} 0`,
		`skupper_agent_namespace_generation{namespace="west"} 1`,
		`skupper_agent_certificate_expiry_timestamp_seconds{certificate="ca/skupper-site-ca",namespace="west"}`,
	} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("lacks %s", line)
		}
	}
}

// TestDescriptionIsServed asks the agent's socket for every path of its
// description: none is unknown.
func TestDescriptionIsServed(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	socket, err := o.Paths.AgentSocket()
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	var doc struct{ Paths map[string]map[string]any }
	if err := yaml.Unmarshal(api.Description(), &doc); err != nil {
		t.Fatal(err)
	}
	for path, operations := range doc.Paths {
		for method := range operations {
			if method == "parameters" {
				continue
			}
			url := "http://agent" + strings.ReplaceAll(path, "{namespace}", "west")
			req, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(method), url, strings.NewReader("no request"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			want := http.StatusOK
			if method == "post" {
				want = http.StatusBadRequest // and nothing is done
			}
			if resp.StatusCode != want {
				t.Errorf("%s %s: %s, want %d", method, path, resp.Status, want)
			}
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestLinkNeedsAccess(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	apply(t, a, "east", siteFile("east", "edge: true"))
	for ns, text := range map[string]string{"west": "does not let others link", "east": "edge sites cannot"} {
		_, err := a.Link(t.Context(), ns, api.LinkRequest{Host: "h"})
		if api.KindOf(err) != api.Invalid || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", ns, err)
		}
	}
}

func TestPatchKeepsTheRest(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", "settings: {router-logging: ROUTER:debug}"), listenerFile("db", "5432"))
	patch := func(kind, name string, fields map[string]any) error {
		_, err := a.Patch(t.Context(), "west", api.PatchRequest{Object: api.Ref{Kind: kind, Name: name}, Fields: fields})
		return err
	}
	if err := patch("Site", "west", map[string]any{"spec.linkAccess": "default"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(o.Paths.NamespacesDir(), "west", "input", "resources", "Site-west.yaml"))
	if err != nil || !strings.Contains(string(data), "router-logging") || !strings.Contains(string(data), "linkAccess: default") {
		t.Errorf("%s, %v", data, err)
	}
	for name, row := range map[string]struct {
		err  error
		kind api.Kind
	}{
		"unknown object": {patch("Listener", "nosuch", map[string]any{"spec.port": 1}), api.Missing},
		"unknown kind":   {patch("Nonsense", "db", nil), api.Invalid},
		"wrong value":    {patch("Listener", "db", map[string]any{"spec.port": "many"}), api.Invalid},
	} {
		if api.KindOf(row.err) != row.kind {
			t.Errorf("%s: %v", name, row.err)
		}
	}
}

func TestDeletedLinkTakesItsKeyAlong(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "east", siteFile("east", "linkAccess: default"))
	f, err := a.Link(t.Context(), "east", api.LinkRequest{Host: "localhost", Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, a, "west", siteFile("west", ""), api.File{Name: "link.yaml", Data: f.Document})
	r, err := a.Delete(t.Context(), "west", api.DeleteRequest{Missing: true, Objects: []api.Ref{{Kind: "Link", Name: f.Name}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []api.Change{{Object: "link/" + f.Name, Action: api.Deleted}, {Object: "secret/" + f.Name, Action: api.Deleted}}
	if d := cmp.Diff(want, r.Changes); d != "" {
		t.Error(d)
	}
	// Without its Site the input is incomplete: the site goes on.
	if _, err := a.Delete(t.Context(), "west", api.DeleteRequest{Objects: []api.Ref{{Kind: "Site", Name: "west"}}}); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, a, "west", func(s *api.Status) bool { return s.Error != "" && s.Namespace.State == api.Running })
}

// TestRouterThatDoesNotTakeItsConfiguration has the change undone.
func TestRouterThatDoesNotTakeItsConfiguration(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	o.Confirm = 300 * time.Millisecond
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	before := snapshot(t, filepath.Join(o.Paths.NamespacesDir(), "west"))
	m.mu.Lock()
	m.silent = true
	m.mu.Unlock()
	a.known()[0].router.close()
	_, err := a.Apply(t.Context(), "west", api.ApplyRequest{Files: []api.File{listenerFile("db", "5432")}, Start: true})
	if err == nil || !strings.Contains(err.Error(), "router does not answer") {
		t.Fatalf("error %v", err)
	}
	if d := cmp.Diff(before, snapshot(t, filepath.Join(o.Paths.NamespacesDir(), "west"))); d != "" {
		t.Errorf("not undone:\n%s", d)
	}
	s, err := a.Status(t.Context(), "west")
	if err != nil || s.Observed || s.Namespace.State != api.Failed {
		t.Errorf("status %+v, %v", s.Namespace, err)
	}
}

func TestNamesOfWhatIsWantedOrInEffect(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	want := []api.Ref{{Kind: "Site", Name: "west"}, {Kind: "Listener", Name: "db"}}
	for _, start := range []bool{false, true} {
		r := api.ApplyRequest{Files: []api.File{listenerFile("db", "5432"), siteFile("west", "")}, Start: start}
		if _, err := a.Apply(t.Context(), "west", r); err != nil {
			t.Fatal(err)
		}
		got, err := a.Names(t.Context(), "west")
		if err != nil || len(*got) < len(want) {
			t.Fatalf("started %v: %v, %v", start, got, err)
		}
		if d := cmp.Diff(want, (*got)[:len(want)]); d != "" { // then what a running site makes
			t.Errorf("started %v: %s", start, d)
		}
	}
	if _, err := a.Names(t.Context(), "east"); api.KindOf(err) != api.Missing {
		t.Errorf("of a namespace that does not exist: %v", err)
	}
}

// TestInputThatATeardownKeepsIsShown: the site can be started from it again.
func TestInputThatATeardownKeepsIsShown(t *testing.T) {
	t.Parallel()
	m, o := newMachinery(t)
	a := agentOf(t, m, o)
	apply(t, a, "west", siteFile("west", ""))
	if _, err := a.Operate(t.Context(), "west", api.OperateRequest{Operation: api.Teardown, KeepInput: true, Purge: true}); err != nil {
		t.Fatal(err)
	}
	s, err := a.Status(t.Context(), "west")
	if err != nil || s.Namespace.State != api.Defined || s.Namespace.Site != "west" {
		t.Errorf("%+v, %v", s.Namespace, err)
	}
}
