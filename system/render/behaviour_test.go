package render

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/plan"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

const day = 24 * time.Hour

// west is hello-world/west, rendered once.
func west(t *testing.T) (Input, Output) {
	t.Helper()
	in := input(t, load(t, "hello-world/west"), machine())
	return in, render(t, in)
}

func issued(out Output) string {
	var names []string
	for _, i := range out.Issued {
		name := i.Key.String() + " " + i.Decision.Reason.String()
		if i.Host != "" {
			name = "link for " + i.Host + " " + i.Decision.Reason.String()
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// rebuilt is the next pass over west with a changed machine or input.
func rebuilt(t *testing.T, in Input, out Output, change func(*site.Context)) Input {
	t.Helper()
	ctx := machine()
	ctx.SiteID, ctx.Ports = out.Memory.SiteID, out.Memory.Ports
	change(&ctx)
	next := input(t, load(t, "hello-world/west"), ctx)
	next.Now = in.Now
	return again(next, out)
}

func TestHostAdded(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	next := rebuilt(t, in, out, func(c *site.Context) { c.ExtraHosts = map[string][]string{"west": {"proxy.example.com"}} })
	second := render(t, next)
	if got, want := issued(second), "certificate west name missing, link for proxy.example.com missing"; got != want {
		t.Errorf("issued %s, want %s", got, want)
	}
	if i := second.Memory.Credentials["west"]; i.Ordinal != 0 || i.Serial == out.Memory.Credentials["west"].Serial {
		t.Errorf("record %+v", i)
	}
	if s := second.Memory.SiteID; s != out.Memory.SiteID || second.Memory.RouterID != out.Memory.RouterID {
		t.Errorf("site %s, router %s", s, second.Memory.RouterID)
	}
	steps := strings.Join(plan.Lines(plan.Make(second.State, out.State)), "\n")
	if !strings.Contains(steps, "update certificate west: tls.crt, tls.key") || !strings.Contains(steps, "reload skupper-west.service") {
		t.Errorf("plan\n%s", steps)
	}
}

func TestAddressGone(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	next := rebuilt(t, in, out, func(c *site.Context) { c.Interfaces = nil })
	second := render(t, next)
	if got := issued(second); got != "" {
		t.Errorf("issued %s", got)
	}
	if _, ok := second.State.Files[in.Paths.LinkFile("west", "192.0.2.7")]; ok {
		t.Error("the link file of an address that is gone stays")
	}
}

// TestRenewal goes through the life of the certificates.
func TestRenewal(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	in = again(in, out)
	in.Now = epoch.Add(260 * day)
	if second := render(t, in); issued(second) != "" {
		t.Errorf("after 260 days: issued %s", issued(second))
	}
	in.Now = epoch.Add(270 * day)
	second := render(t, in)
	if got, want := issued(second), "certificate skupper-local-client due, certificate skupper-local-server due, certificate west due"; got != want {
		t.Errorf("after 270 days: issued %s, want %s", got, want)
	}
	for path, f := range out.State.Files {
		if strings.HasPrefix(path, in.Paths.Issuers()) && !second.State.Files[path].Same(f) {
			t.Errorf("%s changed", path)
		}
	}
	if i := second.Memory.Credentials["west"]; i.Ordinal != 1 || i.Oldest != 0 {
		t.Errorf("first renewal: %+v", i)
	}
	config := string(second.State.Files[in.Paths.RouterConfig()].Data)
	if !strings.Contains(config, `"ordinal": 1`) {
		t.Errorf("no ordinal in\n%s", config)
	}
	third := again(in, second)
	third.Now = epoch.Add(540 * day)
	if i := render(t, third).Memory.Credentials["west"]; i.Ordinal != 2 || i.Oldest != 1 {
		t.Errorf("second renewal: %+v", i)
	}
}

func TestRenewalAskedFor(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	in = again(in, out)
	in.Renew = []string{"west", "nobody"}
	if got, want := issued(render(t, in)), "certificate west asked for"; got != want {
		t.Errorf("issued %s, want %s", got, want)
	}
}

// TestLinkWorks checks that what is in a link file and what the router shows are
// accepted by each other, by every host that has a file.
func TestLinkWorks(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	server, err := pki.Load(out.Credentials[CredentialKey{Name: "west"}])
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, host := range []string{"box", "box.example.com", "192.0.2.7", "2001:db8::7"} {
		name, pair := readLinkFile("x.yaml", out.State.Files[in.Paths.LinkFile("west", host)].Data)
		client, err := pki.Load(pair)
		if err != nil {
			t.Fatal(err)
		}
		names[name] = true
		roots := x509.NewCertPool()
		roots.AddCert(client.CAs[0])
		if _, err := server.Leaf().Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: epoch}); err != nil {
			t.Errorf("server by %s: %v", host, err)
		}
		if !slices.Contains(server.Leaf().DNSNames, host) {
			t.Errorf("%s is not a DNS name of the server", host)
		}
		ours := x509.NewCertPool()
		ours.AddCert(server.CAs[0])
		usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if _, err := client.Leaf().Verify(x509.VerifyOptions{Roots: ours, KeyUsages: usage, CurrentTime: epoch}); err != nil {
			t.Errorf("client for %s: %v", host, err)
		}
	}
	if len(names) != 4 {
		t.Errorf("names of links: %v", names)
	}
}

func TestIssueLink(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	access := in.Site.Accesses[slices.IndexFunc(in.Site.Accesses, func(a site.Access) bool { return a.Name == "west" })]
	doc, handed, err := IssueLink(in, access, out.Credentials[CredentialKey{Authority: true, Name: access.Issuer}], "box", "", "", 5)
	if err != nil {
		t.Fatal(err)
	}
	if handed.File || handed.Host != "box" || handed.Access != "west" || !strings.HasPrefix(handed.Name, "west-") || handed.Serial == "" {
		t.Errorf("%+v", handed)
	}
	set, _, err := resource.Parse([]resource.Input{{Name: "link.yaml", Data: doc}})
	if err != nil {
		t.Fatal(err)
	}
	link := resource.Get[*resource.Link](set, handed.Name)
	if link == nil || link.Spec.Cost != 5 || len(link.Spec.Endpoints) != 2 || resource.Get[*resource.Secret](set, handed.Name) == nil {
		t.Errorf("%+v", link)
	}
	// What was handed out stays on record.
	next := again(in, out)
	next.Memory.Links = append(slices.Clone(next.Memory.Links), handed)
	if second := render(t, next); !slices.Contains(second.Memory.Links, handed) {
		t.Errorf("%+v is forgotten in %+v", handed, second.Memory.Links)
	}
}

// TestPortChangeKeepsLinkCertificates checks that a link file changes its port
// and nothing else.
func TestPortChangeKeepsLinkCertificates(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	next := rebuilt(t, in, out, func(c *site.Context) { c.Ports = map[string]int{"west/inter-router": 50000} })
	second := render(t, next)
	path := in.Paths.LinkFile("west", "box")
	before, after := string(out.State.Files[path].Data), string(second.State.Files[path].Data)
	if strings.Replace(before, `"55671"`, `"50000"`, 1) != after || issued(second) != "" {
		t.Errorf("issued %s; before\n%s\nafter\n%s", issued(second), before, after)
	}
}

func TestDamagedLinkFileIsMadeAnew(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	path := in.Paths.LinkFile("west", "box")
	f := out.State.Files[path]
	f.Data = f.Data[:len(f.Data)/2]
	out.State.Files[path] = f
	if got, want := issued(render(t, again(in, out))), "link for box missing"; got != want {
		t.Errorf("issued %s, want %s", got, want)
	}
}

func TestDamagedAuthorityIsAnError(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	path := filepath.Join(in.Paths.IssuerDir("skupper-site-ca"), pki.KeyFile)
	for name, data := range map[string][]byte{"cut off": []byte("-----BEGIN"), "gone": nil} {
		next := again(in, out)
		next.Have.Files = make(map[string]state.File)
		for p, f := range out.State.Files {
			if p == path {
				f.Data = data
			}
			next.Have.Files[p] = f
		}
		_, err := Render(next)
		var c *CredentialError
		if !errors.As(err, &c) || c.Key != (CredentialKey{true, "skupper-site-ca"}) || c.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one error:\n%v", name, err)
		}
	}
}

