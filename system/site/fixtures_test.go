package site

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/resource"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const fixtures = "../../testdata/sites"

// load reads the resources of one site, or of one file.
func load(t *testing.T, path string) (*resource.Set, []resource.Warning, error) {
	t.Helper()
	var files []resource.Input
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
	return resource.Parse(files)
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

// host is a machine as they often are.
func host() Context {
	addrs := func(list ...string) []netip.Addr {
		var all []netip.Addr
		for _, s := range list {
			all = append(all, netip.MustParseAddr(s))
		}
		return all
	}
	return Context{
		Namespace: "default",
		Hostname:  "box", FQDN: "box.example.com",
		FirstPort: 1024,
		Interfaces: []Interface{
			{Name: "lo", Addrs: addrs("127.0.0.1", "::1")},
			{Name: "eth0", Addrs: addrs("192.0.2.7", "fe80::1%eth0", "2001:db8::7")},
			{Name: "docker0", Addrs: addrs("172.17.0.1")},
			{Name: "br-0123456789ab", Addrs: addrs("172.18.0.1")},
		},
	}
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	all := []string{resource.CACert, resource.TLSCert, resource.TLSKey}
	for _, c := range []struct {
		path  string
		certs map[string][]string
	}{
		{path: "hello-world/west"},
		{path: "hello-world/east"},
		{path: "tcp-database/dbhost"},
		{path: "tcp-database/office"},
		{path: "three-site-edge/hub"},
		{path: "three-site-edge/branch"},
		{path: "three-site-edge/device"},
		{path: "tls-service/front"},
		{path: "tls-service/back", certs: map[string][]string{"shop-ca": {resource.CACert}, "ledger-client": all}},
		{path: "ha-two-path/hub-a"},
		{path: "ha-two-path/hub-b"},
		{path: "ha-two-path/client"},
		{path: "multikey-failover/app"},
		{path: "multikey-failover/primary"},
		{path: "multikey-failover/standby"},
		{path: "grants/issuer"},
		{path: "grants/redeemer"},
		{path: "ignored"},
	} {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			set, warnings, err := load(t, c.path)
			if err != nil {
				t.Fatal(err)
			}
			ctx := host()
			ctx.Certs = c.certs
			s, more, err := Build(set, ctx)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.ReplaceAll(c.path, "/", "-"), printed(s)+report(append(warnings, more...), nil))
		})
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file string
		want []string // "line: field: what the reason begins with"
	}{
		{"01-no-site.yaml", []string{"1: : no valid site definition found"}},
		{"02-two-sites.yaml", []string{"7: metadata.name: multiple sites found, only one is allowed: one and two"}},
		{"03-site-name.yaml", []string{`3: metadata.name: invalid site name "My.Site"`}},
		{"04-edge-ha.yaml", []string{"4: spec.ha: edge sites cannot have HA enabled"}},
		{"05-edge-linkaccess.yaml", []string{"4: spec.linkAccess: edge sites cannot accept incoming links"}},
		{"06-port-string.yaml", []string{"8: spec.port: integer expected, got string"}},
		{"07-port-range.yaml", []string{
			"8: spec.port: 70000 is out of range 1..65535",
			"13: spec.port: -4 is out of range 1..65535",
		}},
		{"08-same-port.yaml", []string{"13: spec.port: port 18999 already used on 0.0.0.0 by listener l1"}},
		{"09-wildcard-overlap.yaml", []string{"13: spec.port: 127.0.0.1:18999 overlaps 0.0.0.0:18999 (listener l1)"}},
		{"10-bad-host.yaml", []string{`8: spec.host: invalid host "bad_host!"`}},
		{"11-no-routingkey.yaml", []string{"8: spec.routingKey: routingKey is required"}},
		{"12-udp.yaml", []string{"8: spec.type: type udp not supported"}},
		{"13-ra-no-roles.yaml", []string{"8: spec.roles: roles are required"}},
		{"14-ra-normal-role.yaml", []string{"8: spec.roles[0].name: invalid role normal (valid: edge, inter-router)"}},
		{"15-ra-port-clash.yaml", []string{"9: spec.roles[1].port: port 55671 used twice by routeraccess mine"}},
		{"16-link-no-secret.yaml", []string{"8: spec.tlsCredentials: credential up not found (neither a Secret nor input/certs/up)"}},
		{"17-mkl-both.yaml", []string{"8: spec.strategy: exactly one strategy"}},
		{"18-mkl-zero-weight.yaml", []string{"8: spec.strategy.weighted.routingKeys.a: weight must be positive"}},
		{"19-mkl-none.yaml", []string{"8: spec.strategy: a strategy is required"}},
		{"20-mixed-namespaces.yaml", []string{"7: metadata.namespace: more than one namespace: one, two"}},
		{"21-duplicate-name.yaml", []string{"12: metadata.name: Listener l is defined twice"}},
		{"22-certificate-no-ca.yaml", []string{"8: spec.ca: CA nowhere not found"}},
		{"23-broken-yaml.yaml", []string{"5: : YAML: did not find expected key"}},
		{"24-link-wrong-role.yaml", []string{
			"10: data: credential up: ca.crt empty",
			"10: data: credential up: tls.crt empty",
			"10: data: credential up: tls.key empty",
			"15: spec.endpoints: no endpoint for role edge",
		}},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			set, warnings, err := load(t, "invalid/"+c.file)
			if err == nil {
				var s *Site
				s, warnings, err = Build(set, Context{})
				if s != nil {
					t.Errorf("a site came out")
				}
			}
			problems := resource.Problems(err)
			if len(problems) != len(c.want) {
				t.Fatalf("got %d problems, want %d:\n%s", len(problems), len(c.want), report(warnings, err))
			}
			for i, p := range problems {
				text := strings.Join([]string{strconv.Itoa(p.Line), p.Field, p.Reason}, ": ")
				if !strings.HasPrefix(text, c.want[i]) || p.File != c.file {
					t.Errorf("got %s in %s\nwant %s", text, p.File, c.want[i])
				}
			}
			var one *resource.FieldError
			if !errors.As(err, &one) {
				t.Errorf("no FieldError in %v", err)
			}
		})
	}
}

// TestInvalidIsComplete fails when a file was added without a row above.
func TestInvalidIsComplete(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(fixtures, "invalid", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 24 {
		t.Errorf("%d files, TestInvalid has 24 rows", len(files))
	}
}
