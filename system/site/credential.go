package site

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/resource"
)

// Use is what a credential is for.
type Use int

// The uses.
const (
	CA     Use = iota // signs others; lives among the issuers
	Server            // proves a server's name, and may act as a client, too
	Client            // proves a client
	Trust             // ca.crt only: verifies a server, proves nothing
)

func (u Use) String() string { return [...]string{"ca", "server", "client", "trust"}[u] }

// Origin is where the material of a credential comes from. A person's own
// directory goes before a Secret, and a Secret before what the site makes
// itself.
type Origin int

// The origins.
const (
	Generated Origin = iota // made and renewed by the site
	Directory               // input/certs/<Source> or input/issuers/<Source>
	Secret                  // the Secret of the input
)

func (o Origin) String() string { return [...]string{"generated", "directory", "secret"}[o] }

// Credential is what one directory under runtime/certs or runtime/issuers must
// hold: the TLS profile of the same name reads it.
type Credential struct {
	Name   string // of the directory, and of the TLS profile
	Use    Use
	Origin Origin

	// Source is the name of the input directory for Origin Directory, and of
	// the Secret for Origin Secret. It differs from Name for profiles of links
	// and of connectors without a client certificate.
	Source string
	Secret *resource.Secret // for Origin Secret

	// The following say what to make for Origin Generated. A generated Trust
	// is a copy of the issuer's certificate.
	Issuer  string   // name of a CA of this site; empty: self-signed
	Subject string   // common name
	Hosts   []string // subject alternative names; each IP is one as name, too

	// Connect says that the directory also holds connect.json.
	Connect bool
	// Handed says that the key pair travels to other sites in links: one per
	// link, with a long life, since its holder may be unable to renew it.
	Handed bool
}

// request asks for a credential on behalf of an object.
type request struct {
	Credential
	need     []string // files that a person's material must have
	generate bool     // whether the site may make it
	by       resource.Object
	field    string // of by, that names it
}

// key tells authorities from other credentials of the same name: they live in
// different directories.
type key struct {
	authority bool
	name      string
}

// credentials are those asked for so far.
type credentials struct {
	list  []request // the first request of each, with what later ones add
	index map[key]int
}

// credential asks for a credential and tells where it comes from. Problems are
// those of the site.
func (b *builder) credential(r request) Origin { return b.require(r, b.report) }

// require is credential with the caller's own way to report problems.
func (b *builder) require(r request, report func(*resource.FieldError)) Origin {
	k := key{r.Use == CA, r.Name}
	b.supply(&r, report)
	i, ok := b.creds.index[k]
	if !ok {
		if b.creds.index == nil {
			b.creds.index = make(map[key]int)
		}
		b.creds.index[k] = len(b.creds.list)
		b.creds.list = append(b.creds.list, r)
		return r.Origin
	}
	first := &b.creds.list[i]
	if reason := first.merge(r); reason != "" {
		e := resource.Problem(r.by, r.field, reason)
		e.Advice = "use another name for one of the two"
		report(e)
	}
	return first.Origin
}

// merge adds to a credential what another request for it asks for, or says why
// one credential cannot be both.
func (c *request) merge(r request) (reason string) {
	name := "credential " + c.Name
	switch {
	case (c.Use == Trust) != (r.Use == Trust) || c.Source != r.Source:
		return fmt.Sprintf("%s is needed in another form by %s", name, ownerName(c.by))
	case c.Origin != Generated:
		return ""
	case c.Issuer != r.Issuer:
		return fmt.Sprintf("%s is to be signed by %s here, and by %s for %s", name, spokenIssuer(r.Issuer), spokenIssuer(c.Issuer), ownerName(c.by))
	case c.Handed != r.Handed || c.Connect != r.Connect:
		return fmt.Sprintf("%s belongs to %s", name, ownerName(c.by))
	}
	if r.Use == Server {
		c.Use = Server
	}
	for _, h := range r.Hosts {
		if !slices.Contains(c.Hosts, h) {
			c.Hosts = append(slices.Clip(c.Hosts), h)
		}
	}
	return ""
}

func spokenIssuer(name string) string {
	if name == "" {
		return "itself"
	}
	return name
}

// supply finds where the material of a credential comes from.
func (b *builder) supply(r *request, report func(*resource.FieldError)) {
	fail := func(o resource.Object, field, reason string) {
		report(resource.Problem(o, field, reason))
	}
	place, directories := "input/certs/", b.ctx.Certs
	if r.Use == CA {
		place, directories = "input/issuers/", b.ctx.Issuers
	}
	place += r.Source
	if files := directories[r.Source]; hasAny(files) {
		r.Origin = Directory
		for _, file := range r.need {
			if !slices.Contains(files, file) {
				fail(r.by, r.field, fmt.Sprintf("credential %s: %s missing in %s", r.Source, file, place))
			}
		}
		return
	}
	if s := resource.Get[*resource.Secret](b.set, r.Source); s != nil {
		r.Origin, r.Secret = Secret, s
		for _, file := range r.need {
			if value, ok := s.Data[file]; !ok {
				fail(s, "data", fmt.Sprintf("credential %s: %s missing", r.Source, file))
			} else if len(value) == 0 {
				fail(s, "data", fmt.Sprintf("credential %s: %s empty", r.Source, file))
			}
		}
		return
	}
	if !r.generate {
		fail(r.by, r.field, fmt.Sprintf("credential %s not found (neither a Secret nor %s)", r.Source, place))
	}
}