func TestDamagedLeafIsMadeAnew(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	path := filepath.Join(in.Paths.CertDir("west"), pki.CertFile)
	f := out.State.Files[path]
	f.Data = []byte("rubbish")
	out.State.Files[path] = f
	if got, want := issued(render(t, again(in, out))), "certificate west unreadable"; got != want {
		t.Errorf("issued %s, want %s", got, want)
	}
}

// TestAuthorityOfAPerson has the site signed by an authority in PKCS #8, first
// from a directory, then another one from a Secret.
func TestAuthorityOfAPerson(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	ca, err := pki.Issue(pki.Want{Authority: true, Subject: "acme", Validity: 3650 * day}, nil, epoch, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	next := rebuilt(t, in, out, func(c *site.Context) { c.Issuers = map[string][]string{"skupper-site-ca": {"tls.crt", "tls.key"}} })
	next.Supplied.Issuers = map[string]pki.Pair{"skupper-site-ca": {Cert: ca.Cert, Key: ca.Key}}
	second := render(t, next)
	if got := second.Credentials[CredentialKey{Name: "west"}]; !bytes.Equal(got.CA, ca.Cert) {
		t.Error("the certificate is not signed by the person's authority")
	}
	if got, want := issued(second), "certificate client-west issuer changed, certificate west issuer changed, "+
		"link for 192.0.2.7 issuer changed, link for 2001:db8::7 issuer changed, link for box issuer changed, link for box.example.com issuer changed"; got != want {
		t.Errorf("issued %s, want %s", got, want)
	}
	if i := second.Memory.Credentials["west"]; i.Ordinal != 1 {
		t.Errorf("record %+v", i)
	}
	if issued(render(t, again(next, second))) != "" {
		t.Error("issued again")
	}
	third := again(next, second)
	third.Supplied.Issuers = map[string]pki.Pair{"skupper-site-ca": {Cert: ca.Cert, Key: out.Credentials[CredentialKey{true, "skupper-site-ca"}].Key}}
	if _, err := Render(third); !errors.Is(err, pki.ErrMismatch) || !strings.Contains(err.Error(), "input/issuers/skupper-site-ca: tls.key") {
		t.Errorf("another key: %v", err)
	}
}

// TestServerCertificateOfAPerson has link files follow its names.
func TestServerCertificateOfAPerson(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	by, err := pki.ParseAuthority(out.Credentials[CredentialKey{true, "skupper-site-ca"}])
	if err != nil {
		t.Fatal(err)
	}
	own, err := pki.Issue(pki.Want{Subject: "own", Hosts: []string{"hub.example.com", "*.example.com", "198.51.100.1"}, Validity: day}, by, epoch, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	next := rebuilt(t, in, out, func(c *site.Context) { c.Certs = map[string][]string{"west": {"ca.crt", "tls.crt", "tls.key"}} })
	next.Supplied.Certs = map[string]pki.Pair{"west": own}
	second := render(t, next)
	if !second.Credentials[CredentialKey{Name: "west"}].Equal(own) {
		t.Error("the person's certificate is not used")
	}
	var links []string
	for path := range second.State.Files {
		if strings.HasPrefix(path, in.Paths.Links()) {
			links = append(links, filepath.Base(path))
		}
	}
	slices.Sort(links)
	if got := strings.Join(links, " "); got != "link-west-198.51.100.1.yaml link-west-hub.example.com.yaml" {
		t.Errorf("link files %s", got)
	}
	if _, ok := second.Memory.Credentials["west"]; ok {
		t.Error("a person's certificate is on record as issued")
	}
	next.Supplied.Certs = map[string]pki.Pair{"west": {CA: own.CA, Cert: own.Cert, Key: []byte("rubbish")}}
	if _, err := Render(next); !errors.Is(err, pki.ErrNoPEM) || !strings.Contains(err.Error(), "certificate west: input/certs/west: tls.key") {
		t.Errorf("damaged: %v", err)
	}
}

// TestTrustOnly renders the profile of a connector that only verifies its
// server.
func TestTrustOnly(t *testing.T) {
	t.Parallel()
	ctx := machine()
	ctx.Certs = map[string][]string{"shop-ca": {"ca.crt"}, "ledger-client": {"ca.crt", "tls.crt", "tls.key"}}
	in := input(t, load(t, "tls-service/back"), ctx)
	ca, err := pki.Issue(pki.Want{Authority: true, Subject: "shop", Validity: day}, nil, epoch, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	in.Supplied.Certs = map[string]pki.Pair{"shop-ca": {CA: ca.Cert}, "ledger-client": ca}
	out := render(t, in)
	dir := in.Paths.CertDir("shop-ca-profile")
	if got := out.State.Files[filepath.Join(dir, pki.CAFile)].Data; !bytes.Equal(got, ca.Cert) {
		t.Errorf("ca.crt %q", got)
	}
	if _, ok := out.State.Files[filepath.Join(dir, pki.CertFile)]; ok {
		t.Error("a certificate where there is none")
	}
	entities, err := state.Entities(out.State.Files[in.Paths.RouterConfig()].Data)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range entities {
		switch e.Key() {
		case "sslProfile/shop-ca-profile":
			seen++
			if len(e.Attrs) != 2 || e.Attrs["caCertFile"] == "" {
				t.Errorf("%v", e.Attrs)
			}
		case "tcpConnector/connector/shop@shop.internal.test":
			seen++
			if e.Attrs["sslProfile"] != "shop-ca-profile" || e.Attrs["verifyHostname"] == "false" {
				t.Errorf("%v", e.Attrs)
			}
		case "tcpConnector/connector/ledger@127.0.0.1":
			seen++
			if e.Attrs["sslProfile"] != "ledger-client" || e.Attrs["verifyHostname"] != "false" {
				t.Errorf("%v", e.Attrs)
			}
		}
	}
	if seen != 3 {
		t.Errorf("%d of 3 entities", seen)
	}
}

// TestUnusedAuthorityStays removes what an authority was for, and brings it
// back.
func TestUnusedAuthorityStays(t *testing.T) {
	t.Parallel()
	_, out := west(t)
	east := input(t, load(t, "hello-world/east"), machine())
	east.Have, east.Memory = out.State, out.Memory
	second := render(t, east)
	path := filepath.Join(east.Paths.IssuerDir("skupper-site-ca"), pki.KeyFile)
	if !bytes.Equal(second.State.Files[path].Data, out.State.Files[path].Data) {
		t.Error("the authority changed")
	}
	if _, ok := second.State.Files[filepath.Join(east.Paths.CertDir("west"), pki.KeyFile)]; ok {
		t.Error("a certificate that nothing uses stays")
	}
}

func TestStoppedSite(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	in = again(in, out)
	in.Memory.Stopped = true
	u := render(t, in).State.Units["skupper-west.service"]
	if u.Running || u.Enabled {
		t.Errorf("%v", u)
	}
}

func TestGenerations(t *testing.T) {
	t.Parallel()
	in, out := west(t)
	if out.Memory.Generation != 1 {
		t.Errorf("first generation %d", out.Memory.Generation)
	}
	in = again(in, out)
	in.InputHash = "h2"
	if got := render(t, in).Memory; got.Generation != 2 || got.InputHash != "h2" {
		t.Errorf("%+v", got)
	}
}

// TestUpstreamNamespace takes over what upstream's tools made: RSA keys, a
// shared client certificate in the link file, no records.
func TestUpstreamNamespace(t *testing.T) {
	t.Parallel()
	in := input(t, load(t, "hello-world/west"), machine())
	ca, err := pki.Issue(pki.Want{Authority: true, Subject: "skupper-site-ca", KeyType: pki.RSA2048, Validity: 5 * 365 * day}, nil, epoch, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by, err := pki.ParseAuthority(ca)
	if err != nil {
		t.Fatal(err)
	}
	client, err := pki.Issue(pki.Want{Subject: "client-west", KeyType: pki.RSA2048, Validity: 5 * 365 * day}, by, epoch, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	config := []byte(`[["router",{"id":"west-1700000000-1","metadata":"{\"id\":\"aaaa-bbbb\",\"version\":\"2.1.0\"}"}],
		["listener",{"name":"west-inter-router","role":"inter-router","port":55672}],["listener",{"name":"skupper-local-normal","role":"normal","port":5673}]]`)
	if in.Memory, err = state.Recall(config); err != nil {
		t.Fatal(err)
	}
	dir := in.Paths.IssuerDir("skupper-site-ca")
	path := in.Paths.LinkFile("west", "box")
	in.Have.Files = map[string]state.File{
		filepath.Join(dir, "ca.crt"): {Data: ca.CA}, filepath.Join(dir, "tls.crt"): {Data: ca.Cert}, filepath.Join(dir, "tls.key"): {Data: ca.Key},
		path: {Data: LinkDocument("link-west", in.Site.Accesses[1], "box", 1, client)},
	}
	out := render(t, in)
	if m := out.Memory; m.SiteID != "aaaa-bbbb" || m.RouterID != "west-1700000000-1" {
		t.Errorf("site %s, router %s", m.SiteID, m.RouterID)
	}
	if got := out.Credentials[CredentialKey{true, "skupper-site-ca"}]; !got.Equal(ca) {
		t.Error("the authority changed")
	}
	name, pair := readLinkFile("x.yaml", out.State.Files[path].Data)
	if name != "link-west" || !bytes.Equal(pair.Key, client.Key) {
		t.Errorf("link %s, same key %v", name, bytes.Equal(pair.Key, client.Key))
	}
	if block, _ := pem.Decode(out.Credentials[CredentialKey{Name: "west"}].Key); block.Type != "PRIVATE KEY" {
		t.Errorf("new key in %s", block.Type)
	}
}

func TestProxyOfALink(t *testing.T) {
	t.Parallel()
	s := &site.Site{
		Name: "x", Links: []site.Link{{Name: "l", Role: "inter-router", Host: "h", Port: 1, Cost: 2, Profile: "p", Proxy: "corp"}},
		Proxies: []site.Proxy{{Name: "corp", Origin: site.Directory}},
	}
	in, _ := west(t)
	in.Site = s
	in.Supplied.Proxies = map[string]Proxy{"corp": {Host: "proxy", Port: "3128", Username: "u", Password: "secret"}}
	out := render(t, in)
	path := filepath.Join(in.Paths.Proxies(), "corp", "password.txt")
	if f := out.State.Files[path]; string(f.Data) != "secret" || !f.Secret || f.Mode != 0o600 {
		t.Errorf("%s: %v", path, f)
	}
	config := string(out.State.Files[in.Paths.RouterConfig()].Data)
	for _, want := range []string{`"proxyProfile": "corp"`, `"host": "proxy"`, `"password": "file:` + path + `"`, `"cost": 2`} {
		if !strings.Contains(config, want) {
			t.Errorf("no %s in\n%s", want, config)
		}
	}
	if strings.Contains(config, "secret") {
		t.Error("the password is in the configuration")
	}
}
