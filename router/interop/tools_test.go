package interop

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// managed is a network of two interior routers, each with an edge router, and a
// listener for management at each.
func managed(t *testing.T, kinds ...kind) (w *network, admins []admin) {
	t.Helper()
	w = topology{kinds: kinds, edges: []int{2, 3}, links: [][2]int{{0, 1}, {2, 1}, {3, 0}}}.build(t)
	for i, n := range w.nodes {
		n.set("router", "metadata", fmt.Sprintf(`{"id":%q,"version":"2.1.0","platform":"linux"}`, siteID(i)))
		admins = append(admins, n.admin())
	}
	newService(t, w.back).run(echo)
	w.start()
	for i, a := range admins {
		eventually(t, 30*time.Second, "every connection of "+w.nodes[i].name, func() error {
			rows, err := a.query("connection", "role", "container")
			peers := map[any]bool{}
			for _, r := range rows {
				if r["role"] != "normal" && r["container"] != nil {
					peers[r["container"]] = true
				}
			}
			if want := []int{2, 2, 1, 1}[i]; err == nil && len(peers) != want {
				err = fmt.Errorf("it is connected to %v", peers)
			}
			return err
		})
	}
	return w, admins
}

// answer is what a tool prints and how it ends.
type answer struct {
	out  string
	code int
}

// ask runs one of upstream's tools at a router.
func (a admin) ask(t *testing.T, tool string, args ...string) answer {
	t.Helper()
	cmd := exec.Command(tool, append(slices.Clone(args), "-b", local(a.port))...)
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return answer{string(out), cmd.ProcessState.ExitCode()}
}

// columns is the heading of a table of skstat.
func columns(out string) string {
	lines := strings.Split(out, "\n")
	for i, l := range lines {
		if i > 0 && strings.HasPrefix(strings.TrimSpace(l), "====") {
			return strings.Join(strings.Fields(lines[i-1]), " ")
		}
	}
	return ""
}

// tool skips the test when one of upstream's tools is not there.
func tool(t *testing.T, name string) {
	t.Helper()
	requires(t, theirs)
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
}

// TestSkstat: every view of either router, asked directly or through the
// other, has the same columns and ends the same way.
func TestSkstat(t *testing.T) {
	t.Parallel()
	tool(t, "skstat")
	w, admins := managed(t, ours, theirs, ours, theirs)
	for _, view := range []string{
		"-g", "-c", "-l", "-n", "-e", "-a", "-m", "-p", "--autolinks", "--vhosts", "--vhostgroups", "--vhoststats", "--log", "--all-entities",
	} {
		for _, more := range [][]string{nil, {"-v"}, {"-r", w.nodes[1].name}, {"-d", w.nodes[2].name}} {
			args := append([]string{view}, more...)
			our, their := admins[0].ask(t, "skstat", args...), admins[1].ask(t, "skstat", args...)
			if our.code != 0 {
				t.Errorf("skstat %v ends with %d at ours", args, our.code)
			}
			if their.code == 0 && columns(our.out) != columns(their.out) { // upstream's fails at -l -v
				t.Errorf("skstat %v: columns\n%s of ours\n%s of upstream's", args, columns(our.out), columns(their.out))
			}
		}
	}
	if a := admins[0].ask(t, "skstat", "-g", "-r", "nobody"); a.code == 0 {
		t.Error("skstat of a router that is not there succeeds")
	}
}

// attributesOf returns the names in a row, or in any of several.
func attributesOf(t *testing.T, out string) map[string]bool {
	t.Helper()
	var one map[string]any
	var many []map[string]any
	if json.Unmarshal([]byte(out), &one) == nil {
		many = append(many, one)
	} else if json.Unmarshal([]byte(out), &many) != nil {
		return nil
	}
	names := map[string]bool{}
	for _, m := range many {
		for k := range m {
			names[k] = true
		}
	}
	return names
}

