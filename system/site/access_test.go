package site

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/system/resource"
)

// busyAt is a host on which something listens on some ports.
func busyAt(ports ...int) func(int) bool {
	busy := make(map[int]bool)
	for _, p := range ports {
		busy[p] = true
	}
	return func(port int) bool { return busy[port] }
}

func TestPortsOfLinkAccess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		ctx        Context
		want       map[string]int
	}{
		{"first free ones", openDoc, Context{}, map[string]int{"s/inter-router": 55671, "s/edge": 45671, "skupper-local": 5671}},
		{"kept", openDoc, Context{
			Ports: map[string]int{"s/inter-router": 60001, "s/edge": 60002, "skupper-local": 60003, "old/edge": 60004},
			Busy:  busyAt(60001, 60002, 60003),
		}, map[string]int{"s/inter-router": 60001, "s/edge": 60002, "skupper-local": 60003}},
		{"the ports of the host are not looked at for what is kept", openDoc, Context{
			Ports: map[string]int{"s/inter-router": 60001, "s/edge": 60002, "skupper-local": 60003},
			Busy:  func(int) bool { panic("looked at") },
		}, map[string]int{"s/inter-router": 60001, "s/edge": 60002, "skupper-local": 60003}},
		{"busy and claimed ones are passed by", openDoc, Context{
			Busy:    busyAt(55671, 5671),
			Claimed: []Socket{{Host: "10.0.0.1", Port: 55672}, {Host: "127.0.0.1", Port: 45671}},
		}, map[string]int{"s/inter-router": 55673, "s/edge": 45672, "skupper-local": 5672}},
		{
			"never a port that the input names", openDoc +
				doc("RouterAccess", "mine", "roles: [{name: inter-router}, {name: edge}]") +
				doc("Listener", "l", "routingKey: k, host: 127.0.0.9, port: 55672") +
				doc("Connector", "c", "routingKey: k, host: localhost, port: 5671") +
				doc("Connector", "d", "routingKey: k, host: elsewhere, port: 5672"),
			Context{},
			map[string]int{"s/inter-router": 55673, "s/edge": 45672, "skupper-local": 5672},
		},
		{"skupper-local gives way", siteDoc + doc("Listener", "l", "routingKey: k, host: 127.0.0.1, port: 6000"), Context{
			Ports: map[string]int{"skupper-local": 6000},
		}, map[string]int{"skupper-local": 5671}},
		{"an access of the site's name is not made twice", openDoc + doc("RouterAccess", "s", "roles: [{name: edge, port: 7000}]"), Context{}, map[string]int{"skupper-local": 5671}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, problems := build(t, c.text, c.ctx)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(c.want, s.Ports); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoFreePort(t *testing.T) {
	t.Parallel()
	busy := make(map[int]bool)
	for p := interRouterPort; p <= lastPort; p++ {
		busy[p] = true
	}
	_, problems := build(t, openDoc, Context{Busy: func(port int) bool { return busy[port] }})
	if diff := cmp.Diff([]string{"site/s spec.linkAccess: no free port for role inter-router"}, problems); diff != "" {
		t.Error(diff)
	}
}

func TestHostsOfAnAccess(t *testing.T) {
	t.Parallel()
	all := []string{"box", "box.example.com", "192.0.2.7", "2001:db8::7"}
	for _, c := range []struct {
		name, spec, decides string
		ctx                 Context
		want                []string
	}{
		{"nothing given", "", "", host(), all},
		{"bound to everything", "bindHost: 0.0.0.0, ", "", host(), all},
		{"bound to one address", "bindHost: 192.0.2.7, ", "spec.bindHost", host(), []string{"192.0.2.7"}},
		{"names given", "bindHost: 192.0.2.7, subjectAlternativeNames: [a.test, 0.0.0.0, '::', A.test, '*.b.test'], ", "spec.subjectAlternativeNames", host(), []string{"192.0.2.7", "a.test"}},
		{"asked for by links", "", "", Context{Hostname: "localhost", FQDN: "bad_name", ExtraHosts: map[string][]string{"r": {"localhost"}, "q": {"x"}}}, []string{"localhost"}},
		{"asked for by links, but fixed", "bindHost: 10.0.0.1, ", "spec.bindHost", Context{ExtraHosts: map[string][]string{"r": {"localhost"}}}, []string{"10.0.0.1"}},
		{"certificate of a person", "tlsCredentials: mine, ", "credential mine", Context{Hostname: "box", Certs: map[string][]string{"mine": allKeys()}}, []string{"box"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, problems := build(t, siteDoc+doc("RouterAccess", "r", c.spec+"roles: [{name: edge}]"), c.ctx)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			a := s.Accesses[0]
			if diff := cmp.Diff(c.want, a.Hosts); diff != "" || a.Decides != c.decides || a.Made {
				t.Errorf("decided by %q, want %q; hosts (-want +got):\n%s", a.Decides, c.decides, diff)
			}
		})
	}
}

// TestMadeAccessIsAResource is for those who read runtime/resources.
func TestMadeAccessIsAResource(t *testing.T) {
	t.Parallel()
	ctx := host()
	ctx.ExtraHosts = map[string][]string{"s": {"outside.example.com"}}
	s, _ := build(t, openDoc, ctx)
	o := resource.Get[*resource.RouterAccess](s.Objects, "s")
	want := resource.RouterAccessSpec{
		Roles:          []resource.Role{{Name: InterRouter, Port: 55671}, {Name: EdgeRole, Port: 45671}},
		TLSCredentials: "s", Issuer: SiteCA,
		SubjectAlternativeNames: []string{"box", "box.example.com", "192.0.2.7", "2001:db8::7", "outside.example.com"},
	}
	if diff := cmp.Diff(want, o.Spec); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	local := resource.Get[*resource.RouterAccess](s.Objects, LocalAccess)
	if local.Spec.Roles[0] != (resource.Role{Name: Normal, Port: 5671}) || local.Spec.BindHost != "127.0.0.1" {
		t.Errorf("got %+v", local.Spec)
	}
}
