package render

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skupper-host/skupper/system/pki"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// LinkDocument is what another site needs to link to an access by a host: a
// Secret with a client certificate, and a Link.
//
// compat: upstream's tools read the Secret first.
func LinkDocument(name string, a site.Access, host string, cost int, p pki.Pair) []byte {
	secret := &resource.Secret{
		Meta: resource.Meta{Name: name},
		Type: resource.SecretTypeTLS,
		Data: map[string][]byte{resource.CACert: p.CA, resource.TLSCert: p.Cert, resource.TLSKey: p.Key},
	}
	link := &resource.Link{Meta: resource.Meta{Name: name}}
	link.Spec.TLSCredentials, link.Spec.Cost = name, max(cost, 1)
	for _, role := range []string{site.InterRouter, site.EdgeRole} {
		i := slices.IndexFunc(a.Roles, func(r site.Role) bool { return r.Name == role })
		if i >= 0 {
			link.Spec.Endpoints = append(link.Spec.Endpoints, resource.Endpoint{Name: role, Host: host, Port: portText(a.Roles[i].Port)})
		}
	}
	return bytes.Join([][]byte{resource.EncodeYAML(secret), resource.EncodeYAML(link)}, []byte("---\n"))
}

// NewLinkName names a Link and its Secret after the site and what makes it
// unique: at the other end there may be links to many sites.
func (r *renderer) newLinkName() string {
	return LinkName(r.in.Site.Name, draw(r.in.Random, 4))
}

// LinkName names a Link and its Secret after the site and four random bytes,
// so that a site with links to many others can tell them apart.
func LinkName(siteName string, unique []byte) string {
	return siteName + "-" + hex.EncodeToString(unique[:4])
}

// linkFiles makes a link file for every host by which other sites can reach an
// access. Each holds a client certificate of its own, so that one link can be
// told from the others.
func (r *renderer) linkFiles() error {
	var handed []state.Handed
	for _, h := range r.in.Memory.Links {
		if !h.File {
			handed = append(handed, h)
		}
	}
	for _, a := range r.in.Site.Accesses {
		if a.Name == site.LocalAccess {
			continue
		}
		for _, host := range r.linkHosts(a) {
			h, err := r.linkFile(a, host)
			if err != nil {
				return err
			}
			handed = append(handed, h)
		}
	}
	r.in.Memory.Links = handed
	return nil
}

// linkHosts are the hosts of an access that its certificate covers. A
// certificate that a person supplied says itself what they are.
//
// compat: IP addresses before names.
func (r *renderer) linkHosts(a site.Access) []string {
	hosts := a.Hosts
	if i := slices.IndexFunc(r.in.Site.Credentials, func(c site.Credential) bool { return c.Use == site.Server && c.Name == a.Profile }); i >= 0 && r.in.Site.Credentials[i].Origin != site.Generated {
		info, err := pki.Describe(r.out.Credentials[CredentialKey{Name: a.Profile}].Cert)
		if err != nil {
			return nil
		}
		hosts = slices.DeleteFunc(info.Hosts, func(h string) bool { return strings.HasPrefix(h, "*.") })
	}
	hosts = slices.Clone(hosts)
	slices.SortStableFunc(hosts, func(x, y string) int { return rankOfHost(x) - rankOfHost(y) })
	return slices.Compact(hosts)
}

func rankOfHost(host string) int {
	if _, err := netip.ParseAddr(host); err == nil {
		return 0
	}
	return 1
}

// linkFile keeps the link file of a host as far as it is good, or makes it.
func (r *renderer) linkFile(a site.Access, host string) (state.Handed, error) {
	path := r.in.Paths.LinkFile(a.Name, host)
	name, pair := readLinkFile(filepath.Base(path), r.in.Have.Files[path].Data)
	client := CredentialKey{Name: a.ClientName}
	shared, ours := r.sharedClient(a)
	switch {
	case !ours:
		pair = shared
		if name == "" {
			name = r.newLinkName()
		}
	default:
		by, err := pki.ParseAuthority(r.out.Credentials[CredentialKey{Authority: true, Name: a.Issuer}])
		if err != nil {
			return state.Handed{}, &CredentialError{client, "authority " + a.Issuer, err}
		}
		decision := pki.Decide(clientWant(r.in.Site.Settings, name), by, pair, r.in.Now)
		if decision.Reason == pki.Keep {
			pair.CA = by.Trust()
			break
		}
		if name == "" {
			name = r.newLinkName()
		}
		if pair, err = pki.Issue(clientWant(r.in.Site.Settings, name), by, r.in.Now, r.in.Random); err != nil {
			return state.Handed{}, &CredentialError{client, "authority " + a.Issuer, err}
		}
		r.out.Issued = append(r.out.Issued, Issued{Key: CredentialKey{Name: name}, Host: host, Decision: decision, NotAfter: expiry(pair.Cert)})
	}
	r.put(path, LinkDocument(name, a, host, 1, pair), state.LinkFile(filepath.Base(path)), true)
	return r.handed(name, a, host, pair), nil
}

// sharedClient is the client certificate that a person supplied for everybody
// who links to an access.
func (r *renderer) sharedClient(a site.Access) (p pki.Pair, ours bool) {
	i := slices.IndexFunc(r.in.Site.Credentials, func(c site.Credential) bool { return c.Use != site.CA && c.Name == a.ClientName })
	if i >= 0 && r.in.Site.Credentials[i].Origin != site.Generated {
		return r.out.Credentials[CredentialKey{Name: a.ClientName}], false
	}
	return pki.Pair{}, true
}

// handed is the record of a link file, as it was if the certificate is.
func (r *renderer) handed(name string, a site.Access, host string, p pki.Pair) state.Handed {
	info, err := pki.Describe(p.Cert)
	if err != nil {
		return state.Handed{Name: name, Access: a.Name, Host: host, File: true}
	}
	return state.Handed{
		Name: name, Access: a.Name, Host: host, Subject: info.Subject, Serial: info.Serial,
		Issued: info.NotBefore, NotAfter: info.NotAfter, File: true,
	}
}

// readLinkFile takes a link file apart; what cannot be read is empty, and made
// anew.
func readLinkFile(name string, data []byte) (link string, p pki.Pair) {
	if len(data) == 0 {
		return "", pki.Pair{}
	}
	set, _, err := resource.Parse([]resource.Input{{Name: name, Data: data}})
	if err != nil {
		return "", pki.Pair{}
	}
	for _, l := range resource.Of[*resource.Link](set) {
		link = l.Name
		p = PairOf(resource.Get[*resource.Secret](set, l.Spec.TLSCredentials))
	}
	return link, p
}

// IssueLink makes a link for another site that is not kept in a file: what
// link generate prints. The authority is the files of a.Issuer; subject is whom
// the certificate is made out to, "" for the name of the link.
func IssueLink(in Input, a site.Access, authority pki.Pair, host, name, subject string, cost int) ([]byte, state.Handed, error) {
	r := &renderer{in: in}
	if name == "" {
		name = r.newLinkName()
	}
	by, err := pki.ParseAuthority(authority)
	if err != nil {
		return nil, state.Handed{}, fmt.Errorf("%s: %w", state.Authority(a.Issuer), err)
	}
	pair, err := pki.Issue(clientWant(in.Site.Settings, cmp.Or(subject, name)), by, in.Now, in.Random)
	if err != nil {
		return nil, state.Handed{}, err
	}
	h := r.handed(name, a, host, pair)
	h.File = false
	return LinkDocument(name, a, host, cost, pair), h, nil
}
