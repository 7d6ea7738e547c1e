package site

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/resource"
)

// doc is a resource in a few lines.
func doc(kind, name, spec string) string {
	return "apiVersion: skupper.io/v2alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n---\n"
}

// secret is a Secret with dummy contents.
func secret(name string, keys ...string) string {
	text := "apiVersion: v1\nkind: Secret\nmetadata: {name: " + name + "}\nstringData: {"
	for _, k := range keys {
		text += k + ": x, "
	}
	return text + "}\n---\n"
}

func allKeys() []string { return []string{resource.CACert, resource.TLSCert, resource.TLSKey} }

const (
	siteDoc   = "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: s}\n---\n"
	openDoc   = "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: s}\nspec: {linkAccess: default}\n---\n"
	edgeDoc   = "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: s}\nspec: {edge: true}\n---\n"
	endpoints = `endpoints: [{name: inter-router, host: h.test, port: "55671"}, {name: edge, host: h.test, port: "45671"}]`
)

func build(t *testing.T, text string, ctx Context) (*Site, []string) {
	t.Helper()
	set, _, err := resource.Parse([]resource.Input{{Name: "f", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	s, warnings, err := Build(set, ctx)
	var lines []string
	for _, e := range resource.Problems(err) {
		lines = append(lines, e.Object.String()+" "+e.Field+": "+e.Reason)
	}
	for _, w := range warnings {
		lines = append(lines, "warning: "+w.Object.String()+" "+w.Field+": "+w.Reason)
	}
	return s, lines
}

func TestCrossChecks(t *testing.T) {
	t.Parallel()
	listen := func(name, host, port string) string {
		return doc("Listener", name, "routingKey: k, host: '"+host+"', port: "+port)
	}
	const mklHead = "host: 127.0.0.1, port: 19000, "
	for _, c := range []struct {
		name, text string
		ctx        Context
		want       []string
	}{
		{"other addresses", siteDoc + listen("a", "127.0.0.1", "1") + listen("b", "127.0.0.2", "1") + listen("c", "::1", "1"), Context{}, nil},
		{"localhost is a loopback address", siteDoc + listen("a", "127.0.0.1", "1") + listen("b", "localhost", "1"), Context{}, []string{
			"listener/b spec.port: localhost:1 overlaps 127.0.0.1:1 (listener a)",
		}},
		{"all of IPv4 and one of IPv6", siteDoc + listen("a", "0.0.0.0", "1") + listen("b", "::1", "1"), Context{}, nil},
		{"all of IPv6 is all of IPv4", siteDoc + listen("a", "::", "1") + listen("b", "10.0.0.1", "1"), Context{}, []string{
			"listener/b spec.port: 10.0.0.1:1 overlaps [::]:1 (listener a)",
		}},
		{"a name and a wildcard", siteDoc + listen("a", "db.test", "1") + listen("b", "0.0.0.0", "1"), Context{}, []string{
			"listener/b spec.port: 0.0.0.0:1 overlaps db.test:1 (listener a)",
		}},
		{"multi-key listener", siteDoc + listen("a", "0.0.0.0", "19000") + doc("MultiKeyListener", "m", mklHead+"strategy: {priority: {routingKeys: [a]}}"), Context{}, []string{
			"multikeylistener/m spec.port: 127.0.0.1:19000 overlaps 0.0.0.0:19000 (listener a)",
		}},
		{"router access", siteDoc + doc("RouterAccess", "r", "roles: [{name: edge}]") + listen("a", "10.0.0.1", "45671"), Context{}, []string{
			"listener/a spec.port: 10.0.0.1:45671 overlaps *:45671 (routeraccess r (edge))",
		}},
		{"another namespace", siteDoc + listen("a", "10.0.0.1", "1") + listen("b", "10.0.0.1", "2"), Context{Claimed: []Socket{{"0.0.0.0", 1, "listener x in namespace east"}, {"10.0.0.2", 2, "y"}}}, []string{
			"listener/a spec.port: 10.0.0.1:1 overlaps 0.0.0.0:1 (listener x in namespace east)",
		}},
		{"low port", siteDoc + listen("a", "10.0.0.1", "432"), Context{FirstPort: 1024}, []string{
			"listener/a spec.port: port 432 needs a privilege that this site does not have",
		}},
		{"port kept for link access", openDoc + listen("a", "10.0.0.1", "55671"), Context{Ports: map[string]int{"s/inter-router": 55671, "s/edge": 45671}}, []string{
			"listener/a spec.port: 10.0.0.1:55671 overlaps *:55671 (link access of site s)",
		}},
		{"skupper-local", siteDoc + doc("RouterAccess", "skupper-local", "roles: [{name: edge}]"), Context{}, []string{
			"routeraccess/skupper-local metadata.name: every site has a RouterAccess skupper-local of its own",
		}},
		{"edge site", edgeDoc + doc("RouterAccess", "r", "roles: [{name: edge}]"), Context{}, []string{
			"routeraccess/r spec.roles: edge sites cannot accept incoming links",
		}},
		{"role twice", siteDoc + doc("RouterAccess", "r", "roles: [{name: edge}, {name: edge, port: 1}]"), Context{}, []string{
			"routeraccess/r spec.roles[1].name: role edge given twice",
		}},
		{"no keys", siteDoc + doc("MultiKeyListener", "m", mklHead+"strategy: {priority: {}}"), Context{}, []string{
			"multikeylistener/m spec.strategy.priority.routingKeys: routingKeys must not be empty",
		}},
		{"keys", siteDoc + doc("MultiKeyListener", "m", mklHead+"strategy: {priority: {routingKeys: [a, b, a, '']}}"), Context{}, []string{
			"multikeylistener/m spec.strategy.priority.routingKeys[2]: routing key a given twice",
			"multikeylistener/m spec.strategy.priority.routingKeys[3]: a routing key must not be empty",
		}},
		{"too many keys", siteDoc + doc("MultiKeyListener", "m", mklHead+"strategy: {priority: {routingKeys: ["+manyKeys(257)+"]}}"), Context{}, []string{
			"multikeylistener/m spec.strategy.priority.routingKeys: 257 routing keys, at most 256 are allowed",
		}},
		{"weighted keys", siteDoc + doc("MultiKeyListener", "m", mklHead+"strategy: {weighted: {routingKeys: {_a: 1, b: -1}}}"), Context{}, []string{
			`multikeylistener/m spec.strategy.weighted.routingKeys: invalid routing key "_a": names that begin with _ or $ belong to the router`,
			"multikeylistener/m spec.strategy.weighted.routingKeys.b: weight must be positive, got -1",
		}},
		{"strategy changed", siteDoc + doc("MultiKeyListener", "m", mklHead+"strategy: {weighted: {routingKeys: {a: 1}}}"), Context{Strategies: map[string]Strategy{"m": Priority}}, []string{
			"multikeylistener/m spec.strategy: strategy cannot be changed from priority to weighted",
		}},
		{"strategy kept", siteDoc + doc("MultiKeyListener", "m", mklHead+"strategy: {weighted: {routingKeys: {a: 1}}}"), Context{Strategies: map[string]Strategy{"m": Weighted}}, nil},
		{"client certificates without TLS", siteDoc + doc("MultiKeyListener", "m", mklHead+"requireClientCert: true, strategy: {weighted: {routingKeys: {a: 1}}}"), Context{}, []string{
			"multikeylistener/m spec.requireClientCert: client certificates need TLS: tlsCredentials is required",
		}},
		{"TLS options without TLS", siteDoc + doc("Connector", "c", "routingKey: k, host: h, port: 1, verifyHostname: true") + doc("Connector", "d", "routingKey: k, host: h, port: 1, useClientCert: true"), Context{}, []string{
			"warning: connector/c spec.verifyHostname: no effect without tlsCredentials",
			"warning: connector/d spec.useClientCert: no effect without tlsCredentials",
		}},
		{"namespaces of the directory", "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: s, namespace: west}\n---\n" + listen("a", "h", "1"), Context{Namespace: "west"}, nil},
		{"another namespace than the directory", "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: s, namespace: west}\n", Context{Namespace: "east"}, []string{
			"site/s metadata.namespace: namespace east expected, got west",
		}},
		{"any namespace", "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: s, namespace: west}\n", Context{Namespace: "east", AnyNamespace: true}, nil},
		{"reserved namespace", siteDoc, Context{Namespace: "controller"}, []string{
			` metadata.namespace: invalid namespace "controller": the unit skupper-controller.service is used otherwise`,
		}},
		{"bad settings", doc("Site", "s", "settings: {router-logging: 'x:y', router-data-connection-count: '-1', cert-validity: 1d, key-type: rsa2048, grant-url: 'h', drain-seconds: x}"), Context{}, []string{
			`site/s spec.settings.cert-validity: invalid duration "1d": a positive number with a unit is expected, such as 720h`,
			`site/s spec.settings.drain-seconds: a number is expected, got "x"`,
			`site/s spec.settings.grant-url: HOST:PORT is expected, got "h"`,
			`site/s spec.settings.router-data-connection-count: a number is expected, got "-1"`,
			`site/s spec.settings.router-logging: unknown log module "x"; there are ROUTER, ROUTER_CORE, ROUTER_HELLO, ROUTER_LS, ROUTER_MA, MESSAGE, SERVER, AGENT, AUTHSERVICE, CONTAINER, ERROR, POLICY, HTTP, CONN_MGR, PYTHON, PROTOCOL, TCP_ADAPTOR, HTTP_ADAPTOR, DEFAULT`,
		}},
		{"unknown level", doc("Site", "s", "settings: {routerLogging: loud}"), Context{}, []string{
			`site/s spec.settings.routerLogging: unknown log level "loud"; there are trace, debug, info, notice, warning, error, critical`,
		}},
		{"grant of a negative number", openDoc + doc("AccessGrant", "g", "redemptionsAllowed: -1"), Context{}, []string{
			"accessgrant/g spec.redemptionsAllowed: -1 is too small, at least 1 is expected",
		}},
		{"second link to the same site", siteDoc + secret("c", allKeys()...) + doc("Link", "a", "tlsCredentials: c, "+endpoints) + doc("Link", "b", "tlsCredentials: c, "+endpoints), Context{}, []string{
			"warning: link/b spec.endpoints[0]: second link to the same site, besides link a",
		}},
		{"proxy", siteDoc + secret("c", allKeys()...) + doc("Link", "a", "tlsCredentials: c, settings: {proxy-configuration: p}, "+endpoints), Context{}, []string{
			"link/a spec.settings.proxy-configuration: proxy p not found (neither a Secret nor input/proxies/p)",
		}},
		{"proxy without a port", siteDoc + secret("p", "host") + secret("c", allKeys()...) + doc("Link", "a", "tlsCredentials: c, settings: {proxy-configuration: p}, "+endpoints), Context{}, []string{
			"link/a spec.settings.proxy-configuration: proxy p: port missing",
		}},
		{"useless certificate", siteDoc + doc("Certificate", "x", "ca: skupper-site-ca"), Context{}, []string{
			"warning: certificate/x spec: no effect: none of signing, server, client is true",
		}},
		{"certificate of the site's own name", siteDoc + doc("Certificate", "skupper-site-ca", "ca: other, signing: true"), Context{}, []string{
			"warning: certificate/skupper-site-ca metadata.name: replaced by the credential of the same name that site s needs",
			"warning: certificate/skupper-site-ca spec.ca: ignored: authorities sign themselves",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, got := build(t, c.text, c.ctx)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			failed := slices.ContainsFunc(c.want, func(s string) bool { return !strings.HasPrefix(s, "warning: ") })
			if failed != (s == nil) {
				t.Errorf("site %v, failed %v", s, failed)
			}
		})
	}
}

func manyKeys(n int) string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = "k" + strconv.Itoa(i)
	}
	return strings.Join(keys, ", ")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s, problems := build(t, doc("Site", "s", `settings: {routerLogging: "info, TCP_ADAPTOR:debug+,:error", routerDataConnections: auto,
  tls-prior-valid-revisions: "0", cert-validity: 720h, link-cert-validity: 24h, ca-validity: 48h, key-type: rsa2048,
  grant-url: "[2001:db8::1]:9443", drain-seconds: "0"}`), Context{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := Settings{
		Logging:      []LogLevel{{"DEFAULT", "info+"}, {"TCP_ADAPTOR", "debug+"}, {"DEFAULT", "error+"}},
		CertValidity: 720 * time.Hour, ClientValidity: 24 * time.Hour, LinkRenewal: true, CAValidity: 48 * time.Hour,
		KeyType: RSA2048, GrantURL: "[2001:db8::1]:9443",
	}
	if diff := cmp.Diff(want, s.Settings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSiteID(t *testing.T) {
	t.Parallel()
	const named = "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: s, uid: mine}\n"
	for _, c := range []struct{ text, before, want string }{
		{siteDoc, "", ""}, {siteDoc, "old", "old"}, {named, "", "mine"}, {named, "old", "mine"},
	} {
		if s, _ := build(t, c.text, Context{SiteID: c.before}); s.ID != c.want {
			t.Errorf("id %q, want %q", s.ID, c.want)
		}
	}
}

// TestBuildLeavesItsInputAlone matters because the agent keeps parsed files.
func TestBuildLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	set, _, err := load(t, "every-field")
	if err != nil {
		t.Fatal(err)
	}
	before := make(map[resource.Ref]string)
	for o := range set.All() {
		before[o.Ref()] = string(resource.EncodeYAML(o))
	}
	ctx := host()
	ctx.Namespace = "west"
	s, _, err := Build(set, ctx)
	if err != nil {
		t.Fatal(err)
	}
	for o := range set.All() {
		if got := string(resource.EncodeYAML(o)); got != before[o.Ref()] {
			t.Errorf("changed to %s", got)
		}
	}
	for o := range s.Objects.All() {
		if o.Head().Namespace != "west" {
			t.Errorf("%s in namespace %q", o.Ref(), o.Head().Namespace)
		}
	}
	again, _, err := Build(set, ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(printed(s), printed(again)); diff != "" {
		t.Errorf("the same input, another site:\n%s", diff)
	}
	golden(t, "every-field", printed(s))
}
