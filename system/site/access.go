package site

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/resource"
)

// compat: where ports are looked for when none is given.
const (
	interRouterPort = 55671
	edgePort        = 45671
	localPort       = 5671
)

func defaultPort(role string) int {
	if role == EdgeRole {
		return edgePort
	}
	return interRouterPort
}

// accesses takes over the RouterAccesses of the input, and begins the one that
// link access asks for.
func (b *builder) accesses(spec *resource.Site) {
	for _, o := range resource.Of[*resource.RouterAccess](b.set) {
		b.access(o)
	}
	if b.makesAccess(spec) {
		b.keepPorts(spec)
	}
}

// makesAccess reports whether the site makes a RouterAccess of its own name.
func (b *builder) makesAccess(spec *resource.Site) bool {
	return spec.Spec.AcceptsLinks() && !spec.Spec.Edge &&
		resource.Get[*resource.RouterAccess](b.set, spec.Name) == nil
}

func (b *builder) access(o *resource.RouterAccess) {
	if o.Name == LocalAccess {
		b.fail(o, "metadata.name", "every site has a RouterAccess "+LocalAccess+" of its own")
		return
	}
	if b.site.Edge {
		b.fail(o, "spec.roles", edgeRefusal).Advice = "remove the RouterAccess, or edge from the site"
	}
	a := Access{Name: o.Name, BindHost: o.Spec.BindHost}
	for i, r := range o.Spec.Roles {
		at := fmt.Sprintf("spec.roles[%d]", i)
		if r.Name != InterRouter && r.Name != EdgeRole {
			b.fail(o, at+".name", fmt.Sprintf("invalid role %s (valid: %s, %s)", r.Name, EdgeRole, InterRouter))
			continue
		}
		if slices.ContainsFunc(a.Roles, func(x Role) bool { return x.Name == r.Name }) {
			b.fail(o, at+".name", fmt.Sprintf("role %s given twice", r.Name))
			continue
		}
		port := cmp.Or(r.Port, defaultPort(r.Name))
		a.Roles = append(a.Roles, Role{r.Name, port})
		b.claim(o, at+".port", a.BindHost, port, ownerName(o)+" ("+r.Name+")")
	}
	explicit := certificateHosts(o.Spec.BindHost, o.Spec.SubjectAlternativeNames)
	if len(o.Spec.SubjectAlternativeNames) > 0 {
		a.Decides = "spec.subjectAlternativeNames"
	} else if !isWildcard(o.Spec.BindHost) {
		a.Decides = "spec.bindHost"
	} else {
		explicit = b.hostNames(o.Name)
	}
	b.addAccess(o, a, cmp.Or(o.Spec.TLSCredentials, o.Name), o.Spec.Issuer, explicit)
}

