package site

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/resource"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	const spec = "tlsCredentials: c, " + endpoints
	creds := secret("c", allKeys()...)
	for _, c := range []struct {
		name, text string
		want       Link
	}{
		{"interior", siteDoc + doc("Link", "a", spec), Link{Name: "a", Role: InterRouter, Host: "h.test", Port: 55671, Cost: 1, Profile: "c-profile"}},
		{"edge", edgeDoc + doc("Link", "a", spec+", cost: 7"), Link{Name: "a", Role: EdgeRole, Host: "h.test", Port: 45671, Cost: 7, Profile: "c-profile"}},
		{"cost is at least 1", siteDoc + doc("Link", "a", spec+", cost: -7"), Link{Name: "a", Role: InterRouter, Host: "h.test", Port: 55671, Cost: 1, Profile: "c-profile"}},
		{"proxy", siteDoc + secret("p", "host", "port") + doc("Link", "a", spec+", settings: {proxy-configuration: p}"), Link{Name: "a", Role: InterRouter, Host: "h.test", Port: 55671, Cost: 1, Profile: "c-profile", Proxy: "p"}},
	} {
		s, problems := build(t, c.text+creds, Context{})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if diff := cmp.Diff([]Link{c.want}, s.Links); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if (c.want.Proxy != "") != (len(s.Proxies) == 1) {
			t.Errorf("%s: proxies %v", c.name, s.Proxies)
		}
	}
}

// TestTolerantContext is about files dropped into the input: a link that cannot
// work does not keep the rest from working.
func TestTolerantContext(t *testing.T) {
	t.Parallel()
	text := edgeDoc + secret("c", allKeys()...) +
		doc("Link", "good", "tlsCredentials: c, "+endpoints) +
		doc("Link", "role", "tlsCredentials: c, endpoints: [{name: inter-router, host: h, port: '1'}]") +
		doc("Link", "secret", "tlsCredentials: missing, "+endpoints)
	want := []string{
		"link/role spec.endpoints: no endpoint for role edge",
		"link/secret spec.tlsCredentials: credential missing not found (neither a Secret nor input/certs/missing)",
	}
	_, problems := build(t, text, Context{})
	problems = problems[:len(problems)-1] // the warning about two links to one place
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("strict (-want +got):\n%s", diff)
	}
	s, problems := build(t, text, Context{Tolerant: true})
	var got []string
	for _, f := range s.Faults {
		if f.Object != f.Err.Object {
			t.Errorf("fault of %s says %v", f.Object, f.Err)
		}
		got = append(got, f.Object.String()+" "+f.Err.Field+": "+f.Err.Reason)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(s.Links) != 1 {
		t.Errorf("%d links, problems %v, faults (-want +got):\n%s", len(s.Links), problems, diff)
	}
}

func TestGrantsAndTokens(t *testing.T) {
	t.Parallel()
	const token = "url: 'https://h.test:9090/x', code: c, ca: pem"
	s, problems := build(t, openDoc+doc("AccessGrant", "a", "")+
		doc("AccessGrant", "b", "redemptionsAllowed: 3, expirationWindow: 2h, code: c")+
		doc("AccessToken", "x", token)+doc("AccessToken", "y", token+", linkCost: 4"), Context{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	grants := []Grant{
		{Name: "a", Redemptions: 1, Window: 10 * time.Minute, Issuer: SiteCA},
		{Name: "b", Redemptions: 3, Window: 2 * time.Hour, Issuer: SiteCA, Code: "c"},
	}
	tokens := []Token{
		{Name: "x", URL: "https://h.test:9090/x", Code: "c", CA: "pem", Cost: 1},
		{Name: "y", URL: "https://h.test:9090/x", Code: "c", CA: "pem", Cost: 4},
	}
	if diff := cmp.Diff(grants, s.Grants); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tokens, s.Tokens); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

func TestGrantsThatCannotBeServed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		edgeDoc: "Edge sites cannot accept incoming links",
		siteDoc: "the site does not accept links",
	} {
		s, problems := build(t, text+doc("AccessGrant", "g", ""), Context{})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if len(s.Grants) != 0 || len(s.Faults) != 1 || s.Faults[0].Err.Reason != want || s.Faults[0].Object.Name != "g" {
			t.Errorf("grants %v, faults %+v, want %s", s.Grants, s.Faults, want)
		}
		if s.Objects.Find(resource.Ref{Kind: resource.KindAccessGrant, Name: "g"}) == nil {
			t.Error("the grant is not among the objects")
		}
	}
}
