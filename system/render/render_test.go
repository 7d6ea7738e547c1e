package render

import (
	"bytes"
	"crypto/rand"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/layout"
	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const fixtures = "../../testdata/sites"

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// load reads the resources of a site.
func load(t *testing.T, path string, extra ...resource.Input) *resource.Set {
	t.Helper()
	files := extra
	err := filepath.WalkDir(filepath.Join(fixtures, path), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !resource.Loadable(p) {
			return err
		}
		data, err := os.ReadFile(p)
		files = append(files, resource.Input{Name: filepath.Base(p), Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := resource.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// machine is a host as they often are.
func machine() site.Context {
	return site.Context{
		Namespace: "west", Hostname: "box", FQDN: "box.example.com", FirstPort: 1024,
		Interfaces: []site.Interface{
			{Name: "lo", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}},
			{Name: "eth0", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("2001:db8::7")}},
		},
	}
}

// userPaths and systemPaths are instances of both kinds.
func userPaths(t *testing.T) layout.Paths {
	t.Helper()
	p, err := layout.Locate(layout.Env{UID: 1000, Home: "/home/ann", XDGRuntimeDir: "/run/user/1000"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func systemPaths(t *testing.T) layout.Paths {
	t.Helper()
	p, err := layout.Locate(layout.Env{UID: 0})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// input is a site of an ordinary user that was never rendered.
func input(t *testing.T, set *resource.Set, ctx site.Context) Input {
	t.Helper()
	s, _, err := site.Build(set, ctx)
	if err != nil {
		t.Fatal(err)
	}
	base := userPaths(t)
	paths, err := base.Namespace("west")
	if err != nil {
		t.Fatal(err)
	}
	return Input{
		Site: s, Paths: paths, Base: base, Now: epoch, Random: rand.Reader, InputHash: "h1",
		Machine:  Machine{Binary: "/usr/bin/skupper", Platform: "linux", Version: "0.1.0", FirstPort: 1024},
		Objects:  slices.Collect(s.Objects.All()),
		Snapshot: slices.Collect(set.All()),
	}
}

func render(t *testing.T, in Input) Output {
	t.Helper()
	out, err := Render(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// again is the input of the next pass: what was rendered is on disk.
func again(in Input, out Output) Input {
	in.Have, in.Memory = out.State, out.Memory
	return in
}

// sites are the fixtures; links are made from those that accept them.
func sites() []struct{ name, link, access, host string } {
	return []struct{ name, link, access, host string }{
		{"hello-world/west", "", "", ""},
		{"hello-world/east", "hello-world/west", "west", "192.0.2.7"},
		{"three-site-edge/hub", "", "", ""},
		{"three-site-edge/branch", "three-site-edge/hub", "hub-access", "hub.test"},
		{"three-site-edge/device", "three-site-edge/hub", "hub-access", "127.0.0.1"},
		{"tcp-database/dbhost", "", "", ""},
		{"tcp-database/office", "", "", ""},
		{"tls-service/front", "", "", ""},
		{"multikey-failover/app", "", "", ""},
		{"grants/issuer", "", "", ""},
		{"ignored", "", "", ""},
	}
}

// TestGolden renders the fixtures, and each a second time over the first.
func TestGolden(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 7)
	for _, row := range sites() {
		t.Run(strings.ReplaceAll(row.name, "/", "-"), func(t *testing.T) {
			var extra []resource.Input
			if row.link != "" {
				in := input(t, load(t, row.link), machine())
				file := in.Paths.LinkFile(row.access, row.host)
				extra = append(extra, resource.Input{Name: "link.yaml", Data: render(t, in).State.Files[file].Data})
			}
			in := input(t, load(t, row.name, extra...), machine())
			out := render(t, in)
			golden(t, strings.ReplaceAll(row.name, "/", "-"), printed(t, in, out))
			steady(t, in, out)
		})
	}
}

// steady checks that nothing changes when nothing has changed.
func steady(t *testing.T, in Input, out Output) {
	t.Helper()
	next := again(in, out)
	next.Now = next.Now.Add(24 * time.Hour)
	second := render(t, next)
	if steps := plan.Make(second.State, out.State); len(steps) > 0 {
		t.Errorf("a second pass has something to do:\n%s", plan.Text(steps))
	}
	if len(second.Issued) > 0 {
		t.Errorf("a second pass issues %v", second.Issued)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

// printed is what was rendered as text: the tree, what certificates say, and
// the files that people read. Keys are left out.
func printed(t *testing.T, in Input, out Output) string {
	t.Helper()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	short := func(text string) string { return strings.ReplaceAll(text, in.Paths.Dir, "NS") }
	line("-- directories --")
	for _, path := range slices.Sorted(maps.Keys(out.State.Dirs)) {
		d := out.State.Dirs[path]
		line("%o%s %s", d.Mode, d.Owner, short(path))
	}
	for _, path := range out.State.Paths() {
		f := out.State.Files[path]
		line("-- %s (%o%s, %s) --", short(path), f.Mode, f.Owner, f.Subject)
		switch name := filepath.Base(path); {
		case strings.HasSuffix(name, ".crt"):
			line("%s", certificates(t, f.Data))
		case name == pki.KeyFile:
			line("a key")
		case strings.HasPrefix(path, in.Paths.Links()):
			line("%s", linkDocument(t, f.Data))
		default:
			line("%s", short(strings.TrimRight(string(f.Data), "\n")))
		}
	}
	for name, u := range out.State.Units {
		line("-- %s: %s --", name, u)
		line("%s\nenvironment %v\nreads %v", short(strings.Join(u.Command, " ")), u.Env, short(strings.Join(u.Reads, " ")))
	}
	return b.String()
}

func certificates(t *testing.T, text []byte) string {
	t.Helper()
	certs, err := pki.Certificates(text)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range certs {
		lines = append(lines, fmt.Sprintf("%s issued by %s, CA %v, until %s, names %v, addresses %v",
			c.Subject, c.Issuer, c.IsCA, c.NotAfter.Format(time.DateOnly), c.DNSNames, c.IPAddresses))
	}
	return strings.Join(lines, "\n")
}

// linkDocument prints a link file with its certificates read.
func linkDocument(t *testing.T, text []byte) string {
	t.Helper()
	secret, link, ok := strings.Cut(string(text), "---\n")
	if !ok || !strings.Contains(secret, "kind: Secret") {
		t.Fatalf("link file without a Secret first:\n%s", text)
	}
	name, pair := readLinkFile("link.yaml", text)
	if _, err := pki.Load(pair); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("Secret %s\ntls.crt: %s\nca.crt: %s\n%s", name, certificates(t, pair.Cert), certificates(t, pair.CA), strings.TrimRight(link, "\n"))
}

func TestSystemInstance(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 8)
	in := input(t, load(t, "hello-world/west"), machine())
	in.Base = systemPaths(t)
	var err error
	if in.Paths, err = in.Base.Namespace("west"); err != nil {
		t.Fatal(err)
	}
	in.Machine.User, in.Machine.Systemd = "skupper", true
	out := render(t, in)
	golden(t, "system-instance", out.State.String())
	steady(t, in, out)
	for path, f := range out.State.Files {
		if strings.HasPrefix(path, in.Paths.Issuers()+"/") && f.Owner != (state.Owner{}) {
			t.Errorf("%s belongs to%s", path, f.Owner)
		}
	}
	if !bytes.Equal(out.State.Files[in.Paths.Unit].Data, RouterUnit("west", out.State.Units["skupper-west.service"], in.Base)) {
		t.Error("the unit file is not that of the unit")
	}
}
