package site

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/skupper-host/skupper/system/resource"
)

// links takes over links and tokens: what connects this site to others.
func (b *builder) links() {
	for _, o := range resource.Of[*resource.Link](b.set) {
		b.link(o)
	}
	for _, o := range resource.Of[*resource.AccessToken](b.set) {
		b.site.Tokens = append(b.site.Tokens, Token{
			Name: o.Name, URL: o.Spec.URL, Code: o.Spec.Code, CA: o.Spec.CA, Cost: max(o.Spec.LinkCost, 1),
			Proxy: b.proxy(o, o.Spec.Settings, b.report),
		})
	}
}

// report makes a problem one of the site.
func (b *builder) report(e *resource.FieldError) { b.errs = append(b.errs, e) }

// link takes over a link. In a tolerant context a link that cannot work is left
// out, with the first of its problems.
func (b *builder) link(o *resource.Link) {
	var first *resource.FieldError
	report := func(e *resource.FieldError) {
		first = cmp.Or(first, e)
		if !b.ctx.Tolerant {
			b.report(e)
		}
	}
	l := Link{Name: o.Name, Role: InterRouter, Cost: max(o.Spec.Cost, 1), Profile: profileOf(o.Spec.TLSCredentials)}
	if b.site.Edge {
		l.Role = EdgeRole
	}
	i := slices.IndexFunc(o.Spec.Endpoints, func(e resource.Endpoint) bool { return e.Name == l.Role })
	if i >= 0 {
		l.Host = o.Spec.Endpoints[i].Host
		l.Port, _ = resource.CheckPort(o.Spec.Endpoints[i].Port)
		b.sameTarget(o, i, l)
	} else {
		e := resource.Problem(o, "spec.endpoints", "no endpoint for role "+l.Role)
		e.Advice = "get a new link from the other site; it must accept links of this role"
		report(e)
	}
	b.require(request{
		Credential: Credential{Name: l.Profile, Use: Client, Source: o.Spec.TLSCredentials},
		need:       []string{resource.CACert, resource.TLSCert, resource.TLSKey}, by: o, field: "spec.tlsCredentials",
	}, report)
	l.Proxy = b.proxy(o, o.Spec.Settings, report)
	if first != nil {
		if b.ctx.Tolerant {
			b.fault(o, first)
		}
		return
	}
	b.site.Links = append(b.site.Links, l)
}

// sameTarget warns of two links to one place.
func (b *builder) sameTarget(o *resource.Link, endpoint int, l Link) {
	for _, other := range b.site.Links {
		if other.Host == l.Host && other.Port == l.Port {
			b.warn(o, fmt.Sprintf("spec.endpoints[%d]", endpoint), "second link to the same site, besides link "+other.Name)
		}
	}
}

// proxy finds the HTTP proxy that a setting names.
func (b *builder) proxy(o resource.Object, s resource.Settings, report func(*resource.FieldError)) string {
	name, key := s.Get(resource.SettingProxy)
	if name == "" {
		return ""
	}
	field := "spec.settings." + key
	p := Proxy{Name: name, Origin: Directory}
	files, ok := b.ctx.Proxies[name]
	if !ok {
		p.Origin, p.Secret = Secret, resource.Get[*resource.Secret](b.set, name)
		if p.Secret == nil {
			report(resource.Problem(o, field, fmt.Sprintf("proxy %s not found (neither a Secret nor input/proxies/%s)", name, name)))
			return ""
		}
		files = keysOf(p.Secret)
	}
	for _, file := range []string{"host", "port"} {
		if !slices.Contains(files, file) {
			report(resource.Problem(o, field, fmt.Sprintf("proxy %s: %s missing", name, file)))
			return ""
		}
	}
	if !slices.ContainsFunc(b.site.Proxies, func(x Proxy) bool { return x.Name == name }) {
		b.site.Proxies = append(b.site.Proxies, p)
	}
	return name
}

// keysOf lists the keys of a Secret that say something.
func keysOf(s *resource.Secret) []string {
	var keys []string
	for key, value := range s.Data {
		if len(value) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// defaultWindow is how long a grant is good.
//
// compat: upstream's controller.
const defaultWindow = 10 * time.Minute

// grants takes over the grants. One that cannot be served now is left out; it
// is not an error of the site.
func (b *builder) grants(spec *resource.Site) {
	accepts := slices.ContainsFunc(b.site.Accesses, func(a Access) bool { return a.Name != LocalAccess })
	for _, o := range resource.Of[*resource.AccessGrant](b.set) {
		g := Grant{
			Name: o.Name, Redemptions: cmp.Or(o.Spec.RedemptionsAllowed, 1), Window: defaultWindow,
			Code: o.Spec.Code, Issuer: cmp.Or(o.Spec.Issuer, b.defaultIssuer()),
		}
		if g.Redemptions < 0 {
			b.fail(o, "spec.redemptionsAllowed", fmt.Sprintf("%d is too small, at least 1 is expected", g.Redemptions))
		}
		if o.Spec.ExpirationWindow != "" {
			// Its form was checked when it was loaded.
			g.Window, _ = time.ParseDuration(o.Spec.ExpirationWindow)
		}
		switch {
		case b.site.Edge:
			b.fault(o, resource.Problem(o, "", "Edge sites cannot accept incoming links"))
		case !accepts:
			e := resource.Problem(o, "", "the site does not accept links")
			e.Advice = "skupper site update " + spec.Name + " --enable-link-access"
			b.fault(o, e)
		default:
			b.authority(o, "spec.issuer", g.Issuer)
			b.site.Grants = append(b.site.Grants, g)
		}
	}
}
