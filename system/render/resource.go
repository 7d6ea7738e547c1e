package render

import (
	"path/filepath"

	"github.com/skupper-host/skupper/system/resource"
	"github.com/skupper-host/skupper/system/site"
	"github.com/skupper-host/skupper/system/state"
)

// resources adds the resources in effect, with their status, and the snapshot
// of the input.
func (r *renderer) resources() {
	encode := r.in.Encode
	if encode == nil {
		encode = resource.EncodeYAML
	}
	p := r.in.Paths
	add := func(path string, o resource.Object, subject string) {
		secret := holdsSecrets(o.Ref().Kind)
		r.file(path, state.File{
			Data: encode(o), Mode: 0o600, Secret: secret, Subject: subject, Record: true,
			Derived: !secret, // a grant's record counts what was redeemed
		})
	}
	for _, o := range r.in.Objects {
		add(p.RuntimeResource(string(o.Ref().Kind), o.Ref().Name), o, state.SubjectResources)
	}
	for _, o := range r.in.Snapshot {
		add(filepath.Join(p.Snapshot(), string(o.Ref().Kind)+"-"+o.Ref().Name+".yaml"), o, state.SubjectSnapshot)
	}
}

// holdsSecrets reports whether documents of a kind have keys or codes in them.
func holdsSecrets(k resource.Kind) bool {
	switch k {
	case resource.KindSecret, resource.KindAccessToken, resource.KindAccessGrant:
		return true
	default:
		return false
	}
}

// proxies adds the passwords of proxies, for the router to read.
func (r *renderer) proxies() {
	for _, p := range r.in.Site.Proxies {
		if password := r.proxy(p).Password; password != "" {
			r.put(r.passwordFile(p.Name), []byte(password), state.Proxy(p.Name), true)
			r.out.State.Dirs[r.in.Paths.Proxies()] = state.Dir{Mode: 0o700, Owner: r.routerOwner()}
		}
	}
}

func (r *renderer) passwordFile(proxy string) string {
	return filepath.Join(r.in.Paths.Proxies(), proxy, "password.txt")
}

// proxy is the definition of a proxy.
func (r *renderer) proxy(p site.Proxy) Proxy {
	if p.Origin != site.Secret || p.Secret == nil {
		return r.in.Supplied.Proxies[p.Name]
	}
	text := func(key string) string { return string(p.Secret.Data[key]) }
	return Proxy{Host: text("host"), Port: text("port"), Username: text("username"), Password: text("password")}
}
