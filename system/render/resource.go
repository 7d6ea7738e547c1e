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
	add := func(k RecordKind, o resource.Object, subject string) {
		var text []byte
		if r.in.Records != nil {
			var kept bool
			if text, kept = r.in.Records.Text(k, o); kept {
				return
			}
		} else {
			text = resource.EncodeYAML(o)
		}
		secret := holdsSecrets(o.Ref().Kind)
		r.file(k.Path(r.in.Paths, o.Ref()), state.File{
			Data: text, Mode: 0o600, Secret: secret, Subject: subject, Record: true,
			Derived: !secret, // a grant's record counts what was redeemed
		})
	}
	for _, o := range r.in.Objects {
		add(Shown, o, state.SubjectResources)
	}
	for _, o := range r.in.Snapshot {
		add(Loaded, o, state.SubjectSnapshot)
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