// certificateHosts are the hosts of a certificate as a person asks for them.
// Wildcard addresses are in the input of upstream's sites, but name nobody.
func certificateHosts(bindHost string, names []string) []string {
	var hosts []string
	for _, h := range append([]string{bindHost}, names...) {
		if !isWildcard(h) && !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// addAccess completes an access with its credentials.
func (b *builder) addAccess(o *resource.RouterAccess, a Access, credential, issuer string, hosts []string) {
	a.Profile, a.ClientName = credential, "client-"+credential
	a.Issuer = cmp.Or(issuer, b.defaultIssuer())
	need := []string{resource.CACert, resource.TLSCert, resource.TLSKey}
	origin := b.credential(request{
		Credential: Credential{Name: a.Profile, Use: Server, Source: a.Profile, Issuer: a.Issuer, Subject: o.Name, Hosts: hosts},
		need:       need, generate: true, by: o, field: "spec.tlsCredentials",
	})
	b.credential(request{
		Credential: Credential{Name: a.ClientName, Use: Client, Source: a.ClientName, Issuer: a.Issuer, Subject: a.ClientName, Handed: true},
		need:       need, generate: true, by: o, field: "spec.tlsCredentials",
	})
	b.authority(o, "spec.issuer", a.Issuer)
	if origin != Generated {
		a.Decides = "credential " + a.Profile
	}
	for _, h := range hosts {
		if !strings.HasPrefix(h, "*.") {
			a.Hosts = append(a.Hosts, h)
		}
	}
	b.site.Accesses = append(b.site.Accesses, a)
}

// defaultIssuer is the authority of links and grants.
func (b *builder) defaultIssuer() string { return cmp.Or(b.issuer, SiteCA) }

// keepPorts claims the ports that the access made by the site had before, so
// that links that were given out stay good.
func (b *builder) keepPorts(spec *resource.Site) {
	for _, role := range linkRoles() {
		if port := b.ctx.Ports[portKey(spec.Name, role)]; port != 0 {
			b.sockets = append(b.sockets, claim{
				Socket: Socket{Port: port, Owner: "link access of site " + spec.Name},
				object: spec, field: "spec.linkAccess", kept: true,
			})
		}
	}
}

// linkRoles are the roles that other sites link to.
func linkRoles() []string { return []string{InterRouter, EdgeRole} }

func portKey(access, role string) string { return access + "/" + role }

// PortKey is the key of Site.Ports for the port of a role, empty for a port
// that the input names.
func (a *Access) PortKey(r Role) string {
	switch {
	case !a.Made:
		return ""
	case a.Name == LocalAccess:
		return LocalAccess
	}
	return portKey(a.Name, r.Name)
}

// allocate makes the accesses whose ports the site chooses. It comes after all
// ports that the input names are known.
func (b *builder) allocate(spec *resource.Site) {
	if b.makesAccess(spec) {
		b.makeAccess(spec)
	}
	b.makeLocalAccess(spec)
}

func (b *builder) makeAccess(spec *resource.Site) {
	o := &resource.RouterAccess{Meta: resource.Meta{Name: spec.Name}}
	a := Access{Name: spec.Name, Made: true}
	for _, role := range linkRoles() {
		key := portKey(spec.Name, role)
		port := b.port(key, b.ctx.Ports[key], defaultPort(role))
		if port == 0 {
			b.fail(spec, "spec.linkAccess", fmt.Sprintf("no free port for role %s", role))
			return
		}
		a.Roles = append(a.Roles, Role{role, port})
		o.Spec.Roles = append(o.Spec.Roles, resource.Role{Name: role, Port: port})
	}
	hosts := b.hostNames(spec.Name)
	o.Spec.TLSCredentials, o.Spec.Issuer, o.Spec.SubjectAlternativeNames = spec.Name, b.defaultIssuer(), hosts
	b.made = append(b.made, o)
	b.addAccess(o, a, spec.Name, "", hosts)
}

// makeLocalAccess makes the access for the agent and for tools of this host.
// Nobody outside knows its port, so it gives way to what the input asks for.
func (b *builder) makeLocalAccess(spec *resource.Site) {
	const host = "127.0.0.1"
	kept := b.ctx.Ports[LocalAccess]
	if b.named(kept) {
		kept = 0
	}
	port := b.port(LocalAccess, kept, localPort)
	if port == 0 {
		b.fail(spec, "", "no free port for "+LocalAccess)
		return
	}
	o := &resource.RouterAccess{Meta: resource.Meta{Name: LocalAccess}}
	o.Spec.Roles = []resource.Role{{Name: Normal, Port: port}}
	o.Spec.BindHost, o.Spec.TLSCredentials, o.Spec.Issuer = host, LocalServer, LocalCA
	b.made = append(b.made, o)
	need := []string{resource.CACert, resource.TLSCert, resource.TLSKey}
	hosts := []string{host, localhost}
	b.credential(request{
		Credential: Credential{Name: LocalServer, Use: Server, Source: LocalServer, Issuer: LocalCA, Subject: host, Hosts: hosts},
		need:       need, generate: true, by: o,
	})
	b.credential(request{
		Credential: Credential{Name: LocalClient, Use: Client, Source: LocalClient, Issuer: LocalCA, Subject: host, Hosts: hosts, Connect: true},
		need:       need, generate: true, by: o,
	})
	b.site.Accesses = append(b.site.Accesses, Access{
		Name: LocalAccess, Roles: []Role{{Normal, port}}, BindHost: host, Made: true,
		Profile: LocalServer, ClientName: LocalClient, Issuer: LocalCA, Hosts: []string{host}, Decides: "the site",
	})
}

// hostNames are the names and addresses by which other hosts can reach this
// one, and those that links were asked for.
func (b *builder) hostNames(access string) []string {
	var hosts []string
	add := func(name string) {
		clean, reason := resource.CheckHost(name)
		if reason == "" && clean != localhost && !slices.Contains(hosts, clean) {
			hosts = append(hosts, clean)
		}
	}
	add(b.ctx.Hostname)
	add(b.ctx.FQDN)
	for _, i := range b.ctx.Interfaces {
		if !isContainerBridge(i.Name) {
			for _, addr := range i.Addrs {
				if isReachable(addr) {
					add(addr.WithZone("").String())
				}
			}
		}
	}
	for _, h := range b.ctx.ExtraHosts[access] {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

func isReachable(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsValid() && !addr.IsLoopback() && !addr.IsUnspecified() && !addr.IsLinkLocalUnicast() && !addr.IsMulticast()
}

// containerBridge matches interfaces that lead to containers and virtual
// machines of this host only. Docker names those of its networks by twelve hex
// digits.
var containerBridge = regexp.MustCompile(`^(docker|podman|cni|virbr|veth|lxcbr|lxdbr|flannel|cali|cilium)|^br-[0-9a-f]{12}$`)

func isContainerBridge(name string) bool { return containerBridge.MatchString(name) }