// TestSkmanage: every operation ends with the same code, and says of ours what
// it says of upstream's.
func TestSkmanage(t *testing.T) {
	t.Parallel()
	tool(t, "skmanage")
	w, admins := managed(t, ours, theirs, ours, theirs)
	both := func(args ...string) (our, their answer) {
		t.Helper()
		our, their = admins[0].ask(t, "skmanage", args...), admins[1].ask(t, "skmanage", args...)
		if our.code != their.code {
			t.Errorf("skmanage %v ends with %d at ours and %d at upstream's", args, our.code, their.code)
		}
		a := attributesOf(t, our.out)
		for _, k := range slices.Sorted(maps.Keys(attributesOf(t, their.out))) {
			// Upstream's puts the name of routerMetrics in a column without a name,
			// shows the group of a connection that is in none, and among all entities
			// those of router.config.address, of which we show what has that type.
			if !a[k] && k != "" && k != "groupCorrelationId" && !(args[0] == "query" && len(args) == 1 && (k == "prefix" || k == "distribution")) {
				t.Errorf("skmanage %v: ours does not have %s", args, k)
			}
		}
		return our, their
	}
	for _, op := range []string{"get-types", "get-attributes", "get-operations", "get-annotations", "get-mgmt-nodes", "get-log", "get-json-schema"} {
		both(op)
	}
	our, their := both("get-schema")
	var schemas [2]struct {
		EntityTypes map[string]struct {
			Attributes map[string]any
			Operations []string
		}
	}
	for i, a := range []answer{our, their} {
		if err := json.Unmarshal([]byte(a.out), &schemas[i]); err != nil {
			t.Fatal(err)
		}
	}
	if len(schemas[1].EntityTypes) == 0 {
		t.Fatal("upstream's schema is empty")
	}
	for name, typ := range schemas[1].EntityTypes {
		have := schemas[0].EntityTypes[name]
		for a := range typ.Attributes {
			if _, ok := have.Attributes[a]; !ok {
				t.Errorf("schema: %s of ours does not have %s", name, a)
			}
		}
		if !slices.Equal(slices.Sorted(slices.Values(have.Operations)), slices.Sorted(slices.Values(typ.Operations))) {
			t.Errorf("schema: operations of %s are %v, of upstream's %v", name, have.Operations, typ.Operations)
		}
		if name != "vhostUserGroupSettings" {
			both("query", "--type", name)
		}
	}
	for _, args := range [][]string{
		{"query"},
		{"query", "--type", "nothing"},
		{"query", "--type", "router", "nothing"},
		{"query", "--type", "connection", "host", "container"},
		{"query", "--type", "listener", "-r", w.nodes[1].name},
		{"query", "--type", "listener", "-r", "nobody"},
		{"query", "--type", "listener", "-d", w.nodes[2].name},
		{"query", "--type", "listener", "-d", w.nodes[3].name},
		{"read"},
		{"read", "--name", "management"},
		{"read", "--type", "listener", "--name", "management"},
		{"read", "--type", "router", "--identity", "1"},
		{"create", "--type", "tcpListener", "--name", "x"},
		{"create", "--type", "tcpListener", "--name", "x", "host=127.0.0.1", "port=0", "address=q"},
		{"create", "--type", "tcpListener", "--name", "x", "host=127.0.0.1", "port=0", "address=q"},
		{"read", "--name", "x"},
		{"update", "--type", "tcpListener", "--name", "x", "address=r"},
		{"update", "--type", "tcpListener", "--name", "x", "observer=none"},
		{"delete", "--type", "tcpListener", "--name", "x"},
		{"delete", "--type", "tcpListener", "--name", "x"},
		{"create", "--type", "address", "--name", "a", "prefix=q", "distribution=closest"},
		{"update", "--type", "address", "--name", "a", "prefix=z"},
		{"delete", "--type", "address", "--name", "a"},
		{"create", "--type", "connector", "--name", "c", "host=127.0.0.1", "port=1", "role=normal", "bogus=1"},
		{"create", "--type", "connector", "--name", "c", "host=127.0.0.1", "port=1", "role=nonsense"},
		{"create", "--type", "connector", "--name", "c", "host=127.0.0.1", "port=1", "role=route-container"},
		{"delete", "--type", "connector", "--name", "c"},
		{"update", "--type", "log", "--name", "log/AGENT", "enable=debug+"},
		{"update", "--type", "log", "--identity", "log/AGENT", "enable=nonsense"},
		{"update", "--type", "router", "--name", "router/o0", "workerThreads=3"},
		{"update", "--type", "connection", "--identity", "99999", "adminStatus=deleted"},
		{"delete", "--type", "connection", "--identity", "1"},
		{"create", "--type", "router.link", "--name", "x"},
		{"create", "--type", "dummy", "--name", "d", "arg1=x"},
		{"callme", "--type", "dummy", "--name", "d"},
		{"delete", "--type", "dummy", "--name", "d"},
		{"get-operations", "--type", "router"},
		{"get-log", "limit=2"},
		{"profile", "--type", "router"},
		{"frobnicate"},
	} {
		both(args...)
	}
}

// upstreamSource is the variable that names a directory with the sources of
// upstream's skupper, for its management agent.
const upstreamSource = "SKUPPER_UPSTREAM_SOURCE"

// TestUpstreamsAgent: the calls by which upstream's controllers configure a
// router and look at a network.
func TestUpstreamsAgent(t *testing.T) {
	t.Parallel()
	source := os.Getenv(upstreamSource)
	if source == "" {
		t.Skip(upstreamSource + " does not name a directory with upstream's sources")
	}
	here, err := filepath.Abs("testdata/agent/main.go")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(source, "cmd", "agent", "main.go"): here}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "agent")
	build := exec.Command("go", "build", "-overlay", list, "-o", program, "./cmd/agent")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w, admins := managed(t, ours, ours, ours, ours) // upstream's agent does not understand the batches of upstream's router
	out, err := exec.Command(program, "amqp://"+local(admins[0].port), w.certs).CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	steps := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, s := range steps {
		if !strings.HasSuffix(s, ": ok") && strings.Contains(s, ": ") {
			t.Error(s)
		}
	}
	if len(steps) < 15 {
		t.Errorf("it says no more than\n%s", out)
	}
}

// TestProtonClients: ordinary AMQP clients at our router, and from it to
// upstream's and back.
func TestProtonClients(t *testing.T) {
	t.Parallel()
	requires(t, theirs)
	if err := exec.Command("python3", "-c", "import proton").Run(); err != nil {
		t.Skip("Proton's Python package is not there")
	}
	w := topology{kinds: []kind{ours, theirs, ours}, edges: []int{2}, links: [][2]int{{0, 1}, {2, 0}}}.build(t)
	var admins []admin
	for _, n := range w.nodes {
		admins = append(admins, n.admin())
	}
	newService(t, w.back).run(echo)
	w.start()
	admins[0].knows(t, 2)
	for _, way := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 2}} {
		from, to := w.nodes[way[0]], w.nodes[way[1]]
		out, err := exec.Command("python3", "testdata/clients.py", local(admins[way[0]].port), local(admins[way[1]].port)).CombinedOutput()
		if err != nil {
			t.Errorf("%s to %s: %v\n%s", from.name, to.name, err, out)
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if !strings.HasSuffix(line, ": ok") {
				t.Errorf("%s to %s: %s", from.name, to.name, line)
			}
		}
	}
}
