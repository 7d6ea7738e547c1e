package system

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// linkFor does what api.Controller.Link says.
func (n *namespace) linkFor(ctx context.Context, r api.LinkRequest) (*api.LinkFile, error) {
	if !n.exists() {
		return nil, n.missing()
	}
	if r.Name != "" {
		if err := checkName(r.Name); err != nil {
			return nil, err
		}
	}
	if reason := resource.CheckCredential(r.Credentials); r.Credentials != "" && reason != "" {
		return nil, &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("credentials %q: %s", r.Credentials, reason)}
	}
	if err := n.take(ctx); err != nil {
		return nil, err
	}
	defer n.give()
	a, err := accessFor(n.seen.Load(), r.Access)
	if err != nil {
		return nil, err
	}
	name, warnings, err := hostFor(a, r.Host)
	if err != nil {
		return nil, err
	}
	cover, err := coverage(a, name)
	if err != nil {
		return nil, err
	}
	o, err := n.pass(ctx, wish{memory: cover})
	if err != nil {
		return nil, wrong(err)
	}
	if o.site == nil {
		return nil, &api.Error{Kind: api.Invalid, Message: "the input has no Site"}
	}
	in := render.Input{Site: o.site, Paths: n.paths, Now: time.Now(), Random: rand.Reader}
	authority := o.output.Credentials[render.CredentialKey{Authority: true, Name: a.Issuer}]
	document, handed, err := render.IssueLink(in, *a, authority, name, r.Name, "", r.Cost)
	if err != nil {
		return nil, err
	}
	f := &api.LinkFile{Name: handed.Name, Host: name, Warnings: warnings}
	if f.Document, err = relabel(document, r); err != nil || !r.Generate {
		return f, err
	}
	_, err = n.pass(ctx, wish{memory: func(m *state.Memory) { m.Links = m.Links.With(handed, time.Now()) }})
	return f, wrong(err)
}

// accessFor is the access that a link leads to.
func accessFor(v *view, name string) (*site.Access, error) {
	if v.site == nil || v.memory.Generation == 0 {
		return nil, &api.Error{Kind: api.Invalid, Message: "the site is not started", Advice: "`skupper system start` starts it"}
	}
	if list := accessesFor(v.site, name, ""); len(list) > 0 {
		return &list[0], nil
	}
	if name != "" {
		return nil, &api.Error{Kind: api.Missing, Message: fmt.Sprintf("routeraccess/%s does not exist", name)}
	}
	if v.site.Edge {
		return nil, &api.Error{Kind: api.Invalid, Message: "edge sites cannot accept incoming links", Advice: "make the link on the other site"}
	}
	return nil, &api.Error{
		Kind: api.Invalid, Message: "the site does not let others link to it",
		Advice: fmt.Sprintf("`skupper site update %s --enable-link-access`", v.site.Name),
	}
}

// accessesFor are the accesses for other routers: that of a name, those of an
// issuer, or all, the first that others can most likely reach before the rest.
func accessesFor(s *site.Site, name, issuer string) []site.Access {
	var list []site.Access
	for _, a := range s.Accesses {
		if a.Name != site.LocalAccess && (name == "" || a.Name == name) && (issuer == "" || a.Issuer == issuer) {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b site.Access) int { return cmp.Compare(min(reachability(b), 1), min(reachability(a), 1)) })
	return list
}

// reachability is the rank of the best host of an access.
func reachability(a site.Access) int {
	best := 0
	for _, h := range a.Hosts {
		best = max(best, rankHost(h))
	}
	return best
}

// hostFor is the host of a link: the one asked for, or the one that others can
// most likely reach: a name before a global address.
func hostFor(a *site.Access, asked string) (string, []string, error) {
	if asked != "" {
		clean, reason := resource.CheckHost(asked)
		if reason != "" {
			return "", nil, &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("host %q: %s", asked, reason)}
		}
		if ip := net.ParseIP(clean); ip != nil && ip.IsUnspecified() {
			return "", nil, &api.Error{Kind: api.Invalid, Message: fmt.Sprintf("host %s means every address, and so none that others can reach", clean)}
		}
		return clean, nil, nil
	}
	best, rank := "", 0
	for _, h := range a.Hosts {
		if r := rankHost(h); r > rank {
			best, rank = h, r
		}
	}
	if best == "" {
		return "", nil, &api.Error{
			Kind: api.Invalid, Message: "no name or address of this host is known that others can reach", Advice: "name one with --host",
		}
	}
	warnings := []string{fmt.Sprintf("no --host was given: the link leads to %s", best)}
	if ip := net.ParseIP(best); ip != nil && ip.IsPrivate() {
		warnings[0] += ", a private address"
	}
	warnings[0] += "; --host names another"
	return best, warnings, nil
}

// rankHost orders hosts by how likely others reach them; 0 is never.
func rankHost(h string) int {
	ip := net.ParseIP(h)
	switch {
	case ip == nil && h == "localhost":
		return 0
	case ip == nil && strings.Contains(h, "."):
		return 5
	case ip == nil:
		return 2
	case ip.IsLoopback(), ip.IsUnspecified(), ip.IsLinkLocalUnicast():
		return 0
	case ip.To4() != nil:
		return 4
	}
	return 3
}

// coverage is what must be remembered so that the server certificate of an
// access names a host; nil where it does already.
func coverage(a *site.Access, host string) (func(*state.Memory), error) {
	if slices.Contains(a.Hosts, host) {
		return nil, nil
	}
	if a.Decides != "" {
		return nil, &api.Error{
			Kind: api.Invalid, Message: fmt.Sprintf("the certificate of %s does not name %s; its names are decided by %s", a.Name, host, a.Decides),
			Advice: "add the host there, or choose one of: " + strings.Join(a.Hosts, ", "),
		}
	}
	return func(m *state.Memory) {
		extra := map[string][]string{}
		for access, hosts := range m.ExtraHosts {
			extra[access] = slices.Clone(hosts)
		}
		extra[a.Name] = append(extra[a.Name], host)
		m.ExtraHosts = extra
	}, nil
}

// relabel makes the changes of a request to a link document: another Secret,
// or none.
func relabel(document []byte, r api.LinkRequest) ([]byte, error) {
	if r.Credentials == "" && r.Generate {
		return document, nil
	}
	set, _, err := resource.Parse([]resource.Input{{Name: "link", Data: document}})
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for o := range set.All() {
		switch o := o.(type) {
		case *resource.Secret:
			if !r.Generate {
				continue
			}
			o.Name = first(r.Credentials, o.Name)
		case *resource.Link:
			o.Spec.TLSCredentials = first(r.Credentials, o.Spec.TLSCredentials)
		}
		out = append(out, resource.EncodeYAML(o))
	}
	return slices.Concat(joinDocuments(out)...), nil
}

func joinDocuments(docs [][]byte) [][]byte {
	var out [][]byte
	for i, d := range docs {
		if i > 0 {
			out = append(out, []byte("---\n"))
		}
		out = append(out, d)
	}
	return out
}
