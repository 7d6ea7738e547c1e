package system

import (
	"errors"

	"github.com/skupper-host/skupper/system/api"
	"github.com/skupper-host/skupper/system/render"
	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
)

// blame is what the newest input says wrong of an object.
type blame struct {
	object resource.Ref
	why    string
}

// blames finds the objects that an error of a pass is about. s is the site that
// could not be rendered, nil if there is none.
func blames(err error, s *site.Site) []blame {
	var list []blame
	for _, p := range resource.Problems(err) {
		if p.Object != (resource.Ref{}) {
			list = append(list, blame{p.Object, advised(p.Error(), p.Advice)})
		}
	}
	if s == nil {
		return list
	}
	for _, e := range credentialErrors(err) {
		for _, ref := range users(s, e.Key.Name, e.Key.Authority) {
			list = append(list, blame{ref, advised(e.Error(), e.Hint())})
		}
	}
	return list
}

// credentialErrors takes apart what render joined.
func credentialErrors(err error) []*render.CredentialError {
	var one *render.CredentialError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []*render.CredentialError
		for _, e := range joined.Unwrap() {
			list = append(list, credentialErrors(e)...)
		}
		return list
	}
	if errors.As(err, &one) {
		return []*render.CredentialError{one}
	}
	return nil
}

// users are the objects that a credential is for.
func users(s *site.Site, name string, authority bool) []resource.Ref {
	refs := []resource.Ref{{Kind: resource.KindCertificate, Name: name}}
	add := func(kind resource.Kind, object, profile string) {
		if profile == name {
			refs = append(refs, resource.Ref{Kind: kind, Name: object})
		}
	}
	if authority {
		return refs
	}
	for _, l := range s.Listeners {
		add(resource.KindListener, l.Name, l.Profile)
	}
	for _, l := range s.MultiKeyListeners {
		add(resource.KindMultiKeyListener, l.Name, l.Profile)
	}
	for _, c := range s.Connectors {
		add(resource.KindConnector, c.Name, c.Profile)
	}
	for _, a := range s.Accesses {
		add(resource.KindRouterAccess, a.Name, a.Profile)
	}
	for _, l := range s.Links {
		add(resource.KindLink, l.Name, l.Profile)
	}
	return refs
}

// blame says of an object that it is in error, whatever the router says.
func (m *moment) blame(ref resource.Ref, why string) {
	o := m.site.Objects.Find(ref)
	if o == nil || len(resource.RequiredConditions(o)) == 0 {
		return
	}
	m.set(o.Health(), resource.RequiredConditions(o)[0], bad(why))
	resource.Aggregate(o, m.now)
}

// expired are the certificates that cannot be used now.
func (m *moment) expired() []blame {
	var list []blame
	for _, c := range m.creds {
		if c.Status != resource.StatusError {
			continue
		}
		for _, ref := range users(m.site, c.Name, c.Use == site.CA.String()) {
			if ref.Kind != resource.KindLink { // its connection tells more
				list = append(list, blame{ref, c.Message})
			}
		}
	}
	return list
}

// described finds a certificate by its name.
func described(list []api.Certificate, name string, authority bool) (api.Certificate, bool) {
	for _, c := range list {
		if c.Name == name && (c.Use == site.CA.String()) == authority {
			return c, true
		}
	}
	return api.Certificate{}, false
}