// hasAny reports whether a directory holds any credential file at all. An empty
// one is as good as none.
func hasAny(files []string) bool {
	return slices.ContainsFunc([]string{resource.CACert, resource.TLSCert, resource.TLSKey}, func(f string) bool { return slices.Contains(files, f) })
}

// authority asks for a certificate authority, to be made if nobody supplies it.
func (b *builder) authority(by resource.Object, field, name string) {
	b.credential(request{
		Credential: Credential{Name: name, Use: CA, Source: name, Subject: name},
		need:       []string{resource.TLSCert, resource.TLSKey}, generate: true, by: by, field: field,
	})
}

// certificates takes over the Certificates of the input and completes the
// authorities: every site has three.
func (b *builder) certificates() {
	var site resource.Object = &resource.Site{Meta: resource.Meta{Name: b.site.Name}}
	for _, name := range []string{SiteCA, ServiceCA, LocalCA} {
		b.authority(site, "", name)
	}
	list := resource.Of[*resource.Certificate](b.set)
	for _, o := range list {
		if o.Spec.Signing {
			b.certificate(o)
		}
	}
	for _, o := range list {
		if !o.Spec.Signing {
			b.certificate(o)
		}
	}
}

func (b *builder) certificate(o *resource.Certificate) {
	c := Credential{Name: o.Name, Source: o.Name, Issuer: o.Spec.CA, Subject: o.Spec.Subject, Hosts: o.Spec.Hosts}
	need := []string{resource.CACert, resource.TLSCert, resource.TLSKey}
	switch {
	case o.Spec.Signing:
		c.Use, c.Issuer, c.Hosts = CA, "", nil
		need = need[1:]
		if o.Spec.CA != "" && o.Spec.CA != o.Name {
			b.warn(o, "spec.ca", "ignored: authorities sign themselves")
		}
	case o.Spec.Client:
		c.Use = Client
	case o.Spec.Server:
		c.Use = Server
	default:
		b.warn(o, "spec", "no effect: none of signing, server, client is true")
		return
	}
	if i, ok := b.creds.index[key{c.Use == CA, o.Name}]; ok {
		b.warn(o, "metadata.name", fmt.Sprintf("replaced by the credential of the same name that %s needs", ownerName(b.creds.list[i].by)))
		return
	}
	if c.Issuer != "" && !b.hasAuthority(c.Issuer) {
		b.fail(o, "spec.ca", fmt.Sprintf("CA %s not found (neither a Certificate with signing, a Secret, nor input/issuers/%s)", c.Issuer, c.Issuer))
		return
	}
	if c.Issuer != "" {
		b.authority(o, "spec.ca", c.Issuer)
	}
	b.credential(request{Credential: c, need: need, generate: true, by: o, field: "metadata.name"})
}

// hasAuthority reports whether there is, or will be, an authority of that name
// without making one up.
func (b *builder) hasAuthority(name string) bool {
	_, asked := b.creds.index[key{true, name}]
	return asked || hasAny(b.ctx.Issuers[name]) || resource.Get[*resource.Secret](b.set, name) != nil
}

// sorted lists the credentials, authorities first.
func (c *credentials) sorted() []Credential {
	list := make([]Credential, 0, len(c.list))
	for _, r := range c.list {
		list = append(list, r.Credential)
	}
	slices.SortFunc(list, func(x, y Credential) int {
		switch {
		case x.Use == CA && y.Use != CA:
			return -1
		case y.Use == CA && x.Use != CA:
			return 1
		}
		return strings.Compare(x.Name, y.Name)
	})
	return list
}

// objects are the Certificates that stand for the credentials of this site, for
// their status. What came from other sites is not among them.
func (c *credentials) objects() []resource.Object {
	var list []resource.Object
	for _, r := range c.list {
		if r.Use == Trust || !r.generate || r.by.Ref() == (resource.Ref{Kind: resource.KindCertificate, Name: r.Name}) {
			continue
		}
		if _, taken := c.index[key{true, r.Name}]; taken && r.Use != CA {
			continue // an authority has the name
		}
		o := &resource.Certificate{Meta: resource.Meta{Name: r.Name}}
		o.Spec.CA, o.Spec.Subject, o.Spec.Hosts = r.Issuer, r.Subject, r.Hosts
		o.Spec.Signing, o.Spec.Server, o.Spec.Client = r.Use == CA, r.Use == Server, r.Use == Client
		list = append(list, o)
	}
	return list
}
